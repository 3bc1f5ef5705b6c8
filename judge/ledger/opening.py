"""Open a ledger: a SQLite file by its path, or a PostgreSQL database by its address."""

from __future__ import annotations

from pathlib import Path

from judge.errors import InputError
from judge.ledger.store import WAIT_S, Ledger
from judge.text import quoted

SERVERS = ("postgresql://", "postgres://")


def open_ledger(where: str | Path, *, create: bool = True, read_only: bool = False, wait_s: float = WAIT_S) -> Ledger:
    """Open the ledger at a path, or at a `postgresql://` address.

    Args:
        where: path of the SQLite file, or address of the PostgreSQL database.
        create: make it when there is none.
        read_only: refuse to write, and read also where nothing may be written.
        wait_s: how long to wait for another process that is writing, in seconds.

    Raises:
        InputError: if it is not there, not a ledger, from a newer version, or cannot be opened or locked.
        IntegrityError: if the database is damaged.
    """
    if is_address(where):
        from judge.ledger.postgres import PostgresLedger

        return PostgresLedger.open(str(where), create=create and not read_only, read_only=read_only, wait_s=wait_s)
    from judge.ledger.sqlite import SqliteLedger

    return SqliteLedger.open(Path(where), create=create and not read_only, read_only=read_only, wait_s=wait_s)


def is_address(where: str | Path) -> bool:
    """Whether this is the address of a database, and not a file's path.

    Raises:
        InputError: for an address of another kind of server.
    """
    scheme, mark, _ = str(where).partition("://")
    if mark and not str(where).startswith(SERVERS):
        raise InputError(
            f"no ledger can be at a {quoted(scheme)} address; give a file's path or {SERVERS[0]}USER@HOST/DATABASE"
        )
    return bool(mark)


def name_ledger(where: str) -> str:
    """Return where a ledger is, for people to read and pass on: an address without its user and password."""
    if not is_address(where):
        return where
    from judge.ledger.postgres import name_address

    return name_address(where)
