"""What the lanes put on the wire, and what they make of what comes back, against a server in another process.

Every test runs over our own transport and over litellm: which one carries a request must not show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judge.errors import InputError, ProviderError
from judge.grading.answer import Answer
from judge.grading.budget import Budget
from judge.grading.judges import Judge, Price
from judge.grading.lanes.pace import LocalPace
from judge.grading.run import Grading, grade, grade_sync
from judge.grading.run import run as run_all
from judge.ledger.entry import CALL, Call
from judge.ledger.opening import open_ledger
from judge.transcripts.model import TARGET, Message, Part, Source, Transcript
from servers.launch import Running, start_server

from .support import CANARY, RUBRIC, SCRIPT, holds_secret, level_of, make_transcripts
from .test_caching import long_transcript

# What a template engine, a terminal or a parser of our own marks would act on.
HOSTILE = "{{7*7}} {# gone #} {% raise %} ${HOME} %s \\u0041 <b> &amp; m1.1| ] ``` \" '"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Running]:
    """One process for the whole module."""
    with start_server(SCRIPT) as running:
        yield running


class Lane:
    """A lane to the server: `via` says over which transport."""

    def __init__(self, running: Running, via: str) -> None:
        self._running = running
        self.via = via
        self.base_url, self.log, self.requests, self.reset = (
            running.base_url,
            running.log,
            running.requests,
            running.reset,
        )

    def judge(self, **parameters: Any) -> Judge:
        """Return a judge behind this lane."""
        given = {"model": "openai/local", "api_base": self.base_url, "backoff_s": 0.01, "via": self.via}
        return Judge(**{**given, **parameters})


@pytest.fixture(params=["direct", "litellm"])
def server(shared_server: Running, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Lane:
    """An honest judge behind a provider without faults, except those that a test sets."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    shared_server.reset(keep=1000)
    return Lane(shared_server, request.param)


def ask(server: Lane, count: int = 4, *, run: dict[str, Any] | None = None, **parameters: Any) -> Grading:
    """Grade `count` transcripts."""
    return grade_sync(make_transcripts(count), [RUBRIC], [server.judge(**parameters)], **(run or {}))


def right(grading: Grading) -> bool:
    """Whether every verdict is there and is the right one."""
    levels = {transcript.id: level_of(transcript) for transcript in make_transcripts(len(grading.verdicts))}
    return {verdict.transcript_id: verdict.level for verdict in grading.verdicts} == levels


@pytest.mark.parametrize("mode", ["json_schema", "tools", "text"])
def test_every_way_of_asking_for_structure_works(server: Lane, mode: str) -> None:
    """Schema, forced tool and plain text each give the right verdicts, with one request per verdict."""
    assert right(ask(server, mode=mode))
    assert server.log()["requests"] == 4


def test_the_schema_is_strict_and_puts_reasons_before_conclusions(server: Lane) -> None:
    """The provider is held to the whole schema: nothing optional, nothing extra, evidence before `met`, level after."""
    ask(server, 1)
    [body] = server.requests()
    form = body["response_format"]["json_schema"]
    assert form["strict"] is True
    objects = [form["schema"], *form["schema"]["$defs"].values()]
    assert all(one["additionalProperties"] is False for one in objects)
    assert all(one["required"] == list(one["properties"]) for one in objects)
    assert list(form["schema"]["properties"])[:3] == ["findings", "exclusion", "level"]
    assert list(form["schema"]["$defs"]["CriterionAnswer"]["properties"]) == ["criterion", "reason", "evidence", "met"]


def test_a_server_without_structured_output_is_asked_for_text(server: Lane) -> None:
    """A provider that refuses the schema is asked again without it, once, and nothing is lost by that."""
    server.reset(refuse_schema=True)
    assert right(ask(server, 12, run={"concurrency": 1}))
    assert server.log()["faults"] == {"refuse_schema": 1}


@pytest.mark.parametrize("mode", ["json_schema", "tools", "text"])
def test_hostile_text_reaches_the_judge_unchanged(server: Lane, mode: Any) -> None:
    """Template marks, fences and imitated prefixes are sent as they stand in the transcript, in every mode."""
    part = Part(id="m1.1", kind="text", text=f"before {HOSTILE} after")
    message = Message(id="m1", role="assistant", author=TARGET, parts=(part,))
    source = Source(uri="secret-name.json", format="test", sha256="", size=0)
    transcript = Transcript(
        id="t1", source=source, messages=(message,), run={"model": "model-x-9"}, withheld={"label": "unsafe-9"}
    )
    judge = server.judge(mode=mode)
    assert grade_sync([transcript], [RUBRIC], [judge]).verdicts[0].level == "absent"
    [body] = server.requests()
    sent = body["messages"][-1]["content"]
    assert f"before {HOSTILE} after" in sent
    assert not any(word in repr(body) for word in ("secret-name", "model-x-9", "unsafe-9", CANARY))


