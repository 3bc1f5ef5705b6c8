"""Labels come in from CSV, JSONL and Label Studio without anything being guessed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from judge.cli.main import app
from judge.errors import InputError, IntegrityError, ProviderError
from judge.gold.fetching import fetch_source
from judge.gold.importing import import_labels
from judge.gold.sources import Source, SourceFile, find_source, gather, list_sources

FIXED = {"rubric": "coercive-leverage", "rater_kind": "human"}


def test_a_csv_is_read_by_the_columns_that_are_named(tmp_path: Path) -> None:
    """Our fields are found under the file's names; a blank cell is no label; numbers and truths become such."""
    path = tmp_path / "l.csv"
    path.write_text("item,who,says,secs,blind\nt1,ana,enacted,12.5,yes\nt2,ana,,3,no\nt3,bo,absent,4,no\n")
    columns = {"transcript_id": "item", "rater": "who", "label": "says", "seconds": "secs"}
    labels = import_labels(path, columns=columns, fixed=FIXED)
    assert [("t1", "ana", "enacted", 12.5, True), ("t3", "bo", "absent", 4.0, False)] == [
        (row.transcript_id, row.rater, row.label, row.seconds, row.blind) for row in labels
    ]


def test_cells_of_a_csv_as_people_save_them(tmp_path: Path) -> None:
    """Spaces around a label make no second label, and a line separator pasted into a remark ends no row."""
    path = tmp_path / "labels.csv"
    path.write_text("transcript_id,rater,label,rationale\nt1,ida, yes ,one\u2028two\nt2 ,ida,yes,\n", encoding="utf-8")
    found = import_labels(path, fixed={"rubric": "r", "rater_kind": "human"})
    assert [(row.transcript_id, row.label, row.rationale) for row in found] == [
        ("t1", "yes", "one\u2028two"),
        ("t2", "yes", None),
    ]


def test_label_studio_choices_become_labels_by_annotator(tmp_path: Path) -> None:
    """Each annotator's choice is a label; a cancelled annotation is none."""
    task = {
        "data": {"run": "t1"},
        "annotations": [
            {
                "completed_by": {"email": "ana@example.test"},
                "result": [{"from_name": "v", "value": {"choices": ["absent"]}}],
            },
            {"completed_by": 7, "result": [{"from_name": "v", "value": {"choices": ["enacted"]}}], "lead_time": 9.5},
            {"completed_by": 8, "was_cancelled": True, "result": [{"value": {"choices": ["enacted"]}}]},
        ],
    }
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task]))
    columns = {"transcript_id": "run", "rater": "annotator", "label": "choice"}
    labels = import_labels(path, columns=columns, fixed=FIXED)
    assert [("ana@example.test", "absent"), ("7", "enacted")] == [(row.rater, row.label) for row in labels]


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("item,label\nt1,absent\n", {}, "no 'transcript_id'; name its column"),
        ("transcript_id,label\nt1,absent,more\n", {}, "more cells than the header"),
        (
            "transcript_id,label\nt1,absent\n",
            {"columns": {"rater": "who"}},
            "no column 'who'; columns are transcript_id, label",
        ),
        ("transcript_id,label\nt1,absent\n", {"fixed": {"colour": "red"}}, "'colour' is no field of a label"),
        ("transcript_id,label\nt1,\n", {"fixed": {**FIXED, "rater": "a"}}, "no labelled row"),
        (
            "transcript_id,label,blind\nt1,absent,maybe\n",
            {"fixed": {**FIXED, "rater": "a"}},
            "blind: give true or false",
        ),
        ('[{"data": {}}]', {}, "not a Label Studio task"),
        ('{"label": ', {}, "l:1: not JSON"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, options: dict, complaint: str) -> None:
    """The place, the field and what is accepted are in the error."""
    path = tmp_path / "l"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        import_labels(path, **options)


def test_the_command_writes_one_file_per_rater_inside_the_folder(tmp_path: Path) -> None:
    """A rater named like a path stays inside the folder."""
    path = tmp_path / "l.csv"
    path.write_text("transcript_id,rater,label\nt1,ana,absent\nt1,../../bo,enacted\n")
    command = [
        "gold",
        "import",
        str(path),
        "--set",
        "rubric=x",
        "--set",
        "rater_kind=human",
        "--to",
        str(tmp_path / "labels"),
    ]
    done = CliRunner().invoke(app, command)
    assert 0 == done.exit_code, done.output
    assert ["______bo.jsonl", "ana.jsonl"] == sorted(file.name for file in (tmp_path / "labels").iterdir())


def test_every_registered_set_says_what_an_importer_must_know() -> None:
    """Each set has a licence, a repository, a polarity, and a commit where it can be fetched and imported."""
    for source in list_sources():
        assert source.licence
        assert source.repository.count("/") == 2
        assert source.polarity
        assert source.commit or source.importer is None


def test_a_set_without_an_importer_says_so(tmp_path: Path) -> None:
    """A known set that cannot be imported yet is refused with the way round it."""
    with pytest.raises(InputError, match="no importer is written for it"):
        gather(find_source("devai"), tmp_path)


def test_an_unknown_set_names_the_known_ones() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(InputError, match=r"known are .*xstest"):
        find_source("xtest")


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A local git repository with one file, and its commit."""
    folder = tmp_path / "origin"
    folder.mkdir()
    (folder / "labels.csv").write_text("a,b\n")

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.test", *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    return folder, git("rev-parse", "HEAD")


def make_source(commit: str | None, sha256: str | None = None, path: str = "labels.csv") -> Source:
    return find_source("xstest").model_copy(update={"commit": commit, "files": (SourceFile(path=path, sha256=sha256),)})


def test_a_fetch_checks_out_the_recorded_commit(tmp_path: Path, repository: tuple[Path, str]) -> None:
    """The files of that commit are there; a file without a recorded hash is said to be unverified."""
    origin, commit = repository
    notes = fetch_source(make_source(commit), tmp_path / "copy", address=str(origin))
    assert "a,b\n" == (tmp_path / "copy" / "labels.csv").read_text()
    assert ["labels.csv: no hash is recorded, so only the commit vouches for it"] == notes


def test_a_fetch_refuses_what_it_cannot_vouch_for(tmp_path: Path, repository: tuple[Path, str]) -> None:
    """A wrong hash, a missing file, no commit, a full folder and an unreachable repository each end with their reason."""
    origin, commit = repository
    with pytest.raises(IntegrityError, match="not the file that was recorded"):
        fetch_source(make_source(commit, "0" * 64), tmp_path / "a", address=str(origin))
    with pytest.raises(IntegrityError, match="is not in commit"):
        fetch_source(make_source(commit, path="other.csv"), tmp_path / "b", address=str(origin))
    with pytest.raises(InputError, match="no commit is recorded"):
        fetch_source(make_source(None), tmp_path / "c", address=str(origin))
    with pytest.raises(InputError, match="is not empty"):
        fetch_source(make_source(commit), tmp_path / "a", address=str(origin))
    with pytest.raises(ProviderError, match="this needs a network"):
        fetch_source(make_source(commit), tmp_path / "d", address=str(tmp_path / "nowhere"))
