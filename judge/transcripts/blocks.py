"""Content blocks of every dialect, read once: a message's `content`, whatever provider shaped it, as pieces.

The dialects share names and mostly agree; where one block type means two things, its keys decide. A block that nobody
knows becomes text that holds it whole, and is warned about. Who wrote a block is the reader's business, not ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from judge.transcripts.draft import Draft
from judge.transcripts.model import CallStatus, Message
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

__all__ = ["content_pieces", "result_status", "sort_facts", "split_results", "text_of"]

_DENIED: Final = re.compile(
    r"(?:user|operator|reviewer) (?:doesn't want to|declined|rejected|denied|did not (?:allow|approve))|"
    r"rejected by (?:the )?user\b|permission (?:to use .{1,60} )?(?:has been |was )?denied|tool call was (?:rejected|denied)",
    re.IGNORECASE,
)
_MESSAGE_FIELDS: Final = frozenset(Message.model_fields)
_TIMEOUT: Final = re.compile(r"\btimed?[ -]?out\b", re.IGNORECASE)
_GRADING: Final = re.compile(
    r"scor|label|grad|reward|rating|verdict|correct|success|target|expect|answer|judg|risk|harm|safe|utility|security|"
    r"annotat|mistake|truth|resolved|outcome|explanation|classif|attack_succe|passed|failed|is_|accuracy|solution",
    re.IGNORECASE,
)


def content_pieces(content: Any, draft: Draft) -> list[Piece]:
    """Return the pieces of a message's content: a string, one block, or a list of blocks and strings."""
    if isinstance(content, str):
        return [Piece("text", content)] if content else []
    if content is None or content == []:
        return []
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        draft.warn("odd_content", f"content that is neither text nor blocks ({type(content).__name__}), kept as JSON")
        return [text(compact(content))]
    pieces: list[Piece] = []
    for block in content:
        if isinstance(block, str):
            pieces.append(text(block))
        elif isinstance(block, dict):
            pieces.extend(_block(block, draft))
        elif block is not None:
            draft.warn("odd_content", "a content block that is no object, kept as JSON")
            pieces.append(text(compact(block)))
    return pieces


def _block(block: dict[str, Any], draft: Draft) -> list[Piece]:
    kind = string(block.get("type"))
    known = _BLOCKS.get(kind)
    if known:
        return known(block, draft)
    if kind.endswith("_tool_result"):
        return _tool_result(block, draft)
    if "text" in block and isinstance(block["text"], str):
        return [text(block["text"])]
    draft.warn("unknown_block", f"a content block of unknown type '{kind[:40]}', kept as JSON")
    return [unknown_block(block)]


def _text(block: dict[str, Any], _: Draft) -> list[Piece]:
    value = block.get("text", block.get("content", ""))
    return [text(compact(value))] if value not in ("", None) else []


def _thinking(block: dict[str, Any], _: Draft) -> list[Piece]:
    words = next((block[key] for key in ("thinking", "text", "reasoning", "content") if string(block.get(key))), "")
    if not words and (block.get("signature") or block.get("data")):
        return [reasoning("[reasoning not shown]", "redacted")]
    return [reasoning(words)] if words else []


def _redacted(_: dict[str, Any], __: Draft) -> list[Piece]:
    return [reasoning("[redacted reasoning]", "redacted")]


def _reasoning(block: dict[str, Any], _: Draft) -> list[Piece]:
    """Inspect, Responses and OpenTelemetry all call it `reasoning`."""
    if block.get("redacted"):
        summary = string(block.get("summary"))
        return [reasoning(summary, "summary") if summary else reasoning("[redacted reasoning]", "redacted")]
    summary = "\n\n".join(string(item.get("text")) for item in objs(block.get("summary")))
    full = "\n\n".join(string(item.get("text")) for item in objs(block.get("content")))
    words = string(block.get("reasoning")) or string(block.get("text")) or string(block.get("content")) or full
    if words:
        return [reasoning(words)]
    if summary or string(block.get("summary")):
        return [reasoning(summary or string(block.get("summary")), "summary")]
    return [reasoning("[encrypted reasoning]", "encrypted")] if block.get("encrypted_content") else []