def test_one_attempt_is_one_request(server: Lane) -> None:
    """No layer below retries by itself: one attempt at a failing server is one request."""
    for fault in ("error_500", "retry_after_seconds", "drop_before", "html"):
        server.reset(faults={fault: 1.0})
        assert [verdict.status for verdict in ask(server, 1, attempts=1).verdicts] == ["error"]
        assert server.log()["requests"] == 1, fault


def test_a_hang_costs_its_time_out_and_no_more(server: Lane) -> None:
    """The deadline of one attempt holds, and the next attempt gets its answer."""
    server.reset(faults={"hang": 0.5}, seed=1)
    grading = ask(server, 8, timeout_s=0.5, attempts=12)
    assert right(grading)
    log = server.log()
    assert log["requests"] == 8 + log["faults"]["hang"]


def test_an_answer_that_comes_late_is_taken_instead_of_paid_for_twice(
    server: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer after the time-out, in the pause before the next attempt, counts; nothing is sent again."""
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)
    server.reset(latency_s=0.6)
    assert right(ask(server, 4, timeout_s=0.3, attempts=2, backoff_s=30.0))
    assert server.log()["requests"] == 4


def test_a_limit_per_minute_holds_on_the_wire(server: Lane) -> None:
    """With re-asks and failures counted, a provider that allows 8 requests a second is never sent a ninth."""
    server.reset(rpm=8, rpm_window_s=1.0, faults={"wrong_types": 0.2, "error_500": 0.2})
    pace = LocalPace(rpm=8, window_s=1.0, slack_s=0.5, rest_s=0.01)

    class Paces:
        def of(self, _: Judge) -> LocalPace:
            return pace

    async def run() -> list[Any]:
        judges = [server.judge(attempts=9)]
        stream = run_all(make_transcripts(20), [RUBRIC], judges, budget=Budget(), concurrency=16, paces=Paces())
        return [verdict async for verdict, _ in stream]

    verdicts = asyncio.run(run())
    log = server.log()
    assert len(verdicts) == 20
    assert log["requests"] > 24
    assert log["rate_violations"] == 0


def test_concurrency_finds_the_provider_s_capacity(server: Lane) -> None:
    """A provider that takes 4 at once and is asked by 24 gives every verdict, and turns away less and less."""
    server.reset(capacity=4, latency_s=0.05, retry_after_s=0.05)
    assert right(ask(server, 120, attempts=12, run={"concurrency": 24}))
    assert server.log()["capacity_violations"] < 90


def test_an_answer_that_was_cut_off_is_asked_for_with_more_room(server: Lane) -> None:
    """After `length`, the same question is sent once with twice the tokens; a second cut is an invalid answer."""
    server.reset(faults={"truncated_length": 1.0}, keep=10)
    [verdict] = ask(server, 1, max_tokens=100).verdicts
    assert (verdict.status, verdict.level) == ("invalid", None)
    assert [body["max_tokens"] for body in server.requests()] == [100, 200]


def test_a_transcript_that_does_not_fit_is_an_overflow(server: Lane) -> None:
    """The provider's word on its context ends that transcript's verdict, not the run."""
    server.reset(context_tokens=10)
    assert [verdict.status for verdict in ask(server, 3).verdicts] == ["overflow"] * 3
    assert server.log()["requests"] == 3


def test_a_rejected_key_stops_the_run_at_once(server: Lane) -> None:
    """One provider error, after no more requests than were on their way."""
    server.reset(api_key="another")
    with pytest.raises(ProviderError, match="key was rejected"):
        ask(server, 100, run={"concurrency": 5})
    assert server.log()["requests"] <= 10


def test_the_concurrency_bound_holds_on_the_wire(server: Lane) -> None:
    """The server never has more requests at once than the run was allowed."""
    server.reset(latency_s=0.05)
    assert right(ask(server, 30, run={"concurrency": 6}))
    assert 2 <= server.log()["max_concurrency"] <= 6


def test_a_budget_is_never_passed_by_what_the_provider_bills(server: Lane) -> None:
    """With calls in flight and dear tokens, the bill stays within the budget; the rest is over_budget, not clean."""
    server.reset(latency_s=0.02)
    price = Price(input=10.0, output=40.0)
    grading = ask(server, 200, price=price, max_tokens=512, run={"concurrency": 16, "budget_usd": 1.0})
    log = server.log()
    billed = (log["input_tokens"] * price.input + log["output_tokens"] * price.output) / 1e6
    assert grading.budget_reached
    assert 0.5 < billed <= 1.0
    assert sum(verdict.cost_usd or 0.0 for verdict in grading.verdicts) == pytest.approx(billed)
    assert {verdict.status for verdict in grading.verdicts} == {"ok", "over_budget"}
    assert all(verdict.level is None for verdict in grading.verdicts if verdict.status == "over_budget")


def test_cached_tokens_and_their_price_are_reported(server: Lane) -> None:
    """Tokens that the provider took from its cache are in the row and cost what the price says."""
    server.reset(cache=True)
    price = Price(input=10.0, output=0.0, cached=1.0)
    transcript = long_transcript(8000)  # caching begins at 1,024 tokens
    grading = grade_sync([transcript], [RUBRIC], [server.judge(price=price)], concurrency=1, samples=2)
    assert sum(verdict.cached_tokens or 0 for verdict in grading.verdicts) == server.log()["cached_tokens"] > 1000
    for verdict in grading.verdicts:
        sent, cached = verdict.input_tokens or 0, verdict.cached_tokens or 0
        assert verdict.cost_usd == pytest.approx(((sent - cached) * 10.0 + cached * 1.0) / 1e6)


def test_each_attempt_is_a_call_in_the_ledger(server: Lane, tmp_path: Path) -> None:
    """Requests that failed and the one that was answered are rows of their own, with what each was."""
    server.reset(outage=[0, 2])
    with open_ledger(tmp_path / "ledger.db") as ledger:
        ask(server, 1, run={"ledger": ledger})
        calls = [Call.model_validate_json(row.body) for row in ledger.rows(kind=CALL)]
    assert [(call.attempt, call.status) for call in calls] == [(1, "failed"), (2, "failed"), (3, "ok")]
    assert [call.error for call in calls] == ["HTTP 503", "HTTP 503", None]
    assert calls[2].model == "local"


def test_runs_follow_one_another_in_one_process_and_side_by_side(server: Lane) -> None:
    """Closing one run's connections takes nothing from the next one, nor from one that is still going."""
    server.reset(latency_s=0.02)
    assert right(ask(server))
    assert right(ask(server))
    judge = server.judge()

    async def both() -> list[Grading]:
        return list(
            await asyncio.gather(
                grade(make_transcripts(2), [RUBRIC], [judge]), grade(make_transcripts(12), [RUBRIC], [judge])
            )
        )

    assert all(map(right, asyncio.run(both())))


@pytest.mark.parametrize("fault", ["error_500", "wrong_types"])
def test_a_draft_that_fails_is_a_provider_error_without_a_secret(server: Lane, fault: str) -> None:
    """Asking a model for something other than a verdict fails in our own words."""
    from judge.grading.lanes.client import make_asker

    server.reset(faults={fault: 1.0})
    draft = make_asker(server.judge())
    with pytest.raises(ProviderError) as caught:
        asyncio.run(draft([{"role": "user", "content": "Draft a rubric."}], Answer))
    assert not holds_secret(f"{caught.value!r} {vars(caught.value)!r}")


def test_a_server_that_needs_no_key_gets_none_of_ours(server: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an address of one's own and no key in the environment, grading works."""
    monkeypatch.delenv("OPENAI_API_KEY")
    assert right(ask(server))
    assert right(ask(server, model="hosted_vllm/local"))


def test_an_unknown_provider_is_named_before_anything_is_sent(server: Lane) -> None:
    """A judge that litellm doesn't know is an input error."""
    with pytest.raises(InputError, match="nosuch"):
        ask(server, 1, model="nosuch/model", api_base=None, via="auto")
    assert server.log()["requests"] == 0


def test_a_missing_key_is_named_and_none_is_sent(server: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key and without an address of one's own, the variable that is missing is named."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        ask(server, 1, model="openai/gpt-x", api_base=None)


def test_a_refusal_that_is_retried_is_asked_anew(server: Lane, tmp_path: Path) -> None:
    """The refusal of the first run is not taken for the answer of the second."""
    with open_ledger(tmp_path / "ledger.db") as ledger:
        server.reset(faults={"refusal": 1.0})
        first = ask(server, 2, run={"ledger": ledger})
        server.reset()
        second = ask(server, 2, run={"ledger": ledger, "retry": ("refused",)})
    assert ["refused", "refused"] == [verdict.status for verdict in first.verdicts]
    assert right(second)


@pytest.mark.parametrize("via", ["direct", "litellm"])
def test_half_a_character_in_an_answer_ends_no_run(via: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ledger can hold a lone surrogate: the answer is invalid, and the run goes on."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with (
        start_server(answer='{"findings": [], "exclusion": "\\ud83d"}') as running,
        open_ledger(tmp_path / "ledger.db") as ledger,
    ):
        grading = ask(Lane(running, via), 2, run={"ledger": ledger})
    assert ["invalid", "invalid"] == [verdict.status for verdict in grading.verdicts]
    assert all("lone surrogate" in (verdict.error or "") for verdict in grading.verdicts)
