"""Intervals for proportions, from counts: Wilson, Clopper-Pearson, clustered, and for sums and differences of two.

Pure functions of counts; nothing here knows what is counted. Counts may be fractional, because an effective sample
size is. scipy.special gives the other quantiles than the normal one and is loaded at the first call that needs one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.statistic import Statistic, join_notes, measured, undefined

Side = Literal["both", "lower", "upper"]
_FEW = 5  # mistakes below which a sample does not show how alike the items of a cluster are


class Bounds(NamedTuple):
    """The two ends of an interval; an end that is not bounded is 0 or 1 (or -1 and 1 for a difference)."""

    low: float
    high: float


def normal_quantile(level: float) -> float:
    """Return z with central probability `level`: 1.96 for .95."""
    return NormalDist().inv_cdf(0.5 + _checked_level(level) / 2)


def t_quantile(level: float, df: float) -> float:
    """Return the quantile of Student's t with `df` degrees of freedom and central probability `level`."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + _checked_level(level) / 2))


def wilson(successes: float, n: float, level: float = 0.95, *, quantile: float | None = None) -> Bounds:
    """Wilson's score interval for a proportion (Wilson 1927; Newcombe 1998, method 3). n = 0 gives [0, 1].

    `quantile` replaces the normal quantile, as the interval for clustered data needs.
    """
    _check_counts(successes, n)
    if n == 0:
        return Bounds(0.0, 1.0)
    z = normal_quantile(level) if quantile is None else quantile
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At the ends the interval reaches 0 or 1 exactly; rounding would leave it at 1e-17.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Bounds(low, high)


def clopper_pearson(successes: float, n: float, level: float = 0.95, side: Side = "both") -> Bounds:
    """The exact binomial interval (Clopper and Pearson 1934); n = 0 gives [0, 1].

    `side="lower"` or `"upper"` spends the whole of 1 - level on that end and leaves the other at 1 or 0.
    """
    from scipy.special import betaincinv

    _check_counts(successes, n)
    tail = (1 - _checked_level(level)) / (2 if side == "both" else 1)
    low, high = 0.0, 1.0
    if side != "upper" and successes > 0:
        low = float(betaincinv(successes, n - successes + 1, tail))
    if side != "lower" and successes < n:
        high = float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Bounds(low, high)


def proportion(
    successes: int, n: int, level: float = 0.95, method: Literal["wilson", "clopper_pearson"] = "wilson"
) -> Statistic:
    """A share of independent items with its interval; undefined when there are no items."""
    name = f"{'Wilson' if method == 'wilson' else 'Clopper-Pearson'} {level:.0%}"
    if n == 0:
        return undefined("no items", method=name, n=0)
    low, high = wilson(successes, n, level) if method == "wilson" else clopper_pearson(successes, n, level)
    return measured(successes / n, low, high, method=name, n=n)


class Effective(NamedTuple):
    """What clustering leaves of a sample: the share, the effective number of items, the clusters, the design effect."""

    share: float
    size: float
    clusters: int
    design_effect: float


def effective_size(successes: ArrayLike, sizes: ArrayLike) -> Effective:
    """The number of independent items that clustered items are worth, for a proportion.

    `successes`, `sizes`: (n_clusters,), events and items of each cluster; empty clusters are ignored. The variance is
    that of a ratio of cluster totals (Rao and Scott 1992; Miller 2024). With few events it comes out too small more
    often than not, because the clusters where they would pile up are not in the sample; it is therefore taken as if the
    cluster with most of the rarer kind had one more. Where nothing or everything is an event the data cannot show how
    alike the items of a cluster are, and each cluster counts as one item.
    """
    x, m = np.asarray(successes, dtype=float), np.asarray(sizes, dtype=float)
    if x.shape != m.shape or x.ndim != 1 or np.any(x < 0) or np.any(x > m):
        raise ValueError("successes and sizes must be one-dimensional, alike, with 0 <= successes <= sizes")
    x, m = x[m > 0], m[m > 0]
    k, n = len(m), float(m.sum())
    if k == 0:
        return Effective(0.0, 0.0, 0, 1.0)
    p = float(x.sum()) / n
    if p in (0.0, 1.0) or k == 1:
        return Effective(p, float(k), k, n / k)
    rarer = x if p <= 0.5 else m - x
    fullest = int(np.argmax(rarer))
    rarer[fullest] = min(m[fullest], rarer[fullest] + 1)
    share = float(rarer.sum()) / n
    variance = k / (k - 1) * float(((rarer - share * m) ** 2).sum()) / n**2
    # A design effect below 1 is noise in the estimated variance: clusters never add information.
    effect = max(1.0, variance / (share * (1 - share) / n)) if share < 1 else n / k
    return Effective(p, n / effect, k, effect)


