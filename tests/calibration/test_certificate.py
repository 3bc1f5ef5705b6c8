"""`judge calibrate --certify` and `--verify` as a user runs them, on gold and judges whose quality is known by construction."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from calibration.gold_folder import truth_of, write_gold, write_verdicts
from judge.cli.main import app
from judge.errors import InputError, IntegrityError, JudgeError
from judge.ledger.opening import open_ledger

YES = ["--positive", "yes"]


class Done(NamedTuple):
    code: int
    rows: list[dict[str, Any]]
    error: JudgeError | None

    @property
    def row(self) -> dict[str, Any]:
        (one,) = self.rows
        return one

    def gate(self, name: str) -> dict[str, Any]:
        (found,) = [gate for gate in self.row["gates"] if gate["name"] == name]
        return found


Calibrate = Callable[..., Done]


@pytest.fixture
def calibrate(tmp_path: Path) -> Calibrate:
    """Run `judge calibrate ... --json` with a ledger of its own."""

    def run(*arguments: str | Path) -> Done:
        words = ["calibrate", *map(str, arguments), "--json"]
        done = CliRunner().invoke(app, words)
        error = done.exception if isinstance(done.exception, JudgeError) else None
        assert error or done.exception is None or isinstance(done.exception, SystemExit), done.exception
        code = error.exit_code if error else done.exit_code
        return Done(code, [json.loads(line) for line in done.stdout.splitlines()], error)

    return run


@pytest.fixture
def certify(calibrate: Calibrate, tmp_path: Path) -> Calibrate:
    """Certify `verdicts` on `gold`, everything written below the test's folder."""

    def run(gold: Path, verdicts: Path, *more: str | Path) -> Done:
        places = ["--to", tmp_path / "calibration", "--ledger", tmp_path / "ledger.db"]
        return calibrate("--certify", "--gold", gold, "--verdicts", verdicts, *places, *more)

    return run


def right(every: int) -> Callable[[int], bool]:
    return lambda item: truth_of(item, every)


def test_a_good_judge_is_certified(certify: Calibrate, calibrate: Calibrate, tmp_path: Path) -> None:
    """A judge without mistakes on enough human gold is certified, and the certificate recomputes to the same bytes."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    verdicts = write_verdicts(tmp_path / "v.jsonl", 240, right(4))
    done = certify(gold, verdicts)
    assert (done.code, done.row["decision"], done.row["level"]) == (0, "certified", "SCREENING")
    assert done.row["second_opinion"]["agrees"] is True
    path = Path(done.row["path"])
    assert (path.parent.parent / "records" / path.name).is_file()
    again = calibrate("--verify", path)
    assert (again.code, again.row["recomputes"], again.row["void"]) == (0, True, [])


def test_rate_asks_for_more(certify: Calibrate, tmp_path: Path) -> None:
    """The same judge is not certified for rates: 180 negatives in 30 scenarios cannot show a specificity of .98."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(4)), "--protocol", "rate")
    assert (done.code, done.row["decision"]) == (6, "insufficient")
    # 183 independent negatives without a mistake put the lower bound at .98; six of a scenario at an assumed likeness of .2
    # have the design effect 1 + 5 * .2 = 2, so that 180 are worth 90 and 93 * 2 are lacking.
    assert done.gate("specificity")["state"] == "open"
    assert done.row["needs"]["negatives"] == 186


def test_always_no_is_refused(certify: Calibrate, tmp_path: Path) -> None:
    """A judge that always says no on gold with 5 % positives is refused, although AC1 and the rater test look splendid."""
    gold = write_gold(tmp_path / "gold", 600, every=20, families=30)
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 600, lambda _: False))
    assert (done.code, done.row["decision"]) == (1, "refused")
    figures = done.row["figures"]["statistics"]
    # Agreement .95, chance 2 * .025 * .975: (.95 - .04875) / (1 - .04875) = .9474.
    assert figures["gwet_ac1"]["estimate"] == pytest.approx(0.947, abs=0.0005)
    assert figures["alt_test_winning_rate"]["estimate"] == 1.0
    assert done.gate("sensitivity")["state"] == "failed"
    assert done.gate("replaces a human")["state"] == "failed"
    assert "one answer only" in done.gate("polarity")["text"]


def test_flipped_labels_are_refused(certify: Calibrate, tmp_path: Path) -> None:
    """A judge that calls positives negative and negatives positive is refused as a suspected swap of labels."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, lambda item: not truth_of(item, 4)))
    assert (done.code, done.row["decision"]) == (1, "refused")
    assert any("suspect polarity" in reason for reason in done.row["reasons"])


def test_label_sets_that_differ(certify: Calibrate, tmp_path: Path) -> None:
    """Gold coded 1 and 2 against verdicts coded 0 and 1 is an error, not a figure."""
    gold = write_gold(tmp_path / "gold", 240, every=4, labels=("1", "2"))
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(4), levels=("0", "1")))
    assert isinstance(done.error, InputError)
    assert "label sets differ" in str(done.error)


def test_another_prompt_voids(certify: Calibrate, calibrate: Calibrate, tmp_path: Path) -> None:
    """A certificate does not cover verdicts that were made with another prompt."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    verdicts = write_verdicts(tmp_path / "v.jsonl", 240, right(4))
    path = certify(gold, verdicts).row["path"]
    assert calibrate("--verify", path, "--verdicts", verdicts).code == 0
    newer = write_verdicts(tmp_path / "newer.jsonl", 5, right(4), prompt_sha256="d" * 64)
    done = calibrate("--verify", path, "--verdicts", newer)
    assert done.code == 6
    assert "prompt_sha256 has changed" in done.row["void"][0]


