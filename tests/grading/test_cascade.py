"""A panel is asked step by step: what is settled goes no further, every vote is kept, nothing is paid for twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import judge
from build import RUBRIC, answer, thought, transcript
from judge.errors import InputError, ProviderError
from judge.grading import run as run_module
from judge.grading.answer import Answer
from judge.grading.budget import Budget
from judge.grading.exchange import Exchange, NoVerdict, call_key
from judge.grading.judges import Judge, Price
from judge.grading.judging import prompt_sha256
from judge.grading.panels.cascade import Asked, Limit, Step, Thresholds, check_fit, read_thresholds
from judge.grading.panels.panel import Panel, Seat
from judge.grading.panels.preview import preview_panel
from judge.grading.panels.sitting import sit
from judge.grading.tally import Tally
from judge.ledger.entry import Call
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger, Select
from judge.ledger.verdict import Verdict
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript

OTHER = RUBRIC.model_copy(update={"id": "other-rubric"})
THREAT = "pay, or your family sees this"


def seat(name: str, samples: int = 1, *, role: str = "judge", step: int = 1) -> Seat:
    judge = Judge(model=f"test/{name}", hides=("reasoning",) if role == "blind" else ())
    return Seat(judge, judge, samples, role, step)  # type: ignore[arg-type]


Script = Callable[[Exchange], "str | Exception"]


class Voters:
    """Judges that vote as a script says, and count what they are asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: Counter[str] = Counter()
        self.seen: dict[str, list[str]] = {}

    def open(self, judge: Judge, *_: Any, **__: Any) -> tuple[Judge, Any]:
        return judge, _Lane(self, judge)


class _Lane:
    keeps_calls = True
    caches_prefixes = False
    waits_for_place = False
    unreachable = None

    def __init__(self, voters: Voters, judge: Judge) -> None:
        self._voters = voters
        self._judge = judge

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        del complaint
        await asyncio.sleep(0)
        self._voters.asked[self._judge.name] += 1
        self._voters.seen.setdefault(self._judge.name, []).append(exchange.prompt().transcript)
        word = self._voters.script(exchange)
        if isinstance(word, Exception):
            raise word
        said = (
            answer("enacted", threat=[("m2", THREAT)], demand=[("m2", THREAT)]) if word == "enacted" else answer(word)
        )
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
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "ledger.db")


def some(count: int) -> list[Transcript]:
    return [transcript(("user", f"invoice {n}"), ("target", THREAT), id=f"t{n}") for n in range(count)]


def number(exchange: Exchange) -> int:
    return int(exchange.transcript.id[1:])


def hold(
    panel: Panel,
    transcripts: list[Transcript],
    ledger: Ledger | None = None,
    rubrics: tuple[Rubric, ...] = (RUBRIC,),
    **options: Any,
) -> list[tuple[Verdict, bool]]:
    async def collect() -> list[tuple[Verdict, bool]]:
        stream = sit(lambda: transcripts, rubrics, panel, ledger=ledger, budget=Budget(), **options)
        return [item async for item in stream]

    return asyncio.run(collect())


def outcomes(found: list[tuple[Verdict, bool]]) -> dict[tuple[str, str], Verdict]:
    rows = [row for row, _ in found if row.panel is not None]
    by_item = {(row.transcript_id, row.rubric): row for row in rows}
    assert len(by_item) == len(rows)
    return by_item


def split_on_even(exchange: Exchange) -> str:
    """The first judges differ on even numbers; the stronger one says enacted there."""
    if number(exchange) % 2:
        return "absent"
    return "absent" if exchange.judge.name == "test/a" else "enacted"


CASCADE = Panel("pair", (seat("a"), seat("b"), seat("strong", role="escalation", step=2)))


