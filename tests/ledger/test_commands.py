"""`judge ledger verify | export | import` as a user runs them."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from judge.cli.main import main
from judge.ledger.opening import open_ledger
from ledger.support import make_call, make_verdict

ROW = {"transcript_id": "t1", "rubric": "coercive-leverage", "judge": "theirs", "level": "enacted", "team": "red"}


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run `judge ledger ...` in the test's folder as its console script does."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, given: str = "") -> Done:
        monkeypatch.setattr("sys.argv", ["judge", "ledger", *arguments])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def head(path: Path) -> str:
    """The head of a ledger with three entries in ledger.db."""
    with open_ledger(path) as ledger:
        return ledger.append([make_call(1), make_verdict(1), make_verdict(2, "refused")]).head.sha256


def test_verify_prints_the_head_to_note(judge: Callable[..., Done], tmp_path: Path, head: str) -> None:
    """A sound ledger ends with 0; the figures are on stdout, the advice on stderr."""
    done = judge("verify", "--expect", head)
    assert (done.returncode, head in done.stdout, "--expect HEAD" in done.stderr) == (0, True, True)
    assert "3 (1 call, 2 verdict)" in done.stdout


def test_verify_json_is_one_object_and_nothing_else(judge: Callable[..., Done], tmp_path: Path, head: str) -> None:
    """With --json stdout is the report and stderr is silent."""
    done = judge("verify", "--json")
    report = json.loads(done.stdout)
    assert (report["ok"], report["rows"], report["verdicts"], report["head"]) == (True, 3, 2, head)
    assert (done.returncode, done.stderr, report["kinds"]) == (0, "", {"call": 1, "verdict": 2})


def test_a_changed_ledger_ends_with_5(judge: Callable[..., Done], path: Path, head: str) -> None:
    """After an edit the exit code is 5, the entry is named, and --json still prints the report."""
    raw = sqlite3.connect(path)
    ((guard,),) = raw.execute("SELECT sql FROM sqlite_master WHERE name = 'entry_UPDATE_refused'").fetchall()
    raw.execute("DROP TRIGGER entry_UPDATE_refused")
    raw.execute("UPDATE entry SET body = replace(body, 'Odalys', 'nobody') WHERE seq = 2")
    raw.execute(guard)
    raw.commit()
    raw.close()
    done = judge("verify", "--json", "--expect", head)
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["fault"]["seq"]) == (5, False, 2)
    assert "entry 2: changed, moved or replaced" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_ledger_ends_with_2(judge: Callable[..., Done], tmp_path: Path) -> None:
    """Without a ledger every command that reads one says so."""
    for command in ("verify", "export"):
        done = judge(command, "--ledger", "none.db")
        assert (done.returncode, done.stdout) == (2, "")
        assert "none.db: no ledger there" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_export_and_import_are_a_way_from_one_ledger_to_another(
    judge: Callable[..., Done], tmp_path: Path, head: str
) -> None:
    """Rows go to stdout or a file, and come in from stdin or a file."""
    exported = judge("export")
    assert [json.loads(line)["status"] for line in exported.stdout.splitlines()] == ["ok", "refused"]
    to_file = judge("export", "--to", "rows.jsonl", "--json")
    assert (to_file.stdout, to_file.stderr) == ("", "")
    assert (tmp_path / "rows.jsonl").read_text() == exported.stdout
    first = judge("import", "rows.jsonl", "--ledger", "second.db")
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "2 verdicts added, 0 there already\n")
    again = judge("import", "-", "--ledger", "second.db", "--json", given=exported.stdout)
    assert {name: json.loads(again.stdout)[name] for name in ("written", "present")} == {"written": 0, "present": 2}
    assert judge("export", "--ledger", "second.db").stdout == exported.stdout
    assert judge("export", "-r", "another", "-q").stdout == ""


def test_import_says_what_it_did_not_understand(judge: Callable[..., Done], tmp_path: Path) -> None:
    """Repeated rows and unknown fields are told; a row that cannot be used ends with 2 and makes no ledger."""
    done = judge("import", "-", given=f"{json.dumps(ROW)}\n" * 2)
    assert "1 row repeated" in done.stderr
    assert "kept for grouping: team" in done.stderr
    bad = judge("import", "-", "--ledger", "new.db", given='{"label": "yes"}\n')
    assert (bad.returncode, bad.stdout, (tmp_path / "new.db").exists()) == (2, "", False)
    assert "-:1: no 'transcript_id'" in bad.stderr


def test_an_export_that_cannot_be_written_is_a_clean_error(
    judge: Callable[..., Done], tmp_path: Path, head: str
) -> None:
    """A target folder that is not there ends with 2 and says what to change."""
    done = judge("export", "--to", "missing/rows.jsonl")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
