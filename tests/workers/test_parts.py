"""What workers are made of: rows that survive on disk, leave that is accounted for, messages that change nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from build import RUBRIC, transcript
from grading.support import make_transcript
from judge.errors import InputError, ProviderError
from judge.grading.budget import Budget
from judge.grading.exchange import NoVerdict, call_key
from judge.grading.judges import Judge
from judge.grading.judging import make_verdict_id
from judge.grading.lanes.pace import LocalPace, LocalPaces, Outcome
from judge.grading.planning import Task
from judge.grading.workers.messages import Order, decode, encode, name_error, pack_turn, read_error, unpack_turn
from judge.grading.workers.permits import Grants, LeasedBudget, LeasedPaces, Line
from judge.grading.workers.spool import Spool, abandoned, collect, hold, spool_folder
from judge.ledger.entry import Call, Entry
from judge.ledger.opening import open_ledger
from ledger.support import make_call, make_verdict

JUDGE = Judge(model="test/judge")
HOSTILE = '</plan>["stop"]\x00\x1b[2J\u202e\u2028{{7*7}}\\" \U0001f600 é e\u0301'


def make_task(sample: int = 0, text: str = HOSTILE) -> Task:
    subject = transcript(("user", text), ("target", text), id="t")
    return Task(make_verdict_id(subject, RUBRIC, JUDGE, sample), subject, RUBRIC, JUDGE, sample, 2 * len(text))


def spool(folder: Path) -> tuple[Spool, list[Any]]:
    """Return a spool and what it sends."""
    sent: list[Any] = []
    return Spool(folder, "0-1-2", sent.append), sent


# -- messages -----------------------------------------------------------------------------------------------------------


def test_a_turn_arrives_as_it_was_sent() -> None:
    """Transcript, tasks and calls are the same on the other side, control characters and all, and what has calls is begun."""
    tasks = [make_task(0), make_task(1)]
    call = Call(key=call_key(tasks[0].verdict_id, 0), verdict_id=tasks[0].verdict_id, answer=HOSTILE)
    (message,) = decode(encode([pack_turn(tasks, [call], [RUBRIC.sha256], [JUDGE.sha256])]))
    order = Order(rubrics=(RUBRIC,), judges=(JUDGE,), concurrency=1, limit_usd=None, repeats=False)
    order = Order.model_validate_json(order.model_dump_json())
    parcel = unpack_turn(message, order.rubrics, order.judges)
    assert ([tasks[0]._replace(begun=True), tasks[1]], [call]) == (parcel.tasks, parcel.calls)


def test_what_no_judge_may_see_is_not_sent() -> None:
    """Scores and expected labels stay with the driver."""
    subject = make_transcript(1).model_copy(update={"withheld": {"score": "SECRET"}})
    task = Task(make_verdict_id(subject, RUBRIC, JUDGE, 0), subject, RUBRIC, JUDGE, 0)
    assert b"SECRET" not in encode([pack_turn([task], [], [RUBRIC.sha256], [JUDGE.sha256])])


def test_a_worker_of_another_version_makes_no_verdicts() -> None:
    """A worker whose verdict would have another id than the driver expects refuses the turn."""
    task = make_task()._replace(verdict_id="0" * 20)
    message = pack_turn([task], [], [RUBRIC.sha256], [JUDGE.sha256])
    with pytest.raises(InputError, match="another version"):
        unpack_turn(message, (RUBRIC,), (JUDGE,))


def test_an_error_keeps_its_kind() -> None:
    """What ends a run in a worker ends it in the driver, with the same exit code and words."""
    error = read_error(decode(encode([name_error(ProviderError("no key"))]))[0])
    assert (ProviderError, "no key") == (type(error), str(error))


# -- rows on disk -------------------------------------------------------------------------------------------------------


def test_rows_of_a_lost_worker_are_found_but_not_a_line_that_was_cut_off(tmp_path: Path) -> None:
    """Whole groups are read back as they were written; the torn end of the last one is not."""
    rows, sent = spool(tmp_path)
    rows.append([make_call(1), make_verdict(1)])
    rows.append([Entry("note", "n", {"text": HOSTILE})])
    path = next(tmp_path.glob("*.spool"))
    whole = path.read_bytes()
    rows.append([make_verdict(2)])
    torn = path.read_bytes()[:-7]
    rows.close()
    path.write_bytes(torn)
    found, paths = collect(tmp_path)
    assert [tuple(row) for message in sent[:2] for row in message[2]] == [tuple(row) for row in found]
    assert [path] == paths
    assert torn.startswith(whole)


def test_rows_of_a_worker_that_lives_are_left_alone(tmp_path: Path) -> None:
    """A file that is locked belongs to somebody."""
    rows, _ = spool(tmp_path)
    rows.append([make_verdict(1)])
    assert ([], []) == collect(tmp_path)
    rows.close()
    assert 1 == len(collect(tmp_path)[0])


def test_rows_that_the_ledger_has_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool does not grow with the run: acknowledged groups go, file by file where the driver is behind."""
    monkeypatch.setattr("judge.grading.workers.spool._SEGMENT_BYTES", 2_000)
    rows, sent = spool(tmp_path)
    for number in range(40):
        rows.append([make_verdict(number)])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 20_000
    rows.kept(sent[-2][1])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4_000
    rows.kept(sent[-1][1])
    rows.close()
    assert [] == list(tmp_path.iterdir())


