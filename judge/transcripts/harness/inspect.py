"""Inspect logs: `.eval` archives (deflated, zstd, in chunks, crashed or cut) and `.json` logs, one transcript per sample.

Reads `sample.messages`; where a crashed sample has none, the last model call's input and output. Scores, targets and
metadata are withheld. A log of the header only has no transcripts, which is said and is no error. Says nothing about
Petri, whose samples hold two conversations: that is `petri`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.blocks import content_pieces, result_status
from judge.transcripts.chunked import open_chunks, pool_numbers, sort_members
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.jsontext import UNSURE, parse
from judge.transcripts.jsontext import Origin as JsonOrigin
from judge.transcripts.limits import Limits
from judge.transcripts.model import CallStatus, Origin, Role, Transcript, Warn
from judge.transcripts.parts import Piece, call, maybe, obj, objs, reasoning, result, seq, string
from judge.transcripts.pointing import Place
from judge.transcripts.shallow import find_object, parse_members, split
from judge.transcripts.source import Opened, Record, Unreadable, elements

NAME = "inspect"
_SOURCES: Final[dict[Role, dict[str, Origin]]] = {
    "assistant": {"generate": "sampled", "operator": "human", "input": "prefill"},
    "user": {"generate": "simulated", "operator": "human"},
}
_ERRORS: Final[dict[str, CallStatus]] = {"timeout": "timeout", "approval": "denied", "permission": "denied"}
_REFERENCE: Final = b'"attachment://'
_WITHHELD: Final = ("target", "scores", "score", "metadata", "choices", "store", "files")
_FACTS: Final = ("id", "uuid", "epoch", "model_usage", "limit", "error")
_READ: Final = ("messages", *_FACTS, *_WITHHELD)
_STORED_TEXTS: Final = ("attachments", "transcript")
_Opening = Callable[[bytes, JsonOrigin, Limits], tuple[Any, tuple[Warn, ...]]]


def sniff(probe: Probe) -> Match | None:
    """By the members of an archive, or the `eval` object of a log."""
    if probe.container == "zip":
        has = any(name == "header.json" or name.startswith("_journal/") for name in probe.names)
        return Match(0.9 if has else 0.6) if has or sort_members(probe.names) else None
    evaluation = obj(probe.first.get("eval"))
    if isinstance(probe.doc, dict) and {"task", "model"} <= evaluation.keys():
        return Match(0.9, maybe(probe.doc.get("version")))
    return None


def open_sample(raw: bytes, place: JsonOrigin, limits: Limits) -> tuple[Any, tuple[Warn, ...]]:
    """Return what `transcribe` reads of a sample: its events, mostly the messages once more, are passed over but for one.

    Raises:
        InputError: for text that is no JSON, a duplicate key, or a limit.
    """
    members = split(raw)
    if members is not None:
        stored = [name for name in _STORED_TEXTS if name in members]
        messages = bytes(members.get("messages", b"")) if stored else b""
        # Long texts stand beside the messages, which refer to them. An escape might hide a reference.
        refers = b"attachment:" in messages or b"\\u" in messages
        sample = parse_members(members, (*_READ, *stored) if refers else _READ, limits)
        if sample is not UNSURE and seq(sample.get("messages")):
            event = find_object(members.get("events", b"[]"), "event", "model", ("event", "tools"), limits)
            if event is not UNSURE:
                sample["events"] = [event]
                return sample, ()
    return parse(raw, place, limits)


def records(opened: Opened, opening: _Opening = open_sample) -> Iterator[Record | Unreadable]:
    """One per sample; `opening` gives the value of an archive's member."""
    if opened.container != "zip":
        log, _ = opened.document
        listed = seq(obj(log).get("samples"))
        for record in elements(opened, listed, "/samples"):
            if isinstance(record, Record):
                record.context = {"log": log}
            yield record
        if not listed:
            yield _without_samples(opened)
        return
    archive = opened.archive
    log, broken = _header(opened)
    notes = (Warn(code="truncated", detail="the archive has no directory; members were found one by one"),)
    missing = (Warn(code="no_header", detail="the run crashed or was cut: no header.json"),)
    warnings = (notes if archive.truncated else ()) + (() if "header.json" in archive else missing)
    samples = sort_members(archive.names)
    for name, chunks in samples.items():
        context = {"log": log}
        found: tuple[Warn, ...] = ()
        try:
            if chunks is not None:
                value, raw, context["places"] = open_chunks(opened, name, chunks)
            else:
                raw = archive.read(name)
                value, found = opening(raw, JsonOrigin(f"{opened.uri}#{name}"), opened.limits)
        except InputError as error:
            yield Unreadable(f"{opened.uri}#{name}", str(error))
            continue
        yield Record(opened, value, raw, member=name, warnings=warnings + found, context=context)
    if broken:
        yield Unreadable(f"{opened.uri}#header", broken)
    if not samples and not broken:
        yield _missing_samples(opened, log)


