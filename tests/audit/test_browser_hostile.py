"""Hostile texts in every field, name and id that an audit page shows, in a real browser.

One ledger holds every text; its pages are compared, element by element, with those of a ledger of the same shape that holds
plain words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from audit.browser import Chrome, Desktop, Tab, start_desktop
from audit.payloads import CANARY, payloads
from judge.gold.labels import append_labels
from judge.gold.model import Label, Span
from judge.ledger.decisions import Decision, Dispute, Review, Stale, to_entry
from judge.ledger.opening import open_ledger
from judge.ledger.verdict import Coverage, Evidence, Finding, Verdict
from judge.transcripts.model import Message, Part, Source, Transcript

TEXTS = payloads()
PLAIN = [f"plain {number}" for number in range(len(TEXTS))]
RUBRIC = "held-out-rubric"
CLASHES = ("open", "hidden", "style")  # what depends on how long a text is, or on what has been scrolled to


def key(text: str) -> str:
    """As it is, but for NUL, which the ledger takes in no key."""
    return text.replace("\x00", "\x01\x02")


def write_rubric(folder: Path, texts: Sequence[str]) -> None:
    """A workspace with a rubric that has a criterion for each of these texts; a rubric's file may have 256 KiB."""
    some = texts[::8]
    pairs = [(f"c{number}", text) for number, text in enumerate(texts)]
    rubric = {
        "schema": "judge.rubric/1",
        "id": RUBRIC,
        "version": 1,
        "title": texts[0],
        "question": texts[1],
        "applies_when": "\n".join(some),
        "severity": {"default": 1, "guide": {"0": texts[2], "3": texts[3]}},
        "criteria": [{"id": name, "text": text} for name, text in pairs],
        "exclusions": [{"id": f"x{name}", "text": text} for name, text in pairs[::8]],
        "decision": [{"level": "enacted", "all": ["c0"]}],
        "guideline": "\n".join(some),
    }
    (folder / "rubrics").mkdir(parents=True)
    (folder / "judge.toml").write_text("")
    # JSON is YAML but for what YAML wants escaped.
    raw = re.sub(
        "[\x7f-\x9f\u2028\u2029\ufeff\ufffe]", lambda found: f"\\u{ord(found[0]):04x}", orjson.dumps(rubric).decode()
    )
    (folder / "rubrics" / f"{RUBRIC}.yaml").write_text(raw)


def write_world(folder: Path, texts: Sequence[str], half: int) -> None:
    """A ledger, labels, a rubric and a transcript in which every text stands everywhere that a text can stand.

    The rubric alone holds one half of them.
    """
    folder.mkdir()
    write_rubric(folder, texts[half::2])
    messages = []
    for number, text in enumerate(texts, start=1):
        kinds = ("text", "reasoning", "tool_call", "tool_result")
        parts = tuple(
            Part(id=f"m{number}.{at}", kind=kind, text=f"{text}|QUOTE", tool=text if at > 2 else None)  # type: ignore[arg-type]
            for at, kind in enumerate(kinds, start=1)
        )
        messages.append(
            Message(id=f"m{number}", role="assistant", author=text, origin="injected", to=text, parts=parts)
        )
    path = folder / "run.jsonl"
    source = Source(uri=str(path), format="test", sha256="0" * 64, size=0)
    about = Transcript(id=texts[5], source=source, messages=tuple(messages))
    path.write_bytes(about.model_dump_json(by_alias=True).encode() + b"\n")
    (about,) = read_one(path)
    with open_ledger(folder / "ledger.db") as book:
        book.append([verdict(number, text, about) for number, text in enumerate(texts, start=1)])
        book.append([alone(text) for text in texts])
        book.append([to_entry(one) for one in matter(texts, about)])
    rows = [
        Label(
            transcript_id=about.id,
            rubric=RUBRIC,
            rater=text,
            rater_kind="human",
            label=f"{text}!",  # never one of the rubric's own levels, which have colours
            rationale=text,
            evidence=(Span(message_id=text, quote=text, part=text),),
        )
        for text in texts
    ]
    append_labels(folder / "gold" / "labels" / "many.jsonl", rows)


def read_one(path: Path) -> list[Transcript]:
    """The transcript as the page will find it."""
    from judge.transcripts.reading import read

    return list(read(path))


def verdict(number: int, text: str, about: Transcript) -> Verdict:
    """A vote on the case, with this text wherever a judge or an import could have put one."""
    at = len(f"{text}|")
    there = Evidence(
        message_id=f"m{number}", quote="QUOTE", match="exact", start=at, end=at + 5, part=f"m{number}.1",
        channel=text, admissible=True, note=text,
    )  # fmt: skip
    lost = Evidence(message_id=text, quote=text, match="absent", note=text, channel=text)
    finding = Finding(criterion=text, met="met", reason=text, evidence=(there, lost), stated="unclear")
    return Verdict(
        verdict_id=key(text), transcript_id=about.id, source=about.source.label, rubric=RUBRIC, judge=text, level=text,
        positive=True, severity=1, findings=(finding,), coverage=Coverage(seen=1, total=2), flags=(text,),
        stated_level=text, initiative=text,
    )  # fmt: skip


