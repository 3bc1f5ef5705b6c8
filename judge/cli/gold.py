"""`judge gold`: the labels that calibration stands on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.common import GoldFolder, Json, Workspace, load_gold_set, print_json, say
from judge.cli.given import (
    Judges,
    Kinds,
    Labels,
    Positive,
    Seed,
    check_kinds,
    gold_beside,
    label_paths,
    load_scales,
    load_verdicts,
    meant_rubrics,
    read_all_labels,
    read_order,
)
from judge.cli.gold_adding import add
from judge.cli.gold_anchoring import anchoring
from judge.cli.gold_audit import audit
from judge.cli.gold_planning import choose, plan
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.gold.goldset import GoldSet
    from judge.gold.sources import Gathered, Source
    from judge.rubrics.model import Rubric

app = typer.Typer(help="The gold set: labels, raters, splits, checks, imports.", no_args_is_help=True)


@app.command("agree")
def agree(
    labels: Labels = None,
    rubric: Annotated[list[str] | None, typer.Option("-r", "--rubric", help="Only on these rubrics.")] = None,
    positive: Positive = None,
    kind: Kinds = None,
    order: Annotated[
        str | None,
        typer.Option(metavar="LOW,...,HIGH", help="Put the labels into an order, for the ordinal statistics."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="Count this label as not given; repeat for more.")
    ] = None,
    items_of: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only items that a rater of this kind has labelled.")
    ] = None,
    verdicts: Annotated[
        Path | None, typer.Option(metavar="V.jsonl", help="Count these judges as raters too, of kind ai.")
    ] = None,
    model: Judges = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Add figures as published work has them: Hayes-Krippendorff's interval, linearised errors.",
        ),
    ] = False,
    rater_model: Annotated[
        bool, typer.Option("--rater-model", help="Check the majority against Dawid and Skene's model of the raters.")
    ] = False,
    seed: Seed = 0,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Measure how far raters agree: alpha, kappas, AC1; per pair, level and item; who drives disagreement.

    Example: judge gold agree --labels gold/labels
    """
    from judge.calibration.calibrate import agreement
    from judge.report.figures import describe_agreement
    from judge.report.wrapping import tell

    check_kinds(kind)
    check_kinds([items_of] if items_of else None, option="--items-of")
    levels = read_order(order) if order else ()
    held = gold_beside(label_paths(labels, workspace))
    rows = read_all_labels(labels, workspace)
    if verdicts is not None:
        from judge.calibration.matching import as_labels

        rows += as_labels(load_verdicts(verdicts, None, workspace, rubric, model))
    names = meant_rubrics(rubric, rows, workspace) or sorted({row.rubric for row in rows if row.criterion is None})
    scales = load_scales(names, workspace)
    for name in names:
        found = agreement(
            rows,
            name,
            scale=scales.get(name),
            positive=positive or (),
            kinds=kind,
            order=levels,
            drop=drop or (),
            items_of=items_of,
            clusters=held.families() if held else None,
            published=published,
            rater_model=rater_model,
            seed=seed,
        )
        if json:
            print_json(found.model_dump(mode="json"))
        else:
            tell(describe_agreement(found))


app.command("add")(add)
app.command("anchoring")(anchoring)
app.command("audit")(audit)
app.command("next")(choose)
app.command("plan")(plan)


@app.command("check")
def check(folder: GoldFolder = None, workspace: Workspace = None, json: Json = False) -> None:
    """Look for faults in a gold set: changed files, split families, near duplicates, stale or impossible labels, leaks.

    Example: judge gold check
    """
    from judge.gold.checking import check_gold
    from judge.text import visible

    gold, rubrics = _load(folder, workspace)
    faults = check_gold(gold, rubrics)
    for fault in faults:
        if json:
            print_json(fault.model_dump())
        else:
            print(visible(str(fault)))
    say(f"{gold.folder}: {len(gold.items)} items, {len(gold.labels)} labels, {len(faults)} faults", quiet=json)
    if faults:
        raise typer.Exit(1)


