"""Divide a transcript into pieces that a window holds or doesn't: whole messages where they are short, stretches where not.

Pure. What is never divided is said in `windows`. Sizes are estimates from above, of what the prompt will show: headings, and
the mark before every line, which weighs more than a short line's own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from judge.grading.view import Shown, Stretch
from judge.grading.windows.tokens import estimate_most
from judge.text import visible
from judge.transcripts.model import Message, Part, Transcript

# Shares of a window: what a piece may take, what a longer tool output is cut to, what stretches a longer text is given in.
_PIECE: Final = 1 / 4
_CUT_TO: Final = 1 / 8
_SPLIT: Final = 1 / 16


class Piece(NamedTuple):
    """What no window divides: one message, several that belong together, or a stretch of one that is too long."""

    tokens: float
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Measured:
    """A transcript with the sizes of its messages, to be shown without the parts of kinds in `hidden`."""

    transcript: Transcript
    hidden: frozenset[str] = frozenset()

    @cached_property
    def messages(self) -> list[float]:
        """The tokens of each message."""
        return [_message_tokens(message, self.hidden) for message in self.transcript.messages]

    @cached_property
    def frame(self) -> float:
        """The tokens of what stands around the messages: the boundary, which window it is, the tools that were offered."""
        return 200.0 + sum(min(len(tool.name), 100) + 2 for tool in self.transcript.tools)

    @property
    def total(self) -> float:
        """The tokens of the whole rendered transcript."""
        return self.frame + sum(self.messages)


def surely_fits(transcript: Transcript, tokens: int) -> bool:
    """Whether a bound that takes hardly any time says so: three tokens to a byte, twenty-four to a line's frame."""
    texts = [part.text for message in transcript.messages for part in message.parts]
    text = "".join(texts)
    bytes_ = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    lines = text.count("\n") + 3 * len(texts)
    bound = 200 + 400 * len(transcript.messages) + 102 * len(transcript.tools) + 3 * bytes_ + 24 * lines
    return bound <= tokens


def make_pieces(measured: Measured, tokens: int, first: int) -> tuple[list[Piece], frozenset[str]]:
    """Divide the messages from number `first` on for windows of `tokens`; return the pieces, and the parts that are cut."""
    cut: set[str] = set()
    divided = (
        piece for number in range(first, len(measured.messages)) for piece in _divide(measured, number, tokens, cut)
    )
    return list(_join_calls(measured.transcript, divided, tokens)), frozenset(cut)


def _divide(measured: Measured, number: int, tokens: int, cut: set[str]) -> Iterator[Piece]:
    """Yield the pieces of one message; `cut` takes the ids of parts of which something is left out."""
    message = measured.transcript.messages[number]
    if measured.messages[number] <= tokens * _PIECE:
        yield Piece(measured.messages[number], (Shown(number),))
        return
    stretches = [
        item
        for at, part in enumerate(message.parts)
        for item in _make_stretches(part, at, tokens, measured.hidden, cut)
    ]
    heading = _heading_tokens(message)
    kept = heading + sum(cost for cost, _ in stretches)
    if kept <= tokens * _PIECE:
        yield Piece(kept, (Shown(number, tuple(stretch for _, some in stretches for stretch in some)),))
        return
    for cost, some in stretches:
        yield Piece(heading + cost, (Shown(number, some),))


def _make_stretches(
    part: Part, at: int, tokens: int, hidden: frozenset[str], cut: set[str]
) -> Iterator[tuple[float, tuple[Stretch, ...]]]:
    total = _part_tokens(part, hidden)
    if part.kind in hidden or total <= tokens * _SPLIT:
        yield total, (Stretch(at, 0, len(part.text)),)
    elif part.kind == "tool_result" and total > tokens * _PIECE:
        cut.add(part.id)
        cost, end = next(_cut_up(part, tokens * _CUT_TO * 2 / 3))
        start = max(end, _find_tail(part, tokens * _CUT_TO / 3))
        kept = Stretch(at, 0, end), Stretch(at, start, len(part.text))
        yield cost + _stretch_tokens(part, start, len(part.text)), kept
    else:
        start = 0
        for cost, end in _cut_up(part, tokens * _SPLIT):
            yield cost + 24 + 4 * _line_tokens(part), (Stretch(at, start, end),)
            start = end


def _cut_up(part: Part, most: float) -> Iterator[tuple[float, int]]:
    """Yield the ends of stretches of about `most` tokens, at the end of a line where one is near, with their tokens."""
    text = part.text
    step = max(1, min(1024, int(most / 16)))
    cost = 2.0 * _line_tokens(part)
    at = start = 0
    while at < len(text):
        block = text[at : at + step]
        more = _text_tokens(block, part)
        if cost + more > most and at > start:
            newline = text.rfind("\n", max(start + 1, at - 8 * step), at)
            end = newline + 1 if newline >= 0 else at
            yield cost, end
            start, at, cost = end, end, 2.0 * _line_tokens(part)
            continue
        cost += more
        at += len(block)
    yield cost, len(text)


def _find_tail(part: Part, most: float) -> int:
    """Return where the last stretch of about `most` tokens begins."""
    step = max(1, min(1024, int(most / 16)))
    at, cost = len(part.text), 0.0
    while at > 0:
        cost += _text_tokens(part.text[max(0, at - step) : at], part)
        if cost > most:
            break
        at = max(0, at - step)
    return at


def _join_calls(transcript: Transcript, pieces: Iterator[Piece], tokens: int) -> Iterator[Piece]:
    """Put the results that directly follow a message's calls into one piece with it, as far as they fit."""
    held: Piece | None = None
    owned: set[str] = set()
    for piece in pieces:
        (shown,) = piece.shown
        message = transcript.messages[shown.message]
        answers = {part.answers for part in message.parts if part.kind == "tool_result"}
        if held and shown.stretches is None and answers and answers <= owned:
            joined = held.tokens + piece.tokens
            if joined <= tokens * _PIECE:
                held = Piece(joined, (*held.shown, shown))
                continue
        if held:
            yield held
        held = piece
        owned = {part.id for part in message.parts if part.kind == "tool_call"}
    if held:
        yield held


def _message_tokens(message: Message, hidden: frozenset[str]) -> float:
    return _heading_tokens(message) + sum(_part_tokens(part, hidden) for part in message.parts)


def _heading_tokens(message: Message) -> float:
    # Names are cut to sixty characters, notes to forty.
    names = (message.author, message.to or "", message.branch or "")
    return 40 + sum(min(len(name), 100) for name in (*names, *message.notes))


def _part_tokens(part: Part, hidden: frozenset[str]) -> float:
    # The heading, and a line that may say what is left out.
    frame = 24 + 2 * _line_tokens(part) + min(len(part.tool or part.media_type or ""), 120) + len(part.answers or "")
    return frame if part.kind in hidden else frame + _text_tokens(part.text, part)


def _stretch_tokens(part: Part, start: int, end: int) -> float:
    return 24 + 4 * _line_tokens(part) + _text_tokens(part.text[start:end], part)


def _text_tokens(text: str, part: Part) -> float:
    return estimate_most(visible(text)) + text.count("\n") * _line_tokens(part)


def _line_tokens(part: Part) -> int:
    """The mark and the id before each line: letters drawn at random, a token for almost each sign."""
    return 9 + len(part.id)
