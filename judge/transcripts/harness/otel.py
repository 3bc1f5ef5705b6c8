"""OpenTelemetry: OTLP JSON with GenAI conventions, SDK dumps, OpenInference attributes, and AI SDK spans.

Messages are JSON text in attributes, flattened into one attribute per field, or in a span's events. Every span of a model
call repeats the whole history; see `traces`. A collector writes a trace in batches, a line each: lines that share a trace
are read together. Bytes inside attributes (embeddings, headers) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.detect import Match, Probe
from judge.transcripts.limits import check_file
from judge.transcripts.model import Pointer, Transcript
from judge.transcripts.parts import compact, decoded_json, maybe, obj, objs, seq, string
from judge.transcripts.seen import Seen
from judge.transcripts.source import Opened, Record, Unreadable, lines, whole, whole_rows
from judge.transcripts.traces import Span, transcribe_thread, transcripts_of

NAME = "otel"
_SENT: Final = ("gen_ai.input.messages", "ai.prompt.messages", "gen_ai.prompt", "input.value", "ai.prompt")
_REPLY: Final = ("gen_ai.output.messages", "gen_ai.output", "gen_ai.completion", "output.value", "ai.response.object")
_CALLS: Final = ("chat", "call_llm", "text_completion", "generate_content", "completion")
_ARGUMENTS: Final = (
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.args",
    "ai.toolCall.args",
    "tool_arguments",
    "input.value",
)
_FLAT: Final = re.compile(
    r"(?:llm|gen_ai)\.(input_messages|output_messages|prompt|completion)\.(\d{1,4})\.(?:message\.)?(.+)"
)
_EVENT_ROLE: Final = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_NO_CONVERSATION: Final = ("ai.embed", "embeddings", "EMBEDDING", "RETRIEVER", "RERANKER")


def sniff(probe: Probe) -> Match | None:
    """By OTLP's nesting, or by spans with attributes of a model call."""
    first = probe.first
    if isinstance(first.get("resourceSpans"), list):
        return Match(0.97, "OTLP")
    spans = [
        span for span in _all_spans(probe.doc if probe.container == "json" else probe.rows) if "attributes" in span
    ]
    if spans and all("name" in span for span in spans[:16]):
        contexts = any(key in spans[0] for key in ("context", "spanContext", "spanId", "span_id", "trace_id"))
        return Match(0.9, "spans") if contexts else None
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per conversation of each trace."""
    for record in whole(opened) if opened.container == "json" else _together(opened):
        if not isinstance(record, Record):
            yield record
            continue
        found = list(transcripts_of(record, NAME, None, _spans, {}))
        yield from found
        if not found:
            reason = (
                f"'{opened.uri}': spans without any model call that holds messages (embeddings, tools, bookkeeping)."
            )
            yield Unreadable(opened.uri, reason, refused=True)


def _together(opened: Opened) -> Iterator[Record | Unreadable]:
    """Lines that hold spans are one trace; lines that hold whole exports are one each, unless traces run across them."""
    first = next((row.value for row in opened.rows() if not row.broken), None)
    batches = isinstance(obj(first).get("resourceSpans"), list)
    if batches and not _traces_run_on(opened):
        yield from lines(opened)
        return
    check_file(opened.path, opened.size, opened.limits)
    rows, warnings = whole_rows(opened)
    context = {"batches" if batches else "rows": rows}
    yield Record(opened, [row.value for row in rows], context=context, warnings=warnings)


def _traces_run_on(opened: Opened) -> bool:
    """Whether a trace has spans in more than one line."""
    seen = Seen()
    for row in opened.rows():
        traces = {maybe(span.get("traceId")) for span in _all_spans(row.value)} - {None}
        if any(seen.count(str(trace)) > 1 for trace in traces):
            return True
    return False


def _all_spans(value: Any) -> list[dict[str, Any]]:
    """Every span in an export, whatever its nesting, in order."""
    return [span for span, _ in _located(value)]


def _located(value: Any) -> list[tuple[dict[str, Any], str]]:
    found: list[tuple[dict[str, Any], str]] = []
    if isinstance(value, list):
        found += [(span, f"/{index}") for index, span in enumerate(value) if isinstance(span, dict)]
    holder = obj(value)
    for i, resource in enumerate(objs(holder.get("resourceSpans"))):
        for j, scope in enumerate(objs(resource.get("scopeSpans"))):
            for k, span in enumerate(objs(scope.get("spans"))):
                found.append((span, f"/resourceSpans/{i}/scopeSpans/{j}/spans/{k}"))
    for index, span in enumerate(objs(holder.get("spans"))):
        found.append((span, f"/spans/{index}"))
    if not found and holder:  # grouped by operation: {operation: [spans]}
        for name, group in holder.items():
            key = name.replace("~", "~0").replace("/", "~1")
            found += [(span, f"/{key}/{n}") for n, span in enumerate(objs(group)) if "attributes" in span]
    return found


def _spans(record: Record) -> list[Span]:
    found: list[Span] = []
    operations: list[tuple[str, tuple[int, int]]] = []
    for index, (span, at) in enumerate(_placed(record)):
        attributes = _with_events(_attributes(span.get("attributes")), span)
        sent, reply = _first(attributes, _SENT), _first(attributes, _REPLY)
        flat = _flattened(attributes)
        sent = flat.get("input_messages") or flat.get("prompt") or sent
        reply = flat.get("output_messages") or flat.get("completion") or reply or _ai_reply(attributes)
        context = obj(span.get("context")) or obj(span.get("spanContext"))
        parent = span.get("parentSpanId", span.get("parent_id", obj(span.get("parent")).get("span_id")))
        parent = parent or obj(span.get("parentSpanContext")).get("spanId")
        kind = _kind(span, attributes, has_messages=sent is not None or reply is not None)
        tool = kind == "tool"
        found.append(
            Span(
                id=maybe(span.get("spanId") or span.get("span_id") or context.get("span_id") or context.get("spanId"))
                or str(index),
                parent=maybe(parent),
                order=(_time(span), index),
                kind=kind,
                agent=string(attributes.get("gen_ai.agent.name")),
                sent=sent,
                reply=_first(attributes, ("gen_ai.tool.call.result", "gen_ai.output", "output.value"))
                if tool
                else reply,
                at_sent=at,
                at_reply=at,
                instructions=attributes.get("gen_ai.system_instructions"),
                tool=string(attributes.get("gen_ai.tool.name")) or string(attributes.get("tool.name")),
                failed=True if obj(span.get("status")).get("code") in (2, "STATUS_CODE_ERROR", "ERROR") else None,
                model=string(attributes.get("gen_ai.response.model")) or string(attributes.get("gen_ai.request.model")),
                tools=attributes.get("gen_ai.tool.definitions"),
                args=_first(attributes, _ARGUMENTS) if tool else None,
                trace=maybe(
                    span.get("traceId") or span.get("trace_id") or context.get("trace_id") or context.get("traceId")
                )
                or "",
            )
        )
        operations.append(
            (string(attributes.get("ai.operationId")), _time(span, ("endTimeUnixNano", "end_time", "endTime")))
        )
    _pass_over_wrappers(found, operations)
    return found


def _pass_over_wrappers(spans: list[Span], operations: list[tuple[str, tuple[int, int]]]) -> None:
    """Pass over calls of the AI SDK whose inner call stands beside them with no word of who called whom: one says both."""
    parents = {span.parent for span in spans}
    calls = [(span, *about) for span, about in zip(spans, operations, strict=True) if span.kind == "call" and about[0]]
    inner = [(span, name) for span, name, _ in calls if ".do" in name and span.parent is None]
    for span, name, end in calls:
        if ".do" not in name and span.id not in parents:
            for other, called in inner:
                during = span.order[0] <= other.order[0] <= end
                if called.startswith(f"{name}.do") and during and other.reply == span.reply:
                    span.kind = "other"


def _placed(record: Record) -> Iterator[tuple[dict[str, Any], Pointer]]:
    """Every span of a record with the pointer to it."""
    if "batches" in record.context:
        for row in record.context["batches"]:
            line = Record(record.opened, row.value, start=row.start, end=row.end)
            yield from ((span, line.point(span, path)) for span, path in _located(row.value))
        return
    rows = record.context.get("rows")
    for index, (span, path) in enumerate(_located(record.value)):
        yield span, record.point_row(rows[index]) if rows else record.point(span, path)


def _with_events(attributes: dict[str, Any], span: dict[str, Any]) -> dict[str, Any]:
    """The attributes with what the events of a span, or its attribute `events`, say of messages, where they don't."""
    events = [(string(one.get("name")), _attributes(one.get("attributes"))) for one in objs(span.get("events"))]
    given = attributes.get("events")
    listed = decoded_json(given) if isinstance(given, str) else given
    events += [(string(one.get("event.name")), one) for one in objs(listed)]
    found: dict[str, Any] = {}
    sent: list[dict[str, Any]] = []
    replied: list[dict[str, Any]] = []
    for name, facts in events:
        found |= {key: facts[key] for key in (*_SENT, *_REPLY, "gen_ai.system_instructions") if facts.get(key)}
        speaker = _EVENT_ROLE.fullmatch(name)
        if speaker:
            sent.append({"role": speaker[1], **_message_of(facts)})
        elif name == "gen_ai.choice":
            replied.append({"role": "assistant", **_message_of(facts)})
    if sent or replied:
        found.setdefault("gen_ai.input.messages", sent)
        found.setdefault("gen_ai.output.messages", replied)
    return {**found, **attributes}


