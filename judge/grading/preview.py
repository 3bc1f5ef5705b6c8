"""What a run would ask and cost, before anything is sent. Estimates: tokens are counted without the model's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from judge.frozen import Frozen
from judge.grading.judges import Judge, Price
from judge.grading.prompt import Boundary, render_prompt
from judge.grading.tokens import estimate_tokens
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript

# A finding is a reason of one to three sentences, a quote or two and its frame.
_TOKENS_PER_FINDING = 130
_TOKENS_PER_ANSWER = 60
# A question, one re-ask for the schema, one for the evidence, and one for the schema of that.
MOST_REQUESTS = 4


class Preview(Frozen):
    """What one judge would be asked. `cost_usd` is null where the price is unknown, which is not the same as free."""

    judge: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    most_requests_per_call: int = MOST_REQUESTS


def preview(
    transcripts: Iterable[Transcript], rubrics: Sequence[Rubric], judges: Sequence[Judge], samples: int
) -> Iterator[Preview]:
    """Yield what each judge would be asked, without regard to what a ledger holds already."""
    boundary = Boundary("0" * 32, "aaaaaa")
    calls = tokens_in = tokens_out = 0
    for transcript in transcripts:
        for rubric in rubrics:
            prompt = render_prompt(transcript, rubric, boundary)
            calls += samples
            tokens_in += samples * sum(estimate_tokens(text) for text in prompt)
            tokens_out += samples * (_TOKENS_PER_ANSWER + _TOKENS_PER_FINDING * len(rubric.criteria))
    for judge in judges:
        price = find_price(judge)
        cost = None if price is None else (tokens_in * price.input + tokens_out * price.output) / 1e6
        yield Preview(judge=judge.model, calls=calls, input_tokens=tokens_in, output_tokens=tokens_out, cost_usd=cost)


def find_price(judge: Judge) -> Price | None:
    """Return what a judge costs: as given, nothing for one without a provider, else litellm's bundled price."""
    if judge.price is not None:
        return judge.price
    if judge.embedded or judge.replayed:
        return Price(input=0, output=0)
    from judge.grading.client import check_judge
    from judge.grading.prices import known_price

    check_judge(judge)
    return known_price(judge.model)
