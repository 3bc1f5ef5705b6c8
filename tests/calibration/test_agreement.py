"""Agreement of raters against published values and against three libraries."""

from __future__ import annotations

import math
import tracemalloc

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from calibration import published
from judge.calibration.agreement import agreement, by_category, by_pair, by_rater, second_opinion
from judge.calibration.alpha import alpha_value, item_disagreement, krippendorff_alpha
from judge.calibration.kappa import agreement_coefficient, coefficient_value
from judge.calibration.ratings import code

METRICS = ("nominal", "ordinal", "interval", "ratio")
FEW = {"replicates": 200}

ALPHAS = [
    (published.EXAMPLE_C, "nominal", 0.743),
    (published.EXAMPLE_C, "ordinal", 0.815),
    (published.EXAMPLE_C, "interval", 0.849),
    (published.EXAMPLE_C, "ratio", 0.797),
    (published.EXAMPLE_A, "nominal", 0.095),
    (published.EXAMPLE_B, "nominal", 0.692),
    (published.WIKIPEDIA, "nominal", 0.691),
    (published.WIKIPEDIA, "interval", 0.811),
    (published.PARADOX, "nominal", -0.0247),
]


@pytest.mark.parametrize(("ratings", "metric", "expected"), ALPHAS)
def test_alpha_equals_published_values(ratings, metric, expected):
    """Alpha reproduces Krippendorff's and Wikipedia's worked examples."""
    assert krippendorff_alpha(ratings, metric, **FEW).estimate == pytest.approx(expected, abs=5e-4)


# Gwet's raw4raters: coefficient, weights, estimate, standard error (R package irrCAC).
GWET = [
    ("fleiss", "identity", 0.76117, 0.15302),
    ("conger", "identity", 0.76282, 0.14917),
    ("gwet", "identity", 0.77544, 0.14295),
    ("brennan_prediger", "identity", 0.77273, 0.14472),
    ("gwet", "linear", 0.859, None),
    ("gwet", "ordinal", 0.899, None),
    ("gwet", "quadratic", 0.914, None),
]


@pytest.mark.parametrize(("coefficient", "weights", "expected", "se"), GWET)
def test_coefficients_equal_gwets_values(coefficient, weights, expected, se):
    """The chance-corrected coefficients and their linearised standard errors equal Gwet's for raw4raters."""
    found = agreement_coefficient(published.RAW_4_RATERS, coefficient, weights=weights, interval="linearised")
    assert found.estimate == pytest.approx(expected, abs=5e-6 if se else 5e-4)
    if se:
        assert f"standard error {se:.5f}" in found.method


def test_fleiss_kappa_equals_wikipedias():
    """Fleiss' kappa of 10 items, 14 raters and 5 categories is .20993."""
    assert agreement_coefficient(published.FLEISS, "fleiss", **FEW).estimate == pytest.approx(0.20993, abs=5e-6)


def test_cohens_kappa_of_a_two_by_two_table():
    """20/5/10/15: observed .7, by chance .5, kappa .4."""
    ratings = published.from_table([[20, 5], [10, 15]])
    assert agreement_coefficient(ratings, "cohen", **FEW).estimate == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("weights", "expected", "low", "high"), [("identity", 0.796, 0.680, 0.913), ("quadratic", 0.892, 0.822, 0.962)]
)
def test_cohens_kappa_of_the_abstractors(weights, expected, low, high):
    """Kappa and weighted kappa of Gwet's two abstractors, with his intervals."""
    found = agreement_coefficient(published.ABSTRACTORS, "cohen", weights=weights, interval="linearised")
    assert (found.estimate, found.low, found.high) == pytest.approx((expected, low, high), abs=5e-4)


def test_the_kappa_paradox():
    """118 of 125 agree, and kappa is -.0234 where AC1 is .9408."""
    assert agreement_coefficient(published.PARADOX, "cohen", **FEW).estimate == pytest.approx(-0.0234, abs=5e-5)
    assert agreement_coefficient(published.PARADOX, "gwet", **FEW).estimate == pytest.approx(0.9408, abs=5e-5)


