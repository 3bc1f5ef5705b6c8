"""A mistake at the command line does not use up the one look at the test split."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from build import transcript
from judge.cli.main import app
from judge.errors import InputError
from judge.ledger.opening import open_ledger
from judge.transcripts.canonical import encode
from judge.workspace import packaged_data


def test_verdicts_on_other_transcripts_open_nothing(tmp_path: Path) -> None:
    """Certifying on a gold set that none of the verdicts is about is refused before the split is opened."""
    (tmp_path / "t.jsonl").write_bytes(encode(transcript(("user", "hi"), ("target", "hello"))) + b"\n")
    where = str(tmp_path / "ledger.db")
    common = ["-r", "coercive-leverage", "-m", "baseline/cues", "--ledger", where]
    assert 0 == CliRunner().invoke(app, ["grade", str(tmp_path / "t.jsonl"), *common]).exit_code
    gold = ["--gold", str(packaged_data() / "gold"), "--to", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["calibrate", "--certify", *common, *gold])
    assert isinstance(done.exception, InputError)
    assert "nothing was opened" in str(done.exception)
    with open_ledger(where, read_only=True) as book:
        assert {"verdict": 1} == book.kinds()