def _missing_samples(opened: Opened, log: Any) -> Unreadable:
    """Why an archive has no samples that we know: cut off, laid out in another way, or never any."""
    archive = opened.archive
    expected = obj(obj(log).get("results")).get("total_samples")
    if archive.truncated:
        return Unreadable(opened.uri, f"'{opened.uri}': the archive is cut off before its first whole sample.")
    if any(name.startswith("samples/") for name in archive.names) or (type(expected) is int and expected > 0):
        reason = (
            f"'{opened.uri}': a log with samples in a layout that is not known; convert it with `inspect log convert`."
        )
        return Unreadable(opened.uri, reason)
    return _without_samples(opened)


def _without_samples(opened: Opened) -> Unreadable:
    reason = f"{quoted(opened.uri, 400)}: an Inspect log that holds no samples: there is nothing to grade in it."
    return Unreadable(opened.uri, reason, refused=True, empty=True)


def _header(opened: Opened) -> tuple[Any, str | None]:
    """The run's facts, from the header or, after a crash, from the journal's first entry."""
    for name in ("header.json", "_journal/start.json"):
        if name in opened.archive:
            try:
                raw = opened.archive.read(name)
                return parse(raw, JsonOrigin(f"{opened.uri}#{name}"), opened.limits)[0], None
            except InputError as error:
                return {}, str(error)
    return {}, None


def transcribe(record: Record) -> Transcript:
    """Return one sample."""
    log = obj(record.context.get("log"))
    draft = Draft(record, NAME, maybe(log.get("version")))
    sample = obj(record.value)
    add_facts(draft, sample, log)
    attachments = obj(sample.get("attachments")) or obj(obj(sample.get("transcript")).get("content"))
    messages = seq(sample.get("messages"))
    places = record.context.get("places")
    for index, message in enumerate(messages):
        at = places[index] if places else record.point(message, f"/messages/{index}")
        add_message(draft, obj(message), at, attachments)
    if not messages:
        _from_events(draft, sample, attachments)
    return draft.finish()


def add_facts(draft: Draft, sample: dict[str, Any], log: dict[str, Any]) -> None:
    """File the sample's facts: for grouping, or withheld."""
    evaluation = obj(log.get("eval"))
    draft.native_id = maybe(sample.get("uuid"))
    draft.run.update({name: evaluation.get(name) for name in ("task", "run_id", "eval_id", "created")})
    draft.run.update(
        sample_id=sample.get("id"),
        epoch=sample.get("epoch"),
        models=sorted({string(evaluation.get("model")), *obj(sample.get("model_usage"))} - {""}),
        status=log.get("status"),
        limit=obj(sample.get("limit")).get("type"),
        error=string(obj(sample.get("error")).get("message"))[:500],
        tags=evaluation.get("tags"),
    )
    draft.withheld.update({name: sample[name] for name in _WITHHELD if sample.get(name)})
    for event in objs(sample.get("events")):
        if event.get("event") == "model":
            for tool in objs(event.get("tools")):
                draft.offer(tool.get("name"), tool.get("description"))
            break


