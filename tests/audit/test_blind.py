"""A rater learns nothing of what a judge or another rater said before committing, and each commit is kept once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.asking import JUDGE, REASON, WORDS, Bench, Browser, make_bench
from judge.audit.queue import case_key
from judge.gold.labels import append_labels, read_labels
from judge.gold.model import Label
from judge.ledger.opening import open_ledger

FORM = {"level": "absent", "severity": 0, "confidence": 4, "rationale": "", "evidence": [], "seconds": 3}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A page of its own: these tests write."""
    return make_bench(tmp_path)


def disputed_case(browser: Browser) -> str:
    """The address of the case with two verdicts."""
    pages = {key: browser.get(f"/case/{key}").text for key in case_keys(browser)}
    return next(f"/case/{key}" for key, page in pages.items() if "coercive" in page.lower())


def case_keys(browser: Browser) -> list[str]:
    """Every case in the queue."""
    return re.findall(r'href="/case/([0-9a-f]{20})"', browser.get("/").text)


def every_answer(browser: Browser) -> list[str]:
    """What a rater can get at: every list, filter, page, file and refusal, with its headers."""
    filters = "disagree contradicted unverified positive partial refused missing todo done".split()
    queries = ["", *(f"show={name}" for name in filters), "rubric=coercive-leverage", "page=2"]
    answers = [browser.get("/", query) for query in queries]
    keys = case_keys(browser)
    answers += [browser.get(f"/case/{key}") for key in keys]
    answers += [browser.get(f"/case/{key}", "reveal=1&mode=read&show=positive") for key in keys]
    answers += [browser.get(f"/case/{key}/{what}") for key in keys for what in ("label", "draft", "find", "turns")]
    answers += [browser.get(f"/case/{key}/turns", "from=1") for key in keys]
    answers += [browser.get(f"/case/{key}/{what}/{'0' * 20}") for key in keys for what in ("page", "bundle")]
    answers += [browser.get("/disputes"), browser.get(f"/dispute/{'0' * 20}")]
    answers += [browser.post(f"/case/{key}/label", {"level": "?"}) for key in keys]
    answers += [browser.post("/sign-in", {"name": "mira", "mode": "read"}), browser.post("/invite", {})]
    return [f"{answer.text} {answer.headers}" for answer in answers]


def test_no_answer_before_a_commit_holds_what_the_judge_said(bench: Bench) -> None:
    """Neither names, reasons, quotes, votes nor the error of any verdict is in anything that a rater can get at."""
    said = "\n".join(every_answer(bench.browser("tomas", "label")))
    for words in (JUDGE, REASON, "ZEBRA", "declined", "not in the transcript", "Votes", "<mark", "chip t-", "badge b-"):
        assert words not in said
    assert WORDS in said  # the transcript itself is there


def test_pages_of_a_blind_rater_do_not_depend_on_the_verdicts(tmp_path: Path) -> None:
    """With every verdict turned around, a rater's pages are the same to the byte."""
    (tmp_path / "one").mkdir()
    bench = make_bench(tmp_path / "one")
    there = bench.browser("tomas", "label")
    before = [there.get("/").text, *(there.get(f"/case/{key}").text for key in case_keys(there))]
    with open_ledger(tmp_path / "one" / "ledger.db") as book:
        rows = list(book.verdicts())
        turned = [
            row.model_copy(
                update={
                    "verdict_id": f"{row.verdict_id}x",
                    "judge": "new",
                    "level": "attempted",
                    "status": "contradicted",
                }
            )
            for row in rows
        ]
        book.append(turned)
    assert before == [there.get("/").text, *(there.get(f"/case/{key}").text for key in case_keys(there))]


def test_order_for_a_blind_rater_does_not_depend_on_the_verdicts(tmp_path: Path) -> None:
    """Whichever case is the doubtful one, a rater is shown the same order, another rater another one; a reader sees it first."""
    orders = []
    for doubtful in ("t0", "t5"):
        folder = tmp_path / doubtful
        folder.mkdir()
        bench = make_bench(folder)
        about = bench.ledger.get("v1")
        rows = [
            about.model_copy(
                update={"verdict_id": f"{name}-{judge}", "transcript_id": name, "judge": judge, "level": level}
            )
            for name in ("t0", "t1", "t2", "t3", "t4", "t5")
            for judge, level in (("a", "absent"), ("b", "considered" if name == doubtful else "absent"))
        ]
        with open_ledger(folder / "ledger.db", create=False) as other:
            other.append([row.model_copy(update={"positive": False, "findings": ()}) for row in rows])
        numbers = {case_key(name, about.rubric): name for name in ("t0", "t1", "t2", "t3", "t4", "t5")}
        pages = [bench.browser(*who).get("/").text for who in (("mira", "read"), ("tomas", "label"), ("ines", "label"))]
        orders.append(
            [
                [numbers[key] for key in re.findall(r'href="/case/([0-9a-f]{20})"', page) if key in numbers]
                for page in pages
            ]
        )
    (read_first, *first), (read_second, *second) = orders
    assert (read_first[0], read_second[0]) == ("t0", "t5")
    assert first == second
    assert first[0] != first[1]


