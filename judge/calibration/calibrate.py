"""Judge against gold, and rater against rater: the public functions.

They match rows, call the statistics and put every figure into one frozen result. Rates are estimated in `estimate`; a
certificate, its protocol and its gates are another matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from judge.calibration import accuracy as acc
from judge.calibration import agreement as agr
from judge.calibration import comparison, scores
from judge.calibration.among_raters import Agreement, agreement
from judge.calibration.annotator import annotator_report
from judge.calibration.claims import Claims, below_chance, claims_of_judge, tell_missing
from judge.calibration.estimate import Rate, measure_rates
from judge.calibration.intervals import clopper_pearson
from judge.calibration.matching import (
    MISSING,
    Integers,
    Matched,
    Ratings,
    binary,
    majority_sign,
    match,
    share_positive,
    take,
)
from judge.calibration.planning import further_items
from judge.calibration.protocol import DEFAULTS
from judge.calibration.statistic import Statistic, statistic_rows
from judge.frozen import Frozen
from judge.gold.votes import Voted
from judge.ledger.outcomes import Judged
from judge.rubrics.model import Scale

__all__ = ["Agreement", "Calibration", "Rate", "Subgroup", "agreement", "calibrate", "measure_rates"]

_MOST_RATERS = 12  # beyond, there is no table of each
EPSILON = {"human": 0.2}  # of the alternative annotator test, for experts; skilled raters .15, crowd .1


class Subgroup(Frozen):
    """A judge's figures on the items that share one value of a field of the verdict rows."""

    field: str
    group: str
    n: int
    positives: int
    missing: int  # items without a verdict
    statistics: dict[str, Statistic]
    by_level: dict[str, Statistic]
    humans: dict[str, Statistic]


class Calibration(Frozen):
    """One judge on one rubric against the labels."""

    rubric: str
    judge: str
    n_items: int
    n_raters: int
    rater_kinds: tuple[str, ...]
    prevalence: float | None
    positive_levels: tuple[str, ...]
    missing: dict[str, int]
    contested: int  # items on which raters are tied; reported, never dropped silently
    confusion: acc.Confusion
    levels: tuple[str, ...]
    level_table: tuple[tuple[int, ...], ...]  # rows gold, columns verdict
    statistics: dict[str, Statistic]  # positive or not
    by_level: dict[str, Statistic]  # on the levels as they are
    bounds: dict[str, Statistic]  # with every missing verdict wrong, and with every one right
    humans: dict[str, Statistic]  # the raters among themselves, on the same items
    ceiling: dict[str, Statistic]  # balanced accuracy of each rater against the rest
    beside_ceiling: dict[str, Statistic]  # the judge's against the same rest, on the same items
    rivals: dict[str, Statistic]  # balanced accuracy of judges that do not read
    reliability: tuple[scores.ReliabilityBin, ...]  # where verdicts give probabilities
    subgroups: tuple[Subgroup, ...]  # the worst first, field by field
    claims: Claims
    notes: tuple[str, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per statistic."""
        return statistic_rows({"rubric": self.rubric, "judge": self.judge}, self.statistics)


def calibrate(
    verdicts: Iterable[Judged],
    labels: Sequence[Voted],
    *,
    scales: Mapping[str, Scale] | None = None,
    positive: Collection[str] = (),
    clusters: Mapping[str, str] | None = None,
    cluster_by: str | None = None,
    by: Sequence[str] = (),
    kinds: Collection[str] | None = None,
    epsilon: float = EPSILON["human"],
    seed: int = 0,
) -> list[Calibration]:
    """Measure each judge against the labels, rubric by rubric; `by` names fields of the rows to divide items by.

    Raises:
        InputError: if verdicts and labels do not fit (no common transcript, label sets that differ, unknown polarity).
    """
    matched = match(
        verdicts,
        labels,
        scales=scales,
        positive=positive,
        clusters=clusters,
        cluster_by=cluster_by,
        by=by,
        kinds=kinds,
    )
    return measure_all(matched, epsilon=epsilon, seed=seed)


def measure_all(matched: Iterable[Matched], *, epsilon: float = EPSILON["human"], seed: int = 0) -> list[Calibration]:
    """Every figure of each judge whose rows have been joined with the labels.

    Two at a time: numpy lets go of the interpreter while it draws, and no draw depends on another.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(partial(measure, epsilon=epsilon, seed=seed), matched))