def _message_of(facts: dict[str, Any]) -> dict[str, Any]:
    """The message in an event: its own fields, or under `message`, each as a value or as JSON text."""
    given = facts.get("message", facts)
    held = obj(decoded_json(given) if isinstance(given, str) else given) or {"content": given}
    message = {key: value for key, value in held.items() if key in ("role", "content", "tool_calls", "id", "name")}
    if isinstance(message.get("tool_calls"), str):
        message["tool_calls"] = decoded_json(message["tool_calls"])
    return message


def _kind(span: dict[str, Any], attributes: dict[str, Any], *, has_messages: bool) -> str:
    operation = string(attributes.get("gen_ai.operation.name"))
    sort = string(attributes.get("openinference.span.kind")) or string(attributes.get("ai.operationId"))
    name = string(span.get("name"))
    if operation == "execute_tool" or sort in ("TOOL", "ai.toolCall"):
        return "tool"
    if any(word in (operation, sort) or sort.startswith(word) or name.startswith(word) for word in _NO_CONVERSATION):
        return "other"
    if operation in _CALLS or sort == "LLM" or sort.startswith("ai."):
        return "call" if has_messages else "other"
    return "call" if has_messages and not operation and not sort and "gen_ai.request.model" in attributes else "other"


def _attributes(value: Any) -> dict[str, Any]:
    """Attributes as a plain object: OTLP writes a list of typed values."""
    if isinstance(value, dict):
        return value
    return {string(one.get("key")): _typed(one.get("value")) for one in objs(value)}


