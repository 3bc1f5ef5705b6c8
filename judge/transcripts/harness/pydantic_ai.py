"""Pydantic AI message histories: requests and responses made of typed parts.

A failed tool is a retry prompt, or in newer versions a return whose outcome says so. Instructions repeat on every
request and are read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.model import CallStatus, Transcript
from judge.transcripts.parts import (
    Piece,
    call,
    compact,
    maybe,
    media,
    obj,
    objs,
    reasoning,
    result,
    seq,
    string,
    text,
    unknown_block,
)
from judge.transcripts.pointing import Place
from judge.transcripts.source import Opened, Record, Unreadable, lines, whole

NAME = "pydantic_ai"
_MEDIA: Final = ("binary", "image-url", "document-url", "audio-url", "video-url", "uploaded-file")
_WORDS: Final = ("text-content", "structured-content")
_OUTCOMES: Final[dict[str, CallStatus]] = {
    "failed": "error",
    "retried": "error",
    "denied": "denied",
    "interrupted": "cancelled",
}


def sniff(probe: Probe) -> Match | None:
    """By `kind` on messages and `part_kind` on parts."""
    messages = probe.doc if isinstance(probe.doc, list) else seq(probe.first.get("messages"))
    if messages and all(
        obj(one).get("kind") in ("request", "response")
        and all("part_kind" in part for part in objs(obj(one).get("parts")))
        for one in messages[:16]
    ):
        return Match(0.97)
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file, or per line."""
    return lines(opened) if opened.container == "jsonl" else whole(opened)


def transcribe(record: Record) -> Transcript:
    """Return one history."""
    draft = Draft(record, NAME)
    value = record.value
    messages, path = (value, "") if isinstance(value, list) else (seq(obj(value).get("messages")), "/messages")
    told: set[str] = set()
    models: dict[str, None] = {}
    for index, given in enumerate(messages):
        message = obj(given)
        at = record.point(message, f"{path}/{index}")
        if message.get("kind") == "response":
            pieces = [piece for part in objs(message.get("parts")) for piece in _response_part(part, draft)]
            models[string(message.get("model_name"))] = None
            draft.say("assistant", pieces, at=at, origin="sampled", timestamp=maybe(message.get("timestamp")))
        else:
            instructions = string(message.get("instructions"))
            if instructions and instructions not in told:
                told.add(instructions)
                draft.say("system", [text(instructions)], at=at)
            _add_request(draft, message, at)
    draft.run["models"] = [name for name in models if name]
    draft.native_id = next(
        (maybe(obj(one).get("conversation_id")) for one in messages if obj(one).get("conversation_id")), None
    )
    sort_facts(draft, obj(value), skip={"messages"})
    return draft.finish()


def _add_request(draft: Draft, message: dict[str, Any], at: Place) -> None:
    for part in objs(message.get("parts")):
        kind = string(part.get("part_kind"))
        stamp = maybe(part.get("timestamp"))
        content = part.get("content")
        if kind == "system-prompt":
            draft.say("system", content_pieces(content, draft), at=at, timestamp=stamp)
        elif kind == "user-prompt":
            draft.say("user", _user(content, draft), at=at, timestamp=stamp)
        elif kind in ("tool-return", "builtin-tool-return") or (kind == "retry-prompt" and part.get("tool_name")):
            status: CallStatus = "error" if kind == "retry-prompt" else _OUTCOMES.get(string(part.get("outcome")), "ok")
            draft.say("tool", _returned(part, status, draft), at=at, timestamp=stamp)
        elif kind == "speech":
            draft.say("user", _spoken(part), at=at, timestamp=stamp)
        elif kind == "instruction-delta" and string(content):
            draft.say("system", [text(string(content))], at=at, timestamp=stamp)
        elif kind == "compaction":
            draft.say("event", _summary(part), at=at, timestamp=stamp, origin="summary", notes=("compaction",))
        elif kind.endswith(("-delta", "-baseline", "-digest")):
            continue  # what is offered and how: nothing that anybody says
        else:
            if kind not in ("retry-prompt", "retry-feedback"):
                draft.warn("unknown_block", f"a request part of unknown kind '{kind[:40]}', kept as it is")
            draft.say("user", [text(compact(content))], at=at, timestamp=stamp, origin="harness")


def _returned(part: dict[str, Any], status: CallStatus, draft: Draft) -> list[Piece]:
    """What a tool gave back: its words, and pictures or files as attachments."""
    content = part.get("content")
    items = content if isinstance(content, list) else [content]
    held = any(string(obj(item).get("kind")) in _MEDIA for item in items)
    inner = _user([item if _is_content(item) else compact(item) for item in items], draft) if held else []
    words = "\n".join(piece.text for piece in inner if piece.kind == "text") if held else compact(content)
    given = result(words, native_id=maybe(part.get("tool_call_id")), tool=maybe(part.get("tool_name")), status=status)
    return [given, *(piece for piece in inner if piece.kind == "attachment")]


def _is_content(item: Any) -> bool:
    return isinstance(item, str) or string(obj(item).get("kind")) in (*_MEDIA, *_WORDS)


def _spoken(part: dict[str, Any]) -> list[Piece]:
    audio = obj(part.get("audio"))
    sound = [media(string(audio.get("data")), string(audio.get("media_type")) or "audio")] if audio else []
    return [*([text(part["transcript"])] if string(part.get("transcript")) else []), *sound]


def _summary(part: dict[str, Any]) -> list[Piece]:
    return [text(string(part.get("content")) or "[the harness compacted the history here]")]


def _user(content: Any, draft: Draft) -> list[Piece]:
    pieces: list[Piece] = []
    for item in content if isinstance(content, list) else [content]:
        kind = string(obj(item).get("kind"))
        if kind in _MEDIA:
            holder = obj(item)
            payload = string(holder.get("data")) or string(holder.get("url")) or string(holder.get("file_id"))
            pieces.append(media(payload, string(holder.get("media_type"))))
        elif kind in _WORDS:
            pieces.append(text(compact(obj(item).get("content"))))
        else:
            pieces.extend(content_pieces(item, draft))
    return pieces


def _response_part(part: dict[str, Any], draft: Draft) -> list[Piece]:
    kind = string(part.get("part_kind"))
    if kind == "text":
        return [text(string(part.get("content")))]
    if kind == "thinking":
        words = string(part.get("content"))
        return [reasoning(words) if words else reasoning("[reasoning not shown]", "redacted")]
    if kind in ("tool-call", "builtin-tool-call"):
        return [call(string(part.get("tool_name")), part.get("args"), maybe(part.get("tool_call_id")))]
    if kind == "builtin-tool-return":
        return _returned(part, _OUTCOMES.get(string(part.get("outcome")), "ok"), draft)
    if kind == "file":
        data = obj(part.get("content"))
        return [media(string(data.get("data")), string(data.get("media_type")))]
    if kind == "speech":
        return _spoken(part)
    if kind == "compaction":
        return _summary(part)
    draft.warn("unknown_block", f"a response part of unknown kind '{kind[:40]}', kept as JSON")
    return [unknown_block(part)]