@pytest.mark.parametrize(
    ("folder", "old", "new"),
    [
        ("certificates", b'"prompt_sha256":"bbb', b'"prompt_sha256":"ddd'),
        ("certificates", b'"decision":"refused"', b'"decision":"certified"'),
        ("records", b'"label":"yes"', b'"label":"no"'),
        ("records", b'"prompt_sha256":"bbb', b'"prompt_sha256":"ddd'),
    ],
)
def test_an_edited_certificate(
    certify: Calibrate, calibrate: Calibrate, tmp_path: Path, folder: str, old: bytes, new: bytes
) -> None:
    """A certificate or a record with an edited hash, decision or label does not verify."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    path = Path(certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, lambda _: False)).row["path"])
    target = path.parent.parent / folder / path.name
    data = target.read_bytes()
    assert old in data
    target.write_bytes(data.replace(old, new, 1))
    done = calibrate("--verify", path)
    assert isinstance(done.error, IntegrityError)
    assert done.code == 5


def test_too_little_gold(certify: Calibrate, tmp_path: Path) -> None:
    """Ten positives, all found, cannot certify: seven more without a miss would put the bound at .80."""
    gold = write_gold(tmp_path / "gold", 240, every=24)
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(24)))
    assert (done.code, done.row["decision"]) == (6, "insufficient")
    # 17 without a miss are needed for .80, ten are there, each in its own scenario.
    assert done.gate("sensitivity")["needs"]["positives"] == 7


def test_constructed_labels(certify: Calibrate, tmp_path: Path) -> None:
    """Labels that no person gave certify nothing: the best a judge can be is provisional."""
    gold = write_gold(tmp_path / "gold", 240, every=4, raters=1, kind="constructed")
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(4)))
    assert (done.code, done.row["decision"], done.row["level"]) == (6, "provisional", None)


def test_unknown_prompt(certify: Calibrate, tmp_path: Path) -> None:
    """Verdicts that do not say with which prompt they were made cannot be certified, as a change could not be seen."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(4), prompt_sha256=None))
    assert done.row["decision"] == "provisional"
    assert "prompt_sha256" in done.row["reasons"][0]


def test_a_refusal_counts_as_wrong(certify: Calibrate, tmp_path: Path) -> None:
    """A judge that refuses on positives has missed them, and too many refusals alone are a reason to refuse it."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    says = lambda item: None if item % 12 == 0 else truth_of(item, 4)  # noqa: E731
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, says))
    assert done.gate("sensitivity")["figure"]["estimate"] == pytest.approx(40 / 60, abs=0.02)
    assert done.gate("parseable")["state"] == "failed"
    assert done.row["decision"] == "refused"


def test_too_few_scenarios(certify: Calibrate, tmp_path: Path) -> None:
    """Twelve scenarios carry no interval, however many items they hold."""
    gold = write_gold(tmp_path / "gold", 240, every=4, families=12)
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(4)))
    assert done.row["decision"] == "insufficient"
    assert done.gate("scenarios")["needs"]["scenarios"] == 8
    figure = done.gate("sensitivity")["figure"]
    assert (figure["low"], figure["high"]) == (None, None)


def test_a_second_look(certify: Calibrate, tmp_path: Path) -> None:
    """A split is opened once: the same judge again is the same look, another prompt is a second one and is refused."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    first = write_verdicts(tmp_path / "v.jsonl", 240, right(4))
    other = write_verdicts(tmp_path / "other.jsonl", 240, right(4), prompt_sha256="e" * 64)
    assert [certify(gold, first).row["look"] for _ in range(2)] == [1, 1]
    done = certify(gold, other)
    assert (done.row["look"], done.row["decision"]) == (2, "refused")
    with open_ledger(tmp_path / "ledger.db", read_only=True) as book:
        assert book.kinds() == {"opening": 2}


