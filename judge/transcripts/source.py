"""An opened file as readers see it: its container, its bytes in safe portions, and records with their place.

Nothing here knows any harness. Archives are read in memory member by member, never to disk; names inside them are labels,
never paths. A file that ends too early gives everything complete in it, with a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import orjson
from msgspec import Struct

from judge.errors import InputError
from judge.text import quoted, visible
from judge.transcripts.archive import Archive
from judge.transcripts.jsontext import UNSURE, Origin, parse, parse_carefully, parse_quickly
from judge.transcripts.limits import Limits, check_file, exceed
from judge.transcripts.model import Warn
from judge.transcripts.pointing import Place

Container = Literal["json", "jsonl", "zip", "parquet", "sqlite", "text"]
HEAD: Final = 256 * 1024
_CHUNK: Final = 1024 * 1024
_BUFFER: Final = 256 * 1024
_SORTED: Final = orjson.OPT_SORT_KEYS


class RefusedError(InputError):
    """A file that is known, and known not to be a transcript."""


def name_file(path: Path) -> str:
    """A path as text that can be kept and sent: one that is not UTF-8 stands as `visible` shows it; undone by `hidden`."""
    name = str(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        return visible(name)
    return visible(name) if "\\u{" in name else name


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or one record of it, that gave no transcript.

    `refused` means: known, and not a transcript; `empty` besides: the harness's own file, of a run that has nothing in it;
    `copy` besides: byte for byte a transcript that came before.
    """

    source: str
    reason: str
    refused: bool = False
    empty: bool = False
    copy: bool = False

    def to_row(self) -> dict[str, Any]:
        """Return this as plain JSON."""
        return {"source": self.source, "reason": self.reason, "refused": self.refused}


class Row(Struct):
    """One line of a JSONL file. `broken` says why it has no value."""

    number: int
    start: int
    end: int
    raw: bytes
    value: Any = None
    warnings: tuple[Warn, ...] = ()
    broken: str | None = None
    member: str | None = None  # the file, where the lines are files of a folder


@dataclass(slots=True)
class Record:
    """What one transcript is made from: a value and its place, as far as ids and pointers need it.

    `id_bytes` are the bytes that the transcript's id is the hash of: they don't change when other records are added.
    """

    opened: Opened
    value: Any
    id_bytes: bytes | None = None  # None: the whole file
    member: str | None = None
    start: int | None = None
    end: int | None = None
    path: str = ""  # JSON pointer of `value` in the document, line or member
    locator: str | None = None
    warnings: tuple[Warn, ...] = ()
    context: dict[str, Any] = field(default_factory=dict)  # what the reader knows about the whole file

    @property
    def sha256(self) -> str:
        """Hash that the transcript's id is taken from."""
        return self.opened.sha256 if self.id_bytes is None else hashlib.sha256(self.id_bytes).hexdigest()

    def point(self, value: Any, path: str) -> Place:
        """Return the place of `value`, which stands at `path` inside this record and is not changed any more."""
        return Place((self.member, self.start, self.end, self.path), value, path)

    def point_row(self, row: Row) -> Place:
        """Return the place of a whole line."""
        return Place((row.member, row.start, row.end, None), row.raw)


