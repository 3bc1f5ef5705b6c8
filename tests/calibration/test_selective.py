"""Thresholds that keep their promise, and abstain rather than break it."""

from __future__ import annotations

import numpy as np
import pytest

from judge.calibration.selective import GRID, select_threshold


def judged(rng, n, sharp=2.0):
    """Confidences and errors of a judge whose chance of error is (1 - confidence) ^ sharp."""
    sure = rng.random(n)
    return sure, rng.random(n) < (1 - sure) ** sharp


def true_risk(threshold, sharp=2.0):
    """Mean of (1 - c)^s over c uniform above the threshold t: (1 - t)^s / (s + 1)."""
    return (1 - threshold) ** sharp / (sharp + 1)


@pytest.mark.parametrize(("grid", "starts"), [(GRID[15:], 1), (GRID, 5)])
def test_risk_exceeds_the_promise_in_at_most_delta_of_runs(grid, starts):
    """Over 600 calibration sets the true risk is above .1 in no more than delta = .1 of them, give or take sampling.

    Three standard errors of a share of .1 in 600 are .037.
    """
    rng = np.random.default_rng(0)
    broken, decided = 0, 0
    for _ in range(600):
        found = select_threshold(*judged(rng, 250), 0.1, 0.1, grid=grid, starts=starts)
        decided += found.threshold is not None
        broken += found.threshold is not None and true_risk(found.threshold) > 0.1
    assert broken / 600 <= 0.1 + 0.037
    assert decided > 300


def test_several_starts_decide_where_one_abstains():
    """A strictest threshold with two items cannot pass; a sequence begun lower can."""
    sure = np.r_[np.full(2, 1.0), np.full(200, 0.6)]
    wrong = np.zeros(202, dtype=bool)
    assert select_threshold(sure, wrong, 0.1, 0.1, starts=1).threshold is None
    assert select_threshold(sure, wrong, 0.1, 0.1, starts=4).threshold is not None


def test_a_failing_strictest_threshold_means_no_threshold():
    """The strictest threshold is not returned when its own bound exceeds the promise."""
    found = select_threshold(np.ones(100), np.repeat([True, False], 50), 0.2, 0.1)
    assert found.threshold is None
    assert found.coverage.estimate == 0.0
    assert found.risk.estimate is None


def test_the_bound_of_the_chosen_threshold_keeps_the_promise():
    """300 decided, 5 wrong: the one-sided bound at 1 - delta is below max_risk exactly where the test passes."""
    sure, wrong = np.ones(300), np.arange(300) < 5
    found = select_threshold(sure, wrong, 0.04, 0.1, grid=[0.5, 1.0], starts=1)
    assert found.threshold == 0.5
    assert found.risk.high <= 0.04
    assert found.coverage.estimate == 1.0


def test_impossible_promises_are_refused():
    """A risk or error level outside (0, 1) is a programmer's mistake."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        select_threshold([0.5], [False], 0.0, 0.1)
