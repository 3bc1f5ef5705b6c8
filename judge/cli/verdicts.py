"""`judge verdicts` and `judge show`: what the ledger holds, and one verdict in its transcript."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.ledger.decisions import Standing
    from judge.ledger.store import Ledger
    from judge.ledger.verdict import Verdict

_DOUBTED = "doubtful: another verdict of this judge on this transcript was overturned"


def verdicts(
    rubric: Annotated[list[str] | None, typer.Option("-r", "--rubric", help="Only on these rubrics.")] = None,
    model: Annotated[list[str] | None, typer.Option("-m", "--model", help="Only by these judges.")] = None,
    level: Annotated[list[str] | None, typer.Option("--level", help="Only these levels.")] = None,
    status: Annotated[list[str] | None, typer.Option("--status", help="Only these statuses.")] = None,
    transcript: Annotated[list[str] | None, typer.Option("--transcript", help="Only these transcript ids.")] = None,
    positive: Annotated[bool, typer.Option("--positive", help="Only positive verdicts.")] = False,
    panel: Annotated[
        bool,
        typer.Option("--panel", help="Not the list: how often judges and samples differ, and what they are worth."),
    ] = False,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the verdicts in the ledger, the latest of each.

    Example: judge verdicts --positive -r coercive-leverage
    """
    from judge.ledger.decisions import find_doubts, find_standing, read_matters
    from judge.report.terminal import headline
    from judge.text import counted, one_line

    with open_existing_ledger(ledger, workspace) as book:
        select = _select(meant_rubrics(book, rubric, workspace), model, level, status, transcript, positive)
        check_selection(book, select)
        _check_levels(level or (), book, workspace)
        if panel:
            _print_panels(book.verdicts(select), json=json)
            return
        matters = read_matters(book).values()
        count, standing, doubts = 0, find_standing(matters), find_doubts(matters)
        for verdict in book.verdicts(select):
            count += 1
            mark = standing.get(verdict.verdict_id)
            doubt = doubts.get(verdict.verdict_id, ())
            if json:
                print_json(verdict.model_dump(mode="json") | _told(mark, doubt))
            else:
                told = mark.text if mark else _DOUBTED if doubt else None
                print(headline(verdict) + (f"  [{one_line(told, 160)}]" if told else ""))
    say(counted(count, "verdict"), quiet=quiet or json)


def _print_panels(rows: Iterable[Verdict], *, json: bool) -> None:
    """Print, rubric by rubric, who voted how and what became of it; there is no panel where nothing has two votes."""
    from judge.report.panel import describe_panel, measure_panels

    on_item: dict[tuple[str, str], list[Verdict]] = {}
    for row in rows:
        on_item.setdefault((row.rubric, row.transcript_id), []).append(row)
    panels = measure_panels(on_item, str)
    for one in panels:
        if json:
            print_json(one.model_dump(mode="json"))
        else:
            print("\n".join(describe_panel(one)))
    if not panels:
        say(
            "No transcript has two votes here; ask several judges: judge grade ... --panel FILE, or --samples N",
            quiet=json,
        )


