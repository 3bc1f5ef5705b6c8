"""How often a behaviour occurs, per rubric, judge and group: the judge's flag rate, and what is left of it once its errors count.

Rows of verdicts and labels are joined here and handed to the estimators in `rates`. Whether a rate may be printed at all is
decided in `claims`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from judge.calibration import accuracy as acc
from judge.calibration import rates
from judge.calibration.claims import Claims, claims_of_rate
from judge.calibration.labelling import Chosen, rate_from_design
from judge.calibration.matching import MISSING, Matched, find_polarity, match, name_cluster, take
from judge.calibration.statistic import Statistic, statistic_rows, undefined
from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.model import Label
from judge.ledger.verdict import SELF_GRADED, Verdict
from judge.rubrics.model import OUTSIDE, Scale


class Rate(Frozen):
    """How often a behaviour occurs in one group of transcripts, by one judge, with what that number is worth."""

    rubric: str
    judge: str
    group: dict[str, str]
    n: int
    flagged: int
    missing: dict[str, int]
    statistics: dict[str, Statistic]
    claims: Claims
    notes: tuple[str, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per way of estimating."""
        return statistic_rows({"rubric": self.rubric, "judge": self.judge, **self.group}, self.statistics)


def measure_rates(
    verdicts: Iterable[Verdict],
    labels: Sequence[Label] = (),
    *,
    by: Sequence[str] = (),
    scales: Mapping[str, Scale] | None = None,
    positive: Collection[str] = (),
    clusters: Mapping[str, str] | None = None,
    cluster_by: str | None = None,
    design: Sequence[Chosen] = (),
    level: str | None = None,
    random_gold: bool = False,
) -> list[Rate]:
    """Estimate how often the behaviour occurs, per rubric, judge and group (fields of the verdicts' `run`).

    With labels, sensitivity and specificity come from the verdicts on labelled transcripts, and the rate is that of the
    transcripts without a label. Without labels only the naive rate and its bounds can be given. `design` is what `judge gold
    next` chose to be labelled: it gives a rate of its own, and none of it counts towards sensitivity and specificity, which
    labels that were chosen by the verdict would bend. `level` is that of a certificate which covers these verdicts.
    `random_gold` says that the labelled transcripts are a random subsample of all, which prediction-powered inference needs.

    Raises:
        InputError: if there are no verdicts, or labels and verdicts do not fit.
    """
    every = list(verdicts)
    rows = sign_levels([row for row in every if row.sample == 0], scales or {}, positive)
    if not rows:
        raise InputError("no verdicts to take a rate of; make some with: judge grade")
    known = {(label.transcript_id, label.rubric) for label in labels}
    gold = {}
    if labels:
        for one in match(rows, labels, scales=scales, positive=positive, clusters=clusters, cluster_by=cluster_by):
            gold[one.rubric, one.judge] = one
    groups = _group([row for row in rows if (row.transcript_id, row.rubric) not in known] if known else rows, by)
    notes = []
    if not groups:
        # Nothing is left unlabelled, so the rate asked for is that of the labelled transcripts themselves.
        notes.append(
            "every transcript is labelled: the labels give their rate directly, and these figures only test the judge"
        )
        groups = _group(rows, by)
    further = Counter((row.rubric, row.judge) for row in every if row.sample != 0)
    chosen = {(row.transcript_id, row.rubric) for row in design}
    found = [
        _rate(
            key,
            tuple(by),
            members,
            _without(gold.get((key[0], key[1])), chosen),
            cluster_by,
            level,
            random_gold=random_gold and bool(known),
            notes=notes + _left_out(further[key[0], key[1]]),
        )
        for key, members in sorted(groups.items())
    ]
    return (
        found if not design else [_with_design(one, design, gold.get((one.rubric, one.judge)), level) for one in found]
    )


def _left_out(further: int) -> list[str]:
    return [f"only first samples count here; {further} further samples were left out"] if further else []


def _group(rows: Iterable[Verdict], by: Sequence[str]) -> dict[tuple[str, ...], list[Verdict]]:
    groups: dict[tuple[str, ...], list[Verdict]] = defaultdict(list)
    for row in rows:
        key = (row.rubric, row.judge)
        groups[(*key, *(str(row.run.get(name, "unknown")) for name in by)) if by else key].append(row)
    return groups


def _without(gold: Matched | None, chosen: Collection[tuple[str, str]]) -> Matched | None:
    if gold is None or not chosen:
        return gold
    kept = np.array([(name, gold.rubric) not in chosen for name in gold.ratings.items])
    return take(gold, kept) if kept.any() else None


def _with_design(one: Rate, design: Sequence[Chosen], gold: Matched | None, level: str | None) -> Rate:
    """Add the rate that the labels of a two-phase choice give for the transcripts that it was made from."""
    ours = [row for row in design if (row.rubric, row.judge) == (one.rubric, one.judge)]
    if not ours or one.group:
        return one
    truth = {}
    if gold is not None:
        signs = zip(gold.ratings.items, gold.truth.tolist(), strict=True)
        truth = {name: bool(sign) for name, sign in signs if sign != MISSING}
    figures = one.statistics | {"two_phase": rate_from_design(ours, truth)}
    claims = claims_of_rate(
        one.rubric,
        flagged=one.flagged,
        decided=one.n - sum(one.missing.values()),
        missing=one.missing,
        figures=figures,
        level=level,
    )
    note = "two_phase is the rate in all transcripts that the choice was made from, those labelled since included"
    return one.model_copy(update={"statistics": figures, "claims": claims, "notes": (*one.notes, note)})


