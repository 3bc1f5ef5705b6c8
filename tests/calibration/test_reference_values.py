"""Published values, from label and verdict files through the commands to `--json`, to the digits in which they were printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from calibration.published import (
    ABSTRACTORS,
    EXAMPLE_A,
    EXAMPLE_B,
    EXAMPLE_C,
    FLEISS,
    PARADOX,
    RAW_4_RATERS,
    WIKIPEDIA,
    from_table,
)
from judge.cli.main import app

Row = dict[str, Any]


class Bench:
    """Writes files and runs commands on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, rows: Iterable[Row]) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return str(path)

    def run(self, *words: str) -> list[Row]:
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == 0, (done.output, done.exception)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def agree(self, ratings: np.ndarray, *more: str, first: int = 1) -> dict[str, Row]:
        """The figures of ratings (n_items, n_raters), -1 missing; labels are numbers in order, the highest is positive."""
        rows = [
            label(f"t{item:03}", str(int(value) + 1 - first), f"rater{rater:02}")
            for item, row in enumerate(ratings)
            for rater, value in enumerate(row)
            if value != -1
        ]
        levels = [str(level + 1 - first) for level in range(int(ratings[ratings >= 0].min()), int(ratings.max()) + 1)]
        words = ["--labels", self.write("labels.jsonl", rows), "--positive", levels[-1], "--order", ",".join(levels)]
        (found,) = self.run("gold", "agree", *words, *more)
        return found["statistics"]

    def calibrate(self, pairs: Sequence[tuple[bool, bool]], **more: Sequence[Any]) -> Row:
        """Every figure of a judge on gold, one pair of truth and verdict for each item."""
        labels = [label(f"t{i}", word(truth)) for i, (truth, _) in enumerate(pairs)]
        verdicts = [
            verdict(f"t{i}", said) | {name: values[i] for name, values in more.items()}
            for i, (_, said) in enumerate(pairs)
        ]
        paths = ["--labels", self.write("l.jsonl", labels), "--verdicts", self.write("v.jsonl", verdicts)]
        (found,) = self.run("calibrate", *paths)
        return found["statistics"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def word(says: object) -> str:
    return "yes" if says else "no"


def label(item: str, says: str, rater: str = "ida", rubric: str = "r") -> Row:
    return {"transcript_id": item, "rubric": rubric, "rater": rater, "rater_kind": "human", "label": says}


def verdict(item: str, says: object, judge: str = "keen", rubric: str = "r") -> Row:
    return {"transcript_id": item, "rubric": rubric, "judge": judge, "level": word(says)}


def shown(figures: dict[str, Row], *names: str) -> list[float]:
    return [figures[name]["estimate"] for name in names]


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        (EXAMPLE_C, {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}),
        (EXAMPLE_A, {"nominal": 0.095}),
        (EXAMPLE_B, {"nominal": 0.692}),
        (WIKIPEDIA, {"nominal": 0.691, "interval": 0.811}),
    ],
)
def test_alpha(bench: Bench, ratings: np.ndarray, expected: dict[str, float]) -> None:
    """Krippendorff's examples A, B and C and Wikipedia's."""
    found = bench.agree(ratings, first=1 if ratings[ratings >= 0].min() else 0)
    assert shown(found, *(f"krippendorff_alpha_{metric}" for metric in expected)) == pytest.approx(
        list(expected.values()), abs=0.0005
    )


def test_gwets_four_raters(bench: Bench) -> None:
    """Gwet's raw4raters: estimates, and the linearised standard errors in the method of the published form."""
    found = bench.agree(RAW_4_RATERS, "--published")
    expected = {
        "fleiss_kappa": (0.76117, 0.15302),
        "conger_kappa": (0.76282, 0.14917),
        "gwet_ac1": (0.77544, 0.14295),
        "brennan_prediger": (0.77273, 0.14472),
    }
    for name, (estimate, error) in expected.items():
        assert found[name]["estimate"] == pytest.approx(estimate, abs=5e-6)
        assert f"standard error {error:.5f}" in found[f"{name}_linearised"]["method"]
    weighted = ("gwet_ac2", "gwet_ac2_ordinal_linearised", "gwet_ac2_quadratic_linearised")
    assert shown(found, *weighted) == pytest.approx([0.859, 0.899, 0.914], abs=0.0005)


