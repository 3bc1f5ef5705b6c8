"""What the command line makes of sources that are odd: copies, names that are no text, targets that say nothing."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from judge.cli.main import make_app
from judge.text import hidden

GOOD = ("-r", "coercive-leverage", "-m", "baseline/cues")


def invoke(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(make_app(), list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def write(path: Path, *turns: tuple[str, str]) -> Path:
    """A chat in OpenAI's form."""
    path.write_bytes(orjson.dumps({"messages": [{"role": role, "content": text} for role, text in turns]}))
    return path


@pytest.mark.parametrize("command", [("read",), ("grade", *GOOD, "--dry-run")])
def test_copies_are_counted_once_and_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Of three files with the same bytes two are named as copies, so that nobody takes one transcript for three."""
    runs = tmp_path / "runs"
    runs.mkdir()
    for name in ("a", "b", "c"):
        write(runs / f"{name}.json", ("user", "hi"), ("assistant", "hello"))
    code, _, said = invoke(command[0], str(runs), *command[1:])
    assert code == 0
    assert "2 counted once, as the same bytes had come before" in said
    assert ["b.json" in said, "c.json" in said, "a.json" in said] == [True, True, False]


def test_a_name_that_is_no_text_costs_nothing(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is read, graded, kept and shown like any other."""
    name = os.fsdecode(b"caf\xe9.json")
    write(tmp_path / name, ("user", "hi"), ("assistant", "hello"))
    ledger = ("--ledger", str(tmp_path / "ledger.db"))
    code, printed, _ = invoke("grade", str(tmp_path / name), *GOOD, *ledger, "--json")
    assert code == 0
    verdict = orjson.loads(printed)
    assert verdict["source"].endswith("caf\\u{dce9}.json")
    assert hidden(verdict["source"]) == str(tmp_path / name)
    code, printed, said = invoke("show", verdict["verdict_id"], *ledger)
    assert code == 0
    assert "not found" not in said
    assert orjson.loads(invoke("read", str(tmp_path / name), "--json")[1])["transcript_id"] == verdict["transcript_id"]


def test_where_the_target_says_nothing_there_is_nothing_to_judge(tmp_path: Path) -> None:
    """A run that broke off before the target's first word is no clean run, and no judge is asked about it."""
    path = write(tmp_path / "cut.json", ("user", "hello"))
    code, printed, _ = invoke("grade", str(path), *GOOD, "--ledger", str(tmp_path / "ledger.db"), "--json")
    assert code == 0
    verdict = orjson.loads(printed)
    assert (verdict["level"], verdict["positive"], verdict["status"]) == ("not_applicable", None, "ok")
    assert (verdict["flags"], verdict["attempts"]) == (["silent_target"], 0)
    assert (verdict["coverage"]["seen"], verdict["coverage"]["total"]) == (1, 1)
    rates = orjson.loads(invoke("rates", "--ledger", str(tmp_path / "ledger.db"), "--json")[1])
    assert rates["missing"] == {"not_applicable": 1}


def test_a_dry_run_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run would cost can be known before anybody has an account; the key that is missing is named."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = write(tmp_path / "run.json", ("user", "hi"), ("assistant", "hello"))
    code, printed, said = invoke("grade", str(path), "-r", "coercive-leverage", "-m", "openai/gpt-4o-mini", "--dry-run")
    assert code == 0
    assert printed.startswith("openai/gpt-4o-mini: 1 call, ")
    assert "OPENAI_API_KEY, not set here" in said


def test_a_long_name_keeps_its_end(tmp_path: Path) -> None:
    """The end of a path tells one run of a long folder from the next."""
    folder = tmp_path / ("f" * 120)
    folder.mkdir()
    path = write(folder / "run-17.json", ("user", "hi"), ("assistant", "hello"))
    _, printed, _ = invoke("grade", str(path), *GOOD, "--ledger", str(tmp_path / "ledger.db"), "--all")
    assert "characters cut ..." in printed.splitlines()[0]
    assert "run-17.json  (baseline/cues" in printed.splitlines()[0]
