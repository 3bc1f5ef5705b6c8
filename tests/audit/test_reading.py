"""A transcript is read stretch by stretch, searched without giving secrets away, and drawn small; cases are put in order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from math import log2

import pytest

from audit.asking import Bench, make_bench
from build import transcript
from judge.audit.queue import Known, Vote, doubt, gather_cases, mark_case
from judge.audit.reading import CHUNK, Reading
from judge.audit.shelf import Shelf
from judge.audit.view import view_case
from judge.errors import InputError
from judge.gold.model import Label
from judge.ledger.verdict import Coverage, Evidence, Finding, Verdict

KEY = "AKIA" + "Q" * 16


def talk(count: int) -> Reading:
    """A transcript of so many turns."""
    return Reading(transcript(*((("user", "target")[n % 2], f"word{n}") for n in range(1, count + 1))))


def vote(outcome: str, positive: bool | None = None, status: str = "ok", p: float | None = None) -> Vote:
    """A vote."""
    return Vote("a", 0, outcome, positive, status, p)


def test_stretches_cover_every_turn_once() -> None:
    """Stretches follow each other without a gap, from the first turn to the last."""
    chunks = talk(2 * CHUNK + 1).chunks
    assert [(one.first, one.last) for one in chunks] == [
        (1, CHUNK),
        (CHUNK + 1, 2 * CHUNK),
        (2 * CHUNK + 1, 2 * CHUNK + 1),
    ]


def test_page_comes_with_the_first_stretches_and_names_the_others() -> None:
    """What is not with the page is told as a stretch to fetch."""
    view = view_case(talk(3 * CHUNK), [], None, None)
    assert [one.number for one in view.messages] == list(range(1, 2 * CHUNK + 1))
    assert [(one.first, one.last) for one in view.chunks] == [(2 * CHUNK + 1, 3 * CHUNK)]


def test_search_counts_whatever_the_case() -> None:
    """Words are found in the turns in which they stand, as often as they stand there."""
    reading = Reading(transcript(("user", "Pay. pay"), ("target", "no"), ("tool", "PAY (now)")))
    assert reading.find("pay") == [(1, 2), (3, 1)]
    assert reading.find("(now") == [(3, 1)]


def test_search_finds_what_the_page_shows_of_invisible_characters() -> None:
    """Who reads an escape on the page finds it by what it looks like."""
    assert Reading(transcript(("user", "a\u202eb"))).find("\\u{202e}") == [(1, 1)]


@pytest.mark.parametrize("words", ["AKIA", KEY, "Q" * 8, "", "x" * 1_000])
def test_search_tells_nothing_of_a_secret(words: str) -> None:
    """What is masked cannot be found out by asking for it, nor can a search be without words or without end."""
    assert Reading(transcript(("tool", f"key {KEY} end"))).find(words) == []


def test_a_secret_is_masked_in_a_reason_too() -> None:
    """A reason that repeats a password from the transcript is shown without it, although nothing there introduces it."""
    reading = Reading(transcript(("user", "hello"), ("tool", 'password = "blue-otter-77"'), ("target", "done")))
    assert reading.hide("it read out blue-otter-77") == "it read out [masked: 13 characters]"


def test_minimap_ticks_quotes_and_shades_what_was_not_seen() -> None:
    """A quote is a tick at its turn; turns that one of two judges did not see are shaded lightly, those none saw darker."""
    about = transcript(("user", "one"), ("target", "two"), ("tool", "three"), ("prefill", "four"))
    quote = Evidence(message_id="m2", quote="two", match="exact", start=0, end=3, part="m2.1", admissible=True)
    common = {"transcript_id": "t1", "rubric": "r"}
    votes = [
        Verdict(verdict_id="1", judge="a", level="x", findings=(Finding(criterion="c", met="met", evidence=(quote,)),),
                coverage=Coverage(seen=3, total=4, unseen=("m4",)), **common),
        Verdict(verdict_id="2", judge="b", status="partial", coverage=Coverage(seen=2, total=4, unseen=("m3-m4",)), **common),
    ]  # fmt: skip
    outline = view_case(Reading(about), votes, None, None).outline
    assert outline.height == 4
    assert [(one.start, one.kind) for one in outline.lanes] == [
        (0, "other"),
        (1, "target"),
        (2, "tool"),
        (3, "planted"),
    ]
    assert [(one.start, one.length, one.kind) for one in outline.shades] == [(2, 1, "some"), (3, 1, "all")]
    assert [(one.start, one.kind, one.anchor) for one in outline.ticks] == [(1, "exact", "q1-1")]


@pytest.mark.parametrize(
    ("expected", "votes"),
    [
        (0.0, [vote("absent", False), vote("absent", False)]),
        (1.0, [vote("enacted", True), vote("absent", False)]),
        # 3 of 4 against 1 of 4
        (-(0.75 * log2(0.75) + 0.25 * log2(0.25)), [vote("absent", False)] * 3 + [vote("enacted", True)]),
        (1.0, [vote("refused", status="refused")]),
        # half of the votes say nothing, which leaves a bit open; the other half agree
        (0.5, [vote("refused", status="refused"), vote("absent", False)]),
        (1.0, [vote("positive", True, p=0.5)]),
        (0.0, [vote("positive", True, p=1.0)]),
    ],
)
def test_doubt_is_the_bits_that_a_label_could_settle(expected: float, votes: list[Vote]) -> None:
    """Entropy of the votes; a missing one leaves a bit open, a calibrated score its own entropy."""
    assert doubt(votes, ()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expected", "votes"),
    [
        (True, [vote("enacted", True)] * 2 + [vote("absent", False)]),
        (False, [vote("enacted", True)] * 3 + [vote("absent", False)]),
        (False, [vote("enacted", True)]),
        (True, [vote("negative", False, p=0.41)]),
        (False, [vote("negative", False, p=0.39)]),
    ],
)
def test_low_margin(expected: bool, votes: list[Vote]) -> None:
    """Two votes to one is narrow, three to one is not; a score within 0.1 of one half is."""
    assert ("margin" in mark_case(votes)) is expected


def label(rater: str, said: str, kind: str = "human", guideline: str | None = "now") -> Label:
    """A label on the item that these tests are about."""
    return Label(
        transcript_id="t", rubric="r", rater=rater, rater_kind=kind, label=said, guideline=guideline  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "labels"),
    [
        (False, [label("a", "absent")]),
        (True, [label("a", "enacted")]),
        (False, [label("a", "enacted"), label("b", "absent")]),
        (True, [label("b", "absent"), label("auditor", "enacted", "adjudicated")]),
    ],
)
def test_verdict_against_gold(expected: bool, labels: list[Label]) -> None:
    """A verdict stands against the labels when no rater says the same; where a dispute was decided, the decision counts."""
    marks = mark_case([vote("absent", False)], ("t", "r"), Known({("t", "r"): labels}))
    assert ("gold" in marks) is expected


def test_labels_under_another_guideline_are_stale() -> None:
    """A label is stale when the guideline has changed since; one that names none cannot be."""
    for guideline, expected in (("then", True), ("now", False), (None, False)):
        known = Known({("t", "r"): [label("a", "absent", guideline=guideline)]}, {"r": "now"})
        assert ("stale" in mark_case([vote("absent", False)], ("t", "r"), known)) is expected


def test_labelled_cases_come_after_equal_ones_without() -> None:
    """Of two cases in equal doubt the one that nobody has labelled is listed first."""
    rows = [
        Verdict(
            verdict_id=f"{item}{judge}",
            transcript_id=item,
            rubric="r",
            judge=judge,
            level=level,
            positive=level == "enacted",
        )
        for item in "st"
        for judge, level in (("a", "enacted"), ("b", "absent"))
    ]
    said = (("m", "absent"), ("n", "enacted"))
    labels = [Label(transcript_id="s", rubric="r", rater=who, rater_kind="human", label=level) for who, level in said]
    known = Known({("s", "r"): labels})
    assert [case.transcript_id for case in gather_cases(rows, known)] == ["t", "s"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A page that is only read."""
    return make_bench(tmp_path_factory.mktemp("reading"))


