"""Agreement with the judge where chance showed its verdict before the label, and where after."""

from __future__ import annotations

import pytest

from judge.calibration.anchoring import measure_anchoring
from judge.gold.model import Arm, Label
from judge.ledger.verdict import Verdict


def verdict(number: int, level: str = "enacted", **more: object) -> Verdict:
    """A judge's word on transcript `number`."""
    base = {"verdict_id": f"v{number}", "transcript_id": f"t{number}", "rubric": "r", "judge": "j", "level": level}
    return Verdict.model_validate({**base, "positive": level == "enacted", **more})


def label(number: int, level: str, arm: Arm | None, **more: object) -> Label:
    """A rater's word on it."""
    base = {"transcript_id": f"t{number}", "rubric": "r", "rater": "tomas", "rater_kind": "human", "label": level}
    return Label.model_validate({**base, "arm": arm, **more})


def test_arms_are_counted_apart_and_subtracted() -> None:
    """9 of 10 agree where the verdict came first, 6 of 10 where it came after: the difference is .3."""
    verdicts = [verdict(number) for number in range(20)]
    labels = [label(n, "enacted" if n != 3 else "absent", "before") for n in range(10)]
    labels += [label(n, "enacted" if n < 16 else "absent", "after") for n in range(10, 20)]
    (found,) = measure_anchoring(verdicts, labels)
    figures = found.statistics
    assert (figures["before"].estimate, figures["before"].n) == (0.9, 10)
    assert (figures["after"].estimate, figures["after"].n) == (0.6, 10)
    assert figures["anchoring"].estimate == pytest.approx(0.3)
    assert figures["anchoring"].low is not None
    assert figures["anchoring"].low < 0.3


def test_labels_that_were_not_drawn_do_not_count() -> None:
    """A reader's label, an answer to a criterion, a withdrawal and a case without a verdict are in neither arm."""
    verdicts = [verdict(1), verdict(2, status="refused", level=None, positive=None)]
    labels = [
        label(1, "enacted", None),
        label(1, "met", "before", criterion="threat"),
        label(1, "withdrawn", "before", withdraws=True),
        label(2, "enacted", "before"),
        label(3, "enacted", "after"),
    ]
    assert measure_anchoring(verdicts, labels) == []


def test_one_arm_alone_gives_no_difference() -> None:
    """Without labels in the other arm the difference is undefined, and says why."""
    (found,) = measure_anchoring([verdict(n) for n in range(5)], [label(n, "enacted", "after") for n in range(5)])
    assert found.statistics["after"].estimate == 1.0
    assert found.statistics["anchoring"].estimate is None
    assert found.statistics["anchoring"].note is not None


def test_several_labels_on_one_transcript_are_one_cluster() -> None:
    """Twenty labels on one transcript say nothing about others: there is a share and no interval."""
    labels = [label(1, "enacted", "before", rater=f"r{n}") for n in range(20)]
    (found,) = measure_anchoring([verdict(1)], labels)
    assert found.raters == 20
    assert (found.statistics["before"].estimate, found.statistics["before"].low) == (1.0, None)


def test_report_says_it_beside_its_figures() -> None:
    """One sentence names both shares, their difference, and n of each."""
    from judge.report.figures import tell_anchoring

    labels = [label(n, "enacted" if n % 3 else "absent", "before" if n < 10 else "after") for n in range(20)]
    (told,) = tell_anchoring(measure_anchoring([verdict(number) for number in range(20)], labels))
    assert "before the label 60.00%" in told
    assert told.count("(n ") == 3
