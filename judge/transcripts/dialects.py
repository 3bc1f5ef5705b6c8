"""Messages of any dialect: what a tracer stored as the input or output of a model call, whatever framework sent it.

Tracers keep what they were given: chat messages, items, contents, framework objects, JSON inside strings, plain text with
role headings. Each is recognised by its keys. What is not recognised is kept as text and warned about, never dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, split_results
from judge.transcripts.draft import ROLES, Draft, tool_name
from judge.transcripts.harness.gemini_api import parts_pieces
from judge.transcripts.harness.langchain import plain
from judge.transcripts.harness.openai_chat import THOUGHTS
from judge.transcripts.items import ITEM_TYPES, is_item, item_pieces
from judge.transcripts.model import Role
from judge.transcripts.parts import (
    Piece,
    call,
    compact,
    decoded_json,
    maybe,
    obj,
    objs,
    reasoning,
    result,
    string,
    text,
)
from judge.transcripts.pointing import Place

_HEADED: Final = re.compile(r"^(system|developer|user|assistant|tool): ", re.MULTILINE)
_TYPED: Final[dict[str, Role]] = {
    "human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool", "HumanMessage": "user",
    "AIMessage": "assistant", "AIMessageChunk": "assistant", "SystemMessage": "system", "ToolMessage": "tool",
}  # fmt: skip
_HOLDERS: Final = (
    "messages",
    "input",
    "prompt",
    "message",
    "output",
    "response",
    "text",
    "args",
    "new_message",
    "content",
)
_DEPTH: Final = 6  # holders within holders


@dataclass(slots=True)
class Said:
    """One message before it is placed in a conversation."""

    role: Role
    pieces: list[Piece]
    at: Place
    name: str | None = None
    key: tuple[Any, ...] = field(default=())

    def __post_init__(self) -> None:
        words = [
            (piece.kind, piece.tool if piece.kind == "tool_call" else None, piece.text.strip())
            for piece in self.pieces
            if piece.kind != "reasoning"
        ]
        self.key = (self.role, *words)


def messages_of(value: Any, role: Role, at: Place, draft: Draft, depth: int = 0) -> list[Said]:
    """Return the messages in a value; `role` is whose words they are where the value doesn't say."""
    if value is None or value in ("", [], {}):
        return []
    if depth > _DEPTH:
        return [Said(role, [text(compact(value))], at)]
    if isinstance(value, str):
        return _from_text(value, role, at, draft, depth)
    if isinstance(value, list):
        if any(is_item(item) for item in value):
            return [said for item in value for said in _item(item, role, at, draft, depth)]
        calls = [_bare_call(item) for item in value]
        if all(calls):
            return [Said("assistant", [made for made in calls if made], at)]
        if all(
            isinstance(item, dict) and "type" in item and "role" not in item and not plain(item)[0] for item in value
        ):
            return _split(role, content_pieces(value, draft), at)
        tools = {piece for item in value for piece in _called(item)}
        named = [_by_tool(item, tools) for item in value]
        return [said for item in named for said in messages_of(item, role, at, draft, depth + 1)]
    return (
        _from_object(value, role, at, draft, depth)
        if isinstance(value, dict)
        else [Said(role, [text(compact(value))], at)]
    )


def _called(item: Any) -> list[str]:
    """Names of the tools that a chat message calls."""
    return [string(obj(made.get("function")).get("name")) for made in objs(obj(item).get("tool_calls"))]


def _by_tool(item: Any, tools: set[str]) -> Any:
    """The item, as a tool's where its role is the name of a tool that was called: some tracers put the name there."""
    speaker = string(obj(item).get("role"))
    if speaker and speaker in tools and speaker not in ROLES:
        return {**item, "role": "tool", "name": speaker}
    return item


def _from_text(value: str, role: Role, at: Place, draft: Draft, depth: int) -> list[Said]:
    decoded = decoded_json(value)
    if decoded is not None:
        found = messages_of(decoded, role, at, draft, depth + 1)
        kept = found[0].pieces if len(found) == 1 else []
        if len(kept) == 1 and kept[0].text == compact(decoded):
            kept[0].text = value  # no message: what was said was JSON, and is quoted as it was said
        return found
    if value == "None":  # Python's word for a reply without words
        return []
    heads = list(_HEADED.finditer(value))
    if heads and heads[0].start() == 0:
        draft.warn("headed_text", "messages were stored as one text with role headings, which a message could forge")
        ends = [*(head.start() for head in heads[1:]), len(value)]
        found = []
        for head, end in zip(heads, ends, strict=True):
            words = value[head.end() : end].rstrip("\n")
            speaker = ROLES[head[1]]
            if words and words != "None":
                found.append(Said(speaker, [result(words) if speaker == "tool" else text(words)], at))
        return found
    return [Said(role, [text(value)], at)]


