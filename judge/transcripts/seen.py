"""How often each id has been seen, in 16 bytes per id: a stream may hold millions of transcripts.

An open-addressing table of 64-bit numbers; only ids that do repeat cost a dictionary entry.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import Final

_FIRST_SIZE: Final = 1 << 10
_MASK_64: Final = 2**64 - 1


class Seen:
    """Counts ids."""

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * _FIRST_SIZE))
        self._used = 0
        self._repeated: dict[int, int] = {}

    def count(self, name: str) -> int:
        """Note an id and return how often it has been noted, this time included."""
        number = _number(name)
        if not self._insert(self._table, number):
            self._repeated[number] = self._repeated.get(number, 1) + 1
            return self._repeated[number]
        self._used += 1
        if self._used * 2 > len(self._table):
            self._grow()
        return 1

    @staticmethod
    def _insert(table: array[int], number: int) -> bool:
        """Put a number into a table that has room; False when it is there already."""
        mask = len(table) - 1
        slot = number & mask
        while table[slot]:
            if table[slot] == number:
                return False
            slot = (slot + 1) & mask
        table[slot] = number
        return True

    def _grow(self) -> None:
        larger = array("Q", bytes(16 * len(self._table)))
        for number in self._table:
            if number:
                self._insert(larger, number)
        self._table = larger


def _number(name: str) -> int:
    """A non-zero 64-bit number of an id: our ids are 64 bits in hex already, stored ones may be anything."""
    try:
        number = int(name, 16)
    except ValueError:
        number = -1
    if not 0 < number <= _MASK_64:
        number = int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:8], "big") or 1
    return number
