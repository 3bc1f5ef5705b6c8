"""Plan how a transcript is read: whole where it fits the judge's context, otherwise in overlapping windows.

Pure. Nothing is dropped: every message is in some window, and every character of what anybody wrote. Only the output of a
tool that would fill more than a quarter of a window is cut, to its beginning and its end; the prompt and the coverage say
what is left out. What the target wrote is never cut: a text longer than a window runs on in the next.

- A message that takes at most a quarter of a window stays in one piece, and so does a tool call with its results if they
  take no more together. A result whose call lies further back brings the call along.
- A window begins with the last pieces of the one before: an eighth of it, one piece at least.
- The messages before the target's first, where its task stands, are repeated in every window as far as they fit in an
  eighth of it.

Tokens are estimated from above (`judge.grading.tokens`), without the model's tokenizer; where a provider still finds a
prompt too long, the rest is planned anew at half the size (`judge.grading.judging`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from judge.grading.judges import Judge
from judge.grading.prices import known_context
from judge.grading.prompt import INSTRUCTIONS, WINDOW_INSTRUCTIONS, render_question
from judge.grading.tokens import estimate_most
from judge.grading.view import Shown, Stretch, View
from judge.rubrics.model import Rubric
from judge.text import visible
from judge.transcripts.model import Message, Part, Transcript

#: What a judge is taken to read where nobody says and no list of models knows, in tokens.
DEFAULT_CONTEXT: Final = 128_000
#: The smallest window that is worth asking about, in tokens; a prompt that is too long with less has overflowed.
LEAST_WINDOW: Final = 2_000

#: Changes with any change here that could divide the same transcript differently.
RULES: Final = "judge.windows/1"
# The rubric's question takes this much in every plan, so that all rubrics share the windows that a provider caches.
_QUESTION = 4_000
_COMPLAINT = 3_000
_SCHEMA = 1_000
# Shares of a window.
_PIECE = 1 / 4
_CUT_TO = 1 / 8
_SPLIT = 1 / 16
_OVERLAP = 1 / 8
_TASK = 1 / 8
_CALLS = 1 / 8
_KEPT_PLANS = 16


class _Piece(NamedTuple):
    """What is never divided: one message or several, or a stretch of one that is too long."""

    tokens: float
    shown: tuple[Shown, ...]


def plan_views(transcript: Transcript, rubric: Rubric, judge: Judge) -> tuple[View, ...]:
    """Return what the judge is shown, one view after another: the whole transcript if it is sure to fit.

    An embedded judge has no context to fill.
    """
    hidden = frozenset[str](judge.hides)
    if judge.embedded:
        return (View(hidden=hidden),)
    return split(transcript, window_tokens(rubric, judge), hidden)


def read_context(judge: Judge) -> int | None:
    """Return how many tokens a judge reads at once: as given, as known of its model, or as assumed; None: any number."""
    if judge.embedded:
        return None
    return judge.context or known_context(judge.model) or DEFAULT_CONTEXT


def window_tokens(rubric: Rubric, judge: Judge) -> int:
    """Return how many tokens of transcript fit beside the instructions, the question and room for two answers."""
    context = read_context(judge) or DEFAULT_CONTEXT
    question = max(_QUESTION, _question_tokens(rubric))
    taken = _instruction_tokens() + question + _SCHEMA + _COMPLAINT + 2 * judge.max_tokens
    return max(LEAST_WINDOW, context - int(taken))


def transcript_tokens(transcript: Transcript, hidden: frozenset[str] = frozenset()) -> float:
    """Estimate the tokens of a whole rendered transcript from above."""
    return _frame_tokens(transcript) + sum(_message_tokens(message, hidden) for message in transcript.messages)


def split(transcript: Transcript, tokens: int, hidden: frozenset[str], first: int = 0) -> tuple[View, ...]:
    """Return windows of at most `tokens` for the messages from number `first` on; one view of everything if that fits."""
    key = (transcript.content_sha256, tokens, hidden, first)
    if (found := _plans.get(key)) is not None:
        _plans.move_to_end(key)
        return found
    if first == 0 and _fits(transcript, tokens, hidden):
        views: tuple[View, ...] = (View(hidden=hidden),)
    else:
        views = _make_windows(transcript, tokens, hidden, first)
    _plans[key] = views
    if len(_plans) > _KEPT_PLANS:
        _plans.popitem(last=False)
    return views


# Every rubric and sample asks for the same plan, one after another.
_plans: OrderedDict[tuple[str, int, frozenset[str], int], tuple[View, ...]] = OrderedDict()


def _fits(transcript: Transcript, tokens: int, hidden: frozenset[str]) -> bool:
    # Most transcripts are short: no text has more than three tokens to a byte or sixteen to a line, and counting is quick.
    bytes_ = sum(len(part.text.encode("utf-8", "surrogatepass")) for _, part in transcript.parts())
    lines = sum(part.text.count("\n") + 2 for _, part in transcript.parts()) + len(transcript.messages)
    if 3 * bytes_ + 24 * lines <= tokens:
        return True
    return transcript_tokens(transcript, hidden) <= tokens


def _make_windows(transcript: Transcript, tokens: int, hidden: frozenset[str], first: int) -> tuple[View, ...]:
    cut: set[str] = set()
    pieces = list(_join_calls(transcript, list(_make_pieces(transcript, tokens, hidden, first, cut)), tokens))
    task, task_tokens = _find_task(transcript, tokens, hidden)
    calls = _find_calls(transcript)
    runs: list[tuple[tuple[_Piece, ...], frozenset[int]]] = []
    start = 0
    while True:
        end, fetched = _fill(transcript, pieces, start, calls, tokens, task_tokens, hidden)
        runs.append((tuple(pieces[start:end]), fetched))
        if end == len(pieces):
            break
        start = max(start + 1, _step_back(pieces, end, tokens))
    views = []
    for number, (run, fetched) in enumerate(runs, start=1):
        own = _unite(transcript, run)
        there = {shown.message for shown in own}
        again = (task | fetched) - there
        shown = tuple(sorted([*(Shown(message) for message in again), *own], key=lambda one: one.message))
        views.append(View(shown, again, frozenset(cut), hidden, (number, len(runs))))
    return tuple(views)


def _fill(
    transcript: Transcript,
    pieces: list[_Piece],
    start: int,
    calls: dict[int, tuple[int, ...]],
    tokens: int,
    used: float,
    hidden: frozenset[str],
) -> tuple[int, frozenset[int]]:
    """Return where the window that begins at piece `start` ends, and which earlier calls it repeats."""
    first = pieces[start].shown[0].message
    fetched: set[int] = set()
    fetched_tokens = 0.0
    end = start
    while end < len(pieces):
        piece = pieces[end]
        wanted = {call for one in piece.shown for call in calls.get(one.message, ()) if call < first} - fetched
        costs = {call: _message_tokens(transcript.messages[call], hidden) for call in sorted(wanted)}
        affordable: dict[int, float] = {}
        for call, cost in costs.items():
            if fetched_tokens + sum(affordable.values()) + cost <= tokens * _CALLS:
                affordable[call] = cost
        needed = piece.tokens + sum(affordable.values())
        if end > start and used + needed > tokens:
            break
        used += needed
        fetched |= affordable.keys()
        fetched_tokens += sum(affordable.values())
        end += 1
    return end, frozenset(fetched)


def _step_back(pieces: list[_Piece], end: int, tokens: int) -> int:
    """Return where the next window begins, so that it repeats the last pieces before `end`."""
    start, repeated = end - 1, pieces[end - 1].tokens
    while start > 0 and repeated + pieces[start - 1].tokens <= tokens * _OVERLAP:
        start -= 1
        repeated += pieces[start].tokens
    return start


def _make_pieces(
    transcript: Transcript, tokens: int, hidden: frozenset[str], first: int, cut: set[str]
) -> Iterator[_Piece]:
    """Yield the pieces of a transcript in order; `cut` takes the ids of parts of which something is left out."""
    for number in range(first, len(transcript.messages)):
        message = transcript.messages[number]
        total = _message_tokens(message, hidden)
        if total <= tokens * _PIECE:
            yield _Piece(total, (Shown(number),))
            continue
        stretches: list[tuple[float, Stretch]] = []
        for at, part in enumerate(message.parts):
            stretches.extend(_make_stretches(part, at, tokens, hidden, cut))
        heading = _heading_tokens(message)
        kept = heading + sum(cost for cost, _ in stretches)
        if kept <= tokens * _PIECE:
            yield _Piece(kept, (Shown(number, tuple(stretch for _, stretch in stretches)),))
            continue
        for cost, stretch in stretches:
            yield _Piece(heading + cost, (Shown(number, (stretch,)),))


def _make_stretches(
    part: Part, at: int, tokens: int, hidden: frozenset[str], cut: set[str]
) -> Iterator[tuple[float, Stretch]]:
    total = _part_tokens(part, hidden)
    if part.kind in hidden or total <= tokens * _SPLIT:
        yield total, Stretch(at, 0, len(part.text))
    elif part.kind == "tool_result" and total > tokens * _PIECE:
        cut.add(part.id)
        head = next(_cut_up(part, 0, tokens * _CUT_TO * 2 / 3))
        tail = max(head[1], _find_tail(part, tokens * _CUT_TO / 3))
        yield head[0], Stretch(at, 0, head[1])
        yield _stretch_tokens(part, tail, len(part.text)), Stretch(at, tail, len(part.text))
    else:
        start = 0
        for cost, end in _cut_up(part, 0, tokens * _SPLIT):
            yield cost, Stretch(at, start, end)
            start = end


def _cut_up(part: Part, start: int, most: float) -> Iterator[tuple[float, int]]:
    """Yield the ends of stretches of about `most` tokens, at the end of a line where one is near, with their tokens."""
    text = part.text
    step = max(1, min(1024, int(most / 16)))
    cost = 2.0 * _line_tokens(part)
    at = start
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


def _join_calls(transcript: Transcript, pieces: list[_Piece], tokens: int) -> Iterator[_Piece]:
    """Put the results that directly follow a message's calls into one piece with it, as far as they fit."""
    held: _Piece | None = None
    owned: set[str] = set()
    for piece in pieces:
        (shown,) = piece.shown
        message = transcript.messages[shown.message]
        answers = {part.answers for part in message.parts if part.kind == "tool_result"}
        if held and shown.stretches is None and answers and answers <= owned:
            joined = held.tokens + piece.tokens
            if joined <= tokens * _PIECE:
                held = _Piece(joined, (*held.shown, shown))
                continue
        if held:
            yield held
        held = piece
        owned = {part.id for part in message.parts if part.kind == "tool_call"}
    if held:
        yield held


