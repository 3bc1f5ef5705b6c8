"""A judge against gold: the confusion table, what follows from it, and the interval of each figure.

Sensitivity, specificity and balanced accuracy describe the judge and survive enrichment of the gold; precision, NPV,
F1, MCC and kappa describe the judge and this gold's prevalence, which therefore belongs beside them. Nothing here
decides whether a figure is good enough, nor what a missing verdict means: missing ones are left out and counted, or put
at either extreme by `extremes`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.bootstrap import REPLICATES, Interval, additive, as_statistic, bca, sum_by
from judge.calibration.intervals import (
    Bounds,
    clopper_pearson,
    clustered_proportion,
    proportion,
    sum_bounds,
)
from judge.calibration.ratings import MISSING, Floats, Integers, sum_rows
from judge.calibration.statistic import Statistic, measured, undefined
from judge.frozen import Frozen


class Confusion(Frozen):
    """Counts of judge against gold: true and false positives and negatives, and gold items without a verdict."""

    tp: int
    fp: int
    fn: int
    tn: int
    missing_positive: int = 0
    missing_negative: int = 0

    @property
    def positives(self) -> int:
        """Gold positives that have a verdict."""
        return self.tp + self.fn

    @property
    def negatives(self) -> int:
        """Gold negatives that have a verdict."""
        return self.fp + self.tn


def confusion(gold: ArrayLike, verdicts: ArrayLike) -> Confusion:
    """Count a judge's verdicts against gold. Both (n_items,), 0 or 1; a verdict of -1 is missing, gold never is."""
    truth, said = _binary(gold, verdicts)
    cells = {(t, s): int(((truth == t) & (said == s)).sum()) for t in (0, 1) for s in (0, 1, MISSING)}
    return Confusion(
        tp=cells[1, 1],
        fp=cells[0, 1],
        fn=cells[1, 0],
        tn=cells[0, 0],
        missing_positive=cells[1, MISSING],
        missing_negative=cells[0, MISSING],
    )


def extremes(table: Confusion) -> tuple[Confusion, Confusion]:
    """The worst and the best that the missing verdicts could have been: all wrong, all right."""
    up, down = table.missing_positive, table.missing_negative
    worst = Confusion(tp=table.tp, fp=table.fp + down, fn=table.fn + up, tn=table.tn)
    best = Confusion(tp=table.tp + up, fp=table.fp, fn=table.fn, tn=table.tn + down)
    return worst, best


