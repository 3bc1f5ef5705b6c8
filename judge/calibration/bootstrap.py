"""BCa bootstrap intervals over items, or over clusters of items, for any figure that is a function of sums.

Most figures here (alpha, the kappas, accuracy, MCC) are a function of column sums over items. A resample is then a
weight for each item, all replicates are one matrix product, and items with the same row are one pattern whose weight
follows a multinomial: the same distribution as resampling items, at the cost of the patterns. The leave-one-out values
that the acceleration needs follow by subtraction. Figures of the same items share their resamples, which cost more than
the figures. Nothing here knows what the figures mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from judge.calibration.intervals import t_quantile
from judge.calibration.statistic import NO_VARIATION, Statistic, join_notes, measured, undefined

Floats = NDArray[np.float64]
Finish = Callable[[Floats], Floats]

REPLICATES = 10_000
# Above this share of replicates without a value, the rest says too little about the sampling distribution.
UNDEFINED_SHARE = 0.10
_CHUNK_CELLS = 2_000_000  # 16 MB of weights at a time
_TIE = 1e-12


class Scheme(NamedTuple):
    """What can be resampled: how many sampling units share each pattern, and the figures for given pattern weights.

    `frequencies`: (n_patterns,). `evaluate`: weights (n_replicates, n_patterns) -> figures (n_replicates, n_figures),
    NaN where undefined. `leave_one_out`: () -> (n_patterns, n_figures), the figures without one unit of each pattern.
    """

    frequencies: NDArray[np.int64]
    evaluate: Callable[[Floats], Floats]
    leave_one_out: Callable[[], Floats]


class Interval(NamedTuple):
    """A bootstrap interval of one figure; NaN where it has none. `undefined` counts replicates without a value."""

    estimate: float
    low: float
    high: float
    undefined: int
    degenerate: bool  # every replicate has the same value: the resamples say nothing about how rare the unseen is


def additive(
    parts: Floats,
    finish: Finish,
    clusters: NDArray[np.int64] | None = None,
    *,
    alike: NDArray[np.float64] | NDArray[np.int64] | None = None,
) -> Scheme:
    """A scheme for figures that depend on column sums alone.

    `parts`: (n_items, n_columns). `finish`: sums (n_replicates, n_columns) -> (n_replicates,) or (n_replicates,
    n_figures). `clusters`: (n_items,) any integer labels; given, whole clusters are resampled. `alike`: (n_items, any),
    what the parts are computed from: items with equal rows have equal parts. Figures with the same `alike` then have the
    same patterns in the same order, and so the same resamples, drawn once for all of them.
    """
    if alike is not None and clusters is None and len(parts):
        patterns, frequencies = _collapse_by(alike.astype(float), parts)
    else:
        patterns, frequencies = collapse(parts if clusters is None else sum_by(parts, clusters))

    def evaluate(weights: Floats) -> Floats:
        return _as_columns(finish(weights @ patterns))

    def leave_one_out() -> Floats:
        return _as_columns(finish(frequencies @ patterns - patterns))

    return Scheme(frequencies, evaluate, leave_one_out)


def weighted(frequencies: NDArray[np.int64], evaluate: Callable[[Floats], Floats]) -> Scheme:
    """A scheme for figures that are no function of sums: `evaluate` takes weights of all patterns, as in `Scheme`."""
    n_patterns = len(frequencies)

    def leave_one_out() -> Floats:
        chunk = max(1, _CHUNK_CELLS // n_patterns)
        rows = []
        for start in range(0, n_patterns, chunk):
            left = np.arange(start, min(start + chunk, n_patterns))
            weights = np.tile(frequencies.astype(float), (len(left), 1))
            weights[np.arange(len(left)), left] -= 1.0
            rows.append(_as_columns(evaluate(weights)))
        return np.concatenate(rows)

    return Scheme(frequencies, lambda weights: _as_columns(evaluate(weights)), leave_one_out)


def sum_by(parts: Floats, clusters: NDArray[np.int64]) -> Floats:
    """Sum the rows of each cluster: (n_items, n_columns) -> (n_clusters, n_columns)."""
    if clusters.shape != parts.shape[:1]:
        raise ValueError(f"clusters {clusters.shape} must label the {len(parts)} items")
    labels, index = np.unique(clusters, return_inverse=True)
    totals = np.zeros((len(labels), parts.shape[1]))
    np.add.at(totals, index, parts)
    return totals


def collapse(rows: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The distinct rows, and how often each occurs. Exact: a hash that collides falls back to comparing rows."""
    if len(rows) == 0:
        return rows, np.zeros(0, dtype=np.int64)
    first, frequencies = _distinct(rows)
    return rows[first], frequencies


