"""What a person does on the audit page, in a real browser and for the most part with the keyboard alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from audit.asking import JUDGE, REASON, WORDS
from audit.browser import Chrome, Desktop, Tab, start_desktop
from build import transcript
from judge.audit.queue import FILTERS
from judge.gold.labels import latest, read_labels
from judge.gold.model import Label
from judge.ledger.decisions import Dispute, Matter, Review, read_matters, to_entry
from judge.ledger.opening import open_ledger
from judge.ledger.verdict import Coverage, Evidence, Finding, Verdict
from judge.rubrics.loading import load_rubric
from judge.transcripts.reading import read

CASE = "coercive"
READY = "form[data-ready]"


def labels(desktop: Desktop, rater: str) -> list[Label]:
    """What this rater's file says that counts."""
    return list(latest(read_labels(desktop.gold / "labels" / f"{rater}.jsonl")))


def mark_by_keyboard(tab: Tab, turn: int, words: int) -> None:
    """Go to a turn by its number and mark its first words."""
    tab.press("g", str(turn), Keys.ENTER).wait("document.activeElement.id === arguments[0]", f"t{turn}")
    tab.press("e")
    for _ in range(words - 1):
        tab.chord(Keys.SHIFT, Keys.ARROW_RIGHT)
    tab.press("e")


def test_case_is_labelled_by_keyboard_alone(desktop: Desktop) -> None:
    """From the one-time link to a committed label without a mouse: sign in, open, read, answer, mark, commit."""
    tab = desktop.tab("tomas", "label")
    tab.press("j")
    while CASE not in tab.js("return document.activeElement.textContent.toLowerCase()"):
        tab.press("j")
    tab.press(Keys.ENTER).wait_for(READY)
    tab.press("j", "j")
    assert tab.turn() == "t2"
    tab.press("e").chord(Keys.SHIFT, Keys.ARROW_RIGHT).press("e")
    assert tab.texts(".evidence li a") == ["I could"]
    tab.press("4")
    assert tab.js("return document.querySelector('[name=level]:checked').value") == "enacted"
    tab.tab_to("[name='criterion directed']").press(Keys.SPACE)
    tab.tab_to("[name=confidence]").press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    tab.tab_to("textarea").press("They tied the two together. 1 j c")
    tab.commit().wait_for(".committed")
    given = {one.criterion: one for one in labels(desktop, "tomas")}
    label = given[None]
    assert (label.label, label.blind, label.rationale) == ("enacted", True, "They tied the two together. 1 j c")
    assert [span.quote for span in label.evidence] == ["I could"]
    assert given["directed"].label == "met"


def test_nothing_of_the_verdicts_reaches_the_browser_before_the_commit(desktop: Desktop) -> None:
    """No byte that the server sends a blind rater, on any page, stretch, search or refusal, says what a judge said."""
    tab = desktop.tab("tomas", "label")
    for name in FILTERS:
        tab.go(f"/?show={name}").wait_for("body.queue")
    tab.go("/disputes").go("/").open_case(CASE).wait_for(READY)
    tab.press("]", "d", "v", "u", "/").press("ZEBRA").wait(
        "document.querySelector('#found').textContent === 'not found'"
    )
    assert desktop.recorder.holds(WORDS)
    said = [words for words in (JUDGE, REASON, "ZEBRA-QUOTE", "declined") if desktop.recorder.holds(words)]
    assert said == []
    asked = {url for url in desktop.requests() if "/case/" in url or "/?" in url}
    assert len(asked) > len(FILTERS)
    tab.press(Keys.ESCAPE, "1").tab_to("[name=confidence]").press(Keys.SPACE).commit().wait_for("#votes")
    assert desktop.recorder.holds(REASON)


