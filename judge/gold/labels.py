"""Label files: JSONL, one rater's rows each, read strictly and only ever appended to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from typing import IO

import orjson
from pydantic import ValidationError

from judge.errors import InputError
from judge.gold.model import WITHDRAWN, Label
from judge.text import quoted

_OTHER_NAMES = {
    "transcript_id": ("id", "item_id", "sample_id"),
    "rater": ("annotator", "annotator_id", "rater_id", "user"),
    "label": ("verdict", "level", "value", "rating", "human_label"),
    "rater_kind": ("kind", "source"),
}


def read_labels(*paths: str | Path) -> list[Label]:
    """Return every label in these files (a folder: its `*.jsonl`), in order.

    Raises:
        InputError: for a file that is not there, or a row that is no label, with file, line, field and what is accepted.
    """
    return [label for path in paths for file in label_files(Path(path)) for label in _read_file(file)]


def latest(labels: Iterable[Label]) -> list[Label]:
    """Keep each rater's last word on each transcript, rubric and criterion; one who took it back has said nothing."""
    kept = {(label.transcript_id, label.rubric, label.criterion, label.rater): label for label in labels}
    return [label for label in kept.values() if label.withdraws is None]


def withdraw(labels: Iterable[Label], created_at: str) -> list[Label]:
    """Return the rows that take these labels back; the labels themselves stay in the file."""
    kept = {"transcript_id", "rubric", "criterion", "rater", "rater_kind", "guideline"}
    return [
        Label(**label.model_dump(include=kept), label=WITHDRAWN, withdraws=True, created_at=created_at)
        for label in labels
    ]


def append_labels(path: Path, labels: Iterable[Label], check: Callable[[], None] = lambda: None) -> None:
    """Add rows to one rater's file; they are on disk when this returns.

    A row that a crash cut short, and that nobody was told was kept, is moved out of the way first (`mend_labels`). `check` is
    called while no other process can append, and may raise to keep the rows out.

    Raises:
        InputError: if the file cannot be written.
    """
    rows = b"".join(orjson.dumps(label.model_dump(mode="json", exclude_none=True)) + b"\n" for label in labels)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path) as file:
            _mend(path)
            check()
            # One write to a file opened for appending: a reader sees all of it, or a row that is cut short and then waits.
            if file.write(rows) != len(rows):
                raise InputError(f"{path}: the label could not be kept whole; is the disk full?")
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def mend_labels(path: Path) -> bool:
    """Put aside a last row that was cut short when its writer was killed; return whether there was one.

    It goes into `<file>.torn`, so that nothing is lost that somebody may want to read. A last row that is whole and only
    lacks its newline is given one. A file that ends as it should is only read.

    Raises:
        InputError: if a file that needs it cannot be written.
    """
    try:
        if _ends_whole(path):
            return False
        with _alone(path):
            return _mend(path)
    except OSError as error:
        raise InputError(f"{path}: its last row is cut short and cannot be mended: {error.strerror}") from None


@contextmanager
def _alone(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to append to it while no other process does, where the system has a lock for that."""
    with path.open("ab", buffering=0) as file:
        _lock(file)
        yield file  # closing it gives the lock back


def _lock(file: IO[bytes], *, shared: bool = False) -> None:
    """Wait until no other process appends to this file. Closing the file gives the lock back."""
    try:
        import fcntl
    except ImportError:  # Windows: one process at a time is the user's business
        return
    fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def _ends_whole(path: Path) -> bool:
    if not path.is_file():
        return True
    with path.open("rb") as rows:
        if rows.seek(0, os.SEEK_END) == 0:
            return True
        rows.seek(-1, os.SEEK_END)
        return rows.read(1) == b"\n"


def _mend(path: Path) -> bool:
    if _ends_whole(path):
        return False
    with path.open("rb+") as rows:
        whole, _, tail = rows.read().rpartition(b"\n")
        try:
            orjson.loads(tail)
        except orjson.JSONDecodeError:
            with path.with_name(f"{path.name}.torn").open("ab") as aside:
                aside.write(tail + b"\n")
            rows.truncate(len(whole) + 1 if whole else 0)
            return True
        rows.write(b"\n")
    return False


def label_files(path: Path) -> list[Path]:
    """The label files that a path stands for: itself, or a folder's `*.jsonl`.

    Raises:
        InputError: if there is none.
    """
    if path.is_dir():
        found = sorted(path.glob("*.jsonl"))
        if not found:
            raise InputError(f"{path}: no label files (*.jsonl) in this folder")
        return found
    if not path.is_file():
        raise InputError(
            f"{path}: no such label file or folder; labels come with judge gold import, or a commit on the page of judge audit"
        )
    return [path]


def _read_file(path: Path) -> Iterator[Label]:
    for number, line in enumerate(BytesIO(_settled(path)), start=1):
        if line.strip():
            yield read_label(line, f"{path}:{number}")


def _settled(path: Path) -> bytes:
    """A file's bytes, without the row that somebody is just writing: a write is seen page by page while it goes on.

    Only where the last row is cut short is there anything to wait for, so that whoever appends may read in between.
    """
    with path.open("rb") as file:
        rows = file.read()
        if rows and not rows.endswith(b"\n"):
            _lock(file, shared=True)
            file.seek(0)  # a row that a crash had cut short may have been moved away
            rows = file.read()
    return rows


def read_label(line: bytes, where: str) -> Label:
    """Return the label in one line.

    Raises:
        InputError: if it is none, naming `where` it stands, the field and what is accepted.
    """
    try:
        return Label.model_validate_json(line)
    except ValidationError as error:
        raise _explain(line, where, error) from None


def _explain(line: bytes, where: str, error: ValidationError) -> InputError:
    """Say what is wrong with a row in words that help: its form first, then a field under another name, then its value."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as broken:
        return InputError(f"{where}: not JSON: {broken}; labels in another form come in with: judge gold import")
    if not isinstance(row, dict):
        return InputError(f"{where}: not a label: a JSON object is needed, not {quoted(row)}")
    for field, names in _OTHER_NAMES.items():
        if field not in row and (other := next((name for name in names if name in row), None)):
            return InputError(f"{where}: no {field!r}; if {other!r} is meant, rename it (see: judge gold import)")
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    others = [name for name in row if name not in Label.model_fields]
    if first["type"] == "missing" and (near := get_close_matches(place, others, n=1)):
        return InputError(f"{where}: no {place!r}; did you mean {quoted(near[0])}? rename it (see: judge gold import)")
    value = "" if first["type"] == "missing" else f", not {quoted(first['input'])}"
    return InputError(f"{where}: {place}: {first['msg']}{value}")
