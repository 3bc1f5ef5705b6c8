"""Shared pieces of the reader tests: samples, fixtures, and what must hold for any transcript."""

from __future__ import annotations

import hashlib
from pathlib import Path

from judge.transcripts import Transcript, Unreadable, iter_transcripts, reread

FIXTURES = Path(__file__).parent / "fixtures"


def transcripts_in(path: Path, **options: object) -> list[Transcript]:
    """Every transcript of a file (a log of nothing has none), and a failure if the file has any unreadable record."""
    found = []
    for item in iter_transcripts([path], **options):  # type: ignore[arg-type]
        if isinstance(item, Unreadable) and item.empty:
            continue
        assert isinstance(item, Transcript), f"{item.source}: {item.reason}"
        found.append(item)
    return found


def check_transcript(transcript: Transcript, path: Path, *, pointers: int = 12) -> None:
    """What holds for every transcript of every harness: ids by position, links that resolve, pointers that re-read."""
    assert [m.id for m in transcript.messages] == [f"m{n}" for n in range(1, len(transcript.messages) + 1)]
    calls = {p.id for _, p in transcript.parts() if p.kind == "tool_call"}
    for message in transcript.messages:
        assert [p.id for p in message.parts] == [f"{message.id}.{n}" for n in range(1, len(message.parts) + 1)]
        assert message.at, f"{message.id} points nowhere"
        for part in message.parts:
            assert part.answers is None or part.answers in calls
            assert (part.answers is not None) == (part.link not in (None, "none"))
    step = max(1, len(transcript.messages) // pointers)
    for message in transcript.messages[::step]:
        for pointer in message.at[:2]:
            assert hashlib.sha256(reread(pointer, path)).hexdigest() == pointer.sha256, f"{path} {message.id}"


def script(transcript: Transcript) -> list[str]:
    """A transcript as one line per message: role, author, origin, branch, then each part with tool, status and link."""
    lines = []
    for m in transcript.messages:
        parts = []
        for p in m.parts:
            about = ",".join(word for word in (p.tool, p.status, p.form, p.answers, p.link) if word)
            parts.append(f"{p.kind}({about}) {p.text[:60]!r}" if about else f"{p.kind} {p.text[:60]!r}")
        head = " ".join(
            word for word in (m.role, m.author, m.origin, m.branch and f"[{m.branch}]", m.to and f"->{m.to}") if word
        )
        lines.append(f"{head}: {'; '.join(parts)}")
    return lines