def _tool_use(block: dict[str, Any], _: Draft) -> list[Piece]:
    given = ("input", "arguments", "args", "server_tool_call")
    args = next((block[key] for key in given if block.get(key) is not None), None)
    name = string(block.get("name")) or string(block.get("toolName"))
    pieces = [call(name, args, maybe(block.get("id")) or maybe(block.get("toolCallId")))]
    if "result" in block:  # Inspect's server-side tools hold their result
        failed = block.get("error")
        pieces.append(
            result(
                compact(block.get("result")) or compact(failed),
                native_id=maybe(block.get("id")),
                tool=maybe(block.get("name")),
                status="error" if failed else "ok",
            )
        )
    return pieces


def _tool_result(block: dict[str, Any], draft: Draft) -> list[Piece]:
    given = ("content", "output", "response", "result", "server_tool_call_response")
    content = next((block[key] for key in given if key in block), None)
    if "toolCallId" in block and isinstance(content, dict) and "value" in content:  # the AI SDK wraps its outputs
        content = content["value"]
    inner = [*seq(content)] if isinstance(content, list) else [content]
    words: list[str] = []
    others: list[Piece] = []
    for item in inner:
        if isinstance(item, dict) and item.get("type") in _MEDIA:
            others.extend(_block(item, draft))
        elif isinstance(item, dict) and isinstance(item.get("text"), str) and item.get("type", "text") == "text":
            words.append(item["text"])
        else:
            words.append(compact(_without_ciphertext(item)))
    output = "\n".join(word for word in words if word)
    failed: bool | None = block.get("is_error") is True or "error_code" in obj(content)
    if string(block.get("type")) == "server_tool_result" and "status" in block:
        failed = block["status"] == "error"
    elif not failed and string(block.get("type")) not in _FLAGGED:
        failed = None
    named = ("tool_use_id", "toolCallId", "tool_call_id", "id")
    native_id = next((found for key in named if (found := maybe(block.get(key)))), None)
    tool = maybe(block.get("toolName"))
    return [result(output, native_id=native_id, tool=tool, status=result_status(output, failed=failed)), *others]


def _search_result(block: dict[str, Any], draft: Draft) -> list[Piece]:
    """A passage that the model was given to cite: its words, under its title and source."""
    head = " ".join(word for word in (string(block.get("title")), string(block.get("source"))) if word)
    return [*([text(head)] if head else []), *content_pieces(block.get("content"), draft)]


def _document(block: dict[str, Any], draft: Draft) -> list[Piece]:
    """A document: what is text in it is read as text, for the model read it as that."""
    source = obj(block.get("source"))
    head = [text(block["title"])] if string(block.get("title")) else []
    if source.get("type") == "text" and string(source.get("data")):
        return [*head, text(source["data"])]
    if source.get("type") == "content":
        return [*head, *content_pieces(source.get("content"), draft)]
    return _image(block, draft)


def _call_item(block: dict[str, Any], _: Draft) -> list[Piece]:
    """A call of the Responses API among content blocks: results answer by its `call_id`."""
    return [
        call(string(block.get("name")), block.get("arguments"), maybe(block.get("call_id")) or maybe(block.get("id")))
    ]


def _function(block: dict[str, Any], _: Draft) -> list[Piece]:
    """A call of the chat API among content blocks, as some tracers put it there."""
    function = obj(block.get("function"))
    return [call(string(function.get("name")), function.get("arguments"), maybe(block.get("id")))]


def _without_ciphertext(value: Any) -> Any:
    """A search result without the provider's encrypted copy of the page, which nobody can read or quote."""
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name not in ("encrypted_content", "encrypted_index")}
    return value


