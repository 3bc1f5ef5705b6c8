"""`judge gold audit`: what would make every figure on this gold worthless, looked for before anybody believes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.common import (
    GoldFolder,
    Json,
    Workspace,
    load_gold_set,
    print_json,
    read_sources,
    report_unreadable,
)
from judge.cli.given import (
    Judges,
    Kinds,
    Labels,
    Positive,
    check_kinds,
    load_outcomes,
    load_scales,
    meant_rubrics,
    read_all_labels,
)

if TYPE_CHECKING:
    from judge.calibration.audit import GoldAudit
    from judge.calibration.matching import Matched
    from judge.gold.model import Label
    from judge.gold.votes import Voted
    from judge.transcripts.model import Transcript
    from judge.transcripts.source import Unreadable

Transcripts = Annotated[
    list[Path] | None,
    typer.Option("--transcripts", metavar="SOURCE", help="The labelled transcripts; repeat for more."),
]


def audit(
    folder: GoldFolder = None,
    labels: Labels = None,
    verdicts: Annotated[
        Path | None, typer.Option(metavar="V.jsonl", help="Verdicts of the judges to hold against the gold.")
    ] = None,
    transcripts: Transcripts = None,
    rubric: Annotated[list[str] | None, typer.Option("-r", "--rubric", help="Only on these rubrics.")] = None,
    model: Judges = None,
    positive: Positive = None,
    kind: Kinds = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Look for what makes figures on this gold worthless: labels upside down, circular, leaked; shortcuts; odd raters.

    Beside each judge stand judges that do not read: always positive, length, one string, word counts. Ends with 1 if a
    fault was found. Without --labels the gold folder is audited.

    Example: judge gold audit --labels labels.jsonl --transcripts runs/ --verdicts verdicts.jsonl
    """
    from judge.report.audits import describe_audit
    from judge.report.wrapping import tell

    check_kinds(kind)
    families: dict[str, str] = {}
    splits: dict[str, str] = {}
    there: Iterable[Transcript] = ()
    if labels:
        rows = read_all_labels(labels, workspace)
    else:
        gold = load_gold_set(folder, workspace)
        rows, families, there = gold.labels, gold.families(), gold.transcripts.values()
        splits = {name: item.split for name, item in gold.items.items()}
    found = run_audit(
        rows,
        matched=_join(rows, verdicts, rubric, model, positive, kind, workspace),
        held=there,
        transcripts=transcripts,
        rubrics=rubric,
        positive=positive,
        kinds=kind,
        families=families,
        splits=splits,
        workspace=workspace,
    )
    for one in found:
        if json:
            print_json(one.model_dump(mode="json", exclude={"rivals": {"__all__": {"answers"}}}))
        else:
            tell(describe_audit(one))
    if any(discovery.weight == "fault" for one in found for discovery in one.discoveries):
        raise typer.Exit(1)


def _join(
    labels: Sequence[Label],
    verdicts: Path | None,
    rubrics: list[str] | None,
    models: list[str] | None,
    positive: list[str] | None,
    kinds: list[str] | None,
    workspace: Path | None,
) -> list[Matched]:
    if verdicts is None:
        return []
    from judge.calibration.matching import match

    rows = load_outcomes(verdicts, None, workspace, rubrics, models)
    scales = load_scales({row.rubric for row in rows}, workspace)
    return match(rows, labels, scales=scales, positive=positive or (), kinds=kinds)


def run_audit(
    labels: Sequence[Voted],
    *,
    matched: Sequence[Matched],
    held: Iterable[Transcript] = (),
    transcripts: list[Path] | None,
    rubrics: list[str] | None,
    positive: list[str] | None,
    kinds: list[str] | None,
    families: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
    workspace: Path | None,
) -> list[GoldAudit]:
    """Audit labels and the judges matched with them, with the transcripts at hand (`held`) and those of the sources named."""
    from judge.calibration.audit import audit_gold
    from judge.calibration.audit_texts import Texts

    unreadable: list[Unreadable] = []
    every = [*held, *read_sources(transcripts or (), None, unreadable)]
    report_unreadable(unreadable)
    named = meant_rubrics(rubrics, labels, workspace) or sorted({row.rubric for row in labels if row.criterion is None})
    return audit_gold(
        labels,
        matched,
        Texts(every, splits) if every else None,
        rubrics=named,
        scales=load_scales(named, workspace),
        positive=positive or (),
        kinds=kinds,
        families=families,
    )