def test_verdicts_can_be_stepped_through_with_their_quotes(desktop: Desktop) -> None:
    """A vote opens its reasons, `]` goes to its quote in the transcript, and a quote that is nowhere is listed as lost."""
    tab = desktop.tab("mira", "read").open_case(CASE)
    tab.press("]").wait("document.querySelector('mark.at') !== null")
    assert (tab.turn(), tab.text("mark.at")) == ("t2", WORDS)
    assert "not in the transcript" in tab.text(".m-absent footer")
    tab.tab_to(".matrix td a[href='#v2']").press(Keys.ENTER).wait("document.querySelector('#v2').open")
    assert tab.js("return document.querySelector('#v1').open") is False
    assert (
        tab.js("return [...document.querySelectorAll('#map rect')].map((e) => e.getAttribute('class'))").count(
            "k-exact"
        )
        == 1
    )


def test_search_counts_steps_and_ends(desktop: Desktop) -> None:
    """`/` finds words whatever their case, Enter steps through them, Escape gives the keys back to the page."""
    tab = desktop.tab("tomas", "label").open_case(CASE).wait_for(READY)
    tab.press("/").press("harrow").wait("document.querySelector('#found').textContent === '1 of 3'")
    tab.press(Keys.ENTER).wait("document.querySelector('#found').textContent === '2 of 3'")
    tab.wait("CSS.highlights.get('here').size === 1")
    tab.chord(Keys.SHIFT, Keys.ENTER).wait("document.querySelector('#found').textContent === '1 of 3'")
    tab.press(Keys.ESCAPE).wait("document.querySelector('#found').textContent === ''")
    assert tab.turn() == "t1"
    tab.press("j")
    assert tab.turn() == "t2"


def test_keys_do_nothing_while_somebody_types(desktop: Desktop) -> None:
    """Letters and digits in a text field are text: no level is chosen, no page left."""
    tab = desktop.tab("tomas", "label").open_case(CASE).wait_for(READY)
    tab.tab_to("textarea").press("1 n p q c d e u ? /")
    assert tab.js("return document.querySelector('textarea').value") == "1 n p q c d e u ? /"
    assert tab.js("return document.querySelector('[name=level]:checked')") is None
    assert tab.js("return document.querySelector('dialog[open]')") is None
    assert tab.path().startswith("/case/")


def test_question_mark_opens_the_sheet_of_keys(desktop: Desktop) -> None:
    """The sheet names every key; while it is open no other key acts, and Escape closes it."""
    tab = desktop.tab("tomas", "label").open_case(CASE).wait_for(READY)
    tab.press("?").wait("document.querySelector('#keys').open")
    for name in ("j", "k", "n", "p", "[", "]", "/", "e", "c", "d", "u", "Ctrl"):
        assert name in tab.texts("#keys kbd")
    tab.press("1", Keys.ESCAPE).wait("!document.querySelector('#keys').open")
    assert tab.js("return document.querySelector('[name=level]:checked')") is None


def test_draft_survives_a_reload(desktop: Desktop) -> None:
    """What was chosen and marked before a commit is back when the page is opened again, in any browser."""
    tab = desktop.tab("tomas", "label").open_case(CASE).wait_for(READY)
    mark_by_keyboard(tab, 2, 2)
    tab.press("3").wait("document.querySelector('#kept').textContent === 'Draft kept.'")
    tab.tab_to("textarea").press("half a thought").press(Keys.TAB)
    tab.wait("document.querySelector('#kept').textContent === 'Draft kept.'")
    tab.driver.refresh()
    tab.wait_for(READY)
    assert tab.js("return document.querySelector('[name=level]:checked').value") == "attempted"
    assert tab.js("return document.querySelector('textarea').value") == "half a thought"
    assert tab.texts(".evidence li a") == ["I could"]


def test_undo_takes_back_one_change_at_a_time(desktop: Desktop) -> None:
    """`u` goes back through the form's changes, and after a commit withdraws the label, both rows being kept."""
    tab = desktop.tab("tomas", "label").open_case(CASE).wait_for(READY)
    tab.press("1", "2", "u")
    assert tab.js("return document.querySelector('[name=level]:checked').value") == "absent"
    tab.press("u")
    assert tab.js("return document.querySelector('[name=level]:checked')") is None
    tab.press("1").tab_to("[name=confidence]").press(Keys.SPACE).commit().wait_for(".committed")
    tab.press("u").wait_for(READY)
    assert labels(desktop, "tomas") == []
    assert len(read_labels(desktop.gold / "labels" / "tomas.jsonl")) == 2
    assert tab.js("return document.querySelector('[name=level]:checked').value") == "absent"


