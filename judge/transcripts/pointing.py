"""Where messages stand in their source: noted while reading, hashed when somebody asks, read again from the file.

A `Place` holds on to the value it was made for; the `Pointer` made of it holds only where that was, and its hash. Nothing
here knows any harness.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec import Struct

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.archive import Archive
from judge.transcripts.building import maker
from judge.transcripts.jsontext import Origin, parse
from judge.transcripts.limits import Limits
from judge.transcripts.model import Pointer

# Member, first byte, the byte after the last, and JSON pointer of a record; the last is None where the bytes are meant.
Within = tuple[str | None, int | None, int | None, str | None]

_SORTED: Final = orjson.OPT_SORT_KEYS
_make_pointer: Final = maker(Pointer)


class Place(Struct):
    """Where something stands, and what: bytes of the source, or a value within a record."""

    within: Within
    value: Any
    below: str = ""  # JSON pointer from the record to the value

    @property
    def path(self) -> str | None:
        """JSON pointer from the document, line or member to the value; None where bytes are meant."""
        path = self.within[3]
        return None if path is None else path + self.below

    def pointer(self) -> Pointer:
        """Return the pointer to it, with the hash of the bytes, or of the value's canonical JSON."""
        member, start, end, _ = self.within
        path = self.path
        written = self.value if path is None else orjson.dumps(self.value, option=_SORTED)
        digest = hashlib.sha256(written).hexdigest()
        return _make_pointer({"member": member, "start": start, "end": end, "path": path, "sha256": digest})


def point(places: Iterable[Place]) -> tuple[Pointer, ...]:
    """Return the pointers to these places."""
    return tuple([place.pointer() for place in places])


def place_value(value: Any, path: str, member: str | None = None) -> Place:
    """Return the place of a value that stands at `path` in the whole document, or in a member of an archive."""
    return Place((member, None, None, path), value)


def place_bytes(raw: bytes, start: int | None = None, end: int | None = None, member: str | None = None) -> Place:
    """Return the place of bytes that stand from `start` to `end` in the file, or in a member or neighbour of it."""
    return Place((member, start, end, None), raw)


def resolve(value: Any, path: str) -> Any:
    """Return what stands at a JSON pointer (RFC 6901).

    Raises:
        InputError: when nothing stands there.
    """
    for token in path.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise InputError(f"nothing stands at {quoted(path, 400)} in the source; it has changed since it was read.")
    return value


def reread(pointer: Pointer, path: Path, limits: Limits | None = None) -> bytes:
    """Return the bytes that a pointer stands for, read from the source again: their SHA-256 is `pointer.sha256`.

    For a byte range they are those bytes; for a JSON pointer, the canonical JSON of the value.

    Raises:
        InputError: when the source no longer has them.
    """
    limits = limits or Limits()
    if pointer.member is not None:
        raw = (path / pointer.member).read_bytes() if path.is_dir() else _member(pointer.member, path, limits)
        if raw is None:
            return orjson.dumps(resolve(_table_row(pointer.member, path, limits), pointer.path or ""), option=_SORTED)
    else:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            raw = view[pointer.start : pointer.end]
    if pointer.path is None:
        return raw if pointer.member is None else raw[pointer.start : pointer.end]
    value, _ = parse(raw, Origin(str(path)), limits, mend=True)
    return orjson.dumps(resolve(value, pointer.path), option=_SORTED)


def _member(member: str, path: Path, limits: Limits) -> bytes | None:
    """Bytes of an archive's member, a database's cell, or a file beside; None for a row of a table."""
    with path.open("rb") as stream:
        magic = stream.read(16)
    if magic.startswith(b"PAR1"):
        return None
    if magic.startswith(b"PK"):
        return Archive(path.read_bytes(), str(path), limits).read(member)
    if magic.startswith(b"SQLite format 3"):
        from judge.transcripts import sqlite_store

        table, _, rest = member.partition(".")
        column, _, rowid = rest.partition(":")
        return sqlite_store.cell(path, table, column, int(rowid))
    return (path.parent / member).read_bytes()


def _table_row(member: str, path: Path, limits: Limits) -> dict[str, Any]:
    from judge.transcripts import parquet

    wanted = int(member.removeprefix("row "))
    return next(row for number, row in parquet.rows(path, limits) if number == wanted)
