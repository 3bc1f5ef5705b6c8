"""What a verdict's disputes have come to is folded from the ledger's entries, and every listing says it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from judge.errors import IntegrityError
from judge.ledger.decisions import (
    Decision,
    Dispute,
    Review,
    read_matters,
    stale_guidelines,
    stand,
    tell_standing,
    to_entry,
)
from judge.ledger.entry import Entry
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger
from ledger.support import make_verdict

VERDICTS = [make_verdict(number) for number in range(4)]


def dispute(name: str, number: int = 0, **more: Any) -> Entry:
    """A dispute of verdict `number`."""
    verdict = VERDICTS[number]
    return to_entry(
        Dispute(
            **{
                "dispute_id": name,
                "verdict_id": verdict.verdict_id,
                "transcript_id": verdict.transcript_id,
                "rubric": verdict.rubric,
                "judge": verdict.judge,
                "level": verdict.level,
                "status": "ok",
                "by": "mira",
                "claim": "it was a joke",
                "created_at": "2026-03-01T09:00:00+00:00",
                **more,
            }
        )
    )


def decision(name: str, number: int = 0, *, at: int = 10, **more: Any) -> Entry:
    """A decision on it, at this hour."""
    verdict = VERDICTS[number]
    return to_entry(
        Decision(
            **{
                "dispute_id": name,
                "verdict_id": verdict.verdict_id,
                "transcript_id": verdict.transcript_id,
                "rubric": verdict.rubric,
                "judge": verdict.judge,
                "by": "ines",
                "reason": "judge_wrong",
                "outcome": "overturned",
                "level": "absent",
                "positive": False,
                "rationale": "it was",
                "created_at": f"2026-03-01T{at}:00:00+00:00",
                **more,
            }
        )
    )


UPHELD = {"reason": "upheld", "outcome": "upheld", "level": "enacted", "positive": True}


@pytest.fixture
def book(tmp_path: Path) -> Any:
    """A ledger with four verdicts."""
    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(VERDICTS)
        yield ledger


def test_dispute_waits_then_is_reviewed_then_decided(book: Ledger) -> None:
    """Each entry moves it on; nothing else does."""
    states = []
    review = Review(dispute_id="d1", by="tomas", level="absent", created_at="2026-03-01T09:30:00+00:00")
    for entry in (dispute("d1"), to_entry(review), decision("d1")):
        book.append([entry])
        states.append(read_matters(book)["d1"].state)
    assert states == ["open", "reviewed", "decided"]


def test_first_decision_on_a_dispute_counts(book: Ledger) -> None:
    """A second one on the same dispute stays in the chain and changes nothing."""
    book.append([dispute("d1"), decision("d1", at=10), decision("d1", at=12, by="olga", **UPHELD)])
    found = stand(book)[VERDICTS[0].verdict_id]
    assert (found.state, found.decision.by if found.decision else None) == ("overturned", "ines")


def test_latest_decision_on_a_verdict_counts(book: Ledger) -> None:
    """A later dispute that was decided otherwise settles the verdict, whichever dispute was opened first."""
    book.append([dispute("d1"), dispute("d2"), decision("d2", at=10), decision("d1", at=12, **UPHELD)])
    assert stand(book)[VERDICTS[0].verdict_id].state == "upheld"


def test_waiting_dispute_shows_beside_an_earlier_decision(book: Ledger) -> None:
    """Opening another dispute hides no decision."""
    book.append([dispute("d1"), decision("d1"), dispute("d2")])
    found = stand(book)[VERDICTS[0].verdict_id]
    assert found.text == "overturned to absent by ines (the judge was wrong), disputed again"


def test_guideline_with_a_gap_is_named_with_the_disputes_that_showed_it(book: Ledger) -> None:
    """Two decisions under one guideline are one stale guideline."""
    gap = {"guideline_gap": True, "stale": {"guideline": "g" * 64}}
    book.append([dispute("d1"), dispute("d2", 1), decision("d1", **gap), decision("d2", 1, **gap)])
    assert stale_guidelines(read_matters(book).values()) == {"g" * 64: ("d1", "d2")}


def test_figure_says_how_many_of_its_verdicts_were_disputed(book: Ledger) -> None:
    """Two disputed, of which one was overturned and one waits; of none, nothing is said."""
    book.append([dispute("d1"), decision("d1"), dispute("d2", 1)])
    standing = stand(book)
    assert tell_standing(VERDICTS, standing) == (
        "2 verdicts disputed: 1 overturned by decisions, 1 not decided yet; every figure counts what the judge said"
    )
    assert tell_standing(VERDICTS[2:], standing) is None


def test_entry_that_is_no_decision_is_damage(book: Ledger) -> None:
    """An entry of one of these kinds with another body is named, not skipped."""
    book.append([Entry("decision", "d1", {"level": "absent"})])
    with pytest.raises(IntegrityError, match="entry 5: not a decision"):
        read_matters(book)


def test_commands_mark_the_verdict(book: Ledger, tmp_path: Path) -> None:
    """`verdicts`, `show` and `rates` say that it was overturned; the row itself stays as the judge gave it."""
    book.append([dispute("d1"), decision("d1", stale={"verdicts": (VERDICTS[1].verdict_id,)})])

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "judge.cli.main", *arguments, "--ledger", str(tmp_path / "ledger.db")]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    name = VERDICTS[0].verdict_id
    listed = [line for line in run("verdicts").splitlines() if name in line]
    assert [line.endswith("[overturned to absent by ines (the judge was wrong)]") for line in listed] == [True]
    row = json.loads(run("show", name, "--json"))
    assert (row["level"], row["standing"]["state"], row["standing"]["decision"]["level"]) == (
        "enacted",
        "overturned",
        "absent",
    )
    beside = json.loads(run("show", VERDICTS[1].verdict_id, "--json"))
    assert ("standing" in beside, beside["doubted_by"]) == (False, ["d1"])
    assert "it was a joke" in run("show", name)
    rates = [json.loads(line) for line in run("rates", "--json").splitlines()]
    assert any("1 overturned by decisions" in note for note in rates[0]["notes"])
