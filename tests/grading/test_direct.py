"""The direct transport against litellm: the same body on the wire, the same choice of what is sent; and without its import."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import pytest
from aiohttp import web

from judge.errors import InputError
from judge.grading.judges import Judge
from judge.grading.lanes.client import LitellmTransport, check_judge, choose_route, load_litellm
from judge.grading.lanes.direct import DirectTransport, find_route, read_completion, takes_temperature
from judge.grading.lanes.prices import known_price
from judge.grading.lanes.wire import Failure, Received

from .support import CANARY

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
COMPLETION = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
# Every kind of name that litellm treats in a way of its own, and some that it doesn't.
MODELS = (
    "openai/local",
    "openai/meta-llama/Llama-3.3-70B",
    "openai/gpt-3.5-turbo",
    "openai/gpt-4o",
    "openai/gpt-4.1-mini",
    "openai/ft:gpt-4o-mini:org::id",
    "openai/gpt-5",
    "openai/gpt-5-mini",
    "openai/gpt-5-chat",
    "openai/gpt-5.1",
    "openai/gpt-5.2",
    "openai/gpt-5.4-mini",
    "hosted_vllm/local",
    "hosted_vllm/gpt-5-clone",
)


def request(**fields: Any) -> dict[str, Any]:
    """Return a call as the lane makes it."""
    return {
        "model": "whatever instructor was told",
        "messages": [{"role": "system", "content": "Grade."}, {"role": "user", "content": "Zoë said: 好 \u2028 {{x}}"}],
        "max_tokens": 300,
        **fields,
    }


FORMS: dict[str, dict[str, Any]] = {
    "schema": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
        "temperature": 0.0,
        "seed": 7,
    },
    "tools": {
        "tools": [{"type": "function", "function": {"name": "answer", "description": "d", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "answer"}},
    },
    "text": {"temperature": 1.0, "prompt_cache_key": "k"},
    "again": {
        "messages": [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": "{"},
            {"role": "user", "content": "Correct your JSON."},
        ]
    },
}


@asynccontextmanager
async def recording(seen: list[Any], *, reply: Any = None) -> AsyncIterator[str]:
    """Serve one completion for everything, and keep path, headers and body of each request."""

    async def answer(sent: web.Request) -> web.StreamResponse:
        seen.append((sent.path, dict(sent.headers), json.loads(await sent.read())))
        return web.json_response(COMPLETION) if reply is None else await reply(sent)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def what_is_sent(model: str, fields: dict[str, Any]) -> list[Any]:
    """Return path, authorisation and body that each transport sends for one call: direct, litellm."""

    async def run() -> list[Any]:
        seen: list[Any] = []
        async with recording(seen) as base:
            judge = Judge(model=model, api_base=base)
            route = find_route(judge)
            assert route is not None
            for transport in (DirectTransport(route), LitellmTransport(judge)):
                result = await transport.send(request(**fields), 20.0)
                assert isinstance(result, Received), result
                assert result.completion.choices[0].message.content == "{}"
                await transport.close()
        return [(path, headers["Authorization"], body) for path, headers, body in seen]

    return asyncio.run(run())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model", MODELS)
def test_the_body_is_what_litellm_sends(model: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Field for field, path and key included, for every kind of model and every way of asking."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    if form == "tools" and model.startswith("hosted_vllm/"):
        assert find_route(Judge(model=model, api_base="http://127.0.0.1:9/v1", mode="tools")) is None
        return
    fields = deepcopy(FORMS[form])  # litellm changes what it is given
    if not takes_temperature(model) and fields.get("temperature") != 1.0:
        fields.pop("temperature", None)  # the lane does not send it, because litellm refuses to
    direct, litellm = what_is_sent(model, fields)
    assert direct == litellm


@pytest.mark.parametrize("model", MODELS)
def test_a_temperature_is_kept_back_exactly_where_litellm_refuses_it(model: str) -> None:
    """Models that reason take none; litellm says which, from the same table."""
    library = load_litellm()
    name, provider, _, _ = library.get_llm_provider(model)
    try:
        library.get_optional_params(model=name, custom_llm_provider=provider, temperature=0.0)
    except library.UnsupportedParamsError:
        assert not takes_temperature(model)
    else:
        assert takes_temperature(model)


@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-opus-4-5",
        "gemini/gemini-3-pro",
        "openai/o3",
        "openai/gpt-5-pro",
        "openai/gpt-5.1-codex",
        "openai/gpt-6-of-tomorrow",
        "openai/responses/gpt-4o",
        "openai/gpt-4o-audio-preview",
        "openai/gpt-4o-search-preview",
        "azure/gpt-4o",
        "hosted_vllm/no-address",
    ],
)
def test_whatever_is_not_known_to_be_alike_goes_through_litellm(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other forms and other providers have no direct route, and asking for one is an input error."""
    monkeypatch.delenv("HOSTED_VLLM_API_BASE", raising=False)
    assert choose_route(Judge(model=model)) is None
    with pytest.raises(InputError, match="litellm"):
        check_judge(Judge(model=model, via="direct"))


