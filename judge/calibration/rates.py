"""From a judge's verdicts to the rate of a behaviour: naive, corrected for the judge's errors, and bounded.

A naive flag rate is not a prevalence. The corrections differ in what they assume of the gold: Lang-Reiczigel needs
only that sensitivity and specificity carry over, prediction-powered inference that gold is a random subsample, the
two-phase estimate that labels were drawn at random within the judge's strata. Where its assumption does not hold, a
correction is refused with the reason. Nothing here reads verdicts or labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.calibration.bootstrap import sum_by
from judge.calibration.intervals import (
    Bounds,
    clopper_pearson,
    cluster_t_bounds,
    clustered_proportion,
    effective_size,
    normal_quantile,
    proportion,
    sum_bounds,
    wilson,
)
from judge.calibration.statistic import Statistic, join_notes, measured, undefined

# Below these the correction's own uncertainty is not known well enough to print an interval.
FEWEST_GOLD = 10
FEWEST_PPI_POSITIVES = 20
_INCOMPATIBLE = "no interval: the flag rate does not fit the error rates on gold, which then do not carry over"


class Gold(NamedTuple):
    """What gold says of the judge: `tp` of `positives` flagged, `tn` of `negatives` passed.

    Counts may be fractional: for clustered gold, put shares times effective sizes (`intervals.effective_size`).
    """

    tp: float
    positives: float
    tn: float
    negatives: float


class Stratum(NamedTuple):
    """Transcripts that the judge treated alike: how many there are, how many were labelled, how many of those positive."""

    size: int
    labelled: int
    positive: int


def naive(flagged: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.95) -> Statistic:
    """The judge's own flag rate, which is not the rate of the behaviour.

    `flagged`: (n_transcripts,) booleans. Wilson; with `clusters` (n_transcripts,) Wilson at the effective size.
    """
    flags = np.asarray(flagged, dtype=bool)
    if clusters is None:
        return proportion(int(flags.sum()), len(flags), level)
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1]
    totals = sum_by(np.column_stack([flags, np.ones(len(flags))]).astype(float), labels)
    return clustered_proportion(totals[:, 0], totals[:, 1], level)


def worst_case(signs: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.95) -> Statistic:
    """The flag rate whatever the missing verdicts would have been: the naive rate's ends with all passed, with all flagged.

    `signs`: (n_transcripts,) of 1 flagged, 0 passed, -1 missing; `clusters` as in `naive`. The estimate is the rate among the
    verdicts there are.
    """
    said = np.asarray(signs, dtype=np.int64)
    n, missing = len(said), int((said < 0).sum())
    if n == missing:
        return undefined("no verdicts", method="missing verdicts as passed and as flagged", n=n)
    passed, flagged = naive(said == 1, clusters, level), naive(said != 0, clusters, level)
    method = f"{passed.method}, missing verdicts as passed (low) and as flagged (high)"
    note = f"{missing} of {n} verdicts missing" if missing else None
    if clusters is not None and passed.low is None:
        note = join_notes(passed.note, note)
    return measured(float((said == 1).sum()) / (n - missing), passed.low, flagged.high, method=method, n=n, note=note)


def rogan_gladen(
    flagged: float,
    n: float,
    sensitivity: float,
    specificity: float,
    level: float = 0.95,
    interval: Literal["wilson", "clopper_pearson"] = "wilson",
    *,
    transcripts: int | None = None,
) -> Statistic:
    """Rogan and Gladen's (1978) rate for a sensitivity and specificity that are *known*; an interval that maps the flag rate's.

    Sensitivity and specificity measured on gold are not known: `lang_reiczigel` owns up to that. Truncated to [0, 1]. `flagged`
    of `n` as there.
    """
    method = (
        f"Rogan-Gladen, sensitivity and specificity taken as known, {interval.replace('_', '-')} {level:.0%} mapped"
    )
    youden, items = sensitivity + specificity - 1, round(n) if transcripts is None else transcripts
    if n == 0 or youden <= 0:
        return undefined("no transcripts" if n == 0 else "the judge is no better than chance", method=method, n=items)
    ends = wilson(flagged, n, level) if interval == "wilson" else clopper_pearson(flagged, n, level)
    rate, low, high = ((share + specificity - 1) / youden for share in (flagged / n, *ends))
    if high <= 0 or low >= 1:
        return measured(_unit(rate), None, None, method=method, n=items, note=_INCOMPATIBLE)
    return measured(_unit(rate), _unit(low), _unit(high), method=method, n=items)


def lang_reiczigel(
    flagged: float, n: float, gold: Gold, level: float = 0.95, *, transcripts: int | None = None
) -> Statistic:
    """The rate corrected for error rates that were measured on gold (Lang and Reiczigel 2014, Prev. Vet. Med. 113:13).

    `flagged` of `n` transcripts; both may be fractional, at their effective size, and then `transcripts` is the number
    there are. Assumes that sensitivity and specificity carry over from gold; gold may be enriched. No interval with
    fewer than 10 positives or negatives in gold, or when the judge may be no better than chance.
    """
    method = f"Rogan-Gladen with Lang-Reiczigel {level:.0%} interval"
    items = round(n) if transcripts is None else transcripts
    if n <= 0 or gold.positives <= 0 or gold.negatives <= 0:
        reason = (
            "no transcripts" if n <= 0 else "gold has no positives" if gold.positives <= 0 else "gold has no negatives"
        )
        return undefined(reason, method=method, n=items)
    youden = gold.tp / gold.positives + gold.tn / gold.negatives - 1
    if youden <= 0:
        return undefined("the judge is no better than chance on gold", method=method, n=items)
    estimate = _unit((flagged / n + gold.tn / gold.negatives - 1) / youden)
    refusal = refuse_gold(gold, level)
    if refusal:
        return measured(estimate, None, None, method=method, n=items, note=refusal)
    low, high = _lang_reiczigel_bounds(flagged, n, gold, normal_quantile(level))
    if low >= 1:
        return measured(estimate, None, None, method=method, n=items, note=_INCOMPATIBLE)
    if high <= 0:
        # Fewer flags than gold's false alarms explain: what they bound without specificity still holds.
        high = zero_event_bound(flagged, n, gold.tp, gold.positives, level).high or 1.0
        below = "fewer flags than false alarms on gold explain; upper bound from flags and sensitivity alone"
        return measured(estimate, 0.0, high, method=method, n=items, note=below)
    low, high = _unit(low), _unit(high)
    note = "the rate cannot be told from 0" if low == 0 else None
    return measured(estimate, low, high, method=method, n=items, note=note)


def corrected_rate(
    flagged: ArrayLike,
    gold_labels: ArrayLike,
    gold_verdicts: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    gold_clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Statistic:
    """Lang and Reiczigel's corrected rate from arrays, each share at the effective size of its clusters.

    `flagged`: (n_transcripts,) booleans; `gold_labels`, `gold_verdicts`: (n_gold,) booleans, missing verdicts left out
    before; cluster labels alike. Without clusters the items count as independent.
    """
    gold = measure_gold(gold_labels, gold_verdicts, gold_clusters)
    events, size = effective_events(flagged, clusters)
    figure = lang_reiczigel(events, size, gold, level, transcripts=len(np.asarray(flagged)))
    if clusters is None and gold_clusters is None:
        return figure
    sizes = f"effective sizes {size:.1f} transcripts, {gold.positives:.1f} positives, {gold.negatives:.1f} negatives"
    return figure.model_copy(update={"note": join_notes(figure.note, sizes)})


def measure_gold(gold_labels: ArrayLike, gold_verdicts: ArrayLike, clusters: ArrayLike | None = None) -> Gold:
    """What gold says of the judge, at the effective size of its clusters. Arrays as in `corrected_rate`."""
    truth, said = (np.asarray(a, dtype=bool) for a in (gold_labels, gold_verdicts))
    tied = None if clusters is None else np.asarray(clusters)
    hits, positives = effective_events(said[truth], None if tied is None else tied[truth])
    passes, negatives = effective_events(~said[~truth], None if tied is None else tied[~truth])
    return Gold(hits, positives, passes, negatives)


def zero_event_bound(
    flagged: float,
    n: float,
    tp: float,
    positives: float,
    level: float = 0.95,
    *,
    gold_share: float = 0.5,
    counted: tuple[int, int] | None = None,
) -> Statistic:
    """The highest true rate that so few flags allow, given the sensitivity measured on gold; valid whatever specificity is.

    Upper Clopper-Pearson bound of the flag rate over the lower one of sensitivity. Of the error 1 - level, `gold_share`
    goes to sensitivity. At no flags and sensitivity known to be 1 this is the rule of three. The estimate is the flag
    rate over the measured sensitivity, and there is no lower bound but 0. `counted`: found and all positives as counted, to be
    named, where `tp` and `positives` are an effective size.
    """
    found, there = counted or (tp, positives)
    method = f"upper {level:.0%} bound: flag rate over sensitivity {found:g}/{there:g}, both Clopper-Pearson"
    if n <= 0 or tp <= 0:
        reason = "no transcripts" if n <= 0 else "the judge found no positive of gold"
        return undefined(reason, method=method, n=int(n))
    error = 1 - level
    top = clopper_pearson(flagged, n, 1 - error * (1 - gold_share), "upper").high
    sensitivity = clopper_pearson(tp, positives, 1 - error * gold_share, "lower").low
    estimate = _unit(flagged / n / (tp / positives))
    return measured(estimate, 0.0, min(1.0, top / sensitivity), method=method, n=int(n))


def prediction_powered(
    gold_labels: ArrayLike,
    gold_verdicts: ArrayLike,
    verdicts: ArrayLike,
    *,
    random_subsample: bool,
    power_tuning: bool = True,
    clusters: tuple[ArrayLike, ArrayLike] | None = None,
    level: float = 0.95,
) -> Statistic:
    """The rate from many verdicts and few labels (PPI: Angelopoulos et al. 2023; PPI++ with power tuning).

    `gold_labels`, `gold_verdicts`: (n_gold,) of 0 and 1 for the same transcripts; `verdicts`: (n_rest,) for the
    transcripts without a label. Refused unless gold is a random subsample of the same population and has 20 positives:
    with fewer, intervals of this kind claim certainty that is not there. Without power tuning the weight is 1. `clusters`: the
    labels of what gold, and what the others share, in one naming; the interval is then t over clusters.
    """
    y, f, rest = (np.asarray(a, dtype=float) for a in (gold_labels, gold_verdicts, verdicts))
    method = f"{'PPI++' if power_tuning else 'PPI'} {level:.0%}"
    n, big = len(y), len(rest)
    if not random_subsample:
        return undefined("gold is not a random subsample of these transcripts", method=method, n=n + big)
    if y.sum() < FEWEST_PPI_POSITIVES:
        reason = f"gold has {int(y.sum())} positives, prediction-powered inference needs {FEWEST_PPI_POSITIVES}"
        return undefined(reason, method=method, n=n + big)
    if big == 0 or f.shape != y.shape:
        raise ValueError("gold labels and verdicts must be alike, and some transcripts must be without a label")
    weight = _tuned_weight(y, f, rest) if power_tuning else 1.0
    estimate, se = ppi_estimate(y, f, rest, weight)
    if clusters is None:
        half = normal_quantile(level) * se
        return measured(estimate, max(0.0, estimate - half), min(1.0, estimate + half), method=method, n=n + big)
    shift = y - weight * f
    moved = np.concatenate([(shift - shift.mean()) / n, weight * (rest - rest.mean()) / big])
    labels = np.unique(np.concatenate([np.asarray(each) for each in clusters]), return_inverse=True)[1]
    method = f"{method} over {int(labels.max()) + 1} clusters, t"
    bounds = cluster_t_bounds(estimate, np.bincount(labels, weights=moved), level)
    if bounds is None:
        return measured(estimate, None, None, method=method, n=n + big, note="no interval: clusters do not differ")
    return measured(estimate, max(0.0, bounds.low), min(1.0, bounds.high), method=method, n=n + big)


def ppi_estimate(y: ArrayLike, f: ArrayLike, rest: ArrayLike, weight: float | None = 1.0) -> tuple[float, float]:
    """The prediction-powered mean and its standard error; `weight=None` tunes the weight to the least variance.

    weight * mean(rest) + mean(y - weight * f), variance weight^2 var(rest) / N + var(y - weight * f) / n.
    """
    truth, said, unlabelled = (np.asarray(a, dtype=float) for a in (y, f, rest))
    n, big = len(truth), len(unlabelled)
    if weight is None:
        weight = _tuned_weight(truth, said, unlabelled)
    correction = truth - weight * said
    variance = weight**2 * float(unlabelled.var()) / big + float(correction.var()) / n
    return float(weight * unlabelled.mean() + correction.mean()), math.sqrt(variance)


def two_phase(strata: Sequence[Stratum], level: float = 0.95, *, whole_population: bool = False) -> Statistic:
    """The rate from human labels drawn at random within strata of the judge's verdicts (Cochran 1977, ch. 12).

    Usually two strata, flagged and passed: labelling half in each costs a fraction of labelling at random for a rare
    behaviour. Bounds combine the exact ones of each stratum (MOVER), so that a stratum with one positive or none still
    counts its uncertainty; and the sizes of the strata are themselves a sample unless `whole_population`. A stratum without
    labels allows no estimate.
    """
    strata = [stratum for stratum in strata if stratum.size]
    n = sum(stratum.size for stratum in strata)
    method = f"two-phase estimate over {len(strata)} strata, Clopper-Pearson {level:.0%} bounds combined (MOVER)"
    if not strata or any(stratum.labelled == 0 for stratum in strata):
        reason = "no transcripts" if not strata else "a stratum has no labels"
        return undefined(reason, method=method, n=n)
    shares = [stratum.positive / stratum.labelled for stratum in strata]
    estimate = sum(stratum.size / n * share for stratum, share in zip(strata, shares, strict=True))
    terms = [
        (stratum.size / n, share, clopper_pearson(stratum.positive, stratum.labelled, level))
        for stratum, share in zip(strata, shares, strict=True)
    ]
    low, high = sum_bounds(terms)
    if not whole_population:
        spread = sum(s.size / n * (share - estimate) ** 2 for s, share in zip(strata, shares, strict=True)) / n
        extra = normal_quantile(level) ** 2 * spread
        low, high = (
            estimate - math.sqrt((estimate - low) ** 2 + extra),
            estimate + math.sqrt((high - estimate) ** 2 + extra),
        )
    note = f"{sum(stratum.labelled for stratum in strata)} labels"
    return measured(estimate, _unit(low), _unit(high), method=method, n=n, note=note)


def possible_rate(rate: float, n: int, decimals: int = 1) -> bool:
    """Whether some count of `n` gives the printed percentage `rate`: 86.4 % of 150 is no count."""
    nearest = round(rate / 100 * n)
    half = 0.5 * 10**-decimals + 1e-9
    return any(abs(100 * count / n - rate) <= half for count in (nearest - 1, nearest, nearest + 1) if 0 <= count <= n)


def effective_events(events: ArrayLike, clusters: ArrayLike | None = None) -> tuple[float, float]:
    """Events and items at the effective size of the clusters: (share times size, size). Both (n_items,)."""
    happened = np.asarray(events, dtype=bool)
    if clusters is None:
        return float(happened.sum()), float(len(happened))
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1]
    totals = sum_by(np.column_stack([happened, np.ones(len(happened))]).astype(float), labels)
    effective = effective_size(totals[:, 0], totals[:, 1])
    return effective.share * effective.size, effective.size


def refuse_gold(gold: Gold, level: float = 0.95) -> str | None:
    """Why this gold allows no interval of a corrected rate, with whatever method; None if it does."""
    if min(gold.positives, gold.negatives) < FEWEST_GOLD:
        return f"no interval: error rates measured on fewer than {FEWEST_GOLD} items of a class"
    terms = [
        (1.0, right / size, wilson(right, size, level))
        for right, size in ((gold.tp, gold.positives), (gold.tn, gold.negatives))
    ]
    if sum_bounds(terms).low <= 1:
        return "no interval: the judge may be no better than chance on gold"
    return None


def _tuned_weight(truth: NDArray[np.float64], said: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    """The weight of the verdicts with the least variance (Angelopoulos et al. 2023, PPI++), in [0, 1]."""
    n, big = len(truth), len(rest)
    pooled = float(np.concatenate([said, rest]).var(ddof=1))
    joint = float(((truth - truth.mean()) * (said - said.mean())).sum()) / max(1, n - 1)
    return min(1.0, max(0.0, joint / ((1 + n / big) * pooled))) if pooled > 0 else 0.0


def _lang_reiczigel_bounds(flagged: float, n: float, gold: Gold, z: float) -> Bounds:
    size, positives, negatives = n + z * z, gold.positives + 2, gold.negatives + 2
    share = (flagged + z * z / 2) / size
    se, sp = (gold.tp + 1) / positives, (gold.tn + 1) / negatives
    youden = se + sp - 1
    rate = (share + sp - 1) / youden
    se_variance, sp_variance = se * (1 - se) / positives, sp * (1 - sp) / negatives
    shift = 2 * z * z * (rate * se_variance - (1 - rate) * sp_variance)
    spread = share * (1 - share) / size + rate**2 * se_variance + (1 - rate) ** 2 * sp_variance
    half = z * math.sqrt(spread) / youden
    return Bounds(rate + shift - half, rate + shift + half)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
