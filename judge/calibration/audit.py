"""What may be wrong with a gold set that no figure shows: found by looking, said in words, with the numbers behind it.

Labels that are upside down, labels made from the judges that they are to judge, one text in two places, fields and strings
that give the label away, raters unlike the others, refusals that depend on the answer; and what judges that do not read reach
on the same items. Nothing is repaired, and a discovery is a suspicion with its evidence, not a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from judge.calibration import accuracy as acc
from judge.calibration import agreement as agr
from judge.calibration.claims import below_chance
from judge.calibration.comparison import fisher_exact, mcnemar
from judge.calibration.duplicates import find_twins
from judge.calibration.intervals import wilson
from judge.calibration.matching import (
    MISSING,
    Integers,
    Matched,
    Ratings,
    binary,
    by_rubric,
    majority_sign,
    rate_table,
)
from judge.calibration.rivals import Prepared, Rival, find_rivals, prepare, telling_string
from judge.frozen import Frozen
from judge.gold.votes import Voted
from judge.rubrics.model import Scale
from judge.text import one_line
from judge.transcripts.model import Transcript

WHOLE, LAST = "the whole transcript", "the target's last turn"
_SURE = 0.01  # p below which chance is no explanation
_LEAKS = 0.95  # balanced accuracy at which a field gives the label away
_CHANCE = 0.05  # p below which a judge beats a rival
_PROSE = 20  # characters above which a field's value is read as text
_VOTES = 0.98  # share of items on which gold made from judges equals their vote
Weight = Literal["fault", "warning", "note"]


class Discovery(Frozen):
    """One thing to know about the gold before any figure on it is believed."""

    code: str
    weight: Weight  # a fault makes figures meaningless, a warning makes them doubtful
    text: str
    figures: dict[str, float] = Field(default_factory=dict)
    items: tuple[str, ...] = ()


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


class Texts:
    """Transcripts prepared once for any number of rubrics: by id, what they say and what their fields hold."""

    def __init__(self, transcripts: Iterable[Transcript], splits: Mapping[str, str] | None = None) -> None:
        kept = list(transcripts)
        self.ids = [transcript.id for transcript in kept]
        self.at = {name: index for index, name in enumerate(self.ids)}
        self.fields = [_flatten(transcript) for transcript in kept]
        # Without the system message: it is the harness's, and differs between copies of one conversation.
        said = ["\n".join(p.text for m, p in each.parts() if m.role != "system") for each in kept]
        self.splits = [(splits or {}).get(name) for name in self.ids]
        self.twins = find_twins(said)
        self.prepared: Prepared | None = (
            prepare({WHOLE: said, LAST: [_last_turn(t) for t in kept]}, WHOLE) if kept else None
        )


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
    return found


def _widest(judges: Sequence[Matched]) -> Ratings | None:
    """The labels as they were matched with the judge who used most levels; None without a judge."""
    return max((one.ratings for one in judges), key=lambda table: len(table.polarity.levels), default=None)


def _audit_one(
    table: Ratings, judges: Sequence[Matched], texts: Texts | None, families: Mapping[str, str]
) -> GoldAudit:
    truth = majority_sign(table)
    known = truth != MISSING
    rivals, discoveries = [], [*_classes(truth), *_raters(table), *_polarity(judges), *_circular(table, judges)]
    for judge in judges:
        discoveries += _missing(judge)
    index = np.array([] if texts is None else [texts.at.get(name, MISSING) for name in table.items], dtype=np.int64)
    if texts is not None and texts.prepared is not None and (index != MISSING).any():
        there = known & (index != MISSING)
        used = index[there]
        part = _take(texts.prepared, used)
        groups = [families.get(texts.ids[i], f"text {texts.twins.group[i]}") for i in used]
        rivals = find_rivals(truth[there], part, groups)
        discoveries += _leaks(truth[there], [texts.fields[i] for i in used])
        discoveries += _duplicates(texts, used, truth[there])
        discoveries += _shortcuts(rivals)
    else:
        there = known
        rivals = find_rivals(truth[known])
    beaten = [_beside(judge, rivals, truth, there) for judge in judges]
    for one in beaten:
        if not one.beats:
            discoveries.append(_say_beaten(one))
    return GoldAudit(
        rubric=table.rubric,
        n_items=len(table.items),
        positives=int((truth == 1).sum()),
        contested=int((~known).sum()),
        discoveries=tuple(sorted(discoveries, key=lambda one: ("fault", "warning", "note").index(one.weight))),
        rivals=tuple(rivals),
        judges=tuple(beaten),
    )


def _classes(truth: Integers) -> Iterable[Discovery]:
    positives, negatives = int((truth == 1).sum()), int((truth == 0).sum())
    for count, kind in ((positives, "positive"), (negatives, "negative")):
        if count == 0:
            yield Discovery(code="one class", weight="fault", text=f"no item is {kind}: nothing can be measured on it")
        elif count < 10:
            yield Discovery(code="few items", weight="warning", text=f"only {count} items are {kind}")


def _polarity(judges: Sequence[Matched]) -> Iterable[Discovery]:
    low = []
    for judge in judges:
        known = judge.truth != MISSING
        figures = acc.accuracy(judge.truth[known], judge.said[known], replicates=1000)
        if below_chance(figures):
            low.append((judge.judge, figures["mcc"].estimate or 0.0))
    if not low:
        return
    figures_ = {f"mcc of {name}": value for name, value in low}
    if len(low) == len(judges) and len(judges) > 1:
        text = (
            f"suspected inverted polarity: all {len(judges)} judges are worse than chance; suspect the labels, not them"
        )
        yield Discovery(code="polarity", weight="fault", text=text, figures=figures_)
    else:
        names = ", ".join(name for name, _ in low)
        text = f"suspect polarity: {names} worse than chance, as when positive and negative are swapped"
        yield Discovery(code="polarity", weight="fault", text=text, figures=figures_)


def _circular(table: Ratings, judges: Sequence[Matched]) -> Iterable[Discovery]:
    """Raters who are judges under test, and raters who always say what most of the judges say."""
    for judge in judges:
        if judge.judge in table.raters:
            text = f"circular: {judge.judge} is a judge under test and one of the raters"
            yield Discovery(code="circular", weight="fault", text=text)
    if len(judges) < 3:
        return
    said = np.stack([judge.said for judge in judges], axis=1)
    lead = (said == 1).sum(axis=1) - (said == 0).sum(axis=1)
    signs = binary(table, table.codes)
    for column, rater in enumerate(table.raters):
        mine = signs[:, column]
        both = (mine != MISSING) & (lead != 0)
        if both.sum() < 30:
            continue
        vote = float((mine[both] == (lead[both] > 0)).mean())
        # Judges that agree with each other on everything leave the vote no better than any of them.
        single = max(float((said[both, k] == mine[both]).mean()) for k in range(said.shape[1]))
        if vote >= _VOTES and vote > single:
            text = f"circular: {rater} says what most of the judges say on {vote:.1%} of the items, more than any one of them"
            yield Discovery(code="circular", weight="fault", text=text, figures={"vote": vote, "best judge": single})


def _missing(judge: Matched) -> Iterable[Discovery]:
    """Refusals that are likelier on one class: leaving them out flatters or slanders the judge."""
    gone = judge.said == MISSING
    cells = [int((gone[judge.truth == side]).sum()) for side in (1, 0)]
    sizes = [int((judge.truth == side).sum()) for side in (1, 0)]
    if not any(cells) or not all(sizes):
        return
    p = fisher_exact(cells[0], sizes[0] - cells[0], cells[1], sizes[1] - cells[1])
    if p < _SURE:
        text = (
            f"missing not at random: {judge.judge} has no verdict on {cells[0]} of {sizes[0]} positives and on {cells[1]} "
            f"of {sizes[1]} negatives"
        )
        yield Discovery(code="missing", weight="warning", text=text, figures={"p": p})


def _raters(table: Ratings) -> Iterable[Discovery]:
    """Raters who differ from the others far more often than these do among themselves."""
    signs = binary(table, table.codes)
    if not 2 < len(table.raters) <= 50:
        return
    for one in agr.by_rater(signs):
        if one.differs is None or one.n < 20:
            continue
        others = np.delete(signs, one.rater, axis=1)
        rest = _disagreement(others)
        low = wilson(one.differs * one.n, one.n, 0.99).low
        if rest is not None and low > 2 * rest + 0.02:
            name = table.raters[one.rater]
            text = f"{name} differs from the other raters in {one.differs:.0%} of ratings; these from each other in {rest:.0%}"
            inverted = " (their labels may be upside down)" if one.differs > 0.5 else ""
            figures = {"differs": one.differs, "others differ": rest, "ratings": float(one.n)}
            yield Discovery(code="outlier rater", weight="warning", text=text + inverted, figures=figures)


def _disagreement(signs: Integers) -> float | None:
    """How often two ratings of one item differ."""
    ones, zeros = (signs == 1).sum(axis=1), (signs == 0).sum(axis=1)
    n = ones + zeros
    pairs = float((n * (n - 1)).sum())
    return float((2 * ones * zeros).sum()) / pairs if pairs else None


def _duplicates(texts: Texts, used: Integers, truth: Integers) -> Iterable[Discovery]:
    here = {int(i): int(sign) for i, sign in zip(used, truth, strict=True)}
    for kind, pairs in (("exact", texts.twins.exact), ("near", texts.twins.near)):
        ours = [(a, b) for a, b in pairs if a in here and b in here]
        if not ours:
            continue
        across = [(a, b) for a, b in ours if texts.splits[a] != texts.splits[b]]
        apart = [(a, b) for a, b in ours if here[a] != here[b]]
        text = "1 pair is" if len(ours) == 1 else f"{len(ours)} pairs are"
        text += f" {kind} duplicates"
        text += f", {len(across)} of them across splits" if across else "; keep them in one split"
        text += f"; {len(apart)} have different labels" if apart and kind == "exact" else ""
        named = tuple(f"{texts.ids[a]} = {texts.ids[b]}" for a, b in (across or ours)[:20])
        weight: Weight = "fault" if across else "warning" if kind == "exact" else "note"
        figures = {"pairs": float(len(ours)), "across splits": float(len(across)), "labels differ": float(len(apart))}
        yield Discovery(code=f"{kind} duplicates", weight=weight, text=text, figures=figures, items=named)


def _leaks(truth: Integers, fields: Sequence[Mapping[str, str]]) -> Iterable[Discovery]:
    """Fields outside the conversation that tell the label: their presence, or their value on other items."""
    if len(set(truth.tolist())) < 2:
        return
    for name in sorted({name for row in fields for name in row}):
        values = np.array([row.get(name, "") for row in fields])
        filled = (values != "").astype(np.int64)
        ways = [("by being there", filled), ("by its value", _from_others(truth, values))]
        if sum(map(len, values)) > _PROSE * len(values):
            ways += [
                (f"by {string!r}", held.astype(np.int64)) for string, held in telling_string(truth, values.tolist())
            ]
        for how, answers in ways:
            said = answers != MISSING
            if len(set(truth[said].tolist())) < 2:
                continue
            figures = acc.accuracy(truth[said], answers[said], replicates=200)
            area = figures["balanced_accuracy"].estimate or 0.5
            strength = max(area, 1 - area) * float(said.mean())
            if strength >= _LEAKS:
                text = (
                    f"field {one_line(name)} gives the label away ({how}, right on {strength:.1%}); no judge may see it"
                )
                yield Discovery(code="leak", weight="warning", text=text, figures={"balanced accuracy": strength})
                break


def _from_others(truth: Integers, values: Any) -> Integers:
    """What the other items with the same value say: 1, 0, or -1 where there is none, or they are tied."""
    _, index = np.unique(values, return_inverse=True)
    totals, positives = np.bincount(index), np.bincount(index, weights=truth)
    others, yes = totals[index] - 1, positives[index] - truth
    return np.where((others == 0) | (2 * yes == others), MISSING, 2 * yes > others).astype(np.int64)


def _shortcuts(rivals: Sequence[Rival]) -> Iterable[Discovery]:
    for rival in rivals[2:]:
        area = rival.statistics["balanced_accuracy"]
        if area.estimate is not None and area.low is not None and area.low > 0.75:
            figures = {
                name: figure.estimate for name, figure in rival.statistics.items() if figure.estimate is not None
            }
            text = f"shortcut: {rival.rule} is right on {figures['accuracy']:.1%} of the items (F1 {figures['f1']:.4f})"
            code = "word counts" if rival.name == "word counts" else "shortcut"
            yield Discovery(code=code, weight="warning", text=text, figures=figures)


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


def _take(prepared: Prepared, used: Integers) -> Prepared:
    return prepared._replace(lengths=prepared.lengths[used], holds=prepared.holds[used], words=prepared.words[used])


def _last_turn(transcript: Transcript) -> str:
    mine = [message for message in transcript.messages if message.by_target]
    return "\n".join(part.text for part in mine[-1].parts) if mine else ""


def _flatten(transcript: Transcript) -> dict[str, str]:
    """Every scalar outside the conversation by its path; empty values are as good as absent."""
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [("withheld", transcript.withheld), ("run", transcript.run)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict):
            stack += [(f"{place}.{name}", each) for name, each in value.items()]
        elif isinstance(value, list):
            found[place] = str(len(value)) if value else ""
        elif value is not None:
            found[place] = str(value)
    return found
