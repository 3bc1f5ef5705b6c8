"""`judge calibrate` and `judge rates`: how far a judge's verdicts may be trusted, and what its rates are worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.common import Json, LedgerPath, Workspace, print_json, read_standing, say
from judge.cli.given import (
    By,
    Cluster,
    Judges,
    Kinds,
    Labels,
    Order,
    Positive,
    Rubrics,
    Seed,
    Verdicts,
    check_fields,
    check_kinds,
    finite,
    gold_beside,
    label_paths,
    load_outcomes,
    load_scales,
    load_verdicts,
    need_rows,
    no_search_for_cycles,
    ordered_scales,
    read_given_labels,
)
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.calibration.estimate import Rate
    from judge.ledger.decisions import Standing
    from judge.ledger.verdict import Verdict


def calibrate(
    labels: Labels = None,
    verdicts: Verdicts = None,
    rubric: Rubrics = None,
    model: Judges = None,
    positive: Positive = None,
    kind: Kinds = None,
    cluster: Cluster = None,
    by: By = None,
    epsilon: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.5,
            callback=finite,
            help="Of the alternative annotator test: .2 experts, .15 skilled, .1 crowd.",
        ),
    ] = 0.2,
    transcripts: Annotated[
        list[Path] | None,
        typer.Option(metavar="SOURCE", help="The labelled transcripts: judges that do not read are measured on them."),
    ] = None,
    certify: Annotated[
        bool, typer.Option("--certify", help="Decide by a protocol whether the judge is certified; opens the split.")
    ] = False,
    protocol: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="With --certify: screening, rate, or your own.")
    ] = "screening",
    gold: Annotated[Path | None, typer.Option(metavar="DIR", help="With --certify: the gold folder.")] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --certify: where certificate and record go.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(metavar="CERT", help="Compute a certificate again, and say if it still holds.")
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write how sure judges must be to decide alone, in the order of -m, for a panel."
        ),
    ] = None,
    max_risk: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            callback=finite,
            metavar="SHARE",
            help="With --thresholds: how much of what a judge decides may be wrong.",
        ),
    ] = 0.1,
    delta: Annotated[
        float,
        typer.Option(
            min=0, max=1, callback=finite, metavar="CHANCE", help="With --thresholds: that this promise is broken."
        ),
    ] = 0.1,
    look: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="With --verify and newer verdicts: the N-th check for drift; each halves its error.",
        ),
    ] = 1,
    order: Order = None,
    seed: Seed = 0,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Measure judges against labels: every figure, with its interval. Certify them, or verify a certificate.

    --certify ends with 0 if every judge is certified, 1 if one is refused, 6 if one is provisional or labels are lacking.
    --thresholds measures judges that a panel asks in turn: docs/panels.md.
    --verify ends with 5 if the certificate does not recompute, 6 if it is void, as when prompt, rubric or judge changed.

    Example: judge calibrate --labels labels.jsonl --verdicts verdicts.jsonl
    """
    if verify is not None:
        from judge.cli.certify import verify as verify_certificate

        newer = load_verdicts(verdicts, ledger, workspace, rubric, model) if verdicts or ledger else []
        verify_certificate(verify, newer, look=look, workspace=workspace, json=json)
        return
    if certify:
        from judge.cli.certify import certify as certify_judges

        rows = load_verdicts(verdicts, ledger, workspace, rubric, model)
        certify_judges(
            rows,
            load_scales({row.rubric for row in rows}, workspace),
            protocol=protocol,
            gold=gold,
            positive=positive or (),
            to=to,
            ledger=ledger,
            workspace=workspace,
            json=json,
        )
        return
    check_kinds(kind)
    paths = label_paths(labels, workspace)
    if thresholds is not None:
        from judge.cli.thresholds import set_thresholds

        rows = load_verdicts(verdicts, ledger, workspace, rubric, model)
        set_thresholds(
            thresholds,
            rows,
            read_given_labels(paths),
            model or (),
            scales=load_scales({row.rubric for row in rows}, workspace),
            positive=positive or (),
            kinds=kind,
            max_risk=max_risk,
            delta=delta,
            seed=seed,
            json=json,
        )
        return
    from judge.calibration.calibrate import measure_all
    from judge.calibration.matching import match
    from judge.cli.gold_audit import run_audit
    from judge.gold.votes import read_votes

    with no_search_for_cycles():
        outcomes = load_outcomes(verdicts, ledger, workspace, rubric, model)
        check_fields(outcomes, by, cluster)
        votes, held = need_rows(read_votes(*paths), paths), gold_beside(paths)
        scales = load_scales({row.rubric for row in outcomes}, workspace)
        if order is not None:
            scales |= ordered_scales(order, positive or (), outcomes, votes)
        matched = match(
            outcomes,
            votes,
            scales=scales,
            positive=() if order else positive or (),
            clusters=held.families() if held else None,
            cluster_by=cluster,
            by=by or (),
            kinds=kind,
        )
        found = measure_all(matched, epsilon=epsilon, seed=seed)
        audits = run_audit(
            votes,
            matched=matched,
            held=held.transcripts.values() if held else (),
            families=held.families() if held else None,
            splits={name: item.split for name, item in held.items.items()} if held else None,
            transcripts=transcripts,
            rubrics=sorted({one.rubric for one in found}),
            positive=positive,
            kinds=kind,
            workspace=workspace,
        )
    if json:
        beside = {
            audit.rubric: audit.model_dump(mode="json", exclude={"rivals": {"__all__": {"answers"}}})
            for audit in audits
        }
        for one in found:
            print_json(one.model_dump(mode="json") | {"audit": beside[one.rubric]})
        return
    from judge.report.audits import describe_audit
    from judge.report.figures import describe_calibration
    from judge.report.wrapping import tell

    for one in found:
        tell(describe_calibration(one))
    for audit in audits:
        tell(describe_audit(audit))


