"""Several behaviours certified in one run: of many, one may pass by chance, and the certificates say so and recompute."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from typer.testing import CliRunner

from calibration.gold_folder import truth_of, write_gold, write_verdicts
from judge.calibration.certificate import read_record, verify_certificate, write_certificate
from judge.calibration.intervals import clopper_pearson
from judge.calibration.multiplicity import count_selected
from judge.calibration.records import Member
from judge.cli.main import app
from judge.errors import InputError, IntegrityError, JudgeError
from judge.ledger.opening import open_ledger

Row = dict[str, Any]


def misses(count: int) -> Callable[[int], bool]:
    """A judge that misses so many of the 60 positives among 240 items and flags nothing else."""
    return lambda item: truth_of(item, 4) and item // 4 >= count


class Workshop:
    """A gold folder with the same labels on four rubrics, and a judge of stated quality on each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gold = write_gold(folder / "gold", 240, every=4, families=240, rubrics=[f"r{k}" for k in range(4)])

    def verdicts(self, *missed: int, **more: Any) -> Path:
        """Verdicts on as many rubrics as there are numbers of positives missed."""
        path = self.folder / "verdicts.jsonl"
        parts = []
        for number, count in enumerate(missed):
            parts.append(write_verdicts(path, 240, misses(count), rubric=f"r{number}", **more).read_bytes())
        path.write_bytes(b"".join(parts))
        return path

    def run(self, *words: str | Path) -> list[Row]:
        done = CliRunner().invoke(app, ["calibrate", *map(str, words), "--json"])
        if isinstance(done.exception, JudgeError):
            raise done.exception
        return [json.loads(line) for line in done.stdout.splitlines()]

    def certify(self, verdicts: Path, *more: str) -> list[Row]:
        places = ["--to", self.folder / "calibration", "--ledger", self.folder / "ledger.db"]
        return self.run("--certify", "--gold", self.gold, "--verdicts", verdicts, *places, *more)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """One behaviour that just passes and three failures, certified in one run."""
    shop = Workshop(tmp_path_factory.mktemp("finished"))
    return shop.certify(shop.verdicts(5, 60, 60, 60))


@pytest.fixture
def copied(finished: list[Row], tmp_path: Path) -> Path:
    """A copy of that run's first certificate with all that lies beside it."""
    path = Path(finished[0]["path"])
    shutil.copytree(path.parent.parent, tmp_path / "calibration")
    return tmp_path / "calibration" / path.parent.name / path.name


def gate(certificate: Row, name: str) -> Row:
    (found,) = [each for each in certificate["gates"] if each["name"] == name]
    return found


def test_one_of_four_is_within_chance(workshop: Workshop, finished: list[Row]) -> None:
    """A judge that just passes on one behaviour is certified if only that was asked for, and not beside three failures."""
    # 55 of 60: the lower bound is .816 at .95 and .801 at .975, but .786 at .9875, a quarter of the error.
    (alone,) = workshop.certify(workshop.verdicts(5), "-r", "r0")
    assert (alone["decision"], gate(alone, "together")["state"]) == ("certified", "reported")
    first, *others = finished
    assert (first["decision"], first["level"]) == ("insufficient", None)
    assert [other["decision"] for other in others] == ["refused"] * 3
    assert [member["parts"] for member in first["together"]] == [2, None, None, None]
    among = gate(first, "together")
    assert among["state"] == "open"
    assert "4 were certified in this run, 0 of them pass together" in among["text"]
    # What is lacking is counted at the quarter of the error that it would have if it passed.
    more = first["needs"]["positives"]
    assert more == among["needs"]["positives"] > 0
    enough, fewer = (clopper_pearson((60 + n) * 55 / 60, 60 + n, 0.9875).low for n in (more, more - 1))
    assert fewer < 0.8 <= enough


