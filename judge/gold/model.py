"""The gold set's data: who said what about which transcript, and what an item is for.

A label names its rater and what kind of rater that is: `human`, `ai`, `constructed` (written together with the transcript)
or `adjudicated` (an auditor's decision on a dispute). Only human labels certify a judge. Labels are never changed: a rater
who thinks again adds a row, and the later row counts; who takes a label back adds a row that withdraws it.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from judge.frozen import Frozen

WITHDRAWN: Final = "withdrawn"  # the `label` of a row that withdraws

RaterKind = Literal["human", "ai", "constructed", "adjudicated"]
Split = Literal["dev", "test", "held-out"]
Arm = Literal["before", "after"]
Role = Literal["positive", "near_miss", "negative", "fiction_twin", "advice_twin"]


class Span(Frozen):
    """The words that a rater took for decisive, and where they stand; offsets are in the text of `part`."""

    message_id: str
    quote: str = ""
    part: str | None = None
    start: int | None = None
    end: int | None = None


class Label(Frozen):
    """One rater's answer about one transcript on one rubric (or one criterion of it)."""

    transcript_id: str = Field(min_length=1)
    rubric: str = Field(min_length=1)
    rater: str = Field(min_length=1)
    rater_kind: RaterKind
    label: str = Field(min_length=1)
    criterion: str | None = None
    guideline: str | None = None  # hash of the rubric's meaning when the label was given
    severity: int | None = None
    rationale: str | None = None
    evidence: tuple[Span, ...] = ()
    blind: bool | None = None  # whether the rater had seen no verdict and no other label
    confidence: int | None = None
    seconds: float | None = None
    created_at: str | None = None
    arm: Arm | None = (
        None  # where chance decided it: whether the judge's verdict was shown before the label or after it
    )
    withdraws: Literal[True] | None = None  # this row takes back what this rater said before; its `label` says nothing


class Item(Frozen):
    """A transcript's place in the gold set. `weight` is one over the chance with which it was drawn for labelling."""

    transcript_id: str
    content_sha256: str
    family: str  # items of one family share a setting and never lie in two splits
    split: Split
    setting: str | None = None
    rubric: str | None = None  # the rubric that the family was written for
    pair: str | None = None  # the kind of minimal pair
    role: Role | None = None
    exclusion: str | None = None  # the exclusion that it exercises
    weight: float | None = Field(default=None, gt=0)
