"""How often each id has been seen, in memory that does not grow: a stream may hold millions of transcripts.

A dictionary holds the latest ids; when it is full they go, in order, to a private database of SQLite's in a temporary file
that nobody else sees and that is gone with its connection.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final

from judge.errors import InputError

_FEW: Final = 8_000  # ids held in memory, less than a megabyte
_CACHE_KIB: Final = 1_024


class Seen:
    """Counts ids."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._stored: sqlite3.Connection | None = None

    def count(self, name: str) -> int:
        """Note an id and return how often it has been noted, this time included.

        Raises:
            InputError: when the temporary folder has no room for more ids than memory may hold.
        """
        number = _number(name)
        try:
            times = 1 + (self._latest.get(number) or self._look_up(number))
            self._latest[number] = times
            if len(self._latest) >= _FEW:
                self._store()
        except sqlite3.Error as error:
            raise InputError(
                f"the ids of so many transcripts cannot be kept in a temporary file ({error}). "
                "Name a folder that has room in SQLITE_TMPDIR, or read the sources in portions."
            ) from None
        return times

    def _look_up(self, number: int) -> int:
        if self._stored is None:
            return 0
        found = self._stored.execute("SELECT times FROM seen WHERE id = ?", (number,)).fetchone()
        return found[0] if found else 0

    def _store(self) -> None:
        if self._stored is None:  # no name: a temporary file, written to when the cache is full
            self._stored = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._stored.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._stored.execute("CREATE TABLE seen (id INTEGER PRIMARY KEY, times INTEGER NOT NULL)")
        self._stored.execute("BEGIN")
        self._stored.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", sorted(self._latest.items()))
        self._stored.execute("COMMIT")
        self._latest.clear()


def _number(name: str) -> int:
    """A 64-bit number of an id: two of a million ids share one once in forty million streams."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