class Opened:
    """One file, opened: what it is made of, and its content in portions that respect the limits."""

    def __init__(self, path: Path, uri: str, limits: Limits) -> None:
        self.path = path
        self.uri = uri
        self.limits = limits
        self.size = path.stat().st_size
        self._begun: list[Row] = []
        with path.open("rb") as stream:
            self.head = stream.read(HEAD)

    @cached_property
    def sha256(self) -> str:
        """Hash of the whole file."""
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    @cached_property
    def container(self) -> Container:
        """What the bytes are, by their beginning; the name plays no part.

        Raises:
            InputError: for an empty file, and for kinds that are no transcript in any harness, by name (`RefusedError`) or
                only hold one.
        """
        if self.size == 0:
            raise InputError(f"{quoted(self.uri, 400)}: the file is empty.")
        for magic, kind in _MAGIC:
            if self.head.startswith(magic):
                return kind
        for magic, what in _REFUSED_MAGIC:
            if self.head.startswith(magic):
                raise RefusedError(f"{quoted(self.uri, 400)}: {what}")
        for magic, what in _PACKED_MAGIC:
            if self.head.startswith(magic):
                raise InputError(f"{quoted(self.uri, 400)}: {what}")
        stripped = self.head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
        if not stripped:
            raise InputError(f"{quoted(self.uri, 400)}: the file holds nothing but white space.")
        if b"\x00" in self.head[:4096] and stripped[:1] not in b"{[":
            raise InputError(f"{quoted(self.uri, 400)}: a binary file of no known kind.")
        if stripped[:1] in b"{[" and not stripped.startswith((b"[[", b"[INST")):
            return "jsonl" if self._has_lines(stripped) else "json"
        if stripped.startswith(b"[["):
            return "json"
        return "text"

    def _has_lines(self, stripped: bytes) -> bool:
        """Whether the first line is a whole value and another follows."""
        first, newline, rest = stripped.partition(b"\n")
        if not newline and self.size > len(self.head):
            return self._long_first_line()
        first = first.strip()
        closing = b"}" if first[:1] == b"{" else b"]"
        return bool(newline) and first.endswith(closing) and len(first) > 2 and rest.strip()[:1] in _LINE_STARTS

    def _long_first_line(self) -> bool:
        """The same for a first line longer than the head: is it closed by the bracket that it opens with?"""
        with self.path.open("rb") as stream:
            first = stream.readline(self.limits.file_bytes + 1)
            following = stream.read(64).strip()
        opening, last = first.lstrip()[:1], first.rstrip()[-1:]
        return last == (b"}" if opening == b"{" else b"]") and following[:1] == b"{"

    @cached_property
    def raw(self) -> bytes:
        """The whole file.

        Raises:
            InputError: when it is over the limit.
        """
        check_file(self.path, self.size, self.limits)
        return self.path.read_bytes()

    @cached_property
    def document(self) -> tuple[Any, tuple[Warn, ...]]:
        """The value of a JSON file and what was assumed in reading it."""
        return parse(self.raw, Origin(self.uri), self.limits, mend=True)

    @cached_property
    def text(self) -> str:
        """The whole file as text; undecodable bytes become U+FFFD."""
        return self.raw.decode("utf-8-sig", "replace")

    def peek(self, count: int, size: int) -> list[Row]:
        """Return the first rows: at most `count` that are whole, and none that begins after `size` bytes.

        The next to ask for `rows` gets them again as they are, so that a small file is not parsed twice.
        """
        self._begun = []
        found: list[Row] = []
        whole = 0
        for row in self.rows():
            found.append(row)
            whole += row.broken is None
            if row.end > size or whole >= count:
                break
        self._begun = found
        return found

    def rows(self) -> Iterator[Row]:
        """Every line of a JSONL file, parsed one at a time; empty lines are passed over."""
        begun, self._begun = self._begun, []
        yield from begun
        number, start = (begun[-1].number, begun[-1].end) if begun else (0, 0)
        most = self.limits.file_bytes
        with self.path.open("rb", buffering=_BUFFER) as stream:
            stream.seek(start)
            if begun:
                start += len(stream.readline())  # what was stripped from the last of them
            while line := stream.readline(most + 1):
                number += 1
                if len(line) > most:
                    raise exceed("file_bytes", len(line), most, f"{quoted(self.uri, 400)}, line {number}")
                if raw := line.strip():
                    yield self._row(number, start, raw, line)
                start += len(line)

    def _row(self, number: int, start: int, raw: bytes, line: bytes) -> Row:
        if line[0] != raw[0]:
            start += line.index(raw[:1])
        end = start + len(raw)
        value = parse_quickly(raw, self.limits)
        if value is not UNSURE:
            return Row(number, start, end, raw, value)
        try:
            value, warnings = parse_carefully(raw, Origin(self.uri, number, start), self.limits)
        except InputError as error:
            return Row(number, start, end, raw, broken=str(error))
        return Row(number, start, end, raw, value, warnings)

    @cached_property
    def archive(self) -> Archive:
        """The members of a zip file."""
        check_file(self.path, self.size, self.limits)
        return Archive(self.raw, self.uri, self.limits)


class Gathered(Opened):
    """Several files of one folder that are one transcript, each of them a row."""

    def __init__(self, folder: Path, files: list[Path], limits: Limits) -> None:
        self.path = folder
        self.uri = name_file(folder)
        self.limits = limits
        self.files = files
        self.head = b""
        self.size = sum(file.stat().st_size for file in files)
        if self.size > limits.file_bytes:
            raise exceed("file_bytes", self.size, limits.file_bytes, quoted(folder, 400))

    @cached_property
    def sha256(self) -> str:
        """Hash of the files' hashes, in order: names play no part."""
        return hashlib.sha256(
            "".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in self.files).encode()
        ).hexdigest()

    @cached_property
    def container(self) -> Container:
        """As if the files were lines of one."""
        return "jsonl"

    def rows(self) -> Iterator[Row]:
        """Each file as a row; pointers name the file."""
        for number, file in enumerate(self.files, 1):
            whole_file = file.read_bytes()
            row = self._row(number, 0, whole_file.strip() or whole_file, whole_file)
            row.member = name_file(file.relative_to(self.path))
            yield row


