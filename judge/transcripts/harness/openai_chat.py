"""OpenAI chat messages: a bare list, an object with `messages`, a completion, recorded exchanges, or rows of a JSONL file.

The shape that everything resembles: its confidence stays low so that a harness with keys of its own wins. Says nothing
about who really wrote a message beyond its role, and has no flag for a failed tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft, tool_name
from judge.transcripts.exchanges import chains, earlier_reply
from judge.transcripts.model import Transcript
from judge.transcripts.parts import Piece, call, maybe, obj, objs, reasoning, result, seq, string, text
from judge.transcripts.pointing import Place, place_value
from judge.transcripts.source import Opened, Record, Unreadable, elements, lines, whole, whole_rows

NAME = "openai_chat"
_CHAT_ROLES: Final = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking")
_OTHER_DIALECTS: Final = frozenset(
    ("thinking", "redacted_thinking", "tool_use", "tool_result", "server_tool_use", "function_call_output", "tool-call")
)

_RARE: Final = frozenset((*THOUGHTS, "refusal", "audio", "function_call"))


def sniff(probe: Probe) -> Match | None:
    """Weak by design; surer of a completion object or recorded exchanges."""
    first = probe.first
    if "request" in first and isinstance(obj(first.get("response")).get("choices"), list):
        return Match(0.85)
    if objs(first.get("choices")) and isinstance(objs(first.get("choices"))[0].get("message"), dict):
        return Match(0.85)
    if isinstance(probe.doc, list) and _is_chat(probe.doc[:16]):
        return Match(0.45 + _own_marks(probe.doc))
    if _is_chat(seq(first.get("messages"))[:16]) and probe.share("messages") >= 0.9:
        return Match(0.5 + _own_marks(first["messages"]))
    rows = probe.rows[:16] if probe.container == "jsonl" else []
    if _is_chat(rows):
        return Match(0.3)  # one message per line: could be anybody's
    return None


def _is_chat(messages: list[Any]) -> bool:
    """Whether these are messages with roles of this API and no block of another."""
    return bool(messages) and all(
        isinstance(message, dict)
        and string(message.get("role")) in _CHAT_ROLES
        and ("content" in message or "tool_calls" in message or "function_call" in message)
        and not any(string(block.get("type")) in _OTHER_DIALECTS for block in objs(message.get("content")))
        for message in messages
    )


def _own_marks(messages: list[Any]) -> float:
    """What makes the guess stronger: calls in the API's own shape."""
    marks = any("function" in call_ for m in objs(messages) for call_ in objs(m.get("tool_calls")))
    return 0.15 if marks or any("tool_call_id" in m for m in objs(messages)) else 0.0


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per conversation: the whole list, each row with `messages`, or each chain of exchanges."""
    if opened.container == "jsonl":
        for record in lines(opened):
            if isinstance(record, Record) and isinstance(record.value, dict) and "role" in record.value:
                yield from _one_message_per_line(opened)
                return
            yield record
        return
    document = opened.document[0]
    if isinstance(document, list) and document and "request" in obj(document[0]):
        yield from chains(opened)
    elif isinstance(document, list) and document and "messages" in obj(document[0]):
        yield from elements(opened)
    else:
        yield from whole(opened)


def _one_message_per_line(opened: Opened) -> Iterator[Record | Unreadable]:
    rows, warnings = whole_rows(opened)
    yield Record(opened, [row.value for row in rows], context={"rows": rows}, warnings=warnings)


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    draft = Draft(record, NAME)
    value = record.value
    rows = record.context.get("rows")
    if isinstance(value, list):
        for index, message in enumerate(value):
            at = record.point_row(rows[index]) if rows else record.point(message, f"/{index}")
            add_message(draft, message, at)
        return draft.finish()
    value = obj(value)
    request, response = obj(value.get("request")), obj(value.get("response"))
    body, prefix = (request, "/request") if request else (value, "")
    sent = seq(body.get("messages"))
    begun = len(sent) - 1 if response and _is_prefill(obj(sent[-1] if sent else None)) else None
    for index, message in enumerate(sent):
        fields: dict[str, Any] = {"origin": "prefill"} if index == begun else {}
        here = record.point(message, f"{prefix}/messages/{index}")
        thought, earlier = _thought_earlier(record, index, message)
        if earlier:
            add_message(draft, {**message, "reasoning_content": thought}, (here, earlier), **fields)
        else:
            add_message(draft, message, here, **fields)
    answer, answer_path = (response, "/response") if response else (value, "")
    for index, choice in enumerate(seq(answer.get("choices"))):
        if index:
            draft.warn("other_choices", "choices beyond the first are alternatives and were not read")
            break
        message = obj(choice).get("message")
        add_message(draft, message, record.point(message, f"{answer_path}/choices/{index}/message"))
    for tool in objs(body.get("tools")) or objs(body.get("functions")):
        draft.offer(*tool_name(tool))
    draft.native_id = maybe(answer.get("id")) or maybe(value.get("id")) or maybe(value.get("conversation_id"))
    if "model" in answer or "model" in body:
        draft.run["models"] = [string(answer.get("model")) or string(body.get("model"))]
    sort_facts(draft, {} if request else value, skip=_READ)
    return draft.finish()


_READ: Final = {
    "messages", "choices", "tools", "functions", "request", "response", "id", "model", "object", "usage", "created",
    "system_fingerprint", "service_tier", "tool_choice", "parallel_tool_calls",
}  # fmt: skip


def _thought_earlier(record: Record, position: int, message: Any) -> tuple[str, Place | None]:
    """The reasoning of a reply that was sent back without it, and where it stands."""
    found = earlier_reply(record, position)
    if found is None or obj(message).get("role") != "assistant" or any(obj(message).get(key) for key in THOUGHTS):
        return "", None
    reply = obj(obj((seq(found[0].get("choices")) or [None])[0]).get("message"))
    thought = next((reply[key] for key in THOUGHTS if string(reply.get(key))), "")
    return thought, place_value(reply, f"{found[1]}/choices/0/message") if thought else None


def _is_prefill(last: dict[str, Any]) -> bool:
    """Whether a request ends with words that were put into the model's mouth, for it to go on from."""
    return last.get("role") == "assistant" and not last.get("tool_calls") and bool(last.get("content"))


