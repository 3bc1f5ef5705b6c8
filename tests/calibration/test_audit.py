"""The gold audit on labels, judges and transcripts that were built with one fault each, and its parts against oracles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from judge.calibration.audit import GoldAudit, audit_gold
from judge.calibration.audit_texts import Texts
from judge.calibration.comparison import fisher_exact
from judge.calibration.duplicates import find_twins
from judge.calibration.matching import match
from judge.calibration.rivals import find_rivals, logistic, prepare, split_folds
from judge.cli.main import app
from judge.gold.model import Label, RaterKind
from judge.ledger.verdict import Verdict
from judge.transcripts.model import Message, Part, Source, Transcript

RUBRIC = "petty-larceny"
N = 120
FARM = "hay barn plough furrow orchard cider goose pasture thresher silo wheat rye clover fence gate".split()


def truth(item: int) -> bool:
    return item % 3 == 0


def label(item: int, says: bool, rater: str = "ida", kind: RaterKind = "human") -> Label:
    return Label(
        transcript_id=f"t{item:03}", rubric=RUBRIC, rater=rater, rater_kind=kind, label="yes" if says else "no"
    )


def verdict(item: int, says: bool | None, judge: str = "keen") -> Verdict:
    level = None if says is None else "yes" if says else "no"
    return Verdict(
        verdict_id=f"{judge}/{item}",
        transcript_id=f"t{item:03}",
        rubric=RUBRIC,
        judge=judge,
        level=level,
        positive=says,
        status="refused" if says is None else "ok",
    )


def transcript(item: int, words: str, **withheld: object) -> Transcript:
    part = Part(id="m1.1", kind="text", text=words)
    message = Message(id="m1", role="assistant", author="target", origin="sampled", parts=(part,))
    source = Source(uri="farm.jsonl", format="canonical", sha256="0" * 64, size=1)
    return Transcript(id=f"t{item:03}", source=source, messages=(message,), withheld=withheld)


def ramble(item: int, length: int = 30) -> str:
    """Words without any connection with the label."""
    rng = np.random.default_rng(item)
    return " ".join(FARM[int(k)] for k in rng.integers(0, len(FARM), length))


def audit(
    labels: Callable[[int], list[Label]],
    judges: Callable[[int], list[Verdict]] = lambda _: [],
    texts: Texts | None = None,
) -> GoldAudit:
    rows = [row for item in range(N) for row in labels(item)]
    said = [row for item in range(N) for row in judges(item)]
    judges = match(said, rows, positive=["yes"]) if said else []
    (found,) = audit_gold(rows, judges, texts, positive=["yes"])
    return found


def codes(found: GoldAudit) -> dict[str, str]:
    return {discovery.code: discovery.text for discovery in found.discoveries}


def mostly(item: int, judge: int) -> bool:
    """A judge who errs on every ninth item, each on others."""
    return truth(item) != ((item + judge) % 9 == 0)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """Sound labels, a good judge and texts without a shortcut give no discovery."""
    texts = Texts(transcript(item, ramble(item)) for item in range(N))
    found = audit(lambda i: [label(i, truth(i))], lambda i: [verdict(i, mostly(i, 0))], texts)
    assert found.discoveries == ()
    assert found.judges[0].beats


def test_inverted_polarity() -> None:
    """Where every judge is worse than chance, the labels are suspected, not the judges."""
    found = audit(
        lambda i: [label(i, not truth(i))], lambda i: [verdict(i, mostly(i, k), f"judge{k}") for k in range(3)]
    )
    assert "all 3 judges are worse than chance; suspect the labels" in codes(found)["polarity"]


def test_one_inverted_judge() -> None:
    """One judge among good ones that is worse than chance is named."""
    found = audit(
        lambda i: [label(i, truth(i))],
        lambda i: [verdict(i, mostly(i, 0), "keen"), verdict(i, not mostly(i, 1), "contrary")],
    )
    assert codes(found)["polarity"].startswith("suspect polarity: contrary")


def test_circular_gold() -> None:
    """Gold that is the vote of the judges under test is found, though no single judge equals it."""
    judges = [[mostly(i, k) for k in range(3)] for i in range(N)]
    found = audit(
        lambda i: [label(i, sum(judges[i]) > 1, "committee")],
        lambda i: [verdict(i, judges[i][k], f"judge{k}") for k in range(3)],
    )
    assert "committee says what most of the judges say" in codes(found)["circular"]


def test_a_judge_among_the_raters() -> None:
    """A judge whose own labels are part of the gold is circular."""
    found = audit(lambda i: [label(i, truth(i), "keen", "ai")], lambda i: [verdict(i, mostly(i, 0))])
    assert "one of the raters" in codes(found)["circular"]


def test_an_outlier_rater() -> None:
    """The rater who differs from the others far more often than these from each other is named."""

    def labels(item: int) -> list[Label]:
        careful = [label(item, truth(item) != ((item + 31 * k) % 40 == 0), f"rater{k}") for k in range(3)]
        return [*careful, label(item, not truth(item), "upside")]

    found = codes(audit(labels))["outlier rater"]
    assert found.startswith("upside differs")
    assert "upside down" in found


def test_refusals_that_depend_on_the_answer() -> None:
    """A judge that refuses on positives only is found; one that refuses as often on both is not."""
    gold = lambda i: [label(i, truth(i))]  # noqa: E731
    on_positives = audit(gold, lambda i: [verdict(i, None if i % 6 == 0 else truth(i))])
    # 20 of 40 positives against 0 of 80 negatives.
    assert "no verdict on 20 of 40 positives and on 0 of 80 negatives" in codes(on_positives)["missing"]
    on_any = audit(gold, lambda i: [verdict(i, None if i % 10 == 0 else truth(i))])
    assert "missing" not in codes(on_any)


def test_duplicates_and_leaks() -> None:
    """Copies across splits, and a field outside the conversation that tells the label, are found and named."""
    texts = Texts(
        (transcript(i, ramble(i % 118), flag="seen" if truth(i) else "", order=i) for i in range(N)),
        {f"t{i:03}": "test" if i >= 118 else "dev" for i in range(N)},
    )
    found = audit(lambda i: [label(i, truth(i))], texts=texts)
    twins = next(one for one in found.discoveries if one.code == "exact duplicates")
    assert (twins.weight, twins.items) == ("fault", ("t000 = t118", "t001 = t119"))
    # 118 = 3 * 39 + 1: the copy of item 0 is no positive, that of item 1 (119 = 3 * 39 + 2) is none either.
    assert twins.figures["labels differ"] == 1
    assert "withheld.flag" in codes(found)["leak"]


def test_a_shortcut_is_named() -> None:
    """A string that only positives hold makes the judge useless to measure, and the judge is told which string it is."""
    texts = Texts(
        transcript(i, f"{ramble(i, 15)} {'lantern oil' if truth(i) else 'goose'} {ramble(i + 500, 15)}")
        for i in range(N)
    )
    found = audit(lambda i: [label(i, truth(i))], lambda i: [verdict(i, mostly(i, 0))], texts)
    assert "'lantern oil'" in codes(found)["shortcut"]
    assert not found.judges[0].beats
    assert "'lantern oil'" in codes(found)["dumb rival"]


def test_a_judge_that_does_not_read() -> None:
    """A judge that always says no is told that it does not beat one that does not read."""
    found = audit(lambda i: [label(i, truth(i))], lambda i: [verdict(i, False)])
    assert "does not beat" in codes(found)["dumb rival"]


def test_rivals_get_no_credit_for_chance() -> None:
    """On texts without any connection with the label, every rival is right on half of each class on average.

    One measurement has a standard error of sqrt(.25 / 40 + .25 / 80) / 2 = .048, the mean of eight .017.
    """
    answers = np.array([int(truth(item)) for item in range(N)])
    areas: dict[str, list[float]] = {}
    for start in range(1000, 9000, 1000):
        views = {"text": [ramble(start + item) for item in range(N)]}
        for rival in find_rivals(answers, prepare(views, "text"))[2:]:
            areas.setdefault(rival.name, []).append(rival.statistics["balanced_accuracy"].estimate or 0.0)
    assert len(areas) == 3
    for each in areas.values():
        assert float(np.mean(each)) == pytest.approx(0.5, abs=0.06)


def test_folds_keep_groups_together() -> None:
    """No group is in two folds, and every fold holds both classes."""
    answers = np.array([int(truth(item)) for item in range(N)])
    groups = [f"family {item // 4}" for item in range(N)]
    folds = split_folds(answers, groups)
    for group in set(groups):
        assert len({int(fold) for fold, name in zip(folds, groups, strict=True) if name == group}) == 1
    assert all(set(answers[folds == fold]) == {0, 1} for fold in range(5))


def test_regression_like_sklearn() -> None:
    """Weights of words and of the regression on them are those of scikit-learn."""
    texts = [f"{ramble(item)} {'cider' if item % 4 else ''}" for item in range(60)]
    answers = np.array([int(truth(item)) for item in range(60)])
    ours = prepare({"text": texts}, "text").words
    theirs = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, min_df=2).fit_transform(texts).toarray()
    assert np.sort(ours, axis=1) == pytest.approx(np.sort(theirs, axis=1), abs=1e-12)
    features = np.column_stack([ours, np.ones(60)])
    model = LogisticRegression(C=1.0, fit_intercept=False, class_weight="balanced", tol=1e-10, max_iter=1000).fit(
        features, answers
    )
    assert logistic(features, answers) == pytest.approx(model.coef_[0], abs=1e-5)


def test_fisher() -> None:
    """Fisher's exact test gives 34/70 for the lady tasting tea."""
    assert fisher_exact(3, 1, 1, 3) == pytest.approx(34 / 70)


