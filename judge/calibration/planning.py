"""How many labels a claim needs, with which power, and which transcripts to label next.

Sizes are exact for Clopper-Pearson bounds; power for alpha is simulated. Nothing here selects files or people.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.alpha import alpha_scheme
from judge.calibration.bootstrap import bca
from judge.calibration.intervals import clopper_pearson
from judge.calibration.ratings import Floats, Integers
from judge.frozen import Frozen

_LARGEST = 1_000_000
_STEADY = 10


class Further(Frozen):
    """How many further items would lift a lower bound to where it should be.

    `if_all_right`: when the judge makes no further mistake. `at_this_rate`: when it errs as often as so far; None if
    no number would do, because the observed rate is not above the bound wanted, or so little that it takes over a million.
    """

    if_all_right: int
    at_this_rate: int | None


class Draw(NamedTuple):
    """Transcripts chosen for labelling: positions in the list given, and how many transcripts each stands for."""

    chosen: Integers
    weights: Floats


def zero_miss_size(bound: float, level: float = 0.95, *, one_sided: bool = False) -> int:
    """How many items without one mistake put the Clopper-Pearson lower bound at `bound` or above: .90 needs 36.

    The bound for n of n is tail^(1/n), so n = log(tail) / log(bound).
    """
    _check_share(bound)
    tail = (1 - level) / (1 if one_sided else 2)
    return math.ceil(math.log(tail) / math.log(bound) - 1e-9)


def bound_power(n: int, true_rate: float, bound: float, level: float = 0.95) -> float:
    """The chance that n items put the two-sided Clopper-Pearson lower bound at `bound` or above if the rate is `true_rate`."""
    from scipy.special import bdtrc

    needed = least_hits(n, bound, level)
    return 0.0 if needed > n else 1.0 if needed == 0 else float(bdtrc(needed - 1, n, true_rate))


def least_hits(n: int, bound: float, level: float = 0.95) -> int:
    """The fewest hits of n whose Clopper-Pearson lower bound reaches `bound`; n + 1 if even n hits do not."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if clopper_pearson(middle, n, level).low >= bound:
            high = middle
        else:
            low = middle + 1
    return low


def size_for_bound(true_rate: float, bound: float, power: float = 0.8, level: float = 0.95) -> int:
    """How many items let the lower bound reach `bound` with the chance `power`, if the rate is `true_rate`.

    The chance rises in a saw-tooth, a tooth for each further mistake allowed; a size counts only if the chance holds
    for it and the next ten, so that a few items more or fewer than planned do no harm. ValueError unless
    bound < true_rate.
    """
    _check_share(bound)
    if not bound < true_rate <= 1:
        raise ValueError(f"a bound of {bound} needs a true rate above it, got {true_rate}")
    start = n = zero_miss_size(bound, level)
    while n - start <= _STEADY:
        if bound_power(n, true_rate, bound, level) < power:
            start = n + 1
        n += 1
        if n > _LARGEST:
            raise ValueError(f"more than {_LARGEST} items are needed for {bound} at {true_rate}")
    return start


def further_items(hits: float, n: float, bound: float, level: float = 0.95) -> Further:
    """How many items beyond `hits` of `n` would put the Clopper-Pearson lower bound at `bound`; 0 if it is there."""
    _check_share(bound)

    def reached(more: int, rate: float) -> bool:
        return clopper_pearson(hits + more * rate, n + more, level).low >= bound

    share = hits / n if n else 1.0
    affordable = share > bound and reached(_LARGEST, share)
    return Further(
        if_all_right=_first(lambda more: reached(more, 1.0)),
        at_this_rate=_first(lambda more: reached(more, share)) if affordable else None,
    )


def items_for_alpha(estimate: float, low: float, n: int, bar: float) -> int | None:
    """About how many further items lift the lower bound of alpha to `bar`, as its half-width shrinks with the root of n.

    0 if it is there; None if no number would, as alpha itself is not above it.
    """
    if low >= bar:
        return 0
    if estimate <= bar:
        return None
    return math.ceil(n * (((estimate - low) / (estimate - bar)) ** 2 - 1))


