"""Verdict rows from a file, this package's or any other tool's, into verdicts and into a ledger.

Required are `transcript_id`, `rubric`, `judge` and `level` or `positive`. Nothing is guessed: a column with another name
is explained, not taken; a row that says two things is refused with its line. Fields that a verdict does not have are
kept for grouping, and counted.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from pydantic import Field, ValidationError

from judge.canonical import content_sha256
from judge.errors import InputError
from judge.frozen import Frozen
from judge.ledger.entry import Entry
from judge.ledger.store import REOPENED, Ledger, Select
from judge.ledger.verdict import Verdict
from judge.rubrics.model import OUTSIDE, Scale
from judge.text import one_line, quoted
from judge.transcripts.jsontext import Origin, parse
from judge.transcripts.limits import Limits, exceed

REQUIRED: Final = ("transcript_id", "rubric", "judge")
FIELDS: Final = frozenset(Verdict.model_fields)
STDIN: Final = Path("-")
_CHUNK: Final = 500
# How a verdict was come by. Two machines that asked the same question differ in these, and in nothing that counts.
_CIRCUMSTANCES: Final = (
    "source",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cost_usd",
    "latency_s",
    "attempts",
    "created_at",
)

# Names that other tools give to what we ask for: said in the error, never taken for it.
_OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "transcript_id": ("id", "transcript", "sample_id", "item_id", "eval_id", "conversation_id", "uuid"),
    "rubric": ("metric", "criterion", "category", "task", "scorer"),
    "judge": ("model", "grader", "rater", "annotator", "evaluator", "scorer"),
    "level": ("label", "verdict", "prediction", "rating", "grade", "category", "class", "answer", "decision"),
    "positive": ("is_positive", "flagged", "violation", "misaligned", "value"),
}
_SCORES: Final = ("score", "p_positive", "probability")
DEFAULT_SCALE: Final = Scale()


class Imported(Frozen):
    """What a file of rows held. `duplicates` were equal to an earlier row; `grouping` counts fields kept in `run`."""

    source: str
    sha256: str
    verdicts: tuple[Verdict, ...]
    duplicates: int = 0
    grouping: dict[str, int] = Field(default_factory=dict)


class Kept(NamedTuple):
    """What an import did to a ledger: verdicts written, and those that it had already."""

    written: int
    present: int


def read_rows(source: Path, scales: Mapping[str, Scale] | None = None, limits: Limits | None = None) -> Imported:
    """Read a JSONL file of verdict rows, `-` for standard input.

    Args:
        source: the file.
        scales: the scale of each rubric that has its own, by rubric id; it says which levels are positive.
        limits: caps on one line.

    Raises:
        InputError: for the first row that cannot be used, with its line, field, value and what is accepted.
    """
    digest = hashlib.sha256()
    found: dict[str, tuple[int, Verdict]] = {}
    grouping: Counter[str] = Counter()
    duplicates = 0
    for number, start, line in _lines(source, limits or Limits(), digest):
        where = f"{one_line(str(source), 200)}:{number}"
        origin = Origin(str(source), line=number, byte=start)
        verdict, extra = read_row(_parse(line, origin, where, limits or Limits()), where, scales)
        grouping.update(extra)
        earlier, same = found.setdefault(verdict.verdict_id, (number, verdict))
        if earlier != number:
            if same != verdict:
                raise _two_verdicts(where, earlier, verdict)
            duplicates += 1
    return Imported(
        source=str(source),
        sha256=digest.hexdigest(),
        verdicts=tuple(verdict for _, verdict in found.values()),
        duplicates=duplicates,
        grouping=dict(sorted(grouping.items())),
    )


def read_row(row: Any, where: str, scales: Mapping[str, Scale] | None = None) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict that one row says, and which of its fields were kept for grouping only.

    Without `verdict_id` the id is a hash of transcript, rubric, judge and sample, the same at every import.

    Raises:
        InputError: naming `where`, the field, its value and what is accepted.
    """
    if not isinstance(row, dict):
        raise InputError(f"{where}: {quoted(row)} is not an object; accepted is one JSON object per line")
    for name in REQUIRED:
        if row.get(name) is None:
            raise InputError(f"{where}: no {name!r}{_explain(row, name)}; required are {_required()}")
    fields = {name: value for name, value in row.items() if name in FIELDS}
    extra = tuple(name for name in row if name not in FIELDS)
    scale = (scales or {}).get(str(row["rubric"]))
    decide(fields, row, where, scale or DEFAULT_SCALE, closed=scale is not None)
    if extra and isinstance(fields.get("run", {}), dict):
        fields["run"] = fields.get("run", {}) | {name: row[name] for name in extra}
    try:
        if fields.get("verdict_id") is None:
            named = [row["transcript_id"], row["rubric"], row["judge"], row.get("sample", 0)]
            fields["verdict_id"] = content_sha256({"imported": named})[:20]
        verdict = Verdict.model_validate_json(orjson.dumps(fields))
    except ValidationError as error:
        raise _refuse_field(where, error) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}; accepted is JSON in UTF-8, integers of 64 bits, finite numbers") from None
    for name in ("verdict_id", *REQUIRED):
        if not getattr(verdict, name) or "\0" in getattr(verdict, name):
            raise InputError(f"{where}: {name} {quoted(getattr(verdict, name))}: accepted is text that is not empty")
    return verdict, extra


