"""`judge audit`: the audit page, served to this machine alone."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.common import Json, LedgerPath, Quiet, Workspace, ledger_path, print_json, say
from judge.errors import InputError
from judge.workspace import LEDGER_FILE, resolve_workspace

if TYPE_CHECKING:
    from socket import socket

    from judge.ledger.store import Ledger

LOOPBACK = "127.0.0.1"
DEMO = Path("judge-demo")  # where judge demo leaves its ledger


def audit(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SOURCES]...", help="Transcripts to label although nothing has judged them; needs -r."),
    ] = None,
    rubric: Annotated[
        list[str] | None, typer.Option("-r", "--rubric", help="The rubrics on which SOURCES are to be labelled.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port on loopback; 0: any that is free.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address; open no browser.")] = False,
    gold: Annotated[
        Path | None,
        typer.Option(
            "--gold",
            metavar="DIR",
            help="Labels go to DIR/labels; default: gold in the workspace, or beside the ledger.",
        ),
    ] = None,
    source: Annotated[
        list[Path] | None, typer.Option("--source", help="Where the transcripts are, if not where they were.")
    ] = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Do not mask keys, tokens and passwords in transcripts.")
    ] = False,
    show_before: Annotated[
        float,
        typer.Option(
            "--show-before",
            metavar="SHARE",
            min=0,
            max=1,
            help="For this share of a blind rater's cases, drawn by chance, show the verdicts before the label: "
            "measures whether they anchor (judge gold anchoring).",
        ),
    ] = 0.0,
    same_person: Annotated[
        bool,
        typer.Option("--same-person", help="Let who disputed or reviewed decide as well; the decision says so."),
    ] = False,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read verdicts in their transcripts, label blind, dispute and decide, on a page that only this machine can reach.

    Example: judge audit --ledger judge-demo/ledger.db
    """
    from judge.audit.access import Access
    from judge.audit.server import Setting, make_app, warm_up
    from judge.ledger.opening import is_address

    where = ledger_path(ledger, workspace)
    home = resolve_workspace(workspace)
    folder = gold or (home / "gold" if home else (Path() if is_address(where) else Path(where).parent) / "gold")
    more = _find_more(sources or [], rubric or [], folder, home)
    book, writable = _open(where, make=bool(more))
    with book, _bind(port) as listening:
        here = listening.getsockname()[1]
        access = Access()
        setting = Setting(
            book,
            where,
            folder,
            home,
            sources=(*source, *(sources or ())) if source else (),
            masked=not show_secrets,
            show_before=show_before,
            seed=book.meta["ledger_id"],
            same_person=same_person,
            more=more,
            writable=writable,
            announce=lambda link: say(f"Somebody has signed out. A new one-time link:\n{link}"),
        )
        app = make_app(setting, access, here)
        address = f"http://{LOOPBACK}:{here}/open?token={access.new_link()}"
        if json:
            print_json({"url": address, "labels": str(folder / "labels")})
        else:
            print(address, flush=True)
        if not writable:
            say(
                "The ledger cannot be written: verdicts can be read here, nothing can be labelled or disputed.",
                quiet=quiet,
            )
        say(f"The link works once, on this machine. Labels go to {folder / 'labels'}. Stop with Ctrl+C.", quiet=quiet)
        if not no_open:
            import webbrowser

            webbrowser.open(address)
        Thread(target=warm_up, daemon=True).start()
        _serve(app, listening)


def _open(where: str, *, make: bool) -> tuple[Ledger, bool]:
    """Open the ledger to append to it, or, where it cannot be written, only to read; the second says which."""
    from judge.ledger.opening import open_ledger

    demo = DEMO / "ledger.db"
    if not make and where == LEDGER_FILE and not Path(where).exists() and demo.is_file():
        raise InputError(f"{where}: no ledger there; the demo's is opened with: judge audit --ledger {demo}")
    try:
        return open_ledger(where, create=make), True
    except InputError:
        return open_ledger(where, create=False, read_only=True), False


def _find_more(
    sources: list[Path], rubrics: list[str], gold: Path, workspace: Path | None
) -> tuple[tuple[str, str, str], ...]:
    """Cases that need no verdict: SOURCES on the rubrics named, and the items of the gold set that labels go to.

    Raises:
        InputError: for sources without a rubric, a rubric that is not there, or sources that hold no transcript.
    """
    from judge.cli.common import read_sources
    from judge.gold.goldset import ITEMS, load_gold
    from judge.rubrics.loading import load_rubric

    if bool(sources) != bool(rubrics):
        raise InputError("SOURCES and -r RUBRIC go together: say what to label, and on which rubrics")
    names = [load_rubric(name, workspace).id for name in rubrics]
    found = [(one.id, name, one.source.label) for one in read_sources(sources, None, []) for name in names]
    if sources and not found:
        raise InputError(f"{sources[0]}: no transcript there; see what would be read with: judge read {sources[0]}")
    if (gold / ITEMS).is_file():
        held = load_gold(gold)
        found += [
            (name, item.rubric, held.transcripts[name].source.label)
            for name, item in held.items.items()
            if item.rubric is not None and name in held.transcripts
        ]
    return tuple(dict.fromkeys(found))


def _bind(port: int) -> socket:
    import socket as sockets

    try:
        return sockets.create_server((LOOPBACK, port))
    except OSError as error:
        raise InputError(f"--port {port}: cannot be used: {error.strerror}; give another one, or 0 for any") from None


def _serve(app: object, listening: socket) -> None:
    """Serve until Ctrl+C. Nothing is logged per request: an address can hold a token."""
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listening])
