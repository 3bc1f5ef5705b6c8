"""The ledger: an append-only, hash-chained store of calls, verdicts and decisions.

`Ledger` holds everything that does not depend on the database: what an append does, what queries mean. A back end
(`judge.ledger.sqlite`, `judge.ledger.postgres`) brings connections, transactions and clean errors. Entries are never
changed or removed; the table of latest verdicts exists for queries alone and `judge.ledger.verifying.verify` recomputes it.
Scheduling, retries and what a status means for a rate are none of its business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, cast

from judge.errors import InputError, IntegrityError
from judge.frozen import Frozen
from judge.ledger.chain import PROJECTION, SCHEMA, genesis, link, project
from judge.ledger.entry import CALL, VERDICT, Call, Entry, encode_body, read_call, read_verdict, to_entry
from judge.ledger.verdict import Status, Verdict
from judge.text import quoted

# A verdict that failed for reasons outside transcript and judge may be followed by another one for the same id.
REOPENED: Final[tuple[Status, ...]] = ("error", "over_budget")
WAIT_S: Final = 30.0

_CHUNK = 500  # values per IN (...); old SQLite allows 999 variables
_PAGE = 2_000  # rows per read, so that no statement stays open while the caller works
_CANDIDATES = 5
_ORDER = "transcript_id, rubric, judge, sample, verdict_id"
_INSERT = "INSERT INTO entry (seq, kind, key, body, sha256) VALUES (?, ?, ?, ?, ?)"
_UPSERT = (
    f"INSERT INTO verdict (seq, {', '.join(PROJECTION)}) VALUES ({', '.join('?' * (len(PROJECTION) + 1))}) "  # noqa: S608
    f"ON CONFLICT (verdict_id) DO UPDATE SET seq = excluded.seq, "
    + ", ".join(f"{name} = excluded.{name}" for name in PROJECTION[1:])
)


class Head(NamedTuple):
    """Where the chain ends: how many entries, and the hash of the last one."""

    rows: int
    sha256: str


class Appended(NamedTuple):
    """What an append did: entries written, verdicts that were there already, the chain's end after it."""

    written: int
    kept: int
    head: Head


class Row(NamedTuple):
    """An entry as stored. `projected` is what queries would return for it, null when another one counts."""

    seq: int
    kind: str
    key: str
    body: bytes
    sha256: bytes
    projected: tuple[Any, ...] | None = None


class Outline(NamedTuple):
    """What queries know of a latest verdict."""

    verdict_id: str
    transcript_id: str
    rubric: str
    judge: str
    sample: int
    level: str | None
    status: Status
    positive: bool | None


class Select(Frozen):
    """Which of the latest verdicts: one of the values given per field, null for any."""

    verdict_id: tuple[str, ...] | None = None
    transcript_id: tuple[str, ...] | None = None
    rubric: tuple[str, ...] | None = None
    judge: tuple[str, ...] | None = None
    level: tuple[str, ...] | None = None
    status: tuple[Status, ...] | None = None
    positive: bool | None = None


