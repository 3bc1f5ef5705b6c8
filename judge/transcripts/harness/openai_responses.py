"""OpenAI Responses: response objects, recorded exchanges, run results and item lists of the Agents SDK.

`instructions` is the system prompt. With `previous_response_id` only the new items are sent; such exchanges are put
together as they refer to each other, each that nothing follows being the end of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from judge.transcripts.blocks import sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft, tool_name
from judge.transcripts.exchanges import chains, earlier_replies
from judge.transcripts.items import Items, add_items, is_item
from judge.transcripts.model import Transcript, Warn
from judge.transcripts.parts import maybe, obj, objs, seq, string, text
from judge.transcripts.pointing import place_value
from judge.transcripts.source import Opened, Record, Unreadable, lines, whole, whole_rows

NAME = "openai_responses"
_READ: Final = {"instructions", "input", "output", "tools", "raw_responses", "id", "model", "object", "usage"}


def sniff(probe: Probe) -> Match | None:
    """By a response object, or by items that no other API has."""
    first = probe.first
    answer = obj(first.get("response")) if "request" in first else first
    if answer.get("object") == "response" and "output" in answer:
        return Match(0.95)
    if objs(first.get("raw_responses")) and "input" in first:
        return Match(0.9)
    items = probe.doc if isinstance(probe.doc, list) else seq(first.get("input")) or seq(first.get("output"))
    if any(is_item(item) for item in items[:64]) and all(
        "type" in obj(item) or "role" in obj(item) for item in items[:64]
    ):
        return Match(0.85)
    if probe.container == "jsonl" and any(is_item(item) for item in probe.rows):
        return Match(0.6)
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per conversation."""
    if opened.container == "jsonl":
        yield from _item_per_line(opened)
        return
    document = opened.document[0]
    if not (isinstance(document, list) and document and "request" in obj(document[0])):
        yield from whole(opened)
    elif any(obj(obj(one).get("request")).get("previous_response_id") for one in document):
        yield from _linked(opened)
    else:
        yield from chains(opened, key="input")


def _linked(opened: Opened) -> Iterator[Record | Unreadable]:
    """One record per chain of exchanges; exchanges that are repeated whole count once."""
    document, warnings = opened.document
    kept = _unrepeated(document)
    names = [maybe(obj(obj(document[index]).get("response")).get("id")) for index in kept]
    by_id = {name: index for name, index in zip(names, kept, strict=True) if name}
    wanted = {index: maybe(obj(obj(document[index]).get("request")).get("previous_response_id")) for index in kept}
    before = {index: by_id[name] for index, name in wanted.items() if name in by_id and by_id[name] != index}
    ends = [index for index in kept if index not in before.values()] or kept[-1:]  # a ring has no end
    for end in ends:
        chain = [end]
        while chain[0] in before and before[chain[0]] not in chain:
            chain.insert(0, before[chain[0]])
        missing = Warn(
            code="history_missing", detail="the exchange that this conversation goes on from is not in the file"
        )
        yield Record(
            opened,
            document,
            None if chain == kept else orjson.dumps([document[index] for index in chain], option=orjson.OPT_SORT_KEYS),
            locator=None if len(ends) == 1 else f"/{end}",
            warnings=(*warnings, missing) if wanted[chain[0]] else warnings,
            context={"linked": chain},
        )


def _item_per_line(opened: Opened) -> Iterator[Record | Unreadable]:
    rows, warnings = whole_rows(opened)
    if all(is_item(row.value) or "role" in obj(row.value) for row in rows):
        yield Record(opened, [row.value for row in rows], context={"rows": rows}, warnings=warnings)
    else:
        yield from lines(opened)


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    draft = Draft(record, NAME)
    rows = record.context.get("rows")
    if rows:
        adder = Items(draft)
        for row in rows:
            adder.add(row.value, record.point_row(row))
    elif record.context.get("linked"):
        for place, index in enumerate(record.context["linked"]):
            _add_exchange(draft, obj(record.value[index]), f"/{index}", first=place == 0)
    elif isinstance(record.value, list):
        add_items(draft, record.value, "")
    elif "request" in obj(record.value):
        _add_exchange(draft, record.value, "", first=True)
    else:
        _add_object(draft, obj(record.value))
    return draft.finish()


def _add_object(draft: Draft, value: dict[str, Any]) -> None:
    if string(value.get("instructions")):
        at = draft.record.point(value["instructions"], "/instructions")
        draft.say("system", [text(value["instructions"])], at=at)
    add_items(draft, value.get("input"), "/input")
    add_items(draft, value.get("output"), "/output")
    for index, answer in enumerate(seq(value.get("raw_responses"))):
        add_items(draft, obj(answer).get("output"), f"/raw_responses/{index}/output")
    for tool in objs(value.get("tools")):
        draft.offer(*tool_name(tool))
    draft.native_id = maybe(value.get("id"))
    draft.run["models"] = [string(value.get("model"))] if value.get("model") else []
    sort_facts(draft, {} if value.get("object") == "response" else value, skip=_READ | {"final_output"})


def _add_exchange(draft: Draft, exchange: dict[str, Any], path: str, *, first: bool) -> None:
    request, response = obj(exchange.get("request")), obj(exchange.get("response"))
    if first:
        if string(request.get("instructions")):
            at = draft.record.point(request["instructions"], f"{path}/request/instructions")
            draft.say("system", [text(request["instructions"])], at=at)
        for tool in objs(request.get("tools")):
            draft.offer(*tool_name(tool))
        draft.native_id = maybe(response.get("id"))
        draft.run["models"] = [string(response.get("model")) or string(request.get("model"))]
    sent = request.get("input")
    told = {
        maybe(item.get("id")): (item, f"{place}/output/{index}")
        for reply, place in earlier_replies(draft.record)
        for index, item in enumerate(objs(reply.get("output")))
    }
    if told and isinstance(sent, list):
        adder = Items(draft)
        for index, item in enumerate(sent):
            fuller, place = told.get(maybe(obj(item).get("id")), ({}, ""))
            if fuller.get("type") == obj(item).get("type") and len(fuller) > len(item):  # what was not sent back
                adder.add(fuller, place_value(fuller, place))
            else:
                adder.add(item, draft.record.point(item, f"{path}/request/input/{index}"))
    else:
        add_items(draft, sent, f"{path}/request/input")
    add_items(draft, response.get("output"), f"{path}/response/output")


def _unrepeated(exchanges: list[Any]) -> list[int]:
    """File order, less exchanges that are repeated whole."""
    seen: set[bytes] = set()
    order = []
    for index, exchange in enumerate(exchanges):
        key = orjson.dumps(exchange, option=orjson.OPT_SORT_KEYS)
        if key not in seen:
            seen.add(key)
            order.append(index)
    return order
