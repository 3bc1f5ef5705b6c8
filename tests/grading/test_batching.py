"""Judges asked through a provider's batch interface: litellm against the local server's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judge.errors import InputError
from judge.grading.budget import Budget
from judge.grading.judges import Judge, Price
from judge.grading.lanes import batches
from judge.grading.lanes.opening import open_lane
from judge.grading.run import Grading, grade_sync, run
from judge.grading.tally import Tally
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger
from servers.launch import Running, start_server

from .support import CANARY, RUBRIC, SCRIPT, level_of, make_transcripts


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Running]:
    """One process for the whole module."""
    with start_server(SCRIPT) as running:
        yield running


@pytest.fixture
def server(shared_server: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A provider that answers a batch at the first look; looks follow at once."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setattr(batches, "POLL_S", (0.01, 0.01))
    monkeypatch.setattr(batches, "IDLE_S", 0.05)
    shared_server.reset()
    return shared_server


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "ledger.db")


def judge(server: Running, **parameters: Any) -> Judge:
    given = {"model": "openai/local", "api_base": server.base_url, "via": "batch", "backoff_s": 0.01}
    return Judge(**{**given, **parameters})


def ask(server: Running, ledger: Ledger | None = None, count: int = 6, **parameters: Any) -> Grading:
    return grade_sync(make_transcripts(count), [RUBRIC], [judge(server, **parameters)], ledger=ledger, concurrency=100)


def right(grading: Grading) -> bool:
    levels = {transcript.id: level_of(transcript) for transcript in make_transcripts(len(grading.verdicts))}
    return {verdict.transcript_id: verdict.level for verdict in grading.verdicts} == levels


def test_a_batch_gives_the_verdicts_that_single_requests_give(server: Running, ledger: Ledger) -> None:
    """Level, findings, tokens and ids are the same, so that a batch may finish what single requests began."""
    batched = {verdict.verdict_id: verdict for verdict in ask(server, ledger).verdicts}
    single = {verdict.verdict_id: verdict for verdict in ask(server, via="direct").verdicts}
    assert batched.keys() == single.keys()
    for name, verdict in batched.items():
        assert verdict.findings == single[name].findings
        assert (verdict.level, verdict.input_tokens) == (single[name].level, single[name].input_tokens)


def test_questions_that_fail_in_a_batch_are_asked_again_in_another(server: Running, ledger: Ledger) -> None:
    """Half of each batch expires and a third of the rest fails: in the end every verdict is there and right."""
    server.reset(batch_expires=True, faults={"error_500": 0.3}, seed=5)
    grading = ask(server, ledger, attempts=9)
    assert right(grading)
    assert ledger.kinds()["batch"] > 3
    assert [] == batches.open_batches(ledger)


def test_a_run_that_was_stopped_finds_its_answers(server: Running, ledger: Ledger) -> None:
    """The batch goes on without it; the next run asks nothing again and pays for nothing twice."""
    server.reset(batch_s=0.5)

    async def stopped() -> None:
        stops = iter([KeyboardInterrupt()])

        def stop(tally: Tally) -> None:
            if tally.batches and (interrupt := next(stops, None)):
                raise interrupt

        stream = run(
            make_transcripts(6),
            [RUBRIC],
            [judge(server)],
            budget=Budget(),
            ledger=ledger,
            concurrency=100,
            on_progress=stop,
        )
        async for _ in stream:
            pass

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(stopped())
    assert 0 == server.log()["requests"]
    assert 1 == len(batches.open_batches(ledger))
    assert right(ask(server, ledger))
    assert (6, 6) == (server.log()["requests"], server.log()["billed"])


def test_a_budget_holds_for_a_batch_too(server: Running, ledger: Ledger) -> None:
    """Money for every question is set aside before the batch is sent; what it does not cover is not asked."""
    # At most 4,096 tokens out are 4.096 USD a question; the answers are a tenth of that.
    dear = Price(input=0, output=1_000)
    grading = grade_sync(
        make_transcripts(6), [RUBRIC], [judge(server, price=dear)], ledger=ledger, concurrency=100, budget_usd=5.0
    )
    spent = sum(verdict.cost_usd or 0.0 for verdict in grading.verdicts)
    assert right(grading)
    assert 6 * 3 == ledger.kinds()["batch"]  # 4.096 of 5 USD are set aside: one question at a time, one batch each
    assert 0 < spent <= 5.0
    assert server.log()["output_tokens"] / 1_000 == pytest.approx(spent)


def test_a_provider_without_batches_is_refused(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ones that have them named, and before anything is asked."""
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)
    with pytest.raises(InputError, match="cannot be asked in batches; providers are openai, azure"):
        open_lane(Judge(model="gemini/gemini-2.5-pro", via="batch"), Budget())


def test_the_key_is_in_nothing_that_is_kept(server: Running, ledger: Ledger) -> None:
    """Not in the ledger's entries, those of batches included."""
    ask(server, ledger)
    assert all(CANARY.encode() not in row.body for row in ledger.rows())
