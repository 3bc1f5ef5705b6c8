"""instructor and litellm: the only module that imports either, and litellm only once a judge needs it.

instructor prepares the schema, parses the answer and re-asks once when it is not valid; its client calls a function that we
give it (`lane`), which owns everything that happens on the wire. litellm carries requests to providers that our own
transport (`direct`) does not speak to; none of its retries, callbacks, look-ups or log lines is used. Two things are never
done: `context=` is never passed to instructor (it would run the transcript as a template), and no provider exception
travels on (they hold the key and the transcript).
"""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from json import JSONDecodeError
from typing import Any, Protocol

import instructor
from instructor.core import InstructorRetryException
from pydantic import BaseModel, ValidationError

from judge.errors import InputError, ProviderError
from judge.grading.answer import Answer, InvalidAnswerError
from judge.grading.exchange import Exchange, NoVerdict
from judge.grading.judges import Judge, Mode
from judge.grading.lanes.direct import (
    Choice,
    Completion,
    DirectTransport,
    Function,
    Message,
    Route,
    ToolCall,
    find_route,
)
from judge.grading.lanes.wire import Failure, Received, never_connected, root_cause
from judge.ledger.entry import Call
from judge.text import one_line, quoted

# instructor logs every failed call, exception text and all, at ERROR.
logging.getLogger("instructor").setLevel(logging.CRITICAL)

# litellm reports a connection that broke off as an HTTP 500; whether it was billed, nobody knows.
_DROPPED = ("connection error", "cannot connect", "disconnected", "connection reset", "payload is not completed")
MAX_WAIT_S = 60.0  # between two attempts
_MODES = {"json_schema": "JSON_SCHEMA", "tools": "TOOLS", "text": "MD_JSON"}

_exchange: ContextVar[Exchange] = ContextVar("exchange")


class UnsupportedSchemaError(Exception):
    """The provider does not know structured output."""


