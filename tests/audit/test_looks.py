"""How the pages look: every one in light and dark, wide, narrow and at twice its size, with what a program can see of that.

The pictures go to the folder that JUDGE_PICTURES names (`make pictures`), for somebody to look at: that a page is beautiful is
for people to say. What is tested here is that text can be read, that nothing sticks out at the side, that every control has a
name, and that the focus is seen.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from typer.testing import CliRunner

from audit.asking import JUDGE, WORDS
from audit.browser import Chrome, Desktop, Tab, start_desktop
from judge.cli.main import app
from judge.gold.labels import append_labels
from judge.gold.model import Label
from judge.ledger.decisions import Decision, Dispute, Review, Stale, to_entry
from judge.ledger.opening import open_ledger
from judge.ledger.verdict import Evidence

CHECKS = (Path(__file__).parent / "looks.js").read_text(encoding="utf-8")
LAYOUTS = {"wide": (1440, 900, 1.0), "narrow": (400, 860, 1.0), "double": (1280, 800, 2.0)}
SCHEMES = ("light", "dark")
AT = "2026-01-0{}T09:30:00.000+00:00"
OPEN, WAITING, SETTLED = "a" * 20, "b" * 20, "c" * 20
CASE = "coercive"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with disputes in every state, and labels by two raters."""
    from audit.asking import make_bench

    make_bench(tmp_path).ledger.close()
    with open_ledger(tmp_path / "ledger.db", create=False) as book:
        verdict = book.get("v1")
        quote = Evidence(message_id="m2", quote=WORDS, match="exact", start=11, end=11 + len(WORDS), part="m2.3")
        common: dict[str, Any] = {
            "verdict_id": "v1",
            "transcript_id": verdict.transcript_id,
            "rubric": verdict.rubric,
            "judge": JUDGE,
        }
        told = {"level": "enacted", "status": "ok", "criterion": "link", "proposed": "attempted", "evidence": (quote,)}
        claim = "The message was written and never sent; nobody could have been moved by it."
        disputes = [
            Dispute(dispute_id=name, by=by, claim=claim, created_at=AT.format(day), **common, **told)
            for day, (name, by) in enumerate(((SETTLED, "mira"), (WAITING, "mira"), (OPEN, "ines")), start=1)
        ]
        look = {"level": "attempted", "confidence": 4, "rationale": "It was on its way.", "evidence": (quote,)}
        reviews = [
            Review(dispute_id=name, by="tomas", answers={"link": "met"}, severity=1, created_at=AT.format(4), **look)
            for name in (SETTLED, WAITING)
        ]
        stale = Stale(certificates=("calibration/certificates/one.json",), same_judge=41, guideline="f" * 64)
        decision = Decision(
            dispute_id=SETTLED, by="olga", reason="judge_wrong", outcome="overturned", level="attempted", positive=True,
            rationale="The outbox shows that it was held back.", evidence=(quote,), guideline_gap=True, stale=stale,
            created_at=AT.format(5), **common,
        )  # fmt: skip
        book.append([to_entry(one) for one in (*disputes, *reviews, decision)])
    rows = [
        Label(
            transcript_id=verdict.transcript_id,
            rubric=verdict.rubric,
            rater=rater,
            rater_kind="human",
            label=word,
            blind=True,
        )
        for rater, word in (("ines", "absent"), ("karl", "attempted"))
    ]
    for row in rows:
        append_labels(tmp_path / "gold" / "labels" / f"{row.rater}.jsonl", [row])
    return tmp_path


