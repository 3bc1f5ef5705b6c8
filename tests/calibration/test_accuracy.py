"""A judge against gold: published values, scikit-learn as oracle, degenerate tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from judge.calibration.accuracy import accuracy, confusion, extremes, kappa, mcc, multiclass, table_of
from judge.calibration.intervals import clopper_pearson
from judge.calibration.scores import auroc, average_precision, brier, calibration_error, reliability

FEW = {"replicates": 200}


def items(tp, fp, fn, tn):
    """Gold and verdicts with the given counts."""
    gold = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    return gold, np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])


def test_mcc_equals_the_published_value():
    """scikit-learn's documented example: gold 1 1 1 0, verdicts 1 0 1 1 give -1/3."""
    assert accuracy([1, 1, 1, 0], [1, 0, 1, 1], **FEW)["mcc"].estimate == pytest.approx(-1 / 3)


# A judge with se .90, sp .98 at a prevalence: kappa with truth, MCC, PPV, F1, balanced accuracy.
PREVALENCE = [
    (0.50, 0.880, 0.883, 0.978, 0.938),
    (0.10, 0.850, 0.851, 0.833, 0.865),
    (0.05, 0.777, 0.784, 0.703, 0.789),
    (0.02, 0.615, 0.648, 0.479, 0.625),
    (0.01, 0.456, 0.524, 0.312, 0.464),
    (0.002, 0.148, 0.269, 0.083, 0.152),
]


@pytest.mark.parametrize(("pi", "corrected", "correlation", "ppv", "f1"), PREVALENCE)
def test_only_sensitivity_and_specificity_survive_enrichment(pi, corrected, correlation, ppv, f1):
    """The same judge at six prevalences: balanced accuracy stays .94, everything else moves as tabulated."""
    cells = [round(50_000 * share) for share in (pi * 0.9, (1 - pi) * 0.02, pi * 0.1, (1 - pi) * 0.98)]
    found = accuracy(*items(*cells), **FEW)
    assert float(kappa(*cells)) == pytest.approx(corrected, abs=6e-4)
    assert float(mcc(*cells)) == pytest.approx(correlation, abs=6e-4)
    assert found["precision"].estimate == pytest.approx(ppv, abs=6e-4)
    assert found["f1"].estimate == pytest.approx(f1, abs=6e-4)
    assert found["balanced_accuracy"].estimate == pytest.approx(0.94, abs=1e-4)


@settings(max_examples=100)
@given(st.tuples(*[st.integers(0, 30)] * 4).filter(lambda cells: sum(cells) > 0))
def test_every_figure_agrees_with_scikit_learn(cells):
    """For any table every figure equals scikit-learn's, or is undefined where that divides by zero."""
    tp, fp, fn, tn = cells
    gold, said = items(*cells)
    found = accuracy(gold, said, **FEW)
    expected = {
        "sensitivity": tp / (tp + fn) if tp + fn else None,
        "specificity": tn / (tn + fp) if tn + fp else None,
        "precision": tp / (tp + fp) if tp + fp else None,
        "npv": tn / (tn + fn) if tn + fn else None,
        "accuracy": metrics.accuracy_score(gold, said),
        "f1": metrics.f1_score(gold, said) if tp + fp + fn else None,
        "mcc": metrics.matthews_corrcoef(gold, said) if (tp + fp) * (fn + tn) * (tp + fn) * (fp + tn) else None,
        "cohen_kappa": metrics.cohen_kappa_score(gold, said) if len({*gold} | {*said}) > 1 else None,
        "balanced_accuracy": metrics.balanced_accuracy_score(gold, said) if (tp + fn) * (fp + tn) else None,
    }
    assert {name: one.estimate for name, one in found.items()} == pytest.approx(expected)
    for name, one in found.items():
        ends = [end for end in (one.low, one.high) if end is not None]
        assert all(math.isfinite(end) and -1 <= end <= 1 for end in ends), name
        assert not (one.low == one.high is not None), name


def test_sensitivity_has_the_exact_interval():
    """Independent items: the interval of sensitivity is Clopper-Pearson's over the positives."""
    found = accuracy(*items(18, 0, 2, 200), **FEW)["sensitivity"]
    assert (found.low, found.high) == clopper_pearson(18, 20)
    assert found.n == 20


def test_a_flawless_judge_has_no_certainty():
    """No error in 20 positives and 200 negatives: MCC is 1, and its lower bound is that of both error rates at theirs.

    Joint bounds at 97.5 %: .0125^(1/20) and .0125^(1/200); MCC of the table with those rates at prevalence 1/11.
    """
    found = accuracy(*items(20, 0, 0, 200), **FEW)["mcc"]
    se, sp, pi = 0.0125 ** (1 / 20), 0.0125 ** (1 / 200), 20 / 220
    expected = float(mcc(pi * se, (1 - pi) * (1 - sp), pi * (1 - se), (1 - pi) * sp))
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(expected)


def test_a_judge_that_always_says_no():
    """At prevalence 5 % it has accuracy .95, sensitivity 0, kappa 0, and neither MCC nor precision."""
    found = accuracy(*items(0, 0, 5, 95), **FEW)
    assert found["accuracy"].estimate == 0.95
    assert found["sensitivity"].estimate == 0.0
    assert found["cohen_kappa"].estimate == 0.0
    assert found["mcc"].note == "undefined: no variation"
    assert found["precision"].estimate is None


def test_clusters_widen_sensitivity():
    """Positives that fail by whole scenarios say less than as many independent ones."""
    gold, said = np.ones(60, dtype=int), np.repeat([1, 1, 1, 1, 1, 0], 10)
    free, tied = accuracy(gold, said, **FEW), accuracy(gold, said, clusters=np.repeat(np.arange(6), 10), **FEW)
    width = [one["sensitivity"].high - one["sensitivity"].low for one in (free, tied)]
    assert width[1] > 1.5 * width[0]


