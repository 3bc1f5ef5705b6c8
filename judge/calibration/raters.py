"""A model of raters who err: Dawid and Skene's, as a check on how much the consensus depends on counting votes equally.

Its posteriors are a sensitivity analysis. They are never used as truth: with few raters or few positives the model
finds structure in noise, and it calls raters who share a bias right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from judge.calibration.ratings import MISSING, Floats, code

_MOST_STEPS = 2000
_ENOUGH = 1e-9


class RaterModel(NamedTuple):
    """A fitted model.

    `categories`: (K,). `marginals`: (K,), how frequent each true category is. `error_rates`: (n_raters, K, K), for each
    rater the chance of each answer (last axis) given the true category. `posterior`: (n_items, K). `log_likelihood` is
    that of the answers, in nats. `converged` is False if the steps ran out.
    """

    categories: Floats
    marginals: Floats
    error_rates: Floats
    posterior: Floats
    log_likelihood: float
    steps: int
    converged: bool


def dawid_skene(ratings: ArrayLike, rater_of_column: Sequence[int] | None = None) -> RaterModel:
    """Fit raters' error rates and the true categories by EM from vote shares (Dawid and Skene 1979, JRSS C 28:20).

    `ratings`: (n_items, n_columns), -1 or NaN = missing; `rater_of_column` names each column's rater (0, 1, ...) where a
    rater answered more than once. Items without ratings are not allowed. Wants three raters and some 30 items of each
    category; with fewer the result is a local optimum among several.
    """
    coded = code(ratings)
    if np.any(coded.sizes == 0) or coded.codes.size == 0:
        raise ValueError("every item needs a rating")
    n_items, n_columns = coded.codes.shape
    raters = np.arange(n_columns) if rater_of_column is None else np.asarray(rater_of_column)
    item, column = np.nonzero(coded.codes != MISSING)
    answer, rater = coded.codes[item, column], raters[column]
    k, n_raters = len(coded.categories), int(raters.max()) + 1
    votes = np.zeros((n_items, k))
    np.add.at(votes, (item, answer), 1.0)
    posterior = votes / votes.sum(axis=1, keepdims=True)
    previous, cell = -np.inf, rater * k + answer
    for step in range(1, _MOST_STEPS + 1):
        marginals = posterior.mean(axis=0)
        given = np.stack([np.bincount(cell, weights=posterior[item, j], minlength=n_raters * k) for j in range(k)])
        counts = given.reshape(k, n_raters, k).transpose(1, 0, 2)
        totals = counts.sum(axis=2, keepdims=True)
        error_rates = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
        with np.errstate(divide="ignore"):  # a chance of 0 has the logarithm -inf, which is what is meant
            log_errors, joint = np.log(error_rates), np.tile(np.log(marginals), (n_items, 1))
        np.add.at(joint, item, log_errors[rater, :, answer])
        peak = joint.max(axis=1, keepdims=True)
        likelihood = np.exp(joint - peak)
        total = likelihood.sum(axis=1, keepdims=True)
        posterior, now = likelihood / total, float((np.log(total) + peak).sum())
        if now - previous < _ENOUGH:
            return RaterModel(coded.categories, marginals, error_rates, posterior, now, step, True)
        previous = now
    return RaterModel(coded.categories, marginals, error_rates, posterior, now, _MOST_STEPS, False)
