"""Runs `judge` commands in processes that can be killed, without paying seconds of imports for each.

One process imports everything once and forks a child per command; the child is a whole `judge` run of its own. Commands
come as JSON lines: `{"argv": [...], "stdout": path, "stderr": path}` starts one and answers with its pid,
`{"wait": pid}` answers with its exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn


class Nursery:
    """The nursery as the tests use it."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def start(self, argv: list[str], stdout: Path, stderr: Path) -> int:
        """Start `judge` with these arguments; its pid."""
        for path in (stdout, stderr):  # a child that is killed at once has not emptied what an earlier one wrote
            path.write_bytes(b"")
        return int(self._ask({"argv": argv, "stdout": str(stdout), "stderr": str(stderr)}))

    def wait(self, pid: int) -> int:
        """Wait for its end; the exit code, or minus the signal."""
        return int(self._ask({"wait": pid}))

    def _ask(self, command: dict[str, Any]) -> int:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()
        answer: int = json.loads(self._child.stdout.readline())
        return answer


@contextmanager
def open_nursery(**environment: str) -> Iterator[Nursery]:
    """Start the process that forks the others."""
    tests = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-m", "grading.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests), **environment},
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it has imported everything
        yield Nursery(child)
        assert child.stdin is not None
        child.stdin.close()


def _become_judge(command: dict[str, Any]) -> NoReturn:
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(command[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["judge", *command["argv"]]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        if "wait" in command:
            answer = os.waitstatus_to_exitcode(os.waitpid(command["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                _become_judge(command)
        print(answer, flush=True)


if __name__ == "__main__":
    import aiohttp  # noqa: F401
    import openai.types.completion_usage  # noqa: F401  what instructor imports at its first call

    import judge.grading.cues
    import judge.grading.lanes.embedded
    import judge.grading.lanes.lane
    import judge.grading.run
    import judge.report.terminal
    import judge.transcripts.reading
    from judge.cli.main import main

    judge.grading.lanes.embedded.rules_sha256()
    print(0, flush=True)
    _serve()
