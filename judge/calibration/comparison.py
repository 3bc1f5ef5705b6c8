"""Two judges, two rounds or two models against each other, and many comparisons at once.

Exact McNemar for verdict changes, paired differences with intervals, Benjamini-Hochberg and -Yekutieli for families of
tests, and the flip rate of repeated judgements. Which differences matter is decided elsewhere.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.calibration.intervals import Bounds, clopper_pearson, cluster_t_bounds, cluster_t_p, wilson
from judge.calibration.ratings import Floats, as_values
from judge.calibration.statistic import Statistic, measured, undefined
from judge.frozen import Frozen

Booleans = NDArray[np.bool_]


class McNemar(Frozen):
    """The exact test that two paired judgements change equally often in both directions.

    `only_first` and `only_second` count the discordant pairs. `chi2` is the statistic without continuity correction,
    None without discordant pairs.
    """

    only_first: int
    only_second: int
    p: float
    chi2: float | None


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """McNemar's test (1947) on the two counts of discordant pairs, exact and two-sided; without any, p is 1."""
    from scipy.special import bdtr

    b, c = only_first, only_second
    p = min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5))) if b + c else 1.0
    return McNemar(only_first=b, only_second=c, p=p, chi2=(b - c) ** 2 / (b + c) if b + c else None)


def fisher_exact(a: int, b: int, c: int, d: int) -> float:
    """Fisher's exact test of the table [[a, b], [c, d]], two-sided: the chance of tables no likelier than this one."""
    n, row, column = a + b + c + d, a + b, a + c

    def log_chance(x: int) -> float:
        terms = (row, n - row, column, n - column)
        cells = (x, row - x, column - x, n - row - column + x, n)
        return sum(math.lgamma(t + 1) for t in terms) - sum(math.lgamma(t + 1) for t in cells)

    here = log_chance(a)
    chances = (log_chance(x) for x in range(max(0, row + column - n), min(row, column) + 1))
    return min(1.0, sum(math.exp(chance) for chance in chances if chance <= here + 1e-7))


def adjusted_p(p_values: ArrayLike, method: Literal["bh", "by"] = "bh") -> Floats:
    """p values adjusted for a family of tests: (n_tests,); rejecting those below q keeps the false discovery rate at q.

    "bh": Benjamini and Hochberg 1995, independent or positively dependent tests. "by": Benjamini and Yekutieli 2001,
    any dependence.
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or np.any((p < 0) | (p > 1)) or np.isnan(p).any():
        raise ValueError("p values must be one-dimensional and lie in [0, 1]")
    m = len(p)
    if m == 0:
        return p
    order = np.argsort(p)
    factor = m * (np.sum(1 / np.arange(1, m + 1)) if method == "by" else 1.0)
    stepped = np.minimum.accumulate((p[order] * factor / np.arange(1, m + 1))[::-1])[::-1]
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Statistic:
    """The difference of two shares over the same items, first minus second.

    `first`, `second`: (n_items,) booleans, such as "judge A is right on this positive". Independent items: Newcombe's
    paired interval (1998, method 10). `clusters` (n_items,): t over clusters, which keeps the pairing; where no cluster
    differs from another, Newcombe's at one item for each cluster.
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"first {a.shape} and second {b.shape} must be alike and one-dimensional")
    n = len(a)
    if n == 0:
        return undefined("no items", method="paired difference", n=0)
    cells = ((a & b).mean(), (a & ~b).mean(), (~a & b).mean())
    if clusters is None:
        low, high = _newcombe_paired(*cells, n, level)
        return measured(cells[1] - cells[2], low, high, method=f"Newcombe paired {level:.0%}", n=n)
    estimate, influence = _paired_influence(a, b, clusters)
    k = len(influence)
    method = f"paired difference {level:.0%} over {k} clusters, t({k - 1})"
    if k == 1:
        return measured(estimate, None, None, method=method, n=n, note="one cluster: no interval")
    low, high = cluster_t_bounds(estimate, influence, level) or _newcombe_paired(*cells, k, level)
    return measured(estimate, max(-1.0, low), min(1.0, high), method=method, n=n)


def paired_p(first: ArrayLike, second: ArrayLike, clusters: ArrayLike) -> float:
    """The p value that goes with `paired_difference` over clusters: t over clusters. 1 where it gives Newcombe's interval."""
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    return cluster_t_p(*_paired_influence(a, b, clusters)) if len(a) else 1.0


def _paired_influence(a: Booleans, b: Booleans, clusters: ArrayLike) -> tuple[float, Floats]:
    """The difference of two paired shares, and how much each cluster moves it."""
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1]
    gap = a.astype(float) - b
    estimate = float(gap.mean())
    return estimate, np.asarray(np.bincount(labels, weights=(gap - estimate) / len(a)), dtype=float)


def flip_rate(repeats: ArrayLike, level: float = 0.95) -> Statistic:
    """The share of items whose repeated judgements are not all alike, with Clopper-Pearson's interval.

    `repeats`: (n_items, n_repeats), -1 or NaN = missing; items with fewer than two judgements are left out. Items are
    independent, repeats of one are not, so that an item counts once however often it flips.
    """
    values = as_values(repeats)
    judged = values[(~np.isnan(values)).sum(axis=1) >= 2]
    method = f"share of items with any flip, Clopper-Pearson {level:.0%}"
    if len(judged) == 0:
        return undefined("no item was judged twice", method=method, n=0)
    flips = int((np.nanmin(judged, axis=1) != np.nanmax(judged, axis=1)).sum())
    low, high = clopper_pearson(flips, len(judged), level)
    return measured(flips / len(judged), low, high, method=method, n=len(judged))


def _newcombe_paired(both: float, only_first: float, only_second: float, n: int, level: float) -> Bounds:
    """Newcombe's square-and-add bounds with his correction of the correlation for continuity; cells are shares of n."""
    neither = 1 - both - only_first - only_second
    p1, p2 = both + only_first, both + only_second
    (l1, u1), (l2, u2) = (wilson(min(n, p * n), n, level) for p in (p1, p2))
    margins = p1 * (only_second + neither) * p2 * (only_first + neither)
    phi = 0.0
    if margins > 0:
        product = both * neither - only_first * only_second
        phi = (max(product - 1 / (2 * n), 0.0) if product > 0 else product) / math.sqrt(margins)
    down, up = (p1 - l1, u2 - p2), (u1 - p1, p2 - l2)
    low, high = (math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y)) for x, y in (down, up))
    return Bounds(p1 - p2 - low, p1 - p2 + high)
