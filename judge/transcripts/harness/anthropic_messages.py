"""Anthropic Messages: requests, responses, recorded exchanges, or an object with `system` and `messages`.

A tool's result lies in a message of the user: it becomes a message of the tool. Thinking is private reasoning, whole or
redacted; server-side tools are calls and results inside the target's own message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, sort_facts, split_results
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft, tool_name
from judge.transcripts.exchanges import chains, earlier_reply
from judge.transcripts.model import Origin, Transcript
from judge.transcripts.parts import maybe, obj, objs, seq, string
from judge.transcripts.pointing import Place, place_value
from judge.transcripts.source import Opened, Record, Unreadable, elements, lines, whole

NAME = "anthropic_messages"
_BLOCKS: Final = frozenset(
    ("thinking", "redacted_thinking", "tool_use", "tool_result", "server_tool_use", "mcp_tool_use")
)


def sniff(probe: Probe) -> Match | None:
    """By block types that only this API has, its response object, or recorded exchanges with either."""
    first = probe.first
    if "request" in first and _is_response(obj(first.get("response"))):
        return Match(0.9)
    if _is_response(first):
        return Match(0.9)
    messages = probe.doc if isinstance(probe.doc, list) else seq(first.get("messages"))
    if not messages or not all(obj(one).get("role") in ("user", "assistant", "system") for one in messages[:16]):
        return None
    own = any(string(block.get("type")) in _BLOCKS for one in objs(messages) for block in objs(one.get("content")))
    if own:
        return Match(0.8)
    has_system = "system" in first and isinstance(first["system"], str | list)
    return Match(0.7) if has_system or any("input_schema" in tool for tool in objs(first.get("tools"))) else None


def _is_response(value: dict[str, Any]) -> bool:
    blocks = objs(value.get("content"))
    foreign = any(block.get("type") in ("output_text", "function_call") for block in blocks)
    return (
        value.get("type") == "message" and value.get("role") == "assistant" and "stop_reason" in value and not foreign
    )


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per conversation: each chain of exchanges, each row, or the whole file."""
    if opened.container == "jsonl":
        yield from lines(opened)
        return
    document = opened.document[0]
    if isinstance(document, list) and "request" in obj(document[0] if document else None):
        yield from chains(opened)
    elif isinstance(document, list) and "messages" in obj(document[0] if document else None):
        yield from elements(opened)
    else:
        yield from whole(opened)


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    draft = Draft(record, NAME)
    value = record.value
    if isinstance(value, list):
        add_messages(draft, value, "")
        return draft.finish()
    value = obj(value)
    request, response = obj(value.get("request")), obj(value.get("response"))
    body, prefix = (request, "/request") if request else (value, "")
    if body.get("system"):
        draft.say("system", content_pieces(body["system"], draft), at=record.point(body["system"], f"{prefix}/system"))
    sent = seq(body.get("messages"))
    begun = len(sent) - 1 if response and _is_prefill(obj(sent[-1] if sent else None)) else None
    for index, message in enumerate(sent):
        at = record.point(message, f"{prefix}/messages/{index}")
        thoughts, place = _thoughts_earlier(record, index, obj(message))
        if place:
            content = message["content"]
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            add_message(draft, {**message, "content": [*thoughts, *blocks]}, (at, place))
        else:
            add_message(draft, message, at, origin="prefill" if index == begun else None)
    if response:
        add_message(draft, response, record.point(response, "/response"))
    elif _is_response(value):
        add_message(draft, value, record.point(value, ""))
    for tool in objs(body.get("tools")):
        draft.offer(*tool_name(tool))
    answer = response or value
    draft.native_id = maybe(answer.get("id"))
    draft.run["models"] = [name for name in (string(answer.get("model")) or string(body.get("model")),) if name]
    draft.complete["system_prompt"] = (
        "present" if body.get("system") else ("absent" if body.get("messages") else "unknown")
    )
    sort_facts(draft, {} if request or _is_response(value) else value, skip=_READ)
    return draft.finish()


_READ: Final = {
    "messages", "system", "tools", "id", "model", "max_tokens", "tool_choice", "thinking", "temperature", "stream",
    "metadata", "stop_sequences", "usage",
}  # fmt: skip


def _thoughts_earlier(
    record: Record, position: int, message: dict[str, Any]
) -> tuple[list[dict[str, Any]], Place | None]:
    """The thinking of a reply that was sent back without it, and where it stands."""
    found = earlier_reply(record, position)
    content = message.get("content")
    sent_back = any(string(block.get("type")).endswith("thinking") for block in objs(content))
    if found is None or message.get("role") != "assistant" or sent_back or not isinstance(content, str | list):
        return [], None
    thoughts = [block for block in objs(found[0].get("content")) if string(block.get("type")).endswith("thinking")]
    return thoughts, place_value(found[0], found[1]) if thoughts else None


def _is_prefill(last: dict[str, Any]) -> bool:
    """Whether a request ends with words that were put into the model's mouth: a reply that it was paused in has more."""
    blocks = objs(last.get("content"))
    return last.get("role") == "assistant" and all(block.get("type") == "text" for block in blocks)


def add_messages(draft: Draft, messages: list[Any], path: str) -> None:
    """Add messages of this API that stand at `path` in the record."""
    for index, message in enumerate(messages):
        add_message(draft, message, draft.record.point(message, f"{path}/{index}"))


def add_message(draft: Draft, message: Any, at: Place | tuple[Place, ...], origin: Origin | None = None) -> None:
    """Add one message; results among its blocks become messages of the tool."""
    message = obj(message)
    raw_role = string(message.get("role"))
    role = ROLES.get(raw_role)
    if role is None:
        draft.warn("unknown_role", f"a message with the unknown role '{raw_role[:40]}' was read as an event")
        role = "event"
    pieces = content_pieces(message.get("content"), draft)
    if role != "user":
        facts: dict[str, Any] = {"native_id": maybe(message.get("id")), "model": maybe(message.get("model"))}
        draft.say(role, pieces, at=at, origin=origin, **facts)
        return
    for is_result, run in split_results(pieces) or [(False, [])]:
        draft.say("tool" if is_result else "user", run, at=at)
