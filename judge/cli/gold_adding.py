"""`judge gold add`: which transcripts are gold, of which family, in which split; what certificates stand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from judge.cli.common import Format, Json, Workspace, print_json, read_sources, report_unreadable, say
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.transcripts.source import Unreadable


def add(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCES...", help="The labelled transcripts.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="The gold folder; default: gold in the workspace, or here."),
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="Field of the runs that says which transcripts share a task or setting."),
    ] = None,
    split: Annotated[
        str, typer.Option(help="test certifies; dev is what prompts and rubrics were tuned on; held-out waits.")
    ] = "test",
    format_name: Format = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Make transcripts items of a gold set: items.jsonl and transcripts/ beside labels/, sealed. A certificate needs that.

    Example: judge gold add runs/ --to gold --family task
    """
    from judge.gold.adding import add_items
    from judge.gold.model import Split
    from judge.text import counted, quoted
    from judge.workspace import resolve_workspace

    splits: dict[str, Split] = {name: name for name in get_args(Split)}
    if split not in splits:
        raise InputError(f"--split {quoted(split)}: no such split; splits are {', '.join(splits)}")
    folder = to or (resolve_workspace(workspace) or Path()) / "gold"
    unreadable: list[Unreadable] = []
    given = list(read_sources(sources, format_name, unreadable))
    report_unreadable(unreadable, quiet=json)
    if not given:
        raise InputError(f"{sources[0]}: no transcript there; see what would be read with: judge read {sources[0]}")
    added = add_items(folder, given, splits[split], family)
    if json:
        print_json({"folder": str(folder), "split": split, **added._asdict()})
        return
    print(f"{folder}: {counted(added.new, 'item')} in {counted(added.families, 'family', 'families')} added to {split}")
    if added.present:
        say(f"{added.present:,} there already, left as they are")
    if family is None and added.new:
        say(
            "Each is a family of its own; where several share a task or setting, intervals are too narrow without --family"
        )
    if added.unplaced:
        say(f"{counted(added.unplaced, 'labelled transcript')} not among them: no certificate counts what is no item")
    say(f"next: judge calibrate --certify --protocol screening --gold {folder}; what labels it takes: judge gold plan")