class Ledger(ABC):
    """A ledger that is open. Safe to use from several threads; use it as a context manager, or `close` it.

    Attributes:
        where: the path or address, without a password, for messages.
        meta: the ledger's own description (schema, ledger_id, created_at), which its first hash covers.
    """

    where: str
    meta: Mapping[str, str]

    @abstractmethod
    def close(self) -> None:
        """Close it; closing twice is fine."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Let everything read inside see one moment, whatever other processes write."""

    @abstractmethod
    def damage(self) -> str | None:
        """Return what is wrong with tables, indexes and the latest verdicts (`stray`), or None; may run in a thread."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[None]:
        """A transaction that is alone in writing from its first statement on, and on disk when it ends."""

    @abstractmethod
    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement with `?` for values."""

    @abstractmethod
    def _insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one writing statement with `?` for values once per row."""

    @property
    @abstractmethod
    def _body_bytes(self) -> str:
        """The expression that gives the stored bytes of `e.body`."""

    def append(self, items: Iterable[Verdict | Call | Entry], *, reopen: Collection[Status] = REOPENED) -> Appended:
        """Add everything in one transaction: when this returns, all of it is on disk; when it raises, none is.

        A verdict whose id is there already is left out, unless the one that is there has a status in `reopen`: what
        was paid for and settled is not replaced, whoever else is writing. Entries of other kinds are always added.

        Raises:
            InputError: if an item cannot be kept, or the ledger cannot be written (locked, full, read-only).
            IntegrityError: if the database is damaged.
        """
        entries = [to_entry(item) for item in items]
        bodies = [encode_body(entry) for entry in entries]
        with self._writing():
            rows, previous = self._end()
            settled = self._statuses([entry.key for entry in entries if entry.kind == VERDICT])
            new, latest = [], {}
            for entry, body in zip(entries, bodies, strict=True):
                if entry.kind == VERDICT:
                    if entry.key in settled and settled[entry.key] not in reopen:
                        continue
                    settled[entry.key] = entry.body["status"]
                    latest[entry.key] = (rows + 1, *project(entry.body))
                rows += 1
                previous = link(previous, rows, entry.kind, entry.key, body.encode())
                new.append((rows, entry.kind, entry.key, body, previous))
            self._insert(_INSERT, new)
            self._insert(_UPSERT, list(latest.values()))
        return Appended(len(new), len(entries) - len(new), Head(rows, previous.hex()))

    def head(self) -> Head:
        """Return where the chain ends: what to note elsewhere so that a later check sees rows that are cut off."""
        rows, sha256 = self._end()
        return Head(rows, sha256.hex())

    def last_verdict(self) -> int:
        """Return the number of the entry that holds the newest verdict, 0 if there is none: what queries depend on."""
        return int(self._query("SELECT coalesce(max(seq), 0) FROM verdict")[0][0])

    def hash_at(self, seq: int) -> bytes:
        """Return the hash of an entry, which the next one continues from; 0 gives what the first continues from.

        Raises:
            IntegrityError: if the entry is missing or has none.
        """
        if seq == 0:
            return genesis(self.meta)
        found = self._query("SELECT sha256 FROM entry WHERE seq = ?", (seq,))
        if not found or not isinstance(found[0][0], bytes):
            raise IntegrityError(
                f"{self._place(seq)}: is missing or has no hash; find out more with: judge ledger verify"
            )
        return found[0][0]

    def statuses(self, verdict_ids: Iterable[str]) -> dict[str, Status]:
        """Return the latest status of those verdicts that are in the ledger; the others are not in the result."""
        return self._statuses(list(verdict_ids))

    def call(self, key: str) -> Call | None:
        """Return the latest call with this request key, or None."""
        found = self._query(
            "SELECT seq, body FROM entry WHERE kind = ? AND key = ? ORDER BY seq DESC LIMIT 1", (CALL, key)
        )
        return read_call(found[0][1], self._place(found[0][0])) if found else None

    def outlines(self, verdict_ids: Iterable[str]) -> dict[str, Outline]:
        """Return what queries know of those verdicts that are in the ledger, by id, without reading their bodies."""
        found: dict[str, Outline] = {}
        for chunk in _chunks(list(verdict_ids)):
            sql = f"SELECT {', '.join(Outline._fields)} FROM verdict WHERE verdict_id IN ({_marks(chunk)})"  # noqa: S608
            for verdict_id, *rest, positive in self._query(sql, chunk):
                found[verdict_id] = Outline._make((verdict_id, *rest, None if positive is None else bool(positive)))
        return found

    def called(self, keys: Iterable[str]) -> set[str]:
        """Return those of these request keys for which there is a call."""
        found: set[str] = set()
        for chunk in _chunks(list(keys)):
            sql = f"SELECT key FROM entry WHERE kind = ? AND key IN ({_marks(chunk)})"  # noqa: S608
            found.update(key for (key,) in self._query(sql, (CALL, *chunk)))
        return found

    def calls(self, verdict_id: str) -> list[Call]:
        """Return the latest call of each key that begins with this verdict's id, in the order of the keys."""
        found = self._query(
            "SELECT seq, body FROM entry WHERE seq IN (SELECT max(seq) FROM entry WHERE kind = ? AND key >= ? AND key < ? "
            "GROUP BY key) ORDER BY key",
            (CALL, f"{verdict_id}/", f"{verdict_id}0"),  # "0" follows "/"
        )
        return [read_call(body, self._place(seq)) for seq, body in found]

    def rows(self, *, kind: str | None = None, key: str | None = None, after: int = 0) -> Iterator[Row]:
        """Every entry after this one in the order in which it was added, or those of one kind and, of these, with one key."""
        limits = {"e.kind": kind, "e.key": key}
        where = "".join(f" AND {name} = ?" for name, value in limits.items() if value is not None)
        values = [value for value in limits.values() if value is not None]
        columns = ", ".join(f"v.{name}" for name in PROJECTION)
        sql = (
            f"SELECT e.seq, e.kind, e.key, {self._body_bytes}, e.sha256, v.seq, {columns} "  # noqa: S608
            f"FROM entry e LEFT JOIN verdict v ON v.seq = e.seq WHERE e.seq > ?{where} ORDER BY e.seq LIMIT {_PAGE}"
        )
        last = after
        while page := self._query(sql, (last, *values)):
            for seq, kind_, key_, body, sha256, projected, *columns_ in page:
                yield Row(seq, kind_, key_, body, sha256, None if projected is None else tuple(columns_))
            last = page[-1][0]

    def verdicts(self, select: Select | None = None) -> Iterator[Verdict]:
        """The latest verdict per id, ordered by transcript, rubric, judge and sample, not by when it was made."""
        where, values = _where(select or Select())
        seqs = [row[0] for row in self._query(f"SELECT seq FROM verdict{where} ORDER BY {_ORDER}", values)]  # noqa: S608
        for chunk in _chunks(seqs):
            bodies = dict(self._query(f"SELECT seq, body FROM entry WHERE seq IN ({_marks(chunk)})", chunk))  # noqa: S608
            for seq in chunk:
                if seq not in bodies:
                    raise IntegrityError(f"{self._place(seq)}: is missing; find out more with: judge ledger verify")
                yield read_verdict(bodies[seq], self._place(seq))

    def get(self, verdict_id: str) -> Verdict:
        """Return the latest verdict with this id, or with the only id that begins like this.

        Raises:
            InputError: if there is none, or several.
        """
        exact = self._query(
            "SELECT e.seq, e.body FROM verdict v JOIN entry e ON e.seq = v.seq WHERE v.verdict_id = ?", (verdict_id,)
        )
        if exact:
            return read_verdict(exact[0][1], self._place(exact[0][0]))
        # What begins with it follows it directly in the order of the index.
        found = self._query(
            "SELECT verdict_id FROM verdict WHERE verdict_id >= ? ORDER BY verdict_id LIMIT ?",
            (verdict_id, _CANDIDATES + 1),
        )
        ids = [row[0] for row in found if str(row[0]).startswith(verdict_id)]
        if not ids or not verdict_id:
            raise InputError(f"{self.where}: no verdict {quoted(verdict_id)}; list what is there with: judge verdicts")
        if len(ids) > 1 and ids[0] != verdict_id:
            more = ", ..." if len(ids) > _CANDIDATES else ""
            shown = ", ".join(quoted(each) for each in ids[:_CANDIDATES])
            raise InputError(f"{self.where}: {quoted(verdict_id)} is the beginning of {shown}{more}; give more of it")
        return next(self.verdicts(Select(verdict_id=(ids[0],))))

    def counts(self, *by: str, select: Select | None = None) -> dict[tuple[Any, ...], int]:
        """Return how many latest verdicts there are per combination of the columns `by` (names in `PROJECTION`).

        Without columns the key is the empty tuple.
        """
        if unknown := set(by) - set(PROJECTION):
            raise ValueError(f"cannot count by {sorted(unknown)}; columns are {PROJECTION}")
        where, values = _where(select or Select())
        columns = "".join(f"{name}, " for name in by)
        group = f" GROUP BY {', '.join(by)} ORDER BY {', '.join(by)}" if by else ""
        found = self._query(f"SELECT {columns}count(*) FROM verdict{where}{group}", values)  # noqa: S608
        return {tuple(row[:-1]): row[-1] for row in found}

    def kinds(self) -> dict[str, int]:
        """Return how many entries of each kind there are."""
        return dict(
            cast("list[tuple[str, int]]", self._query("SELECT kind, count(*) FROM entry GROUP BY kind ORDER BY kind"))
        )

    def stray(self) -> str | None:
        """Return where the table of latest verdicts and the entries do not belong together, or None."""
        checks = {
            "entry {} has a number that no ledger gives": "SELECT seq FROM entry WHERE seq < 1 LIMIT 1",
            "queries would return verdict {}, which has no entry": (
                "SELECT v.verdict_id FROM verdict v LEFT JOIN entry e ON e.seq = v.seq WHERE e.seq IS NULL LIMIT 1"
            ),
            "queries would return an outdated verdict {}": (
                "SELECT v.verdict_id FROM verdict v JOIN entry e ON e.kind = 'verdict' AND e.key = v.verdict_id "
                "AND e.seq > v.seq LIMIT 1"
            ),
            "queries would not find verdict {}, which has an entry": (
                "SELECT e.key FROM entry e LEFT JOIN verdict v ON v.verdict_id = e.key "
                "WHERE e.kind = 'verdict' AND v.verdict_id IS NULL LIMIT 1"
            ),
        }
        for problem, sql in checks.items():
            if found := self._query(sql):
                return problem.format(quoted(found[0][0]))
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self) -> tuple[int, bytes]:
        found = self._query("SELECT seq, sha256 FROM entry ORDER BY seq DESC LIMIT 1")
        rows, sha256 = found[0] if found else (0, genesis(self.meta))
        if not isinstance(sha256, bytes):
            raise IntegrityError(f"{self._place(rows)}: has no hash; find out more with: judge ledger verify")
        return rows, sha256

    def _statuses(self, verdict_ids: Sequence[str]) -> dict[str, Status]:
        found: dict[str, Status] = {}
        for chunk in _chunks(verdict_ids):
            sql = f"SELECT verdict_id, status FROM verdict WHERE verdict_id IN ({_marks(chunk)})"  # noqa: S608
            found.update(cast("list[tuple[str, Status]]", self._query(sql, chunk)))
        return found

    def _place(self, seq: int) -> str:
        return f"{self.where}: entry {seq}"


def read_meta(where: str, rows: Sequence[tuple[Any, ...]]) -> Mapping[str, str]:
    """Return a ledger's description, once it is one that this version understands.

    Raises:
        InputError: if a newer version wrote the ledger.
        IntegrityError: if the description is not one.
    """
    readable = all(isinstance(value, str) for row in rows for value in row)
    meta = dict(rows) if readable else {}
    schema = meta.get("schema", "")
    if not schema.startswith("judge.ledger/") or not meta.get("ledger_id"):
        raise IntegrityError(f"{where}: its description of itself is damaged; restore it from a copy")
    if schema != SCHEMA:
        raise InputError(
            f"{where}: schema {quoted(schema)} is newer than {SCHEMA}, which this version reads; upgrade judge"
        )
    return meta


def _where(select: Select) -> tuple[str, list[Any]]:
    terms: list[str] = []
    values: list[Any] = []
    for name, accepted in select:
        if accepted is None:
            continue
        options = (int(accepted),) if isinstance(accepted, bool) else accepted
        terms.append(f"{name} IN ({_marks(options)})" if options else "1 = 0")
        values.extend(options)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), values


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))


def _chunks(values: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
