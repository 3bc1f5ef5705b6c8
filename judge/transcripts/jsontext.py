"""JSON text to values: one parser with one policy, for every reader.

orjson reads first. What it refuses, and what it would change silently, is read again by the standard library:

| found | what happens |
|---|---|
| NaN, Infinity, 1e400 | becomes null, with a warning: a score that is not a number is missing |
| an integer beyond 64 bits | becomes its decimal string, with a warning |
| a lone surrogate escape | becomes U+FFFD, with a warning |
| a byte-order mark | skipped, with a warning; UTF-16 and UTF-32 are refused |
| bytes that are not UTF-8 (overlong forms too) | become U+FFFD, with a warning that gives the first byte offset |
| a key twice in one object | refused: two tools would read two different transcripts |
| nesting or keys beyond the limits | refused |
| text that ends too early | what is complete is kept, with a warning, where the caller allows it; else refused |

NUL and mixed newlines inside strings are text like any other. Nothing here knows what a transcript is. What a reader passes
over need only be JSON (`shallow`).
"""

from __future__ import annotations

import gc
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.limits import Limits, exceed
from judge.transcripts.model import Warn

_SHORT: Final = 16 * 1024  # what is longer is sooner walked than counted
_I64: Final = float(2**63)
_MARK: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\],:]', re.DOTALL)
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPED_COLON: Final = re.compile(rb"\\u003[aA]")
_LONE: Final = re.compile("[\ud800-\udfff]")


class Origin(NamedTuple):
    """Where a piece of JSON text stands, for messages: a name, and the line and byte at which it begins."""

    name: str
    line: int = 1
    byte: int = 0


UNSURE: Final = object()
_NOWHERE: Final = Origin("")


def parse(raw: bytes, origin: Origin, limits: Limits, *, mend: bool = False) -> tuple[Any, tuple[Warn, ...]]:
    """Return the value of one JSON text and what was assumed in reading it.

    With `mend`, a text that merely ends too early gives everything that is complete in it.

    Raises:
        InputError: for text that is no JSON (with line and byte), a duplicate key, or a limit.
    """
    value = parse_quickly(raw, limits)
    if value is UNSURE:
        return parse_carefully(raw, origin, limits, mend=mend)
    return value, ()


def parse_quickly(raw: bytes, limits: Limits) -> Any:
    r"""Return the value of a JSON text that is beyond doubt, else `UNSURE`.

    The value is written out again. Where that gives the same text, white space between its tokens apart, no key stood twice
    and no number was changed. Otherwise (text was escaped, or numbers written in another way) colons tell that no object
    has a key twice: the text then has exactly as many as what was written, because those inside strings are the same in
    both. One written as \u003a would spoil the count, and an integer that became a float may have been rounded; then the
    careful reading decides.
    """
    try:
        value = orjson.loads(raw)
        written = orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the latter when it is nested too deeply to be written
        return UNSURE
    same = written == raw or written == _without_space(raw)
    if not same and (raw.count(b":") != written.count(b":") or _ESCAPED_COLON.search(raw)):
        return UNSURE
    # A key costs four bytes of a text and a level a bracket: most short ones are neither too wide nor too deep.
    if (
        same
        and len(raw) <= _SHORT
        and (len(raw) <= 4 * limits.keys or raw.count(b":") <= limits.keys)
        and raw.count(b"{") + raw.count(b"[") <= limits.depth
    ):
        return value
    try:
        return UNSURE if _survey(value, _NOWHERE, limits, floats=not same) else value
    except InputError:
        return UNSURE


def _without_space(raw: bytes) -> bytes | None:
    """Return a JSON text without the white space between its tokens, which are left as they are."""
    try:
        return msgspec.json.format(raw, indent=-1)
    except (msgspec.DecodeError, RecursionError):  # the two parsers needn't agree on what is JSON
        return None


def _survey(value: Any, origin: Origin, limits: Limits, *, floats: bool = False) -> bool:
    """Hold depth and width to the limits; with `floats`, say whether there is one that was an integer too large.

    Level by level, in few steps per value: a log's sample holds a hundred thousand of them. What objects and arrays hold
    is what they refer to, which the interpreter lists for a whole level at once.
    """
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    rounded = floats and type(value) is float and not -_I64 < value < _I64
    while level:
        depth += 1
        if depth > limits.depth:
            raise exceed("depth", depth, limits.depth, _place(origin))
        if max(map(len, level)) > limits.keys:
            widest = max([len(item) for item in level if type(item) is dict], default=0)
            if widest > limits.keys:
                raise exceed("keys", widest, limits.keys, _place(origin))
        held = gc.get_referents(*level)
        level = [item for item in held if type(item) is dict or type(item) is list]
        rounded = rounded or (floats and any(not -_I64 < item < _I64 for item in held if type(item) is float))
    return rounded


