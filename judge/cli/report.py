"""`judge report`: everything the ledger says about some verdicts, as one file that a person reads."""

from __future__ import annotations

import gc
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.common import (
    Json,
    LedgerPath,
    Quiet,
    Workspace,
    ledger_path,
    print_json,
    read_standing,
    say,
)
from judge.cli.given import (
    Cluster,
    Judges,
    Kinds,
    Labels,
    Positive,
    Rubrics,
    Verdicts,
    load_scales,
    load_verdicts,
    read_given_labels,
)
from judge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from judge.ledger.verifying import Report as Check

CHECKED_HERE = 10_000  # entries, which take half a second


def report(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where the page goes; default: report.html here.")
    ] = None,
    labels: Labels = None,
    verdicts: Verdicts = None,
    by: Annotated[list[str] | None, typer.Option(help="Group rates by this field of the verdict rows.")] = None,
    rubric: Rubrics = None,
    model: Judges = None,
    positive: Positive = None,
    kind: Kinds = None,
    cluster: Cluster = None,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(
            "--certificate", metavar="CERT", help="Show this certificate, once it recomputes; repeat for more."
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="The heading.")] = "Judge report",
    cases: Annotated[
        int, typer.Option(min=0, help="How many of the worst cases are told; the rest are counted.")
    ] = 100,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", help="Write every table there as a CSV file as well.")
    ] = None,
    md: Annotated[bool, typer.Option("--md", help="Markdown on stdout (or --to FILE) instead of the page.")] = False,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Do not mask keys, tokens and passwords in what is quoted.")
    ] = False,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write one file with what was judged, what is missing, rates, accuracy, panels, cost and the worst cases.

    Example: judge report --labels gold/labels --by model --to report.html
    """
    from datetime import UTC, datetime
    from importlib.metadata import version

    from judge.calibration.anchoring import measure_anchoring
    from judge.calibration.certificate import verify_certificate
    from judge.ledger.decisions import tell_standing
    from judge.ledger.opening import name_ledger
    from judge.report.figures import tell_anchoring
    from judge.report.gather import Origin, gather

    if md and json:
        raise InputError("--md and --json: give one of them")
    for place in (to.parent if to else None, csv):
        check_folder(place)
    checking = None if verdicts else _start_check(ledger_path(ledger, workspace))
    # A report is built from many small objects that all stay: collecting would walk them again and again for nothing.
    gc.disable()
    rows = load_verdicts(verdicts, ledger, workspace, rubric, model)
    known = read_given_labels(labels)
    found = gather(
        rows,
        known,
        title=title,
        by=by or (),
        scales=load_scales({row.rubric for row in rows}, workspace),
        positive=positive or (),
        cluster_by=cluster,
        kinds=kind,
        certificates=[verify_certificate(path) for path in certificate or ()],
        cases=cases,
        masked=not show_secrets,
        origin=Origin() if verdicts else Origin(ledger=name_ledger(ledger_path(ledger, workspace))),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("transcript-judge"),
    )
    standing = tell_standing(rows, read_standing(verdicts, ledger, workspace))
    notes = [*([standing] if standing else []), *tell_anchoring(measure_anchoring(rows, known))]
    if notes:
        found = found.model_copy(update={"notes": (*found.notes, *notes)})
    if checking is not None:
        checked = checking()
        checked.require()  # no page is made of a ledger that was changed, and it names the head that was verified
        found = found.model_copy(update={"head": checked.head, "entries": checked.rows})
    if csv is not None:
        from judge.report.tables import write_csv

        written = write_csv(found, csv)
        say(f"{csv}: {len(written)} tables", quiet=quiet or json)
    if json:
        print_json(found.model_dump(mode="json"))
    elif md:
        from judge.report.markdown import render_markdown

        write_text(render_markdown(found), to, quiet=quiet)
    else:
        from judge.report.html import render_report

        write_text(render_report(found), to or Path("report.html"), quiet=quiet)


def check_folder(folder: Path | None) -> None:
    """See that a folder is there or can be made in one that is: a mistyped path must not grow a tree of folders.

    Raises:
        InputError: if neither.
    """
    if folder is not None and not folder.is_dir() and not folder.parent.is_dir():
        raise InputError(f"{folder}: no such folder; make it with: mkdir -p {shlex.quote(str(folder))}")


def write_text(text: str, to: Path | None, *, quiet: bool = False) -> None:
    """Write a page to a file, or to stdout where none is named; one new folder is made for it, and said.

    Raises:
        InputError: if the file cannot be written.
    """
    if to is None:
        print(text, end="")
        return
    check_folder(to.parent)
    try:
        if not to.parent.is_dir():
            to.parent.mkdir()
            say(f"{to.parent}: made", quiet=quiet)
        to.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{to}: cannot be written: {error.strerror}; name another file with --to") from None
    say(f"{to}: written, {len(text.encode()) / 1024:,.0f} KiB", quiet=quiet)


def _start_check(where: str) -> Callable[[], Check]:
    """Begin to verify the ledger, and return what waits for the outcome: a long one is verified in a process beside."""
    from judge.ledger.opening import open_ledger

    with open_ledger(where, create=False, read_only=True) as book:
        rows = book.head().rows
    if rows <= CHECKED_HERE:
        return partial(_check, where)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    beside = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    outcome = beside.submit(_check, where)
    beside.shutdown(wait=False)
    return outcome.result


def _check(where: str) -> Check:
    from judge.ledger.opening import open_ledger
    from judge.ledger.verifying import verify

    with open_ledger(where, create=False, read_only=True) as book:
        return verify(book)
