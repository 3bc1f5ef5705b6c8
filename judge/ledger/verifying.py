"""Check that nothing in a ledger was changed, without a key: every link of the chain, and every row that queries read."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import orjson

from judge.errors import InputError, IntegrityError
from judge.frozen import Frozen
from judge.ledger.chain import genesis, link, project
from judge.ledger.entry import VERDICT
from judge.ledger.store import Ledger, Row
from judge.text import quoted

_HEAD: Final = re.compile(r"[0-9a-f]{64}")


class Fault(Frozen):
    """The first thing that does not hold. `seq` is the entry's number, null when it is not about one entry."""

    problem: str
    seq: int | None = None
    kind: str | None = None
    key: str | None = None


class Report(Frozen):
    """What `verify` found. `head` is the hash to note elsewhere; it is that of the last entry that still verifies."""

    ledger: str
    ledger_id: str
    ok: bool
    rows: int
    verdicts: int
    head: str
    expected: str | None = None
    fault: Fault | None = None

    def require(self) -> None:
        """Raise IntegrityError when the ledger did not verify."""
        if self.fault is None:
            return
        place = "" if self.fault.seq is None else f" entry {self.fault.seq}:"
        raise IntegrityError(
            f"{self.ledger}:{place} {self.fault.problem}; the {self.rows:,} entries before it verify "
            f"(head {self.head}). Restore the ledger from a copy whose head you know"
        )


def verify(ledger: Ledger, expect: str | None = None) -> Report:
    """Recompute every hash and every row that queries read, up to the first fault.

    Args:
        ledger: the ledger to check; it may be written to meanwhile, the check sees one moment.
        expect: a head noted earlier; it must be in the chain, else entries were cut off or rewritten since.

    Returns:
        the report; `Report.require()` turns a fault into an IntegrityError.

    Raises:
        InputError: if `expect` is not a head.
    """
    if expect is not None and not _HEAD.fullmatch(expect):
        raise InputError(f"expected head {quoted(expect)}: not one; a head is the 64 hex digits that verify prints")
    return _Check(ledger, expect).run()


class _Check:
    """One pass over a ledger: how far the chain holds, and what was seen on the way."""

    def __init__(self, ledger: Ledger, expect: str | None) -> None:
        self.ledger = ledger
        self.expect = expect
        self.head = genesis(ledger.meta)
        self.rows = 0
        self.latest = 0  # verdicts that queries would return
        self.met = expect is None or expect == self.head.hex()

    def run(self) -> Report:
        try:
            with ThreadPoolExecutor(1) as beside:
                damage = beside.submit(self.ledger.damage)
                with self.ledger.snapshot():
                    fault = self.walk()
                fault = fault or self.around(damage.result())
        except IntegrityError as error:  # the back end cannot read what it stored
            fault = Fault(problem=str(error).removeprefix(f"{self.ledger.where}: "))
        return Report(
            ledger=self.ledger.where,
            ledger_id=self.ledger.meta["ledger_id"],
            ok=fault is None,
            rows=self.rows,
            verdicts=self.latest,
            head=self.head.hex(),
            expected=self.expect,
            fault=fault,
        )

    def walk(self) -> Fault | None:
        for row in self.ledger.rows():
            problem = self.broken(row)
            if problem is not None:
                return Fault(problem=problem, seq=row.seq, kind=str(row.kind), key=str(row.key))
            self.rows = row.seq
            self.head = row.sha256
            self.met = self.met or row.sha256.hex() == self.expect
        return None

    def broken(self, row: Row) -> str | None:
        if row.seq != self.rows + 1:
            return f"entry {self.rows + 1} is missing, or this one was put in"
        if tuple(map(type, row[1:5])) != (str, str, bytes, bytes):
            return "its columns hold something else than a ledger put there"
        if link(self.head, row.seq, row.kind, row.key, row.body) != row.sha256:
            return "changed, moved or replaced: its content does not give its hash"
        if row.projected is None:
            return None
        self.latest += 1
        if row.kind != VERDICT:
            return "is not a verdict, and yet queries would return it as one"
        try:
            body = orjson.loads(row.body)
        except orjson.JSONDecodeError:
            return "its body is not JSON"
        if not isinstance(body, dict) or row.key != body.get("verdict_id") or project(body) != row.projected:
            return "queries would return other values than the entry holds"
        return None

    def around(self, damage: str | None) -> Fault | None:
        """Judge what the walk along the chain cannot see."""
        if damage is not None:
            return Fault(problem=damage)
        if not self.met:
            return Fault(
                problem=f"the expected head {self.expect} is not in the chain: entries were cut off or rewritten, "
                "or this is another ledger"
            )
        return None