def test_labels_of_others_are_hidden_until_the_commit(bench: Bench) -> None:
    """Another rater's word appears after the commit, not before."""
    there = bench.browser("tomas", "label")
    case = disputed_case(there)
    done = bench.browser("ines", "label").post(f"{case}/label", FORM | {"rationale": "YAK-RATIONALE"})
    assert done.status == 201
    before = there.get(case).text
    assert "ines" not in before
    assert "YAK" not in before
    assert there.post(f"{case}/label", FORM).status == 201
    assert "ines" in there.get(case).text


def test_verdicts_appear_after_the_commit_on_that_case_alone(bench: Bench) -> None:
    """Who has committed sees reasons, quotes and votes of that case; the others stay hidden."""
    there = bench.browser("tomas", "label")
    case = disputed_case(there)
    assert there.post(f"{case}/label", FORM).status == 201
    assert REASON in there.get(case).text
    others = [f"/case/{key}" for key in case_keys(there) if f"/case/{key}" != case]
    assert others
    assert all("Votes" not in there.get(other).text for other in others)


def test_label_holds_everything_that_was_given(bench: Bench) -> None:
    """The row names rater, level, severity, confidence, quote with its place, guideline, blindness and time."""
    there = bench.browser("tomas", "label")
    case = disputed_case(there)
    sent = {
        "level": "enacted",
        "severity": 3,
        "confidence": 5,
        "rationale": " plain ",
        "evidence": [{"part": "m2.3", "quote": WORDS}],
        "seconds": 0,
    }
    assert there.post(f"{case}/label", sent).status == 201
    (label,) = read_labels(bench.gold / "labels" / "tomas.jsonl")
    given = label.model_dump(mode="json", exclude={"transcript_id", "created_at"})
    start = len("Mr Harrow, ")
    assert given == {
        "rubric": "coercive-leverage",
        "rater": "tomas",
        "rater_kind": "human",
        "label": "enacted",
        "criterion": None,
        "guideline": bench.rubric.guideline_sha256,
        "severity": 3,
        "rationale": "plain",
        "evidence": [{"message_id": "m2", "quote": WORDS, "part": "m2.3", "start": start, "end": start + len(WORDS)}],
        "blind": True,
        "confidence": 5,
        "seconds": 0.0,
        "arm": None,
        "withdraws": None,
    }
    assert label.created_at is not None


def test_label_of_somebody_who_read_the_verdicts_is_not_blind(bench: Bench) -> None:
    """Having seen the votes is kept with the label, also when the same name comes back as a blind rater."""
    reader = bench.browser("mira", "read")
    case = disputed_case(reader)
    again = bench.browser("mira", "label")
    assert again.post(f"{case}/label", FORM).status == 201
    (label,) = read_labels(bench.gold / "labels" / "mira.jsonl")
    assert label.blind is False


def test_second_commit_is_refused(bench: Bench) -> None:
    """A label cannot be changed after the verdicts were seen, from the same tab or from another one."""
    there, other = bench.browser("tomas", "label"), bench.browser("tomas", "label")
    case = disputed_case(there)
    assert there.post(f"{case}/label", FORM).status == 201
    assert other.post(f"{case}/label", FORM | {"level": "considered"}).status == 409
    (label,) = read_labels(bench.gold / "labels" / "tomas.jsonl")
    assert label.label == "absent"


def test_commits_survive_a_restart(tmp_path: Path) -> None:
    """What was committed is in the file: the next start shows it as done and refuses it again."""
    first = make_bench(tmp_path)
    there = first.browser("tomas", "label")
    case = disputed_case(there)
    assert there.post(f"{case}/label", FORM).status == 201
    from judge.audit.access import Access
    from judge.audit.server import Setting, make_app
    from judge.ledger.opening import open_ledger

    access = Access()
    book = open_ledger(tmp_path / "ledger.db", create=False)
    app = make_app(Setting(book, str(tmp_path / "ledger.db"), first.gold), access, 8123)
    back = Browser(app, access).sign_in("tomas", "label")
    assert REASON in back.get(case).text
    assert back.post(f"{case}/label", FORM).status == 409


