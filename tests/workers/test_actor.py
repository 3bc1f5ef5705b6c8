"""The inside of a cluster's worker, without a cluster: its methods may be repeated, come late, or come to another life."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grading.support import make_transcript
from judge.grading.judges import Judge
from judge.grading.judging import make_verdict_id
from judge.grading.planning import Task
from judge.grading.workers import cluster
from judge.grading.workers.cluster import Actor
from judge.grading.workers.messages import Message, Order, decode, encode, pack_turn
from judge.ledger.entry import read_verdict
from judge.rubrics.loading import load_rubric

RUBRIC = load_rubric("coercive-leverage")
JUDGE = Judge(model="baseline/cues")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the actor keeps its rows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def turn(number: int) -> Message:
    subject = make_transcript(number)
    task = Task(make_verdict_id(subject, RUBRIC, JUDGE, 0), subject, RUBRIC, JUDGE, 0)
    return pack_turn([task], [], [RUBRIC.sha256], [JUDGE.sha256])


def plan() -> Message:
    order = Order(rubrics=(RUBRIC,), judges=(JUDGE,), concurrency=2, limit_usd=None, repeats=False)
    return ["plan", order.model_dump_json()]


def judged(rows: list[Any]) -> list[str]:
    """Return which transcripts the verdicts in these rows are about."""
    return sorted(read_verdict(body, "a row").transcript_id for kind, _, body in rows if kind == "verdict")


async def fetch(actor: Actor, life: str, last: int = 0) -> tuple[int, list[Message]]:
    data = await actor.take(life, last)
    assert data is not None
    (number,), *messages = decode(data)
    return number, messages


async def fetch_until(actor: Actor, life: str, word: str) -> list[Message]:
    """Return everything that was sent up to a message that begins with `word`."""
    seen: list[Message] = []
    last = 0
    async with asyncio.timeout(60):
        while not any(message[0] == word for message in seen):
            last, messages = await fetch(actor, life, last)
            seen += messages
    return seen


def spools(cache: Path) -> list[Path]:
    return list(cache.glob("judge/spool/*/*/*.spool"))


def test_messages_that_are_repeated_or_early_count_once_and_in_order(cache: Path) -> None:
    """Two verdicts come of two turns, though the second was put first and each twice; another life's are ignored."""

    async def work() -> list[Message]:
        actor = Actor("ledger", "driver", 0)
        life, _ = await actor.begin(everything=True)
        assert (life, _) == await actor.begin(everything=True)
        await actor.put("another", 1, encode([["stop"]]))
        await actor.put(life, 2, encode([turn(2), ["end"]]))
        for _ in range(2):
            await actor.put(life, 1, encode([plan(), turn(1)]))
            await actor.put(life, 2, encode([turn(2), ["end"]]))
        assert await actor.take("another", 0) is None
        seen = await fetch_until(actor, life, "ended")
        await actor.finish(kept=True)
        return seen

    seen = asyncio.run(work())
    assert ["hello"] == seen[0]
    assert ["t1", "t2"] == judged([row for message in seen if message[0] == "rows" for row in message[2]])
    assert [] == spools(cache)


def test_what_was_not_acknowledged_is_surrendered_to_the_next_driver(cache: Path) -> None:
    """A driver that never fetched anything is gone: the next one gets every row, and nothing stays on the disk."""

    async def work() -> list[Message]:
        actor = Actor("ledger", "driver", 0)
        life, _ = await actor.begin(everything=True)
        await actor.put(life, 1, encode([plan(), turn(1), turn(2), ["end"]]))
        async with asyncio.timeout(60):
            while not (spools(cache) and spools(cache)[0].stat().st_size):
                await asyncio.sleep(0.05)
        assert await actor.silent_s() < 60
        surrendered = decode(await actor.surrender())
        await actor.finish(kept=True)
        return surrendered

    assert ["t1", "t2"] == judged([row for message in asyncio.run(work()) for row in message[2]])
    assert [] == spools(cache)


@pytest.mark.parametrize(
    ("silent", "left"), [((0.0, 0.0, 0.02, 0.03), True), ((0.03,), True), ((0.0, 0.01, 0.0, 0.01), False)]
)
def test_an_actor_is_left_once_nobody_asks_it_any_more(
    monkeypatch: pytest.MonkeyPatch, silent: tuple[float, ...], left: bool
) -> None:
    """The last poll of a killed driver, which ends after it, is not taken for a driver that lives; one that goes on is."""
    monkeypatch.setattr(cluster, "_SILENT_S", 0.02)
    looks = iter(silent)

    class Asked:
        async def remote(self) -> float:
            return next(looks)

    actor = SimpleNamespace(silent_s=Asked())
    assert left == asyncio.run(cluster.is_left(actor))


def test_the_next_life_of_an_actor_sends_what_the_last_one_left(cache: Path) -> None:
    """Rows of a life that was lost come first, marked as found, before the new life says hello; their file goes."""

    async def first() -> None:
        actor = Actor("ledger", "driver", 0)
        life, _ = await actor.begin(everything=True)
        await actor.put(life, 1, encode([plan(), turn(1), ["end"]]))
        await fetch_until(actor, life, "ended")
        await actor.finish()  # the rows were never acknowledged; closing the file is what death does

    async def second() -> list[Message]:
        actor = Actor("ledger", "driver", 0)
        life, _ = await actor.begin(everything=False)
        seen = await fetch_until(actor, life, "hello")
        await actor.surrender()
        await actor.finish(kept=True)
        return seen

    asyncio.run(first())
    assert 1 == len(spools(cache))
    rows, hello = asyncio.run(second())
    assert ("rows", True, ["hello"]) == (rows[0], rows[3], hello)
    assert ["t1"] == judged(rows[2])
    assert [] == spools(cache)


def test_a_first_actor_brings_what_other_drivers_left_on_its_machine(cache: Path) -> None:
    """Rows of workers whose driver is gone and whose cluster was shut down are found by the next run on that machine."""

    async def work(driver: str, *, kept: bool) -> list[Message]:
        actor = Actor("ledger", driver, 0)
        life, _ = await actor.begin(everything=True)
        await actor.put(life, 1, encode([plan(), *([] if kept else [turn(1)]), ["end"]]))
        seen = await fetch_until(actor, life, "ended")
        await actor.finish(kept=kept)
        return seen

    asyncio.run(work("lost", kept=False))
    seen = asyncio.run(work("next", kept=True))
    assert ["t1"] == judged(seen[0][2])
    assert [] == list(cache.glob("judge/spool/ledger/*"))