_LINE_STARTS: Final = tuple(bytes([byte]) for byte in b'{["-0123456789tfn')
_MAGIC: Final[tuple[tuple[bytes, Container], ...]] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PAR1", "parquet"),
    (b"SQLite format 3\x00", "sqlite"),
)
_PICKLE: Final = (
    "a Python pickle. Loading one can run any code, so it is never opened. Export the data as JSON or JSONL."
)
_REFUSED_MAGIC: Final = (  # no transcripts, whatever is done with them
    *((b"\x80" + bytes([protocol]), _PICKLE) for protocol in range(1, 6)),
    (b"%PDF", "a PDF, not a transcript."),
    (b"\x89PNG", "an image, not a transcript."),
    (b"\xff\xd8\xff", "an image, not a transcript."),
    (b"GIF8", "an image, not a transcript."),
    (b"\x7fELF", "a program, not a transcript."),
)
_PACKED_MAGIC: Final = (  # may hold one
    *(
        (mark, "UTF-16 or UTF-32 text. Accepted is UTF-8: convert it and try again.")
        for mark in (b"\xff\xfe", b"\xfe\xff")
    ),
    (b"\x1f\x8b", "gzip-compressed. Decompress it first."),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed. Decompress it first."),
    (b"BZh", "bzip2-compressed. Decompress it first."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive. Unpack it first."),
    (b"ARROW1", "an Arrow file. Convert it to parquet or JSONL."),
)


def whole_rows(opened: Opened) -> tuple[list[Row], tuple[Warn, ...]]:
    """Return the lines of a file that is one transcript, and a warning for each that could not be parsed."""
    rows = list(opened.rows())
    warnings = [warning for row in rows for warning in row.warnings]
    for row in rows:
        if row.broken:
            code = "truncated" if row is rows[-1] else "broken_line"  # a cut last line is usual, others are not
            warnings.append(Warn(code=code, detail=f"line {row.number} was not read: {row.broken}"))
    return [row for row in rows if not row.broken], tuple(warnings[:40])


def unfinished_line(raw: bytes) -> tuple[Warn, ...]:
    """Return a warning where text that is written line by line breaks off within one; nothing else in it tells of a cut."""
    if raw.endswith((b"\n", b"\r")):
        return ()
    return (Warn(code="truncated", detail="the text ends within a line: it may have been cut off"),)


def whole(opened: Opened) -> Iterator[Record | Unreadable]:
    """One record: the JSON document."""
    value, warnings = opened.document
    yield Record(opened, value, warnings=warnings)


def elements(opened: Opened, value: Any = None, path: str = "") -> Iterator[Record | Unreadable]:
    """One record per element of a JSON array, or per line of a JSONL file; a lone object is one record."""
    if opened.container == "jsonl":
        yield from lines(opened)
        return
    document, warnings = opened.document
    if value is None and not isinstance(document, list):
        yield from whole(opened)
        return
    for index, item in enumerate(document if value is None else value):
        id_bytes = orjson.dumps(item, option=_SORTED)
        where = f"{path}/{index}"
        yield Record(opened, item, id_bytes, path=where, locator=where, warnings=warnings)


def lines(opened: Opened) -> Iterator[Record | Unreadable]:
    """One record per line of a JSONL file, or the one document of a JSON file."""
    if opened.container == "json":
        yield from whole(opened)
        return
    for row in opened.rows():
        if row.broken:
            yield Unreadable(f"{opened.uri}#line {row.number}", row.broken)
        else:
            yield Record(
                opened, row.value, row.raw, start=row.start, end=row.end, locator=f"line {row.number}",
                warnings=row.warnings,
            )  # fmt: skip


def table_rows(opened: Opened) -> Iterator[Record | Unreadable]:
    """One record per row of a parquet table."""
    from judge.transcripts import parquet

    for number, row in parquet.rows(opened.path, opened.limits):
        id_bytes = orjson.dumps(row, option=_SORTED)
        yield Record(opened, row, id_bytes, member=f"row {number}", locator=f"row {number}")
