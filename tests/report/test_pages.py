"""Pages hold only what the template says: text stays text, nothing is fetched, nothing runs."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html.parser import HTMLParser

import pytest

from build import RUBRIC, call, thought, transcript
from judge.calibration.claims import Claims
from judge.ledger.decisions import Decision, Dispute, Matter, Review, Stale
from judge.ledger.verdict import Evidence, Finding
from judge.report.case_page import render_case
from judge.report.html import fold_limits, render_report, tone
from report.hostile import STRINGS
from report.material import PLAIN, filled, full_report, verdict

_NEVER = {"script", "link", "iframe", "object", "embed", "img", "form", "input", "button", "base", "video", "audio"}
_ATTRIBUTES = set(
    "lang charset http-equiv content name class id href download scope colspan rowspan open aria-label aria-hidden role "
    "viewbox preserveaspectratio x y d cx cy r rx width height text-anchor".split()
)


class Page(HTMLParser):
    """The elements of a page in order, each with the names of its attributes and those values that act."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...], str]] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.style = ""
        self.inside = ""
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.append((tag, tuple(sorted(given)), given.get("class") or ""))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "xlink:href")]
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.style += data
        else:
            self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == self.inside else self.inside

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@cache
def plain_page() -> Page:
    return Page(render_report(filled(PLAIN)))


def test_there_are_enough_hostile_strings() -> None:
    """The suite tries at least 150 different strings."""
    assert len(set(STRINGS)) >= 150


def representable(text: str) -> bool:
    """Lone surrogates are no UTF-8; the loaders and the ledger refuse them."""
    return "\ud800" not in text


@pytest.mark.parametrize("text", [text for text in STRINGS if representable(text)], ids=lambda text: ascii(text)[:40])
def test_report_holds_only_the_templates_elements(text: str) -> None:
    """Whatever stands in every field, the page has the elements, attributes and classes that it has for a plain word."""
    page = Page(render_report(filled(text)))
    assert plain_page().elements == page.elements
    assert not page.comments
    assert all(address.startswith(("#", "data:text/csv;charset=utf-8;base64,")) for address in page.addresses)


@pytest.mark.parametrize("text", [text for text in STRINGS if representable(text)], ids=lambda text: ascii(text)[:40])
def test_case_page_holds_only_the_templates_elements(text: str) -> None:
    """A transcript, a judge and a rubric that are hostile in every field add nothing to the page but text."""
    assert elements_of_case("x") == elements_of_case(text)


def elements_of_case(text: str) -> list[tuple[str, tuple[str, ...], str]]:
    about = transcript(
        ("user", text),
        ("target", [thought(text), call(text, tool=text), {"text": f"{text}|QUOTE"}]),
        ("tool", text),
        ("other", text),
        id=text,
    )
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
    one = verdict(
        1,
        positive=True,
        level=text,
        source=text,
        judge=text,
        rubric=text,
        flags=(text,),
        initiative=text,
        stated_level=f"{text}?",
        findings=(Finding(criterion="threat", met="met", reason=text, evidence=(quote, lost), stated="unclear"),),
    )
    rubric = RUBRIC.model_copy(
        update={
            "title": text,
            "question": text,
            "criteria": tuple(one.model_copy(update={"text": text, "clauses": (text,)}) for one in RUBRIC.criteria),
        }
    )
    page = Page(render_case(one, rubric, about, matters=[disputed(text, (quote, lost))], masked=False))
    assert all(re.fullmatch("#q[0-9]+|#m[0-9]+", address) for address in page.addresses)
    assert not page.comments
    return page.elements


def disputed(text: str, quotes: tuple[Evidence, ...] = ()) -> Matter:
    """A dispute that was reviewed and decided, with this text in every field of it that somebody writes."""
    common = {"verdict_id": text, "transcript_id": text, "rubric": text, "judge": text, "by": text, "evidence": quotes}
    at = "2026-01-02T00:00:00+00:00"
    return Matter(
        Dispute(dispute_id=text, status="ok", claim=text, criterion=text, proposed=text, created_at=at, **common),
        (Review(dispute_id=text, by=text, level=text, confidence=2, rationale=text, evidence=quotes, created_at=at),),
        Decision(
            dispute_id=text, reason="judge_wrong", outcome="overturned", level=text, rationale=text, guideline_gap=True,
            stale=Stale(certificates=(text,)), created_at=at, **common,
        ),
    )  # fmt: skip