def add_messages(draft: Draft, messages: list[Any], path: str, **fields: Any) -> None:
    """Add messages of this API that stand at `path` in the record."""
    for index, message in enumerate(messages):
        add_message(draft, message, draft.record.point(message, f"{path}/{index}"), **fields)


def add_message(draft: Draft, message: Any, at: Any, **fields: Any) -> None:
    """Add one message of this API; `fields` (author, origin, notes ...) override what its role says."""
    if not isinstance(message, dict):
        draft.warn("odd_message", "a message that is no object was left out", at.path)
        return
    raw_role = string(message.get("role"))
    role = ROLES.get(raw_role)
    if role is None:
        draft.warn("unknown_role", f"a message with the unknown role '{raw_role[:40]}' was read as an event")
        role = "event"
    name = maybe(message.get("name"))
    if "timestamp" in message:
        fields.setdefault("timestamp", maybe(message["timestamp"]))
    if "id" in message:
        fields.setdefault("native_id", maybe(message["id"]))
    draft.say(role, message_pieces(message, draft), at=at, **fields)
    if name and role == "user" and fields.get("author") is None:
        draft.rename_last(name)


def message_pieces(message: dict[str, Any], draft: Draft) -> list[Piece]:
    """Return the pieces of one message: reasoning, words, calls, or a result."""
    content = message.get("content")
    if message.get("role") in ("tool", "function"):
        return _result_pieces(message, content, draft)
    if len(message) == 2 and type(content) is str and content:  # nothing but a role and words, as most messages are
        return [Piece("text", content)]
    rare = not _RARE.isdisjoint(message)
    thought = rare and next((message[key] for key in THOUGHTS if message.get(key)), None)
    pieces = [reasoning(thought)] if isinstance(thought, str) else []
    pieces += content_pieces(content, draft)
    if rare and string(message.get("refusal")):
        pieces.append(text(message["refusal"]))
    if rare and string(obj(message.get("audio")).get("transcript")):  # a spoken reply has its words here
        pieces.append(text(message["audio"]["transcript"]))
    if message.get("tool_calls"):  # a call that is a block of the content too counts once
        blocks = () if isinstance(content, str) else pieces
        told = {piece.native_id for piece in blocks if piece.kind == "tool_call" and piece.native_id}
        pieces += [tool_call(item) for item in objs(message["tool_calls"]) if maybe(item.get("id")) not in told]
    legacy = rare and message.get("function_call")
    if isinstance(legacy, dict):
        pieces.append(call(string(legacy.get("name")), legacy.get("arguments")))
    return pieces


def tool_call(item: dict[str, Any]) -> Piece:
    """Return one entry of `tool_calls`, nested under `function` or flat."""
    function = item.get("function")
    if isinstance(function, dict):
        return call(string(function.get("name")), function.get("arguments"), maybe(item.get("id")))
    custom = obj(item.get("custom"))
    if custom:
        return call(string(custom.get("name")), custom.get("input"), maybe(item.get("id")))
    name = string(function) or string(item.get("name"))
    return call(name, item.get("arguments", item.get("args")), maybe(item.get("id")) or maybe(item.get("call_id")))


def _result_pieces(message: dict[str, Any], content: Any, draft: Draft) -> list[Piece]:
    if type(content) is str:
        return [result(content, native_id=maybe(message.get("tool_call_id")), tool=maybe(message.get("name")))]
    inner = content_pieces(content, draft)
    words = "\n".join(piece.text for piece in inner if piece.kind == "text")
    others = [piece for piece in inner if piece.kind == "attachment"]
    nested = [piece for piece in inner if piece.kind == "tool_result"]
    if nested:
        return inner
    found = result(words, native_id=maybe(message.get("tool_call_id")), tool=maybe(message.get("name")))
    return [found, *others]
