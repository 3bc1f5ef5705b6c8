"""A folder of labels that is no gold set yet is counted all the same, and what it lacks is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from judge.cli.main import app
from judge.errors import InputError
from judge.gold.labels import append_labels
from judge.gold.model import Label

RUN = CliRunner()


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """What the audit page leaves after two raters: label files, and nothing else."""
    for rater, words in (("ana", ("enacted", "absent")), ("ben", ("absent",))):
        rows = [
            Label(transcript_id=f"t{n}", rubric="coercive-leverage", rater=rater, rater_kind="human", label=word)
            for n, word in enumerate(words)
        ]
        append_labels(tmp_path / "gold" / "labels" / f"{rater}.jsonl", rows)
    return tmp_path / "gold"


def run(*arguments: object) -> str:
    done = RUN.invoke(app, ["gold", "stats", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("where", [".", "labels"])
def test_labels_without_items_are_counted(gold: Path, where: str) -> None:
    """The gold folder or the folder of its labels will do; three labels on two transcripts by two raters."""
    (row,) = json.loads(run(gold / where, "--json"))["rubrics"]
    assert (row["items"], row["raters"], row["positive"]) == (2, 2, 1)
    assert (row["levels"], row["rater_kinds"]) == ({"absent": 2, "enacted": 1}, {"human": 3})


def test_what_labels_alone_lack_is_said(gold: Path) -> None:
    """The words say that there are no items and what that means, and no family or message is counted that is not there."""
    said = run(gold)
    assert "without items.jsonl" in said
    assert "no certificate" in said
    assert "0 families" not in said
    assert "coercive-leverage: 2 items, 1 positive" in said


def test_workspace_with_labels_alone_is_counted_before_the_packaged_set(gold: Path) -> None:
    """Nobody is told the counts of the packaged set in the place of their own labels."""
    (gold.parent / "judge.toml").write_text("")
    (row,) = json.loads(run("--workspace", gold.parent, "--json"))["rubrics"]
    assert row["items"] == 2


def test_folder_without_labels_says_where_they_come_from(tmp_path: Path) -> None:
    """Drafts alone are no labels."""
    (tmp_path / "gold" / "drafts" / "ana").mkdir(parents=True)
    with pytest.raises(InputError, match="no label file here; labels come with a commit on the page of judge audit"):
        run(tmp_path / "gold")