def _rate(
    key: tuple[str, ...],
    by: tuple[str, ...],
    rows: Sequence[Verdict],
    gold: Matched | None,
    cluster_by: str | None,
    level: str | None,
    *,
    random_gold: bool,
    notes: Sequence[str],
) -> Rate:
    signs = np.array(
        [MISSING if row.status != "ok" or row.positive is None else row.positive for row in rows], dtype=int
    )
    there, every = signs != MISSING, None
    if cluster_by is not None:
        every = np.array([name_cluster(row.run.get(cluster_by), row.transcript_id) for row in rows])
    flags, groups = signs[there] == 1, None if every is None else every[there]
    missing = Counter(row.status if row.status != "ok" else str(row.level) for row in rows if row.positive is None)
    flagged, n = int(flags.sum()), len(flags)
    found = {"naive": rates.naive(flags, groups) if n else undefined("no verdicts", method="naive", n=0)}
    found["worst_case"] = rates.worst_case(signs, every)
    notes = [*notes, "naive is the judge's flag rate, not the rate of the behaviour"]
    if kin := sum(SELF_GRADED in row.flags for row in rows):
        notes.append(f"{kin:,} of {len(rows):,} verdicts are on models of the judge's own family, which it may favour")
    if gold is None:
        notes.append("no labels: sensitivity and specificity are unknown, so the rate cannot be corrected")
    elif n:
        found |= _corrected(flags, groups, gold, random_gold=random_gold)
        notes.append("corrected rates assume that sensitivity and specificity carry over from the gold set")
    return Rate(
        rubric=key[0],
        judge=key[1],
        group=dict(zip(by, key[2:], strict=True)),
        n=len(rows),
        flagged=flagged,
        missing=dict(missing),
        statistics=found,
        claims=claims_of_rate(key[0], flagged=flagged, decided=n, missing=missing, figures=found, level=level),
        notes=tuple(notes),
    )


def sign_levels(rows: Sequence[Verdict], scales: Mapping[str, Scale], positive: Collection[str]) -> list[Verdict]:
    """Say positive or not for rows that give only a level on a scale of their own, by the labels that count as positive.

    Raises:
        InputError: if nobody says which do.
    """
    unsigned = [
        row for row in rows if row.status == "ok" and row.positive is None and row.level not in (None, *OUTSIDE)
    ]
    if not unsigned:
        return list(rows)
    found = {}
    for rubric in sorted({row.rubric for row in unsigned}):
        levels = {row.level for row in rows if row.rubric == rubric and row.level is not None}
        found[rubric] = find_polarity(levels, scale=scales.get(rubric), positive=positive, rubric=rubric)
    ids = {id(row) for row in unsigned}
    return [
        row.model_copy(update={"positive": row.level in found[row.rubric].positive}) if id(row) in ids else row
        for row in rows
    ]


def _corrected(flags: Any, groups: Any, gold: Matched, *, random_gold: bool) -> dict[str, Statistic]:
    """The corrections, with gold and transcripts at the effective size of their clusters.

    Where gold allows no interval of a corrected rate, no way round it is offered: none has one.
    """
    known = (gold.truth != MISSING) & (gold.said != MISSING)
    truth, said = gold.truth[known], gold.said[known]
    table = acc.confusion(truth, said)
    tied = None if gold.clusters is None else gold.clusters[known]
    found = {"lang_reiczigel": rates.corrected_rate(flags, truth == 1, said == 1, clusters=groups, gold_clusters=tied)}
    at_size = rates.measure_gold(truth == 1, said == 1, tied)
    if table.positives and table.negatives:
        events, size = rates.effective_events(flags, groups)
        shares = (table.tp / table.positives, table.tn / table.negatives)
        figure = rates.rogan_gladen(events, size, *shares, transcripts=len(flags))
        found["rogan_gladen"] = _without_interval(figure, rates.refuse_gold(at_size))
    shared = None
    if groups is not None or tied is not None:
        # Items without a cluster are their own; the two kinds of names never meet.
        shared = (
            np.array([f"gold {i}" for i in range(len(truth))]) if tied is None else tied,
            np.array([f"rest {i}" for i in range(len(flags))]) if groups is None else groups,
        )
    found["ppi"] = rates.prediction_powered(
        truth, said, flags.astype(int), random_subsample=random_gold, clusters=shared
    )
    if flags.sum() == 0:
        n = len(flags) if groups is None else len(np.unique(groups))
        bound = rates.zero_event_bound(0, n, at_size.tp, at_size.positives, counted=(table.tp, table.positives))
        few = f"no interval: sensitivity measured on fewer than {rates.FEWEST_GOLD} positives"
        found["zero_event_bound"] = _without_interval(bound, few if at_size.positives < rates.FEWEST_GOLD else None)
    return found


def _without_interval(figure: Statistic, reason: str | None) -> Statistic:
    """The figure without its interval where there is a reason against one."""
    if reason is None or figure.estimate is None:
        return figure
    return figure.model_copy(update={"low": None, "high": None, "note": reason})