def add_message(draft: Draft, message: dict[str, Any], at: Place, attachments: dict[str, Any]) -> None:
    """Add one chat message of Inspect's."""
    resolved = resolve_attachments(message, attachments)
    raw_role = string(resolved.get("role"))
    role = ROLES.get(raw_role)
    if role is None:
        draft.warn("unknown_role", f"a message with the unknown role '{raw_role[:40]}' was read as an event")
        role = "event"
    pieces = message_pieces(resolved, draft)
    for piece in pieces:
        if "attachment://" in piece.text and _REFERENCE in orjson.dumps(resolved):
            draft.warn("attachment_missing", "a text that the log keeps beside its messages is not there", at.path)
            break
    origin = _SOURCES[role].get(string(resolved.get("source"))) if role in _SOURCES else None
    draft.say(
        role,
        pieces,
        at=at,
        origin=origin,
        native_id=maybe(message.get("id")),
        model=maybe(message.get("model")),
    )


def message_pieces(message: dict[str, Any], draft: Draft) -> list[Piece]:
    """Return the pieces of one chat message of Inspect's."""
    content = message.get("content")
    if message.get("role") == "tool":
        error = obj(message.get("error"))
        inner = content_pieces(content, draft)
        words = "\n".join([piece.text for piece in inner if piece.kind == "text"]) or string(error.get("message"))
        status: CallStatus = "ok"
        if error:
            status = _ERRORS.get(string(error.get("type"))) or result_status(string(error.get("message")), failed=True)
        found = result(
            words, native_id=maybe(message.get("tool_call_id")), tool=maybe(message.get("function")), status=status
        )
        return [found, *(piece for piece in inner if piece.kind == "attachment")]
    pieces = [reasoning(message["reasoning"])] if string(message.get("reasoning")) else []
    pieces += content_pieces(content, draft)
    for item in objs(message.get("tool_calls")):
        function = item.get("function")
        name = string(function) or string(obj(function).get("name"))
        made = call(name, item.get("arguments", obj(function).get("arguments")), maybe(item.get("id")))
        if string(item.get("parse_error")):
            draft.warn("call_not_parsed", "the harness could not parse the arguments of a call")
        pieces.append(made)
    return pieces


def resolve_attachments(value: Any, attachments: dict[str, Any]) -> Any:
    """Return a value with every `attachment://hash` replaced by what it stands for."""
    return _resolve(value, attachments) if attachments and _REFERENCE in orjson.dumps(value) else value


def _resolve(value: Any, attachments: dict[str, Any]) -> Any:
    if isinstance(value, str):
        if value.startswith("attachment://"):
            return attachments.get(value.removeprefix("attachment://"), value)
        return value
    if isinstance(value, list):
        return [_resolve(item, attachments) for item in value]
    if isinstance(value, dict):
        return {name: _resolve(item, attachments) for name, item in value.items()}
    return value


def _from_events(draft: Draft, sample: dict[str, Any], attachments: dict[str, Any]) -> None:
    """Read the last model call of a sample that stored no messages, else the sample's input alone."""

    def add(message: Any, path: str) -> None:
        add_message(draft, obj(message), draft.record.point(message, path), attachments)

    events = seq(sample.get("events"))
    pool = seq(obj(sample.get("events_data")).get("messages")) or seq(sample.get("message_pool"))
    for index in range(len(events) - 1, -1, -1):
        event = obj(events[index])
        if event.get("event") != "model":
            continue
        draft.warn("from_events", "the sample holds no messages; its last model call was read instead")
        for place, message in enumerate(seq(event.get("input"))):
            add(message, f"/events/{index}/input/{place}")
        for number in pool_numbers(event.get("input_refs"), len(pool)):
            holder = "/events_data/messages" if "events_data" in sample else "/message_pool"
            add(pool[number], f"{holder}/{number}")
        for choice in objs(obj(event.get("output")).get("choices"))[:1]:
            add(choice.get("message"), f"/events/{index}/output/choices/0/message")
        return
    draft.warn("no_messages", "the sample stopped before any model call; only its input is known")
    given = sample.get("input")
    if isinstance(given, str) and given:
        draft.say("user", content_pieces(given, draft), at=draft.record.point(given, "/input"))
    for place, message in enumerate(seq(given)):
        add(message, f"/input/{place}")
