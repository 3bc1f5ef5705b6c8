"""Raters against each other: every agreement figure at once, and where disagreement comes from.

By pair of raters, by category, without each rater in turn; and the `krippendorff` library's alpha beside ours. Labels,
rater names and files are joined to arrays elsewhere; so are the gates that say how much agreement is enough.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.alpha import TABLE_CATEGORIES, Metric, alpha_value, krippendorff_alpha
from judge.calibration.bootstrap import REPLICATES
from judge.calibration.kappa import Coefficient, Weights, agreement_coefficient, specific_agreement
from judge.calibration.ratings import MISSING, Floats, as_values, code, count
from judge.calibration.statistic import Statistic
from judge.frozen import Frozen

_SAME = 1e-9
# Every figure of the calibration output: a metric of alpha, or a coefficient and its weights.
FIGURES: Mapping[str, Metric | tuple[Coefficient, Weights]] = {
    "percent_agreement": ("percent", "identity"),
    "krippendorff_alpha_nominal": "nominal",
    "krippendorff_alpha_ordinal": "ordinal",
    "krippendorff_alpha_interval": "interval",
    "krippendorff_alpha_ratio": "ratio",
    "cohen_kappa": ("cohen", "identity"),
    "weighted_kappa": ("cohen", "linear"),
    "weighted_kappa_quadratic": ("cohen", "quadratic"),
    "fleiss_kappa": ("fleiss", "identity"),
    "conger_kappa": ("conger", "identity"),
    "brennan_prediger": ("brennan_prediger", "identity"),
    "gwet_ac1": ("gwet", "identity"),
    "gwet_ac2": ("gwet", "linear"),
}
_ORDERED = (
    "krippendorff_alpha_ordinal",
    "krippendorff_alpha_interval",
    "krippendorff_alpha_ratio",
    "weighted_kappa",
    "weighted_kappa_quadratic",
    "gwet_ac2",
)


class PairAgreement(Frozen):
    """Two raters on the items that both rated; `first` and `second` are columns of the ratings."""

    first: int
    second: int
    percent: Statistic
    kappa: Statistic
    alpha: Statistic


class CategoryAgreement(Frozen):
    """One category against all others: its share of the ratings, alpha of "this or not", and specific agreement.

    `specific` is how often a second rater gives the category where one has; None if nobody ever does.
    """

    category: float
    share: float
    specific: float | None
    alpha: Statistic


class RaterInfluence(Frozen):
    """What a rater does to alpha: alpha without them, the change, and how often they differ from the others.

    `change` above 0: the others agree better without this rater. `differs` is over all pairs with another rating of
    the same item; None where undefined.
    """

    rater: int
    n: int
    alpha_without: float | None
    change: float | None
    differs: float | None


class SecondOpinion(Frozen):
    """Our alpha beside that of the `krippendorff` library; `agrees` is None where there is nothing to compare."""

    metric: Metric
    ours: float | None
    theirs: float | None
    agrees: bool | None
    note: str | None = None


def agreement(
    ratings: ArrayLike,
    *,
    categories: Sequence[float] | None = None,
    ordered: bool = False,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
    only: Collection[str] | None = None,
    numbers: Sequence[float] | None = None,
) -> dict[str, Statistic]:
    """Every agreement figure that applies, by the names of the calibration output; `only` some of them.

    `ratings`: (n_items, n_raters), -1 or NaN = missing. `ordered`: the categories form a scale, which adds ordinal and
    interval alpha, AC2 and the weighted kappas. Cohen's kappas appear for two raters only. With `clusters` (n_items,)
    whole clusters are resampled. `numbers`: what each rating 0, 1, ... amounts to, where it is an amount: interval alpha is then
    that of the amounts, and ratio alpha is added where none is below 0.
    """
    values = as_values(ratings)
    amounts = values
    if numbers is not None:
        there = ~np.isnan(values)
        amounts = np.full(values.shape, np.nan)
        amounts[there] = np.asarray(numbers, dtype=float)[values[there].astype(np.int64)]

    def alpha(metric: Metric) -> Statistic:
        rated = amounts if metric in ("interval", "ratio") else values
        return krippendorff_alpha(rated, metric, clusters=clusters, seed=seed, replicates=replicates, level=level)

    def coefficient(name: Coefficient, weights: Weights) -> Statistic:
        return agreement_coefficient(
            values,
            name,
            weights=weights,
            categories=categories,
            clusters=clusters,
            seed=seed,
            replicates=replicates,
            level=level,
        )

    found = {}
    for name, figure in FIGURES.items():
        applies = (ordered or name not in _ORDERED) and (values.shape[1] == 2 or figure[0] != "cohen")
        if figure == "ratio":
            applies = applies and numbers is not None and min(numbers) >= 0
        if applies and (only is None or name in only):
            found[name] = alpha(figure) if isinstance(figure, str) else coefficient(*figure)
    return found


def by_pair(
    ratings: ArrayLike,
    *,
    categories: Sequence[float] | None = None,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> tuple[PairAgreement, ...]:
    """Percent agreement, Cohen's kappa and nominal alpha of every two raters, on the items that both rated."""
    values = as_values(ratings)
    pairs = []
    for first, second in combinations(range(values.shape[1]), 2):
        two = values[:, [first, second]]

        def coefficient(name: Coefficient, two: Floats = two) -> Statistic:
            return agreement_coefficient(
                two, name, categories=categories, clusters=clusters, seed=seed, replicates=replicates
            )

        pairs.append(
            PairAgreement(
                first=first,
                second=second,
                percent=coefficient("percent"),
                kappa=coefficient("cohen"),
                alpha=krippendorff_alpha(two, clusters=clusters, seed=seed, replicates=replicates),
            )
        )
    return tuple(pairs)


