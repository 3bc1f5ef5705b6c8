"""Codex rollouts: JSONL of session_meta, response_item, event_msg and turn_context lines, one transcript per file.

`response_item` lines are the conversation; `event_msg` repeats most of it and is only read for what is not there. Turns
that the user took back stay, as a branch of their own.
Files older than the wrapper (a header line, then bare items) are read too, and `codex exec --json` streams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.items import Items, is_item
from judge.transcripts.model import Transcript
from judge.transcripts.parts import Piece, call, compact, maybe, obj, objs, reasoning, result, string, text
from judge.transcripts.pointing import Place
from judge.transcripts.source import Opened, Record, Row, Unreadable, whole_rows

NAME = "codex"
_WRAPPERS: Final = frozenset(("session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state"))
_CONTEXT: Final = (
    "<environment_context",
    "<user_instructions",
    "# AGENTS.md",
    "<permissions",
    "<turn_aborted",
    "<skill",
)
_EVENT_TEXTS: Final = {"user_message": "user", "agent_message": "assistant", "agent_reasoning": "reasoning"}


def sniff(probe: Probe) -> Match | None:
    """By the wrapper's types, by the older header line, or by thread events."""
    first = probe.first
    wrapped = sum(
        string(row.get("type")) in _WRAPPERS and isinstance(row.get("payload"), dict) for row in probe.objects
    )
    if wrapped and wrapped >= 0.8 * len(probe.objects):
        meta = next((obj(row.get("payload")) for row in probe.objects if row.get("type") == "session_meta"), {})
        return Match(0.97, maybe(meta.get("cli_version")))
    if {"id", "timestamp", "instructions"} <= first.keys() and any(is_item(row) for row in probe.objects):
        return Match(0.9, "before the wrapper")
    if string(first.get("type")) == "thread.started":
        return Match(0.95, "exec --json")
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file."""
    rows, warnings = whole_rows(opened)
    yield Record(opened, None, warnings=warnings, context={"rows": rows})


def transcribe(record: Record) -> Transcript:
    """Return the session."""
    return _Rollout(record).read()


class _Rollout:
    """What has to be remembered from line to line."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._rows: list[Row] = record.context["rows"]
        self._meta_row = next((row for row in self._rows if obj(row.value).get("type") == "session_meta"), None)
        self._meta = obj(obj(self._meta_row.value).get("payload")) if self._meta_row else {}
        self._draft = Draft(record, NAME, maybe(self._meta.get("cli_version")))
        self._items = Items(self._draft)
        self._told = _texts(self._rows)
        self._passed: Counter[str] = Counter()
        self._models: dict[str, None] = {}
        self._aside: dict[str, Any] = {}  # the branch that a line belongs to

    def read(self) -> Transcript:
        """Read every line and file the facts."""
        draft, meta = self._draft, self._meta
        instructions = string(meta.get("instructions")) or string(obj(meta.get("base_instructions")).get("text"))
        if self._meta_row and instructions:
            draft.say("system", [text(instructions)], at=self._record.point_row(self._meta_row))
        gone = _rolled_back(self._rows)
        for index, row in enumerate(self._rows):
            self._aside = {"branch": "rolled back", "notes": ("rolled back",)} if index in gone else {}
            self._add(row, obj(row.value))
        draft.native_id = maybe(meta.get("id"))
        draft.run.update(
            {name: meta.get(name) for name in ("cwd", "originator", "cli_version", "model_provider", "source")}
        )
        draft.run.update(models=list(self._models), events_passed_over=dict(self._passed))
        draft.complete["system_prompt"] = "present" if instructions else "absent"
        return draft.finish()

    def _add(self, row: Row, line: dict[str, Any]) -> None:
        kind, payload = string(line.get("type")), obj(line.get("payload"))
        at = self._record.point_row(row)
        if string(payload.get("model")):
            self._models[payload["model"]] = None
        if kind == "response_item":
            self._items.add(payload, at, timestamp=maybe(line.get("timestamp")), **self._aside)
        elif kind == "compacted":
            summary = string(payload.get("message")) or "[the harness compacted the history here]"
            self._draft.say("event", [text(summary)], at=at, origin="summary", notes=("compaction",))
        elif kind == "event_msg":
            if not _add_event(self._draft, payload, self._told, at, self._aside):
                self._passed[string(payload.get("type"))[:60]] += 1
        elif kind.startswith(("item.", "thread.", "turn.")):
            _add_stream_event(self._draft, kind, line, row)
        else:
            self._add_bare(row, line, kind)

    def _add_bare(self, row: Row, line: dict[str, Any], kind: str) -> None:
        """Add a line of the time before the wrapper."""
        if not kind and "instructions" in line:
            if string(line["instructions"]):
                self._draft.say("system", [text(line["instructions"])], at=self._record.point_row(row))
        elif is_item(line) or "role" in line:
            self._items.add(line, self._record.point_row(row))
        elif kind not in _WRAPPERS and line.get("record_type") != "state":
            self._draft.warn("unknown_line", f"a line of unknown type '{kind[:40]}' was left out", f"line {row.number}")


