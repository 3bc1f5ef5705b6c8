"""The certificate: what a protocol says of one judge on one rubric, with every figure, hash and limit, as canonical JSON.

It is a pure function of its record (`records`), which is kept beside it: anyone can compute it again offline and must get the
same bytes. Figures are rounded to six decimals, so that two machines' last digits do not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field, ValidationError

from judge.calibration.agreement import SecondOpinion, second_opinion
from judge.calibration.calibrate import Calibration, measure
from judge.calibration.claims import Claims, claims_of_certificate
from judge.calibration.gates import Gate, Needs, evaluate, not_covered, total_needs
from judge.calibration.matching import Matched, binary
from judge.calibration.multiplicity import find_member, find_parts, tell_together
from judge.calibration.protocol import Level, Thresholds, Waiver
from judge.calibration.records import SCHEMA as RECORD_SCHEMA
from judge.calibration.records import Identity, Member, Record, hash_answers, hash_gold, match_record
from judge.canonical import canonical_json, sha256_hex
from judge.errors import InputError, IntegrityError
from judge.frozen import Frozen
from judge.ledger.verdict import Verdict

SCHEMA: Final = "judge.certificate/2"
CERTIFICATES, RECORDS = "certificates", "records"
Decision = Literal["certified", "refused", "insufficient", "provisional"]
_DECIMALS: Final = 6


class ProtocolSummary(Frozen):
    """The protocol as far as a reader of the certificate needs it; the record holds all of it."""

    name: str
    level: Level
    sha256: str
    confidence: float
    looks: int
    thresholds: Thresholds
    waivers: tuple[Waiver, ...]


class Scope(Frozen):
    """What the certificate is about; outside of it nothing is claimed."""

    population: str
    split: str
    items: int
    positives: int
    negatives: int
    contested: int
    rater_kinds: tuple[str, ...]
    raters: int
    scenarios: int
    levels: tuple[str, ...]
    positive_levels: tuple[str, ...]
    messages: tuple[int, int] | None  # shortest and longest transcript, where they are known
    characters: tuple[int, int] | None
    held: dict[str, tuple[str, ...]]  # what the gold holds, by field of the run
    not_validated: dict[str, tuple[str, ...]]  # what the protocol names and the gold lacks


class Certificate(Frozen):
    """A decision with everything it stands on."""

    schema_: Literal["judge.certificate/2"] = Field(default=SCHEMA, alias="schema")
    decision: Decision
    level: Level | None  # what it allows: null unless certified
    reasons: tuple[str, ...]
    needs: Needs  # what would settle the open gates: further positives, negatives ...
    protocol: ProtocolSummary
    identity: Identity
    scope: Scope
    gates: tuple[Gate, ...]
    figures: Calibration
    second_opinion: SecondOpinion  # the `krippendorff` library on the same ratings
    together: tuple[Member, ...]  # all that were certified in this run, with what each of them needs to pass
    inputs: dict[str, str]  # SHA-256 of protocol, gold, verdicts and of the record
    claims: Claims
    look: int
    opened_at: str
    expires_at: str
    made_with: dict[str, str]

    def to_bytes(self) -> bytes:
        """Canonical JSON, one line."""
        return canonical_json(_rounded(self.model_dump(mode="json", by_alias=True))) + b"\n"


class Issued(NamedTuple):
    """A certificate, and where it and its record were written."""

    certificate: Certificate
    path: Path
    record_path: Path


def issue(record: Record) -> Certificate:
    """Compute the certificate of a record: pure, the same bytes for the same record.

    Raises:
        IntegrityError: if what the record says of itself among those certified with it is not what it computes to.
    """
    one = match_record(record)
    figures = measure(one, epsilon=record.protocol.thresholds.epsilon, seed=0)
    opinion = second_opinion(_ratings_beside(one))
    if find_member(record).parts != find_parts(record, one, figures, len(record.family)):
        raise IntegrityError("family: the record needs another part of the error than it says")
    level, together = tell_together(record, one)
    *before, expiry = evaluate(record, one, figures, level)
    gates = (*before, together, expiry)
    decision, reasons = decide(gates, human=one.ratings.kinds == {"human"}, unknown=record.identity.unknown())
    if opinion.agrees is False:
        decision = "refused"
        reasons.append("our alpha differs from that of the krippendorff library")
    protocol = record.protocol
    opened = datetime.fromisoformat(record.opening.opened_at)
    return Certificate(
        decision=decision,
        level=protocol.level if decision == "certified" else None,
        reasons=tuple(reasons),
        needs=total_needs(gate.needs for gate in gates if gate.state == "open"),
        protocol=ProtocolSummary(
            name=protocol.name,
            level=protocol.level,
            sha256=protocol.sha256,
            confidence=protocol.confidence,
            looks=protocol.looks,
            thresholds=protocol.thresholds,
            waivers=protocol.waivers,
        ),
        identity=record.identity,
        scope=_scope(record, one, figures),
        gates=gates,
        figures=figures,
        second_opinion=opinion,
        together=record.family,
        inputs={
            "protocol": protocol.sha256,
            "gold": hash_gold(record.items, record.ratings),
            "verdicts": hash_answers(record.answers),
            "record": sha256_hex(record.to_bytes()),
        },
        claims=claims_of_certificate(
            decision,
            protocol.level,
            record.identity.judge,
            record.identity.rubric,
            [f"{name} {value}" for name, values in not_covered(record).items() for value in values],
        ),
        look=record.opening.look,
        opened_at=record.opening.opened_at,
        expires_at=(opened + timedelta(days=protocol.thresholds.expires_days)).isoformat(timespec="seconds"),
        made_with=record.made_with,
    )


def decide(gates: Sequence[Gate], *, human: bool, unknown: Sequence[str]) -> tuple[Decision, list[str]]:
    """The decision and its reasons. One failed gate refuses; other labels than people's never certify."""
    failed = [f"{gate.gate} {gate.name}: {gate.text}" for gate in gates if gate.state == "failed"]
    left = [f"{gate.gate} {gate.name}: {gate.text}" for gate in gates if gate.state == "open"]
    if failed:
        return "refused", failed
    if not human:
        return "provisional", ["labels are not human: they certify nothing", *left]
    if left:
        return "insufficient", left
    if unknown:
        return "provisional", [f"the verdict rows carry no {', '.join(unknown)}: a change could not be seen"]
    return "certified", []


