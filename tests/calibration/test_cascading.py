"""Thresholds of judges asked in turn keep their promise, for positive and for negative answers apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from judge.calibration.cascading import Step, select_steps, weigh_judges
from judge.calibration.matching import match
from judge.cli.main import make_app
from judge.errors import InputError
from judge.gold.model import Label
from judge.grading.panels.cascade import read_thresholds
from judge.ledger.verdict import Verdict


def row(item: int, sample: int, positive: bool | None, judge: str = "test/small", **more: object) -> Verdict:
    level = None if positive is None else "enacted" if positive else "absent"
    return Verdict.model_validate(
        {
            "verdict_id": f"{judge}-{item}-{sample}",
            "transcript_id": f"t{item}",
            "rubric": "demo",
            "judge": judge,
            "sample": sample,
            "level": level,
            "positive": positive,
            "status": "refused" if positive is None else "ok",
            "rubric_sha256": "r" * 64,
            "prompt_sha256": "p" * 64,
            "judge_sha256": "j" * 64,
            **more,
        }
    )


def label(item: int, positive: bool) -> Label:
    word = "enacted" if positive else "absent"
    return Label(transcript_id=f"t{item}", rubric="demo", rater="ann", rater_kind="human", label=word)


def test_a_judge_that_is_right_when_it_is_sure_decides_then() -> None:
    """100 answers of each kind: right at confidence 1, a coin at 2/3. At risk .1 and delta .1 it decides where it is sure.

    One of 5 sequences begins at threshold 1 with delta .1 / 2 answers / 5 = .01: .9^50 = .005 < .01 passes with 50 items
    without an error. At 2/3 there are 25 errors among 100, and no sequence passes.
    """
    answers = np.repeat([1, 0], 100)
    sure = np.tile(np.repeat([1.0, 2 / 3], 50), 2)
    wrong = np.tile(np.concatenate([np.zeros(50), np.tile([0, 1], 25)]), 2)
    truth = np.where(wrong == 1, 1 - answers, answers)
    (step,) = select_steps(answers[:, None], sure[:, None], truth, 0.1, 0.1, seed=0)
    for limit in (step.positive, step.negative):
        assert limit.threshold is not None
        assert 2 / 3 < limit.threshold <= 1
        assert (100, 50, 0) == (limit.seen, limit.decided, limit.wrong)
    assert 200 == step.reached


def test_a_rare_answer_does_not_hide_behind_a_frequent_one() -> None:
    """95 right negatives and 5 wrong positives, all at full confidence: 5 % wrong in all, yet no positive is decided."""
    answers = np.array([0] * 95 + [1] * 5)
    (step,) = select_steps(answers[:, None], np.ones((100, 1)), np.zeros(100), 0.1, 0.1, seed=0)
    assert step.positive.threshold is None
    assert (95, 0) == (step.negative.decided, step.negative.wrong)


def draw(rng: np.random.Generator, n: int, accuracy: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers, confidences and truth of two judges who are right with `accuracy` at confidence .5 and with .9 at 1."""
    truth = rng.integers(0, 2, n)
    sure = rng.choice([0.5, 1.0], (n, 2))
    right = rng.random((n, 2)) < np.where(sure == 1, 0.9, accuracy)
    return np.where(right, truth[:, None], 1 - truth[:, None]), sure, truth


def risks(steps: tuple[Step, ...], answers: np.ndarray, sure: np.ndarray, truth: np.ndarray) -> list[float]:
    """How often each limit errs in a whole population, of which each judge is left what the one before did not decide."""
    found, left = [], np.ones(len(truth), dtype=bool)
    for judge, step in enumerate(steps):
        here = left.copy()
        for answer, limit in ((1, step.positive), (0, step.negative)):
            if limit.threshold is not None:
                decided = here & (answers[:, judge] == answer) & (sure[:, judge] >= limit.threshold)
                found.append(float(np.mean(truth[decided] != answer)))
                left &= ~decided
    return found


@pytest.mark.parametrize("accuracy", [0.65, 0.75, 0.79])
def test_the_promise_is_kept_as_often_as_it_says(accuracy: float) -> None:
    """Over many labelled samples, the chance that some limit errs on more than max_risk of the population is delta at most.

    For the first judge a limit at 1 errs on .1, a lower one on (.1 + 1 - accuracy) / 2 = .225, .175 and .155, where .15 is
    allowed. 150 samples at delta .1: more than 29 have a chance below .0005 (mean 15, standard deviation 3.7). The population
    is 50,000, so that a share of some 10,000 is known to .004.
    """
    rng = np.random.default_rng(7)
    population = draw(rng, 50_000, accuracy)
    broken = decided = 0
    for seed in range(150):
        answers, sure, truth = draw(rng, 1200, accuracy)
        steps = select_steps(answers, sure, truth, 0.15, 0.1, seed=seed, grid=(1.0, 0.9, 0.5), starts=1)
        found = risks(steps, *population)
        decided += bool(found)
        broken += any(risk > 0.154 for risk in found)
    assert broken <= 29
    assert decided >= 75  # and the promise is not kept by deciding nothing


