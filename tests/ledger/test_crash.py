"""Nothing that was acknowledged is lost, and nothing is there twice, however writers end or overlap."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGKILL

import pytest

from judge.ledger.opening import open_ledger
from judge.ledger.verifying import verify
from ledger.support import make_call, make_verdict, write_missing, write_range

KILLS = 50
TOTAL = 6_000

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX signal")


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Processes that start in milliseconds, so that fifty of them can be killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["judge.ledger.sqlite"])
    return context


def _received(acknowledged: Connection) -> list[int]:
    """Return everything that arrives until the other end is gone."""
    numbers: list[int] = []
    while True:
        try:
            numbers.extend(acknowledged.recv())
        except EOFError:
            return numbers


def test_a_run_that_is_killed_fifty_times_ends_like_one_that_was_not(
    path: Path, tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    """After kill -9 at 50 random moments: each acknowledged row is there once, and the verdicts are those of a calm run."""
    chance = random.Random(50)
    acknowledged: set[int] = set()
    for kill in range(KILLS):
        receiving, sending = processes.Pipe(duplex=False)
        writer = processes.Process(target=write_missing, args=(path, TOTAL, kill, sending))
        writer.start()
        sending.close()
        if kill % 5:  # among its commits; else while it starts, and makes or opens the file
            receiving.poll(None)
        writer.join(chance.uniform(0, 0.04))
        writer.kill()
        writer.join()
        assert writer.exitcode == -SIGKILL
        acknowledged.update(_received(receiving))
        receiving.close()
        if path.exists():
            _check(path, acknowledged)
    assert TOTAL > len(acknowledged) > KILLS
    receiving, sending = processes.Pipe(duplex=False)
    writer = processes.Process(target=write_missing, args=(path, TOTAL, 0, sending))
    writer.start()
    sending.close()
    acknowledged.update(_received(receiving))
    receiving.close()
    writer.join()
    assert acknowledged <= set(range(TOTAL))
    with open_ledger(path) as ledger, open_ledger(tmp_path / "calm.db") as calm:
        calm.append(item for number in range(TOTAL) for item in (make_call(number), make_verdict(number)))
        assert list(ledger.verdicts()) == list(calm.verdicts())
        assert ledger.kinds() == calm.kinds() == {"call": TOTAL, "verdict": TOTAL}


def _check(path: Path, acknowledged: set[int]) -> None:
    """A ledger as a killed writer left it holds every acknowledged row once, and verifies."""
    with open_ledger(path) as ledger:
        assert verify(ledger).fault is None
    raw = sqlite3.connect(path)
    present = [int(key, 16) for (key,) in raw.execute("SELECT key FROM entry WHERE kind = 'verdict'")]
    assert len(present) == len(set(present))
    assert acknowledged <= set(present)
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    raw.close()


def test_two_writers_share_a_ledger(path: Path, processes: multiprocessing.context.ForkServerContext) -> None:
    """Two processes that write overlapping verdicts at once give one unbroken chain with each verdict once."""
    pipes = [processes.Pipe(duplex=False) for _ in range(2)]
    writers = [
        processes.Process(target=write_range, args=(path, numbers, sending))
        for numbers, (_, sending) in zip((range(200), range(100, 300)), pipes, strict=True)
    ]
    for writer in writers:  # both also race to make the file
        writer.start()
    for _, sending in pipes:
        sending.close()
    written = [receiving.recv() for receiving, _ in pipes]
    for writer in writers:
        writer.join()
    with open_ledger(path, create=False) as ledger:
        assert sum(written) == 300
        assert ledger.kinds() == {"verdict": 300}
        assert [verdict.verdict_id for verdict in ledger.verdicts()] == [f"{number:08x}" for number in range(300)]
        assert verify(ledger).ok
