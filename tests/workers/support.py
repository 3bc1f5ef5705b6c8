"""Runs of `judge grade` on several workers, to be disturbed, and compared with what one process makes of the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from grading.nursery import Nursery
from grading.support import make_transcripts
from judge.ledger.entry import CALL, Call
from judge.ledger.opening import open_ledger
from judge.ledger.verifying import verify
from judge.rubrics.loading import find_rubric
from judge.transcripts.canonical import write
from servers.launch import Running

# What a clock says of a run, and nothing else, may differ between a run and its repetition.
OF_THE_CLOCK = {"created_at", "latency_s"}
PATIENCE_S = 300.0  # only against waiting for ever: on a busy machine a cluster's worker takes a minute to start
EMBEDDED = ("-m", "baseline/cues")
SCRIPT = Path(__file__).parents[1] / "grading" / "wavering_judge.py"


class Bench(NamedTuple):
    """A folder with transcripts and a rubric, the process that starts commands, and where workers keep their rows."""

    folder: Path
    nursery: Nursery
    cache: Path

    def start(self, ledger: str, *options: str) -> int:
        """Start `judge grade` on the ledger of that name; its pid."""
        argv = ["grade", str(self.folder / "transcripts.jsonl"), "-r", str(self.folder / "pressure.yaml"), "--json"]
        argv += ["--quiet", "--ledger", str(self.folder / f"{ledger}.db"), *options]
        return self.nursery.start(argv, self.folder / f"{ledger}.jsonl", self.folder / f"{ledger}.err")

    def grade(self, ledger: str, *options: str) -> int:
        """Run `judge grade` to its end; the exit code."""
        return self.nursery.wait(self.start(ledger, *options))

    def said(self, ledger: str) -> str:
        """Return what the last command on this ledger said on stderr."""
        return (self.folder / f"{ledger}.err").read_text()

    def printed(self, ledger: str) -> dict[str, dict[str, Any]]:
        """Return the rows that the last command on this ledger printed, by verdict id, without what the clock said."""
        lines = (self.folder / f"{ledger}.jsonl").read_bytes().split(b"\n")[:-1]
        rows = [orjson.loads(line) for line in lines]
        assert len({row["verdict_id"] for row in rows}) == len(rows)
        return {row["verdict_id"]: timeless(row) for row in rows}

    def rows(self, ledger: str) -> dict[str, dict[str, Any]]:
        """Return the rows of a ledger likewise; its chain must verify, and no verdict may stand twice."""
        with open_ledger(self.folder / f"{ledger}.db") as book:
            assert verify(book).ok
            rows = [verdict.model_dump(mode="json") for verdict in book.verdicts()]
            assert book.kinds().get("verdict", 0) == len(rows)
        return {row["verdict_id"]: timeless(row) for row in rows}

    def count(self, ledger: str) -> int:
        """Return how many verdicts a ledger holds by now."""
        path = self.folder / f"{ledger}.db"
        if not path.exists() or not path.stat().st_size:
            return 0
        with open_ledger(path, read_only=True) as book:
            return sum(book.counts().values())

    def calls(self, ledger: str) -> list[Call]:
        """Return the calls of a ledger."""
        with open_ledger(self.folder / f"{ledger}.db") as book:
            return [Call.model_validate_json(row.body) for row in book.rows(kind=CALL)]

    def worker_pids(self) -> list[int]:
        """Return the processes of all workers that live."""
        names = [path.name.split(".")[0] for path in self.cache.glob("judge/spool/*/*/*.spool")]
        return sorted({pid for name in names if is_alive(pid := int(name.rpartition("-")[2]))})

    def leftovers(self) -> list[Path]:
        """Return the files of rows that lie about."""
        return list(self.cache.glob("judge/spool/*/*/*.spool"))


def open_bench(folder: Path, nursery: Nursery, cache: Path, count: int) -> Bench:
    """Write so many transcripts and a rubric."""
    with (folder / "transcripts.jsonl").open("wb") as stream:
        write(make_transcripts(count), stream)
    (folder / "pressure.yaml").write_bytes(find_rubric("coercive-leverage").read_bytes())
    return Bench(folder, nursery, cache)


def model(server: Running) -> tuple[str, ...]:
    """Return the options that name the server as the judge."""
    return ("-m", "openai/local", "--api-base", server.base_url)


def grade_at_a_pace(server: Running, where: str, **environment: str) -> int:
    """Grade 40 transcripts on workers, `here` or on the cluster of that address; how many verdicts were ok.

    The server allows 20 requests in 2 s and counts those beyond.
    """
    server.reset(rpm=20, rpm_window_s=2.0)
    command = [sys.executable, "-m", "workers.paced", server.base_url, "20", "2.0", "40", where]
    tests = str(Path(__file__).parents[1])
    here = {**os.environ, **environment, "PYTHONPATH": tests}
    done = subprocess.run(command, env=here, stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def most_within(server: Running, window_s: float) -> int:
    """Return the most requests that the server's log has in any window of so many seconds."""
    times = sorted(request[0] for request in server.log(requests=True)["sequence"])
    return max(sum(start <= time < start + window_s for time in times) for start in times)


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what depends on when it was made."""
    return {name: value for name, value in row.items() if name not in OF_THE_CLOCK}


def is_alive(pid: int) -> bool:
    """Whether a process runs (a dead one that nobody has waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may go between the opening and the reading
        return False


def kill(pid: int) -> None:
    """Kill a process, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(what: Callable[[], Any], *, while_alive: int | None = None) -> Any:
    """Wait for something to become true and return it; stop when the process `while_alive` ends, or after a long time."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        if while_alive is not None and not is_alive(while_alive):
            return found
        time.sleep(0.01)
    return found


@contextmanager
def ending(pid: int) -> Iterator[int]:
    """Make sure that a process is gone afterwards, whatever happens."""
    try:
        yield pid
    finally:
        kill(pid)
