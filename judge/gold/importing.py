"""Labels from elsewhere into label rows: CSV, JSONL and Label Studio exports.

Nothing is guessed: a column that is ours under another name is named with `columns`, what the file does not say (rubric,
rater, rater kind) is given once for all rows, and a blank label is no label.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from judge.errors import InputError
from judge.gold.model import Label
from judge.text import one_line, quoted

FIELDS: Final = tuple(Label.model_fields)
_NUMBERS: Final = {"severity": int, "confidence": int, "seconds": float}
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def import_labels(
    path: Path, *, columns: Mapping[str, str] | None = None, fixed: Mapping[str, str] | None = None
) -> list[Label]:
    """Read labels from a file; its form is told by its beginning, not its name.

    Args:
        path: CSV with a header, JSONL, or a Label Studio JSON export.
        columns: our field -> the file's column, where they differ.
        fixed: our field -> the value for every row, for what the file does not say.

    Raises:
        InputError: for a file or row that cannot be used, with its line, the field, the value and what is accepted.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    head = raw.lstrip()[:1]
    if head == b"[":
        rows = _label_studio(raw, path)
    elif head == b"{":
        rows = _jsonl(raw, path)
    else:
        rows = _csv(raw, path)
    unknown = set(columns or ()) | set(fixed or ())
    if wrong := sorted(unknown - set(FIELDS)):
        raise InputError(f"{quoted(wrong[0])} is no field of a label; fields are {', '.join(FIELDS)}")
    seen: dict[str, None] = {}
    labels = []
    for where, row in rows:
        seen |= dict.fromkeys(map(str, row))
        if label := _to_label(row, where, columns or {}, fixed or {}):
            labels.append(label)
    if not labels:
        raise _no_label(path, list(seen), (columns or {}).get("label", "label"))
    return labels


def _no_label(path: Path, seen: list[str], column: str) -> InputError:
    if not seen:
        return InputError(f"{path}: no row in it; accepted are CSV with a header, JSONL and Label Studio's JSON")
    if column in seen:
        return InputError(f"{path}: no labelled row in it: {quoted(column)} is empty in every row")
    listed = ", ".join(one_line(name, 40) for name in seen[:30])
    return InputError(f"{path}: no {quoted(column)}; name its column (--column label=COLUMN); columns are {listed}")


def _to_label(row: Mapping[str, Any], where: str, columns: Mapping[str, str], fixed: Mapping[str, str]) -> Label | None:
    for column in columns.values():
        if column not in row:
            raise InputError(f"{where}: no column {quoted(column)}; columns are {', '.join(map(str, row))}")
    found = {field: row[columns.get(field, field)] for field in FIELDS if columns.get(field, field) in row}
    found |= fixed
    found = {field: value for field, value in found.items() if value not in (None, "")}
    if "label" not in found:
        return None
    if missing := [name for name in ("transcript_id", "rubric", "rater", "rater_kind") if name not in found]:
        raise InputError(
            f"{where}: no {missing[0]!r}; name its column (--column {missing[0]}=COLUMN) or give it for all rows "
            f"(--set {missing[0]}=VALUE); columns are {', '.join(map(str, row))}"
        )
    try:
        return Label.model_validate({field: _typed(field, value, where) for field, value in found.items()})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{where}: {first['loc'][0]}: {first['msg']}, not {quoted(first['input'])}") from None


def _typed(field: str, value: Any, where: str) -> Any:
    """Turn the text of a CSV cell into what the field holds; labels stay text."""
    if field == "evidence":
        return tuple(value) if isinstance(value, list) else value
    if field == "blind" and isinstance(value, str):
        if value.lower() not in _TRUTHS:
            raise InputError(f"{where}: blind: give true or false, not {quoted(value)}")
        return _TRUTHS[value.lower()]
    if field in _NUMBERS and isinstance(value, str):
        try:
            return _NUMBERS[field](value)
        except ValueError:
            raise InputError(f"{where}: {field}: give a number, not {quoted(value)}") from None
    return str(value) if isinstance(value, int | float) and field not in _NUMBERS and field != "blind" else value


def _csv(raw: bytes, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start}: not UTF-8; save it as UTF-8") from None
    # Only a newline ends a row; a line separator that somebody pasted into a cell is part of it.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row:
                raise InputError(f"{path}:{reader.line_num}: more cells than the header has columns")
            yield f"{path}:{reader.line_num}", {name: (cell or "").strip() for name, cell in row.items()}
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not CSV: {error}") from None


def _jsonl(raw: bytes, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(raw.splitlines(), start=1):
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise InputError(f"{path}:{number}: not JSON: {error}") from None
            if not isinstance(row, dict):
                raise InputError(f"{path}:{number}: a row must be a JSON object, not {quoted(row)}")
            yield f"{path}:{number}", row


def _label_studio(raw: bytes, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Tasks with annotations: one row per choice; the task's data are columns, `annotator` is who completed it."""
    try:
        tasks = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    for index, task in enumerate(tasks):
        where = f"{path}#/{index}"
        if not isinstance(task, dict) or not isinstance(task.get("annotations"), list):
            raise InputError(f"{where}: not a Label Studio task: no 'annotations'; export as JSON, not JSON-MIN")
        for annotation in task["annotations"]:
            if annotation.get("was_cancelled"):
                continue
            row = {**task.get("data", {}), "annotator": _annotator(annotation), "seconds": annotation.get("lead_time")}
            row["created_at"] = annotation.get("created_at")
            for result in annotation.get("result", ()):
                for choice in result.get("value", {}).get("choices", ()):
                    yield where, {**row, "question": result.get("from_name"), "choice": choice}


def _annotator(annotation: Mapping[str, Any]) -> str:
    who = annotation.get("completed_by")
    return str(who.get("email") or who.get("id")) if isinstance(who, dict) else str(who)
