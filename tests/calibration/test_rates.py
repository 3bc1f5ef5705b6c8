"""From verdicts to rates: published values, hand-derived bounds, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.calibration.intervals import clopper_pearson, wilson
from judge.calibration.rate_difference import difference, shared_cluster_difference
from judge.calibration.rates import (
    Gold,
    Stratum,
    corrected_rate,
    lang_reiczigel,
    naive,
    possible_rate,
    ppi_estimate,
    prediction_powered,
    rogan_gladen,
    two_phase,
    worst_case,
    zero_event_bound,
)


@pytest.mark.parametrize(
    ("interval", "low", "high"), [("wilson", 0.11299, 0.26231), ("clopper_pearson", 0.10661, 0.26472)]
)
def test_rogan_gladen_equals_rsurveillance(interval, low, high):
    """20 of 120 with sensitivity .9 and specificity .99 known: .17603 with both mapped intervals."""
    found = rogan_gladen(20, 120, 0.9, 0.99, interval=interval)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.17603, low, high), abs=1e-5)


@pytest.mark.parametrize(
    ("flagged", "gold", "high"), [(0, Gold(18, 20, 200, 200), 0.0168), (3, Gold(45, 50, 197, 200), 0.0227)]
)
def test_lang_reiczigel_equals_its_reference_values(flagged, gold, high):
    """0 of 300 with 18/20 and 200/200: [0, .0168]; 3 of 300 with 45/50 and 197/200: [0, .0227]."""
    found = lang_reiczigel(flagged, 300, gold)
    assert found.low == 0.0
    assert found.high == pytest.approx(high, abs=5e-5)


# Upper 95 % bound of the true rate in percent when 0 of N are flagged, by what gold says of sensitivity.
GOLD = [(10, 10), (18, 20), (20, 20), (45, 50), (50, 50), (90, 100), (100, 100)]
ZERO_EVENTS = {
    100: (5.24, 5.30, 4.36, 4.63, 3.90, 4.40, 3.76),
    300: (1.77, 1.79, 1.47, 1.56, 1.32, 1.48, 1.27),
    1000: (0.53, 0.54, 0.44, 0.47, 0.40, 0.45, 0.38),
    3000: (0.18, 0.18, 0.15, 0.16, 0.13, 0.15, 0.13),
}


@pytest.mark.parametrize("n", ZERO_EVENTS)
def test_zero_events_bound_the_rate(n):
    """0 of N flagged bounds the true rate as tabulated, given the sensitivity measured on gold."""
    found = [zero_event_bound(0, n, tp, positives).high for tp, positives in GOLD]
    assert [100 * bound for bound in found] == pytest.approx(ZERO_EVENTS[n], abs=0.005)


def test_an_uneven_split_of_the_error_tightens_the_bound():
    """With .009 of the error on sensitivity and .041 on the flags, 0 of 300 with 18/20 is at most 1.66 %."""
    assert zero_event_bound(0, 300, 18, 20, gold_share=0.18).high == pytest.approx(0.0166, abs=5e-5)


def test_a_judge_that_finds_nothing_bounds_nothing():
    """Without a positive found in gold, no flags say nothing."""
    assert zero_event_bound(0, 300, 0, 20).estimate is None


@pytest.mark.parametrize(
    ("gold", "words"),
    [
        (Gold(8, 9, 150, 150), "fewer than 10"),
        (Gold(11, 20, 90, 150), "no better than chance"),
        (Gold(5, 20, 75, 150), "no better than chance"),
        (Gold(0, 0, 150, 150), "no positives"),
    ],
)
def test_correction_is_refused_where_gold_does_not_support_it(gold, words):
    """Too little gold, or a judge that may be guessing, gives no interval and says why."""
    found = lang_reiczigel(30, 300, gold)
    assert (found.low, found.high) == (None, None)
    assert words in found.note


def test_a_flag_rate_below_golds_false_alarms_is_no_zero():
    """0 of 3000 flagged by a judge with 50 false alarms in 200 does not say [0, 0]: flags and sensitivity bound the rate."""
    found = lang_reiczigel(0, 3000, Gold(45, 50, 150, 200))
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert found.high == zero_event_bound(0, 3000, 45, 50).high
    assert "fewer flags" in found.note


def test_a_flag_rate_above_what_gold_allows_has_no_interval():
    """All of 3000 flagged by a judge with sensitivity 50/100: no rate explains that, and nothing is said but so."""
    found = lang_reiczigel(3000, 3000, Gold(50, 100, 199, 200))
    assert (found.low, found.high) == (None, None)
    assert "do not carry over" in found.note


def test_clusters_widen_a_corrected_rate():
    """The same flags and gold in scenarios give a wider corrected interval than independent items."""
    flags = np.repeat([1, 0, 0, 0, 0, 1, 0, 0, 0, 0] * 3, 10)
    truth, said = np.repeat([1, 0], [60, 200]), np.r_[np.repeat([1, 0], [54, 6]), np.repeat([0, 1], [196, 4])]
    free = corrected_rate(flags, truth, said)
    tied = corrected_rate(flags, truth, said, clusters=np.repeat(np.arange(30), 10), gold_clusters=np.arange(260) // 3)
    assert free == lang_reiczigel(60, 300, Gold(54, 60, 196, 200))
    assert tied.estimate == pytest.approx(free.estimate)
    assert tied.high - tied.low > 1.5 * (free.high - free.low)
    assert tied.n == 300


@given(st.integers(0, 500), st.integers(10, 60), st.integers(10, 300), st.data())
def test_corrected_rates_are_never_a_point(flagged, positives, negatives, data):
    """Whatever the counts, a corrected interval has a width and lies in [0, 1]."""
    gold = Gold(data.draw(st.integers(1, positives)), positives, data.draw(st.integers(1, negatives)), negatives)
    found = lang_reiczigel(flagged, 500, gold)
    if found.low is not None:
        assert 0 <= found.low < found.high <= 1


def test_ppi_by_hand():
    """y 1 0 1 0, f 1 0 0 0, others 1 1 0 0: .5 + .25 = .75; variance .25/4 + .1875/4."""
    estimate, se = ppi_estimate([1, 0, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0])
    assert estimate == pytest.approx(0.75)
    assert se == pytest.approx(math.sqrt(0.25 / 4 + 0.1875 / 4))


def test_power_tuning_ignores_a_useless_judge():
    """A judge that says the same of everything adds nothing: the estimate is the labels' mean."""
    estimate, _ = ppi_estimate([1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], weight=None)
    assert estimate == pytest.approx(0.5)


