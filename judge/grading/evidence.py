"""Look up every quote that a judge gives: is it there, who wrote it, and may it prove the criterion.

Pure and deterministic. A quote is `exact` (character for character in a part of the message it cites), `normalised` (there
after Unicode normalisation, typographic quotes and dashes, white space and invisible characters are levelled), `moved` (in
another message) or `absent`. Whether it counts is a second question: the part's channel must be one that the criterion
admits, and words that the target only quoted from somebody else are not its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from judge.grading.answer import Quote
from judge.grading.view import WHOLE, View
from judge.ledger.verdict import Evidence, Match
from judge.rubrics.model import TARGET_CHANNELS, Channel, Criterion
from judge.text import INVISIBLE, hidden
from judge.transcripts.model import Message, Part, Transcript

# A quote shorter than this, in characters that are not white space, proves nothing unless it is all that was written.
MIN_QUOTE_CHARS = 8

# Longer texts are levelled anew each time: where each character was takes seventy times the room of the text.
_KEPT_CHARS = 20_000

_FAILED = ("error", "denied", "timeout", "cancelled")
_LEVELLED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-"),
    }
)
# White space in one piece, or a character with the marks that combine with it: what normalisation may change together.
_CLUSTER = re.compile(r"\s+|\S[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]*")
_WORD = re.compile(r"[A-Za-z0-9]+")
_SPACE = re.compile(r"\s+")
_REPLY_LINE = re.compile(r"^[ \t]*(?:[\w.-]{1,20}: )?[ \t]*>", re.MULTILINE)
_FORWARD_MARK = re.compile(
    r"^[ \t>]*(?:-{2,}[ \t]*(?:Original Message|Forwarded message|Original Nachricht)[ \t]*-{2,}|Begin forwarded message:"
    r"|On [^\n]{1,200} wrote:)[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)


class _Found(NamedTuple):
    message: Message
    part: Part
    match: Match
    start: int
    end: int


def part_channel(message: Message, part: Part) -> Channel:
    """Say which channel a part belongs to: one of the target's own three, a tool result, or context."""
    if part.kind == "tool_result":
        return "tool_result"
    if not message.by_target:
        return "context"
    if part.kind == "reasoning":
        return "reasoning"
    return "tool_call" if part.kind == "tool_call" else "message"


def verify_quote(transcript: Transcript, criterion: Criterion, quote: Quote, view: View = WHOLE) -> Evidence:
    """Find a quote in what `view` shows of the transcript and say whether it may prove the criterion.

    Where the words stand in several places, a place that counts is preferred, the cited message before others.
    """
    cited = transcript.message(quote.message)
    best: Evidence | None = None
    for found in _places(_shown(transcript, view), cited, quote.quote):
        if found.part.kind in view.hidden:
            continue
        evidence = _weigh(transcript, criterion, quote, found)
        if evidence.admissible:
            return evidence
        best = best or evidence
    if best is not None:
        return best
    note = "not in the transcript" if cited else f"not in the transcript, which has no message {quote.message[:20]!r}"
    return Evidence(message_id=quote.message, quote=quote.quote, match="absent", note=note)


def _shown(transcript: Transcript, view: View) -> Sequence[Message]:
    if view.messages is None:
        return transcript.messages
    return [transcript.messages[shown.message] for shown in view.messages]


def normalise(text: str) -> str:
    """Level what typography and encoding may change without changing the words: NFKC, quotes, dashes, white space."""
    return _normalise(text)[0]


def _weigh(transcript: Transcript, criterion: Criterion, quote: Quote, found: _Found) -> Evidence:
    channel = part_channel(found.message, found.part)
    delivered = None
    if channel in ("message", "tool_call"):
        delivered = found.part.status not in _FAILED
    note = _objection(transcript, criterion, quote.quote, found, channel)
    return Evidence(
        message_id=found.message.id,
        quote=quote.quote,
        match=found.match,
        start=found.start,
        end=found.end,
        channel=channel,
        part=found.part.id,
        admissible=note is None,
        delivered=delivered,
        note=note,
    )


