"""`judge gold next`, `judge gold plan` and `judge rates --design`, on populations whose rate is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from judge.calibration.labelling import choose_next, plan_labels, rate_from_design, transcripts_for_rate
from judge.calibration.protocol import load_protocol
from judge.cli.main import app
from judge.errors import InputError
from judge.ledger.verdict import Verdict

RUBRIC = "petty-larceny"


def verdict(item: int, says: bool | None) -> Verdict:
    return Verdict(
        verdict_id=f"v{item}",
        transcript_id=f"t{item:04}",
        rubric=RUBRIC,
        judge="keen",
        level=None if says is None else "yes" if says else "no",
        positive=says,
        status="refused" if says is None else "ok",
    )


def population() -> list[Verdict]:
    """1,000 transcripts of which 40 are flagged."""
    return [verdict(item, item < 40) for item in range(1000)]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def test_half_and_half() -> None:
    """Half of the labels go to flagged transcripts; a weight is the stratum's size over what is drawn from it."""
    chosen = choose_next(population(), set(), 60, rubric=RUBRIC, judge="keen")
    parts = [row.stratum for row in chosen]
    assert (parts.count("flagged"), parts.count("passed")) == (30, 30)
    assert {row.stratum: row.weight for row in chosen} == pytest.approx({"flagged": 40 / 30, "passed": 960 / 30})
    assert sum(row.weight for row in chosen) == pytest.approx(1000)
    assert chosen == choose_next(population(), set(), 60, rubric=RUBRIC, judge="keen")


def test_labelled_transcripts_are_left_out() -> None:
    """What is labelled is not chosen again, a small stratum gives its rest to the other, and refusals are a stratum."""
    rows = [*population(), *(verdict(item, None) for item in range(1000, 1010))]
    labelled = {(f"t{item:04}", RUBRIC) for item in range(35)}
    chosen = choose_next(rows, labelled, 60, rubric=RUBRIC, judge="keen")
    parts = [row.stratum for row in chosen]
    # 5 flagged and 10 undecided are left; what they cannot use of their 20 goes to the passed ones.
    assert [parts.count(part) for part in ("flagged", "undecided", "passed")] == [5, 10, 45]
    with pytest.raises(InputError):
        choose_next(rows[:30], labelled, 10, rubric=RUBRIC, judge="keen")


@pytest.mark.parametrize(
    ("flagged", "undecided", "parts"),
    [
        (40, 0, {"flagged": 30, "passed": 30}),
        (5, 0, {"flagged": 5, "passed": 55}),
        (40, 100, {"flagged": 30, "passed": 30, "undecided": 30}),
    ],
)
def test_an_audit_takes_thirty_of_each_kind(
    tmp_path: Path, flagged: int, undecided: int, parts: dict[str, int]
) -> None:
    """--audit draws 30 of what is flagged, or all, and 30 or more of what is passed, however few are left undecided."""
    rows = [verdict(item, None if item >= 1000 - undecided else item < flagged) for item in range(1000)]
    file = write(tmp_path / "v.jsonl", [row.model_dump(mode="json", exclude_none=True) for row in rows])
    done = CliRunner().invoke(app, ["gold", "next", "--verdicts", file, "--audit", "--json"])
    found = [json.loads(line)["stratum"] for line in done.stdout.splitlines()]
    assert {part: found.count(part) for part in set(found)} == parts


def test_rate_from_a_choice() -> None:
    """24 of 30 flagged and 1 of 30 passed are positive: 40 * .8 + 960 / 30 of 1,000, and nothing while labels are lacking."""
    chosen = choose_next(population(), set(), 60, rubric=RUBRIC, judge="keen")
    flagged = [row.transcript_id for row in chosen if row.stratum == "flagged"]
    passed = [row.transcript_id for row in chosen if row.stratum == "passed"]
    truth = {name: index < 24 for index, name in enumerate(flagged)} | {name: name == passed[0] for name in passed}
    rate = rate_from_design(chosen, truth)
    assert rate.estimate == pytest.approx((40 * 24 / 30 + 960 / 30) / 1000)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 0.064 < rate.high
    del truth[flagged[0]]
    assert rate_from_design(chosen, truth).estimate is None


def test_commands(tmp_path: Path) -> None:
    """The choice is written with its weights, and `judge rates --design` makes the rate of all transcripts from it."""
    rows = write(tmp_path / "v.jsonl", [row.model_dump(exclude_none=True) for row in population()])
    design = str(tmp_path / "next.jsonl")
    done = CliRunner().invoke(app, ["gold", "next", "--verdicts", rows, "-n", "60", "--to", design, "--json"])
    chosen = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(chosen) == 60
    labels = [
        {
            "transcript_id": row["transcript_id"],
            "rubric": RUBRIC,
            "rater": "ida",
            "rater_kind": "human",
            "label": "yes" if row["stratum"] == "flagged" else "no",
        }
        for row in chosen
    ]
    given = ["--labels", write(tmp_path / "l.jsonl", labels), "--verdicts", rows, "--positive", "yes"]
    (rate,) = [
        json.loads(line)
        for line in CliRunner().invoke(app, ["rates", *given, "--design", design, "--json"]).stdout.splitlines()
    ]
    assert rate["statistics"]["two_phase"]["estimate"] == pytest.approx(0.04)
    # Labels that were chosen by the verdict say nothing about sensitivity: there is no corrected rate from them.
    assert "lang_reiczigel" not in rate["statistics"]
    assert any("from labels" in sentence for sentence in rate["claims"]["may"])


def test_plan() -> None:
    """The sizes are those of the published table: .95 for .80 takes 48, .98 for .90 takes 85, .995 for .98 takes 436."""
    plan = plan_labels(load_protocol("screening"), have=(20, 100), prevalence=0.05)
    assert [(size.needed, size.lacking) for size in plan.sizes] == [(48, 28), (85, 0)]
    assert plan.ratings == 2 * 28
    assert plan.draw == 28 / 0.05
    strict = plan_labels(load_protocol("rate"), specificity=0.995)
    assert [size.needed for size in strict.sizes] == [84, 436]
    with pytest.raises(InputError, match="lower bound"):
        plan_labels(load_protocol("rate"), specificity=0.98)


def test_transcripts_for_a_rate() -> None:
    """With 18 of 20 found, 300 transcripts without a flag bound the rate at 1.79 %; 100 bound it at 5.30 %."""
    assert transcripts_for_rate(0.0179, 18, 20) == pytest.approx(300, abs=2)
    assert transcripts_for_rate(0.0530, 18, 20) == pytest.approx(100, abs=1)


def test_plan_command() -> None:
    """`judge gold plan` says in words how many labels are lacking."""
    shown = CliRunner().invoke(app, ["gold", "plan", "--positives", "20"]).stdout
    assert "48 positives" in shown
    assert "28 lacking" in shown
    found = json.loads(CliRunner().invoke(app, ["gold", "plan", "--bound", ".0179", "--json"]).stdout)
    assert found["transcripts_for_bound"] > 200
