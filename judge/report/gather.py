"""Gather what a report shows from verdicts and labels: counts, rates, accuracy, panels, cost, and the worst cases.

The statistics are those of `judge.calibration`; nothing is estimated here. Whatever is left out of a list is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from judge.calibration.calibrate import Rate, draw_reliability, measure, measure_rates
from judge.calibration.certificate import Certificate, why_void
from judge.calibration.estimate import sign_levels
from judge.calibration.matching import MISSING, Matched, match
from judge.gold.labels import latest
from judge.gold.model import Label
from judge.ledger.verdict import SELF_GRADED, Verdict
from judge.report.cases import Mask, rank, tell_case, tell_difference, tell_lapse
from judge.report.model import (
    Accuracy,
    Case,
    Certified,
    Cost,
    Difference,
    Lapse,
    Report,
    Scope,
    Tally,
    Version,
)
from judge.report.panel import ByItem, measure_panels
from judge.report.secrets import mask as mask_secrets
from judge.rubrics.model import Scale
from judge.text import one_line

CASES = 100
DIFFERENCES = 20
LAPSES = 100


class Origin(NamedTuple):
    """Where the verdicts are from: what lets a reader find them again."""

    ledger: str | None = None
    head: str | None = None
    entries: int | None = None


def gather(
    verdicts: Sequence[Verdict],
    labels: Sequence[Label] = (),
    *,
    title: str = "Judge report",
    by: Sequence[str] = (),
    scales: Mapping[str, Scale] | None = None,
    positive: Collection[str] = (),
    clusters: Mapping[str, str] | None = None,
    cluster_by: str | None = None,
    kinds: Collection[str] | None = None,
    certificates: Sequence[Certificate] = (),
    cases: int = CASES,
    masked: bool = True,
    origin: Origin | None = None,
    made_at: str | None = None,
    version: str = "",
) -> Report:
    """Gather a report. `cases` is how many of the worst are told in full; the rest are counted.

    Raises:
        InputError: if verdicts and labels do not fit (label sets that differ, unknown polarity).
    """
    scales, origin = scales or {}, origin or Origin()
    hide: Mask = mask_secrets if masked else _as_is
    verdicts = sign_levels(verdicts, scales, positive)
    on_item = _by_item(verdicts)
    said = _labels_by_item(labels)
    shared = {"scales": scales, "positive": positive, "clusters": clusters, "cluster_by": cluster_by}
    measurable = _measurable(verdicts, labels)
    usable = [label for label in labels if label.rubric in measurable]
    shown, total, rest = _worst(on_item, scales, said, hide, cases)
    lapses = [row for row in verdicts if row.status != "ok"]
    matched = _match(verdicts, usable, shared | {"kinds": kinds, "by": by})
    return Report(
        title=title,
        made_at=made_at,
        version=version,
        ledger=origin.ledger,
        head=origin.head,
        entries=origin.entries,
        scope=_scope(verdicts),
        tallies=_tallies(verdicts, scales),
        rates=_rates(verdicts, usable, by, shared),
        grouped_by=tuple(by),
        cases=shown,
        n_cases=total,
        other_cases=rest,
        accuracy=_accuracy(matched, on_item, said, hide),
        certificates=tuple(_certified(one, verdicts, made_at) for one in certificates),
        label_kinds=tuple(sorted({label.rater_kind for label in labels})),
        panels=measure_panels(on_item, hide, _truth(matched)),
        costs=_costs(verdicts),
        lapses=_tell_lapses(lapses, hide),
        n_lapses=len(lapses),
        versions=_versions(verdicts),
        notes=_notes(verdicts, labels, usable, certified=bool(certificates)),
        masked=masked,
    )


def _as_is(text: str) -> str:
    return text


def _by_item(verdicts: Iterable[Verdict]) -> ByItem:
    found: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for row in verdicts:
        found[row.rubric, row.transcript_id].append(row)
    return found


def _labels_by_item(labels: Iterable[Label]) -> dict[tuple[str, str], list[Label]]:
    found: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for label in latest(labels):
        if label.criterion is None:
            found[label.rubric, label.transcript_id].append(label)
    return found


def _measurable(verdicts: Iterable[Verdict], labels: Iterable[Label]) -> set[str]:
    """The rubrics on which some labelled transcript was judged, whatever became of it: refusals are measured too."""
    labelled = {(label.rubric, label.transcript_id) for label in labels if label.criterion is None}
    return {row.rubric for row in verdicts if (row.rubric, row.transcript_id) in labelled}


def _scope(verdicts: Sequence[Verdict]) -> Scope:
    def distinct(field: str) -> int:
        return len(set(map(attrgetter(field), verdicts)))

    made = set(filter(None, map(attrgetter("created_at"), verdicts)))
    kinds = Counter(map(attrgetter("status", "positive"), verdicts))
    return Scope(
        verdicts=len(verdicts),
        transcripts=distinct("transcript_id"),
        rubrics=distinct("rubric"),
        judges=distinct("judge"),
        positive=sum(count for (_, positive), count in kinds.items() if positive),
        missing=sum(count for (status, _), count in kinds.items() if status != "ok"),
        outside=sum(count for kind, count in kinds.items() if kind == ("ok", None)),
        first=min(made, default=None),
        last=max(made, default=None),
    )


def _tallies(verdicts: Iterable[Verdict], scales: Mapping[str, Scale]) -> tuple[Tally, ...]:
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for row in verdicts:
        groups[row.rubric, row.judge].append(row)
    return tuple(_tally(key, rows, scales.get(key[0], Scale())) for key, rows in sorted(groups.items()))


def _tally(key: tuple[str, str], rows: Sequence[Verdict], scale: Scale) -> Tally:
    levels: Counter[str] = Counter()
    positive, outside, missing = set(), Counter[str](), Counter[str]()
    for (status, sign, stated), count in Counter(map(attrgetter("status", "positive", "level"), rows)).items():
        if status != "ok":
            missing[status] += count
        elif sign is None:
            outside[stated or "neither"] += count
        else:
            level = stated or ("positive" if sign else "negative")
            levels[level] += count
            if sign:
                positive.add(level)
    order = {level: place for place, level in enumerate(scale.levels)}
    return Tally(
        rubric=key[0],
        judge=key[1],
        transcripts=len({row.transcript_id for row in rows}),
        verdicts=len(rows),
        levels=dict(sorted(levels.items(), key=lambda pair: (order.get(pair[0], len(order)), pair[0]))),
        positive_levels=tuple(sorted(positive)),
        outside=dict(sorted(outside.items())),
        missing=dict(sorted(missing.items())),
        partly_seen=sum(_partly(row) for row in rows if row.coverage is not None),
    )


def _partly(row: Verdict) -> bool:
    return row.status == "ok" and row.coverage is not None and row.coverage.seen < row.coverage.total


def _rates(
    verdicts: Sequence[Verdict], labels: Sequence[Label], by: Sequence[str], shared: Mapping[str, Any]
) -> tuple[Rate, ...]:
    """Rates rubric by rubric: corrected where there are labels and transcripts without one, else flag rates alone."""
    known = {(label.rubric, label.transcript_id) for label in labels}
    found: list[Rate] = []
    rubrics: dict[str, list[Verdict]] = defaultdict(list)
    for row in verdicts:
        if row.sample == 0:
            rubrics[row.rubric].append(row)
    for rubric, rows in sorted(rubrics.items()):
        own = [label for label in labels if label.rubric == rubric]
        if own and all((rubric, row.transcript_id) in known for row in rows):
            note = "every transcript here is labelled, so there is nothing to correct: read the labels, or judge more"
            measured = measure_rates(rows, by=by, **shared)
            found += [one.model_copy(update={"notes": (*one.notes[:1], note)}) for one in measured]
        else:
            found += measure_rates(rows, own, by=by, **shared)
    return tuple(found)


def _worst(
    on_item: ByItem, scales: Mapping[str, Scale], said: Mapping[tuple[str, str], list[Label]], hide: Mask, most: int
) -> tuple[tuple[Case, ...], int, dict[str, int]]:
    """The worst cases told, how many there are, and those not told counted by what they are."""
    flagged = []
    for key, rows in on_item.items():
        if positives := [row for row in rows if row.positive]:
            worst = max(positives, key=lambda row: (rank(row, scales), -row.sample, row.judge))
            settled = sum(row.positive is not None for row in rows)
            flagged.append((rank(worst, scales), len(positives) / settled, key, worst))
    flagged.sort(key=lambda one: (-one[0][0], -one[0][1], -one[1], one[2]))
    rest = Counter(
        f"{one.rubric}: {one.level or 'positive'}, severity {'unknown' if one.severity is None else one.severity}"
        for *_, one in flagged[most:]
    )
    told = tuple(tell_case(row, on_item[key], hide, said.get(key, ())) for *_, key, row in flagged[:most])
    return told, len(flagged), dict(sorted(rest.items()))


def _match(verdicts: Iterable[Verdict], labels: Sequence[Label], options: Mapping[str, Any]) -> list[Matched]:
    names = {label.rubric for label in labels}
    return match([row for row in verdicts if row.rubric in names], labels, **options) if labels else []


def _truth(matched: Iterable[Matched]) -> dict[tuple[str, str], bool]:
    """What raters say of each labelled transcript on each rubric, where they are not tied."""
    return {
        (one.rubric, item): bool(sign)
        for one in matched
        for item, sign in zip(one.ratings.items, one.truth, strict=True)
        if sign != MISSING
    }


def _accuracy(
    matched: Iterable[Matched], on_item: ByItem, said: Mapping[tuple[str, str], list[Label]], hide: Mask
) -> tuple[Accuracy, ...]:
    found = []
    for one in matched:
        told, total = _differences(one, on_item, said, hide)
        found.append(
            Accuracy(calibration=measure(one), differences=told, n_differences=total, reliability=draw_reliability(one))
        )
    return tuple(found)


def _certified(one: Certificate, verdicts: Sequence[Verdict], now: str | None) -> Certified:
    """A certificate in words; void where it expired or where these verdicts were made with something else."""
    scope = one.scope
    lengths = "" if scope.messages is None else f", of {scope.messages[0]:,} to {scope.messages[1]:,} messages"
    return Certified(
        rubric=one.identity.rubric,
        judge=one.identity.judge,
        decision=one.decision,
        level=one.level,
        protocol=one.protocol.name,
        population=scope.population,
        covers=(
            f"{scope.items:,} items of split {scope.split} in {scope.scenarios:,} scenarios{lengths}: "
            f"{scope.positives:,} positive, {scope.negatives:,} negative, {scope.contested:,} contested; "
            f"{scope.raters} raters ({', '.join(scope.rater_kinds)})"
        ),
        gates=tuple((gate.name, "waived" if gate.waived else gate.state, gate.text) for gate in one.gates),
        reasons=one.reasons,
        not_validated=one.scope.not_validated,
        expires_at=one.expires_at,
        claims=one.claims,
        void=tuple(why_void(one, now=now or one.opened_at, verdicts=verdicts)),
    )


def _differences(
    one: Matched, on_item: ByItem, said: Mapping[tuple[str, str], list[Label]], hide: Mask
) -> tuple[tuple[Difference, ...], int]:
    """Where judge and raters differ: what was missed first, then false alarms, then positives without a verdict."""
    wrong = (one.truth != MISSING) & (one.said != MISSING) & (one.truth != one.said)
    unjudged = (one.truth == 1) & (one.said == MISSING)
    order = [*np.flatnonzero(wrong & (one.truth == 1)), *np.flatnonzero(wrong & (one.truth == 0))]
    told: list[Difference] = []
    for index in [*order, *np.flatnonzero(unjudged)]:
        key = (one.rubric, one.ratings.items[index])
        mine = sorted((row for row in on_item.get(key, ()) if row.judge == one.judge), key=lambda row: row.sample)
        if mine and len(told) < DIFFERENCES:
            told.append(tell_difference(mine[0], on_item[key], bool(one.truth[index] == 1), said[key], hide))
    return tuple(told), len(order) + int(unjudged.sum())


def _costs(verdicts: Iterable[Verdict]) -> tuple[Cost, ...]:
    judges: dict[str, list[Verdict]] = defaultdict(list)
    for row in verdicts:
        judges[row.judge].append(row)
    return tuple(_cost(name, rows) for name, rows in sorted(judges.items()))


def _cost(name: str, rows: Sequence[Verdict]) -> Cost:
    priced = [row.cost_usd for row in rows if row.cost_usd is not None]
    times = [row.latency_s for row in rows if row.latency_s is not None]

    def total(field: str) -> int:
        return sum(filter(None, map(attrgetter(field), rows)))

    return Cost(
        judge=name,
        verdicts=len(rows),
        calls=total("attempts"),
        input_tokens=total("input_tokens"),
        output_tokens=total("output_tokens"),
        cached_tokens=total("cached_tokens"),
        cost_usd=sum(priced) if priced else None,
        unpriced=len(rows) - len(priced),
        median_latency_s=median(times) if times else None,
    )


def _tell_lapses(rows: Sequence[Verdict], hide: Mask) -> tuple[Lapse, ...]:
    ordered = sorted(rows, key=lambda row: (row.status, row.rubric, row.transcript_id, row.sample))
    return tuple(tell_lapse(row, hide) for row in ordered[:LAPSES])


def _versions(verdicts: Iterable[Verdict]) -> tuple[Version, ...]:
    fields = attrgetter("rubric", "rubric_sha256", "judge", "judge_sha256", "prompt_sha256")
    counts: Counter[tuple[str, str, str | None]] = Counter()
    for (rubric, rubric_hash, judge, judge_hash, prompt_hash), count in Counter(map(fields, verdicts)).items():
        counts["rubric", rubric, rubric_hash] += count
        counts["judge", judge, judge_hash] += count
        counts["prompt", judge, prompt_hash] += count
    order = sorted(counts, key=lambda key: (("rubric", "judge", "prompt").index(key[0]), key[1], key[2] or ""))
    return tuple(Version(kind=key[0], name=key[1], sha256=key[2], verdicts=counts[key]) for key in order)


def _notes(
    verdicts: Sequence[Verdict], labels: Sequence[Label], usable: Sequence[Label], *, certified: bool
) -> tuple[str, ...]:
    """What a reader must know before any figure."""
    notes = []
    kinds = {label.rater_kind for label in labels}
    if not labels:
        notes.append(
            "There are no labels, so nothing is known of the judge's errors: what is shown is how often it flags, "
            "not how often the behaviour occurs."
        )
    elif "human" not in kinds:
        notes.append(
            f"{' and '.join(sorted(kinds)).capitalize()} labels certify nothing: the figures show how the report works, "
            "not how good the judge is. Only labels from people who did not see the verdicts say that."
        )
    if not certified:
        notes.append("No certificate is given: the figures are measurements, and no judge here is certified by them.")
    notes += _kin(verdicts)
    judged = {row.rubric for row in verdicts}
    if left := sorted({label.rubric for label in labels} & judged - {label.rubric for label in usable}):
        notes.append(f"No verdict is on a labelled transcript for: {one_line(', '.join(left), 300)}.")
    several = Counter(name for name, _ in set(map(attrgetter("rubric", "rubric_sha256"), verdicts)))
    if mixed := sorted(name for name, count in several.items() if count > 1):
        notes.append(f"Verdicts on {one_line(', '.join(mixed), 300)} were made under different versions of the rubric.")
    return tuple(notes)


def _kin(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Which judges graded models of their own family, which they may favour."""
    own = Counter(row.judge for row in verdicts if SELF_GRADED in row.flags)
    every = Counter(row.judge for row in verdicts if own[row.judge])
    for judge, count in sorted(own.items()):
        yield (
            f"{one_line(judge, 60)} graded models of its own family in {count:,} of {every[judge]:,} verdicts; a judge may "
            "favour its kin."
        )
