"""Chance-corrected agreement by category: Cohen, weighted, Fleiss and Conger kappa, Gwet AC1/AC2, Brennan-Prediger, percent.

All are (p_a - p_e) / (1 - p_e): 1 is perfect agreement, 0 is what chance would give, and they differ in what they call
chance. Observed agreement is the mean over items of the share of agreeing pairs of raters (Gwet 2014), so an item
counts once however many raters it has. The weight of a pair of categories is 1 on the diagonal; AC2 and the weighted
kappas give partial credit by the distance of the categories in the scale. Whether a value is good enough is decided
elsewhere; at a low prevalence kappa falls towards 0 and AC1 rises towards 1 for the same raters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.bootstrap import REPLICATES, Finish, additive, as_statistic, bca
from judge.calibration.intervals import t_quantile
from judge.calibration.ratings import MISSING, Coded, Floats, Integers, code, count, dot_rows, perfect, sum_rows
from judge.calibration.statistic import NO_VARIATION, Statistic, measured, undefined

Coefficient = Literal["percent", "cohen", "fleiss", "conger", "gwet", "brennan_prediger"]
Weights = Literal["identity", "linear", "quadratic", "ordinal"]
IntervalMethod = Literal["bca", "linearised"]

# A table of category pairs beyond this is a sign that the ratings are scores, for which alpha is made.
_MOST_CATEGORIES = 64
_TIE = 1e-12


def agreement_coefficient(
    ratings: ArrayLike,
    coefficient: Coefficient,
    *,
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    clusters: ArrayLike | None = None,
    interval: IntervalMethod = "bca",
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> Statistic:
    """One agreement coefficient with its interval.

    `ratings`: (n_items, n_raters), -1 or NaN = missing. `categories`: all that could have been given; those that occur
    when None. "cohen" takes two raters and the items that both rated; the others take any number of raters. `interval`:
    "bca" resamples items, or `clusters` of them, labelled (n_items,); "linearised" is Gwet's (2014) standard error with
    a t quantile, for comparison with published values. `n` counts items with two ratings or more. Undefined where
    chance agreement is complete, as when everybody always gives the same answer; percent agreement is never undefined.
    """
    coded = code(ratings, categories)
    name = _name(coefficient, weights)
    n = int((coded.sizes >= 2).sum())
    if coefficient == "cohen":
        if coded.codes.shape[1] != 2:
            raise ValueError(f"Cohen's kappa takes two raters, got {coded.codes.shape[1]}; use fleiss or conger")
        n = int((coded.sizes == 2).sum())
    if n == 0:
        return undefined("no item has two ratings", method=name, n=0)
    if len(coded.categories) > _MOST_CATEGORIES:
        return undefined(f"{len(coded.categories)} categories are scores, use alpha", method=name, n=n)
    keep = coded.sizes >= (2 if coefficient in ("cohen", "percent") else 1)
    rated = Coded(coded.codes[keep], coded.categories)
    labels = None if clusters is None else np.unique(np.asarray(clusters)[keep], return_inverse=True)[1]
    columns, chance = coefficient_columns(rated, coefficient, weights)
    if interval == "linearised":
        return _linearised(columns, chance, labels, finite=coefficient != "cohen", name=name, n=n, level=level)
    # Cohen and Conger ask who said what, the others only what was said.
    alike = rated.codes if coefficient in ("cohen", "conger") else count(rated)
    (found,) = bca(
        additive(columns, corrected(chance), labels, alike=alike), seed=seed, replicates=replicates, level=level
    )
    n_units = n if labels is None else len(np.unique(labels))
    if found.degenerate and found.estimate == 1:
        lone = Coded(rated.codes[rated.sizes >= 2], rated.categories)
        return perfect(_as_floats(lone), _value_of(lone, coefficient, weights), n_units, name=name, level=level)
    units = f"{n} items" if labels is None else f"{n_units} clusters"
    figure = as_statistic(found, n=n, units=units, replicates=replicates, seed=seed, level=level)
    return figure.model_copy(update={"method": f"{name}; {figure.method}"})


def coefficient_value(coded: Coded, coefficient: Coefficient, weights: Weights = "identity") -> float:
    """The coefficient alone, NaN where undefined; `agreement_coefficient` is what may be reported."""
    columns, chance = coefficient_columns(coded, coefficient, weights)
    return float(corrected(chance)(columns.sum(axis=0)[None, :])[0])


def weight_table(n_categories: int, weights: Weights) -> Floats:
    """Credit for each pair of categories, 1 on the diagonal: (n_categories, n_categories).

    "linear" and "quadratic" fall with the distance in the scale (Cohen 1968), "ordinal" with the number of pairs of
    categories that the distance spans (Gwet 2014).
    """
    if weights == "identity" or n_categories < 2:
        return np.eye(n_categories)
    step = np.abs(np.subtract.outer(np.arange(n_categories), np.arange(n_categories))).astype(float)
    if weights == "ordinal":
        return np.asarray(1 - step * (step + 1) / (n_categories * (n_categories - 1)))
    return np.asarray(1 - (step / (n_categories - 1)) ** (1 if weights == "linear" else 2))


def coefficient_columns(coded: Coded, coefficient: Coefficient, weights: Weights) -> tuple[Floats, Finish]:
    """What each item adds to the sums that the coefficient is made of, and chance agreement as a function of the sums.

    Columns: 1 if the item has two ratings or more, its observed agreement, then what chance is computed from.
    """
    table = weight_table(len(coded.categories), weights)
    counts = count(coded)
    size = counts.sum(axis=1)
    pairs = size * (size - 1)
    agreeing = (counts * (counts @ table - 1)).sum(axis=1)
    observed = np.divide(agreeing, pairs, out=np.zeros(len(size)), where=pairs > 0)
    head = np.column_stack([(pairs > 0).astype(float), observed])
    if coefficient == "percent":
        return head, lambda sums: np.zeros(len(sums))
    margins, chance = (
        _rater_margins(coded, table)
        if coefficient in ("cohen", "conger")
        else _pooled_margins(counts, table, coefficient)
    )
    return np.column_stack([head, margins]), chance


def corrected(chance: Finish) -> Finish:
    """(p_a - p_e) / (1 - p_e) as a function of the column sums, NaN where chance agreement is complete."""

    def finish(sums: Floats) -> Floats:
        agreed, expected = _divide(sums[:, 1], sums[:, 0]), chance(sums[:, 2:])
        return _divide(agreed - expected, np.where(expected < 1 - _TIE, 1 - expected, 0.0))

    return finish


def specific_agreement(counts: Floats) -> Floats:
    """For each category, how often a second rater gives it where one has: (n_categories,), NaN where it never occurs.

    `counts`: (n_items, n_categories) as from `ratings.count`. For two raters and two categories these are positive and
    negative agreement (Cicchetti and Feinstein 1990), pooled over pairs of raters.
    """
    others = np.maximum(counts.sum(axis=1, keepdims=True) - 1, 0)
    return _divide((counts * np.maximum(counts - 1, 0)).sum(axis=0), (counts * others).sum(axis=0))


def _pooled_margins(counts: Floats, table: Floats, coefficient: Coefficient) -> tuple[Floats, Finish]:
    """Chance from the share of each category over all raters, each item counting once."""
    share = counts / counts.sum(axis=1, keepdims=True)
    q = len(table)

    def chance(sums: Floats) -> Floats:
        pi = _divide(sums, sum_rows(sums)[:, None])
        spread = dot_rows(pi, 1 - pi)
        if coefficient == "fleiss":
            expected = dot_rows(pi @ table, pi)
        elif coefficient == "brennan_prediger":
            expected = np.full(len(pi), table.sum() / q**2)
        else:
            expected = table.sum() / max(1, q * (q - 1)) * spread
        # By their formulas AC1 and Brennan-Prediger would call it perfect when everybody always says the same.
        return np.asarray(np.where(spread > _TIE, expected, 1.0))

    return share, chance


def _rater_margins(coded: Coded, table: Floats) -> tuple[Floats, Finish]:
    """Chance from each rater's own shares: the mean over pairs of raters (Cohen for two, Conger for any number)."""
    n_raters, q = coded.codes.shape[1], len(table)
    given = (coded.codes[:, :, None] == np.arange(q)).reshape(len(coded.codes), n_raters * q).astype(float)

    def chance(sums: Floats) -> Floats:
        by_rater = (sums[:, rater * q : (rater + 1) * q] for rater in range(n_raters))
        shares = [_divide(mine, sum_rows(mine)[:, None]) for mine in by_rater]
        total = sum(shares[1:], start=shares[0])
        # Ordered pairs of different raters: the square of the sum, less each rater with itself.
        own = [dot_rows(mine @ table, mine) for mine in shares]
        paired = dot_rows(total @ table, total) - sum(own[1:], start=own[0])
        return np.asarray(paired / (n_raters * (n_raters - 1)))

    return given, chance


