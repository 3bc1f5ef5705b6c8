"""The interval that older work prints for alpha: offered under its name, and too narrow, as is said beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from calibration.published import EXAMPLE_C
from judge.calibration.alpha import krippendorff_alpha
from judge.calibration.legacy import hayes_krippendorff
from judge.cli.main import app


@pytest.mark.parametrize(
    ("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_the_estimate_is_alphas(metric, alpha):
    """Krippendorff's example C with missing ratings: the published alphas, with an interval around them."""
    found = hayes_krippendorff(EXAMPLE_C, metric)
    assert found.estimate == pytest.approx(alpha, abs=5e-4)
    assert found.low < found.estimate < found.high
    assert "legacy" in found.note


def test_the_width_is_that_of_independent_pairs():
    """200 items, two raters, 30 of whom differ: the draws are binomial with n = 200, p = .15.

    a: 85 both 0, 85 both 1, 15 + 15 differ. De of 200 zeros and 200 ones = 2 * 200 * 200 / (400 * 399) = .50125.
    """
    table = np.repeat([[0, 0], [1, 1], [0, 1], [1, 0]], [85, 85, 15, 15], axis=0)
    found = hayes_krippendorff(table, replicates=40_000)
    assert found.estimate == pytest.approx(1 - 0.15 / (80_000 / 159_600))
    half = 1.96 * math.sqrt(0.15 * 0.85 / 200) / (80_000 / 159_600)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.04)


def test_it_is_too_narrow():
    """Five raters at 2 % positives: at most two thirds as wide as the interval that covers (.22 to .46 in simulations)."""
    rng = np.random.default_rng(3)
    truth = rng.random((300, 1)) < 0.02
    ratings = (rng.random((300, 5)) < np.where(truth, 0.85, 0.005)).astype(int)
    old, new = hayes_krippendorff(ratings), krippendorff_alpha(ratings)
    assert old.high - old.low < 0.67 * (new.high - new.low)


@pytest.mark.parametrize(
    ("ratings", "why"),
    [
        ([[1, 1], [1, 1]], "no variation"),
        ([[1, -1], [-1, 1]], "no item has two ratings"),
        (np.column_stack([np.arange(40), np.arange(40)]), "more than 32"),
    ],
)
def test_undefined(ratings, why):
    """Nothing to draw from gives no figure and the reason."""
    found = hayes_krippendorff(ratings)
    assert found.estimate is None
    assert why in found.note


def test_no_difference_has_no_interval():
    """Pairs that never differ give the same alpha in every draw, which is no interval."""
    found = hayes_krippendorff([[0, 0], [1, 1], [1, 1]])
    assert (found.estimate, found.low, found.high) == (1.0, None, None)


def test_on_request_only(tmp_path: Path):
    """`judge gold agree` gives it under its own name where it is asked for, beside the interval that covers."""
    rows = [
        {"transcript_id": f"t{i}", "rubric": "r", "rater": rater, "rater_kind": "human", "label": label}
        for i in range(60)
        for rater, label in (("ida", "yes" if i % 3 == 0 else "no"), ("ben", "yes" if i % 4 == 0 else "no"))
    ]
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    plain, asked = (
        json.loads(CliRunner().invoke(app, ["gold", "agree", "--labels", str(path), "--json", *more]).stdout)[
            "statistics"
        ]
        for more in ([], ["--published"])
    )
    name = "krippendorff_alpha_nominal_hayes_krippendorff"
    assert name in asked
    assert all(more.endswith(("_hayes_krippendorff", "_linearised")) for more in asked.keys() - plain.keys())
    assert asked[name]["estimate"] == pytest.approx(plain["krippendorff_alpha_nominal"]["estimate"])
    assert "covers .65 to .85" in asked[name]["note"]
