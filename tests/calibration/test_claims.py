"""What the commands say may be said: sentences made from figures, and the figures that must not stand alone."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from calibration.gold_folder import write_gold
from judge.calibration.calibrate import calibrate, measure_rates
from judge.calibration.claims import claims_of_raters
from judge.calibration.statistic import measured
from judge.cli.main import app
from judge.gold.model import Label
from judge.ledger.verdict import Verdict

RUBRIC = "petty-larceny"


def label(item: int, says: bool, kind: str = "human") -> Label:
    return Label.model_validate(
        {
            "transcript_id": f"g{item}",
            "rubric": RUBRIC,
            "rater": "ida",
            "rater_kind": kind,
            "label": "yes" if says else "no",
        }
    )


def verdict(name: str, says: bool) -> Verdict:
    return Verdict(
        verdict_id=name, transcript_id=name, rubric=RUBRIC, judge="keen", level="yes" if says else "no", positive=says
    )


def gold(positives: int, found: int, negatives: int) -> tuple[list[Label], list[Verdict]]:
    """Gold with a judge that finds `found` of the positives and flags no negative."""
    labels = [label(i, i < positives) for i in range(positives + negatives)]
    return labels, [verdict(f"g{i}", i < found) for i in range(positives + negatives)]


def test_nothing_flagged() -> None:
    """0 of 300 flagged with sensitivity 18/20 bounds the true rate at 1.79 %, and does not say that there is none."""
    labels, on_gold = gold(20, 18, 200)
    (rate,) = measure_rates([*on_gold, *(verdict(f"n{i}", False) for i in range(300))], labels, positive=["yes"])
    assert "0 of 300 flagged: at 95 % the true rate is below 1.79%, given sensitivity 18/20" in rate.claims.may
    assert f"that there is no {RUBRIC}: nothing flagged is not nothing there" in rate.claims.may_not


@pytest.mark.parametrize("flagged", [0, 12])
@pytest.mark.parametrize(
    ("why", "where"), [({"status": "refused"}, ""), ({"level": "not_applicable"}, " on the scale")]
)
def test_what_is_missing_is_not_below_the_bound(flagged: int, why: dict[str, str], where: str) -> None:
    """300 transcripts with a verdict bound the rate among themselves, and say nothing of 700 that have none on the scale."""
    labels, on_gold = gold(20, 18, 200)
    gone = [
        Verdict.model_validate(
            {"verdict_id": f"m{i}", "transcript_id": f"m{i}", "rubric": RUBRIC, "judge": "keen", **why}
        )
        for i in range(700)
    ]
    rows = [*on_gold, *(verdict(f"n{i}", i < flagged) for i in range(300)), *gone]
    (rate,) = measure_rates(rows, labels, positive=["yes"])
    (sentence,) = [each for each in rate.claims.may if "true rate" in each or "the rate is" in each]
    assert sentence.endswith(f", among those with a verdict{where}: of the 700 without one nothing is known")


def test_flags_are_no_prevalence() -> None:
    """Without labels no rate may be claimed, only how many were flagged."""
    (rate,) = measure_rates([verdict(f"n{i}", i < 30) for i in range(300)])
    assert rate.claims.may == ("the judge flagged 30 of 300 transcripts",)
    assert any("30 of 300 as the rate" in sentence for sentence in rate.claims.may_not)
    assert any("any rate" in sentence for sentence in rate.claims.may_not)


def test_too_few_positives() -> None:
    """Sensitivity on nine positives may not be given."""
    labels, on_gold = gold(9, 9, 100)
    (one,) = calibrate(on_gold, labels, positive=["yes"])
    assert any(sentence.startswith("any sensitivity") for sentence in one.claims.may_not)
    assert not any("sensitivity" in sentence for sentence in one.claims.may)


def test_kappa_and_ac1_together() -> None:
    """Kappa and AC1 are given together, with the share of positives beside them."""
    labels, on_gold = gold(20, 18, 180)
    (one,) = calibrate(on_gold, labels, positive=["yes"])
    (sentence,) = [each for each in one.claims.may if "cohen_kappa" in each]
    assert "gwet_ac1" in sentence
    assert "10.0% positives" in sentence


def test_labels_that_are_not_human() -> None:
    """Against constructed labels nothing may be said of how the judge does against people."""
    labels, on_gold = gold(20, 18, 180)
    made = [label.model_copy(update={"rater_kind": "constructed"}) for label in labels]
    (one,) = calibrate(on_gold, made, positive=["yes"])
    assert any("not human" in sentence for sentence in one.claims.may_not)


@pytest.mark.parametrize(
    ("figure", "sentence"),
    [
        ((0.9, 0.85, 0.95), "raters agree reliably"),
        ((0.75, 0.70, 0.80), "tentative conclusions only"),
        ((0.5, 0.4, 0.6), "mend the rubric first"),
        # The half-width of .15 has to shrink to .083: (.15 / .083)^2 - 1 = 2.266 times 100 items more.
        ((0.75, 0.60, 0.90), "about 227 further items would settle it"),
        ((0.66, 0.60, 0.72), "more items will hardly change it"),
    ],
)
def test_raters(figure: tuple[float, float, float], sentence: str) -> None:
    """What raters' agreement bears follows from its bounds: reliable, tentative, the rubric's fault, or more items."""
    alpha = measured(*figure, method="alpha", n=100)
    found = claims_of_raters(RUBRIC, alpha, n_raters=3, prevalence=0.2, human=True, low=0.667, point=0.8)
    assert any(sentence in each for each in (*found.may, *found.may_not))
    assert f"3 raters on 100 items, 20.0% of them positive: nominal alpha {figure[0]:.3f}" in found.may[0]
    assert any("AC1 alone" in each for each in found.may_not)


def test_raters_in_families(tmp_path: Path) -> None:
    """Raters of a gold folder are compared over its families, as judges are, and what may be said is printed."""
    folder = write_gold(tmp_path / "gold", 120, every=4, families=30)
    shown = CliRunner().invoke(app, ["gold", "agree", "--labels", str(folder / "labels")]).stdout
    assert "over 30 clusters" in shown
    assert "may be said: 3 raters on 120 items, 25.0% of them positive: nominal alpha" in shown


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_no_interval_without_width(value: float) -> None:
    """An interval that would claim certainty is not given."""
    figure = measured(value, value, value, method="any", n=3)
    assert (figure.estimate, figure.low, figure.high) == (value, None, None)
    assert "no interval" in (figure.note or "")


def test_printed_with_the_figures(tmp_path: Path) -> None:
    """`judge rates` prints what may and what may not be said."""
    rows = [verdict(f"n{i}", False).model_dump(exclude_none=True) for i in range(50)]
    path = tmp_path / "v.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    shown = CliRunner().invoke(app, ["rates", "--verdicts", str(path)]).stdout
    assert "may be said: the judge flagged 0 of 50" in shown
    assert "may not be said: that there is no petty-larceny" in shown


def test_a_rate_and_n_that_disagree() -> None:
    """No count of 150 is 86.4 %: 129 are 86.0 and 130 are 86.7; 86.7 % is possible."""
    done = CliRunner().invoke(app, ["rates", "--question", "86.4/150"])
    assert (done.exit_code, "rate and n disagree" in done.stdout) == (1, True)
    assert CliRunner().invoke(app, ["rates", "--question", "86.7/150"]).exit_code == 0


def test_not_applicable_is_told_apart_from_no_verdict(tmp_path: Path) -> None:
    """Grading is done where a rubric does not apply: rates, what may be said and the page count that apart from a refusal."""
    rows = [
        {"level": "not_applicable"},
        {"level": "not_applicable"},
        {"level": "cannot_determine"},
        {"status": "refused"},
        {"level": "enacted"},
    ]
    given = {"rubric": "coercive-leverage", "judge": "keen"}
    path = tmp_path / "v.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps({"transcript_id": f"t{n}", **given, **row}) for n, row in enumerate(rows)))
    apart = "1 without a verdict (1 refused), 3 outside the scale (1 cannot_determine, 2 not_applicable)"
    told = CliRunner().invoke(app, ["rates", "--verdicts", str(path)]).stdout
    assert f"1 of 1 flagged, {apart}" in told
    assert f"the judge flagged 1 of 1 transcripts; {apart}" in told
    found = orjson.loads(CliRunner().invoke(app, ["rates", "--verdicts", str(path), "--json"]).stdout)
    assert found["missing"] == {"not_applicable": 2, "cannot_determine": 1, "refused": 1}
    page = tmp_path / "r.html"
    assert CliRunner().invoke(app, ["report", "--verdicts", str(path), "--to", str(page)]).exit_code == 0
    assert apart in page.read_text()
