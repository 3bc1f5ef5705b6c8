"""`judge gold next` and `judge gold plan`: what to label next, and how many labels a claim takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from judge.cli.common import Json, LedgerPath, Workspace, print_json, say
from judge.cli.given import Labels, Positive, Seed, Verdicts, finite, labels_here, load_scales, load_verdicts
from judge.errors import InputError


def choose(
    rubric: Annotated[str | None, typer.Option("-r", "--rubric", help="On this rubric.")] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", help="By this judge's verdicts.")] = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many transcripts.")] = 60,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit", help="As many as a campaign's random audit takes: 30 new verdicts of each kind, or all."
        ),
    ] = False,
    verdicts: Verdicts = None,
    labels: Labels = None,
    positive: Positive = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Write the choice here; judge rates --design needs it.")
    ] = None,
    seed: Seed = 0,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Choose what to label next: half of what the judge flagged, half of what it passed, each with its weight.

    What --labels, or else the workspace's gold/labels, holds already is left out.

    Example: judge gold next -r coercive-leverage -n 60 --to next.jsonl
    """
    import orjson

    from judge.calibration.estimate import sign_levels
    from judge.calibration.labelling import audit_budget, choose_next
    from judge.gold.labels import latest, read_labels
    from judge.text import one_line

    rows = load_verdicts(verdicts, ledger, workspace, [rubric] if rubric else None, [model] if model else None)
    pairs = sorted({(row.rubric, row.judge) for row in rows})
    if len(pairs) != 1:
        shown = "; ".join(f"-r {name} -m {judge}" for name, judge in pairs[:12])
        raise InputError(f"choose by one judge on one rubric: {shown}")
    ((name, judge),) = pairs
    rows = sign_levels(rows, load_scales([name], workspace), positive or ())
    known = {
        (row.transcript_id, row.rubric)
        for row in latest(read_labels(*labels) if labels else labels_here(workspace))
        if row.criterion is None
    }
    if audit:
        number = audit_budget(rows, known, rubric=name, judge=judge)
    chosen = choose_next(rows, known, number, rubric=name, judge=judge, seed=seed)
    if to is not None:
        try:
            to.write_bytes(b"".join(orjson.dumps(row.model_dump()) + b"\n" for row in chosen))
        except OSError as error:
            raise InputError(f"{to}: cannot be written: {error.strerror}; name another file with --to") from None
    for row in chosen:
        if json:
            print_json(row.model_dump())
        else:
            print(f"{one_line(row.transcript_id)}  {row.stratum}  stands for {row.weight:g} transcripts")
    say(f"{len(chosen)} transcripts; keep the weights: no rate may be made from these labels without them", quiet=json)


def plan(
    protocol: Annotated[str, typer.Option(metavar="NAME|FILE", help="screening, rate, or your own.")] = "screening",
    sensitivity: Annotated[
        float, typer.Option(callback=finite, min=0, max=1, help="Suppose that the judge has it.")
    ] = 0.95,
    specificity: Annotated[
        float, typer.Option(callback=finite, min=0, max=1, help="Suppose that the judge has it.")
    ] = 0.98,
    power: Annotated[
        float, typer.Option(callback=finite, min=0.5, max=0.99, help="The chance of success wanted.")
    ] = 0.8,
    positives: Annotated[int, typer.Option(min=0, help="Positives labelled so far.")] = 0,
    negatives: Annotated[int, typer.Option(min=0, help="Negatives labelled so far.")] = 0,
    prevalence: Annotated[
        float | None, typer.Option(callback=finite, min=0.0001, max=1, help="Of the behaviour, if known.")
    ] = None,
    rater_error: Annotated[
        float | None,
        typer.Option(callback=finite, min=0, max=0.5, help="How often a rater errs: gives the chance for alpha."),
    ] = None,
    bound: Annotated[
        float | None,
        typer.Option(
            callback=finite, min=0.00001, max=0.5, help="Also: transcripts without a flag that bound a rate here."
        ),
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Say how many labels a protocol takes, and how many transcripts a claim about a rare behaviour takes.

    Example: judge gold plan --protocol rate --sensitivity .95 --specificity .995
    """
    from judge.calibration.labelling import plan_labels, transcripts_for_rate
    from judge.calibration.protocol import load_protocol
    from judge.report.plans import describe_plan
    from judge.report.wrapping import tell
    from judge.workspace import resolve_workspace

    found = plan_labels(
        load_protocol(protocol, resolve_workspace(workspace)),
        sensitivity=sensitivity,
        specificity=specificity,
        power=power,
        have=(positives, negatives),
        prevalence=prevalence,
        rater_error=rater_error,
    )
    transcripts = None
    if bound is not None:
        size = found.sizes[0]
        there = positives or size.needed
        transcripts = transcripts_for_rate(bound, round(there * sensitivity), there)
    if json:
        print_json(found.model_dump(mode="json") | {"transcripts_for_bound": transcripts})
        return
    tell(describe_plan(found))
    if transcripts is not None:
        tell([f"  {transcripts:,} transcripts without a flag would bound the true rate at {bound:.3%}"])