def test_missing_verdicts_are_counted_and_bounded():
    """A verdict that is missing is neither right nor wrong; both extremes are available."""
    table = confusion([1, 1, 1, 0, 0, 0], [1, 0, -1, 0, 1, -1])
    worst, best = extremes(table)
    assert (table.tp, table.fn, table.fp, table.tn) == (1, 1, 1, 1)
    assert (table.missing_positive, table.missing_negative) == (1, 1)
    assert (worst.tp, worst.fn, worst.fp, worst.tn) == (1, 2, 2, 1)
    assert (best.tp, best.fn, best.fp, best.tn) == (2, 1, 1, 2)


def test_labels_outside_the_set_are_refused():
    """Gold of {1, 2} against verdicts of {0, 1} is no table."""
    with pytest.raises(ValueError, match="0 or 1"):
        confusion([1, 2], [0, 1])


@settings(max_examples=60)
@given(st.integers(2, 4), st.integers(5, 60), st.integers(0, 2**32))
def test_several_classes_agree_with_scikit_learn(k, n, seed):
    """Accuracy, macro F1 and kappa over several classes equal scikit-learn's."""
    rng = np.random.default_rng(seed)
    gold, said = rng.integers(0, k, n), rng.integers(0, k, n)
    found = multiclass(gold, said, k, **FEW)
    assert found["accuracy"].estimate == pytest.approx(metrics.accuracy_score(gold, said))
    assert found["macro_f1"].estimate == pytest.approx(metrics.f1_score(gold, said, average="macro"))
    if len({*gold} | {*said}) > 1:
        assert found["cohen_kappa"].estimate == pytest.approx(metrics.cohen_kappa_score(gold, said))
    table = table_of(gold, said, k)
    assert table.tolist() == metrics.confusion_matrix(gold, said, labels=range(k)).tolist()


def test_published_scores():
    """scikit-learn's documented examples: Brier .0375, AUROC .75, average precision .8333."""
    assert brier([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3], **FEW).estimate == pytest.approx(0.0375)
    assert auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).estimate == pytest.approx(0.75)
    assert average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], **FEW).estimate == pytest.approx(5 / 6)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=4, max_size=60))
def test_scores_agree_with_scikit_learn(pairs):
    """With ties or without, AUROC, average precision and Brier equal scikit-learn's."""
    gold, p = np.array([g for g, _ in pairs]), np.array([s / 8 for _, s in pairs])
    assert brier(gold, p, **FEW).estimate == pytest.approx(metrics.brier_score_loss(gold, p, labels=[0, 1]))
    if 0 < gold.sum() < len(gold):
        area = auroc(gold, p)
        assert area.estimate == pytest.approx(metrics.roc_auc_score(gold, p))
        # Scores that are all alike have no variance, and no interval of no width is given.
        assert area.low is None or 0 <= area.low <= area.estimate <= area.high <= 1
        assert average_precision(gold, p, **FEW).estimate == pytest.approx(metrics.average_precision_score(gold, p))
    else:
        assert auroc(gold, p).estimate is None


def test_delongs_variance_of_a_small_table():
    """Positives 3, 1 and negatives 2, 0: components 1, .5 and 1, .5, so both sample variances are .125.

    Variance = .125/2 + .125/2 = .125; logit half-width = 1.96 * sqrt(.125) / (.75 * .25).
    """
    found = auroc([1, 1, 0, 0], [3.0, 1.0, 2.0, 0.0])
    centre, half = math.log(3), 1.959964 * math.sqrt(0.125) / (0.75 * 0.25)
    assert found.estimate == 0.75
    assert (found.low, found.high) == pytest.approx([1 / (1 + math.exp(-centre - s * half)) for s in (-1, 1)], abs=1e-5)


def test_complete_separation_still_has_a_lower_bound():
    """Ten positives above ten negatives: area 1, bounded by the theta that Newcombe's equation gives.

    1 - theta = z sqrt(theta (1 - theta) (1 + 9 ((1 - theta)/(2 - theta) + theta/(1 + theta))) / 100).
    """
    low = auroc([1] * 10 + [0] * 10, list(range(20, 0, -1))).low
    spread = 1 + 9 * ((1 - low) / (2 - low) + low / (1 + low))
    assert 0.6 < low < 1
    assert 1 - low == pytest.approx(1.959964 * math.sqrt(low * (1 - low) * spread / 100), abs=1e-5)


def test_calibration_error_by_hand():
    """Two bins: .2 with one of four positive (gap .05 of 4), .9 with three of four (gap .15 of 4): ECE .1."""
    gold = [1, 0, 0, 0, 1, 1, 1, 0]
    p = [0.2] * 4 + [0.9] * 4
    found = calibration_error(gold, p, **FEW)
    curve = reliability(gold, p)
    assert found.estimate == pytest.approx(0.1)
    assert "10 equal-width bins" in found.note
    assert [one.n for one in curve] == [4, 4]
    assert [one.mean for one in curve] == pytest.approx([0.2, 0.9])
    assert [one.observed for one in curve] == pytest.approx([0.25, 0.75])


def test_a_probability_of_one_falls_into_the_last_bin():
    """The last bin includes its upper end."""
    assert reliability([1], [1.0])[0].high == 1.0


def test_scores_are_not_taken_for_probabilities():
    """Only numbers in [0, 1] can be calibrated."""
    with pytest.raises(ValueError, match="probabilities"):
        brier([1, 0], [85.0, 10.0])
