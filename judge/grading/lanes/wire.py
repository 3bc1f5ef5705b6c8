"""What goes over the wire and comes back, whichever library carries it: layout for prompt caches, replies, usage, failures.

Pure. Completions are read by their attributes, since their classes vary by provider and release; what a provider said in
an error is only ever searched for known words, and none of it travels on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple

from judge.grading.judges import Mode, Price
from judge.grading.lanes.pace import Outcome
from judge.grading.prompt import Prompt
from judge.ledger.verdict import Status

NO_TEMPERATURE = "the model takes no temperature"

_OVERFLOW = (
    "context length",
    "context_length",
    "context window",
    "maximum context",
    "too many tokens",
    "prompt is too long",
)
_FILTERED = ("content_policy_violation", "content_filter", "content management policy")
_NO_SCHEMA = ("response_format", "json_schema", "structured output", "output_format")
_NO_CREDIT = ("insufficient_quota", "exceeded your current quota", "credit balance is too low")
_FATAL = {
    401: "the key was rejected",
    402: "the account has no credit",
    403: "access was denied",
    404: "no such model or address",
}
_TURNED_AWAY = (429, 503, 529)


class Received(NamedTuple):
    """A completion, and the headers that came with it (names in lower case)."""

    completion: Any
    headers: Mapping[str, str]


class Failure(NamedTuple):
    """A request that ended without a completion.

    `http` has a `code`; `garbled` was a success without a completion in it; after `late`, `dropped` and `nowhere` nobody
    knows what became of it, except that `nowhere` was never sent. The others are what a library has recognised already.
    """

    kind: Literal["http", "garbled", "late", "dropped", "nowhere", "overflow", "filtered", "unsupported"]
    code: int | None = None
    words: str = ""  # what the provider said, to be searched and forgotten
    headers: Mapping[str, str] = {}


class Problem(NamedTuple):
    """What a failed attempt means: `status` set ends the exchange, `fatal` ends the run, neither means try again."""

    name: str
    status: Status | None = None
    fatal: bool = False
    reached: bool = True  # the provider answered at all
    nowhere: bool = False  # nothing listens at the address, or it has no such name
    as_text: bool = False  # it knows no structured output: ask for JSON as text instead
    waited: bool = False  # the pause before the next attempt is over: it was spent waiting for this one


class Reply(NamedTuple):
    """A judge's text, why it ended, and the words of a refusal."""

    text: str
    finish: str | None
    refused: str | None


def lay_out(prompt: Prompt, *, mark: bool) -> list[dict[str, Any]]:
    """Return a prompt as chat messages; `mark` says to the provider that what follows the transcript varies.

    The bytes before the question are the same for every rubric on a transcript, which is what prompt caches go by. Most
    providers find that out by themselves; Anthropic's models cache up to a mark and charge for writing.
    """
    if not mark:
        return list(prompt.messages())
    ephemeral = {"type": "ephemeral"}
    return [
        {"role": "system", "content": prompt.instructions},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": prompt.transcript, "cache_control": ephemeral},
                {"type": "text", "text": f"\n\n{prompt.question}"},
            ],
        },
    ]


