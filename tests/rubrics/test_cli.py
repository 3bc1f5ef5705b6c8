"""`judge rubrics`: every command's output, JSON and exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from judge.cli.rubrics import app
from judge.errors import InputError
from judge.rubrics.constitution import load_constitution
from judge.rubrics.coverage import measure_coverage
from judge.rubrics.loading import load_rubric


def run(*arguments: str, code: int = 0) -> str:
    """Run one command and return its stdout."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == code
    return result.stdout


def run_json(*arguments: str, code: int = 0) -> Any:
    """Run one command with --json and return what it printed."""
    return json.loads(run(*arguments, "--json", code=code))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Return an empty workspace."""
    (tmp_path / "judge.toml").write_text("")
    (tmp_path / "rubrics").mkdir()
    return tmp_path


def test_list_gives_id_source_and_hash(workspace: Path) -> None:
    """Every rubric is listed with where it is from and what it is by content."""
    listed = {item["id"]: item for item in run_json("list", "--workspace", str(workspace))}
    assert len(listed) == 14
    assert listed["coercive-leverage"]["source"] == "packaged"
    assert listed["coercive-leverage"]["sha256"] == load_rubric("coercive-leverage").sha256
    assert "blackmail" in run("list")


def test_show_prints_criteria_rule_and_guideline() -> None:
    """Everything that a rater needs is there."""
    text = run("show", "blackmail")
    for words in (
        "Coercive leverage",
        "concession:",
        "leverage_rejected:",
        "enacted: all of directed",
        "What you decide.",
    ):
        assert words in text
    assert run_json("show", "blackmail")["guideline_sha256"] == load_rubric("blackmail").guideline_sha256


def test_show_cannot_reach_the_terminal_with_control_characters(workspace: Path) -> None:
    """An escape sequence in a rubric's title is shown, not sent."""
    text = (Path(load_rubric_path("grave-harm"))).read_text()
    path = workspace / "rubrics" / "grave-harm.yaml"
    path.write_text(text.replace("title: Grave harm to persons", 'title: "x\\e]52;c;aGk=\\a"'))
    assert "\x1b" not in run("show", str(path))


def load_rubric_path(rubric_id: str) -> str:
    """Return the file of a shipped rubric."""
    return next(item["path"] for item in run_json("list") if item["id"] == rubric_id)


def test_check_is_quiet_and_ends_with_0_on_the_shipped_rubrics() -> None:
    """No fault, nothing on stdout."""
    assert run("check") == ""
    assert run_json("check", "default") == []


def test_check_prints_faults_with_lines_and_ends_with_1(workspace: Path) -> None:
    """A planted fault is printed as file:line: code, can be ignored by code, and fails the check."""
    path = workspace / "rubrics" / "grave-harm.yaml"
    path.write_text(Path(load_rubric_path("grave-harm")).read_text().replace("clauses: [C1]", "clauses: [C99]"))
    (fault,) = run_json("check", "grave-harm", "--workspace", str(workspace), code=1)
    assert (fault["code"], fault["rubric"]) == ("J111", "grave-harm")
    assert f"{path}:{fault['line']}: J111 unknown clause 'C99'" in run("check", str(path), code=1)
    assert path.read_text().splitlines()[fault["line"] - 1] == "    clauses: [C99]"
    run("check", str(path), "--ignore", "J111")


def test_check_against_another_constitution_finds_every_foreign_clause(tmp_path: Path) -> None:
    """A user's constitution decides which clauses exist."""
    rules = tmp_path / "rules.md"
    rules.write_text("### Z1. Only rule\n")
    faults = run_json("check", "blackmail", "--constitution", str(rules), code=1)
    assert {fault["code"] for fault in faults} == {"J111"}


def test_check_explains_its_codes() -> None:
    """Every fault that is looked for is listed."""
    assert "J121" in run("check", "--explain")


def test_coverage_crosses_clauses_and_rubrics() -> None:
    """Each citation is in the matrix, and the shipped pack cites every clause."""
    found = run_json("coverage")
    assert {"clause": "F2", "rubric": "coercive-leverage", "part": "criterion", "name": "link"} in found["citations"]
    assert (len(found["clauses"]), len(found["rubrics"]), found["uncited"]) == (49, 14, [])
    assert found["only_excluding"] == ["H8", "H10"]
    assert "49 of 49 clauses are cited" in run("coverage")


def test_coverage_lists_what_is_uncited_and_what_is_unknown(tmp_path: Path) -> None:
    """One rubric against another constitution: its clause is uncited, the rubric's own are unknown."""
    rules = tmp_path / "rules.md"
    rules.write_text("### Z1. Only rule\n")
    found = run_json("coverage", "blackmail", "--constitution", str(rules), code=1)
    assert found["uncited"] == ["Z1"]
    leverage = load_rubric("blackmail")
    cited = sum(len(part.clauses) for part in (*leverage.criteria, *leverage.exclusions))
    assert len(found["unknown"]) == cited


def test_a_cell_holds_the_citations_of_one_rubric() -> None:
    """The criteria that cite a clause can be read from the matrix."""
    found = measure_coverage(load_constitution(), [load_rubric("blackmail"), load_rubric("grave-harm")])
    assert [c.name for c in found.cell("C2", "grave-harm")] == ["danger", "worsened", "warning_withheld", "plan"]
    assert found.cell("C2", "coercive-leverage") == ()


def test_copy_into_a_workspace_then_diff(workspace: Path) -> None:
    """A copy lies in the workspace's rubrics, checks clean beside its original, and its difference is shown."""
    made = run_json("copy", "blackmail", "ours", "--workspace", str(workspace))
    path = workspace / "rubrics" / "ours.yaml"
    assert (made["path"], made["derived_from"]) == (str(path), f"coercive-leverage@{load_rubric('blackmail').sha256}")
    run("check", "--workspace", str(workspace))
    path.write_text(path.read_text().replace("or else", "or worse"))
    found = run_json("diff", "blackmail", "ours", "--workspace", str(workspace))
    assert {"id", "derived_from", "criteria.link.text"} <= {change["place"] for change in found["changes"]}
    assert found["labels_stale"] is True
    assert "or worse" in run("diff", "blackmail", "ours", "--workspace", str(workspace))


def test_copy_needs_somewhere_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a workspace and without --to, the command says what to do."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="judge init"):
        run("copy", "blackmail", "ours")


def test_anchors_of_a_copy_are_compared(tmp_path: Path) -> None:
    """A text without the sections fails every anchor and ends with 1."""
    text = tmp_path / "text.md"
    text.write_text("# Something else\n\nWords.\n")
    outcomes = {row["outcome"] for row in run_json("anchors", str(text), code=1)}
    assert outcomes == {"no_section"}
    assert "no_section" in run("anchors", str(text), code=1)


@pytest.mark.parametrize("command", ["list", "show", "check", "coverage", "copy", "diff", "anchors"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    """--help shows how the command is used."""
    assert f"Example: judge rubrics {command}" in run(command, "--help")


def test_a_pack_is_listed_and_shown_with_everything_that_it_holds() -> None:
    """What is counted is what is named, and a pack that is taken for a rubric is explained."""
    line = run("list").splitlines()[-1]
    assert "pack of 8 rubrics and 1 control" in line
    assert "dilemma-conduct (control)" in line
    shown = run("show", "default")
    assert "pack of 8 rubrics and 1 control: coercive-leverage, " in shown
    assert len(run_json("show", "default")["rubrics"]) == 8
