"""Verdicts per second and client processor time, beside instructor + litellm as shipped, the ideal, bare aiohttp and Scout.

Every client asks the same server (a process of its own, on loopback) the same prompts with the same answer schema. The
ideal is calls x latency / concurrency, from the start to the last verdict on disk: getting the first wave on its way and
verifying the last one are no part of it, so that nobody reaches it. Clients and server share the machine's processors, and
`load` is what else ran there: CPU ms bear that better than verdicts per second do. Rounds of the clients take turns, so
that a busy moment of the machine doesn't hit one of them alone; the medians are printed. Inspect Scout asks the same server
about transcripts of the same size, with one yes-or-no question instead of a rubric, in an environment of its own
(`benchmarks.peers`) and in the first cell alone, since its processor time does not depend on latency.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from benchmarks.peers import INSPECT, SCOUT, peer_python
from tests.servers.launch import Running, start_server


class Cell(NamedTuple):
    """One set of conditions."""

    concurrency: int
    latency_s: float


CELLS = (Cell(64, 0.0), Cell(256, 0.0), Cell(64, 0.5), Cell(256, 0.5), Cell(256, 5.0))
WAVES = 8  # where there is latency: what the beginning and the end take weighs an eighth of what it does in one
SCOUT_CALLS = 64
OPENAI = "openai==3.54.0"  # without which Scout cannot speak to a server of this form
# What is printed for each client, and how many calls per round are enough for a steady figure.
CLIENTS = {
    "floor": ("aiohttp + orjson", 1024),
    "bare": ("instructor + litellm as shipped", 256),
    "litellm": ("judge.grade, litellm lane", 256),
    "direct": ("judge.grade, direct lane", 1024),
}


@dataclass
class Worker:
    """A client's process."""

    child: subprocess.Popen[bytes]

    def run(self, calls: int, concurrency: int) -> dict[str, Any]:
        """Make the calls; wall and processor seconds."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(orjson.dumps({"calls": calls, "concurrency": concurrency}) + b"\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"the client ended with {self.child.wait()}")
        said: dict[str, Any] = orjson.loads(line)
        return said


@contextmanager
def worker(name: str, base_url: str, chars: int) -> Iterator[Worker]:
    """Start a client, ready to make calls."""
    command = [sys.executable, "-m", "benchmarks._clients", name, base_url, str(chars)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ}) as child:
        yield Worker(child)
        assert child.stdin is not None
        child.stdin.close()


def calls_for(name: str, cell: Cell) -> int:
    """Return how many calls a round makes: whole waves where there is latency."""
    return WAVES * cell.concurrency if cell.latency_s else CLIENTS[name][1]


def scout(server: Running, cell: Cell, chars: int) -> dict[str, Any] | None:
    """Return what Inspect Scout needs for the same, None (and the reason printed) where it cannot be had."""
    python = peer_python(INSPECT, SCOUT, OPENAI)
    if python is None:
        return None
    litellm = find_spec("litellm")
    assert litellm is not None
    assert litellm.origin is not None
    # Scout counts tokens with tiktoken, which would download what litellm carries.
    encodings = Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"
    command = [str(python), str(Path(__file__).with_name("_grading_peer.py")), server.base_url]
    command += [str(SCOUT_CALLS), str(chars), str(cell.concurrency)]
    server.reset(latency_s=cell.latency_s, answer="It stands in the text.\n\nANSWER: yes")
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(encodings)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)
    said: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"valid": 0}
    if said["valid"] != SCOUT_CALLS:
        print(f"  Inspect Scout: not timed: {(done.stderr.strip().splitlines() or ['no answers'])[-1][:160]}")
        return None
    return said


def measure(server: Running, workers: dict[str, Worker], cell: Cell, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Return each client's rounds; the first one, which pays for warming up, is not among them."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, client in workers.items():
            server.reset(latency_s=cell.latency_s)
            busy = server.cpu_s()
            said = client.run(calls_for(name, cell), cell.concurrency)
            log = server.log()
            if said["valid"] != said["calls"]:
                raise RuntimeError(
                    f"{name}: {said['valid']} valid verdicts of {said['calls']}; the figures mean nothing"
                )
            said["requests"] = log["requests"]
            said["server_cpu_s"] = server.cpu_s() - busy
            seen[name].append(said)
    return seen


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chars", type=int, default=18_000, help="characters of text per transcript")
    parser.add_argument("--client", action="append", choices=list(CLIENTS))
    parser.add_argument("--cell", action="append", type=int, choices=range(len(CELLS)), help="only these, from 0")
    given = parser.parse_args(arguments or [])
    names = given.client or list(CLIENTS)
    with ExitStack() as stack:
        server = stack.enter_context(start_server(lean=True, answer="met"))
        workers = {name: stack.enter_context(worker(name, server.base_url, given.chars)) for name in names}
        for client in workers.values():
            client.run(32, 16)
        for cell in [CELLS[number] for number in given.cell or range(len(CELLS))]:
            seen = measure(server, workers, cell, given.rounds)
            _print(cell, seen)
            if cell == CELLS[0] and not given.client and (said := scout(server, cell, given.chars)):
                _print_scout(said, seen)


def _print(cell: Cell, seen: dict[str, list[dict[str, Any]]]) -> None:
    ideal = cell.concurrency / cell.latency_s if cell.latency_s else None
    limit = f", ideal {ideal:.0f}/s" if ideal else ""
    load = f", load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"\nconcurrency {cell.concurrency}, latency {cell.latency_s * 1000:.0f} ms{limit}{load}")
    columns = ("client", "verdicts/s", "of ideal", "CPU ms", "x floor", "x bare", "server ms", "peak MB", "calls")
    print(f"  {columns[0]:34}" + "".join(f"{name:>11}" for name in columns[1:]))
    cpu = {
        name: statistics.median(1000 * one["cpu_s"] / one["calls"] for one in rounds) for name, rounds in seen.items()
    }
    for name, rounds in seen.items():
        rate = statistics.median(one["calls"] / one["wall_s"] for one in rounds)
        server_ms = statistics.median(1000 * one["server_cpu_s"] / one["requests"] for one in rounds)
        figures = (
            f"{rate:.0f}",
            f"{100 * rate / ideal:.0f} %" if ideal else "-",
            f"{cpu[name]:.2f}",
            f"{cpu[name] / cpu['floor']:.1f}" if "floor" in cpu else "-",
            f"{cpu[name] / cpu['bare']:.2f}" if "bare" in cpu else "-",
            f"{server_ms:.2f}",
            f"{max(one['peak_mb'] for one in rounds):.0f}",
            str(rounds[0]["calls"]),
        )
        print(f"  {CLIENTS[name][0]:34}" + "".join(f"{figure:>11}" for figure in figures), flush=True)


def _print_scout(said: dict[str, Any], seen: dict[str, list[dict[str, Any]]]) -> None:
    each = 1000 * said["cpu_s"] / said["calls"]
    ours = statistics.median(1000 * one["cpu_s"] / one["calls"] for one in seen["direct"])
    print(
        f"  {'Inspect Scout, llm_scanner':34}{said['calls'] / said['wall_s']:>11.0f}{'-':>11}{each:>11.2f}; "
        f"the direct lane takes {ours / each:.2f} of that"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