def test_prediction_powered_inference_is_refused_without_its_conditions():
    """An enriched gold, or one with fewer than 20 positives, gives no figure and the reason."""
    y = np.repeat([1, 0], [25, 75])
    assert "random subsample" in prediction_powered(y, y, y, random_subsample=False).note
    assert "19 positives" in prediction_powered(y[6:], y[6:], y, random_subsample=True).note
    assert prediction_powered(y, y, y, random_subsample=True).estimate == pytest.approx(0.25)


def test_two_phase_estimate_weights_the_strata():
    """100 flagged, 30 of 50 positive; 900 passed, 1 of 100 positive: .1 * .6 + .9 * .01 = .069."""
    found = two_phase([Stratum(100, 50, 30), Stratum(900, 100, 1)], whole_population=True)
    low = [clopper_pearson(30, 50).low, clopper_pearson(1, 100).low]
    down = math.hypot(0.1 * (0.6 - low[0]), 0.9 * (0.01 - low[1]))
    assert found.estimate == pytest.approx(0.069)
    assert found.low == pytest.approx(0.069 - down)
    assert found.high > 0.069


def test_two_phase_owns_up_to_an_empty_stratum():
    """No positive among 100 passed still allows .036 there, and a stratum without labels allows nothing."""
    found = two_phase([Stratum(100, 50, 0), Stratum(900, 100, 0)])
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert found.high > 0.9 * clopper_pearson(0, 100).high
    assert "no labels" in two_phase([Stratum(100, 50, 0), Stratum(900, 0, 0)]).note


def test_missing_verdicts_bound_the_rate_from_both_sides():
    """10 flagged, 80 passed, 10 missing: Wilson's lower end of 10/100, upper end of 20/100."""
    found = worst_case(np.repeat([1, 0, -1], [10, 80, 10]))
    assert found.estimate == pytest.approx(1 / 9)
    assert (found.low, found.high) == (wilson(10, 100).low, wilson(20, 100).high)
    assert worst_case([-1] * 5).estimate is None


def test_naive_rate_heeds_clusters():
    """Flags that come by whole scenarios give a wider interval."""
    flags = np.repeat([1, 0, 0, 1, 0, 0, 0, 0, 0, 1], 10)
    free, tied = naive(flags), naive(flags, np.repeat(np.arange(10), 10))
    assert free.estimate == tied.estimate == 0.3
    assert tied.high - tied.low > 2 * (free.high - free.low)


def test_difference_of_rates_equals_newcombes():
    """56/70 and 48/80 (Newcombe 1998): .2 with [.0524, .3339]."""
    found = difference(naive(np.repeat([1, 0], [56, 14])), naive(np.repeat([1, 0], [48, 32])))
    assert (found.estimate, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_difference_with_an_undefined_rate_is_undefined():
    """Nothing can be said of a difference to nothing."""
    assert difference(naive([1, 0]), naive([])).estimate is None


def test_shared_scenarios_sharpen_a_difference():
    """Two models that vary alike over scenarios differ more surely than two independent rates would."""
    rng = np.random.default_rng(0)
    hard = np.repeat(rng.random(40) < 0.5, 10)
    scenario = np.repeat(np.arange(40), 10)
    first, second = hard & (rng.random(400) < 0.9), hard & (rng.random(400) < 0.6)
    paired = shared_cluster_difference(first, scenario, second, scenario)
    apart = difference(naive(first, scenario), naive(second, scenario))
    assert paired.estimate == pytest.approx(apart.estimate)
    assert paired.low > 0 > apart.low


def test_a_difference_of_two_silent_models_has_a_width():
    """Nothing flagged in either: the difference is 0, and its interval is that of two rates bounded by their scenarios."""
    flags, scenario = np.zeros(200, dtype=int), np.repeat(np.arange(20), 10)
    found = shared_cluster_difference(flags, scenario, flags, scenario)
    assert found.estimate == 0.0
    assert found.high == -found.low == pytest.approx(naive(flags, scenario).high)


@pytest.mark.parametrize(
    ("rate", "n", "decimals", "possible"),
    [(86.4, 150, 1, False), (86.7, 150, 1, True), (33, 3, 0, True), (0.0, 7, 1, True)],
)
def test_rates_that_no_count_gives_are_found(rate, n, decimals, possible):
    """86.4 % of 150 is no count: 129 give 86.0 %, 130 give 86.7 %."""
    assert possible_rate(rate, n, decimals) is possible