def accuracy(
    gold: ArrayLike,
    verdicts: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> dict[str, Statistic]:
    """Every accuracy figure of a judge on gold, by the names of the calibration output.

    `gold`, `verdicts`: (n_items,) of 0 and 1, -1 = no verdict (left out). `clusters`: (n_items,) labels of what items
    share, such as their scenario. Shares have Clopper-Pearson's interval, those of clustered items Wilson's at the
    effective size. F1 has the interval of tp / (tp + fp + fn), of
    which it is a monotone function; balanced accuracy combines its two intervals; MCC and kappa are bootstrapped.
    """
    truth, said, labels = _judged(gold, verdicts, clusters)
    hit = truth == said
    positive, flagged = truth == 1, said == 1
    among = {
        "sensitivity": positive,
        "specificity": ~positive,
        "precision": flagged,
        "npv": ~flagged,
        "accuracy": np.ones(len(hit), dtype=bool),
    }
    found = {
        name: _share(hit[these], None if labels is None else labels[these], level) for name, these in among.items()
    }
    either = positive | flagged
    jaccard = _share((hit & positive)[either], None if labels is None else labels[either], level)
    found["f1"] = _f1(jaccard)
    found["balanced_accuracy"] = _balanced(found["sensitivity"], found["specificity"], len(truth))
    found |= _correlations(truth, said, labels, seed=seed, replicates=replicates, level=level)
    return found


def balanced_accuracy(
    gold: ArrayLike, verdicts: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Statistic:
    """Balanced accuracy alone, as in `accuracy` but without the cost of its bootstrap."""
    truth, said, labels = _judged(gold, verdicts, clusters)
    shares = []
    for side in (1, 0):
        among = truth == side
        shares.append(_share((said == side)[among], None if labels is None else labels[among], level))
    return _balanced(shares[0], shares[1], len(truth))


def bounds_with_missing(
    gold: ArrayLike, verdicts: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> dict[str, Statistic]:
    """Sensitivity and specificity if every missing verdict were wrong, and if every one were right. Arrays as in `accuracy`."""
    truth, said = _binary(gold, verdicts)
    labels = None if clusters is None else np.asarray(clusters)
    found = {}
    for name, side in (("sensitivity", 1), ("specificity", 0)):
        among = truth == side
        shared = None if labels is None else np.unique(labels[among], return_inverse=True)[1]
        for word, right in (("wrong", said == side), ("right", (said == side) | (said == MISSING))):
            found[f"{name}_if_missing_are_{word}"] = _share(right[among], shared, level)
    return found


def mcc(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """Matthews' correlation of tables of counts, elementwise; NaN where judge or gold never varies."""
    a, b, c, d = (np.asarray(cell, dtype=float) for cell in (tp, fp, fn, tn))
    spread = (a + b) * (a + c) * (d + b) * (d + c)
    root = np.sqrt(spread)
    return np.asarray(np.divide(a * d - b * c, root, out=np.full(root.shape, np.nan), where=root > 0))


def kappa(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """Cohen's kappa of tables of counts, elementwise; NaN where chance agreement is complete."""
    a, b, c, d = (np.asarray(cell, dtype=float) for cell in (tp, fp, fn, tn))
    spread = (a + b) * (b + d) + (a + c) * (c + d)
    return np.asarray(np.divide(2 * (a * d - b * c), spread, out=np.full(spread.shape, np.nan), where=spread > 0))


def table_of(gold: ArrayLike, verdicts: ArrayLike, n_categories: int) -> Integers:
    """The confusion table of codes 0..n_categories-1: (n_categories, n_categories), gold in rows; -1 is left out."""
    truth, said = np.asarray(gold, dtype=np.int64), np.asarray(verdicts, dtype=np.int64)
    both = (truth >= 0) & (said >= 0)
    if np.any(truth >= n_categories) or np.any(said >= n_categories):
        raise ValueError(f"codes must lie below {n_categories}")
    cells = np.bincount(truth[both] * n_categories + said[both], minlength=n_categories**2)
    return cells.reshape(n_categories, n_categories)


def multiclass(
    gold: ArrayLike,
    verdicts: ArrayLike,
    n_categories: int,
    *,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> dict[str, Statistic]:
    """Accuracy, macro F1 and kappa over several classes, coded 0..n_categories-1, -1 = missing.

    Macro F1 is the mean of F1 over the classes that occur in gold or verdicts. Accuracy has the interval of
    a share, the others the bootstrap's.
    """
    truth, said = np.asarray(gold, dtype=np.int64), np.asarray(verdicts, dtype=np.int64)
    both = (truth >= 0) & (said >= 0)
    truth, said, k = truth[both], said[both], n_categories
    labels = None if clusters is None else np.unique(np.asarray(clusters)[both], return_inverse=True)[1]
    n = len(truth)
    if n == 0:
        return {name: undefined("no items", method=name, n=0) for name in ("accuracy", "macro_f1", "cohen_kappa")}
    parts = np.zeros((n, k * k))
    parts[np.arange(n), truth * k + said] = 1.0

    def finish(sums: Floats) -> Floats:
        table = sums.reshape(-1, k, k)
        hits, support, given = (np.einsum(which, table) for which in ("bii->bi", "bij->bi", "bij->bj"))
        total, either = sum_rows(support), support + given
        f1 = np.divide(2 * hits, either, out=np.zeros_like(either), where=either > 0)
        macro = f1.sum(axis=1) / (either > 0).sum(axis=1)
        chance = (support * given).sum(axis=1)
        excess = total * hits.sum(axis=1) - chance
        room = total**2 - chance
        return np.column_stack([macro, np.divide(excess, room, out=np.full(len(room), np.nan), where=room > 0)])

    pairs = np.column_stack([truth, said])
    macro, corrected = bca(additive(parts, finish, labels, alike=pairs), seed=seed, replicates=replicates, level=level)
    units = f"{n} items" if labels is None else f"{len(np.unique(labels))} clusters"

    def figure(interval: Interval) -> Statistic:
        return as_statistic(interval, n=n, units=units, replicates=replicates, seed=seed, level=level)

    share = _share(truth == said, labels, level)
    return {"accuracy": share, "macro_f1": figure(macro), "cohen_kappa": figure(corrected)}


def _binary(gold: ArrayLike, verdicts: ArrayLike) -> tuple[Integers, Integers]:
    truth, said = np.asarray(gold).astype(np.int64), np.asarray(verdicts).astype(np.int64)
    if truth.shape != said.shape or truth.ndim != 1:
        raise ValueError(f"gold {truth.shape} and verdicts {said.shape} must be alike and one-dimensional")
    if not np.isin(truth, (0, 1)).all() or not np.isin(said, (0, 1, MISSING)).all():
        raise ValueError("gold must be 0 or 1, verdicts 0, 1 or -1 for missing")
    return truth, said


def _judged(
    gold: ArrayLike, verdicts: ArrayLike, clusters: ArrayLike | None
) -> tuple[Integers, Integers, Integers | None]:
    """Gold, verdicts and clusters of the items that have a verdict."""
    truth, said = _binary(gold, verdicts)
    there = said != MISSING
    labels = None if clusters is None else np.unique(np.asarray(clusters)[there], return_inverse=True)[1]
    return truth[there], said[there], labels


def _share(events: ArrayLike, clusters: Integers | None, level: float) -> Statistic:
    """The share of events with its interval: exact for items, Wilson's at the effective size for clusters."""
    event = np.asarray(events, dtype=bool)
    if clusters is None:
        return proportion(int(event.sum()), len(event), level, "clopper_pearson")
    totals = sum_by(np.column_stack([event, np.ones(len(event))]).astype(float), clusters)
    return clustered_proportion(totals[:, 0], totals[:, 1], level)


def _f1(jaccard: Statistic) -> Statistic:
    """F1 = 2J / (1 + J) with J = tp / (tp + fp + fn), a share of the items that judge or gold call positive."""
    method = f"{jaccard.method} for tp / (tp + fp + fn)"
    if jaccard.estimate is None:
        return undefined("nothing is positive in gold or verdicts", method=method, n=jaccard.n)
    ends = [None if end is None else 2 * end / (1 + end) for end in (jaccard.estimate, jaccard.low, jaccard.high)]
    return measured(ends[0], ends[1], ends[2], method=method, n=jaccard.n, note=jaccard.note)


def _balanced(sensitivity: Statistic, specificity: Statistic, n: int) -> Statistic:
    method = f"mean of sensitivity and specificity, bounds combined (MOVER) from {sensitivity.method}"
    if sensitivity.estimate is None or specificity.estimate is None:
        return undefined("a class has no items", method=method, n=n)
    estimate = (sensitivity.estimate + specificity.estimate) / 2
    terms = []
    for one in (sensitivity, specificity):
        assert one.estimate is not None
        if one.low is None or one.high is None:
            return measured(estimate, None, None, method=method, n=n, note="no interval: one cluster in a class")
        terms.append((0.5, one.estimate, Bounds(one.low, one.high)))
    low, high = sum_bounds(terms)
    return measured(estimate, max(0.0, low), min(1.0, high), method=method, n=n)


def _correlations(
    truth: Integers, said: Integers, clusters: Integers | None, *, seed: int, replicates: int, level: float
) -> dict[str, Statistic]:
    """MCC and Cohen's kappa by the bootstrap; where no item is misjudged, from the bounds of the two error rates."""
    cells = np.column_stack(
        [(truth == t) & (said == s) for t, s in ((1, 1), (0, 1), (1, 0), (0, 0))],
    ).astype(float)

    def finish(sums: Floats) -> Floats:
        return np.column_stack([mcc(*sums.T), kappa(*sums.T)])

    n = len(truth)
    names = ("mcc", "cohen_kappa")
    if n == 0:
        return {name: undefined("no items", method=name, n=0) for name in names}
    intervals = bca(additive(cells, finish, clusters), seed=seed, replicates=replicates, level=level)
    n_units = n if clusters is None else len(np.unique(clusters))
    units = f"{n} items" if clusters is None else f"{n_units} clusters"
    figures = {}
    for name, interval in zip(names, intervals, strict=True):
        figures[name] = as_statistic(interval, n=n, units=units, replicates=replicates, seed=seed, level=level)
        if interval.degenerate and math.isclose(interval.estimate, 1.0):
            figures[name] = _flawless(name, truth, clusters, level)
    return figures


def _flawless(name: str, truth: Integers, clusters: Integers | None, level: float) -> Statistic:
    """A correlation of 1: its value if both error rates were at their joint bounds, at this prevalence."""
    ends = []
    for side in (1, 0):
        among = truth == side
        size = int(among.sum()) if clusters is None else len(np.unique(clusters[among]))
        ends.append(clopper_pearson(size, size, (1 + level) / 2).low)
    pi = float(truth.mean())
    cells = (pi * ends[0], (1 - pi) * (1 - ends[1]), pi * (1 - ends[0]), (1 - pi) * ends[1])
    low = float((mcc if name == "mcc" else kappa)(*cells))
    method = f"{level:.0%} bound from the joint Clopper-Pearson bounds of sensitivity and specificity"
    return measured(1.0, low, 1.0, method=method, n=len(truth), note="no item is misjudged")