def test_calls_that_were_paid_for_are_found_by_their_key(tmp_path: Path) -> None:
    """What the driver sends along with a turn is there for the lane, until the verdict is made."""
    rows, _ = spool(tmp_path)
    call = Call(key="00000001/0", verdict_id="00000001", answer="{}")
    rows.expect([call])
    assert (call, None) == (rows.call("00000001/0"), rows.call("00000001/1"))
    rows.append([make_verdict(1)])
    assert rows.call("00000001/0") is None
    rows.close()


def test_only_folders_of_drivers_that_are_no_more_are_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that lives holds its folder; a folder without a lock is of a driver elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    living, dead, elsewhere = (spool_folder("ledger", name) for name in ("living", "dead", "elsewhere"))
    lock = hold(living)
    hold(dead).close()
    assert [dead, elsewhere] == abandoned("ledger")
    lock.close()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which folder, and how to name another."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="export XDG_CACHE_HOME=DIR"):
        spool_folder("ledger", "driver")


def test_a_ledger_gives_the_latest_call_of_each_turn(tmp_path: Path) -> None:
    """Attempts at a turn share a key, and the last one counts; calls of other verdicts stay out."""
    first, again, second = (
        Call(key=f"aa/{turn}", verdict_id="aa", turn=turn, attempt=attempt)
        for turn, attempt in ((0, 1), (0, 2), (1, 1))
    )
    with open_ledger(tmp_path / "ledger.db") as book:
        book.append([first, again, second, Call(key="aa0/0", verdict_id="aa0"), Call(key="a/0", verdict_id="a")])
        assert [again, second] == book.calls("aa")


# -- leave to ask -------------------------------------------------------------------------------------------------------


def test_what_a_lost_worker_did_not_account_for_counts_as_spent() -> None:
    """Of 1.00, a worker had leave for 0.4 and said that 0.3 of it was used, and had leave for 0.5 when it was lost."""

    async def spend() -> Budget:
        budget = Budget(1.0)
        grants = Grants(budget, [JUDGE], LocalPaces)
        for number, amount in enumerate((0.4, 0.5)):
            assert ["answer", number, amount, None] == await grants.answer(number, "reserve", amount)
        await grants.hear("settle", 0.4, 0.3)
        await grants.write_off()
        return budget

    budget = asyncio.run(spend())
    assert (0.8, 0.0) == (pytest.approx(budget.spent_usd), budget.reserved_usd)


def test_leave_that_comes_when_its_worker_is_lost_is_given_back() -> None:
    """A worker that waits for money when it is lost has sent nothing, so nothing of it is spent."""

    async def spend() -> Budget:
        budget = Budget(1.0)
        one, other = (Grants(budget, [JUDGE], LocalPaces) for _ in range(2))
        await one.answer(1, "reserve", 0.9)
        waiting = asyncio.create_task(other.answer(1, "reserve", 0.8))
        await asyncio.sleep(0)
        await other.write_off()
        await one.hear("settle", 0.9, 0.1)
        await waiting
        return budget

    budget = asyncio.run(spend())
    assert (0.1, 0.0) == (pytest.approx(budget.spent_usd), budget.reserved_usd)


def test_a_pace_holds_over_workers_and_frees_what_a_lost_one_held() -> None:
    """With two requests at once allowed, a third waits, whichever worker asks, until one is done or its worker is lost."""

    class Two(LocalPaces):
        def __init__(self) -> None:
            self.pace = LocalPace(most=2)

        def of(self, judge: Judge) -> Any:
            assert judge is JUDGE
            return self.pace

    async def enter() -> list[bool]:
        paces = Two()
        one, other = (Grants(Budget(), [JUDGE], lambda: paces) for _ in range(2))
        (_, _, ticket, _), _ = [await one.answer(number, "enter", 0, 10) for number in range(2)]
        third, fourth = (asyncio.create_task(other.answer(number, "enter", 0, 10)) for number in range(2))
        await asyncio.sleep(0)
        seen = [third.done()]
        await one.hear("leave", 0, ticket, list(Outcome("answered", 1.0)))
        await asyncio.sleep(0.01)
        seen += [third.done(), fourth.done()]
        await one.write_off()
        await asyncio.sleep(0.01)
        return [*seen, fourth.done()]

    assert [False, True, False, True] == asyncio.run(enter())


def test_a_worker_hears_the_drivers_answers() -> None:
    """A grant returns, over budget is a missing verdict, a provider that is down ends the run; a late answer is nobody's."""

    async def ask() -> tuple[float, int, str, str]:
        sent: list[Any] = []
        line = Line(sent.append)
        budget, pace = LeasedBudget(1.0, line), LeasedPaces([JUDGE], line).of(JUDGE)
        await pace.leave(3, Outcome("answered", 1.5, 7))
        assert [["tell", "leave", 0, 3, ["answered", 1.5, 7, 0.0, None, 0.0]]] == decode(encode(sent))
        sent.clear()
        asked = [asyncio.create_task(budget.reserve(0.1)), asyncio.create_task(pace.enter(5))]
        asked += [asyncio.create_task(budget.reserve(0.2)), asyncio.create_task(pace.enter(6))]
        await asyncio.sleep(0)
        assert [["ask", 1, "reserve", 0.1], ["ask", 2, "enter", 0, 5]] == sent[:2]
        for number, value, refusal in (
            (1, 0.1, None),
            (2, 7, None),
            (3, None, ["over_budget", "reached"]),
            (4, None, ["fatal", "down"]),
            (99, 1, None),
        ):
            line.answered(number, value, refusal)
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(results[2], NoVerdict)
        assert isinstance(results[3], ProviderError)
        return results[0], results[1], results[2].status, str(results[3])

    assert (0.1, 7, "over_budget", "down") == asyncio.run(ask())
