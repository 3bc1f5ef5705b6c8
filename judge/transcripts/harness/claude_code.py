"""Claude Code sessions: an append-only log of lines, one transcript per file; also its `stream-json` output.

File order is the truth: parent links dangle after a resume or a compaction and are not followed. A reply that is split
over several lines is put together again by its message id; a line that is there twice counts once. What the harness
attached for the model (a prompt that waited, a hook's words) is read as what it is. Progress lines and snapshots repeat
what is elsewhere or are no messages; they are counted, not read. A tool's result is what the model saw, not the richer
record beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from judge.transcripts.blocks import content_pieces, split_results
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.model import TARGET, Origin, Transcript, Warn
from judge.transcripts.parts import Piece, compact, maybe, obj, string, text
from judge.transcripts.pointing import Place
from judge.transcripts.source import Opened, Record, Row, Unreadable

NAME = "claude_code"
_SYSTEM_EVENTS: Final = ("compact_boundary", "local_command", "api_error", "informational")
_NO_MESSAGE: Final = frozenset(
    ("progress", "file-history-snapshot", "queue-operation", "summary", "result", "custom-title", "agent-name", "last-prompt",
     "pr-link", "mode", "permission-mode", "tag", "worktree-state", "ai-title", "bridge-session", "stream_event", "attachment")
)  # fmt: skip
_FACTS: Final = ("cwd", "gitBranch", "version", "slug", "agentId", "entrypoint", "teamName")


def sniff(probe: Probe) -> Match | None:
    """By a line's own links together with a message, or by stream-json's session id."""
    for line in probe.objects:
        if {"parentUuid", "sessionId", "type"} <= line.keys():
            return Match(0.97, maybe(line.get("version")))
        if "session_id" in line and line.get("type") in ("assistant", "user") and isinstance(line.get("message"), dict):
            return Match(0.9, "stream-json")
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file. Lines that repeat what is elsewhere are counted and let go, so that memory is what is read."""
    rows: list[Row] = []
    passed: Counter[str] = Counter()
    warnings: list[Warn] = []
    broken: list[Row] = []
    last = 0
    listed = opened.container == "json" and isinstance(opened.document[0], list)  # `stream-json`, collected
    for row in _elements(opened) if listed else opened.rows():
        last = row.number
        warnings.extend(row.warnings)
        if row.broken:
            broken.append(row)
        elif isinstance(row.value, dict) and row.value.get("type") == "progress":
            passed["progress"] += 1
        else:
            rows.append(row)
    for row in broken[:20]:
        code = "truncated" if row.number == last else "broken_line"  # a cut last line is usual, others are not
        warnings.append(Warn(code=code, detail=f"line {row.number} was not read: {row.broken}"))
    if last:
        context = {"rows": rows, "passed": passed, "listed": listed}
        yield Record(opened, None, context=context, warnings=tuple(warnings[:40]))


def _elements(opened: Opened) -> Iterator[Row]:
    """The elements of an array as rows; their place is a JSON pointer, told by their number."""
    for index, value in enumerate(opened.document[0]):
        yield Row(index + 1, 0, 0, b"", value)


def transcribe(record: Record) -> Transcript:
    """Return the session."""
    session = _Session(record, record.context["rows"], record.context["passed"])
    for row in session.rows:
        session.add(row)
    return session.finish()


def _attached(given: dict[str, Any]) -> list[Piece]:
    """The words of an attachment, which the model is shown: a prompt, what a hook said, a file."""
    content = given.get("prompt", given.get("content"))
    if isinstance(content, list):
        words = [one if isinstance(one, str) else string(obj(one).get("text")) or compact(one) for one in content]
        return [text(word) for word in words if word]
    return [text(compact(content))] if content not in (None, "", {}) else []


def _is_sidechain(line: dict[str, Any]) -> bool:
    """Whether a subagent says or is told something: `stream-json` names the call that it was started by."""
    return line.get("isSidechain") is True or bool(string(line.get("parent_tool_use_id")))


def _agent(line: dict[str, Any]) -> str:
    return string(line.get("agentId")) or string(line.get("parent_tool_use_id"))


