"""Decisions on disputes certify nothing: they were taken with the judge's verdict in sight."""

from __future__ import annotations

import pytest

from judge.calibration.records import take_split
from judge.gold.model import Item, Label


def label(rater: str, level: str, **more: object) -> Label:
    """A label on the one item."""
    return Label.model_validate({"transcript_id": "t1", "rubric": "r", "rater": rater, "label": level, **more})


@pytest.mark.parametrize(
    ("blind", "raters"),
    [(False, ["ines", "tomas"]), (None, ["final", "ines", "tomas"]), (True, ["final", "ines", "tomas"])],
)
def test_split_leaves_out_decisions_that_saw_the_verdict(blind: bool | None, raters: list[str]) -> None:
    """An adjudication among raters, which had no verdict in sight, still settles what they leave open."""
    items = {"t1": Item(transcript_id="t1", content_sha256="0" * 64, family="f", split="test")}
    labels = [
        label("tomas", "absent", rater_kind="human", blind=True),
        label("ines", "enacted", rater_kind="human", blind=True),
        label("final", "enacted", rater_kind="adjudicated", blind=blind),
    ]
    found = take_split(items, {}, labels, "r", "test")
    assert [row.rater for row in found.ratings] == raters
