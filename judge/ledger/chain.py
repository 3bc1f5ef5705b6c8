"""The hash chain over a ledger's entries: what each hash is made of. `verifying` recomputes it.

Each entry's hash covers the hash before it, so an edit, a deletion, a swap or a replay anywhere breaks every later link.
The chain has no secret: whoever can rewrite the whole file can compute a new chain. What catches that, and rows cut off
the end, is a head that was noted elsewhere (a report, a certificate, a colleague): `verify(ledger, expect=head)`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any, Final

from judge.canonical import canonical_json

SCHEMA: Final = "judge.ledger/1"

# Columns of the table of latest verdicts, by which the ledger is queried; all but `seq` repeat what the body says.
PROJECTION: Final = (
    "verdict_id",
    "transcript_id",
    "rubric",
    "judge",
    "sample",
    "level",
    "status",
    "severity",
    "cost_usd",
    "created_at",
    "positive",  # 1, 0 or null
)
_FRAME: Final = struct.Struct(">QII")


def genesis(meta: Mapping[str, str]) -> bytes:
    """Return the hash that the first entry continues from: that of the ledger's own description."""
    return hashlib.sha256(canonical_json(dict(meta))).digest()


def link(previous: bytes, seq: int, kind: str, key: str, body: bytes) -> bytes:
    """Return an entry's hash. Lengths are hashed with the fields, so no two entries give the same bytes."""
    named, found = kind.encode(), key.encode()
    return hashlib.sha256(b"".join((previous, _FRAME.pack(seq, len(named), len(found)), named, found, body))).digest()


def project(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what the table of latest verdicts must say about a verdict body, in the order of `PROJECTION`."""
    positive = body.get("positive")
    return (*[body.get(name) for name in PROJECTION[:-1]], None if positive is None else int(positive))
