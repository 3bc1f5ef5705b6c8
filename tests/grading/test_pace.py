"""The pace of requests against a clock of the test's own: limits per minute, concurrency, rests."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.errors import ProviderError
from judge.grading.lanes.pace import LocalPace, Outcome, read_ages
from judge.ledger.entry import Call
from judge.ledger.opening import open_ledger

OK = Outcome("answered", latency_s=1.0)


class Clock:
    """A clock that moves when everybody waits for it."""

    def __init__(self) -> None:
        self.time = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def now(self) -> float:
        return self.time

    def call_later(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.time + delay_s, next(self._count), act))

    async def sleep(self, delay_s: float) -> None:
        """Wait in this clock's time."""
        done = asyncio.get_running_loop().create_future()
        self.call_later(delay_s, lambda: None if done.done() else done.set_result(None))
        await done

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run until the work is done, moving on whenever nothing else can happen."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(20):  # let every task that can go on do so
                await asyncio.sleep(0)
            if task.done():
                break
            assert self._due, "everybody waits, and for nothing"
            self.time, _, act = heapq.heappop(self._due)
            act()
        return task.result()


class Provider:
    """Answers through a pace, and remembers when each request was sent and how many ran at once."""

    def __init__(self, clock: Clock, pace: LocalPace, reply: Callable[[int, int], Outcome]) -> None:
        self.clock, self.pace, self.reply = clock, pace, reply
        self.slow: Callable[[], float] | None = None  # seconds from being let in to being sent
        self.sent: list[float] = []
        self.tokens: list[int] = []
        self.running = self.most_running = 0

    async def ask(self, tokens: int = 0) -> Outcome:
        """Send one request."""
        ticket = await self.pace.enter(tokens)
        if self.slow is not None:
            await self.clock.sleep(self.slow())
        self.pace.sent(ticket)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.sent.append(self.clock.time)
        self.tokens.append(tokens)
        outcome = self.reply(len(self.sent), self.running)
        await self.clock.sleep(outcome.latency_s)
        self.running -= 1
        await self.pace.leave(ticket, outcome)
        return outcome

    async def ask_until_answered(self) -> None:
        """Send until there is an answer."""
        while (await self.ask()).status != "answered":
            pass

    def most_in(self, window_s: float) -> int:
        """Return the most requests that were sent in any window of this length, both ends included."""
        return max(sum(start <= at <= start + window_s for at in self.sent) for start in self.sent)


def simulate(
    reply: Callable[[int, int], Outcome], requests: int, *, until_answered: bool = False, **limits: Any
) -> Provider:
    """Send so many requests, all wanting to go at once."""
    clock = Clock()
    provider = Provider(clock, LocalPace(clock=clock, **limits), reply)

    async def all_of_them() -> None:
        one = provider.ask_until_answered if until_answered else provider.ask
        await asyncio.gather(*(one() for _ in range(requests)))

    asyncio.run(clock.run(all_of_them()))
    return provider


def test_without_limits_everything_goes_at_once() -> None:
    """What nobody limits does not wait."""
    assert simulate(lambda *_: OK, 300).sent == [0.0] * 300


def test_the_most_at_once_is_kept() -> None:
    """Never more on their way than allowed, and all of that while there is work."""
    provider = simulate(lambda *_: OK, 100, most=7)
    assert provider.most_running == 7
    assert provider.clock.time == pytest.approx(15.0)  # ceil(100 / 7) rounds of 1 s


@settings(max_examples=60)
@given(
    latencies=st.lists(st.floats(0.0, 90.0), min_size=1, max_size=150),
    rpm=st.integers(1, 30),
    statuses=st.lists(st.sampled_from(["answered", "limited", "failed", "unreached"]), min_size=1, max_size=20),
    lags=st.lists(st.floats(0.0, 200.0), min_size=1, max_size=9),
    ways=st.lists(st.floats(0.0, 1.99), min_size=1, max_size=9),
)
def test_no_window_ever_holds_more_than_the_limit(
    latencies: list[float], rpm: int, statuses: list[Any], lags: list[float], ways: list[float]
) -> None:
    """Whatever requests come to and how long they take to be sent, to arrive and to be answered, any 60 s of the provider's
    hold at most `rpm` of them."""

    def reply(number: int, _: int) -> Outcome:
        return Outcome(statuses[number % len(statuses)], latencies[number % len(latencies)])

    clock = Clock()
    provider = Provider(clock, LocalPace(clock=clock, rpm=rpm), reply)
    provider.slow = itertools.cycle(lags).__next__

    async def all_of_them() -> None:
        await asyncio.gather(*(provider.ask() for _ in latencies), return_exceptions=True)

    asyncio.run(clock.run(all_of_them()))
    assert provider.most_in(60.0) <= rpm
    provider.sent = [at + way for at, way in zip(provider.sent, itertools.cycle(ways), strict=False)]
    assert provider.most_in(60.0) <= rpm


