"""Whoever changes a ledger's file is found out.

The attacker here knows SQLite: drops the guards, changes rows, and puts the guards back. What needs a head that was
noted elsewhere (rows cut off the end, a chain computed anew) is tested as such.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from judge.errors import InputError, IntegrityError, JudgeError
from judge.ledger.chain import genesis, link
from judge.ledger.entry import Entry, encode_body, to_entry
from judge.ledger.opening import open_ledger
from judge.ledger.sqlite import SqliteLedger
from judge.ledger.store import Ledger, Row
from judge.ledger.verifying import verify
from ledger.support import make_call, make_verdict

Stored = tuple[int, str, str, bytes, bytes]
ROWS = 12
CASES = 10_000


def _fill(ledger: Ledger) -> None:
    ledger.append([make_verdict(1, "error"), make_call(1), make_verdict(1), make_call(2), make_verdict(2, "refused")])
    ledger.append([make_call(3), make_verdict(3), Entry("dispute", "d-1", {"verdict_id": "00000003", "why": "a joke"})])
    ledger.append([make_call(4), make_call(4), make_verdict(4), Entry("decision", "d-1", {"keep": True})])


class Attacker:
    """Somebody with the file and an SQL shell."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA synchronous = OFF")
        self.guards = dict(
            self.database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        )
        self.entries = self.read("entry")
        self.latest = self.read("verdict")

    def read(self, table: str) -> list[tuple]:
        body = "CAST(body AS BLOB)" if table == "entry" else "*"
        columns = f"seq, kind, key, {body}, sha256" if table == "entry" else "*"
        return self.database.execute(f"SELECT {columns} FROM {table} ORDER BY seq").fetchall()

    def write(self, entries: list[Stored] | None = None, latest: list[tuple] | None = None) -> None:
        """Make the tables say this, guards dropped meanwhile; None for what they said at first."""
        entries = self.entries if entries is None else entries
        latest = self.latest if latest is None else latest
        run = self.database.execute
        run("BEGIN IMMEDIATE")
        for name in self.guards:
            run(f"DROP TRIGGER {name}")
        run("DELETE FROM entry")
        run("DELETE FROM verdict")
        marks = ", ".join("?" * len(self.latest[0]))
        self.database.executemany("INSERT INTO entry VALUES (?, ?, ?, CAST(? AS TEXT), ?)", entries)
        self.database.executemany(f"INSERT INTO verdict VALUES ({marks})", latest)
        for sql in self.guards.values():
            run(sql)
        run("COMMIT")


@pytest.fixture
def attacker(ledger: Ledger, path: Path) -> Iterator[Attacker]:
    """An attacker on a ledger of twelve entries."""
    _fill(ledger)
    made = Attacker(path)
    assert len(made.entries) == ROWS
    yield made
    made.database.close()


def _flip(chance: random.Random, entries: list[Stored]) -> list[Stored]:
    at = chance.randrange(len(entries))
    seq, kind, key, body, sha256 = entries[at]
    changed = bytearray(body)
    changed[chance.randrange(len(body))] ^= chance.randrange(1, 256)
    return [*entries[:at], (seq, kind, key, bytes(changed), sha256), *entries[at + 1 :]]


def _remove(chance: random.Random, entries: list[Stored]) -> list[Stored]:
    at = chance.randrange(len(entries) - 1)  # the last one is a truncation
    kept = [*entries[:at], *entries[at + 1 :]]
    return kept if chance.random() < 0.5 else [(n, *row[1:]) for n, row in enumerate(kept, 1)]  # numbers closed up


def _swap(chance: random.Random, entries: list[Stored]) -> list[Stored]:
    one, other = chance.sample(range(len(entries)), 2)
    swapped = list(entries)
    swapped[one] = (entries[one][0], *entries[other][1:])
    swapped[other] = (entries[other][0], *entries[one][1:])
    return swapped


def _replay(chance: random.Random, entries: list[Stored]) -> list[Stored]:
    again = chance.choice(entries)[1:]
    if chance.random() < 0.5:
        return [*entries, (len(entries) + 1, *again)]
    at = chance.randrange(len(entries))
    return [*entries[:at], (at + 1, *again), *((seq + 1, *rest) for seq, *rest in entries[at:])]


def _retitle(chance: random.Random, entries: list[Stored]) -> list[Stored]:
    at = chance.randrange(len(entries))
    seq, kind, key, body, sha256 = entries[at]
    changed = chance.choice([(kind + "s", key), (kind, key + "0"), (kind + key[0], key[1:])])
    return [*entries[:at], (seq, *changed, body, sha256), *entries[at + 1 :]]


