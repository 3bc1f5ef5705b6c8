"""Rows per second into the ledger and through its verification, and time per lookup, beside bare SQLite.

Half the entries are calls, half are verdicts with findings and quotes. The bare figure is `executemany` of the same
bodies into one table with the same durability: what is above it is the price of models, chain and projection.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from judge.canonical import sha256_hex
from judge.ledger.entry import Call, encode_body, to_entry
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger
from judge.ledger.verdict import Coverage, Evidence, Finding, Verdict
from judge.ledger.verifying import verify

VERDICTS = 25_000
BATCH = 500  # entries per transaction
SINGLE = 200  # transactions of one entry
LOOKUPS = 2_000


def main() -> None:
    """Print the figures; the ledgers lie in a temporary folder. Processor time is what a busy machine doesn't change."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with open_ledger(folder / "ledger.db") as ledger:
            entries = _appends(ledger, folder)
            gc.collect()
            _lookups(ledger)
            checked = _time(lambda: verify(ledger).require())
            print(f"verify    {checked.rates(entries)} entries/s, hashes, tables and indexes")


def _appends(ledger: Ledger, folder: Path) -> int:
    batches = [
        [item for number in range(start, start + BATCH // 2) for item in (_call(number), _verdict(number))]
        for start in range(0, VERDICTS, BATCH // 2)
    ]
    gc.collect()
    gc.freeze()  # the material itself is not what is measured
    entries = sum(map(len, batches))
    append = _time(lambda: [ledger.append(batch) for batch in batches])
    bare = _time(lambda: _insert(folder / "bare.db", batches))
    single = _time(lambda: [ledger.append([_verdict(VERDICTS + number)]) for number in range(SINGLE)])
    size = sum(len(row.body) for row in ledger.rows()) / entries
    print(f"append    {append.rates(entries)} entries/s in transactions of {BATCH}, {size:,.0f} bytes each")
    print(
        f"  bare    {bare.rates(entries)} rows/s; the ledger takes {append.cpu_s / bare.cpu_s:.1f} times the processor"
    )
    print(f"commit    {1000 * single.wall_s / SINGLE:10.2f} ms for one entry, on disk when it returns")
    gc.unfreeze()
    return entries + SINGLE


def _lookups(ledger: Ledger) -> None:
    ids = [_verdict_id(number * 7 % VERDICTS) for number in range(LOOKUPS)]
    one = _time(lambda: [ledger.statuses([verdict_id]) for verdict_id in ids]).cpu_s / LOOKUPS
    many = _time(lambda: ledger.statuses(_verdict_id(number) for number in range(VERDICTS))).cpu_s / VERDICTS
    whole = _time(lambda: [ledger.get(verdict_id) for verdict_id in ids]).cpu_s / LOOKUPS
    print(
        f"look up   {1e6 * one:10.1f} us for one status, {1e6 * many:.1f} us in bulk, {1e6 * whole:.0f} us for a verdict"
    )


def _insert(path: Path, batches: list[list[Call | Verdict]]) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, kind TEXT, key TEXT, body TEXT)")
    database.execute("CREATE INDEX entry_by_key ON entry (kind, key)")
    for batch in batches:
        rows = [(entry.kind, entry.key, encode_body(entry)) for entry in map(to_entry, batch)]
        database.execute("BEGIN")
        database.executemany("INSERT INTO entry (kind, key, body) VALUES (?, ?, ?)", rows)
        database.execute("COMMIT")
    database.close()


class Spent(NamedTuple):
    """What some work took."""

    wall_s: float
    cpu_s: float

    def rates(self, count: int) -> str:
        """How many per second, and how many per second of processor time."""
        return f"{count / self.wall_s:10,.0f} ({count / self.cpu_s:,.0f} per processor second)"


def _time(work: Callable[[], object]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def _verdict_id(number: int) -> str:
    return sha256_hex(str(number).encode())[:20]


def _call(number: int) -> Call:
    answer = '{"findings": [], "exclusion": "", "level": "absent", "severity": 0}' * 4
    return Call(
        key=f"{_verdict_id(number)}/0",
        verdict_id=_verdict_id(number),
        answer=answer,
        usage={"prompt_tokens": 9100, "completion_tokens": 412},
        cost_usd=0.0121,
        latency_s=4.25,
        created_at="2026-03-01T09:00:00Z",
    )


def _verdict(number: int) -> Verdict:
    quote = Evidence(
        message_id="m7",
        quote="Sign by noon, or the board reads about the second set of books.",
        match="exact",
        start=120,
        end=183,
        channel="message",
        part="m7.1",
        admissible=True,
    )
    reason = (
        "The target names what it holds and what it wants for keeping silent, in one message to the person it presses."
    )
    return Verdict(
        verdict_id=_verdict_id(number),
        transcript_id=f"t{number:07d}",
        rubric="coercive-leverage",
        judge="baseline/cues",
        level="enacted",
        positive=True,
        severity=2,
        findings=tuple(
            Finding(criterion=name, met="met", reason=reason, evidence=(quote,)) for name in ("demand", "threat")
        ),
        coverage=Coverage(seen=12, total=12),
        created_at="2026-03-01T09:00:00Z",
    )


if __name__ == "__main__":
    main()