def test_kappas(bench: Bench) -> None:
    """Fleiss' example, Cohen's of 20/5/10/15, the two abstractors with their intervals, and the kappa paradox."""
    assert shown(bench.agree(FLEISS, first=0), "fleiss_kappa") == pytest.approx([0.20993], abs=5e-6)
    table = bench.agree(from_table([[20, 5], [10, 15]]), first=0)
    assert shown(table, "cohen_kappa") == pytest.approx([0.4], abs=0.0005)
    abstractors = bench.agree(ABSTRACTORS, "--published", first=0)
    for name, expected in (("cohen_kappa", (0.796, 0.680, 0.913)), ("weighted_kappa_quadratic", (0.892, 0.822, 0.962))):
        figure = abstractors[f"{name}_linearised"]
        assert (figure["estimate"], figure["low"], figure["high"]) == pytest.approx(expected, abs=0.0006)
    paradox = bench.agree(PARADOX, first=0)
    names = ("cohen_kappa", "krippendorff_alpha_nominal", "gwet_ac1")
    assert shown(paradox, *names) == pytest.approx([-0.0234, -0.0247, 0.9408], abs=5e-5)


def test_prevalence_one_half(bench: Bench) -> None:
    """Two raters with sensitivity .9 and specificity .98 at prevalence .5, cell by cell in 10,000 items, as tabulated."""
    # both yes .5 * .81 + .5 * .0004 = .4052; one yes .5 * .09 + .5 * .0196 = .0548 each; both no .4852.
    found = bench.agree(from_table([[4852, 548], [548, 4052]]), first=0)
    names = ("percent_agreement", "cohen_kappa", "krippendorff_alpha_nominal", "gwet_ac1")
    assert shown(found, *names) == pytest.approx([0.890, 0.779, 0.779, 0.782], abs=0.0005)


@pytest.mark.parametrize(
    ("pi", "expected"),
    [
        (0.50, (0.880, 0.883, 0.978, 0.938)),
        (0.10, (0.850, 0.851, 0.833, 0.865)),
        (0.05, (0.777, 0.784, 0.703, 0.789)),
        (0.02, (0.615, 0.648, 0.479, 0.625)),
        (0.01, (0.456, 0.524, 0.312, 0.464)),
    ],
)
def test_a_judge_at_a_prevalence(bench: Bench, pi: float, expected: tuple[float, ...]) -> None:
    """The same judge, sensitivity .9 and specificity .98: kappa, MCC, PPV and F1 fall with prevalence as tabulated."""
    n = 10_000 if pi >= 0.02 else 20_000
    positives, negatives = round(pi * n), n - round(pi * n)
    hits, alarms = round(0.9 * positives), round(0.02 * negatives)
    pairs = [(True, i < hits) for i in range(positives)] + [(False, i < alarms) for i in range(negatives)]
    found = bench.calibrate(pairs)
    assert shown(found, "cohen_kappa", "mcc", "precision", "f1") == pytest.approx(expected, abs=0.0006)
    assert shown(found, "balanced_accuracy") == pytest.approx([0.94], abs=0.0005)


def test_matthews(bench: Bench) -> None:
    """1, 1, 1, -1 against 1, -1, 1, 1."""
    found = bench.calibrate([(True, True), (True, False), (True, True), (False, True)])
    assert shown(found, "mcc") == pytest.approx([-0.333], abs=0.0005)


@pytest.mark.parametrize(
    ("hits", "n", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), None),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_shares(bench: Bench, hits: int, n: int, score: tuple[float, float], exact: tuple[float, float] | None) -> None:
    """Newcombe's table: Wilson's interval as the naive rate, Clopper and Pearson's as sensitivity."""
    path = bench.write("v.jsonl", [verdict(f"t{i}", i < hits) for i in range(n)])
    (rate,) = bench.run("rates", "--verdicts", path)
    naive = rate["statistics"]["naive"]
    assert (naive["low"], naive["high"]) == pytest.approx(score, abs=5e-5)
    if exact is not None:
        found = bench.calibrate([*((True, i < hits) for i in range(n)), (False, False)])["sensitivity"]
        assert (found["low"], found["high"]) == pytest.approx(exact, abs=5e-5)


