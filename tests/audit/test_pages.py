"""Pages show verdicts in their transcripts, and hold only what the template says, whatever is written in them."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from audit.asking import JUDGE, REASON, RUBRIC, WORDS, Bench, make_bench
from build import call, thought, transcript
from judge.audit import pages
from judge.audit.listing import list_cases
from judge.audit.pages import STATIC, load_templates, read_static, render
from judge.audit.queue import FILTERS, Known, Vote, gather_cases, mark_case
from judge.audit.reading import Reading
from judge.audit.view import view_case
from judge.gold.model import Label
from judge.ledger.decisions import Dispute, Matter, Standing
from judge.ledger.verdict import Evidence, Finding, Verdict
from judge.rubrics.constitution import Clause, Constitution
from report.hostile import STRINGS

# Each string as it is, where an attribute could end, and inside a tag that was left open.
HOSTILE = [
    f"{before}{text}" for text in STRINGS if "\ud800" not in text for before in ("", "\"'>", "</pre></option><b ")
]

ONCE = HOSTILE[::3]  # the same template with less in it


class Page(HTMLParser):
    """The elements of a page in order with their attributes; values of what acts or names are kept."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...], str]] = []
        self.addresses: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "details":
            given.pop("open", None)  # whether long output begins folded depends on its length
        self.elements.append((tag, tuple(sorted(given)), given.get("class") or ""))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")]

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def hostile_verdict(text: str, **more: Any) -> Verdict:
    """A verdict with this text in every field that takes one; its quote stands in m2.3."""
    at = len(f"{text}|")
    quote = Evidence(
        message_id="m2",
        quote="QUOTE",
        match="exact",
        start=at,
        end=at + 5,
        part="m2.3",
        channel="message",
        admissible=True,
    )
    lost = Evidence(message_id=text, quote=text, match="absent", note=text, channel=text)
    base: dict[str, Any] = {
        "verdict_id": text,
        "transcript_id": text or "x",
        "source": text,
        "rubric": text,
        "judge": text,
        "level": text,
        "positive": True,
        "flags": (text,),
        "findings": (Finding(criterion="threat", met="met", reason=text, evidence=(quote, lost), stated="unclear"),),
    }
    return Verdict(**{**base, **more})


def hostile_matter(text: str) -> Matter:
    """A dispute with this text wherever somebody outside could have put it."""
    return Matter(
        Dispute(
            dispute_id="0" * 20,
            verdict_id=text,
            transcript_id=text,
            rubric=text,
            judge=text,
            status="ok",
            by=text,
            claim=text,
            created_at=text,
        ),
        (),
        None,
    )


def hostile_case(text: str, *, reveal: bool) -> str:
    """A case page with this text in every field of transcript, rubric, clause, verdict and label."""
    about = transcript(
        ("system", text),
        ("user", text),
        ("prefill", text),
        ("tool", [{"text": text, "tool": text}]),
        ("other", text),
        id=text,
    )
    target = transcript(
        ("user", text), ("target", [thought(text), call(text, tool=text), {"text": f"{text}|QUOTE"}]), id=text
    )
    messages = (*target.messages, *about.messages)
    about = about.model_copy(update={"messages": messages})
    rubric = RUBRIC.model_copy(
        update={
            "title": text,
            "question": text,
            "guideline": f"{text}.",
            "applies_when": f"{text}.",
            "criteria": tuple(one.model_copy(update={"text": text, "clauses": ("C1",)}) for one in RUBRIC.criteria),
            "exclusions": tuple(one.model_copy(update={"text": text}) for one in RUBRIC.exclusions),
        }
    )
    clause = Clause(id="C1", title=text, text=text, section=text, line=1)
    constitution = Constitution.model_construct(clauses=(clause,))
    failed = hostile_verdict(text, judge=f"{text}2", status="error", level=None, positive=None, error=f"{text}.")
    verdicts = [hostile_verdict(text), failed] if reveal else []
    label = Label.model_construct(rater=text, rater_kind="human", label=f"{text}!", blind=True, rationale=f"{text}.")
    return render(
        "case.html",
        case=gather_cases([hostile_verdict(text)])[0],
        name=text,
        rubric=rubric,
        clauses={one.id: (clause,) for one in rubric.criteria},
        view=view_case(Reading(about, masked=False), verdicts, rubric, constitution),
        reveal=reveal,
        blind=not reveal,
        secrets=0 if reveal else None,
        action="/case/a/label",
        reviewing=False,
        matters=[hostile_matter(text)] if reveal else [],
        standing={text: Standing(None, 1)} if reveal else {},
        labels=[label] if reveal else [],
        own=label if reveal else None,
        previous="a" * 20,
        next="b" * 20,
    )


def hostile_queue(text: str) -> str:
    """A queue page with this text as rubric, source, judge, outcome and address."""
    asked = {"show": text, "rubric": text}
    cases = gather_cases([hostile_verdict(text), hostile_verdict(text, judge="b", level=f"{text}2", verdict_id="2")])
    return render("queue.html", **list_cases(cases, set(), asked, blind=False), rater="mira", waiting=2)


