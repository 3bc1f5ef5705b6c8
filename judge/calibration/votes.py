"""What the votes of a panel are worth together: judges that err alike are fewer than they seem.

Computed from a table of votes; who voted and why is not known here. What one panel says of one transcript is
`judge.grading.panels.panel`'s.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.bootstrap import Floats, Scheme, as_statistic, bca, collapse
from judge.calibration.ratings import MISSING, as_values
from judge.calibration.statistic import Statistic, join_notes, undefined

REPLICATES = 2_000


def effective_votes(
    votes: ArrayLike,
    truth: ArrayLike | None = None,
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> Statistic:
    """How many independent voters are worth as much as these: n / (1 + (n - 1) r), between 1 and n (Kish 1965).

    `votes`: (n_items, n_voters) of 1 and 0, -1 or NaN = missing. r is the mean over pairs of voters of the correlation of
    their errors, where `truth`, (n_items,), says what is right; without it that of their votes. Good voters agree because
    they see the same thing, so without truth the figure says how much is learnt from asking more of them, not how alike they
    err. A pair counts on the items that both voted on; one of which a voter never varies has no correlation and is left out.
    """
    values = as_values(votes)
    what = "votes"
    if truth is not None:
        what, right = "errors", as_values(np.asarray(truth)[:, None])
        known = ~np.isnan(right[:, 0])
        values = np.where(np.isnan(values[known]), np.nan, (values[known] != right[known]).astype(float))
    values = values[(~np.isnan(values)).sum(axis=1) >= 2]
    n_items, n_voters = values.shape
    pairs = list(combinations(range(n_voters), 2))
    name = f"n / (1 + (n - 1) r), r the mean correlation of {what} over pairs of {n_voters} voters"
    if not pairs or not n_items:
        return undefined("no item has two votes", method=name, n=n_items)
    patterns, frequencies = collapse(np.where(np.isnan(values), MISSING, values))
    parts = np.concatenate([_sums(patterns[:, one], patterns[:, other]) for one, other in pairs], axis=1)
    everything = frequencies @ parts

    def finish(sums: Floats) -> Floats:
        found = _correlations(sums.reshape(len(sums), len(pairs), 4))
        there = ~np.isnan(found)
        mean = np.divide(
            np.nansum(found, axis=1), there.sum(axis=1), out=np.full(len(found), np.nan), where=there.any(axis=1)
        )
        return np.asarray(n_voters / (1 + (n_voters - 1) * np.clip(mean, 0, 1)))[:, None]

    scheme = Scheme(frequencies, lambda weights: finish(weights @ parts), lambda: finish(everything - parts))
    (interval,) = bca(scheme, seed=seed, replicates=replicates, level=level)
    found = as_statistic(interval, n=n_items, units="items", replicates=replicates, seed=seed, level=level)
    correlations = _correlations(everything.reshape(1, len(pairs), 4))[0]
    varying = correlations[~np.isnan(correlations)]
    constant = len(pairs) - len(varying)
    left_out = f"{constant} of {len(pairs)} pairs left out: no variation" if constant else None
    note = join_notes(f"r {varying.mean():.3f}" if len(varying) else None, left_out)
    return found.model_copy(update={"method": f"{name}; {found.method}", "note": join_notes(found.note, note)})


def _sums(one: Floats, other: Floats) -> Floats:
    """What a correlation of two columns of 0 and 1 is computed from: whether both voted, each one's ones, both's."""
    both = (one != MISSING) & (other != MISSING)
    x, y = np.where(both, one, 0.0), np.where(both, other, 0.0)
    return np.stack([both.astype(float), x, y, x * y], axis=1)


def _correlations(sums: Floats) -> Floats:
    """Phi of each pair: (n, n_pairs, 4) -> (n, n_pairs); NaN where a voter does not vary."""
    n, x, y, xy = (sums[:, :, place] for place in range(4))
    spread = (n * x - x**2) * (n * y - y**2)
    blank = np.full(n.shape, np.nan)
    return np.asarray(np.divide(n * xy - x * y, np.sqrt(np.maximum(spread, 0.0)), out=blank, where=spread > 0))
