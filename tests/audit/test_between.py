"""What another thread, another server or `judge grade` does between two looks at the same thing changes no answer to nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.asking import Bench, make_bench
from audit.test_disputes import LOOK, case_of, decide, look, open_dispute
from judge.audit import deciding
from judge.audit.labelling import AlreadyCommittedError, Labels
from judge.audit.queue import Queue
from judge.gold.labels import append_labels, read_labels
from judge.gold.model import Label
from judge.ledger.opening import open_ledger

FORM = {"level": "absent", "confidence": 3, "seconds": 1}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A page of its own: these tests write."""
    return make_bench(tmp_path)


@pytest.mark.parametrize("mode", ["read", "label"])
def test_queue_is_listed_while_verdicts_come_in(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A verdict on another transcript that arrives after every look at the queue is in the next list, and breaks none."""
    there = bench.browser("mira", mode)
    looked, numbers = Queue.cases, iter(range(100))

    def growing(self: Queue) -> Any:
        found = looked(self)
        name = f"late-{next(numbers)}"
        with open_ledger(tmp_path / "ledger.db", create=False) as other:
            row = other.get("v1").model_copy(update={"verdict_id": name, "transcript_id": name})
            other.append([row])
        return found

    monkeypatch.setattr(Queue, "cases", growing)
    assert there.get("/").status == 200
    assert there.get(case_of(bench)).status == 200
    counts = [there.get("/").text.count('<li class="row') for _ in range(2)]
    assert counts[1] > counts[0]


def test_label_that_was_committed_meanwhile_is_withdrawn_with_what_it_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tab commits just before the undo takes its turn: what is taken back is that label, and it becomes the draft."""
    there, case = bench.browser("tomas", "label"), case_of(bench)
    withdrawn = Labels.withdraw

    def late(self: Labels, *given: Any) -> Any:
        assert there.post(f"{case}/label", FORM).status == 201
        return withdrawn(self, *given)

    monkeypatch.setattr(Labels, "withdraw", late)
    answer = there.post(f"{case}/undo", {})
    assert (answer.status, answer.json["draft"]["level"]) == (200, "absent")


def test_label_is_not_blind_where_an_earlier_one_was_withdrawn_meanwhile(tmp_path: Path) -> None:
    """That somebody had seen nothing was found out before another tab committed and took back: the label is refused."""
    labels = Labels(tmp_path)
    one = Label(transcript_id="t", rubric="r", rater="tomas", rater_kind="human", label="absent", blind=True)
    labels.commit([one])
    labels.withdraw("tomas", ("t", "r"), "2026-01-01T00:00:00+00:00")
    with pytest.raises(AlreadyCommittedError, match="withdrawn"):
        labels.commit([one])
    labels.commit([one.model_copy(update={"blind": False})])
    assert len(read_labels(tmp_path / "labels")) == 3


def test_label_of_a_decision_is_written_once_by_two_servers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server on the same folder writes the label in the moment in which this one is about to."""
    address = open_dispute(bench)
    look(bench, address)
    faster = [True]

    def late(path: Path, labels: list[Label], *check: Any) -> None:
        if faster.pop() if faster else False:
            append_labels(path, labels)
        append_labels(path, labels, *check)

    monkeypatch.setattr(deciding, "append_labels", late)
    assert decide(bench, address).status == 201
    (label,) = read_labels(bench.gold / "labels" / deciding.LABEL_FILE)
    assert label.rater == "adjudicator:ines"
    assert not faster


def test_label_file_that_is_taken_away_is_no_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody tidies the gold folder while the queue is being looked at."""
    reader = bench.browser("mira", "read")
    assert bench.browser("tomas", "label").post(f"{case_of(bench)}/label", FORM).status == 201
    gone = bench.gold / "labels" / "gone.jsonl"
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*listed(self, pattern), gone])
    assert reader.get("/").status == 200
    assert "1 rater" in reader.get("/").text


def test_review_is_refused_where_the_case_was_labelled_in_the_meantime(bench: Bench) -> None:
    """The page for a second look was open while the same rater committed a label in another tab, and so saw the verdicts."""
    address = open_dispute(bench)
    there = bench.browser("tomas", "label")
    assert there.get(address).status == 200
    assert there.post(f"{case_of(bench)}/label", FORM).status == 201
    assert there.post(f"{address}/review", LOOK).status == 403
