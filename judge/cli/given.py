"""What a command on verdicts and labels is given: the options for them, and how they are read."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from judge.cli.common import open_existing_ledger
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.gold.goldset import GoldSet
    from judge.gold.model import Label
    from judge.gold.votes import Voted
    from judge.ledger.outcomes import Judged
    from judge.ledger.verdict import Verdict
    from judge.rubrics.model import Scale

_Any = TypeVar("_Any")
_Row = TypeVar("_Row", "Verdict", "Judged")

Verdicts = Annotated[
    Path | None, typer.Option("--verdicts", metavar="V.jsonl", help="Verdict rows of any judge; default: the ledger.")
]
Labels = Annotated[
    list[Path] | None,
    typer.Option("--labels", metavar="L.jsonl", help="Label rows, a file or a folder; repeat for more."),
]
Positive = Annotated[
    list[str] | None,
    typer.Option("--positive", metavar="LABEL", help="A label that counts as positive; repeat for more."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Use labels of this rater kind; default: human where there are any."),
]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="FIELD", help="Field of the verdict rows that names what items share."),
]
Rubrics = Annotated[list[str] | None, typer.Option("-r", "--rubric", help="Only on these rubrics.")]
Judges = Annotated[list[str] | None, typer.Option("-m", "--model", help="Only these judges.")]
By = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="FIELD", help="Divide by this field of the verdict rows; repeat for more."),
]
Order = Annotated[
    str | None,
    typer.Option(
        metavar="LOW,...,HIGH", help="Put the levels of a foreign scale in order; --positive names those that count."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")]


def finite(value: float | None) -> float | None:
    """The value of an option that must be a number: `min` and `max` let nan through, which no comparison holds against.

    Raises:
        typer.BadParameter: for nan and infinity.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value:g} is no number to reckon with; give a finite one")
    return value


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Hundreds of thousands of rows hold no cycles; looking for some again and again takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def load_verdicts(
    path: Path | None,
    ledger: str | None,
    workspace: Path | None,
    rubrics: Iterable[str] | None,
    models: Iterable[str] | None,
) -> list[Verdict]:
    """Read verdict rows from a file, else from the ledger, and keep those that are asked for."""
    if path is None:
        rows = _ledger_rows(ledger, workspace)
    else:
        from judge.ledger.importing import read_rows

        rows = list(read_rows(path).verdicts)
    return _keep(rows, path, workspace, rubrics, models)


def load_outcomes(
    path: Path | None,
    ledger: str | None,
    workspace: Path | None,
    rubrics: Iterable[str] | None,
    models: Iterable[str] | None,
) -> list[Judged]:
    """As `load_verdicts`, where nothing but the outcomes is needed: much faster from a file."""
    rows: list[Judged] = []
    if path is None:
        rows += _ledger_rows(ledger, workspace)
    else:
        from judge.ledger.outcomes import read_outcomes

        rows += read_outcomes(path)
    return _keep(rows, path, workspace, rubrics, models)


def _ledger_rows(ledger: str | None, workspace: Path | None) -> list[Verdict]:
    with open_existing_ledger(ledger, workspace) as book:
        return list(book.verdicts())


def _keep(
    rows: list[_Row],
    path: Path | None,
    workspace: Path | None,
    rubrics: Iterable[str] | None,
    models: Iterable[str] | None,
) -> list[_Row]:
    if not rows:
        where = "the ledger holds no verdict yet" if path is None else f"{path}: no verdict row in this file"
        raise InputError(f"{where}; next: judge grade, or --verdicts with a file of rows")
    wanted, judges = set(meant_rubrics(rubrics, rows, workspace) or ()), set(models or ())
    if not wanted and not judges:
        return rows
    kept = [row for row in rows if (not wanted or row.rubric in wanted) and (not judges or row.judge in judges)]
    if not kept:
        raise InputError(
            f"no verdict is left of {len(rows)}: rubrics are {', '.join(sorted({row.rubric for row in rows})) or 'none'}, "
            f"judges are {', '.join(sorted({row.judge for row in rows})) or 'none'}"
        )
    return kept


def meant_rubrics(
    given: Iterable[str] | None, rows: Iterable[Judged | Voted], workspace: Path | None
) -> list[str] | None:
    """The rubrics of the rows that `--rubric` means by its names; None where it was not given."""
    from judge.rubrics.loading import name_rubrics
    from judge.workspace import resolve_workspace

    return name_rubrics(given, {row.rubric for row in rows}, resolve_workspace(workspace)) if given else None


def check_fields(rows: Sequence[Judged], by: Iterable[str] | None, cluster: str | None) -> None:
    """See that some verdict has each field to divide or cluster by: a name that none has would make one group of all.

    Raises:
        InputError: for a field that no verdict has.
    """
    from judge.text import one_line, quoted

    known = sorted({name for row in rows for name in row.run})
    for option, name in [*(("--by", name) for name in by or ()), *([("--cluster", cluster)] if cluster else [])]:
        if name not in known:
            listed = ", ".join(one_line(field, 40) for field in known[:20]) or "none"
            raise InputError(f"{option} {quoted(name)}: no verdict has this field; fields are {listed}")


