"""Gemini contents: requests, responses, recorded exchanges, or a history of {role, parts}.

Calls carry no ids as a rule: a response is linked by the function's name and order. Parts marked `thought` are summaries
of reasoning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.blocks import sort_facts, split_results
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.exchanges import chains, earlier_reply
from judge.transcripts.model import Transcript
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
from judge.transcripts.pointing import Place, place_value
from judge.transcripts.source import Opened, Record, Unreadable, lines, whole

NAME = "gemini_api"
_INSTRUCTION: Final = ("systemInstruction", "system_instruction")
_PART: Final = frozenset(
    ("text", "functionCall", "function_call", "functionResponse", "function_response", "inlineData", "inline_data", "fileData",
     "file_data", "executableCode", "executable_code", "codeExecutionResult", "code_execution_result")
)  # fmt: skip
_READ: Final = frozenset(
    ("contents", "history", "candidates", *_INSTRUCTION, "config", "tools", "modelVersion", "model_version", "usageMetadata",
     "usage_metadata", "responseId", "response_id")
)  # fmt: skip


def sniff(probe: Probe) -> Match | None:
    """By `contents` or `candidates`, or a history of messages that have `parts`."""
    first = probe.first
    body = obj(first.get("request")) if "request" in first else first
    if _are_contents(seq(body.get("contents"))) or objs(obj(first.get("response")).get("candidates")):
        return Match(0.9)
    if objs(first.get("candidates")) and "content" in objs(first.get("candidates"))[0]:
        return Match(0.9)
    if _are_contents(probe.doc if isinstance(probe.doc, list) else seq(first.get("history"))):
        return Match(0.8)
    return None


def _are_contents(items: list[Any]) -> bool:
    parts = [part for item in objs(items[:16]) for part in objs(item.get("parts"))]
    if not any(_PART.intersection(part) for part in parts):
        return False
    return all(
        isinstance(obj(item).get("parts"), list) and obj(item).get("role", "user") in ("user", "model", "gemini", "function")
        and all("kind" not in obj(part) and "part_kind" not in obj(part) and "type" not in obj(part) for part in item["parts"])
        for item in items[:16]
    )  # fmt: skip


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per conversation."""
    if opened.container == "jsonl":
        yield from lines(opened)
    elif isinstance(opened.document[0], list) and "request" in obj(
        opened.document[0][0] if opened.document[0] else None
    ):
        yield from chains(opened, key="contents")
    else:
        yield from whole(opened)


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    draft = Draft(record, NAME)
    value = record.value
    if isinstance(value, list) and "candidates" in obj(value[0] if value else None):
        _add_stream(draft, value)
        return draft.finish()
    if isinstance(value, list):
        add_contents(draft, value, "")
        return draft.finish()
    value = obj(value)
    request, response = obj(value.get("request")), obj(value.get("response"))
    body, prefix = (request, "/request") if request else (value, "")
    _add_instruction(draft, body, prefix)
    _add_request(draft, body.get("contents"), f"{prefix}/contents")
    add_contents(draft, seq(body.get("history")), f"{prefix}/history")
    answer, at_answer = (response, "/response") if response else (value, "")
    for index, candidate in enumerate(seq(answer.get("candidates"))[:1]):
        content = obj(obj(candidate).get("content"))
        add_content(draft, content, record.point(content, f"{at_answer}/candidates/{index}/content"), role="model")
    if len(seq(answer.get("candidates"))) > 1:
        draft.warn("other_choices", "candidates beyond the first are alternatives and were not read")
    for tool in objs(body.get("tools")) or objs(obj(body.get("config")).get("tools")):
        for function in objs(tool.get("functionDeclarations")) or objs(tool.get("function_declarations")):
            draft.offer(function.get("name"), function.get("description"))
    draft.native_id = maybe(answer.get("responseId")) or maybe(answer.get("response_id"))
    model = string(answer.get("modelVersion")) or string(answer.get("model_version"))
    draft.run["models"] = [model] if model else []
    sort_facts(draft, {} if request else value, skip=_READ)
    return draft.finish()


def _add_instruction(draft: Draft, body: dict[str, Any], prefix: str) -> None:
    """Add the system prompt, which stands in the request or its configuration."""
    for holder, above in ((body, prefix), (obj(body.get("config")), f"{prefix}/config")):
        for key in _INSTRUCTION:
            if given := holder.get(key):
                parts = given.get("parts") if isinstance(given, dict) and "parts" in given else given
                pieces = parts_pieces([parts] if isinstance(parts, dict) else parts, draft)
                draft.say("system", pieces, at=draft.record.point(given, f"{above}/{key}"))
                return


