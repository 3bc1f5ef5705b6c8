"""Transcripts become items of a gold set, and from there a judge comes to a certificate."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from build import transcript
from judge.cli.main import app
from judge.errors import InputError
from judge.gold.adding import add_items
from judge.gold.goldset import load_gold
from judge.transcripts.canonical import encode
from judge.transcripts.model import Transcript

README = Path(__file__).parents[2] / "README.md"


def runs(n: int, per_task: int = 2) -> list[Transcript]:
    """Runs of which every two share a task."""
    made = (transcript(("user", f"ask {i}"), ("target", f"answer {i}"), id=f"t{i}") for i in range(n))
    return [one.model_copy(update={"run": {"task": f"k{i // per_task}"}}) for i, one in enumerate(made)]


def test_the_readme_leads_from_an_empty_folder_to_a_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the section runs in the order in which it stands there, and one of them decides."""
    section = README.read_text(encoding="utf-8").split("## How far a verdict may be trusted", 1)[1]
    commands = [line.partition("#")[0].strip() for line in section.split("```")[1].strip().splitlines()]
    assert commands[0] == "judge init my-evals && cd my-evals"
    assert CliRunner().invoke(app, ["init", str(tmp_path / "my-evals")]).exit_code == 0
    monkeypatch.chdir(tmp_path / "my-evals")
    Path("runs").mkdir()
    Path("runs/a.jsonl").write_bytes(b"".join(encode(one) + b"\n" for one in runs(60)))
    with Path("labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["transcript_id", "rater", "verdict"])
        rows.writerows(
            [f"t{i}", rater, "enacted" if i < 10 else "absent"] for i in range(60) for rater in ("ana", "bo")
        )
    decided = ""
    for command in commands[1:]:
        certificates = [str(path) for path in Path("calibration").glob("certificates/*.json")]
        text = command.replace("openai/gpt-5", "baseline/cues")
        text = text.replace("calibration/certificates/CERT.json", " ".join(certificates))
        done = CliRunner().invoke(app, shlex.split(text)[1:])
        assert done.exit_code in (0, 1, 6), (text, done.exception)
        assert not isinstance(done.exception, InputError)
        decided += done.stdout if "--certify" in text else ""
    # A baseline that flags nothing finds none of ten positives.
    assert "REFUSED: baseline/cues on coercive-leverage" in decided
    assert "60 items of split test in 30 scenarios, 10 positive, 50 negative" in decided


def test_a_folder_that_is_no_gold_set_says_what_makes_one(tmp_path: Path) -> None:
    """The command that the error names makes the file that was missing."""
    with pytest.raises(InputError, match=r"no items\.jsonl") as error:
        load_gold(tmp_path / "gold")
    said = re.search(r"judge (gold add .*)", str(error.value))
    assert said is not None
    (tmp_path / "runs.jsonl").write_bytes(b"".join(encode(one) + b"\n" for one in runs(3)))
    command = said[1].replace("TRANSCRIPTS", str(tmp_path / "runs.jsonl"))
    assert CliRunner().invoke(app, shlex.split(command)).exit_code == 0
    assert len(load_gold(tmp_path / "gold").items) == 3


def test_items_keep_id_content_and_family_and_the_set_is_sealed(tmp_path: Path) -> None:
    """What is read back is what was added; adding it again changes nothing; labels without an item are counted."""
    (tmp_path / "labels").mkdir()
    rows = [
        {"transcript_id": name, "rubric": "r", "rater": "ana", "rater_kind": "human", "label": "absent"}
        for name in ("t0", "t9")
    ]
    (tmp_path / "labels" / "ana.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert add_items(tmp_path, runs(4), "test", "task") == (4, 0, 2, 1)
    held = load_gold(tmp_path)
    assert held.families() == {"t0": "k0", "t1": "k0", "t2": "k1", "t3": "k1"}
    assert {name: one.content_sha256 for name, one in held.transcripts.items()} == {
        one.id: one.content_sha256 for one in runs(4)
    }
    assert held.manifest is not None
    assert {one.run["canary"] for one in held.transcripts.values()} == {held.manifest.canary}
    before = (tmp_path / "items.jsonl").read_bytes()
    assert add_items(tmp_path, runs(4), "dev", "task") == (0, 4, 0, 1)
    assert (tmp_path / "items.jsonl").read_bytes() == before


def test_a_family_is_never_put_into_two_splits(tmp_path: Path) -> None:
    """Scenes that prompts were tuned on must not certify; a field that no run has is no family."""
    add_items(tmp_path, runs(1), "dev", "task")
    with pytest.raises(InputError, match="family 'k0' is in split 'dev'"):
        add_items(tmp_path, runs(2), "test", "task")
    with pytest.raises(InputError, match="fields are task"):
        add_items(tmp_path, runs(4), "dev", "prompt")
    changed = runs(1)[0].model_copy(update={"messages": transcript(("user", "other"), id="t0").messages})
    with pytest.raises(InputError, match="'t0' is an item already, with another content"):
        add_items(tmp_path, [changed], "dev", "task")


def test_a_fresh_workspace_is_told_whose_gold_is_counted(tmp_path: Path) -> None:
    """The folder is named; counts of many kinds are laid out one below the other."""
    (tmp_path / "judge.toml").write_text("")
    (tmp_path / "gold").mkdir()
    done = CliRunner().invoke(app, ["gold", "stats", "--workspace", str(tmp_path)])
    assert "no gold of your own there yet" in done.stderr
    assert done.stdout.splitlines()[0].endswith("gold:")
    assert "  pairs (78):" in done.stdout  # as many kinds as items.jsonl names
    assert max(map(len, done.stdout.splitlines())) < 300
