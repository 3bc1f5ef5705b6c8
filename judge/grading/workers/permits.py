"""Leave to ask, given by the driver call by call: money from one purse, one pace per provider, however many workers.

A worker asks for the most that a call can cost before it sends it, and accounts for it afterwards. What a lost worker was
given leave for and did not account for counts as spent: the call may have been sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from judge.errors import ProviderError
from judge.grading.budget import Budget
from judge.grading.exchange import NoVerdict
from judge.grading.judges import Judge
from judge.grading.lanes.pace import Outcome, Pace, Paces
from judge.grading.workers.messages import Message


class Line:
    """A worker's line to the driver: questions that are answered, and statements."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._asked = 0

    async def ask(self, what: str, *arguments: Any) -> Any:
        """Ask the driver, and wait for its answer.

        Raises:
            NoVerdict: over budget.
            ProviderError: the provider is down.
        """
        self._asked += 1
        number = self._asked
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send(["ask", number, what, *arguments])
        try:
            return await self._waiting[number]
        finally:
            del self._waiting[number]

    def tell(self, what: str, *arguments: Any) -> None:
        """Tell the driver."""
        self._send(["tell", what, *arguments])

    def answered(self, number: int, value: Any, refusal: list[str] | None) -> None:
        """Pass on the driver's answer; nobody may wait for it any more."""
        place = self._waiting.get(number)
        if place is None or place.done():
            return
        if refusal is None:
            place.set_result(value)
        elif refusal[0] == "over_budget":
            place.set_exception(NoVerdict("over_budget", refusal[1]))
        else:
            place.set_exception(ProviderError(refusal[1]))


class LeasedBudget(Budget):
    """The driver's budget, as a worker sees it."""

    def __init__(self, limit_usd: float | None, line: Line) -> None:
        super().__init__(limit_usd)
        self._line = line

    async def reserve(self, at_most_usd: float | None) -> float:
        """See `Budget.reserve`."""
        if self.limit_usd is None or at_most_usd is None:
            return await super().reserve(at_most_usd)
        reserved: float = await self._line.ask("reserve", at_most_usd)
        return reserved

    async def settle(self, reserved_usd: float, cost_usd: float | None) -> None:
        """See `Budget.settle`."""
        if self.limit_usd is not None:
            self._line.tell("settle", reserved_usd, cost_usd)


class LeasedPace:
    """The driver's pace for a provider, as a worker sees it; see `judge.grading.lanes.pace.Pace`."""

    def __init__(self, judge: int, line: Line) -> None:
        self._judge = judge
        self._line = line

    async def enter(self, tokens: int) -> int:
        """See `Pace.enter`."""
        ticket: int = await self._line.ask("enter", self._judge, tokens)
        return ticket

    def sent(self, ticket: int) -> None:
        """See `Pace.sent`."""
        self._line.tell("sent", self._judge, ticket)

    async def leave(self, ticket: int, outcome: Outcome) -> None:
        """See `Pace.leave`."""
        self._line.tell("leave", self._judge, ticket, list(outcome))


class LeasedPaces:
    """The paces of a run, as a worker sees them; judges go by their place in the order."""

    def __init__(self, judges: Sequence[Judge], line: Line) -> None:
        self._judges = judges
        self._line = line

    def of(self, judge: Judge) -> Pace:
        """See `Paces.of`."""
        return LeasedPace(self._judges.index(judge), self._line)


class Grants:
    """The driver's side for one worker: what it was given leave for and has not accounted for."""

    def __init__(self, budget: Budget, judges: Sequence[Judge], paces: Callable[[], Paces]) -> None:
        self._budget = budget
        self._judges = judges
        self._paces = paces
        self._reserved: list[float] = []
        self._tickets: set[tuple[int, int]] = set()
        self._lost = False

    async def answer(self, number: int, what: str, *arguments: Any) -> Message:
        """Return the answer to a worker's question, once there is one."""
        value: float
        try:
            if what == "reserve":
                value = await self._budget.reserve(*arguments)
                self._reserved.append(value)
            else:
                judge, tokens = arguments
                value = await self._pace(judge).enter(tokens)
                self._tickets.add((judge, value))
        except NoVerdict as missing:
            return ["answer", number, None, [missing.status, missing.detail]]
        except ProviderError as error:
            return ["answer", number, None, ["fatal", str(error)]]
        if self._lost:
            await self.write_off(0.0)  # it was lost while it waited for this, so nothing was sent
        return ["answer", number, value, None]

    async def hear(self, what: str, *arguments: Any) -> None:
        """Take in what a worker says became of its leave."""
        if what == "settle":
            reserved, cost = arguments
            self._reserved.remove(reserved)
            await self._budget.settle(reserved, cost)
        elif what == "sent":
            judge, ticket = arguments
            self._pace(judge).sent(ticket)
        else:
            judge, ticket, outcome = arguments
            self._tickets.remove((judge, ticket))
            await self._pace(judge).leave(ticket, Outcome(*outcome))

    async def write_off(self, cost_usd: float | None = None) -> None:
        """The worker is lost: what it did not account for may have been spent."""
        self._lost = True
        while self._reserved:
            await self._budget.settle(self._reserved.pop(), cost_usd)
        while self._tickets:
            judge, ticket = self._tickets.pop()
            await self._pace(judge).leave(ticket, Outcome("other"))

    def _pace(self, judge: int) -> Pace:
        return self._paces().of(self._judges[judge])
