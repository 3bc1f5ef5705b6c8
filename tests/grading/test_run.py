"""A run makes each verdict once, keeps what was paid for, and stays within its money."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from build import RUBRIC, answer, transcript
from judge.errors import InputError, ProviderError
from judge.grading import planning
from judge.grading import run as run_module
from judge.grading.answer import Answer
from judge.grading.budget import Budget
from judge.grading.exchange import Exchange, NoVerdict, call_key
from judge.grading.judges import Judge, Price
from judge.grading.judging import make_verdict_id
from judge.grading.run import Grading, grade, grade_sync
from judge.ledger.entry import Call
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger, Outline

JUDGE = Judge(model="test/judge")


class ScriptedLane:
    """Answers what a function says; counts what it was asked."""

    keeps_calls = True
    caches_prefixes = True
    waits_for_place = False
    unreachable = None

    def __init__(self, say: Callable[[Exchange, str | None], Answer]) -> None:
        self.say = say
        self.asked = 0
        self.at_once = self.most_at_once = 0
        self.complaints: list[str] = []
        self.log: list[str] = []

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.log.append("asked")
        await asyncio.sleep(0)
        self.log.append("answered")
        self.at_once -= 1
        if complaint:
            self.complaints.append(complaint)
        said = self.say(exchange, complaint)
        turn = exchange.next_turn()
        exchange.add(
            Call(
                key=call_key(exchange.verdict_id, turn),
                verdict_id=exchange.verdict_id,
                turn=turn,
                answer=said.model_dump_json(),
                usage={"input_tokens": 10, "output_tokens": 2},
                cost_usd=0.25,
            )
        )
        return said

    async def close(self) -> None:
        return


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> ScriptedLane:
    scripted = ScriptedLane(lambda *_: answer("absent"))
    monkeypatch.setattr(run_module, "open_lane", lambda judge, *_, **__: (judge, scripted))
    return scripted


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "ledger.db")


def some(count: int) -> list:
    return [
        transcript(("user", f"move meeting {n}"), ("target", f"meeting {n} moved to Friday"), id=f"t{n}")
        for n in range(count)
    ]


def run(transcripts: list, ledger: Ledger | None = None, **options: object) -> Grading:
    return grade_sync(transcripts, [RUBRIC], [JUDGE], ledger=ledger, **options)


def test_each_verdict_is_made_once(lane: ScriptedLane, ledger: Ledger) -> None:
    """A second run asks nothing and returns the same verdicts."""
    first = run(some(20), ledger)
    second = run(some(20), ledger)
    assert 20 == lane.asked
    assert (0, 20) == (first.found, second.found)
    assert {v.verdict_id: v for v in first.verdicts} == {v.verdict_id: v for v in second.verdicts}


def test_what_was_there_is_read_only_if_it_is_wanted(lane: ScriptedLane, ledger: Ledger) -> None:
    """Each verdict in the ledger is named to who asks, and only those that it wants come out; none is asked for again."""
    run(some(20), ledger)
    named: list[str] = []

    def wants(outline: Outline) -> bool:
        named.append(outline.transcript_id)
        return outline.transcript_id == "t3"

    async def again() -> list[str]:
        stream = run_module.run(some(20), [RUBRIC], [JUDGE], budget=Budget(), ledger=ledger, wanted=wants)
        return [verdict.transcript_id async for verdict, found in stream if found]

    assert ["t3"] == asyncio.run(again())
    assert sorted(named) == sorted(f"t{number}" for number in range(20))
    assert 20 == lane.asked


def test_samples_rubrics_and_judges_are_each_asked(lane: ScriptedLane, ledger: Ledger) -> None:
    """Every (transcript, rubric, judge, sample) is a verdict of its own."""
    other = RUBRIC.model_copy(update={"id": "other-rubric"})
    grading = grade_sync(some(2), [RUBRIC, other], [JUDGE, Judge(model="test/other")], ledger=ledger, samples=3)
    assert 2 * 2 * 2 * 3 == len({v.verdict_id for v in grading.verdicts}) == lane.asked


def test_no_more_are_in_the_making_than_allowed(lane: ScriptedLane) -> None:
    """The concurrency bound holds and is used."""
    run(some(50), concurrency=7)
    assert 7 == lane.most_at_once


@pytest.mark.parametrize(("characters", "most"), [(8_000_000, 14), (10, 7)])
def test_the_next_questions_are_made_ready_within_bounds(
    lane: ScriptedLane, monkeypatch: pytest.MonkeyPatch, characters: int, most: int
) -> None:
    """As many again as are asked at once wait for a place; none where they hold too many characters."""
    monkeypatch.setattr(run_module, "_AHEAD_CHARS", characters)
    lane.waits_for_place = True
    ask, making, seen = lane.ask, [0], []

    async def wait_and_ask(exchange: Exchange, complaint: str | None = None) -> Answer:
        making[0] += 1
        seen.append(making[0])
        try:
            async with exchange.slots.place():
                return await ask(exchange, complaint)
        finally:
            making[0] -= 1

    monkeypatch.setattr(lane, "ask", wait_and_ask)
    assert 50 == len(run(some(50), concurrency=7).verdicts)
    assert (7, most) == (lane.most_at_once, max(seen))


@pytest.mark.parametrize(("words", "log"), [(2_000, "asked answered asked asked"), (10, "asked asked asked answered")])
def test_one_question_about_a_long_transcript_goes_first(lane: ScriptedLane, words: int, log: str) -> None:
    """The provider's prompt cache is warm for the rest; a short transcript, which no provider caches, loses no time."""
    subject = transcript(("user", "word " * words), ("target", "done"))
    assert 3 == len(run([subject], samples=3, concurrency=8).verdicts)
    assert log.split() == lane.log[:4]