@app.command("stats")
def stats(folder: GoldFolder = None, workspace: Workspace = None, json: Json = False) -> None:
    """Count what a gold set holds: by rubric, level, split, setting, pair and exclusion; of labels alone, who gave which.

    Example: judge gold stats
    """
    from judge.gold.counting import count_gold
    from judge.report.figures import describe_gold
    from judge.report.wrapping import tell

    gold, rubrics = _load(folder, workspace, bare=True)
    counts = count_gold(gold, rubrics)
    if json:
        print_json(counts.model_dump(mode="json") | {"folder": str(gold.folder)})
    else:
        tell([f"{gold.folder}:", *describe_gold(counts)])


@app.command("seal")
def seal(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The gold folder.")],
    json: Json = False,
) -> None:
    """Write the manifest of a gold folder: the hash of every file. A set that has changed is found by `check`.

    Example: judge gold seal gold
    """
    from judge.gold.adding import new_canary
    from judge.gold.goldset import load_gold
    from judge.gold.goldset import seal as write

    gold = load_gold(folder)
    canary = gold.manifest.canary if gold.manifest else new_canary()
    manifest = write(folder, canary)
    if json:
        print_json(manifest.model_dump())
    else:
        say(f"{folder}: {len(manifest.files)} files sealed")


def _load(folder: Path | None, workspace: Path | None, *, bare: bool = False) -> tuple[GoldSet, dict[str, Rubric]]:
    from judge.rubrics.loading import list_rubrics, load_rubric
    from judge.workspace import resolve_workspace

    here = resolve_workspace(workspace)
    rubrics = {listed.id: load_rubric(listed.id, here) for listed in list_rubrics(here)}
    return load_gold_set(folder, workspace, bare=bare), rubrics


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="A known set (see `judge gold sources`), or a file of labels.")],
    path: Annotated[Path | None, typer.Argument(help="For a known set: the folder of its local copy.")] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where rows are appended; default: gold/labels or the set's name."),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=COLUMN", help="Our field under the file's name; repeat for more.")
    ] = None,
    fix: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field that is the same in every row.")
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Import labels: a known public set from a local copy, or a CSV, JSONL or Label Studio file.

    Example: judge gold import labels.csv --column label=verdict --set rater_kind=human --set rubric=coercive-leverage
    """
    if Path(source).is_file() and path is None:
        _import_file(Path(source), to, column, fix, workspace, json=json)
    else:
        _import_source(source, path, to, workspace, json=json)


@app.command("sources")
def sources(workspace: Workspace = None, json: Json = False) -> None:
    """List the public labelled sets that are known: what they label, their licence, polarity and traps.

    Example: judge gold sources
    """
    from judge.gold.sources import list_sources
    from judge.workspace import resolve_workspace

    for row in list_sources(resolve_workspace(workspace)):
        if json:
            print_json(row.model_dump(mode="json"))
            continue
        print(f"{row.name}: {row.title} ({row.licence}){'' if row.importer else ', no importer yet'}")
        print(f"    {row.about}")
        print(f"    polarity: {row.polarity}")
        for trap in row.traps:
            print(f"    trap: {trap}")


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A known set (see `judge gold sources`).")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where to; default: a folder of its name.")
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Fetch a public set from its repository at its recorded commit. Needs git and a network.

    Example: judge gold fetch xstest && judge gold import xstest xstest
    """
    from judge.gold.fetching import fetch_source
    from judge.gold.sources import find_source
    from judge.workspace import resolve_workspace

    source = find_source(name, resolve_workspace(workspace))
    folder = to or Path(name)
    say(f"Fetching {source.title} ({source.licence}) from {source.repository}; this needs a network.")
    notes = list(fetch_source(source, folder))
    if json:
        print_json({"name": name, "folder": str(folder), "licence": source.licence, "notes": notes})
        return
    for note in notes:
        say(f"note: {note}")
    say(f"{folder}: next: judge gold import {name} {folder}")