def test_looser_needs_a_waiver(certify: Calibrate, tmp_path: Path) -> None:
    """A threshold below the default is refused without a waiver; with one, every certificate shows it."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    verdicts = write_verdicts(tmp_path / "v.jsonl", 240, right(4))
    text = "schema: judge.protocol/1\nname: lenient\nlevel: SCREENING\npopulation: ours\nthresholds:\n  scenarios: 10\n"
    path = tmp_path / "lenient.yaml"
    path.write_text(text)
    done = certify(gold, verdicts, "--protocol", path)
    assert isinstance(done.error, InputError)
    assert "asks for less" in str(done.error)
    path.write_text(text + "waivers:\n  - threshold: scenarios\n    reason: the harness has only twelve scenarios\n")
    waived = certify(gold, verdicts, "--protocol", path)
    assert waived.row["protocol"]["waivers"][0]["reason"] == "the harness has only twelve scenarios"
    assert waived.gate("scenarios")["waived"] is True


def test_disagreeing_raters(certify: Calibrate, tmp_path: Path) -> None:
    """Where raters hardly agree the rubric is at fault, and no judge is certified on it."""
    gold = write_gold(tmp_path / "gold", 240, every=2, errs=lambda item, rater: (item // 2 + rater) % 3 == 0)
    done = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(2)))
    assert done.gate("alpha")["state"] == "failed"
    assert "the rubric is the problem" in done.gate("alpha")["text"]


def test_drift(certify: Calibrate, calibrate: Calibrate, tmp_path: Path) -> None:
    """Anchors judged again void the certificate if verdicts moved one way beyond chance, though nothing else changed."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    path = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(4))).row["path"]
    same = calibrate("--verify", path, "--verdicts", write_verdicts(tmp_path / "same.jsonl", 120, right(4), samples=1))
    assert (same.code, same.row["drift"]["n"], same.row["drift"]["changed"]) == (0, 120, 0)
    # Ten of the 30 positives among the first 120 items are missed now: 2 / 2^10 = .00195.
    weaker = write_verdicts(tmp_path / "weak.jsonl", 120, lambda i: truth_of(i, 4) and i % 12 != 0, samples=1)
    done = calibrate("--verify", path, "--verdicts", weaker)
    assert done.code == 6
    assert done.row["drift"]["changes"]["p"] == pytest.approx(2 / 2**10)
    assert "10 no longer flagged, 0 newly flagged" in done.row["void"][0]
    # The third look has an eighth of .01 to spend, and .00195 is more than .00125.
    third = calibrate("--verify", path, "--verdicts", weaker, "--look", "3").row
    assert third["drift"]["threshold"] == pytest.approx(0.00125)
    assert not [reason for reason in third["void"] if "no longer flagged" in reason]


def test_a_single_change_is_no_drift(certify: Calibrate, calibrate: Calibrate, tmp_path: Path) -> None:
    """Two verdicts that changed in two hundred are within what chance does."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    path = certify(gold, write_verdicts(tmp_path / "v.jsonl", 240, right(4))).row["path"]
    nearly = write_verdicts(tmp_path / "near.jsonl", 200, lambda i: truth_of(i, 4) != (i in (4, 5)), samples=1)
    done = calibrate("--verify", path, "--verdicts", nearly)
    assert (done.code, done.row["drift"]["changed"], done.row["void"]) == (0, 2, [])


def test_rates_that_need_a_certificate(certify: Calibrate, tmp_path: Path) -> None:
    """`judge rates --certificate` gives rates under a valid certificate, and ends with 6 under a void or refused one."""
    gold = write_gold(tmp_path / "gold", 240, every=4)
    verdicts = write_verdicts(tmp_path / "v.jsonl", 300, right(4))
    certificate = certify(gold, verdicts).row["path"]

    def rates(path: Path, certificate: str) -> tuple[int, str]:
        words = ["rates", "--verdicts", str(path), "--certificate", certificate]
        done = CliRunner().invoke(app, words)
        error = done.exception
        return (error.exit_code, str(error)) if isinstance(error, JudgeError) else (done.exit_code, done.stdout)

    code, shown = rates(verdicts, certificate)
    assert code == 0
    assert "no certificate at level RATE" in shown  # it is one for SCREENING
    newer = write_verdicts(tmp_path / "new.jsonl", 300, right(4), judge_sha256="d" * 64)
    code, message = rates(newer, certificate)
    assert (code, "judge_sha256 has changed" in message) == (6, True)
    other = write_verdicts(tmp_path / "other.jsonl", 300, right(4), judge="another")
    assert rates(other, certificate)[0] == 6
    refused = certify(gold, write_verdicts(tmp_path / "no.jsonl", 240, lambda _: False)).row["path"]
    code, message = rates(verdicts, refused)
    assert (code, "not certified" in message) == (6, True)


def test_families_are_the_clusters(calibrate: Calibrate, tmp_path: Path) -> None:
    """Labels that lie in a gold folder bring its families, and every interval counts them as clusters."""
    gold = write_gold(tmp_path / "gold", 240, every=4, families=12)
    verdicts = write_verdicts(tmp_path / "v.jsonl", 240, lambda i: truth_of(i, 4) and i % 48 != 0)
    done = calibrate("--labels", gold / "labels", "--verdicts", verdicts, *YES)
    assert "12 clusters" in done.row["statistics"]["sensitivity"]["method"]
