"""Labels given on the page: what a rater sends is checked against rubric and transcript, then appended to the rater's file.

A second commit on the same case is refused, so that two tabs cannot give one label twice. Who takes a label back adds a row
that withdraws it and may then give another one, which is not blind: the first commit had shown what others said.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.labels import append_labels, latest, mend_labels, read_labels, withdraw
from judge.gold.model import Arm, Label, Span
from judge.ledger.verdict import Met
from judge.rubrics.model import Rubric
from judge.text import hidden, quoted
from judge.transcripts.model import Transcript

Item = tuple[str, str]


class AlreadyCommittedError(InputError):
    """This rater has given a label on this case before."""


class Selection(Frozen):
    """Words that a rater marked, as the page showed them, and the part that they stand in."""

    part: str = Field(max_length=200)
    quote: str = Field(min_length=1, max_length=20_000)


class Submission(Frozen):
    """What the form sends. `answers` are to single criteria, by their ids."""

    level: str = Field(max_length=200)
    answers: dict[str, Met] = Field(default_factory=dict, max_length=200)
    severity: int | None = Field(default=None, ge=0, le=3)
    confidence: int = Field(ge=1, le=5)
    rationale: str = Field(default="", max_length=20_000)
    evidence: list[Selection] = Field(default_factory=list, max_length=50)
    seconds: float = Field(ge=0, le=86_400 * 7)


class Labels:
    """The label files of a gold folder. Safe to use from several threads; another process may append as well."""

    def __init__(self, gold: Path) -> None:
        self._folder = gold / "labels"
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, int], list[Label]]] = {}
        for path in self._folder.glob("*.jsonl"):
            mend_labels(path)

    def on(self, item: Item) -> list[Label]:
        """Every label on a case that counts, in the order of the files."""
        return [label for label in latest(self._every()) if (label.transcript_id, label.rubric) == item]

    def done(self, rater: str) -> set[Item]:
        """The cases on which this rater has committed."""
        return {(one.transcript_id, one.rubric) for one in latest(self._by(rater)) if one.criterion is None}

    def ever(self, rater: str, item: Item) -> bool:
        """Whether this rater has committed on a case, also where the label was withdrawn since."""
        return any((one.transcript_id, one.rubric) == item for one in self._by(rater))

    def commit(self, labels: Sequence[Label]) -> None:
        """Keep one rater's label on one case with the answers to its criteria; it is on disk when this returns.

        The label stands last among the rows: where a crash kept the others alone, the case was not committed.

        Raises:
            AlreadyCommittedError: if the rater has one on this case, or had one that showed what a label said to be blind
                must not have seen.
            InputError: if the file cannot be written.
        """
        label = labels[-1]

        def check() -> None:
            if (label.transcript_id, label.rubric) in self.done(label.rater):
                raise AlreadyCommittedError("you have committed a label on this case before; it is kept as it was")
            if label.blind and self.ever(label.rater, (label.transcript_id, label.rubric)):
                raise AlreadyCommittedError("you have withdrawn a label on this case in the meantime; commit again")

        with self._lock:
            append_labels(self._path(label.rater), labels, check)

    def withdraw(self, rater: str, item: Item, at: str) -> list[Label]:
        """Take back this rater's label on a case, by further rows, and return what it said.

        Raises:
            InputError: if there is none, or the file cannot be written.
        """
        with self._lock:
            given = [one for one in latest(self._by(rater)) if (one.transcript_id, one.rubric) == item]
            if not given:
                raise InputError("you have no label on this case that could be withdrawn")

            def check() -> None:
                if item not in self.done(rater):
                    raise InputError("the label was withdrawn in the meantime")

            append_labels(self._path(rater), withdraw(given, at), check)
            return given

    def _by(self, rater: str) -> list[Label]:
        return [one for one in self._load(self._path(rater)) if one.rater == rater]

    def _every(self) -> Iterator[Label]:
        for path in sorted(self._folder.glob("*.jsonl")):
            yield from self._load(path)

    def _load(self, path: Path) -> list[Label]:
        """The rows of a file, read again when it has changed."""
        try:
            state = path.stat()
        except FileNotFoundError:
            return []
        stamp = state.st_mtime_ns, state.st_size
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = stamp, read_labels(path)
            self._read[path] = known
        return known[1]

    def _path(self, rater: str) -> Path:
        return self._folder / f"{rater}.jsonl"


def read_submission(sent: Any) -> Submission:
    """Read what the form sent.

    Raises:
        InputError: naming the field, if it is not a submission.
    """
    try:
        return Submission.model_validate(sent)
    except ValidationError as error:
        raise explain_form(error) from None


def explain_form(error: ValidationError) -> InputError:
    """Say which field of a form is wrong, and how."""
    first = error.errors(include_url=False)[0]
    return InputError(f"{'.'.join(map(str, first['loc'])) or 'the form'}: {first['msg']}")


def make_labels(
    sent: Submission,
    rubric: Rubric,
    transcript: Transcript,
    rater: str,
    *,
    named: str,
    blind: bool,
    seconds: float,
    arm: Arm | None = None,
) -> list[Label]:
    """Make labels of a submission: one per criterion that was answered, and the label itself last.

    `named` is what the case calls its rubric, which may be one of its everyday names; labels are matched by it.

    Raises:
        InputError: for a level or criterion that is not the rubric's, marked words that are not in the transcript, or a
            positive level without any.
    """
    evidence = check_form(rubric, transcript, sent.level, sent.answers, sent.evidence)
    every: dict[str, Any] = {
        "transcript_id": transcript.id,
        "rubric": named,
        "rater": rater,
        "rater_kind": "human",
        "guideline": rubric.guideline_sha256,
        "blind": blind,
        "arm": arm,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    answers = [Label(**every, criterion=name, label=met) for name, met in sent.answers.items()]
    label = Label(
        **every,
        label=sent.level,
        severity=sent.severity,
        rationale=sent.rationale.strip() or None,
        evidence=evidence,
        confidence=sent.confidence,
        seconds=round(seconds, 1),
    )
    return [*answers, label]


def check_form(
    rubric: Rubric,
    transcript: Transcript,
    level: str,
    answers: Mapping[str, Met],
    marked: Sequence[Selection],
) -> tuple[Span, ...]:
    """Check what a person says about a case, and return where the marked words stand.

    Raises:
        InputError: for a level or criterion that is not the rubric's, marked words that are not in the transcript, or a
            positive level without any.
    """
    if level not in rubric.levels:
        raise InputError(f"level: {quoted(level)} is not one of {', '.join(rubric.levels)}")
    known = [criterion.id for criterion in rubric.criteria]
    if unknown := [name for name in answers if name not in known]:
        raise InputError(f"answers: {quoted(unknown[0])} is no criterion of this rubric; there is {', '.join(known)}")
    evidence = tuple(_find(one, transcript) for one in marked)
    if rubric.is_positive(level) and not evidence:
        raise InputError(f"evidence: {level} needs a quote; select the decisive words and press e")
    return evidence


def _find(one: Selection, transcript: Transcript) -> Span:
    """Where marked words stand; the page shows invisible characters in words, so they are turned back first."""
    for message, part in transcript.parts():
        if part.id == one.part:
            quote = hidden(one.quote)
            start = part.text.find(quote)
            if start < 0:
                raise InputError(
                    f"evidence: {quoted(one.quote)} is not in {part.id} as marked; mark words without anything masked or cut"
                )
            return Span(message_id=message.id, quote=quote, part=part.id, start=start, end=start + len(quote))
    raise InputError(f"evidence: the transcript has no part {quoted(one.part)}")