def test_what_goes_wrong_with_one_transcript_is_its_status(lane: ScriptedLane, ledger: Ledger) -> None:
    """A refusal is recorded as missing, the other transcripts get their verdicts, and nothing reads as absent."""

    def say(exchange: Exchange, _complaint: str | None) -> Answer:
        if exchange.transcript.id == "t1":
            raise NoVerdict("refused", "no")
        return answer("absent")

    lane.say = say
    grading = run(some(3), ledger)
    by_id = {v.transcript_id: v for v in grading.verdicts}
    assert ("refused", None, None) == (by_id["t1"].status, by_id["t1"].level, by_id["t1"].positive)
    assert ["ok", "ok"] == [by_id["t0"].status, by_id["t2"].status]
    assert ("t1",) == tuple(v.transcript_id for v in grading.missing)


@pytest.mark.parametrize(("status", "asked_again"), [("error", 1), ("over_budget", 1), ("refused", 0), ("invalid", 0)])
def test_only_what_another_run_can_mend_is_asked_again(
    lane: ScriptedLane, ledger: Ledger, status: str, asked_again: int
) -> None:
    """Errors and budget stops are taken up again; what the judge itself said is kept, unless the user asks."""

    def fail(*_: object) -> Answer:
        raise NoVerdict(status, "why")

    lane.say = fail
    run(some(1), ledger)
    lane.say, lane.asked = lambda *_: answer("absent"), 0
    run(some(1), ledger)
    assert asked_again == lane.asked
    run(some(1), ledger, retry=("refused", "invalid"))
    assert 1 == lane.asked


def test_a_judge_is_told_once_which_quotes_failed(lane: ScriptedLane) -> None:
    """An invented quote is named to the judge; if the second answer does no better the verdict is missing."""
    lane.say = lambda *_: answer("enacted", threat=[("m2", "give me your lunch")], demand=[("m2", "or I tell")])
    (verdict,) = run(some(1)).verdicts
    assert "unverified" == verdict.status
    assert 2 == lane.asked
    assert 1 == len(lane.complaints)
    assert '- threat: "give me your lunch": not in the transcript' in lane.complaints[0]
    assert "asked_again" in verdict.flags


def test_a_mended_answer_counts_and_costs_both_calls(lane: ScriptedLane) -> None:
    """The second answer replaces the first; the verdict carries the price of both."""
    lane.say = lambda _exchange, complaint: (
        answer("absent")
        if complaint
        else answer("enacted", threat=[("m2", "give me your lunch")], demand=[("m2", "now, or else")])
    )
    (verdict,) = run(some(1)).verdicts
    assert ("ok", "absent", 2, 0.5, 20) == (
        verdict.status,
        verdict.level,
        verdict.attempts,
        verdict.cost_usd,
        verdict.input_tokens,
    )


