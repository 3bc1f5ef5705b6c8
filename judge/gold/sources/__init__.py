"""Public human-labelled sets: where each comes from, under which licence, how its labels become ours, and its known traps.

The registry is data (`gold/sources.yaml`); a set that can be imported has a module here with one function, `gather`.
Nothing of any set is shipped: `judge gold fetch NAME` needs a network, `judge gold import NAME PATH` a local copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.model import Label
from judge.rubrics.loading import validate
from judge.strict_yaml import read_yaml
from judge.text import quoted
from judge.workspace import data_folders

REGISTRY = "sources.yaml"


class SourceFile(Frozen):
    """A file of a set, at the recorded commit."""

    path: str
    sha256: str | None = None  # null: not recorded, so that a fetch cannot be checked and says so


class Source(Frozen):
    """One public set."""

    name: str
    title: str
    licence: str
    citation: str
    repository: str
    commit: str | None = None
    files: tuple[SourceFile, ...] = ()
    rubric: str  # the name under which its labels are imported
    about: str  # what is labelled, by whom
    positive: tuple[str, ...] = ()
    polarity: str
    traps: tuple[str, ...] = ()
    cluster: str | None = None  # the field of the imported verdicts that says which items belong together
    importer: Literal["xstest", "lie_detector", "r_judge", "dices", "openagentsafety", "toolemu"] | None = None


class Registry(Frozen):
    """Every set that is known."""

    sources: tuple[Source, ...] = Field(min_length=1)


class Gathered(NamedTuple):
    """What a local copy of a set gave: labels, the verdicts of judges recorded in it, and what was odd."""

    labels: list[Label]
    verdicts: list[dict[str, Any]]
    warnings: list[str]
    counts: Mapping[str, int]


@cache
def list_sources(workspace: Path | None = None) -> tuple[Source, ...]:
    """Return the registry.

    Raises:
        InputError: if it is missing or faulty.
    """
    for folder in data_folders("gold", workspace):
        if (folder / REGISTRY).is_file():
            document = read_yaml(folder / REGISTRY)
            return validate(Registry, document, "see gold/sources.yaml for the form").sources
    raise InputError(f"no {REGISTRY} in the workspace or the package: reinstall")


def find_source(name: str, workspace: Path | None = None) -> Source:
    """Return one set by name.

    Raises:
        InputError: naming those that are known.
    """
    found = {source.name: source for source in list_sources(workspace)}
    if name not in found:
        near = get_close_matches(name.lower().replace("_", "-"), found, n=1)
        guess = f"; did you mean {quoted(near[0])}?" if near else ", and no file of that name"
        raise InputError(f"no set {quoted(name)}{guess}; known are {', '.join(sorted(found))}")
    return found[name]


def gather(source: Source, path: Path) -> Gathered:
    """Read a local copy of a set; its known traps come first among the warnings.

    Raises:
        InputError: if the set has no importer yet, or the folder does not hold it.
    """
    if source.importer is None:
        raise InputError(
            f"{source.name}: known, but no importer is written for it; turn its labels into rows "
            "(transcript_id, rubric, rater, rater_kind, label) and use: judge gold import FILE"
        )
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; get the set from {source.repository}")
    module = import_module(f"{__name__}.{source.importer}")
    read: Callable[[Source, Path], Gathered] = module.gather
    found = read(source, path)
    return found._replace(warnings=[*source.traps, *found.warnings])


def need_files(folder: Path, pattern: str, source: Source) -> list[Path]:
    """Return the files of a set in a folder.

    Raises:
        InputError: if there are none.
    """
    found = sorted(folder.glob(pattern)) if folder.is_dir() else [folder]
    if not found:
        raise InputError(f"{folder}: nothing here matches {pattern}, so this is no copy of {source.name}")
    return found
