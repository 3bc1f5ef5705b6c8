"""Items of the OpenAI Responses API, which Codex, the Agents SDK and tracing tools store too.

Each item is one act: a message, a thought, a call, a result. What the model did in a row becomes one message. A result
answers by `call_id`; the item's own `id` is another thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, result_status
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.model import TARGET, CallStatus, Role
from judge.transcripts.parts import (
    Piece,
    call,
    compact,
    decoded_json,
    maybe,
    media,
    obj,
    objs,
    result,
    seq,
    string,
    text,
)
from judge.transcripts.pointing import Place

_DONE: Final = ("completed", "success", "", "in_progress", "incomplete", "calling", "searching")
_OUTPUT_TYPES: Final = frozenset(
    ("function_call_output", "custom_tool_call_output", "local_shell_call_output", "computer_call_output", "tool_result",
     "tool_call_output_item", "shell_call_output", "apply_patch_call_output", "tool_search_output",
     "mcp_approval_response")
)  # fmt: skip
# The head that Codex puts before what a command printed, and what it says in place of that when the user refused.
_EXIT: Final = re.compile(
    r"(?:Chunk ID: \w{1,40}\n)?(?:Exit code: (-?\d{1,9})\nWall time: |"
    r"Wall time: [^\n]{1,40}\nProcess exited with code (-?\d{1,9})\n|"
    r"[^\n]{0,80}(?:command|patch)[^\n]{0,40} rejected by (?:the )?user\b)"
)
_WRAPPING: Final = frozenset(("output", "metadata", "exitCode", "exit_code"))
_SKIPPED: Final = frozenset(("ghost_snapshot", "item_reference", "mcp_list_tools", "other"))
ITEM_TYPES: Final = frozenset(
    ("function_call", "reasoning", "web_search_call", "mcp_call", "code_interpreter_call", "file_search_call",
     "custom_tool_call", "computer_call", "image_generation_call", "local_shell_call", "shell_call", "apply_patch_call",
     "tool_search_call", "mcp_approval_request", *_OUTPUT_TYPES)
)  # fmt: skip


def is_item(value: Any) -> bool:
    """Whether a value is an item that no other API has."""
    return isinstance(value, dict) and string(value.get("type")) in ITEM_TYPES


class Items:
    """Adds items to a draft, joining what the model did in a row."""

    def __init__(self, draft: Draft, author: str = TARGET) -> None:
        self._draft = draft
        self._author = author
        self._joining = 0  # length of the draft when the model last said something; 0: it was somebody else

    def add(self, item: Any, at: Place, **fields: Any) -> None:
        """Add one item."""
        if not isinstance(item, dict):
            self._draft.warn("odd_item", "an item that is no object was left out", at.path)
            return
        role, pieces = item_pieces(item, self._draft)
        if role is None:
            return
        if role != "assistant":
            self._joining = 0
            self._draft.say(role, pieces, at=at, native_id=maybe(item.get("id")), **fields)
        elif self._joining and self._joining == len(self._draft):  # nothing was said between
            self._draft.extend_last(pieces, at)
        else:
            fields.setdefault("author", self._author)
            self._draft.say("assistant", pieces, at=at, native_id=maybe(item.get("id")), origin="sampled", **fields)
            self._joining = len(self._draft)


def item_pieces(item: dict[str, Any], draft: Draft) -> tuple[Role | None, list[Piece]]:
    """Return whose act an item is, and its pieces; no role for bookkeeping."""
    kind = string(item.get("type")) or "message"
    if kind in _SKIPPED:
        return None, []
    if kind == "message" or (kind not in ITEM_TYPES and "role" in item):
        role = ROLES.get(string(item.get("role")), "event")
        pieces = content_pieces(item.get("content"), draft)
        for nested in objs(item.get("tool_calls")):
            function = obj(nested.get("function"))
            pieces.append(call(string(function.get("name")), function.get("arguments"), maybe(nested.get("id"))))
        return role, pieces
    if kind in _OUTPUT_TYPES:
        return "tool", _output(item, draft)
    known = _CALLS.get(kind)
    if known:
        return "assistant", known(item)
    if kind == "reasoning":
        return "assistant", content_pieces([item], draft)
    if kind in ("compaction", "compaction_summary", "context_compaction"):
        return "event", [text("[the harness compacted the history here]")]
    draft.warn("unknown_item", f"an item of unknown type '{kind[:40]}', kept as JSON")
    return "event", [text(compact(item))]


def _output(item: dict[str, Any], draft: Draft) -> list[Piece]:
    if item.get("type") == "mcp_approval_response":
        return [_approval(item)]
    output = item.get("output", item.get("result", item.get("content")))
    failed: bool | None = None
    decoded = decoded_json(output) if isinstance(output, str) else output
    if isinstance(output, str) and (told := _EXIT.match(output)):
        failed = (told[1] or told[2] or "refused") != "0"
    if isinstance(output, dict) and output.get("type") == "computer_screenshot":
        return [
            _result(item, "", None),
            media(string(output.get("image_url")) or string(output.get("file_id")), "image"),
        ]
    if isinstance(output, dict) and set(output) == {"content", "success"}:  # what was printed, and whether it went well
        failed = None if output["success"] is None else output["success"] is not True
        output = output["content"]
    elif isinstance(decoded, dict):
        code = obj(decoded.get("metadata")).get("exit_code", decoded.get("exitCode", decoded.get("exit_code")))
        if type(code) is int:
            failed = code != 0
        wrapped = set(decoded) <= _WRAPPING and isinstance(decoded.get("output"), str)
        output = decoded["output"] if wrapped else output  # a tool's own JSON is kept whole
    elif isinstance(output, list) and any("outcome" in one or "stdout" in one for one in objs(output)):
        outcomes = [obj(one["outcome"]) for one in objs(output) if one.get("outcome")]
        failed = any(one.get("exit_code") != 0 for one in outcomes) if outcomes else None
        output = "\n".join(
            string(one.get(stream))
            for one in objs(output)
            for stream in ("stdout", "stderr")
            if string(one.get(stream))
        )
    elif isinstance(output, list):
        inner = content_pieces(output, draft)
        words = "\n".join(piece.text for piece in inner if piece.kind == "text" and piece.text)
        return [_result(item, words, None), *(piece for piece in inner if piece.kind == "attachment")]
    if string(item.get("status")) in ("failed", "error"):
        failed = True
    return [_result(item, compact(output), failed)]


def _approval(item: dict[str, Any]) -> Piece:
    """What a person said to a call that the model asked leave for."""
    agreed = item.get("approve") is True
    words = string(item.get("reason")) or ("approved" if agreed else "denied")
    return result(words, native_id=maybe(item.get("approval_request_id")), status="ok" if agreed else "denied")


def _result(item: dict[str, Any], words: str, failed: bool | None) -> Piece:
    native_id = maybe(item.get("call_id")) or maybe(item.get("tool_call_id")) or maybe(item.get("id"))
    return result(words, native_id=native_id, tool=maybe(item.get("name")), status=result_status(words, failed=failed))


def _call(item: dict[str, Any]) -> list[Piece]:
    function = obj(item.get("function"))
    name = string(item.get("name")) or string(function.get("name"))
    args = item.get("arguments", item.get("input", function.get("arguments")))
    return [call(name, args, maybe(item.get("call_id")) or maybe(item.get("id")))]


def _server_call(name: str, *inputs: str) -> Callable[[dict[str, Any]], list[Piece]]:
    """A tool that the provider runs: call and result are one item."""

    def read(item: dict[str, Any]) -> list[Piece]:
        native_id = maybe(item.get("id")) or maybe(item.get("call_id"))
        args = {key: item[key] for key in inputs if item.get(key) is not None}
        only = next(iter(args.values())) if len(args) == 1 else args
        pieces = [call(string(item.get("name")) or name, only, native_id)]
        output = next((item[key] for key in ("output", "outputs", "results", "result") if item.get(key)), None)
        error = item.get("error")
        if output is not None or error:
            status: CallStatus = "error" if error or string(item.get("status")) not in _DONE else "ok"
            if name == "image_generation" and isinstance(output, str):
                pieces.append(result("", native_id=native_id, tool=name, status=status))
                pieces.append(media(output, "image/png"))
            else:
                words = compact(output) or compact(error)
                pieces.append(result(words, native_id=native_id, tool=maybe(pieces[0].tool), status=status))
        return pieces

    return read


_CALLS: Final[dict[str, Callable[[dict[str, Any]], list[Piece]]]] = {
    "function_call": _call,
    "custom_tool_call": _call,
    "tool_call": _call,
    "mcp_approval_request": _call,
    "tool_search_call": _call,
    "web_search_call": _server_call("web_search", "action"),
    "file_search_call": _server_call("file_search", "queries"),
    "code_interpreter_call": _server_call("code_interpreter", "code"),
    "mcp_call": _server_call("mcp", "arguments"),
    "image_generation_call": _server_call("image_generation", "revised_prompt"),
    "computer_call": lambda item: [call("computer", item.get("action"), maybe(item.get("call_id")))],
    "local_shell_call": lambda item: [call("shell", item.get("action"), maybe(item.get("call_id")))],
    "shell_call": lambda item: [call("shell", item.get("action"), maybe(item.get("call_id")))],
    "apply_patch_call": lambda item: [call("apply_patch", item.get("operation"), maybe(item.get("call_id")))],
}


def _asks(item: dict[str, Any]) -> str | None:
    """The request for leave that an item makes or answers."""
    key = {"mcp_approval_request": "id", "mcp_approval_response": "approval_request_id"}.get(string(item.get("type")))
    return maybe(item.get(key)) if key else None


def add_items(draft: Draft, items: Any, path: str, author: str = TARGET) -> None:
    """Add a list of items that stands at `path` in the record; a string is what the user said."""
    if isinstance(items, str):
        if items:
            draft.say("user", [text(items)], at=draft.record.point(items, path))
        return
    adder = Items(draft, author)
    made = {item.get("approval_request_id") for item in objs(items) if item.get("type") == "mcp_call"} - {None}
    for index, item in enumerate(seq(items)):
        if made and _asks(obj(item)) in made:
            continue  # leave was given: the call itself follows
        adder.add(item, draft.record.point(item, f"{path}/{index}"))