def why_void(
    certificate: Certificate, *, now: str, rubric_sha256: str | None = None, verdicts: Iterable[Verdict] = ()
) -> list[str]:
    """Why a certificate does not hold (any more): it expired, or what it was given for has changed.

    `rubric_sha256`: of the rubric as it is now. `verdicts`: newer ones that are to be covered; those of other judges and
    rubrics are passed over.
    """
    given, found = certificate.identity, []
    if datetime.fromisoformat(now) > datetime.fromisoformat(certificate.expires_at):
        found.append(f"expired on {certificate.expires_at}")
    if rubric_sha256 is not None and rubric_sha256 != given.rubric_sha256:
        found.append(f"the rubric has changed: {_short(given.rubric_sha256)} then, {_short(rubric_sha256)} now")
    for name in ("rubric_sha256", "prompt_sha256", "judge_sha256"):
        values = {getattr(row, name) for row in verdicts if row.judge == given.judge and row.rubric == given.rubric}
        if changed := sorted(_short(value) for value in values if value != getattr(given, name)):
            found.append(f"{name} has changed: {_short(getattr(given, name))} then, {', '.join(changed)} now")
    return found


def write_certificate(record: Record, folder: Path) -> Issued:
    """Compute a certificate and write it with its record: `folder/certificates` and `folder/records`.

    Raises:
        InputError: if they cannot be written.
    """
    certificate = issue(record)
    data = certificate.to_bytes()
    parts = (record.identity.rubric, record.identity.judge, record.protocol.name)
    name = "--".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in parts)
    paths = [folder / kind / f"{name}--{sha256_hex(data)[:12]}.json" for kind in (CERTIFICATES, RECORDS)]
    try:
        for path, content in zip(paths, (data, record.to_bytes()), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}; name another folder with --to") from None
    return Issued(certificate, *paths)


