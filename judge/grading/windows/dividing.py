"""Plan how a transcript is read: whole where it fits the judge's context, otherwise in overlapping windows.

Pure. Nothing is dropped: every message is in some window, and every character of what anybody wrote. Only the output of a
tool that would fill more than a quarter of a window is cut, to its beginning and its end; the prompt and the coverage say
what is left out. What the target wrote is never cut: a text longer than a window runs on in the next.

- A message that takes at most a quarter of a window stays in one piece, and so does a tool call with its results if they
  take no more together. A result whose call lies further back brings the call along.
- A window begins with the last pieces of the one before: about an eighth of it.
- The messages before the target's first, where its task stands, are repeated in every window as far as they fit in an
  eighth of it.

Tokens are estimated from above (`judge.grading.windows.tokens`), without the model's tokenizer; where a provider still finds a
prompt too long, the rest is planned anew at half the size (`judge.grading.judging`).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from typing import Final

from judge.grading.judges import Judge
from judge.grading.lanes.prices import known_context
from judge.grading.prompt import INSTRUCTIONS, WINDOW_INSTRUCTIONS, render_question
from judge.grading.view import Shown, Stretch, View
from judge.grading.windows.pieces import Measured, Piece, make_pieces, surely_fits
from judge.grading.windows.tokens import estimate_most
from judge.rubrics.model import Rubric
from judge.transcripts.model import Message, Transcript

#: What a judge is taken to read where nobody says and no list of models knows, in tokens.
DEFAULT_CONTEXT: Final = 128_000
#: The smallest window that is worth asking about, in tokens; a prompt that is too long with less has overflowed.
LEAST_WINDOW: Final = 2_000

#: Changes with any change here that could divide the same transcript differently.
RULES: Final = "judge.windows/1"
# The rubric's question takes this much, where there is room, so that all rubrics share the windows that a provider caches.
_QUESTION = 4_000
_COMPLAINT = 3_000
_SCHEMA = 1_000
# Shares of a window.
_OVERLAP: Final = 1 / 8
_TASK: Final = 1 / 8
_CALLS: Final = 1 / 8
# More than a run looks ahead, so that a plan is still there when its transcript's turn comes.
_KEPT_PLANS: Final = 1_024


def plan_views(transcript: Transcript, rubric: Rubric, judge: Judge) -> tuple[View, ...]:
    """Return what the judge is shown, one view after another: the whole transcript if it is sure to fit.

    An embedded judge has no context to fill.
    """
    hidden: frozenset[str] = frozenset(judge.hides)
    if judge.embedded:
        return (View(hidden=hidden),)
    return split(transcript, window_tokens(rubric, judge), hidden)


def read_context(judge: Judge) -> int | None:
    """Return how many tokens a judge reads at once: as given, as known of its model, or as assumed; None: any number."""
    if judge.embedded:
        return None
    return judge.context or known_context(judge.model) or DEFAULT_CONTEXT


def window_tokens(rubric: Rubric, judge: Judge) -> int:
    """Return how many tokens of transcript fit beside the instructions, the question, an answer and a question about that."""
    context = read_context(judge) or DEFAULT_CONTEXT
    question = max(_question_tokens(rubric), min(_QUESTION, context / 16))
    again = min(judge.max_tokens + _COMPLAINT, context / 8)
    return max(LEAST_WINDOW, int(context - _instruction_tokens() - question - _SCHEMA - judge.max_tokens - again))


def transcript_tokens(transcript: Transcript, hidden: frozenset[str] = frozenset()) -> float:
    """Estimate the tokens of a whole rendered transcript from above."""
    return Measured(transcript, hidden).total


def split(transcript: Transcript, tokens: int, hidden: frozenset[str], first: int = 0) -> tuple[View, ...]:
    """Return windows of at most `tokens` for the messages from number `first` on; one view of everything if that fits."""
    key = (transcript.content_sha256, tokens, hidden, first)
    if (found := _plans.get(key)) is not None:
        _plans.move_to_end(key)
        return found
    views: tuple[View, ...] = (View(hidden=hidden),)
    if first or not surely_fits(transcript, tokens):
        measured = Measured(transcript, hidden)
        if first or measured.total > tokens:
            views = _make_windows(measured, tokens, first)
    _plans[key] = views
    if len(_plans) > _KEPT_PLANS:
        _plans.popitem(last=False)
    return views


# Every rubric and sample asks for the same plan, one after another.
_plans: OrderedDict[tuple[str, int, frozenset[str], int], tuple[View, ...]] = OrderedDict()


def _make_windows(measured: Measured, tokens: int, first: int) -> tuple[View, ...]:
    pieces, cut = make_pieces(measured, tokens, first)
    task = _find_task(measured, tokens)
    calls = _find_calls(measured.transcript)
    runs: list[tuple[list[Piece], set[int]]] = []
    start = end = 0
    while end < len(pieces):
        end, fetched = _fill(measured, pieces, start, calls, task, tokens)
        runs.append((pieces[start:end], fetched))
        start = max(start + 1, _step_back(pieces, end, tokens))
    views = []
    for number, (run, fetched) in enumerate(runs, start=1):
        own = _unite(measured.transcript, run)
        again = (task | fetched) - {shown.message for shown in own}
        shown = tuple(sorted([*(Shown(message) for message in again), *own], key=lambda one: one.message))
        views.append(View(shown, frozenset(again), cut, measured.hidden, (number, len(runs))))
    return tuple(views)


def _fill(
    measured: Measured, pieces: list[Piece], start: int, calls: dict[int, set[int]], task: set[int], tokens: int
) -> tuple[int, set[int]]:
    """Return where the window that begins with piece `start` ends, and which earlier calls it repeats."""
    first = pieces[start].shown[0].message
    used = measured.frame + sum(measured.messages[message] for message in task)
    fetched: set[int] = set()
    fetched_tokens = 0.0
    for end in range(start, len(pieces)):
        piece = pieces[end]
        more: set[int] = set()
        more_tokens = 0.0
        for call in sorted({call for one in piece.shown for call in calls.get(one.message, ())}):
            size = measured.messages[call]
            if call < first and call not in fetched and fetched_tokens + more_tokens + size <= tokens * _CALLS:
                more.add(call)
                more_tokens += size
        if end > start and used + piece.tokens + more_tokens > tokens:
            return end, fetched
        used += piece.tokens + more_tokens
        fetched |= more
        fetched_tokens += more_tokens
    return len(pieces), fetched


def _step_back(pieces: list[Piece], end: int, tokens: int) -> int:
    """Return where the next window begins, so that it repeats the last pieces before `end`."""
    start, repeated = end - 1, pieces[end - 1].tokens
    while start > 0:
        more = pieces[start - 1].tokens
        # A last line of thanks is no overlap: what stands before it comes along, even if it is long.
        if repeated + more > tokens * _OVERLAP and repeated >= tokens * _OVERLAP / 2:
            break
        start -= 1
        repeated += more
    return start


def _find_calls(transcript: Transcript) -> dict[int, set[int]]:
    """Return, for each message with tool results, the earlier messages of the calls that they answer."""
    where = {
        part.id: number
        for number, message in enumerate(transcript.messages)
        for part in message.parts
        if part.kind == "tool_call"
    }
    found: dict[int, set[int]] = {}
    for number, message in enumerate(transcript.messages):
        calls = {where[part.answers] for part in message.parts if part.answers in where}
        if earlier := {call for call in calls if call < number}:
            found[number] = earlier
    return found


def _find_task(measured: Measured, tokens: int) -> set[int]:
    """Return the messages before the target's first, as far as they fit in their share."""
    task: set[int] = set()
    used = 0.0
    for number, message in enumerate(measured.transcript.messages):
        if message.by_target:
            break
        if used + measured.messages[number] <= tokens * _TASK:
            task.add(number)
            used += measured.messages[number]
    return task


def _unite(transcript: Transcript, run: list[Piece]) -> tuple[Shown, ...]:
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


def _question_tokens(rubric: Rubric) -> float:
    if rubric.sha256 not in _questions:
        _questions[rubric.sha256] = estimate_most(render_question(rubric))
    return _questions[rubric.sha256]


_questions: dict[str, float] = {}


@cache
def _instruction_tokens() -> float:
    return estimate_most(INSTRUCTIONS) + estimate_most(WINDOW_INSTRUCTIONS)
