"""Krippendorff's alpha: nominal, ordinal, interval and ratio, any number of raters, missing ratings, bootstrap ready.

alpha = 1 - D_o / D_e (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"): 1 is perfect agreement, 0 is
chance, below 0 is systematic disagreement. The coincidence matrix is never built over continuous values: D_o is a sum
over items and D_e a function of column sums (value counts, or moments), so that a resample costs one matrix product.
What the values mean, and whether an alpha is good enough, is decided elsewhere.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.bootstrap import REPLICATES, Scheme, additive, as_statistic, bca, weighted
from judge.calibration.ratings import (
    MISSING,
    Coded,
    Floats,
    Integers,
    as_values,
    code,
    count,
    dot_rows,
    perfect,
    sum_rows,
)
from judge.calibration.statistic import NO_VARIATION, Statistic, undefined

Metric = Literal["nominal", "ordinal", "interval", "ratio"]

# Up to here a metric is a table over pairs of categories; beyond, moments, features or ranks take its place.
TABLE_CATEGORIES = 32
# Step of the trapezoid rule in log t for the ratio metric; its error is about exp(-pi^2 / step) = 5e-15.
_STEP = 0.3


def krippendorff_alpha(
    ratings: ArrayLike,
    metric: Metric = "nominal",
    *,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> Statistic:
    """Krippendorff's alpha with a BCa bootstrap interval over items, or over clusters of items.

    `ratings`: (n_items, n_raters), -1 or NaN = missing (see `ratings.as_values`). `clusters`: (n_items,) labels of
    whatever is resampled whole. `n` counts the items with two ratings or more; the others say nothing about agreement.
    Undefined when all ratings are alike. Where no two raters differ on any item the resamples cannot show how rare a
    difference is; the lower bound is then alpha with differences as frequent as n items without one allow.
    """
    values = as_values(ratings)
    pairable = (~np.isnan(values)).sum(axis=1) >= 2
    values = values[pairable]
    labels = None if clusters is None else np.unique(np.asarray(clusters)[pairable], return_inverse=True)[1]
    n = len(values)
    units = f"{n} items" if labels is None else f"{len(np.unique(labels))} clusters"
    name = f"{metric} alpha; expanded BCa bootstrap {level:.0%} over {units}, {replicates} replicates, seed {seed}"
    if n == 0:
        return undefined("no item has two ratings", method=name, n=0)
    (interval,) = bca(alpha_scheme(values, metric, labels), seed=seed, replicates=replicates, level=level)
    if np.isnan(interval.estimate):
        return undefined(NO_VARIATION, method=name, n=n)
    if interval.degenerate and interval.estimate == 1:
        n_units = n if labels is None else len(np.unique(labels))
        return perfect(values, lambda more: alpha_value(more, metric), n_units, name=f"{metric} alpha", level=level)
    figure = as_statistic(interval, n=n, units=units, replicates=replicates, seed=seed, level=level)
    return figure.model_copy(update={"method": f"{metric} alpha; {figure.method}"})


def alpha_value(ratings: ArrayLike, metric: Metric = "nominal") -> float:
    """Alpha alone, NaN where undefined, for callers that need many; `krippendorff_alpha` is what may be reported."""
    values = as_values(ratings)
    values = values[(~np.isnan(values)).sum(axis=1) >= 2]
    if len(values) == 0:
        return float("nan")
    scheme = alpha_scheme(values, metric)
    return float(scheme.evaluate(scheme.frequencies[None, :].astype(float))[0, 0])


def alpha_scheme(values: Floats, metric: Metric, clusters: Integers | None = None) -> Scheme:
    """Alpha as a scheme for resampling. `values`: (n_items, n_raters) floats, NaN = missing, two ratings or more each."""
    if metric == "ratio" and np.nanmin(values) < 0:
        raise ValueError("the ratio metric needs ratings >= 0")
    coded = code(values)
    few = len(coded.categories) <= TABLE_CATEGORIES
    if metric == "interval" and not few:
        return additive(_moment_parts(values), _finish_moments, clusters)
    if metric == "ratio" and not few:
        return _ratio_features(values, clusters)
    if not few:
        return _sparse(coded, metric, clusters)
    if metric == "ordinal":
        return _ordinal_table(coded, clusters)
    return _fixed_table(coded, distance_table(coded.categories, metric), clusters)


def item_disagreement(ratings: ArrayLike) -> Floats:
    """The share of rater pairs that differ on each item: (n_items,), 0 = all alike, NaN = fewer than two ratings."""
    counts = count(code(ratings))
    size = counts.sum(axis=1)
    pairs = size * (size - 1)
    differing = size**2 - (counts**2).sum(axis=1)
    return np.asarray(np.divide(differing, pairs, out=np.full(len(counts), np.nan), where=pairs > 0))


def distance_table(categories: Floats, metric: Metric) -> Floats:
    """Squared distances between categories: (n_categories, n_categories), zeros on the diagonal."""
    if metric == "nominal":
        return 1.0 - np.eye(len(categories))
    row, column = categories[:, None], categories[None, :]
    if metric == "interval":
        return np.asarray((row - column) ** 2)
    total = row + column
    return np.asarray(np.divide(row - column, total, out=np.zeros_like(total), where=total != 0) ** 2)


def _fixed_table(coded: Coded, distance: Floats, clusters: Integers | None) -> Scheme:
    """Columns: the count of each category, the item's own disagreement (its share of n D_o)."""
    counts = count(coded)
    size = counts.sum(axis=1)
    own = ((counts @ distance) * counts).sum(axis=1) / (size - 1)

    def finish(sums: Floats) -> Floats:
        totals, observed = sums[:, :-1], sums[:, -1]
        return _one_minus(observed, dot_rows(totals @ distance, totals), sum_rows(totals))

    return additive(np.column_stack([counts, own]), finish, clusters, alike=counts)


