"""The direct lane's wire: aiohttp to endpoints that speak OpenAI's chat form, without litellm in between.

A call through litellm costs 5-9 ms of processor time and its import seconds; the form of these endpoints is one that we can
write ourselves. The body is, field for field, what litellm sends for the same call (`tests/grading/test_direct.py` holds
that against litellm itself). Whatever isn't known to be alike goes through litellm: other providers, and OpenAI's models
that need another form (o-series, those for audio and search, those behind `/responses`, reasoning models that litellm's
table does not have yet), and vLLM with tools, whose schemas litellm prunes.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import orjson

from judge.grading.judges import Judge
from judge.grading.lanes.prices import model_facts
from judge.grading.lanes.wire import Failure, Received

_OPENAI: Final = "https://api.openai.com/v1"
_O_SERIES: Final = re.compile(r"o\d")
# litellm: `is_gpt_reasoning_series_name`
_REASONING: Final = ("gpt-5", "gpt-6")
_OTHER_FORM: Final = ("audio", "search", "realtime", "codex", "deep-research", "computer-use")


class Route(NamedTuple):
    """Where a model is asked directly, and under which name. The key is read when it is used, and kept nowhere else."""

    base: str
    model: str
    key_name: str  # of the environment variable
    keyless: str | None  # what is sent where there is none; None: a key must be there
    max_tokens: str  # the field that bounds the answer


def find_route(judge: Judge) -> Route | None:
    """Return how a judge is asked without litellm; None where only litellm will do."""
    provider, _, model = judge.model.partition("/")
    env = os.environ
    if provider == "openai" and _is_plain(model):
        base = judge.api_base or env.get("OPENAI_BASE_URL") or env.get("OPENAI_API_BASE") or _OPENAI
        keyless = "none" if judge.api_base else None
        limit = "max_completion_tokens" if _is_reasoning(model) else "max_tokens"
        route = Route(base, model, "OPENAI_API_KEY", keyless, limit)
    elif provider == "hosted_vllm" and judge.mode != "tools" and (judge.api_base or env.get("HOSTED_VLLM_API_BASE")):
        base = judge.api_base or env["HOSTED_VLLM_API_BASE"]
        route = Route(base, model, "HOSTED_VLLM_API_KEY", "fake-api-key", "max_tokens")
    else:
        return None
    parts = urlsplit(base)
    return route if parts.scheme in ("http", "https") and not parts.query else None


def takes_temperature(model: str) -> bool:
    """Whether a model may be given a temperature other than 1: reasoning models may not, while they reason."""
    provider, _, name = model.partition("/")
    if provider != "openai":
        return True
    if _O_SERIES.match(name):
        return not model_facts(name)
    if not _is_reasoning(name):
        return True
    facts = model_facts(name)
    return bool(facts.get("supports_none_reasoning_effort")) and facts.get("default_reasoning_effort") == "none"


def _is_reasoning(model: str) -> bool:
    return any(name in model for name in _REASONING) and "gpt-5-chat" not in model.rpartition("/")[2]


def _is_plain(model: str) -> bool:
    """Whether a model of OpenAI's, or of a server like it, takes the chat form without any special case of litellm's."""
    if _O_SERIES.match(model) or model.startswith("responses/") or any(word in model for word in _OTHER_FORM):
        return False
    facts = model_facts(model)
    return bool(facts.get("mode", "chat") == "chat") and not (_is_reasoning(model) and not facts)


@dataclass(slots=True)
class Function:
    """The function of a tool call."""

    name: str
    arguments: str


@dataclass(slots=True)
class ToolCall:
    """A tool call, as far as anything reads it."""

    id: str
    function: Function


@dataclass(slots=True)
class Message:
    """The message of a completion, as far as anything reads it."""

    content: str | None
    role: str = "assistant"
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None

    def model_dump(self) -> dict[str, Any]:
        """The tool calls as a provider takes them back; what instructor asks for when it re-asks."""
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in self.tool_calls or ()
        ]
        return {"tool_calls": calls or None}


@dataclass(slots=True)
class Choice:
    """The one choice of a completion."""

    message: Message
    finish_reason: str | None = "stop"


@dataclass(slots=True)
class PromptDetails:
    """What of the prompt came from the provider's cache."""

    cached_tokens: int | None


