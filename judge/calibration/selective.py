"""When a judge may decide alone: confidence thresholds whose error rate is guaranteed, the rest going to humans.

Fixed-sequence testing over a grid of thresholds set beforehand, strict to loose, each with an exact binomial test
(Bauer 1991; Angelopoulos et al. 2022, "Learn then test"; Jung et al. 2025 for judges). With probability 1 - delta over
the calibration items, the judge errs on at most `max_risk` of the items that it decides. Nothing here knows where a
confidence comes from; it needs no calibration, only that higher means surer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.calibration.intervals import clopper_pearson, proportion
from judge.calibration.statistic import Statistic, measured, undefined
from judge.frozen import Frozen

# Thresholds for confidences in [0, 1]; set before any data is seen, as the guarantee demands.
GRID = tuple(round(1 - step / 50, 2) for step in range(51))
# Sequences begun along the grid: a single one, begun at a confidence that hardly any item reaches, abstains on everything.
STARTS = 5


class Threshold(Frozen):
    """The loosest threshold that keeps the promise; None means that the judge may decide nothing alone.

    `coverage`: the share of calibration items decided. `risk`: the share of those that are wrong, its upper bound at the
    level tested. `tested`: how many thresholds were tried before stopping.
    """

    threshold: float | None
    max_risk: float
    delta: float
    coverage: Statistic
    risk: Statistic
    tested: int


def select_threshold(
    confidence: ArrayLike,
    wrong: ArrayLike,
    max_risk: float,
    delta: float,
    *,
    grid: Sequence[float] = GRID,
    starts: int = STARTS,
) -> Threshold:
    """The loosest threshold at which the judge errs on at most `max_risk` of what it decides, except with chance delta.

    `confidence`: (n_items,), `wrong`: (n_items,) booleans: the judge differs from gold. An item is decided if its
    confidence reaches the threshold. Thresholds are tried from the strictest and the first failure stops; as a strict
    threshold may have too few items to pass, `starts` evenly spaced sequences are begun, each at delta / starts.
    """
    sure, bad = np.asarray(confidence, dtype=float), np.asarray(wrong, dtype=bool)
    if sure.shape != bad.shape or sure.ndim != 1:
        raise ValueError(f"confidence {sure.shape} and wrong {bad.shape} must be alike and one-dimensional")
    if not (0 < max_risk < 1 and 0 < delta < 1 and starts >= 1):
        raise ValueError("max_risk and delta lie between 0 and 1, and there is one start at least")
    ordered = sorted(set(grid), reverse=True)
    share = delta / starts
    passed, tried = set[int](), set[int]()
    for first in sorted({len(ordered) * start // starts for start in range(starts)}):
        for index in range(first, len(ordered)):
            tried.add(index)
            decided = sure >= ordered[index]
            if not _keeps(int(bad[decided].sum()), int(decided.sum()), max_risk, share):
                break
            passed.add(index)
    chosen = ordered[max(passed)] if passed else None
    return _describe(sure, bad, chosen, max_risk, delta, share, len(tried))


def _keeps(errors: int, decided: int, max_risk: float, delta: float) -> bool:
    """Whether so few errors have a chance of delta at most if the risk were `max_risk`; no items prove nothing."""
    from scipy.special import bdtr

    return decided > 0 and float(bdtr(errors, decided, max_risk)) <= delta


def _describe(
    sure: NDArray[np.float64],
    bad: NDArray[np.bool_],
    chosen: float | None,
    max_risk: float,
    delta: float,
    share: float,
    tested: int,
) -> Threshold:
    decided = np.zeros(len(sure), dtype=bool) if chosen is None else sure >= chosen
    n, errors = int(decided.sum()), int(bad[decided].sum())
    method = f"upper Clopper-Pearson bound at {1 - share:.4g}, fixed-sequence testing"
    risk = undefined("the judge decides nothing alone", method=method, n=0)
    if n:
        risk = measured(errors / n, 0.0, clopper_pearson(errors, n, 1 - share, "upper").high, method=method, n=n)
    return Threshold(
        threshold=chosen,
        max_risk=max_risk,
        delta=delta,
        coverage=proportion(n, len(sure)),
        risk=risk,
        tested=tested,
    )
