"""A server that speaks the OpenAI chat format on loopback, answers as told, and fails as told.

Run as `python -m servers.openai_server [--settings JSON] [--script FILE]`: it prints one JSON line with its port and
address, serves until its stdin closes, and remembers every request. It models what a client must get right: faults,
latency, request limits, prompt caching, billing. It is no model of a model: answers come from `answers` or a script.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import runpy
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field, fields, replace
from email.utils import formatdate
from hashlib import blake2b
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import orjson
from aiohttp import web

from .answers import ANSWERERS, Answerer, Prompt, message_texts, without_boundary
from .batches import Batches
from .faults import FAULTS, SPOILED, STATUS, chosen, draw, spoiled

JSON: Final = "application/json"
_TOKEN_CHARS: Final = 4  # as OpenAI's rule of thumb
_CACHE_BLOCK: Final = 128 * _TOKEN_CHARS  # cached prefixes grow by 128 tokens ...
_CACHE_MIN: Final = 1024  # ... from 1,024 on


@dataclass(frozen=True)
class Settings:
    """How the server behaves; `POST /reset` replaces any of these until the next reset."""

    seed: int = 0
    answer: str = "not_met"  # a name in ANSWERERS, or JSON text that is answered as it stands
    level: str | None = None  # replaces the level of every answer
    faults: dict[str, float] = field(default_factory=dict)  # name -> probability
    latency_s: float = 0.0  # the median
    latency_sigma: float = 0.0  # of a log-normal; 0: always the median
    retry_after_s: float = 1.0  # what a 429 asks for; whole seconds where the header is a date
    hang_s: float = 60.0
    rpm: int = 0  # requests per window, 0: no limit; beyond it 429, counted as a violation
    rpm_window_s: float = 60.0
    capacity: int = 0  # requests at once, 0: no limit; beyond it 429
    outage: tuple[int, int] | None = None  # the requests numbered from the first up to the second get 503
    context_tokens: int = 0  # longer prompts get context_length_exceeded, 0: no limit
    cache: bool = False  # model prompt caching, by longest common prefix with earlier prompts
    api_key: str | None = None  # anything else gets 401
    refuse_schema: bool = False  # 400 for response_format json_schema, as older servers do
    lean: bool = False  # for benchmarks: one body for all of a form, nothing remembered but counts
    batch_s: float = 0.0  # from the beginning of a batch until it is done
    batch_expires: bool = False  # half of a batch is never answered
    keep: int = 0  # the last requests to keep whole for GET /requests


class Log:
    """What happened since the last reset."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.totals: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.bodies: dict[str, Counter[str]] = {}
        self.roots: dict[str, Counter[str]] = {}
        self.requests: list[tuple[float, str, str, str | None, int]] = []  # seconds, key, root, fault, status
        self.running = 0
        self.max_running = 0
        self.not_before: dict[str, float] = {}

    def shown(self, *, bodies: bool, requests: bool) -> dict[str, Any]:
        """Return the counts; `bodies` and `requests` add what was seen per request body and one by one."""
        shown: dict[str, Any] = {
            "requests": 0,
            "ok": 0,
            "billed": 0,
            "lost": 0,
            "after_ok": 0,
            "rate_violations": 0,
            "capacity_violations": 0,
            "early_retries": 0,
            "input_tokens": 0,
            "cached_tokens": 0,
            "output_tokens": 0,
            **self.totals,
            "faults": dict(self.faults),
            "distinct": len(self.bodies),
            "max_concurrency": self.max_running,
        }
        if bodies:
            shown["bodies"] = {key: dict(counts) for key, counts in self.bodies.items()}
            shown["roots"] = {key: dict(counts) for key, counts in self.roots.items()}
        if requests:
            shown["sequence"] = self.requests
        return shown


