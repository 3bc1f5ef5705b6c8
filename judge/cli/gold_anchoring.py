"""`judge gold anchoring`: whether raters who see the judge's verdict first agree with it more."""

from __future__ import annotations

from judge.cli.common import Json, LedgerPath, Workspace, print_json, say
from judge.cli.given import Judges, Labels, Rubrics, Verdicts, load_verdicts, read_all_labels


def anchoring(
    labels: Labels = None,
    verdicts: Verdicts = None,
    rubric: Rubrics = None,
    model: Judges = None,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Compare agreement with the judge where its verdict was shown before the label and where it was shown after.

    Which of the two it was is drawn by judge audit --show-before SHARE and kept with each label.

    Example: judge gold anchoring --labels gold/labels
    """
    from judge.calibration.anchoring import measure_anchoring
    from judge.report.figures import describe_statistics
    from judge.report.terminal import style
    from judge.report.wrapping import tell
    from judge.text import counted, one_line

    found = measure_anchoring(
        load_verdicts(verdicts, ledger, workspace, rubric, model), read_all_labels(labels, workspace)
    )
    for one in found:
        if json:
            print_json(one.model_dump(mode="json"))
            continue
        print(style(f"{one_line(one.rubric)} by {one_line(one.judge)}: {counted(one.raters, 'rater')}", "bold"))
        tell(describe_statistics(one.statistics, percent=True))
    if not found:
        say("No label was drawn to see the verdict first or after; draw some with: judge audit --show-before 0.2")
