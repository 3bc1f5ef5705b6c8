"""How fast a provider is asked: concurrency that finds its limit, its limits per minute, and rest while it is down.

A lane enters before each request and leaves after it, whatever it came to; who decides may sit in this process
(`LocalPace`) or behind another one, since what passes is plain values. One pace serves every lane of a provider, so that
re-asks, retries and several judges share its limits. What is asked, what a failure means for a verdict and money are none
of its business.

What holds:
- At most `rpm` requests are sent in any window of 60 s, `tpm` tokens likewise: a strict sliding window over everything
  that was sent, retries included, not an average. Tokens are counted at the most a request can use until it says what it
  used. A request that was let in counts until it is said to be sent, however long that takes, and from then for 62 s, since
  it is on its way for a while: only one that needs longer than 2 s from there to arrive could break the rule.
- Concurrency starts at what it may be at most. It is cut to 0.7 when the provider turns a request away (once per round
  trip; to half if the last cut did not help), shrinks by a tenth while answers take 2.5 times as long as they did (never
  below half of what it was), and grows again bit by bit.
- Retry-After, and a limit that the provider says is used up, stop everybody until then.
- After 8 failures in a row from a provider that had answered before, one request at a time is sent, at growing intervals,
  until one is answered.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from judge.errors import ProviderError
from judge.grading.judges import Judge
from judge.ledger.entry import CALL, read_call
from judge.ledger.store import Ledger

WINDOW_S = 60.0
SLACK_S = 2.0  # within this a request that was sent has arrived
MAX_HOLD_S = 60.0
TRIP_AFTER = 8
MAX_REST_S = 30.0
GIVE_UP_AFTER = 24  # attempts at a provider that is down: about ten minutes

_RECENT_ROWS = 20_000
_CUT = 0.7
_DEEP_CUT = 0.5  # where the last cut did not help
_SLOWER = 2.5
_EASE = 0.9
_RELEARN = 1.1  # per window of answers: what was slow becomes usual
_LEAST_ANSWERS = 16
_STEPS = 32  # round trips from a cut back to where it was, but at least one request more each


class Outcome(NamedTuple):
    """What a request came to. Plain values only: it may travel to another process.

    `limited`: turned away for the moment (429, 503, 529). `failed`: any other fault of the provider. `unreached`: no answer
    at all. `other`: says nothing about the provider's health (a bad request, a cancelled one).
    """

    status: Literal["answered", "limited", "failed", "unreached", "other"]
    latency_s: float = 0.0
    tokens: int | None = None  # used, in and out; null: as many as were announced
    hold_s: float = 0.0  # the provider's word: nothing more before that
    tokens_left: int | None = None  # of the provider's own window ...
    tokens_reset_s: float = 0.0  # ... until then


class Pace(Protocol):
    """Leave to send requests to one provider."""

    async def enter(self, tokens: int) -> int:
        """Wait until one request may be sent that uses at most `tokens` tokens, in and out; return its ticket.

        Raises:
            ProviderError: the provider has been down for so long that the run must stop.
        """
        ...

    def sent(self, ticket: int) -> None:
        """Say that a request that was let in is being sent now."""
        ...

    async def leave(self, ticket: int, outcome: Outcome) -> None:
        """Say what became of a request that was let in: exactly once for each ticket, cancelled ones included."""
        ...


class Paces(Protocol):
    """The paces of a run, one for each provider."""

    def of(self, judge: Judge) -> Pace:
        """Return the pace of a judge's provider: the same one for all its judges."""
        ...