def test_refusal_is_said_beside_the_button(desktop: Desktop) -> None:
    """A positive level without a quote is refused in words, and nothing is lost from the form."""
    tab = desktop.tab("tomas", "label").open_case(CASE).wait_for(READY)
    tab.press("4").tab_to("[name=confidence]").press(Keys.SPACE).commit()
    tab.wait("document.querySelector('#label .error').textContent.includes('needs a quote')")
    assert tab.js("return document.querySelector('[name=level]:checked').value") == "enacted"


def test_two_raters_at_once_do_not_see_each_other(desktop: Desktop) -> None:
    """Two people label one case side by side; each label is kept, and neither sees the other's before the own commit."""
    tomas = desktop.tab("tomas", "label")
    ines = desktop.tab("ines", "label", host="localhost", new=True)
    ines.open_case(CASE).wait_for(READY)
    tomas.front().open_case(CASE).wait_for(READY)
    tomas.press("1").tab_to("[name=confidence]").press(Keys.SPACE).commit().wait_for(".committed")
    ines.front()
    ines.driver.refresh()
    ines.wait_for(READY)
    assert "tomas" not in ines.text()
    ines.press("2").tab_to("[name=confidence]").press(Keys.SPACE)
    ines.commit().wait(
        "document.querySelector('.error').textContent.includes('quote') || document.querySelector('.committed')"
    )
    if not ines.js("return document.querySelector('.committed')"):
        ines.press("1").commit().wait_for(".committed")
    assert "tomas" in ines.text(".labels")
    assert [len(labels(desktop, name)) for name in ("tomas", "ines")] == [1, 1]


def test_second_tab_of_one_rater_loses_nothing(desktop: Desktop) -> None:
    """A commit from a tab that was opened before another tab committed is refused in words; the first label stays."""
    first = desktop.tab("tomas", "label").open_case(CASE).wait_for(READY)
    address = first.path()
    first.driver.switch_to.new_window("tab")
    second = Tab(desktop.chrome, first.origin).go(address).wait_for(READY)
    second.press("1").tab_to("[name=confidence]").press(Keys.SPACE).commit().wait_for(".committed")
    first.front().press("2").tab_to("[name=confidence]").press(Keys.SPACE).commit()
    first.wait("document.querySelector('#label .error').textContent.includes('before')")
    assert [one.label for one in labels(desktop, "tomas")] == ["absent"]


def test_every_filter_is_a_link_that_says_how_many(desktop: Desktop) -> None:
    """Each can be followed from the queue, is marked as chosen, and lists as many cases as it says."""
    tab = desktop.tab("mira", "read")
    for name in ("todo", "done", *FILTERS):
        link = f".rail a[href='/?show={name}']"
        count = int(tab.text(f"{link} .number"))
        tab.js("document.querySelector(arguments[0]).click()", link)
        tab.wait_for(f"{link}[aria-current]")
        assert len(tab.texts(".cases .row")) == count, name
        if name in FILTERS:
            badges = tab.texts(".cases .row .badges")
            assert all(FILTERS[name] in words for words in badges), name


def test_page_can_be_used_at_twice_its_size(desktop: Desktop) -> None:
    """At 200 % on a 1280 pixel screen nothing is cut off at the side, and every control can still be reached and used."""
    tab = desktop.tab("tomas", "label").width(1280, 800, zoom=2)
    for where in ("body.queue", "body.case"):
        tab.wait_for(where)
        assert tab.js("return document.documentElement.scrollWidth <= innerWidth"), where
        if where == "body.queue":
            tab.open_case(CASE)
    tab.wait_for(READY).press("1").tab_to("[name=confidence]").press(Keys.SPACE).commit().wait_for(".committed")


