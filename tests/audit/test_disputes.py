"""A verdict is disputed, looked at blind by somebody else, and decided by a third person; each step stays in the ledger."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from audit.asking import REASON, WORDS, Bench, Browser, make_bench
from judge.audit.queue import case_key
from judge.gold.labels import append_labels, read_labels
from judge.gold.model import Label
from judge.ledger.decisions import read_matters, stale_guidelines, stand
from judge.ledger.verifying import verify

CLAIM = "YAK-CLAIM the words are quoted from the user"
CLAIMED = {"verdict_id": "v1", "claim": CLAIM, "level": "absent"}
LOOK = {"level": "absent", "severity": 0, "confidence": 4, "rationale": "LYNX-LOOK nothing here", "seconds": 3}
RULING = {"reason": "judge_wrong", "level": "absent", "severity": 0, "rationale": "OTTER-RULING it was hypothetical"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A page of its own: these tests write."""
    return make_bench(tmp_path)


def case_of(bench: Bench) -> str:
    """The address of the case that two judges disagree on."""
    verdict = bench.ledger.get("v1")
    return f"/case/{case_key(verdict.transcript_id, verdict.rubric)}"


def open_dispute(bench: Bench, by: str = "mira", **more: Any) -> str:
    """A dispute of the positive verdict; returns its address."""
    answer = bench.browser(by).post(f"{case_of(bench)}/dispute", CLAIMED | more)
    assert answer.status == 201, answer.text
    return str(answer.json["next"])


def look(bench: Bench, address: str, by: str = "tomas", **more: Any) -> Browser:
    """A blind review of it."""
    there = bench.browser(by, "label")
    answer = there.post(f"{address}/review", LOOK | more)
    assert answer.status == 201, answer.text
    return there


def decide(bench: Bench, address: str, by: str = "ines", **more: Any) -> Any:
    """A decision on it."""
    return bench.browser(by).post(f"{address}/decision", RULING | more)


def test_dispute_goes_from_claim_to_gold_label(bench: Bench) -> None:
    """Claim, blind look and ruling are three entries; the verdict is overturned beside itself, and gold holds the level."""
    address = open_dispute(bench)
    look(bench, address)
    answer = decide(bench, address)
    assert answer.status == 201
    assert answer.json["outcome"] == "overturned"
    assert {
        kind: count for kind, count in bench.ledger.kinds().items() if kind in ("dispute", "review", "decision")
    } == {
        "dispute": 1,
        "review": 1,
        "decision": 1,
    }
    standing = stand(bench.ledger)["v1"]
    assert (standing.state, standing.text) == ("overturned", "overturned to absent by ines (the judge was wrong)")
    assert bench.ledger.get("v1").level == "enacted"
    (label,) = read_labels(bench.gold / "labels" / "_decisions.jsonl")
    assert (label.label, label.rater_kind, label.rater, label.blind) == (
        "absent",
        "adjudicated",
        "adjudicator:ines",
        False,
    )
    assert verify(bench.ledger).ok


def test_reviewer_learns_nothing_before_the_review(bench: Bench) -> None:
    """No page, list, refusal or header that a reviewer gets names claim, disputer, verdict, judge or reason."""
    address = open_dispute(bench, by="quentin")
    there = bench.browser("tomas", "label")
    case = case_of(bench)
    paths = ["/", "/disputes", address, case, f"{case}/draft", f"{case}/turns", f"{case}/find"]
    answers = [there.get(path) for path in paths]
    answers += [there.get(f"{case}/turns", "from=1"), there.get(f"{case}/find", "words=ZEBRA")]
    answers += [there.get("/", f"show={name}") for name in ("disputed", "disagree", "gold", "positive")]
    answers += [there.post(f"{address}/{verb}", {}) for verb in ("review", "decision")]
    answers += [there.post(f"{address}/review", LOOK | {"level": "?"}), there.post(f"{case}/dispute", CLAIMED)]
    answers += [there.post(f"{case}/undo", {}), there.post(f"{case}/draft", {"level": "?"})]
    said = "\n".join(f"{answer.text} {answer.headers}" for answer in answers)
    for words in ("YAK", "quentin", "ZEBRA", "REASON", "v1", "<mark", "declined", "judge_wrong"):
        assert words not in said, words
    assert WORDS in said


def test_reviewer_sees_everything_after_the_review(bench: Bench) -> None:
    """The commit reveals claim and verdict of that dispute."""
    address = open_dispute(bench)
    there = look(bench, address)
    page = there.get(address).text
    assert CLAIM in page
    assert REASON in page


