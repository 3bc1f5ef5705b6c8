"""The ledger in one SQLite file: write-ahead log, every commit flushed to disk, inspectable with any tool.

Not for network file systems, whose locks SQLite cannot trust; several machines share a ledger through PostgreSQL.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from judge.errors import InputError, IntegrityError, JudgeError
from judge.ledger.chain import SCHEMA
from judge.ledger.store import Ledger, read_meta
from judge.text import one_line, quoted

# The CHECKs let `PRAGMA integrity_check` see a value whose type was changed in the file, which no hash covers.
_TABLES: Final = (
    """CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL CHECK (typeof(name) = 'text'),
    value TEXT NOT NULL CHECK (typeof(value) = 'text')
) WITHOUT ROWID""",
    """CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (typeof(kind) = 'text'),
    key TEXT NOT NULL CHECK (typeof(key) = 'text'),
    body TEXT NOT NULL CHECK (typeof(body) = 'text'),
    sha256 BLOB NOT NULL CHECK (typeof(sha256) = 'blob')
)""",
    "CREATE INDEX entry_by_key ON entry (kind, key)",
    """CREATE TABLE verdict (
    seq INTEGER PRIMARY KEY,
    verdict_id TEXT NOT NULL UNIQUE,
    transcript_id TEXT NOT NULL,
    rubric TEXT NOT NULL,
    judge TEXT NOT NULL,
    sample INTEGER NOT NULL,
    level TEXT,
    positive INTEGER,
    status TEXT NOT NULL,
    severity INTEGER,
    cost_usd REAL,
    created_at TEXT
)""",
    *(
        f"CREATE TRIGGER {table}_{verb}_refused BEFORE {verb} ON {table} {when}"
        "BEGIN SELECT RAISE(ABORT, 'a ledger is append-only'); END"
        for table, verb, when in (
            ("entry", "UPDATE", ""),
            ("entry", "DELETE", ""),
            # INSERT OR REPLACE deletes without firing the trigger on DELETE.
            ("entry", "INSERT", "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entry) "),
            ("meta", "UPDATE", ""),
            ("meta", "DELETE", ""),
            ("meta", "INSERT", "WHEN EXISTS (SELECT 1 FROM entry) OR NEW.name IN (SELECT name FROM meta) "),
        )
    ),
)
_OBJECTS: Final = (
    "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY type, name"
)

_RETRY_S = 0.02
_SHOWN = 300
_NOT_WRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH)


class SqliteLedger(Ledger):
    """A ledger in one file; `judge.ledger.opening.open_ledger` opens it."""

    def __init__(self, path: Path, mode: str, database: sqlite3.Connection, wait_s: float) -> None:
        self.where = one_line(str(path), _SHOWN)
        self._path = path
        self._mode = mode
        self._database = database
        self._wait_s = wait_s
        self._lock = threading.RLock()
        self.meta = {}

    @classmethod
    def open(cls, path: Path, *, create: bool, read_only: bool, wait_s: float) -> Self:
        """Open or create the file; see `judge.ledger.opening.open_ledger` for arguments and errors."""
        if path.is_dir():
            raise InputError(f"{path}: is a folder, not a ledger; name a file in it, e.g. {path / 'ledger.db'}")
        if create and not path.parent.is_dir():
            raise InputError(f"{path}: its folder does not exist; make it with: mkdir -p {path.parent}")
        if not create and not path.exists():
            raise InputError(f"{path}: no ledger there; `judge grade` makes one, --ledger PATH names another")
        modes = ["mode=rw", "mode=ro", "immutable=1"] if read_only else ["mode=rwc" if create else "mode=rw"]
        if path.with_name(f"{path.name}-wal").exists():  # what it holds belongs to the ledger
            modes = [mode for mode in modes if mode != "immutable=1"]
        for mode in modes[:-1]:
            try:
                return cls._connect(path, mode, create=create, read_only=read_only, wait_s=wait_s)
            except InputError as error:
                if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF not in _NOT_WRITABLE:
                    raise
        return cls._connect(path, modes[-1], create=create, read_only=read_only, wait_s=wait_s)

    @classmethod
    def _connect(cls, path: Path, mode: str, *, create: bool, read_only: bool, wait_s: float) -> Self:
        with _clean_errors(one_line(str(path), _SHOWN), wait_s):
            database = sqlite3.connect(
                f"{path.resolve().as_uri()}?{mode}",
                uri=True,
                timeout=wait_s,
                isolation_level=None,
                check_same_thread=False,
            )
        self = cls(path, mode, database, wait_s)
        try:
            with _clean_errors(self.where, wait_s):
                self._prepare(create=create, read_only=read_only)
        except BaseException:
            database.close()
            raise
        return self

    def _prepare(self, *, create: bool, read_only: bool) -> None:
        database = self._database
        # A hostile file's own views and triggers may call no function with side effects.
        database.execute("PRAGMA trusted_schema = OFF")
        if read_only:
            database.execute("PRAGMA query_only = ON")
        if create and not database.execute(_OBJECTS).fetchall():
            self._create()
        self._recognise()
        if not read_only:
            self._use_write_ahead_log()
            database.execute("PRAGMA synchronous = FULL")

    def _create(self) -> None:
        with self._writing():
            if self._database.execute(_OBJECTS).fetchall():  # another process was faster
                return
            for statement in _TABLES:
                self._database.execute(statement)
            description = {
                "schema": SCHEMA,
                "ledger_id": secrets.token_hex(16),
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            self._database.executemany("INSERT INTO meta VALUES (?, ?)", description.items())

    def _recognise(self) -> None:
        """Refuse what is not a ledger of this version, and one whose tables were tampered with."""
        objects = {name: sql for _, name, sql in self._database.execute(_OBJECTS)}
        if "meta" not in objects or "entry" not in objects:
            raise InputError(f"{self.where}: a database, but not a ledger; name the ledger with --ledger PATH")
        self.meta = read_meta(self.where, self._query("SELECT name, value FROM meta"))
        expected = _expected_objects()
        for name in sorted(objects.keys() | expected.keys()):
            if objects.get(name) != expected.get(name):
                what = "is missing" if name not in objects else "is not as a ledger made it"
                raise IntegrityError(f"{self.where}: {quoted(name)} {what} in its tables; restore it from a copy")

    def _use_write_ahead_log(self) -> None:
        # SQLite does not wait for other processes here as it does elsewhere.
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                (mode,) = self._database.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)
        if mode != "wal":
            raise InputError(
                f"{self.where}: this file system allows no write-ahead log; keep the ledger on a local disk"
            )

    def close(self) -> None:
        """Close the file; the last to close it folds the write-ahead log into it."""
        with self._lock:
            self._database.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let everything read inside see one moment."""
        with self._lock, _clean_errors(self.where, self._wait_s):
            self._database.execute("BEGIN")
            try:
                yield
            finally:
                self._database.execute("ROLLBACK")

    def damage(self) -> str | None:
        """Return what does not hold around the chain, from a connection of its own so that both checks run at once."""
        with self._connect(self._path, self._mode, create=False, read_only=True, wait_s=self._wait_s) as beside:
            ((answer,),) = beside._query("PRAGMA integrity_check(1)")
            return beside.stray() if answer == "ok" else f"the database is damaged: {one_line(answer, _SHOWN)}"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, _clean_errors(self.where, self._wait_s):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # SQLite may have rolled back itself
                    self._database.execute("ROLLBACK")
                raise

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, _clean_errors(self.where, self._wait_s):
            return self._database.execute(sql, values).fetchall()

    def _insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._database.executemany(sql, rows)

    @property
    def _body_bytes(self) -> str:
        return "CAST(e.body AS BLOB)"


