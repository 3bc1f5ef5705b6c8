"""Gemini CLI sessions: JSON with `messages`, or JSONL with a header, message lines, `$set` and `$rewindTo` patches.

A line replaces the earlier state of its message. `$set` of messages is what the model is shown from then on: what is new in
it is read, what is no longer in it was said all the same. What was rewound is kept as a branch of its own.
A call and its result are one object here; they become a call and a message of the tool. Thoughts are summaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from judge.transcripts.blocks import content_pieces
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.harness.gemini_api import parts_pieces
from judge.transcripts.model import CallStatus, Transcript
from judge.transcripts.parts import Piece, call, compact, maybe, obj, objs, reasoning, result, seq, string
from judge.transcripts.pointing import Place
from judge.transcripts.source import Opened, Record, Row, Unreadable, whole, whole_rows

NAME = "gemini_cli"
_STATUS: dict[str, CallStatus] = {"success": "ok", "error": "error", "cancelled": "cancelled", "denied": "denied"}


def sniff(probe: Probe) -> Match | None:
    """By the project hash and session id of its header."""
    first = probe.first
    if "projectHash" in first and "sessionId" in first:
        return Match(0.97, "jsonl" if probe.container == "jsonl" else "json")
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file."""
    if opened.container == "json":
        yield from whole(opened)
        return
    rows, warnings = whole_rows(opened)
    yield Record(opened, None, context={"rows": rows}, warnings=warnings)


def transcribe(record: Record) -> Transcript:
    """Return the session."""
    draft = Draft(record, NAME)
    rows = record.context.get("rows")
    if rows is None:
        head = obj(record.value)
        for index, message in enumerate(seq(head.get("messages"))):
            _add(draft, obj(message), record.point(message, f"/messages/{index}"))
    else:
        head = {}
        for message, at, aside in _replayed(record, rows):
            _add(draft, message, at, aside)
        for row in rows:
            line = obj(row.value)
            head = head | obj(line.get("$set")) | ({} if "type" in line else line)
    draft.native_id = maybe(head.get("sessionId"))
    draft.run.update(started=head.get("startTime"), ended=head.get("lastUpdated"), kind=head.get("kind"))
    draft.complete["system_prompt"] = "absent"
    return draft.finish()


@dataclass(slots=True)
class _Entry:
    """A message in its latest state."""

    message: dict[str, Any]
    at: Place
    aside: dict[str, Any]  # the branch that it belongs to, and notes


def _replayed(record: Record, rows: list[Row]) -> list[tuple[dict[str, Any], Place, dict[str, Any]]]:
    """Every message that was ever in the session, in the order of its first line."""
    entries: list[_Entry] = []
    live: dict[str, _Entry] = {}
    for number, row in enumerate(rows):
        line = obj(row.value)
        if "type" in line:
            name = maybe(line.get("id")) or f"line {number}"
            if name in live:
                live[name].message, live[name].at = line, record.point_row(row)
            else:
                live[name] = _Entry(line, record.point_row(row), {})
                entries.append(live[name])
            continue
        if "$rewindTo" in line:
            names = list(live)
            target = maybe(line["$rewindTo"])
            for name in names[names.index(target) if target in names else 0 :]:
                live.pop(name).aside = {"branch": "rolled back", "notes": ("rolled back",)}
            continue
        inner, path = (obj(line["$set"]), "/$set/messages") if "$set" in line else (line, "/messages")
        place = Record(record.opened, line, member=row.member, start=row.start, end=row.end)
        shown = entries and {"notes": ("context replaced",)}
        for index, message in enumerate(seq(inner.get("messages"))):
            name = maybe(obj(message).get("id")) or f"line {number}, {index}"
            if name not in live and isinstance(message, dict):
                live[name] = _Entry(message, place.point(message, f"{path}/{index}"), dict(shown or {}))
                entries.append(live[name])
    return [(entry.message, entry.at, entry.aside) for entry in entries]


def _add(draft: Draft, message: dict[str, Any], at: Place, aside: dict[str, Any] | None = None) -> None:
    kind = string(message.get("type"))
    facts = _facts(message) | (aside or {})
    if kind == "user":
        put = "context replaced" in facts.get("notes", ())  # by the harness: a summary, as a rule
        draft.say("user", _content(message, draft), at=at, origin="unknown" if put else "human", **facts)
        return
    if kind not in ("gemini", "model", "assistant"):
        draft.say("event", _content(message, draft), at=at, origin="harness", **facts)
        return
    pieces: list[Piece] = []
    for thought in objs(message.get("thoughts")):
        words = ": ".join(word for word in (string(thought.get("subject")), string(thought.get("description"))) if word)
        if words:
            pieces.append(reasoning(words, "summary"))
    pieces += _content(message, draft)
    results: list[Piece] = []
    for made in objs(message.get("toolCalls")):
        native_id = maybe(made.get("id"))
        pieces.append(call(string(made.get("name")), made.get("args"), native_id))
        status = _STATUS.get(string(made.get("status")), "unknown")
        words = _output(made, draft)
        if words or status != "unknown":
            results.append(result(words, native_id=native_id, tool=maybe(made.get("name")), status=status))
    draft.say("assistant", pieces, at=at, origin="sampled", model=maybe(message.get("model")), **facts)
    if results:
        draft.say("tool", results, at=at, **(aside or {}))


def _content(message: dict[str, Any], draft: Draft) -> list[Piece]:
    content = message.get("content")
    if isinstance(content, list) and content and all("type" not in obj(part) for part in content):
        return parts_pieces(content, draft)
    return content_pieces(content, draft)


def _output(made: dict[str, Any], draft: Draft) -> str:
    given = made.get("result")
    if isinstance(given, list):
        words = [piece.text for piece in parts_pieces(given, draft) if piece.text]
        if words:
            return "\n".join(words)
    return compact(given) or compact(made.get("resultDisplay"))


def _facts(message: dict[str, Any]) -> dict[str, Any]:
    return {"native_id": maybe(message.get("id")), "timestamp": maybe(message.get("timestamp"))}