# Two raters with se .90 and sp .98 at a prevalence: agreement, kappa = alpha, AC1, AC1 of always "no" with the truth.
PREVALENCE = [
    (0.50, 0.890, 0.779, 0.782, 0.200),
    (0.10, 0.947, 0.723, 0.934, 0.890),
    (0.05, 0.954, 0.614, 0.947, 0.947),
    (0.02, 0.958, 0.419, 0.955, 0.980),
    (0.01, 0.959, 0.274, 0.957, 0.990),
    (0.002, 0.961, 0.073, 0.959, 0.998),
]


@pytest.mark.parametrize(("pi", "percent", "kappa", "ac1", "always_no"), PREVALENCE)
def test_coefficients_fall_or_rise_with_prevalence(pi, percent, kappa, ac1, always_no):
    """The same raters lose kappa and alpha, and keep AC1, as the behaviour gets rarer; always "no" has a fine AC1."""
    n = 250_000
    cells = {(1, 1): (0.81, 0.0004), (1, 0): (0.09, 0.0196), (0, 1): (0.09, 0.0196), (0, 0): (0.01, 0.9604)}
    table = [[round(n * (pi * cells[i, j][0] + (1 - pi) * cells[i, j][1])) for j in (0, 1)] for i in (0, 1)]
    coded = code(published.from_table(table))
    assert coefficient_value(coded, "percent") == pytest.approx(percent, abs=6e-4)
    assert coefficient_value(coded, "cohen") == pytest.approx(kappa, abs=6e-4)
    assert alpha_value(coded.codes) == pytest.approx(kappa, abs=6e-4)
    assert coefficient_value(coded, "gwet") == pytest.approx(ac1, abs=6e-4)
    silent = code(published.from_table([[round(1000 * (1 - pi)), 0], [round(1000 * pi), 0]]))
    assert coefficient_value(silent, "gwet") == pytest.approx(always_no, abs=6e-4)


@st.composite
def tables(draw, most_categories=6, most_raters=5, missing=True):
    """Random ratings (n_items, n_raters), correlated or not, with or without missing ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    k, n, r = draw(st.integers(2, most_categories)), draw(st.integers(2, 30)), draw(st.integers(2, most_raters))
    truth = rng.integers(0, k, (n, 1))
    ratings = np.where(rng.random((n, r)) < draw(st.floats(0, 1)), truth, rng.integers(0, k, (n, r)))
    if missing:
        ratings[rng.random((n, r)) < draw(st.floats(0, 0.6))] = -1
    return ratings


@settings(max_examples=150)
@given(st.one_of(tables(), tables(most_categories=80)), st.sampled_from(METRICS))
def test_alpha_agrees_with_krippendorff(ratings, metric):
    """Alpha equals the `krippendorff` library's on any table, few categories or many, missing ratings included."""
    ours = alpha_value(ratings, metric)
    pairable = ratings[(ratings >= 0).sum(axis=1) >= 2]
    if len(np.unique(pairable[pairable >= 0])) < 2:
        assert math.isnan(ours)
        return
    theirs = krippendorff.alpha(np.where(ratings < 0, np.nan, ratings).T, level_of_measurement=metric)
    assert ours == pytest.approx(theirs, abs=1e-9)


@settings(max_examples=60)
@given(tables(most_raters=2, missing=False), st.sampled_from([None, "linear", "quadratic"]))
def test_cohens_kappa_agrees_with_scikit_learn(ratings, weights):
    """Cohen's kappa, plain and weighted, equals scikit-learn's wherever it is defined."""
    labels = list(range(6))
    if len(np.unique(ratings)) < 2:
        return
    ours = coefficient_value(code(ratings, labels), "cohen", weights or "identity")
    theirs = cohen_kappa_score(ratings[:, 0], ratings[:, 1], weights=weights, labels=labels)
    assert ours == pytest.approx(theirs, abs=1e-9)


@settings(max_examples=60)
@given(tables(missing=False))
def test_fleiss_kappa_agrees_with_statsmodels(ratings):
    """Fleiss' kappa equals statsmodels' on complete tables."""
    if len(np.unique(ratings)) < 2:
        return
    theirs = fleiss_kappa(aggregate_raters(ratings)[0])
    assert coefficient_value(code(ratings), "fleiss") == pytest.approx(theirs, abs=1e-9)


