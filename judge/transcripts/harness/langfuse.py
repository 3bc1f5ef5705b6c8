"""Langfuse trace exports: {trace, observations}, whatever framework filled them.

Inputs and outputs are JSON text of anything; see `dialects`. Where the tracer lost the content at capture, the transcript
says that its evidence is incomplete.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from judge.transcripts.detect import Match, Probe
from judge.transcripts.model import Transcript, Warn
from judge.transcripts.parts import decoded_json, maybe, obj, objs, string
from judge.transcripts.source import Opened, Record, Unreadable, elements
from judge.transcripts.traces import Span, transcribe_thread, transcripts_of

NAME = "langfuse"
_LOST: Final = ({"content": "role"}, '{"content":"role"}')


def sniff(probe: Probe) -> Match | None:
    """By a trace beside its observations."""
    first = probe.first
    observed = objs(first.get("observations"))
    if isinstance(first.get("observations"), list) and ("trace" in first or (observed and "traceId" in observed[0])):
        return Match(0.97)
    return Match(0.9) if {"observations", "projectId"} <= first.keys() else None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per conversation of each trace."""
    for record in elements(opened):
        if not isinstance(record, Record):
            yield record
            continue
        trace = obj(obj(record.value).get("trace")) or obj(record.value)
        facts = {
            "trace": maybe(trace.get("id")),
            "name": maybe(trace.get("name")),
            "session": maybe(trace.get("sessionId")),
        }
        found = list(transcripts_of(record, NAME, None, _spans, facts))
        yield from found
        if not found:
            yield Unreadable(opened.uri, f"'{opened.uri}': a trace without any model call.", refused=True)


def _spans(record: Record) -> list[Span]:
    spans = []
    for index, seen in enumerate(objs(obj(record.value).get("observations"))):
        kind = string(seen.get("type")).upper()
        path = f"/observations/{index}"
        lost = seen.get("input") in _LOST
        given = seen.get("input")
        sent = obj(decoded_json(given) if isinstance(given, str) else given)
        spans.append(
            Span(
                id=maybe(seen.get("id")) or str(index),
                parent=maybe(seen.get("parentObservationId")),
                order=(string(seen.get("startTime")), index),
                kind="call" if kind == "GENERATION" else ("tool" if kind == "TOOL" else "other"),
                agent="",
                sent=None if lost else seen.get("input"),
                reply=seen.get("output"),
                at_sent=record.point(seen.get("input"), f"{path}/input") if "input" in seen else None,
                at_reply=record.point(seen.get("output"), f"{path}/output") if "output" in seen else None,
                tool=string(seen.get("name")),
                args=seen.get("input") if kind == "TOOL" else None,
                failed=True if seen.get("level") == "ERROR" else None,
                model=string(seen.get("model")),
                tools=sent.get("tools"),
            )
        )
    return spans


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    transcript = transcribe_thread(record, NAME, None)
    if not any(seen.get("input") in _LOST for seen in objs(obj(record.value).get("observations"))):
        return transcript
    lost = Warn(code="evidence_incomplete", detail="the tracer did not keep what the model was sent in some calls")
    return transcript.model_copy(
        update={"complete": {**transcript.complete, "input": "absent"}, "warnings": (*transcript.warnings, lost)}
    )