def check_kinds(kinds: Iterable[str] | None, option: str = "--kind") -> None:
    """See that each rater kind is one.

    Raises:
        InputError: for any other word.
    """
    from typing import get_args

    from judge.gold.model import RaterKind
    from judge.text import quoted

    for kind in kinds or ():
        if kind not in get_args(RaterKind):
            raise InputError(f"{option} {quoted(kind)}: no such rater kind; kinds are {', '.join(get_args(RaterKind))}")


def load_scales(rubrics: Iterable[str], workspace: Path | None) -> dict[str, Any]:
    """The scales of those rubrics that are here; labels of any other must speak for themselves."""
    from judge.rubrics.loading import list_rubrics, load_rubric
    from judge.workspace import resolve_workspace

    here = resolve_workspace(workspace)
    known = {listed.id for listed in list_rubrics(here)}
    return {name: load_rubric(name, here).scale for name in rubrics if name in known}


def read_order(order: str) -> tuple[str, ...]:
    """The levels that `--order` names, the lowest first.

    Raises:
        InputError: if they are fewer than two, or one stands twice or is empty.
    """
    from judge.text import quoted

    levels = tuple(order.split(","))
    if len(levels) < 2 or len(set(levels)) < len(levels) or "" in levels:
        raise InputError(f"--order {quoted(order)}: give each level once, the lowest first, with commas between them")
    return levels


def ordered_scales(
    order: str, positive: Sequence[str], verdicts: Sequence[Judged], labels: Sequence[Voted]
) -> dict[str, Scale]:
    """The scale that `--order` and `--positive` describe, for every rubric of the verdicts.

    Raises:
        InputError: if it is no order, says nothing of positive levels, or leaves out a level that occurs.
    """
    from judge.rubrics.model import OUTSIDE, Scale
    from judge.text import one_line, quoted

    levels = read_order(order)
    shown = ", ".join(one_line(level, 40) for level in levels)
    if not positive:
        raise InputError(f"--order {quoted(order)}: say with --positive which of the levels count as positive: {shown}")
    if unknown := [level for level in positive if level not in levels]:
        raise InputError(f"--positive {quoted(unknown[0])}: is not in --order; its levels are {shown}")
    rubrics = {row.rubric for row in verdicts}
    given = {row.level for row in verdicts if row.level is not None}
    given |= {row.label for row in labels if row.rubric in rubrics and row.criterion is None and row.withdraws is None}
    if left := sorted(given - set(levels) - set(OUTSIDE)):
        raise InputError(f"--order does not say where {quoted(left[0])} stands; its levels are {shown}")
    scale = Scale(levels=levels, positive=tuple(positive), default=levels[0])
    return dict.fromkeys(rubrics, scale)


def gold_beside(paths: list[Path]) -> GoldSet | None:
    """The gold set that the label folder belongs to: its families are the clusters of every interval."""
    from judge.gold.goldset import ITEMS, load_gold

    folders = {path.resolve().parent for path in paths if path.is_dir()}
    found = [folder for folder in folders if (folder / ITEMS).is_file()]
    return load_gold(found[0]) if len(found) == len(paths) == 1 else None


def label_paths(labels: list[Path] | None, workspace: Path | None) -> list[Path]:
    """Where the labels are: as given, else the folder of the workspace.

    Raises:
        InputError: if neither is there.
    """
    if labels:
        return labels
    from judge.workspace import resolve_workspace

    folder = resolve_workspace(workspace)
    if folder is None or not (folder / "gold" / "labels").is_dir():
        where = "in a workspace with gold/labels/" if folder is None else f"with labels in {folder / 'gold' / 'labels'}"
        raise InputError(f"no labels: give --labels FILE, or work {where} (see: judge gold import)")
    return [folder / "gold" / "labels"]


def labels_here(workspace: Path | None) -> list[Label]:
    """The labels of the workspace; none where there is no workspace or nothing is labelled yet."""
    from judge.gold.labels import read_labels
    from judge.workspace import resolve_workspace

    here = resolve_workspace(workspace)
    folder = None if here is None else here / "gold" / "labels"
    return read_labels(folder) if folder is not None and any(folder.glob("*.jsonl")) else []


def read_all_labels(paths: list[Path] | None, workspace: Path | None) -> list[Label]:
    """The labels to work on: as given, else those of the workspace."""
    return read_given_labels(label_paths(paths, workspace))


def read_given_labels(paths: list[Path] | None) -> list[Label]:
    """The labels of the files and folders that are named; none where none is."""
    from judge.gold.labels import read_labels

    return need_rows(read_labels(*paths), paths) if paths else []


def need_rows(rows: list[_Any], paths: Sequence[Path]) -> list[_Any]:
    """The rows of these files, of which there must be some: no figure is asked for of nothing.

    Raises:
        InputError: if there is none.
    """
    if not rows:
        raise InputError(
            f"{', '.join(map(str, paths))}: no label in it, the file is empty; labels come with: judge gold import"
        )
    return rows
