"""A worker's rows on its own disk until the ledger has them: what a worker or a driver that is lost leaves behind.

One file per worker, locked while the worker lives; one line per group of rows, with a hash, so that a line that was cut off
is seen. Files lie in `~/.cache/judge/spool/<ledger>/<driver>/` (or under `XDG_CACHE_HOME`), readable by their owner only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import orjson

from judge.errors import InputError
from judge.grading.workers.messages import Message, Row
from judge.ledger.entry import VERDICT, Call, Entry, encode_body, to_entry
from judge.ledger.store import REOPENED
from judge.ledger.verdict import Status, Verdict

DRIVER_LOCK: Final = "driver.lock"
_RETRY_S = 0.05
_HASH: Final = 16
_SEGMENT_BYTES = 16 * 2**20


def spool_folder(ledger: str, driver: str = "") -> Path:
    """Return where the spools of a ledger lie, or those of one driver; made when missing.

    Raises:
        InputError: if it cannot be made.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "judge" / "spool" / ledger / driver
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(
            f"{folder}: workers cannot keep their results there: {error.strerror}; name another place: "
            "export XDG_CACHE_HOME=DIR"
        ) from None
    return folder


class Spool:
    """What stands for the ledger in a worker: rows go to a file, then to the driver. See `judge.grading.planning.Book`."""

    def __init__(self, folder: Path, name: str, send: Callable[[Message], None]) -> None:
        self._folder = folder
        self._name = name
        self._send = send
        self._calls: dict[str, dict[str, Call]] = {}
        self._last = 0  # number of the last group
        self._segments: deque[tuple[int, Path]] = deque()  # older files, and the last group in each
        self._file = self._open()

    def expect(self, calls: Iterable[Call]) -> None:
        """Take in calls that were paid for before, to be found by `call`."""
        for call in calls:
            self._calls.setdefault(call.verdict_id, {})[call.key] = call

    def call(self, key: str) -> Call | None:
        """Return the call with this key that was paid for before, or None."""
        return self._calls.get(key.partition("/")[0], {}).get(key)

    def append(self, items: Iterable[Verdict | Call | Entry], *, reopen: Collection[Status] = REOPENED) -> None:
        """Put everything on disk, then pass it on."""
        del reopen
        entries = [to_entry(item) for item in items]
        for entry in entries:
            if entry.kind == VERDICT:
                self._calls.pop(entry.key, None)
        self.pass_on([(entry.kind, entry.key, encode_body(entry)) for entry in entries])

    def pass_on(self, rows: Sequence[Row], *, found: bool = False) -> None:
        """Put rows on disk, then send them; `found` marks those of an earlier worker, which may be in the ledger."""
        self._last += 1
        payload = orjson.dumps(rows)
        self._file.write(_digest(payload) + b" " + payload + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._send(["rows", self._last, rows, found])
        if self._file.tell() > _SEGMENT_BYTES:
            self._segments.append((self._last, Path(self._file.name)))
            self._file.close()
            self._file = self._open()

    def kept(self, number: int) -> None:
        """Forget the groups up to this one: the ledger has them."""
        while self._segments and self._segments[0][0] <= number:
            self._segments.popleft()[1].unlink()
        if number == self._last:
            self._file.truncate(0)

    def discard(self) -> None:
        """Forget all groups: whoever asks has them in the ledger."""
        self.kept(self._last)

    def close(self) -> None:
        """Let go of the file; it stays as long as rows in it are not in the ledger."""
        if not self._segments and os.fstat(self._file.fileno()).st_size == 0:
            Path(self._file.name).unlink()
        self._file.close()

    def _open(self) -> IO[bytes]:
        path = self._folder / f"{self._name}.{self._last}.spool"
        file = path.open("ab")
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        return file


def hold(folder: Path) -> IO[bytes]:
    """Mark a driver's folder as in use for as long as the returned file is open."""
    file = (folder / DRIVER_LOCK).open("ab")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def abandoned(ledger: str) -> list[Path]:
    """Return the folders of drivers that are no more, on this machine."""
    folders = []
    for folder in sorted(path for path in spool_folder(ledger).iterdir() if path.is_dir()):
        lock = folder / DRIVER_LOCK
        if not lock.exists():  # of a driver on another machine
            folders.append(folder)
            continue
        with lock.open("ab") as file:
            if _try_lock(file, 0):
                folders.append(folder)
    return folders


def collect(folder: Path, pattern: str = "*.spool", *, wait_s: float = 0.0) -> tuple[list[Row], list[Path]]:
    """Return the rows that lost workers left in a folder, and the files that hold them, to be removed once they are kept.

    Files of workers that live are left out; for one that is ending, wait so long.
    """
    rows: list[Row] = []
    paths: list[Path] = []
    for path in sorted(folder.glob(pattern)):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        with file:
            if _try_lock(file, wait_s):
                rows += _read(file)
                paths.append(path)
    return rows, paths


def clear(paths: Iterable[Path]) -> None:
    """Remove files whose rows are kept."""
    for path in paths:
        path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a driver's folder if nothing waits in it."""
    if not any(folder.glob("*.spool")):
        shutil.rmtree(folder, ignore_errors=True)


def _read(file: IO[bytes]) -> Iterator[Row]:
    for line in file:
        digest, _, payload = line.rstrip(b"\n").partition(b" ")
        if digest != _digest(payload):  # cut off, when its worker was lost
            return
        yield from orjson.loads(payload)


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).hexdigest()[:_HASH].encode()


def _try_lock(file: IO[bytes], wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_RETRY_S)
        else:
            return True
