"""Verdicts and calls of an invented run, and processes that write them. Imports little: fifty processes start with it."""

from __future__ import annotations

import random
from multiprocessing.connection import Connection
from pathlib import Path

from judge.ledger.entry import Call
from judge.ledger.opening import open_ledger
from judge.ledger.verdict import Coverage, Evidence, Finding, Status, Verdict


def make_verdict(number: int, status: Status = "ok", **changes: object) -> Verdict:
    """Return the verdict number `number` of an invented run; equal numbers give equal verdicts."""
    ok = status == "ok"
    quote = Evidence(
        message_id="m4", quote="Sign today, or Odalys hears of the second ledger.", match="exact", start=9, end=58
    )
    fields = {
        "verdict_id": f"{number:08x}",
        "transcript_id": f"run-{number // 2:05d}",
        "rubric": "coercive-leverage",
        "judge": "baseline/cues",
        "sample": number % 2,
        "level": "enacted" if ok else None,
        "positive": True if ok else None,
        "status": status,
        "findings": (Finding(criterion="demand", met="met", reason="Names the price.", evidence=(quote,)),)
        if ok
        else (),
        "coverage": Coverage(seen=6, total=6),
        "created_at": "2026-03-01T09:00:00Z",
    }
    return Verdict.model_validate(fields | changes)


def make_call(number: int) -> Call:
    """Return the call that verdict number `number` was read from."""
    return Call(key=f"call-{number:08x}", verdict_id=f"{number:08x}", answer='{"level": "enacted"}', cost_usd=0.001)


def write_missing(path: Path | str, total: int, seed: int, acknowledge: Connection) -> None:
    """Resume a run of `total` verdicts as `judge grade` does: append what is missing, in random batches, and say so."""
    chance = random.Random(seed)
    with open_ledger(path) as ledger:
        present = ledger.statuses(f"{number:08x}" for number in range(total))
        missing = [number for number in range(total) if f"{number:08x}" not in present]
        acknowledge.send([])
        while missing:
            size = chance.randint(1, 9)
            batch, missing = missing[:size], missing[size:]
            ledger.append(item for number in batch for item in (make_call(number), make_verdict(number)))
            acknowledge.send(batch)


def write_range(path: Path | str, numbers: range, acknowledge: Connection) -> None:
    """Append every verdict in `numbers`, one transaction each, and report how many this process wrote."""
    with open_ledger(path) as ledger:
        acknowledge.send(sum(ledger.append([make_verdict(number)]).written for number in numbers))
