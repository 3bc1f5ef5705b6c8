"""Leaving the page, and taking a case along: a session ends, and a verdict becomes a file that stands alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audit.asking import HOST, REASON, WORDS, Bench, Browser, ask, make_bench, make_verdict, write_transcript
from audit.test_disputes import CLAIM, RULING, case_of, decide, look, open_dispute
from judge.audit.listing import name_case
from judge.audit.queue import gather_cases
from judge.grading.bundling import check_bundle
from judge.ledger.opening import open_ledger
from judge.rubrics.loading import load_rubric
from judge.transcripts.reading import read


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A page of its own: these tests write."""
    return make_bench(tmp_path)


def test_session_ends_for_good_when_somebody_signs_out(bench: Bench) -> None:
    """The cookie is taken back and its secret opens nothing any more; whoever runs the page is given the next link."""
    there = bench.browser("mira", "read")
    answer = there.post("/sign-out", {})
    assert (answer.status, answer.json["next"]) == (200, "/signed-out")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert there.get("/").status == 401
    assert there.post("/invite", {}).status == 401
    assert "signed out" in ask(bench.app, path="/signed-out", headers=[("host", HOST)]).text


def test_link_for_who_comes_next_is_told_to_who_runs_the_page_alone(tmp_path: Path) -> None:
    """It is not in the answer: a rater who signs out cannot come back as a reader by it."""
    told: list[str] = []
    bench = make_bench(tmp_path, announce=told.append)
    answer = bench.browser("tomas", "label").post("/sign-out", {})
    (link,) = told
    token = link.rpartition("token=")[2]
    assert token not in answer.text
    assert ask(bench.app, path="/open", query=f"token={token}", headers=[("host", HOST)]).status == 303


def test_signing_out_ends_one_session_of_several(bench: Bench) -> None:
    """Others go on, also the same person's in another browser."""
    first, second = bench.browser("mira", "read"), bench.browser("mira", "read")
    first.post("/sign-out", {})
    assert second.get("/").status == 200


def files_of(browser: Browser, case: str) -> dict[str, list[str]]:
    """The addresses of the files that a case page offers, by kind."""
    page = browser.get(case).text
    return {
        kind: re.findall(rf'href="(/case/[0-9a-f]{{20}}/{kind}/[0-9a-f]{{20}})"', page) for kind in ("page", "bundle")
    }


def test_case_is_saved_as_a_page_that_needs_nothing(bench: Bench) -> None:
    """Each verdict of the case has one, with its reasons and quotes in place, under a name that is a hash."""
    there = bench.browser("mira", "read")
    pages = files_of(there, case_of(bench))["page"]
    assert len(pages) == 2
    answer = next(one for one in map(there.get, pages) if REASON in one.text)
    assert re.fullmatch(r'attachment; filename="case-[0-9a-f]{20}[.]html"', answer.headers["content-disposition"])
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<mark>{WORDS}</mark>" in answer.text
    assert "<script" not in answer.text


def test_saved_page_holds_what_was_said_against_the_verdict(bench: Bench) -> None:
    """Claim, second look and decision are on the page of the verdict that they are about, and not on another's."""
    address = open_dispute(bench)
    look(bench, address)
    assert decide(bench, address).status == 201
    there = bench.browser("ines", "read")
    told = [there.get(path).text for path in files_of(there, case_of(bench))["page"]]
    (page,) = [one for one in told if REASON in one]
    for words in (CLAIM, "LYNX-LOOK", str(RULING["rationale"]), "Overturned to absent by ines"):
        assert words in page
    assert [CLAIM in one for one in told].count(True) == 1


def test_saved_bundle_holds_and_is_called_after_a_hash(bench: Bench) -> None:
    """What comes down is a bundle that the ledger's own check accepts."""
    there = bench.browser("mira", "read")
    checked = []
    for path in files_of(there, case_of(bench))["bundle"]:
        answer = there.get(path)
        assert re.fullmatch(r'attachment; filename="case-[0-9a-f]{20}[.]zip"', answer.headers["content-disposition"])
        checked.append(check_bundle(answer.body, "bundle")[1].verdict_id)
    assert sorted(checked) == ["v1", "v2"]