def test_the_highest_category_alone_is_rated_twice() -> None:
    """Two items without a difference: the bound lets 1 - .025^(1/2) = .8419 of items be split, each at a cost of 2/3 / 3."""
    ratings = np.array([[0, -1, -1], [1, 1, 1], [1, -1, -1], [1, 1, -1]])
    figure = agreement(ratings, categories=[0, 1], replicates=200)["percent_agreement"]
    assert figure.estimate == 1.0
    assert figure.low == pytest.approx(1 - 0.8419 * 2 * 2 / 9, abs=1e-4)


@settings(max_examples=40)
@given(tables())
def test_every_figure_is_finite_or_says_why_not(ratings):
    """No NaN, infinity or bare absence leaves, whatever the table."""
    for name, found in agreement(ratings, ordered=True, replicates=50).items():
        values = [v for v in (found.estimate, found.low, found.high) if v is not None]
        assert all(math.isfinite(v) and v <= 1 + 1e-9 for v in values), name
        assert found.estimate is not None or found.note.startswith("undefined"), name


def test_no_variation_is_undefined():
    """Everybody says "no": alpha and the kappas are undefined, never 1 and never 0; percent agreement is 1."""
    found = agreement(np.zeros((40, 3), dtype=int), **FEW)
    for name in ("krippendorff_alpha_nominal", "fleiss_kappa", "conger_kappa", "gwet_ac1"):
        assert (found[name].estimate, found[name].note) == (None, "undefined: no variation"), name
    assert found["percent_agreement"].estimate == 1.0


def test_no_variation_is_undefined_on_a_stated_scale_too():
    """By its formula AC1 would be 1 when everybody says "no" on a yes-no scale; it is undefined all the same."""
    for name in ("gwet", "brennan_prediger"):
        found = agreement_coefficient(np.zeros((40, 3), dtype=int), name, categories=[0, 1], **FEW)
        assert (found.estimate, found.note) == (None, "undefined: no variation")


def test_percent_agreement_of_raters_who_never_differ_has_a_lower_bound():
    """40 items without a difference allow 1 - .025^(1/40) of items with one; a split item of two raters costs 1/41."""
    found = agreement_coefficient(np.zeros((40, 2), dtype=int), "percent", **FEW)
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - (1 - 0.025 ** (1 / 40)) * 40 / 41)


def test_perfect_agreement_still_has_a_lower_bound():
    """Resamples of perfect agreement never differ; the bound allows what 60 items without a difference allow.

    Adding one split item to 40 zeros and 20 ones, twice each: N = (81, 41), alpha = 1 - 121 * 2 / (2 * 81 * 41).
    The Clopper-Pearson bound for 0 of 60 is 1 - .025^(1/60).
    """
    found = krippendorff_alpha(np.array([[0, 0], [0, 0], [1, 1]] * 20), **FEW)
    cost = 121 * 2 / (2 * 81 * 41)
    assert found.estimate == found.high == 1.0
    assert found.low == pytest.approx(1 - (1 - 0.025 ** (1 / 60)) * 60 * cost)


def test_no_pair_of_ratings_is_undefined():
    """One rating for each item says nothing about agreement."""
    found = krippendorff_alpha(np.array([[1, -1], [-1, 0]]))
    assert (found.estimate, found.n) == (None, 0)


def test_collapsed_patterns_give_the_same_distribution():
    """Resampling patterns is resampling items: the intervals agree to Monte Carlo error with those over singletons."""
    rng = np.random.default_rng(3)
    ratings = np.where(rng.random((120, 3)) < 0.8, rng.integers(0, 2, (120, 1)), rng.integers(0, 2, (120, 3)))
    collapsed = krippendorff_alpha(ratings, seed=1)
    singly = krippendorff_alpha(ratings, seed=1, clusters=np.arange(120))
    assert (collapsed.low, collapsed.high) == pytest.approx((singly.low, singly.high), abs=0.01)


