"""What of a transcript a judge is shown: everything, or one stretch of a long one, with or without private reasoning.

Data only. `windows` makes the views of a long transcript, `prompt` renders one, `evidence` looks quotes up in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple


class Stretch(NamedTuple):
    """Characters `start` to `end` of the text of a message's `part` (counted from 0)."""

    part: int
    start: int
    end: int


class Shown(NamedTuple):
    """One message (counted from 0) and, where it is not shown whole, what is shown of it, in order."""

    message: int
    stretches: tuple[Stretch, ...] | None = None


@dataclass(frozen=True)
class View:
    """What a judge is shown.

    `messages` None means all of them. `again` are those messages that belong to another window and are repeated here for
    context. `cut` names the parts of which something is shown in no window. Parts of a kind in `hidden` are announced and
    not shown. `window` is which of how many (from 1).
    """

    messages: tuple[Shown, ...] | None = None
    again: frozenset[int] = frozenset()
    cut: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    window: tuple[int, int] = (1, 1)

    @property
    def whole(self) -> bool:
        """Whether every message is shown from beginning to end (though parts of some kinds may be hidden)."""
        return self.messages is None


WHOLE: Final = View()
