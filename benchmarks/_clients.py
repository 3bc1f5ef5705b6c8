"""The clients that the grading benchmark compares, each in a process of its own: `python -m benchmarks._clients NAME`.

Reads one JSON command per line (`concurrency`, `calls`), makes the calls, and prints wall and processor seconds. What a
client needs once (imports, rendered prompts) is ready before the clock starts, except for `judge`, which is timed whole:
read from a file, render, ask, verify, decide, record.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

# Before litellm is imported: no network at import, no `.env` of whoever runs this.
os.environ.update(
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS="True",
    LITELLM_MODE="PRODUCTION",
    HF_HUB_OFFLINE="1",
)

import orjson

from benchmarks._material import make_transcript
from judge.grading.answer import Answer
from judge.grading.cycles import look_less_often
from judge.grading.judges import Judge
from judge.grading.prompt import draw_boundary, render_prompt
from judge.rubrics.loading import load_rubric
from judge.transcripts.canonical import write
from judge.transcripts.model import Transcript
from judge.transcripts.reading import iter_transcripts

# Makes calls for these transcripts, that many at once, and returns how many gave a valid answer.
Client = Callable[[list[Transcript], int], Awaitable[int]]
RUBRIC = "coercive-leverage"


async def pooled(count: int, concurrency: int, one: Callable[[int], Awaitable[None]]) -> None:
    """Await `one(0)` ... `one(count - 1)`, at most `concurrency` of them at once."""
    numbers: Iterator[int] = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await one(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, count)):
            group.create_task(work())


def prompts(transcripts: list[Transcript]) -> list[list[dict[str, str]]]:
    """Render what `judge` would send for each."""
    rubric = load_rubric(RUBRIC)
    secret = os.urandom(16)
    return [render_prompt(one, rubric, draw_boundary(secret, one)).messages() for one in transcripts]


def floor(base_url: str) -> Client:
    """Bare aiohttp and orjson, and pydantic for the answer: what no client in Python gets below."""
    import aiohttp

    schema = Answer.model_json_schema()
    response_format = {"type": "json_schema", "json_schema": {"name": "Answer", "schema": schema, "strict": True}}

    async def run(transcripts: list[Transcript], concurrency: int) -> int:
        messages = prompts(transcripts)
        timing.start()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one(number: int) -> None:
                body = {"model": "local", "messages": messages[number], "response_format": response_format}
                headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
                async with session.post(
                    f"{base_url}/chat/completions", data=orjson.dumps(body), headers=headers
                ) as reply:
                    completion = orjson.loads(await reply.read())
                Answer.model_validate_json(completion["choices"][0]["message"]["content"])

            await pooled(len(transcripts), concurrency, one)
        timing.stop()
        return len(transcripts)

    return run


def bare(base_url: str) -> Client:
    """Instructor over litellm as shipped, in a loop: what a user would write first."""
    import instructor
    import litellm

    client = instructor.from_litellm(litellm.acompletion)

    async def run(transcripts: list[Transcript], concurrency: int) -> int:
        messages = prompts(transcripts)
        timing.start()

        async def one(number: int) -> None:
            await client.chat.completions.create(
                model="openai/local",
                api_base=base_url,
                api_key="none",
                messages=messages[number],
                response_model=Answer,
            )

        await pooled(len(transcripts), concurrency, one)
        timing.stop()
        return len(transcripts)

    return run


def litellm_lane(base_url: str) -> Client:
    """`judge.grade` through litellm, everything from a file to the ledger."""
    return _graded(Judge(model="openai/local", api_base=base_url, via="litellm"))


def direct_lane(base_url: str) -> Client:
    """`judge.grade` over our own transport, everything from a file to the ledger."""
    return _graded(Judge(model="openai/local", api_base=base_url, via="direct"))


def _graded(judge: Judge) -> Client:
    os.environ["OPENAI_API_KEY"] = "none"
    from judge.grading.lanes import lane  # noqa: F401  its import is not part of what is measured
    from judge.grading.run import grade
    from judge.ledger.opening import open_ledger

    rubric = load_rubric(RUBRIC)
    look_less_often()  # as the command `judge grade` does

    async def run(transcripts: list[Transcript], concurrency: int) -> int:
        with tempfile.TemporaryDirectory() as folder, open_ledger(Path(folder) / "ledger.db") as ledger:
            source = Path(folder) / "transcripts.jsonl"
            with source.open("wb") as stream:
                write(transcripts, stream)
            transcripts.clear()  # a user's process does not hold them besides, for the collector to walk over
            timing.start()
            result = await grade(iter_transcripts([source]), [rubric], [judge], ledger=ledger, concurrency=concurrency)
            timing.stop()
        return sum(verdict.status == "ok" and verdict.positive is True for verdict in result.verdicts)

    return run


class Timing:
    """Wall and processor seconds between start and stop."""

    wall_s = 0.0
    cpu_s = 0.0

    def start(self) -> None:
        """Start the clocks."""
        self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """Stop them."""
        self.wall_s = time.perf_counter() - self._began[0]
        self.cpu_s = time.process_time() - self._began[1]


timing = Timing()
CLIENTS: dict[str, Callable[[str], Client]] = {
    "floor": floor,
    "bare": bare,
    "litellm": litellm_lane,
    "direct": direct_lane,
}


def main(name: str, base_url: str, chars: int) -> None:
    """Serve commands from stdin until it closes."""
    client = CLIENTS[name](base_url)
    made = 0

    async def serve() -> None:
        nonlocal made
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command = orjson.loads(line)
            transcripts = [make_transcript(made + n, chars) for n in range(command["calls"])]
            made += command["calls"]
            valid = await client(transcripts, command["concurrency"])
            said: dict[str, Any] = {
                "calls": command["calls"],
                "valid": valid,
                "wall_s": timing.wall_s,
                "cpu_s": timing.cpu_s,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
            print(orjson.dumps(said).decode(), flush=True)

    asyncio.run(serve())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