class Transport(Protocol):
    """Carries requests to one provider."""

    async def send(self, request: Mapping[str, Any], timeout_s: float) -> Received | Failure:
        """Send one request, once, and wait for at most `timeout_s` seconds; raises nothing of the network's."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


# -- instructor ---------------------------------------------------------------------------------------------------------


class _Response(instructor.ResponseSchema):  # type: ignore[misc]
    """`Answer` as instructor sees it: its schema made once, its text read by our strict parser.

    It wraps the answer rather than being one, because instructor walks through every field's class at every call, in
    search of validators that it would have to refuse: a quarter of what a call costs in processor time.
    """

    answer: Any

    @classmethod
    def model_json_schema(cls, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """Return the schema of the answer that is being asked for."""
        return _exchange.get().schema()

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **_kwargs: Any) -> _Response:
        """Read the answer; what is wrong with it is raised as what instructor re-asks on."""
        exchange = _exchange.get()
        text = exchange.calls[-1].answer or "" if exchange.calls else str(json_data)
        try:
            answer = exchange.read(text)
        except InvalidAnswerError as error:
            raise JSONDecodeError(str(error), "", 0) from None
        response: _Response = cls.model_construct(answer=answer)
        return response


@cache
def _response_to(_kind: str) -> type[_Response]:
    """Return a class for each kind of exchange, whose answers have schemas of their own: instructor keeps them by class."""
    return type("_Response", (_Response,), {"__module__": __name__})


def _spare_instructor() -> None:
    """Keep instructor from work that comes to nothing here, and costs more than the rest of a call.

    It searches our one response model for async validators (there are none), five times per call; and it adds up usage that
    we have read ourselves (`strip_usage`), by way of an attempt to import other providers' libraries. These are private
    functions, replaced where this version has them: where another one has not, calls only cost more, and a test says so.
    """
    with suppress(ImportError, AttributeError):
        from instructor.v2.core import patch
        from instructor.v2.validation import async_validators

        search = async_validators.reject_async_validators

        def search_others(response_model: Any) -> None:
            if not issubclass(response_model, _Response):
                search(response_model)

        patch.reject_async_validators = async_validators.reject_async_validators = search_others
    with suppress(ImportError, AttributeError):
        from instructor.v2.core import retry

        is_compatible, add_up = retry.has_compatible_usage, retry.update_total_usage

        def is_compatible_if_any(response: Any, total_usage: Any) -> bool:
            return getattr(response, "usage", None) is not None and is_compatible(response, total_usage)

        def add_up_if_any(response: Any, total_usage: Any) -> Any:
            return response if getattr(response, "usage", None) is None else add_up(response, total_usage)

        retry.has_compatible_usage, retry.update_total_usage = is_compatible_if_any, add_up_if_any


_spare_instructor()


class Questioner:
    """Asks for answers through instructor; each request goes to `send`."""

    def __init__(self, send: Callable[..., Awaitable[Any]], model: str) -> None:
        self._model = model
        self._clients = {mode: _patch(send, mode) for mode in _MODES}

    async def ask(self, exchange: Exchange, messages: list[dict[str, Any]], mode: Mode) -> Answer:
        """Ask, and once more if the answer is not valid.

        Raises:
            NoVerdict: what `send` raised, or `invalid` after a second answer that is not valid.
            ProviderError: what `send` raised.
            UnsupportedSchemaError: what `send` raised.
        """
        token = _exchange.set(exchange)
        ended: BaseException
        try:
            response = await self._clients[mode].create(
                response_model=_response_to(type(exchange).__name__),
                messages=messages,
                max_retries=1,
                model=self._model,
            )
        except InstructorRetryException as error:
            ended = root_cause(error)
        except (NoVerdict, ProviderError, UnsupportedSchemaError, JSONDecodeError) as error:
            ended = error
        else:
            answer: Answer = response.answer
            return answer
        finally:
            _exchange.reset(token)
        # Raised out here, because what is raised inside `except` keeps instructor's exception, transcript and all.
        ended.__context__ = None
        if isinstance(ended, NoVerdict | ProviderError | UnsupportedSchemaError):
            raise ended
        reason = ended.msg if isinstance(ended, JSONDecodeError) else type(ended).__name__
        raise NoVerdict("invalid", one_line(reason, 300))


def current_exchange() -> Exchange:
    """Return the exchange that the request belongs to which instructor has just made."""
    return _exchange.get()


def strip_usage(completion: Any) -> Any:
    """Return a completion without its usage, which is read and which instructor would add up and copy."""
    completion.usage = None
    return completion


def rebuild_completion(call: Call, mode: Mode) -> Any:
    """Return a recorded call as the completion that it was."""
    message = Message(call.answer)
    if mode == "tools":
        message = Message(None, tool_calls=[ToolCall("recorded", Function("answer", call.answer or ""))])
    return Completion([Choice(message)])


def _patch(send: Callable[..., Awaitable[Any]], mode: str) -> Any:
    return instructor.from_litellm(send, mode=instructor.Mode[_MODES[mode]], async_client=True)


# -- litellm ------------------------------------------------------------------------------------------------------------


@cache
def load_litellm() -> Any:
    """Import litellm (seconds of processor time): offline, silent, and without the `.env` of a transcript folder."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import litellm

    # A call that is cancelled before it was sent leaves litellm's inner coroutine behind; that is how a run is stopped.
    warnings.filterwarnings("ignore", message="coroutine 'OpenAIChatCompletion.acompletion' was never awaited")
    with warnings.catch_warnings():
        # pydantic warns once while it completes litellm's models; done here, so that it is no failure of a first call.
        warnings.simplefilter("ignore")
        litellm.ModelResponse()
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.disable_hf_tokenizer_download = True
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    return litellm


class LitellmTransport:
    """Sends requests to any provider that litellm knows."""

    def __init__(self, judge: Judge) -> None:
        self._litellm = load_litellm()
        # The deadline is ours. litellm keeps a client, and its connections, for each time-out that it sees: it sees one.
        patience_s = judge.timeout_s + MAX_WAIT_S
        self._options: dict[str, Any] = {
            "model": judge.model,
            "timeout": patience_s,
            "num_retries": 0,
            "max_retries": 0,
        }
        if judge.api_base:
            self._options |= {"api_base": judge.api_base, "api_key": local_key(judge)}

    async def send(self, request: Mapping[str, Any], timeout_s: float) -> Received | Failure:
        """See `Transport.send`."""
        _in_use.add(self)
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._litellm.acompletion(**{**request, **self._options})
        except TimeoutError:
            return Failure("late")
        except Exception as error:  # noqa: BLE001 - litellm wraps some provider failures in bare exceptions; named, kept, never hidden
            return self._classify(error)
        hidden = getattr(response, "_hidden_params", None) or {}
        return Received(response, _lowered(hidden.get("additional_headers")))

    async def close(self) -> None:
        """See `Transport.close`."""
        _in_use.discard(self)
        await close_sessions()

    def _classify(self, error: Exception) -> Failure:
        """Name a failure by what litellm has recognised, else by its HTTP status."""
        litellm, words = self._litellm, str(error)
        code = getattr(error, "status_code", None)
        response = getattr(error, "response", None)
        headers = _lowered(getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None))
        recognised: tuple[tuple[Any, Any], ...] = (
            (litellm.ContextWindowExceededError, "overflow"),
            (litellm.ContentPolicyViolationError, "filtered"),
            (litellm.UnsupportedParamsError, "unsupported"),
            (litellm.Timeout, "late"),
        )
        for kind, name in recognised:
            if isinstance(error, kind):
                return Failure(name, code, words, headers)
        if never_connected(error):
            return Failure("nowhere")
        if isinstance(error, litellm.APIConnectionError) or any(word in words.lower() for word in _DROPPED):
            return Failure("dropped")
        return Failure("http", code, words, headers)


