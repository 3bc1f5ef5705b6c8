"""What a panel would ask and cost, step by step, and how much of the work is expected to come to each step.

What is expected is what was measured when the thresholds were set; without thresholds nobody has measured how often the
members differ, and the share is unknown, which is not the same as none. Nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from judge.frozen import Frozen
from judge.grading.panels.panel import Panel
from judge.grading.preview import preview
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript


class StepPreview(Frozen):
    """What one step is asked if everything comes to it, and the share of transcripts that is expected to; null: unknown.

    `found` votes are there already and are not asked for again; nothing else counts them.
    """

    step: int
    judges: tuple[str, ...]
    found: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    reach: float | None
    expected_cost_usd: float | None


class PanelPreview(Frozen):
    """What a panel is asked at most, what is expected, and which share is expected to be left to people; null: unknown.

    `label_kinds`: whose labels the expectation rests on.
    """

    panel: str
    steps: tuple[StepPreview, ...]
    to_people: float | None
    cost_usd: float | None
    expected_cost_usd: float | None
    label_kinds: tuple[str, ...]


def preview_panel(
    transcripts: Sequence[Transcript],
    rubrics: Sequence[Rubric],
    panel: Panel,
    is_found: Callable[[str], bool] = lambda _verdict_id: False,
) -> PanelPreview:
    """Estimate what each step is asked; `is_found` says of a vote's id whether it need not be asked for again."""
    steps = tuple(_preview_step(transcripts, rubrics, panel, step, is_found) for step in range(1, panel.steps + 1))
    kinds = {kind for found in panel.thresholds.values() for kind in found.label_kinds}
    return PanelPreview(
        panel=panel.name,
        steps=steps,
        to_people=_mean([_reach(panel, rubric, panel.steps + 1) for rubric in rubrics]),
        cost_usd=_sum([step.cost_usd for step in steps]),
        expected_cost_usd=_sum([step.expected_cost_usd for step in steps]),
        label_kinds=tuple(sorted(kinds)),
    )


def _preview_step(
    transcripts: Sequence[Transcript],
    rubrics: Sequence[Rubric],
    panel: Panel,
    step: int,
    is_found: Callable[[str], bool],
) -> StepPreview:
    found = calls = tokens_in = tokens_out = 0
    costs: list[float | None] = []
    expected: list[float | None] = []
    for rubric in rubrics:
        share = _reach(panel, rubric, step)
        for seat in panel.seated(step, rubric):
            (one,) = preview(transcripts, [rubric], [seat.judge], seat.samples, is_found)
            found += one.found
            calls += one.calls
            tokens_in += one.input_tokens
            tokens_out += one.output_tokens
            costs.append(one.cost_usd)
            expected.append(None if one.cost_usd is None or share is None else one.cost_usd * share)
    return StepPreview(
        step=step,
        judges=tuple(seat.voter.name for seat in panel.seats if seat.step == step),
        found=found,
        calls=calls,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=_sum(costs),
        reach=_mean([_reach(panel, rubric, step) for rubric in rubrics]),
        expected_cost_usd=_sum(expected),
    )


def _reach(panel: Panel, rubric: Rubric, step: int) -> float | None:
    """The share of transcripts that comes to a step: all to the first, to later ones what was measured."""
    if step == 1:
        return 1.0
    found = panel.thresholds.get(rubric.id)
    return None if found is None else found.reach(step)


def _sum(values: Iterable[float | None]) -> float | None:
    known: list[float] = []
    for value in values:
        if value is None:
            return None
        known.append(value)
    return sum(known)


def _mean(values: Sequence[float | None]) -> float | None:
    total = _sum(values)
    return None if total is None or not values else total / len(values)
