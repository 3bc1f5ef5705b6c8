"""A transcript in the making: readers say what was said, this gives ids, pointers and links, and holds the limits.

Ids follow from position alone. Results are linked to calls once for all harnesses (`linking`). Nothing is judged and nothing
is invented.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from operator import attrgetter
from typing import Any, Final, Literal

from msgspec import Struct

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.building import Uncollected, maker
from judge.transcripts.lazy import LazySequence
from judge.transcripts.limits import exceed
from judge.transcripts.linking import Linker
from judge.transcripts.model import (
    SCHEMA,
    TARGET,
    Message,
    Origin,
    Part,
    Role,
    Source,
    Tool,
    Transcript,
    Warn,
)
from judge.transcripts.parts import Piece, maybe, obj, string
from judge.transcripts.pointing import Place, point
from judge.transcripts.source import Record

Presence = Literal["present", "absent", "unknown"]
ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "agent": "assistant",
    "gpt": "assistant",
    "tool": "tool",
    "function": "tool",
    "environment": "environment",
    "observation": "tool",
}
AUTHORS: Final[dict[Role, str]] = {"assistant": TARGET, "event": "environment"}
ORIGINS: Final[dict[Role, Origin]] = {"tool": "tool", "environment": "tool", "system": "harness"}
_make_part: Final = maker(Part)
_make_message: Final = maker(Message)
_make_source: Final = maker(Source)
_make_transcript: Final = maker(Transcript)


class _Said(Struct):
    """One message as a reader gave it."""

    pieces: list[Piece]
    at: tuple[Place, ...]
    role: Role
    author: str | None
    origin: Origin | None
    to: str | None
    branch: str | None
    timestamp: str | None
    native_id: str | None
    model: str | None
    notes: tuple[str, ...] | None


_role: Final = attrgetter("role")


class Draft:
    """Collects the messages of one transcript."""

    def __init__(self, record: Record, format_: str, version: str | None = None) -> None:
        self.record = record
        self.run: dict[str, Any] = {}
        self.withheld: dict[str, Any] = {}
        self.tools: list[Tool] = []
        self.complete: dict[str, Presence] = {}
        self.native_id: str | None = None
        limits = record.opened.limits
        self._most, self._largest = limits.messages, limits.message_bytes
        self._format = format_
        self._version = version
        self._said: list[_Said] = []
        self._warnings: dict[tuple[str, str], list[str | None]] = {}

    def __len__(self) -> int:
        return len(self._said)

    def say(
        self,
        role: Role,
        pieces: Iterable[Piece],
        *,
        at: Place | tuple[Place, ...],
        author: str | None = None,
        origin: Origin | None = None,
        to: str | None = None,
        branch: str | None = None,
        timestamp: str | None = None,
        native_id: str | None = None,
        model: str | None = None,
        notes: tuple[str, ...] | None = None,
    ) -> None:
        """Add a message.

        Author and origin default to what the role says: an assistant is the target, a tool is a tool.

        Raises:
            InputError: when the transcript or the message is over a limit.
        """
        if len(self._said) >= self._most:
            raise exceed("messages", len(self) + 1, self._most, self._where())
        listed = [*pieces]
        size = 0
        for piece in listed:
            size += len(piece.text)
        if size * 4 > self._largest:  # a character has up to four bytes: count them only where it matters
            size = sum(len(piece.text.encode("utf-8", "surrogatepass")) for piece in listed)
            if size > self._largest:
                raise exceed("message_bytes", size, self._largest, f"{self._where()}, message {len(self) + 1}")
        places = at if isinstance(at, tuple) else (at,)
        self._said.append(_Said(listed, places, role, author, origin, to, branch, timestamp, native_id, model, notes))

    def extend_last(self, pieces: Iterable[Piece], at: Place) -> None:
        """Add to the last message what the harness wrote as a line of its own."""
        self._said[-1].pieces.extend(pieces)
        self._said[-1].at += (at,)

    def rename_last(self, author: str) -> None:
        """Give the last message the name that the harness has for its author."""
        self._said[-1].author = author

    def warn(self, code: str, detail: str, at: str | None = None) -> None:
        """Note something assumed, dropped or unusable; repeated notes are counted."""
        self._warnings.setdefault((code, detail), []).append(at)

    def take_warnings(self, other: Draft) -> None:
        """Take over what was noted while the record was taken apart."""
        for key, places in other._warnings.items():
            self._warnings.setdefault(key, []).extend(places)

    def offer(self, name: Any, description: Any = "") -> None:
        """Note a tool that the target could use."""
        if string(name):
            self.tools.append(Tool(name=name, description=string(description)))

    def finish(self) -> Transcript:
        """Return the transcript.

        Raises:
            InputError: when there is no message in it: an empty transcript would read as innocent.
        """
        source = self._source()
        if not self._said:
            cut = "".join(f" {warning.detail}" for warning in self.record.warnings if warning.code == "truncated")
            raise InputError(f"{quoted(source.label, 400)}: no message found in this {self._format} record.{cut}")
        linker = Linker()
        linker.link(one.pieces for one in self._said)
        if linker.orphans:
            self.warn("result_without_call", "tool results that answer no call of this transcript")
        kinds = linker.kinds
        has_system = "system" in map(_role, self._said)
        complete: dict[str, Presence] = {
            "system_prompt": "present" if has_system else "unknown",
            "reasoning": "present" if "reasoning" in kinds else "unknown",
            "tool_results": (
                "present" if "tool_result" in kinds else ("absent" if "tool_call" in kinds else "unknown")
            ),
            **self.complete,
        }
        return _make_transcript(
            {
                "schema_": SCHEMA,
                "id": self.record.sha256[:16],
                "native_id": self.native_id,
                "source": source,
                "messages": LazySequence(len(self._said), partial(_make_messages, self._said)),
                "tools": tuple(self.tools),
                "run": {name: value for name, value in self.run.items() if value not in (None, "", [], {})},
                "withheld": {name: value for name, value in self.withheld.items() if value not in ("", [], {})},
                "warnings": (*self.record.warnings, *self._collected()),
                "complete": complete,
            }
        )

    def _collected(self) -> list[Warn]:
        collected = []
        for (code, detail), places in self._warnings.items():
            times = f" ({len(places):,} times)" if len(places) > 1 else ""
            collected.append(Warn(code=code, detail=detail + times, at=places[0]))
        return collected

    def _where(self) -> str:
        return quoted(self._source().label, 400)

    def _source(self) -> Source:
        opened = self.record.opened
        return _make_source(
            {
                "uri": opened.uri,
                "member": self.record.member,
                "locator": self.record.locator,
                "format": self._format,
                "format_version": self._version,
                "sha256": opened.sha256,
                "size": opened.size,
            }
        )


def _make_messages(said: list[_Said]) -> tuple[Message, ...]:
    messages = []
    with Uncollected():
        for number, one in enumerate(said, 1):
            message_id = f"m{number}"
            role = one.role
            parts = [_make_part(piece.fields(f"{message_id}.{index}")) for index, piece in enumerate(one.pieces, 1)]
            message = {
                "id": message_id,
                "role": role,
                "author": one.author or AUTHORS.get(role, role),
                "origin": one.origin or ORIGINS.get(role, "unknown"),
                "to": one.to,
                "branch": one.branch,
                "parts": tuple(parts),
                "at": LazySequence(len(one.at), partial(point, one.at)),
                "timestamp": one.timestamp,
                "native_id": one.native_id,
                "model": one.model,
                "notes": one.notes or (),
            }
            messages.append(_make_message(message))
    return tuple(messages)


def tool_name(value: Any) -> tuple[str, str]:
    """Return name and description of a tool definition in any of the common shapes."""
    inner = obj(obj(value).get("function")) or obj(value)
    return maybe(inner.get("name")) or "", string(inner.get("description"))
