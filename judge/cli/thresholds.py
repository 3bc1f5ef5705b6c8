"""`judge calibrate --thresholds FILE`: how sure judges must be to decide alone, for a panel that asks them in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.cli.common import print_json, say
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.gold.model import Label
    from judge.grading.panels.cascade import Limit, Thresholds
    from judge.ledger.verdict import Verdict
    from judge.rubrics.model import Scale


def set_thresholds(
    path: Path,
    verdicts: Sequence[Verdict],
    labels: Sequence[Label],
    models: Sequence[str],
    *,
    scales: Mapping[str, Scale],
    positive: Sequence[str],
    kinds: Sequence[str] | None,
    max_risk: float,
    delta: float,
    seed: int,
    json: bool,
) -> None:
    """Measure the judges in the order in which they are named, and write what they may decide alone.

    Raises:
        InputError: if there is more than one rubric, a judge did not judge every labelled transcript, or `path` cannot be
            written.
    """
    from judge.report.wrapping import tell
    from judge.text import counted

    rubric = _one_rubric(verdicts)
    order = list(dict.fromkeys(models))
    if not order:
        raise InputError(
            "--thresholds: name the judges with -m, the cheapest first: it is the order in which they are asked"
        )
    if not (0 < max_risk < 1 and 0 < delta < 1):
        raise InputError(f"--max-risk {max_risk:g}, --delta {delta:g}: each lies between 0 and 1")
    verdicts, others = _asked_alike(verdicts, order)
    own = [row for row in labels if row.rubric == rubric and row.criterion is None and row.transcript_id not in others]
    _check_complete(verdicts, own, order)
    options = {"scales": scales, "positive": positive, "kinds": kinds}
    found = _measure(verdicts, own, order, options, max_risk=max_risk, delta=delta, seed=seed)
    try:
        path.write_bytes(found.to_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    if json:
        print_json(found.model_dump(mode="json", by_alias=True) | {"path": str(path)})
    else:
        tell(_describe(found))
    if others:
        windows = "asked about otherwise than most, as in windows, and left out: thresholds will not decide on such"
        say(f"{counted(len(others), 'transcript')} {windows}", quiet=json)
    say(f"{path}: name it under thresholds in a panel file", quiet=json)


def _asked_alike(verdicts: Sequence[Verdict], order: Sequence[str]) -> tuple[list[Verdict], set[str]]:
    """The verdicts that were asked for with the prompt of most of a judge's, and the transcripts that are then left without."""
    kept: list[Verdict] = []
    others: set[str] = set()
    for name in order:
        rows = [row for row in verdicts if row.judge == name]
        usual = Counter(row.prompt_sha256 for row in rows).most_common(1)
        alike = [row for row in rows if row.prompt_sha256 == usual[0][0]]
        kept += alike
        others |= {row.transcript_id for row in rows} - {row.transcript_id for row in alike}
    return [row for row in kept if row.transcript_id not in others], others


def _measure(
    verdicts: Sequence[Verdict],
    labels: Sequence[Label],
    order: Sequence[str],
    options: Mapping[str, Any],
    *,
    max_risk: float,
    delta: float,
    seed: int,
) -> Thresholds:
    from judge.calibration.cascading import select_steps, weigh_judges
    from judge.calibration.matching import MISSING, match
    from judge.calibration.records import identify
    from judge.canonical import content_sha256
    from judge.grading.panels.cascade import Limit, Step, Thresholds

    found = {one.judge: one for one in match(verdicts, labels, **options)}
    judges = [found[name] for name in order]
    truth, kinds = judges[0].truth, judges[0].ratings.kinds
    known = truth != MISSING
    answers, confidences = weigh_judges(judges)
    steps = select_steps(answers[known], confidences[known], truth[known], max_risk, delta, seed=seed)
    identities = [identify([row for row in verdicts if row.judge == name]) for name in order]
    return Thresholds(
        rubric=identities[0].rubric,
        rubric_sha256=identities[0].rubric_sha256,
        gold_sha256=content_sha256(sorted([row.transcript_id, row.rater, row.rater_kind, row.label] for row in labels)),
        label_kinds=tuple(sorted(kinds)),
        items=int(known.sum()),
        max_risk=max_risk,
        delta=delta,
        seed=seed,
        steps=tuple(
            Step(
                judge=who.judge,
                judge_sha256=who.judge_sha256,
                prompt_sha256=who.prompt_sha256,
                samples=judge.repeats.shape[1],
                reached=step.reached,
                positive=Limit(**step.positive._asdict()),
                negative=Limit(**step.negative._asdict()),
            )
            for who, judge, step in zip(identities, judges, steps, strict=True)
        ),
    )


def _one_rubric(verdicts: Sequence[Verdict]) -> str:
    rubrics = sorted({row.rubric for row in verdicts})
    if len(rubrics) != 1:
        raise InputError(f"--thresholds: a file is for one rubric, not for {', '.join(rubrics)}; choose with -r")
    return rubrics[0]


def _check_complete(verdicts: Sequence[Verdict], labels: Sequence[Label], order: Sequence[str]) -> None:
    """See that every judge was asked about every labelled transcript: which ones it was asked about must not have been chosen."""
    from judge.text import quoted

    named = {label.transcript_id for label in labels}
    if not named:
        raise InputError("--thresholds: no label is on this rubric; label some (judge audit) or import them")
    for name in order:
        judged = {row.transcript_id for row in verdicts if row.judge == name}
        if not judged:
            known = ", ".join(sorted({row.judge for row in verdicts}))
            raise InputError(f"-m {quoted(name)}: no verdict by this judge; judges are {known}")
        if lacking := len(named - judged):
            raise InputError(
                f"-m {quoted(name)}: has no verdict on {lacking} of {len(named)} labelled transcripts; grade all of them with "
                "it alone: judge grade ... -m"
            )


def _describe(found: Thresholds) -> list[str]:
    kinds = " and ".join(found.label_kinds)
    promise = (
        f"except with chance {found.delta:g}, each judge errs on at most {100 * found.max_risk:g} % of what it decides"
    )
    lines = [f"{found.rubric}: {found.items:,} transcripts with {kinds} labels; {promise}, positive and negative apart"]
    for number, step in enumerate(found.steps, start=1):
        share = "none came to it" if step.passed_on is None else f"{100 * step.passed_on:.1f} % goes on"
        lines.append(f"  step {number}, {step.judge}, {step.samples} samples: {step.reached:,} came to it, {share}")
        lines += [
            f"    {name}: {_limit(limit)}" for name, limit in (("positive", step.positive), ("negative", step.negative))
        ]
    people = found.reach(len(found.steps) + 1)
    lines.append(f"  people: {'an unknown share' if people is None else f'{100 * people:.1f} % of all'}")
    if found.label_kinds != ("human",):
        lines.append(f"  {kinds} labels promise nothing about real transcripts; only human labels do")
    return lines


def _limit(limit: Limit) -> str:
    if limit.threshold is None:
        return f"never decided alone ({limit.seen:,} such answers)"
    bound = "" if limit.risk_high is None else f", at most {100 * limit.risk_high:.1f} % by the bound tested"
    return f"decided from confidence {limit.threshold:.2f} on: {limit.decided:,} of {limit.seen:,}, {limit.wrong:,} wrong{bound}"
