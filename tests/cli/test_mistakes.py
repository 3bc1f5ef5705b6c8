"""Ordinary mistakes get one clear line and the documented exit code."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from build import transcript
from judge.transcripts.canonical import encode

GOOD = ["-r", "coercive-leverage", "-m", "baseline/cues"]


def judge(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "judge", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean, **env},
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.jsonl").write_bytes(encode(transcript(("user", "hi"), ("target", "hello"))) + b"\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text('{"messages": [\n  {"role": "user", "content": "hi"},\n  {"role": }\n]}')
    (tmp_path / "deep.json").write_text("[" * 10_000 + "]" * 10_000)
    (tmp_path / "data.pkl").write_bytes(pickle.dumps({"messages": []}))
    with zipfile.ZipFile(tmp_path / "bomb.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        archive.writestr("samples/a_epoch_1.json", b" " * (300 * 1024 * 1024))
    return tmp_path


class Mistake(NamedTuple):
    name: str
    arguments: list[str]
    code: int
    said: str


MISTAKES = [
    Mistake("a missing file", ["grade", "nothere.json", *GOOD], 2, r"nothere\.json.*no such file"),
    Mistake("an empty folder", ["grade", "empty", *GOOD], 2, "empty.*no files"),
    Mistake("broken JSON", ["grade", "broken.json", *GOOD], 2, r"broken\.json.*line 3.*byte"),
    Mistake(
        "JSON 10,000 deep",
        ["grade", "deep.json", *GOOD],
        2,
        r"deep\.json.*depth 101 is over the limit of 100.*--limits depth=101",
    ),
    Mistake("a pickle", ["grade", "data.pkl", *GOOD], 2, r"data\.pkl.*pickle"),
    Mistake("a zip bomb", ["grade", "bomb.eval", *GOOD], 2, r"bomb\.eval.*(expand|ratio|200)"),
    Mistake(
        "an unknown rubric",
        ["grade", "good.jsonl", "-r", "coercive-leverge", "-m", "baseline/cues"],
        2,
        "coercive-leverge.*coercive-leverage",
    ),
    Mistake("no provider", ["grade", "good.jsonl", "-r", "coercive-leverage", "-m", "gpt-5"], 2, "provider/model"),
    Mistake(
        "an unknown provider",
        ["grade", "good.jsonl", "-r", "coercive-leverage", "-m", "opnai/gpt-5"],
        2,
        "unknown provider 'opnai'",
    ),
    Mistake(
        "no key",
        ["grade", "good.jsonl", "-r", "coercive-leverage", "-m", "openai/gpt-5"],
        2,
        "OPENAI_API_KEY not set",
    ),
    Mistake(
        "an unknown embedded judge",
        ["grade", "good.jsonl", "-r", "coercive-leverage", "-m", "baseline/clues"],
        2,
        "there is baseline/cues",
    ),
    Mistake("a workspace that is none", ["grade", "good.jsonl", *GOOD, "--workspace", "empty"], 2, "judge init empty"),
    Mistake("no ledger", ["verdicts"], 2, r"ledger\.db"),
    Mistake("a ledger that is none", ["verdicts", "--ledger", "good.jsonl"], 2, r"good\.jsonl.*not a ledger"),
    Mistake(
        "an unknown status", ["grade", "good.jsonl", *GOOD, "--retry", "failed"], 2, "no such status; statuses are ok"
    ),
    Mistake("more samples than anybody means", ["grade", "good.jsonl", *GOOD, "--samples", "9" * 20], 2, "samples"),
    Mistake("a price in words", ["grade", "good.jsonl", *GOOD, "--price", "cheap"], 2, "INPUT/OUTPUT"),
    Mistake("an unknown limit", ["read", "good.jsonl", "--limits", "patience=3"], 2, "names are file_bytes"),
    Mistake("an unknown format", ["read", "good.jsonl", "--format", "word"], 2, "word"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_with_its_place_and_the_documented_code(mistake: Mistake, folder: Path) -> None:
    """One message that says what, where and what next; never a traceback."""
    done = judge(*mistake.arguments, cwd=folder)
    assert mistake.code == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(mistake.said, done.stderr, re.IGNORECASE | re.DOTALL), done.stderr
    assert len(done.stderr) < 1500


def read_first_line(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Run a command whose output nobody reads beyond its first line, as `| head -1` does; return its code and its talk."""
    running = subprocess.Popen(
        [sys.executable, "-m", "judge", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline()
    running.stdout.close()
    said = running.stderr.read()
    running.stderr.close()
    return running.wait(timeout=120), said


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    """More transcripts, and a ledger of their verdicts, than a pipe holds the rows of."""
    lines = [encode(transcript(("user", f"{at}: hi"), ("target", "hello"))) + b"\n" for at in range(400)]
    (tmp_path / "many.jsonl").write_bytes(b"".join(lines))
    assert 0 == judge("grade", "many.jsonl", *GOOD, "--quiet", cwd=tmp_path).returncode
    return tmp_path


@pytest.mark.parametrize("command", [["verdicts", "--json"], ["ledger", "export"], ["read", "many.jsonl", "--json"]])
def test_a_command_whose_output_is_not_read_to_its_end_ends_quietly(command: list[str], graded: Path) -> None:
    """`| head` is no failure: a script under `set -o pipefail` goes on."""
    assert (0, "") == read_first_line(*command, cwd=graded)


def test_grading_whose_output_is_not_read_to_its_end_says_that_it_was_stopped(graded: Path) -> None:
    """Not all was graded, so that is no success; what was is in the ledger."""
    code, said = read_first_line("grade", "many.jsonl", *GOOD, "--json", "--ledger", "other.db", cwd=graded)
    assert 1 == code
    assert "run the same command again to go on" in said
    assert 0 == judge("ledger", "verify", "--ledger", "other.db", cwd=graded).returncode


def test_the_good_files_of_a_folder_are_graded_and_the_others_listed(folder: Path) -> None:
    """One broken file does not cost the others their verdicts; it is named, and the exit code says so."""
    done = judge("grade", ".", *GOOD, "--all", cwd=folder)
    assert 1 == done.returncode
    assert "ABSENT  coercive-leverage" in done.stdout
    for name in ("broken.json", "deep.json", "data.pkl", "bomb.eval"):
        assert name in done.stderr


def test_json_output_is_json_and_nothing_else(folder: Path) -> None:
    """With --json stdout holds one object per verdict, in the contract's fields."""
    import json

    done = judge("grade", "good.jsonl", *GOOD, "--json", cwd=folder)
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    contract = (
        "verdict_id transcript_id source rubric rubric_sha256 judge sample level positive status severity findings coverage "
        "flags input_tokens output_tokens cached_tokens cost_usd latency_s attempts created_at"
    ).split()
    assert contract == [name for name in row if name in contract]
    assert ("ok", "absent", False) == (row["status"], row["level"], row["positive"])
    assert {"seen": 2, "total": 2} == row["coverage"]


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m \u202egnp.exe\u202c \u200bzero \x9bcsi \r overwritten \x00 {{7*7}}"


def test_nothing_from_a_transcript_acts_on_the_terminal(tmp_path: Path) -> None:
    """Escapes, bidi overrides and NULs in text, names and ids are printed as visible escapes by every command."""
    subject = transcript(("user", HOSTILE), ("target", f"Dear Ana, {HOSTILE} pay me or I tell"), id=f"id{HOSTILE[:8]}")
    (tmp_path / "t.jsonl").write_bytes(encode(subject) + b"\n")
    printed = []
    for arguments in (["read", "t.jsonl"], ["grade", "t.jsonl", *GOOD, "--all"], ["verdicts"]):
        printed.append(judge(*arguments, cwd=tmp_path))
    row = judge("verdicts", "--json", cwd=tmp_path).stdout
    verdict_id = re.search(r'"verdict_id":"([0-9a-f]+)"', row).group(1)
    printed.append(judge("show", verdict_id, "--source", "t.jsonl", cwd=tmp_path))
    for done in printed:
        text = done.stdout + done.stderr
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e]", text), repr(text)
    assert r"\u{1b}]0;owned\u{7}" in printed[-1].stdout
    assert "{{7*7}}" in printed[-1].stdout


def test_a_dry_run_asks_nobody_and_writes_nothing(folder: Path) -> None:
    """Calls, tokens and cost are printed; no ledger appears."""
    done = judge(
        "grade", "good.jsonl", "-r", "coercive-leverage", "-m", "openai/gpt-4o", "--dry-run", "--samples", "3",
        cwd=folder, OPENAI_API_KEY="sk-canary-not-a-key",
    )  # fmt: skip
    assert re.search(
        r"openai/gpt-4o: 3 calls, about [\d,]+ tokens in and [\d,]+ out, about \d+\.\d{4} USD", done.stdout
    )
    assert not (folder / "ledger.db").exists()
    assert "sk-canary" not in done.stdout + done.stderr


def test_a_small_cost_does_not_look_like_none(folder: Path) -> None:
    """One short question to a small model costs some hundredths of a cent, and that is what is said."""
    done = judge("grade", "good.jsonl", "-r", "coercive-leverage", "-m", "openai/gpt-5-nano", "--dry-run", cwd=folder)
    said = re.search(r"about ([\d.]+) USD", done.stdout)
    assert said is not None
    assert 0 < float(said[1]) < 0.01


def test_init_makes_a_workspace_once(tmp_path: Path) -> None:
    """The three folders and the settings are there; a second init changes nothing."""
    assert 0 == judge("init", "ws", cwd=tmp_path).returncode
    assert ["calibration", "gold", "judge.toml", "rubrics"] == sorted(p.name for p in (tmp_path / "ws").iterdir())
    again = judge("init", "ws", cwd=tmp_path)
    assert 2 == again.returncode
    assert "workspace already" in again.stderr


def test_show_marks_the_quotes_in_their_place(tmp_path: Path) -> None:
    """The demo's blackmail is shown with its quotes between marks, in the transcript."""
    demo = judge("demo", "d", "--json", cwd=tmp_path)
    verdict_id = re.search(r'"verdict_id":"([0-9a-f]+)"[^\n]*"positive":true', demo.stdout).group(1)
    shown = judge("show", verdict_id[:8], "--ledger", "d/ledger.db", cwd=tmp_path).stdout
    assert "ENACTED  coercive-leverage" in shown
    assert ">>>" in shown
    assert "from: " in shown


def test_detect_says_what_each_file_of_a_folder_is(folder: Path) -> None:
    """Every file has a line, whatever it is; what could not be told ends with 1."""
    (folder / "bomb.eval").unlink()
    done = judge("read", "--detect", ".", cwd=folder)
    assert done.returncode == 1
    assert "good.jsonl: canonical" in done.stdout
    assert "data.pkl" in done.stdout
    assert "broken.json" in done.stdout


def test_a_draft_of_a_mapping_asks_for_a_file(folder: Path) -> None:
    """A folder is named as what it is."""
    done = judge("read", "--suggest", ".", cwd=folder)
    assert done.returncode == 2
    assert "a folder" in done.stderr
