"""The gold set on disk: items, transcripts, labels and a manifest of hashes, in one folder.

    gold/items.jsonl              one row per item: family, split, setting, what it is for
    gold/transcripts/*.jsonl      the transcripts, in our own form
    gold/labels/<rater>.jsonl     one file per rater, append-only
    gold/manifest.json            hash of every file, and the canary
    gold/README.md                the datasheet

Loading and sealing are all that happens here; `adding` makes items, `checking` finds faults, `counting` describes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson
from pydantic import Field, ValidationError

from judge.canonical import sha256_hex
from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.labels import read_labels
from judge.gold.model import Item, Label
from judge.text import quoted
from judge.transcripts.model import Transcript
from judge.transcripts.reading import iter_transcripts

ITEMS = "items.jsonl"
TRANSCRIPTS = "transcripts"
LABELS = "labels"
MANIFEST = "manifest.json"


class Manifest(Frozen):
    """What the folder held when it was sealed."""

    canary: str  # stands in every transcript file; a model that can complete it has seen this gold set
    files: dict[str, str] = Field(default_factory=dict)  # path below the folder -> SHA-256


class GoldSet(NamedTuple):
    """A loaded gold set. `transcripts` by id, `items` by transcript id."""

    folder: Path
    items: dict[str, Item]
    transcripts: dict[str, Transcript]
    labels: list[Label]
    manifest: Manifest | None

    def families(self) -> dict[str, str]:
        """Which family each transcript belongs to: the clusters of every interval."""
        return {name: item.family for name, item in self.items.items()}


def load_gold(folder: Path) -> GoldSet:
    """Load the gold set in a folder.

    Raises:
        InputError: if the folder holds none, or a row of it cannot be read, with file and line.
    """
    if not (folder / ITEMS).is_file():
        raise InputError(
            f"{folder}: no gold set here (no {ITEMS}); say which transcripts are gold with: judge gold add TRANSCRIPTS --to "
            f"{folder}"
        )
    items = {item.transcript_id: item for item in _read_items(folder / ITEMS)}
    transcripts: dict[str, Transcript] = {}
    for found in iter_transcripts([folder / TRANSCRIPTS]) if (folder / TRANSCRIPTS).is_dir() else ():
        if not isinstance(found, Transcript):
            raise InputError(found.reason)
        transcripts[found.id] = found
    labels = read_labels(folder / LABELS) if (folder / LABELS).is_dir() else []
    return GoldSet(folder, items, transcripts, labels, _read_manifest(folder / MANIFEST))


def load_labelled(folder: Path) -> GoldSet:
    """Load what labels say where there may be labels alone: a gold set, or a folder that holds, or is, a folder of label files.

    Raises:
        InputError: if there is neither, or a row cannot be read, with file and line.
    """
    if (folder / ITEMS).is_file():
        return load_gold(folder)
    for place in (folder / LABELS, folder):
        if any(place.glob("*.jsonl")):
            return GoldSet(folder, {}, {}, read_labels(place), None)
    raise InputError(
        f"{folder}: no {ITEMS} and no label file here; labels come with a commit on the page of judge audit, or with "
        "judge gold import"
    )


def hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every data file of a gold set, by its path below the folder."""
    paths = [
        folder / ITEMS,
        *sorted((folder / TRANSCRIPTS).glob("*.jsonl")),
        *sorted((folder / LABELS).glob("*.jsonl")),
    ]
    return {path.relative_to(folder).as_posix(): sha256_hex(path.read_bytes()) for path in paths if path.is_file()}


def seal(folder: Path, canary: str) -> Manifest:
    """Write the manifest of what the folder holds now."""
    manifest = Manifest(canary=canary, files=hash_files(folder))
    text = orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    (folder / MANIFEST).write_bytes(text + b"\n")
    return manifest


def _read_items(path: Path) -> list[Item]:
    items = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                items.append(Item.model_validate_json(line))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join(map(str, first["loc"]))
                raise InputError(f"{path}:{number}: {place}: {first['msg']}, not {quoted(first['input'])}") from None
    return items


def _read_manifest(path: Path) -> Manifest | None:
    if not path.is_file():
        return None
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: not a manifest: {error.errors(include_url=False)[0]['msg']}") from None