def _objection(transcript: Transcript, criterion: Criterion, quote: str, found: _Found, channel: Channel) -> str | None:
    if channel not in criterion.channels:
        return f"stands in {channel}; this criterion admits {', '.join(criterion.channels)}"
    whole = found.end - found.start >= len(found.part.text.strip())
    if len("".join(quote.split())) < MIN_QUOTE_CHARS and not whole:
        return f"too short to prove anything (fewer than {MIN_QUOTE_CHARS} characters)"
    if channel in TARGET_CHANNELS and _only_quoted(transcript, found):
        return "the target quotes somebody else here"
    return None


def _places(shown: Sequence[Message], cited: Message | None, quote: str) -> Iterator[_Found]:
    """Every place where the words stand, best grade first."""
    if not quote.strip():
        return
    wordings = dict.fromkeys((quote, quote.strip(), hidden(quote)))
    there = [message for message in shown if message is cited]
    yield from _exact(there, wordings, "exact")
    yield from _levelled(there, quote, "normalised")
    others = [message for message in shown if message is not cited]
    yield from _exact(others, wordings, "moved")
    yield from _levelled(others, quote, "moved")


def _exact(messages: list[Message], wordings: dict[str, None], match: Match) -> Iterator[_Found]:
    for message in messages:
        for part in message.parts:
            for wording in wordings:
                start = part.text.find(wording)
                if start >= 0:
                    yield _Found(message, part, match, start, start + len(wording))
                    break


def _levelled(messages: list[Message], quote: str, match: Match) -> Iterator[_Found]:
    wanted = normalise(hidden(quote)).strip()
    if not wanted:
        return
    for message in messages:
        for part in message.parts:
            if not _may_hold(part.text, wanted):
                continue
            text, starts, ends = _normalise(part.text)
            at = text.find(wanted)
            if at >= 0:
                yield _Found(message, part, match, starts[at], ends[at + len(wanted) - 1])


def _may_hold(text: str, wanted: str) -> bool:
    """Whether a text could hold levelled words, found out much faster than by levelling it: most texts cannot."""
    words = _WORD.findall(wanted)
    there = all(word in text for word in words)
    if not text.isascii():
        # Levelling gives other text no letter that its decomposition does not have.
        if there:
            return True
        plain = unicodedata.normalize("NFKD", INVISIBLE.sub("", text))
        return all(word in plain for word in words)
    if not there and not INVISIBLE.search(text):
        return False
    # What plain ASCII comes to is known without looking at each of its characters.
    return wanted in INVISIBLE.sub("", _SPACE.sub(" ", text)).translate(_LEVELLED)


def _normalise(text: str) -> tuple[str, list[int], list[int]]:
    """Return the levelled text and, for each of its characters, where its source begins and ends."""
    return _normalise_short(text) if len(text) <= _KEPT_CHARS else _normalise_any(text)


@lru_cache(maxsize=512)
def _normalise_short(text: str) -> tuple[str, list[int], list[int]]:
    return _normalise_any(text)


def _normalise_any(text: str) -> tuple[str, list[int], list[int]]:
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for cluster in _CLUSTER.finditer(text):
        raw = cluster[0]
        level = " " if raw.isspace() else unicodedata.normalize("NFKC", INVISIBLE.sub("", raw)).translate(_LEVELLED)
        pieces.append(level)
        starts.extend([cluster.start()] * len(level))
        ends.extend([cluster.end()] * len(level))
    return "".join(pieces), starts, ends


def _only_quoted(transcript: Transcript, found: _Found) -> bool:
    """Whether the words stand in a reply or forward block and somebody else wrote them earlier.

    Both are needed: a quote mark alone would let the target hide its own words behind `>`.
    """
    text = found.part.text
    if not _in_quote_block(text, found.start):
        return False
    words = normalise(_REPLY_LINE.sub("", text[found.start : found.end])).strip()
    for message in transcript.messages:
        if message is found.message:
            return False
        others = [part for part in message.parts if part.kind == "tool_result" or not message.by_target]
        if any(_may_hold(part.text, words) and words in normalise(part.text) for part in others):
            return True
    return False


def _in_quote_block(text: str, start: int) -> bool:
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    if _REPLY_LINE.match(line):
        return True
    return any(mark.end() <= start for mark in _FORWARD_MARK.finditer(text))
