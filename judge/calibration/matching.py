"""Bring verdicts and labels together: for one judge on one rubric, who said what about which transcript, as arrays.

What can make figures into nonsense is an error here, not a number later: label sets that differ, labels whose polarity
nobody stated. What is missing stays missing and is counted by its reason. Statistics are computed elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from judge.errors import InputError
from judge.gold.model import Label
from judge.gold.votes import Voted, last_words
from judge.ledger.outcomes import Judged
from judge.ledger.verdict import Verdict
from judge.rubrics.model import OUTSIDE, Scale
from judge.text import quoted

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

MISSING = -1
ADJUDICATED = "adjudicated"
# Words for yes and no that need no explanation, positive first.
_PLAIN = (("1", "0"), ("true", "false"), ("yes", "no"), ("positive", "negative"), ("present", "absent"))


class Polarity(NamedTuple):
    """Which labels are on the scale (in order where it is ordered), and which of them count as positive."""

    levels: tuple[str, ...]
    positive: frozenset[str]
    ordered: bool

    def sign(self, label: str) -> int:
        """1 positive, 0 negative, -1 outside the scale."""
        return MISSING if label not in self.levels else int(label in self.positive)


class Ratings(NamedTuple):
    """Labels as a table: `codes` (n_items, n_raters) of indices into `polarity.levels`, -1 where a rater said nothing."""

    rubric: str
    items: tuple[str, ...]
    raters: tuple[str, ...]
    codes: Integers
    polarity: Polarity
    kinds: frozenset[str]
    settled: Integers  # (n_items,) the adjudicated level where there is one, else -1; it overrides the majority
    outside: int  # labels such as not_applicable, which are no place on the scale


class Matched(NamedTuple):
    """One judge on one rubric against the labels. All arrays are in the order of `ratings.items`."""

    judge: str
    ratings: Ratings
    gold: Integers  # the majority's level, -1 where raters are tied
    verdicts: Integers  # the judge's level, -1 where it gave none (or only said positive or negative)
    truth: Integers  # gold as 1 positive, 0 negative, -1 contested
    said: Integers  # the verdict as 1, 0, -1 missing
    repeats: Integers  # (n_items, n_samples) of 1, 0, -1
    scores: Floats | None  # p_positive where given, else score; NaN where missing
    probable: bool  # whether `scores` are probabilities
    clusters: NDArray[Any] | None
    fields: dict[str, tuple[str, ...]]  # for each field that items are divided by, its value on each item
    reasons: dict[str, int]  # why verdicts are missing

    @property
    def rubric(self) -> str:
        """The rubric's id."""
        return self.ratings.rubric


def rate_table(
    labels: Iterable[Voted],
    rubric: str,
    *,
    scale: Scale | None = None,
    positive: Collection[str] = (),
    also: Collection[str] = (),
    kinds: Collection[str] | None = None,
) -> Ratings:
    """Put labels on one rubric into a table of items by raters, each rater's last word.

    Human labels alone where there are any; labels of other kinds only where there are none. Adjudicated labels are no
    rater: they settle what raters leave open. `also` are labels that occur among the verdicts, so that both are coded
    alike.

    Raises:
        InputError: if nothing is labelled, or polarity or scale cannot be told.
    """
    rows = last_words([label for label in labels if label.rubric == rubric and label.criterion is None])
    decisions = [row for row in rows if row.rater_kind == ADJUDICATED]
    present = {row.rater_kind for row in rows} - {ADJUDICATED}
    chosen = kinds or ({"human"} if "human" in present else present)
    rows = [row for row in rows if row.rater_kind in chosen] or decisions
    if not rows:
        raise InputError(f"no labels on {quoted(rubric)}; label some (judge audit) or import them (judge gold import)")
    every = {row.label for row in (*rows, *decisions)}
    polarity = find_polarity(every, set(also), scale=scale, positive=positive, rubric=rubric)
    items = tuple(sorted({row.transcript_id for row in rows}))
    raters = tuple(sorted({row.rater for row in rows}))
    at = {name: index for index, name in enumerate(items)}
    by = {name: index for index, name in enumerate(raters)}
    code = {name: index for index, name in enumerate(polarity.levels)}
    given = np.array([code.get(row.label, MISSING) for row in rows], dtype=np.int64)
    codes = np.full((len(items), len(raters)), MISSING, dtype=np.int64)
    codes[[at[row.transcript_id] for row in rows], [by[row.rater] for row in rows]] = given
    outside = int((given == MISSING).sum())
    settled = np.full(len(items), MISSING, dtype=np.int64)
    for row in decisions:
        if row.transcript_id in at:
            settled[at[row.transcript_id]] = code.get(row.label, MISSING)
    kept = (codes >= 0).any(axis=1) | (settled >= 0)
    found = frozenset(row.rater_kind for row in rows)
    return Ratings(rubric, tuple(np.array(items)[kept]), raters, codes[kept], polarity, found, settled[kept], outside)