def _add_request(draft: Draft, given: Any, path: str) -> None:
    """Add what was sent: contents or words, of which the SDKs take one for a list of one."""
    lone = isinstance(given, str | dict)
    for index, content in enumerate([given] if lone and given else seq(given)):
        here = draft.record.point(content, path if lone else f"{path}/{index}")
        if isinstance(content, str):
            draft.say("user", [text(content)], at=here)
            continue
        thoughts, earlier = _thoughts_earlier(draft.record, index, obj(content))
        if earlier:
            parts = [*thoughts, *seq(content.get("parts"))]
            add_content(draft, {**content, "parts": parts}, (here, earlier))
        else:
            add_content(draft, obj(content), here)


def _thoughts_earlier(
    record: Record, position: int, content: dict[str, Any]
) -> tuple[list[dict[str, Any]], Place | None]:
    """The thoughts of a reply that was sent back without them, and where they stand."""
    found = earlier_reply(record, position)
    if (
        found is None
        or content.get("role") != "model"
        or any(part.get("thought") for part in objs(content.get("parts")))
    ):
        return [], None
    reply = obj(obj((seq(found[0].get("candidates")) or [None])[0]).get("content"))
    thoughts = [part for part in objs(reply.get("parts")) if part.get("thought") is True and string(part.get("text"))]
    return thoughts, place_value(reply, f"{found[1]}/candidates/0/content") if thoughts else None


def _add_stream(draft: Draft, chunks: list[Any]) -> None:
    """Add a reply that was stored as the pieces in which it was sent: they are one message, thoughts and words joined."""
    pieces: list[Piece] = []
    places: list[Place] = []
    for index, chunk in enumerate(chunks):
        content = obj(obj((seq(obj(chunk).get("candidates")) or [None])[0]).get("content"))
        if not content:
            continue
        places.append(draft.record.point(content, f"/{index}/candidates/0/content"))
        for piece in parts_pieces(content.get("parts"), draft):
            if pieces and piece.kind == pieces[-1].kind and piece.kind in ("text", "reasoning"):
                pieces[-1].text += piece.text
            else:
                pieces.append(piece)
    if places:
        draft.say("assistant", pieces, at=tuple(places), origin="sampled")


def add_contents(draft: Draft, contents: list[Any], path: str) -> None:
    """Add contents that stand at `path` in the record."""
    for index, content in enumerate(contents):
        add_content(draft, obj(content), draft.record.point(content, f"{path}/{index}"))


def add_content(draft: Draft, content: dict[str, Any], at: Place | tuple[Place, ...], role: str = "") -> None:
    """Add one content; function responses among its parts become messages of the tool."""
    pieces = parts_pieces(content.get("parts"), draft)
    speaker = string(content.get("role")) or role
    if speaker in ("model", "gemini", "assistant"):
        draft.say("assistant", pieces, at=at)
        return
    for is_result, run in split_results(pieces) or [(False, [])]:
        draft.say("tool" if is_result else "user", run, at=at)


def parts_pieces(parts: Any, draft: Draft) -> list[Piece]:
    """Return the pieces of a content's parts."""
    if isinstance(parts, str):
        return [text(parts)]
    pieces: list[Piece] = []
    for part in objs(parts):
        pieces.extend(_part(part, draft))
    return pieces


def _part(part: dict[str, Any], draft: Draft) -> list[Piece]:
    if isinstance(part.get("text"), str):
        return [reasoning(part["text"], "summary") if part.get("thought") is True else text(part["text"])]
    for key in ("functionCall", "function_call"):
        made = obj(part.get(key))
        if made:
            return [call(string(made.get("name")), made.get("args"), maybe(made.get("id")))]
    for key in ("functionResponse", "function_response"):
        given = obj(part.get(key))
        if given:
            answer = given.get("response")
            inner = obj(answer)
            failed = "error" in inner
            words = compact(inner["output"]) if set(inner) == {"output"} else compact(answer)
            found = result(words, native_id=maybe(given.get("id")), tool=maybe(given.get("name")))
            found.status = "error" if failed else "unknown"
            shown = parts_pieces(given.get("parts"), draft)  # what the tool gave back besides: pictures, files
            return [found, *(piece for piece in shown if piece.kind == "attachment")]
    for key in ("inlineData", "inline_data", "fileData", "file_data"):
        data = obj(part.get(key))
        if data:
            payload = string(data.get("data")) or string(data.get("fileUri")) or string(data.get("file_uri"))
            return [media(payload, string(data.get("mimeType")) or string(data.get("mime_type")))]
    code = obj(part.get("executableCode")) or obj(part.get("executable_code"))
    if code:
        return [call("code_execution", code.get("code"))]
    outcome = obj(part.get("codeExecutionResult")) or obj(part.get("code_execution_result"))
    if outcome:
        ok = string(outcome.get("outcome")) == "OUTCOME_OK"
        words = compact(outcome.get("output"))
        return [result(words, tool="code_execution", status="ok" if ok else "error", link="position")]
    if set(part) <= {"thoughtSignature", "thought_signature", "thought"}:
        return [reasoning("[encrypted reasoning]", "encrypted")] if part else []
    draft.warn("unknown_block", "a part of unknown kind, kept as JSON")
    return [unknown_block(part)]
