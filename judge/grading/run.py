"""Grade many transcripts: schedule, resume, record.

One task is one (transcript, rubric, judge, sample). A task whose verdict is in the ledger is not asked again; a call that
was paid for before the last run was killed is used before a new one is made. Tasks run concurrently up to a bound, and
nothing grows with their number: transcripts are pulled as workers become free, and rows are written in groups that are on
disk before they are reported. Tasks beyond the bound are made ready meanwhile, so that the next question goes out as soon
as there is a place for it. What goes wrong with one transcript is its status; only what makes further work pointless
(a rejected key, an unwritable ledger) stops the run. Which tasks there are is `planning`'s, how a judge is reached `opening`'s.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from judge.errors import ProviderError
from judge.frozen import Frozen
from judge.grading.budget import Budget
from judge.grading.exchange import Exchange, Lane, call_key
from judge.grading.judges import Judge, parse_judge
from judge.grading.judging import make_verdict
from judge.grading.lanes.batches import State
from judge.grading.lanes.opening import open_lane, seat
from judge.grading.lanes.pace import LocalPaces, Paces
from judge.grading.lanes.replay import Recorder
from judge.grading.planning import (
    NOTHING_YET,
    Book,
    Plan,
    Samples,
    Task,
    Turn,
    Wanted,
    draw_turns,
    only_seated,
)
from judge.grading.slots import Slots
from judge.grading.tally import Progress, Tally
from judge.ledger.entry import Call
from judge.ledger.store import REOPENED, Ledger
from judge.ledger.verdict import Status, Verdict
from judge.rubrics.loading import load_rubric
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript

GROUP_ROWS = 200
GROUP_S = 0.25
_IDLE_S = 0.01
# What may be in the making beyond what is asked at once, ready for the next place: as much again, in so many characters.
_AHEAD_CHARS = 8_000_000
# Providers cache prompt prefixes of 1,024 tokens and up; a shorter transcript gains nothing from going first.
_LEAD_CHARS = 4_000

_Making = asyncio.Task[Verdict]


class Grading(Frozen):
    """The result of a run: every verdict asked for, those found in the ledger included, in no particular order."""

    verdicts: tuple[Verdict, ...]
    found: int
    budget_reached: bool

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the verdicts as plain rows in the contract's form."""
        return [verdict.model_dump(mode="json") for verdict in self.verdicts]

    @property
    def missing(self) -> tuple[Verdict, ...]:
        """Those without a verdict, whatever the reason."""
        return tuple(verdict for verdict in self.verdicts if verdict.status != "ok")


async def grade(
    transcripts: Iterable[Transcript],
    rubrics: Iterable[Rubric | str],
    judges: Iterable[Judge | str],
    *,
    ledger: Ledger | None = None,
    samples: int = 1,
    concurrency: int = 16,
    budget_usd: float | None = None,
    retry: Sequence[Status] = REOPENED,
    record: Path | None = None,
    on_progress: Progress | None = None,
) -> Grading:
    """Grade transcripts against rubrics with judges, and return every verdict.

    Args:
        transcripts: what is graded; pulled as needed.
        rubrics: the rubrics (or their names), each asked of every transcript.
        judges: the judges (or `provider/model`), each asking every rubric.
        ledger: where verdicts are kept and looked up; without one nothing is kept.
        samples: how often each judge is asked the same question.
        concurrency: how many questions are asked at once.
        budget_usd: the most that may be spent in this run; calls in flight cannot pass it.
        retry: statuses of verdicts in the ledger that are asked again.
        record: file to which answers are appended, for `replay/FILE`.
        on_progress: called after each group of verdicts is on disk.

    Raises:
        InputError: a judge, price or recording that cannot work; nothing was spent.
        ProviderError: the provider rejects the key, the model or everything; what was done is kept.
    """
    verdicts: list[Verdict] = []
    budget = Budget(budget_usd)
    stream = run(
        transcripts,
        [load_rubric(rubric) if isinstance(rubric, str) else rubric for rubric in rubrics],
        [parse_judge(judge) if isinstance(judge, str) else judge for judge in judges],
        ledger=ledger,
        samples=samples,
        concurrency=concurrency,
        budget=budget,
        retry=retry,
        record=record,
        on_progress=on_progress,
    )
    found = 0
    async for verdict, was_found in stream:
        verdicts.append(verdict)
        found += was_found
    return Grading(verdicts=tuple(verdicts), found=found, budget_reached=budget.reached)


