"""Raters on one rubric against each other: rows of labels in, every figure of their agreement out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np

from judge.calibration import agreement as agr
from judge.calibration import legacy
from judge.calibration.alpha import item_disagreement
from judge.calibration.claims import Claims, claims_of_raters
from judge.calibration.matching import MISSING, Integers, Ratings, binary, majority_sign, rate_table, share_positive
from judge.calibration.protocol import DEFAULTS
from judge.calibration.raters import dawid_skene
from judge.calibration.statistic import Statistic, statistic_rows
from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.model import Label
from judge.rubrics.model import Scale
from judge.text import quoted

_FEWEST_RATERS: Final = 3
_FEWEST_OF_A_LEVEL: Final = 30


class LevelAgreement(Frozen):
    """One level against all others: its share of the ratings, how often a second rater gives it where one has, and alpha."""

    share: float
    specific: float | None
    alpha: Statistic


class Influence(Frozen):
    """What a rater does to nominal alpha. `change` above 0: the others agree better without. `differs`: from the others."""

    n: int
    alpha_without: float | None
    change: float | None
    differs: float | None


class ConsensusCheck(Frozen):
    """Dawid and Skene's (1979) model of the raters: what it makes of the items where the majority may be wrong.

    `error_rates`: for each rater and true level the chance of each answer. `against_majority`: items whose likeliest level has
    fewer votes than another one.
    """

    log_likelihood: float
    steps: int
    marginals: dict[str, float]
    error_rates: dict[str, dict[str, dict[str, float]]]
    against_majority: tuple[str, ...]
    note: str


class Agreement(Frozen):
    """Raters on one rubric: how far they agree, and who drives disagreement."""

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
    without: dict[str, float | None]  # alpha without each rater
    by_level: dict[str, LevelAgreement]
    influence: dict[str, Influence]  # with three raters or more, who drives disagreement most first
    disagreement: dict[str, float]  # items on which raters differ: the share of their pairs, the largest first
    rater_model: ConsensusCheck | None = None  # on request
    claims: Claims

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
    published: bool = False,
    rater_model: bool = False,
    seed: int = 0,
) -> Agreement:
    """Measure how far raters agree on one rubric (needed only where the labels are on several).

    `order` puts levels that have no known scale into an order, lowest first, for the ordinal statistics. Labels in `drop`
    count as not given. `items_of` keeps the items that some rater of this kind has labelled. `published` adds
    figures in the form in which published work prints them (`legacy`), `rater_model` a fit of Dawid and Skene's model.

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
    statistics = agr.agreement(
        codes, categories=categories, ordered=ordered, clusters=groups, seed=seed, numbers=_numbers(levels)
    )
    if published:
        statistics |= legacy.as_published(codes, categories=categories, ordered=ordered, clusters=groups, seed=seed)
    signed = agr.agreement(binary(table, table.codes), categories=[0, 1], clusters=groups, seed=seed)
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
        statistics=statistics,
        binary=signed,
        pairs={
            f"{table.raters[pair.first]} / {table.raters[pair.second]}": {
                "percent_agreement": pair.percent,
                "cohen_kappa": pair.kappa,
                "krippendorff_alpha_nominal": pair.alpha,
            }
            for pair in pairs
        },
        without={table.raters[row.rater]: row.alpha_without for row in influence},
        by_level=_by_level(codes, levels, groups, seed) if several else {},
        influence={
            table.raters[row.rater]: Influence(
                n=row.n, alpha_without=row.alpha_without, change=row.change, differs=row.differs
            )
            for row in influence
        },
        disagreement=_most_disputed(table.items, codes),
        rater_model=_check_consensus(table, codes, levels) if rater_model else None,
        claims=claims_of_raters(
            table.rubric,
            signed["krippendorff_alpha_nominal"],
            n_raters=len(table.raters),
            prevalence=share_positive(signs),
            human=table.kinds == {"human"},
            low=DEFAULTS["SCREENING"].alpha_low,
            point=DEFAULTS["RATE"].alpha,
        ),
    )


def _numbers(levels: Sequence[str]) -> list[float] | None:
    """The levels as amounts, where each is written as a number."""
    try:
        numbers = [float(level) for level in levels]
    except ValueError:
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None


def _by_level(codes: Integers, levels: Sequence[str], groups: Any, seed: int) -> dict[str, LevelAgreement]:
    return {
        levels[int(one.category)]: LevelAgreement(share=one.share, specific=one.specific, alpha=one.alpha)
        for one in agr.by_category(codes, clusters=groups, seed=seed)
    }


def _most_disputed(items: Sequence[str], codes: Integers) -> dict[str, float]:
    shares = item_disagreement(codes)
    disputed = [(-float(share), item) for item, share in zip(items, shares, strict=True) if share > 0]
    return {item: -share for share, item in sorted(disputed)}


def _check_consensus(table: Ratings, codes: Integers, levels: Sequence[str]) -> ConsensusCheck | None:
    """Dawid and Skene's model of the raters beside their majority; None with fewer than three, where it says nothing."""
    if codes.shape[1] < _FEWEST_RATERS:
        return None
    rated = (codes != MISSING).any(axis=1)
    model = dawid_skene(codes[rated])
    names = [levels[int(category)] for category in model.categories]
    votes = np.stack([(codes[rated] == int(category)).sum(axis=1) for category in model.categories], axis=1)
    behind = votes.max(axis=1) > votes[np.arange(len(votes)), model.posterior.argmax(axis=1)]
    rarest = min((votes.argmax(axis=1) == index).sum() for index in range(len(names)))
    notes = ["a sensitivity analysis, never the truth: raters who share a bias pass for right"]
    if rarest < _FEWEST_OF_A_LEVEL:
        notes.append(f"a level has {rarest} items, the model wants {_FEWEST_OF_A_LEVEL}: another fit may be as good")
    if not model.converged:
        notes.append("the fit did not settle")
    return ConsensusCheck(
        log_likelihood=model.log_likelihood,
        steps=model.steps,
        marginals=dict(zip(names, model.marginals.tolist(), strict=True)),
        error_rates={
            rater: {true: dict(zip(names, row, strict=True)) for true, row in zip(names, rates, strict=True)}
            for rater, rates in zip(table.raters, model.error_rates.tolist(), strict=True)
        },
        against_majority=tuple(np.array(table.items)[rated][behind].tolist()),
        note="; ".join(notes),
    )


def _one_rubric(labels: Sequence[Label], rubric: str | None) -> str:
    found = sorted({label.rubric for label in labels if label.criterion is None})
    if rubric is not None:
        return rubric
    if len(found) != 1:
        listed = ", ".join(quoted(name) for name in found[:12])
        raise InputError(
            f"labels are on {len(found)} rubrics; say which: rubric is one of {listed}"
            if found
            else "there are no labels"
        )
    return found[0]


def _reorder(table: Ratings, order: Sequence[str]) -> Integers:
    if unknown := set(table.polarity.levels) - set(order):
        raise InputError(f"--order does not say where {', '.join(sorted(unknown))} stands")
    new = np.array([order.index(level) for level in table.polarity.levels] + [MISSING], dtype=np.int64)
    return new[table.codes]


def _groups(table: Ratings, clusters: Mapping[str, str] | None) -> Any:
    return None if not clusters else np.array([clusters.get(item, f"item {item}") for item in table.items])