@dataclass(slots=True)
class Usage:
    """Tokens in and out."""

    prompt_tokens: int | None
    completion_tokens: int | None
    prompt_tokens_details: PromptDetails | None


@dataclass(slots=True)
class Completion:
    """A completion in OpenAI's form: what instructor and `wire` read of one, without the classes of a client library."""

    choices: list[Choice] = field(default_factory=list)
    model: str | None = None
    usage: Any = None  # Usage, until somebody puts another in its place


def read_completion(body: Any) -> Completion | None:
    """Read the JSON of a completion; None where it isn't one. Without choices it is one, and empty."""
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
        return None
    model = body.get("model")
    completion = Completion([], model if isinstance(model, str) else None, _read_usage(body.get("usage")))
    for choice in body["choices"][:1]:
        if not isinstance(choice, dict) or not isinstance(message := choice.get("message"), dict):
            return None
        finish = choice.get("finish_reason")
        completion.choices.append(Choice(_read_message(message), finish if isinstance(finish, str) else None))
    return completion


def _read_message(message: Mapping[str, Any]) -> Message:
    calls = [
        ToolCall(
            str(call.get("id") or ""),
            Function(str(call["function"].get("name")), _text(call["function"].get("arguments"))),
        )
        for call in message.get("tool_calls") or ()
        if isinstance(call, dict) and isinstance(call.get("function"), dict)
    ]
    return Message(
        content=_text(message.get("content")),
        refusal=_text(message.get("refusal")) or None,
        tool_calls=calls or None,
    )


def _text(value: Any) -> str:
    """Text, or the text of content parts; anything else is none."""
    if isinstance(value, list):
        return "".join(part["text"] for part in value if isinstance(part, dict) and isinstance(part.get("text"), str))
    return value if isinstance(value, str) else ""


def _read_usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        PromptDetails(cached) if details else None,
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


class DirectTransport:
    """Sends requests to one route over connections of its own."""

    def __init__(self, route: Route) -> None:
        self._url = f"{route.base.rstrip('/')}/chat/completions"
        self._route = route
        self._session: Any = None  # aiohttp.ClientSession, made inside the event loop that uses it
        self._proxy = _proxy_for(self._url)

    async def send(self, request: Mapping[str, Any], timeout_s: float) -> Received | Failure:
        """Send one request and wait for what comes of it, at most `timeout_s` seconds. Raises nothing of the network's."""
        import asyncio

        import aiohttp

        body = {**request, "model": self._route.model}
        body[self._route.max_tokens] = body.pop("max_tokens")
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._open().post(self._url, data=_encode(body), proxy=self._proxy) as reply,
            ):
                status, headers, raw = reply.status, reply.headers, await reply.read()
        except TimeoutError:
            return Failure("late")
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL):
            return Failure("nowhere")
        except (aiohttp.ClientError, OSError):
            return Failure("dropped")
        lowered = {name.lower(): value for name, value in headers.items()}
        if not 200 <= status < 300:
            return Failure("http", status, raw[:20_000].decode("utf-8", "replace"), lowered)
        completion = read_completion(_decode(raw))
        return Failure("garbled", headers=lowered) if completion is None else Received(completion, lowered)

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> Any:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=_trusted() if self._url.startswith("https:") else True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_headers(self._route),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


def _headers(route: Route) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "transcript-judge",
        "Authorization": f"Bearer {os.environ.get(route.key_name) or route.keyless or ''}",
    }
    if route.key_name == "OPENAI_API_KEY":
        organisation = os.environ.get("OPENAI_ORGANIZATION") or os.environ.get("OPENAI_ORG_ID")
        headers |= {"OpenAI-Organization": organisation} if organisation else {}
        project = os.environ.get("OPENAI_PROJECT_ID")
        headers |= {"OpenAI-Project": project} if project else {}
    return headers


def _encode(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate, which an answer that is sent back may hold
        return json.dumps(body).encode()


def _decode(raw: bytes) -> Any:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(raw)
    try:
        return json.loads(raw)  # takes lone surrogates, as litellm does
    except (ValueError, RecursionError):
        return None


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address."""
    parts = urlsplit(url)
    proxies = getproxies()
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _trusted() -> ssl.SSLContext:
    """Trust what the system trusts, and certifi's list, since some Pythons come without any."""
    context = ssl.create_default_context()
    with suppress(ImportError):
        import certifi

        context.load_verify_locations(certifi.where())
    return context
