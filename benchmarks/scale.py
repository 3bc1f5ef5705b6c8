"""Many short transcripts through the embedded judge: verdicts per second, memory, and how long a finished run takes to resume.

Transcripts are read from one JSONL file, as a user's are, which is written before any clock starts. Memory is steady if the
resident size after the first tenth is that of the end. The second run is the command `judge grade` itself, start and all.
Each run is a process of its own, so that nothing else is in its figures.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks._material import make_transcript
from judge.grading.budget import Budget
from judge.grading.judges import Judge
from judge.grading.run import run
from judge.ledger.opening import open_ledger
from judge.rubrics.loading import load_rubric
from judge.transcripts.canonical import write
from judge.transcripts.model import Transcript
from judge.transcripts.reading import iter_transcripts

CHARS = 600
RUBRIC, MODEL = "coercive-leverage", "baseline/cues"


def resident_mb() -> float:
    """Return this process's resident memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def grade_all(source: Path, path: Path, count: int) -> dict[str, Any]:
    """Grade `count` transcripts into the ledger; wall and processor seconds, and memory on the way."""
    early_mb = 0.0

    def transcripts() -> Iterator[Transcript]:
        nonlocal early_mb
        for number, transcript in enumerate(iter_transcripts([source])):
            if number == count // 10:
                early_mb = resident_mb()
            yield transcript

    began, cpu = time.perf_counter(), time.process_time()
    new = 0
    rubrics, judges = [load_rubric(RUBRIC)], [Judge(model=MODEL)]
    with open_ledger(path) as ledger:
        async for _, was_found in run(transcripts(), rubrics, judges, budget=Budget(), ledger=ledger):
            new += not was_found
    return {
        "new": new,
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "early_mb": early_mb,
        "late_mb": resident_mb(),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transcripts", type=int, default=10_000)
    parser.add_argument("--within", type=Path, help=argparse.SUPPRESS)  # set in the measured process
    given = parser.parse_args(arguments or [])
    if given.within:
        source, ledger = given.within / "transcripts.jsonl", given.within / "ledger.db"
        print(orjson.dumps(asyncio.run(grade_all(source, ledger, given.transcripts))).decode())
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "transcripts.jsonl").open("wb") as stream:
            write((make_transcript(number, CHARS) for number in range(given.transcripts)), stream)
        command = [sys.executable, "-m", "benchmarks.scale", "--transcripts", str(given.transcripts)]
        done = subprocess.run([*command, "--within", name], check=True, stdout=subprocess.PIPE)
        said = orjson.loads(done.stdout)
        print(
            f"  first run: {said['new']:,} new in {said['wall_s']:.1f} s: {said['new'] / said['wall_s']:,.0f}/s, "
            f"{1000 * said['cpu_s'] / said['new']:.2f} ms CPU each; "
            f"{said['early_mb']:.0f} MB after a tenth, {said['late_mb']:.0f} MB at the end",
            flush=True,
        )
        resume(folder, given.transcripts)


def resume(folder: Path, count: int) -> None:
    """Run the command again on what is finished, and print how long it took."""
    command = [sys.executable, "-m", "judge", "grade", str(folder / "transcripts.jsonl"), "-r", RUBRIC, "-m", MODEL]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--ledger", str(folder / "ledger.db")], check=True, stderr=subprocess.PIPE, text=True
    )
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if f"0 new, {count} found in the ledger" not in done.stderr:
        raise RuntimeError(f"the second run did something else than to find {count} verdicts: {done.stderr[-500:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"  judge grade again: {count:,} found in {wall_s:.1f} s, {cpu_s:.1f} s of processor time", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
