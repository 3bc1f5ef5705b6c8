"""Questions in batches: gathered, submitted once, found again by a later run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from judge.errors import ProviderError
from judge.grading.lanes.batches import Batcher, State, UnansweredError, UnreachableError, open_batches
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger


class Provider:
    """Batches in memory: answers what is said, on the look after next; remembers what it was given."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, str] = {}
        self.looks: dict[str, int] = {}
        self.ends = "completed"
        self.left_out: set[str] = set()
        self.refused: set[str] = set()
        self.stop_before_begin = self.stop_after_begin = False
        self.holding = False
        self.outages = 0

    async def upload(self, lines: bytes) -> str:
        self._may_be_out()
        name = f"file-{len(self.files)}"
        self.files[name] = lines
        return name

    async def submit(self, file: str) -> str:
        if self.stop_before_begin:
            raise ProviderError("out of credit")
        name = f"batch-{len(self.batches)}"
        self.batches[name] = file
        if self.stop_after_begin:
            raise ProviderError("out of credit")
        self._may_be_out()
        return name

    async def find(self, file: str) -> str | None:
        return next((name for name, given in self.batches.items() if given == file), None)

    async def look(self, batch: str) -> State:
        self._may_be_out()
        self.looks[batch] = self.looks.get(batch, 0) + 1
        if self.holding or self.looks[batch] < 2:
            return State("in_progress")
        return State(self.ends, (f"{batch}-out",), detail="no such model")

    async def fetch(self, file: str) -> bytes:
        return b"\n".join(self._answer(line) for line in self.asked(file.removesuffix("-out")))

    def _may_be_out(self) -> None:
        if self.outages:
            self.outages -= 1
            raise UnreachableError("the connection broke off")

    def asked(self, batch: str) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.files[self.batches[batch]].splitlines()]

    def _answer(self, line: dict[str, Any]) -> bytes:
        name = line["custom_id"]
        if name in self.left_out:
            return b"not JSON"
        code = 400 if name in self.refused else 200
        body = {"error": "too long"} if code == 400 else {"echo": line["body"]["q"]}
        return orjson.dumps({"custom_id": name, "response": {"status_code": code, "body": body}, "error": None})


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "ledger.db")


def make(provider: Provider, ledger: Ledger | None = None, **options: Any) -> Batcher:
    return Batcher(provider, "judge", ledger, **{"idle_s": 0.0, "poll_s": (0.0, 0.0), **options})


async def ask_all(batcher: Batcher, names: Iterable[str]) -> list[Any]:
    found = await asyncio.gather(*(batcher.ask(name, {"q": name}) for name in names), return_exceptions=True)
    await batcher.close()
    return found


def begin_and_stop(provider: Provider, ledger: Ledger) -> None:
    """Submit two questions, and end the run while it waits for them."""
    provider.holding = True

    async def stopped() -> None:
        batcher = make(provider, ledger)
        asking = asyncio.gather(*(batcher.ask(name, {"q": name}) for name in "ab"))
        while not provider.looks:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await batcher.close()

    asyncio.run(stopped())
    provider.holding = False


def test_questions_asked_together_go_in_one_batch(provider: Provider) -> None:
    """Each gets its own answer, whatever the order of the answers."""
    found = asyncio.run(ask_all(make(provider), ["a/0", "b/0", "c/0"]))
    assert [{"echo": "a/0"}, {"echo": "b/0"}, {"echo": "c/0"}] == found
    assert ["batch-0"] == list(provider.batches)


def test_a_full_batch_is_sent_off(provider: Provider) -> None:
    """Five questions in batches of two are three batches."""
    asyncio.run(ask_all(make(provider, size=2), [f"q{n}" for n in range(5)]))
    assert [2, 2, 1] == [len(provider.asked(name)) for name in provider.batches]


def test_a_question_without_an_answer_fails_alone(provider: Provider) -> None:
    """One that the provider refused says so with its code; one that is missing in the file is no answer either."""
    provider.refused, provider.left_out = {"b"}, {"c"}
    fine, refused, missing = asyncio.run(ask_all(make(provider), ["a", "b", "c"]))
    assert {"echo": "a"} == fine
    assert isinstance(refused, UnansweredError)
    assert 400 == refused.code
    assert isinstance(missing, UnansweredError)
    assert missing.code is None


def test_an_expired_batch_keeps_what_was_answered(provider: Provider) -> None:
    """The rest is unanswered, and may be asked again."""
    provider.ends, provider.left_out = "expired", {"b"}
    fine, late = asyncio.run(ask_all(make(provider), ["a", "b"]))
    assert {"echo": "a"} == fine
    assert isinstance(late, UnansweredError)