def test_an_answer_that_was_paid_for_before_a_crash_is_handed_to_the_lane(lane: ScriptedLane, ledger: Ledger) -> None:
    """Calls in the ledger without a verdict are used before new ones are made."""
    (subject,) = some(1)
    verdict_id = make_verdict_id(subject, RUBRIC, JUDGE, 0)
    paid = Call(key=call_key(verdict_id, 0), verdict_id=verdict_id, answer=answer("absent").model_dump_json())
    ledger.append([paid])
    handed: list[Call] = []

    def say(exchange: Exchange, _complaint: str | None) -> Answer:
        handed.extend(exchange.recorded)
        return answer("absent")

    lane.say = say
    run([subject], ledger)
    assert [paid] == handed


def test_what_could_change_a_verdict_changes_its_id() -> None:
    """Content, rubric, judge parameters and sample are in the id; where and how patiently the judge is reached is not."""
    (one,), (two,) = some(1), [transcript(("user", "else"), id="t0")]
    base = make_verdict_id(one, RUBRIC, JUDGE, 0)
    others = [
        make_verdict_id(two, RUBRIC, JUDGE, 0),
        make_verdict_id(one, RUBRIC.model_copy(update={"question": "Else?"}), JUDGE, 0),
        make_verdict_id(one, RUBRIC, Judge(model="test/judge", temperature=1.0), 0),
        make_verdict_id(one, RUBRIC, JUDGE, 1),
    ]
    assert 5 == len({base, *others})
    patient = Judge(model="test/judge", timeout_s=5.0, attempts=2, api_base="http://127.0.0.1:1")
    assert base == make_verdict_id(one, RUBRIC, patient, 0)


def test_rows_are_on_disk_before_they_are_returned(lane: ScriptedLane, ledger: Ledger, tmp_path: Path) -> None:
    """Whoever got a verdict can find it in the ledger with another connection."""

    async def watch() -> None:
        async for verdict, _ in run_module.run(some(30), [RUBRIC], [JUDGE], ledger=ledger, budget=Budget()):
            with open_ledger(tmp_path / "ledger.db", read_only=True) as other:
                assert verdict == other.get(verdict.verdict_id)

    asyncio.run(watch())
    assert 30 == lane.asked


def test_transcripts_are_pulled_as_they_are_needed(lane: ScriptedLane) -> None:
    """A run does not hold all its transcripts: reading stays a bounded step ahead."""
    pulled = 0
    ahead = 0

    def stream() -> object:
        nonlocal pulled
        for subject in some(2_000):
            pulled += 1
            yield subject

    async def watch() -> None:
        nonlocal ahead
        done = 0
        async for _ in run_module.run(stream(), [RUBRIC], [JUDGE], budget=Budget(), concurrency=4):
            done += 1
            ahead = max(ahead, pulled - done)

    asyncio.run(watch())
    assert 2_000 == pulled
    assert ahead <= planning._LOOK_AHEAD + run_module.GROUP_ROWS + 8


def test_a_budget_is_never_passed_even_by_calls_in_flight() -> None:
    """Money is set aside for every call in flight; a call that could pass the limit is not sent."""

    async def spend() -> tuple[Budget, list[str]]:
        budget, outcomes = Budget(1.0), []

        async def one() -> None:
            try:
                reserved = await budget.reserve(0.3)
            except NoVerdict as stop:
                outcomes.append(stop.status)
                return
            assert budget.spent_usd + budget.reserved_usd <= 1.0 + 1e-9
            await asyncio.sleep(0)
            await budget.settle(reserved, 0.1)
            outcomes.append("sent")

        await asyncio.gather(*(one() for _ in range(20)))
        return budget, outcomes

    budget, outcomes = asyncio.run(spend())
    # 0.1 each, and the last may start while 0.3 is left: 8 calls bring it to 0.8, and 0.8 + 0.3 > 1.
    assert 8 == outcomes.count("sent")
    assert 12 == outcomes.count("over_budget")
    assert budget.reached
    assert 0.8 == pytest.approx(budget.spent_usd)