def measure(one: Matched, *, epsilon: float = EPSILON["human"], seed: int = 0) -> Calibration:
    """Every figure of one judge whose rows have been joined with the labels."""
    known = one.truth != MISSING
    truth, said = one.truth[known], one.said[known]
    groups = None if one.clusters is None else one.clusters[known]
    table = acc.confusion(truth, said)
    found = acc.accuracy(truth, said, clusters=groups, seed=seed)
    pair = np.column_stack([truth, said])
    beside = ("percent_agreement", "krippendorff_alpha_nominal", "gwet_ac1")
    found |= agr.agreement(pair, categories=[0, 1], clusters=groups, seed=seed, only=beside)
    if one.repeats.shape[1] > 1:
        found["flip_rate"] = comparison.flip_rate(one.repeats)
    found |= _score_figures(one, known, groups, seed)
    signs = binary(one.ratings, one.ratings.codes)
    if len(one.ratings.raters) > 1:
        report = annotator_report(
            np.where(signs == MISSING, np.nan, signs), _nan(one.said), epsilon, clusters=one.clusters, seed=seed
        )
        found["alt_test_winning_rate"] = report.overall.winning_rate
        found["alt_test_advantage_probability"] = report.overall.advantage_probability
        found["alt_test_winning_rate_on_positives"] = report.on_positives.winning_rate
        found["alt_test_winning_rate_always_majority"] = report.always_majority.winning_rate
    ceiling, judge_beside = _ceiling(one)
    return Calibration(
        rubric=one.rubric,
        judge=one.judge,
        n_items=len(one.ratings.items),
        n_raters=len(one.ratings.raters),
        rater_kinds=tuple(sorted(one.ratings.kinds)),
        prevalence=share_positive(one.truth),
        positive_levels=tuple(sorted(one.ratings.polarity.positive)),
        missing=one.reasons,
        contested=int((~known).sum()),
        confusion=table,
        levels=one.ratings.polarity.levels,
        level_table=_level_table(one),
        statistics=found,
        by_level=_level_figures(one, seed),
        bounds=acc.bounds_with_missing(truth, said, clusters=groups),
        humans=_humans(one.ratings, one.clusters, seed),
        ceiling=ceiling,
        beside_ceiling=judge_beside,
        rivals=_rivals(truth, groups),
        reliability=draw_reliability(one),
        subgroups=_subgroups(one, seed),
        claims=claims_of_judge(
            one.rubric,
            one.judge,
            figures=found,
            positives=table.positives,
            negatives=table.negatives,
            prevalence=share_positive(one.truth),
            human=one.ratings.kinds == {"human"},
        ),
        notes=tuple(_notes(one, table, found)),
    )


def _subgroups(one: Matched, seed: int) -> tuple[Subgroup, ...]:
    found = []
    for field, values in one.fields.items():
        tables = []
        for value in sorted(set(values)):
            part = take(one, np.array([each == value for each in values]))
            known = part.truth != MISSING
            shared = None if part.clusters is None else part.clusters[known]
            table = acc.confusion(part.truth[known], part.said[known])
            tables.append(
                Subgroup(
                    field=field,
                    group=value,
                    n=len(part.truth),
                    positives=table.positives + table.missing_positive,
                    missing=int((part.said == MISSING).sum()),
                    statistics=acc.accuracy(part.truth[known], part.said[known], clusters=shared, seed=seed),
                    by_level=_level_figures(part, seed),
                    humans=_humans(part.ratings, part.clusters, seed),
                )
            )
        found += sorted(tables, key=_worst_first)
    return tuple(found)


def _worst_first(group: Subgroup) -> tuple[float, str]:
    """By balanced accuracy; where a class is absent there is none, and these come last."""
    area = group.statistics["balanced_accuracy"].estimate
    return (2.0 if area is None else area, group.group)


def _humans(table: Ratings, clusters: Any, seed: int) -> dict[str, Statistic]:
    if len(table.raters) < 2:
        return {}
    categories = list(range(len(table.polarity.levels)))
    return agr.agreement(
        table.codes, categories=categories, ordered=table.polarity.ordered, clusters=clusters, seed=seed
    )


def _ceiling(one: Matched) -> tuple[dict[str, Statistic], dict[str, Statistic]]:
    """Each rater, and the judge, against the majority of the other raters, on the items that both answered.

    Who is compared with a majority that they are part of is flattered.
    """
    table = one.ratings
    if len(table.raters) < 2 or len(table.raters) > _MOST_RATERS:
        return {}, {}
    raters, judge = {}, {}
    for index, rater in enumerate(table.raters):
        rest = table._replace(codes=np.delete(table.codes, index, axis=1), settled=np.full_like(table.settled, MISSING))
        truth, own = majority_sign(rest), binary(table, table.codes)[:, index]
        both = (truth != MISSING) & (own != MISSING) & (one.said != MISSING)
        shared = None if one.clusters is None else one.clusters[both]
        raters[rater] = acc.balanced_accuracy(truth[both], own[both], clusters=shared)
        judge[rater] = acc.balanced_accuracy(truth[both], one.said[both], clusters=shared)
    return raters, judge


def _rivals(truth: Integers, clusters: Any) -> dict[str, Statistic]:
    return {
        name: acc.balanced_accuracy(truth, np.full(len(truth), answer), clusters=clusters)
        for name, answer in (("always positive", 1), ("always negative", 0))
    }