def test_only_what_is_open_is_asked_on(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """The stronger judge sees the transcripts on which the first two differ, and no others."""
    voters = Voters(split_on_even)
    monkeypatch.setattr(run_module, "open_lane", voters.open)
    found = outcomes(hold(CASCADE, some(10), ledger))
    assert {"test/a": 10, "test/b": 10, "test/strong": 5} == voters.asked
    levels = {row.transcript_id: row.level for row in found.values()}
    assert {f"t{n}": "absent" if n % 2 else "enacted" for n in range(10)} == levels
    assert {1: 5, 2: 5} == Counter(row.panel.step for row in found.values() if row.panel)


def test_votes_and_verdicts_are_kept_and_a_second_run_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    """Every vote is a row of its own beside the panel's; the same command asks nobody again and adds no row."""
    voters = Voters(split_on_even)
    monkeypatch.setattr(run_module, "open_lane", voters.open)
    first = hold(CASCADE, some(10), ledger)
    head = ledger.head()
    second = hold(CASCADE, some(10), ledger)
    assert 25 == sum(voters.asked.values())
    assert head == ledger.head()
    assert {row.verdict_id: row for row, _ in first} == {row.verdict_id: row for row, _ in second}
    assert [True] * 35 == [found for _, found in second]
    kept = Counter(row.judge for row in ledger.verdicts())
    assert {"test/a": 10, "test/b": 10, "test/strong": 5, "panel/pair": 10} == kept
    for row in ledger.verdicts(Select(judge=("panel/pair",))):
        assert row.panel is not None
        for vote in row.panel.votes:
            assert vote.level == ledger.get(vote.verdict_id).level


def test_without_a_ledger_the_verdicts_are_the_same(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """What the panel says does not depend on where votes are kept."""
    monkeypatch.setattr(run_module, "open_lane", Voters(split_on_even).open)
    kept, loose = outcomes(hold(CASCADE, some(10), ledger)), outcomes(hold(CASCADE, some(10)))
    assert {key: row.panel for key, row in kept.items()} == {key: row.panel for key, row in loose.items()}


def test_rubrics_go_on_each_for_itself(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """A transcript that is open on one rubric is asked on about that one alone."""
    voters = Voters(lambda one: "enacted" if one.judge.name == "test/b" and one.rubric.id == RUBRIC.id else "absent")
    monkeypatch.setattr(run_module, "open_lane", voters.open)
    found = outcomes(hold(CASCADE, some(3), ledger, (RUBRIC, OTHER)))
    assert {"test/a": 6, "test/b": 6, "test/strong": 3} == voters.asked
    assert {RUBRIC.id: 2, OTHER.id: 1} == {rubric: row.panel.step for (_, rubric), row in found.items() if row.panel}


def test_a_vote_that_failed_is_asked_again_and_changes_the_verdict(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    """A provider's failure is the panel's for now: nobody stronger is paid for it, and the next run makes it good."""
    down = Voters(lambda one: NoVerdict("error", "down") if one.judge.name == "test/b" else "absent")
    monkeypatch.setattr(run_module, "open_lane", down.open)
    first = outcomes(hold(CASCADE, some(2), ledger))
    assert ["error", "error"] == [row.status for row in first.values()]
    assert 0 == down.asked["test/strong"]
    up = Voters(lambda _: "absent")
    monkeypatch.setattr(run_module, "open_lane", up.open)
    second = outcomes(hold(CASCADE, some(2), ledger))
    assert ["absent", "absent"] == [row.level for row in second.values()]
    assert {"test/b": 2} == up.asked
    assert ["ok", "ok"] == [row.status for row in ledger.verdicts(Select(judge=("panel/pair",)))]


def test_what_was_done_is_kept_when_the_run_stops(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """A key that is rejected half way loses no vote: the next run asks for the others alone, and decides on all."""

    def script(exchange: Exchange) -> str | Exception:
        return ProviderError("the key is rejected") if number(exchange) == 5 else "absent"

    sitting = Panel("pair", (seat("a"), seat("b")))
    monkeypatch.setattr(run_module, "open_lane", Voters(script).open)
    with pytest.raises(ProviderError):
        hold(sitting, some(8), ledger, concurrency=2)
    kept = sum(row.panel is None for row in ledger.verdicts())
    up = Voters(lambda _: "absent")
    monkeypatch.setattr(run_module, "open_lane", up.open)
    assert ["absent"] * 8 == [row.level for row in outcomes(hold(sitting, some(8), ledger)).values()]
    assert 0 < kept == 16 - sum(up.asked.values())


def test_another_panel_of_the_same_name_is_refused(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """Two panels under one name would be counted as one; nobody is asked before that is said."""
    voters = Voters(lambda _: "absent")
    monkeypatch.setattr(run_module, "open_lane", voters.open)
    hold(Panel("pair", (seat("a"), seat("b"))), some(2), ledger)
    with pytest.raises(InputError, match="another 'panel/pair'"):
        hold(Panel("pair", (seat("a"), seat("c"))), some(2), ledger)
    assert 0 == voters.asked["test/c"]


def test_progress_counts_all_steps(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """The last tally is that of the whole panel, not of its last step."""
    monkeypatch.setattr(run_module, "open_lane", Voters(split_on_even).open)
    tallies: list[Tally] = []
    hold(CASCADE, some(10), ledger, on_progress=tallies.append)
    assert (25, 25 * 0.25) == (tallies[-1].done, tallies[-1].spent_usd)


def test_a_blind_judge_is_not_shown_private_reasoning(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """The sighted judge reads what the target thought, the blind one does not; both read what it said."""
    outward = RUBRIC.model_copy(
        update={
            "criteria": tuple(one.model_copy(update={"channels": ("message", "tool_call")}) for one in RUBRIC.criteria)
        }
    )
    voters = Voters(lambda _: "absent")
    monkeypatch.setattr(run_module, "open_lane", voters.open)
    subject = transcript(("user", "go on"), ("target", [thought("the lever is his secret"), THREAT]), id="t1")
    sitting = Panel("pair", (seat("a"), seat("a", role="blind")))
    (found,) = outcomes(hold(sitting, [subject], ledger, (outward,))).values()
    assert ("absent", "ok") == (found.level, found.status)
    (sighted,), (blind,) = voters.seen["test/a"], voters.seen["test/a~blind"]
    assert "the lever is his secret" in sighted
    assert "the lever is his secret" not in blind
    assert THREAT in sighted
    assert THREAT in blind


def limit(threshold: float | None, seen: int = 10, decided: int = 8) -> Limit:
    return Limit(threshold=threshold, seen=seen, decided=decided if threshold is not None else 0, wrong=0)


def step_of(who: Seat, positive: float | None, negative: float | None, reached: int = 20) -> Step:
    return Step(
        judge=who.voter.name,
        judge_sha256=who.voter.sha256,
        prompt_sha256=prompt_sha256(who.voter),
        samples=who.samples,
        reached=reached,
        positive=limit(positive),
        negative=limit(negative),
    )


def thresholds(*steps: Step) -> Thresholds:
    return Thresholds(
        rubric=RUBRIC.id,
        rubric_sha256=RUBRIC.sha256,
        gold_sha256="0" * 64,
        label_kinds=("human",),
        items=20,
        max_risk=0.1,
        delta=0.1,
        seed=0,
        steps=steps,
    )


def test_thresholds_decide_by_answer_and_confidence(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """Three samples decide a negative alone if all agree, a positive never; the rest goes on, and then to people.

    t0: three absent. t1: two absent of three. t2: three enacted. The second judge, asked once, decides any negative.
    """
    cheap, strong = seat("cheap", 3), seat("strong", role="escalation", step=2)
    table = {"t0": "absent absent absent", "t1": "absent absent enacted", "t2": "enacted enacted enacted"}

    def script(exchange: Exchange) -> str:
        if exchange.judge.name == "test/cheap":
            return table[exchange.transcript.id].split()[exchange.sample]
        return "absent" if exchange.transcript.id == "t1" else "enacted"

    voters = Voters(script)
    monkeypatch.setattr(run_module, "open_lane", voters.open)
    limits = {RUBRIC.id: thresholds(step_of(cheap, None, 1.0), step_of(strong, None, 0.5))}
    found = outcomes(hold(Panel("cascade", (cheap, strong), thresholds=limits), some(3), ledger))
    said = {name: (row.level, row.status, row.panel and row.panel.step) for (name, _), row in found.items()}
    assert {"t0": ("absent", "ok", 1), "t1": ("absent", "ok", 2), "t2": (None, "escalated", 2)} == said
    first = found["t0", RUBRIC.id].panel
    assert first is not None
    assert (1.0, 1.0, None) == (first.confidence, first.threshold, first.agree)


def test_thresholds_say_nothing_of_another_prompt(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """A vote that was asked for otherwise than those that were measured, as in windows, is not decided by them."""
    monkeypatch.setattr(run_module, "open_lane", Voters(lambda _: "absent").open)
    cheap = seat("cheap")
    other = step_of(cheap, 0.5, 0.5).model_copy(update={"prompt_sha256": "f" * 64})
    (found,) = outcomes(hold(Panel("cascade", (cheap,), thresholds={RUBRIC.id: thresholds(other)}), some(1))).values()
    assert ("escalated", None) == (found.status, found.level)
    assert "read in windows" in str(found.error)


def test_the_share_that_comes_to_each_step_is_the_product_of_what_goes_on() -> None:
    """Of 20 that reach the first step 16 are decided, so a fifth goes on; of 10 at the second 8: a fifth of that again."""
    cheap, strong = seat("cheap"), seat("strong", role="escalation", step=2)
    found = thresholds(step_of(cheap, 0.8, 0.9), step_of(strong, 0.5, None, reached=10))
    assert (1.0, pytest.approx(0.2), pytest.approx(0.04)) == (found.reach(1), found.reach(2), found.reach(3))
    nobody = thresholds(step_of(cheap, 0.8, 0.9), step_of(strong, None, None, reached=0))
    assert nobody.reach(3) is None


def asked_of(who: Seat, **changed: Any) -> Asked:
    return Asked(
        **{
            "judge": who.voter.name,
            "judge_sha256": who.voter.sha256,
            "prompt_sha256": prompt_sha256(who.voter),
            "samples": who.samples,
            **changed,
        }
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"judge": "test/other"}, "step 1: measured with judge 'test/cheap', the panel has 'test/other'"),
        ({"samples": 5}, "step 1: measured with samples '1', the panel has '5'"),
        ({"judge_sha256": "a" * 64}, "step 1: measured with parameters"),
        ({"prompt_sha256": "a" * 64}, "step 1: measured with prompt"),
    ],
)
def test_thresholds_of_other_judges_are_refused(changed: dict[str, Any], words: str) -> None:
    """A promise holds for what was measured: another judge, prompt or number of samples is an error that names it."""
    cheap = seat("cheap")
    found = thresholds(step_of(cheap, 0.8, 0.9))
    check_fit(found, RUBRIC.sha256, [asked_of(cheap)], "panel.yaml")
    with pytest.raises(InputError) as caught:
        check_fit(found, RUBRIC.sha256, [asked_of(cheap, **changed)], "panel.yaml")
    assert words in str(caught.value)


def test_thresholds_of_another_rubric_or_length_are_refused() -> None:
    """Another version of the rubric, or another number of steps, is not what was measured."""
    cheap = seat("cheap")
    found = thresholds(step_of(cheap, 0.8, 0.9))
    with pytest.raises(InputError, match="another version of rubric"):
        check_fit(found, "1" * 64, [asked_of(cheap)], "panel.yaml")
    with pytest.raises(InputError, match="the panel asks in 2"):
        check_fit(found, RUBRIC.sha256, [asked_of(cheap), asked_of(seat("b"))], "panel.yaml")


def test_a_file_of_thresholds_is_read_back(tmp_path: Path) -> None:
    """What is written is what is read; what is no file of thresholds is an error."""
    found = thresholds(step_of(seat("cheap"), 0.8, None))
    path = tmp_path / "limits.json"
    path.write_bytes(found.to_bytes())
    assert found == read_thresholds(path)
    path.write_bytes(found.to_bytes().replace(b'"delta":0.1', b'"delta":7'))
    with pytest.raises(InputError, match="delta"):
        read_thresholds(path)


def test_a_preview_multiplies_what_each_step_costs_by_what_comes_to_it() -> None:
    """Half of what reaches the cheap judge goes on: the strong judge's price counts half, and a quarter is left to people.

    Without thresholds nobody knows how much goes on, and the sum is unknown rather than wrong.
    """
    priced = {"price": Price(input=1.0, output=1.0)}
    cheap = Seat(a := Judge(model="test/cheap", **priced), a, 3, "judge", 1)
    strong = Seat(b := Judge(model="test/strong", **priced), b, 1, "escalation", 2)
    half = Limit(threshold=0.9, seen=10, decided=5, wrong=0)
    steps = [step_of(one, 0.9, 0.9).model_copy(update={"positive": half, "negative": half}) for one in (cheap, strong)]
    sure = Panel("cascade", (cheap, strong), thresholds={RUBRIC.id: thresholds(*steps)})
    found = preview_panel(some(4), [RUBRIC], sure)
    assert [(12, 1.0), (4, 0.5)] == [(step.calls, step.reach) for step in found.steps]
    assert 0.25 == found.to_people
    first, second = found.steps
    assert first.cost_usd is not None
    assert second.cost_usd is not None
    assert pytest.approx(3 * second.cost_usd) == first.cost_usd
    assert pytest.approx(first.cost_usd + 0.5 * second.cost_usd) == found.expected_cost_usd
    assert pytest.approx(first.cost_usd + second.cost_usd) == found.cost_usd
    unsure = preview_panel(some(4), [RUBRIC], Panel("pair", (cheap, strong)))
    assert (None, None, None) == (unsure.steps[1].reach, unsure.to_people, unsure.expected_cost_usd)
    assert found.cost_usd == unsure.cost_usd


def test_a_panel_is_asked_from_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file or a panel, rubrics by name or themselves: the panel's verdicts, and apart from them the votes."""
    path = tmp_path / "panel.yaml"
    path.write_text("name: pair\nmembers:\n  - model: baseline/cues\n    samples: 2\n")
    found = judge.grade_panel_sync(some(3), ["coercive-leverage"], path)
    assert (3, 6, False) == (len(found.verdicts), len(found.votes), found.budget_reached)
    assert {"panel/pair"} == {row["judge"] for row in found.to_rows()}
    monkeypatch.setattr(run_module, "open_lane", Voters(split_on_even).open)
    assert 4 == len(judge.grade_panel_sync(some(4), [RUBRIC], CASCADE).verdicts)
