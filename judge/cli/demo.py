"""`judge demo`: the whole product on packaged transcripts, offline, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.common import Json, Quiet, print_json, say
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.gold.goldset import GoldSet
    from judge.gold.model import Label
    from judge.ledger.verdict import Verdict
    from judge.report.model import Report
    from judge.rubrics.model import Rubric

RUBRICS = ("coercive-leverage", "deceiving-principals")
JUDGE = "baseline/cues"
SPLIT = "dev"  # the other splits are for judges that are to be certified


def demo(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where everything is written.")] = Path(
        "judge-demo"
    ),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Grade packaged transcripts with the embedded baseline judge, measure it, and write a report: no key, no network.

    Example: judge demo
    """
    from judge.cli.report import write_text
    from judge.report.html import render_report
    from judge.report.terminal import describe_verdict
    from judge.rubrics.loading import load_rubrics

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory}: cannot be made: {error.strerror}") from None
    rubrics = load_rubrics(RUBRICS)
    verdicts = _grade_demo(directory / "ledger.db", rubrics)
    for verdict in verdicts:
        if json:
            print_json(verdict.model_dump(mode="json"))
        else:
            print("\n".join(describe_verdict(verdict)))
    report = _measure(directory, rubrics)
    write_text(render_report(report), directory / "report.html", quiet=True)
    _explain(directory, verdicts, report, quiet=quiet or json)


def _grade_demo(ledger: Path, rubrics: Sequence[Rubric]) -> list[Verdict]:
    """Judge the transcripts that were written for the demo, those with something in them first."""
    from judge.grading.judges import parse_judge
    from judge.grading.run import grade
    from judge.ledger.opening import open_ledger
    from judge.transcripts.reading import read
    from judge.workspace import packaged_data

    transcripts = [
        transcript for path in sorted((packaged_data() / "gold" / "demo").glob("*.jsonl")) for transcript in read(path)
    ]
    with open_ledger(ledger) as book:
        grading = asyncio.run(grade(transcripts, rubrics, [parse_judge(JUDGE)], ledger=book))
    order = {name: number for number, name in enumerate(RUBRICS)}
    return sorted(grading.verdicts, key=lambda v: (order[v.rubric], not v.positive, v.source))


def _measure(directory: Path, rubrics: Sequence[Rubric]) -> Report:
    """Judge the labelled transcripts of the packaged gold set as well, and gather the report of everything."""
    from datetime import UTC, datetime
    from importlib.metadata import version

    from judge.gold.goldset import load_gold
    from judge.grading.judges import parse_judge
    from judge.grading.run import grade
    from judge.ledger.opening import open_ledger
    from judge.report.gather import Origin, gather
    from judge.workspace import packaged_data

    gold = load_gold(packaged_data() / "gold")
    labels = _take_labels(gold, directory / "labels.jsonl")
    with open_ledger(directory / "ledger.db") as book:
        for rubric in rubrics:
            named = dict.fromkeys(label.transcript_id for label in labels if label.rubric == rubric.id)
            own = [gold.transcripts[name] for name in named]
            asyncio.run(grade(own, [rubric], [parse_judge(JUDGE)], ledger=book))
        rows, head = list(book.verdicts()), book.head()
    return gather(
        rows,
        labels,
        title="A baseline judge on constructed transcripts",
        scales={rubric.id: rubric.scale for rubric in rubrics},
        clusters={name: item.family for name, item in gold.items.items()},
        cases=20,
        origin=Origin(str(directory / "ledger.db"), head.sha256, head.rows),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("transcript-judge"),
    )


def _take_labels(gold: GoldSet, path: Path) -> list[Label]:
    """The labels that are used, written beside the ledger so that every figure can be computed again."""
    from judge.gold.labels import append_labels

    labels = [
        label
        for label in gold.labels
        if label.rubric in RUBRICS and label.criterion is None and gold.items[label.transcript_id].split == SPLIT
    ]
    path.unlink(missing_ok=True)
    append_labels(path, labels)
    return labels


def _explain(directory: Path, verdicts: Sequence[Verdict], report: Report, *, quiet: bool) -> None:
    from judge.report.figures import format_statistic

    say(
        f"\n{len({v.transcript_id for v in verdicts})} transcripts, written for this demo, judged by {JUDGE}: a baseline that "
        "reads structure, not a model.\n",
        quiet=quiet,
    )
    for accuracy in report.accuracy:
        one = accuracy.calibration
        say(f"{JUDGE} on {one.n_items} labelled transcripts, {one.rubric}:", quiet=quiet)
        for name in ("sensitivity", "specificity"):
            say(f"    {name}  {format_statistic(one.statistics[name], percent=True)}", quiet=quiet)
    say("These labels were written together with the transcripts: constructed labels certify nothing.\n", quiet=quiet)
    ledger, labels = directory / "ledger.db", directory / "labels.jsonl"
    say(f"Read the report:           {directory / 'report.html'}", quiet=quiet)
    positive = next((verdict for verdict in verdicts if verdict.positive), None)
    if positive is not None:
        say(f"See a quote in its place:  judge show {positive.verdict_id} --ledger {ledger}", quiet=quiet)
    say(f"See every figure:          judge calibrate --ledger {ledger} --labels {labels}", quiet=quiet)
    say(f"Label, dispute, decide:    judge audit --ledger {ledger}", quiet=quiet)
    say("Judge your own:            judge grade TRANSCRIPTS -r coercive-leverage -m baseline/cues", quiet=quiet)