class Server:
    """The state behind the routes."""

    def __init__(self, settings: Settings, script: Answerer | None = None) -> None:
        self.script = script
        self.first = settings
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Start anew with these settings."""
        unknown = set(settings.faults) - set(FAULTS)
        if unknown or sum(settings.faults.values()) > 1 + 1e-9:
            raise ValueError(f"faults {sorted(settings.faults)}: names are {FAULTS}, probabilities add up to at most 1")
        self.settings = settings
        self.log = Log()
        self.prefixes: set[bytes] = set()
        self.window: deque[float] = deque()
        self.kept: deque[Any] = deque(maxlen=settings.keep or None)
        self.lean_bodies: dict[tuple[bool, bool], bytes] = {}

    # -- answering --------------------------------------------------------------------------------------------------

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        log = self.log
        log.running += 1
        log.max_running = max(log.max_running, log.running)
        try:
            raw = await request.read()
            if self.settings.lean:
                return await self._lean(raw)
            return await self._answer(request, raw)
        finally:
            log.running -= 1

    async def _lean(self, raw: bytes) -> web.Response:
        self.log.totals["requests"] += 1
        form = (b'"tool_choice":' in raw, b'"response_format":' in raw)
        if form not in self.lean_bodies:
            body = orjson.loads(raw)
            text = self._text(Prompt(body, "", 0), None)
            self.lean_bodies[form] = _completion(body, text, None, _usage(len(raw) // _TOKEN_CHARS, 0, text))
        if self.settings.latency_s:
            await asyncio.sleep(self.settings.latency_s)
        self.log.totals["ok"] += 1
        self.log.totals["billed"] += 1
        return web.Response(body=self.lean_bodies[form], content_type=JSON)

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        settings, log = self.settings, self.log
        try:
            body = orjson.loads(raw)
            messages = body["messages"]
            root_length = next((i for i, m in enumerate(messages) if m["role"] == "assistant"), len(messages))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _error(400, "invalid_request_error", "the body is no chat request")
        key = _digest(without_boundary(raw.decode()))
        root = _digest(without_boundary(repr((body.get("model"), messages[:root_length]))))
        counts = log.bodies.setdefault(key, Counter())
        nth = counts["sent"]
        number = log.totals["requests"]
        now = time.monotonic()
        log.totals["requests"] += 1
        log.totals["after_ok"] += counts["ok"] > 0
        log.totals["early_retries"] += now < log.not_before.get(key, 0.0)
        counts["sent"] += 1
        per_root = log.roots.setdefault(root, Counter())
        per_root["sent"] += 1
        if settings.keep:
            self.kept.append(body)

        def note(fault: str | None, status: int) -> None:
            log.requests.append((round(now - log.started, 4), key, root, fault, status))
            if fault:
                log.faults[fault] += 1
                counts[fault] += 1

        turned_away = self._turned_away(request, body, number, now)
        if turned_away is not None:
            note(turned_away[0], turned_away[1].status)
            return turned_away[1]
        fault = chosen(settings.faults, draw(settings.seed, key, nth))
        status = STATUS.get(fault or "", 200)
        if fault == "context_length":
            status = 400
        elif fault in ("retry_after_seconds", "retry_after_date"):
            status = 429
            log.not_before[key] = now + settings.retry_after_s * 0.99
        note(fault, status)
        await asyncio.sleep(self._latency(key, nth))
        if fault is None or fault in SPOILED or fault == "drop_after":
            prompt = Prompt(body, key, nth)
            text = self._text(prompt, fault)
            usage = self._use(body, text)
            # a provider bills what it has generated, whether or not it arrives
            if fault == "drop_after":
                log.totals["lost"] += 1
            else:
                log.totals["billed"] += 1
                log.totals["input_tokens"] += usage["prompt_tokens"]
                log.totals["cached_tokens"] += usage["prompt_tokens_details"]["cached_tokens"]
                log.totals["output_tokens"] += usage["completion_tokens"]
                per_root["billed"] += 1
            if fault is None:
                log.totals["ok"] += 1
                counts["ok"] += 1
                per_root["ok"] += 1
            payload = _completion(body, text, fault, usage)
            if fault == "drop_after":
                return await _cut(request, payload)
            return web.Response(body=payload, content_type=JSON)
        return await self._failed(request, fault, status)

    def _turned_away(
        self, request: web.Request, body: dict[str, Any], number: int, now: float
    ) -> tuple[str, web.Response] | None:
        """Return the refusal, and what to call it, of a request that breaks one of the server's limits."""
        settings, log = self.settings, self.log
        if settings.api_key is not None and request.headers.get("Authorization") != f"Bearer {settings.api_key}":
            return "wrong_key", _error(401, "invalid_api_key", "Incorrect API key provided.")
        if settings.outage and settings.outage[0] <= number < settings.outage[1]:
            return "outage", _error(503, "server_error", "The server is overloaded.")
        if settings.refuse_schema and (body.get("response_format") or {}).get("type") == "json_schema":
            return "refuse_schema", _error(400, "invalid_request_error", "response_format json_schema is not supported")
        if settings.capacity and log.running > settings.capacity:
            log.totals["capacity_violations"] += 1
            return "capacity", self._slow_down(settings.retry_after_s)
        if settings.rpm:
            while self.window and self.window[0] <= now - settings.rpm_window_s:
                self.window.popleft()
            if len(self.window) >= settings.rpm:
                log.totals["rate_violations"] += 1
                return "rpm", self._slow_down(self.window[0] + settings.rpm_window_s - now)
            self.window.append(now)
        if settings.context_tokens and _prompt_tokens(body) > settings.context_tokens:
            return "context", _too_long(_prompt_tokens(body), settings.context_tokens)
        return None

    async def _failed(self, request: web.Request, fault: str, status: int) -> web.StreamResponse:
        if fault == "hang":
            await asyncio.sleep(self.settings.hang_s)
            return _error(500, "server_error", "timed out")
        if fault == "drop_before":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault == "html":
            return web.Response(text="<html><body><h1>Bad gateway</h1></body></html>", content_type="text/html")
        if fault == "retry_after_seconds":
            return self._slow_down(self.settings.retry_after_s)
        if fault == "retry_after_date":
            # whole seconds, rounded up so that waiting until the date is always long enough
            date = formatdate(math.ceil(time.time() + self.settings.retry_after_s), usegmt=True)
            return self._slow_down(date)
        if fault == "context_length":
            return _too_long(200_000, 128_000)
        if status == 401:
            return _error(401, "invalid_api_key", "Incorrect API key provided.")
        return _error(status, "server_error", "The server had an error while processing your request.")

    def _slow_down(self, after: float | str) -> web.Response:
        value = after if isinstance(after, str) else f"{max(after, 0):.3f}".rstrip("0").rstrip(".")
        return _error(429, "rate_limit_exceeded", "Rate limit reached.", {"Retry-After": value})

    def _latency(self, key: str, nth: int) -> float:
        settings = self.settings
        if not settings.latency_sigma:
            return settings.latency_s
        drawn = min(max(draw(settings.seed + 1, key, nth), 1e-6), 1 - 1e-6)
        return settings.latency_s * math.exp(settings.latency_sigma * NormalDist().inv_cdf(drawn))

    def _text(self, prompt: Prompt, fault: str | None) -> str:
        """Return the text of the answer, as the fault leaves it."""
        answer: dict[str, Any] | str
        if self.script is not None:
            answer = self.script(prompt)
        elif self.settings.answer in ANSWERERS:
            answer = ANSWERERS[self.settings.answer](prompt)
        else:
            answer = self.settings.answer
        if self.settings.level is not None and isinstance(answer, dict):
            answer = {**answer, "level": self.settings.level}
        return spoiled(fault, prompt, answer)

    def _use(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        return _usage(_prompt_tokens(body), self._cached_tokens(body) if self.settings.cache else 0, text)

    def _cached_tokens(self, body: dict[str, Any]) -> int:
        """Return how much of the prompt an earlier prompt began with, and remember this one."""
        # The schema comes first, so it must be the same; its tokens are in no count.
        schema, prompt = orjson.dumps([body.get("tools"), body.get("response_format")]), _prompt_text(body).encode()
        hashed, known, still = blake2b(schema, digest_size=16), 0, True
        for start in range(0, len(prompt) - _CACHE_BLOCK + 1, _CACHE_BLOCK):
            hashed.update(prompt[start : start + _CACHE_BLOCK])
            prefix = hashed.digest()
            still = still and prefix in self.prefixes
            known += still
            self.prefixes.add(prefix)
        tokens = known * _CACHE_BLOCK // _TOKEN_CHARS
        return tokens if tokens >= _CACHE_MIN else 0

    # -- the rest ---------------------------------------------------------------------------------------------------

    async def models(self, _: web.Request) -> web.Response:
        """GET /v1/models."""
        data = [{"id": "local", "object": "model", "created": 0, "owned_by": "local"}]
        return web.Response(body=orjson.dumps({"object": "list", "data": data}), content_type=JSON)

    async def show_log(self, request: web.Request) -> web.Response:
        """GET /log, with ?bodies=1 and ?requests=1 for more."""
        shown = self.log.shown(bodies="bodies" in request.query, requests="requests" in request.query)
        return web.Response(body=orjson.dumps(shown), content_type=JSON)

    async def show_requests(self, _: web.Request) -> web.Response:
        """GET /requests: the bodies that `keep` kept, oldest first."""
        return web.Response(body=orjson.dumps(list(self.kept)), content_type=JSON)

    async def reset(self, request: web.Request) -> web.Response:
        """POST /reset: forget everything; settings are those of the start, but for those in a JSON object."""
        raw = await request.read()
        try:
            self.configure(replace(self.first, **parsed(orjson.loads(raw or b"{}"))))
        except ValueError as error:
            return _error(400, "invalid_request_error", str(error))
        return web.Response(body=orjson.dumps(asdict(self.settings)), content_type=JSON)


def parsed(given: dict[str, Any]) -> dict[str, Any]:
    """Return settings read from JSON, as `Settings` takes them.

    Raises:
        ValueError: for a name that is no setting.
    """
    unknown = set(given) - {one.name for one in fields(Settings)}
    if unknown:
        raise ValueError(f"no such settings: {sorted(unknown)}")
    if given.get("outage"):
        given = {**given, "outage": tuple(given["outage"])}
    return given


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _prompt_text(body: dict[str, Any]) -> str:
    return "\n".join(message_texts(body["messages"]))


def _prompt_tokens(body: dict[str, Any]) -> int:
    return sum(map(len, message_texts(body["messages"]))) // _TOKEN_CHARS


def _usage(tokens: int, cached: int, text: str) -> dict[str, Any]:
    completion = len(text) // _TOKEN_CHARS
    return {
        "prompt_tokens": tokens,
        "completion_tokens": completion,
        "total_tokens": tokens + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _choice(body: dict[str, Any], text: str, fault: str | None) -> dict[str, Any]:
    """Wrap the text as the request asks: a tool call, JSON content, or JSON in a fence where no format was given."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    reason = "length" if fault == "truncated_length" else "stop"
    if fault == "refusal":
        message |= {"content": None, "refusal": "I'm sorry, but I can't help with that."}
    elif fault == "content_filter":
        message["content"], reason = None, "content_filter"
    elif body.get("tools") and fault != "empty_content":
        forced = body.get("tool_choice")
        function = forced["function"] if isinstance(forced, dict) else body["tools"][0]["function"]
        call = {"id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": text}}
        message |= {"content": None, "tool_calls": [call]}
        reason = "length" if fault == "truncated_length" else "tool_calls"
    elif not body.get("response_format") and text:
        message["content"] = f"```json\n{text}\n```"
    return {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}


def _completion(body: dict[str, Any], text: str, fault: str | None, usage: dict[str, Any]) -> bytes:
    return orjson.dumps(
        {
            "id": "chatcmpl-local",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": body.get("model", "local"),
            "choices": [] if fault == "empty_choices" else [_choice(body, text, fault)],
            "usage": usage,
        }
    )


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": code, "param": None, "code": code}}
    return web.Response(status=status, body=orjson.dumps(body), content_type=JSON, headers=headers)


def _too_long(tokens: int, limit: int) -> web.Response:
    message = (
        f"This model's maximum context length is {limit} tokens. However, your messages resulted in {tokens} tokens. "
        "Please reduce the length of the messages."
    )
    return _error(400, "context_length_exceeded", message)


async def _cut(request: web.Request, payload: bytes) -> web.StreamResponse:
    """Send the headers and half of the body, then drop the connection."""
    response = web.StreamResponse(headers={"Content-Type": JSON, "Content-Length": str(len(payload))})
    await response.prepare(request)
    await response.write(payload[: len(payload) // 2])
    assert request.transport is not None
    request.transport.abort()
    return response


def application(settings: Settings, script: Answerer | None = None) -> web.Application:
    """Return the web application."""
    server = Server(settings, script)
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_get("/v1/models", server.models)
    app.router.add_get("/log", server.show_log)
    app.router.add_get("/requests", server.show_requests)
    app.router.add_post("/reset", server.reset)
    Batches(lambda: server.settings).add_routes(app)
    return app


async def serve(settings: Settings, script: Answerer | None = None) -> None:
    """Serve on any free port of loopback until stdin closes."""
    # a client that gives up ends its handler, so that hung requests don't pile up
    runner = web.AppRunner(application(settings, script), access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096, shutdown_timeout=0.1)
    await site.start()
    port = runner.addresses[0][1]
    print(orjson.dumps({"port": port, "base_url": f"http://127.0.0.1:{port}/v1"}).decode(), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    await runner.cleanup()


def main() -> None:
    """Run the server from the command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--settings", default="{}", help="a JSON object with fields of Settings")
    arguments.add_argument("--script", type=Path, help="a Python file with `answer(prompt)`, returning a dict or text")
    given = arguments.parse_args()
    script = runpy.run_path(str(given.script))["answer"] if given.script else None
    asyncio.run(serve(Settings(**parsed(orjson.loads(given.settings))), script))


if __name__ == "__main__":
    main()
