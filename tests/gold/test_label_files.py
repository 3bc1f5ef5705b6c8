"""Label files while somebody writes them."""

from __future__ import annotations

import fcntl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from judge.gold.labels import read_labels

PATIENCE_S = 60


def row(transcript_id: str) -> bytes:
    label = {"transcript_id": transcript_id, "rubric": "r", "rater": "ada", "rater_kind": "human", "label": "absent"}
    return orjson.dumps(label) + b"\n"


def test_a_reader_waits_for_the_row_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a row is no mistake while its writer holds the file; it is read once it is whole."""
    path = tmp_path / "ada.jsonl"
    asked = threading.Event()
    lock = fcntl.flock

    def tell(file: int, operation: int) -> None:
        if operation == fcntl.LOCK_SH:
            asked.set()
        lock(file, operation)

    with path.open("ab", buffering=0) as writer, ThreadPoolExecutor(1) as pool:
        lock(writer, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", tell)
        half = len(row("t1")) // 2
        writer.write(row("t0") + row("t1")[:half])
        reading = pool.submit(read_labels, path)
        assert asked.wait(PATIENCE_S), "the reader did not wait for the writer"
        writer.write(row("t1")[half:])
        lock(writer, fcntl.LOCK_UN)
        assert ["t0", "t1"] == [label.transcript_id for label in reading.result(PATIENCE_S)]


def test_a_file_that_is_whole_is_read_while_somebody_holds_it(tmp_path: Path) -> None:
    """Who appends may look at the file in between, and nobody waits without need."""
    path = tmp_path / "ada.jsonl"
    path.write_bytes(row("t0"))
    with path.open("ab", buffering=0) as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert ["t0"] == [label.transcript_id for label in read_labels(path)]