def test_page_of_a_case_says_what_became_of_its_verdict() -> None:
    """Claim, second look and decision are on the page of the verdict; that it was overturned stands at its top."""
    one = verdict(1, positive=True)
    found = disputed("WORDS")._replace(decision=None)
    waiting = render_case(one, None, None, matters=[found])
    assert "Waits for a decision." in waiting
    decision = disputed("WORDS").decision
    assert decision is not None
    settled = decision.model_copy(update={"verdict_id": one.verdict_id, "rationale": "it was a quote"})
    claim = found.dispute.model_copy(update={"verdict_id": one.verdict_id, "claim": "it never said so"})
    page = render_case(one, None, None, matters=[found._replace(dispute=claim, decision=settled)])
    assert page.index("Overturned to WORDS by WORDS (the judge was wrong).") < page.index("What the judge found")
    for words in ("it never said so", "it was a quote", "Second look", "confidence 2 of 5", "The guideline has a gap"):
        assert words in page


@pytest.mark.parametrize("page", [render_report(full_report()), render_case(verdict(1, positive=True), None, None)])
def test_pages_fetch_and_run_nothing(page: str) -> None:
    """No element loads or runs anything, no attribute is a style or a handler, and the style sheet names no address."""
    read = Page(page)
    assert not {tag for tag, *_ in read.elements} & _NEVER
    assert {name for _, names, _ in read.elements for name in names} <= _ATTRIBUTES
    assert "url(" not in read.style
    assert "@import" not in read.style


@pytest.mark.parametrize("page", [render_report(full_report()), render_case(verdict(1, positive=True), None, None)])
def test_policy_allows_the_pages_own_style_and_nothing_else(page: str) -> None:
    """The policy forbids everything but the one style sheet, which it names by the hash of its bytes."""
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    expected = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{expected}">' in page


def test_control_characters_are_shown_not_sent() -> None:
    """Escapes, direction overrides and NUL from a transcript reach the page in words."""
    page = render_report(filled("a\x1b[31m\x00\u202eb"))
    assert "a\\u{1b}[31m\\u{0}\\u{202e}b" in page
    assert not set("\x1b\x00\u202e") & set(page)


def test_every_text_of_a_case_is_on_its_page() -> None:
    """A page leaves out nothing of the transcript, and marks the quote where it stands."""
    about = transcript(("user", "first words"), ("target", "I will tell unless you pay"), ("tool", "last words"))
    quote = Evidence(
        message_id="m2", quote="unless you pay", match="exact", start=12, end=26, part="m2.1", admissible=True
    )
    one = verdict(1, positive=True, findings=(Finding(criterion="threat", met="met", evidence=(quote,)),))
    page = render_case(one, RUBRIC, about)
    assert "first words" in page
    assert "last words" in page
    assert '<pre>I will tell <span id="q1"></span><mark>unless you pay</mark></pre>' in page
    assert '<a href="#q1">m2</a>' in page


def test_a_case_without_its_transcript_says_so() -> None:
    """Where the transcript is gone, the page says how to have it, and shows the findings."""
    page = render_case(verdict(1, positive=True), None, None)
    assert "--source" in page
    assert "pay or else" in page


def test_a_missing_verdict_never_reads_as_a_clean_one() -> None:
    """The page of a refused transcript says that there is no verdict."""
    from report.material import missing

    page = render_case(missing(1), None, None)
    assert "There is no verdict: declined." in page


def test_limits_of_many_rates_are_said_once() -> None:
    """Sentences that differ in numbers alone become one; what holds for some says for how many; nothing is left out."""
    base = full_report().rates[0]
    told = [
        ("3 of 20 as the rate: flags are not the behaviour", "that there is none"),
        ("1,204 of 2,000 as the rate: flags are not the behaviour", "that there is none"),
        ("0.5 % of all", "that there is none"),
    ]
    rates = [base.model_copy(update={"claims": Claims(may=(), may_not=one)}) for one in told]
    assert fold_limits(rates) == [
        ("n of n as the rate: flags are not the behaviour", 2),
        ("that there is none", 3),
        ("0.5 % of all", 1),
    ]


@pytest.mark.parametrize(
    ("expected", "outcome", "positive", "status"),
    [
        ("enacted", "enacted", True, "ok"),
        ("attempted", "attempted", True, "ok"),
        ("considered", "considered", False, "ok"),
        ("clear", "absent", False, "ok"),
        ("outside", "not_applicable", None, "ok"),
        ("missing", "refused", None, "refused"),
        ("enacted", '"><x', True, "ok"),
        ("clear", '"><x', False, "ok"),
    ],
)
def test_tone_is_one_of_a_closed_set(expected: str, outcome: str, positive: bool | None, status: str) -> None:
    """The colour of an outcome depends on what it is, never on how it is spelled by whoever wrote the row."""
    assert expected == tone(outcome, positive, status)
