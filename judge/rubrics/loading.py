"""Find and load rubrics and packs of rubrics: YAML file -> checked `Rubric`.

Every fault is reported with file, line, key, value, what is accepted and what to do next, all of them at once. Whether
a sound rubric is also a *good* one is the business of `lint`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

import orjson
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from judge.errors import InputError
from judge.frozen import Frozen
from judge.rubrics.model import Rubric
from judge.rubrics.soundness import Fault, unknown, unsound
from judge.strict_yaml import Document, Place, read_yaml
from judge.text import quoted
from judge.workspace import data_folders

SHOWN_FAULTS: Final = 20
PACK_SCHEMA: Final = "judge.pack/1"

ModelT = TypeVar("ModelT", bound=Frozen)


class Listed(Frozen):
    """A rubric that was found: where, and what it is by content."""

    id: str
    title: str
    version: int
    aliases: tuple[str, ...]
    path: str
    source: Literal["workspace", "packaged"]
    sha256: str
    guideline_sha256: str


class Pack(Frozen):
    """Rubrics that are graded together, and the controls that keep a judge honest about them."""

    schema_: Literal["judge.pack/1"] = Field(alias="schema")
    id: str
    title: str
    rubrics: tuple[str, ...] = Field(min_length=1)
    controls: tuple[str, ...] = ()


def load_rubric(name_or_path: str | Path, workspace: Path | None = None) -> Rubric:
    """Load one rubric: an explicit path, else an id or alias in the workspace, else in the packaged pack.

    Raises:
        InputError: if there is no such rubric (the nearest names are given) or its file is faulty.
    """
    return parse_rubric(read_yaml(find_rubric(name_or_path, workspace)))


def load_rubrics(names: Sequence[str | Path], workspace: Path | None = None) -> list[Rubric]:
    """Load several rubrics, each once, in the order given; a name may also be that of a pack or of a folder.

    Raises:
        InputError: as `load_rubric`.
    """
    rubrics: dict[str, Rubric] = {}
    for path in find_rubrics(names, workspace):
        rubric = load_rubric(path)
        rubrics.setdefault(rubric.id, rubric)
    return list(rubrics.values())


def find_rubrics(names: Sequence[str | Path], workspace: Path | None = None) -> list[Path]:
    """Return the files of several rubrics, each once: a pack stands for its members, a folder for the files in it.

    Raises:
        InputError: if nothing has one of the names.
    """
    paths: dict[Path, Path] = {}
    for name in names:
        if not str(name):
            raise InputError("an empty name finds no rubric; see what there is with: judge rubrics list")
        pack = find_pack(str(name), workspace)
        if pack is not None:
            found = [find_rubric(member, workspace) for member in (*pack.rubrics, *pack.controls)]
        elif _exists(Path(name), folder=True) and _look_up(str(name), workspace)[0] is None:
            found = sorted(Path(name).glob("*.yaml"))
            if not found:
                raise InputError(
                    f"{name}: a folder without rubrics (*.yaml); see what there is with: judge rubrics list"
                )
        else:
            found = [find_rubric(name, workspace)]
        for path in found:
            paths.setdefault(path.resolve(), path)
    return list(paths.values())


def name_rubrics(names: Iterable[str], there: Collection[str], workspace: Path | None = None) -> list[str]:
    """Return the ids that verdicts and labels bear for names as a person gives them: an alias, a file, a pack.

    A name that occurs in `there`, the rubrics of the rows at hand, means itself, and so does one that is no name of a rubric
    here: rows of other tools have rubrics of their own. Of a pack those are meant that occur, if any do.
    """
    ids: dict[str, None] = {}
    for name in names:
        meant = [name] if name in there else _ids(name, workspace) or [name]
        ids |= dict.fromkeys([one for one in meant if one in there] or meant)
    return list(ids)


def _ids(name: str, workspace: Path | None) -> list[str]:
    """The ids of the rubrics that a name means; none where nothing here has it."""
    try:
        paths = find_rubrics([name], workspace)
    except InputError:
        return []
    return [found for path in paths for found in _names(path)[:1]]


def rubric_files(workspace: Path | None = None) -> list[Path]:
    """Return the file of every rubric that a name can find; a workspace's file hides a packaged one of the same name."""
    files: dict[str, Path] = {}
    for _, path in _rubric_files(workspace):
        files.setdefault(path.stem, path)
    return [files[stem] for stem in sorted(files)]


