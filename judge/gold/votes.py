"""Label files read for who said what of which transcript, and nothing else: all that figures need.

A million rows are read several times as fast as labels. The same rows are accepted and refused, in the same words: where a
row is not plainly sound, it and its neighbours are read as labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar, get_args

import orjson

from judge.gold.labels import label_files, read_label
from judge.gold.model import Label, RaterKind

_KINDS: Final = frozenset(get_args(RaterKind))
_NULL: Final = type(None)
# What each field may hold to be taken as it stands. A field that is not here is for the model to accept or to refuse.
_REQUIRED: Final = frozenset(("transcript_id", "rubric", "rater", "rater_kind", "label"))
_PLAIN: Final[dict[str, set[type]]] = {
    **{name: {str} for name in _REQUIRED},
    **{name: {str, _NULL} for name in ("criterion", "guideline", "rationale", "created_at")},
    **{name: {int, _NULL} for name in ("severity", "confidence")},
    "blind": {bool, _NULL},
    "seconds": {int, float, _NULL},
}
_TOGETHER: Final = 4_096  # lines looked at in one go


class Vote(NamedTuple):
    """A label without its reasons."""

    transcript_id: str
    rubric: str
    rater: str
    rater_kind: str
    label: str
    criterion: str | None
    withdraws: bool | None


Voted = Label | Vote  # who said what of which transcript, with or without the rest
_AnyVote = TypeVar("_AnyVote", bound=Label | Vote)


def read_votes(*paths: Path) -> list[Vote]:
    """Return who said what in these files (a folder: its `*.jsonl`), in order.

    Raises:
        InputError: as `labels.read_labels`.
    """
    found: list[Vote] = []
    for path in paths:
        for file in label_files(path):
            with file.open("rb") as lines:
                number = 0
                while some := list(islice(lines, _TOGETHER)):
                    found += _take(some) or _look(some, file, number)
                    number += len(some)
    return found


def last_words(votes: Iterable[_AnyVote]) -> list[_AnyVote]:
    """Keep each rater's last word on each transcript of one rubric; one who took it back has said nothing."""
    kept = {(vote.transcript_id, vote.rater): vote for vote in votes}
    return [vote for vote in kept.values() if vote.withdraws is None]


def _take(lines: Sequence[bytes]) -> list[Vote] | None:
    """The votes of lines with which nothing can be wrong; None if that cannot be told of one of them."""
    try:
        rows = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return None
    if set(map(type, rows)) != {dict}:
        return None
    columns = {name: [row.get(name) for row in rows] for name in _REQUIRED.union(*rows)}
    if not all(set(map(type, values)) <= _PLAIN.get(name, set()) for name, values in columns.items()):
        return None
    if not all(all(columns[name]) for name in _REQUIRED) or not set(columns["rater_kind"]) <= _KINDS:
        return None
    if not all(map(math.isfinite, filter(None, columns.get("seconds", ())))):
        return None
    nothing = [None] * len(rows)
    return list(map(Vote._make, zip(*(columns.get(name, nothing) for name in Vote._fields), strict=True)))


def _look(lines: Sequence[bytes], file: Path, before: int) -> list[Vote]:
    """The votes of lines of which each is read as a label; `before` lines come before them."""
    votes = []
    for number, line in enumerate(lines, start=before + 1):
        if line.strip():
            label = read_label(line, f"{file}:{number}")
            votes.append(Vote._make(getattr(label, name) for name in Vote._fields))
    return votes
