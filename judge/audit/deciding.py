"""What follows from a decision: its outcome, what it makes doubtful, and the label that goes into the gold set.

The label's rater kind is `adjudicated`: one person's word, given with the judge's verdict in sight, so it is never counted
as a blind human label. It is derived from the ledger, which comes first: a label that a crash kept from being written is
written at the next start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from judge.calibration.certificate import CERTIFICATES, RECORDS
from judge.errors import InputError
from judge.gold.labels import append_labels, read_labels
from judge.gold.model import Label, Span
from judge.ledger.decisions import Decision, Matter, Outcome, Reason, Stale
from judge.ledger.store import Ledger, Select
from judge.ledger.verdict import Evidence, Verdict
from judge.rubrics.model import Rubric
from judge.text import quoted

# No rater can be called like this, so decisions never stand in a rater's file, and never take the place of their labels.
LABEL_FILE: Final = "_decisions.jsonl"
PREFIX: Final = "adjudicator:"


def outcome_of(reason: Reason, level: str | None, verdict: Verdict, rubric: Rubric) -> tuple[str | None, Outcome]:
    """Return the right level and whether the verdict stands: it is overturned where the right level is another.

    Raises:
        InputError: for a level that is not the rubric's, one that does not go with the reason, or none.
    """
    if level is None:
        if reason != "upheld":
            raise InputError("level: say which level is right")
        level = verdict.level
    elif level not in rubric.levels:
        raise InputError(f"level: {quoted(level)} is not one of {', '.join(rubric.levels)}")
    same = level == verdict.level
    if reason == "upheld" and not same:
        raise InputError(f"reason: a verdict that is upheld keeps its level, {verdict.level or 'none'}")
    if reason == "judge_wrong" and same:
        raise InputError(f"level: {level} is what the judge said; the reason for that is upheld, or another one")
    return level, "upheld" if same else "overturned"


def quotes_behind(
    level: str | None, rubric: Rubric, given: Sequence[Evidence], matter: Matter, verdict: Verdict
) -> tuple[Evidence, ...]:
    """Return the quotes that the right level stands on: the adjudicator's, else the reviewers', else the verdict's own.

    Raises:
        InputError: for a positive level that nobody gave a quote for.
    """
    if given or level is None or not rubric.is_positive(level):
        return tuple(given)
    reviewed = [one for review in matter.reviews if review.level == level for one in review.evidence]
    quoted_for = [one for finding in verdict.findings for one in finding.evidence if one.admissible]
    own = list({(one.part, one.start, one.end, one.quote): one for one in quoted_for}.values())
    found = reviewed or (own if verdict.level == level else [])
    if not found:
        raise InputError(f"evidence: {level} needs a quote, and neither a review nor the verdict gives one for it")
    return tuple(found)


def find_stale(book: Ledger, verdict: Verdict, rubric: Rubric, workspace: Path | None, *, gap: bool) -> Stale:
    """Find what a decision on a verdict makes doubtful: what the same judge said, certificates, the guideline."""
    alike = Select(rubric=(verdict.rubric,), judge=(verdict.judge,))
    others = book.verdicts(alike.model_copy(update={"transcript_id": (verdict.transcript_id,)}))
    return Stale(
        verdicts=tuple(one.verdict_id for one in others if one.verdict_id != verdict.verdict_id),
        same_judge=sum(book.counts(select=alike).values()) - 1,
        certificates=tuple(_certificates(workspace, verdict)) if workspace is not None else (),
        guideline=rubric.guideline_sha256 if gap else None,
    )


def keep_labels(gold: Path, matters: Iterable[Matter]) -> int:
    """Write the labels of decisions that have none yet, and return how many.

    Raises:
        InputError: if the file cannot be read or written.
    """
    path = gold / "labels" / LABEL_FILE
    wanted = [
        make_label(one.decision) for one in matters if one.decision is not None and one.decision.level is not None
    ]
    while missing := _missing(path, wanted):

        def check(told: list[Label] = missing) -> None:
            if _missing(path, told) != told:
                raise _KeptMeanwhileError

        with suppress(_KeptMeanwhileError):
            append_labels(path, missing, check)
            return len(missing)
    return 0


def make_label(decision: Decision) -> Label:
    """Make the gold set's label of a decision that has a level."""
    return Label(
        transcript_id=decision.transcript_id,
        rubric=decision.rubric,
        rater=f"{PREFIX}{decision.by}",
        rater_kind="adjudicated",
        label=str(decision.level),
        guideline=decision.guideline,
        severity=decision.severity,
        rationale=f"dispute {decision.dispute_id}, {decision.reason}: {decision.rationale}",
        evidence=tuple(
            Span(message_id=one.message_id, quote=one.quote, part=one.part, start=one.start, end=one.end)
            for one in decision.evidence
        ),
        blind=False,
        created_at=decision.created_at,
    )


class _KeptMeanwhileError(Exception):
    """Another server on the same folder has written some of these labels; never leaves this module."""


def _missing(path: Path, wanted: Sequence[Label]) -> list[Label]:
    there = read_labels(path) if wanted and path.is_file() else []
    return sorted((label for label in wanted if label not in there), key=lambda label: str(label.created_at))


def _certificates(workspace: Path, verdict: Verdict) -> Iterable[str]:
    """Certificates of the rubric whose record holds the transcript, or has no record that tells.

    A certificate is about labels, so whichever judge it certifies, it was computed on labels that were now looked at again.
    """
    folder = workspace / "calibration"
    for path in sorted((folder / CERTIFICATES).glob("*.json")):
        try:
            identity = orjson.loads(path.read_bytes()).get("identity", {})
        except (OSError, orjson.JSONDecodeError, AttributeError):
            continue  # not a certificate: `judge certify` says so, it is not this page's business
        if identity.get("rubric") == verdict.rubric and _may_hold(folder / RECORDS / path.name, verdict.transcript_id):
            yield path.relative_to(workspace).as_posix()


def _may_hold(record: Path, transcript_id: str) -> bool:
    try:
        return transcript_id.encode() in record.read_bytes()
    except OSError:
        return True
