"""OpenHands event logs: V0 (a list of events with action or observation) and the V1 SDK (events with a `kind`).

An observation answers the action that it names as its cause. Of the full model response that V0 repeats in every action
only the reasoning is read, once; the system prompt is an event. Bookkeeping (state changes, recalls, null observations) is
counted, not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, result_status, text_of
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft, tool_name
from judge.transcripts.model import Transcript
from judge.transcripts.parts import Piece, call, compact, maybe, obj, objs, reasoning, result, seq, string, text
from judge.transcripts.pointing import Place
from judge.transcripts.source import Opened, Record, Unreadable, whole, whole_rows

NAME = "openhands"
_BOOKKEEPING: Final = frozenset(("recall", "change_agent_state", "agent_state_changed", "null", "condensation_request"))
_UNSAID: Final = frozenset(("thought", "security_risk", "blocking", "is_static", "hidden", "confirmation_state", "cwd"))


def sniff(probe: Probe) -> Match | None:
    """By events with a source and what they are."""
    events = probe.objects[:16]
    if events and all({"source", "id", "timestamp"} <= event.keys() for event in events):
        if all(string(event.get("kind")) for event in events):  # V1 has actions and observations too, inside
            return Match(0.95, "V1")
        if all("action" in event or "observation" in event for event in events):
            return Match(0.95, "V0")
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file."""
    if opened.container == "json":
        yield from whole(opened)
    else:
        rows, warnings = whole_rows(opened)
        yield Record(opened, None, context={"rows": rows}, warnings=warnings)


def transcribe(record: Record) -> Transcript:
    """Return the run."""
    rows = record.context.get("rows")
    events: list[tuple[dict[str, Any], Place]]
    if rows is not None:
        events = [(row.value, record.point_row(row)) for row in rows if isinstance(row.value, dict)]
    else:
        value = record.value if isinstance(record.value, list) else [record.value]
        prefix = "/" if isinstance(record.value, list) else ""
        events = [
            (event, record.point(event, f"{prefix}{index}" if prefix else ""))
            for index, event in enumerate(value)
            if isinstance(event, dict)
        ]
    version = "V1" if events and string(events[0][0].get("kind")) else "V0"
    draft = Draft(record, NAME, version)
    passed: Counter[str] = Counter()
    thought: set[str] = set()  # model responses whose reasoning has been read
    for event, at in events:
        _add_v1(draft, event, at, passed) if version == "V1" else _add_v0(draft, event, at, passed, thought)
    draft.run["events_passed_over"] = dict(passed)
    return draft.finish()


def _add_v0(draft: Draft, event: dict[str, Any], at: Place, passed: Counter[str], thought: set[str]) -> None:
    action, observation = string(event.get("action")), string(event.get("observation"))
    args, source = obj(event.get("args")), string(event.get("source"))
    facts: dict[str, Any] = {"at": at, "timestamp": maybe(event.get("timestamp")), "native_id": maybe(event.get("id"))}
    if (action or observation) in _BOOKKEEPING:
        passed[action or observation] += 1
    elif observation:
        draft.say("tool", _observation_v0(event, observation), **facts)
    elif action == "system":
        for tool in objs(args.get("tools")):
            draft.offer(*tool_name(tool))
        draft.say("system", [text(string(args.get("content")))], **facts)
    elif action == "message" and source == "user":
        draft.say("user", [text(string(args.get("content")) or string(event.get("message")))], **facts)
    elif source == "agent":
        pieces = [*_reasoning_v0(event, thought), *_action_v0(event, action, args)]
        draft.say("assistant", pieces, origin="sampled", **facts)
    else:
        name = f"{source} {action}"
        draft.say("event", [text(string(event.get("message")) or name)], origin="harness", **facts)


def _reasoning_v0(event: dict[str, Any], thought: set[str]) -> list[Piece]:
    """The private reasoning of the response that an action was taken from; parallel calls share one response."""
    response = obj(obj(event.get("tool_call_metadata")).get("model_response")) or obj(event.get("llm_response"))
    name = string(response.get("id"))
    message = obj(obj((seq(response.get("choices")) or [None])[0]).get("message"))
    words = string(message.get("reasoning_content"))
    if not words or name in thought:
        return []
    thought.add(name)
    return [reasoning(words)]


