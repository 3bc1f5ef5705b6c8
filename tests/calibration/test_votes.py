"""Voters that err alike are fewer than they seem."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from judge.calibration.votes import effective_votes


def test_voters_that_always_agree_are_one() -> None:
    """Correlation 1: n / (1 + (n - 1)) = 1."""
    votes = np.tile(np.array([[1], [0], [1], [0], [0]]), (8, 3))
    assert 1.0 == effective_votes(votes).estimate


def test_independent_voters_are_as_many_as_they_are() -> None:
    """Every combination of three votes once: each pair has correlation 0, so three voters are three."""
    votes = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    assert 3.0 == effective_votes(votes).estimate


def test_a_known_correlation_gives_what_the_formula_says() -> None:
    """Both 1 on 4 of 10 items, both 0 on 4, one each on 1 and 1: phi = (10 x 4 - 5 x 5) / (5 x 5) = .6; 2 / 1.6 = 1.25."""
    votes = np.array([[1, 1]] * 4 + [[0, 0]] * 4 + [[1, 0], [0, 1]])
    found = effective_votes(votes)
    assert pytest.approx(1.25) == found.estimate
    assert "r 0.600" in str(found.note)


def test_with_truth_it_is_the_errors_that_count() -> None:
    """Two voters right on all but two items each, never the same: they agree with the truth, and err apart.

    Errors: 2 of 10 each, none in common: phi = (10 x 0 - 2 x 2) / (2 x 8) < 0, so they are two. By their votes they are fewer.
    """
    truth = np.array([1, 0] * 5)
    one, other = truth.copy(), truth.copy()
    one[:2], other[2:4] = 1 - one[:2], 1 - other[2:4]
    votes = np.column_stack([one, other])
    assert 2.0 == effective_votes(votes, truth).estimate
    by_votes = effective_votes(votes).estimate
    assert by_votes is not None
    assert by_votes < 2


def test_a_voter_who_never_varies_tells_nothing() -> None:
    """Its pairs are left out and counted; of three voters, the two that vary always agree."""
    votes = np.column_stack([[1, 0] * 10, [1, 0] * 10, [0, 0] * 10])
    found = effective_votes(votes)
    assert 1.0 == found.estimate
    assert "2 of 3 pairs left out" in str(found.note)


def test_without_two_votes_there_is_no_figure() -> None:
    """One voter, or voters who never vote on the same item, have no correlation: that is said, not called 1 or n."""
    assert effective_votes(np.ones((5, 1))).estimate is None
    assert effective_votes(np.array([[1, -1], [-1, 0]])).estimate is None
    assert effective_votes(np.zeros((9, 3))).estimate is None


@given(arrays(np.int64, st.tuples(st.integers(2, 20), st.integers(2, 5)), elements=st.sampled_from([-1, 0, 1])))
def test_it_lies_between_one_and_the_voters(votes: np.ndarray) -> None:
    """Whatever the votes, and whatever is missing of them."""
    found = effective_votes(votes, replicates=50)
    assert found.estimate is None or 1 <= found.estimate <= votes.shape[1]


def test_the_interval_covers_what_it_says() -> None:
    """300 samples of 200 items by three voters of correlation .5 (worth 1.5): the 95 % interval holds 1.5 in 270 or more.

    270 of 300 is 4 standard deviations below 285. A common cause makes each pair equal with chance .75 and fair coins.
    """
    rng = np.random.default_rng(5)
    held = 0
    for seed in range(300):
        common = rng.integers(0, 2, (200, 1))
        own = rng.integers(0, 2, (200, 3))
        votes = np.where(rng.random((200, 3)) < 0.5**0.5, common, own)
        found = effective_votes(votes, replicates=300, seed=seed)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1.5 <= found.high
    assert held >= 270