def test_a_call_of_unknown_outcome_counts_as_the_most_it_could_cost() -> None:
    """A time-out may have been billed, so all that was set aside is counted as spent."""

    async def spend() -> Budget:
        budget = Budget(1.0)
        await budget.settle(await budget.reserve(0.4), None)
        return budget

    assert 0.4 == asyncio.run(spend()).spent_usd


def test_a_budget_needs_a_price() -> None:
    """With a budget and a model of unknown price the run is refused before anything is spent."""
    with pytest.raises(InputError, match="--price INPUT/OUTPUT"):
        grade_sync(
            some(1), [RUBRIC], [Judge(model="openai/nobody-knows", api_base="http://127.0.0.1:9")], budget_usd=1.0
        )
    assert Price(input=1, output=2).cached is None


def test_a_recording_repeats_a_run_without_the_judge(tmp_path: Path) -> None:
    """`--record` and `replay/` give the same verdicts under the same name, marked as replayed."""
    tape = tmp_path / "answers.jsonl"
    first = grade_sync(some(5), ["coercive-leverage"], ["baseline/cues"], record=tape)
    again = grade_sync(some(5), ["coercive-leverage"], [f"replay/{tape}"])

    def facts(grading: Grading) -> dict[str, tuple[object, ...]]:
        return {v.verdict_id: (v.judge, v.level, v.status, v.findings) for v in grading.verdicts}

    assert facts(first) == facts(again)
    assert all("replayed" in verdict.flags for verdict in again.verdicts)


def test_a_question_that_was_not_recorded_has_no_verdict(tmp_path: Path) -> None:
    """A recording answers what it holds, and says so for the rest."""
    tape = tmp_path / "answers.jsonl"
    grade_sync(some(1), ["coercive-leverage"], ["baseline/cues"], record=tape)
    other = grade_sync(some(2)[1:], ["coercive-leverage"], [f"replay/{tape}"])
    assert [("error", "no recorded answer to this question")] == [(v.status, v.error) for v in other.verdicts]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "no such recording"),
        ("", "holds those of: none"),
        ('{"judge": 1}\n', "answers.jsonl:1: not a recorded answer"),
    ],
)
def test_a_broken_recording_is_refused_with_its_place(tmp_path: Path, text: str | None, complaint: str) -> None:
    """A missing, empty or foreign file is an input error that names it."""
    tape = tmp_path / "answers.jsonl"
    if text is not None:
        tape.write_text(text)
    with pytest.raises(InputError, match=complaint):
        grade_sync(some(1), [RUBRIC], [f"replay/{tape}"])


def test_grading_is_awaitable_from_a_running_loop(lane: ScriptedLane) -> None:
    """`grade` is the coroutine that `grade_sync` runs."""

    async def inside() -> Grading:
        return await grade(some(2), [RUBRIC], [JUDGE])

    assert 2 == len(asyncio.run(inside()).to_rows())


def test_a_provider_that_is_never_reached_ends_the_run(tmp_path: Path) -> None:
    """A wrong address is the provider's fault, not each transcript's: the run says so, and its rows are kept as errors."""
    nobody = Judge(model="openai/x", api_base="http://127.0.0.1:9/v1", attempts=1, backoff_s=0.0)
    with open_ledger(tmp_path / "l.db") as book:
        with pytest.raises(ProviderError, match="openai/x: the address cannot be reached, every time"):
            grade_sync(some(2), [RUBRIC], [nobody], ledger=book)
        assert ["error", "error"] == [verdict.status for verdict in book.verdicts()]


def test_a_transcripts_facts_can_be_grouped_by(lane: ScriptedLane) -> None:
    """A list becomes one word, and the target's models go under `model`."""
    subject = transcript(("user", "hi"), ("target", "hello"), run={"models": ["a", "b"], "epoch": 2})
    (verdict,) = run([subject]).verdicts
    assert {"model": "a + b", "epoch": 2} == verdict.run