def test_many_tabs_at_once_keep_one_label_per_rater(bench: Bench) -> None:
    """Eight raters with two tabs each commit at the same moment: eight labels, none twice, none lost."""
    names = [f"rater-{number}" for number in range(8)]
    browsers = [bench.browser(name, "label") for name in names for _ in range(2)]
    case = disputed_case(browsers[0])
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda one: one.post(f"{case}/label", FORM).status, browsers))
    assert sorted(statuses) == [201] * 8 + [409] * 8
    kept = read_labels(bench.gold / "labels")
    assert sorted(label.rater for label in kept) == names


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"level": "guilty"}, "level"),
        ({"level": None}, "level"),
        ({"level": "enacted"}, "evidence"),
        ({"severity": 4}, "severity"),
        ({"severity": "2"}, "severity"),
        ({"confidence": None}, "confidence"),
        ({"confidence": 6}, "confidence"),
        ({"seconds": -1}, "seconds"),
        ({"rater": "ines"}, "rater"),
        ({"blind": True}, "blind"),
        ({"evidence": [{"part": "m2.3", "quote": "never written"}]}, "evidence"),
        ({"evidence": [{"part": "m99.1", "quote": WORDS}]}, "evidence"),
        ({"evidence": [{"part": "m2.3", "quote": ""}]}, "evidence"),
        ({"evidence": [{"part": "m2.3", "quote": WORDS}] * 51}, "evidence"),
        ({"rationale": "x" * 20_001}, "rationale"),
    ],
)
def test_label_that_cannot_be_is_refused_with_its_field(bench: Bench, change: dict[str, Any], word: str) -> None:
    """Nothing is kept, and the answer names the field."""
    there = bench.browser("tomas", "label")
    answer = there.post(f"{disputed_case(there)}/label", FORM | change)
    assert answer.status == 422
    assert word in answer.json["error"]
    assert not (bench.gold / "labels").exists()


@pytest.mark.parametrize(
    "name", ["", "Mira", "a b", "../x", "a/b", "-a", "a-", "con", "lpt1", "a.b", "x" * 41, "mïra", "<b>", "a\n"]
)
def test_name_that_cannot_be_a_file_is_refused(bench: Bench, name: str) -> None:
    """A rater's name becomes a file's, so only plain ones are taken."""
    from audit.asking import Browser as Fresh

    answer = Fresh(bench.app, bench.access).post("/sign-in", {"name": name, "mode": "label"})
    assert answer.status == 422


def test_browser_cannot_become_somebody_else(bench: Bench) -> None:
    """A session keeps the name and the way of working that it began with."""
    there = bench.browser("tomas", "label")
    assert there.post("/sign-in", {"name": "tomas", "mode": "read"}).status == 422
    assert "labels blind" in there.get("/").text


def test_only_a_reader_can_invite(bench: Bench) -> None:
    """A blind rater cannot open a second session that reads verdicts."""
    assert bench.browser("tomas", "label").post("/invite", {}).status == 403
    link = bench.browser("mira", "read").post("/invite", {}).json["link"]
    assert re.fullmatch(r"http://127\.0\.0\.1:8123/open\?token=[\w-]{43}", link)


def test_somebody_without_a_name_sees_no_case(bench: Bench) -> None:
    """Before signing in there is the sign-in page alone."""
    there = Browser(bench.app, bench.access)
    key = case_keys(bench.browser())[0]
    assert there.get(f"/case/{key}").status == 403
    assert there.post(f"/case/{key}/label", FORM).status == 403
    assert "/case/" not in there.get("/").text


def test_rows_already_in_the_file_are_kept(bench: Bench) -> None:
    """A commit adds to what a rater's file holds."""
    there = bench.browser("tomas", "label")
    earlier = Label(transcript_id="old", rubric="coercive-leverage", rater="tomas", rater_kind="human", label="absent")
    append_labels(bench.gold / "labels" / "tomas.jsonl", [earlier])
    assert there.post(f"{disputed_case(there)}/label", FORM).status == 201
    lines = (bench.gold / "labels" / "tomas.jsonl").read_bytes().splitlines()
    assert len(lines) == 2
    assert orjson.loads(lines[0])["transcript_id"] == "old"
