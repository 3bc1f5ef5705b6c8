"""The ledger in a PostgreSQL database, for several machines that write to one record.

The same entries and chain as in a file. An advisory lock lets one writer at a time extend the chain; readers never wait.
One database schema holds one ledger: `postgresql://user@host/database?schema=pilot` (default schema `judge`).
Administrators of the server can change anything, guards included; the chain, and a head noted elsewhere, show it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from judge.errors import InputError, IntegrityError, JudgeError
from judge.ledger.chain import SCHEMA
from judge.ledger.store import Ledger, read_meta
from judge.text import one_line

if TYPE_CHECKING:
    import psycopg

DEFAULT_SCHEMA: Final = "judge"

# Collation "C" orders text by its bytes, as SQLite does, so that exports of either back end are alike.
_TABLES: Final = (
    'CREATE TABLE meta (name TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL)',
    """CREATE TABLE entry (
    seq BIGINT PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    body TEXT NOT NULL,
    sha256 BYTEA NOT NULL
)""",
    "CREATE INDEX entry_by_key ON entry (kind, key)",
    """CREATE TABLE verdict (
    seq BIGINT PRIMARY KEY,
    verdict_id TEXT COLLATE "C" NOT NULL UNIQUE,
    transcript_id TEXT COLLATE "C" NOT NULL,
    rubric TEXT COLLATE "C" NOT NULL,
    judge TEXT COLLATE "C" NOT NULL,
    sample BIGINT NOT NULL,
    level TEXT COLLATE "C",
    positive SMALLINT,
    status TEXT COLLATE "C" NOT NULL,
    severity BIGINT,
    cost_usd DOUBLE PRECISION,
    created_at TEXT
)""",
    """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a ledger is append-only'; END $$""",
    *(
        f"CREATE TRIGGER {table}_refused BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION refuse()"
        for table in ("entry", "meta")
    ),
)
_GUARDS: Final = (
    "SELECT count(*) FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND NOT tgisinternal "
    "AND tgrelid IN (to_regclass('entry'), to_regclass('meta'))"
)


