"""Time other people's readers: run by the interpreter that has them, prints seconds and counts as JSON. Knows no `judge`."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable


def inspect_log(path: str) -> int:
    """Inspect's own reader of logs."""
    from inspect_ai.log import read_eval_log  # type: ignore[import-not-found]

    return len(read_eval_log(path).samples or [])


def scout_session(path: str) -> int:
    """Inspect Scout's source for Claude Code sessions."""
    from inspect_scout.sources import claude_code  # type: ignore[import-not-found]

    async def count() -> int:
        return sum([len(found.messages) async for found in claude_code(path)])

    return asyncio.run(count())


READERS: dict[str, Callable[[str], int]] = {"inspect": inspect_log, "scout": scout_session}


def main(name: str, path: str, repeats: int) -> None:
    """Read the file several times and report the quickest, in processor seconds; imports are not counted."""
    read = READERS[name]
    found, best = 0, float("inf")
    for _ in range(repeats):
        gc.collect()
        began = time.process_time()
        found = read(path)
        best = min(best, time.process_time() - began)
    print(json.dumps({"seconds": best, "found": found}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
