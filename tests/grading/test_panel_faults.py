"""A panel over a provider that fails at three calls of ten: it comes to the right verdict, and asks no more than it must."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judge.grading.budget import Budget
from judge.grading.judges import Judge
from judge.grading.panels.panel import Panel, Seat
from judge.grading.panels.sitting import sit
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger, Select
from judge.ledger.verdict import Verdict
from judge.ledger.verifying import verify
from servers.faults import spread
from servers.launch import Running, start_server

from .support import CANARY, RUBRIC, is_guilty, level_of, make_transcripts

pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'OpenAIChatCompletion.acompletion' was never awaited")

TRANSCRIPTS = make_transcripts(60)
SCRIPT = Path(__file__).with_name("divided_judge.py")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server whose small model overlooks every third threat."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", CANARY)
        with start_server(SCRIPT, api_key=CANARY, retry_after_s=0.05) as running:
            yield running


def seat(server: Running, name: str, **more: Any) -> Seat:
    judge = Judge(model=f"openai/{name}", api_base=server.base_url, timeout_s=12.0, backoff_s=0.02, attempts=8)
    return Seat(judge, judge, **{"samples": 1, "role": "judge", "step": 1, **more})


def hold(panel: Panel, ledger: Ledger, budget: Budget | None = None) -> list[Verdict]:
    async def collect() -> list[Verdict]:
        stream = sit(lambda: TRANSCRIPTS, [RUBRIC], panel, ledger=ledger, budget=budget or Budget(), concurrency=16)
        return [verdict async for verdict, _ in stream]

    return asyncio.run(collect())


def test_faults_make_no_verdict_wrong_and_a_second_run_makes_good(server: Running, tmp_path: Path) -> None:
    """Threats stand in even numbers, and the small model overlooks those that 3 divides: 0, 6 ... 54, ten of them go on.

    So does what one of the first two refused or never answered usefully; nothing else does.
    """
    server.reset(faults=spread(0.3), seed=5)
    panel = Panel(
        "pair", (seat(server, "small"), seat(server, "middle"), seat(server, "large", role="escalation", step=2))
    )
    with open_ledger(tmp_path / "ledger.db") as ledger:
        rows = hold(panel, ledger)
        by_id = {transcript.id: transcript for transcript in TRANSCRIPTS}
        for row in rows:
            if row.panel is not None and row.status == "ok":
                assert level_of(by_id[row.transcript_id]) == row.level
        server.reset()
        hold(panel, ledger)
        final = list(ledger.verdicts(Select(judge=("panel/pair",))))
        assert {one.id: level_of(one) for one in TRANSCRIPTS} == {row.transcript_id: row.level for row in final}
        went_on = {row.transcript_id: row.panel.votes for row in final if row.panel and row.panel.step == 2}
        divided = {one.id for one in TRANSCRIPTS if is_guilty(one) and int(one.id[1:]) % 3 == 0}
        assert 10 == len(divided & went_on.keys())
        for name in went_on.keys() - divided:
            assert any(vote.status != "ok" for vote in went_on[name] if vote.step == 1)
        asked = Counter(row.judge for row in ledger.verdicts())
        assert {"openai/small": 60, "openai/middle": 60, "openai/large": len(went_on), "panel/pair": 60} == asked
        server.reset()
        hold(panel, ledger)
        assert 0 == server.log()["requests"]
        verify(ledger)