def test_the_environment_says_where_and_in_whose_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, key and organisation come from the variables that OpenAI's own library reads."""
    seen: list[Any] = []

    async def run() -> None:
        async with recording(seen) as base:
            monkeypatch.setenv("OPENAI_BASE_URL", base)
            route = find_route(Judge(model="openai/gpt-4o"))
            assert route is not None
            transport = DirectTransport(route)
            await transport.send(request(), 5.0)
            await transport.close()

    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-9")
    asyncio.run(run())
    [(path, headers, _)] = seen
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer sk-of-the-environment"
    assert headers["OpenAI-Organization"] == "org-9"


def test_no_object_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither route nor transport holds the key in what a log or a traceback would print."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    route = find_route(Judge(model="openai/gpt-4o"))
    assert route is not None
    assert CANARY not in repr(route) + repr(vars(DirectTransport(route)))


def test_an_address_that_is_none_is_refused_before_anything_is_sent() -> None:
    """A judge at something that isn't an http address is an input error that names the option."""
    with pytest.raises(InputError, match="--api-base"):
        check_judge(Judge(model="openai/local", api_base="localhost:8000"))


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"null",
        b'"text"',
        b'{"choices": 3}',
        b'{"choices": ["x"]}',
        b'{"choices": [{"message": 3}]}',
        b'{"error": {"message": "no"}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_success_that_is_no_completion_is_a_failure(body: bytes) -> None:
    """Whatever stands in the body of a 200, it is a completion or a garbled one, never an exception."""

    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    async def run() -> Any:
        async with recording([], reply=reply) as base:
            route = find_route(Judge(model="openai/local", api_base=base))
            assert route is not None
            transport = DirectTransport(route)
            result = await transport.send(request(), 5.0)
            await transport.close()
            return result

    result = asyncio.run(run())
    assert isinstance(result, Failure)
    assert result.kind == "garbled"


def test_odd_fields_of_a_completion_are_read_as_missing() -> None:
    """Wrong types of usage, model and content do not pass as numbers and text."""
    message = {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 3], "tool_calls": ["x", {}]}
    completion = read_completion(
        {"model": 5, "choices": [{"message": message, "finish_reason": 1}], "usage": {"prompt_tokens": -1}}
    )
    assert completion is not None
    [choice] = completion.choices
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == ("ab", None, None)
    assert completion.model is None
    assert completion.usage.prompt_tokens is None


def test_a_lone_surrogate_in_an_answer_is_sent_back_as_it_was() -> None:
    """JSON can say half a character; a re-ask that quotes one is sent and not refused by the encoder."""
    seen: list[Any] = []

    async def run() -> Any:
        async with recording(seen) as base:
            route = find_route(Judge(model="openai/local", api_base=base))
            assert route is not None
            transport = DirectTransport(route)
            result = await transport.send(request(messages=[{"role": "assistant", "content": "\ud800"}]), 5.0)
            await transport.close()
            return result

    assert isinstance(asyncio.run(run()), Received)
    assert seen[0][2]["messages"][0]["content"] == "\ud800"


def test_prices_are_those_of_litellm() -> None:
    """What is read from its table without importing it is what it says itself."""
    table = load_litellm().model_cost
    for model in ("openai/gpt-4o", "anthropic/claude-opus-4-5", "openai/gpt-5-mini"):
        row, price = table.get(model) or table[model.partition("/")[2]], known_price(model)
        assert price is not None
        assert price.input == pytest.approx(row["input_cost_per_token"] * 1e6)
        assert price.output == pytest.approx(row["output_cost_per_token"] * 1e6)
        assert price.cached == pytest.approx(row["cache_read_input_token_cost"] * 1e6)
    assert known_price("openai/nobody-knows-this") is None


def test_the_direct_lane_never_imports_litellm() -> None:
    """Checking a judge, opening its lane and asking it leave litellm alone, which takes seconds to import."""
    script = """
import asyncio, os, sys
os.environ["OPENAI_API_KEY"] = "k"
from judge.grading.budget import Budget
from judge.grading.judges import Judge
from judge.grading.lanes.opening import open_lane
judge, lane = open_lane(Judge(model="openai/gpt-4o", api_base="http://127.0.0.1:9/v1"), Budget(1.0))
from judge.grading.lanes.client import Questioner
asyncio.run(lane.close())
assert "litellm" not in sys.modules
assert "instructor" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_what_is_spared_of_instructor_s_work_is_still_there_to_be_spared() -> None:
    """The private functions that `client` replaces are used by the installed instructor, so that it pays."""
    from instructor.v2.core import patch, retry
    from instructor.v2.validation import async_validators

    for function in (
        patch.reject_async_validators,
        async_validators.reject_async_validators,
        retry.has_compatible_usage,
        retry.update_total_usage,
    ):
        assert function.__module__ == "judge.grading.lanes.client"
    names = set(retry.retry_async_v2.__code__.co_names)
    assert {"has_compatible_usage", "update_total_usage", "reject_async_validators"} <= names
