"""Several worker processes make what one makes, whoever is killed, within one budget."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from grading.nursery import Nursery, open_nursery
from servers.launch import Running, start_server

from .support import (
    EMBEDDED,
    SCRIPT,
    ending,
    grade_at_a_pace,
    is_alive,
    kill,
    model,
    most_within,
    open_bench,
    wait_until,
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where workers keep their rows."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def nursery(cache: Path) -> Iterator[Nursery]:
    """Everything is imported once."""
    with open_nursery(OPENAI_API_KEY="sk-none", XDG_CACHE_HOME=str(cache)) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A judge that has to be asked again about two transcripts of three."""
    with start_server(SCRIPT, latency_s=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def honest() -> Iterator[Running]:
    """A judge that is asked once."""
    with start_server(SCRIPT.with_name("honest_judge.py")) as running:
        yield running


def test_rows_are_those_of_one_process_whichever_workers_are_killed(
    tmp_path: Path, nursery: Nursery, cache: Path
) -> None:
    """Kills of workers at random moments leave the rows of a single process, each printed once."""
    bench = open_bench(tmp_path, nursery, cache, 3_000)
    assert bench.grade("alone", *EMBEDDED) == 0, bench.said("alone")
    draw = random.Random(3)
    with ending(bench.start("several", *EMBEDDED, "--processes", "3")) as driver:
        for share in (0.1, 0.3, 0.5, 0.7):
            goal = (share + draw.uniform(0, 0.15)) * 3_000
            wait_until(lambda least=goal: bench.count("several") >= least, while_alive=driver)
            pids = wait_until(bench.worker_pids, while_alive=driver)
            kill(draw.choice(pids))
        assert is_alive(driver)
        code = nursery.wait(driver)
    assert code == 0, bench.said("several")
    assert bench.rows("alone") == bench.rows("several") == bench.printed("several")
    assert bench.leftovers() == []


def test_a_driver_that_is_killed_and_started_again_loses_nothing_that_was_answered(
    tmp_path: Path, nursery: Nursery, cache: Path, server: Running
) -> None:
    """Workers and driver killed: the rows are those of a single process; twice asked is what was on its way, at most."""
    at_once, count = 6, 60
    bench = open_bench(tmp_path, nursery, cache, count)
    server.reset()
    assert bench.grade("alone", *model(server)) == 0, bench.said("alone")
    asked_alone = server.log()["requests"]
    server.reset()
    options = (*model(server), "--processes", "2", "--concurrency", str(at_once))
    with ending(bench.start("several", *options)) as driver:
        wait_until(lambda: server.log()["ok"] >= 15, while_alive=driver)
        kill(bench.worker_pids()[0])
        wait_until(lambda: server.log()["ok"] >= 40, while_alive=driver)
        assert is_alive(driver)
        kill(driver)
        assert nursery.wait(driver) == -signal.SIGKILL
    wait_until(lambda: not bench.worker_pids())
    assert bench.grade("several", *options) == 0, bench.said("several")
    assert bench.rows("alone") == bench.rows("several") == bench.printed("several")
    # One worker had half of the calls in flight, both had all of them; an answer is on disk a quarter of a second later,
    # within which five more round trips of 0.05 s may be answered.
    assert server.log()["requests"] - asked_alone <= (at_once // 2 + at_once) * (1 + 5)
    assert bench.leftovers() == []


def test_one_budget_binds_all_workers(tmp_path: Path, nursery: Nursery, cache: Path, server: Running) -> None:
    """The server never bills more than the budget, although a worker is killed with calls in flight."""
    bench = open_bench(tmp_path, nursery, cache, 60)
    server.reset()
    options = (*model(server), "--processes", "2", "--concurrency", "8", "--price", "10/10", "--budget", "0.6")
    with ending(bench.start("several", *options)) as driver:
        wait_until(lambda: server.log()["ok"] >= 4, while_alive=driver)
        kill(bench.worker_pids()[0])
        code = nursery.wait(driver)
    assert code == 4, bench.said("several")
    log = server.log()
    spent = (log["input_tokens"] + log["output_tokens"]) * 10 / 1e6
    assert 0 < spent <= 0.6
    statuses = {row["status"] for row in bench.rows("several").values()}
    assert "over_budget" in statuses


def test_one_pace_binds_all_workers(cache: Path, honest: Running) -> None:
    """A provider that allows 20 requests in 2 s is never sent more by three workers; every transcript gets its verdict."""
    assert grade_at_a_pace(honest, "here", XDG_CACHE_HOME=str(cache)) == 40
    log = honest.log()
    assert (log["requests"], log["rate_violations"]) == (40, 0)
    assert most_within(honest, 2.0) <= 20


def test_a_rejected_key_ends_the_run_as_it_does_with_one_process(
    tmp_path: Path, nursery: Nursery, cache: Path, server: Running
) -> None:
    """Exit code and message are those of a single process."""
    bench = open_bench(tmp_path, nursery, cache, 20)
    server.reset(api_key="another")
    assert bench.grade("alone", *model(server)) == 3
    assert bench.grade("several", *model(server), "--processes", "2") == 3
    assert bench.said("alone") == bench.said("several")
    assert "the key was rejected" in bench.said("several")


def test_an_interrupt_stops_all_workers_and_says_how_to_go_on(
    tmp_path: Path, nursery: Nursery, cache: Path, server: Running
) -> None:
    """Ctrl-C ends driver and workers, keeps what was answered, and the next run goes on from there."""
    bench = open_bench(tmp_path, nursery, cache, 40)
    server.reset(latency_s=0.2)
    options = (*model(server), "--processes", "2", "--concurrency", "4")
    with ending(bench.start("stopped", *options)) as driver:
        wait_until(lambda: server.log()["ok"] >= 6, while_alive=driver)
        os.kill(driver, signal.SIGINT)
        code = nursery.wait(driver)
    answered = server.log()["ok"]
    assert code == 130, bench.said("stopped")
    assert "run the same command again" in bench.said("stopped")
    assert bench.worker_pids() == bench.leftovers() == []
    # Those that were answered but for the ones just on their way back.
    assert len(bench.calls("stopped")) >= answered - 4
    server.reset()
    assert bench.grade("stopped", *options) == 0
    assert len(bench.rows("stopped")) == 40


def test_workers_that_are_lost_again_and_again_end_the_run(tmp_path: Path, nursery: Nursery, cache: Path) -> None:
    """When no worker lives long enough for a verdict, the run says so instead of trying for ever."""
    bench = open_bench(tmp_path, nursery, cache, 50)
    with ending(bench.start("lost", *EMBEDDED, "--processes", "1")) as driver:
        assert nursery.wait(driver) == 0  # one process works in the driver itself
    with ending(bench.start("lost2", *EMBEDDED, "--processes", "2")) as driver:
        while is_alive(driver):
            for pid in bench.worker_pids():
                kill(pid)
        code = nursery.wait(driver)
    if bench.rows("lost2"):  # a worker was faster than its killer
        pytest.skip("the workers could not be killed fast enough")
    assert code == 1
    assert "workers lost in a row" in bench.said("lost2")


def test_a_recording_is_made_by_one_process(tmp_path: Path, nursery: Nursery, cache: Path) -> None:
    """--record with several processes is refused before anything is asked."""
    bench = open_bench(tmp_path, nursery, cache, 1)
    assert bench.grade("tape", *EMBEDDED, "--processes", "2", "--record", str(tmp_path / "tape.jsonl")) == 2
    assert "--record" in bench.said("tape")


PANEL = """\
name: duo
members:
  - model: openai/local
    samples: 2
  - model: openai/local-b
  - model: openai/strong
    role: escalation
"""


def test_a_panel_says_the_same_however_its_votes_are_asked_for(
    tmp_path: Path, nursery: Nursery, cache: Path, server: Running
) -> None:
    """By one process, by several and in batches: the same votes and the same verdicts, each printed once."""
    bench = open_bench(tmp_path, nursery, cache, 12)
    server.reset(latency_s=0.0)
    (tmp_path / "duo.yaml").write_text(PANEL)
    options = ("--panel", str(tmp_path / "duo.yaml"), "--api-base", server.base_url)
    for name, way in {"alone": (), "several": ("--processes", "2"), "batches": ("--batch",)}.items():
        assert bench.grade(name, *options, *way) == 0, bench.said(name)
    assert len(bench.rows("alone")) >= 12 * 4  # three votes and one verdict on each
    assert bench.rows("alone") == bench.rows("several") == bench.printed("several")
    assert bench.rows("alone") == bench.rows("batches") == bench.printed("batches")


def test_a_recording_is_replayed_by_several_processes(
    tmp_path: Path, nursery: Nursery, cache: Path, honest: Running
) -> None:
    """What one process recorded, two make the verdicts of again that one makes."""
    bench = open_bench(tmp_path, nursery, cache, 12)
    tape = str(tmp_path / "tape.jsonl")
    honest.reset()
    assert bench.grade("recorded", *model(honest), "--record", tape) == 0, bench.said("recorded")
    assert bench.grade("alone", "-m", f"replay/{tape}") == 0, bench.said("alone")
    assert bench.grade("several", "-m", f"replay/{tape}", "--processes", "2") == 0, bench.said("several")
    assert bench.rows("alone") == bench.rows("several") == bench.printed("several")


@pytest.mark.parametrize(
    "options",
    [("--panel", "duo", "--together", "2"), (*EMBEDDED, "--processes", "2", "--together", "2")],
    ids=["panel", "processes"],
)
def test_several_rubrics_in_a_call_are_for_single_judges_in_one_process(
    tmp_path: Path, nursery: Nursery, cache: Path, options: tuple[str, ...]
) -> None:
    """--together with a panel or several processes is refused before anything is asked, naming what to leave out."""
    bench = open_bench(tmp_path, nursery, cache, 1)
    assert bench.grade("refused", *options) == 2
    assert "--together" in bench.said("refused")
    assert "leave out" in bench.said("refused") or "leave --together out" in bench.said("refused")
