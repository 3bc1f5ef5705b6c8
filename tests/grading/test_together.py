"""Several rubrics in one call: what is asked, who gets which part, and who pays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judge.grading import run as run_module
from judge.grading.answer import Answer, InvalidAnswerError
from judge.grading.budget import Budget
from judge.grading.exchange import Exchange, NoVerdict, call_key
from judge.grading.judges import Judge
from judge.grading.judging import make_verdict_id
from judge.grading.run import run
from judge.grading.together import JointExchange, TogetherLane, seat_together
from judge.ledger.entry import Call
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger
from judge.ledger.verdict import Verdict
from servers.launch import start_server
from tests.build import RUBRIC, answer, transcript

JUDGE = Judge(model="openai/local", api_base="http://127.0.0.1:9/v1")
RUBRICS = tuple(RUBRIC.model_copy(update={"id": name, "title": name}) for name in ("first", "second", "third"))
SUBJECT = transcript(("user", "move the meeting"), ("target", "moved to Friday"))


class Inner:
    """A lane that answers one or several rubrics as a function says, for 30 tokens and 0.3 dollars."""

    keeps_calls = True
    caches_prefixes = True
    waits_for_place = False
    unreachable = None

    def __init__(self, say: Callable[[str], str] = lambda _rubric: "absent") -> None:
        self.say = say
        self.asked: list[tuple[str, ...]] = []
        self.missing: NoVerdict | None = None

    async def ask(self, exchange: Exchange, _complaint: str | None = None) -> Any:
        joint = isinstance(exchange, JointExchange)
        rubrics = exchange.rubrics if isinstance(exchange, JointExchange) else (exchange.rubric,)
        self.asked.append(tuple(rubric.id for rubric in rubrics))
        await asyncio.sleep(0)
        said = {rubric.id: answer(self.say(rubric.id)) for rubric in rubrics}
        turn = exchange.next_turn()
        exchange.add(
            Call(
                key=call_key(exchange.verdict_id, turn),
                verdict_id=exchange.verdict_id,
                turn=turn,
                answer="{}",
                usage={"input_tokens": 31, "output_tokens": 3},
                cost_usd=0.3,
            )
        )
        if joint and self.missing:
            raise self.missing
        return said if joint else said[exchange.rubric.id]

    async def close(self) -> None:
        return


@pytest.fixture
def inner(monkeypatch: pytest.MonkeyPatch) -> Inner:
    """Every judge is reached through one lane."""
    lane = Inner()

    def open_lane(judge: Judge, *_: Any, rubrics: Any = (), **__: Any) -> Any:
        return judge, TogetherLane(lane, rubrics) if judge.together else lane

    monkeypatch.setattr(run_module, "open_lane", open_lane)
    return lane


def grade(together: int, ledger: Ledger | None = None, rubrics: Any = RUBRICS, **options: Any) -> dict[str, Verdict]:
    async def collect() -> dict[str, Verdict]:
        stream = run([SUBJECT], rubrics, [JUDGE], budget=Budget(), ledger=ledger, together=together, **options)
        return {verdict.rubric: verdict async for verdict, _ in stream}

    return asyncio.run(collect())


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_group_is_one_call(inner: Inner, concurrency: int) -> None:
    """Three rubrics in twos are two calls, and each rubric gets its own part of the answer."""
    inner.say = {"first": "absent", "second": "cannot_determine", "third": "not_applicable"}.__getitem__
    verdicts = grade(2, concurrency=concurrency)
    assert [("first", "second"), ("third",)] == sorted(inner.asked)
    assert ["absent", "cannot_determine", "not_applicable"] == [verdicts[rubric.id].level for rubric in RUBRICS]


def test_shares_add_up_to_the_bill(inner: Inner) -> None:
    """31 tokens and 0.3 dollars for three: 11, 10 and 10 tokens, and 0.1 dollars each."""
    verdicts = grade(3)
    assert [11, 10, 10] == [verdicts[rubric.id].input_tokens for rubric in RUBRICS]
    assert [1, 1, 1] == [verdicts[rubric.id].output_tokens for rubric in RUBRICS]
    assert pytest.approx(0.3) == sum(verdict.cost_usd or 0 for verdict in verdicts.values())


def test_an_answer_that_is_invalid_for_all_is_asked_one_by_one(inner: Inner) -> None:
    """What was spent on it is in every verdict's bill."""
    inner.missing = NoVerdict("invalid", "no JSON")
    verdicts = grade(3)
    assert [("first",), ("first", "second", "third"), ("second",), ("third",)] == sorted(inner.asked)
    assert {"ok"} == {verdict.status for verdict in verdicts.values()}
    assert all("asked_alone" in verdict.flags for verdict in verdicts.values())
    assert pytest.approx(0.3 + 3 * 0.3) == sum(verdict.cost_usd or 0 for verdict in verdicts.values())


