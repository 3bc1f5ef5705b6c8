"""The transcript: one run of one agent, from any harness, in our one form.

Message ids are `m1`, `m2` ... in source order and part ids `m1.1`, `m1.2` ...; they depend on the source's bytes and
position only, so they are the same at every load and on every machine. Everything that could tell a judge what to find
(scores, labels, grader notes, model and file names) lives in `withheld`, `run` and `source`; no prompt is built from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from judge.canonical import content_sha256
from judge.frozen import Frozen
from judge.transcripts.lazy import AS_TUPLE

SCHEMA: Final = "judge.transcript/1"

PartKind = Literal["text", "reasoning", "tool_call", "tool_result", "attachment"]
Role = Literal["system", "user", "assistant", "tool", "environment", "event"]
Origin = Literal[
    "sampled",  # the model wrote it in this run
    "prefill",  # put into the model's mouth
    "demo",  # a worked example shown to the model
    "copied",  # repeated from another part of the run
    "human",
    "simulated",  # a model playing the user, the environment or a tool
    "injected",  # an auditor or attacker planted it
    "tool",
    "summary",  # written by a compaction step
    "harness",
    "unknown",
]
CallStatus = Literal["ok", "error", "denied", "timeout", "cancelled", "unknown"]
Link = Literal["id", "cause", "position", "name", "none"]

TARGET = "target"


class Pointer(Frozen):
    """Where in the source something was read: re-reading those bytes gives back its hash.

    `start`/`end` are byte offsets in the (uncompressed) member or file; `path` is a JSON pointer within them.
    """

    member: str | None = None
    start: int | None = None
    end: int | None = None
    path: str | None = None
    sha256: str | None = None


class Part(Frozen):
    """A piece of a message.

    `text` is what a judge reads and quotes: the words, the private reasoning, a call's arguments (one `name: value`
    block per argument, strings verbatim), a result's output, or a one-line description of an attachment.
    """

    id: str
    kind: PartKind
    text: str = ""
    tool: str | None = None  # tool_call, tool_result
    native_id: str | None = None  # the harness's id of the call; may be empty or repeated
    answers: str | None = None  # tool_result: id of the tool_call part that it answers
    link: Link | None = None  # tool_result: how `answers` was established
    status: CallStatus | None = None  # tool_call: what came of it; tool_result: what it reports
    form: Literal["full", "summary", "encrypted", "redacted"] | None = None  # reasoning
    media_type: str | None = None  # attachment
    sha256: str | None = None  # attachment: of its bytes
    size: int | None = None  # attachment: bytes


class Message(Frozen):
    """One message. `author` is `target` for the agent being judged, else who wrote it, as the harness names them."""

    id: str
    role: Role
    author: str
    origin: Origin = "unknown"
    to: str | None = None  # addressee, where the harness says
    branch: str | None = None
    parts: tuple[Part, ...] = ()
    at: Annotated[Sequence[Pointer], AS_TUPLE] = ()
    timestamp: str | None = None
    native_id: str | None = None
    model: str | None = None
    notes: tuple[str, ...] = ()  # e.g. meta, sidechain, compaction

    @property
    def by_target(self) -> bool:
        """Whether the agent being judged wrote this itself: only such words can be its misconduct."""
        return self.author == TARGET and self.origin in ("sampled", "unknown")


class Tool(Frozen):
    """A tool that was offered to the target."""

    name: str
    description: str = ""


class Warn(Frozen):
    """Something the reader assumed, dropped or could not use."""

    code: str
    detail: str
    at: str | None = None


class Source(Frozen):
    """Where a transcript came from. Never shown to a judge."""

    uri: str  # path as given, or a label for data from memory
    member: str | None = None  # inside an archive
    locator: str | None = None  # JSON pointer, line or row inside the file or member
    format: str
    format_version: str | None = None
    sha256: str  # of the whole file
    size: int  # bytes of the whole file

    @property
    def label(self) -> str:
        """One short name for tables: path, member and locator."""
        return "#".join(part for part in (self.uri, self.member, self.locator) if part)


class Transcript(Frozen):
    """One run of one agent."""

    schema_: Literal["judge.transcript/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    native_id: str | None = None
    source: Source
    messages: Annotated[Sequence[Message], AS_TUPLE]
    tools: tuple[Tool, ...] = ()
    run: dict[str, Any] = Field(default_factory=dict)  # task, epoch, models, times, usage: for grouping, never judged
    withheld: dict[str, Any] = Field(default_factory=dict)  # scores, labels, grader notes: never judged
    warnings: tuple[Warn, ...] = ()
    complete: dict[str, Literal["present", "absent", "unknown"]] = Field(default_factory=dict)

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        populate_by_name=True,
        serialize_by_alias=True,
    )

    @cached_property
    def content_sha256(self) -> str:
        """Hash of what a judge can see: two transcripts with the same hash get the same verdict from the same judge."""
        return content_sha256(
            {
                "messages": [
                    {
                        "id": m.id,
                        "role": m.role,
                        "author": m.author,
                        "origin": m.origin,
                        "to": m.to,
                        "branch": m.branch,
                        "notes": m.notes,
                        "parts": [_seen(p) for p in m.parts],
                    }
                    for m in self.messages
                ],
                "tools": [tool.model_dump() for tool in self.tools],
            },
            floats=False,
        )

    def parts(self) -> Iterator[tuple[Message, Part]]:
        """Every part with its message, in order."""
        for message in self.messages:
            for part in message.parts:
                yield message, part

    def message(self, message_id: str) -> Message | None:
        """Return the message with this id, or None."""
        return self._by_id.get(message_id)

    @cached_property
    def _by_id(self) -> dict[str, Message]:
        return {message.id: message for message in self.messages}


_SEEN_FIELDS: Final = tuple(name for name in Part.model_fields if name != "native_id")


def _seen(part: Part) -> dict[str, Any]:
    """What of a part a judge can see, without what is null; a tenth of the time of `model_dump`."""
    fields = part.__dict__
    return {name: fields[name] for name in _SEEN_FIELDS if fields[name] is not None}
