"""Aider's chat history: one Markdown file with many sessions, each a transcript.

Lossy by nature: a reply that quotes "#### " or "> " at the start of a line cannot be told from the user or a tool, and
calls have no ids. Everything is by position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.model import Transcript
from judge.transcripts.parts import result, text
from judge.transcripts.pointing import place_bytes
from judge.transcripts.source import Opened, Record, Unreadable, unfinished_line

NAME = "aider"
_START: Final = re.compile(rb"^# aider chat started at ([^\r\n]*)\r?\n?", re.MULTILINE)
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")


def sniff(probe: Probe) -> Match | None:
    """By the line that opens every session."""
    return Match(0.95) if _START.search(probe.opened.head[:4096]) and probe.container == "text" else None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per session that has a message."""
    raw = opened.raw
    starts = list(_START.finditer(raw))
    for number, begin in enumerate(starts, 1):
        end = starts[number].start() if number < len(starts) else len(raw)
        if raw[begin.end() : end].strip():
            context = {"started": begin[1].decode("utf-8", "replace"), "from": begin.end()}
            body = raw[begin.start() : end]
            yield Record(
                opened, body, body, start=begin.start(), end=end, locator=f"session {number}", context=context,
                warnings=unfinished_line(body),
            )  # fmt: skip


def transcribe(record: Record) -> Transcript:
    """Return one session."""
    draft = Draft(record, NAME)
    assert record.end is not None
    raw = record.opened.raw
    lines = list(_LINE.finditer(raw, record.context["from"], record.end))
    for kind, group in groupby(lines, key=lambda line: _kind(line[0])):
        run = list(group)
        start, end = run[0].start(), run[-1].end()
        words = b"".join(line[0] for line in run).decode("utf-8", "replace")
        if not words.strip():
            continue
        at = place_bytes(raw[start:end], start, end)
        if kind == "user":
            draft.say("user", [text(_stripped(words, "#### "))], at=at, origin="human")
        elif kind == "tool":
            draft.say("environment", [result(_stripped(words, "> "))], at=at, author="environment")
        else:
            draft.say("assistant", [text(words.strip("\n"))], at=at)
    draft.run["started"] = record.context["started"]
    draft.complete["system_prompt"] = "absent"
    draft.warn("by_headings", "speakers are told by how a line begins, which a reply could imitate")
    return draft.finish()


def _kind(line: bytes) -> str:
    if line.startswith(b"#### "):
        return "user"
    return "tool" if line.startswith(b"> ") or line.rstrip() == b">" else "assistant"


def _stripped(words: str, prefix: str) -> str:
    return "\n".join(line.removeprefix(prefix).rstrip() for line in words.strip("\n").split("\n"))