def parse_carefully(raw: bytes, origin: Origin, limits: Limits, *, mend: bool = False) -> tuple[Any, tuple[Warn, ...]]:
    """Return what `parse` returns, without a short cut: the standard library reads, and every bracket is looked at."""
    warnings: list[Warn] = []
    text = _decode(raw, origin, warnings)
    scan = _scan(text, origin, limits)
    odd: dict[str, int] = {}

    def note(code: str) -> None:
        odd[code] = odd.get(code, 0) + 1

    def constant(_: str) -> None:
        note("non_finite")

    def integer(digits: str) -> int | str:
        if len(digits) >= 19 and (len(digits) > 20 or not -(2**63) <= int(digits) < 2**64):
            note("big_integer")
            return digits
        return int(digits)

    def decimal(digits: str) -> float | None:
        value = float(digits)
        if not math.isfinite(value):
            note("non_finite")
            return None
        return value

    def load(candidate: str) -> Any:
        return json.loads(candidate, parse_constant=constant, parse_int=integer, parse_float=decimal)

    try:
        value = load(text)
    except json.JSONDecodeError as error:
        broken = InputError(_describe(error, text, origin))
        if not mend or scan.closers == "":
            raise broken from None
        odd.clear()
        try:
            value = load(text[: scan.cut] + scan.closers)
        except json.JSONDecodeError:
            raise broken from None
        at = origin.byte + len(text[: scan.cut].encode("utf-8", "surrogatepass"))
        warnings.append(Warn(code="truncated", detail=f"bytes from {at} on are lost: {broken}"))
    if _SURROGATE_ESCAPE.search(text):
        value = _replace_lone(value, note)
    _survey(value, origin, limits)
    warnings += [Warn(code=code, detail=f"{_DETAIL[code]} ({count})") for code, count in sorted(odd.items())]
    return value, tuple(warnings)


_DETAIL: Final = {
    "non_finite": "numbers that are not finite were read as missing",
    "big_integer": "integers beyond 64 bits were read as text",
    "lone_surrogate": "half surrogate pairs were replaced by U+FFFD",
}


def _decode(raw: bytes, origin: Origin, warnings: list[Warn]) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        raise InputError(
            f"{_place(origin)}: the text is UTF-16 or UTF-32; accepted is UTF-8. Convert it and try again."
        )
    if raw.startswith(b"\xef\xbb\xbf"):
        warnings.append(Warn(code="byte_order_mark", detail="a byte-order mark was skipped"))
        raw = raw[3:]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        at = origin.byte + error.start
        warnings.append(Warn(code="not_utf8", detail=f"bytes that are not UTF-8 were replaced, the first at byte {at}"))
        return raw.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Scan:
    """Where a text that ends too early can be cut, and the brackets that then close it ('' when all are closed)."""

    cut: int
    closers: str


def _scan(text: str, origin: Origin, limits: Limits) -> _Scan:
    """Walk the brackets and keys of a text, valid or not: depth and duplicate keys are refused here, with their place."""
    stack: list[set[str] | None] = []  # the keys of an open object; None for an open array
    cut = 0
    previous = ""
    for match in _MARK.finditer(text):
        mark = match[0]
        if mark in "{[":
            stack.append(set() if mark == "{" else None)
            if len(stack) > limits.depth:
                raise exceed("depth", len(stack), limits.depth, _place(origin, text, match.start()))
            cut = match.end()
        elif mark in "}]":
            if stack:
                stack.pop()
            cut = match.end()
        elif mark == ",":
            cut = match.start()
        elif mark == ":" and stack and stack[-1] is not None and previous[:1] == '"':
            key = _unescape(previous)
            if key in stack[-1]:
                raise InputError(
                    f"{_place(origin, text, match.start())}: the key {quoted(key)} stands twice in one object. "
                    "Which one counts is anybody's guess, so the record is not read; remove one of them."
                )
            stack[-1].add(key)
        previous = mark
    # Every bracket moves the cut, so the brackets open at the end are those open at the cut.
    return _Scan(cut, "".join("]" if keys is None else "}" for keys in reversed(stack)))


def _unescape(mark: str) -> str:
    if "\\" not in mark:
        return mark[1:-1]
    try:
        return str(json.loads(mark, strict=False))
    except json.JSONDecodeError:
        return mark


def _replace_lone(value: Any, note: Any) -> Any:
    if isinstance(value, str):
        if _LONE.search(value):
            note("lone_surrogate")
            return _LONE.sub("\ufffd", value)
        return value
    if isinstance(value, list):
        return [_replace_lone(item, note) for item in value]
    if isinstance(value, dict):
        return {_replace_lone(key, note): _replace_lone(item, note) for key, item in value.items()}
    return value


def _describe(error: json.JSONDecodeError, text: str, origin: Origin) -> str:
    near = text[error.pos : error.pos + 40]
    found = f"at {quoted(near, 40)}" if near else "at the end of the text"
    return f"{_place(origin, text, error.pos)}: no valid JSON {found} ({error.msg}). Accepted is JSON in UTF-8."


def _place(origin: Origin, text: str = "", position: int = 0) -> str:
    byte = origin.byte + len(text[:position].encode("utf-8", "surrogatepass"))
    return f"{quoted(origin.name, 400)}, line {origin.line + text.count(chr(10), 0, position)}, byte {byte}"
