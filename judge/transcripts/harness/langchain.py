"""LangChain and LangGraph messages, in their three encodings: messages_to_dict, model_dump, and `lc` constructors.

A call stands in the content blocks and again in `tool_calls`: it is counted once, by id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, result_status, sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.items import is_item, item_pieces
from judge.transcripts.model import Role, Transcript
from judge.transcripts.parts import Piece, call, maybe, obj, objs, reasoning, result, seq, string
from judge.transcripts.pointing import Place
from judge.transcripts.source import Opened, Record, Unreadable, lines, whole

NAME = "langchain"
_ROLES: Final[dict[str, Role]] = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
    "HumanMessageChunk": "user",
}
_FREE: Final = ("chat", "ChatMessage", "ChatMessageChunk")  # with a role of the application's own choice
_REMOVED: Final = ("remove", "RemoveMessage")  # an instruction to the graph, no message


def sniff(probe: Probe) -> Match | None:
    """By messages whose type is human or ai, in any of the encodings."""
    messages = probe.doc if isinstance(probe.doc, list) else seq(probe.first.get("messages"))
    found = [plain(message) for message in messages[:16]]
    if not found or not all(kind for kind, _ in found):
        return None
    own = any(kind in ("human", "ai") or kind.endswith("Message") for kind, _ in found)
    return Match(0.9) if own else None


def plain(message: Any) -> tuple[str, dict[str, Any]]:
    """Return the type and the fields of a message in any encoding; an empty type when it is none."""
    message = obj(message)
    identity = message.get("id")
    if message.get("lc") and isinstance(identity, list) and identity:
        kind, fields = string(identity[-1]), obj(message.get("kwargs"))
    elif isinstance(message.get("data"), dict):
        kind, fields = string(message.get("type")), message["data"]
    else:
        kind, fields = string(message.get("type")), message
    known = kind in _ROLES or kind in _REMOVED or (kind in _FREE and bool(string(fields.get("role"))))
    return (kind if known and "content" in fields else ""), fields


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file, or per line."""
    return lines(opened) if opened.container == "jsonl" else whole(opened)


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    draft = Draft(record, NAME)
    value = record.value
    messages, path = (value, "") if isinstance(value, list) else (seq(obj(value).get("messages")), "/messages")
    add_messages(draft, messages, path)
    sort_facts(draft, obj(value), skip={"messages"})
    return draft.finish()


def add_messages(draft: Draft, messages: list[Any], path: str) -> None:
    """Add messages that stand at `path` in the record."""
    for index, message in enumerate(messages):
        add_message(draft, message, draft.record.point(message, f"{path}/{index}"))


def _content_pieces(content: Any, draft: Draft) -> list[Piece]:
    """The pieces of a content, among whose blocks may be items of the Responses API."""
    if not any(is_item(block) for block in seq(content)):
        return content_pieces(content, draft)
    pieces: list[Piece] = []
    for block in seq(content):
        pieces += item_pieces(block, draft)[1] if is_item(block) else content_pieces([block], draft)
    return pieces


def add_message(draft: Draft, message: Any, at: Place) -> None:
    """Add one message in any encoding."""
    kind, fields = plain(message)
    role = _ROLES.get(kind)
    speaker = maybe(fields.get("name"))
    if kind in _REMOVED:
        return
    if kind in _FREE:
        speaker = string(fields["role"])
        role = ROLES.get(speaker, "event")
    if role is None:
        draft.warn("odd_message", "a message of unknown type was left out", at.path)
        return
    native_id = maybe(fields.get("id"))
    extra = obj(fields.get("additional_kwargs"))
    pieces = _content_pieces(fields.get("content"), draft)
    thought = string(extra.get("reasoning_content"))
    if thought and not any(piece.kind == "reasoning" for piece in pieces):
        pieces.insert(0, reasoning(thought))
    if role == "tool":
        words = "\n".join(piece.text for piece in pieces if piece.kind == "text")
        failed = fields.get("status") == "error" if "status" in fields else None
        given = result(
            words,
            native_id=maybe(fields.get("tool_call_id")),
            tool=maybe(fields.get("name")),
            status=result_status(words, failed=failed),
        )
        rest = [piece for piece in pieces if piece.kind == "attachment"]
        draft.say("tool", [given, *rest], at=at, native_id=native_id)
        return
    seen = {piece.native_id for piece in pieces if piece.kind == "tool_call"}
    made = objs(fields.get("tool_calls")) or objs(extra.get("tool_calls"))
    if not made and isinstance(extra.get("function_call"), dict):  # the way of 2023, without an id
        made = [{"function": extra["function_call"]}]
    for item in made:
        call_id = maybe(item.get("id"))
        if call_id and call_id in seen:
            continue
        function = obj(item.get("function"))
        name = string(item.get("name")) or string(function.get("name"))
        pieces.append(call(name, item.get("args", function.get("arguments")), call_id))
    if objs(fields.get("invalid_tool_calls")):
        draft.warn("call_not_parsed", "the harness could not parse a call")
        for item in objs(fields["invalid_tool_calls"]):
            pieces.append(call(string(item.get("name")), item.get("args"), maybe(item.get("id"))))
    model = maybe(obj(fields.get("response_metadata")).get("model_name"))
    draft.say(role, pieces, at=at, native_id=native_id, model=model)
    if speaker and role in ("user", "event"):
        draft.rename_last(speaker)