def test_a_limit_per_minute_is_also_used() -> None:
    """150 requests at 60 a minute are sent in three bursts, each when the slots of the one before are free."""
    provider = simulate(lambda *_: OK, 150, rpm=60)
    assert [provider.sent.count(at) for at in (0.0, 62.0, 124.0)] == [60, 60, 30]  # 60 s, and 2 s to arrive


def test_a_request_that_nobody_said_was_sent_counts_from_its_end() -> None:
    """A worker's first request needs seconds to get out; its place is free a window after it came back, not before."""
    clock = Clock()
    pace = LocalPace(clock=clock, rpm=1)

    async def ask_twice() -> float:
        ticket = await pace.enter(0)
        await clock.sleep(30.0)
        await pace.leave(ticket, OK)
        await pace.enter(0)
        return clock.time

    assert asyncio.run(clock.run(ask_twice())) == 30.0 + 62.0


def test_requests_of_a_run_before_count_too() -> None:
    """Started again within a minute, only what is left of the limit is sent before the old slots are free."""
    provider = simulate(lambda *_: OK, 10, rpm=10, ages_s=[50.0, 20.0, 20.0, 500.0])
    assert sorted(provider.sent) == [0.0] * 7 + [12.0] + [42.0] * 2


def test_tokens_are_reserved_and_given_back() -> None:
    """Requests wait for room at their most; what they did not use is room again at once."""
    clock = Clock()
    pace = LocalPace(clock=clock, tpm=1000)
    provider = Provider(clock, pace, lambda *_: Outcome("answered", 1.0, tokens=100))

    async def ask_five() -> None:
        await asyncio.gather(*(provider.ask(400) for _ in range(5)))

    asyncio.run(clock.run(ask_five()))
    # 400 + 400 fit; after 1 s both are 100, so 400 + 400 fit beside 200; the fifth finds 400 used a second later.
    assert provider.sent == [0.0, 0.0, 1.0, 1.0, 2.0]


def test_a_request_larger_than_the_limit_goes_alone() -> None:
    """One that never fits is sent once the window is empty, rather than never."""
    clock = Clock()
    provider = Provider(clock, LocalPace(clock=clock, tpm=100), lambda *_: OK)

    async def ask_two() -> None:
        await asyncio.gather(provider.ask(50), provider.ask(5000))

    asyncio.run(clock.run(ask_two()))
    assert provider.sent == [0.0, 62.0]


def test_retry_after_stops_everybody() -> None:
    """After one was told to come back in 20 s, nobody is sent before that."""
    provider = simulate(
        lambda number, _: Outcome("limited", 1.0, hold_s=20.0) if number == 1 else OK, 12, until_answered=True, most=4
    )
    assert sum(at < 21.0 for at in provider.sent) == 4  # those that were on their way already
    assert min(at for at in provider.sent if at > 0) == 21.0


def test_what_the_provider_says_is_left_is_not_overdrawn() -> None:
    """With 500 tokens left for 30 s, a request for 600 waits and one for 400 does not."""
    clock = Clock()
    pace = LocalPace(clock=clock)
    said = Outcome("answered", 0.0, tokens_left=500, tokens_reset_s=30.0)
    provider = Provider(clock, pace, lambda number, _: said if number == 1 else OK)

    async def ask_three() -> None:
        await provider.ask()
        await provider.ask(400)
        await provider.ask(600)

    asyncio.run(clock.run(ask_three()))
    assert provider.sent == [0.0, 0.0, 30.0]