def test_list_for_a_rater_holds_only_what_they_may_review(bench: Bench) -> None:
    """Who has labelled the case is not asked for a second look at it; who has not is, under a number alone."""
    address = open_dispute(bench)
    fresh, done = bench.browser("tomas", "label"), bench.browser("pavel", "label")
    assert done.post(f"{case_of(bench)}/label", LOOK).status == 201
    assert address in fresh.get("/disputes").text
    bench.browser("quentin")
    assert address not in bench.browser("quentin", "label").get("/disputes").text


def test_queue_says_how_many_disputes_wait_for_this_person(bench: Bench) -> None:
    """A rater is told of the second looks that they can give and of no others; a reader of what is not decided."""
    address = open_dispute(bench)
    reader, rater, seen = bench.browser("ines", "read"), bench.browser("tomas", "label"), bench.browser("mira", "label")

    def told(there: Browser) -> list[str]:
        return re.findall(r'class="waiting">(\d+)', there.get("/").text)

    assert (told(reader), told(rater), told(seen)) == (["1"], ["1"], [])
    assert rater.post(f"{address}/review", LOOK).status == 201
    assert (told(reader), told(rater)) == (["1"], [])
    assert decide(bench, address).status == 201
    assert told(reader) == []


@pytest.mark.parametrize("how", ["reader", "labelled", "withdrew", "disputer"])
def test_review_by_somebody_who_has_seen_the_case_is_refused(bench: Bench, how: str) -> None:
    """A reader, who has labelled it (and taken that back), and the disputer cannot give the second look."""
    name = "tomas"
    if how in ("labelled", "withdrew", "disputer"):
        there = bench.browser(name, "label")
        assert there.post(f"{case_of(bench)}/label", LOOK).status == 201
        if how == "withdrew":
            assert there.post(f"{case_of(bench)}/undo", {}).status == 200
    if how == "disputer":
        answer = there.post(f"{case_of(bench)}/dispute", CLAIMED)
        assert answer.status == 201
        address = answer.json["next"]
    else:
        address = open_dispute(bench)
    reviewer = bench.browser(name, "read" if how == "reader" else "label")
    assert reviewer.post(f"{address}/review", LOOK).status == 403


def test_decision_needs_a_blind_look_first(bench: Bench) -> None:
    """Nobody decides on a claim alone."""
    address = open_dispute(bench)
    answer = decide(bench, address)
    assert answer.status == 403
    assert "blind look" in answer.json["error"]


@pytest.mark.parametrize("by", ["mira", "tomas"])
def test_disputer_and_reviewer_do_not_decide(bench: Bench, by: str) -> None:
    """The third person is a third person."""
    address = open_dispute(bench)
    look(bench, address)
    assert decide(bench, address, by=by).status == 403


def test_same_person_decides_only_where_that_is_allowed_and_recorded(tmp_path: Path) -> None:
    """With the option a disputer may decide; the entry says that it was so."""
    bench = make_bench(tmp_path, same_person=True)
    address = open_dispute(bench)
    look(bench, address)
    assert decide(bench, address, by="mira").status == 201
    decisions = [one.decision for one in read_matters(bench.ledger).values()]
    assert [one.same_person for one in decisions if one] == [True]


def test_rater_cannot_decide(bench: Bench) -> None:
    """Deciding takes a browser that may see everything."""
    address = open_dispute(bench)
    look(bench, address)
    assert bench.browser("ada", "label").post(f"{address}/decision", RULING).status == 403


def test_verdict_is_disputed_by_who_may_see_it(bench: Bench) -> None:
    """A rater disputes after the commit, not before."""
    there = bench.browser("tomas", "label")
    case = case_of(bench)
    assert there.post(f"{case}/dispute", CLAIMED).status == 403
    assert there.post(f"{case}/label", LOOK).status == 201
    assert there.post(f"{case}/dispute", CLAIMED).status == 201


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"claim": ""}, "claim"),
        ({"verdict_id": "v3"}, "not a verdict on this case"),
        ({"verdict_id": "nowhere"}, "not a verdict on this case"),
        ({"level": "guilty"}, "not one of"),
        ({"criterion": "nothing"}, "no criterion"),
        ({"evidence": [{"quote": "never said by anybody", "message_id": "m2"}]}, "not in the transcript"),
        ({"evidence": [{"quote": ""}]}, "evidence"),
        ({"by": "somebody else"}, "by"),
        ({"created_at": "1999-01-01"}, "created_at"),
    ],
)
def test_claim_that_does_not_fit_is_refused_and_leaves_nothing(
    bench: Bench, change: dict[str, Any], words: str
) -> None:
    """A claim without words, about another case, off the scale, or with a quote that is not there is no entry."""
    answer = bench.browser().post(f"{case_of(bench)}/dispute", CLAIMED | change)
    assert answer.status == 422
    assert words in answer.json["error"]
    assert read_matters(bench.ledger) == {}


