"""What a run would ask and cost, before anything is sent. Estimates: tokens are counted without the model's tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from judge.frozen import Frozen
from judge.grading.decision import decide_unasked
from judge.grading.judges import Judge, Price
from judge.grading.judging import make_verdict_id
from judge.grading.lanes.opening import seat
from judge.grading.prompt import INSTRUCTIONS, WINDOW_INSTRUCTIONS, Boundary, render_question, render_transcript
from judge.grading.view import View
from judge.grading.windows.dividing import plan_views
from judge.grading.windows.tokens import estimate_tokens
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript

# A finding is a reason of one to three sentences, a quote or two and its frame.
_TOKENS_PER_FINDING = 130
_TOKENS_PER_ANSWER = 60
# The mark before a line is random letters, of which a vocabulary knows fewer than of words.
_TOKENS_PER_MARK = 5
# A question, one re-ask for the schema, one for the evidence, and one for the schema of that.
MOST_REQUESTS = 4
# A question for several rubrics and one re-ask for its schema; after that each is asked for by itself.
_MOST_JOINT = 2


class Preview(Frozen):
    """What one judge would be asked: `calls` questions for `verdicts` verdicts, where long transcripts take several.

    `found` verdicts are in the ledger and not among them. `cost_usd` is null where the price is unknown, which is not the
    same as free.
    """

    judge: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    most_requests_per_call: int = MOST_REQUESTS
    verdicts: int = 0
    found: int = 0


def preview(
    transcripts: Iterable[Transcript],
    rubrics: Sequence[Rubric],
    judges: Sequence[Judge],
    samples: int,
    is_found: Callable[[str], bool] = lambda _verdict_id: False,
    together: int = 1,
) -> Iterator[Preview]:
    """Yield what each judge would be asked, so many rubrics in a call.

    `is_found` says of a verdict's id whether it need not be asked again.
    """
    counts = [_Count() for _ in judges]
    for transcript in transcripts:
        tokens: dict[tuple[View, ...], int] = {}
        for judge, count in zip(judges, counts, strict=True):
            for seated, own in seat(judge, tuple(rubrics), together):
                _add(count, transcript, own, seated, samples, is_found, tokens)
    for judge, count in zip(judges, counts, strict=True):
        price = find_price(judge)
        cost = None if price is None else (count.input_tokens * price.input + count.output_tokens * price.output) / 1e6
        most = MOST_REQUESTS if together == 1 else _MOST_JOINT + together * MOST_REQUESTS
        yield Preview(judge=judge.model, cost_usd=cost, most_requests_per_call=most, **vars(count))


@dataclass
class _Count:
    verdicts: int = 0
    found: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, calls: int, shown_tokens: int, questions: int, rubric: Rubric) -> None:
        """Count calls, what they show of the transcript, and how often they ask about a rubric."""
        self.calls += calls
        self.input_tokens += shown_tokens + questions * estimate_tokens(render_question(rubric))
        self.output_tokens += questions * (_TOKENS_PER_ANSWER + _TOKENS_PER_FINDING * len(rubric.criteria))


def _add(
    count: _Count,
    transcript: Transcript,
    rubrics: Sequence[Rubric],
    judge: Judge,
    samples: int,
    is_found: Callable[[str], bool],
    tokens: dict[tuple[View, ...], int],
) -> None:
    """Add what a judge would be asked of a transcript on rubrics that share a call, unless it is read in windows."""
    joint = [0] * samples  # verdicts that a call for all rubrics is needed for, by sample
    shown = 0
    for rubric in rubrics:
        new = [not is_found(make_verdict_id(transcript, rubric, judge, sample)) for sample in range(samples)]
        count.found += samples - sum(new)
        if not any(new) or decide_unasked(transcript, rubric):
            continue
        views = plan_views(transcript, rubric, judge)
        if views not in tokens:
            tokens[views] = sum(_count_shown(transcript, view) for view in views)
        count.verdicts += sum(new)
        if judge.together and views[0].whole:
            joint = [one + more for one, more in zip(joint, new, strict=True)]
            shown = tokens[views]
        else:
            count.add(sum(new) * len(views), sum(new) * tokens[views], sum(new) * len(views), rubric)
    if calls := sum(map(bool, joint)):
        for place, rubric in enumerate(rubrics):
            count.add(0 if place else calls, 0 if place else calls * shown, calls, rubric)


def _count_shown(transcript: Transcript, view: View) -> int:
    """The tokens of instructions and transcript in one prompt."""
    shown = render_transcript(transcript, Boundary("0" * 32, "aaaaaa"), view)
    instructions = INSTRUCTIONS if view.whole else INSTRUCTIONS + WINDOW_INSTRUCTIONS
    return estimate_tokens(instructions) + estimate_tokens(shown) + _TOKENS_PER_MARK * shown.count("\n")


def find_price(judge: Judge) -> Price | None:
    """Return what a judge costs: as given, nothing for one without a provider, else litellm's bundled price."""
    if judge.price is not None:
        return judge.price
    if judge.embedded or judge.replayed:
        return Price(input=0, output=0)
    from judge.grading.lanes.client import missing_keys
    from judge.grading.lanes.prices import known_price

    missing_keys(judge)  # refuses a judge that cannot be; what it would cost can be told without its key
    return known_price(judge.model, batch=judge.via == "batch")