def _typed(value: Any) -> Any:
    value = obj(value)
    if "arrayValue" in value:
        return [_typed(one) for one in seq(obj(value["arrayValue"]).get("values"))][:10_000]
    if "kvlistValue" in value:
        return _attributes(obj(value["kvlistValue"]).get("values"))
    return next(iter(value.values()), None)


def _first(attributes: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) not in (None, "")), None)


def _flattened(attributes: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Messages that were flattened into one attribute per field, put together again."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for name, value in attributes.items():
        match = _FLAT.match(name)
        if match:
            _plant(found.setdefault(match[1], {}).setdefault(int(match[2]), {}), match[3], value)
    return {name: [_chat(by_index[index]) for index in sorted(by_index)] for name, by_index in found.items()}


def _plant(message: dict[str, Any], field: str, value: Any) -> None:
    nested = re.match(r"(tool_calls|contents)\.(\d{1,4})\.(?:tool_call\.|message_content\.)?(.+)", field)
    if nested:
        group = message.setdefault(nested[1], {})
        if isinstance(group, dict):
            group.setdefault(int(nested[2]), {})[nested[3]] = value
    else:
        message[field] = value


def _chat(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if isinstance(calls, dict):
        message["tool_calls"] = [
            {
                "id": one.get("id"),
                "name": one.get("function.name", one.get("name")),
                "arguments": one.get("function.arguments", one.get("arguments")),
            }
            for _, one in sorted(calls.items())
        ]
    contents = message.pop("contents", None)
    if isinstance(contents, dict) and "content" not in message:
        message["content"] = [
            {"type": one.get("type", "text"), "text": compact(one.get("text"))} for _, one in sorted(contents.items())
        ]
    message.setdefault("role", "assistant")
    return message


def _ai_reply(attributes: dict[str, Any]) -> Any:
    """The reply of an AI SDK span: its text, and its calls."""
    words, calls = attributes.get("ai.response.text"), decoded_json(string(attributes.get("ai.response.toolCalls")))
    thought = string(attributes.get("ai.response.reasoning"))
    if not words and not calls:
        return None
    blocks: list[dict[str, Any]] = [{"type": "thinking", "thinking": thought}] if thought else []
    if words:
        blocks.append({"type": "text", "text": compact(words)})
    blocks += [{**one, "type": "tool-call"} for one in objs(calls)]
    return {"role": "assistant", "content": blocks}


_START: Final = ("startTimeUnixNano", "start_time", "startTime")


def _time(span: dict[str, Any], names: tuple[str, ...] = _START) -> tuple[int, int]:
    value = next((span[name] for name in names if name in span), None)
    if isinstance(value, list) and len(value) == 2 and all(type(one) is int for one in value):
        return value[0], value[1]
    if isinstance(value, str) and value.isdecimal() and len(value) < 25:
        value = int(value)
    return (value // 10**9, value % 10**9) if type(value) is int else (0, 0)


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    value = record.value[0] if isinstance(record.value, list) and record.value else record.value
    return transcribe_thread(record, NAME, "OTLP" if "resourceSpans" in obj(value) else "spans")
