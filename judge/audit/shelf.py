"""The transcripts that are being read: the last few are kept, and one that will be asked for next can be fetched beforehand.

Reading a transcript of 20,000 messages takes about a second. Two people who ask for one at the same time wait for one reading.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from judge.audit.reading import Reading

_KEPT: Final = 8

Place = tuple[str, str]  # the source's label, the transcript's id


class _Slot:
    """A transcript's place on the shelf, empty until somebody has read it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held: tuple[Reading | None] | None = None


class Shelf:
    """Finds readings by source and transcript id. Safe to use from several threads.

    Args:
        find: reads a transcript; null where it is not where it was. What it raises is raised, and it is asked again.
    """

    def __init__(self, find: Callable[[str, str], Reading | None]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._slots: OrderedDict[Place, _Slot] = OrderedDict()

    def take(self, place: Place) -> Reading | None:
        """Return a transcript, read now if it is not here yet."""
        with self._lock:
            slot = self._slots.setdefault(place, _Slot())
            self._slots.move_to_end(place)
            while len(self._slots) > _KEPT:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.held is None:
                slot.held = (self._find(*place),)
            return slot.held[0]

    def fetch(self, place: Place) -> None:
        """Have a transcript here, and what its page needs, before somebody asks for it."""
        reading = self.take(place)
        if reading is not None:
            reading.prepare()