ATTACKS = pytest.mark.parametrize(
    ("attack", "times"),
    [(_flip, CASES - 2_000), (_remove, 500), (_swap, 500), (_replay, 500), (_retitle, 500)],
    ids=["one byte", "deletion", "swap", "replay", "kind or key"],
)
Attack = Callable[[random.Random, list[Stored]], list[Stored]]


class Shown(SqliteLedger):
    """A ledger whose file says `entries`, without writing a file for each of ten thousand cases."""

    entries: list[Stored]

    def rows(self, **_: object) -> Iterator[Row]:
        return (Row(*entry) for entry in self.entries)

    def damage(self) -> None:
        return None


@ATTACKS
def test_every_change_to_the_entries_is_detected(path: Path, attacker: Attacker, attack: Attack, times: int) -> None:
    """Of ten thousand random changes to what is stored, the chain misses none."""
    chance = random.Random(2026)
    with Shown.open(path, create=False, read_only=True, wait_s=1) as shown:
        shown.entries = attacker.entries
        assert verify(shown).ok
        for _ in range(times):
            shown.entries = attack(chance, attacker.entries)
            assert not verify(shown).ok, shown.entries


@ATTACKS
def test_every_change_in_the_file_is_detected(ledger: Ledger, attacker: Attacker, attack: Attack, times: int) -> None:
    """The same attacks, written to the file with the guards dropped and put back, are found by a ledger that is open."""
    chance = random.Random(times)
    for _ in range(50):
        attacker.write(attack(chance, attacker.entries))
        assert not verify(ledger).ok
    attacker.write()
    assert verify(ledger).ok


def test_any_byte_of_the_closed_file(path: Path) -> None:
    """Wherever in the file a byte is changed: either it is found, or everything that is read is as it was."""
    with open_ledger(path) as ledger:
        _fill(ledger)
        before = [list(ledger.rows()), list(ledger.verdicts()), ledger.meta]
    stored = path.read_bytes()
    used = [place for place, byte in enumerate(stored) if byte]  # the rest is mostly unused space
    chance = random.Random(7)
    found = 0
    for _ in range(600):
        changed = bytearray(stored)
        changed[chance.choice(used)] ^= chance.randrange(1, 256)
        path.write_bytes(changed)
        try:
            with open_ledger(path, create=False) as ledger:
                verify(ledger).require()
                assert [list(ledger.rows()), list(ledger.verdicts()), ledger.meta] == before
        except JudgeError:
            found += 1
        for left in path.parent.glob("ledger.db-*"):
            left.unlink()
    assert found > 580


def test_rows_cut_off_the_end_are_detected_by_a_head_noted_before(ledger: Ledger, attacker: Attacker) -> None:
    """A shorter chain holds by itself; the head that was noted tells that rows are gone."""
    noted = ledger.head().sha256
    for length in range(ROWS):
        keys = {row[2] for row in attacker.entries[:length]}
        latest = [row for row in attacker.latest if row[0] <= length and row[1] in keys]
        attacker.write(attacker.entries[:length], latest)
        assert not verify(ledger, expect=noted).ok
    attacker.write()
    assert verify(ledger, expect=noted).ok


def test_a_chain_computed_anew_is_detected_by_a_head_noted_before(ledger: Ledger, attacker: Attacker) -> None:
    """Whoever rewrites every hash after an edit passes the chain, and fails a head noted before."""
    noted = ledger.head().sha256
    previous = genesis(ledger.meta)
    forged = []
    for seq, kind, key, body, _ in attacker.entries:
        changed = body.replace(b"a joke", b"a fact")
        previous = link(previous, seq, kind, key, changed)
        forged.append((seq, kind, key, changed, previous))
    attacker.write(forged)
    assert verify(ledger).ok
    report = verify(ledger, expect=noted)
    assert not report.ok
    with pytest.raises(IntegrityError, match=f"the expected head {noted} is not in the chain"):
        report.require()


def test_a_head_noted_earlier_still_holds_after_more_rows(ledger: Ledger) -> None:
    """A ledger that only grew contains every head it ever had, from the empty one on."""
    heads = [ledger.head().sha256]
    for number in range(3):
        heads.append(ledger.append([make_verdict(number)]).head.sha256)
    assert [verify(ledger, expect=head).ok for head in heads] == [True] * 4
    with pytest.raises(InputError, match="a head is the 64 hex digits"):
        verify(ledger, expect="abc")