def _as_floats(coded: Coded) -> Floats:
    return np.where(coded.codes == MISSING, np.nan, coded.codes.astype(float))


def _value_of(coded: Coded, coefficient: Coefficient, weights: Weights) -> Callable[[Floats], float]:
    # Two places at least, so that a difference has somewhere to go when only one category is in use.
    scale = list(range(max(2, len(coded.categories))))
    return lambda values: coefficient_value(code(values, scale), coefficient, weights)


def _linearised(
    columns: Floats, chance: Finish, clusters: Integers | None, *, finite: bool, name: str, n: int, level: float
) -> Statistic:
    """Gwet's (2014) standard error: the spread of each unit's influence on the coefficient.

    Gwet holds the share of items with two ratings fixed, hence the columns of ones and the constant. `finite` corrects
    by n / (n - 1), as he does; Fleiss, Cohen and Everitt (1969) do not for Cohen's kappa.
    """
    share = columns[:, 0].mean()

    def finish(sums: Floats) -> Floats:
        items, expected = sums[:, 0], chance(sums[:, 3:])
        agreed = _divide(sums[:, 2] - expected * sums[:, 1], share * items)
        return _divide(agreed, np.where(expected < 1 - _TIE, 1 - expected, 0.0))

    scheme = additive(np.column_stack([np.ones(len(columns)), columns]), finish, clusters)
    frequencies = scheme.frequencies.astype(float)
    units, step = int(frequencies.sum()), 1e-5
    estimate = float(scheme.evaluate(frequencies[None, :])[0, 0])
    if np.isnan(estimate) or units < 2:
        return undefined(NO_VARIATION if units > 1 else "one unit", method=name, n=n)
    shift = step * np.eye(len(frequencies))
    slope = (scheme.evaluate(frequencies + shift) - scheme.evaluate(frequencies - shift))[:, 0] / (2 * step)
    se = float(np.sqrt((units / (units - 1) if finite else 1.0) * (frequencies * slope**2).sum()))
    half = t_quantile(level, units - 1) * se
    method = f"{name}; linearised standard error {se:.5f}, t({units - 1}) {level:.0%}"
    return measured(estimate, estimate - half, min(1.0, estimate + half), method=method, n=n)


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient, NaN where the denominator is 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.asarray(np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator != 0))


def _name(coefficient: Coefficient, weights: Weights) -> str:
    names = {
        "percent": "percent agreement",
        "cohen": "Cohen kappa",
        "fleiss": "Fleiss kappa",
        "conger": "Conger kappa",
        "gwet": "Gwet AC1" if weights == "identity" else "Gwet AC2",
        "brennan_prediger": "Brennan-Prediger kappa",
    }
    weighting = "" if weights == "identity" else f", {weights} weights"
    averaging = "" if coefficient == "cohen" else ", item-mean observed agreement"
    return names[coefficient] + weighting + averaging
