"""Commands that select or take in rows say what there is, where what was asked for is not."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from judge.cli.main import app
from judge.errors import InputError
from judge.gold.sources import find_source

ROW = {"transcript_id": "t1", "rubric": "larceny", "judge": "keen", "level": "dire", "positive": True}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A ledger with one verdict on a scale of its own."""
    (tmp_path / "v.jsonl").write_text(json.dumps(ROW))
    path = str(tmp_path / "ledger.db")
    assert run("ledger", "import", str(tmp_path / "v.jsonl"), "--ledger", path).exit_code == 0
    return path


def test_a_level_that_is_none_is_named(ledger: str) -> None:
    """A misspelt level is an error that lists the levels; one that exists but was not given is an empty list."""
    wrong = run("verdicts", "--level", "enactde", "--ledger", ledger)
    assert isinstance(wrong.exception, InputError)
    assert "enacted" in str(wrong.exception)
    assert "dire" in str(wrong.exception)
    assert run("verdicts", "--level", "enacted", "--ledger", ledger).stdout == ""
    assert "larceny" in run("verdicts", "--level", "dire", "--ledger", ledger).stdout


def test_a_file_without_rows_is_no_import(tmp_path: Path) -> None:
    """An empty file is an error, and leaves no ledger behind."""
    (tmp_path / "empty.jsonl").write_text("\n")
    done = run("ledger", "import", str(tmp_path / "empty.jsonl"), "--ledger", str(tmp_path / "new.db"))
    assert isinstance(done.exception, InputError)
    assert "no verdict row" in str(done.exception)
    assert not (tmp_path / "new.db").exists()


def test_a_ledger_without_verdicts_is_not_calibrated_on_nothing(tmp_path: Path) -> None:
    """Calibrating an empty file of verdicts says that there is nothing in it."""
    (tmp_path / "empty.jsonl").write_text("")
    done = run("calibrate", "--verdicts", str(tmp_path / "empty.jsonl"), "--labels", str(tmp_path))
    assert isinstance(done.exception, InputError)


@pytest.mark.parametrize(
    ("given", "meant"), [("lie_detector", "lie-detector"), ("R_JUDGE", "r-judge"), ("xtest", "xstest")]
)
def test_a_set_by_nearly_its_name_is_guessed(given: str, meant: str) -> None:
    """Underscores, capitals and slips lead to the name that is meant."""
    with pytest.raises(InputError, match=f"did you mean '{meant}'"):
        find_source(given)


def test_exported_labels_hold_no_formulas_and_say_so_in_json() -> None:
    """--json is JSONL, --csv has no cell that a spreadsheet would run, and both at once are refused."""
    rows = list(csv.reader(io.StringIO(run("gold", "export", "--csv").stdout)))
    assert len(rows) > 300
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r\n")]
    assert "transcript_id" in json.loads(run("gold", "export", "--json").stdout.splitlines()[0])
    assert isinstance(run("gold", "export", "--json", "--csv").exception, InputError)


OURS = [
    {"transcript_id": f"t{n}", "rubric": "coercive-leverage", "judge": "keen", "level": level}
    for n, level in enumerate(("enacted", "enacted", "absent", "absent"))
]


@pytest.fixture
def rows(tmp_path: Path) -> list[str]:
    """Verdicts on a packaged rubric and on a foreign one, and labels on both, as options."""
    verdicts, labels = tmp_path / "v.jsonl", tmp_path / "l.jsonl"
    foreign = [{**row, "rubric": "larceny"} for row in OURS]
    verdicts.write_text("".join(json.dumps(row) + "\n" for row in OURS + foreign))
    said = [
        {**row, "label": row["level"], "rater": rater, "rater_kind": "human"}
        for row in OURS + foreign
        for rater in ("ana", "bo")
    ]
    kept = ("transcript_id", "rubric", "label", "rater", "rater_kind")
    labels.write_text("".join(json.dumps({name: row[name] for name in kept}) + "\n" for row in said))
    return ["--verdicts", str(verdicts), "--labels", str(labels)]


@pytest.mark.parametrize("command", ["rates", "calibrate", "gold agree", "gold audit", "report --json"])
@pytest.mark.parametrize(("given", "meant"), [("blackmail", "coercive-leverage"), ("larceny", "larceny")])
def test_a_rubric_is_chosen_by_its_everyday_name_wherever_rows_are(
    command: str, given: str, meant: str, rows: list[str]
) -> None:
    """What grade accepts is accepted of verdicts and labels too; a name that is nobody's alias means itself."""
    done = run(*command.split(), *rows, "-r", given, "--positive", "enacted")
    assert done.exit_code in (0, 1), done.exception  # gold audit ends with 1 where it finds a fault, as it does here
    other = {"coercive-leverage", "larceny"} - {meant}
    assert meant in done.stdout
    assert not any(name in done.stdout for name in other)


def test_the_ledger_knows_everyday_names_and_packs(tmp_path: Path) -> None:
    """Listing, exporting and choosing what to label take the names that grading takes; a name of nothing is still refused."""
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in OURS))
    where = ("--ledger", str(tmp_path / "ledger.db"))
    assert run("ledger", "import", str(tmp_path / "v.jsonl"), *where).exit_code == 0
    for name in ("blackmail", "default", "coercive-leverage"):
        for command in (("verdicts",), ("ledger", "export"), ("gold", "next")):
            done = run(*command, "-r", name, *where)
            assert done.exit_code == 0, done.exception
            assert len(done.stdout.splitlines()) == len(OURS)
    assert "'blackmale'" in str(run("verdicts", "-r", "blackmale", *where).exception)