def test_a_strong_one_beside_it_carries_it(workshop: Workshop) -> None:
    """Two of four pass with half of the error each: both are certified, with intervals at .975."""
    found = workshop.certify(workshop.verdicts(0, 5, 60, 60))
    assert [each["decision"] for each in found] == ["certified", "certified", "refused", "refused"]
    assert [member["parts"] for member in found[0]["together"]] == [1, 2, None, None]
    sensitivity = gate(found[1], "sensitivity")["figure"]
    assert sensitivity["low"] == pytest.approx(clopper_pearson(55, 60, 0.975).low, abs=1e-6)
    assert "intervals at 0.975" in gate(found[1], "together")["text"]
    for each in found:
        (again,) = workshop.run("--verify", each["path"])
        assert again["recomputes"]


@pytest.mark.parametrize(
    ("folder", "old", "new"),
    [
        ("records", b'"parts":2', b'"parts":1'),  # its own
        ("records", b'"parts":null', b'"parts":1'),  # another's
        ("certificates", b'"parts":null', b'"parts":1'),
    ],
)
def test_an_edited_family(copied: Path, folder: str, old: bytes, new: bytes) -> None:
    """Who says that more passed than did does not verify, in the record or in the certificate."""
    target = copied.parent.parent / folder / copied.name
    assert old in target.read_bytes()
    target.write_bytes(target.read_bytes().replace(old, new, 1))
    with pytest.raises(IntegrityError):
        verify_certificate(copied)


def test_certificates_of_one_run_that_contradict_each_other(copied: Path) -> None:
    """A forged record with a certificate computed from it does not stand beside the honest ones of its run."""
    record = read_record(copied)
    lied = [record.family[0], *(member.model_copy(update={"parts": 1}) for member in record.family[1:])]
    forged = write_certificate(record.model_copy(update={"family": tuple(lied)}), copied.parent.parent)
    assert forged.certificate.decision == "certified"
    with pytest.raises(IntegrityError, match="tells otherwise of what was certified in the same run"):
        verify_certificate(forged.path)


def test_a_mistake_does_not_open_the_split(workshop: Workshop) -> None:
    """Where one behaviour's labels do not fit, none of the run is opened, and the look is not used up."""
    good = workshop.verdicts(0, 0)
    rows = [json.loads(line) for line in good.read_bytes().splitlines()]
    recoded = [row | {"level": "01"[row["level"] == "yes"]} if row["rubric"] == "r1" else row for row in rows]
    bad = workshop.folder / "bad.jsonl"
    bad.write_text("".join(json.dumps(row) + "\n" for row in recoded))
    with pytest.raises(InputError, match="label sets differ"):
        workshop.certify(bad)
    with open_ledger(workshop.folder / "ledger.db", read_only=True) as book:
        assert book.kinds() == {}
    assert [each["look"] for each in workshop.certify(good)] == [1, 1]


def test_the_next_command_is_named(workshop: Workshop) -> None:
    """What shows whether error rates carry over is named as a command that a shell takes, whatever the judge is called."""
    (found,) = workshop.certify(workshop.verdicts(0, judge="a judge; rm x"), "-r", "r0")
    command = "judge gold next -r r0 -m 'a judge; rm x' --audit --to audit.jsonl"
    assert gate(found, "transport")["text"].endswith(command)


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=30))
def test_as_benjamini_and_hochberg(p_values: list[float]) -> None:
    """Counted in parts of the error, as many pass as SciPy's adjusted p values leave at or below the error."""
    m, error = len(p_values), 0.05
    # Off the borders between two parts, where rounding would decide.
    p = np.array([value if abs(value * m / error % 1) > 1e-6 else value * 1.001 for value in p_values]).clip(0, 1)
    parts = [None if value > error else max(1, math.ceil(value * m / error)) for value in p]
    family = [
        Member(judge="keen", rubric=f"r{i}", gold_sha256="", answers_sha256="", parts=n) for i, n in enumerate(parts)
    ]
    assert count_selected(family) == int((false_discovery_control(p) <= error).sum())