class PostgresLedger(Ledger):
    """A ledger in a database schema; `judge.ledger.opening.open_ledger` opens it."""

    def __init__(self, where: str, database: psycopg.Connection[tuple[Any, ...]], wait_s: float) -> None:
        self.where = where
        self._database = database
        self._wait_s = wait_s
        self._lock = threading.RLock()
        self._writers_lock = 0
        self.meta = {}

    @classmethod
    def open(cls, address: str, *, create: bool, read_only: bool, wait_s: float) -> Self:
        """Connect, and create the ledger where allowed; see `judge.ledger.opening.open_ledger`."""
        try:
            import psycopg
        except ImportError:
            raise InputError(
                "a ledger in PostgreSQL needs the package psycopg; install it with: "
                "pip install 'transcript-judge[postgres]'"
            ) from None
        plain, schema = _split(address)
        where = name_address(address)
        with _clean_errors(where, wait_s):
            database = psycopg.connect(plain, autocommit=True, connect_timeout=max(2, round(wait_s)))
        self = cls(where, database, wait_s)
        try:
            with _clean_errors(where, wait_s):
                self._prepare(schema, create=create, read_only=read_only)
        except BaseException:
            database.close()
            raise
        return self

    def _prepare(self, schema: str, *, create: bool, read_only: bool) -> None:
        for name, value in (
            ("search_path", f'"{schema}"'),
            ("synchronous_commit", "on"),
            ("lock_timeout", f"{round(self._wait_s * 1000)}ms"),
            ("default_transaction_read_only", "on" if read_only else "off"),
        ):
            self._query("SELECT set_config(?, ?, false)", (name, value))
        self._writers_lock = _number(f"judge.ledger schema {schema}")
        if create and not self._exists(schema):
            self._create(schema)
        if not self._exists(schema):
            raise InputError(f"{self.where}: no ledger there; `judge grade --ledger ADDRESS` makes one")
        self.meta = read_meta(self.where, self._query("SELECT name, value FROM meta"))

    def _exists(self, schema: str) -> bool:
        # By name in the catalogue: inside a transaction to_regclass does not see a schema that was made meanwhile.
        sql = "SELECT count(*) FROM pg_tables WHERE schemaname = ? AND tablename IN ('meta', 'entry')"
        return self._query(sql, (schema,)) == [(2,)]

    def _create(self, schema: str) -> None:
        with self._writing():
            if self._exists(schema):  # another process was faster
                return
            self._database.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            for statement in _TABLES:
                self._database.execute(statement)
            description = {
                "schema": SCHEMA,
                "ledger_id": secrets.token_hex(16),
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            self._insert("INSERT INTO meta VALUES (?, ?)", list(description.items()))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._database.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let everything read inside see one moment."""
        with self._lock, _clean_errors(self.where, self._wait_s):
            self._database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield
            finally:
                self._roll_back()

    def damage(self) -> str | None:
        """Return what does not hold around the chain. Pages and indexes are the server's own to check (amcheck)."""
        if self._query(_GUARDS) != [(2,)]:
            return "the guards against changes are missing or switched off"
        return self.stray()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, _clean_errors(self.where, self._wait_s):
            self._database.execute("BEGIN")
            try:
                self._database.execute("SELECT pg_advisory_xact_lock(%s)", (self._writers_lock,))
                yield
                self._database.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if not self._database.closed:  # a lost connection has rolled back already
            self._database.execute("ROLLBACK")

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, _clean_errors(self.where, self._wait_s):
            found: list[tuple[Any, ...]] = self._database.execute(sql.replace("?", "%s"), values).fetchall()
            return found

    def _insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._database.cursor() as cursor:
            cursor.executemany(sql.replace("?", "%s"), rows)

    @property
    def _body_bytes(self) -> str:
        return "convert_to(e.body, 'UTF8')"


def _split(address: str) -> tuple[str, str]:
    """Part our own `schema` from what the database driver understands."""
    parts = urlsplit(address)
    query = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(query).get("schema", DEFAULT_SCHEMA)
    if not schema or not schema.replace("_", "a").isalnum() or len(schema.encode()) > 63:
        raise InputError(f"schema '{one_line(schema)}' in the ledger's address: accepted are letters, digits and _")
    rest = urlencode([(name, value) for name, value in query if name != "schema"])
    return urlunsplit(parts._replace(query=rest)), schema


def name_address(address: str) -> str:
    """Return the address for people to read: host, database and schema, never a user's name or password."""
    from psycopg.conninfo import conninfo_to_dict

    address, schema = _split(address)
    with _clean_errors("the ledger's address", 0):
        known = conninfo_to_dict(address)
    return one_line(f"postgresql://{known.get('host', 'localhost')}/{known.get('dbname', '')}?schema={schema}", 200)


def _number(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _clean_errors(where: str, wait_s: float) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise _explain(where, wait_s, error) from error


def _explain(where: str, wait_s: float, error: psycopg.Error) -> JudgeError:
    from psycopg import DataError, InterfaceError, OperationalError, ProgrammingError, errors

    said = f"{where}: {one_line(str(error), 300)}"
    match error:
        case errors.LockNotAvailable():
            return InputError(f"{where}: locked by another process for more than {wait_s:g} s; end it or try again")
        case errors.DiskFull():
            return InputError(
                f"{where}: the server's disk is full; nothing of this batch was kept. Make room and run it again"
            )
        case errors.InsufficientPrivilege() | errors.ReadOnlySqlTransaction():
            return InputError(f"{said}; the ledger cannot be written with this account")
        case DataError():
            return InputError(f"{said}; a value cannot be kept in PostgreSQL")
        case OperationalError() | InterfaceError():
            return InputError(f"{said}; what was acknowledged is kept, check the server and its address and run again")
        case ProgrammingError() if error.sqlstate is None:  # the address itself
            return InputError(f"{said}; accepted is postgresql://user@host/database?schema=name")
        case _:
            return IntegrityError(f"{said}; the tables are not those of a ledger, restore them from a copy")
