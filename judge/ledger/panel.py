"""What a panel's verdict keeps of the votes behind it, and the figures that follow from votes alone.

A panel's row in the ledger names every vote by its verdict's id, so that anyone can read the votes and compute the row again.
How votes come to be and what they amount to is `judge.grading.panels`; how a whole set of votes is measured, `judge.calibration`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final, Literal, NamedTuple

from pydantic import Field

from judge.frozen import Frozen

PANEL: Final = "panel/"
# judge: votes on the level. blind: votes on it without private reasoning, as a check. escalation: asked where others disagree.
Role = Literal["judge", "blind", "escalation"]


class Vote(Frozen):
    """One member's word: where its verdict is, and what it says."""

    verdict_id: str
    judge: str
    sample: int
    role: Role
    step: int = Field(ge=1)
    status: str
    level: str | None = None
    positive: bool | None = None

    @property
    def outcome(self) -> str:
        """The level, or the status of a vote that is missing."""
        return self.level or ("ok" if self.status == "ok" else self.status)


class Panelled(Frozen):
    """How a panel came to its verdict.

    `step` is the last one that was asked, of `steps`; `agree` of its `asked` votes had to be alike (with thresholds: its
    `confidence` had to reach `threshold`). `distribution`, `disagreement`, `flip_rate` and `margin` are of all votes on the
    level, whatever their step; blind votes are none. Null: there are too few votes to say, or nobody has measured it.
    """

    name: str
    on: Literal["level", "positive"]
    step: int = Field(ge=1)
    steps: int = Field(ge=1)
    agree: int | None = None
    asked: int
    votes: tuple[Vote, ...]
    distribution: dict[str, int]
    disagreement: float | None = None
    flip_rate: float | None = None
    margin: float
    effective_votes: float | None = None
    confidence: float | None = None
    threshold: float | None = None
    blind_differs: tuple[str, ...] = ()  # criteria that no blind vote answers as the others do


def counting(votes: Iterable[Vote]) -> list[Vote]:
    """The votes on the level: all but the blind ones."""
    return [vote for vote in votes if vote.role != "blind"]


def distribution(votes: Iterable[Vote]) -> dict[str, int]:
    """How many votes there are for each level, those that are missing by their status."""
    return dict(sorted(Counter(vote.outcome for vote in votes).items()))


def disagreement(votes: Iterable[Vote]) -> float | None:
    """The share of pairs of votes that are for different levels: 0 all alike, 1 none; None for fewer than two votes."""
    levels = [vote.outcome for vote in votes if vote.status == "ok"]
    pairs = list(combinations(levels, 2))
    return sum(one != other for one, other in pairs) / len(pairs) if pairs else None


def flip_rate(votes: Iterable[Vote]) -> float | None:
    """The share of judges whose samples are not all of one sign; None where no judge has two samples with one."""
    signs: dict[str, list[bool]] = {}
    for vote in votes:
        if vote.positive is not None:
            signs.setdefault(vote.judge, []).append(vote.positive)
    several = [found for found in signs.values() if len(found) > 1]
    return sum(len(set(found)) > 1 for found in several) / len(several) if several else None


def margin(votes: Sequence[Vote]) -> float:
    """How far the most frequent level leads the next, as a share of all votes; missing ones are for none. 0 a tie, 1 all."""
    ranked = Counter(vote.outcome for vote in votes if vote.status == "ok").most_common(2)
    lead, following = [*(count for _, count in ranked), 0, 0][:2]
    return (lead - following) / len(votes) if votes else 0.0


def effective_votes(votes: int, correlation: float) -> float:
    """How many independent votes are worth as much as so many correlated ones: n / (1 + (n - 1) r), Kish's design effect.

    `correlation` is the mean over pairs of voters. The result lies between 1 (all say the same) and `votes`: where voters
    differ more than chance would have it (r < 0), it is no more than what there are.
    """
    if votes < 1:
        raise ValueError("there is one vote at least")
    return votes / (1 + (votes - 1) * min(1.0, max(0.0, correlation)))


class Weight(NamedTuple):
    """What one judge's samples say together, and how surely: `confidence` lies in [0, 1]."""

    positive: bool | None
    confidence: float


def weigh(signs: Sequence[bool | None], p_positive: float | None = None) -> Weight:
    """Turn one judge's samples on one transcript into an answer and a confidence, as thresholds are set on them.

    `signs`: one per sample that was asked, None where it is missing or off the scale. The answer is that of more than half
    of them; the confidence is their share, or what `p_positive` gives the answer where there is one. A negative answer
    with a sample missing has confidence 0: nothing missing reads as safe.
    """
    positives, negatives = sum(sign is True for sign in signs), sum(sign is False for sign in signs)
    lead = max(positives, negatives)
    if not signs or 2 * lead <= len(signs):
        return Weight(None, 0.0)
    answer = positives > negatives
    if not answer and lead + positives < len(signs):
        return Weight(answer, 0.0)
    if p_positive is not None:
        return Weight(answer, p_positive if answer else 1 - p_positive)
    return Weight(answer, lead / len(signs))