def test_concurrency_finds_what_a_provider_takes() -> None:
    """A provider that takes 20 at once is soon asked 20 at once, give or take, and most requests succeed."""

    def reply(_: int, running: int) -> Outcome:
        return OK if running <= 20 else Outcome("limited", 0.1)

    provider = simulate(reply, 3000, until_answered=True, most=200)
    refused = len(provider.sent) - 3000
    assert refused < 600  # 180 of them in the first wave, before anything was known
    # at 20 a second the work takes 150 s; additive growth and cuts cost at most a third of that again
    assert provider.clock.time < 200


def test_growing_latency_is_eased() -> None:
    """Answers that take four times as long bring concurrency down by a tenth, and it comes back when they don't."""
    clock = Clock()
    pace = LocalPace(clock=clock, most=32)
    latency_s = 1.0
    provider = Provider(clock, pace, lambda *_: Outcome("answered", latency_s))

    async def waves() -> list[float]:
        nonlocal latency_s
        seen = []
        for seconds in (1.0, 4.0, 1.0):
            latency_s = seconds
            await asyncio.gather(*(provider.ask() for _ in range(96)))
            seen.append(pace.concurrency)
        return seen

    first, second, third = asyncio.run(clock.run(waves()))
    assert first == 32
    assert 16 <= second < 32
    assert third > second


def test_a_provider_that_is_down_is_probed_and_recovered_from() -> None:
    """While it fails, one request at a time at growing intervals; when it is back, many again."""
    clock = Clock()
    pace = LocalPace(clock=clock, most=50)

    called_down = []

    def reply(_: int, __: int) -> Outcome:
        called_down.append((clock.time, pace.down))
        return Outcome("failed", 0.1) if 10 <= clock.time < 40 else OK

    provider = Provider(clock, pace, reply)

    async def all_of_them() -> None:
        await asyncio.gather(*(provider.ask_until_answered() for _ in range(1500)))

    asyncio.run(clock.run(all_of_them()))
    assert all(is_down for at, is_down in called_down if 11 <= at < 40)
    assert not any(is_down for at, is_down in called_down if at < 10)
    assert not pace.down
    down = [at for at in provider.sent if 11 <= at < 40]
    assert 3 <= len(down) <= 8  # rests of 0.5, 1, 2, 4, 8, 16 s
    assert all(later > earlier for earlier, later in itertools.pairwise(down))
    # 500 were done before; what is left needs 20 s at 50 at once, and starts at 35 at once
    assert clock.time < 40 + 16 + 30


def test_a_provider_that_stays_down_ends_the_run() -> None:
    """After some ten minutes of probes, everybody is told."""
    clock = Clock()
    pace = LocalPace(clock=clock, most=4)
    provider = Provider(clock, pace, lambda number, _: OK if number == 1 else Outcome("unreached", 0.1))

    async def all_of_them() -> list[Any]:
        return list(await asyncio.gather(*(provider.ask_until_answered() for _ in range(9)), return_exceptions=True))

    ended = asyncio.run(clock.run(all_of_them()))
    assert [type(one) for one in ended].count(ProviderError) == 8
    assert 300 < clock.time < 1200


def test_a_caller_that_is_stopped_takes_no_place() -> None:
    """Cancelled while it waits or just as it is let in, a request leaves its place to the next."""
    clock = Clock()
    pace = LocalPace(clock=clock, most=1)

    async def stop_some() -> int:
        ticket = await pace.enter(0)
        waiting = [asyncio.ensure_future(pace.enter(0)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await pace.leave(ticket, OK)  # lets the second in, whose caller is stopped before it knows
        waiting[1].cancel()
        return await waiting[2]

    assert asyncio.run(clock.run(stop_some())) == 3


def test_the_calls_of_the_last_minute_are_found_in_a_ledger(tmp_path: Path) -> None:
    """A call counts from when it was sent, which is its latency before it was written down; old ones do not count."""

    def call(number: int, seconds_ago: float, latency_s: float) -> Call:
        at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
        return Call(key=f"v{number}/0", verdict_id=f"v{number}", created_at=at, latency_s=latency_s)

    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.append([call(1, 500.0, 1.0), call(2, 59.0, 30.0), call(3, 20.0, 5.0), call(4, 1.0, 0.0)])
        assert sorted(read_ages(ledger)) == [pytest.approx(1.0, abs=0.9), pytest.approx(25.0, abs=0.9)]