def count_bytes(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return the bytes of text in messages, whose content is text or parts of text."""
    total = 0
    for message in messages:
        content = message.get("content") or ""
        for text in (content,) if isinstance(content, str) else (part.get("text", "") for part in content):
            total += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return total


def read_reply(response: Any) -> Reply | None:
    """Take text, finish reason and refusal from a completion; None where it holds nothing at all."""
    choices = getattr(response, "choices", None)
    if not choices:
        return None
    message, finish = choices[0].message, choices[0].finish_reason
    extra = getattr(message, "provider_specific_fields", None) or {}
    refused = getattr(message, "refusal", None) or extra.get("refusal")
    if finish == "content_filter":
        refused = refused or "the provider's content filter stopped it"
    calls = getattr(message, "tool_calls", None)
    text = calls[0].function.arguments if calls else message.content
    if not text and not refused:
        return None
    # Half a character (a lone surrogate) cannot be kept as it is: it stands as JSON would write it.
    return Reply((text or "").encode("utf-8", "backslashreplace").decode(), finish, refused)


def reply_status(reply: Reply) -> str:
    """Say what a reply is: ok, refused, or truncated at the token limit."""
    if reply.refused:
        return "refused"
    return "truncated" if reply.finish == "length" else "ok"


def account(response: Any, price: Price | None) -> tuple[dict[str, int], float | None]:
    """Return the tokens that a completion says it used, and what they cost; None where price or usage is unknown."""
    usage = getattr(response, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    sent = getattr(usage, "prompt_tokens", None)
    received = getattr(usage, "completion_tokens", None)
    cached = getattr(details, "cached_tokens", None)
    counts = {"input_tokens": sent, "output_tokens": received, "cached_tokens": cached}
    known = {name: count for name, count in counts.items() if count is not None}
    if price is None or sent is None or received is None:
        return known, None
    cheap = cached or 0
    written = getattr(usage, "cache_creation_input_tokens", None) or 0
    cost: float = (
        (sent - cheap - written) * price.input
        + cheap * (price.input if price.cached is None else price.cached)
        + written * (price.input if price.written is None else price.written)
        + received * price.output
    ) / 1e6
    return known, cost


def diagnose(failure: Failure, *, timeout_s: float, mode: Mode, temperature: float | None) -> Problem:
    """Say what a failure means. By HTTP status, since libraries' classes vary; only our own words are in the result."""
    match failure.kind:
        case "late":
            return Problem(f"no answer within {timeout_s:g} s", reached=False, waited=True)
        case "nowhere":
            return Problem("the address cannot be reached", reached=False, nowhere=True)
        case "dropped":
            return Problem("the connection broke off", reached=False)
        case "garbled":
            return Problem("something else than a completion")
    if failure.code in (None, 400):
        return _diagnose_request(failure, mode, temperature)
    code, words = failure.code, failure.words.lower()
    if code in _FATAL:
        return Problem(f"{_FATAL[code]} (HTTP {code}); see: judge doctor", fatal=True)
    if code == 429:
        if any(word in words for word in _NO_CREDIT):
            return Problem("the account has no credit left (HTTP 429)", fatal=True)
        return Problem("HTTP 429, too many requests")
    if code == 413:
        return Problem("the request is larger than the provider takes", status="overflow")
    if code == 422:
        return Problem(f"the provider rejected the request (HTTP {code})", status="error")
    return Problem(f"HTTP {code}")


def _diagnose_request(failure: Failure, mode: Mode, temperature: float | None) -> Problem:
    """Say what of a request the provider, or the library before it, did not take."""
    words = failure.words.lower()
    if failure.kind == "overflow" or any(word in words for word in _OVERFLOW):
        return Problem("the transcript does not fit the model's context", status="overflow")
    if failure.kind == "filtered" or any(word in words for word in _FILTERED):
        return Problem("the provider's content filter stopped it", status="refused")
    if failure.kind == "unsupported" or "temperature" in words:
        if temperature is not None:
            return Problem(NO_TEMPERATURE)
        return Problem("the model does not support a parameter", fatal=True)
    if mode == "json_schema" and any(word in words for word in _NO_SCHEMA):
        return Problem("no structured output here", as_text=True)
    if any(word in words for word in _NO_CREDIT):
        return Problem("the account has no credit left (HTTP 400)", fatal=True)
    if failure.code is None:
        return Problem("an unknown failure")
    return Problem("the provider rejected the request (HTTP 400)", status="error")


def to_outcome(result: Received | Failure, latency_s: float, tokens: int | None) -> Outcome:
    """Say to the pace what became of a request: how the provider is, what it used, what it says is left."""
    hold_s, left, reset_s = read_allowance(result.headers)
    if isinstance(result, Received):
        return Outcome("answered", latency_s, tokens, hold_s, left, reset_s)
    if result.kind in ("late", "dropped", "nowhere"):
        return Outcome("unreached", latency_s)
    if result.code in _TURNED_AWAY:
        hold_s = max(hold_s, retry_after(result.headers) or 0.0)
        return Outcome("limited", latency_s, 0, hold_s, left, reset_s)
    failed = result.kind == "garbled" or (result.code or 0) >= 500
    return Outcome("failed" if failed else "other", latency_s, 0, retry_after(result.headers) or 0.0)


_RESET = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def read_allowance(headers: Mapping[str, str]) -> tuple[float, int | None, float]:
    """Read what a provider says is left: seconds without any request, tokens left (None: not said), seconds until reset."""

    def said(kind: str) -> tuple[int | None, float]:
        for left, reset in (
            (f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}"),
            (f"anthropic-ratelimit-{kind}-remaining", f"anthropic-ratelimit-{kind}-reset"),
        ):
            if (text := headers.get(left, "")).isdecimal():
                return int(text), _seconds_until(headers.get(reset, ""))
        return None, 0.0

    requests, reset_s = said("requests")
    tokens, tokens_reset_s = said("tokens")
    return (reset_s if requests == 0 else 0.0), tokens, tokens_reset_s


def _seconds_until(reset: str) -> float:
    """Read `6m0s`, `120ms`, plain seconds or an RFC 3339 time; 0 for anything else."""
    if parts := _RESET.findall(reset):
        return float(sum(float(number) * _UNIT_S[unit] for number, unit in parts))
    try:
        return max(0.0, float(reset))
    except ValueError:
        pass
    try:
        return max(0.0, (datetime.fromisoformat(reset) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After (seconds or a date) from a reply's headers; None where there is none."""
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until: datetime = parsedate_to_datetime(value)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def root_cause(error: BaseException) -> BaseException:
    """Follow an exception's causes to the first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


_NO_CONNECTION = frozenset(("ConnectError", "ClientConnectorError", "ConnectionRefusedError", "gaierror"))


def never_connected(error: BaseException) -> bool:
    """Whether no connection was made at all, as with a wrong address; one that broke off may have been billed."""
    link: BaseException | None = error
    while link is not None:
        if type(link).__name__ in _NO_CONNECTION:
            return True
        link = link.__cause__ or link.__context__
    return False