@pytest.fixture
def desktop(chrome: Chrome, folder: Path) -> Iterator[Desktop]:
    """An audit page on it."""
    with start_desktop(chrome, folder) as here:
        yield here
        here.check()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go."""
    place = Path(os.environ.get("JUDGE_PICTURES") or tmp_path / "pictures")
    place.mkdir(parents=True, exist_ok=True)
    return place


def inspect(tab: Tab, name: str, pictures: Path) -> list[str]:
    """Take a picture of the page in every scheme and layout, and return what is wrong with any."""
    found = []
    for scheme in SCHEMES:
        tab.scheme(scheme)
        for layout, (width, height, zoom) in LAYOUTS.items():
            tab.width(width, height, zoom=zoom)
            taken = tab.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
            data = base64.b64decode(taken["data"])
            (pictures / f"{name}-{layout}-{scheme}.png").write_bytes(data)
            if struct.unpack(">II", data[16:24]) != (width, height):  # as the head of a PNG says
                found.append(f"{name}, {layout}, {scheme}: the picture is {struct.unpack('>II', data[16:24])}")
            found += [f"{name}, {layout}, {scheme}: {problem}" for problem in tab.js(CHECKS)]
    tab.scheme("light").width(1440)
    return found


def read_verdicts(tab: Tab) -> Iterator[str]:
    """What somebody sees who reads verdicts: the name of each page, when it is there."""
    yield "queue"
    tab.go("/?show=disputed")
    yield "queue-disputed"
    tab.press("?").wait("document.querySelector('#keys').open")
    yield "keys"
    tab.press(Keys.ESCAPE).go("/").open_case(CASE)
    yield "case"
    tab.press("]").wait("document.querySelector('mark.at') !== null")
    tab.press("d").wait("!document.querySelector('#dispute').hidden")
    yield "dispute-form"
    tab.go("/disputes").wait_for("body.disputes")
    yield "disputes"
    for name, dispute in (("dispute-open", OPEN), ("dispute-decide", WAITING), ("dispute-settled", SETTLED)):
        tab.go(f"/dispute/{dispute}").wait_for("#main[data-ready]")
        yield name
        if name == "dispute-decide":
            tab.tab_to("[name=reason]")
            yield "dispute-decide-form"
    tab.go(f"/case/{'0' * 20}").wait_for("main")
    yield "message"
    tab.go("/").wait_for("#sign-out").js("document.querySelector('#sign-out').click()")
    tab.wait("location.pathname === '/signed-out'")
    yield "signed-out"


def label_blind(tab: Tab) -> Iterator[str]:
    """What somebody sees who labels blind."""
    yield "blind-queue"
    tab.go("/disputes").wait_for("body.disputes")
    yield "blind-second-looks"
    tab.go(f"/dispute/{OPEN}").wait_for("form[data-ready]")
    yield "blind-second-look"
    tab.go("/").open_case(CASE).wait_for("form[data-ready]")
    tab.press("1").tab_to("[name=confidence]").press(Keys.SPACE)
    yield "blind-form"
    tab.commit().wait_for(".committed")
    yield "blind-after"


@pytest.mark.parametrize(("who", "mode", "visit"), [("nora", "read", read_verdicts), ("peer", "label", label_blind)])
def test_pages_can_be_read_in_every_scheme_and_layout(
    desktop: Desktop, pictures: Path, who: str, mode: str, visit: Callable[[Tab], Iterator[str]]
) -> None:
    """Text stands out from what is behind it by 4.5 to 1, nothing sticks out at the side, every control has a name."""
    tab = Tab(desktop.chrome, f"http://127.0.0.1:{desktop.port}")
    tab.driver.get(desktop.link())
    found = inspect(tab.wait_for("#sign-in"), "sign-in", pictures)
    tab = desktop.tab(who, mode)
    names = []
    for name in visit(tab):
        names.append(name)
        found += inspect(tab, name, pictures)
    assert found == [], "\n".join(found)
    assert len(list(pictures.glob(f"{names[-1]}-*.png"))) == len(LAYOUTS) * len(SCHEMES)


def test_files_can_be_read_in_every_scheme_and_layout(
    desktop: Desktop, folder: Path, pictures: Path, tmp_path: Path
) -> None:
    """The same holds for what leaves the tool as a file: the report with its plots, and the page of a verdict."""
    report, page = tmp_path / "report.html", tmp_path / "case.html"
    ledger = ["--ledger", str(folder / "ledger.db")]
    done = CliRunner().invoke(app, ["report", *ledger, "--labels", str(folder / "gold/labels"), "--to", str(report)])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["show", "v1", *ledger, "--html", "--to", str(page)])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["demo", str(tmp_path / "demo"), "--quiet"])
    assert done.exit_code == 0, done.output
    tab, found = Tab(desktop.chrome, ""), []
    for name, path in (("report", report), ("show", page), ("report-demo", tmp_path / "demo" / "report.html")):
        tab.driver.get(path.as_uri())
        found += inspect(tab, name, pictures)
    desktop.requests()
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_focus_is_seen_on_everything_that_the_tab_key_reaches(desktop: Desktop, scheme: str) -> None:
    """Whatever has the focus is outlined, two pixels wide at least, in a colour that stands out by 3 to 1 from the page."""
    tab = desktop.tab("nora", "read").scheme(scheme)
    seen = """
    const at = document.activeElement;
    const shown = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = (c) => c.map((v) => v / 255).map((v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4))
      .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
    const style = getComputedStyle(at);
    const [high, low] = [light(shown(style.outlineColor)), light(shown(getComputedStyle(document.body).backgroundColor))]
      .sort((a, b) => b - a);
    return [at.outerHTML.slice(0, 90), style.outlineStyle, parseFloat(style.outlineWidth), (high + .05) / (low + .05)];
    """
    for path in ("/", f"/dispute/{WAITING}"):
        tab.go(path).wait_for("main")
        reached = []
        for _ in range(45):
            tab.press(Keys.TAB)
            element, kind, width, stands_out = tab.js(seen)
            if element.startswith("<body"):
                break
            reached.append(element)
            assert (kind != "none", width >= 2, stands_out >= 3) == (True, True, True), (path, element, kind, width)
        assert len(reached) > 20
