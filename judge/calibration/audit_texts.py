"""What a gold audit finds in the transcripts: duplicates, fields and strings that give the label away, shortcuts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from judge.calibration import accuracy as acc
from judge.calibration.discovery import Discovery, Weight
from judge.calibration.duplicates import find_twins
from judge.calibration.matching import MISSING, Integers
from judge.calibration.rivals import Prepared, Rival, prepare, telling_string
from judge.text import one_line
from judge.transcripts.model import Transcript

WHOLE, LAST = "the whole transcript", "the target's last turn"
_LEAKS = 0.95  # balanced accuracy at which a field gives the label away
_PROSE = 20  # characters above which a field's value is read as text


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


def take_texts(prepared: Prepared, used: Integers) -> Prepared:
    """Some of the texts, in this order."""
    return prepared._replace(lengths=prepared.lengths[used], holds=prepared.holds[used], words=prepared.words[used])


def look_for_duplicates(texts: Texts, used: Integers, truth: Integers) -> Iterable[Discovery]:
    """One text in two places: worst across splits, or under two labels."""
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


def look_for_leaks(truth: Integers, fields: Sequence[Mapping[str, str]]) -> Iterable[Discovery]:
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


def look_for_shortcuts(rivals: Sequence[Rival]) -> Iterable[Discovery]:
    """Rules that read nothing and are right on most items all the same."""
    for rival in rivals[2:]:
        area = rival.statistics["balanced_accuracy"]
        if area.estimate is not None and area.low is not None and area.low > 0.75:
            figures = {
                name: figure.estimate for name, figure in rival.statistics.items() if figure.estimate is not None
            }
            text = f"shortcut: {rival.rule} is right on {figures['accuracy']:.1%} of the items (F1 {figures['f1']:.4f})"
            code = "word counts" if rival.name == "word counts" else "shortcut"
            yield Discovery(code=code, weight="warning", text=text, figures=figures)


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
