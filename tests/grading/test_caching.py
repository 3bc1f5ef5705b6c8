"""Prompt caching: many rubrics on one transcript pay for it once, and Anthropic's models are told where to cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from judge.grading.judges import Judge, Price
from judge.grading.run import Grading, grade, grade_sync
from judge.rubrics.model import Rubric
from judge.transcripts.model import TARGET, Message, Part, Source, Transcript
from servers.launch import Running, start_server

from .support import RUBRIC, SCRIPT, make_transcripts
from .test_direct import recording

RUBRICS = [Rubric.model_validate({**RUBRIC.model_dump(), "id": f"pressure-{n}", "title": f"P{n}"}) for n in range(12)]


def long_transcript(chars: int) -> Transcript:
    """Return a transcript with about so many characters of text."""
    line = "Entry {n}: the order was packed, weighed and handed to the carrier before noon; nothing was left over.\n"
    messages = [
        Message(
            id=f"m{number}",
            role="assistant",
            author=TARGET,
            parts=(Part(id=f"m{number}.1", kind="text", text=line.format(n=number) * 20),),
        )
        for number in range(1, chars // (20 * len(line)) + 1)
    ]
    source = Source(uri="long", format="test", sha256="0" * 64, size=chars)
    return Transcript(id=f"long-{chars}", source=source, messages=tuple(messages))


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A provider that caches prefixes."""
    with start_server(SCRIPT, cache=True, latency_s=0.05) as running:
        yield running


def full_price_tokens(grading: Grading) -> int:
    """Input tokens that were not taken from the provider's cache."""
    assert [verdict.status for verdict in grading.verdicts] == ["ok"] * len(grading.verdicts)
    return sum((verdict.input_tokens or 0) - (verdict.cached_tokens or 0) for verdict in grading.verdicts)


@pytest.mark.parametrize("via", ["direct", "litellm"])
def test_twelve_rubrics_cost_at_most_half_as_much_again_as_one(
    server: Running, via: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 150 KB, the input billed at full price for twelve rubrics is at most 1.5 times that for one, and the bill says so."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    price = Price(input=10.0, output=0.0, cached=1.0)
    judge = Judge(model="openai/local", api_base=server.base_url, via=via, price=price)
    transcript = long_transcript(150_000)

    server.reset()
    one = full_price_tokens(grade_sync([transcript], RUBRICS[:1], [judge]))
    server.reset()
    twelve = grade_sync([transcript], RUBRICS, [judge])
    assert one > 30_000
    assert full_price_tokens(twelve) <= 1.5 * one

    log = server.log()
    assert full_price_tokens(twelve) == log["input_tokens"] - log["cached_tokens"]
    bill = (log["input_tokens"] - log["cached_tokens"]) * price.input / 1e6 + log["cached_tokens"] * 1.0 / 1e6
    assert sum(verdict.cost_usd or 0.0 for verdict in twelve.verdicts) == pytest.approx(bill)


def anthropic_reply(usage: dict[str, int]) -> Any:
    """Return a handler that answers in Anthropic's form."""

    async def reply(_: web.Request) -> web.StreamResponse:
        content = [{"type": "text", "text": "{}"}]
        body = {"id": "msg", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn"}
        return web.json_response({**body, "content": content, "usage": usage})

    return reply


def ask_claude(rubrics: list[Rubric], monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], Grading]:
    """Return what is sent to a model of Anthropic's about one transcript, and what was made of the answers."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    seen: list[Any] = []
    usage = {
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 4000,
    }

    async def run() -> Grading:
        async with recording(seen, reply=anthropic_reply(usage)) as base:
            judge = Judge(
                model="anthropic/claude-sonnet-4-5",
                api_base=base.removesuffix("/v1"),
                price=Price(input=3.0, output=15.0, cached=0.3, written=3.75),
            )
            return await grade(make_transcripts(1), rubrics, [judge])

    grading = asyncio.run(run())
    return [body for _, _, body in seen], grading


def marks(body: dict[str, Any]) -> list[bool]:
    """Say of each content part of the first question whether it is marked as the end of what repeats."""
    return ["cache_control" in part for part in body["messages"][0]["content"]]


def test_anthropic_is_told_where_the_shared_part_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With several rubrics, the mark is on the part that ends the transcript, the question follows, prefixes are equal."""
    bodies, _ = ask_claude(RUBRICS[:2], monkeypatch)
    first = [body for body in bodies if len(body["messages"]) == 1]
    assert len(first) == 2
    for body in first:
        transcript, question = (part["text"] for part in body["messages"][0]["content"][:2])
        assert marks(body)[:2] == [True, False]
        assert transcript.endswith("END TRANSCRIPT")
        assert question.startswith("\n\nRubric: P")
    assert first[0]["messages"][0]["content"][0] == first[1]["messages"][0]["content"][0]
    assert first[0]["system"] == first[1]["system"]


def test_one_question_does_not_pay_for_writing_to_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anthropic charges for what is written; with one rubric nobody would read it."""
    bodies, _ = ask_claude(RUBRICS[:1], monkeypatch)
    assert "cache_control" not in repr(bodies)


def test_what_was_read_from_and_written_to_a_cache_is_billed_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 tokens at the full price, 4,000 read, 2,000 written and 10 out, for each of two requests of an invalid answer."""
    _, grading = ask_claude(RUBRICS[:1], monkeypatch)
    [verdict] = grading.verdicts
    assert (verdict.input_tokens, verdict.cached_tokens) == (2 * 6100, 2 * 4000)
    assert verdict.cost_usd == pytest.approx(2 * (100 * 3.0 + 4000 * 0.3 + 2000 * 3.75 + 10 * 15.0) / 1e6)