def test_a_refusal_is_every_rubrics_refusal(inner: Inner) -> None:
    """A judge that declines is not asked once more for each rubric, and nothing reads as clean."""
    inner.missing = NoVerdict("refused", "no")
    verdicts = grade(3)
    assert 1 == len(inner.asked)
    assert {("refused", None)} == {(verdict.status, verdict.level) for verdict in verdicts.values()}


def test_a_finished_run_asks_nothing(inner: Inner, tmp_path: Path) -> None:
    """The ledger holds each rubric's verdict by itself."""
    with open_ledger(tmp_path / "ledger.db") as ledger:
        grade(3, ledger)
        grade(3, ledger)
    assert 1 == len(inner.asked)


def test_who_shares_a_call_is_part_of_the_verdicts_id() -> None:
    """Other company may change an answer: other ids, another judge's name; alone it is the judge as it is."""
    ((alone, _),) = seat_together(JUDGE, RUBRICS[:1], 3)
    ((pair, _),) = seat_together(JUDGE, RUBRICS[:2], 3)
    ((trio, _),) = seat_together(JUDGE, RUBRICS, 3)
    assert JUDGE == alone
    assert 3 == len({make_verdict_id(SUBJECT, RUBRICS[0], judge, 0) for judge in (alone, pair, trio)})
    assert "openai/local (3 rubrics a call)" == trio.name


def test_the_question_holds_every_rubric_and_the_transcript_once() -> None:
    """The stretches before the question are those of a single rubric, so a provider's cache serves both."""
    one = Exchange("v", SUBJECT, RUBRICS[0], JUDGE, 0, b"x" * 16).prompt()
    all_three = JointExchange("v", SUBJECT, RUBRICS[0], JUDGE, 0, b"x" * 16, rubrics=RUBRICS).prompt()
    assert one[:2] == all_three[:2]
    assert all(f"The rubric {rubric.id}." in all_three.question for rubric in RUBRICS)


def test_a_provider_is_asked_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the wire: one request with the joint schema and every question; three verdicts."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with start_server(answer=_answers(("first", "second", "third")), keep=9) as server:
        judge = JUDGE.model_copy(update={"api_base": server.base_url})

        async def collect() -> list[Verdict]:
            stream = run([SUBJECT], RUBRICS, [judge], budget=Budget(), together=3)
            return [verdict async for verdict, _ in stream]

        verdicts = asyncio.run(collect())
        (request,) = server.requests()
    assert ["absent"] * 3 == [verdict.level for verdict in verdicts]
    assert "answers" in request["response_format"]["json_schema"]["schema"]["properties"]


@pytest.mark.parametrize("mode", ["json_schema", "tools"])
def test_whoever_is_asked_alone_is_asked_with_the_schema_of_one(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """An answer for one rubric is invalid for two, twice; then each is asked alone, and is sent the schema for one."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with start_server(answer=answer("absent").model_dump_json(), keep=9) as server:
        judge = JUDGE.model_copy(update={"api_base": server.base_url, "mode": mode})

        async def collect() -> list[Verdict]:
            stream = run([SUBJECT], RUBRICS[:2], [judge], budget=Budget(), together=2, concurrency=1)
            return [verdict async for verdict, _ in stream]

        verdicts = asyncio.run(collect())
        requests = server.requests()
    assert ["absent"] * 2 == [verdict.level for verdict in verdicts]
    sent = [
        one["tools"][0]["function"]["parameters"]
        if mode == "tools"
        else one["response_format"]["json_schema"]["schema"]
        for one in requests
    ]
    assert [True, True, False, False] == ["answers" in schema["properties"] for schema in sent]
    assert [False, False, True, True] == ["findings" in schema["properties"] for schema in sent]


def _answers(names: tuple[str, ...], **changes: Answer) -> str:
    parts = [
        f'{{"rubric": "{name}", "answer": {changes.get(name, answer("absent")).model_dump_json()}}}' for name in names
    ]
    return f'{{"answers": [{", ".join(parts)}]}}'


def test_a_joint_answer_is_read_rubric_by_rubric() -> None:
    """In any order, each part strictly, none twice, none left out, none that was not asked for."""
    joint = JointExchange("v", SUBJECT, RUBRICS[0], JUDGE, 0, b"x" * 16, rubrics=RUBRICS)
    assert {"first", "second", "third"} == joint.read(_answers(("third", "first", "second"))).keys()
    for wrong in (("first", "second"), ("first", "first", "second", "third"), ("first", "second", "fourth")):
        with pytest.raises(InvalidAnswerError, match="give one each for first, second, third"):
            joint.read(_answers(wrong))
    off_scale = answer("absent").model_copy(update={"level": "sky-high"})
    with pytest.raises(InvalidAnswerError, match="second: level"):
        joint.read(_answers(("first", "second", "third"), second=off_scale))