def _texts(rows: list[Row]) -> set[str]:
    """Every text that a response_item holds: an event that says the same is a repetition."""
    found: set[str] = set()
    for row in rows:
        payload = obj(obj(row.value).get("payload"))
        for key in ("content", "summary"):
            blocks = payload.get(key)
            if isinstance(blocks, list):
                found.update(string(obj(block).get("text")).strip() for block in blocks)
    return found


def _rolled_back(rows: list[Row]) -> set[int]:
    """Which lines belong to turns that were taken back later. A turn begins with what the user says."""
    turns: list[tuple[int, str]] = []
    gone: set[int] = set()
    for index, row in enumerate(rows):
        line = obj(row.value)
        payload = obj(line.get("payload"))
        kind = string(payload.get("type"))
        if kind == "thread_rolled_back" and type(payload.get("num_turns")) is int and payload["num_turns"] > 0:
            taken = turns[-payload["num_turns"] :]
            del turns[-payload["num_turns"] :]
            gone.update(range(taken[0][0] if taken else index, index))
        elif kind == "user_message" and line.get("type") == "event_msg":
            words = string(payload.get("message")).strip()
            if not turns or turns[-1][1] != words:  # the event repeats the item
                turns.append((index, words))
        elif line.get("type") == "response_item" and payload.get("role") == "user":
            words = "\n".join(string(block.get("text")) for block in objs(payload.get("content"))).strip()
            if not words.startswith(_CONTEXT):
                turns.append((index, words))
    return gone


def _add_event(draft: Draft, payload: dict[str, Any], told: set[str], at: Place, aside: dict[str, Any]) -> bool:
    """Add a text that only the event stream has; say whether it was added."""
    role = _EVENT_TEXTS.get(string(payload.get("type")))
    words = string(payload.get("message")) or string(payload.get("text"))
    if not role or not words.strip() or words.strip() in told:
        return False
    if role == "reasoning":
        draft.say("assistant", [reasoning(words, "summary")], at=at, origin="sampled", **aside)
    else:
        draft.say("assistant" if role == "assistant" else "user", [text(words)], at=at, **aside)
    return True


def _add_stream_event(draft: Draft, kind: str, line: dict[str, Any], row: Row) -> None:
    """Add one completed item of an `exec --json` stream."""
    item = obj(line.get("item"))
    if kind != "item.completed" or not item:
        return
    sort = string(item.get("type")) or string(item.get("item_type"))
    at = draft.record.point_row(row)
    pieces: list[Piece]
    if sort == "error":
        draft.say("event", [text(compact(item.get("message")) or compact(item))], at=at, origin="harness")
        return
    if sort in ("agent_message", "assistant_message"):
        pieces = [text(string(item.get("text")))]
    elif sort == "reasoning":
        pieces = [reasoning(string(item.get("text")), "summary")]
    else:
        args = {name: item[name] for name in ("command", "arguments", "query", "changes", "items") if name in item}
        code = item.get("exit_code")
        status = "error" if (type(code) is int and code != 0) or item.get("status") == "failed" else "ok"
        pieces = [call(string(item.get("tool")) or sort, args, maybe(item.get("id")))]
        output = compact(item.get("aggregated_output")) or compact(item.get("result")) or compact(item.get("error"))
        if output:
            pieces.append(result(output, native_id=maybe(item.get("id")), status=status))  # type: ignore[arg-type]
    draft.say("assistant", pieces, at=at, origin="sampled", native_id=maybe(item.get("id")))
