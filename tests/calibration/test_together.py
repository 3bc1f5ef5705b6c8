"""Judges held against gold in one go: what is adjusted for their number, what is said of more labels, and foreign scales."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from judge.calibration.audit import audit_gold
from judge.calibration.calibrate import calibrate
from judge.calibration.matching import match
from judge.calibration.planning import further_items
from judge.cli.main import app
from judge.gold.model import Label
from judge.ledger.verdict import Verdict

LEVELS = ("fine", "so-so", "bad", "dire")


def label(item: int, says: str, rubric: str = "larceny") -> Label:
    return Label(transcript_id=f"t{item:03}", rubric=rubric, rater="ida", rater_kind="human", label=says)


def verdict(item: int, says: str, rubric: str = "larceny", judge: str = "keen") -> Verdict:
    name = f"{judge}/{rubric}/{item}"
    return Verdict(verdict_id=name, transcript_id=f"t{item:03}", rubric=rubric, judge=judge, level=says)


def notes(positives_right: int, positives: int, negatives: int = 100) -> Sequence[str]:
    rows = [label(n, "yes" if n < positives else "no") for n in range(positives + negatives)]
    said = [verdict(n, "yes" if n < positives_right else "no") for n in range(positives + negatives)]
    (found,) = calibrate(said, rows)
    return found.notes


def test_what_more_labels_would_do_is_said_beside_the_figures() -> None:
    """With 10 of 10 positives right, 7 more without a mistake reach .80: a Clopper-Pearson bound of .80 takes 17 of 17."""
    (found,) = [note for note in notes(10, 10) if "sensitivity" in note]
    assert "7 without a mistake" in found
    assert not [note for note in notes(17, 17) if "sensitivity" in note]


def test_a_rate_that_is_too_low_beyond_doubt_is_not_mended_by_labels() -> None:
    """0 of 20 right has an upper bound of .168: no number of labels is named."""
    (found,) = [note for note in notes(0, 20) if "sensitivity" in note]
    assert "at most 0.168" in found
    assert "will not change that" in found


def test_a_rate_hardly_above_its_bound_names_no_number_that_nobody_can_label() -> None:
    """80.05 % against .80: a half-width of .0005 takes (1.96 / .0005)^2 x .16 = 2.5 million labels at that rate."""
    more = further_items(80_050, 100_000, 0.8)
    assert more.at_this_rate is None
    assert 0 < more.if_all_right < 2_000


def test_many_comparisons_with_rivals_are_adjusted() -> None:
    """Benjamini and Hochberg: a p below .05 among ten that are near 1 becomes ten times itself, and is no win any more."""
    rubrics = [f"r{n}" for n in range(10)]
    rows = [label(n, "yes" if n < 10 else "no", rubric) for rubric in rubrics for n in range(20)]
    # On the first rubric 8 of 10 positives and 8 of 10 negatives are right, for which Fisher's exact test gives .0230 (two
    # sides); on the others the judge says yes and no in turn, for which it gives 1.
    said = [
        verdict(n, "yes" if (n < 8 or n >= 18 if rubric == "r0" else n % 2) else "no", rubric)
        for rubric in rubrics
        for n in range(20)
    ]
    alone = [row for row in said if row.rubric == "r0"]
    (single,) = audit_gold(rows, match(alone, rows), rubrics=["r0"])
    assert (round(single.judges[0].p, 4), single.judges[0].p_adjusted, single.judges[0].beats) == (
        0.0230,
        single.judges[0].p,
        True,
    )
    first = audit_gold(rows, match(said, rows))[0]
    assert first.judges[0].p == single.judges[0].p
    assert first.judges[0].p_adjusted == pytest.approx(10 * single.judges[0].p)
    assert not first.judges[0].beats
    assert "dumb rival" in {discovery.code for discovery in first.discoveries}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Labels and verdicts on a scale that nobody here knows."""
    labels = [label(n, LEVELS[n % 4]) for n in range(40)]
    verdicts: list[dict[str, Any]] = [
        {"transcript_id": f"t{n:03}", "rubric": "larceny", "judge": "keen", "level": LEVELS[(n + (n % 7 == 0)) % 4]}
        for n in range(40)
    ]
    (tmp_path / "l.jsonl").write_text("".join(row.model_dump_json(exclude_none=True) + "\n" for row in labels))
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in verdicts))
    return ["calibrate", "--labels", str(tmp_path / "l.jsonl"), "--verdicts", str(tmp_path / "v.jsonl"), "--json"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_foreign_scale_is_put_into_order(files: list[str]) -> None:
    """With --order the ordinal figures appear, in the order given; without it they do not."""
    marks = ("--positive", "bad", "--positive", "dire")
    found = json.loads(run(*files, *marks, "--order", ",".join(LEVELS)).stdout)
    assert tuple(found["levels"]) == LEVELS
    assert found["positive_levels"] == ["bad", "dire"]
    assert found["by_level"]["krippendorff_alpha_ordinal"]["estimate"] is not None
    assert "krippendorff_alpha_ordinal" not in json.loads(run(*files, *marks).stdout)["by_level"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--order", "fine,so-so,bad,dire"), "say with --positive which"),
        (("--order", "fine,so-so,bad", "--positive", "bad"), "does not say where 'dire' stands"),
        (("--order", "fine,fine,bad,dire", "--positive", "bad"), "give each level once"),
        (("--order", "fine,so-so,bad,dire", "--positive", "worse"), "'worse': is not in --order"),
    ],
)
def test_an_order_that_cannot_be_used_is_explained(files: list[str], more: tuple[str, ...], message: str) -> None:
    """What is wrong with the order is said, with the levels that it has."""
    assert message in str(run(*files, *more).exception)
