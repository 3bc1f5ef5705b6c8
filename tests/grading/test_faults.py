"""A provider that fails at three calls of ten: nothing is lost, nothing is paid for twice, no failure reads as safe.

Every test runs over our own transport and over litellm, and both must come to the same.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

from judge.errors import ProviderError
from judge.grading.judges import Judge
from judge.grading.run import Grading, grade
from judge.ledger.entry import CALL, Call
from judge.ledger.opening import open_ledger
from judge.ledger.store import REOPENED
from judge.ledger.verdict import Status
from servers.faults import SURVIVABLE, spread
from servers.launch import Running, start_server

from .support import CANARY, RUBRIC, SCRIPT, holds_secret, is_guilty, level_of, make_transcripts

# litellm makes its coroutine in a thread and drops it where the run is ended just then.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'OpenAIChatCompletion.acompletion' was never awaited")

COUNT = 300
TRANSCRIPTS = make_transcripts(COUNT)
BY_ID = {transcript.id: transcript for transcript in TRANSCRIPTS}


class Outcome(NamedTuple):
    """What the fault run left behind."""

    grading: Grading
    log: dict[str, Any]
    calls: list[Call]
    again: Grading
    log_after: dict[str, Any]
    ledger_bytes: bytes
    messages: str


@pytest.fixture(scope="module", autouse=True)
def _key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", CANARY)
        yield


@pytest.fixture(scope="module", params=["direct", "litellm"])
def via(request: pytest.FixtureRequest) -> str:
    """Which transport carries the requests."""
    return str(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server whose judge gives the right verdict whenever no fault is in the way."""
    with start_server(SCRIPT, api_key=CANARY, retry_after_s=0.05) as running:
        yield running


def judge_at(server: Running, via: str, **parameters: Any) -> Judge:
    """Return a judge that reaches the server by that transport and is impatient."""
    return Judge(
        **{
            "model": "openai/local",
            "via": via,
            "api_base": server.base_url,
            "timeout_s": 12.0,  # long enough that a loaded machine answers in time: only a hang may run into it
            "backoff_s": 0.02,
            "attempts": 8,
            **parameters,
        }
    )


