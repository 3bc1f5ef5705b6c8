"""`kill -9` at fifty moments of `judge grade`: what was reported stays, and resuming ends where nothing had happened."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from judge.ledger.entry import CALL, Call
from judge.ledger.opening import open_ledger
from judge.ledger.verifying import verify
from judge.rubrics.loading import find_rubric
from judge.transcripts.canonical import write
from servers.launch import Running, start_server

from .nursery import Nursery, open_nursery
from .support import CANARY, make_transcripts

KILLS = 25  # for each of the two judges
# What a clock says of a run, and nothing else, may differ between a run and its repetition.
OF_THE_CLOCK = {"created_at", "latency_s"}


class Campaign(NamedTuple):
    """A command, and how it is killed."""

    argv: list[str]
    folder: Path
    nursery: Nursery

    def run(self, name: str, stop: Callable[[int], None] | None = None) -> tuple[int, list[dict[str, Any]]]:
        """Run it on the ledger `name`, let `stop` end the process; the exit code and the rows that it printed whole."""
        said, complaints = self.folder / f"{name}.jsonl", self.folder / f"{name}.err"
        pid = self.nursery.start([*self.argv, "--ledger", str(self.folder / f"{name}.db")], said, complaints)
        if stop is not None:
            stop(pid)
        code = self.nursery.wait(pid)
        lines = said.read_bytes().split(b"\n")
        return code, [orjson.loads(line) for line in lines[:-1]]

    def complaints(self) -> str:
        """Return what the runs said on stderr."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.err")))

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        """Return what the ledger holds, by verdict id, without what the clock said; its chain must verify."""
        with open_ledger(self.folder / f"{name}.db") as ledger:  # killed early enough, it is an empty file
            assert verify(ledger).ok
            rows = [verdict.model_dump(mode="json") for verdict in ledger.verdicts()]
        return {row["verdict_id"]: timeless(row) for row in rows}


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what depends on when it was made."""
    return {name: value for name, value in row.items() if name not in OF_THE_CLOCK}


def differences(given: dict[str, dict[str, Any]], wanted: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what is not as wanted: fields by verdict id, or the verdict that stands on one side only."""
    return {
        key: [
            (name, given[key][name], wanted[key][name]) for name in wanted[key] if given[key][name] != wanted[key][name]
        ]
        if key in given and key in wanted
        else given.get(key, "missing")
        for key in given.keys() | wanted.keys()
        if given.get(key) != wanted.get(key)
    }


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Everything is imported once."""
    with open_nursery(OPENAI_API_KEY=CANARY) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A judge that has to be asked again about two transcripts of three."""
    with start_server(Path(__file__).with_name("wavering_judge.py"), latency_s=0.03) as running:
        yield running


def campaign(folder: Path, nursery: Nursery, count: int, *options: str) -> Campaign:
    """Write transcripts and return the command that grades them."""
    path = folder / "transcripts.jsonl"
    with path.open("wb") as stream:
        write(make_transcripts(count), stream)
    rubric = folder / "pressure.yaml"
    rubric.write_bytes(find_rubric("coercive-leverage").read_bytes())
    argv = ["grade", str(path), "-r", str(rubric), "--json", "--quiet", *options]
    return Campaign(argv, folder, nursery)


def kill_after(seconds: float) -> Callable[[int], None]:
    """Return what kills a process at that moment."""

    def kill(pid: int) -> None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)

    return kill


def kill_and_resume(one: Campaign, seed: int, server: Running | None = None) -> None:
    """Kill and resume again and again, then let it finish.

    After each kill, every row that was printed must be in the ledger as it was printed, and what was in the ledger before
    must not have been asked for again; in the end, the rows must be those of a run that was never killed.
    """
    draw = random.Random(seed)
    began = time.monotonic()
    code, whole = one.run("whole")
    elapsed_s = time.monotonic() - began
    assert code == 0, one.complaints()
    assert {row["verdict_id"]: timeless(row) for row in whole} == one.rows("whole")
    names = {row["verdict_id"]: row["transcript_id"] for row in whole}
    hits = 0
    while hits < KILLS:
        before = answered(one.folder / "killed.db", names)
        if server is not None:
            server.reset(keep=10_000)
        # A resumed run is shorter; one that ends before its kill has done its part, and the next begins from nothing.
        code, printed = one.run("killed", kill_after(draw.uniform(0, elapsed_s)))
        if server is not None:
            assert asked_first(server) & before == set()
        kept = one.rows("killed")
        assert [timeless(row) for row in printed] == [kept.get(row["verdict_id"]) for row in printed]
        if code == -signal.SIGKILL:
            hits += 1
        else:
            assert differences(kept, one.rows("whole")) == {}
            (one.folder / "killed.db").unlink()
    code, again = one.run("killed")
    assert code == 0, one.complaints()
    assert differences(one.rows("killed"), one.rows("whole")) == {}
    assert {row["verdict_id"]: timeless(row) for row in again} == one.rows("killed")


def answered(path: Path, names: dict[str, str]) -> set[str]:
    """Return the transcripts whose first question has an answer in the ledger."""
    with open_ledger(path) as ledger:
        calls = [Call.model_validate_json(row.body) for row in ledger.rows(kind=CALL)]
    return {names[call.verdict_id] for call in calls if call.turn == 0 and call.status == "ok"}


def asked_first(server: Running) -> set[str]:
    """Return the transcripts about which the server was asked the first question."""
    first = [body["messages"][-1]["content"] for body in server.requests() if len(body["messages"]) == 2]
    return {f"t{number}" for text in first for number in re.findall(r"Write to customer (\d+) about", text)}


def test_a_run_with_the_embedded_judge_survives_every_kill(tmp_path: Path, nursery: Nursery) -> None:
    """Killed at random moments and resumed, it leaves the rows of a run that was never killed."""
    kill_and_resume(campaign(tmp_path, nursery, 200, "-m", "baseline/cues"), seed=1)


def test_a_run_with_a_model_survives_every_kill(tmp_path: Path, nursery: Nursery, server: Running) -> None:
    """The same through litellm, where a verdict may take three questions; an answer that is kept is not paid for again."""
    options = ("-m", "openai/local", "--api-base", server.base_url)
    kill_and_resume(campaign(tmp_path, nursery, 40, *options), seed=2, server=server)


def test_an_interrupt_keeps_what_was_done_and_says_how_to_go_on(
    tmp_path: Path, nursery: Nursery, server: Running
) -> None:
    """Ctrl-C ends a run with its own exit code and one line; the next run goes on from there."""
    server.reset(latency_s=0.2)
    one = campaign(tmp_path, nursery, 40, "-m", "openai/local", "--api-base", server.base_url, "--concurrency", "2")

    def interrupt(pid: int) -> None:
        deadline = time.monotonic() + 60
        while server.log()["ok"] < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(pid, signal.SIGINT)

    code, printed = one.run("stopped", interrupt)
    assert code == 130, one.complaints()
    assert "run the same command again" in (tmp_path / "stopped.err").read_text()
    assert {row["verdict_id"]: timeless(row) for row in printed}.items() <= one.rows("stopped").items()
    server.reset()
    assert one.run("stopped")[0] == 0
    assert len(one.rows("stopped")) == 40