def clustered_proportion(successes: ArrayLike, sizes: ArrayLike, level: float = 0.95) -> Statistic:
    """A share of items that come in clusters: Wilson's interval at the effective size, with t(clusters - 1).

    Arrays as in `effective_size`. With fewer than two clusters there is no interval. Clusters of one item each give
    Wilson's interval with a t quantile.
    """
    x, m = np.asarray(successes, dtype=float), np.asarray(sizes, dtype=float)
    effective = effective_size(x, m)
    name = f"Wilson {level:.0%} at the effective size of {effective.clusters} clusters, t({effective.clusters - 1})"
    n = int(m.sum())
    if effective.clusters == 0:
        return undefined("no items", method=name, n=0)
    if effective.clusters == 1:
        return measured(effective.share, None, None, method=name, n=n, note="one cluster: no interval")
    quantile = t_quantile(level, effective.clusters - 1)
    low, high = wilson(effective.share * effective.size, effective.size, level, quantile=quantile)
    note = f"effective size {effective.size:.1f} of {n} (design effect {effective.design_effect:.2f})"
    unseen = "no variation between clusters: each counts as one item" if effective.share in (0.0, 1.0) else None
    return measured(effective.share, low, high, method=name, n=n, note=join_notes(note, unseen))


def exact_clustered(
    successes: ArrayLike, sizes: ArrayLike, level: float = 0.95, icc: float = 0.2
) -> tuple[Statistic, float]:
    """A share with the exact interval at the effective size of its clusters (Korn and Graubard 1998), and that size.

    Arrays as in `effective_size`. Clusters of one item each give Clopper and Pearson's interval. The effective size of k
    clusters with n items is reduced by (t(n - 1) / t(k - 1))^2. Fewer than five events or non-events cannot show how alike
    the items of a cluster are: the design effect is then at least 1 + (m - 1) `icc`, with m the size of the cluster that
    an item is in on average (Kish 1965).
    """
    x, m = np.asarray(successes, dtype=float), np.asarray(sizes, dtype=float)
    hits, n, k = int(x.sum()), int(m.sum()), int((m > 0).sum())
    method = f"Clopper-Pearson {level:.4g}"
    if n == 0:
        return undefined("no items", method=method, n=0), 0.0
    if k == n:
        return measured(hits / n, *clopper_pearson(hits, n, level), method=method, n=n), float(n)
    if k == 1:
        return measured(hits / n, None, None, method=method, n=n, note="one cluster: no interval"), 1.0
    alike = 1 + (float((m**2).sum()) / n - 1) * icc
    if hits in (0, n):
        effect = alike
    else:
        effect = effective_size(x, m).design_effect
        if min(hits, n - hits) < _FEW:
            effect = max(effect, alike)
        else:
            effect *= (t_quantile(level, k - 1) / t_quantile(level, n - 1)) ** 2
    size = n / effect
    low, high = clopper_pearson(hits / effect, size, level)
    note = f"effective size {size:.1f} of {n} in {k} clusters"
    return measured(hits / n, low, high, method=f"{method} at the effective size", n=n, note=note), size


def cluster_t_bounds(estimate: float, influence: ArrayLike, level: float = 0.95) -> Bounds | None:
    """Bounds from how much each cluster moves an estimate: t(clusters - 1) times the root of the summed squares.

    `influence`: (n_clusters,), the linearised contributions, which sum to 0. None with one cluster, or where no cluster
    moves the estimate, which says nothing about clusters not seen.
    """
    moved = np.asarray(influence, dtype=float)
    k = len(moved)
    if k < 2 or not np.any(np.abs(moved) > 1e-15):
        return None
    half = t_quantile(level, k - 1) * math.sqrt(k / (k - 1) * float((moved**2).sum()))
    return Bounds(estimate - half, estimate + half)


def cluster_t_p(estimate: float, influence: ArrayLike) -> float:
    """The two-sided p value of the same test, for the hypothesis that what is estimated is 0; 1 where there are no bounds."""
    from scipy.special import stdtr

    moved = np.asarray(influence, dtype=float)
    k = len(moved)
    if k < 2 or not np.any(np.abs(moved) > 1e-15):
        return 1.0
    return float(2 * stdtr(k - 1, -abs(estimate) / math.sqrt(k / (k - 1) * float((moved**2).sum()))))


def sum_bounds(terms: Sequence[tuple[float, float, Bounds]]) -> Bounds:
    """Bounds of a weighted sum of independent estimates from the bounds of each (MOVER; Zou and Donner 2008).

    `terms`: (weight, estimate, bounds) each; a negative weight subtracts. Newcombe's interval for a difference of two
    proportions is this with weights 1 and -1 and Wilson's bounds.
    """
    total = sum(weight * estimate for weight, estimate, _ in terms)
    below = above = 0.0
    for weight, estimate, (low, high) in terms:
        down, up = (estimate - low, high - estimate) if weight >= 0 else (high - estimate, estimate - low)
        below += (weight * down) ** 2
        above += (weight * up) ** 2
    return Bounds(total - math.sqrt(below), total + math.sqrt(above))


def _check_counts(successes: float, n: float) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"counts must satisfy 0 <= successes <= n, got {successes} of {n}")


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    return level