def known_ids(workspace: Path | None = None) -> frozenset[str]:
    """Return the id of every rubric that a name can find, whether or not its file is sound."""
    return frozenset(name for path in rubric_files(workspace) for name in _names(path)[:1])


def list_rubrics(workspace: Path | None = None) -> list[Listed]:
    """Return every rubric that a name can find, by id; one in the workspace hides a packaged one of the same id.

    Raises:
        InputError: if one of the files is faulty.
    """
    found: dict[str, Listed] = {}
    for source, path in _rubric_files(workspace):
        rubric = parse_rubric(read_yaml(path))
        if rubric.id not in found:
            found[rubric.id] = Listed(
                id=rubric.id,
                title=rubric.title,
                version=rubric.version,
                aliases=rubric.aliases,
                path=str(path),
                source=source,
                sha256=rubric.sha256,
                guideline_sha256=rubric.guideline_sha256,
            )
    return [found[rubric_id] for rubric_id in sorted(found)]


def find_rubric(name_or_path: str | Path, workspace: Path | None = None) -> Path:
    """Return the file of a rubric, as `load_rubric` looks it up.

    Raises:
        InputError: if nothing has that name.
    """
    explicit = Path(name_or_path)
    if _exists(explicit):
        return explicit
    name = str(name_or_path)
    if explicit.suffix in (".yaml", ".yml") or explicit.parent != Path():
        raise InputError(
            f"{quoted(name)}: no such rubric file; give a path to a YAML file, or a name: judge rubrics list"
        )
    found, known = _look_up(name, workspace)
    if found is None:
        near = difflib.get_close_matches(name, dict.fromkeys(known), n=3, cutoff=0.5)
        guess = f"; nearest: {', '.join(near)}" if near else ""
        raise InputError(f"no rubric {quoted(name)}{guess}; see all with: judge rubrics list")
    return found


def find_pack(name: str, workspace: Path | None = None) -> Pack | None:
    """Return the pack of this name, or None.

    Raises:
        InputError: if its file is faulty.
    """
    return next((_read_pack(path) for path in _pack_files(workspace) if path.stem == name), None)


def list_packs(workspace: Path | None = None) -> list[Pack]:
    """Return every pack that a name can find; one in the workspace hides a packaged one of the same name.

    Raises:
        InputError: if one of the files is faulty.
    """
    files: dict[str, Path] = {}
    for path in _pack_files(workspace):
        files.setdefault(path.stem, path)
    return [_read_pack(files[stem]) for stem in sorted(files)]


def parse_rubric(document: Document) -> Rubric:
    """Turn a parsed document into a rubric whose parts fit together.

    Raises:
        InputError: lists every fault with its line.
    """
    rubric = read_form(document)
    faults = list(unsound(rubric))
    if faults:
        raise _refuse(document, faults, f"mend it, then: judge rubrics check {document.name}")
    return rubric


def read_form(document: Document) -> Rubric:
    """Turn a parsed document into a rubric that has the right form, whether or not its parts fit together.

    Raises:
        InputError: lists every fault of form with its line.
    """
    return validate(Rubric, document, next_step=f"mend it, then: judge rubrics check {document.name}")


def _rubric_files(workspace: Path | None) -> Iterator[tuple[Literal["workspace", "packaged"], Path]]:
    for folder in data_folders("rubrics", workspace):
        mine = workspace is not None and folder.resolve() == (workspace / "rubrics").resolve()
        for path in sorted(folder.glob("*.yaml")):
            yield ("workspace" if mine else "packaged"), path


def _pack_files(workspace: Path | None) -> Iterator[Path]:
    for folder in data_folders("rubrics", workspace):
        yield from sorted((folder / "packs").glob("*.yaml"))


def _read_pack(path: Path) -> Pack:
    return validate(Pack, read_yaml(path), next_step="see rubrics/packs/default.yaml for the form")