def _score_figures(one: Matched, known: Any, groups: Any, seed: int) -> dict[str, Statistic]:
    if one.scores is None:
        return {}
    there = known & ~np.isnan(one.scores)
    truth, values = one.truth[there], one.scores[there]
    shared = None if groups is None or one.clusters is None else one.clusters[there]
    found = {
        "auroc": scores.auroc(truth, values, clusters=shared),
        "average_precision": scores.average_precision(truth, values, clusters=shared, seed=seed),
    }
    if one.probable:
        found["brier"] = scores.brier(truth, values, clusters=shared, seed=seed)
        found["ece"] = scores.calibration_error(truth, values, clusters=shared, seed=seed)
    return found


def draw_reliability(one: Matched) -> tuple[scores.ReliabilityBin, ...]:
    """How often items are positive to which the judge gives a probability, bin by bin; empty where it gives none."""
    if one.scores is None or not one.probable:
        return ()
    there = (one.truth != MISSING) & ~np.isnan(one.scores)
    return scores.reliability(one.truth[there], one.scores[there])


def _level_figures(one: Matched, seed: int) -> dict[str, Statistic]:
    k = len(one.ratings.polarity.levels)
    if (one.verdicts == MISSING).all() or k < 3:
        return {}
    found = acc.multiclass(one.gold, one.verdicts, k, clusters=one.clusters, seed=seed)
    # Items where only one of the two is known would enter chance agreement, and not what is observed beside it.
    both = (one.gold != MISSING) & (one.verdicts != MISSING)
    pair, groups = np.column_stack([one.gold, one.verdicts])[both], None if one.clusters is None else one.clusters[both]
    ordered = one.ratings.polarity.ordered
    more = agr.agreement(pair, categories=list(range(k)), ordered=ordered, clusters=groups, seed=seed)
    return found | {name: figure for name, figure in more.items() if name not in found}


def _level_table(one: Matched) -> tuple[tuple[int, ...], ...]:
    table = acc.table_of(one.gold, one.verdicts, len(one.ratings.polarity.levels))
    return tuple(tuple(int(cell) for cell in row) for row in table)


def _notes(one: Matched, table: acc.Confusion, found: Mapping[str, Statistic]) -> list[str]:
    """What must be said beside the figures."""
    notes = []
    if one.ratings.kinds != {"human"}:
        notes.append(f"labels are {', '.join(sorted(one.ratings.kinds))}: they certify nothing; only human labels do")
    if table.positives == 0 or table.negatives == 0:
        lacking = [
            name for name, count in (("positives", table.positives), ("negatives", table.negatives)) if not count
        ]
        notes.append(f"no {' and no '.join(lacking)} of gold have a verdict, so nothing can be said about them")
    if below_chance(found):
        notes.append("suspect polarity: the judge is worse than chance, as when positive and negative are swapped")
    best_rival = "cannot be told from judges that do not read"
    area = found["balanced_accuracy"]
    if area.low is not None and area.low <= 0.5 and not below_chance(found):
        notes.append(f"on this gold the judge {best_rival} (balanced accuracy may be 0.5)")
    if one.reasons:
        notes.append(f"of {len(one.said)} items {tell_missing(one.reasons)}; see bounds")
    notes += _towards_screening(acc.extremes(table)[0], clustered=one.clusters is not None)
    notes.append("precision, F1, kappa, alpha and AC1 hold at this gold's prevalence only")
    return notes


def _towards_screening(table: acc.Confusion, *, clustered: bool) -> list[str]:
    """What more labels would change: how many take each error rate to what screening asks for, at its default gates.

    `table` counts missing verdicts as wrong, as the gates do.
    """
    limits, notes = DEFAULTS["SCREENING"], []
    for name, kind, hits, n, bound in (
        ("sensitivity", "positives", table.tp, table.positives, limits.sensitivity_low),
        ("specificity", "negatives", table.tn, table.negatives, limits.specificity_low),
    ):
        low, high = clopper_pearson(hits, n)
        if low >= bound:
            continue
        if high < bound:
            notes.append(
                f"{name} is below {bound:g} beyond doubt (at most {high:.3f}), which screening asks for: more labels will not "
                "change that, a better judge or a clearer rubric may"
            )
            continue
        more, about = further_items(hits, n, bound), "at least " if clustered else ""
        rate = "" if more.at_this_rate is None else f"{about}{more.at_this_rate:,} at this rate of mistakes, "
        notes.append(
            f"screening asks for {name} with a lower bound of {bound:g}, here it is {low:.3f}: further labelled {kind} that "
            f"would do: {rate}{about}{more.if_all_right:,} without a mistake"
        )
    return notes


def _nan(signs: Integers) -> Any:
    return np.where(signs == MISSING, np.nan, signs)
