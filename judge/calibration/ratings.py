"""Ratings as the agreement statistics take them: which ratings are there, as codes of categories, as counts for each item.

An item is rated by any number of raters; what is missing stays missing and is never a category. Nothing here knows
what the categories mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.calibration.intervals import clopper_pearson
from judge.calibration.statistic import Statistic, measured

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MISSING = -1


class Coded(NamedTuple):
    """Ratings as positions in a list of categories.

    `codes`: (n_items, n_raters), -1 = missing. `categories`: (n_categories,), ascending.
    """

    codes: Integers
    categories: Floats

    @property
    def sizes(self) -> Integers:
        """Ratings of each item: (n_items,)."""
        return np.asarray((self.codes != MISSING).sum(axis=1))


def as_values(ratings: ArrayLike) -> Floats:
    """Ratings as floats with NaN for missing.

    `ratings`: (n_items, n_raters), whole numbers with -1 = missing, booleans without missing, or floats with NaN =
    missing. A negative rating can only be given as a float. ValueError for any other shape or type, for infinity, and
    for whole numbers below -1.
    """
    array = np.asarray(ratings)
    if array.ndim != 2:
        raise ValueError(f"ratings must have the shape (n_items, n_raters), got {array.shape}")
    if array.dtype.kind == "b":
        return array.astype(float)
    if array.dtype.kind in "iu":
        if array.size and array.min() < MISSING:
            raise ValueError(f"whole-number ratings must be >= 0, or -1 for missing, got {array.min()}")
        return np.where(array == MISSING, np.nan, array.astype(float))
    if array.dtype.kind != "f":
        raise ValueError(f"ratings must be numbers, got {array.dtype}")
    if np.isinf(array).any():
        raise ValueError("ratings must be finite; missing is NaN")
    return array.astype(float)


def code(ratings: ArrayLike, categories: Sequence[float] | None = None) -> Coded:
    """Ratings as positions in their categories; see `as_values` for the forms accepted.

    `categories` lists all that could have been given, which matters where chance agreement or weights depend on their
    number (Gwet AC, Brennan-Prediger, weighted kappas); without it they are those that occur. ValueError for a rating
    outside the list.
    """
    values = as_values(ratings)
    present = ~np.isnan(values)
    seen = np.unique(values[present])
    scale = seen if categories is None else np.unique(np.asarray(categories, dtype=float))
    stray = np.setdiff1d(seen, scale)
    if stray.size:
        raise ValueError(f"rating {stray[0]:g} is not one of the categories {scale.tolist()}")
    codes = np.where(present, np.searchsorted(scale, np.where(present, values, np.inf)), MISSING)
    return Coded(codes.astype(np.int64), scale)


def count(coded: Coded) -> Floats:
    """How many raters put each item in each category: (n_items, n_categories)."""
    n_items, n_categories = len(coded.codes), len(coded.categories)
    present = coded.codes != MISSING
    cells = (np.arange(n_items)[:, None] * n_categories + coded.codes)[present]
    return np.bincount(cells, minlength=n_items * n_categories).reshape(n_items, n_categories).astype(float)


def sum_rows(values: Floats) -> Floats:
    """The sum of each row: many times as fast as `values.sum(axis=1)` where rows are short and many."""
    return np.asarray(np.einsum("ij->i", values))


def dot_rows(one: Floats, other: Floats) -> Floats:
    """The scalar product of each row of one with the same row of the other."""
    return np.asarray(np.einsum("ij,ij->i", one, other))


def perfect(
    values: Floats, coefficient: Callable[[Floats], float], n_units: int, *, name: str, level: float
) -> Statistic:
    """The figure for raters who never differ, where resamples cannot show how rare a difference is.

    `values`: (n_items, n_raters), NaN = missing. The lower bound is what the coefficient loses if items whose raters are
    evenly split between the ends of the scale are as frequent as `n_units` units (items or clusters) without one allow.
    """
    n = len(values)
    rarest = clopper_pearson(0, n_units, level).high
    ends = np.array([np.nanmin(values), np.nanmax(values)])
    if ends[0] == ends[1]:
        # Another category beside the only one that is rated twice: the one below, for there may be none above.
        ends[1] += -1 if ends[0] >= 1 else 1
    split = ends[np.arange(values.shape[1]) % 2][None, :]
    cost = 1 - coefficient(np.concatenate([values, split]))
    method = f"{name}; {level:.0%} bound from {n_units} units without a difference (Clopper-Pearson)"
    low = max(-1.0, 1 - rarest * n * cost)
    return measured(1.0, low, 1.0, method=method, n=n, note="no two raters differ on any item")
