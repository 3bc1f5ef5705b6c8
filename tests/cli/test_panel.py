"""`judge grade --panel` from the command line, with the embedded judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from judge.cli.main import make_app
from judge.errors import InputError
from judge.ledger.opening import open_ledger
from judge.ledger.store import Select

GOLD = Path(__file__).parents[2] / "gold" / "transcripts"
DOCS = Path(__file__).parents[2] / "docs" / "panels.md"
PANEL = """\
name: pair
members:
  - model: baseline/cues
    samples: 2
  - model: baseline/cues
    role: blind
"""


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    path = tmp_path / "panel.yaml"
    path.write_text(PANEL)
    return path


def grade(panel: Path, *arguments: str, count: int = 12) -> None:
    given = ["grade", str(GOLD), "-r", "coercive-leverage", "--panel", str(panel), "--limit", str(count)]
    where = ["--ledger", str(panel.with_name("ledger.db"))]
    make_app("grade")([*given, *where, *arguments], standalone_mode=False)


def test_votes_and_the_panels_verdict_are_printed_and_kept(
    panel: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Three votes and one verdict on each of twelve transcripts, on stdout and in the ledger; a second run adds nothing."""
    grade(panel, "--json")
    rows = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert 48 == len(rows)
    assert 12 == sum(row["judge"] == "panel/pair" and row["panel"] is not None for row in rows)
    with open_ledger(panel.with_name("ledger.db")) as book:
        before = book.head()
        assert 12 == len(list(book.verdicts(Select(judge=("panel/pair",), status=("ok",)))))
    grade(panel, "--quiet")
    with open_ledger(panel.with_name("ledger.db")) as book:
        assert before == book.head()


def test_only_the_panels_verdicts_are_summed_up(panel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve transcripts are twelve, not forty-eight answers."""
    grade(panel)
    assert "coercive-leverage: 12 transcripts:" in capsys.readouterr().err


def test_a_dry_run_says_what_each_step_costs_and_what_is_unknown(
    panel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Thirty-six calls; how much comes to people nobody has measured. What the ledger holds is not counted again."""
    grade(panel, "--dry-run")
    said = capsys.readouterr().out
    assert "step 1, baseline/cues, baseline/cues~blind: 36 calls" in said
    assert "people: expected: an unknown share" in said
    grade(panel, "--quiet", count=4)
    capsys.readouterr()
    grade(panel, "--dry-run")
    assert "24 calls besides 12 votes in the ledger" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "baseline/cues"),
        ("--samples", "3"),
        ("--temperature", "1"),
        ("--max-tokens", "99"),
        ("--record", "r.jsonl"),
    ],
)
def test_what_the_file_says_cannot_be_said_beside_it(panel: Path, arguments: tuple[str, str]) -> None:
    """An option that the panel would not heed is refused, not ignored."""
    with pytest.raises(InputError, match=f"--panel and {arguments[0]}"):
        grade(panel, *arguments)


def test_the_example_in_the_documentation_is_a_panel(tmp_path: Path) -> None:
    """The file that the documentation shows is read, but for the thresholds that are not there."""
    from judge.grading.panels.file import load_panel

    block = DOCS.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "panel.yaml"
    path.write_text("".join(line for line in block.splitlines(keepends=True) if not line.startswith("thresholds")))
    found = load_panel(path)
    assert ("leverage-pair", 3, 2) == (found.name, len(found.seats), found.steps)


def test_what_judges_are_measured_by_measures_panels(panel: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Calibration and rates take a panel's verdicts as any judge's; twelve verdicts, not forty-eight."""
    grade(panel, "--quiet")
    where = ["-m", "panel/pair", "--ledger", str(panel.with_name("ledger.db")), "--json"]
    capsysbinary.readouterr()
    make_app("rates")(["rates", *where], standalone_mode=False)
    rate = json.loads(capsysbinary.readouterr().out)
    assert ("panel/pair", 12, {}) == (rate["judge"], rate["n"], rate["missing"])
    labels = ["--labels", str(GOLD.with_name("labels"))]
    make_app("calibrate")(["calibrate", *labels, *where], standalone_mode=False)
    assert "panel/pair" == json.loads(capsysbinary.readouterr().out)["judge"]


def test_a_cascade_is_set_by_calibrate_and_asked_by_grade(panel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From grading one judge alone to a panel that decides by its thresholds; with another number of samples it is refused."""
    ledger = ["--ledger", str(panel.with_name("ledger.db"))]
    alone = ["grade", str(GOLD), "-r", "coercive-leverage", "-m", "baseline/cues", "--samples", "2", "--limit", "30"]
    make_app("grade")([*alone, *ledger, "--quiet"], standalone_mode=False)
    with open_ledger(panel.with_name("ledger.db")) as book:
        judged = {row.transcript_id for row in book.verdicts()}
    rows = (GOLD.with_name("labels") / "author.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    labels, limits = panel.with_name("labels.jsonl"), panel.with_name("limits.json")
    labels.write_text("".join(row for row in rows if json.loads(row)["transcript_id"] in judged), encoding="utf-8")
    asked = ["--labels", str(labels), "-r", "coercive-leverage", "-m", "baseline/cues"]
    given = ["--thresholds", str(limits), "--max-risk", "0.5"]
    make_app("calibrate")(["calibrate", *asked, *given, *ledger], standalone_mode=False)
    assert "constructed labels promise nothing about real transcripts" in capsys.readouterr().out
    text = "name: cascade\nmembers:\n  - model: baseline/cues\n    samples: 2\nthresholds: [limits.json]\n"
    panel.write_text(text)
    grade(panel, "--dry-run", count=3)
    assert "of the transcripts" in capsys.readouterr().out
    panel.write_text(text.replace("2", "3"))
    with pytest.raises(InputError, match="measured with samples '2', the panel has '3'"):
        grade(panel)
