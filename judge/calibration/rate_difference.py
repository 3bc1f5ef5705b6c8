"""The difference of two rates over different transcripts, which may share their scenarios: first minus second.

Judges on the same transcripts are compared item by item (`comparison`). Nothing here knows which rates are meant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.calibration.intervals import Bounds, cluster_t_bounds, cluster_t_p, sum_bounds
from judge.calibration.rates import naive
from judge.calibration.statistic import Statistic, join_notes, measured, undefined


def difference(first: Statistic, second: Statistic) -> Statistic:
    """The difference of two rates over different transcripts, first minus second; bounds combined (MOVER).

    With Wilson's intervals of two independent rates this is Newcombe's (1998). Undefined when either rate is; no
    interval when either has none.
    """
    method = f"difference, bounds combined (MOVER) from {first.method} and {second.method}"
    n = first.n + second.n
    if first.estimate is None or second.estimate is None:
        missing = first if first.estimate is None else second
        return undefined(missing.note or "a rate is undefined", method=method, n=n)
    gap = first.estimate - second.estimate
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return measured(gap, None, None, method=method, n=n, note="a rate has no interval")
    terms = [
        (1.0, first.estimate, Bounds(first.low, first.high)),
        (-1.0, second.estimate, Bounds(second.low, second.high)),
    ]
    low, high = sum_bounds(terms)
    return measured(gap, max(-1.0, low), min(1.0, high), method=method, n=n, note=join_notes(first.note, second.note))


def shared_cluster_difference(
    first: ArrayLike,
    first_clusters: ArrayLike,
    second: ArrayLike,
    second_clusters: ArrayLike,
    level: float = 0.95,
) -> Statistic:
    """The difference of two flag rates whose transcripts share scenarios, first minus second; t over scenarios.

    `first`, `second`: (n,) and (m,) booleans, each with its cluster labels. What both rates owe to an easy or a hard
    scenario cancels, which independent intervals would count as noise. Where no scenario moves the difference, as when
    nothing is flagged, the bounds are those of two independent rates.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not len(a) or not len(b):
        return undefined("no transcripts", method="difference over shared clusters", n=len(a) + len(b))
    estimate, moved = _shared_influence(a, first_clusters, b, second_clusters)
    bounds = cluster_t_bounds(estimate, moved, level)
    if bounds is None:
        return difference(naive(a, first_clusters, level), naive(b, second_clusters, level))
    k = len(moved)
    method = f"difference {level:.0%} over {k} shared clusters, t({k - 1})"
    low, high = max(-1.0, bounds.low), min(1.0, bounds.high)
    return measured(estimate, low, high, method=method, n=len(a) + len(b))


def shared_cluster_p(
    first: ArrayLike, first_clusters: ArrayLike, second: ArrayLike, second_clusters: ArrayLike
) -> float:
    """The two-sided p value that goes with `shared_cluster_difference`; 1 where no scenario moves the difference."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not len(a) or not len(b):
        return 1.0
    return cluster_t_p(*_shared_influence(a, first_clusters, b, second_clusters))


def _shared_influence(
    a: NDArray[np.float64], a_clusters: ArrayLike, b: NDArray[np.float64], b_clusters: ArrayLike
) -> tuple[float, NDArray[np.float64]]:
    """The difference of two shares, and how much each of the clusters that they share moves it."""
    tags = np.concatenate([np.asarray(a_clusters), np.asarray(b_clusters)])
    moved = np.concatenate([(a - a.mean()) / len(a), -(b - b.mean()) / len(b)])
    by_cluster = np.bincount(np.unique(tags, return_inverse=True)[1], weights=moved)
    return float(a.mean() - b.mean()), np.asarray(by_cluster, dtype=float)