def test_clusters_widen_alphas_interval():
    """Ten copies of each item are no new evidence: the interval over clusters is that of the originals."""
    base = np.array([[0, 0], [1, 1], [0, 1], [0, 0], [1, 1], [1, 0], [0, 0], [1, 1], [0, 0], [1, 1]] * 3)
    copies = np.repeat(base, 10, axis=0)
    tied = krippendorff_alpha(copies, clusters=np.repeat(np.arange(30), 10))
    free = krippendorff_alpha(copies)
    assert tied.high - tied.low > 2 * (free.high - free.low)


def test_same_seed_same_interval():
    """The interval is a function of data and seed."""
    one, two = (krippendorff_alpha(published.EXAMPLE_C, seed=5, **FEW) for _ in range(2))
    assert one == two
    assert one != krippendorff_alpha(published.EXAMPLE_C, seed=6, **FEW)


def test_undefined_replicates_are_counted():
    """With one positive in 20 items, (1 - 1/20)^20 = .36 of the resamples have none: too many for an interval."""
    ratings = np.zeros((20, 2), dtype=int)
    ratings[0] = [1, 0]
    found = krippendorff_alpha(ratings, replicates=1000)
    assert (found.low, found.high) == (None, None)
    lost = int(found.note.split("; ")[1].split(" of ")[0])
    assert lost == pytest.approx(358, abs=60)


@pytest.mark.parametrize("metric", METRICS)
def test_second_opinion_records_both_alphas(metric):
    """The library's alpha stands beside ours and is equal."""
    found = second_opinion(published.EXAMPLE_C, metric)
    assert found.agrees is True
    assert found.ours == pytest.approx(found.theirs, abs=1e-9)


def test_second_opinion_does_not_ask_the_impossible():
    """Continuous scores would cost the library gigabytes, and one value alone makes it raise: it is not asked."""
    assert second_opinion(np.random.default_rng(0).random((200, 5)), "interval").agrees is None
    assert second_opinion(np.zeros((5, 2), dtype=int)).note == "undefined: no variation"


def test_the_rater_who_drives_disagreement_comes_first():
    """A rater who answers at random among three who agree is named first, and alpha rises without them."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    found = by_rater(np.column_stack([truth, truth, rng.integers(0, 2, 60), truth]))
    assert found[0].rater == 2
    assert found[0].alpha_without == 1.0
    assert found[0].change > 0


def test_pairs_use_the_items_that_both_rated():
    """Each pair of raters stands on its own items."""
    found = by_pair(published.EXAMPLE_C, **FEW)
    assert [(one.first, one.second) for one in found] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert [one.percent.n for one in found] == [9, 8, 9, 9, 10, 10]


def test_specific_agreement_of_a_two_by_two_table():
    """20/5/10/15: specific agreement is 2 * 20 / (25 + 30) for the first category and 2 * 15 / 45 for the second."""
    found = by_category(published.from_table([[20, 5], [10, 15]]), **FEW)
    assert [one.specific for one in found] == pytest.approx([40 / 55, 30 / 45])
    assert found[0].alpha.estimate == pytest.approx(found[1].alpha.estimate)


def test_item_disagreement_is_the_share_of_differing_pairs():
    """Of three raters one differs: two of three pairs; with one rating there is nothing to compare."""
    found = item_disagreement(np.array([[1, 1, 0], [1, 1, 1], [1, -1, -1]]))
    assert found[:2] == pytest.approx([2 / 3, 0.0])
    assert math.isnan(found[2])


def test_bad_ratings_are_refused():
    """Shapes, codes below -1, infinities and ratings outside the scale are programmer's mistakes."""
    for bad in ([1, 2, 3], [[1, -2]], [[1.0, np.inf]], [["a", "b"]]):
        with pytest.raises(ValueError, match="ratings"):
            code(np.array(bad))
    with pytest.raises(ValueError, match="not one of the categories"):
        code(np.array([[1, 2]]), categories=[0, 1])


def test_continuous_scores_of_a_large_gold_set_need_little_memory():
    """5 raters x 10,000 items: no table of every pair of values, which would hold 2.5 billion cells."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (10_000, 1))
    tracemalloc.start()
    krippendorff_alpha(truth + rng.normal(size=(10_000, 5)), "interval", replicates=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6
