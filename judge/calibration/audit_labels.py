"""What a gold audit finds in labels and verdicts alone: empty classes, swapped polarity, circles, refusals, odd raters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from judge.calibration import accuracy as acc
from judge.calibration import agreement as agr
from judge.calibration.claims import below_chance
from judge.calibration.comparison import fisher_exact
from judge.calibration.discovery import SURE, Discovery
from judge.calibration.intervals import wilson
from judge.calibration.matching import MISSING, Integers, Matched, Ratings, binary

_VOTES = 0.98  # share of items on which gold made from judges equals their vote


def look_at_classes(truth: Integers) -> Iterable[Discovery]:
    """Classes that are empty or nearly so."""
    positives, negatives = int((truth == 1).sum()), int((truth == 0).sum())
    for count, kind in ((positives, "positive"), (negatives, "negative")):
        if count == 0:
            yield Discovery(code="one class", weight="fault", text=f"no item is {kind}: nothing can be measured on it")
        elif count < 10:
            yield Discovery(code="few items", weight="warning", text=f"only {count} items are {kind}")


def look_at_polarity(judges: Sequence[Matched]) -> Iterable[Discovery]:
    """Judges that are worse than chance, and labels for which all of them are."""
    low = []
    for judge in judges:
        known = judge.truth != MISSING
        figures = acc.accuracy(judge.truth[known], judge.said[known], replicates=1000)
        if below_chance(figures):
            low.append((judge.judge, figures["mcc"].estimate or 0.0))
    if not low:
        return
    figures_ = {f"mcc of {name}": value for name, value in low}
    if len(low) == len(judges) and len(judges) > 1:
        text = (
            f"suspected inverted polarity: all {len(judges)} judges are worse than chance; suspect the labels, not them"
        )
        yield Discovery(code="polarity", weight="fault", text=text, figures=figures_)
    else:
        names = ", ".join(name for name, _ in low)
        text = f"suspect polarity: {names} worse than chance, as when positive and negative are swapped"
        yield Discovery(code="polarity", weight="fault", text=text, figures=figures_)


def look_for_circles(table: Ratings, judges: Sequence[Matched]) -> Iterable[Discovery]:
    """Raters who are judges under test, and raters who always say what most of the judges say."""
    for judge in judges:
        if judge.judge in table.raters:
            text = f"circular: {judge.judge} is a judge under test and one of the raters"
            yield Discovery(code="circular", weight="fault", text=text)
    if len(judges) < 3:
        return
    said = np.stack([judge.said for judge in judges], axis=1)
    lead = (said == 1).sum(axis=1) - (said == 0).sum(axis=1)
    signs = binary(table, table.codes)
    for column, rater in enumerate(table.raters):
        mine = signs[:, column]
        both = (mine != MISSING) & (lead != 0)
        if both.sum() < 30:
            continue
        vote = float((mine[both] == (lead[both] > 0)).mean())
        # Judges that agree with each other on everything leave the vote no better than any of them.
        single = max(float((said[both, k] == mine[both]).mean()) for k in range(said.shape[1]))
        if vote >= _VOTES and vote > single:
            text = f"circular: {rater} says what most of the judges say on {vote:.1%} of the items, more than any one of them"
            yield Discovery(code="circular", weight="fault", text=text, figures={"vote": vote, "best judge": single})


def look_at_missing(judge: Matched) -> Iterable[Discovery]:
    """Refusals that are likelier on one class: leaving them out flatters or slanders the judge."""
    gone = judge.said == MISSING
    cells = [int((gone[judge.truth == side]).sum()) for side in (1, 0)]
    sizes = [int((judge.truth == side).sum()) for side in (1, 0)]
    if not any(cells) or not all(sizes):
        return
    p = fisher_exact(cells[0], sizes[0] - cells[0], cells[1], sizes[1] - cells[1])
    if p < SURE:
        text = (
            f"missing not at random: {judge.judge} has no verdict on {cells[0]} of {sizes[0]} positives and on {cells[1]} "
            f"of {sizes[1]} negatives"
        )
        yield Discovery(code="missing", weight="warning", text=text, figures={"p": p})


def look_at_raters(table: Ratings) -> Iterable[Discovery]:
    """Raters who differ from the others far more often than these do among themselves."""
    signs = binary(table, table.codes)
    if not 2 < len(table.raters) <= 50:
        return
    for one in agr.by_rater(signs):
        if one.differs is None or one.n < 20:
            continue
        others = np.delete(signs, one.rater, axis=1)
        rest = _disagreement(others)
        low = wilson(one.differs * one.n, one.n, 0.99).low
        if rest is not None and low > 2 * rest + 0.02:
            name = table.raters[one.rater]
            text = f"{name} differs from the other raters in {one.differs:.0%} of ratings; these from each other in {rest:.0%}"
            inverted = " (their labels may be upside down)" if one.differs > 0.5 else ""
            figures = {"differs": one.differs, "others differ": rest, "ratings": float(one.n)}
            yield Discovery(code="outlier rater", weight="warning", text=text + inverted, figures=figures)


def _disagreement(signs: Integers) -> float | None:
    """How often two ratings of one item differ."""
    ones, zeros = (signs == 1).sum(axis=1), (signs == 0).sum(axis=1)
    n = ones + zeros
    pairs = float((n * (n - 1)).sum())
    return float((2 * ones * zeros).sum()) / pairs if pairs else None
