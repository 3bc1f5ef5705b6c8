"""Whether a judge could stand in for one of the human raters: the alternative annotator test.

Calderon, Reichart and Dror (ACL 2025): a judge may replace a rater if it agrees with the remaining raters about as well
as the rater does. The test must never stand alone: for rare behaviour a judge that always answers "no" passes it, so it
is run on human-positive items as well, and beside a baseline that always gives the commonest answer.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.bootstrap import REPLICATES, additive, as_statistic, bca
from judge.calibration.comparison import adjusted_p
from judge.calibration.ratings import MISSING, Floats, Integers, code
from judge.calibration.statistic import Statistic, join_notes, measured, undefined
from judge.frozen import Frozen

Expertise = Literal["expert", "skilled", "crowd"]

# What an expert, a skilled worker, a crowd worker costs, as the share of wins a judge may lack (Calderon et al. 2025).
EPSILON: dict[Expertise, float] = {"expert": 0.2, "skilled": 0.15, "crowd": 0.1}
FEWEST_ITEMS = 30
FALSE_DISCOVERY = 0.05


class RaterTest(Frozen):
    """The test against one rater: items that the rater, another rater and the judge all judged; None where untested.

    `gap`: how much oftener the rater than the judge agrees at least as well with the others. `p` is for the hypothesis
    that the gap is epsilon or more; `rejected` means that the judge may replace this rater.
    """

    rater: int
    n: int
    gap: float | None
    advantage: float | None
    p: float | None
    rejected: bool


class AlternativeAnnotator(Frozen):
    """The outcome over all raters; the judge passes with a winning rate of .5 or more.

    `winning_rate`: the share of tested raters whom the judge may replace. `advantage_probability`: how often the judge
    agrees with the other raters at least as well as the rater left out.
    """

    epsilon: float
    winning_rate: Statistic
    advantage_probability: Statistic
    raters: tuple[RaterTest, ...]

    @property
    def passed(self) -> bool:
        """Whether at least half of the tested raters may be replaced."""
        return self.winning_rate.estimate is not None and self.winning_rate.estimate >= 0.5


class AnnotatorReport(Frozen):
    """The test on all items, on the items most raters call positive, and for always giving the commonest answer."""

    overall: AlternativeAnnotator
    on_positives: AlternativeAnnotator
    always_majority: AlternativeAnnotator
    majority_answer: float | None


def alternative_annotator(
    ratings: ArrayLike,
    verdicts: ArrayLike,
    epsilon: float,
    *,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> AlternativeAnnotator:
    """Run the test on categorical ratings.

    `ratings`: (n_items, n_raters), -1 or NaN = missing; `verdicts`: (n_items,) in the same codes, -1 or NaN = missing.
    `epsilon`: see `EPSILON`. Raters with fewer than 30 items are listed and not tested; two tested raters are the least
    from which a winning rate means anything. p values are adjusted by Benjamini-Yekutieli at .05.
    """
    both = code(np.column_stack([np.asarray(ratings, dtype=float), np.asarray(verdicts, dtype=float)]))
    codes, said = both.codes[:, :-1], both.codes[:, -1]
    wins = [_wins(codes, said, rater) for rater in range(codes.shape[1])]
    tested = [rater for rater, (used, _, _) in enumerate(wins) if used.sum() >= FEWEST_ITEMS]
    gaps = {rater: (wins[rater][1] - wins[rater][2])[wins[rater][0]] for rater in tested}
    p = {rater: mean_below(gaps[rater], epsilon) for rater in tested}
    adjusted = dict(zip(tested, adjusted_p([p[rater] for rater in tested], "by"), strict=True))
    raters = tuple(
        RaterTest(
            rater=rater,
            n=int(used.sum()),
            gap=float(gaps[rater].mean()) if rater in gaps else None,
            advantage=float(judge[used].mean()) if used.any() else None,
            p=p.get(rater),
            rejected=bool(adjusted.get(rater, 1.0) < FALSE_DISCOVERY),
        )
        for rater, (used, _, judge) in enumerate(wins)
    )
    n = int(np.any([used for used, _, _ in wins], axis=0).sum())
    return AlternativeAnnotator(
        epsilon=epsilon,
        winning_rate=_winning_rate(raters, n, epsilon),
        advantage_probability=_advantage(wins, n, clusters, seed, replicates, level),
        raters=raters,
    )


def annotator_report(
    ratings: ArrayLike,
    verdicts: ArrayLike,
    epsilon: float,
    *,
    positive: float = 1,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> AnnotatorReport:
    """The test with the two companions without which it must not be printed. Arguments as in `alternative_annotator`.

    An item is positive when more than half of its raters give `positive` or, on a scale, more.
    """
    values = code(ratings)
    rated = np.where(values.codes == MISSING, np.nan, values.categories[values.codes])
    said = np.asarray(verdicts, dtype=float)
    labels = None if clusters is None else np.asarray(clusters)
    answers, times = np.unique(rated[~np.isnan(rated)], return_counts=True)
    commonest = float(answers[np.argmax(times)]) if len(answers) else None
    votes = (~np.isnan(rated)).sum(axis=1)
    positives = np.nan_to_num(rated, nan=-np.inf) >= positive
    on = positives.sum(axis=1) * 2 > votes

    def run(r: Floats, v: Floats, c: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None) -> AlternativeAnnotator:
        return alternative_annotator(r, v, epsilon, clusters=c, seed=seed, replicates=replicates)

    return AnnotatorReport(
        overall=run(rated, said, labels),
        on_positives=run(rated[on], said[on], None if labels is None else labels[on]),
        always_majority=run(rated, np.full(len(rated), np.nan if commonest is None else commonest), labels),
        majority_answer=commonest,
    )


def mean_below(values: Floats, bound: float) -> float:
    """One-sided p value for the hypothesis that the mean of values in [-1, 1] is `bound` or more: Student's t.

    Values that are all alike have no variance, and t would be NaN or claim p = 0. If they equal c < bound, a mean of
    `bound` needs values above c with probability (bound - c) / (1 - c) at least, and that none of n is above c has
    the probability returned.
    """
    from scipy.special import stdtr

    n = len(values)
    if np.ptp(values) == 0:
        alike = float(values[0])
        return float((1 - (bound - alike) / (1 - alike)) ** n) if alike < bound else 1.0
    return float(stdtr(n - 1, (values.mean() - bound) / (values.std(ddof=1) / np.sqrt(n))))


def _wins(
    codes: Integers, said: Integers, rater: int
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], Floats, Floats]:
    """Items used, and on each whether the rater, and the judge, agrees with the other raters at least as well."""
    others = np.delete(codes, rater, axis=1)
    mine = codes[:, rater]
    used = (mine != MISSING) & (said != MISSING) & (others != MISSING).any(axis=1)
    human = ((others == mine[:, None]) & (others != MISSING)).sum(axis=1)
    judge = ((others == said[:, None]) & (others != MISSING)).sum(axis=1)
    return used, (human >= judge).astype(float), (judge >= human).astype(float)


def _winning_rate(raters: tuple[RaterTest, ...], n: int, epsilon: float) -> Statistic:
    tested = [one for one in raters if one.p is not None]
    method = f"share of {len(tested)} raters rejected at epsilon {epsilon:g}, t test, Benjamini-Yekutieli {FALSE_DISCOVERY:g}"
    if len(tested) < 2:
        return undefined(f"fewer than 2 raters with {FEWEST_ITEMS} items", method=method, n=n)
    share = sum(one.rejected for one in tested) / len(tested)
    why = f"no interval: a count of {len(tested)} decisions on these raters, not an estimate; see advantage probability"
    few = f"{len(raters) - len(tested)} raters with fewer than {FEWEST_ITEMS} items not tested"
    return measured(
        share, None, None, method=method, n=n, note=join_notes(why, few if len(tested) < len(raters) else None)
    )


def _advantage(
    wins: list[tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], Floats, Floats]],
    n: int,
    clusters: ArrayLike | None,
    seed: int,
    replicates: int,
    level: float,
) -> Statistic:
    if n == 0:
        return undefined("no item has two raters and a verdict", method="advantage probability", n=0)
    labels = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    parts = np.column_stack([column for used, _, judge in wins for column in (used * judge, used)]).astype(float)

    def finish(sums: Floats) -> Floats:
        won, used = sums[:, 0::2], sums[:, 1::2]
        share = np.divide(won, used, out=np.zeros_like(won), where=used > 0)
        return np.asarray(share.sum(axis=1) / np.maximum((used > 0).sum(axis=1), 1))

    (interval,) = bca(additive(parts, finish, labels), seed=seed, replicates=replicates, level=level)
    units = f"{len(parts)} items" if labels is None else f"{len(np.unique(labels))} clusters"
    return as_statistic(interval, n=n, units=units, replicates=replicates, seed=seed, level=level)
