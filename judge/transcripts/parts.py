"""The pieces that readers build messages from, and the few readings that all harnesses share.

A `Piece` is a part before it has an id. The typed look-ups (`obj`, `seq`, `string`) make a reader total: whatever a
hostile file puts in a place, they give the expected type or its empty value, and nothing is raised.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any, Final, Literal

import orjson
from msgspec import Struct

from judge.errors import InputError
from judge.transcripts.jsontext import Origin, parse
from judge.transcripts.limits import Limits
from judge.transcripts.model import CallStatus, Link, PartKind

_EMBEDDED: Final = Origin("embedded JSON")
_LIMITS: Final = Limits()
Form = Literal["full", "summary", "encrypted", "redacted"]

_DATA_URI: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*?(;base64)?,", re.ASCII)


class Piece(Struct, gc=False):
    """A part of a message before ids and links are given: every field of a `Part` but its id."""

    kind: PartKind
    text: str = ""
    tool: str | None = None
    native_id: str | None = None
    answers: str | None = None
    link: Link | None = None  # for a result: a link better than matching ids, where the harness records one
    status: CallStatus | None = None
    form: Form | None = None
    media_type: str | None = None
    sha256: str | None = None
    size: int | None = None

    def fields(self, part_id: str) -> dict[str, Any]:
        """Return all fields of the part that this becomes, in their order."""
        return {
            "id": part_id,
            "kind": self.kind,
            "text": self.text,
            "tool": self.tool,
            "native_id": self.native_id,
            "answers": self.answers,
            "link": self.link,
            "status": self.status,
            "form": self.form,
            "media_type": self.media_type,
            "sha256": self.sha256,
            "size": self.size,
        }


def obj(value: Any) -> dict[str, Any]:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def seq(value: Any) -> list[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def objs(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; anything else in it is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def string(value: Any) -> str:
    """Return `value` if it is text, else an empty string."""
    return value if isinstance(value, str) else ""


def maybe(value: Any) -> str | None:
    """Return `value` as a short identifying text (ids may be numbers), or None when there is none."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def compact(value: Any) -> str:
    """Return a value as text: a string verbatim, nothing for null, anything else as compact JSON in its own key order."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode("utf-8")


def arguments(value: Any) -> str:
    """Return a call's arguments as a judge reads and quotes them.

    For an object: one `name: value` block per argument, strings verbatim, other values as compact JSON. A string that
    holds a JSON object (as most APIs send it) is read as that object; any other string stays as it is.
    """
    if isinstance(value, str):
        decoded = decoded_json(value)
        if not isinstance(decoded, dict):
            return value
        value = decoded
    if isinstance(value, dict):
        return "\n".join(
            [
                f"{name}: {item if type(item) is str else compact(item) if item is not None else 'null'}"
                for name, item in value.items()
            ]
        )
    return compact(value)


def decoded_json(text: str) -> Any:
    """Return the value of a string that holds a JSON object or array, else None. Numbers follow the same policy."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return parse(text.encode("utf-8"), _EMBEDDED, _LIMITS)[0]
    except InputError:
        return None


def text(value: str) -> Piece:
    """Return a text piece."""
    return Piece("text", value)


def reasoning(value: str, form: Form = "full") -> Piece:
    """Return private reasoning; encrypted and redacted reasoning has a note instead of words."""
    return Piece("reasoning", value, form=form)


def call(name: str, args: Any, native_id: str | None = None) -> Piece:
    """Return a tool call, its arguments in readable form."""
    return Piece("tool_call", arguments(args), tool=name or None, native_id=native_id)


def result(
    output: str,
    *,
    native_id: str | None = None,
    tool: str | None = None,
    status: CallStatus = "unknown",
    link: Link | None = None,
) -> Piece:
    """Return what a tool gave back; `native_id` is that of the call it answers."""
    return Piece("tool_result", output, tool=tool, native_id=native_id, link=link, status=status)


def attachment(media_type: str, *, data: bytes | None = None, name: str = "", note: str = "") -> Piece:
    """Return an attachment: identified by the hash of its bytes where they are here, never shown to a text judge."""
    digest = hashlib.sha256(data).hexdigest() if data is not None else None
    words = [media_type or "file", name, f"{len(data):,} bytes, sha256 {digest[:16]}" if data and digest else "", note]
    described = "[" + ", ".join(word for word in words if word) + "]"
    size = len(data) if data is not None else None
    return Piece("attachment", described, media_type=media_type or None, sha256=digest, size=size)


def media(source: str, media_type: str = "", name: str = "") -> Piece:
    """Return the attachment behind a data URI, a plain base64 payload with its media type, or a reference."""
    found = _DATA_URI.match(source[:200])
    if found:
        payload = source[found.end() :]
        kind = found[1] or media_type or "text/plain"
        data = _base64(payload) if found[2] else payload.encode("utf-8")
        return attachment(kind, data=data, name=name, note="" if data is not None else "payload is not base64")
    if media_type and source and (data := _base64(source)) is not None:
        return attachment(media_type, data=data, name=name)
    return attachment(media_type, name=name, note=source[:200])


def _base64(payload: str) -> bytes | None:
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        return None


def unknown_block(value: Any) -> Piece:
    """Return a content block of a kind that no reader knows, whole, so that nothing in it is lost to a judge."""
    return Piece("text", compact(value))
