"""The form of what a gold audit finds: a suspicion with its evidence, in words, with the numbers behind it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from judge.frozen import Frozen

Weight = Literal["fault", "warning", "note"]
SURE = 0.01  # p below which chance is no explanation


class Discovery(Frozen):
    """One thing to know about the gold before any figure on it is believed."""

    code: str
    weight: Weight  # a fault makes figures meaningless, a warning makes them doubtful
    text: str
    figures: dict[str, float] = Field(default_factory=dict)
    items: tuple[str, ...] = ()