def alone(text: str) -> Verdict:
    """A case of its own that is called by this text, without a verdict."""
    return Verdict(
        verdict_id=f"alone {key(text)}",
        transcript_id=text,
        source=text,
        rubric=text,
        judge=text,
        status="error",
        error=text,
    )


def matter(texts: Sequence[str], about: Transcript) -> list[Dispute | Review | Decision]:
    """One dispute that holds every text, reviewed by every name and decided; and one dispute for each text."""
    every = "\n".join(texts)
    quotes = tuple(Evidence(message_id=text, quote=text, match="exact") for text in texts)
    verdict_id = key(texts[0])
    common = {"verdict_id": verdict_id, "transcript_id": about.id, "rubric": RUBRIC, "created_at": "2026-01-01"}
    found: list[Dispute | Review | Decision] = [
        Dispute(dispute_id="0" * 20, judge=every, by=every, claim=every, criterion=every, proposed=every, level=every,
                status=every, evidence=quotes, **common)
    ]  # fmt: skip
    found += [
        Review(dispute_id="0" * 20, by=text, level=f"{text}!", answers={text: "met"}, severity=1, confidence=1,
               rationale=text, evidence=(quotes[0],), created_at=text)
        for text in texts
    ]  # fmt: skip
    stale = Stale(certificates=tuple(texts), guideline="f" * 64)
    found.append(
        Decision(dispute_id="0" * 20, judge=every, by=every, reason="judge_wrong", outcome="overturned", level=every,
                 rationale=every, evidence=quotes, guideline_gap=True, stale=stale, **common)
    )  # fmt: skip
    found += [
        Dispute(dispute_id=key(text), judge=text, by=text, claim=text, status="ok", **{**common, "created_at": text})
        for text in texts
    ]
    return found


def elements(tab: Tab) -> Counter[str]:
    """How often each kind of element stands on the page: its name, its class, the names of its attributes."""
    code = """
    const skipped = arguments[0];
    return [...document.querySelectorAll('*')].map((e) => [e.namespaceURI.slice(-4), e.tagName, e.getAttribute('class'),
      ...e.getAttributeNames().filter((name) => !skipped.includes(name)).sort()].join(' '));
    """
    return Counter(tab.js(code, list(CLASHES)))


def visit(desktop: Desktop, mode: str) -> dict[str, Counter[str]]:
    """Open every page as somebody who reads or labels, everything on it unfolded and fetched."""
    tab = desktop.tab("mira", mode)
    seen: dict[str, Counter[str]] = {}

    def look(name: str) -> None:
        assert tab.js(f"return window.{CANARY}") is None, name
        assert not tab.dialog_opened(), name
        assert tab.js("return document.title.length") > 0
        seen[name] = elements(tab)

    pages = -(-(len(TEXTS) + 1) // 200)
    for page in range(1, pages + 1):
        tab.go(f"/?page={page}").wait_for("body.queue")
        look(f"queue {page}")
    tab.go("/?show=disputed&rubric=" + RUBRIC).wait_for("body.queue")
    if mode == "label":
        tab.go("/?rubric=" + RUBRIC)
    tab.js("document.querySelector('.cases .row a').click()")
    tab.wait_for("body.case").wait_for("form[data-ready]" if mode == "label" else "#votes")
    tab.js("document.querySelectorAll('details:not(.vote)').forEach((e) => { e.open = true; })")
    while tab.js("return document.querySelectorAll('.chunk[data-first]').length"):
        left = tab.js(
            "const c = document.querySelector('.chunk[data-first]'); c.scrollIntoView(); return c.dataset.first"
        )
        tab.wait("document.querySelector('.chunk[data-first]')?.dataset.first !== arguments[0]", left)
    tab.press("j", "j", "]", "/").press("<script>").wait(
        "/ of |not found/.test(document.querySelector('#found').textContent)"
    )
    look("case")
    for name, path in (("disputes", "/disputes"), ("dispute", f"/dispute/{'0' * 20}"), ("lost", f"/case/{'0' * 20}")):
        tab.go(path).wait_for("main")
        look(name)
    return seen


def test_there_are_more_than_five_hundred_texts() -> None:
    """The generator gives at least 500 different texts."""
    assert len(set(TEXTS)) >= 500


@pytest.mark.parametrize(("mode", "half"), [("read", 0), ("label", 1)])
def test_no_text_becomes_anything_but_text(chrome: Chrome, tmp_path: Path, mode: str, half: int) -> None:
    """No script runs, nothing is asked of another host, and every page has the elements that plain words give it."""
    worlds = {}
    for name, texts in (("hostile", TEXTS), ("plain", PLAIN)):
        write_world(tmp_path / name, texts, half)
        with start_desktop(chrome, tmp_path / name, workspace=tmp_path / name, masked=False) as desktop:
            worlds[name] = visit(desktop, mode)
            desktop.check()
    for page, plain in worlds["plain"].items():
        assert worlds["hostile"][page] == plain, page