def test_quote_of_a_claim_is_kept_with_its_place(bench: Bench) -> None:
    """A quote given with its message is found by the code that looks up a judge's, and kept with part and offsets."""
    open_dispute(bench, evidence=[{"quote": WORDS, "message_id": "m2"}])
    ((quote,),) = [one.dispute.evidence for one in read_matters(bench.ledger).values()]
    start = len("Mr Harrow, ")
    assert (quote.match, quote.part, quote.start, quote.end) == ("exact", "m2.3", start, start + len(WORDS))


def test_quote_without_a_message_is_found_where_it_is(bench: Bench) -> None:
    """Nobody said where it stands, so it has not moved."""
    open_dispute(bench, evidence=[{"quote": WORDS}])
    ((quote,),) = [one.dispute.evidence for one in read_matters(bench.ledger).values()]
    assert (quote.match, quote.message_id) == ("exact", "m2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": "because"}, "reason"),
        ({"rationale": ""}, "rationale"),
        ({"level": None}, "which level is right"),
        ({"level": "guilty"}, "not one of"),
        ({"level": "enacted"}, "is what the judge said"),
        ({"reason": "upheld", "level": "absent"}, "keeps its level"),
        ({"level": "attempted"}, "needs a quote"),
        ({"evidence": [{"quote": "never said by anybody"}]}, "not in the transcript"),
        ({"same_person": True}, "same_person"),
    ],
)
def test_ruling_that_does_not_fit_is_refused_and_leaves_nothing(
    bench: Bench, change: dict[str, Any], words: str
) -> None:
    """A ruling needs a reason of the list, words, a level of the scale that goes with it, and a quote where positive."""
    address = open_dispute(bench)
    look(bench, address)
    answer = decide(bench, address, **change)
    assert answer.status == 422
    assert words in answer.json["error"]
    assert not (bench.gold / "labels" / "_decisions.jsonl").exists()


def test_upheld_verdict_keeps_its_level_and_its_quotes(bench: Bench) -> None:
    """Upholding needs no level; the verdict's own quote stands behind the label that goes into gold."""
    address = open_dispute(bench)
    look(bench, address)
    assert decide(bench, address, reason="upheld", level=None).json["outcome"] == "upheld"
    (label,) = read_labels(bench.gold / "labels" / "_decisions.jsonl")
    assert (label.label, [span.quote for span in label.evidence]) == ("enacted", [WORDS])
    assert stand(bench.ledger)["v1"].state == "upheld"


def test_decision_says_what_became_doubtful(bench: Bench) -> None:
    """Another sample of the same judge on the transcript, and the guideline where it has a gap, are named."""
    first = bench.ledger.get("v1")
    bench.ledger.append([first.model_copy(update={"verdict_id": "v9", "sample": 1})])
    address = open_dispute(bench)
    look(bench, address)
    stale = decide(bench, address, guideline_gap=True).json["stale"]
    assert stale == {
        "verdicts": ["v9"],
        "same_judge": 1,
        "certificates": [],
        "guideline": bench.rubric.guideline_sha256,
    }
    assert list(stale_guidelines(read_matters(bench.ledger).values())) == [bench.rubric.guideline_sha256]


def test_labels_under_a_guideline_with_a_gap_are_listed_as_stale(bench: Bench) -> None:
    """Once a decision found the gap, cases that were labelled under it stand under the filter for stale guidelines."""
    assert bench.browser("pavel", "label").post(f"{case_of(bench)}/label", LOOK).status == 201
    address = open_dispute(bench)
    look(bench, address)
    reader = bench.browser("ines")
    key = case_of(bench)
    assert key not in reader.get("/", "show=stale").text
    assert decide(bench, address, by="olga", guideline_gap=True).status == 201
    assert key in reader.get("/", "show=stale").text


def test_certificates_on_the_transcript_become_doubtful(tmp_path: Path) -> None:
    """A certificate of the rubric whose record holds the transcript is named; one on other transcripts is not."""
    bench = make_bench(tmp_path, workspace=tmp_path)
    about = bench.ledger.get("v1").transcript_id
    for name, text in (("ours", about), ("theirs", "another")):
        for folder, content in (
            ("certificates", f'{{"identity": {{"rubric": "{bench.rubric.id}"}}}}'),
            ("records", f'{{"items": ["{text}"]}}'),
        ):
            path = tmp_path / "calibration" / folder / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    address = open_dispute(bench)
    look(bench, address)
    assert decide(bench, address).json["stale"]["certificates"] == ["calibration/certificates/ours.json"]


