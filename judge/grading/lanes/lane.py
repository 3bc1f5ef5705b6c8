"""The lane to a judge behind a provider: turns, attempts, and what each of them came to.

instructor asks (`client.Questioner`) and calls `_send` for each turn. Here is decided whether a request is sent at all
(a recorded answer, the budget, the pace), how long it is waited for, whether it is sent again (no other layer retries),
what a failure means for the verdict, and what is kept of each attempt.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from judge.errors import ProviderError
from judge.grading.answer import Answer
from judge.grading.budget import Budget
from judge.grading.exchange import Exchange, NoVerdict, call_key
from judge.grading.judges import Judge, Mode
from judge.grading.lanes.client import (
    MAX_WAIT_S,
    Questioner,
    Transport,
    UnsupportedSchemaError,
    current_exchange,
    open_transport,
    rebuild_completion,
    strip_usage,
)
from judge.grading.lanes.direct import takes_temperature
from judge.grading.lanes.pace import LocalPace, Outcome, Pace
from judge.grading.lanes.prices import known_price
from judge.grading.lanes.wire import (
    NO_TEMPERATURE,
    Failure,
    Problem,
    Received,
    account,
    count_bytes,
    diagnose,
    lay_out,
    read_reply,
    reply_status,
    to_outcome,
)
from judge.ledger.entry import Call
from judge.text import counted, one_line

# After this many exchanges in a row that came to nothing, from a provider that cannot be reached or has never answered, it is
# the provider that is at fault, not the transcripts. One that had answered before is waited for (`pace`).
GIVE_UP_AFTER = 12
# Chat templates wrap each message in a few tokens of their own.
_TOKENS_PER_MESSAGE = 16
_BYTES_PER_TOKEN = 3.6


class _Attempt(NamedTuple):
    call: Call
    completion: Any
    problem: Problem


class LLMLane:
    """One judge behind a provider."""

    keeps_calls = True

    def __init__(
        self,
        judge: Judge,
        budget: Budget,
        pace: Pace | None = None,
        *,
        repeats: bool = True,
        transport: Transport | None = None,
    ) -> None:
        """Open a lane.

        Args:
            judge: who is asked.
            budget: what may be spent, shared by all lanes.
            pace: how fast the provider is asked, shared by its lanes; null: one of its own, without limits.
            repeats: whether more than one question is asked of a transcript, so that writing it to a provider's cache pays
                where that costs extra.
            transport: what carries requests; null: what suits the judge's provider.
        """
        self._judge = judge
        self._budget = budget
        self._pace = pace or LocalPace(rest_s=judge.backoff_s)
        self._transport = transport or open_transport(judge)
        self._questioner = Questioner(self._send, judge.model)
        self._price = judge.price or known_price(judge.model, batch=judge.via == "batch")
        self._mode: Mode = judge.mode or "json_schema"
        self._temperature = judge.temperature if judge.temperature == 1 or takes_temperature(judge.model) else None
        self._marks = repeats and _caches_to_marks(judge.model)
        self._keyed = judge.model.startswith("openai/") and not judge.api_base
        # A batch goes out when nobody adds to it: questions that waited for others would only come a batch later.
        self.caches_prefixes = judge.via != "batch"
        self._in_vain = 0
        self._reached = self._answered = False
        self.unreachable: str | None = None

    @property
    def waits_for_place(self) -> bool:
        """See `exchange.Lane`. How a provider wants to be asked shows with its first answer: nothing is made ready before."""
        return self._reached

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        """See `exchange.Lane.ask`."""
        await exchange.slots.portion()
        messages = lay_out(exchange.prompt(), mark=self._marks)
        if complaint is not None:
            messages.append({"role": "assistant", "content": exchange.calls[-1].answer or ""})
            messages.append({"role": "user", "content": complaint})
        try:
            return await self._questioner.ask(exchange, messages, self._mode)
        except UnsupportedSchemaError:
            pass
        self._mode = "text"
        exchange.turn -= 1  # the question was refused unread; it is still the same turn
        return await self._questioner.ask(exchange, messages, self._mode)

    async def close(self) -> None:
        """Release connections."""
        await self._transport.close()

    async def _send(self, **request: Any) -> Any:
        """Send one turn, trying again as long as that can help. This is what instructor calls."""
        exchange = current_exchange()
        turn = exchange.next_turn()
        if exchange.recorded:
            call = exchange.recorded.popleft()
            exchange.calls.append(call)
            return self._conclude(call, None)
        request = self._prepare(request, exchange)
        problem = Problem("")
        for attempt in range(1, self._judge.attempts + 1):
            last = attempt == self._judge.attempts
            # An answer that comes late, in the pause before the next attempt, is still taken.
            pause_s = 0.0 if last else random.uniform(0, min(MAX_WAIT_S, self._judge.backoff_s * 2**attempt))
            call, completion, problem = await self._attempt(exchange, turn, attempt, request, pause_s)
            if completion is not None or problem.reached:
                self._reached, self.unreachable = True, None
            if completion is not None:
                self._answered, self._in_vain = True, 0
                if call.status == "truncated" and not last and "widened" not in exchange.flags:
                    exchange.flags.add("widened")
                    request["max_tokens"] *= 2
                    continue
                return self._conclude(call, completion)
            self._raise_if_final(problem)
            if not last and not problem.waited:
                await asyncio.sleep(pause_s)
        self._count_in_vain(problem)
        raise NoVerdict("error", f"{problem.name} after {counted(self._judge.attempts, 'attempt')}")

    def _prepare(self, request: dict[str, Any], exchange: Exchange) -> dict[str, Any]:
        if (fmt := request.get("response_format")) and fmt.get("type") == "json_schema":
            fmt["json_schema"] = {**fmt["json_schema"], "name": "answer", "strict": True}
        request["max_tokens"] = self._judge.max_tokens
        if self._temperature is not None:
            request["temperature"] = self._temperature
        if self._judge.seed is not None:
            request["seed"] = self._judge.seed
        if self._keyed:
            # Requests with one key go to one machine of the provider's, whose cache holds the transcript.
            request["prompt_cache_key"] = exchange.boundary.nonce
        return request

    async def _attempt(
        self, exchange: Exchange, turn: int, attempt: int, request: dict[str, Any], grace_s: float
    ) -> _Attempt:
        at_most = self._at_most(request)
        tokens = _estimate_tokens(request)
        async with exchange.slots.place():
            self._heed(request)
            reserved = await self._budget.reserve(at_most)
            try:
                ticket = await self._pace.enter(tokens)
            except BaseException:
                await self._budget.settle(reserved, 0.0)
                raise
            # The first requests may take seconds to get out, on a busy machine: they count from when they come back.
            if self._reached:
                self._pace.sent(ticket)
            started = time.monotonic()
            outcome, cost = Outcome("other"), None  # what holds if this is cancelled: it was sent, and may be billed
            try:
                result = await self._transport.send(request, self._judge.timeout_s + grace_s)
                latency_s = time.monotonic() - started
                fields, completion, problem = self._read(result, request)
                cost = fields.get("cost_usd")
                usage = fields.get("usage", {})
                used = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
                outcome = to_outcome(result, latency_s, used or None)
            finally:
                await self._pace.leave(ticket, outcome)
                await self._budget.settle(reserved, cost)
        call = Call(
            key=call_key(exchange.verdict_id, turn),
            verdict_id=exchange.verdict_id,
            turn=turn,
            attempt=attempt,
            latency_s=round(latency_s, 4),
            mode=_mode_of(request),
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            **{"status": "failed", "error": problem.name or None, **fields},
        )
        # Kept whatever happens; what is made of it can wait until the next question is on its way.
        exchange.add(call)
        await exchange.slots.portion()
        return _Attempt(call, completion, problem)

    def _heed(self, request: dict[str, Any]) -> None:
        """Send nothing that the provider has refused since this request was made ready."""
        if self._temperature is None:
            request.pop("temperature", None)
        if self._mode == "text" and _mode_of(request) == "json_schema":
            raise UnsupportedSchemaError

    def _read(self, result: Received | Failure, request: dict[str, Any]) -> tuple[dict[str, Any], Any, Problem]:
        """Return what is kept of an attempt, its completion (or None) and what was wrong with it."""
        if isinstance(result, Failure):
            mode, temperature = _mode_of(request), request.get("temperature")
            problem = diagnose(result, timeout_s=self._judge.timeout_s, mode=mode, temperature=temperature)
            if problem.name == NO_TEMPERATURE:
                self._temperature = None
                request.pop("temperature", None)
            # Where it answered, and not with a completion, nothing is billed. That a prompt is too long stays true.
            kept: dict[str, Any] = {"status": "overflow"} if problem.status == "overflow" else {}
            return kept | ({"cost_usd": 0.0} if problem.reached else {}), None, problem
        usage, cost = account(result.completion, self._price)
        fields: dict[str, Any] = {"usage": usage, "cost_usd": cost, "model": _name(result.completion)}
        reply = read_reply(result.completion)
        if reply is None:
            return fields, None, Problem("an answer without content")
        fields |= {"answer": reply.text, "status": reply_status(reply)}
        if reply.refused:
            fields["error"] = one_line(reply.refused, 300)
        return fields, result.completion, Problem("")

    def _conclude(self, call: Call, completion: Any) -> Any:
        """Give instructor the completion of an answered call; end the exchange on any other."""
        if call.status == "refused":
            raise NoVerdict("refused", call.error or "the judge declined to answer")
        if call.status == "truncated":
            raise NoVerdict("invalid", "the answer was cut off at the token limit")
        if call.status == "overflow":
            raise NoVerdict("overflow", call.error or "the transcript does not fit the model's context")
        return strip_usage(rebuild_completion(call, self._mode) if completion is None else completion)

    def _raise_if_final(self, problem: Problem) -> None:
        if problem.as_text:
            raise UnsupportedSchemaError
        if problem.fatal:
            raise ProviderError(f"{self._who()}: {problem.name}")
        if problem.status is not None:
            raise NoVerdict(problem.status, problem.name)

    def _count_in_vain(self, problem: Problem) -> None:
        self._in_vain += 1
        if problem.nowhere and not self._reached:
            self.unreachable = problem.name
        if self._in_vain >= GIVE_UP_AFTER and not (problem.reached and self._answered):
            raise ProviderError(
                f"{self._who()}: {problem.name}, {self._in_vain} transcripts in a row; "
                "check the address, the network and the provider, then run again to go on"
            )

    def _who(self) -> str:
        """The judge, and the address where one was given."""
        return self._judge.model + (f" at {one_line(self._judge.api_base)}" if self._judge.api_base else "")

    def _at_most(self, request: Mapping[str, Any]) -> float | None:
        """Bound what a request can cost: a byte-level vocabulary spends at most one token per byte."""
        if self._price is None or self._budget.limit_usd is None:
            return None
        extra = len(str(request.get("response_format") or request.get("tools") or ""))
        messages = request["messages"]
        input_tokens = count_bytes(messages) + extra + _TOKENS_PER_MESSAGE * len(messages)
        dearest = max(self._price.input, self._price.written or 0.0)
        output_tokens: int = request["max_tokens"]
        return (input_tokens * dearest + output_tokens * self._price.output) / 1e6


def _mode_of(request: Mapping[str, Any]) -> Mode:
    """How a request asks for structure; another question may have taught the lane better since."""
    if request.get("response_format"):
        return "json_schema"
    return "tools" if request.get("tools") else "text"


def _estimate_tokens(request: Mapping[str, Any]) -> int:
    """Estimate the tokens of a request, in and out, at the most that it may give."""
    return int(count_bytes(request["messages"]) / _BYTES_PER_TOKEN) + int(request["max_tokens"])


def _caches_to_marks(model: str) -> bool:
    """Whether a model's provider caches a prompt up to marks in it, and nothing without: Anthropic's, wherever they run."""
    return model.startswith("anthropic/") or "claude" in model.lower()


def _name(completion: Any) -> str | None:
    """The model that the provider says has answered, in words that can be kept and shown."""
    name = getattr(completion, "model", None)
    return one_line(name, 100) if isinstance(name, str) else None
