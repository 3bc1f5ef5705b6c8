"""`judge calibrate --certify` and `--verify`: a judge is certified or it isn't, and anyone can check which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from judge.cli.common import ledger_path, load_gold_set, print_json, say
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.calibration.certificate import Certificate
    from judge.calibration.drift import Drift
    from judge.calibration.records import Opening, Record
    from judge.ledger.verdict import Verdict
    from judge.rubrics.model import Scale

# What a shell sees: only "certified" is success.
EXIT = {"certified": 0, "refused": 1, "insufficient": 6, "provisional": 6}


def certify(
    verdicts: Sequence[Verdict],
    scales: Mapping[str, Scale],
    *,
    protocol: str,
    gold: Path | None,
    positive: Sequence[str],
    to: Path | None,
    ledger: str | None,
    workspace: Path | None,
    json: bool,
) -> None:
    """Certify each judge on each rubric of the verdicts, together; ends with the exit code of the worst decision.

    Raises:
        InputError: if something does not fit; then no split has been opened.
    """
    from judge.calibration.certificate import write_certificate
    from judge.calibration.multiplicity import bind_together
    from judge.calibration.opening import list_openings, log_openings, plan_opening
    from judge.calibration.protocol import load_protocol
    from judge.calibration.records import build_record, identify, match_record, take_answers, take_split
    from judge.ledger.opening import open_ledger
    from judge.report.certificates import describe_certificate
    from judge.report.wrapping import tell
    from judge.text import quoted
    from judge.workspace import resolve_workspace

    here = resolve_workspace(workspace)
    frozen = load_protocol(protocol, here)
    held = load_gold_set(gold, workspace)
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for row in verdicts:
        groups.setdefault((row.rubric, row.judge), []).append(row)
    folder = to or (here or Path()) / "calibration"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made_with = {name: version(name) for name in ("transcript-judge", "numpy", "scipy", "krippendorff")}
    records: list[Record] = []
    new: list[Opening] = []
    with open_ledger(ledger_path(ledger, workspace)) as book:
        for (rubric, _), rows in sorted(groups.items()):
            split = take_split(held.items, held.transcripts, held.labels, rubric, frozen.split)
            answers = take_answers(rows, split)
            if not answers:
                raise InputError(
                    f"no verdict of {quoted(rows[0].judge)} on {rubric} is about split {frozen.split!r} of this gold set; "
                    f"nothing was opened; next: judge grade {held.folder}/transcripts -r {rubric} -m {rows[0].judge}"
                )
            past = [*list_openings(book, rubric), *(one for one in new if one.identity.rubric == rubric)]
            opening = plan_opening(past, frozen, identify(rows), split, answers, now)
            new += [opening] if opening not in past else []
            scale = scales.get(rubric)
            record = build_record(frozen, split, answers, opening, scale=scale, positive=positive, made_with=made_with)
            match_record(record)
            records.append(record)
        # What does not fit was said before any split is opened: a mistake must not use up the look.
        log_openings(book, new)
    worst = 0
    for record in bind_together(records):
        issued = write_certificate(record, folder)
        worst = max(worst, EXIT[issued.certificate.decision])
        if json:
            print_json(issued.certificate.model_dump(mode="json", by_alias=True) | {"path": str(issued.path)})
        else:
            tell(describe_certificate(issued.certificate))
        say(f"{issued.path}\n{issued.record_path}", quiet=json)
    if worst:
        raise typer.Exit(worst)


def verify(path: Path, verdicts: Iterable[Verdict], *, look: int, workspace: Path | None, json: bool) -> None:
    """Compute a certificate again, and say whether it still holds. `look`: which check of its anchors this is.

    Raises:
        NotCalibratedError: if it recomputes but is void: it expired, or what it was given for has changed.
    """
    from judge.calibration.certificate import verify_certificate, why_void
    from judge.errors import NotCalibratedError
    from judge.report.certificates import describe_certificate, describe_drift
    from judge.report.wrapping import tell

    newer = list(verdicts)
    certificate = verify_certificate(path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rubric = _rubric_now(certificate, workspace)
    void = why_void(certificate, now=now, rubric_sha256=rubric, verdicts=newer)
    drift = _look_for_drift(path, newer, look)
    if drift is not None:
        void += drift.drifted
    if json:
        print_json(
            {
                "path": str(path),
                "recomputes": True,
                "decision": certificate.decision,
                "level": certificate.level,
                "void": void,
                "drift": None if drift is None else drift.model_dump(mode="json"),
            }
        )
    else:
        tell(describe_certificate(certificate))
        if drift is not None:
            tell(describe_drift(drift))
        say("recomputed from its record: the same bytes")
    if void:
        raise NotCalibratedError(f"{path}: the certificate is void: {'; '.join(void)}")


def require_certificate(path: Path, verdicts: Sequence[Verdict], workspace: Path | None) -> str:
    """Return the level of a certificate that covers all of these verdicts.

    Raises:
        NotCalibratedError: if it is no certificate that a judge passed, is void, or is for another judge or rubric.
    """
    from judge.calibration.certificate import verify_certificate, why_void
    from judge.errors import NotCalibratedError

    certificate = verify_certificate(path)
    who = certificate.identity
    if certificate.decision != "certified" or certificate.level is None:
        raise NotCalibratedError(f"{path}: {who.judge} is not certified on {who.rubric}: {certificate.decision}")
    others = sorted({f"{row.judge} on {row.rubric}" for row in verdicts} - {f"{who.judge} on {who.rubric}"})
    if others:
        raise NotCalibratedError(
            f"{path}: is for {who.judge} on {who.rubric}, not for {', '.join(others[:5])}; choose with -m and -r"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if void := why_void(certificate, now=now, rubric_sha256=_rubric_now(certificate, workspace), verdicts=verdicts):
        raise NotCalibratedError(f"{path}: the certificate is void: {'; '.join(void)}")
    return certificate.level


def _look_for_drift(path: Path, newer: Sequence[Verdict], look: int) -> Drift | None:
    """What newer verdicts on the certificate's own items say; None where there are none."""
    from judge.calibration.certificate import read_record
    from judge.calibration.drift import measure_drift

    record = read_record(path)
    named = {item.transcript_id for item in record.items}
    who = (record.identity.judge, record.identity.rubric)
    if not any(row.transcript_id in named and (row.judge, row.rubric) == who for row in newer):
        return None
    return measure_drift(record, newer, look)


def _rubric_now(certificate: Certificate, workspace: Path | None) -> str | None:
    """The hash of the rubric as it is here now; None where it is not here."""
    from judge.rubrics.loading import list_rubrics, load_rubric
    from judge.workspace import resolve_workspace

    here = resolve_workspace(workspace)
    name = certificate.identity.rubric
    return load_rubric(name, here).sha256 if name in {listed.id for listed in list_rubrics(here)} else None
