"""What to label: how many items a claim needs, which transcripts to take next, and with which weights they count.

For a rare behaviour, labels drawn at random are mostly spent on clear negatives. Half of them go to what the judge flagged,
half to what it passed; each chosen transcript carries how many it stands for, without which no rate may be made from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from judge.calibration import planning
from judge.calibration.intervals import clopper_pearson
from judge.calibration.protocol import Protocol
from judge.calibration.rates import Stratum, two_phase
from judge.calibration.statistic import Statistic, undefined
from judge.errors import InputError
from judge.frozen import Frozen
from judge.ledger.verdict import Verdict
from judge.text import quoted

Part = Literal["flagged", "passed", "undecided"]
AUDITED: Final = 30  # new verdicts of each kind that a campaign's audit looks at (G8)


class Chosen(Frozen):
    """A transcript to label next. `weight`: how many transcripts it stands for; its stratum holds `of`, `drawn` are labelled."""

    transcript_id: str
    rubric: str
    judge: str
    stratum: Part
    weight: float
    drawn: int
    of: int
    seed: int


class Size(Frozen):
    """How many items of one kind put the lower bound of a share where it must be."""

    name: str
    bound: float
    supposed: float  # the true share that is supposed
    without_a_mistake: int  # the fewest that can do
    needed: int  # for the power wanted
    power: float  # reached by `needed`
    have: int
    lacking: int


class Plan(Frozen):
    """What a protocol costs in labels, if the judge is as good as is supposed."""

    protocol: str
    level: str
    confidence: float  # of each interval
    sizes: tuple[Size, ...]
    raters: int
    ratings: int  # labels in all that are lacking
    draw: int | None  # transcripts to draw at random to meet so many positives, at the prevalence given
    alpha_power: float | None  # the chance that raters who err so often reach the protocol's alpha
    repeats: int  # further verdicts of the judge, for repeatability
    notes: tuple[str, ...]


def choose_next(
    verdicts: Iterable[Verdict],
    labelled: Collection[tuple[str, str]],
    budget: int,
    *,
    rubric: str,
    judge: str,
    seed: int = 0,
) -> list[Chosen]:
    """Choose what to label next among transcripts that nobody has labelled; `labelled` are (transcript, rubric).

    Half of the budget goes to what the judge flagged, half to what it passed; where there are transcripts without a usable
    verdict, a third to each. A stratum that is smaller gives what is left to the others. The same seed gives the same choice.

    Raises:
        InputError: if nothing is left to label.
    """
    rows = {
        row.transcript_id: row
        for row in verdicts
        if (row.rubric, row.judge, row.sample) == (rubric, judge, 0) and (row.transcript_id, rubric) not in labelled
    }
    if not rows:
        raise InputError(f"no transcript with a verdict of {quoted(judge)} on {quoted(rubric)} is without a label")
    names = sorted(rows)
    strata = [_part(rows[name]) for name in names]
    draw = planning.draw_labels(strata, budget, seed=seed)
    sizes = {part: strata.count(part) for part in set(strata)}
    taken = [strata[int(index)] for index in draw.chosen]
    return [
        Chosen(
            transcript_id=names[int(index)],
            rubric=rubric,
            judge=judge,
            stratum=part,
            weight=float(weight),
            drawn=taken.count(part),
            of=sizes[part],
            seed=seed,
        )
        for index, weight, part in zip(draw.chosen, draw.weights, taken, strict=True)
    ]


def audit_budget(verdicts: Iterable[Verdict], labelled: Collection[tuple[str, str]], *, rubric: str, judge: str) -> int:
    """How many labels the random audit of new verdicts takes: `AUDITED` of each kind of verdict that there is.

    A certificate's error rates are assumed to carry over to new transcripts; this many labels, drawn by `choose_next`, test it:
    all flags or 30 of them, and 30 or more of what the judge passed.
    """
    ours = (row for row in verdicts if (row.rubric, row.judge, row.sample) == (rubric, judge, 0))
    return AUDITED * len({_part(row) for row in ours if (row.transcript_id, rubric) not in labelled})


def read_design(path: Path) -> list[Chosen]:
    """Read back what `judge gold next --to` wrote.

    Raises:
        InputError: if it cannot be read or is something else, with the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; write one with: judge gold next --to FILE"
        ) from None
    chosen = []
    for number, line in enumerate(lines, start=1):
        try:
            chosen.append(Chosen.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(f"{path}:{number}: {place}: {first['msg']}; give what judge gold next wrote") from None
    return chosen


def rate_from_design(chosen: Sequence[Chosen], truth: dict[str, bool], level: float = 0.95) -> Statistic:
    """The rate in the transcripts that a choice was made from, by two-phase sampling; `truth` by transcript.

    Undefined while a chosen transcript has no label: leaving out those that are hard to label would bend the rate.
    """
    waiting = [row.transcript_id for row in chosen if row.transcript_id not in truth]
    total = sum({row.stratum: row.of for row in chosen}.values())
    if waiting or not chosen:
        reason = f"{len(waiting)} of {len(chosen)} chosen transcripts have no label yet"
        return undefined(reason, method="two-phase estimate", n=total)
    strata = {
        row.stratum: Stratum(
            size=row.of,
            labelled=row.drawn,
            positive=sum(truth[other.transcript_id] for other in chosen if other.stratum == row.stratum),
        )
        for row in chosen
    }
    return two_phase([strata[part] for part in sorted(strata)], level)


def plan_labels(
    protocol: Protocol,
    *,
    sensitivity: float = 0.95,
    specificity: float = 0.98,
    power: float = 0.8,
    have: tuple[int, int] = (0, 0),
    prevalence: float | None = None,
    rater_error: float | None = None,
) -> Plan:
    """Say how many labels a protocol takes, if the judge is as good as supposed; `have`: positives and negatives so far.

    `prevalence`: of the behaviour where transcripts are drawn at random. `rater_error`: how often a rater errs, for the
    chance that the raters' agreement suffices. Items are counted as independent: in scenarios of several more are needed.

    Raises:
        InputError: if the judge supposed is not above what the protocol asks for.
    """
    limits, level = protocol.thresholds, protocol.interval_level
    sizes = tuple(
        _size(name, supposed, bound, power, level, count)
        for name, supposed, bound, count in (
            ("positives", sensitivity, limits.sensitivity_low, have[0]),
            ("negatives", specificity, limits.specificity_low, have[1]),
        )
    )
    positives, negatives = (max(size.needed, size.have) for size in sizes)
    chance = None
    if rater_error is not None:
        share, n = positives / (positives + negatives), positives + negatives
        chance = planning.alpha_power(
            n,
            limits.raters,
            share,
            1 - rater_error,
            1 - rater_error,
            limits.alpha_low,
            seed=0,
            runs=200,
            replicates=500,
        )
    notes = ["items of one scenario are alike: count scenarios, and plan for more items where several share one"]
    if prevalence is not None and prevalence < 0.2:
        notes.append("drawing at random for so rare a behaviour wastes labels: let judge gold next choose")
    return Plan(
        protocol=protocol.name,
        level=protocol.level,
        confidence=level,
        sizes=sizes,
        raters=limits.raters,
        ratings=limits.raters * sum(size.lacking for size in sizes),
        draw=None if prevalence is None else round(sizes[0].lacking / prevalence),
        alpha_power=chance,
        repeats=limits.repeat_items * (limits.repeats - 1),
        notes=tuple(notes),
    )


def transcripts_for_rate(rate: float, found: int, positives: int) -> int:
    """How many transcripts without one flag bound the true rate at `rate`, if the judge found `found` of `positives`.

    Raises:
        InputError: if the judge found nothing, so that no number would do.
    """
    if clopper_pearson(found, positives).low <= 0:
        raise InputError(f"{found} of {positives} positives found: no number of transcripts bounds the rate")
    return planning.transcripts_for_bound(rate, found, positives)


def _size(name: str, supposed: float, bound: float, power: float, level: float, have: int) -> Size:
    if not bound < supposed <= 1:
        raise InputError(
            f"{name}: a judge that is right on {supposed:g} of them cannot reach a lower bound of {bound:g}; "
            "suppose a better one, or use another protocol"
        )
    needed = planning.size_for_bound(supposed, bound, power, level)
    return Size(
        name=name,
        bound=bound,
        supposed=supposed,
        without_a_mistake=planning.zero_miss_size(bound, level),
        needed=needed,
        power=planning.bound_power(needed, supposed, bound, level),
        have=have,
        lacking=max(0, needed - have),
    )


def _part(row: Verdict) -> Part:
    if row.positive is None:
        return "undecided"
    return "flagged" if row.positive else "passed"