def _ordinal_table(coded: Coded, clusters: Integers | None) -> Scheme:
    """Columns: the count of each category, the item's coincidences of each pair; the metric follows each resample.

    Krippendorff's ordinal distance is the squared difference of mid-ranks.
    """
    counts = count(coded)
    k = counts.shape[1]
    low, high = np.triu_indices(k, 1)
    pairs = 2 * counts[:, low] * counts[:, high] / (counts.sum(axis=1) - 1)[:, None]

    def finish(sums: Floats) -> Floats:
        totals, coincidences = sums[:, :k], sums[:, k:]
        ranks = np.cumsum(totals, axis=1) - totals / 2
        distance = (ranks[:, high] - ranks[:, low]) ** 2
        expected = 2 * dot_rows(totals[:, low] * totals[:, high], distance)
        return _one_minus(dot_rows(coincidences, distance), expected, sum_rows(totals))

    return additive(np.column_stack([counts, pairs]), finish, clusters, alike=counts)


def _moment_parts(values: Floats) -> Floats:
    """Columns: ratings, their sum, their sum of squares, the item's own disagreement: (n_items, 4)."""
    present = ~np.isnan(values)
    # Shifting and scaling leave alpha alone and keep the sums of squares exact to rounding.
    spread = np.ptp(values[present]) or 1.0
    x = np.where(present, (values - values[present].mean()) / spread, 0.0)
    m, total, squares = present.sum(axis=1).astype(float), x.sum(axis=1), (x**2).sum(axis=1)
    item_mean = (total / m)[:, None]
    within = np.where(present, x - item_mean, 0.0)
    return np.column_stack([m, total, squares, 2 * m * (within**2).sum(axis=1) / (m - 1)])


def _finish_moments(sums: Floats) -> Floats:
    n, total, squares, observed = sums.T
    expected = 2 * (n * squares - total**2)
    # A resample of one value alone has no expected disagreement, up to rounding of the two terms.
    expected = np.where(expected <= 1e-12 * np.maximum(n * squares, total**2), 0.0, expected)
    return _one_minus(observed, expected, n)


def _ratio_features(values: Floats, clusters: Integers | None) -> Scheme:
    """The ratio metric over continuous values without a table of value pairs.

    ((c - k) / (c + k))^2 = 1 - 4ck / (c + k)^2, and 1 / (c + k)^2 is the integral of t exp(-t (c + k)) over t > 0, a sum
    of products f(c) f(k) once the integral is a sum over a grid in log t. The expected disagreement is then a
    function of the column sums of f.
    """
    present = ~np.isnan(values)
    positive = values[present & (values > 0)]
    grid = np.arange(-np.log(positive.max()) - 18, -np.log(positive.min()) + 4, _STEP)
    filled = np.where(present, values, 0.0)
    features = np.zeros((len(values), len(grid)))
    observed = np.zeros(len(values))
    for rater in range(values.shape[1]):
        x = filled[:, rater, None]
        scaled = x * np.exp(grid)
        features += np.sqrt(4 * _STEP) * scaled * np.exp(-scaled)
        gap = np.divide(x - filled, x + filled, out=np.zeros_like(filled), where=(x + filled) > 0) ** 2
        observed += np.where(present[:, rater, None] & present, gap, 0.0).sum(axis=1)
    m = present.sum(axis=1).astype(float)
    zeros = (present & (values == 0)).sum(axis=1)

    def finish(sums: Floats) -> Floats:
        n, none, own = sums[:, 0], sums[:, 1], sums[:, 2]
        expected = n**2 - none**2 - (sums[:, 3:] ** 2).sum(axis=1)
        return _one_minus(own, np.where(expected <= 1e-12 * n**2, 0.0, expected), n)

    return additive(np.column_stack([m, zeros, observed / (m - 1), features]), finish, clusters)


def _sparse(coded: Coded, metric: Metric, clusters: Integers | None) -> Scheme:
    """Nominal or ordinal alpha over many values, without a column for each: the ratings are one list, weighted anew.

    Ordinal is interval alpha on mid-ranks, ranked anew in each resample.
    """
    present = coded.codes != MISSING
    m = coded.sizes.astype(float)
    item = np.nonzero(present)[0]
    unit_of_item = np.arange(len(m)) if clusters is None else clusters
    unit_of_rating, code_of_rating = unit_of_item[item], coded.codes[present]
    differing = m * item_disagreement(np.where(present, coded.codes, MISSING))

    def one(weights: Floats) -> float:
        totals = np.bincount(code_of_rating, weights=weights[unit_of_rating], minlength=len(coded.categories))
        n = totals.sum()
        if metric == "nominal":
            own, expected = differing, n**2 - (totals**2).sum()
        else:
            ranks = np.cumsum(totals) - totals / 2
            ranks -= (totals * ranks).sum() / n
            x = np.where(present, ranks[coded.codes], 0.0)
            own = 2 * (m * (x**2).sum(axis=1) - x.sum(axis=1) ** 2) / (m - 1)
            expected = 2 * n * (totals * ranks**2).sum()
        observed = own @ weights[unit_of_item]
        return float(1 - (n - 1) * observed / expected) if expected > 0 else float("nan")

    units = np.ones(int(unit_of_item.max()) + 1, dtype=np.int64)
    return weighted(units, lambda weights: np.array([one(row) for row in weights]))


def _one_minus(observed: Floats, expected: Floats, n: Floats) -> Floats:
    """1 - (n - 1) observed / expected, NaN where nothing is expected to disagree."""
    ratio = np.divide((n - 1) * observed, expected, out=np.full(len(n), np.nan), where=expected > 0)
    return np.asarray(1 - ratio)