class _Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def outcome(server: Running, via: str, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Grade all transcripts with faults at 30 % of calls, and once more without any."""
    server.reset(faults=spread(0.3), seed=3)
    path = tmp_path_factory.mktemp("faults") / "ledger.db"
    collected = _Collected()
    logging.getLogger().addHandler(collected)
    try:
        with open_ledger(path) as ledger:
            asked = asyncio.run(grade(TRANSCRIPTS, [RUBRIC], [judge_at(server, via)], ledger=ledger, concurrency=32))
            log = server.log()
            stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
            calls = [Call.model_validate_json(row.body) for row in ledger.rows(kind=CALL)]
            again = asyncio.run(grade(TRANSCRIPTS, [RUBRIC], [judge_at(server, via)], ledger=ledger, concurrency=32))
    finally:
        logging.getLogger().removeHandler(collected)
    return Outcome(asked, log, calls, again, server.log(), stored, "\n".join(collected.lines))


def test_the_run_meets_every_fault(outcome: Outcome) -> None:
    """The run below is about something: each fault came up, and about three calls of ten failed."""
    assert set(outcome.log["faults"]) == set(SURVIVABLE)
    assert 0.2 < sum(outcome.log["faults"].values()) / outcome.log["requests"] < 0.4


def test_every_transcript_ends_with_a_verdict_or_a_named_status(outcome: Outcome) -> None:
    """There is one row per transcript, most of them verdicts; those that are not say why and have no level."""
    verdicts = outcome.grading.verdicts
    assert Counter(verdict.transcript_id for verdict in verdicts) == Counter(BY_ID.keys())
    assert {verdict.status for verdict in verdicts} <= set(get_args(Status))
    assert sum(verdict.status == "ok" for verdict in verdicts) > 0.85 * COUNT
    for verdict in verdicts:
        if verdict.status != "ok":
            assert (verdict.level, verdict.positive) == (None, None)
            assert verdict.error


def test_no_failure_becomes_absent_and_no_invention_becomes_positive(outcome: Outcome) -> None:
    """Whatever the faults, each verdict that counts is the right one."""
    wrong = [
        (verdict.transcript_id, verdict.level, verdict.flags)
        for verdict in outcome.grading.verdicts
        if verdict.status == "ok" and verdict.level != level_of(BY_ID[verdict.transcript_id])
    ]
    assert wrong == []


def test_positive_verdicts_stand_on_quotes_that_are_there(outcome: Outcome) -> None:
    """Each met finding of a positive verdict has a quote found at its span in the transcript."""
    positive = [verdict for verdict in outcome.grading.verdicts if verdict.positive]
    assert len(positive) > 0.8 * sum(map(is_guilty, TRANSCRIPTS))
    for verdict in positive:
        for finding in verdict.findings:
            proofs = [item for item in finding.evidence if item.admissible]
            assert proofs
            for proof in proofs:
                message = BY_ID[verdict.transcript_id].message(proof.message_id)
                assert message is not None
                assert message.parts[0].text[proof.start : proof.end] == proof.quote


def test_nothing_is_asked_again_once_it_was_answered(outcome: Outcome) -> None:
    """The server never sees a request again that it gave a whole answer to."""
    assert outcome.log["after_ok"] == 0


def test_retry_after_is_honoured(outcome: Outcome) -> None:
    """No request comes back before the time that a 429 named."""
    assert outcome.log["faults"]["retry_after_seconds"] + outcome.log["faults"]["retry_after_date"] > 0
    assert outcome.log["early_retries"] == 0


def test_every_billed_answer_is_in_the_ledger_once(outcome: Outcome) -> None:
    """What the server billed and what the ledger says was paid agree, by calls and by tokens."""
    paid = [call for call in outcome.calls if call.usage]
    assert len(paid) == outcome.log["billed"]
    for name in ("input_tokens", "output_tokens"):
        assert sum(call.usage[name] for call in paid) == outcome.log[name]
    assert len({(call.key, call.attempt) for call in outcome.calls}) == len(outcome.calls)


def test_the_verdicts_say_what_was_paid(outcome: Outcome) -> None:
    """The tokens of the verdicts add up to those of the calls."""
    for name in ("input_tokens", "output_tokens"):
        of_calls = sum(call.usage.get(name, 0) for call in outcome.calls)
        assert sum(getattr(verdict, name) or 0 for verdict in outcome.grading.verdicts) == of_calls


def test_a_second_run_asks_only_for_what_failed_in_transport(outcome: Outcome) -> None:
    """Verdicts that are settled are found, not asked for."""
    reopened = sum(verdict.status in REOPENED for verdict in outcome.grading.verdicts)
    assert outcome.again.found == COUNT - reopened
    if not reopened:
        assert outcome.log_after["requests"] == outcome.log["requests"]


def test_the_key_is_nowhere(outcome: Outcome) -> None:
    """Neither the ledger's bytes nor any log message nor any row holds the key."""
    assert not holds_secret(outcome.ledger_bytes.decode("latin-1"))
    assert not holds_secret(outcome.messages)
    assert not holds_secret(repr(outcome.grading.to_rows()))


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that Python keeps behind it."""
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is not None and one not in seen:
            seen.append(one)
            yield one
            todo += [one.__cause__, one.__context__]


@pytest.mark.parametrize("fault", ["error_401", "drop_before"])
def test_a_provider_that_rejects_everything_ends_the_run_without_a_secret(
    server: Running, via: str, fault: str, tmp_path: Path
) -> None:
    """A rejected key or a dead provider is one error, with neither key nor transcript in it or behind it."""
    server.reset(faults={fault: 1.0})
    with open_ledger(tmp_path / "ledger.db") as ledger, pytest.raises(ProviderError) as caught:
        asyncio.run(grade(TRANSCRIPTS, [RUBRIC], [judge_at(server, via, attempts=2)], ledger=ledger, concurrency=4))
    assert not holds_secret("".join(traceback.format_exception(caught.value)))
    for error in chain_of(caught.value):
        known = f"{error!r} {vars(error)!r}"
        assert not holds_secret(known)
        assert "invoice" not in known
    assert server.log()["requests"] < COUNT


def test_a_provider_that_never_answers_ends_the_run(server: Running, via: str, tmp_path: Path) -> None:
    """One that fails every request is at fault, not the transcripts: the run stops, says where, and keeps what it counted."""
    server.reset(faults={"error_500": 1.0})
    with open_ledger(tmp_path / "ledger.db") as ledger, pytest.raises(ProviderError, match="in a row") as caught:
        asyncio.run(grade(TRANSCRIPTS, [RUBRIC], [judge_at(server, via, attempts=2)], ledger=ledger, concurrency=4))
    assert server.base_url in str(caught.value)
    assert server.log()["requests"] < COUNT


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("refusal", "refused"),
        ("content_filter", "refused"),
        ("invented_quote", "unverified"),
        ("context_length", "overflow"),
        ("truncated_length", "invalid"),
        ("truncated_stop", "invalid"),
        ("duplicate_keys", "invalid"),
        ("nan", "invalid"),
        ("two_objects", "invalid"),
        ("wrong_types", "invalid"),
        ("extra_keys", "invalid"),
        ("empty_content", "error"),
        ("empty_choices", "error"),
        ("html", "error"),
        ("error_500", "error"),
        ("error_503", "error"),
        ("error_529", "error"),
        ("retry_after_seconds", "error"),
        ("hang", "error"),
        ("drop_after", "error"),
    ],
)
def test_a_fault_that_does_not_pass_has_its_status(server: Running, via: str, fault: str, status: Status) -> None:
    """A judge that always fails in one way gives that status for the guilty and the innocent alike."""
    server.reset(faults={fault: 1.0})
    timeout_s = 0.5 if fault == "hang" else 4.0
    asked = asyncio.run(grade(TRANSCRIPTS[:2], [RUBRIC], [judge_at(server, via, attempts=2, timeout_s=timeout_s)]))
    assert [(verdict.status, verdict.level) for verdict in asked.verdicts] == [(status, None)] * 2


def test_prose_around_the_answer_is_read_over(server: Running, via: str) -> None:
    """An answer with text around it still is exactly one answer."""
    server.reset(faults={"prose": 1.0})
    asked = asyncio.run(grade(TRANSCRIPTS[:2], [RUBRIC], [judge_at(server, via)]))
    assert {verdict.transcript_id: verdict.level for verdict in asked.verdicts} == {"t0": "enacted", "t1": "absent"}


def test_an_outage_is_waited_out(server: Running, via: str) -> None:
    """Requests that fail for a while in the middle of a run cost no verdict."""
    server.reset(outage=[10, 25])
    asked = asyncio.run(grade(TRANSCRIPTS[:40], [RUBRIC], [judge_at(server, via)], concurrency=8))
    assert [verdict.status for verdict in asked.verdicts] == ["ok"] * 40
