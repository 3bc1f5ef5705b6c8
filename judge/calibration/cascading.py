"""Thresholds for judges that are asked in turn, for positive and negative answers apart: `judge calibrate --thresholds`.

The guarantee is that of `selective`: fixed-sequence testing with exact binomial tests, the chance of a broken promise split
over judges and answers, each judge on its own random share of the labelled items. An answer that is rare would hide behind a
promise over both. A judge's confidence is what `judge.ledger.panel.weigh` makes of its samples, here and when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.calibration.intervals import clopper_pearson
from judge.calibration.matching import MISSING, Matched
from judge.calibration.selective import GRID, STARTS, select_threshold
from judge.ledger.panel import weigh

_ANSWERS: Final = (1, 0)


class Limit(NamedTuple):
    """From which confidence on one answer is decided; None: never. Of `seen` such answers `decided` were, `wrong` of them."""

    threshold: float | None
    seen: int
    decided: int
    wrong: int
    risk_high: float | None  # upper Clopper-Pearson bound at the level tested


class Step(NamedTuple):
    """One judge's limits, and how many items of its share came to it."""

    reached: int
    positive: Limit
    negative: Limit


class Weighed(NamedTuple):
    """What judges say of items, and how surely: `answers` (n_items, n_judges) of 1, 0, -1; `confidences` in [0, 1]."""

    answers: NDArray[np.int64]
    confidences: NDArray[np.float64]


def weigh_judges(judges: Sequence[Matched]) -> Weighed:
    """Weigh each judge's samples on each item; the judges' items must be the same."""
    items = [one.ratings.items for one in judges]
    if any(each != items[0] for each in items):
        raise ValueError("the judges were matched with different items")
    answers = np.full((len(items[0]), len(judges)), MISSING, dtype=np.int64)
    confidences = np.zeros(answers.shape)
    for column, one in enumerate(judges):
        for row, signs in enumerate(one.repeats):
            p = None if one.scores is None or not one.probable or np.isnan(one.scores[row]) else float(one.scores[row])
            weight = weigh([None if sign == MISSING else bool(sign) for sign in signs], p)
            if weight.positive is not None:
                answers[row, column] = int(weight.positive)
                confidences[row, column] = weight.confidence
    return Weighed(answers, confidences)


def select_steps(
    answers: ArrayLike,
    confidences: ArrayLike,
    truth: ArrayLike,
    max_risk: float,
    delta: float,
    *,
    seed: int,
    grid: Sequence[float] = GRID,
    starts: int = STARTS,
) -> tuple[Step, ...]:
    """Set limits judge by judge, cheapest first; each decides what the earlier ones left undecided.

    `answers` and `confidences`: (n_items, n_judges), 1 positive, 0 negative, -1 none. `truth`: (n_items,) of 1 and 0. With
    probability 1 - `delta`, of what any judge decides as positive at most `max_risk` is negative, and likewise the other
    way round. A later judge is measured on items that helped to set no earlier limit, and of them on those that come to it.
    """
    said, sure, gold = np.asarray(answers), np.asarray(confidences, dtype=float), np.asarray(truth)
    if said.shape != sure.shape or said.ndim != 2 or gold.shape != said.shape[:1]:
        raise ValueError(f"answers {said.shape}, confidences {sure.shape} and truth {gold.shape} do not go together")
    n_items, n_judges = said.shape
    fold = np.random.default_rng(seed).permutation(n_items) % n_judges
    share = delta / (len(_ANSWERS) * n_judges)
    open_items = np.ones(n_items, dtype=bool)
    steps = []
    for judge in range(n_judges):
        here = open_items & (fold == judge)
        limits = {}
        for answer in _ANSWERS:
            mine = here & (said[:, judge] == answer)
            found = select_threshold(
                sure[mine, judge], gold[mine] != answer, max_risk, share, grid=grid, starts=starts
            ).threshold
            decided = np.zeros(n_items, dtype=bool) if found is None else mine & (sure[:, judge] >= found)
            n, wrong = int(decided.sum()), int((gold[decided] != answer).sum())
            bound = clopper_pearson(wrong, n, 1 - share / starts, "upper").high if n else None
            limits[answer] = Limit(found, int(mine.sum()), n, wrong, bound)
            if found is not None:
                open_items &= ~((said[:, judge] == answer) & (sure[:, judge] >= found))
        steps.append(Step(int(here.sum()), limits[1], limits[0]))
    return tuple(steps)