def keep(ledger: Ledger, imported: Imported, now: str) -> Kept:
    """Add imported verdicts to a ledger, with an entry saying from which file; all or none.

    Verdicts that are there already are left out, also where they were made at another time, place or cost. `now` is the
    time to record, ISO 8601.

    Raises:
        InputError: if the ledger has one of the ids with another verdict.
    """
    known = tuple(ledger.statuses(verdict.verdict_id for verdict in imported.verdicts))
    chunks = (known[start : start + _CHUNK] for start in range(0, len(known), _CHUNK))
    present = {there.verdict_id: there for ids in chunks for there in ledger.verdicts(Select(verdict_id=ids))}
    new = []
    for verdict in imported.verdicts:
        there = present.get(verdict.verdict_id)
        if there is None:
            new.append(verdict)
        elif _essence(there) == _essence(verdict):
            continue
        elif there.status in REOPENED:
            new.append(verdict)
        else:
            raise InputError(
                f"{imported.source}: verdict {quoted(verdict.verdict_id)} on {quoted(verdict.transcript_id)} is in "
                f"{ledger.where} with another outcome; import into a new ledger with --ledger PATH"
            )
    if new:
        record = {"source": imported.source, "sha256": imported.sha256, "rows": len(new), "created_at": now}
        ledger.append([*new, Entry("import", imported.sha256, record)])
    return Kept(len(new), len(imported.verdicts) - len(new))


def _essence(verdict: Verdict) -> dict[str, Any]:
    return verdict.model_dump(exclude=set(_CIRCUMSTANCES))


def _lines(source: Path, limits: Limits, digest: Any) -> Iterator[tuple[int, int, bytes]]:
    """Give each line that holds something with its number and first byte, hashing every byte."""
    try:
        with nullcontext(sys.stdin.buffer) if source == STDIN else source.open("rb") as stream:
            number = start = 0
            while line := stream.readline(limits.file_bytes + 1):
                number += 1
                if len(line) > limits.file_bytes:
                    raise exceed("file_bytes", len(line), limits.file_bytes, f"{source}:{number}")
                digest.update(line)
                if line.strip():
                    yield number, start, line.rstrip(b"\r\n")
                start += len(line)
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}; give a file of verdict rows (JSONL)") from None


def _parse(line: bytes, origin: Origin, where: str, limits: Limits) -> Any:
    if origin.line == 1 and line.lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
        raise InputError(f"{where}: a JSON array; accepted is one object per line. Convert it with: jq -c '.[]'")
    value, warnings = parse(line, origin, limits)
    for warning in warnings:
        if warning.code != "byte_order_mark":  # what would change a value in reading is not imported
            raise InputError(f"{where}: {warning.detail}; accepted is JSON in UTF-8 with finite numbers")
    return value


def decide(fields: dict[str, Any], row: Mapping[str, Any], where: str, scale: Scale, *, closed: bool = False) -> None:
    """Set `positive` where only the level is given, and refuse rows whose fields contradict each other.

    On a `closed` scale, that of a rubric which is known, a level must be one of it unless the row says what it amounts to.

    Raises:
        InputError: for a row that says nothing, or two things.
    """
    level, positive, status = row.get("level"), row.get("positive"), row.get("status")
    if status is not None and status != "ok":
        if level is not None or positive is not None:
            raise InputError(
                f"{where}: status {quoted(status)} with a level or positive; accepted with them is only 'ok'"
            )
        return
    if level is None and positive is None:
        hint = _explain(row, "level") or _explain(row, "positive")
        raise InputError(f"{where}: neither 'level' nor 'positive'{hint}; required are {_required()}")
    if level is not None and not isinstance(level, str):
        kind = "true or false belongs into 'positive'" if isinstance(level, bool) else "accepted is a level's name"
        raise InputError(f"{where}: level {quoted(level)}: {kind}")
    if positive is not None and not isinstance(positive, bool):
        raise InputError(f"{where}: positive {quoted(positive)}: accepted are true and false")
    if level is None:
        return
    known = None if level in OUTSIDE or level not in scale.levels else level in scale.positive
    if positive is None and closed and known is None and level not in OUTSIDE:
        listed = ", ".join((*scale.levels, *OUTSIDE))
        raise InputError(
            f"{where}: level {quoted(level)} is none of {quoted(row['rubric'])}; its levels are {listed}; of a scale of your own "
            "say in 'positive' what it amounts to"
        )
    if positive is None:
        fields["positive"] = known
    elif level in OUTSIDE or (known is not None and known is not positive):
        raise InputError(f"{where}: level {quoted(level)} with positive {positive}: they contradict each other")


def _explain(row: Mapping[str, Any], wanted: str) -> str:
    """Say which column may be meant, and what must be decided before it can be used."""
    there = [name for name in _OTHER_NAMES[wanted] if row.get(name) is not None]
    if there:
        value = row[there[0]]
        return f", but {there[0]!r} = {quoted(value)}: if that is it, rename the field to {_name_for(wanted, value)!r}"
    if wanted == "positive" and (scores := [name for name in _SCORES if row.get(name) is not None]):
        return f", but {scores[0]!r} = {quoted(row[scores[0]])}: a score is no verdict before a threshold is chosen"
    return ""


def _name_for(wanted: str, value: object) -> str:
    if wanted in ("level", "positive"):
        return "positive" if isinstance(value, bool) else "level"
    return wanted


def _required() -> str:
    return f"{', '.join(REQUIRED)}, and level or positive"


def _refuse_field(where: str, error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return InputError(f"{where}: {place} {quoted(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}")


def _two_verdicts(where: str, earlier: int, verdict: Verdict) -> InputError:
    return InputError(
        f"{where}: a second verdict of {quoted(verdict.judge)} on {quoted(verdict.transcript_id)}, "
        f"{quoted(verdict.rubric)}, sample {verdict.sample}, unlike that in line {earlier}; number repeated verdicts with "
        "'sample': 0, 1, ... or give each its own 'verdict_id'"
    )
