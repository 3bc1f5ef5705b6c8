"""`judge report`, `judge show --html` and the demo, as a user runs them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from judge.cli.main import app
from judge.errors import InputError, IntegrityError
from judge.gold.labels import append_labels
from judge.ledger.decisions import Dispute, to_entry
from judge.ledger.opening import open_ledger
from report.material import labels, rows, verdict

RUN = CliRunner()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with the rows of the material."""
    with open_ledger(tmp_path / "ledger.db") as book:
        book.append(rows())
    append_labels(tmp_path / "labels.jsonl", labels())
    return tmp_path / "ledger.db"


def run(*arguments: object) -> str:
    done = RUN.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert 0 == done.exit_code, done.output
    return done.stdout


def test_report_is_one_file_with_the_head_of_the_ledger(ledger: Path) -> None:
    """The page names the chain's end, so that a reader can check that nothing was changed since."""
    page = ledger.parent / "deep" / "report.html"
    assert "" == run("report", "--ledger", ledger, "--labels", ledger.parent / "labels.jsonl", "--to", page, "--quiet")
    text = page.read_text(encoding="utf-8")
    with open_ledger(ledger) as book:
        assert book.head().sha256 in text
    assert text.startswith("<!doctype html>")
    assert "pay or else" in text


@pytest.mark.parametrize("here", [0, 10_000])
def test_no_report_is_made_of_a_ledger_that_was_changed(
    ledger: Path, here: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One letter of one verdict is enough, whether the chain is checked in this process or, as a long one, beside it."""
    monkeypatch.setattr("judge.cli.report.CHECKED_HERE", here)
    page = ledger.parent / "report.html"
    run("report", "--ledger", ledger, "--to", page)
    page.unlink()
    with closing(sqlite3.connect(ledger)) as raw, raw:
        guards = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            raw.execute(f"DROP TRIGGER {name}")
        [(body,)] = raw.execute("SELECT body FROM entry WHERE seq = 2").fetchall()
        raw.execute("UPDATE entry SET body = ? WHERE seq = 2", (body.replace("m", "M", 1),))
        for _, sql in guards:
            raw.execute(sql)
    done = RUN.invoke(app, ["report", "--ledger", str(ledger), "--to", str(page)])
    assert isinstance(done.exception, IntegrityError)
    assert "entry 2" in str(done.exception)
    assert not page.exists()


def test_json_marks_what_is_not_ours(ledger: Path) -> None:
    """The machine-readable report is one object on stdout that names the fields that hold words of transcripts."""
    found = json.loads(run("report", "--ledger", ledger, "--json"))
    assert 13 == found["scope"]["positive"]
    assert "cases[].points[].quotes[].quote" in found["untrusted"]


def test_markdown_goes_to_stdout(ledger: Path) -> None:
    """Markdown is for piping, and needs no file."""
    assert run("report", "--ledger", ledger, "--md").startswith("# `Judge report`")


def test_tables_are_written_beside(ledger: Path) -> None:
    """`--csv` writes the tables as files as well."""
    run("report", "--ledger", ledger, "--csv", ledger.parent / "tables", "--to", ledger.parent / "r.html")
    assert (ledger.parent / "tables" / "rates.csv").is_file()


def test_md_and_json_exclude_each_other(ledger: Path) -> None:
    """Two forms at once are an error, not a guess."""
    with pytest.raises(InputError, match="one of them"):
        run("report", "--ledger", ledger, "--md", "--json")


def test_show_writes_the_page_of_a_case(ledger: Path) -> None:
    """One verdict is a page of its own, on stdout or in a file."""
    one = verdict(0, positive=True).verdict_id
    assert run("show", one, "--ledger", ledger, "--html").startswith("<!doctype html>")
    run("show", one, "--ledger", ledger, "--html", "--to", ledger.parent / "case.html")
    assert "pay or else" in (ledger.parent / "case.html").read_text(encoding="utf-8")


def test_show_page_holds_the_disputes_of_the_ledger(ledger: Path) -> None:
    """What was said against a verdict is on its page, and not on that of another one."""
    one, other = verdict(0, positive=True), verdict(3, positive=True)
    claim = Dispute(
        dispute_id="d" * 20, verdict_id=one.verdict_id, transcript_id=one.transcript_id, rubric=one.rubric, judge=one.judge,
        level="enacted", status="ok", by="mira", claim="It was <b>quoted</b>.", created_at="2026-01-02T00:00:00+00:00",
    )  # fmt: skip
    with open_ledger(ledger) as book:
        book.append([to_entry(claim)])
    page = run("show", one.verdict_id, "--ledger", ledger, "--html")
    assert "It was &lt;b&gt;quoted&lt;/b&gt;." in page
    assert "Waits for a second, blind look." in page
    assert "quoted" not in run("show", other.verdict_id, "--ledger", ledger, "--html")


def test_secrets_are_shown_only_when_asked_for(tmp_path: Path) -> None:
    """Report and case page mask a key by default, and have it with --show-secrets."""
    key = "AKIA" + "Q2W3E4R5T6Y7U8I9"
    from judge.ledger.verdict import Evidence, Finding

    quote = Evidence(message_id="m1", quote=f"use {key}", match="exact", admissible=True)
    given = verdict(1, positive=True, findings=(Finding(criterion="c", met="met", reason="", evidence=(quote,)),))
    with open_ledger(tmp_path / "ledger.db") as book:
        book.append([given])
    for command in (["show", given.verdict_id, "--html"], ["report", "--md"], ["report", "--json"]):
        assert key not in run(*command, "--ledger", tmp_path / "ledger.db")
        assert key in run(*command, "--ledger", tmp_path / "ledger.db", "--show-secrets")


def test_demo_writes_a_report_that_says_what_its_labels_are_worth(tmp_path: Path) -> None:
    """The demo leaves a ledger, labels and a report that is marked as standing on constructed labels."""
    run("demo", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Constructed labels certify nothing" in page
    assert "Judge against labels" in page
    again = json.loads(
        run(
            "report",
            "--ledger",
            tmp_path / "out" / "ledger.db",
            "--labels",
            tmp_path / "out" / "labels.jsonl",
            "--json",
        )
    )
    assert 2 == len(again["accuracy"])