def grade_sync(*args: Any, **kwargs: Any) -> Grading:
    """`grade` for code without an event loop; same arguments, same result."""
    return asyncio.run(grade(*args, **kwargs))


async def run(
    transcripts: Iterable[Transcript],
    rubrics: Iterable[Rubric],
    judges: Iterable[Judge],
    *,
    budget: Budget,
    ledger: Ledger | None = None,
    samples: Samples = 1,
    concurrency: int = 16,
    retry: Sequence[Status] = REOPENED,
    record: Path | None = None,
    on_progress: Progress | None = None,
    paces: Paces | None = None,
    together: int = 1,
    wanted: Wanted | None = None,
) -> AsyncIterator[tuple[Verdict, bool]]:
    """Yield each verdict once it is on disk, and whether it was there before.

    Arguments and errors as for `grade`; `paces` say how fast each provider is asked, by default without limits per minute,
    and `together` how many rubrics share a call. `wanted` is told of each verdict that was there before, and says whether it
    is to be read and yielded: reading 100,000 of them takes seconds.
    """
    async with AsyncExitStack() as stack:
        rubrics, paces = tuple(rubrics), paces or LocalPaces()
        repeats = len(rubrics) > 1 or samples != 1
        tally = Tally()

        def note_batch(batch: str, state: State) -> None:
            tally.note_batch(batch, state.status, state.answered)
            if on_progress is not None:
                on_progress(tally)

        seats = [one for judge in judges for one in seat(judge, rubrics, together)]
        lanes = [
            open_lane(judge, budget, paces, repeats=repeats, shelf=ledger, on_batch=note_batch, rubrics=own)
            for judge, own in seats
        ]
        for _, lane in lanes:
            stack.push_async_callback(lane.close)
        if together > 1:
            samples = only_seated(samples, {(judge.sha256, rubric.sha256) for judge, own in seats for rubric in own})
        plan = Plan(rubrics, tuple(judge for judge, _ in lanes), samples)
        recorder = stack.enter_context(Recorder(record)) if record else None
        scheduler = Scheduler(lanes, ledger, tally, recorder=recorder, retry=retry, on_progress=on_progress)
        turns = draw_turns(plan, transcripts, book=ledger, retry=retry, tally=tally, wanted=wanted)
        async for item in scheduler.work(turns, concurrency):
            yield item
        for judge, lane in lanes:
            if lane.unreachable:
                raise ProviderError(
                    f"{judge.model}: {lane.unreachable}, every time; check the address and the network, then run the same "
                    "command again to go on"
                )


