"""A run on workers whose provider allows so many requests per short window; a program, as Ray's threads need a process.

Arguments: the server's address, requests per window, the window in seconds, how many transcripts, and a cluster's address or
`here`. Prints how many verdicts there were.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial

from grading.support import RUBRIC, make_transcripts
from judge.grading.budget import Budget
from judge.grading.judges import Judge
from judge.grading.lanes.pace import LocalPace, Pace
from judge.grading.workers.cluster import ClusterLauncher
from judge.grading.workers.driver import run_on_workers
from judge.grading.workers.launching import Launcher
from judge.grading.workers.local import LocalLauncher


class Paces:
    """One pace, of a window shorter than a minute."""

    def __init__(self, rpm: int, window_s: float) -> None:
        self._pace = LocalPace(rpm=rpm, window_s=window_s)

    def of(self, judge: Judge) -> Pace:
        """See `judge.grading.lanes.pace.Paces.of`."""
        assert judge.model == "openai/local"
        return self._pace


async def grade(base_url: str, paces: Paces, count: int, launch: Callable[[], Launcher]) -> int:
    """Grade transcripts on three workers; how many verdicts were ok."""
    judge = Judge(model="openai/local", api_base=base_url)
    stream = run_on_workers(
        make_transcripts(count),
        [RUBRIC],
        [judge],
        launch=launch,
        workers=3,
        budget=Budget(),
        concurrency=24,
        paces=lambda: paces,
    )
    return sum([verdict.status == "ok" async for verdict, _ in stream])


def main() -> None:
    """Run it."""
    base_url, rpm, window_s, count, where = sys.argv[1:]
    launch = LocalLauncher if where == "here" else partial(ClusterLauncher, where)
    print(asyncio.run(grade(base_url, Paces(int(rpm), float(window_s)), int(count), launch)))


if __name__ == "__main__":
    main()