_in_use: set[LitellmTransport] = set()


async def close_sessions() -> None:
    """Close litellm's sessions unless a transport uses them: it shares them, and would go on with closed ones."""
    if not _in_use:
        litellm = load_litellm()
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()


def _lowered(headers: Any) -> dict[str, str]:
    """Headers by lower-case names; litellm puts its own word in front of a provider's."""
    items = dict(headers or {}).items()
    return {str(name).lower().removeprefix("llm_provider-"): str(value) for name, value in items}


def local_key(judge: Judge) -> str | None:
    """The key for an address of one's own, which may need none while the SDK insists; None leaves it to the environment."""
    missing = load_litellm().validate_environment(judge.model).get("missing_keys") or []
    return "none" if any(name.endswith("_KEY") for name in missing) else None


# -- judges -------------------------------------------------------------------------------------------------------------


def open_transport(judge: Judge) -> Transport:
    """Return the way to a judge's provider: our own where it speaks the provider's form, else litellm's."""
    route = choose_route(judge)
    return LitellmTransport(judge) if route is None else DirectTransport(route)


def choose_route(judge: Judge) -> Route | None:
    """Return the direct way to a judge; None where litellm is to be used."""
    return None if judge.via == "litellm" else find_route(judge)


def check_judge(judge: Judge) -> None:
    """Refuse a judge that cannot work before anything is spent.

    Raises:
        InputError: what `missing_keys` refuses, or a key that is not set (its variable is named, never its value).
    """
    if missing := missing_keys(judge):
        raise InputError(
            f"judge {judge.model!r}: {' and '.join(missing)} not set; export it, or try without a key: -m baseline/cues"
        )


def missing_keys(judge: Judge) -> list[str]:
    """Return the names of the environment variables that a judge needs and that are not set.

    Raises:
        InputError: unknown provider, an address that is none, or no direct way where one is asked for.
    """
    if judge.api_base and not judge.api_base.startswith(("http://", "https://")):
        raise InputError(f"--api-base {quoted(judge.api_base)}: give an address, as in http://127.0.0.1:8000/v1")
    if route := choose_route(judge):
        return [] if route.keyless or os.environ.get(route.key_name) else [route.key_name]
    if judge.via == "direct":
        raise InputError(
            f"--lane direct: judge {quoted(judge.model)} cannot be asked without litellm; direct are openai/... (chat models) "
            "and hosted_vllm/... with --api-base; leave the option out, or give --lane litellm"
        )
    return _missing_for_litellm(judge)


def _missing_for_litellm(judge: Judge) -> list[str]:
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(judge.model)
    except litellm.BadRequestError:
        provider = judge.model.partition("/")[0]
        raise InputError(
            f"judge {judge.model!r}: unknown provider {provider!r}; litellm names them, as in openai/..., anthropic/..., "
            "gemini/..., hosted_vllm/...; without a key: baseline/cues"
        ) from None
    if judge.api_base:
        return []
    missing = litellm.validate_environment(judge.model).get("missing_keys") or []
    return [name for name in missing if not name.endswith(("_BASE", "_URL"))]


def make_asker(judge: Judge) -> Callable[[Sequence[dict[str, str]], type[BaseModel]], Awaitable[Any]]:
    """Return a function that asks a model for any structured answer: for drafting, where nothing is graded.

    Raises:
        InputError: if the judge cannot work (see `check_judge`).
    """
    check_judge(judge)
    transport = open_transport(judge)

    async def send(**request: Any) -> Any:
        result = await transport.send({**request, "max_tokens": judge.max_tokens}, judge.timeout_s)
        if isinstance(result, Failure):
            raise ProviderError(f"HTTP {result.code}" if result.code else f"the request failed ({result.kind})")
        return result.completion

    client = _patch(send, judge.mode or "json_schema")

    async def ask(messages: Sequence[dict[str, str]], response_model: type[BaseModel]) -> Any:
        try:
            return await client.create(
                response_model=response_model, messages=list(messages), max_retries=1, model=judge.model
            )
        except InstructorRetryException as error:
            cause = root_cause(error)
            if isinstance(cause, JSONDecodeError | ValidationError):
                raise ProviderError(f"{judge.model}: gave no valid {response_model.__name__} in two attempts") from None
            what = str(cause) if isinstance(cause, ProviderError) else type(cause).__name__
            raise ProviderError(f"{judge.model}: {what}; see: judge doctor") from None
        finally:
            await transport.close()

    return ask