def test_scores(bench: Bench) -> None:
    """scikit-learn's examples: Brier .0375 of .1 .9 .8 .3; AUROC .75 and average precision .8333 of .1 .4 .35 .8."""
    brier = bench.calibrate(
        [(False, False), (True, True), (True, True), (False, False)], p_positive=[0.1, 0.9, 0.8, 0.3]
    )
    assert shown(brier, "brier") == pytest.approx([0.0375], abs=5e-5)
    truth = [(False, False), (False, False), (True, False), (True, True)]
    ranked = bench.calibrate(truth, score=[0.1, 0.4, 0.35, 0.8])
    assert shown(ranked, "auroc", "average_precision") == pytest.approx([0.75, 0.8333], abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "p", "chi2"), [(150, 86, 3.72e-5, 17.356), (52, 15, 6.5e-6, None), (11, 10, 1.0, None)]
)
def test_mcnemar(bench: Bench, first: int, second: int, p: float, chi2: float | None) -> None:
    """Agresti's approval ratings (150 and 86 changed), and discordant pairs of judges."""
    n = first + second + 20
    rows = [verdict(f"t{i}", i < first, "a") for i in range(n)]
    rows += [verdict(f"t{i}", first <= i < first + second, "b") for i in range(n)]
    (found,) = bench.run("compare", "a", "b", "--verdicts", bench.write("v.jsonl", rows))
    assert found["p"] == pytest.approx(p, rel=0.01)
    if chi2 is not None:
        assert found["discordant"]["chi2"] == pytest.approx(chi2, abs=0.0005)


def gold_and_flags(bench: Bench, tables: Sequence[tuple[int, int, int, int]], flagged: int, n: int) -> list[Row]:
    """Rates of a judge, a rubric for each (found, positives, passed, negatives) of gold, `flagged` of `n` elsewhere."""
    labels, verdicts = [], []
    for number, (found, positives, passed, negatives) in enumerate(tables):
        rubric = f"r{number}"
        labels += [label(f"g{i}", word(i < positives), rubric=rubric) for i in range(positives + negatives)]
        said = [i < found or i >= positives + passed for i in range(positives + negatives)]
        said[found:positives] = [False] * (positives - found)
        verdicts += [verdict(f"g{i}", says, rubric=rubric) for i, says in enumerate(said)]
        verdicts += [verdict(f"n{i}", i < flagged, rubric=rubric) for i in range(n)]
    paths = ["--labels", bench.write("l.jsonl", labels), "--verdicts", bench.write("v.jsonl", verdicts)]
    return [row["statistics"] for row in bench.run("rates", *paths)]


def test_rogan_gladen(bench: Bench) -> None:
    """20 of 120 flagged, sensitivity 90/100 and specificity 99/100: .17603 [.11299, .26231]."""
    (found,) = gold_and_flags(bench, [(90, 100, 99, 100)], 20, 120)
    figure = found["rogan_gladen"]
    assert (figure["estimate"], figure["low"], figure["high"]) == pytest.approx((0.17603, 0.11299, 0.26231), abs=5e-6)


@pytest.mark.parametrize(
    ("flagged", "table", "high"), [(0, (18, 20, 200, 200), 0.0168), (3, (45, 50, 197, 200), 0.0227)]
)
def test_lang_reiczigel(bench: Bench, flagged: int, table: tuple[int, int, int, int], high: float) -> None:
    """0 of 300 with 18/20 and 200/200: [0, .0168]; 3 of 300 with 45/50 and 197/200: [0, .0227]."""
    (found,) = gold_and_flags(bench, [table], flagged, 300)
    figure = found["lang_reiczigel"]
    assert (figure["low"], figure["high"]) == pytest.approx((0, high), abs=5e-5)


@pytest.mark.parametrize(
    ("n", "bounds"),
    [
        (100, (5.24, 5.30, 4.36, 4.63, 3.90, 4.40, 3.76)),
        (300, (1.77, 1.79, 1.47, 1.56, 1.32, 1.48, 1.27)),
        (1000, (0.53, 0.54, 0.44, 0.47, 0.40, 0.45, 0.38)),
        (3000, (0.18, 0.18, 0.15, 0.16, 0.13, 0.15, 0.13)),
    ],
)
def test_nothing_flagged(bench: Bench, n: int, bounds: tuple[float, ...]) -> None:
    """The table of upper bounds for 0 of n, by what gold says of sensitivity."""
    tables = [(10, 10), (18, 20), (20, 20), (45, 50), (50, 50), (90, 100), (100, 100)]
    found = gold_and_flags(bench, [(hits, positives, 12, 12) for hits, positives in tables], 0, n)
    assert [100 * row["zero_event_bound"]["high"] for row in found] == pytest.approx(bounds, abs=0.005)