def test_a_batch_that_is_refused_stops_the_run(provider: Provider) -> None:
    """Everybody who waits is told, in the provider's words."""
    provider.ends = "failed"
    found = asyncio.run(ask_all(make(provider), ["a", "b"]))
    assert ["a", "b"] != found
    for error in found:
        assert isinstance(error, ProviderError)
        assert "no such model" in str(error)


def test_a_later_run_finds_the_batch(provider: Provider, ledger: Ledger) -> None:
    """A run is stopped while it waits; the next submits nothing, and asks only what no batch holds."""
    begin_and_stop(provider, ledger)
    assert 1 == len(open_batches(ledger))
    found = asyncio.run(ask_all(make(provider, ledger), "abc"))
    assert [{"echo": "a"}, {"echo": "b"}, {"echo": "c"}] == found
    assert [["a", "b"], ["c"]] == [[one["custom_id"] for one in provider.asked(name)] for name in provider.batches]
    assert [] == open_batches(ledger)


def test_a_question_that_comes_late_gets_its_answer_all_the_same(provider: Provider, ledger: Ledger) -> None:
    """With fewer at once than a batch holds, the second is asked when the batch of the earlier run is long read."""
    begin_and_stop(provider, ledger)

    async def one_by_one() -> list[Any]:
        batcher = make(provider, ledger)
        found = [await batcher.ask(name, {"q": name}) for name in "ab"]
        await batcher.close()
        return found

    assert [{"echo": "a"}, {"echo": "b"}] == asyncio.run(one_by_one())
    assert 1 == len(provider.batches)


@pytest.mark.parametrize(("begun", "batches"), [(True, 1), (False, 2)])
def test_a_run_that_broke_off_while_submitting_is_made_good(
    provider: Provider, ledger: Ledger, *, begun: bool, batches: int
) -> None:
    """A batch that was begun on the file is found by it, so nothing is paid twice; otherwise it is begun anew."""
    provider.stop_before_begin, provider.stop_after_begin = not begun, begun
    (error,) = asyncio.run(ask_all(make(provider, ledger), "a"))
    assert isinstance(error, ProviderError)
    provider.stop_before_begin = provider.stop_after_begin = False
    (first,) = asyncio.run(ask_all(make(provider, ledger), "a"))
    if not begun:
        assert isinstance(first, UnansweredError)
        (first,) = asyncio.run(ask_all(make(provider, ledger), "a"))
    assert {"echo": "a"} == first
    assert batches == len(provider.files)
    assert 1 == len(provider.batches)


def test_a_provider_that_is_away_for_a_while_is_waited_for(provider: Provider) -> None:
    """Broken connections end neither the wait nor the batch, and what was begun in spite of one is not begun again."""

    async def asked() -> Any:
        batcher = make(provider)
        asking = asyncio.ensure_future(batcher.ask("a", {"q": "a"}))
        while not provider.files:
            await asyncio.sleep(0)
        provider.outages = 9
        return await asking

    assert {"echo": "a"} == asyncio.run(asked())
    assert 1 == len(provider.batches)


def test_a_provider_that_was_never_there_ends_the_run(provider: Provider) -> None:
    """A wrong address is said after a few attempts, not waited for."""
    provider.outages = 99
    (error,) = asyncio.run(ask_all(make(provider), "a"))
    assert isinstance(error, ProviderError)
    assert "cannot be reached" in str(error)


def test_only_ended_batches_are_closed(provider: Provider, ledger: Ledger) -> None:
    """A batch counts as ended when the run that got its answers ends, since only then are they surely kept."""

    async def look_inside() -> int:
        batcher = make(provider, ledger)
        await batcher.ask("a", {"q": "a"})
        still_open = len(open_batches(ledger, "judge"))
        await batcher.close()
        return still_open

    assert 1 == asyncio.run(look_inside())
    assert [] == open_batches(ledger, "judge")


def test_names_are_such_as_every_provider_takes(provider: Provider) -> None:
    """Letters, digits, - and _, at most 64 of them, and different for different questions."""
    asyncio.run(ask_all(make(provider), ["ab12/0", "x" * 80, "x" * 81, "ü"]))
    names = [one["custom_id"] for one in provider.asked("batch-0")]
    assert 4 == len(set(names))
    assert all(len(name) <= 64 and name.replace("-", "").isalnum() and name.isascii() for name in names)
