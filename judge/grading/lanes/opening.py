"""How each judge is reached: the lane that its questions go through. What a lane does is its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from judge.errors import InputError
from judge.grading.budget import Budget
from judge.grading.exchange import Lane
from judge.grading.judges import Judge
from judge.grading.lanes.batches import Shelf, State
from judge.grading.lanes.embedded import EmbeddedLane, check_embedded
from judge.grading.lanes.pace import Paces
from judge.grading.lanes.replay import Recording, ReplayLane, open_recording
from judge.rubrics.model import Rubric


def seat(judge: Judge, rubrics: tuple[Rubric, ...], together: int) -> list[tuple[Judge, tuple[Rubric, ...]]]:
    """Return a judge with the rubrics that it is asked for, once for each group of `together` that shares a call."""
    if together == 1 or judge.embedded or judge.replayed:
        return [(judge, rubrics)]
    from judge.grading.together import seat_together

    return seat_together(judge, rubrics, together)


def open_lane(
    judge: Judge,
    budget: Budget,
    paces: Paces | None = None,
    *,
    repeats: bool = True,
    rubrics: Sequence[Rubric] = (),
    shelf: Shelf | None = None,
    on_batch: Callable[[str, State], None] = lambda _batch, _state: None,
) -> tuple[Judge, Lane]:
    """Choose how a judge is reached; a recording answers in the name of the judge that was recorded.

    `repeats` says whether more than one question is asked of a transcript, so that a provider's cache pays. `shelf` is where
    batches are kept of a judge that is asked in batches, and `on_batch` is told how they stand. `rubrics` are those of a judge
    that is asked for several in one call.

    Raises:
        InputError: if the judge cannot work, or a budget is set and its price is unknown.
    """
    if judge.embedded:
        check_embedded(judge)
        return judge, EmbeddedLane()
    if judge.replayed:
        recording: Recording = open_recording(judge)
        return recording.judge, ReplayLane(recording)
    from judge.grading.lanes.client import check_judge
    from judge.grading.lanes.lane import LLMLane
    from judge.grading.lanes.prices import known_price

    check_judge(judge)
    if budget.limit_usd is not None and judge.price is None and known_price(judge.model) is None:
        raise InputError(
            f"--budget: the price of {judge.model!r} is unknown, so a budget cannot be kept; "
            "give it in USD per million tokens: --price INPUT/OUTPUT"
        )
    if judge.via == "batch":
        from judge.grading.lanes.batching import BatchTransport, Unhurried

        transport = BatchTransport(judge, shelf, on_state=on_batch)
        lane: Lane = LLMLane(judge, budget, Unhurried(), repeats=repeats, transport=transport)
    else:
        lane = LLMLane(judge, budget, paces.of(judge) if paces else None, repeats=repeats)
    if judge.together:
        from judge.grading.together import TogetherLane

        lane = TogetherLane(lane, rubrics)
    return judge, lane