def test_a_later_judge_is_measured_on_what_comes_to_it() -> None:
    """Each judge has its half of the items; the second sees none of those that the first would decide."""
    rng = np.random.default_rng(1)
    truth = np.repeat([1, 0], 100)
    easy = rng.random(200) < 0.5
    first = np.where(easy, 1.0, 0.5)
    answers = np.column_stack([truth, truth])
    steps = select_steps(answers, np.column_stack([first, np.ones(200)]), truth, 0.2, 0.2, seed=3, grid=(1.0, 0.9))
    assert 100 == steps[0].reached
    assert steps[0].positive.decided + steps[0].negative.decided == easy[_fold(3) == 0].sum()
    assert steps[1].reached == (~easy[_fold(3) == 1]).sum()


def _fold(seed: int) -> np.ndarray:
    """Which judge's share each of 200 items is, as two judges share them."""
    return np.random.default_rng(seed).permutation(200) % 2


def test_confidence_is_the_share_of_samples_that_agree() -> None:
    """Two of three is 2/3; a refused sample is one that does not agree, and leaves a negative without any confidence."""
    said = {
        0: [True, True, False],
        1: [False, False, False],
        2: [True, None, True],
        3: [False, None, False],
        4: [None] * 3,
    }
    rows = [row(item, sample, sign) for item, signs in said.items() for sample, sign in enumerate(signs)]
    (one,) = match(rows, [label(item, item == 0) for item in said])
    found = weigh_judges([one])
    assert [1, 0, 1, 0, -1] == found.answers[:, 0].tolist()
    assert [2 / 3, 1.0, 2 / 3, 0.0, 0.0] == found.confidences[:, 0].tolist()


def test_a_stated_probability_is_the_confidence() -> None:
    """Where rows say how probable a positive is, that is what thresholds are set on."""
    rows = [row(0, 0, True, p_positive=0.9), row(1, 0, False, p_positive=0.2)]
    (one,) = match(rows, [label(0, True), label(1, False)])
    assert [0.9, 0.8] == weigh_judges([one]).confidences[:, 0].tolist()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Forty labelled transcripts, half of them positive; a small judge and a large one that are always right."""
    rows = [
        row(item, sample, item % 2 == 0, judge)
        for judge, samples in (("test/small", 3), ("test/large", 1))
        for item in range(120)
        for sample in range(samples)
    ]
    (tmp_path / "v.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in rows))
    labels = [label(item, item % 2 == 0).model_dump_json(exclude_none=True) + "\n" for item in range(120)]
    (tmp_path / "l.jsonl").write_text("".join(labels))
    return tmp_path


def calibrate(files: Path, *arguments: str) -> None:
    app = make_app("calibrate")
    given = ["calibrate", "--labels", str(files / "l.jsonl"), "--verdicts", str(files / "v.jsonl"), *arguments]
    app(given, standalone_mode=False)


def test_thresholds_are_written_in_the_order_of_the_judges(
    files: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The file says who is asked first, with what, and what it was measured on."""
    path = files / "limits.json"
    calibrate(files, "-m", "test/small", "-m", "test/large", "--thresholds", str(path), "--max-risk", "0.25", "--json")
    found = read_thresholds(path)
    assert [("test/small", 3), ("test/large", 1)] == [(step.judge, step.samples) for step in found.steps]
    assert ("demo", "r" * 64, ("human",), 120) == (found.rubric, found.rubric_sha256, found.label_kinds, found.items)
    assert 0 == found.steps[0].passed_on  # the small judge is always right and sure
    printed = json.loads(capsysbinary.readouterr().out)
    assert str(path) == printed["path"]
    again = files / "again.json"
    calibrate(files, "-m", "test/small", "-m", "test/large", "--thresholds", str(again), "--max-risk", "0.25", "--json")
    assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name the judges with -m"),
        (["-m", "test/small", "--max-risk", "1"], "lies between 0 and 1"),
        (["-m", "test/small", "-m", "test/none"], "'test/none': no verdict by this judge"),
    ],
)
def test_what_cannot_be_measured_is_refused(files: Path, arguments: list[str], words: str) -> None:
    """A judge that is not there, or a share that is none, is an error that says what to give."""
    with pytest.raises(InputError) as caught:
        calibrate(files, *arguments, "--thresholds", str(files / "limits.json"))
    assert words in str(caught.value)


def test_a_judge_that_was_asked_about_some_items_only_is_refused(files: Path) -> None:
    """What a judge was asked about must not have been chosen, as by a panel that asked it where others differed."""
    kept = [line for line in (files / "v.jsonl").read_text().splitlines() if "test/large-7-0" not in line]
    (files / "v.jsonl").write_text("\n".join(kept) + "\n")
    with pytest.raises(InputError, match="'test/large': has no verdict on 1 of 120"):
        calibrate(files, "-m", "test/large", "--thresholds", str(files / "limits.json"))


def test_transcripts_that_were_asked_about_otherwise_are_left_out(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two transcripts that the small judge read in windows have another prompt: 118 are measured, and it is said."""
    text = (files / "v.jsonl").read_text().splitlines()
    odd = [
        line.replace("p" * 64, "w" * 64) if '"test/small-7-' in line or '"test/small-8-' in line else line
        for line in text
    ]
    (files / "v.jsonl").write_text("\n".join(odd) + "\n")
    calibrate(files, "-m", "test/small", "-m", "test/large", "--thresholds", str(files / "limits.json"))
    assert 118 == read_thresholds(files / "limits.json").items
    assert "2 transcripts asked about otherwise than most" in capsys.readouterr().err
