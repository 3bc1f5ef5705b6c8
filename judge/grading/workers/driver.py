"""The driver of a run on several workers: reads, hands out, gives leave, takes in, records.

Each verdict is handed out to one worker at a time. What a lost worker had in the making goes to another one, together with
the answers that are in the ledger by then, so that at most the calls that were on their way are paid for twice.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from typing import TYPE_CHECKING

import orjson

from judge.errors import InputError, JudgeError, ProviderError
from judge.grading.budget import Budget
from judge.grading.judges import Judge
from judge.grading.lanes.opening import open_lane
from judge.grading.lanes.pace import LocalPaces, Paces
from judge.grading.planning import Plan, Samples, Task, Turn, Wanted, draw_turns
from judge.grading.tally import Progress, Tally
from judge.grading.workers.launching import Channel, Launcher
from judge.grading.workers.messages import Message, Order, Row, pack_turn, read_error
from judge.grading.workers.permits import Grants
from judge.ledger.entry import CALL, VERDICT, Call, Entry, read_call, read_verdict
from judge.ledger.store import REOPENED, Ledger
from judge.ledger.verdict import Status, Verdict
from judge.rubrics.model import Rubric
from judge.text import counted
from judge.transcripts.model import Transcript

if TYPE_CHECKING:
    from collections.abc import Coroutine

# What a worker holds beyond what it has in the making, so that it never waits for the driver.
_AHEAD = 64
_AHEAD_CHARS = 8_000_000
_STOP_S = 10.0
# So many workers lost in a row, with no verdict between, are no accident.
_MOST_LOST = 6


async def run_on_workers(
    transcripts: Iterable[Transcript],
    rubrics: Iterable[Rubric],
    judges: Iterable[Judge],
    *,
    launch: Callable[[], Launcher],
    workers: int | None = None,
    budget: Budget,
    ledger: Ledger | None = None,
    samples: Samples = 1,
    concurrency: int = 16,
    retry: Sequence[Status] = REOPENED,
    on_progress: Progress | None = None,
    paces: Callable[[], Paces] = LocalPaces,
    wanted: Wanted | None = None,
) -> AsyncIterator[tuple[Verdict, bool]]:
    """Do what `judge.grading.run.run` does, on so many workers; `concurrency` is that of all of them together.

    Without a number of workers it is the launcher that says how many. `paces` is called once what earlier workers have left
    is in the ledger, so that their requests of the last minute count.

    Raises:
        InputError: a judge, price or cluster that cannot work.
        ProviderError: the provider rejects everything or was never reached; what was done is kept.
        JudgeError: workers are lost again and again.
    """
    judges = tuple(judges)
    named = [_name_judge(judge, budget) for judge in judges]
    plan = Plan(tuple(rubrics), tuple(named), samples)
    grant = partial(Grants, budget, judges, cache(paces))
    driver = _Driver(plan, launch(), ledger, grant, retry=retry, on_progress=on_progress)
    try:
        order = Order(
            rubrics=plan.rubrics,
            judges=judges,
            concurrency=concurrency,
            limit_usd=budget.limit_usd,
            repeats=len(plan.rubrics) > 1 or samples != 1,
        )
        await driver.open(order, workers)
        async for item in driver.work(transcripts, wanted):
            yield item
    finally:
        await driver.close()


def _name_judge(judge: Judge, budget: Budget) -> Judge:
    """Return in whose name a judge answers; workers look whether it can be reached."""
    if judge.via == "batch":
        raise InputError("--lane batch: batches are gathered by one process; leave out --processes and --cluster")
    return open_lane(judge, budget)[0] if judge.embedded or judge.replayed else judge


@dataclass
class _Slot:
    """A place for a worker, and what its present one holds."""

    number: int
    order: Order
    grants: Grants
    channel: Channel | None = None  # null while there is no worker here
    tasks: dict[str, Task] = field(default_factory=dict)
    characters: int = 0  # of what is asked about
    ended: bool = False

    def has_room(self) -> bool:
        if self.channel is None or self.ended:
            return False
        at_once = self.order.concurrency
        room = len(self.tasks) < at_once + max(_AHEAD, at_once)
        return room and (self.characters < _AHEAD_CHARS or len(self.tasks) < at_once)

    def hold(self, tasks: Sequence[Task]) -> None:
        """Count tasks that its worker is given."""
        for task in tasks:
            self.tasks[task.verdict_id] = task
            self.characters += task.characters

    def release(self, verdict_id: str) -> Task | None:
        """Take back a task that is done, or None for one that its worker was not given."""
        task = self.tasks.pop(verdict_id, None)
        self.characters -= 0 if task is None else task.characters
        return task

    def release_all(self) -> Iterator[list[Task]]:
        """Take back what is not done, as it was handed out."""
        tasks = [task for name in list(self.tasks) if (task := self.release(name)) is not None]
        for _, turn in groupby(tasks, key=lambda task: (task.transcript.id, task.judge.sha256)):
            yield list(turn)


class _Driver:
    def __init__(
        self,
        plan: Plan,
        launcher: Launcher,
        ledger: Ledger | None,
        grant: Callable[[], Grants],
        *,
        retry: Sequence[Status],
        on_progress: Progress | None,
    ) -> None:
        self._plan = plan
        self._launcher = launcher
        self._ledger = ledger
        self._grant = grant
        self._retry = retry
        self._on_progress = on_progress
        self._rubrics = [rubric.sha256 for rubric in plan.rubrics]
        self._judges = [judge.sha256 for judge in plan.judges]
        self._tally = Tally()
        self._slots: list[_Slot] = []
        self._again: deque[Turn] = deque()  # of lost workers
        self._finished: list[Verdict] = []
        self._failure: BaseException | None = None
        self._unreachable: dict[str, str] = {}
        self._reached: set[str] = set()
        self._lost_in_a_row = 0
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = self._closing = False

    async def open(self, order: Order, workers: int | None) -> None:
        """Take in what earlier drivers' workers left; workers are started once there is something to do."""
        ledger = self._ledger.meta["ledger_id"] if self._ledger is not None else f"none-{secrets.token_hex(8)}"
        await self._launcher.open(ledger, secrets.token_hex(8))
        self._merge(await self._launcher.recover(), found=True)
        await self._launcher.forget()
        workers = min(workers or self._launcher.room, order.concurrency)
        for number in range(workers):
            share = order.concurrency // workers + (number < order.concurrency % workers)
            self._slots.append(_Slot(number, order.model_copy(update={"concurrency": share}), self._grant()))

    async def work(
        self, transcripts: Iterable[Transcript], wanted: Wanted | None = None
    ) -> AsyncIterator[tuple[Verdict, bool]]:
        """Hand out and take in until there is nothing left."""
        if self._launcher.eager:
            await self._start_all()
        turns = draw_turns(
            self._plan, transcripts, book=self._ledger, retry=self._retry, tally=self._tally, wanted=wanted
        )
        while True:
            self._wake.clear()
            for verdict in self._hand_out(turns):
                yield verdict, True
            finished, self._finished = self._finished, []
            for verdict in finished:
                yield verdict, False
            if self._failure is not None:
                raise self._failure
            if self._tally.all_drawn and not self._again and not any(slot.tasks for slot in self._slots):
                break
            if not finished:
                await self._wake.wait()
        await self._end()

    async def _start_all(self) -> None:
        """Start all workers and wait until they are there."""
        self._start()
        while self._failure is None and any(slot.channel is None for slot in self._slots):
            self._wake.clear()
            await self._wake.wait()
        if self._failure is not None:
            raise self._failure

    def _start(self) -> None:
        self._started = True
        for slot in self._slots:
            self._spawn(self._attend(slot))

    def _hand_out(self, turns: Iterator[Turn]) -> Iterator[Verdict]:
        """Give turns to the workers that have room, those that hold least first, and yield verdicts that are there."""
        while not self._tally.all_drawn or self._again:
            slot = min((slot for slot in self._slots if slot.has_room()), key=lambda s: len(s.tasks), default=None)
            if slot is None and self._started:
                return
            if self._again:
                turn = self._again.popleft()
            elif (drawn := next(turns, None)) is None:
                self._tally.all_drawn = True
                return
            else:
                turn = drawn
                yield from turn.found
            if not turn.tasks:
                continue
            if slot is None:
                self._again.append(turn)
                self._start()
                return
            self._send_turn(slot, turn.tasks)

    def _send_turn(self, slot: _Slot, tasks: Sequence[Task]) -> None:
        assert slot.channel is not None
        calls: list[Call] = []
        judge = tasks[0].judge
        if self._ledger is not None and not judge.embedded:
            calls = [call for task in tasks for call in self._ledger.calls(task.verdict_id)]
        slot.hold(tasks)
        slot.channel.send(pack_turn(tasks, calls, self._rubrics, self._judges))

    async def _attend(self, slot: _Slot) -> None:
        """Keep a worker in this place."""
        while not self._closing:
            channel = await self._launcher.start(slot.number)
            slot.grants = self._grant()
            channel.send(["plan", slot.order.model_dump_json()])
            async for message in channel.receive():
                await self._hear(slot, channel, message)
            slot.channel = None
            await slot.grants.write_off()
            await channel.close()
            if self._is_over(slot):
                return
            self._count_loss(slot, channel)

    def _is_over(self, slot: _Slot) -> bool:
        return slot.ended or self._closing or self._failure is not None

    async def _hear(self, slot: _Slot, channel: Channel, message: Message) -> None:
        match message:
            case ["hello"]:
                # What the one before it had sent or left is in the ledger by now; the rest is done again.
                self._again.extend(Turn([], tasks) for tasks in slot.release_all())
                slot.channel = channel
            case ["rows", number, rows, found]:
                self._merge(rows, found=found, slot=slot)
                channel.send(["kept", number])
            case ["ask", number, what, *arguments]:
                self._spawn(self._answer(slot.grants, channel, number, what, arguments))
            case ["tell", what, *arguments]:
                await slot.grants.hear(what, *arguments)
            case ["fatal", *_]:
                self._fail(read_error(message))
                slot.ended = True
            case ["ended", unreachable]:
                self._unreachable |= unreachable
                slot.ended = True
            case _:
                raise ValueError(f"no such message: {message[0]}")
        self._wake.set()

    async def _answer(self, grants: Grants, channel: Channel, number: int, what: str, arguments: list[object]) -> None:
        channel.send(await grants.answer(number, what, *arguments))

    def _count_loss(self, slot: _Slot, channel: Channel) -> None:
        self._lost_in_a_row += 1
        if self._lost_in_a_row > max(_MOST_LOST, 2 * len(self._slots)):
            names = ", ".join(sorted({task.transcript.id for task in slot.tasks.values()})[:5])
            during = f" while it had {names}" if names else ""
            raise JudgeError(
                f"{counted(self._lost_in_a_row, 'worker')} lost in a row, the last{during}: {channel.last_words}; "
                "what was done is kept, run the same command again to go on"
            )

    def _merge(self, rows: Sequence[Row], *, found: bool, slot: _Slot | None = None) -> None:
        """Put rows into the ledger; those that were found somewhere may be there already."""
        items: list[Verdict | Call | Entry] = []
        verdicts: list[Verdict] = []
        for row in rows:
            if found and self._is_kept(row):
                continue
            item = _read_row(row)
            items.append(item)
            if isinstance(item, Verdict):
                verdicts.append(item)
        if items and self._ledger is not None:
            self._ledger.append(items, reopen=self._retry)
        for verdict in verdicts:
            self._settle(verdict, slot)
        if self._on_progress is not None and items:
            self._on_progress(self._tally)

    def _settle(self, verdict: Verdict, slot: _Slot | None) -> None:
        task = slot.release(verdict.verdict_id) if slot is not None else None
        if task is None:
            return
        self._lost_in_a_row = 0
        self._tally.count(verdict)
        self._finished.append(verdict)
        if verdict.status != "error":
            self._reached.add(task.judge.sha256)

    def _is_kept(self, row: Row) -> bool:
        if self._ledger is None:
            return False
        kind, key, body = row
        return any(other.body == body.encode() for other in self._ledger.rows(kind=kind, key=key))

    async def _end(self) -> None:
        """Let the workers finish, and see whether the providers were reached at all."""
        for slot in self._slots:
            if slot.channel is not None:
                slot.channel.send(["end"])
        await self._wait_for_end()
        for judge in self._plan.judges:
            if judge.sha256 in self._unreachable and judge.sha256 not in self._reached:
                raise ProviderError(
                    f"{judge.model}: {self._unreachable[judge.sha256]}, every time; check the address and the network, "
                    "then run the same command again to go on"
                )

    async def _wait_for_end(self) -> None:
        try:
            async with asyncio.timeout(_STOP_S):
                while any(slot.channel is not None and not slot.ended for slot in self._slots):
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            pass  # it is ended with the others; what it holds is on its disk

    async def close(self) -> None:
        """Stop the workers, take in what they have made, and end them."""
        self._closing = True
        for slot in self._slots:
            if slot.channel is not None and not slot.ended:
                slot.channel.send(["stop"])
        await self._wait_for_end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._launcher.close()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._look_after)

    def _look_after(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._fail(error)
        self._wake.set()

    def _fail(self, error: BaseException) -> None:
        """End the run with the first error."""
        if self._failure is None:
            self._failure = error


def _read_row(row: Row) -> Verdict | Call | Entry:
    kind, key, body = row
    if kind == VERDICT:
        return read_verdict(body, "a worker")
    if kind == CALL:
        return read_call(body, "a worker")
    return Entry(kind, key, orjson.loads(body))
