"""Figures and intervals that published work prints, to be compared with it. Nothing is decided on them.

Hayes and Krippendorff's interval covers less than it says. Linearised standard errors need many items, and give no interval where
raters never differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.agreement import FIGURES
from judge.calibration.alpha import TABLE_CATEGORIES, Metric, alpha_value, distance_table
from judge.calibration.bootstrap import REPLICATES
from judge.calibration.kappa import Coefficient, Weights, agreement_coefficient
from judge.calibration.ratings import as_values, code, count
from judge.calibration.statistic import NO_VARIATION, Statistic, measured, undefined

_WARNING = "legacy: covers .65 to .85 where .95 is asked, for pairs of one item are no independent draws; compare, never decide"
# Coefficients with Gwet's linearised standard error: those that his tables give, and the further weights of AC2.
_LINEARISED: Final[Mapping[str, tuple[Coefficient, Weights]]] = {
    name: how for name, how in FIGURES.items() if not isinstance(how, str)
} | {"gwet_ac2_ordinal": ("gwet", "ordinal"), "gwet_ac2_quadratic": ("gwet", "quadratic")}


def as_published(
    ratings: ArrayLike,
    *,
    categories: Sequence[float],
    ordered: bool = False,
    clusters: ArrayLike | None = None,
    seed: int = 0,
) -> dict[str, Statistic]:
    """Alpha with Hayes and Krippendorff's interval, kappas with linearised standard errors; each under a name that says so.

    `ratings`: (n_items, n_raters) of the categories' positions, -1 or NaN = missing.
    """
    values = as_values(ratings)
    metrics: tuple[Metric, ...] = ("nominal", "ordinal") if ordered else ("nominal",)
    found = {
        f"krippendorff_alpha_{metric}_hayes_krippendorff": hayes_krippendorff(values, metric, seed=seed)
        for metric in metrics
    }
    for name, (coefficient, weights) in _LINEARISED.items():
        if (coefficient == "cohen" and values.shape[1] != 2) or (weights != "identity" and not ordered):
            continue
        found[f"{name}_linearised"] = agreement_coefficient(
            values, coefficient, weights=weights, categories=categories, clusters=clusters, interval="linearised"
        )
    return found


def hayes_krippendorff(
    ratings: ArrayLike,
    metric: Metric = "nominal",
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> Statistic:
    """Krippendorff's alpha with Hayes and Krippendorff's (2007) interval, without their cap on the number of pairs.

    `ratings` as in `krippendorff_alpha`. As many pairs of ratings as there are are drawn from the coincidences, independently,
    and the expected disagreement stays what it is. Both make the interval too narrow, the more so the more raters there are.
    """
    values = as_values(ratings)
    values = values[(~np.isnan(values)).sum(axis=1) >= 2]
    coded = code(values)
    n, k = len(values), len(coded.categories)
    name = f"{metric} alpha; Hayes-Krippendorff {level:.0%} over pairs of ratings, {replicates} replicates, seed {seed}"
    if n == 0 or k < 2:
        return undefined("no item has two ratings" if n == 0 else NO_VARIATION, method=name, n=n)
    if k > TABLE_CATEGORIES:
        return undefined(f"more than {TABLE_CATEGORIES} distinct values", method=name, n=n)
    counts = count(coded)
    size, totals = counts.sum(axis=1), counts.sum(axis=0)
    if metric == "ordinal":
        ranks = np.cumsum(totals) - totals / 2
        distance = (ranks[:, None] - ranks[None, :]) ** 2
    else:
        distance = distance_table(coded.categories, metric)
    scaled = counts / (size - 1)[:, None]
    coincidences = scaled.T @ counts - np.diag(scaled.sum(axis=0))
    everything = totals.sum()
    expected = float(totals @ distance @ totals) / (everything * (everything - 1))
    pairs = round(float((size * (size - 1)).sum()) / 2)
    drawn = np.random.default_rng(seed).multinomial(pairs, coincidences.ravel() / everything, size=replicates)
    low, high = np.quantile(1 - drawn @ distance.ravel() / pairs / expected, [(1 - level) / 2, (1 + level) / 2])
    return measured(alpha_value(values, metric), float(low), float(high), method=name, n=n, note=_WARNING)
