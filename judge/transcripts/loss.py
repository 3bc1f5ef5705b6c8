"""What a reading leaves out: the bytes of a source that no message points to, by category.

A category is a place with its numbers taken out (`/samples/[]/events`), the type of a line, or a member's name. A figure
is the size of what is there when written out as compact JSON; what a message's own value holds counts as covered, whether
or not every field of it became a part. Names, brackets and white space around covered values are a category of their own,
so that covered and lost bytes add up to the total.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from judge.errors import InputError
from judge.frozen import Frozen
from judge.text import quoted
from judge.transcripts.grouping import gather
from judge.transcripts.jsontext import Origin, parse
from judge.transcripts.limits import Limits
from judge.transcripts.model import Pointer, Transcript
from judge.transcripts.parts import obj, string
from judge.transcripts.pointing import reread
from judge.transcripts.source import Gathered, Opened, table_rows

_NUMBER: Final = re.compile(r"\d+")
_WHOLE: Final = ""
_AROUND: Final = "names, brackets and white space"


class Loss(Frozen):
    """One category of what no message covers."""

    category: str
    bytes: int
    items: int


class LossReport(Frozen):
    """How much of one file the messages cover, and what the rest is, largest first."""

    source: str
    total: int  # bytes, expanded
    covered: int
    losses: tuple[Loss, ...]


def measure(path: Path, transcripts: Iterable[Transcript], limits: Limits | None = None) -> LossReport:
    """Return what the transcripts of one file leave out of it.

    Raises:
        InputError: when the file cannot be read any more.
    """
    limits = limits or Limits()
    opened = _gathered(path, limits) if path.is_dir() else Opened(path, str(path), limits)
    pointers = [pointer for transcript in transcripts for message in transcript.messages for pointer in message.at]
    lost: Counter[str] = Counter()
    items: Counter[str] = Counter()
    total = covered = 0
    for label, size, value, marks in _units(opened, pointers, limits):
        total += size
        inside = 0
        if _WHOLE in marks or None in marks:
            inside = size
        elif value is not None and marks:
            before = lost.total()
            inside = _walk(value, "", label, {mark for mark in marks if mark}, lost, items)
            around = size - inside - (lost.total() - before)
            if around > 0:
                lost[_AROUND] += around
                items[_AROUND] += 1
        else:
            lost[label] += size
            items[label] += 1
        covered += inside
    ranked = tuple(Loss(category=name, bytes=count, items=items[name]) for name, count in lost.most_common())
    return LossReport(source=str(path), total=total, covered=covered, losses=ranked)


def _gathered(folder: Path, limits: Limits) -> Opened:
    """The files of a folder that were read as one transcript."""
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found = [one for one in gather(paths, limits) if isinstance(one, Gathered)]
    if not found:
        raise InputError(
            f"{quoted(folder, 400)}: nothing in this folder belongs together; it has changed since it was read."
        )
    return Gathered(folder, [file for one in found for file in one.files], limits)


def _units(opened: Opened, pointers: list[Pointer], limits: Limits) -> Iterator[tuple[str, int, Any, set[str | None]]]:
    """Yield the pieces a file is made of: label, size, value, and what messages point to in it (None: all of it)."""
    by_place: dict[Any, set[str | None]] = defaultdict(set)
    spans: list[tuple[int, int]] = []
    for pointer in pointers:
        key = pointer.member if pointer.member is not None else pointer.start
        by_place[key].add(pointer.path)
        if pointer.start is not None and pointer.end is not None and pointer.member is None:
            spans.append((pointer.start, pointer.end))
    container = opened.container
    if container == "zip":
        for name in opened.archive.names:
            raw = opened.archive.read(name)
            yield _NUMBER.sub("N", name), len(raw), _value(raw, name, limits), by_place[name]
    elif container == "parquet":
        for record in table_rows(opened):
            value = getattr(record, "value", None)
            yield "row", len(orjson.dumps(value)), value, by_place[getattr(record, "member", None)]
    elif container == "jsonl":
        for row in opened.rows():
            sort = "broken line" if row.broken else _line_type(row.value)
            place = row.start if row.member is None else row.member
            yield sort, row.end - row.start, row.value, by_place[place]
    elif container == "json":
        yield "document", opened.size, opened.document[0], by_place[None]
    elif container == "sqlite":
        cells = sum(len(reread(pointer, opened.path, limits)) for pointer in pointers)
        yield "messages", cells, None, {None}
        yield "other tables, and the pages that hold them", max(0, opened.size - cells), None, set()
    else:
        yield from _gaps(opened.size, spans)


def _gaps(size: int, spans: list[tuple[int, int]]) -> Iterator[tuple[str, int, Any, set[str | None]]]:
    at = 0
    for start, end in sorted(set(spans)):
        if start > at:
            yield "text between messages", start - at, None, set()
        if end > at:
            yield "messages", end - max(start, at), None, {None}
            at = end
    if size > at:
        yield "text between messages", size - at, None, set()


def _value(raw: bytes, name: str, limits: Limits) -> Any:
    try:
        return parse(raw, Origin(name), limits)[0]
    except InputError:
        return None


def _line_type(value: Any) -> str:
    line = obj(value)
    words = [string(line.get(key)) for key in ("type", "subtype", "kind")]
    inner = string(obj(line.get("payload")).get("type"))
    return "line " + (" ".join(word for word in (*words, inner) if word)[:80] or "without a type")


def _walk(value: Any, path: str, label: str, marks: set[str], lost: Counter[str], items: Counter[str]) -> int:
    """Return the covered bytes of a value and count the rest by category; keys and brackets go with what holds them."""
    if path in marks:
        return len(orjson.dumps(value))
    if not any(mark.startswith(f"{path}/") for mark in marks):
        category = f"{label} {_general(path)}".strip()
        lost[category] += len(orjson.dumps(value))
        items[category] += 1
        return 0
    below = {mark for mark in marks if mark.startswith(f"{path}/")}
    children: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    covered = 0
    for name, child in children:
        step = str(name).replace("~", "~0").replace("/", "~1")
        inner = {mark for mark in below if mark == f"{path}/{step}" or mark.startswith(f"{path}/{step}/")}
        covered += _walk(child, f"{path}/{step}", label, inner, lost, items)
    return covered


def _general(path: str) -> str:
    return re.sub(r"/\d+(?=/|$)", "/[]", path)