class _Session:
    """What has to be remembered from line to line."""

    def __init__(self, record: Record, rows: list[Row], passed: Counter[str]) -> None:
        self.rows = rows
        said = [
            row.value for row in rows if isinstance(row.value, dict) and row.value.get("type") in ("user", "assistant")
        ]
        # A file of sidechain lines only is a subagent's own session: there it is the one that acts.
        self.subagent = bool(said) and all(_is_sidechain(line) for line in said)
        self.draft = Draft(
            record, NAME, next((maybe(line.get("version")) for line in said if line.get("version")), None)
        )
        self.passed = passed
        self.sessions: dict[str, None] = {}
        self.models: dict[str, None] = {}
        self.seen: dict[str, Any] = {}  # message by the id of its line
        self.last_reply: str | None = None  # message id of the reply that a following line may continue

    def add(self, row: Row) -> None:
        """Read one line."""
        line = row.value
        if not isinstance(line, dict):
            self.draft.warn("odd_line", "a line that holds no object was left out", f"line {row.number}")
            return
        kind = string(line.get("type"))
        if isinstance(line.get("sessionId"), str):
            self.sessions[line["sessionId"]] = None
        uuid = maybe(line.get("uuid"))
        if uuid and "message" in line:
            if uuid in self.seen and self.seen[uuid] == line["message"]:
                self.passed["repeated line"] += 1
                return
            self.seen[uuid] = line["message"]
        if kind == "assistant":
            self._reply(row, line)
        elif kind == "user":
            self._turn(row, line)
        elif kind == "system" and line.get("subtype") in _SYSTEM_EVENTS and string(line.get("content")):
            note = "compaction" if line["subtype"] == "compact_boundary" else str(line["subtype"])
            self._say(
                row, line, "event", [text(line["content"])], origin="harness", author="environment", notes=(note,)
            )
        elif kind == "attachment" and (words := _attached(obj(line.get("attachment")))):
            attached = obj(line["attachment"])
            if attached.get("type") == "queued_command":
                human = string(attached.get("commandMode")) in ("", "prompt")
                self._say(
                    row, line, "user", words, author="user", origin="human" if human else "harness", notes=("queued",)
                )
            else:
                notes = ("attachment", string(attached.get("type"))[:60])
                self._say(row, line, "event", words, origin="harness", author="environment", notes=notes)
        else:
            name = kind or "no type"
            if kind not in _NO_MESSAGE and kind != "system":
                self.draft.warn(
                    "unknown_line", f"a line of unknown type '{name[:40]}' was left out", f"line {row.number}"
                )
            self.passed[f"{kind} {string(line.get('subtype'))}".strip()[:60] or "no type"] += 1

    def _reply(self, row: Row, line: dict[str, Any]) -> None:
        message = obj(line.get("message"))
        pieces = content_pieces(message.get("content"), self.draft)
        model = maybe(message.get("model"))
        message_id = maybe(message.get("id"))
        if model and model != "<synthetic>":
            self.models[model] = None
        if message_id and message_id == self.last_reply:
            self.draft.extend_last(pieces, self._point(row))
            return
        author = f"subagent {_agent(line)}".strip() if self._is_aside(line) else TARGET
        synthetic = model == "<synthetic>" or line.get("isApiErrorMessage") is True
        self._say(
            row,
            line,
            "assistant",
            pieces,
            author="harness" if synthetic else author,
            origin="harness" if synthetic else "sampled",
            model=model,
            native_id=message_id,
        )
        self.last_reply = message_id

    def _turn(self, row: Row, line: dict[str, Any]) -> None:
        message = obj(line.get("message"))
        if "content" not in message:
            self.draft.warn("odd_line", "a user line without content was left out", f"line {row.number}")
            return
        origin: Origin = "human"
        notes: list[str] = []
        if line.get("isCompactSummary") is True:
            origin, notes = "summary", ["compaction"]
        elif line.get("isMeta") is True:
            origin, notes = "harness", ["meta"]
        author = "parent agent" if _is_sidechain(line) and origin == "human" else "user"
        if author != "user":
            origin = "unknown"
        pieces = content_pieces(message.get("content"), self.draft)
        for is_result, run in split_results(pieces) or [(False, [])]:
            if is_result:
                self._say(row, line, "tool", run, author="tool", origin="tool")
            else:
                self._say(row, line, "user", run, author=author, origin=origin, notes=tuple(notes))

    def _say(self, row: Row, line: dict[str, Any], role: Any, pieces: Any, **fields: Any) -> None:
        self.last_reply = None
        if self._is_aside(line):
            fields["branch"] = f"sidechain {_agent(line)}".strip()
            fields["notes"] = (*fields.get("notes", ()), "sidechain")
        fields.setdefault("native_id", maybe(line.get("uuid")))
        at = self._point(row)
        self.draft.say(role, pieces, at=at, timestamp=maybe(line.get("timestamp")), **fields)

    def _point(self, row: Row) -> Place:
        record = self.draft.record
        return record.point(row.value, f"/{row.number - 1}") if record.context["listed"] else record.point_row(row)

    def _is_aside(self, line: dict[str, Any]) -> bool:
        return _is_sidechain(line) and not self.subagent

    def finish(self) -> Transcript:
        """File the facts and return the transcript."""
        draft = self.draft
        wanted = list(_FACTS)
        for row in self.rows:
            line = obj(row.value)
            for name in [name for name in wanted if string(line.get(name))]:
                draft.run[name] = line[name]
                wanted.remove(name)
            if not wanted:
                break
        draft.run["models"] = list(self.models)
        draft.run["session"] = next(iter(self.sessions), "")
        draft.run["lines_passed_over"] = dict(self.passed)
        if self.subagent:
            draft.run["subagent"] = True
        if len(self.sessions) > 1:
            draft.warn("several_sessions", f"lines of {len(self.sessions)} sessions stand in this file")
        draft.native_id = next(iter(self.sessions), None)
        draft.complete["system_prompt"] = "absent"  # this harness never stores it
        return draft.finish()
