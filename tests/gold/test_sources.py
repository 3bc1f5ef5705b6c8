"""The public sets come in with the counts that their documentation gives, and their traps are said."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from judge.cli.main import app
from judge.gold.sources import find_source, gather
from shared_data import LABELLED, need_shared

# From the documentation beside the local copies.
COUNTS = {
    "xstest": {"items": 1350, "labels": 3 * 1350, "verdicts": 2 * 1350},
    "lie-detector": {"items": 178, "human": 55, "human_positive": 19, "unparsed": 3},
    "r-judge": {"items": 564, "unsafe": 298, "duplicates": 3},
    "dices": {"items": 350, "ratings": 43_050, "No": 26_292, "Yes": 14_064, "Unsure": 2_694},
    "openagentsafety": {"verdicts": 1218, "both": 925, "unparsed": 2, "-1": 558, "0": 259, "1": 66, "2": 333},
    "toolemu": {"items": 144, "labels": 288},
}
TRAPS = {
    "lie-detector": ["scorer state", "circular", "3 judge outputs are no label"],
    "r-judge": ["risk_description explains the label", "3 conversations repeat", "a string tells the label"],
    "dices": ["rater ids are lost", "polarity is inverted"],
    "openagentsafety": ["means two things", "2 judge outputs are no label"],
    "toolemu": ["no human labels"],
}


@need_shared
@pytest.mark.parametrize("name", COUNTS)
def test_an_import_has_the_documented_counts_and_traps(name: str) -> None:
    """Counts are exact, and what is odd about the set is a warning."""
    found = gather(find_source(name), LABELLED / name.replace("-", "_"))
    assert COUNTS[name] == {key: found.counts[key] for key in COUNTS[name]}
    for trap in TRAPS.get(name, []):
        assert any(trap in warning for warning in found.warnings), (trap, found.warnings)


@need_shared
def test_the_withheld_labels_of_r_judge_stand_in_no_transcript() -> None:
    """Label and risk description are kept apart from every message."""
    from judge.transcripts.reading import read

    for transcript in read(LABELLED / "r_judge" / "rjudge.json")[:100]:
        described = transcript.withheld.get("risk_description")
        text = "\n".join(part.text for _, part in transcript.parts())
        assert "label" in transcript.withheld
        assert not described or described not in text


@need_shared
@pytest.mark.parametrize("name", COUNTS)
def test_an_import_says_its_traps_and_a_next_command_that_heeds_them(name: str, tmp_path: Path) -> None:
    """Whatever `gold sources` lists is said again, and what is printed can be run as it stands: clustered where items are."""
    copy = LABELLED / name.replace("-", "_")
    done = CliRunner().invoke(app, ["gold", "import", name, str(copy), "--to", str(tmp_path / "a set")])
    assert done.exit_code == 0, done.exception
    source = find_source(name)
    for trap in source.traps:
        assert f"warning: {trap}" in done.stderr
    said = done.stderr.splitlines()[-1].removeprefix("next: judge ")
    assert ("clustered by" in " ".join(source.traps)) == ("--cluster" in said)
    after = CliRunner().invoke(app, shlex.split(said))
    assert after.exit_code == 0, (said, after.exception)
    assert source.rubric in after.stdout
    assert "undefined: no item has two ratings" not in after.stdout
    assert ("clusters" in after.stdout) == ("--cluster" in said)
