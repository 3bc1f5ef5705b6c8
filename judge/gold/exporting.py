"""Labels of a gold set as rows for other tools: JSONL, or CSV that no spreadsheet can take for formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO, Any

import orjson

from judge.gold.goldset import GoldSet
from judge.gold.labels import latest
from judge.text import inert

COLUMNS = (
    "transcript_id",
    "rubric",
    "criterion",
    "rater",
    "rater_kind",
    "label",
    "severity",
    "rationale",
    "blind",
    "guideline",
    "created_at",
    "family",
    "split",
)


def write_jsonl(gold: GoldSet, stream: IO[str]) -> None:
    """One label per line, with the item's family and split."""
    for row in _rows(gold):
        stream.write(orjson.dumps(row).decode() + "\n")


def write_csv(gold: GoldSet, stream: IO[str]) -> None:
    """The same without evidence; a cell that a spreadsheet would run begins with an apostrophe."""
    writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for row in _rows(gold):
        writer.writerow({name: inert(value) for name, value in row.items()})


def _rows(gold: GoldSet) -> Iterator[dict[str, Any]]:
    for label in latest(gold.labels):
        item = gold.items.get(label.transcript_id)
        row = label.model_dump(mode="json", exclude_none=True)
        yield row | ({"family": item.family, "split": item.split} if item else {})
