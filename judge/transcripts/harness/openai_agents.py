"""OpenAI Agents SDK: session databases (SQLite) and trace files (JSONL of traces and spans).

A session's rows are Responses items. In a trace, spans of kind `response` may hold ids only; what the tracer did not keep
is not there to be judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from judge.transcripts import sqlite_store
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.items import Items
from judge.transcripts.jsontext import Origin, parse
from judge.transcripts.model import Transcript
from judge.transcripts.parts import maybe, obj, string
from judge.transcripts.pointing import place_bytes
from judge.transcripts.source import Opened, Record, Unreadable, whole_rows
from judge.transcripts.traces import Span, transcribe_thread, transcripts_of

NAME = "openai_agents"
_TABLE, _TEXT = "agent_messages", "message_data"


def sniff(probe: Probe) -> Match | None:
    """By the tables of a session database, or the objects of a trace file."""
    if probe.container == "sqlite":
        columns = sqlite_store.tables(probe.opened.path).get(_TABLE, [])
        return Match(0.97, "session") if {"session_id", _TEXT} <= set(columns) else None
    return Match(0.97, "trace") if any(row.get("object") in ("trace", "trace.span") for row in probe.objects) else None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per session, or per conversation of a trace."""
    if opened.container != "sqlite":
        rows, warnings = whole_rows(opened)
        record = Record(opened, [row.value for row in rows], context={"rows": rows}, warnings=warnings)
        found = list(transcripts_of(record, NAME, "trace", _spans, {}))
        yield from found
        if not found:
            yield Unreadable(opened.uri, f"'{opened.uri}': a trace that kept no model input or output.", refused=True)
        return
    sessions: dict[str, list[tuple[int, str]]] = {}
    for rowid, session, text in sqlite_store.column(opened.path, _TABLE, "session_id", _TEXT, "rowid", opened.limits):
        sessions.setdefault(str(session), []).append((rowid, text))
    for session, cells in sessions.items():
        id_bytes = "\n".join(text for _, text in cells).encode("utf-8", "replace")
        yield Record(opened, None, id_bytes, locator=session, context={"cells": cells})


def _spans(record: Record) -> list[Span]:
    spans = []
    for index, row in enumerate(record.context["rows"]):
        line = obj(row.value)
        data = obj(line.get("span_data"))
        kind = string(data.get("type"))
        at = record.point_row(row)
        if line.get("object") != "trace.span":
            continue
        response = obj(data.get("response"))
        reply = data.get("output") if data.get("output") is not None else response.get("output")
        has_messages = data.get("input") is not None or reply is not None
        called = kind in ("generation", "response") and has_messages
        spans.append(
            Span(
                id=maybe(line.get("id")) or str(index),
                parent=maybe(line.get("parent_id")),
                order=(string(line.get("started_at")), index),
                kind="tool" if kind == "function" else ("call" if called else "other"),
                sent=data.get("input"),
                reply=reply,
                at_sent=at,
                at_reply=at,
                instructions=response.get("instructions"),
                tool=string(data.get("name")),
                args=data.get("input") if kind == "function" else None,
                failed=True if line.get("error") else None,
                model=string(data.get("model")) or string(response.get("model")),
                trace=string(line.get("trace_id")),
            )
        )
    return spans


def transcribe(record: Record) -> Transcript:
    """Return one session or conversation."""
    if "thread" in record.context:
        return transcribe_thread(record, NAME, "trace")
    draft = Draft(record, NAME, "session")
    items = Items(draft)
    for rowid, text in record.context["cells"]:
        raw = text.encode("utf-8", "replace")
        value, _ = parse(raw, Origin(f"{record.opened.uri}, row {rowid}"), record.opened.limits)
        items.add(value, place_bytes(raw, member=f"{_TABLE}.{_TEXT}:{rowid}"))
    draft.native_id = record.locator
    return draft.finish()