def rates(
    labels: Labels = None,
    verdicts: Verdicts = None,
    by: By = None,
    rubric: Rubrics = None,
    model: Judges = None,
    positive: Positive = None,
    cluster: Cluster = None,
    random_gold: Annotated[
        bool, typer.Option("--random-gold", help="The labelled transcripts are a random subsample of all: allows PPI.")
    ] = False,
    design: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What judge gold next chose: a rate by two-phase sampling.")
    ] = None,
    question: Annotated[
        str | None, typer.Option(metavar="PERCENT/N", help="Only say whether a rate that somebody printed is possible.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="CERT", help="A certificate that must cover every judge and rubric here.")
    ] = None,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Estimate how often the behaviour occurs: naive, corrected for the judge's errors, and bounded.

    With --certificate it ends with 6 unless the certificate is valid for these verdicts. With --question 86.4/150 it only
    says whether some count of 150 is 86.4 %, and ends with 1 if none is.

    Example: judge rates --by task --labels gold/labels
    """
    if question is not None:
        _question(question, json=json)
        return
    from judge.calibration.estimate import measure_rates
    from judge.calibration.labelling import read_design

    rows = load_verdicts(verdicts, ledger, workspace, rubric, model)
    check_fields(rows, by, cluster)
    level = None
    if certificate is not None:
        from judge.cli.certify import require_certificate

        level = require_certificate(certificate, rows, workspace)
    held = gold_beside(labels or [])
    found = measure_rates(
        rows,
        read_given_labels(labels),
        by=by or (),
        scales=load_scales({row.rubric for row in rows}, workspace),
        positive=positive or (),
        clusters=held.families() if held else None,
        cluster_by=cluster,
        level=level,
        random_gold=random_gold,
        design=read_design(design) if design else (),
    )
    standing = read_standing(verdicts, ledger, workspace)
    for one in (_with_standing(one, rows, standing) for one in found):
        if json:
            print_json(one.model_dump(mode="json"))
        else:
            from judge.report.figures import describe_rate
            from judge.report.wrapping import tell

            tell(describe_rate(one))
    if not labels:
        say("Without --labels nothing is known of the judge's errors: these are flag rates, not rates of behaviour.")


def _with_standing(one: Rate, rows: list[Verdict], standing: dict[str, Standing]) -> Rate:
    """The rate with a note on how many of its verdicts were disputed, and how that ended."""
    from judge.ledger.decisions import tell_standing

    mine = [
        row
        for row in (rows if standing else ())
        if (row.rubric, row.judge) == (one.rubric, one.judge)
        and all(str(row.run.get(name, "unknown")) == value for name, value in one.group.items())
    ]
    note = tell_standing(mine, standing)
    return one if note is None else one.model_copy(update={"notes": (*one.notes, note)})


def _question(text: str, *, json: bool) -> None:
    """Say whether a printed percentage and n go together."""
    from judge.calibration.rates import possible_rate

    percent, _, total = text.partition("/")
    try:
        rate, n, decimals = float(percent), int(total), len(percent.partition(".")[2])
    except ValueError:
        raise InputError(f"--question {text!r}: give a percentage and n, for example 86.4/150") from None
    if not 0 <= rate <= 100 or n < 1:
        raise InputError(f"--question {text!r}: a percentage lies between 0 and 100, and n is 1 or more")
    possible = possible_rate(rate, n, decimals)
    near = sorted({count for count in (int(rate / 100 * n), int(rate / 100 * n) + 1) if count <= n})
    counts = {str(count): 100 * count / n for count in near}
    if json:
        print_json({"percent": rate, "n": n, "possible": possible, "nearest": counts})
    else:
        shown = ", ".join(f"{count} of {n} is {share:.{decimals + 2}f} %" for count, share in counts.items())
        print(f"{percent} % of {n} is {'possible' if possible else 'no count: rate and n disagree'}; {shown}")
    if not possible:
        raise typer.Exit(1)