@app.command("export")
def export(
    folder: GoldFolder = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to; default: stdout.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="CSV instead of JSONL.")] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Write the latest labels of a gold set as rows, with family and split beside each. --json: JSONL, as without --csv.

    Example: judge gold export --csv --to labels.csv
    """
    import sys

    from judge.gold.exporting import write_csv, write_jsonl

    if csv and json:
        raise InputError("--csv and --json: give one of them")
    gold, _ = _load(folder, workspace)
    if to is None:
        (write_csv if csv else write_jsonl)(gold, sys.stdout)
        return
    with to.open("w", encoding="utf-8", newline="") as file:
        (write_csv if csv else write_jsonl)(gold, file)
    if json:
        print_json({"path": str(to)})
    say(f"{to}: written", quiet=json)


def _import_file(
    path: Path, to: Path | None, column: list[str] | None, fix: list[str] | None, workspace: Path | None, *, json: bool
) -> None:
    from judge.gold.importing import import_labels
    from judge.gold.labels import append_labels
    from judge.workspace import resolve_workspace

    labels = import_labels(path, columns=_pairs("--column", column), fixed=_pairs("--set", fix))
    here = resolve_workspace(workspace)
    folder = to or (here / "gold" / "labels" if here else Path("labels"))
    raters = sorted({label.rater for label in labels})
    for rater in raters:
        append_labels(folder / f"{_file_name(rater)}.jsonl", [label for label in labels if label.rater == rater])
    counts = {"labels": len(labels), "raters": len(raters), "items": len({label.transcript_id for label in labels})}
    _report_import(counts, [], str(folder), json=json)
    say(f"next: judge gold agree --labels {folder}; then judge calibrate --labels {folder}", quiet=json)


def _import_source(name: str, path: Path | None, to: Path | None, workspace: Path | None, *, json: bool) -> None:
    import orjson

    from judge.gold.labels import append_labels
    from judge.gold.sources import find_source, gather
    from judge.workspace import resolve_workspace

    source = find_source(name, resolve_workspace(workspace))
    if path is None:
        raise InputError(f"{name}: name the folder of its local copy, or get one with: judge gold fetch {name}")
    folder = to or Path(name)
    if (folder / "labels.jsonl").exists():
        raise InputError(f"{folder / 'labels.jsonl'}: is there already; name another folder with --to")
    found = gather(source, path)
    append_labels(folder / "labels.jsonl", found.labels)
    if found.verdicts:
        (folder / "verdicts.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in found.verdicts))
    _report_import(dict(found.counts), found.warnings, str(folder), json=json)
    say(f"next: {_next_command(source, found, path, folder)}", quiet=json)


def _next_command(source: Source, found: Gathered, path: Path, folder: Path) -> str:
    """What a set allows next, with all that its figures need: judges measured, raters compared, or its traps looked for."""
    import shlex

    words = ["--labels", str(folder / "labels.jsonl")]
    if found.verdicts:
        words = ["calibrate", *words, "--verdicts", str(folder / "verdicts.jsonl")]
        words += ["--cluster", source.cluster] if source.cluster else []
    elif len({label.rater for label in found.labels}) > 1:
        words = ["gold", "agree", *words]
    else:
        words = ["gold", "audit", *words, "--transcripts", str(path)]
    return shlex.join(["judge", *words, *(word for label in source.positive for word in ("--positive", label))])


def _report_import(counts: dict[str, int], warnings: list[str], folder: str, *, json: bool) -> None:
    if json:
        print_json({"counts": counts, "warnings": warnings, "folder": folder})
        return
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    for warning in warnings:
        say(f"warning: {warning}")
    say(f"written to {folder}")


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:

    pairs = dict(text.partition("=")[::2] for text in given or [])
    if wrong := [name for name, value in pairs.items() if not name or not value]:
        raise InputError(f"{option} {wrong[0]!r}: give it as FIELD=VALUE")
    return pairs


def _file_name(rater: str) -> str:
    """A file name from a rater's name: what could leave the folder or hide in a listing is replaced."""
    return "".join(char if char.isalnum() or char in "-_@" else "_" for char in rater)[:80]
