"""Two judges on the same transcripts, or two groups of transcripts under the same judge: by how much they differ, and how surely.

Judges are compared item by item: on gold by who is right, elsewhere by who flags. Groups (two target models, two conditions)
are compared by their rates, raw and corrected. Over several rubrics the p values are adjusted by Benjamini and Hochberg.
Which difference matters is for people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from judge.calibration import rate_difference
from judge.calibration.comparison import McNemar, adjusted_p, fisher_exact, mcnemar, paired_difference, paired_p
from judge.calibration.estimate import Rate, measure_rates, sign_levels
from judge.calibration.matching import MISSING, Matched, match
from judge.calibration.statistic import Statistic, statistic_rows
from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.model import Label
from judge.ledger.verdict import Verdict
from judge.rubrics.model import Scale
from judge.text import quoted

_OVER_CLUSTERS = "p is of t over clusters, as the interval is: items of one cluster are no independent witnesses"


class Comparison(Frozen):
    """First minus second on one rubric.

    `p` is exact, or of t over clusters where items come in clusters; `p_adjusted` counts how many rubrics were compared.
    """

    rubric: str
    first: str
    second: str
    compared: str  # what: "right on gold", "flags on the same transcripts", "rates"
    n: int
    statistics: dict[str, Statistic]
    discordant: McNemar | None
    p: float
    p_adjusted: float
    differ: bool
    notes: tuple[str, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per difference."""
        return statistic_rows({"rubric": self.rubric, "first": self.first, "second": self.second}, self.statistics)


def compare_judges(
    verdicts: Sequence[Verdict],
    first: str,
    second: str,
    labels: Sequence[Label] = (),
    *,
    scales: Mapping[str, Scale] | None = None,
    positive: Collection[str] = (),
    cluster_by: str | None = None,
) -> list[Comparison]:
    """Compare two judges, rubric by rubric: with labels by who is right on them, without by who flags.

    Raises:
        InputError: if the judges have no transcript in common, or labels and verdicts do not fit.
    """
    if first == second:
        raise InputError(f"{quoted(first)} and {quoted(second)} are one judge; name two")
    ours = [row for row in verdicts if row.judge in (first, second)]
    if missing := {first, second} - {row.judge for row in ours}:
        known = ", ".join(sorted({row.judge for row in verdicts})[:12])
        raise InputError(f"no verdict of {quoted(', '.join(sorted(missing)))}; judges are {known}")
    if labels:
        found = match(ours, labels, scales=scales, positive=positive, cluster_by=cluster_by)
        pairs = {(one.rubric, one.judge): one for one in found}
        rubrics = sorted({one.rubric for one in found})
        compared = [
            _on_gold(pairs[name, first], pairs[name, second])
            for name in rubrics
            if (name, first) in pairs and (name, second) in pairs
        ]
    else:
        rubrics = sorted({row.rubric for row in ours})
        ours = sign_levels(ours, scales or {}, positive)
        compared = [
            _by_flags([row for row in ours if row.rubric == name], first, second, cluster_by) for name in rubrics
        ]
    kept = [one for one in compared if one.n]
    if not kept:
        raise InputError(f"{quoted(first)} and {quoted(second)} have no transcript in common that both decided")
    return _adjust(kept)


def compare_groups(
    verdicts: Sequence[Verdict],
    field: str,
    first: str,
    second: str,
    labels: Sequence[Label] = (),
    *,
    scales: Mapping[str, Scale] | None = None,
    positive: Collection[str] = (),
    cluster_by: str | None = None,
) -> list[Comparison]:
    """Compare the rates of two groups of transcripts, those whose `run` has `field` equal to `first` and `second`.

    With labels also the rates that are corrected for the judge's errors. `cluster_by` names what transcripts of both
    groups share, such as the scenario: what both owe to it cancels.

    Raises:
        InputError: if a group has no verdict, or labels and verdicts do not fit.
    """
    found = measure_rates(verdicts, labels, by=(field,), scales=scales, positive=positive, cluster_by=cluster_by)
    signed = sign_levels(verdicts, scales or {}, positive)
    at = {(one.rubric, one.judge, one.group[field]): one for one in found}
    known = {(label.transcript_id, label.rubric) for label in labels}
    compared = []
    for rubric, judge in sorted({(one.rubric, one.judge) for one in found}):
        pair = (at.get((rubric, judge, first)), at.get((rubric, judge, second)))
        rows = [
            row
            for row in signed
            if (row.rubric, row.judge, row.sample) == (rubric, judge, 0) and (row.transcript_id, rubric) not in known
        ]
        flags = (_flags(rows, field, first, cluster_by), _flags(rows, field, second, cluster_by))
        if pair[0] is not None and pair[1] is not None:
            compared.append(_between(pair[0], pair[1], (first, second), flags, cluster_by is not None))
    if not compared:
        values = ", ".join(sorted({str(row.run.get(field, "unknown")) for row in verdicts})[:12])
        raise InputError(f"{quoted(first)} and {quoted(second)} are not both values of {quoted(field)}: {values}")
    return _adjust(compared)


