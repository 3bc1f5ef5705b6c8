"""A transcript as the case page asks for it: a stretch of its turns, where words stand in it, what of it is a secret.

A long transcript reaches the browser piece by piece, so nothing here works through all of it unless it must. Verdicts come
in as marks and as messages that were not seen; what they say is not this module's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from judge.report.passages import Mark, Passage, passages
from judge.report.secrets import find_hints, find_secrets, mask
from judge.text import hidden, visible
from judge.transcripts.model import TARGET, Message, Part, Transcript

# A rater must be able to read everything that a judge could; only beyond this is a part's middle left out, visibly.
PART_CHARS: Final = 200_000
CHUNK: Final = 50  # turns that the page fetches at once
NEEDLE_CHARS: Final = 150
_HITS: Final = 5_000  # turns that a search names
_FOLDED: Final = 900  # characters of a tool's output beyond which it begins folded, unless it is quoted
_LINE: Final = 95  # characters in a line of the page, about
_FAILED: Final = ("error", "denied", "timeout", "cancelled")
_BETWEEN: Final = "\n\n"
_TITLES: Final = {
    "reasoning": "private reasoning",
    "tool_call": "calls",
    "tool_result": "output of",
    "attachment": "attached",
}


class ShownPart(NamedTuple):
    """A part of a message, in passages; one that can be folded is a tool's output or an attachment."""

    part: Part
    title: str
    passages: list[Passage]
    fold: bool
    folded: bool


class ShownMessage(NamedTuple):
    """A message: its number, who wrote it, the lane of the page that it stands in, how many judges did not see it."""

    message: Message
    number: int
    who: str
    lane: str
    origin: str
    parts: list[ShownPart]
    unseen: int = 0


class Chunk(NamedTuple):
    """A stretch of turns that is fetched at once, and about how many lines it takes, so that its place can be kept."""

    first: int
    last: int
    lines: int


class Reading:
    """One transcript that is being read. With `masked`, what looks like a secret is never handed out."""

    def __init__(self, transcript: Transcript, *, masked: bool = True) -> None:
        self.transcript = transcript
        self.masked = masked

    @property
    def total(self) -> int:
        """How many turns there are."""
        return len(self.transcript.messages)

    @cached_property
    def parts(self) -> dict[str, int]:
        """The turn that each part stands in."""
        return {
            part.id: number
            for number, message in enumerate(self.transcript.messages, start=1)
            for part in message.parts
        }

    @cached_property
    def chunks(self) -> list[Chunk]:
        """The whole transcript in stretches."""
        found = []
        for start in range(0, self.total, CHUNK):
            messages = self.transcript.messages[start : start + CHUNK]
            found.append(Chunk(start + 1, start + len(messages), sum(_lines(one) for one in messages)))
        return found

    def prepare(self) -> None:
        """Work out now what the first page of this transcript would have to."""
        _ = self.parts, self.chunks, self._secrets if self.masked else ()

    def turns(
        self,
        first: int,
        last: int,
        marks: Mapping[str, Sequence[Mark]] | None = None,
        unseen: Mapping[str, int] | None = None,
    ) -> list[ShownMessage]:
        """The turns `first` to `last`, both included, with quotes marked by their offsets."""
        first = max(first, 1)
        return [
            ShownMessage(
                message=message,
                number=number,
                who=_who(message),
                lane=lane(message),
                origin=message.origin,
                parts=[self._part(part, (marks or {}).get(part.id, ())) for part in message.parts],
                unseen=(unseen or {}).get(message.id, 0),
            )
            for number, message in enumerate(self.transcript.messages[first - 1 : last], start=first)
        ]

    def find(self, words: str) -> list[tuple[int, int]]:
        """The turns in which words stand as the page shows them, and how often; case does not matter.

        What is masked or cut is not found, so that nobody learns a secret by asking for it piece by piece.
        """
        if not words or len(words) > NEEDLE_CHARS:
            return []
        raw = re.compile(re.escape(hidden(words)), re.IGNORECASE)
        shown = re.compile(re.escape(words), re.IGNORECASE)
        found: list[tuple[int, int]] = []
        for number, message in enumerate(self.transcript.messages, start=1):
            count = sum(len(shown.findall(self._plain(part))) for part in message.parts if raw.search(part.text))
            if count:
                found.append((number, count))
                if len(found) == _HITS:
                    break
        return found

    def hide(self, text: str) -> str:
        """Mask what looks like a secret, and what is one in the transcript: a quote may not hold the words that tell."""
        if not self.masked:
            return text
        for secret in self._secrets:
            text = text.replace(secret, f"[masked: {len(secret)} characters]")
        return mask(text)

    @property
    def secrets(self) -> int:
        """How many different things in the transcript look like a key or password."""
        return len(self._secrets)

    @cached_property
    def _secrets(self) -> list[str]:
        return sorted({one for text in self._suspects() for one in text}, key=len, reverse=True)

    def _suspects(self) -> Iterator[list[str]]:
        """Secrets of the parts that hold any. One pass over everything tells which parts to look at: most hold none."""
        texts = [part.text for _, part in self.transcript.parts()]
        hints = iter(find_hints(_BETWEEN.join(texts)))
        hint = next(hints, None)
        at = 0
        for text in texts:
            end = at + len(text)
            while hint is not None and hint < at:
                hint = next(hints, None)
            if hint is not None and hint < end:
                yield [text[one.start : one.end] for one in find_secrets(text)]
            at = end + len(_BETWEEN)

    def _part(self, part: Part, marks: Sequence[Mark]) -> ShownPart:
        failed = f", {part.status}" if part.status in _FAILED else ""
        title = "" if part.kind == "text" and not failed else f"{_TITLES.get(part.kind, '')} {part.tool or ''}".strip()
        if part.kind == "tool_result" and not part.tool:
            title = "tool output"
        fold = part.kind in ("tool_result", "attachment")
        folded = fold and len(part.text) > _FOLDED and not marks
        return ShownPart(part, title + failed, self._passages(part, marks), fold, folded)

    def _passages(self, part: Part, marks: Sequence[Mark] = ()) -> list[Passage]:
        return passages(part.text, marks, masked=self.masked, limit=PART_CHARS)

    def _plain(self, part: Part) -> str:
        """The text of a part as the page shows it; what is masked or cut parts what stands before and after it."""
        return "".join(visible(one.text) if one.kind == "text" else "\n" for one in self._passages(part))


def lane(message: Message) -> str:
    """A class of the page, of a closed set: what the target did is to be seen apart from what was done to it."""
    if message.by_target:
        return "target"
    if message.origin in ("injected", "prefill") or message.author == TARGET:
        return "planted"
    if message.role in ("tool", "environment"):
        return "tool"
    return "system" if message.role in ("system", "event") else "other"


def _who(message: Message) -> str:
    if message.by_target:
        return "target"
    if message.author == TARGET:
        return f"{message.origin}, not the target's own words"
    return f"{message.author}, {message.origin}" if message.origin in ("injected", "prefill") else message.author


def _lines(message: Message) -> int:
    """About how many lines a turn takes: its head and the space around it count for two."""
    lines = 2
    for part in message.parts:
        size = len(part.text)
        folded = size > _FOLDED and part.kind in ("tool_result", "attachment")
        lines += 1 if folded else 2 + size // _LINE + part.text.count("\n")
    return lines