class Clock(Protocol):
    """Time, so that a test may bring its own."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    def call_later(self, delay_s: float, act: Callable[[], None]) -> object:
        """Have `act` called once `delay_s` has passed."""
        ...


class _LoopClock:
    def now(self) -> float:
        return time.monotonic()

    def call_later(self, delay_s: float, act: Callable[[], None]) -> object:
        return asyncio.get_running_loop().call_later(delay_s, act)


@dataclass(slots=True)
class _Sent:
    """A request that counts in the window until `until`: without end before it is sent."""

    tokens: int
    entered: float
    until: float = math.inf


class LocalPace:
    """A pace for one provider, kept in this process."""

    def __init__(
        self,
        *,
        rpm: int | None = None,
        tpm: int | None = None,
        most: int | None = None,
        rest_s: float = 0.5,
        window_s: float = WINDOW_S,
        slack_s: float = SLACK_S,
        ages_s: Iterable[float] = (),
        clock: Clock | None = None,
    ) -> None:
        """Start at full concurrency.

        Args:
            rpm: requests per window; null: no limit.
            tpm: tokens per window, in and out; null: no limit.
            most: requests at once; null: no limit until the provider shows one.
            rest_s: the first rest when the provider is down; it doubles up to 30 s.
            window_s: the window of `rpm` and `tpm`.
            slack_s: how long a request may be on its way.
            ages_s: how long ago earlier requests were sent that count in the window too (of a run before this one).
            clock: time; null: the real one.
        """
        self._rpm, self._tpm = rpm or math.inf, tpm or math.inf
        self._clock = clock or _LoopClock()
        self._rest_s = rest_s
        self._window_s = window_s + slack_s
        self._concurrency = _Concurrency(most)
        self._health = _Health(rest_s)
        now = self._clock.now()
        self._sent = deque(
            _Sent(0, now - age, now - age + self._window_s)
            for age in sorted(ages_s, reverse=True)
            if age < self._window_s
        )
        self._unsent = 0  # let in, and not yet sent
        self._used = 0  # tokens in the window, of those not yet sent too
        self._tickets: dict[int, _Sent] = {}
        self._next = 0
        self._waiting: deque[tuple[int, asyncio.Future[int]]] = deque()
        self._resume_at = -math.inf
        self._left: tuple[int, float] | None = None  # tokens that the provider says are left, until when
        self._wakes_at = math.inf

    @property
    def concurrency(self) -> float:
        """How many requests may be on their way at once now."""
        return self._concurrency.limit

    @property
    def down(self) -> bool:
        """Whether the provider keeps failing, so that it is only asked now and then whether it answers again."""
        return self._health.down

    async def enter(self, tokens: int) -> int:
        """See `Pace.enter`."""
        if not self._waiting and not self._health.given_up and self._wait_s(tokens) <= 0:
            return self._admit(tokens)
        place: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((tokens, place))
        self._serve()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                await self.leave(place.result(), Outcome("other"))  # let in just as its caller was stopped
            raise

    def sent(self, ticket: int) -> None:
        """See `Pace.sent`."""
        self._date(self._tickets[ticket])
        self._serve()

    async def leave(self, ticket: int, outcome: Outcome) -> None:
        """See `Pace.leave`. One of which nobody said that it was sent may have been, until now."""
        sent = self._tickets.pop(ticket)
        self._date(sent)
        now = self._clock.now()
        if outcome.tokens is not None:
            self._used += outcome.tokens - sent.tokens
            sent.tokens = outcome.tokens
        if outcome.hold_s > 0:
            self._resume_at = max(self._resume_at, now + min(outcome.hold_s, MAX_HOLD_S))
        if outcome.tokens_left is not None:
            self._left = (outcome.tokens_left, now + outcome.tokens_reset_s)
        self._concurrency.learn(outcome, sent.entered, now, running=len(self._tickets) + 1)
        if self._health.learn(outcome, sent.entered, now):
            self._concurrency.cut(now)
        self._serve()

    def _admit(self, tokens: int) -> int:
        sent = _Sent(tokens, self._clock.now())
        self._unsent += 1
        self._used += tokens
        if self._left is not None:
            self._left = (self._left[0] - tokens, self._left[1])
        self._next += 1
        self._tickets[self._next] = sent
        return self._next

    def _date(self, sent: _Sent) -> None:
        if sent.until == math.inf:
            sent.until = self._clock.now() + self._window_s
            self._sent.append(sent)
            self._unsent -= 1

    def _serve(self) -> None:
        """Let in those at the head of the queue, in turn, and see to it that somebody does so again in time."""
        while self._waiting:
            tokens, place = self._waiting[0]
            if place.done():  # given up
                self._waiting.popleft()
            elif self._health.given_up:
                self._waiting.popleft()
                place.set_exception(
                    ProviderError("the provider has been failing for minutes; run the same command again to go on")
                )
            elif (wait_s := self._wait_s(tokens)) <= 0:
                self._waiting.popleft()
                place.set_result(self._admit(tokens))
            else:
                if wait_s < math.inf:
                    self._wake_in(wait_s)
                return

    def _wait_s(self, tokens: int) -> float:
        """How long a request must wait at least: 0 now, infinite until another one leaves."""
        now = self._clock.now()
        while self._sent and self._sent[0].until <= now:
            self._used -= self._sent.popleft().tokens
        running = len(self._tickets)
        if running >= self._concurrency.limit or (self._health.down and running):
            return math.inf
        wait_s = max(self._resume_at, self._health.rest_until) - now
        if (over := len(self._sent) + self._unsent - self._rpm) >= 0:
            wait_s = max(wait_s, self._until(int(over)) - now)
        if self._used and self._used + tokens > self._tpm:
            wait_s = max(wait_s, self._until(0) - now)
        if self._left is not None and tokens > self._left[0]:
            wait_s = max(wait_s, self._left[1] - now)
        return wait_s

    def _until(self, number: int) -> float:
        """When so many that were sent and one more count no longer; infinite where that depends on one that was not sent."""
        return self._sent[number].until if number < len(self._sent) else math.inf

    def _wake_in(self, wait_s: float) -> None:
        at = self._clock.now() + wait_s
        if at < self._wakes_at:
            self._wakes_at = at
            self._clock.call_later(wait_s, self._wake)

    def _wake(self) -> None:
        self._wakes_at = math.inf
        self._serve()


class LocalPaces:
    """Paces kept in this process. `rpm` and `tpm` hold for each provider by itself; the rest is as for `LocalPace`."""

    def __init__(self, *, rpm: int | None = None, tpm: int | None = None, ages_s: Iterable[float] = ()) -> None:
        self._rpm, self._tpm, self._ages_s = rpm, tpm, tuple(ages_s)
        self._by_provider: dict[str, LocalPace] = {}

    def of(self, judge: Judge) -> Pace:
        """See `Paces.of`."""
        if judge.provider not in self._by_provider:
            pace = LocalPace(rpm=self._rpm, tpm=self._tpm, rest_s=judge.backoff_s, ages_s=self._ages_s)
            self._by_provider[judge.provider] = pace
        return self._by_provider[judge.provider]

    def list_down(self) -> list[str]:
        """Return the names of the providers that are down."""
        return [name for name, pace in self._by_provider.items() if pace.down]


def read_ages(ledger: Ledger, within_s: float = WINDOW_S + SLACK_S) -> list[float]:
    """Return how many seconds ago the calls of the last minute were sent that a ledger holds, whoever they were sent to.

    A run that was killed has written down the calls that were answered, up to a quarter of a second before its end; of those
    that were on their way nobody knows.
    """
    now = datetime.now(UTC)
    ages: list[float] = []
    # A window holds some thousands of calls at most, and a verdict for each or so.
    for row in ledger.rows(kind=CALL, after=max(0, ledger.head().rows - _RECENT_ROWS)):
        call = read_call(row.body.decode(), "a recent call")
        if call.created_at is not None:
            age_s = (now - datetime.fromisoformat(call.created_at)).total_seconds() + (call.latency_s or 0.0)
            ages += [age_s] if 0 <= age_s < within_s else []
    return ages


class _Concurrency:
    """How many requests at once: cut when turned away, eased when answers get slow, grown while all is well."""

    def __init__(self, most: int | None) -> None:
        self._most = most or math.inf
        self.limit: float = self._most
        self._peak = 1  # the most that ran at once
        self._step = 1.0
        self._grown = False  # since the last cut
        self._cut_at = -math.inf
        self._latencies: list[float] = []
        self._usual_s: float | None = None

    def learn(self, outcome: Outcome, entered: float, now: float, *, running: int) -> None:
        """Take in what a request came to that was one of `running`."""
        self._peak = max(self._peak, running)
        if outcome.status == "limited":
            if entered > self._cut_at:  # those sent before the last cut say nothing about it
                self.cut(now, running)
        elif outcome.status == "answered":
            self._latencies.append(outcome.latency_s)
            if len(self._latencies) >= max(_LEAST_ANSWERS, running) and self._is_slower():
                self.limit = max(1.0, self._peak / 2, min(self.limit, running) * _EASE)
            elif self.limit < self._most and running >= self.limit - 1:
                self.limit = min(self._most, self.limit + self._step / self.limit)
                self._grown = True

    def cut(self, now: float, running: int | None = None) -> None:
        """Cut to a part of what runs; of what ran at most, where few are let through just now."""
        share = _CUT if self._grown else _DEEP_CUT
        self.limit = max(1.0, math.floor(min(self.limit, running or self._peak) * share))
        self._grown = False
        self._step = max(1.0, self.limit / _STEPS)
        self._cut_at = now
        self._latencies.clear()

    def _is_slower(self) -> bool:
        usual_s = statistics.median(self._latencies)
        self._latencies.clear()
        if self._usual_s is None:
            self._usual_s = usual_s
            return False
        slower = usual_s > _SLOWER * self._usual_s
        self._usual_s = min(usual_s, self._usual_s * _RELEARN)
        return slower


class _Health:
    """Whether the provider is down, and until when it is left alone."""

    def __init__(self, rest_s: float) -> None:
        self._first_rest_s = rest_s
        self._rest_s = rest_s
        self._failures = 0
        self._probes = 0
        self._reached = False
        self._down_since = math.inf
        self.rest_until = -math.inf

    @property
    def down(self) -> bool:
        """Whether one request at a time is all that it gets."""
        return self._down_since < math.inf

    @property
    def given_up(self) -> bool:
        """Whether it has been down for too long."""
        return self._probes >= GIVE_UP_AFTER

    def learn(self, outcome: Outcome, entered: float, now: float) -> bool:
        """Take in what a request came to; True when the provider has just come back."""
        if outcome.status == "other":
            return False
        if outcome.status == "answered":
            came_back = self.down
            self._reached = True
            self._failures = self._probes = 0
            self._down_since, self.rest_until, self._rest_s = math.inf, -math.inf, self._first_rest_s
            return came_back
        if not self._reached:
            return False  # it may be the address that is wrong: the lane says so sooner
        self._failures += 1
        if self.down and entered > self._down_since:
            self._probes += 1
            self._rest_s = min(MAX_REST_S, 2 * self._rest_s)
            self.rest_until = now + self._rest_s
        elif not self.down and self._failures >= TRIP_AFTER:
            self._down_since, self.rest_until = now, now + self._rest_s
        return False
