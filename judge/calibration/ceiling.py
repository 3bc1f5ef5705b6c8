"""The human ceiling: each rater, and the judge, against the majority of the other raters.

Gold that humans cannot agree on caps what any judge can reach. Nothing here decides how close is close enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.accuracy import balanced_accuracy
from judge.calibration.ratings import MISSING, code
from judge.calibration.statistic import Statistic
from judge.frozen import Frozen


class Ceiling(Frozen):
    """Balanced accuracy of one rater and of the judge against the majority of the other raters, on the same items.

    `rater` is the column left out of the majority: a rater compared with a majority they are part of would be flattered.
    """

    rater: int
    n: int
    human: Statistic
    judge: Statistic


def human_ceiling(ratings: ArrayLike, verdicts: ArrayLike, *, clusters: ArrayLike | None = None) -> tuple[Ceiling, ...]:
    """Each rater and the judge against the majority of the other raters; nothing where there is no other rater.

    `ratings`: (n_items, n_raters) and `verdicts`: (n_items,), 0 or 1, -1 = missing. Items where the others are tied or
    absent, or where rater or judge is missing, are left out, so that both are measured on the same items.
    """
    codes = code(ratings, [0, 1]).codes
    said = np.asarray(verdicts, dtype=np.int64)
    tied = None if clusters is None else np.asarray(clusters)
    found = []
    for rater in range(codes.shape[1] if codes.shape[1] > 1 else 0):
        others = np.delete(codes, rater, axis=1)
        lead = (others == 1).sum(axis=1) - (others == 0).sum(axis=1)
        mine = codes[:, rater]
        used = (lead != 0) & (mine != MISSING) & (said != MISSING)
        truth, shared = (lead[used] > 0).astype(np.int64), None if tied is None else tied[used]
        human, judge = (balanced_accuracy(truth, answers[used], clusters=shared) for answers in (mine, said))
        found.append(Ceiling(rater=rater, n=int(used.sum()), human=human, judge=judge))
    return tuple(found)
