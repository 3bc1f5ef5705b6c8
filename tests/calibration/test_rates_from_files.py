"""Rates from files: what the contract names is there, whatever is labelled, and nothing judged is called missing."""

from __future__ import annotations

import pytest

from judge.calibration.estimate import measure_rates
from judge.errors import InputError
from judge.gold.model import Label
from judge.ledger.verdict import Verdict

N = 60


def verdict(number: int, level: str, **fields: object) -> Verdict:
    return Verdict(
        verdict_id=f"v{number}", transcript_id=f"t{number}", rubric="refusal", judge="j", level=level, **fields
    )


def label(number: int, value: str) -> Label:
    return Label(transcript_id=f"t{number}", rubric="refusal", rater="ana", rater_kind="human", label=value)


VERDICTS = [verdict(n, "refused" if n % 3 == 0 else "complied") for n in range(N)]
LABELS = [label(n, "refused" if n % 3 == 0 else "complied") for n in range(N)]


def test_every_contracted_rate_is_given_when_all_is_labelled() -> None:
    """With labels on every transcript the rates are theirs, and a note says that the labels give it directly."""
    (rate,) = measure_rates(VERDICTS, LABELS, positive=["refused"])
    assert {"naive", "rogan_gladen", "ppi", "worst_case"} <= set(rate.statistics)
    # 20 of 60 are refused, and the judge is always right: sensitivity and specificity are 1.
    assert (20, N) == (rate.flagged, rate.n)
    assert rate.statistics["rogan_gladen"].estimate == pytest.approx(1 / 3)
    assert any("every transcript is labelled" in note for note in rate.notes)


def test_prediction_powered_inference_is_given_only_for_a_random_subsample() -> None:
    """Refused with its reason unless the user says that gold is a random subsample; then it has an interval."""
    (refused,) = measure_rates(VERDICTS, LABELS[:45], positive=["refused"])
    assert "not a random subsample" in (refused.statistics["ppi"].note or "")
    more = [verdict(n, "refused" if n % 3 == 0 else "complied") for n in range(90)]
    gold = [label(n, "refused" if n % 3 == 0 else "complied") for n in range(66)]
    (given,) = measure_rates(more, gold, positive=["refused"], random_gold=True)
    # The judge is right on all 66 labelled, 22 of them positive; 8 of the other 24 are flagged: a third throughout.
    assert given.statistics["ppi"].estimate == pytest.approx(1 / 3)


def test_a_level_of_its_own_scale_counts_by_what_is_named_positive() -> None:
    """Without labels, verdicts on a foreign scale are counted by --positive, not called missing."""
    (rate,) = measure_rates(VERDICTS, positive=["refused"])
    assert (20, {}) == (rate.flagged, rate.missing)


def test_a_foreign_scale_without_a_positive_is_an_error() -> None:
    """Nobody guesses which level is the behaviour."""
    with pytest.raises(InputError, match="which labels count as positive"):
        measure_rates(VERDICTS)


def test_further_samples_are_left_out_and_said() -> None:
    """A rate counts each transcript once."""
    again = [verdict(n + 1000, "refused", sample=1) for n in range(5)]
    (rate,) = measure_rates([*VERDICTS, *again], positive=["refused"])
    assert N == rate.n
    assert any("5 further samples" in note for note in rate.notes)


def test_a_judge_is_not_told_of_another_judge_s_samples() -> None:
    """Five further samples are one judge's; the figures of the one that has none say nothing of them."""
    again = [verdict(n + 1000, "refused", sample=1) for n in range(5)]
    other = [verdict(n + 2000, "complied").model_copy(update={"judge": "k"}) for n in range(5)]
    rates = {rate.judge: rate.notes for rate in measure_rates([*VERDICTS, *again, *other], positive=["refused"])}
    assert {judge: sum("further sample" in note for note in notes) for judge, notes in rates.items()} == {
        "j": 1,
        "k": 0,
    }