class Scheduler:
    """Makes the verdicts that it is given turns for, each through its judge's lane, and writes what they come to."""

    def __init__(
        self,
        lanes: Iterable[tuple[Judge, Lane]],
        book: Book | None,
        tally: Tally,
        *,
        recorder: Recorder | None = None,
        retry: Sequence[Status] = REOPENED,
        on_progress: Progress | None = None,
    ) -> None:
        self._lanes = {judge.sha256: lane for judge, lane in lanes}
        self._ledger = book
        self._recorder = recorder
        self._retry = retry
        self._on_progress = on_progress
        self._secret = secrets.token_bytes(32)
        self._tally = tally
        self._running: dict[_Making, tuple[Task, list[Task]]] = {}  # what is being made, and which tasks wait for it
        self._characters = 0  # of what is being made
        self._ready: deque[Task] = deque()
        self._ended: deque[_Making] = deque()
        self._news = asyncio.Event()
        self._pending: list[Verdict | Call] = []
        self._flushed = time.monotonic()
        self._concurrency = 1
        self._slots = Slots()

    async def work(self, todo: Iterator[Turn], concurrency: int) -> AsyncIterator[tuple[Verdict, bool]]:
        """Ask up to `concurrency` questions at once, with the next ones in the making, until there are no more."""
        self._concurrency, self._slots = concurrency, Slots(concurrency)
        finished: list[Verdict] = []
        try:
            while not self._tally.all_drawn or self._ready or self._running:
                for verdict in self._fill(todo):
                    yield verdict, True
                if self._running:
                    await self._wait(finished)
                elif not self._tally.all_drawn:
                    await asyncio.sleep(_IDLE_S)
                if self._is_due(last=self._tally.all_drawn and not self._running and not self._ready):
                    self._flush(finished)
                    for verdict in finished:
                        yield verdict, False
                    finished = []
        finally:
            for one in self._running:
                one.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            self._flush(finished)

    def _fill(self, todo: Iterator[Turn]) -> Iterator[Verdict]:
        """Start tasks until enough are running, and yield the verdicts that are met on the way."""
        while self._has_room():
            if self._ready:
                self._start(self._ready.popleft())
            elif (turn := next(todo, None)) is None:
                self._tally.all_drawn = True
                break
            elif turn is NOTHING_YET:
                break
            else:
                yield from turn.found
                if self._is_led(turn):
                    self._start(turn.tasks[0], turn.tasks[1:])
                else:
                    self._ready.extend(turn.tasks)

    def _has_room(self) -> bool:
        ahead = len(self._running) - self._concurrency
        return ahead < 0 or (self._is_ahead and ahead < self._concurrency and self._characters < _AHEAD_CHARS)

    @property
    def _is_ahead(self) -> bool:
        """Whether more may be in the making than is asked at once: every lane waits for a place before it asks."""
        return all(lane.waits_for_place for lane in self._lanes.values())

    async def _wait(self, finished: list[Verdict]) -> None:
        """Wait for some tasks, or until rows are due to be written; what waited for them is ready."""
        if not self._ended:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(GROUP_S):
                    await self._news.wait()
        failure: BaseException | None = None
        while self._ended:
            one = self._ended.popleft()
            task, waiting = self._running.pop(one)
            self._characters -= task.characters
            self._ready.extend(waiting)
            if one.exception() is None:
                finished.append(one.result())
                self._pending.append(one.result())
            failure = failure or one.exception()
        if failure is not None:
            raise failure

    def _is_led(self, turn: Turn) -> bool:
        """Whether one question goes first and the rest once it is answered, when the provider's prompt cache is warm."""
        if len(turn.tasks) < 2 or not self._lanes[turn.tasks[0].judge.sha256].caches_prefixes:
            return False
        return turn.tasks[0].characters >= _LEAD_CHARS

    def _start(self, task: Task, waiting: Sequence[Task] = ()) -> None:
        making = asyncio.create_task(self._make(task))
        making.add_done_callback(self._end)
        self._running[making] = task, list(waiting)
        self._characters += task.characters

    def _end(self, making: _Making) -> None:
        self._ended.append(making)
        self._news.set()

    async def _make(self, task: Task) -> Verdict:
        lane = self._lanes[task.judge.sha256]
        exchange = Exchange(
            verdict_id=task.verdict_id,
            transcript=task.transcript,
            rubric=task.rubric,
            judge=task.judge,
            sample=task.sample,
            secret=self._secret,
            recorded=self._recorded(task.verdict_id) if task.begun and lane.keeps_calls else deque(),
            on_call=self._pending.append if lane.keeps_calls else lambda _call: None,
            slots=self._slots,
        )
        verdict = await make_verdict(lane, exchange)
        if self._recorder is not None:
            self._recorder.write(task.judge, exchange.calls)
        return verdict

    def _recorded(self, verdict_id: str) -> deque[Call]:
        """Return the answers that an earlier run was given and that did not come to use, turn by turn."""
        recorded: deque[Call] = deque()
        while self._ledger is not None:
            call = self._ledger.call(call_key(verdict_id, len(recorded)))
            if call is None or call.status not in ("ok", "refused", "overflow"):
                break
            recorded.append(call)
        return recorded

    def _is_due(self, *, last: bool) -> bool:
        late = time.monotonic() - self._flushed >= GROUP_S
        return bool(self._pending) and (last or late or len(self._pending) >= GROUP_ROWS)

    def _flush(self, finished: Iterable[Verdict]) -> None:
        if self._ledger is not None and self._pending:
            self._ledger.append(self._pending, reopen=self._retry)
        self._pending.clear()
        self._flushed = time.monotonic()
        for verdict in finished:
            self._tally.count(verdict)
        if self._on_progress is not None:
            self._on_progress(self._tally)
