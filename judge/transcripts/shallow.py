"""JSON objects opened one level deep: members that no reader looks at are passed over, not parsed.

What a log repeats (events that hold every message again, texts that no message refers to) is most of its bytes. Such a
member is held to be JSON by the scanner that passes over it, and to nothing else: a key twice, a number too large or a
nesting too deep in there changes nothing that is read. The object itself and every member that is read are held to all
that `jsontext` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

import msgspec

from judge.transcripts.jsontext import UNSURE, parse_quickly
from judge.transcripts.limits import Limits

# Readers that leave what an object or an array holds as the text it is written in, and the writer of such texts.
_split_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_split_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_write: Final = msgspec.json.Encoder().encode


def split(text: bytes) -> dict[str, Any] | None:
    """Return the members of a JSON object, each as the text that it is written in; None where there is any doubt.

    Put together again in the way in which the object begins, they must be the same text: then none is missing because its
    key stood twice.
    """
    try:
        members = _split_object(text)
    except (ValueError, RecursionError):
        return None
    if _write(members) == text:
        return members
    start = text.find(b'"')
    if start < 0:
        return None
    indent = text[text.index(b"{") + 1 : start]
    first = _write(next(iter(members)))
    colon = b": " if text.startswith(b": ", start + len(first)) else b":"
    comma = b"," + (indent or colon[1:])
    body = comma.join([b"%b%b%b" % (_write(name), colon, value) for name, value in members.items()])
    end = start + len(body)
    return members if text.startswith(body, start) and text[end:].strip() == b"}" else None


def parse_members(members: dict[str, Any], names: Iterable[str], limits: Limits) -> Any:
    """Return the object with those of its members alone that have one of these names, or `UNSURE`."""
    return parse_quickly(_write({name: members[name] for name in names if name in members}), limits)


def find_object(array: Any, name: str, wanted: str, names: Iterable[str], limits: Limits) -> Any:
    """Return, of the first object in an array that has the text `wanted` as `name`, the members with these names.

    None where there is no such object, `UNSURE` where there is any doubt.
    """
    try:
        elements = _split_array(array)
    except (ValueError, RecursionError):
        return UNSURE
    text = _write(wanted)
    for element in map(bytes, elements):
        if text in element:
            try:
                found = getattr(_reader_of(name)(element), name)
            except (ValueError, RecursionError):
                return UNSURE
            if found == wanted:
                members = split(element)
                return UNSURE if members is None else parse_members(members, names, limits)
    return None


@cache
def _reader_of(name: str) -> Callable[[bytes], Any]:
    """A reader of one member of an object, which passes over the rest."""
    return msgspec.json.Decoder(msgspec.defstruct("Member", [(name, Any, None)])).decode
