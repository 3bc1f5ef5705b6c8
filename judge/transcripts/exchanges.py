"""Recorded request/response pairs: which of them are one conversation.

A client that keeps its history sends all of it with every request, so the last request of a chain and its response hold
the whole conversation. A pair belongs to the chain whose messages its own messages begin with. What a client does not send
back (private reasoning, what a provider's tool gave) is only in the earlier responses: `earlier_reply` finds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from judge.transcripts.parts import obj, seq
from judge.transcripts.source import Opened, Record, Unreadable


def chains(opened: Opened, *, key: str = "messages") -> Iterator[Record | Unreadable]:
    """Yield the last exchange of each chain as a record; `key` is where a request holds its history."""
    document, warnings = opened.document
    last: dict[bytes, int] = {}
    replies: dict[bytes, dict[int, int]] = {}  # of each chain: how many messages were sent, and in which exchange
    for index, exchange in enumerate(seq(document)):
        sent = seq(obj(obj(exchange).get("request")).get(key))
        # The opening message identifies a chain; a shorter history than before begins another one.
        opening = _bytes(sent[:1])
        before = seq(obj(obj(document[last[opening]]).get("request")).get(key)) if opening in last else []
        if before and (len(sent) <= len(before) or _bytes(sent[: len(before)]) != _bytes(before)):
            opening = _bytes([*sent, index])
        last[opening] = index
        replies.setdefault(opening, {})[len(sent)] = index
    for index, opening in sorted((index, opening) for opening, index in last.items()):
        yield Record(
            opened,
            document[index],
            _bytes(document[index]),
            path=f"/{index}",
            locator=f"/{index}",
            warnings=warnings,
            context={"earlier": {place: before for place, before in replies[opening].items() if before != index}},
        )


def earlier_reply(record: Record, position: int) -> tuple[dict[str, Any], str] | None:
    """The response, with its place in the document, that the message at this position of a request's history repeats."""
    earlier: dict[int, int] = record.context.get("earlier", {})
    index = earlier.get(position)
    if index is None:
        return None
    return obj(obj(record.opened.document[0][index]).get("response")), f"/{index}/response"


def earlier_replies(record: Record) -> Iterator[tuple[dict[str, Any], str]]:
    """All of them."""
    earlier: dict[int, int] = record.context.get("earlier", {})
    for position in earlier:
        if reply := earlier_reply(record, position):
            yield reply


def _bytes(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
