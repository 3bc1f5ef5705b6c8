"""`judge compare`: two judges on the same transcripts, or two groups of transcripts under the same judge."""

from __future__ import annotations

from typing import Annotated

import typer

from judge.cli.common import Json, LedgerPath, Workspace, print_json
from judge.cli.given import (
    Cluster,
    Judges,
    Labels,
    Positive,
    Rubrics,
    Verdicts,
    load_scales,
    load_verdicts,
    read_given_labels,
)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A judge; with --by a value of the field.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    by: Annotated[
        str | None, typer.Option(metavar="FIELD", help="Compare groups of transcripts by this field of the rows.")
    ] = None,
    labels: Labels = None,
    verdicts: Verdicts = None,
    rubric: Rubrics = None,
    model: Judges = None,
    positive: Positive = None,
    cluster: Cluster = None,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Say by how much A and B differ, and how surely: paired, clustered, exact, adjusted for the number of rubrics.

    Two judges are compared by who is right on the labels, or without labels by who flags. With --by, two groups of
    transcripts are compared by their rates.

    Example: judge compare gpt-4 string-match --labels labels.jsonl --verdicts verdicts.jsonl
    """
    from judge.calibration.differences import compare_groups, compare_judges
    from judge.report.figures import describe_comparison
    from judge.report.wrapping import tell

    rows = load_verdicts(verdicts, ledger, workspace, rubric, model)
    known = read_given_labels(labels)
    scales = load_scales({row.rubric for row in rows}, workspace)
    if by is None:
        found = compare_judges(rows, first, second, known, scales=scales, positive=positive or (), cluster_by=cluster)
    else:
        found = compare_groups(
            rows, by, first, second, known, scales=scales, positive=positive or (), cluster_by=cluster
        )
    for one in found:
        if json:
            print_json(one.model_dump(mode="json"))
        else:
            tell(describe_comparison(one))