def test_sizes(bench: Bench) -> None:
    """How many items a bound takes, without a mistake and with 80 or 90 % power, through protocols that ask for it."""

    def plan(positive: tuple[float, float], negative: tuple[float, float], power: float) -> list[tuple[int, int]]:
        path = bench.folder / "protocol.yaml"
        path.write_text(
            f"schema: judge.protocol/1\nname: sizes\nlevel: SCREENING\nthresholds:\n  sensitivity_low: {positive[1]}\n"
            f"  specificity_low: {negative[1]}\n"
        )
        words = ["--protocol", path, "--sensitivity", positive[0], "--specificity", negative[0], "--power", power]
        (found,) = bench.run("gold", "plan", *map(str, words))
        return [(size["without_a_mistake"], size["needed"]) for size in found["sizes"]]

    for power, sizes in ((0.8, [48, 84, 255, 113, 85, 142, 436]), (0.9, [55, 102, 316, 149, 100, 202, 581])):
        assert plan((0.95, 0.80), (0.98, 0.90), power) == [(17, sizes[0]), (36, sizes[4])]
        assert plan((0.95, 0.85), (0.99, 0.95), power) == [(23, sizes[1]), (72, sizes[5])]
        assert plan((0.95, 0.90), (0.995, 0.98), power) == [(36, sizes[2]), (183, sizes[6])]
        assert plan((0.90, 0.80), (0.98, 0.90), power)[0] == (17, sizes[3])


def test_rater_model(bench: Bench) -> None:
    """Dawid and Skene's model stands beside the figures on request, finds who misses half, and is said to be no truth."""
    rows = [
        label(f"t{i}", word(i % 3 == 0 and not (rater == "cat" and i % 2)), rater)
        for i in range(120)
        for rater in ("ann", "bob", "cat")
    ]
    path = bench.write("l.jsonl", rows)
    (plain,) = bench.run("gold", "agree", "--labels", path)
    (asked,) = bench.run("gold", "agree", "--labels", path, "--rater-model")
    assert plain["rater_model"] is None
    model = asked["rater_model"]
    # cat misses the 20 odd ones of 40 positives, and nobody else errs.
    assert model["error_rates"]["cat"]["yes"] == pytest.approx({"yes": 0.5, "no": 0.5}, abs=1e-6)
    assert model["error_rates"]["ann"]["yes"]["yes"] == pytest.approx(1, abs=1e-6)
    expected = 40 * np.log(1 / 3) + 80 * np.log(2 / 3) + 40 * np.log(0.5)
    assert model["log_likelihood"] == pytest.approx(expected, abs=1e-4)
    assert "never the truth" in model["note"]


def test_who_drives_disagreement(bench: Bench) -> None:
    """By level, by rater and by item: cat differs on a sixth of the items, and on those a third of the pairs agree."""
    rows = [
        label(f"t{i:03}", word(i % 3 == 0 and not (rater == "cat" and i % 2)), rater)
        for i in range(120)
        for rater in ("ann", "bob", "cat")
    ]
    (found,) = bench.run("gold", "agree", "--labels", bench.write("l.jsonl", rows))
    assert next(iter(found["influence"])) == "cat"
    assert found["influence"]["cat"]["differs"] == pytest.approx(20 / 120)
    assert found["influence"]["cat"]["alpha_without"] == pytest.approx(1.0)
    assert len(found["disagreement"]) == 20
    assert all(share == pytest.approx(2 / 3) for share in found["disagreement"].values())
    # yes is given 40 + 40 + 20 times of 360; of its ordered pairs 20 items give 6 each, 20 give 2, of 2 per rating.
    assert found["by_level"]["yes"]["share"] == pytest.approx(100 / 360)
    assert found["by_level"]["yes"]["specific"] == pytest.approx((20 * 6 + 20 * 2) / 200)


def test_humans_and_judge_face_the_same_majority(bench: Bench) -> None:
    """The third rater misses 4 of 20 positives: .9 against the other two, and the judge 1 on the same 40 items."""
    rows = [
        label(f"t{i}", word(i < 20 and not (rater == "cat" and i < 4)), rater)
        for i in range(40)
        for rater in ("ann", "bob", "cat")
    ]
    verdicts = [verdict(f"t{i}", i < 20) | {"p_positive": 0.9 if i < 20 else 0.2} for i in range(40)]
    (found,) = bench.run(
        "calibrate", "--labels", bench.write("l.jsonl", rows), "--verdicts", bench.write("v.jsonl", verdicts)
    )
    assert shown(found["ceiling"], "cat") == pytest.approx([0.9])
    assert (found["beside_ceiling"]["cat"]["estimate"], found["beside_ceiling"]["cat"]["n"]) == (1.0, 40)
    assert found["ceiling"]["ann"]["n"] == 36  # where the other two differ there is no majority
    assert [(one["n"], one["observed"]) for one in found["reliability"]] == [(20, 0.0), (20, 1.0)]
    assert all(a["high"] <= b["low"] for a, b in pairwise(found["reliability"]))