def specificity_for_ppv(prevalence: float, sensitivity: float, ppv: float) -> float:
    """The specificity at which a flag is right with chance `ppv` at this prevalence: 1 - pi se (1 - ppv) / (ppv (1 - pi))."""
    return 1 - prevalence * sensitivity * (1 - ppv) / (ppv * (1 - prevalence))


def transcripts_for_bound(rate: float, tp: int, positives: int, level: float = 0.95) -> int:
    """How many transcripts without a flag bound the true rate at `rate`, given the sensitivity measured on gold.

    The inverse of `rates.zero_event_bound`; ValueError where no number would do.
    """
    _check_share(rate)
    sensitivity = clopper_pearson(tp, positives, level).low
    if sensitivity <= 0:
        raise ValueError("the judge found no positive of gold: no number of transcripts bounds the rate")
    return math.ceil(math.log((1 - level) / 2) / math.log(1 - rate * sensitivity) - 1e-9)


def alpha_power(
    n: int,
    n_raters: int,
    prevalence: float,
    sensitivity: float,
    specificity: float,
    bar: float,
    *,
    seed: int,
    runs: int = 400,
    replicates: int = 1000,
    level: float = 0.95,
) -> float:
    """The simulated chance that the BCa lower bound of alpha reaches `bar` when n items go to raters who err so often.

    Raters are alike and independent given the truth. The Monte Carlo error is at most .5 / sqrt(runs).
    """
    rng = np.random.default_rng(seed)
    reached = 0
    for _ in range(runs):
        truth = rng.random((n, 1)) < prevalence
        said = rng.random((n, n_raters)) < np.where(truth, sensitivity, 1 - specificity)
        (interval,) = bca(
            alpha_scheme(said.astype(float), "nominal"),
            seed=int(rng.integers(2**31)),
            replicates=replicates,
            level=level,
        )
        reached += bool(interval.low >= bar)
    return reached / runs


def allocate(sizes: Sequence[int], budget: int) -> tuple[int, ...]:
    """Split a labelling budget evenly over strata; what a small stratum cannot use goes to the others.

    With the judge's flagged and passed transcripts as strata this is the two-phase design: half to each.
    """
    given = [0] * len(sizes)
    left = min(budget, sum(sizes))
    while left:
        open_strata = [i for i, size in enumerate(sizes) if given[i] < size]
        each, extra = divmod(left, len(open_strata))
        for position, i in enumerate(open_strata):
            take = min(sizes[i] - given[i], each + (position < extra))
            given[i] += take
            left -= take
    return tuple(given)


def draw_labels(strata: ArrayLike, budget: int, *, seed: int) -> Draw:
    """Choose transcripts to label, at random within each stratum, with the weights that the estimates need.

    `strata`: (n_transcripts,) labels, such as the judge's verdict. A weight is the stratum's size over the number
    chosen in it, and has to be kept with the label.
    """
    _, index, sizes = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
    rng = np.random.default_rng(seed)
    chosen, weights = [], []
    for stratum, take in enumerate(allocate(sizes.tolist(), budget)):
        if take:
            chosen.append(rng.choice(np.nonzero(index == stratum)[0], take, replace=False))
            weights.append(np.full(take, sizes[stratum] / take))
    if not chosen:
        return Draw(np.zeros(0, dtype=np.int64), np.zeros(0))
    positions, factors = np.concatenate(chosen), np.concatenate(weights)
    order = np.argsort(positions)
    return Draw(positions[order], factors[order])


def _first(holds: Callable[[int], bool]) -> int:
    """The smallest number of further items for which `holds`, which stays true once it is."""
    if holds(0):
        return 0
    high = 1
    while not holds(high):
        high *= 2
        if high > 2 * _LARGEST:
            raise ValueError(f"more than {_LARGEST} further items are needed")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _check_share(value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"a bound lies between 0 and 1, got {value}")