def _between(one: Rate, two: Rate, names: tuple[str, str], flags: tuple[Any, Any], clustered: bool) -> Comparison:
    """Two groups under one judge: raw rates, and corrected ones where gold gave them."""
    (a, a_groups), (b, b_groups) = flags
    notes = ["a difference of flag rates may be a difference of the judge's errors between the groups"]
    if clustered:
        figures = {"naive": rate_difference.shared_cluster_difference(a, a_groups, b, b_groups)}
        p = rate_difference.shared_cluster_p(a, a_groups, b, b_groups)
        notes.append(_OVER_CLUSTERS)
    else:
        figures = {"naive": rate_difference.difference(one.statistics["naive"], two.statistics["naive"])}
        p = fisher_exact(int(a.sum()), int((~a).sum()), int(b.sum()), int((~b).sum()))
    corrected = [each.statistics.get("lang_reiczigel") for each in (one, two)]
    if corrected[0] is not None and corrected[1] is not None:
        figures["lang_reiczigel"] = rate_difference.difference(corrected[0], corrected[1])
        notes.append("both corrected rates rest on the same gold, which the interval takes for two")
    return Comparison(
        rubric=one.rubric,
        first=names[0],
        second=names[1],
        compared=f"rates by {one.judge}",
        n=len(a) + len(b),
        statistics=figures,
        discordant=None,
        p=p,
        p_adjusted=p,
        differ=False,
        notes=tuple(notes),
    )


def _on_gold(one: Matched, two: Matched) -> Comparison:
    both = (one.truth != MISSING) & (one.said != MISSING) & (two.said != MISSING)
    truth, right = one.truth[both], [each.said[both] == each.truth[both] for each in (one, two)]
    clusters = None if one.clusters is None else one.clusters[both]
    figures = {}
    for name, among in (("sensitivity", truth == 1), ("specificity", truth == 0), ("accuracy", truth >= 0)):
        shared = None if clusters is None else clusters[among]
        figures[name] = paired_difference(right[0][among], right[1][among], clusters=shared)
    test = mcnemar(int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum()))
    gone = int((one.truth != MISSING).sum()) - int(both.sum())
    notes = [f"{gone} labelled items without a verdict of both are left out"] if gone else []
    p = test.p if clusters is None else paired_p(right[0], right[1], clusters)
    notes += [_OVER_CLUSTERS] if clusters is not None else []
    return _comparison(one.rubric, one.judge, two.judge, "right on gold", int(both.sum()), figures, test, p, notes)


def _by_flags(rows: Sequence[Verdict], first: str, second: str, cluster_by: str | None) -> Comparison:
    decided: dict[str, dict[str, Verdict]] = {}
    for row in rows:
        if row.sample == 0 and row.positive is not None:
            decided.setdefault(row.transcript_id, {})[row.judge] = row
    both = [pair for _, pair in sorted(decided.items()) if len(pair) == 2]
    flags = [np.array([bool(pair[name].positive) for pair in both], dtype=bool) for name in (first, second)]
    clusters = None
    if cluster_by is not None:
        clusters = np.array([str(pair[first].run.get(cluster_by, pair[first].transcript_id)) for pair in both])
    figures = {"flag_rate": paired_difference(flags[0], flags[1], clusters=clusters)}
    test = mcnemar(int((flags[0] & ~flags[1]).sum()), int((flags[1] & ~flags[0]).sum()))
    notes = ["without labels nobody knows which of the two is right"]
    p = test.p if clusters is None else paired_p(flags[0], flags[1], clusters)
    notes += [_OVER_CLUSTERS] if clusters is not None else []
    what = "flags on the same transcripts"
    return _comparison(rows[0].rubric, first, second, what, len(both), figures, test, p, notes)


def _comparison(
    rubric: str,
    first: str,
    second: str,
    compared: str,
    n: int,
    figures: dict[str, Statistic],
    test: McNemar,
    p: float,
    notes: Sequence[str],
) -> Comparison:
    return Comparison(
        rubric=rubric,
        first=first,
        second=second,
        compared=compared,
        n=n,
        statistics=figures,
        discordant=test,
        p=p,
        p_adjusted=p,
        differ=False,
        notes=tuple(notes),
    )


def _flags(rows: Sequence[Verdict], field: str, value: str, cluster_by: str | None) -> tuple[Any, Any]:
    here = [row for row in rows if row.positive is not None and str(row.run.get(field, "unknown")) == value]
    names = [
        row.transcript_id if cluster_by is None else str(row.run.get(cluster_by, row.transcript_id)) for row in here
    ]
    return np.array([bool(row.positive) for row in here], dtype=bool), np.array(names)


def _adjust(compared: Sequence[Comparison]) -> list[Comparison]:
    adjusted = adjusted_p([one.p for one in compared])
    return [
        one.model_copy(update={"p_adjusted": float(p), "differ": bool(p < 0.05)})
        for one, p in zip(compared, adjusted, strict=True)
    ]