def test_everything_that_acts_has_a_name_and_shows_the_focus(desktop: Desktop) -> None:
    """Every control has a label for screen readers, and whatever the Tab key reaches is drawn as focused."""
    tab = desktop.tab("mira", "read").open_case(CASE).wait_for(READY)
    tab.press("d")
    nameless = tab.js(
        """return [...document.querySelectorAll('input, select, textarea, button, a[href], summary')].filter((e) =>
        !(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label'))).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    bare = []
    for _ in range(40):
        tab.press(Keys.TAB)
        style = "const s = getComputedStyle(document.activeElement); return [s.outlineStyle, document.activeElement.outerHTML]"
        outline, element = tab.js(style)
        if outline == "none" and not element.startswith("<body"):
            bare.append(element)
    assert bare == []


def test_dispute_goes_from_a_claim_to_a_decision(desktop: Desktop) -> None:
    """A reader disputes a verdict, another person looks blind, a third decides; the decision stands beside the verdict."""
    tab = desktop.tab("mira", "read").open_case(CASE)
    tab.press("]").wait("document.querySelector('mark.at') !== null")
    tab.press("d").wait("!document.querySelector('#dispute').hidden")
    tab.press("The words are quoted from a letter.")
    tab.commit().wait("location.pathname.startsWith('/dispute/')")
    address = tab.path()
    assert "The words are quoted from a letter." in tab.text()
    reviewer = desktop.tab("tomas", "label", host="localhost", new=True)
    sent = len(desktop.recorder.sent)
    reviewer.go(address).wait_for(READY)
    assert not [
        path
        for path, body in desktop.recorder.sent[sent:]
        if b"quoted from a letter" in body or REASON.encode() in body
    ]
    reviewer.press("1").tab_to("[name=confidence]").press(Keys.SPACE).commit()
    reviewer.wait("document.body.textContent.includes('The words are quoted from a letter.')")
    tab.front().driver.delete_all_cookies()
    judge = Tab(desktop.chrome, tab.origin).sign_in(desktop.link(), "olga", "read").go(address)
    judge.wait_for("[name=reason]").tab_to("[name=reason]").press(Keys.SPACE)
    judge.js('document.querySelector("[name=level][value=absent]").click()')
    judge.tab_to("textarea").press("It reports a letter; nobody is threatened.").commit()
    judge.wait("document.querySelector('.committed') !== null")
    assert "overturned" in judge.text(".committed")
    judge.driver.refresh()
    assert "overturned" in judge.text(".committed")
    judge.go("/").open_case(CASE)
    assert "overturned" in judge.text("#votes")
    assert "overturned to absent by olga" in judge.text("#v1")


def open_matter(desktop: Desktop) -> str:
    """A dispute of the positive verdict with a second look on it, in the ledger; returns its address."""
    with open_ledger(desktop.folder / "ledger.db", create=False) as book:
        verdict = book.get("v1")
        name, at = "d" * 20, "2026-01-01T00:00:00.000+00:00"
        dispute = Dispute(
            dispute_id=name, verdict_id="v1", transcript_id=verdict.transcript_id, rubric=verdict.rubric, judge=JUDGE,
            level="enacted", status="ok", by="mira", claim="It was only tried.", proposed="attempted", created_at=at,
        )  # fmt: skip
        review = Review(dispute_id=name, by="tomas", level="absent", confidence=4, created_at=at)
        book.append([to_entry(dispute), to_entry(review)])
    return f"/dispute/{name}"


def test_dispute_is_decided_by_keyboard_with_words_marked_in_the_transcript(desktop: Desktop) -> None:
    """Who decides has the transcript beside the dispute: words are selected there, `e` makes them evidence of the decision."""
    address = open_matter(desktop)
    tab = desktop.tab("olga", "read").go(address).wait_for("#main[data-ready]")
    assert tab.texts(".sides dt") == ["Verdict", "Claim", "Second look", "Decision"]
    tab.press("]").wait("document.querySelector('mark.at') !== null")
    assert tab.text("mark.at") == WORDS
    mark_by_keyboard(tab, 2, 2)
    tab.press("3")
    assert tab.js("return document.querySelector('[name=level]:checked').value") == "attempted"
    tab.tab_to("[name=reason]").press(Keys.SPACE).tab_to("#why").press("Nothing was sent. 1 e")
    tab.driver.refresh()
    tab.wait_for("#main[data-ready]")
    assert tab.texts("#ruling .evidence li a") == ["I could"]
    assert tab.js("return document.querySelector('#why').value") == "Nothing was sent. 1 e"
    tab.tab_to("#why").commit().wait_for(".committed")
    decided = next(iter(read_matters_of(desktop))).decision
    assert decided is not None
    assert (decided.reason, decided.level, decided.by) == ("judge_wrong", "attempted", "olga")
    assert [(one.quote, one.part) for one in decided.evidence] == [("I could", "m2.1")]


def test_dispute_takes_words_that_were_selected(desktop: Desktop) -> None:
    """Words selected with the mouse before `d`, and others with `e` while the form is open, are the claim's evidence."""
    tab = desktop.tab("mira", "read").open_case(CASE)
    select = """
    const part = document.querySelector(`pre[data-part="${arguments[0]}"]`);
    const range = document.createRange();
    range.selectNodeContents(part);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    """
    tab.js(select, "m1.1")
    tab.press("d").wait("!document.querySelector('#dispute').hidden")
    tab.press("The client said so.").press(Keys.TAB)
    tab.js("document.activeElement.blur()")
    tab.js(select, "m3.1")
    tab.press("e")
    assert tab.texts("#dispute .evidence li a") == ["Close the file on the Harrow contract.", "delivered"]
    tab.tab_to("#claim").commit().wait("location.pathname.startsWith('/dispute/')")
    (matter,) = read_matters_of(desktop)
    assert [one.part for one in matter.dispute.evidence] == ["m1.1", "m3.1"]
    tab.wait_for("#main[data-ready]").js("document.querySelector('[data-words]').click()")
    tab.wait("CSS.highlights.get('here')?.size === 1")
    assert tab.turn() == "t1"


def read_matters_of(desktop: Desktop) -> list[Matter]:
    """The disputes in the ledger."""
    with open_ledger(desktop.folder / "ledger.db", create=False, read_only=True) as book:
        return list(read_matters(book).values())


def test_signing_out_ends_the_session_in_every_tab(desktop: Desktop) -> None:
    """The button is on the queue; after it, neither this tab nor another one of the browser shows anything."""
    tab = desktop.tab("mira", "read")
    tab.js("document.querySelector('#sign-out').click()")
    tab.wait("location.pathname === '/signed-out'")
    assert "You are signed out" in tab.text("main")
    tab.driver.back()
    tab.go("/")
    assert "judges" not in tab.text()
    assert "401" in tab.text()


def test_page_of_a_case_that_is_not_there_says_so(desktop: Desktop) -> None:
    """A wrong address gives a page with a way back."""
    tab = desktop.tab("mira", "read").go(f"/case/{'0' * 20}")
    assert "There is no such case" in tab.text("main")
    tab.js("document.querySelector('main a').click()")
    tab.wait_for("body.queue")


def test_draft_survives_the_end_of_the_server(chrome: Chrome, tmp_path: Path) -> None:
    """What was kept of a form is there after the page was started again, on another port."""
    with start_desktop(chrome, tmp_path) as here:
        tab = here.tab("tomas", "label").open_case(CASE).wait_for(READY)
        tab.press("3").wait("document.querySelector('#kept').textContent === 'Draft kept.'")
    with start_desktop(chrome, tmp_path) as again:
        tab = again.tab("tomas", "label").open_case(CASE).wait_for(READY)
        assert tab.js("return document.querySelector('[name=level]:checked').value") == "attempted"


@pytest.fixture
def long(chrome: Chrome, tmp_path: Path) -> Iterator[Desktop]:
    """A page on a transcript of 1,000 turns with a quote in turn 900."""
    write_long(tmp_path, 1_000)
    with start_desktop(chrome, tmp_path) as here:
        yield here
        here.check()


def write_long(folder: Path, count: int) -> None:
    """A transcript of so many turns, and a verdict that quotes one of the last and did not see the second half."""
    rubric = load_rubric("coercive-leverage")
    made = transcript(*((("user", "target")[n % 2], f"line {n} of the talk") for n in range(1, count + 1)))
    path = folder / "run.jsonl"
    made = made.model_copy(update={"source": made.source.model_copy(update={"uri": str(path)})})
    path.write_bytes(made.model_dump_json(by_alias=True).encode() + b"\n")
    (about,) = read(path)
    at = count - count // 10
    quote = Evidence(
        message_id=f"m{at}", quote=f"line {at}", match="exact", start=0, end=len(f"line {at}"), part=f"m{at}.1", admissible=True
    )  # fmt: skip
    row = Verdict(
        verdict_id="v1", transcript_id=about.id, source=about.source.label, rubric=rubric.id, judge="one", level="enacted",
        positive=True, findings=(Finding(criterion="directed", met="met", evidence=(quote,)),),
        coverage=Coverage(seen=count // 2, total=count, unseen=(f"m{count // 2 + 1}-m{count}",)),
    )  # fmt: skip
    with open_ledger(folder / "ledger.db") as book:
        book.append([row])


def test_long_transcript_arrives_as_it_is_read(long: Desktop) -> None:
    """A long transcript comes in stretches: a jump, a quote and a search each bring theirs, with marks and all."""
    tab = long.tab("mira", "read").open_case(CASE)
    here = "document.querySelectorAll('.turn').length"
    assert tab.js(f"return {here}") < 1_000
    tab.press("]").wait("document.querySelector('mark.at') !== null")
    assert (tab.turn(), tab.text("mark.at")) == ("t900", "line 900")
    assert "not seen by any" in tab.text("#t900")
    tab.press("g", "450", Keys.ENTER).wait("document.activeElement.id === 't450'")
    tab.press("j").wait("document.activeElement.id === 't451'")
    tab.press("k", "k").wait("document.activeElement.id === 't449'")
    tab.press("/").press("line 777").wait("document.querySelector('#found').textContent === '1 of 1'")
    tab.wait("document.querySelector('#t777') !== null")
    assert tab.js(f"return {here}") < 1_000
    box = "document.querySelector('#t777').getBoundingClientRect()"
    tab.wait(f"{box}.top >= 0 && {box}.bottom <= innerHeight")


def test_scrolling_brings_what_comes_into_sight(long: Desktop) -> None:
    """Whoever scrolls to the end sees the last turn, and the minimap shows where that is."""
    tab = long.tab("tomas", "label").open_case(CASE)
    tab.js("scrollTo(0, document.documentElement.scrollHeight)")
    tab.wait("scrollTo(0, 1e9) || document.querySelector('#t1000') !== null")
    tab.wait("Number(document.querySelector('.here').getAttribute('y')) > 900")
    assert "not seen by" not in tab.text()


def test_exported_case_is_a_page_that_needs_nothing(desktop: Desktop, tmp_path: Path) -> None:
    """The one-file page of a verdict opens from disk, shows the quote in place, and neither runs nor fetches anything."""
    page = tmp_path / "case.html"
    command = [
        sys.executable,
        "-m",
        "judge",
        "show",
        "v1",
        "--html",
        "--to",
        str(page),
        "--ledger",
        str(tmp_path / "ledger.db"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    desktop.requests()
    desktop.chrome.driver.get(page.as_uri())
    tab = Tab(desktop.chrome, "")
    assert WORDS in tab.text("mark")
    assert REASON in tab.text()
    assert tab.js("return document.scripts.length") == 0
    assert desktop.requests() == [page.as_uri()]
