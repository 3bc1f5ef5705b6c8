"""Judges behind a network: instructor over litellm. The only module that imports either of them.

instructor prepares the schema, parses the answer and re-asks once when it is not valid. It calls our transport, which owns
everything that happens on the wire: strict schemas, time-outs, retries (no other layer retries), Retry-After, the budget,
typed refusals and overflows, what each attempt cost, and calls that were already paid for. Two things are never done:
`context=` is never passed (instructor would run the transcript as a template), and no provider exception travels on (they
hold the key and the transcript).
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from json import JSONDecodeError
from typing import Any

from pydantic import BaseModel, ValidationError

from judge.errors import InputError, ProviderError
from judge.grading.answer import Answer, InvalidAnswerError, parse_answer
from judge.grading.budget import Budget
from judge.grading.decision import check_answer
from judge.grading.exchange import Exchange, NoVerdict, call_key
from judge.grading.judges import Judge, Mode, Price
from judge.grading.tokens import bound_tokens
from judge.grading.wire import Problem, account, never_connected, read_reply, reply_status, retry_after, root_cause
from judge.ledger.entry import Call
from judge.text import counted, one_line

# Before litellm is first imported: no price map from the network, no beta headers from the network, no `.env` of a
# transcript folder, no tokenizer download.
for _name in ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"):
    os.environ.setdefault(_name, "True")
os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import instructor  # noqa: E402
import litellm  # noqa: E402
from instructor.core import InstructorRetryException  # noqa: E402

# A call that is cancelled before it was sent leaves litellm's inner coroutine behind; that is how a run is stopped.
warnings.filterwarnings("ignore", message="coroutine 'OpenAIChatCompletion.acompletion' was never awaited")
with warnings.catch_warnings():
    # pydantic warns once while it completes litellm's models; done here, so that it is no failure of somebody's first call.
    warnings.simplefilter("ignore")
    litellm.ModelResponse()

litellm.suppress_debug_info = True
litellm.telemetry = False
litellm.disable_hf_tokenizer_download = True
# instructor logs every failed call, exception text and all, at ERROR.
logging.getLogger("instructor").setLevel(logging.CRITICAL)
logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)

MAX_WAIT_S = 60.0
# After this many exchanges in a row that never reached the provider, the provider is down, not the transcripts odd.
UNREACHABLE_AFTER = 12
_OVERFLOW = (
    "context length",
    "context_length",
    "context window",
    "maximum context",
    "too many tokens",
    "prompt is too long",
)
_NO_SCHEMA = ("response_format", "json_schema", "structured output", "output_format")

# litellm reports a connection that broke off as an HTTP 500; whether it was billed, nobody knows.
_DROPPED = ("connection error", "cannot connect", "disconnected", "connection reset", "payload is not completed")

_exchange: ContextVar[Exchange] = ContextVar("exchange")
_in_use: set[LLMLane] = set()  # lanes whose sessions are open


class _Response(instructor.ResponseSchema):  # type: ignore[misc]
    """`Answer` as instructor sees it: its schema made once, its text read by our strict parser.

    It wraps the answer rather than being one, because instructor walks through every field's class at every call, in
    search of validators that it would have to refuse: a quarter of what a call costs in processor time.
    """

    answer: Any

    @classmethod
    def model_json_schema(cls, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """Return the schema of `Answer`, the same object each time."""
        return _answer_schema()

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **_kwargs: Any) -> _Response:
        """Read the answer; what is wrong with it is raised as what instructor re-asks on."""
        exchange = _exchange.get()
        text = exchange.calls[-1].answer or "" if exchange.calls else str(json_data)
        try:
            answer = parse_answer(text)
        except InvalidAnswerError as error:
            raise JSONDecodeError(str(error), "", 0) from None
        if problem := check_answer(exchange.rubric, answer):
            raise JSONDecodeError(problem, "", 0)
        response: _Response = cls.model_construct(answer=answer)
        return response


class LLMLane:
    """One judge behind a provider."""

    keeps_calls = True
    caches_prefixes = True

    def __init__(self, judge: Judge, budget: Budget) -> None:
        self._judge = judge
        self._budget = budget
        self._price = judge.price or known_price(judge.model)
        self._mode: Mode = judge.mode or "json_schema"
        self._clients = {mode: _make_client(self._send, mode) for mode in ("json_schema", "tools", "text")}
        self._key = _local_key(judge) if judge.api_base else None
        self._temperature = judge.temperature
        self._resume_at = 0.0
        self._unreached = 0
        self._reached = False
        self.unreachable: str | None = None

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        """See `exchange.Lane.ask`."""
        _in_use.add(self)
        token = _exchange.set(exchange)
        messages = exchange.prompt().messages()
        if complaint is not None:
            messages.append({"role": "assistant", "content": exchange.calls[-1].answer or ""})
            messages.append({"role": "user", "content": complaint})
        try:
            return await self._create(messages)
        finally:
            _exchange.reset(token)

    async def close(self) -> None:
        """Close litellm's HTTP sessions once no lane uses them."""
        _in_use.discard(self)
        await _close_sessions()

    async def _create(self, messages: list[dict[str, str]]) -> Answer:
        ended: BaseException
        try:
            client = self._clients[self._mode]
            response = await client.create(
                response_model=_Response, messages=messages, max_retries=1, model=self._judge.model
            )
        except InstructorRetryException as error:
            ended = root_cause(error)
        except (NoVerdict, ProviderError, _UnsupportedSchemaError, JSONDecodeError) as error:
            ended = error
        else:
            answer: Answer = response.answer
            return answer
        # Raised out here, because what is raised inside `except` keeps instructor's exception, transcript and all.
        ended.__context__ = None
        if isinstance(ended, _UnsupportedSchemaError):
            self._mode = "text"
            _exchange.get().turn -= 1  # the question was refused unread; it is still the same turn
            return await self._create(messages)
        if isinstance(ended, NoVerdict | ProviderError):
            raise ended
        reason = ended.msg if isinstance(ended, JSONDecodeError) else type(ended).__name__
        raise NoVerdict("invalid", one_line(reason, 300))

    async def _send(self, **request: Any) -> Any:
        """Send one turn, trying again as long as that can help. This is what instructor calls."""
        exchange = _exchange.get()
        turn = exchange.next_turn()
        if exchange.recorded:
            call = exchange.recorded.popleft()
            exchange.calls.append(call)
            return self._conclude(call, None)
        request = self._prepare(request)
        problem = Problem("")
        for attempt in range(1, self._judge.attempts + 1):
            await self._wait_for_provider()
            call, response, problem = await self._attempt(exchange, turn, attempt, request)
            exchange.add(call)
            if response is not None or problem.reached:
                self._reached, self.unreachable = True, None
            if response is not None:
                self._unreached = 0
                if call.status == "truncated" and attempt < self._judge.attempts and "widened" not in exchange.flags:
                    exchange.flags.add("widened")
                    request["max_tokens"] *= 2
                    continue
                return self._conclude(call, response)
            self._raise_if_final(problem)
            if attempt < self._judge.attempts:
                await self._back_off(problem, attempt)
        if not problem.reached:
            self._count_unreached(problem)
        raise NoVerdict("error", f"{problem.name} after {counted(self._judge.attempts, 'attempt')}")

    def _prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        if (fmt := request.get("response_format")) and fmt.get("type") == "json_schema":
            fmt["json_schema"] = {**fmt["json_schema"], "name": "answer", "strict": True}
        request["max_tokens"] = self._judge.max_tokens
        if self._temperature is not None:
            request["temperature"] = self._temperature
        if self._judge.seed is not None:
            request["seed"] = self._judge.seed
        if self._judge.api_base:
            request["api_base"] = self._judge.api_base
            request["api_key"] = self._key
        return request

    async def _attempt(
        self, exchange: Exchange, turn: int, attempt: int, request: dict[str, Any]
    ) -> tuple[Call, Any, Problem]:
        reserved = await self._budget.reserve(self._at_most(request))
        started = time.monotonic()
        response, problem, cost = None, Problem(""), None
        fields: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self._judge.timeout_s):
                response = await litellm.acompletion(
                    **request, timeout=self._judge.timeout_s, num_retries=0, max_retries=0
                )
        except TimeoutError:
            problem = Problem(f"no answer within {self._judge.timeout_s:g} s", reached=False)
        except Exception as error:  # noqa: BLE001 - litellm wraps some provider failures in bare exceptions; named, kept, never hidden
            problem = self._diagnose(error)
            if problem.name == _NO_TEMPERATURE:
                self._temperature = None
                request.pop("temperature", None)
        if response is not None:
            usage, cost = account(response, self._price)
            fields = {"usage": usage, "cost_usd": cost, "model": getattr(response, "model", None)}
            reply = read_reply(response)
            if reply is None:
                response, problem = None, Problem("an answer without content")
            else:
                fields |= {"answer": reply.text, "status": reply_status(reply)}
                if reply.refused:
                    fields["error"] = one_line(reply.refused, 300)
        elif problem.reached:
            cost = 0.0  # it answered, and not with a completion
        await self._budget.settle(reserved, cost)
        call = Call(
            key=call_key(exchange.verdict_id, turn),
            verdict_id=exchange.verdict_id,
            turn=turn,
            attempt=attempt,
            latency_s=round(time.monotonic() - started, 4),
            mode=self._mode,
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            **{"status": "failed", "error": problem.name or None, **fields},
        )
        return call, response, problem

    def _conclude(self, call: Call, response: Any) -> Any:
        """Give instructor the completion of an answered call; end the exchange on any other."""
        if call.status == "refused":
            raise NoVerdict("refused", call.error or "the judge declined to answer")
        if call.status == "truncated":
            raise NoVerdict("invalid", "the answer was cut off at the token limit")
        return response if response is not None else _completion(call, self._mode)

    def _raise_if_final(self, problem: Problem) -> None:
        if problem.as_text:
            raise _UnsupportedSchemaError
        if problem.fatal:
            raise ProviderError(f"{self._judge.model}: {problem.name}")
        if problem.status is not None:
            raise NoVerdict(problem.status, problem.name)

    def _diagnose(self, error: Exception) -> Problem:
        """Classify by HTTP status, since litellm's classes vary by provider. Only whitelisted words travel on."""
        code = getattr(error, "status_code", None)
        words = str(error).lower()
        if isinstance(error, litellm.ContextWindowExceededError) or (
            code == 400 and any(w in words for w in _OVERFLOW)
        ):
            return Problem("the transcript does not fit the model's context", status="overflow")
        if isinstance(error, litellm.ContentPolicyViolationError):
            return Problem("the provider's content filter stopped it", status="refused")
        if isinstance(error, litellm.UnsupportedParamsError) or (code == 400 and "temperature" in words):
            if self._temperature is not None:
                return Problem(_NO_TEMPERATURE)
            return Problem("the model does not support a parameter", fatal=True)
        if code == 400 and self._mode == "json_schema" and any(word in words for word in _NO_SCHEMA):
            return Problem("no structured output here", as_text=True)
        if code in (401, 403, 404):
            what = {401: "the key was rejected", 403: "access was denied", 404: "no such model or address"}[code]
            return Problem(f"{what} (HTTP {code}); see: judge doctor", fatal=True)
        if code == 429:
            return Problem("HTTP 429, too many requests", retry_after_s=retry_after(error) or 0.0)
        if isinstance(error, litellm.Timeout):
            return Problem(f"no answer within {self._judge.timeout_s:g} s", reached=False)
        if never_connected(error):
            return Problem("the address cannot be reached", reached=False, nowhere=True)
        if isinstance(error, litellm.APIConnectionError) or any(word in words for word in _DROPPED):
            return Problem("the connection broke off", reached=False)
        if code in (400, 413, 422):
            return Problem(f"the provider rejected the request (HTTP {code})", status="error")
        return Problem(f"HTTP {code}" if code else type(error).__name__, retry_after_s=retry_after(error))

    async def _wait_for_provider(self) -> None:
        while (wait := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    async def _back_off(self, problem: Problem, attempt: int) -> None:
        ceiling = min(MAX_WAIT_S, self._judge.backoff_s * 2**attempt)
        if problem.retry_after_s:
            # The provider's word binds every call on this lane, plus a spread so that they do not return as one.
            self._resume_at = max(self._resume_at, time.monotonic() + min(problem.retry_after_s, MAX_WAIT_S))
            ceiling = self._judge.backoff_s
        await asyncio.sleep(random.uniform(0, ceiling))

    def _count_unreached(self, problem: Problem) -> None:
        self._unreached += 1
        if problem.nowhere and not self._reached:
            self.unreachable = problem.name
        if self._unreached >= UNREACHABLE_AFTER:
            raise ProviderError(
                f"{self._judge.model}: {problem.name}, {self._unreached} transcripts in a row; "
                "check the address and the network, then run the same command again to go on"
            )

    def _at_most(self, request: Mapping[str, Any]) -> float | None:
        if self._price is None:
            return None
        extra = len(str(request.get("response_format") or request.get("tools") or ""))
        output_tokens: int = request["max_tokens"]
        input_tokens = bound_tokens(request["messages"], extra)
        return (input_tokens * self._price.input + output_tokens * self._price.output) / 1e6


class _UnsupportedSchemaError(Exception):
    """The provider does not know structured output."""


_NO_TEMPERATURE = "the model takes no temperature"


def check_judge(judge: Judge) -> None:
    """Refuse a judge that cannot work before anything is spent.

    Raises:
        InputError: unknown provider, or a key that is not set (its variable is named, never its value).
    """
    try:
        litellm.get_llm_provider(judge.model)
    except litellm.BadRequestError:
        provider = judge.model.partition("/")[0]
        raise InputError(
            f"judge {judge.model!r}: unknown provider {provider!r}; litellm names them, as in openai/..., anthropic/..., "
            "gemini/..., hosted_vllm/...; without a key: baseline/cues"
        ) from None
    if judge.api_base:
        return
    missing = litellm.validate_environment(judge.model).get("missing_keys") or []
    missing = [name for name in missing if not name.endswith(("_BASE", "_URL"))]
    if missing:
        raise InputError(
            f"judge {judge.model!r}: {' and '.join(missing)} not set; export it, or try without a key: -m baseline/cues"
        )


def make_asker(judge: Judge) -> Callable[[Sequence[dict[str, str]], type[BaseModel]], Awaitable[Any]]:
    """Return a function that asks a model for any structured answer: for drafting, where nothing is graded.

    Raises:
        InputError: if the judge cannot work (see `check_judge`).
    """
    check_judge(judge)

    async def send(**request: Any) -> Any:
        options = {"api_base": judge.api_base, "api_key": _local_key(judge)} if judge.api_base else {}
        return await litellm.acompletion(
            **request, **options, max_tokens=judge.max_tokens, timeout=judge.timeout_s, num_retries=0, max_retries=0
        )

    client = _make_client(send, judge.mode or "json_schema")

    async def ask(messages: Sequence[dict[str, str]], response_model: type[BaseModel]) -> Any:
        try:
            return await client.create(
                response_model=response_model, messages=list(messages), max_retries=1, model=judge.model
            )
        except InstructorRetryException as error:
            cause = root_cause(error)
            if isinstance(cause, JSONDecodeError | ValidationError):
                raise ProviderError(f"{judge.model}: gave no valid {response_model.__name__} in two attempts") from None
            code = getattr(cause, "status_code", None)
            what = f"HTTP {code}" if code else type(cause).__name__
            raise ProviderError(f"{judge.model}: {what}; see: judge doctor") from None
        finally:
            await _close_sessions()

    return ask


async def _close_sessions() -> None:
    """Close litellm's HTTP sessions unless a lane uses them; it shares them, and would go on using closed ones."""
    if not _in_use:
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()


def known_price(model: str) -> Price | None:
    """Return litellm's bundled price of a model, or None where it is unknown (which is not the same as free)."""
    name = model if model in litellm.model_cost else model.partition("/")[2]
    row = litellm.model_cost.get(name)
    if not row or row.get("input_cost_per_token") is None or row.get("output_cost_per_token") is None:
        return None
    cached = row.get("cache_read_input_token_cost")
    return Price(
        input=row["input_cost_per_token"] * 1e6,
        output=row["output_cost_per_token"] * 1e6,
        cached=None if cached is None else cached * 1e6,
    )


def _make_client(send: Any, mode: Mode) -> Any:
    modes = {
        "json_schema": instructor.Mode.JSON_SCHEMA,
        "tools": instructor.Mode.TOOLS,
        "text": instructor.Mode.MD_JSON,
    }
    return instructor.from_litellm(send, mode=modes[mode], async_client=True)


def _local_key(judge: Judge) -> str | None:
    """A server at `--api-base` may ask for no key, and the SDK insists on one; None leaves it to the environment."""
    missing = litellm.validate_environment(judge.model).get("missing_keys") or []
    return "none" if any(name.endswith("_KEY") for name in missing) else None


@cache
def _answer_schema() -> dict[str, Any]:
    schema = Answer.model_json_schema()
    schema["title"] = "Answer"
    return schema


def _completion(call: Call, mode: Mode) -> Any:
    """Rebuild a completion from a recorded call, as instructor would have got it."""
    message: dict[str, Any] = {"role": "assistant", "content": call.answer}
    if mode == "tools":
        function = {"name": "answer", "arguments": call.answer}
        message |= {"content": None, "tool_calls": [{"id": "recorded", "type": "function", "function": function}]}
    return litellm.ModelResponse(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
