"""Nothing to compare, nothing but one cluster, nothing but missing verdicts: an absence with its reason, never a crash.

Warnings are errors in this suite, so that a division by zero inside would fail here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from pydantic import BaseModel

from judge.calibration.accuracy import accuracy, balanced_accuracy, bounds_with_missing, multiclass
from judge.calibration.agreement import agreement, by_category, by_pair, by_rater
from judge.calibration.annotator import annotator_report
from judge.calibration.comparison import flip_rate, paired_difference
from judge.calibration.legacy import as_published
from judge.calibration.rate_difference import shared_cluster_difference
from judge.calibration.rates import corrected_rate, naive, worst_case
from judge.calibration.scores import auroc, average_precision, brier, calibration_error
from judge.calibration.statistic import Statistic

FEW = {"replicates": 60}
FIGURES = {
    "agreement": lambda g, s, c: agreement(np.column_stack([g, s]), ordered=True, clusters=c, **FEW),
    "pairs": lambda g, s, c: by_pair(np.column_stack([g, s, g]), clusters=c, **FEW),
    "categories": lambda g, s, c: by_category(np.column_stack([g, s]), clusters=c, **FEW),
    "raters": lambda g, s, _: by_rater(np.column_stack([g, s, g])),
    "accuracy": lambda g, s, c: accuracy(g, s, clusters=c, **FEW),
    "classes": lambda g, s, c: multiclass(g, s, 3, clusters=c, **FEW),
    "auroc": lambda g, s, c: auroc(g, np.abs(s) / 2, clusters=c),
    "average precision": lambda g, s, c: average_precision(g, np.abs(s) / 2, clusters=c, **FEW),
    "brier": lambda g, s, c: brier(g, np.abs(s) / 2, clusters=c, **FEW),
    "calibration error": lambda g, s, c: calibration_error(g, np.abs(s) / 2, clusters=c, **FEW),
    "annotator": lambda g, s, c: annotator_report(np.column_stack([g, s, g]), s, 0.2, clusters=c, **FEW),
    "balanced accuracy": lambda g, s, c: balanced_accuracy(g, s, clusters=c),
    "published": lambda g, s, c: as_published(np.column_stack([g, s]), categories=[0, 1], ordered=True, clusters=c),
    "paired": lambda g, s, c: paired_difference(g, s, clusters=c),
    "flips": lambda g, s, _: flip_rate(np.column_stack([g, s])),
    "naive": lambda g, _, c: naive(g, c),
    "corrected": lambda g, s, c: corrected_rate(g, g, s, clusters=c, gold_clusters=c),
    "worst case": lambda _, s, c: worst_case(s, c),
    "missing": lambda g, s, c: bounds_with_missing(g, s, clusters=c),
    "shared": lambda g, s, _: shared_cluster_difference(g, np.arange(len(g)), s, np.arange(len(g))),
}
TABLES = {
    "nothing": ([], []),
    "one item": ([1], [0]),
    "one class": ([0, 0, 0, 0], [0, 0, 1, 0]),
    "no variation": ([0, 0, 0, 0], [0, 0, 0, 0]),
    "all wrong": ([1, 0, 1, 0], [0, 1, 0, 1]),
    "all missing": ([1, 0, 1, 0], [-1, -1, -1, -1]),
    "mixed": ([1, 0, 1, 0], [1, 0, 0, -1]),
}
CLUSTERS = {
    "items": lambda _: None,
    "one cluster": lambda n: np.zeros(n, dtype=int),
    "two clusters": lambda n: np.arange(n) // 2,
    "singletons": np.arange,
}


def statistics(found: object) -> Iterator[Statistic]:
    """Every figure inside a result, however nested."""
    if isinstance(found, Statistic):
        yield found
    elif isinstance(found, dict):
        for one in found.values():
            yield from statistics(one)
    elif isinstance(found, tuple):
        for one in found:
            yield from statistics(one)
    elif isinstance(found, BaseModel):
        for name in type(found).model_fields:
            yield from statistics(getattr(found, name))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("table", TABLES)
def test_degenerate_input_gives_absences_with_reasons(name, table):
    """Each figure of each degenerate table is finite or undefined with a note, whatever the clusters."""
    gold, said = (np.array(column, dtype=int) for column in TABLES[table])
    for clusters in CLUSTERS.values():
        for one in statistics(FIGURES[name](gold, said, clusters(len(gold)))):
            assert one.estimate is not None or one.note.startswith("undefined")
            assert all(math.isfinite(end) for end in (one.low, one.high) if end is not None)
            assert not (one.low == one.high == 0), "an interval [0, 0] claims certainty"