def find_polarity(
    gold: Collection[str],
    verdicts: Collection[str] = (),
    *,
    scale: Scale | None = None,
    positive: Collection[str] = (),
    rubric: str = "",
) -> Polarity:
    """Find the scale that labels and verdicts share, and which of its levels are positive.

    Raises:
        InputError: if the two use different label sets, or nobody has said which labels are positive.
    """
    ours, theirs = {v for v in gold if v not in OUTSIDE}, {v for v in verdicts if v not in OUTSIDE}
    every = ours | theirs
    where = f"{rubric}: " if rubric else ""
    spelt = Counter(_spelling(value) for value in every)
    if twice := {value for value in every if spelt[_spelling(value)] > 1}:
        raise InputError(
            f"{where}labels differ in spelling only: {_name(twice)}; recode them, as they would count as disagreement"
        )
    for known in (scale, Scale()):
        if known is not None and every <= set(known.levels) and not positive:
            return Polarity(known.levels, frozenset(known.positive), known.ordinal)
    # Words for yes and no say themselves what they are; a single 1 could be half of {1, 2}.
    words = any({value.lower() for value in every} <= set(pair) for pair in _PLAIN[1:])
    if ours and theirs and not words and not (ours <= theirs or theirs <= ours):
        raise InputError(
            f"{where}label sets differ: gold has {_name(ours)}, the verdicts have {_name(theirs)}; "
            "recode one of them, a figure over both would be nonsense"
        )
    if positive:
        if unknown := set(positive) - every:
            raise InputError(f"{where}--positive {_name(unknown)}: no such label; labels are {_name(every)}")
        return Polarity(tuple(sorted(every)), frozenset(positive), ordered=False)
    for yes, no in _PLAIN:
        if {value.lower() for value in every} <= {yes, no}:
            return Polarity(
                tuple(sorted(every, key=lambda value: value.lower() == yes)),
                frozenset(value for value in every if value.lower() == yes),
                ordered=False,
            )
    raise InputError(f"{where}which labels count as positive? Labels are {_name(every)}; say so with --positive LABEL")


def match(
    verdicts: Iterable[Judged],
    labels: Sequence[Voted],
    *,
    scales: Mapping[str, Scale] | None = None,
    positive: Collection[str] = (),
    clusters: Mapping[str, str] | None = None,
    cluster_by: str | None = None,
    by: Sequence[str] = (),
    kinds: Collection[str] | None = None,
) -> list[Matched]:
    """Match every judge's verdicts with the labels, rubric by rubric.

    `clusters` maps transcripts to what they share (families); `cluster_by` names a field of the verdicts' `run` instead.
    `by` are fields of `run` by which items may be divided.

    Raises:
        InputError: if no verdict is on a labelled transcript, or label sets or polarity do not fit.
    """
    groups: dict[tuple[str, str], list[Judged]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.rubric, verdict.judge), []).append(verdict)
    labelled = by_rubric(labels)
    tables: dict[tuple[str, frozenset[str]], Ratings] = {}
    matched = []
    for (rubric, judge), rows in sorted(groups.items()):
        if rubric in labelled:
            said = frozenset(row.level for row in rows if row.level is not None)
            if (rubric, said) not in tables:
                scale, given = (scales or {}).get(rubric), labelled[rubric]
                tables[rubric, said] = rate_table(given, rubric, scale=scale, positive=positive, also=said, kinds=kinds)
            matched.append(_match_one(judge, rows, tables[rubric, said], clusters, cluster_by, by))
    if all(one.reasons.get("not judged") == len(one.said) for one in matched):
        ours = [(row.transcript_id, row.rubric) for rows in groups.values() for row in rows[:1]][:1]
        theirs = [(row.transcript_id, row.rubric) for row in labels][:1]
        shown = (" on ".join(map(quoted, pair)) for pair in (*ours, *theirs))
        raise InputError(
            f"no verdict is on a labelled transcript; the first verdict is about {next(shown, 'nothing')}, the first label about "
            f"{next(shown, 'nothing')}: transcript_id and rubric must be the same in both"
        )
    return matched


def by_rubric(labels: Iterable[Voted]) -> dict[str, list[Voted]]:
    """The labels on whole transcripts (not on single criteria), rubric by rubric."""
    found: dict[str, list[Voted]] = {}
    for label in labels:
        if label.criterion is None:
            found.setdefault(label.rubric, []).append(label)
    return found


def take(one: Matched, kept: NDArray[np.bool_]) -> Matched:
    """The same judge on some of the items; `reasons` stay those of all."""
    table = one.ratings
    return one._replace(
        ratings=table._replace(
            items=tuple(np.array(table.items)[kept]), codes=table.codes[kept], settled=table.settled[kept]
        ),
        gold=one.gold[kept],
        verdicts=one.verdicts[kept],
        truth=one.truth[kept],
        said=one.said[kept],
        repeats=one.repeats[kept],
        scores=None if one.scores is None else one.scores[kept],
        clusters=None if one.clusters is None else one.clusters[kept],
        fields={name: tuple(np.array(values)[kept]) for name, values in one.fields.items()},
    )