@cache
def _expected_objects() -> dict[str, str]:
    database = sqlite3.connect(":memory:")
    try:
        for statement in _TABLES:
            database.execute(statement)
        return {name: sql for _, name, sql in database.execute(_OBJECTS)}
    finally:
        database.close()


@contextmanager
def _clean_errors(where: str, wait_s: float) -> Iterator[None]:
    try:
        yield
    except sqlite3.ProgrammingError:  # a mistake of ours, e.g. a closed ledger
        raise
    except OverflowError as error:
        raise InputError(f"{where}: a number is too large to be kept; accepted are integers of 64 bits") from error
    except sqlite3.DatabaseError as error:
        raise _explain(where, wait_s, error) from error
    except UnicodeDecodeError as error:  # from Python, on names and messages that a damaged file gave it
        raise IntegrityError(f"{where}: {error}; the database is damaged, restore it from a copy") from error


def _explain(where: str, wait_s: float, error: sqlite3.DatabaseError) -> JudgeError:
    code = getattr(error, "sqlite_errorcode", None) or 0  # absent when Python itself could not read a value
    said = f"{where}: {one_line(str(error), _SHOWN)}"  # SQLite quotes names from the file
    match code & 0xFF:
        case sqlite3.SQLITE_NOTADB:
            return InputError(f"{where}: not a ledger (not an SQLite file); name the ledger with --ledger PATH")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return InputError(f"{where}: locked by another process for more than {wait_s:g} s; end it or try again")
        case sqlite3.SQLITE_FULL:
            return InputError(f"{where}: the disk is full; nothing of this batch was kept. Make room and run it again")
        case primary if primary in _NOT_WRITABLE:
            return InputError(
                f"{said}; the file or its folder cannot be written, copy it (with its -wal file) elsewhere"
            )
        case sqlite3.SQLITE_IOERR if code not in (sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS):
            return InputError(f"{said}; the disk failed and nothing of this batch was kept. Check it and try again")
        case sqlite3.SQLITE_TOOBIG:
            return InputError(f"{said}; an entry is larger than SQLite can hold")
        case _:
            return IntegrityError(f"{said}; the database is damaged, restore it from a copy")