def test_similar_decisions_are_shown_most_alike_first(bench: Bench) -> None:
    """A decision on the same rubric in shared words is shown to who decides next, and says what is alike."""
    first = open_dispute(bench, by="ada", claim="a forwarded letter was taken for a threat")
    look(bench, first)
    assert decide(bench, first, rationale="WOMBAT the letter was forwarded").status == 201
    second = open_dispute(bench, by="ada", claim="again a forwarded letter")
    page = bench.browser("ines").get(second).text
    assert "WOMBAT" in page
    assert re.search(r"words forwarded, letter", page)


def test_decided_verdict_can_be_disputed_again_and_the_latest_decision_counts(bench: Bench) -> None:
    """Nothing is reopened: a second dispute of the verdict has a decision of its own."""
    first = open_dispute(bench)
    look(bench, first)
    assert decide(bench, first).status == 201
    assert decide(bench, first, by="olga").status == 409
    second = open_dispute(bench)
    assert stand(bench.ledger)["v1"].text.endswith("disputed again")
    look(bench, second, by="pavel")
    assert decide(bench, second, by="olga", reason="upheld", level=None).status == 201
    assert stand(bench.ledger)["v1"].state == "upheld"
    assert len(read_labels(bench.gold / "labels" / "_decisions.jsonl")) == 2


def test_second_dispute_by_the_same_person_waits_for_the_first(bench: Bench) -> None:
    """Two tabs do not open one dispute twice."""
    there, other = bench.browser("mira"), bench.browser("mira")
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: one.post(f"{case_of(bench)}/dispute", CLAIMED).status, (there, other)))
    assert sorted(done) == [201, 409]
    assert len(read_matters(bench.ledger)) == 1


def test_decisions_at_the_same_moment_keep_one(bench: Bench) -> None:
    """Of four adjudicators who decide at once, one decides; the others are told."""
    address = open_dispute(bench)
    look(bench, address)
    browsers = [bench.browser(f"judge-{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda one: one.post(f"{address}/decision", RULING).status, browsers))
    assert sorted(done) == [201, 409, 409, 409]
    assert bench.ledger.kinds()["decision"] == 1


def test_label_of_a_decision_that_was_lost_is_written_at_the_next_start(tmp_path: Path) -> None:
    """The ledger comes first: where a crash kept the label from the gold folder, the next start writes it, once."""
    bench = make_bench(tmp_path)
    address = open_dispute(bench)
    look(bench, address)
    assert decide(bench, address).status == 201
    path = bench.gold / "labels" / "_decisions.jsonl"
    kept = path.read_bytes()
    path.unlink()
    from judge.audit.access import Access
    from judge.audit.server import Setting, make_app

    for _ in range(2):
        make_app(Setting(bench.ledger, "ledger.db", bench.gold), Access(), 8123)
        assert path.read_bytes() == kept


def test_adjudicated_label_never_takes_the_place_of_the_persons_own(bench: Bench) -> None:
    """An adjudicator who is also a rater has both rows: the blind label and, under another name, the decision."""
    mine = Label(
        transcript_id=bench.ledger.get("v1").transcript_id,
        rubric=bench.rubric.id,
        rater="ines",
        rater_kind="human",
        label="enacted",
        blind=True,
    )
    append_labels(bench.gold / "labels" / "ines.jsonl", [mine])
    address = open_dispute(bench)
    look(bench, address)
    assert decide(bench, address).status == 201
    from judge.gold.labels import latest

    kept = {(one.rater, one.rater_kind, one.label) for one in latest(read_labels(bench.gold / "labels"))}
    assert kept == {("ines", "human", "enacted"), ("adjudicator:ines", "adjudicated", "absent")}


def test_ledger_that_cannot_be_written_is_only_read(tmp_path: Path) -> None:
    """Nothing is labelled or disputed where who has seen what could not be kept."""
    bench = make_bench(tmp_path, writable=False)
    reader = bench.browser("mira")
    assert REASON in reader.get(case_of(bench)).text
    assert reader.post(f"{case_of(bench)}/dispute", CLAIMED).status == 422
    rater = Browser(bench.app, bench.access)
    assert rater.post("/sign-in", {"name": "tomas", "mode": "label"}).status == 422
    assert set(bench.ledger.kinds()) == {"verdict"}