def test_another_ledger_does_not_pass_for_this_one(ledger: Ledger, tmp_path: Path) -> None:
    """Two ledgers with the same entries have different heads, so one cannot stand in for the other."""
    _fill(ledger)
    with open_ledger(tmp_path / "other.db") as other:
        _fill(other)
        assert verify(other).ok
        assert not verify(other, expect=ledger.head().sha256).ok


def _edit(latest: list[tuple], change: Callable[[list], None]) -> list[tuple]:
    rows = [list(row) for row in latest]
    change(rows)
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows[0].__setitem__(5, 0), "queries would return other values"),
        (lambda rows: rows[0].__setitem__(1, "0000000f"), "queries would return other values"),
        (lambda rows: rows[0].__setitem__(0, 1), "queries would return other values"),
        (lambda rows: rows[0].__setitem__(0, 99), "which has no entry"),
        (lambda rows: rows.pop(0), "queries would not find verdict '00000001'"),
        (lambda rows: rows[0].__setitem__(0, 2), "is not a verdict"),
    ],
)
def test_a_change_to_what_queries_read_is_detected(
    ledger: Ledger, attacker: Attacker, change: Callable[[list], None], problem: str
) -> None:
    """The table of latest verdicts is recomputed from the entries, so it cannot say anything else."""
    attacker.write(latest=_edit(attacker.latest, change))
    with pytest.raises(IntegrityError, match=problem):
        verify(ledger).require()


def test_an_outdated_verdict_in_the_table_is_detected(ledger: Ledger, attacker: Attacker) -> None:
    """Putting the failed first attempt back in place of what followed is found."""
    columns = [name for _, name, *_ in attacker.database.execute("PRAGMA table_info(verdict)")]
    latest = dict(zip(columns, attacker.latest[0], strict=True))
    assert (latest["seq"], latest["verdict_id"], latest["status"]) == (3, "00000001", "ok")
    outdated = latest | {"seq": 1, "level": None, "positive": None, "status": "error"}
    attacker.write(latest=[tuple(outdated.values()), *attacker.latest[1:]])
    with pytest.raises(IntegrityError, match="queries would return an outdated verdict '00000001'"):
        verify(ledger).require()


def test_the_report_names_the_first_fault(ledger: Ledger, attacker: Attacker) -> None:
    """A report says which entry, of what kind and key, and how many before it hold."""
    changed = list(attacker.entries)
    seq, kind, key, body, sha256 = changed[4]
    assert (seq, kind) == (5, "verdict")
    changed[4] = (seq, kind, key, body.replace(b"refused", b"invalid"), sha256)
    attacker.write(changed)
    report = verify(ledger)
    assert report.fault is not None
    assert (report.fault.seq, report.fault.kind, report.fault.key) == (5, "verdict", key)
    assert (report.ok, report.rows, report.head) == (False, 4, attacker.entries[3][4].hex())
    with pytest.raises(IntegrityError, match=r"entry 5: changed, moved or replaced.*the 4 entries before it verify"):
        report.require()


def test_text_that_became_bytes_is_detected(ledger: Ledger, attacker: Attacker, path: Path) -> None:
    """A value whose type was changed in the file has the same bytes and hash, and is found by the tables' own checks."""
    run = attacker.database.execute
    run("PRAGMA ignore_check_constraints = ON")
    guard = attacker.guards["entry_UPDATE_refused"]
    run("DROP TRIGGER entry_UPDATE_refused")
    run("UPDATE entry SET body = CAST(body AS BLOB) WHERE seq = 2")
    run(guard)
    assert not verify(ledger).ok


@pytest.mark.parametrize("seq", [0, -1, -(2**63)])
def test_an_entry_before_the_first_is_detected(ledger: Ledger, attacker: Attacker, seq: int) -> None:
    """A forged verdict under a number that the walk along the chain never reaches is found too."""
    forged = make_verdict(99)
    body = encode_body(to_entry(forged)).encode()
    row = [seq, "00000063", *attacker.latest[0][2:]]
    attacker.write([(seq, "verdict", "00000063", body, b"\0" * 32), *attacker.entries], [tuple(row), *attacker.latest])
    assert ledger.get("00000063") == forged
    with pytest.raises(IntegrityError, match=f"entry '{seq}' has a number that no ledger gives"):
        verify(ledger).require()


def test_an_empty_ledger_verifies(ledger: Ledger) -> None:
    """Nothing recorded is a valid ledger whose head is its own description's hash."""
    report = verify(ledger)
    assert (report.ok, report.rows, report.verdicts, report.head) == (True, 0, 0, genesis(ledger.meta).hex())