def show(
    verdict_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a verdict, or its beginning.")],
    source: Annotated[
        list[Path] | None, typer.Option("--source", help="Where its transcript is, if not where it was.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FILE.zip",
            help="Write everything that the verdict stands on; judge ledger verify FILE.zip checks it offline.",
        ),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="One self-contained page of the case, on stdout.")] = False,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where the page goes (with --html).")] = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Do not mask keys, tokens and passwords on the page.")
    ] = False,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Show one verdict: its findings, and its quotes in the transcript.

    Example: judge show 3f9a --html --to case.html
    """
    if json and html:
        raise InputError("--json and --html: give one of them")
    if to is not None and not html:
        raise InputError("--to FILE: is for the page; give --html as well")
    if bundle is not None and html:
        raise InputError("--bundle FILE and --html: give one of them")
    from judge.ledger.decisions import find_doubts, find_standing, read_matters

    where = ledger_path(ledger, workspace)
    with open_existing_ledger(ledger, workspace) as book:
        verdict = book.get(verdict_id)
        every = read_matters(book).values()
        matters = [one for one in every if one.dispute.verdict_id == verdict.verdict_id]
        doubt = find_doubts(every).get(verdict.verdict_id, ())
        if bundle is not None:
            _write_bundle(bundle, book, verdict, source or [], where, workspace, json=json)
            return
    mark = find_standing(matters).get(verdict.verdict_id)
    if json:
        print_json(verdict.model_dump(mode="json") | _told(mark, doubt))
        return
    from judge.transcripts.finding import find_transcript

    rubric = _find_rubric(verdict.rubric, verdict.rubric_sha256, workspace)
    transcript = find_transcript(verdict.source, verdict.transcript_id, where, source or [])
    if html:
        from importlib.metadata import version

        from judge.cli.report import write_text
        from judge.report.case_page import render_case

        made_with = version("transcript-judge")
        page = render_case(
            verdict,
            rubric,
            transcript,
            matters=matters,
            doubted=bool(doubt),
            masked=not show_secrets,
            version=made_with,
        )
        write_text(page, to)
    else:
        from judge.report.terminal import show_matters, show_verdict
        from judge.text import one_line

        for line in (*show_verdict(verdict, rubric, transcript), *show_matters(matters)):
            print(line)
        for name in doubt:
            print(f"\n{_DOUBTED}: dispute {one_line(name, 40)}")
    if transcript is None:
        say(f"\nThe transcript is not at {verdict.source!r} as it was; name its file or folder with --source")


def _told(mark: Standing | None, doubt: tuple[str, ...]) -> dict[str, Any]:
    """What disputes have made of a verdict, beside its row; nothing where they made nothing of it."""
    told: dict[str, Any] = {}
    if mark is not None:
        decision = mark.decision
        kept = None if decision is None else decision.model_dump(mode="json", exclude={"verdict_id", "transcript_id"})
        told["standing"] = {"state": mark.state, "waiting": mark.waiting, "decision": kept}
    return told | ({"doubted_by": list(doubt)} if doubt else {})


def _write_bundle(
    path: Path, book: Ledger, verdict: Verdict, sources: list[Path], where: str, workspace: Path | None, *, json: bool
) -> None:
    """Write a verdict's replay bundle, and say what in it is secret: a bundle cannot mask what it has to prove."""
    from importlib.metadata import version

    from judge.canonical import sha256_hex
    from judge.grading.bundling import make_bundle
    from judge.report.secrets import find_secrets
    from judge.transcripts.finding import find_transcript

    rubric = _find_rubric(verdict.rubric, verdict.rubric_sha256, workspace)
    transcript = find_transcript(verdict.source, verdict.transcript_id, where, sources)
    if transcript is None:
        raise InputError(
            f"the transcript is not at {verdict.source!r} as it was; name its file or folder with --source"
        )
    if rubric is None:
        raise InputError(f"the rubric {verdict.rubric!r} is not here in the version that the verdict was made on")
    data = make_bundle(book, verdict, transcript, rubric, {"transcript-judge": version("transcript-judge")})
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}; name another file with --bundle") from None
    secrets = sum(len(find_secrets(part.text)) for _, part in transcript.parts())
    if json:
        told = {"bundle": str(path), "sha256": sha256_hex(data), "bytes": len(data), "secrets": secrets}
        print_json({"verdict_id": verdict.verdict_id, **told})
    else:
        print(path)
        say(f"Check it anywhere, without a key: judge ledger verify {path}")
    if secrets:
        say(f"Its transcript holds {secrets:,} things that look like keys or passwords; a bundle cannot mask them.")


def _check_levels(levels: Iterable[str], book: Ledger, workspace: Path | None) -> None:
    """See that each level is one: of some rubric here, or of a verdict in the ledger.

    Raises:
        InputError: for a level that is neither.
    """
    from judge.rubrics.loading import list_rubrics, load_rubric
    from judge.rubrics.model import OUTSIDE, Scale
    from judge.text import one_line, quoted
    from judge.workspace import resolve_workspace

    known = dict.fromkeys((*Scale().levels, *sorted(OUTSIDE)))
    if not set(levels) <= known.keys():
        here = resolve_workspace(workspace)
        known |= dict.fromkeys(
            name for listed in list_rubrics(here) for name in load_rubric(listed.id, here).scale.levels
        )
        known |= dict.fromkeys(str(name) for (name,) in book.counts("level") if name is not None)
    if unknown := [name for name in levels if name not in known]:
        listed = ", ".join(one_line(name, 40) for name in list(known)[:30])
        raise InputError(f"--level {quoted(unknown[0])}: no such level; levels are {listed}")


def _select(
    rubric: Sequence[str] | None,
    model: list[str] | None,
    level: list[str] | None,
    status: list[str] | None,
    transcript: list[str] | None,
    positive: bool,
) -> Any:
    from typing import get_args

    from judge.ledger.store import Select
    from judge.ledger.verdict import Status

    known = get_args(Status)
    if unknown := [name for name in status or [] if name not in known]:
        raise InputError(f"--status {unknown[0]!r}: no such status; statuses are {', '.join(known)}")
    values: dict[str, Any] = {
        "rubric": rubric,
        "judge": model,
        "level": level,
        "status": status,
        "transcript_id": transcript,
    }
    return Select(
        positive=True if positive else None, **{name: tuple(value) for name, value in values.items() if value}
    )


def _find_rubric(name: str, sha256: str | None, workspace: Path | None) -> Any:
    """The rubric as it was when the verdict was made; None if it has changed since or is not here."""
    from judge.rubrics.loading import load_rubric
    from judge.workspace import resolve_workspace

    try:
        rubric = load_rubric(name, resolve_workspace(workspace))
    except InputError:
        return None
    return rubric if rubric.sha256 == sha256 else None
