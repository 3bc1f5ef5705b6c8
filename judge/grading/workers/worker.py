"""The inside of a worker: turns in, rows out. How messages travel is a launcher's business."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from judge.errors import JudgeError
from judge.grading.judges import Judge
from judge.grading.lanes.opening import open_lane
from judge.grading.planning import NOTHING_YET, Turn
from judge.grading.run import Scheduler
from judge.grading.tally import Tally
from judge.grading.workers.messages import Message, Order, name_error, unpack_turn
from judge.grading.workers.permits import LeasedBudget, LeasedPaces, Line
from judge.grading.workers.spool import Spool
from judge.rubrics.model import Rubric


class Worker:
    """One worker: give it messages with `take`; it sends its own until `work` returns."""

    def __init__(self, folder: Path, name: str, send: Callable[[Message], None]) -> None:
        self._send = send
        self.spool = Spool(folder, name, send)
        self._line = Line(send)
        self._order: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._inbox: deque[Message] = deque()
        self._rubrics: tuple[Rubric, ...] = ()
        self._judges: tuple[Judge, ...] = ()
        self._ending = self._stopped = False
        self._work: asyncio.Task[None] | None = None

    def take(self, message: Message) -> None:
        """Take in one message of the driver."""
        match message:
            case ["turn", *_]:
                self._inbox.append(message)
            case ["answer", number, value, refusal]:
                self._line.answered(number, value, refusal)
            case ["kept", number]:
                self.spool.kept(number)
            case ["plan", text] if not self._order.done():
                self._order.set_result(Order.model_validate_json(text))
            case ["end"]:
                self._ending = True
            case ["stop"]:
                self.stop()
            case _:
                raise ValueError(f"no such message: {message[0]}")

    def stop(self) -> None:
        """Give up what is in the making, keep what is made."""
        self._stopped = True
        if self._work is not None:
            self._work.cancel()

    async def work(self) -> None:
        """Make verdicts until there are no more; what goes wrong is told to the driver."""
        self._work = asyncio.create_task(self._make_all())
        if self._stopped:  # before it had begun
            self._work.cancel()
        await asyncio.wait([self._work])
        if self._work.cancelled():
            self._send(["ended", {}])
        elif (error := self._work.exception()) is not None:
            self._send(_describe(error))

    async def _make_all(self) -> None:
        order = await self._order
        budget = LeasedBudget(order.limit_usd, self._line)
        async with AsyncExitStack() as stack:
            paces = LeasedPaces(order.judges, self._line)
            lanes = [open_lane(judge, budget, paces, repeats=order.repeats) for judge in order.judges]
            for _, lane in lanes:
                stack.push_async_callback(lane.close)
            self._rubrics, self._judges = order.rubrics, tuple(judge for judge, _ in lanes)
            scheduler = Scheduler(lanes, self.spool, Tally())
            async for _ in scheduler.work(self._turns(), order.concurrency):
                pass
            self._send(["ended", {judge.sha256: lane.unreachable for judge, lane in lanes if lane.unreachable}])

    def _turns(self) -> Iterator[Turn]:
        while self._inbox or not self._ending:
            if not self._inbox:
                yield NOTHING_YET
                continue
            parcel = unpack_turn(self._inbox.popleft(), self._rubrics, self._judges)
            self.spool.expect(parcel.calls)
            yield Turn([], parcel.tasks)


def _describe(error: BaseException) -> Message:
    """Name an error; one that we did not raise on purpose may quote a transcript, so only its place is told."""
    if isinstance(error, JudgeError):
        return name_error(error)
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return ["fatal", "JudgeError", f"a worker failed: {type(error).__name__}{place}; please report it"]