def _action_v0(event: dict[str, Any], action: str, args: dict[str, Any]) -> list[Piece]:
    thought = string(args.get("thought"))
    if action == "message":
        return [text(string(args.get("content")))]
    if action == "think":
        return [reasoning(thought)]
    pieces = [text(thought)] if thought else []
    if action == "finish":
        words = string(args.get("final_thought")) or string(event.get("message"))
        return [*pieces, text(words)]
    given = {name: value for name, value in args.items() if name not in _UNSAID and value not in (None, "")}
    name = string(obj(event.get("tool_call_metadata")).get("function_name")) or action
    return [*pieces, call(name, given, maybe(event.get("id")))]


def _observation_v0(event: dict[str, Any], observation: str) -> list[Piece]:
    words = string(event.get("content")) or string(event.get("message"))
    extras = obj(event.get("extras"))
    code = obj(extras.get("metadata")).get("exit_code", extras.get("exit_code"))
    failed: bool | None = None
    if observation in ("error", "user_rejected"):
        failed = True
    elif type(code) is int and code >= 0:
        failed = code != 0
    elif isinstance(event.get("success"), bool):
        failed = not event["success"]
    status = "denied" if observation == "user_rejected" else result_status(words, failed=failed)
    name = maybe(obj(event.get("tool_call_metadata")).get("function_name"))
    return [result(words, native_id=maybe(event.get("cause")), tool=name, status=status, link="cause")]


def _add_v1(draft: Draft, event: dict[str, Any], at: Place, passed: Counter[str]) -> None:
    kind = string(event.get("kind"))
    facts: dict[str, Any] = {"at": at, "timestamp": maybe(event.get("timestamp")), "native_id": maybe(event.get("id"))}
    call_id = maybe(event.get("tool_call_id"))
    tool = maybe(event.get("tool_name"))
    if kind == "SystemPromptEvent":
        for item in objs(event.get("tools")):
            draft.offer(*tool_name(item))
        pieces = content_pieces(event.get("system_prompt"), draft) + content_pieces(event.get("dynamic_context"), draft)
        draft.say("system", pieces, **facts)
    elif kind == "MessageEvent":
        message = obj(event.get("llm_message"))
        role = "assistant" if event.get("source") == "agent" else "user"
        pieces = [*(_thoughts(event) or _thoughts(message)), *content_pieces(message.get("content"), draft)]
        draft.say(role, pieces, **facts)  # type: ignore[arg-type]
        added = content_pieces(event.get("extended_content"), draft)
        if added:  # what the harness put behind the user's words: skills, reminders
            draft.say("event", added, origin="harness", **facts)
    elif kind == "ActionEvent":
        made = obj(event.get("tool_call"))
        args = made.get("arguments", obj(event.get("action")))
        pieces = [*_thoughts(event), *content_pieces(event.get("thought"), draft)]
        pieces.append(call(string(made.get("name")) or tool or "", args, call_id or maybe(made.get("id"))))
        draft.say("assistant", pieces, origin="sampled", **facts)
    elif kind in ("ObservationEvent", "AgentErrorEvent", "UserRejectObservation"):
        seen = obj(event.get("observation"))
        words = text_of(seen.get("content"), draft) or compact(seen.get("output")) or compact(event.get("error"))
        words = words or string(event.get("rejection_reason"))
        code = seen.get("exit_code")
        failed = kind == "AgentErrorEvent" or seen.get("is_error") is True or (type(code) is int and code > 0)
        status = "denied" if kind == "UserRejectObservation" else result_status(words, failed=failed)
        shown = [piece for piece in content_pieces(seen.get("content"), draft) if piece.kind == "attachment"]
        draft.say("tool", [result(words, native_id=call_id, tool=tool, status=status), *shown], **facts)
    elif kind in ("Condensation", "CondensationSummaryEvent"):
        summary = string(event.get("summary")) or "[the harness compacted the history here]"
        draft.say("event", [text(summary)], origin="summary", notes=("compaction",), **facts)
    else:
        passed[kind[:60]] += 1


def _thoughts(event: dict[str, Any]) -> list[Piece]:
    blocks = [string(block.get("thinking")) for block in objs(event.get("thinking_blocks"))]
    words = [word for word in blocks if word] or [string(event.get("reasoning_content"))]
    found = [reasoning(word) for word in words if word]
    item = obj(event.get("responses_reasoning_item"))
    if item and not found:
        told = "\n\n".join(word for word in seq(item.get("summary")) if isinstance(word, str))
        hidden = bool(item.get("encrypted_content"))
        found = [reasoning(told, "summary")] if told else [reasoning("[encrypted reasoning]", "encrypted")] * hidden
    return found
