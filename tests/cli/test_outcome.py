"""What a run says that its answers have cost, by rubric."""

from __future__ import annotations

import pytest

from judge.cli.outcome import Outcome, summarise
from judge.cli.progress import Follow, describe
from judge.grading.tally import Tally
from judge.ledger.verdict import Verdict


def say_costs(capsys: pytest.CaptureFixture[str], *costs: float | None) -> str:
    """Return the summary's line on a rubric whose new answers have cost this."""
    outcome = Outcome()
    for number, cost in enumerate(costs):
        verdict = Verdict(
            verdict_id=f"v{number}",
            transcript_id=f"t{number}",
            rubric="pressure",
            judge="j",
            level="absent",
            cost_usd=cost,
            attempts=1,
        )
        outcome.count(verdict)
        outcome.add_cost(verdict)
    outcome.add_cost(Verdict(verdict_id="v", transcript_id="t", rubric="pressure", judge="j", cost_usd=0.0, attempts=0))
    summarise(outcome, Follow(quiet=True), "ledger.db", quiet=False)
    return next(line for line in capsys.readouterr().err.splitlines() if line.startswith("pressure"))


def test_each_rubric_says_what_its_answers_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """0.3 for two answers is 0.15 each; what nobody knows is counted besides and never taken for nothing, and what was not
    asked for want of money is no answer."""
    assert say_costs(capsys, 0.1, 0.2).endswith("2 absent; 0.3000 USD, 0.15000 an answer")
    assert say_costs(capsys, 0.1, 0.2, None).endswith("0.3000 USD, 0.15000 an answer, 1 of unknown cost besides")
    assert say_costs(capsys, None, None).endswith("2 absent; cost unknown")
    assert say_costs(capsys, 0.0, 0.0).endswith("2 absent")


def test_an_unknown_price_is_said_to_be_unknown() -> None:
    """Where no answer has a known cost, the run does not say that it has spent nothing."""
    assert "cost unknown (give --price)" in describe(Tally(done=3, unpriced=3))
    assert "0.5000 USD and 1 of unknown cost" in describe(Tally(done=3, unpriced=1, spent_usd=0.5))


@pytest.mark.parametrize(("paid_usd", "told"), [(0.13, True), (0.29, False), (None, False)])
def test_what_an_earlier_run_has_paid_for_is_not_taken_from_this_budget(
    paid_usd: float | None, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows that were answered before a run was stopped are in a verdict's cost, which may be more than the budget of now."""
    follow = Follow(quiet=True)
    follow.last = Tally(done=1, spent_usd=0.29)
    outcome = Outcome()
    outcome.count(Verdict(verdict_id="v", transcript_id="t", rubric="pressure", judge="j", level="absent"))
    summarise(outcome, follow, "ledger.db", paid_usd=paid_usd, quiet=False)
    assert told == ("0.1300 USD of it by this run" in capsys.readouterr().err)