@cache
def plain(kind: str) -> Page:
    """The same page with a plain word."""
    return Page(draw(kind, "PLAIN"))


def draw(kind: str, text: str) -> str:
    """One of the three pages."""
    return hostile_queue(text) if kind == "queue" else hostile_case(text, reveal=kind == "case")


def test_there_are_five_hundred_hostile_strings() -> None:
    """The suite tries at least 500 different strings."""
    assert len(set(HOSTILE)) >= 500


@pytest.mark.parametrize("kind", ["queue", "case", "blind"])
def test_page_holds_only_the_templates_elements(kind: str) -> None:
    """With each hostile string in every field, the page has the elements, attributes and classes that a plain word gives."""
    for text in ONCE if kind == "blind" else HOSTILE:
        page = Page(draw(kind, text))
        assert page.elements == plain(kind).elements, ascii(text)
        assert not page.comments, ascii(text)
        strange = [one for one in page.addresses if not re.fullmatch(r"/[\w./?=&%+~-]*|#[a-z]+[\d-]*", one)]
        assert not strange, ascii(text)


@pytest.mark.parametrize("kind", ["queue", "case", "blind"])
def test_page_runs_nothing_inline(kind: str) -> None:
    """Scripts and style sheet are files of ours; no handler, no inline style."""
    page = plain(kind)
    assert [one for one in page.elements if one[0] in ("script", "style", "link")] == [
        ("link", ("href", "rel"), ""),
        *[("script", ("src", "type"), "")] * (1 if kind == "queue" else 3),
    ]
    names = {name for _, attributes, _ in page.elements for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}


@pytest.mark.parametrize("name", sorted(STATIC))
def test_files_name_no_other_host(name: str) -> None:
    """Style and script fetch nothing from anywhere, and the script never turns text into markup."""
    text = read_static(name)
    assert text is not None
    for word in (
        "//evil",
        "http:",
        "https:",
        "url(",
        "@import",
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "eval(",
        "document.write",
    ):
        assert word not in text


