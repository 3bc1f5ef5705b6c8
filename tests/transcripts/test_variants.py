"""Shapes that other versions and set-ups of a harness write: each value here is the smallest that shows one of them."""

# ruff: noqa: E501
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from judge.transcripts import Transcript, Unreadable, iter_transcripts
from transcript_checks import check_transcript, script, transcripts_in


def read_value(folder: Path, value: Any, *, lines: bool = False, pointers: bool = True) -> list[Transcript]:
    """The transcripts of a value written as JSON, or of a list written as lines."""
    path = folder / "given.dat"
    path.write_text("".join(json.dumps(one) + "\n" for one in value) if lines else json.dumps(value))
    found = transcripts_in(path)
    for transcript in found if pointers else []:
        check_transcript(transcript, path, pointers=100)
    return found


def one(folder: Path, value: Any, **options: Any) -> list[str]:
    """The script of the one transcript in a value."""
    (transcript,) = read_value(folder, value, **options)
    return script(transcript)


# --- traces ----------------------------------------------------------------------------------------------------------


def attribute(name: str, value: Any) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value if isinstance(value, str) else json.dumps(value)}}


def said(role: str, words: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": words}]}


def model_call(trace: str, time: int, sent: list[Any], reply: list[Any]) -> dict[str, Any]:
    facts = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": sent, "gen_ai.output.messages": reply}
    return {
        "traceId": trace,
        "spanId": f"{trace}-{time}",
        "name": "chat",
        "startTimeUnixNano": str(time),
        "attributes": [attribute(name, value) for name, value in facts.items() if value],
    }


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


ASKED = said("user", "Is the oven on?")
RUNS = [
    model_call("a", 1, [ASKED], [said("assistant", "It is.")]),
    model_call("b", 2, [ASKED], [said("assistant", "I lied last time.")]),
    model_call("a", 3, [ASKED, said("assistant", "It is."), said("user", "Off.")], [said("assistant", "Done.")]),
]
FIRST = [
    "user user unknown: text 'Is the oven on?'",
    "assistant target unknown: text 'It is.'",
    "user user unknown: text 'Off.'",
    "assistant target unknown: text 'Done.'",
]
SECOND = ["user user unknown: text 'Is the oven on?'", "assistant target unknown: text 'I lied last time.'"]


def test_runs_of_one_task_in_one_export_stay_apart(tmp_path: Path) -> None:
    """Two traces that begin with the same prompt are two runs, whatever order their spans come in."""
    assert [script(t) for t in read_value(tmp_path, export(*RUNS))] == [FIRST, SECOND]


def test_a_conversation_of_several_traces_is_one(tmp_path: Path) -> None:
    """Where every turn is a trace of its own, a call that was sent the whole conversation goes on with it."""
    later = {**RUNS[2], "traceId": "c"}
    assert one(tmp_path, export(RUNS[0], later)) == FIRST


def test_a_trace_written_in_batches_is_read_as_one(tmp_path: Path) -> None:
    """A collector writes spans as they end: the lines of a file share traces, and nothing is counted twice."""
    found = read_value(tmp_path, [export(span) for span in RUNS], lines=True)
    assert [script(t) for t in found] == [FIRST, SECOND]
    assert {t.source.format_version for t in found} == {"OTLP"}


def test_no_conversation_of_an_export_is_passed_over(tmp_path: Path) -> None:
    """However many there are."""
    spans = [
        model_call(f"t{n}", n, [said("user", f"Loaf {n}?")], [said("assistant", f"Yes, {n}.")]) for n in range(250)
    ]
    assert len(read_value(tmp_path, export(*spans), pointers=False)) == 250


def test_a_tool_span_counts_in_its_own_trace(tmp_path: Path) -> None:
    """The result of one run's tool is not shown in another run that goes on at the same time."""
    tool = model_call("a", 3, [], [])
    facts = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look", "gen_ai.tool.call.result": "cold"}
    tool["attributes"] = [attribute(name, value) for name, value in facts.items()]
    first, second = read_value(tmp_path, export(*RUNS[:2], tool))
    assert script(first)[-1].startswith("tool tool tool: tool_result(look,")
    assert script(second) == SECOND


def test_messages_in_the_events_of_a_span_are_read(tmp_path: Path) -> None:
    """Conventions before 1.37 wrote an event per message, those after may write one event for the whole call."""
    span = model_call("a", 1, [], [])
    older = [
        {"name": "gen_ai.user.message", "attributes": [attribute("content", "Is the oven on?")]},
        {"name": "gen_ai.choice", "attributes": [attribute("message", {"content": "It is."})]},
    ]
    facts = {"gen_ai.input.messages": [ASKED], "gen_ai.output.messages": [said("assistant", "It is.")]}
    newer = [
        {
            "name": "gen_ai.client.inference.operation.details",
            "attributes": [attribute(name, value) for name, value in facts.items()],
        }
    ]
    for events in (older, newer):
        assert one(tmp_path, export({**span, "events": events})) == FIRST[:2]


def test_a_langfuse_trace_as_its_api_gives_it_is_read(tmp_path: Path) -> None:
    """The trace's own fields stand beside its observations; its scores are in no message."""
    seen = {"id": "o", "traceId": "t", "type": "GENERATION", "input": [{"role": "user", "content": "Is the oven on?"}]}
    trace = {"id": "t", "scores": [{"name": "lied", "value": 1}], "observations": [{**seen, "output": "It is."}]}
    assert one(tmp_path, trace) == FIRST[:2]