def _from_object(value: dict[str, Any], role: Role, at: Place, draft: Draft, depth: int) -> list[Said]:
    if "role" in value or plain(value)[0] or (string(value.get("type")) in _TYPED and "content" in value):
        return _message(value, role, at, draft)
    if objs(value.get("choices")):
        return messages_of(objs(value["choices"])[0].get("message"), "assistant", at, draft, depth + 1)
    if objs(value.get("candidates")):
        return messages_of(objs(value["candidates"])[0].get("content"), "assistant", at, draft, depth + 1)
    found: list[Said] = []
    for holder in (value, obj(value.get("config"))):
        for key in ("instructions", "system", "system_instruction", "systemInstruction"):
            if pieces := _instructions(holder.get(key), draft):
                found.append(Said("system", pieces, at))
    if "contents" in value:
        return found + messages_of(value["contents"], "user", at, draft, depth + 1)
    if isinstance(value.get("parts"), list):
        return [*found, *_split(role, parts_pieces(value["parts"], draft), at)]
    for key in _HOLDERS:
        if value.get(key) not in (None, "", [], {}):
            return found + messages_of(value[key], role, at, draft, depth + 1)
    if found:
        return found
    draft.warn("unknown_shape", "a message of no known shape, kept as JSON")
    return [Said(role, [text(compact(value))], at)]


def _instructions(given: Any, draft: Draft) -> list[Piece]:
    """A system prompt: words, blocks, or a content of parts."""
    if isinstance(given, dict) and "parts" in given:
        return parts_pieces(given["parts"], draft)
    if isinstance(given, str):
        return [text(given)] if given else []
    return content_pieces(given, draft) if objs(given) else []


def _message(value: dict[str, Any], role: Role, at: Place, draft: Draft) -> list[Said]:
    kind, fields = plain(value)
    named = string(value.get("role"))
    speaker = ROLES.get(named) or _TYPED.get(kind or string(value.get("type"))) or role
    if named and named not in ROLES:
        draft.warn("unknown_role", f"a message with the unknown role '{named[:40]}' was read as by {speaker}")
    content = fields.get("content")
    definition = obj(content)
    if speaker == "tool" and definition.get("type") == "function" and "parameters" in obj(definition.get("function")):
        draft.offer(*tool_name(definition))  # some tracers list the tools among the messages
        return []
    if isinstance(value.get("parts"), list):
        parts = value["parts"]
        typed = all("type" in obj(part) for part in parts)
        pieces = content_pieces(parts, draft) if typed else parts_pieces(parts, draft)
    elif speaker == "tool":
        pieces = _result(fields, content, draft)
    else:
        pieces = content_pieces(content, draft)
    extra = obj(fields.get("additional_kwargs"))
    if speaker == "assistant":
        given = (*(fields.get(name) for name in THOUGHTS), extra.get("reasoning_content"))
        thought = next(filter(None, map(string, given)), "")
        if thought and not any(piece.kind == "reasoning" for piece in pieces):
            pieces = [reasoning(thought), *pieces]
        if string(fields.get("refusal")):
            pieces.append(text(fields["refusal"]))
    seen = {piece.native_id for piece in pieces if piece.kind == "tool_call" and piece.native_id}
    made = objs(fields.get("tool_calls")) or objs(extra.get("tool_calls"))
    legacy = obj(fields.get("function_call")) or obj(extra.get("function_call"))
    if not made and legacy:
        made = [{"function": legacy}]
    for item in made:
        function = obj(item.get("function"))
        native_id = maybe(item.get("id"))
        if native_id is None or native_id not in seen:
            name = string(item.get("name")) or string(function.get("name"))
            args = item.get("args", item.get("arguments", function.get("arguments")))
            pieces.append(call(name, args, native_id))
    author = maybe(value.get("name")) if speaker == "user" else None
    return _split(speaker, pieces, at, author)


def _result(fields: dict[str, Any], content: Any, draft: Draft) -> list[Piece]:
    inner = content_pieces(content, draft) if not isinstance(content, dict) else [text(compact(content))]
    if any(piece.kind == "tool_result" for piece in inner):
        return inner
    words = "\n".join(piece.text for piece in inner if piece.kind == "text")
    native_id = maybe(fields.get("tool_call_id")) or maybe(fields.get("id"))
    if not words and not native_id:
        return []  # a tracer's placeholder for a result that it did not keep
    failed = fields.get("status") == "error" or None
    status = "error" if failed else "unknown"
    return [result(words, native_id=native_id, tool=maybe(fields.get("name")), status=status)]  # type: ignore[arg-type]


def _split(role: Role, pieces: list[Piece], at: Place, name: str | None = None) -> list[Said]:
    if role == "assistant" or not pieces:
        return [Said(role, pieces, at, name)] if pieces else []
    return [Said("tool" if is_result else role, run, at, name) for is_result, run in split_results(pieces)]


def _item(item: Any, role: Role, at: Place, draft: Draft, depth: int) -> list[Said]:
    if not isinstance(item, dict) or string(item.get("type")) not in ITEM_TYPES:
        return messages_of(item, role, at, draft, depth + 1)
    speaker, pieces = item_pieces(item, draft)
    return [Said(speaker, pieces, at)] if speaker else []


def _bare_call(item: Any) -> Piece | None:
    """A call as the AI SDK and any-agent put it into a span: a name and arguments, nothing else."""
    item = obj(item)
    if "toolCallId" in item and "toolName" in item:
        return call(string(item["toolName"]), item.get("input", item.get("args")), maybe(item["toolCallId"]))
    if "tool.name" in item:
        return call(string(item["tool.name"]), item.get("tool.args"))
    return None