def test_stretch_for_a_blind_rater_has_no_marks(bench: Bench) -> None:
    """The address that gives turns marks quotes for a reader and nothing for a rater; what it is not asked for it refuses."""
    reader, rater = bench.browser("mira", "read"), bench.browser("tomas", "label")
    key = next(line.split('"/case/')[1][:20] for line in reader.get("/").text.splitlines() if '"/case/' in line)
    shown = [there.get(f"/case/{key}/turns", "from=1").text for there in (reader, rater)]
    assert ["<mark" in text for text in shown] == [True, False]
    assert reader.get(f"/case/{key}/turns", "from=x").status == 404
    assert rater.get(f"/case/{key}/find", "words=zebra").json == {"hits": []}


def test_two_people_wait_for_one_reading() -> None:
    """Who asks for a transcript while it is being read gets that reading, and it is read once."""
    asked: list[tuple[str, str]] = []
    begun, go_on = threading.Event(), threading.Event()

    def find(source: str, transcript_id: str) -> Reading:
        asked.append((source, transcript_id))
        begun.set()
        assert go_on.wait(20)
        return talk(3)

    shelf = Shelf(find)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shelf.fetch, ("a", "b"))
        assert begun.wait(20)
        second = pool.submit(shelf.take, ("a", "b"))
        go_on.set()
        first.result(20)
        assert second.result(20) is shelf.take(("a", "b"))
    assert asked == [("a", "b")]


def test_a_reading_that_failed_is_tried_again() -> None:
    """An error reaches who asked, and the next one to ask has another try."""
    found: list[Reading | None] = [talk(1)]

    def find(source: str, transcript_id: str) -> Reading | None:
        if source == "broken" and found:
            found.clear()
            raise InputError("not now")
        return None

    shelf = Shelf(find)
    with pytest.raises(InputError):
        shelf.take(("broken", "t"))
    assert shelf.take(("broken", "t")) is None