def _collapse_by(keys: Floats, parts: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The parts of each distinct row of `keys`, in the order of the keys, and how often each occurs."""
    first, frequencies = _distinct(keys)
    order = np.lexsort(keys[first].T[::-1])
    return parts[first[order]], frequencies[order]


def _distinct(rows: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each distinct row stands first, and how often it occurs."""
    key = rows @ np.random.default_rng(0).uniform(0.5, 1.5, rows.shape[1])
    _, first, index, frequencies = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    if not np.array_equal(rows[first][index], rows):
        _, first, frequencies = np.unique(rows, axis=0, return_index=True, return_counts=True)
    return first.astype(np.int64), frequencies.astype(np.int64)


def resamples(scheme: Scheme, replicates: int, seed: int) -> Floats:
    """The figures of `replicates` resamples: (replicates, n_figures), NaN where undefined."""
    return np.concatenate([scheme.evaluate(weights) for weights in _draw(scheme.frequencies, replicates, seed)])


def bca(scheme: Scheme, *, seed: int, replicates: int = REPLICATES, level: float = 0.95) -> tuple[Interval, ...]:
    """Bias-corrected and accelerated intervals (Efron 1987), one for each figure of the scheme.

    The normal quantiles are expanded to sqrt(n / (n - 1)) t(n - 1) over n units (Hesterberg 2015), without which
    bootstrap intervals from few units or clusters are too narrow. Replicates without a value are counted, not
    replaced; above a tenth of them there is no interval.
    """
    estimates = scheme.evaluate(scheme.frequencies[None, :].astype(float))[0]
    n = int(scheme.frequencies.sum())
    if n < 2:
        return tuple(Interval(float(one), float("nan"), float("nan"), 0, True) for one in estimates)
    values = resamples(scheme, replicates, seed)
    acceleration = _acceleration(scheme.leave_one_out(), scheme.frequencies)
    reach = math.sqrt(n / (n - 1)) * t_quantile(level, n - 1)
    return tuple(
        _interval(float(estimates[i]), values[:, i], float(acceleration[i]), reach) for i in range(len(estimates))
    )


def as_statistic(interval: Interval, *, n: int, units: str, replicates: int, seed: int, level: float) -> Statistic:
    """Turn an interval into the figure that leaves the package, with its method and what weakens it."""
    method = f"expanded BCa bootstrap {level:.0%} over {units}, {replicates} replicates, seed {seed}"
    if np.isnan(interval.estimate):
        return undefined(NO_VARIATION, method=method, n=n)
    lost = f"{interval.undefined} of {replicates} replicates undefined" if interval.undefined else None
    reason = None
    if np.isnan(interval.low):
        reason = "no interval: " + ("no replicate differs" if interval.degenerate else "too many undefined replicates")
    return measured(interval.estimate, interval.low, interval.high, method=method, n=n, note=join_notes(reason, lost))


def _as_columns(values: Floats) -> Floats:
    return values[:, None] if values.ndim == 1 else values


def _draw(frequencies: NDArray[np.int64], replicates: int, seed: int) -> Iterable[Floats]:
    """Resampling weights in chunks; where one chunk holds them all it is kept for the next figure of the same items."""
    if replicates * len(frequencies) <= _CHUNK_CELLS:
        return (_kept_weights(frequencies.tobytes(), replicates, seed),)
    return _weights(frequencies, replicates, np.random.default_rng(seed))


@lru_cache(maxsize=8)
def _kept_weights(frequencies: bytes, replicates: int, seed: int) -> Floats:
    counts, rng = np.frombuffer(frequencies, dtype=np.int64), np.random.default_rng(seed)
    weights = np.concatenate(list(_weights(counts, replicates, rng)))
    weights.flags.writeable = False
    return weights


def _weights(frequencies: NDArray[np.int64], replicates: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Resampling weights in chunks of bounded memory: (chunk, n_patterns) each.

    A multinomial draw costs one binomial for each pattern, counting drawn indices costs one draw for each unit; the
    binomial is about eight times dearer.
    """
    total, n_patterns = int(frequencies.sum()), len(frequencies)
    by_pattern = n_patterns * 8 < total
    chunk = max(1, _CHUNK_CELLS // max(1, n_patterns if by_pattern else total))
    pattern_of_unit = np.repeat(np.arange(n_patterns), frequencies)
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        if by_pattern:
            yield rng.multinomial(total, frequencies / total, size=size).astype(float)
            continue
        drawn = rng.integers(0, total, size=(size, total))
        if n_patterns < total:
            drawn = pattern_of_unit[drawn]
        drawn += np.arange(size)[:, None] * n_patterns
        yield np.bincount(drawn.ravel(), minlength=size * n_patterns).reshape(size, n_patterns).astype(float)


def _acceleration(left_out: Floats, frequencies: NDArray[np.int64]) -> Floats:
    """The acceleration of each figure from its leave-one-out values; 0 where they do not vary or are undefined."""
    weights = np.where(np.isnan(left_out), 0.0, frequencies[:, None].astype(float))
    values = np.nan_to_num(left_out)
    total = weights.sum(axis=0)
    mean = np.divide((weights * values).sum(axis=0), total, out=np.zeros(len(total)), where=total > 0)
    gap = np.where(weights > 0, mean - values, 0.0)
    spread = (weights * gap**2).sum(axis=0)
    skew = (weights * gap**3).sum(axis=0)
    return np.asarray(np.divide(skew, 6 * spread**1.5, out=np.zeros(len(total)), where=spread > _TIE**2))


def _interval(estimate: float, values: Floats, acceleration: float, reach: float) -> Interval:
    from scipy.special import ndtr, ndtri

    nothing = float("nan")
    defined = values[~np.isnan(values)]
    lost = len(values) - len(defined)
    if np.isnan(estimate) or lost > UNDEFINED_SHARE * len(values):
        return Interval(estimate, nothing, nothing, lost, False)
    if np.ptp(defined) <= _TIE:
        return Interval(estimate, nothing, nothing, lost, True)
    # Ties count half: with few events many replicates equal the estimate, and a strict count would shift the bias.
    below = np.mean(defined < estimate - _TIE) + 0.5 * np.mean(np.abs(defined - estimate) <= _TIE)
    bias = ndtri(np.clip(below, 1 / (2 * len(defined)), 1 - 1 / (2 * len(defined))))
    ends = bias + np.array([-reach, reach])
    # Few units and a strong skew can take the correction past its pole: the end is then the extreme replicate.
    low, high = np.quantile(defined, ndtr(bias + ends / np.maximum(1 - acceleration * ends, _TIE)))
    return Interval(estimate, float(low), float(high), lost, False)