def _look_up(name: str, workspace: Path | None) -> tuple[Path | None, list[str]]:
    """The file that a name finds, folder by folder: by file name, then by id and alias; and the names there are."""
    files = [path for _, path in _rubric_files(workspace)]
    known: dict[str, Path] = {}
    for folder in dict.fromkeys(path.parent for path in files):
        here = [path for path in files if path.parent == folder]
        if folder / f"{name}.yaml" in here:
            return folder / f"{name}.yaml", []
        for path in here:
            for alias in _names(path):
                known.setdefault(alias, path)
        if name in known:
            return known[name], []
    return None, [*known, *(path.stem for path in files)]


def _exists(path: Path, *, folder: bool = False) -> bool:
    try:
        return path.is_dir() if folder else path.is_file()
    except (OSError, ValueError):
        return False  # too long a name, or one that no file can have


def _names(path: Path) -> list[str]:
    """Return the id and aliases that a file claims, without judging the rest of it."""
    try:
        data = read_yaml(path).data
    except InputError:
        return []  # a broken neighbour must not keep others from being found
    if not isinstance(data, dict):
        return []
    aliases = data.get("aliases")
    return [str(name) for name in (data.get("id"), *(aliases if isinstance(aliases, list) else [])) if name]


def validate(model: type[ModelT], document: Document, next_step: str) -> ModelT:
    """Turn a parsed document into a strict model; `next_step` ends the message when it does not fit.

    Raises:
        InputError: lists every fault of form with its line.
    """
    value, faults = check_form(model, document)
    if value is None:
        raise _refuse(document, faults, next_step)
    return value


def check_form(model: type[ModelT], document: Document) -> tuple[ModelT | None, list[Fault]]:
    """Turn a parsed document into a strict model, or say where it does not fit."""
    if not isinstance(document.data, dict):
        return None, [Fault((), f"holds no mapping; a file begins with a key such as {_first_key(model)}")]
    try:
        # Through JSON, because strict models take lists for tuples only there.
        return model.model_validate_json(orjson.dumps(document.data)), []
    except ValidationError as error:
        found = error.errors(include_url=False)
        # A list of which every item is faulty counts as empty besides, which is no second fault.
        spoilt = {details["loc"][:depth] for details in found for depth in range(1, len(details["loc"]))}
        real = [one for one in found if one["type"] != "too_short" or one["loc"] not in spoilt]
        return None, [_explain(model, details) for details in real]


def _first_key(model: type[Frozen]) -> str:
    """How a file of this form begins: with its schema, where it has one."""
    schema = model.model_fields.get("schema_")
    if schema is None:
        return f"{next(iter(model.model_fields))}:"
    return f"schema: {get_args(schema.annotation)[0]}"


def _refuse(document: Document, faults: list[Fault], next_step: str) -> InputError:
    rows = sorted((document.line(fault.place), fault.text) for fault in faults)
    lines = [f"{document.name}:{line}: {text}" for line, text in rows[:SHOWN_FAULTS]]
    if len(rows) > SHOWN_FAULTS:
        lines.append(f"... and {len(rows) - SHOWN_FAULTS} more")
    return InputError("\n".join([*lines, next_step]))


def _explain(model: type[Frozen], details: ErrorDetails) -> Fault:
    place: Place = tuple(details["loc"])
    path = ".".join(str(step) for step in place)
    kind, value = details["type"], details["input"]
    if kind == "extra_forbidden":
        return Fault(place, unknown("key", path, _siblings(model, place)))
    if kind == "missing":
        return Fault(place, f"key {quoted(path)} is missing; add it")
    shown = f"{path}: {quoted(value)}" if isinstance(value, str | int | float | bool | None) else path
    context = details.get("ctx", {})
    accepted = context.get("expected") or context.get("pattern")
    return Fault(place, f"{shown}: {details['msg']}" + (f"; accepted: {accepted}" if kind.endswith("mismatch") else ""))


def _siblings(model: type[Frozen], place: Place) -> list[str]:
    """Return the keys that the mapping around `place` accepts, written with the same path before them."""
    schema: Any = model.model_json_schema(by_alias=True)
    node: Any = schema
    for step in place[:-1]:
        node = _resolve(schema, node)
        node = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
    node = _resolve(schema, node)
    return [".".join([*(str(step) for step in place[:-1]), key]) for key in node.get("properties", {})]


def _resolve(schema: Any, node: Any) -> Any:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