def test_control_characters_are_shown_in_words() -> None:
    """Escapes, direction overrides and NUL from a transcript reach no page."""
    for kind in ("queue", "case", "blind"):
        page = draw(kind, "a\x1b[31m\x00\u202eb")
        assert "a\\u{1b}[31m\\u{0}\\u{202e}b" in page
        assert not set("\x1b\x00\u202e") & set(page)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A page that is only read."""
    return make_bench(tmp_path_factory.mktemp("page"))


def open_case(bench: Bench) -> str:
    """The case that the queue puts first, as somebody sees it who reads verdicts."""
    there = bench.browser("mira", "read")
    first = re.search(r'href="(/case/[0-9a-f]{20})"', there.get("/").text)
    assert first is not None
    return there.get(first[1]).text


def test_case_marks_evidence_where_it_stands(bench: Bench) -> None:
    """A quote that was found is marked in its message and linked from the finding; a lost one is listed as lost."""
    page = open_case(bench)
    assert f'<span class="anchor" id="q1-1"></span><mark class="exact">{WORDS}</mark>' in page
    assert f'<a href="#q1-1" data-turn="2">{WORDS}</a>' in page
    assert '<blockquote class="m-absent idle">' in page
    assert REASON in page


def test_quotes_found_loosely_are_drawn_differently() -> None:
    """Normalised and moved quotes are dashed, what does not count is neither."""
    about = transcript(("target", "one two three"))
    marks = {"exact": (0, 3, True), "normalised": (4, 7, True), "moved": (8, 13, False)}
    items = tuple(
        Evidence(message_id="m1", quote="x", match=match, start=start, end=end, part="m1.1", admissible=counts)
        for match, (start, end, counts) in marks.items()
    )
    one = hostile_verdict("x", findings=(Finding(criterion="threat", met="met", evidence=items),))
    page = render(
        "case.html",
        case=gather_cases([one])[0],
        name="x",
        rubric=None,
        clauses={},
        view=view_case(Reading(about), [one], None, None),
        action="/case/a/label",
        reviewing=False,
        matters=[],
        standing={},
        reveal=True,
        blind=False,
        secrets=0,
        labels=[],
        own=None,
        previous=None,
        next=None,
    )
    found = re.findall(r'<mark class="(exact|loose|idle)">([^<]+)</mark>', page)
    assert found == [("exact", "one"), ("loose", "two"), ("idle", "three")]


def test_speakers_and_channels_are_told_apart(bench: Bench) -> None:
    """Target, tool and user stand in lanes of their own; private reasoning and calls are named."""
    page = open_case(bench)
    assert re.findall(r'<article class="turn (\w+)"', page) == ["other", "target", "tool"]
    assert re.findall(r'<div class="part (\w+)"', page) == ["text", "reasoning", "tool_call", "text", "tool_result"]
    assert "private reasoning" in page


def test_words_put_into_the_targets_mouth_are_not_its_own() -> None:
    """A prefill is drawn as planted."""
    view = view_case(Reading(transcript(("prefill", "Sure."), ("target", "No."))), [], None, None)
    assert [one.lane for one in view.messages] == ["planted", "target"]


def test_clauses_stand_beside_the_criterion(bench: Bench) -> None:
    """The text of a clause that a criterion cites can be unfolded under it."""
    from judge.rubrics.constitution import load_constitution

    cited = bench.rubric.criteria[0].clauses[0]
    clause = load_constitution().clause(cited)
    assert clause is not None
    assert f"<summary>{cited} {clause.title}" in open_case(bench)


def test_matrix_has_a_cell_per_judge_and_sample() -> None:
    """Votes stand by judge and sample, a missing one is empty, and the spread counts them."""
    rows = [
        hostile_verdict("x", judge=judge, sample=sample, level=level)
        for judge, sample, level in (("a", 0, "enacted"), ("a", 1, "enacted"), ("b", 0, "absent"))
    ]
    matrix = view_case(None, rows, None, None).matrix
    cells = [(judge, [vote.outcome if vote else None for vote in votes]) for judge, votes in matrix.rows]
    assert cells == [("a", ["enacted", "enacted"]), ("b", ["absent", None])]
    assert [(outcome, count) for outcome, _, count in matrix.spread] == [("enacted", 2), ("absent", 1)]


@pytest.mark.parametrize(
    ("expected", "votes"),
    [
        ((), [("absent", False, "ok")]),
        (("positive",), [("enacted", True, "ok")]),
        (("disagree", "margin", "positive"), [("enacted", True, "ok"), ("absent", False, "ok")]),
        (("refused", "missing"), [("refused", None, "refused"), ("absent", False, "ok")]),
        (("contradicted", "missing"), [("contradicted", None, "contradicted")]),
        (("escalated", "missing"), [("escalated", None, "escalated")]),
        (("unverified", "missing"), [("unverified", None, "unverified")]),
        (("partial", "missing"), [("partial", None, "partial")]),
        (("missing",), [("error", None, "error")]),
    ],
)
def test_case_is_listed_for_what_is_odd_about_it(expected: tuple[str, ...], votes: list[Any]) -> None:
    """A missing verdict is never a disagreement and never a clean one."""
    assert mark_case([Vote("a", 0, *vote) for vote in votes]) == expected


@pytest.mark.parametrize("name", FILTERS)
def test_filter_lists_only_its_cases(name: str) -> None:
    """Each filter leaves the cases that fall under it, and its count says how many they are."""
    status = {name: name for name in ("contradicted", "unverified", "partial", "escalated")}
    rows = [hostile_verdict("x", verdict_id=f"p{n}", transcript_id=f"p{n}") for n in range(2)]
    rows += [hostile_verdict("x", transcript_id="p0", judge="b", level="absent", positive=False)]
    nothing: dict[str, Any] = {"level": None, "positive": None}
    rows += [hostile_verdict("x", transcript_id=s, status=s, **nothing) for s in [*status.values(), "refused"]]
    rows += [hostile_verdict("x", transcript_id="near", level="absent", positive=False, p_positive=0.45, findings=())]
    label = Label(transcript_id="near", rubric="x", rater="a", rater_kind="human", label="enacted", guideline="old")
    known = Known({("near", "x"): [label]}, {"x": "new"}, frozenset({("refused", "x")}))
    # The quote that hostile_verdict gives as lost is in every verdict but the last; p0 has one vote on either side.
    expected = {"positive": 2, "missing": 5, "margin": 2, "unverified": 7}.get(name, 1)
    listed = list_cases(gather_cases(rows, known), set(), {"show": name, "rubric": ""}, blind=False)
    assert listed["found"] == expected
    assert all(name in row["marks"] for row in listed["rows"])


def test_missing_transcript_is_said(tmp_path: Path) -> None:
    """Where the transcript has gone the page shows the verdict, says how to have the transcript, and takes no label."""
    bench = make_bench(tmp_path)
    (tmp_path / "run.jsonl").unlink()
    page = open_case(bench)
    assert "--source" in page
    assert JUDGE in page
    assert '<form id="label"' not in page


def test_secrets_are_masked_in_place() -> None:
    """A key in a transcript is masked on the page, and spans beside it stay where they are."""
    key = "AKIA" + "Q" * 16
    about = transcript(("tool", f"key {key} end"))
    parts = view_case(Reading(about), [], None, None).messages[0].parts[0].passages
    assert [one.kind for one in parts] == ["text", "secret", "text"]
    assert not any(key in one.text for one in parts)


def test_every_template_compiles() -> None:
    """Each file in the folder is a template that the page can use; what is loaded beforehand is not loaded again."""
    load_templates()
    there = {path.name for path in (Path(pages.__file__).parent / "templates").glob("*.html")}
    assert there == set(pages._environment().list_templates(extensions=["html"]))
    cached = {name for _, name in pages._environment().cache or ()}
    assert cached >= there