def _find_calls(transcript: Transcript) -> dict[int, tuple[int, ...]]:
    """Return, for each message with tool results, the messages of the calls that they answer, where those are others."""
    where = {
        part.id: number
        for number, message in enumerate(transcript.messages)
        for part in message.parts
        if part.kind == "tool_call"
    }
    found: dict[int, tuple[int, ...]] = {}
    for number, message in enumerate(transcript.messages):
        calls = {where[part.answers] for part in message.parts if part.answers in where}
        if calls - {number}:
            found[number] = tuple(sorted(calls - {number}))
    return found


def _find_task(transcript: Transcript, tokens: int, hidden: frozenset[str]) -> tuple[frozenset[int], float]:
    """Return the messages before the target's first, as far as they fit in their share, and their tokens."""
    task: set[int] = set()
    frame, used = _frame_tokens(transcript), 0.0
    for number, message in enumerate(transcript.messages):
        if message.by_target:
            break
        cost = _message_tokens(message, hidden)
        if used + cost <= tokens * _TASK:
            task.add(number)
            used += cost
    return frozenset(task), frame + used


def _unite(transcript: Transcript, run: tuple[_Piece, ...]) -> tuple[Shown, ...]:
    """Join the pieces of a window: stretches that meet become one, a message of which all is there is shown whole."""
    stretches: OrderedDict[int, list[Stretch] | None] = OrderedDict()
    for piece in run:
        for shown in piece.shown:
            if shown.stretches is None:
                stretches[shown.message] = None
                continue
            there = stretches.setdefault(shown.message, [])
            for stretch in shown.stretches:
                if there is not None and there and _meet(there[-1], stretch):
                    there[-1] = Stretch(stretch.part, there[-1].start, stretch.end)
                elif there is not None:
                    there.append(stretch)
    return tuple(
        Shown(number, None if parts is None or _is_all(transcript.messages[number], parts) else tuple(parts))
        for number, parts in stretches.items()
    )


def _meet(one: Stretch, next_one: Stretch) -> bool:
    return one.part == next_one.part and one.end == next_one.start


def _is_all(message: Message, stretches: list[Stretch]) -> bool:
    return stretches == [Stretch(number, 0, len(part.text)) for number, part in enumerate(message.parts)]


def _frame_tokens(transcript: Transcript) -> float:
    """The boundary, which window it is, and the tools that were offered."""
    return 200 + sum(min(len(tool.name), 100) + 2 for tool in transcript.tools)


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


def _question_tokens(rubric: Rubric) -> float:
    if rubric.sha256 not in _questions:
        _questions[rubric.sha256] = estimate_most(render_question(rubric))
    return _questions[rubric.sha256]


_questions: dict[str, float] = {}


@cache
def _instruction_tokens() -> float:
    return estimate_most(INSTRUCTIONS) + estimate_most(WINDOW_INSTRUCTIONS)
