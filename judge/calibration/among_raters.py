"""Raters on one rubric against each other: rows of labels in, every figure of their agreement out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from judge.calibration import agreement as agr
from judge.calibration.alpha import item_disagreement
from judge.calibration.matching import MISSING, Integers, Ratings, binary, majority_sign, rate_table, share_positive
from judge.calibration.raters import Sensitivity, vary_consensus
from judge.calibration.statistic import Statistic, statistic_rows
from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.model import Label
from judge.rubrics.model import Scale


class LevelAgreement(Frozen):
    """One level against all others, among raters.

    `share`: of all ratings. `specific`: how often a second rater gives the level where one has; null if nobody ever does.
    `alpha` is that of "this level or not".
    """

    share: float
    specific: float | None
    alpha: Statistic


class Disputed(Frozen):
    """An item on which raters differ: `disagreement` is the share of its pairs of raters that do (0 none, 1 all)."""

    transcript_id: str
    disagreement: float
    levels: dict[str, int]  # ratings by level


class Agreement(Frozen):
    """Raters on one rubric: how far they agree, on which levels and items they do not, and who drives disagreement."""

    rubric: str
    n_items: int
    n_raters: int
    raters: tuple[str, ...]
    rater_kinds: tuple[str, ...]
    levels: tuple[str, ...]
    prevalence: float | None  # share of items that most raters call positive
    counts: dict[str, int]  # ratings by level
    missing: dict[str, int]
    statistics: dict[str, Statistic]  # on the levels as they are
    binary: dict[str, Statistic]  # on positive or not
    pairs: dict[str, dict[str, Statistic]]
    by_level: dict[str, LevelAgreement]
    without: dict[str, float | None]  # alpha without each rater, whoever lowers it most first
    differs: dict[str, float | None]  # how often each rater differs from another on the same item
    disputed: tuple[Disputed, ...]  # the items that raters differ on, the most disputed first
    consensus: Sensitivity | None  # what a model of raters who err makes of the majority; null with fewer than three

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per statistic."""
        return statistic_rows({"rubric": self.rubric}, self.statistics)


def agreement(
    labels: Sequence[Label],
    rubric: str | None = None,
    *,
    scale: Scale | None = None,
    positive: Collection[str] = (),
    kinds: Collection[str] | None = None,
    order: Sequence[str] = (),
    drop: Collection[str] = (),
    items_of: str | None = None,
    clusters: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Agreement:
    """Measure how far raters agree on one rubric (needed only where the labels are on several).

    `order` puts levels that have no known scale into an order, lowest first, for the ordinal statistics. Labels in `drop`
    count as not given. `items_of` keeps the items that some rater of this kind has labelled.

    Raises:
        InputError: if there is nothing to compare, or the polarity of the labels cannot be told.
    """
    rubric = _one_rubric(labels, rubric)
    kept = [row for row in labels if row.rubric == rubric and row.label not in drop]
    if items_of is not None:
        items = {row.transcript_id for row in kept if row.rater_kind == items_of}
        kept = [row for row in kept if row.transcript_id in items]
    order = [level for level in order if level not in drop]
    table = rate_table(kept, rubric, scale=scale, positive=positive, kinds=kinds, also=order)
    codes, ordered = table.codes, table.polarity.ordered
    levels = table.polarity.levels
    if order:
        codes, levels, ordered = _reorder(table, order), tuple(order), True
    groups = _groups(table, clusters)
    categories = list(range(len(levels)))
    several = codes.shape[1] > 1
    pairs = (
        agr.by_pair(codes, categories=categories, clusters=groups, seed=seed)
        if several and codes.shape[1] <= 12
        else ()
    )
    influence = agr.by_rater(codes) if codes.shape[1] > 2 else ()
    signs = majority_sign(table)
    return Agreement(
        rubric=table.rubric,
        n_items=len(table.items),
        n_raters=len(table.raters),
        raters=table.raters,
        rater_kinds=tuple(sorted(table.kinds)),
        levels=levels,
        prevalence=share_positive(signs),
        counts={level: int((codes == code).sum()) for code, level in enumerate(levels)},
        missing={"ratings": int((codes == MISSING).sum()), "outside the scale": table.outside},
        statistics=agr.agreement(codes, categories=categories, ordered=ordered, clusters=groups, seed=seed),
        binary=agr.agreement(binary(table, table.codes), categories=[0, 1], clusters=groups, seed=seed),
        pairs={
            f"{table.raters[pair.first]} / {table.raters[pair.second]}": {
                "percent_agreement": pair.percent,
                "cohen_kappa": pair.kappa,
                "krippendorff_alpha_nominal": pair.alpha,
            }
            for pair in pairs
        },
        by_level={
            levels[int(one.category)]: LevelAgreement(share=one.share, specific=one.specific, alpha=one.alpha)
            for one in (agr.by_category(codes, clusters=groups, seed=seed) if several else ())
        },
        without={table.raters[row.rater]: row.alpha_without for row in influence},
        differs={table.raters[row.rater]: row.differs for row in influence},
        disputed=_disputed(table.items, codes, levels),
        consensus=vary_consensus(binary(table, table.codes), signs, table.raters),
    )


def _disputed(items: Sequence[str], codes: Integers, levels: Sequence[str]) -> tuple[Disputed, ...]:
    share = np.nan_to_num(item_disagreement(codes))
    found = []
    for index in np.argsort(-share, kind="stable"):
        if share[index] == 0:
            break
        given = codes[index][codes[index] != MISSING]
        counts = {
            level: n for level, n in zip(levels, np.bincount(given, minlength=len(levels)).tolist(), strict=True) if n
        }
        found.append(Disputed(transcript_id=items[index], disagreement=float(share[index]), levels=counts))
    return tuple(found)


def _one_rubric(labels: Sequence[Label], rubric: str | None) -> str:
    found = sorted({label.rubric for label in labels if label.criterion is None})
    if rubric is not None:
        return rubric
    if len(found) != 1:
        raise InputError(f"labels are on {len(found)} rubrics ({', '.join(found[:12])}); say which with --rubric")
    return found[0]


def _reorder(table: Ratings, order: Sequence[str]) -> Integers:
    if unknown := set(table.polarity.levels) - set(order):
        raise InputError(f"--order does not say where {', '.join(sorted(unknown))} stands")
    new = np.array([order.index(level) for level in table.polarity.levels] + [MISSING], dtype=np.int64)
    return new[table.codes]


def _groups(table: Ratings, clusters: Mapping[str, str] | None) -> Any:
    return None if not clusters else np.array([clusters.get(item, f"item {item}") for item in table.items])
