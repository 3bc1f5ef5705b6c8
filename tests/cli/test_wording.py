"""What the command line says is true of what happened: names that are not there, counts, settings, hostile imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from build import transcript
from judge.text import counted
from judge.transcripts.canonical import encode

GOOD = ["-r", "coercive-leverage", "-m", "baseline/cues"]


def judge(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "judge", *arguments],
        capture_output=True, text=True, cwd=cwd, env=clean, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one transcript, graded twice by one judge."""
    folder = tmp_path_factory.mktemp("graded")
    (folder / "good.jsonl").write_bytes(encode(transcript(("user", "hi"), ("target", "hello"))) + b"\n")
    done = judge("grade", "good.jsonl", *GOOD, "--samples", "2", cwd=folder)
    assert 0 == done.returncode, done.stderr
    assert "coercive-leverage: 2 answers on 1 transcript: 2 absent" in done.stderr
    return folder


def test_a_count_agrees_with_its_noun() -> None:
    """One is singular; none and many are plural."""
    assert ["0 calls", "1 call", "2 calls"] == [counted(number, "call") for number in range(3)]
    assert "1,200 entries" == counted(1200, "entry", "entries")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["verdicts", "--positive", "-r", "blackmale"],
            "no verdict with the rubric 'blackmale'; there are coercive-lev",
        ),
        (["verdicts", "-m", "openai/x"], "no verdict with the judge 'openai/x'; there are baseline/cues"),
        (["verdicts", "--transcript", "t9"], "no verdict with the transcript_id 't9'"),
        (["ledger", "export", "-r", "larceny"], "no verdict with the rubric 'larceny'"),
        (["rates", "--by", "modle"], "--by 'modle': no verdict has this field; fields are none"),
        (["rates", "--cluster", "family"], "--cluster 'family': no verdict has this field"),
        (["calibrate", "--kind", "humans"], "--kind 'humans': no such rater kind; kinds are human, ai, constructed"),
    ],
)
def test_a_name_that_the_ledger_lacks_does_not_read_as_nothing_found(
    graded: Path, arguments: list[str], said: str
) -> None:
    """A rubric that nothing was graded on is an error, not a list of no positives."""
    done = judge(*arguments, cwd=graded)
    assert 2 == done.returncode
    assert said in done.stderr
    assert "" == done.stdout


def test_an_imported_row_acts_on_no_terminal(graded: Path) -> None:
    """Escapes in the ids of a row from elsewhere are printed as visible escapes."""
    row = json.loads(judge("verdicts", "--json", cwd=graded).stdout.splitlines()[0])
    row |= {"rubric": "kind\x1b[2J", "transcript_id": "t\x1b[31m", "positive": True, "level": "bad\x1b[5m"}
    row["findings"] = [
        {
            "criterion": "harm\x1b[7m",
            "met": "met",
            "reason": "said so",
            "evidence": [{"message_id": "m1\x1b[1m", "quote": "hello", "match": "exact", "admissible": True}],
        }
    ]
    (graded / "foreign.jsonl").write_text(json.dumps(row) + "\n")
    assert 0 == judge("ledger", "import", "foreign.jsonl", "--ledger", "foreign.db", cwd=graded).returncode
    (kept,) = [
        json.loads(line)
        for line in judge("verdicts", "--json", "--ledger", "foreign.db", cwd=graded).stdout.splitlines()
    ]
    for command in (["verdicts"], ["show", kept["verdict_id"]]):
        done = judge(*command, "--ledger", "foreign.db", cwd=graded)
        assert 0 == done.returncode, done.stderr
        assert "kind\\u{1b}[2J" in done.stdout
        assert "\x1b" not in done.stdout + done.stderr


def test_what_cannot_be_written_is_one_line(graded: Path) -> None:
    """A folder that is not there ends in a message that names it, never in a traceback."""
    done = judge("gold", "export", "--to", "nothere/rows.jsonl", cwd=graded)
    assert 2 == done.returncode
    assert "nothere/rows.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_settings_of_a_workspace_are_used(graded: Path, tmp_path: Path) -> None:
    """Rubrics and models come from judge.toml where no option is given; an unknown setting is named."""
    assert json.loads(judge("init", "ws", "--json", cwd=tmp_path).stdout)["workspace"] == "ws"
    source, settings = str(graded / "good.jsonl"), tmp_path / "ws" / "judge.toml"
    done = judge("grade", source, cwd=tmp_path / "ws")
    assert (2, True) == (done.returncode, "no rubrics to grade with" in done.stderr), done.stderr
    settings.write_text('[grade]\nrubrics = ["coercive-leverage"]\nmodels = ["baseline/cues"]\nconcurrency = 2\n')
    done = judge("grade", source, cwd=tmp_path / "ws")
    assert 0 == done.returncode, done.stderr
    assert "coercive-leverage: 1 transcript: 1 absent" in done.stderr
    settings.write_text('[grade]\nrubric = ["coercive-leverage"]\n')
    done = judge("grade", source, cwd=tmp_path / "ws")
    assert 2 == done.returncode
    assert "no setting 'rubric'; settings are rubrics, models, concurrency" in done.stderr


def test_a_dry_run_says_what_could_not_be_read(tmp_path: Path) -> None:
    """A broken file fails the preview as it would fail the run."""
    (tmp_path / "broken.json").write_text('{"messages": [')
    assert 1 == judge("grade", ".", *GOOD, "--dry-run", cwd=tmp_path).returncode
