"""What may be wrong with a gold set that no figure shows: found by looking, said in words, with the numbers behind it.

Labels that are upside down, labels made from the judges that they are to judge, one text in two places, fields and strings
that give the label away, raters unlike the others, refusals that depend on the answer; and what judges that do not read reach
on the same items. Nothing is repaired, and a discovery is a suspicion with its evidence, not a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from judge.calibration.audit_labels import (
    look_at_classes,
    look_at_missing,
    look_at_polarity,
    look_at_raters,
    look_for_circles,
)
from judge.calibration.audit_texts import Texts, look_for_duplicates, look_for_leaks, look_for_shortcuts, take_texts
from judge.calibration.comparison import adjusted_p, fisher_exact, mcnemar
from judge.calibration.discovery import Discovery
from judge.calibration.matching import MISSING, Integers, Matched, Ratings, by_rubric, majority_sign, rate_table
from judge.calibration.rivals import Rival, find_rivals
from judge.frozen import Frozen
from judge.gold.votes import Voted
from judge.rubrics.model import Scale

_CHANCE = 0.05  # adjusted p below which a judge beats a rival


class Beaten(Frozen):
    """A judge beside the best judge that does not read, on the items that both answered."""

    judge: str
    rival: str
    rule: str
    n: int
    judge_balanced_accuracy: float | None
    rival_balanced_accuracy: float | None
    only_judge_right: int
    only_rival_right: int
    p: float
    p_adjusted: float  # for the number of judges and rubrics that were audited in one go (Benjamini and Hochberg)
    beats: bool


class GoldAudit(Frozen):
    """Everything found about the labels on one rubric."""

    rubric: str
    n_items: int
    positives: int
    contested: int
    discoveries: tuple[Discovery, ...]
    rivals: tuple[Rival, ...]
    judges: tuple[Beaten, ...]


def audit_gold(
    labels: Sequence[Voted],
    matched: Sequence[Matched] = (),
    texts: Texts | None = None,
    *,
    rubrics: Collection[str] | None = None,
    scales: Mapping[str, Scale] | None = None,
    positive: Collection[str] = (),
    kinds: Collection[str] | None = None,
    families: Mapping[str, str] | None = None,
) -> list[GoldAudit]:
    """Audit the labels rubric by rubric, with the judges matched with them and the transcripts where they are given.

    `families`: what each transcript belongs to; the rivals are never measured on a family that they were chosen on.

    Raises:
        InputError: if label sets differ or the polarity of labels cannot be told.
    """
    found = []
    for rubric in sorted(rubrics or by_rubric(labels)):
        joined = [one for one in matched if one.rubric == rubric]
        scale = (scales or {}).get(rubric)
        table = _widest(joined) or rate_table(labels, rubric, scale=scale, positive=positive, kinds=kinds)
        found.append(_audit_one(table, joined, texts, families or {}))
    return _adjust(found)


def _adjust(found: Sequence[GoldAudit]) -> list[GoldAudit]:
    """Count how many judges were held against rivals on how many rubrics: of many, one beats its rival by chance."""
    adjusted = iter(adjusted_p([judge.p for one in found for judge in one.judges]))
    told = []
    for one in found:
        judges = []
        for judge in one.judges:
            p = float(next(adjusted))
            judges.append(judge.model_copy(update={"p_adjusted": p, "beats": judge.beats and p < _CHANCE}))
        discoveries = [*one.discoveries, *(_say_beaten(judge) for judge in judges if not judge.beats)]
        discoveries.sort(key=lambda each: ("fault", "warning", "note").index(each.weight))
        told.append(one.model_copy(update={"judges": tuple(judges), "discoveries": tuple(discoveries)}))
    return told


def _widest(judges: Sequence[Matched]) -> Ratings | None:
    """The labels as they were matched with the judge who used most levels; None without a judge."""
    return max((one.ratings for one in judges), key=lambda table: len(table.polarity.levels), default=None)


def _audit_one(
    table: Ratings, judges: Sequence[Matched], texts: Texts | None, families: Mapping[str, str]
) -> GoldAudit:
    truth = majority_sign(table)
    known = truth != MISSING
    rivals, discoveries = (
        [],
        [*look_at_classes(truth), *look_at_raters(table), *look_at_polarity(judges), *look_for_circles(table, judges)],
    )
    for judge in judges:
        discoveries += look_at_missing(judge)
    index = np.array([] if texts is None else [texts.at.get(name, MISSING) for name in table.items], dtype=np.int64)
    if texts is not None and texts.prepared is not None and (index != MISSING).any():
        there = known & (index != MISSING)
        used = index[there]
        part = take_texts(texts.prepared, used)
        groups = [families.get(texts.ids[i], f"text {texts.twins.group[i]}") for i in used]
        rivals = find_rivals(truth[there], part, groups)
        discoveries += look_for_leaks(truth[there], [texts.fields[i] for i in used])
        discoveries += look_for_duplicates(texts, used, truth[there])
        discoveries += look_for_shortcuts(rivals)
    else:
        there = known
        rivals = find_rivals(truth[known])
    # With one class nobody can be told from who always answers it; that the class lacks is said already.
    both = (truth[there] == 1).any() and (truth[there] == 0).any()
    beaten = [_beside(judge, rivals, truth, there) for judge in judges] if both else []
    return GoldAudit(
        rubric=table.rubric,
        n_items=len(table.items),
        positives=int((truth == 1).sum()),
        contested=int((~known).sum()),
        discoveries=tuple(discoveries),
        rivals=tuple(rivals),
        judges=tuple(beaten),
    )


def _beside(judge: Matched, rivals: Sequence[Rival], truth: Integers, there: Any) -> Beaten:
    """The judge and the best rival on the same items; a missing verdict is wrong."""
    gold, said = truth[there], judge.said[there]
    best = max(
        rivals,
        key=lambda one: (one.statistics["balanced_accuracy"].estimate or 0.0, one.statistics["f1"].estimate or 0.0),
    )
    other = np.array(best.answers).astype(np.int64)
    ours, theirs = said == gold, other == gold
    test = mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))
    p = test.p
    if best.name.startswith("always"):
        # Who always gives one answer is right on one class: what has to be shown is that the judge tells the two apart.
        hits = [int(ours[gold == side].sum()) for side in (1, 0)]
        p = fisher_exact(hits[0], int((gold == 1).sum()) - hits[0], int((gold == 0).sum()) - hits[1], hits[1])
    areas = [_balanced(gold, right) for right in (ours, theirs)]
    better = areas[0] is not None and areas[1] is not None and areas[0] > areas[1]
    return Beaten(
        judge=judge.judge,
        rival=best.name,
        rule=best.rule,
        n=len(gold),
        judge_balanced_accuracy=areas[0],
        rival_balanced_accuracy=areas[1],
        only_judge_right=test.only_first,
        only_rival_right=test.only_second,
        p=p,
        p_adjusted=p,
        beats=better and p < _CHANCE,
    )


def _balanced(gold: Integers, right: Any) -> float | None:
    shares = [float(right[gold == side].mean()) for side in (1, 0) if (gold == side).any()]
    return sum(shares) / 2 if len(shares) == 2 else None


def _say_beaten(one: Beaten) -> Discovery:
    text = (
        f"{one.judge} does not beat a judge that does not read ({one.rule}): balanced accuracy "
        f"{_number(one.judge_balanced_accuracy)} against {_number(one.rival_balanced_accuracy)} on {one.n} items"
    )
    return Discovery(code="dumb rival", weight="warning", text=text, figures={"p": one.p})


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
