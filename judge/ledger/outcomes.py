"""Files of verdict rows read for how judges decided, and nothing else: all that figures need.

A file without evidence, of this package or of any other tool, is read several times as fast as into verdicts. The same rows
are accepted and refused, in the same words: a file with any row that is not plainly sound is read by `importing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import orjson

from judge.errors import InputError
from judge.ledger.importing import DEFAULT_SCALE, FIELDS, REQUIRED, STDIN, decide, read_rows
from judge.ledger.verdict import Status, Verdict

_NULL: Final = type(None)
_SCALARS: Final[set[type]] = {str, int, float, bool, _NULL}  # of fields that a verdict does not have
# What a verdict's own fields may hold to be taken as they stand; any other field of it calls for the model.
_PLAIN: Final[dict[str, set[type]]] = {
    **{name: {str} for name in ("verdict_id", *REQUIRED, "source", "status")},
    **{name: {str, _NULL} for name in ("level", "rubric_sha256", "transcript_sha256", "prompt_sha256", "judge_sha256")},
    **{name: {str, _NULL} for name in ("created_at", "stated_level", "initiative", "error")},
    **{name: {int, _NULL} for name in ("severity", "input_tokens", "output_tokens", "cached_tokens", "attempts")},
    **{name: {int, float, _NULL} for name in ("score", "p_positive", "cost_usd", "latency_s")},
    "positive": {bool, _NULL},
    "sample": {int},
}
_LINE_BYTES: Final = 1 << 12  # what fits here exceeds no limit
_TOGETHER: Final = 4_096  # lines looked at in one go
_LARGEST: Final = float(2**63)
_STATUSES: Final = frozenset(get_args(Status))


class Outcome(NamedTuple):
    """A verdict without its evidence and its costs."""

    transcript_id: str
    rubric: str
    judge: str
    sample: int
    level: str | None
    positive: bool | None
    status: str
    run: dict[str, Any]
    score: float | None
    p_positive: float | None


Judged = Verdict | Outcome  # how a judge decided on a transcript, with or without the rest


def read_outcomes(source: Path) -> Sequence[Judged]:
    """Read a JSONL file of verdict rows, `-` for standard input, in the file's order; equal rows count once.

    Raises:
        InputError: as `importing.read_rows`.
    """
    found = None if source == STDIN or not source.is_file() else _read_plain(source)
    return read_rows(source).verdicts if found is None else found


def _read_plain(source: Path) -> list[Outcome] | None:
    """The outcomes of a file in which every row is plain and no two are about one thing; None for any other file."""
    found: list[Outcome] = []
    ids: set[Any] = set()
    named = 0
    with source.open("rb") as stream:
        lines = iter(partial(stream.readline, _LINE_BYTES + 1), b"")
        while some := list(islice(lines, _TOGETHER)):
            columns = _take(some)
            if columns is None:
                return None
            outcomes = list(map(Outcome._make, zip(*(columns[name] for name in Outcome._fields), strict=True)))
            named += len(outcomes) if "verdict_id" in columns else 0
            ids.update(columns.get("verdict_id") or (one[:4] for one in outcomes))
            found += outcomes
    # Two rows with one id must be compared whole; an id that is given may be one that another row would be given.
    return found if len(ids) == len(found) and named in (0, len(found)) else None


def _take(lines: Sequence[bytes]) -> dict[str, list[Any]] | None:
    """The rows in these lines, field by field; None if something may be wrong with one of them."""
    try:
        rows = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return None
    text = b"".join(lines)
    if set(map(type, rows)) != {dict} or b"\\u00" in text or max(map(len, lines)) > _LINE_BYTES:
        return None
    # As many colons as names, or as many as when it is written again: then no name stands twice in one row.
    colons = text.count(b":")
    if colons != sum(map(len, rows)) and colons != orjson.dumps(rows).count(b":"):
        return None
    columns = {name: [row.get(name) for row in rows] for name in set(REQUIRED).union(*rows)}
    for name, default in (("status", "ok"), ("sample", 0)):
        columns[name] = [row.get(name, default) for row in rows]
    if not all(_sound(name, values) for name, values in columns.items()):
        return None
    decisions = list(
        zip(*(columns.get(name, [None] * len(rows)) for name in ("level", "positive", "status")), strict=True)
    )
    try:
        signs = {one: _sign(*one) for one in set(decisions)}
    except InputError:
        return None
    columns["positive"] = [signs[one] for one in decisions]
    others = columns.keys() - FIELDS
    columns["run"] = [{name: row[name] for name in others if name in row} for row in rows]
    return {name: [None] * len(rows) for name in Outcome._fields} | columns


def _sound(name: str, values: Sequence[Any]) -> bool:
    """Whether nothing can be wrong with what one field holds."""
    types = set(map(type, values))
    if not types <= (_PLAIN.get(name, set()) if name in FIELDS else _SCALARS):
        return False
    if float in types and not all(-_LARGEST < one < _LARGEST for one in values if type(one) is float):
        return False  # it may have been an integer that does not fit into 64 bits
    if name == "status":
        return set(values) <= _STATUSES
    if name == "p_positive":
        return all(one is None or 0 <= one <= 1 for one in values)
    return name not in ("verdict_id", *REQUIRED) or all(values)


def _sign(level: str | None, positive: bool | None, status: str) -> bool | None:
    fields = {"positive": positive}
    decide(fields, {"level": level, "positive": positive, "status": status}, "", DEFAULT_SCALE)
    return fields["positive"]
