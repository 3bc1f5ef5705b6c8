"""A Ray cluster makes what one process makes, whoever is killed. The cluster is of several nodes on this machine."""

from __future__ import annotations

import importlib.util
import random
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from grading.nursery import Nursery, open_nursery
from servers.launch import Running, start_server

from .ray_cluster import Nodes, start_cluster
from .support import (
    EMBEDDED,
    SCRIPT,
    Bench,
    ending,
    grade_at_a_pace,
    is_alive,
    kill,
    model,
    most_within,
    open_bench,
    wait_until,
)

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `cluster` is not installed")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cluster that asks for its token, and where its workers keep their rows."""
    return {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "OPENAI_API_KEY": "sk-none",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(20),
    }


@pytest.fixture(scope="module")
def nodes(environment: dict[str, str]) -> Iterator[Nodes]:
    """The cluster."""
    with start_cluster(**environment) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(nodes: Nodes) -> tuple[str, ...]:
    """The options that name the cluster."""
    return "--cluster", nodes.address


@pytest.fixture(scope="module")
def nursery(environment: dict[str, str]) -> Iterator[Nursery]:
    """Everything but Ray is imported once."""
    with open_nursery(**environment) as running:
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


@pytest.fixture
def bench(tmp_path: Path, nursery: Nursery, environment: dict[str, str]) -> Bench:
    """Transcripts of which a few are enough."""
    return open_bench(tmp_path, nursery, Path(environment["XDG_CACHE_HOME"]), 60)


def test_rows_are_those_of_one_process_whichever_workers_are_killed(
    tmp_path: Path, bench: Bench, cluster: tuple[str, ...]
) -> None:
    """Kills of workers at random moments leave the rows of a single process, and nothing but rows on stdout."""
    bench = open_bench(tmp_path, bench.nursery, bench.cache, 2_000)
    assert bench.grade("alone", *EMBEDDED) == 0, bench.said("alone")
    draw = random.Random(5)
    with ending(bench.start("several", *EMBEDDED, *cluster, "--processes", "3")) as driver:
        for share in (0.2, 0.6):
            goal = (share + draw.uniform(0, 0.2)) * 2_000
            wait_until(lambda least=goal: bench.count("several") >= least, while_alive=driver)
            kill(draw.choice(wait_until(bench.worker_pids, while_alive=driver)))
        assert is_alive(driver)
        code = bench.nursery.wait(driver)
    assert code == 0, bench.said("several")
    assert bench.rows("alone") == bench.rows("several") == bench.printed("several")


def test_rows_are_those_of_one_process_though_a_whole_machine_is_lost(
    tmp_path: Path, bench: Bench, cluster: tuple[str, ...], nodes: Nodes
) -> None:
    """A node goes with all its workers in the middle of a run: others do their work again, and no row is missing or double."""
    bench = open_bench(tmp_path, bench.nursery, bench.cache, 2_000)
    assert bench.grade("alone", *EMBEDDED) == 0, bench.said("alone")
    nodes.do("add")
    with ending(bench.start("several", *EMBEDDED, *cluster, "--processes", "6")) as driver:
        wait_until(lambda: bench.count("several") >= 200, while_alive=driver)
        before = bench.worker_pids()
        nodes.do("lose")
        assert is_alive(driver)
        wait_until(lambda: not all(map(is_alive, before)), while_alive=driver)
        assert is_alive(driver)
        code = bench.nursery.wait(driver)
    assert code == 0, bench.said("several")
    assert bench.rows("alone") == bench.rows("several") == bench.printed("several")


def test_a_driver_that_is_killed_and_started_again_loses_nothing_that_was_answered(
    bench: Bench, cluster: tuple[str, ...], server: Running
) -> None:
    """The next driver takes over what the workers have, and asks again only what was on its way when they were stopped."""
    at_once = 6
    server.reset()
    assert bench.grade("alone", *model(server)) == 0, bench.said("alone")
    asked_alone = server.log()["requests"]
    server.reset()
    options = (*model(server), *cluster, "--processes", "2", "--concurrency", str(at_once))
    with ending(bench.start("several", *options)) as driver:
        wait_until(lambda: server.log()["ok"] >= 20, while_alive=driver)
        assert is_alive(driver)
        kill(driver)
        assert bench.nursery.wait(driver) == -signal.SIGKILL
    assert bench.grade("several", *options) == 0, bench.said("several")
    assert bench.rows("alone") == bench.rows("several") == bench.printed("several")
    assert server.log()["requests"] - asked_alone <= at_once
    assert bench.leftovers() == bench.worker_pids() == []


def test_one_budget_binds_all_workers(bench: Bench, cluster: tuple[str, ...], server: Running) -> None:
    """The server never bills more than the budget, although a worker is killed with calls in flight."""
    server.reset()
    options = (*model(server), *cluster, "--processes", "2", "--price", "10/10", "--budget", "0.6")
    with ending(bench.start("several", *options)) as driver:
        wait_until(lambda: server.log()["ok"] >= 4, while_alive=driver)
        kill(bench.worker_pids()[0])
        code = bench.nursery.wait(driver)
    assert code == 4, bench.said("several")
    log = server.log()
    assert 0 < (log["input_tokens"] + log["output_tokens"]) * 10 / 1e6 <= 0.6


def test_one_pace_binds_all_workers(environment: dict[str, str], cluster: tuple[str, ...], honest: Running) -> None:
    """A provider that allows 20 requests in 2 s is never sent more by three workers; every transcript gets its verdict."""
    assert grade_at_a_pace(honest, cluster[1], **environment) == 40
    log = honest.log()
    assert (log["requests"], log["rate_violations"]) == (40, 0)
    assert most_within(honest, 2.0) <= 20


@pytest.mark.parametrize("address", ["ray://127.0.0.1:9", "127.0.0.1:9"])
def test_a_cluster_that_is_not_there_is_said_so(address: str, bench: Bench) -> None:
    """A wrong address ends the run with exit code 2 before anything is read."""
    assert bench.grade("nowhere", *EMBEDDED, "--cluster", address) == 2
    assert f"--cluster '{address}'" in bench.said("nowhere")