def by_category(
    ratings: ArrayLike, *, clusters: ArrayLike | None = None, seed: int = 0, replicates: int = REPLICATES
) -> tuple[CategoryAgreement, ...]:
    """Each category that occurs against all others, in ascending order."""
    coded = code(ratings)
    counts = count(coded)
    specific = specific_agreement(counts)
    found = []
    for index, category in enumerate(coded.categories):
        mine = np.where(coded.codes == MISSING, MISSING, coded.codes == index)
        found.append(
            CategoryAgreement(
                category=float(category),
                share=float(counts[:, index].sum() / counts.sum()),
                specific=_or_none(specific[index]),
                alpha=krippendorff_alpha(mine, clusters=clusters, seed=seed, replicates=replicates),
            )
        )
    return tuple(found)


def by_rater(ratings: ArrayLike, metric: Metric = "nominal") -> tuple[RaterInfluence, ...]:
    """Who drives disagreement: alpha without each rater, the rater whose absence raises it most first."""
    values = as_values(ratings)
    whole = alpha_value(values, metric)
    found = []
    for rater in range(values.shape[1]):
        without = alpha_value(np.delete(values, rater, axis=1), metric)
        mine, others = values[:, [rater]], np.delete(values, rater, axis=1)
        both = ~np.isnan(mine) & ~np.isnan(others)
        differs = float((both & (mine != others)).sum() / both.sum()) if both.any() else float("nan")
        found.append(
            RaterInfluence(
                rater=rater,
                n=int((~np.isnan(mine)).sum()),
                alpha_without=_or_none(without),
                change=_or_none(without - whole),
                differs=_or_none(differs),
            )
        )
    return tuple(sorted(found, key=lambda one: -(one.change if one.change is not None else -np.inf)))


def second_opinion(ratings: ArrayLike, metric: Metric = "nominal") -> SecondOpinion:
    """Compare our alpha with the `krippendorff` library's; they must be equal to 1e-9.

    The library tabulates items by values by values, so it is asked only up to 32 distinct values; it refuses ratings
    of a single value, where alpha is undefined anyway.
    """
    import krippendorff

    values = as_values(ratings)
    ours = _or_none(alpha_value(values, metric))
    distinct = len(np.unique(values[~np.isnan(values)]))
    if ours is None:
        return SecondOpinion(metric=metric, ours=None, theirs=None, agrees=None, note="undefined: no variation")
    if distinct > TABLE_CATEGORIES:
        note = f"{distinct} distinct values: the library would tabulate every pair of them for every item"
        return SecondOpinion(metric=metric, ours=ours, theirs=None, agrees=None, note=note)
    theirs = float(krippendorff.alpha(reliability_data=values.T, level_of_measurement=metric))
    return SecondOpinion(metric=metric, ours=ours, theirs=theirs, agrees=abs(ours - theirs) <= _SAME)


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