def test_nothing_of_a_case_is_saved_by_who_may_not_see_it(bench: Bench) -> None:
    """A rater who has not committed gets neither file, and after the commit both."""
    reader, rater = bench.browser("mira", "read"), bench.browser("tomas", "label")
    case = case_of(bench)
    files = [path for paths in files_of(reader, case).values() for path in paths]
    assert files_of(rater, case) == {"page": [], "bundle": []}
    refused = [rater.get(path) for path in files]
    assert {one.status for one in refused} == {403}
    assert not [one for one in refused if "ZEBRA" in one.text]
    assert rater.post(f"{case}/label", {"level": "absent", "confidence": 3, "seconds": 1}).status == 201
    assert {rater.get(path).status for path in files} == {200}


def test_verdict_of_another_case_is_not_found(bench: Bench) -> None:
    """The name of a verdict counts on its own case alone."""
    there = bench.browser("mira", "read")
    (page, *_) = files_of(there, case_of(bench))["page"]
    assert there.get(page[:-20] + "0" * 20).status == 404


def test_bundle_that_would_give_a_secret_away_is_refused(tmp_path: Path) -> None:
    """A bundle cannot mask; so it is offered only where the page masks nothing. The saved page is masked as the page is."""
    key = "AKIA" + "Q2W3E4R5T6Y7U8I9"
    about = write_transcript(tmp_path)
    path = tmp_path / "run.jsonl"
    path.write_bytes(path.read_bytes().replace(b"delivered", f"delivered {key}".encode()))
    (about,) = read(path)
    rubric = load_rubric("coercive-leverage")
    with open_ledger(tmp_path / "ledger.db") as book:
        book.append([make_verdict(about, rubric)])
    for masked in (True, False):
        bench = _serve(tmp_path, masked=masked)
        there = bench.browser("mira", "read")
        files = files_of(there, case_of(bench))
        assert len(files["bundle"]) == (0 if masked else 1)
        assert (key in there.get(files["page"][0]).text) is not masked
        answer = there.get(files["page"][0].replace("/page/", "/bundle/"))
        assert answer.status == (422 if masked else 200)
        assert key not in (answer.text if masked else "")
        bench.ledger.close()


def _serve(folder: Path, *, masked: bool) -> Bench:
    from audit.asking import PORT
    from judge.audit.access import Access
    from judge.audit.server import Setting, make_app

    access, ledger, gold = Access(), open_ledger(folder / "ledger.db", create=False), folder / "gold"
    app = make_app(Setting(ledger, str(folder / "ledger.db"), gold, masked=masked), access, PORT)
    return Bench(app, access, gold, load_rubric("coercive-leverage"), ledger)


def test_key_in_the_name_of_a_source_is_masked(bench: Bench) -> None:
    """A run may be called after an address with a password in it; neither the queue nor a page of the case shows that."""
    verdict = bench.ledger.get("v1")
    key = "AKIA" + "Q2W3E4R5T6Y7U8I9"
    named = verdict.model_copy(update={"source": f"runs/{key}.json"})
    twin = named.model_copy(update={"transcript_id": "other", "verdict_id": "v9"})
    names = [name_case(case, blind=False) for rows in ([named], [named, twin]) for case in gather_cases(rows)]
    assert [name for name in names if key in name or "masked" not in name] == []
    assert len(names) == 3


def test_transcripts_of_one_file_are_told_apart(bench: Bench) -> None:
    """Where several have the same source, the id stands beside it; where it is alone, the source is enough."""
    verdict = bench.ledger.get("v1")
    alone = gather_cases([verdict])
    assert [name_case(case, blind=False) for case in alone] == [verdict.source]
    twins = gather_cases([verdict, verdict.model_copy(update={"transcript_id": "other", "verdict_id": "v9"})])
    assert {name_case(case, blind=False) for case in twins} == {
        f"{verdict.source} \N{MIDDLE DOT} {verdict.transcript_id}",
        f"{verdict.source} \N{MIDDLE DOT} other",
    }
    assert all(verdict.transcript_id not in name_case(case, blind=True) for case in twins)
