"""`judge ledger`: check that nothing in a ledger was changed, and get verdicts out of it and into it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from judge.cli.common import (
    Json,
    LedgerPath,
    Quiet,
    Workspace,
    check_selection,
    ledger_path,
    meant_rubrics,
    open_existing_ledger,
    print_json,
    say,
)
from judge.cli.given import load_scales

app = typer.Typer(
    help="The record of every call and verdict: verify it, export it, import into it.", no_args_is_help=True
)


@app.command()
def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(metavar="[BUNDLE]", help="A replay bundle to check instead (judge show ID --bundle FILE.zip)."),
    ] = None,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="HEAD", help="A head noted earlier; it must be in the chain.")
    ] = None,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Recompute every hash; exit code 5 if anything was changed. Needs no key and no network.

    Of a bundle also every quote is looked up again and the verdict decided again from the recorded answer; with --ledger its
    entries must be in that ledger, with --expect its ledger must have ended in that head.

    Example: judge ledger verify --expect 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
    """
    if bundle is not None:
        _verify_bundle(bundle, expect, ledger, json=json)
        return
    from judge.ledger.verifying import verify as verify_chain
    from judge.text import one_line

    with open_existing_ledger(ledger, workspace) as book:
        report = verify_chain(book, expect)
        kinds = book.kinds() if report.ok else {}
    if json:
        print_json(report.model_dump(mode="json") | {"kinds": kinds})
    report.require()
    if not json:
        listed = ", ".join(f"{count:,} {one_line(kind, 40)}" for kind, count in kinds.items()) or "empty"
        print(f"{report.ledger}: verified\n  entries   {report.rows:,} ({listed})\n  verdicts  {report.verdicts:,}")
        print(f"  head      {report.head}")
        say("Note the head elsewhere: --expect HEAD later shows that nothing was cut off or rewritten.")


@app.command()
def export(
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write there instead of to stdout.")] = None,
    rubric: Annotated[list[str] | None, typer.Option("-r", "--rubric", help="Only on these rubrics.")] = None,
    model: Annotated[list[str] | None, typer.Option("-m", "--model", help="Only by these judges.")] = None,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write verdicts as JSON, one per line (with or without --json), ordered by transcript, rubric, judge and sample.

    Example: judge ledger export -r coercive-leverage --to verdicts.jsonl
    """
    from judge.errors import InputError
    from judge.ledger.export import write_rows
    from judge.ledger.store import Select
    from judge.text import counted

    with open_existing_ledger(ledger, workspace) as book:
        select = Select(rubric=meant_rubrics(book, rubric, workspace), judge=tuple(model) if model else None)
        check_selection(book, select)
        found = book.verdicts(select)
        if to is None:
            count = write_rows(found, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            try:
                with to.open("wb") as out:
                    count = write_rows(found, out)
            except OSError as error:
                raise InputError(f"{to}: cannot be written: {error.strerror}; name another file with --to") from None
    say(counted(count, "verdict"), quiet=quiet or json)


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="Verdict rows, one JSON object per line; - for stdin.")
    ],
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Add verdict rows of any judge; required fields: transcript_id, rubric, judge, and level or positive.

    Example: judge ledger import verdicts.jsonl --ledger other.db
    """
    from datetime import UTC, datetime

    from judge.errors import InputError
    from judge.ledger.importing import keep, read_rows
    from judge.ledger.opening import open_ledger
    from judge.rubrics.loading import known_ids
    from judge.text import counted, one_line
    from judge.workspace import resolve_workspace

    here = resolve_workspace(workspace)
    imported = read_rows(source, load_scales(known_ids(here), workspace))
    if not imported.verdicts:
        raise InputError(f"{source}: no verdict row in it; accepted is one JSON object per line (README, Verdict rows)")
    with open_ledger(ledger_path(ledger, workspace)) as book:
        kept = keep(book, imported, datetime.now(UTC).isoformat(timespec="seconds"))
        head = book.head()
    if json:
        counts = {"duplicates": imported.duplicates, "grouping": imported.grouping}
        print_json({"written": kept.written, "present": kept.present, **counts, "head": head.sha256})
        return
    say(f"{counted(kept.written, 'verdict')} added, {kept.present:,} there already", quiet=quiet)
    if imported.duplicates:
        say(f"{counted(imported.duplicates, 'row')} repeated an earlier row", quiet=quiet)
    if imported.grouping:
        names = ", ".join(one_line(name, 40) for name in imported.grouping)
        say(f"Fields that a verdict does not have, kept for grouping: {names}", quiet=quiet)


def _verify_bundle(path: Path, expect: str | None, ledger: str | None, *, json: bool) -> None:
    from judge.errors import InputError, IntegrityError
    from judge.grading.bundling import check_bundle
    from judge.ledger.bundle import check_against
    from judge.text import counted, one_line

    where = one_line(str(path), 300)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror}") from None
    bundle, checked = check_bundle(data, where)
    if expect is not None and expect != checked.head:
        raise IntegrityError(f"{where}: its ledger ended in {checked.head}, not in {one_line(expect, 80)}")
    if ledger is not None:
        with open_existing_ledger(ledger, None) as book:
            check_against(bundle, book, where)
    if json:
        print_json({"ok": True, "bundle": str(path)} | checked.model_dump(mode="json"))
        return
    level = one_line(checked.level or checked.status, 40)
    print(f"{where}: verified\n  verdict   {one_line(checked.verdict_id, 40)} {level}")
    print(
        f"  entries   {checked.entries:,}{', all in the ledger' if ledger else ''}\n  quotes    {checked.quotes:,} looked up"
    )
    print(f"  decided   {'again, with the same result' if checked.rederived else 'not again'}")
    print(f"  disputes  {counted(checked.decisions, 'decision')}\n  head      {checked.head}")
    for note in checked.notes:
        say(f"  note: {note}")