def _image(block: dict[str, Any], _: Draft) -> list[Piece]:
    """Any block whose payload is a data URI, base64 with a media type, or a link."""
    kind = string(block.get("type"))
    inner = block.get(kind, block.get("source", block.get("image_url", block.get("file", block.get("input_audio")))))
    if isinstance(inner, str):
        return [media(inner, string(block.get("mime_type")), string(block.get("filename")))]
    holder = obj(inner) or block
    held = ("data", "url", "file_data", "base64", "file_id", "uri", *(("content",) if kind == "blob" else ()))
    payload = next((holder[key] for key in held if string(holder.get(key))), "")
    sort = string(holder.get("media_type")) or string(holder.get("mime_type")) or string(holder.get("mimeType"))
    sort = sort or _DEFAULT_MEDIA.get(kind, "")
    return [media(payload, sort, string(holder.get("filename")) or string(block.get("title")))]


def _refusal(block: dict[str, Any], _: Draft) -> list[Piece]:
    return [text(string(block.get("refusal")))]


def _nothing(_: dict[str, Any], __: Draft) -> list[Piece]:
    return []


_FLAGGED: Final = ("tool_result", "mcp_tool_result")  # dialects that mark a failure, so that no mark means success
_DEFAULT_MEDIA: Final = {"image": "image", "image_url": "image", "input_image": "image", "document": "application/pdf"}
_MEDIA: Final = (
    "image", "image_url", "input_image", "document", "file", "input_file", "audio", "input_audio", "video", "blob", "uri",
)  # fmt: skip
_BLOCKS: Final[dict[str, Callable[[dict[str, Any], Draft], list[Piece]]]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "compaction"), _text),
    **dict.fromkeys(("thinking",), _thinking),
    **dict.fromkeys(("redacted_thinking",), _redacted),
    **dict.fromkeys(("reasoning", "reasoning_text"), _reasoning),
    **dict.fromkeys(
        ("tool_use", "server_tool_use", "mcp_tool_use", "tool-call", "tool_call", "server_tool_call"), _tool_use
    ),
    **dict.fromkeys(
        ("tool_result", "mcp_tool_result", "tool-result", "tool_call_response", "server_tool_call_response"),
        _tool_result,
    ),
    **dict.fromkeys(("function",), _function),
    **dict.fromkeys(("function_call",), _call_item),
    **dict.fromkeys(_MEDIA, _image),
    **dict.fromkeys(("document",), _document),
    **dict.fromkeys(("search_result",), _search_result),
    **dict.fromkeys(("refusal",), _refusal),
    **dict.fromkeys(("container_upload", "cache_point"), _nothing),
}


def result_status(output: str, *, failed: bool | None) -> CallStatus:
    """Say what came of a call, from what the harness flags; a flagged failure may be a denial or a timeout.

    `failed` is None where the harness has no flag: then nothing is claimed.
    """
    if failed is None:
        return "unknown"
    if not failed:
        return "ok"
    beginning = output[:400]
    if _DENIED.search(beginning):
        return "denied"
    return "timeout" if _TIMEOUT.search(beginning) else "error"


def text_of(content: Any, draft: Draft) -> str:
    """Return only the words of a content: its text pieces, joined."""
    return "\n".join(piece.text for piece in content_pieces(content, draft) if piece.kind == "text")


def split_results(pieces: list[Piece]) -> list[tuple[bool, list[Piece]]]:
    """Part pieces into runs of tool results and of everything else: results often lie in a message of the user.

    Attachments stay with the run that they follow.
    """
    runs: list[tuple[bool, list[Piece]]] = []
    for piece in pieces:
        is_result = piece.kind == "tool_result" or (piece.kind == "attachment" and bool(runs) and runs[-1][0])
        if runs and runs[-1][0] == is_result:
            runs[-1][1].append(piece)
        else:
            runs.append((is_result, [piece]))
    return runs


def sort_facts(draft: Draft, facts: dict[str, Any], *, skip: frozenset[str] | set[str] = frozenset()) -> None:
    """File a record's other fields: what smells of grading is withheld, short facts are for grouping, the rest is named.

    When in doubt a field is withheld: a fact that cannot be grouped by is a nuisance, a label that leaks is a fraud.
    """
    for name, value in facts.items():
        if name in skip or value in (None, "", [], {}) or name in _MESSAGE_FIELDS:
            continue
        if _GRADING.search(name):
            draft.withheld[name] = value
        elif isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200):
            draft.run[name] = value
        else:
            draft.warn("field_not_read", f"the field '{name[:60]}' is not part of the transcript")
