"""Transcripts into a gold set: which ones are gold, of which family, in which split. Labels are given elsewhere.

Only what `goldset` loads is written, and the set is sealed again. Whether two transcripts belong together is not guessed: a
family is what a field of their runs says, or each transcript by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import orjson

from judge.errors import InputError
from judge.gold.goldset import ITEMS, LABELS, TRANSCRIPTS, GoldSet, load_gold, seal
from judge.gold.labels import read_labels
from judge.gold.model import Item, Split
from judge.text import one_line, quoted
from judge.transcripts.canonical import encode
from judge.transcripts.model import Transcript


class Added(NamedTuple):
    """What an addition did: items new and there already, families of the new ones, labelled transcripts that are no item."""

    new: int
    present: int
    families: int
    unplaced: int


def new_canary() -> str:
    """A string that stands in no other text: a model that can complete it has seen this gold set."""
    return f"judge-gold-canary-{uuid4()}"


def add_items(folder: Path, transcripts: Iterable[Transcript], split: Split, family: str | None = None) -> Added:
    """Make transcripts items of the gold set in a folder, which is begun where there is none, and seal it.

    `family`: the field of the runs that says which transcripts share a task, prompt or setting. Those that are items already
    stay as they are.

    Raises:
        InputError: if no run has the field, an id has another content already, or a family would stand in two splits.
    """
    held = load_gold(folder) if (folder / ITEMS).is_file() else GoldSet(folder, {}, {}, [], None)
    given = list(transcripts)
    if family is not None and given and not any(family in one.run for one in given):
        fields = ", ".join(sorted({one_line(name, 40) for row in given for name in row.run})[:20]) or "none"
        raise InputError(f"--family {quoted(family)}: no transcript's run has this field; fields are {fields}")
    canary = held.manifest.canary if held.manifest else new_canary()
    splits = {item.family: item.split for item in held.items.values()}
    items, texts = [], []
    for one in given:
        if (there := held.items.get(one.id)) is not None:
            if there.content_sha256 != one.content_sha256:
                raise InputError(f"{one.source.label}: {quoted(one.id)} is an item already, with another content")
            continue
        name = _name_family(one, family)
        if splits.setdefault(name, split) != split:
            raise InputError(
                f"{one.source.label}: family {quoted(name)} is in split {quoted(splits[name])}; a family stands in one split "
                f"only, so add it with --split {splits[name]}, or leave it out"
            )
        items.append(Item(transcript_id=one.id, content_sha256=one.content_sha256, family=name, split=split))
        texts.append(encode(one.model_copy(update={"run": one.run | {"canary": canary}})))
    _append(folder / TRANSCRIPTS / f"{split}.jsonl", texts)
    _append(folder / ITEMS, [orjson.dumps(item.model_dump(exclude_none=True)) for item in items])
    seal(folder, canary)
    placed = held.items.keys() | {item.transcript_id for item in items}
    return Added(len(items), len(given) - len(items), len({item.family for item in items}), _unplaced(folder, placed))


def _name_family(one: Transcript, family: str | None) -> str:
    return str(one.run[family]) if family is not None and family in one.run else one.id


def _unplaced(folder: Path, placed: Iterable[str]) -> int:
    """How many transcripts have a label and no place in the set: no certificate takes them into account."""
    labels = folder / LABELS
    there = read_labels(labels) if any(labels.glob("*.jsonl")) else []
    return len({label.transcript_id for label in there} - set(placed))


def _append(path: Path, rows: Sequence[bytes]) -> None:
    if not rows:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(row + b"\n" for row in rows))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
