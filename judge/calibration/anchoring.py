"""Whether raters follow the judge when they see its verdict first: agreement with the judge in two arms drawn by chance.

`judge audit --show-before SHARE` draws, for each rater and case, whether the verdicts are shown before the label or after
it, and the label keeps which it was. The difference between the arms is what showing the verdict did. Labels that were not
drawn (`arm` null) do not count; a label that was withdrawn does, since taking it back came after the draw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from judge.calibration.intervals import clustered_proportion
from judge.calibration.rate_difference import difference
from judge.calibration.statistic import Statistic, statistic_rows
from judge.frozen import Frozen
from judge.gold.model import Arm, Label
from judge.ledger.verdict import Verdict


class Anchoring(Frozen):
    """Agreement with one judge on one rubric, by arm.

    `statistics`: `before` and `after`, the share of labels that give the judge's level, clustered by transcript; and
    `anchoring`, the first minus the second: above 0 where seeing the verdict pulls towards it. n counts labels.
    """

    rubric: str
    judge: str
    raters: int
    statistics: dict[str, Statistic]

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per figure."""
        return statistic_rows({"rubric": self.rubric, "judge": self.judge}, self.statistics)


def measure_anchoring(verdicts: Iterable[Verdict], labels: Iterable[Label]) -> list[Anchoring]:
    """Measure agreement with each judge in both arms, per rubric; empty where no label was drawn.

    Of a judge the first sample counts, and only where it gave a verdict. Two arms on the same transcripts agree for the same
    reasons, so the interval of their difference, which takes them as independent, is rather too wide than too narrow.
    """
    drawn: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for label in labels:
        if label.arm is not None and label.criterion is None and label.withdraws is None:
            drawn[label.transcript_id, label.rubric].append(label)
    agreed: dict[tuple[str, str], dict[Arm, dict[str, list[bool]]]] = {}
    raters: dict[tuple[str, str], set[str]] = defaultdict(set)
    for verdict in verdicts:
        if verdict.sample != 0 or verdict.status != "ok" or verdict.level is None:
            continue
        key = verdict.rubric, verdict.judge
        for label in drawn.get((verdict.transcript_id, verdict.rubric), ()):
            assert label.arm is not None
            arms = agreed.setdefault(key, {"before": {}, "after": {}})
            arms[label.arm].setdefault(verdict.transcript_id, []).append(label.label == verdict.level)
            raters[key].add(label.rater)
    return [
        Anchoring(rubric=key[0], judge=key[1], raters=len(raters[key]), statistics=_figures(arms))
        for key, arms in sorted(agreed.items())
    ]


def _figures(arms: dict[Arm, dict[str, list[bool]]]) -> dict[str, Statistic]:
    before, after = (_share(arms[name]) for name in ("before", "after"))
    return {"before": before, "after": after, "anchoring": difference(before, after)}


def _share(on_transcript: dict[str, list[bool]]) -> Statistic:
    said = list(on_transcript.values())
    return clustered_proportion([sum(one) for one in said], [len(one) for one in said])
