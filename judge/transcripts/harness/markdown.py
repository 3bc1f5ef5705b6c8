"""Role-headed Markdown or text, only when asked for by name: headings such as `## User`, `**Assistant:**` or `Human:`.

Everything is by position and by how a line looks, which any message could imitate; the transcript says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.model import Transcript
from judge.transcripts.parts import reasoning, result, text
from judge.transcripts.pointing import place_bytes
from judge.transcripts.source import Opened, Record, Unreadable

NAME = "markdown"
_HEAD: Final = re.compile(
    rb"^(?:#{1,6}[ \t]*|\*\*|)\[?(System|Developer|User|Human|Assistant|AI|Agent|Model|Tool|Function|Environment|Observation|"
    rb"Reasoning|Thinking|Thought)\]?(?:\*\*)?[ \t]*(?::(?:\*\*)?[ \t]*|(?=\r?$))",
    re.MULTILINE | re.IGNORECASE,
)
_PRIVATE: Final = ("reasoning", "thinking", "thought")


def sniff(_: Probe) -> Match | None:
    """Never: plain text is read only with `--format markdown`."""
    return None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file."""
    yield Record(opened, None)


def transcribe(record: Record) -> Transcript:
    """Return the conversation."""
    draft = Draft(record, NAME)
    raw = record.opened.raw
    heads = list(_HEAD.finditer(raw))
    for index, head in enumerate(heads):
        end = heads[index + 1].start() if index + 1 < len(heads) else len(raw)
        words = raw[head.end() : end].decode("utf-8", "replace").strip("\r\n")
        speaker = head[1].decode().lower()
        at = place_bytes(raw[head.start() : end], head.start(), end)
        if speaker in _PRIVATE:
            draft.say("assistant", [reasoning(words)], at=at)
            continue
        role = ROLES[speaker]
        draft.say(role, [result(words) if role in ("tool", "environment") else text(words)], at=at)
    draft.warn("by_headings", "speakers are told by headings, which a message could imitate")
    return draft.finish()
