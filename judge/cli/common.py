"""What the commands share: options, where things are, and how things are printed.

Data goes to stdout, talk goes to stderr. Text from transcripts is always printed through `judge.text.visible`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from judge.errors import InputError
from judge.workspace import LEDGER_FILE, resolve_workspace

if TYPE_CHECKING:
    from judge.gold.goldset import GoldSet
    from judge.ledger.decisions import Standing
    from judge.ledger.store import Ledger, Select
    from judge.transcripts.limits import Limits
    from judge.transcripts.model import Transcript
    from judge.transcripts.source import Unreadable

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout, nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no talk.")]
Workspace = Annotated[
    Path | None,
    typer.Option("--workspace", metavar="DIR", help="The workspace; default: the one around the current folder."),
]
LedgerPath = Annotated[
    str | None,
    typer.Option("--ledger", metavar="PATH", help=f"The ledger; default: {LEDGER_FILE} in the workspace, or here."),
]
LimitsOption = Annotated[
    list[str] | None,
    typer.Option("--limits", metavar="NAME=VALUE", help="Raise a limit on what a source may hold, as its error says."),
]
Format = Annotated[str | None, typer.Option("--format", help="Read every source as this format, detecting nothing.")]

COPIES_SHOWN = 20

GoldFolder = Annotated[
    Path | None,
    typer.Argument(metavar="[DIR]", help="The gold folder; default: the workspace's, else the packaged one."),
]


def say(text: str = "", *, quiet: bool = False) -> None:
    """Print talk to stderr."""
    if not quiet:
        print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def ledger_path(ledger: str | None, workspace: Path | None) -> str:
    """Return where the ledger is: as given, else in the workspace, else here."""
    if ledger:
        return ledger
    folder = resolve_workspace(workspace)
    return str(folder / LEDGER_FILE) if folder else LEDGER_FILE


def open_existing_ledger(ledger: str | None, workspace: Path | None) -> Ledger:
    """Open a ledger to read from it."""
    from judge.ledger.opening import open_ledger

    return open_ledger(ledger_path(ledger, workspace), create=False, read_only=True)


def read_standing(verdicts: Path | None, ledger: str | None, workspace: Path | None) -> dict[str, Standing]:
    """Return where each disputed verdict of the ledger stands; nothing where the verdicts come from a file."""
    from judge.ledger.decisions import stand

    if verdicts is not None:
        return {}
    with open_existing_ledger(ledger, workspace) as book:
        return stand(book)


def meant_rubrics(book: Ledger, given: Iterable[str] | None, workspace: Path | None) -> tuple[str, ...] | None:
    """The rubrics of the ledger that `--rubric` means by its names; None where it was not given."""
    from judge.rubrics.loading import name_rubrics

    there = {str(name) for (name,) in book.counts("rubric")}
    return tuple(name_rubrics(given, there, resolve_workspace(workspace))) if given else None


def check_selection(book: Ledger, select: Select) -> None:
    """See that what is asked for occurs in the ledger: a name that does not must not read as "nothing was found".

    Raises:
        InputError: for a rubric, judge or transcript that the ledger has no row on.
    """
    from judge.text import one_line, quoted

    for name, given in (("rubric", select.rubric), ("judge", select.judge), ("transcript_id", select.transcript_id)):
        if not given:
            continue
        there = sorted({str(key[0]) for key in book.counts(name)})
        if unknown := [value for value in given if value not in there]:
            listed = ", ".join(one_line(value, 60) for value in there[:20]) or "none"
            more = f" and {len(there) - 20:,} more" if len(there) > 20 else ""
            raise InputError(
                f"the ledger has no verdict with the {name} {quoted(unknown[0])}; there are {listed}{more}; see all with: "
                "judge verdicts"
            )


def parse_limits(given: list[str] | None) -> Limits:
    """Read `--limits NAME=VALUE` options.

    Raises:
        InputError: for an unknown name or a value that is no positive integer.
    """
    from pydantic import ValidationError

    from judge.transcripts.limits import Limits

    values: dict[str, int] = {}
    for text in given or []:
        name, _, value = text.partition("=")
        if name not in Limits.model_fields or not value.isdigit():
            raise InputError(f"--limits {text!r}: give NAME=VALUE; names are {', '.join(Limits.model_fields)}")
        values[name] = int(value)
    try:
        return Limits(**values)
    except ValidationError as error:
        raise InputError(f"--limits: {error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None


def read_sources(
    sources: Iterable[Path], format_name: str | None, unreadable: list[Unreadable], limits: list[str] | None = None
) -> Iterable[Transcript]:
    """Yield each transcript of the sources once; files that gave none, or one that had come before, go into `unreadable`."""
    from judge.transcripts.model import Transcript
    from judge.transcripts.reading import iter_transcripts
    from judge.transcripts.seen import Seen
    from judge.transcripts.source import Unreadable

    seen = Seen()
    for item in iter_transcripts(sources, format=format_name, limits=parse_limits(limits)):
        if not isinstance(item, Transcript):
            unreadable.append(item)
        elif seen.count(item.id) == 1:
            yield item
        else:
            unreadable.append(Unreadable(item.source.label, item.source.label, refused=True, copy=True))


def report_unreadable(unreadable: list[Unreadable], *, quiet: bool = False) -> None:
    """Say which files gave no transcript and why: broken ones, those that are something else, those that came before."""
    from judge.text import visible

    for title, refused, copy in (
        ("could not be read", False, False),
        ("not transcripts", True, False),
        ("counted once, as the same bytes had come before", True, True),
    ):
        rows = [item for item in unreadable if (item.refused, item.copy) == (refused, copy)]
        if rows:
            say(f"\n{len(rows):,} {title}:", quiet=quiet)
            for item in rows[:COPIES_SHOWN] if copy else rows:
                say(f"  {visible(item.reason)}", quiet=quiet)
            if copy and len(rows) > COPIES_SHOWN:
                say(f"  and {len(rows) - COPIES_SHOWN:,} more", quiet=quiet)


def show_usd(cost: float) -> str:
    """Write a sum of money so that a small one does not look like none."""
    return f"{cost:.2f} USD" if cost >= 1 or not cost else f"{cost:.4f} USD"


def parse_price(text: str | None) -> Any:
    """Read `--price INPUT/OUTPUT[/CACHED]`, US dollars per million tokens."""
    if text is None:
        return None
    from judge.grading.judges import Price

    try:
        numbers = [float(piece) for piece in text.split("/")]
        if len(numbers) > 3:
            raise ValueError(text)
        return Price(**dict(zip(("input", "output", "cached"), numbers, strict=False)))
    except (TypeError, ValueError):
        raise InputError(f"--price {text!r}: give USD per million tokens as INPUT/OUTPUT, for example 2.5/10") from None


def load_gold_set(folder: Path | None, workspace: Path | None, *, bare: bool = False) -> GoldSet:
    """Load the gold set that is named, else the workspace's, else the packaged one; with `bare`, labels alone will do."""
    from judge.errors import InputError
    from judge.gold.goldset import ITEMS, LABELS, load_gold, load_labelled
    from judge.workspace import data_folders, resolve_workspace

    here = resolve_workspace(workspace)
    if folder is None:
        places = data_folders("gold", here)
        held = (
            place for place in places if (place / ITEMS).is_file() or (bare and any((place / LABELS).glob("*.jsonl")))
        )
        folder = next(held, None)
        if folder is None:
            raise InputError("no gold set in the workspace or the package; name its folder")
        if here is not None and folder.resolve() != (here / "gold").resolve():
            say(
                f"{here / 'gold'}: no gold of your own there yet (judge gold import, judge gold add); the packaged set is read"
            )
    return load_labelled(folder) if bare else load_gold(folder)
