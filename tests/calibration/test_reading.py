"""Files read for their figures alone say and refuse what the full reading of them says and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judge.calibration.agreement import agreement
from judge.calibration.bootstrap import additive
from judge.errors import InputError
from judge.gold import votes
from judge.gold.labels import read_labels
from judge.gold.votes import Vote, read_votes
from judge.ledger import outcomes
from judge.ledger.importing import read_rows
from judge.ledger.outcomes import Outcome, read_outcomes
from judge.ledger.verdict import Verdict

LABEL = {"transcript_id": "t1", "rubric": "petty-larceny", "rater": "ida", "rater_kind": "human", "label": "yes"}
ROW = {"transcript_id": "t1", "rubric": "petty-larceny", "judge": "keen", "level": "enacted"}
FEW = 50


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at fewer rows in one go than a test writes."""
    for module in (votes, outcomes):
        monkeypatch.setattr(module, "_TOGETHER", FEW // 3)


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "odd",
    [
        {"transcript_id": "t2", "evidence": [{"message_id": "m1", "quote": "the silver spoon"}]},
        {"transcript_id": "t2", "criterion": "takes-a-thing"},
        {"transcript_id": "t2", "seconds": 3, "blind": True, "severity": 2, "guideline": None},
        {"label": "withdrawn", "withdraws": True},
        {"label": "no", "transcript_id": "sch\u00f6n\u2028"},
    ],
)
def test_votes_are_the_labels_without_their_reasons(tmp_path: Path, odd: dict[str, Any]) -> None:
    """Every row gives the vote that its label gives, in the file's order, whatever else the row holds."""
    file = lines(
        tmp_path / "l.jsonl", *[LABEL | {"transcript_id": f"a{n}"} for n in range(FEW)], "", LABEL | odd, LABEL
    )
    expected = [tuple(getattr(label, name) for name in Vote._fields) for label in read_labels(file)]
    assert [tuple(vote) for vote in read_votes(file)] == expected


@pytest.mark.parametrize(
    "bad",
    [
        LABEL | {"label": ""},
        LABEL | {"label": 1},
        LABEL | {"rater_kind": "wizard"},
        LABEL | {"blind": 1},
        LABEL | {"colour": "red"},
        {name: value for name, value in LABEL.items() if name != "rater"},
        ["t1"],
        "{",
        '{"seconds": 1e999, ' + json.dumps(LABEL)[1:],
    ],
)
def test_a_row_that_is_no_label_is_refused_in_the_same_words(tmp_path: Path, bad: object) -> None:
    """The refusal names the same file, line and field as that of the full reading."""
    file = lines(tmp_path / "l.jsonl", *[LABEL | {"transcript_id": f"a{n}"} for n in range(FEW)], bad)
    with pytest.raises(InputError) as full:
        read_labels(file)
    with pytest.raises(InputError) as short:
        read_votes(file)
    assert str(short.value) == str(full.value)
    assert f"{file}:{FEW + 1}: " in str(short.value)


@pytest.mark.parametrize(
    "odd",
    [
        {"level": "absent"},
        {"level": None, "positive": True},
        {"level": "not_applicable"},
        {"level": "yes", "positive": True, "score": 3, "p_positive": 0.5},
        {"level": None, "status": "refused", "sample": 2},
        {"task": "mail", "seed": 7, "note": None},
        {"run": {"task": "mail"}},
        {"coverage": {"seen": 3, "total": 4}},
        {"verdict_id": "mine"},
        {"transcript_id": "a1"},  # the same row a second time
        {"transcript_id": "a:b:c"},
        {"cost_usd": 0.25, "input_tokens": 10, "source": "runs/1.json", "created_at": None},
    ],
)
def test_outcomes_are_the_verdicts_without_their_evidence(tmp_path: Path, odd: dict[str, Any]) -> None:
    """Every row gives the outcome that its verdict gives, in the file's order, and equal rows count once."""
    file = lines(tmp_path / "v.jsonl", *[ROW | {"transcript_id": f"a{n}"} for n in range(FEW)], ROW | odd)
    expected = [[getattr(one, name) for name in Outcome._fields] for one in read_rows(file).verdicts]
    assert [[getattr(one, name) for name in Outcome._fields] for one in read_outcomes(file)] == expected


def test_a_file_of_plain_rows_is_read_without_making_verdicts(tmp_path: Path) -> None:
    """Rows of names and numbers alone never pass through the verdict's model; one with evidence takes all through it."""
    rows = [ROW | {"transcript_id": f"a{n}", "task": "mail", "score": 0.5} for n in range(FEW)]
    plain = read_outcomes(lines(tmp_path / "v.jsonl", *rows))
    assert {type(one) for one in plain} == {Outcome}
    full = read_outcomes(lines(tmp_path / "w.jsonl", *rows, ROW | {"coverage": {"seen": 3, "total": 4}}))
    assert {type(one) for one in full} == {Verdict}


@pytest.mark.parametrize(
    "bad",
    [
        ROW | {"level": 1},
        ROW | {"level": None},
        ROW | {"positive": False},
        ROW | {"status": "asleep"},
        ROW | {"status": "refused"},
        ROW | {"p_positive": 1.5},
        ROW | {"sample": True},
        ROW | {"transcript_id": ""},
        ROW | {"transcript_id": "a\0"},
        ROW | {"transcript_id": "a1", "level": "absent"},  # a second verdict, unlike the first
        {"transcript_id": "t1", "rubric": "petty-larceny", "model": "keen", "level": "enacted"},
        '{"level": "absent", ' + json.dumps(ROW)[1:],  # a name twice
        '{"seed": NaN, ' + json.dumps(ROW)[1:],
        '{"seed": 99999999999999999999, ' + json.dumps(ROW)[1:],
        "[1]",
    ],
)
def test_a_row_that_is_no_verdict_is_refused_in_the_same_words(tmp_path: Path, bad: object) -> None:
    """The refusal names the same file, line and field as that of the full reading."""
    file = lines(tmp_path / "v.jsonl", *[ROW | {"transcript_id": f"a{n}"} for n in range(FEW)], bad)
    with pytest.raises(InputError) as full:
        read_rows(file)
    with pytest.raises(InputError) as short:
        read_outcomes(file)
    assert str(short.value) == str(full.value)
    assert str(FEW + 1) in str(short.value)


def test_figures_of_the_same_items_stand_on_the_same_resamples() -> None:
    """Two figures of the same ratings have the same patterns in the same order, whatever columns they are computed from."""
    rng = np.random.default_rng(3)
    ratings = rng.integers(0, 3, (400, 2))
    one = additive(ratings.astype(float), lambda sums: sums[:, 0], alike=ratings)
    other = additive((ratings == 1).astype(float), lambda sums: sums[:, 1], alike=ratings)
    pairs, counts = np.unique(ratings, axis=0, return_counts=True)
    assert one.frequencies.tolist() == other.frequencies.tolist() == counts.tolist()
    whole = one.frequencies[None, :].astype(float)
    assert one.evaluate(whole)[0, 0] == ratings[:, 0].sum() == counts @ pairs[:, 0]
    assert other.evaluate(whole)[0, 0] == (ratings[:, 1] == 1).sum()


def test_some_agreement_figures_are_those_of_all() -> None:
    """Asking for one figure gives that figure as it is among all of them."""
    ratings = np.random.default_rng(4).integers(0, 2, (60, 3))
    every = agreement(ratings, replicates=200)
    assert agreement(ratings, replicates=200, only=["gwet_ac1"]) == {"gwet_ac1": every["gwet_ac1"]}
