"""Traces to conversations: many model calls, each with its whole history, become every message once.

A trace repeats: each call sends all that came before, wrappers mirror what they wrap, tool spans mirror results. Only the
innermost model calls are read. A call continues the conversation that it shares messages with; what it adds is added.
Calls that share nothing are another conversation, of another agent, and become a transcript of their own. Two runs of
one task share their prompt: a call of another trace continues a conversation only when it was sent all of it. A tool span
counts only where no later call shows its result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from judge.transcripts.blocks import result_status
from judge.transcripts.dialects import Said, messages_of
from judge.transcripts.draft import Draft, tool_name
from judge.transcripts.model import Transcript
from judge.transcripts.parts import Piece, arguments, compact, decoded_json, result, seq
from judge.transcripts.pointing import Place
from judge.transcripts.source import Record

_LOOK_BACK = 256  # conversations that said the same last


@dataclass(slots=True)
class Span:
    """What a reader takes from one span or observation of its tracer."""

    id: str
    parent: str | None
    order: Any
    kind: str  # "call", "tool" or "other"
    agent: str = ""
    sent: Any = None
    reply: Any = None
    at_sent: Place | None = None
    at_reply: Place | None = None
    instructions: Any = None
    tool: str = ""
    failed: bool | None = None
    model: str = ""
    tools: Any = None
    trace: str = ""
    args: Any = None  # of a tool's span


@dataclass(slots=True)
class Thread:
    """One conversation found in a trace."""

    number: int
    said: list[Said] = field(default_factory=list)
    keys: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    calls: set[str] = field(default_factory=set)
    instructions: set[tuple[Any, ...]] = field(default_factory=set)  # keys of its system messages
    agents: dict[str, None] = field(default_factory=dict)
    models: dict[str, None] = field(default_factory=dict)
    tools: Any = None
    pending: list[Span] = field(default_factory=list)
    answered: bool = True  # whether the last call's reply was kept

    def add(self, said: Said) -> None:
        """Append one message."""
        self.said.append(said)
        self.keys[said.key] += 1
        if said.role == "system":
            self.instructions.add(said.key)
        self.calls.update(p.native_id for p in said.pieces if p.kind == "tool_call" and p.native_id)


def innermost(spans: list[Span]) -> list[Span]:
    """Return spans in order of time, without model calls that only wrap another model call."""
    parents = {span.id: span.parent for span in spans}
    wrapping: set[str] = set()
    for span in spans:
        if span.kind != "call":
            continue
        above, steps = span.parent, 0
        while above is not None and above not in wrapping and steps < len(spans):
            wrapping.add(above)
            above, steps = parents.get(above), steps + 1
    kept = [span for span in spans if span.kind == "tool" or (span.kind == "call" and span.id not in wrapping)]
    return sorted(kept, key=lambda span: span.order)


@dataclass(slots=True)
class _Found:
    """The conversations found so far, and where to look for the one that a call goes on with."""

    all: list[Thread] = field(default_factory=list)
    by_trace: dict[str, dict[int, Thread]] = field(default_factory=dict)  # by number
    by_mark: dict[tuple[str, Any], dict[int, Thread]] = field(
        default_factory=dict
    )  # in a trace, by what was said or called
    by_reply: dict[tuple[Any, ...], list[Thread]] = field(default_factory=dict)

    def begin(self) -> Thread:
        thread = Thread(len(self.all))
        self.all.append(thread)
        return thread

    def note(self, thread: Thread, trace: str, said: list[Said]) -> None:
        """Remember that a thread has a call in this trace, and these messages."""
        self.by_trace.setdefault(trace, {})[thread.number] = thread
        for mark in _marks(said):
            self.by_mark.setdefault((trace, mark), {})[thread.number] = thread
        for one in said:
            if one.role == "assistant":
                holders = self.by_reply.setdefault(one.key, [])
                if not any(holder is thread for holder in holders[-1:]):
                    holders.append(thread)

    def near(self, trace: str, sent: list[Said]) -> list[Thread]:
        """The threads of a trace in which something of what was sent was said or called, in the order of their beginning."""
        found = {
            number: thread for mark in _marks(sent) for number, thread in self.by_mark.get((trace, mark), {}).items()
        }
        return [found[number] for number in sorted(found)]


def _marks(said: list[Said]) -> Iterator[Any]:
    """What a call and the conversation that it goes on with have in common: messages, or calls and their results."""
    for one in said:
        if one.role != "system":
            yield one.key
        for piece in one.pieces:
            if piece.kind in ("tool_call", "tool_result") and piece.native_id:
                yield piece.native_id


def threads(spans: list[Span], draft: Draft) -> list[Thread]:
    """Return the conversations of a trace, or of several."""
    found = _Found()
    for span in innermost(spans):
        if span.kind == "tool":
            if own := found.by_trace.get(span.trace):
                own[next(reversed(own))].pending.append(span)
            continue
        _add_call(found, span, draft)
    for thread in found.all:
        _flush(thread)
    return [thread for thread in found.all if thread.said]


def _add_call(found: _Found, span: Span, draft: Draft) -> None:
    at_sent, at_reply = span.at_sent or span.at_reply, span.at_reply or span.at_sent
    if at_sent is None or at_reply is None:
        return
    replied = messages_of(span.reply, "assistant", at_reply, draft)
    # A response object repeats its instructions: they are part of what was sent.
    sent = messages_of(span.instructions, "system", at_sent, draft) + [one for one in replied if one.role == "system"]
    sent += messages_of(span.sent, "user", at_sent, draft)
    thread = _continues(found, sent, span)
    if thread is None:
        thread = found.begin()
    elif not any(one.role == "tool" for one in sent):
        _flush(thread)
    thread.pending = []
    remaining = Counter(thread.keys)
    for one in sent:
        if remaining[one.key] > 0:
            remaining[one.key] -= 1
        else:
            thread.add(one)
    for one in replied:
        if one.role != "system":
            thread.add(one)
    thread.answered = any(one.role == "assistant" for one in replied)
    found.note(thread, span.trace, sent + replied)
    thread.agents.setdefault(span.agent)
    thread.models.setdefault(span.model)
    if span.tools and not thread.tools:
        thread.tools = decoded_json(span.tools) if isinstance(span.tools, str) else span.tools


def _continues(found: _Found, sent: list[Said], span: Span) -> Thread | None:
    """The conversation that a call goes on with: the one that shares most messages, or holds the calls it answers."""
    best, most = None, 0
    instructed = {one.key for one in sent if one.role == "system"}
    for thread in found.near(span.trace, sent):
        mine = thread.instructions
        other = bool(mine and instructed) and not mine & instructed  # an agent with instructions of its own
        shared = sum(1 for one in sent if one.role != "system" and thread.keys[one.key])
        answers = sum(
            1 for one in sent for piece in one.pieces if piece.kind == "tool_result" and piece.native_id in thread.calls
        )
        spoken = any(thread.keys[one.key] for one in sent if one.role in ("assistant", "tool"))
        if other and not spoken and not answers:
            continue
        if shared + answers >= most and shared + answers > 0:
            best, most = thread, shared + answers
    own = [*found.by_trace.get(span.trace, {}).values()]
    if best is None and own and all(one.role == "system" for one in sent):
        return next((thread for thread in reversed(own) if span.agent in thread.agents), own[-1])
    return best or _sent_whole(found, sent)


def _sent_whole(found: _Found, sent: list[Said]) -> Thread | None:
    """The longest conversation, of whatever trace, that was sent with a call in whole."""
    last = next((one.key for one in reversed(sent) if one.role == "assistant"), None)
    given = Counter(one.key for one in sent)
    holding = [
        thread
        for thread in found.by_reply.get(last or (), [])[-_LOOK_BACK:]
        if all(one.role == "system" or given[one.key] >= thread.keys[one.key] for one in thread.said)
    ]
    return max(holding, key=lambda thread: len(thread.said), default=None)


def _flush(thread: Thread) -> None:
    """Add the results of tool spans that no call showed; calls kept without their arguments get those of the span."""
    if not thread.pending:
        return
    pieces = [piece for one in thread.said for piece in one.pieces]
    results = [piece for piece in pieces if piece.kind == "tool_result"]
    shown = {piece.text.strip() for piece in results}
    answered = Counter(piece.tool for piece in results)
    calls: dict[str | None, list[Piece]] = {}
    for piece in pieces:
        if piece.kind == "tool_call":
            calls.setdefault(piece.tool, []).append(piece)
    for span in thread.pending:
        made, place = calls.get(span.tool, []), answered[span.tool]
        if place < len(made) and not made[place].text:
            made[place].text = arguments(span.args)
        words = compact(decoded_json(span.reply) or span.reply) if isinstance(span.reply, str) else compact(span.reply)
        at = span.at_reply or span.at_sent
        if at is not None and words.strip() not in shown:
            given = result(words, tool=span.tool or None, status=result_status(words, failed=span.failed))
            thread.add(Said("tool", [given], at))
            answered[given.tool] += 1
    thread.pending = []


def transcripts_of(
    record: Record, name: str, version: str | None, spans: Callable[[Record], list[Span]], facts: dict[str, Any]
) -> Iterator[Record]:
    """Yield one record per conversation of a trace; `transcribe` of the reader then takes `record.context`."""
    scratch = Draft(record, name, version)
    found = threads(spans(record), scratch)
    for index, thread in enumerate(found):
        number = f"conversation {index + 1}" if len(found) > 1 else None
        locator = "#".join(part for part in (record.locator, number) if part) or None
        id_bytes = record.id_bytes
        if number:
            id_bytes = f"{record.sha256}#{index + 1}".encode()
        yield Record(
            record.opened,
            record.value,
            id_bytes,
            path=record.path,
            start=record.start,
            end=record.end,
            locator=locator,
            warnings=record.warnings,
            context={"thread": thread, "facts": facts, "scratch": scratch},
        )


def transcribe_thread(record: Record, name: str, version: str | None) -> Transcript:
    """Return the transcript of one conversation found by `transcripts_of`."""
    draft = Draft(record, name, version)
    thread: Thread = record.context["thread"]
    scratch: Draft = record.context["scratch"]
    draft.tools = list(scratch.tools)
    draft.take_warnings(scratch)
    for said in thread.said:
        draft.say(said.role, said.pieces, at=said.at)
        if said.name:
            draft.rename_last(said.name)
    draft.run.update(record.context["facts"])
    if not thread.answered:
        draft.warn("evidence_incomplete", "the tracer did not keep what the model replied to the last call")
    draft.run["agents"] = [agent for agent in thread.agents if agent]
    draft.run["models"] = [model for model in thread.models if model]
    for tool in seq(thread.tools):
        draft.offer(*tool_name(tool))
    return draft.finish()