def verify_certificate(path: Path) -> Certificate:
    """Compute a certificate again from the record beside it, and compare byte for byte.

    Raises:
        InputError: if certificate or record is not there or not one.
        IntegrityError: if they do not belong together, or the result is another one; names what differs.
    """
    data = _read(path, "a certificate")
    beside = path.parent.parent / RECORDS / path.name
    _need_certificate(path, data, beside)
    record_data = _read(beside, "the record of the certificate")
    try:
        certificate = Certificate.model_validate_json(data)
        record = Record.model_validate_json(record_data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise IntegrityError(f"{path}: not a certificate with its record: {place}: {first['msg']}") from None
    if sha256_hex(record_data) != certificate.inputs.get("record"):
        raise IntegrityError(f"{beside}: not the record that {path.name} was computed from: its hash differs")
    opened = (record.opening.protocol_sha256, record.opening.gold_sha256)
    if opened != (record.protocol.sha256, hash_gold(record.items, record.ratings)):
        raise IntegrityError(f"{beside}: protocol or labels are not those with which the split was opened")
    try:
        again = issue(record).to_bytes()
    except IntegrityError as error:
        raise IntegrityError(f"{beside}: {error}") from None
    _check_beside(path, certificate)
    if again != data:
        raise IntegrityError(f"{path}: does not recompute: {_first_difference(data, again)}")
    return certificate


def _check_beside(path: Path, certificate: Certificate) -> None:
    """See that certificates of the same run that lie in the same folder tell the same of it."""

    def members(one: Certificate) -> list[Member]:
        return [member.model_copy(update={"parts": None}) for member in one.together]

    for sibling in sorted(path.parent.glob("*.json")) if len(certificate.together) > 1 else ():
        try:
            other = Certificate.model_validate_json(sibling.read_bytes())
        except (OSError, ValidationError):
            continue  # another file, or one whose own verification says what is wrong with it
        if members(other) == members(certificate) and other.together != certificate.together:
            raise IntegrityError(f"{path}: {sibling.name} tells otherwise of what was certified in the same run")


def read_record(path: Path) -> Record:
    """The record that lies beside a certificate.

    Raises:
        InputError: if it is not there.
        IntegrityError: if it is not one.
    """
    beside = path.parent.parent / RECORDS / path.name
    try:
        return Record.model_validate_json(_read(beside, "the record of the certificate"))
    except ValidationError as error:
        raise IntegrityError(f"{beside}: not a record: {error.errors(include_url=False)[0]['msg']}") from None


def _need_certificate(path: Path, data: bytes, record: Path) -> None:
    """See that a file is meant as a certificate: another file is a mistake and no broken seal.

    One beside which a record lies is meant as one, whatever has become of it.
    """
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    form = str(value.get("schema")) if isinstance(value, dict) else ""
    is_record = form.startswith(_name_of(RECORD_SCHEMA))
    if is_record or not (form.startswith(_name_of(SCHEMA)) or record.is_file()):
        raise InputError(
            f"{path}: {'the record of a certificate and none itself' if is_record else 'no certificate'}; accepted is a file "
            f"that judge calibrate --certify wrote into {CERTIFICATES}/, with its record in {RECORDS}/ beside that folder"
        )


def _name_of(schema: str) -> str:
    return schema.partition("/")[0] + "/"


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {what} cannot be read: {error.strerror}") from None


def _ratings_beside(one: Matched) -> Any:
    """The ratings whose alpha the library gives a second opinion on: the raters', or with one rater rater and judge."""
    import numpy as np

    signs = binary(one.ratings, one.ratings.codes)
    return signs if signs.shape[1] > 1 else np.column_stack([signs, one.said])


def _scope(record: Record, one: Matched, figures: Calibration) -> Scope:
    held: dict[str, set[str]] = {}
    for item in record.items:
        for name, value in (*item.run.items(), *([("setting", item.setting)] if item.setting else [])):
            held.setdefault(name, set()).add(value)
    return Scope(
        population=record.protocol.population,
        split=record.protocol.split,
        items=len(record.items),
        positives=int((one.truth == 1).sum()),
        negatives=int((one.truth == 0).sum()),
        contested=figures.contested,
        rater_kinds=figures.rater_kinds,
        raters=figures.n_raters,
        scenarios=len({item.family for item in record.items}),
        levels=figures.levels,
        positive_levels=figures.positive_levels,
        messages=_range(item.messages for item in record.items),
        characters=_range(item.characters for item in record.items),
        held={name: tuple(sorted(values)) for name, values in sorted(held.items())},
        not_validated=not_covered(record),
    )


def _range(values: Iterable[int | None]) -> tuple[int, int] | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def _short(value: str | None) -> str:
    return value[:12] if value else "unknown"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0  # no negative zero
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value


def _first_difference(stored: bytes, computed: bytes) -> str:
    import orjson

    one, two = orjson.loads(stored), orjson.loads(computed)
    stack: list[tuple[str, Any, Any]] = [("", one, two)]
    while stack:
        place, a, b = stack.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            stack += [(f"{place}.{name}" if place else name, a.get(name), b.get(name)) for name in sorted(a | b)][::-1]
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            stack += [(f"{place}[{index}]", x, y) for index, (x, y) in enumerate(zip(a, b, strict=True))][::-1]
        elif a != b:
            return f"{place} is {a!r:.80} and should be {b!r:.80}"
    return "the bytes differ although the values are the same (not canonical JSON)"
