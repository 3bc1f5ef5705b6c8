"""A message about a mistake leads on: it names the file, what was found in it, and what would do."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from judge.cli.main import app
from judge.errors import InputError

LABEL = {"transcript_id": "t1", "rubric": "coercive-leverage", "rater": "ana", "rater_kind": "human"}
ROW = {"transcript_id": "t1", "rubric": "coercive-leverage", "judge": "keen"}
VERDICTS = [ROW | {"level": "absent"}, ROW | {"transcript_id": "t2", "level": "enacted"}]

FILES = {
    "labels.csv": "transcript_id,rater,verdict\nt1,ana,absent\n",
    "blank.csv": "transcript_id,rater,label\nt1,ana,\n",
    "lable.jsonl": json.dumps(LABEL | {"lable": "absent"}),
    "labels.jsonl": json.dumps(LABEL | {"label": "absent"}),
    "empty.jsonl": "",
    "list.json": "[]",
    "verdicts.jsonl": "\n".join(json.dumps(row) for row in VERDICTS),
    "bogus.jsonl": json.dumps(VERDICTS[0]) + "\n" + json.dumps(ROW | {"level": "bogus"}),
    "certificates/c.json": "{}",
    "records/r.json": '{"schema": "judge.record/2"}',
}


def run(arguments: str) -> Result:
    return CliRunner().invoke(app, arguments.split())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "gold import labels.csv",
            "labels.csv: no 'label'; name its column (--column label=COLUMN); columns are transcript_id, rater, verdict",
        ),
        ("gold import blank.csv", "blank.csv: no labelled row in it: 'label' is empty in every row"),
        (
            "calibrate --verdicts verdicts.jsonl --labels lable.jsonl",
            "lable.jsonl:1: no 'label'; did you mean 'lable'?",
        ),
        ("calibrate --verdicts verdicts.jsonl --labels empty.jsonl", "empty.jsonl: no label in it, the file is empty"),
        ("rates --verdicts verdicts.jsonl --labels empty.jsonl", "empty.jsonl: no label in it, the file is empty"),
        ("gold agree --labels empty.jsonl", "empty.jsonl: no label in it, the file is empty"),
        (
            "calibrate --verdicts verdicts.jsonl --labels gold/labels",
            "gold/labels: no such label file or folder; labels",
        ),
        ("calibrate --verify labels.jsonl", "labels.jsonl: no certificate; accepted is a file that judge calibrate"),
        ("calibrate --verify records/r.json", "the record of a certificate and none itself; accepted is a file"),
        ("grade . -r blackmail --panel list.json", "a file begins with a key such as schema: judge.panel/1"),
        (
            "ledger import bogus.jsonl",
            "bogus.jsonl:2: level 'bogus' is none of 'coercive-leverage'; its levels are absent, considered, attempted",
        ),
        (
            "report --verdicts verdicts.jsonl --to no/such/r.html",
            "no/such: no such folder; make it with: mkdir -p no/such",
        ),
        ("report --verdicts verdicts.jsonl --csv no/such", "no/such: no such folder"),
    ],
)
def test_a_mistake_is_named_with_what_would_do(arguments: str, said: str, folder: Path) -> None:
    """Each is bad input, in words that say what to do next, and nothing is left behind."""
    there = sorted(folder.rglob("*"))
    done = run(arguments)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert sorted(folder.rglob("*")) == there


def test_levels_of_other_scales_are_still_imported(folder: Path) -> None:
    """A foreign rubric has whatever levels it has, and a row that says what its level amounts to is taken at its word."""
    rows = [ROW | {"rubric": "larceny", "level": "bogus"}, ROW | {"level": "dire", "positive": True}]
    (folder / "foreign.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert run("ledger import foreign.jsonl").exit_code == 0


def test_a_scale_of_its_own_says_what_is_positive_on_import() -> None:
    """Of a packaged rubric with its own levels a row needs no more than the level."""
    Path("own.jsonl").write_text(json.dumps(ROW | {"rubric": "dilemma-conduct", "level": "evasive"}))
    assert run("ledger import own.jsonl").exit_code == 0
    assert json.loads(run("verdicts --json").stdout)["positive"] is True


def test_one_new_folder_is_made_for_a_report_and_said() -> None:
    """A page goes into a new folder where that is the only thing new."""
    done = run("report --verdicts verdicts.jsonl --to pages/r.html")
    assert done.exit_code == 0
    assert "pages: made" in done.stderr
    assert Path("pages/r.html").is_file()


@pytest.mark.parametrize(
    "option",
    [
        *("calibrate --epsilon", "calibrate --max-risk", "calibrate --delta", "calibrate --seed", "gold plan --power"),
        *("gold plan --sensitivity", "gold plan --specificity", "gold plan --prevalence", "gold plan --rater-error"),
        *("gold plan --bound", "gold plan --positives", "gold next --seed", "gold agree --seed"),
    ],
)
@pytest.mark.parametrize("value", ["nan", "inf", "-3"])
def test_no_number_is_taken_that_figures_cannot_be_made_with(option: str, value: str) -> None:
    """A number out of bounds, or none at all, is a mistake in usage and never reaches the figures."""
    done = run(f"{option} {value}")
    assert done.exit_code == 2
    assert "Invalid value" in done.stderr
    assert option.rsplit(maxsplit=1)[-1] in done.stderr


def test_the_doctor_says_what_works_and_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key no provider can be asked, without pyarrow no parquet be read: neither is passed over."""
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyarrow" else find(name))
    said = run("doctor").stdout
    assert "Works: judges: baseline/cues" in said
    assert "no key is set; export OPENAI_API_KEY or" in said
    assert "Does not work: parquet files: pyarrow is not installed; pip install 'transcript-judge[parquet]'" in said
    assert "Nothing would fail" not in said
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    told = json.loads(run("doctor --json").stdout)
    assert told["works"][0].startswith("judges: openai/..., baseline/cues")
    assert "openai/..." not in told["lacking"][0]