def test_near_duplicates() -> None:
    """A long text with one word changed is a near copy; a text on the same subject is none."""
    first = ramble(1, 200)
    changed = first.split()
    changed[100] = "tractor"
    twins = find_twins([first, " ".join(changed), ramble(2, 200)])
    assert twins.exact == ()
    assert twins.near == ((0, 1),)
    assert twins.group == (0, 0, 2)


def test_calibrate_shows_the_audit(tmp_path: Path) -> None:
    """`judge calibrate` ends with what the audit found, in text and in JSON."""
    rows = [label(i, not truth(i)).model_dump(exclude_none=True) for i in range(N)]
    said = [verdict(i, mostly(i, k), f"judge{k}").model_dump(exclude_none=True) for k in range(2) for i in range(N)]
    for name, each in (("l.jsonl", rows), ("v.jsonl", said)):
        (tmp_path / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in each))
    files = ["--labels", str(tmp_path / "l.jsonl"), "--verdicts", str(tmp_path / "v.jsonl"), "--positive", "yes"]
    shown = CliRunner().invoke(app, ["calibrate", *files])
    assert "suspect the labels" in shown.stdout
    printed = CliRunner().invoke(app, ["calibrate", *files, "--json"])
    first = json.loads(printed.stdout.splitlines()[0])
    assert first["audit"]["discoveries"][0]["code"] == "polarity"