def as_labels(verdicts: Iterable[Verdict]) -> list[Label]:
    """Judges as raters of kind `ai`, so that they can be compared with each other and with people.

    The first sample counts; verdicts that are missing stay missing.
    """
    return [
        Label(
            transcript_id=row.transcript_id, rubric=row.rubric, rater=row.judge, rater_kind="ai", label=str(row.level)
        )
        for row in verdicts
        if row.sample == 0 and row.status == "ok" and row.level is not None
    ]


def consensus(ratings: Ratings) -> Integers:
    """Return each item's adjudicated level, else its most frequent one, as a code; -1 where two levels are tied."""
    votes = np.stack([(ratings.codes == code).sum(axis=1) for code in range(len(ratings.polarity.levels))], axis=1)
    top = votes.max(axis=1)
    tied = (votes == top[:, None]).sum(axis=1) > 1
    majority = np.where(tied | (top == 0), MISSING, votes.argmax(axis=1))
    return np.where(ratings.settled >= 0, ratings.settled, majority).astype(np.int64)


def binary(ratings: Ratings, codes: Integers) -> Integers:
    """Turn codes into 1 positive, 0 negative, -1 missing."""
    signs = np.array([ratings.polarity.sign(level) for level in ratings.polarity.levels] + [MISSING], dtype=np.int64)
    return signs[codes]


def majority_sign(ratings: Ratings) -> Integers:
    """Return each item's decision, else its majority, as 1 or 0; -1 where positives and negatives are tied."""
    signs = binary(ratings, ratings.codes)
    lead = (signs == 1).sum(axis=1) - (signs == 0).sum(axis=1)
    majority = np.where(lead == 0, MISSING, lead > 0)
    return np.where(ratings.settled >= 0, binary(ratings, ratings.settled), majority).astype(np.int64)


def share_positive(signs: Integers) -> float | None:
    """The share of 1 among 1 and 0; None if there is neither."""
    known = signs[signs != MISSING]
    return float((known == 1).mean()) if len(known) else None


def name_cluster(group: Any, item: str) -> str:
    """The name of a cluster: that of the group, or of an item without one, which is a cluster of its own."""
    return f"item {item}" if group is None else f"group {group}"


def _match_one(
    judge: str,
    rows: Sequence[Judged],
    table: Ratings,
    clusters: Mapping[str, str] | None,
    cluster_by: str | None,
    by: Sequence[str] = (),
) -> Matched:
    at = {name: index for index, name in enumerate(table.items)}
    here = sorted((row for row in rows if row.transcript_id in at), key=lambda row: row.sample)
    samples = max(Counter(row.transcript_id for row in here).values(), default=1)
    n, nth = len(table.items), dict[str, int]()
    levels = np.full(n, MISSING, dtype=np.int64)
    repeats = np.full((n, samples), MISSING, dtype=np.int64)
    scores = np.full(n, np.nan)
    reasons: Counter[str] = Counter()
    groups: list[Any] = [clusters.get(name) if clusters else None for name in table.items]
    fields = {name: ["unknown"] * n for name in by}
    code = {level: index for index, level in enumerate(table.polarity.levels)}
    probable = any(row.p_positive is not None for row in here)
    for row in here:
        index, which = at[row.transcript_id], nth.get(row.transcript_id, 0)
        nth[row.transcript_id] = which + 1
        repeats[index, which] = _sign(row, table.polarity)
        if cluster_by is not None:
            groups[index] = row.run.get(cluster_by)
        for name, values in fields.items():
            values[index] = str(row.run.get(name, "unknown"))
        if which > 0:
            continue
        if row.status == "ok":
            levels[index] = code.get(row.level or "", MISSING)
        value = row.p_positive if probable else row.score
        if value is not None:
            scores[index] = value
        if repeats[index, 0] == MISSING:
            reasons[row.status if row.status != "ok" else str(row.level)] += 1
    if unjudged := n - len(nth):
        reasons["not judged"] = unjudged
    gold = consensus(table)
    return Matched(
        judge=judge,
        ratings=table,
        gold=gold,
        verdicts=levels,
        truth=majority_sign(table),
        said=repeats[:, 0],
        repeats=repeats,
        scores=None if np.isnan(scores).all() else scores,
        probable=probable,
        clusters=_clusters(groups, table.items),
        fields={name: tuple(values) for name, values in fields.items()},
        reasons=dict(reasons),
    )


def _sign(row: Judged, polarity: Polarity) -> Literal[-1, 0, 1] | int:
    if row.status != "ok":
        return MISSING
    if row.level is not None:
        return polarity.sign(row.level)
    return MISSING if row.positive is None else int(row.positive)


def _clusters(groups: Sequence[Any], items: Sequence[str]) -> NDArray[Any] | None:
    """Name the cluster of each item, an item without one being a cluster of its own; None where nothing is shared."""
    if all(group is None for group in groups):
        return None
    named = [name_cluster(group, item) for item, group in zip(items, groups, strict=True)]
    return np.array(named) if len(set(named)) < len(named) else None


def _spelling(value: str) -> str:
    """The label without what two people write differently and mean alike: case and white space."""
    return " ".join(value.split()).casefold()


def _name(values: Collection[str]) -> str:
    return ", ".join(quoted(value, 40) for value in sorted(values)[:12])
