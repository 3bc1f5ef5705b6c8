"""One verdict as a page of its own: what the judge found, and the whole transcript with its quotes in place.

Read-only and complete in one file, for somebody who has neither the ledger nor the transcript. What it holds is text; the
marks in it come from the verdict's offsets, not from searching.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from judge.ledger.decisions import REASONS, Matter, find_standing
from judge.ledger.verdict import Evidence, Finding, Verdict
from judge.report.cases import outcome
from judge.report.html import render_page
from judge.report.passages import Mark, Passage, passages
from judge.report.secrets import find_secrets, mask
from judge.rubrics.model import Criterion, Rubric
from judge.transcripts.model import Message, Part, Transcript

_FOLDED = 1_500  # characters of a tool's output beyond which it is folded, unless it is quoted


class ShownQuote(NamedTuple):
    """A quote of a finding, masked, and the anchor of its place in the transcript where there is one."""

    evidence: Evidence
    text: str
    anchor: str | None


class ShownFinding(NamedTuple):
    """A finding beside the criterion that it answers."""

    finding: Finding
    reason: str
    criterion: Criterion | None
    quotes: tuple[ShownQuote, ...]


class ShownPart(NamedTuple):
    """A part of a message, in passages."""

    part: Part
    title: str
    passages: list[Passage]
    folded: bool


class ShownMessage(NamedTuple):
    """A message: who, how that is to be taken, and its parts."""

    message: Message
    anchor: str
    who: str
    role: str  # a class of the page: target, planted or other
    parts: list[ShownPart]


def render_case(
    verdict: Verdict,
    rubric: Rubric | None,
    transcript: Transcript | None,
    *,
    matters: Sequence[Matter] = (),
    doubted: bool = False,
    masked: bool = True,
    version: str = "",
) -> str:
    """The page of one verdict and of what was said against it; without its transcript what was found alone.

    `matters` are the disputes of this verdict, in the order in which they were opened; `doubted` says that another verdict of
    this judge on this transcript was overturned.
    """
    secrets = _secrets_of(transcript) if masked else ()
    findings = list(_findings(verdict, rubric, transcript, secrets, masked=masked))
    places = {quote.anchor: quote.evidence for shown in findings for quote in shown.quotes if quote.anchor is not None}
    messages = [] if transcript is None else [_message(one, places, masked=masked) for one in transcript.messages]
    return render_page(
        "case.html",
        verdict=verdict,
        outcome=outcome(verdict),
        error=None if verdict.error is None else _mask(verdict.error, masked=masked),
        source=_mask(verdict.source or verdict.transcript_id, masked=masked),
        rubric=rubric,
        matters=matters,
        doubted=doubted,
        standing=find_standing(matters).get(verdict.verdict_id),
        reasons=REASONS,
        hide=lambda text: _mask(text, masked=masked, known=secrets),
        placed={_anchor(one.id) for one in transcript.messages} if transcript is not None else set(),
        findings=findings,
        messages=messages,
        transcript=transcript,
        masked=masked,
        version=version,
    )


def _findings(
    verdict: Verdict, rubric: Rubric | None, transcript: Transcript | None, secrets: Sequence[str], *, masked: bool
) -> Iterator[ShownFinding]:
    """Findings with what is met first. Numbers, not ids of the row, make the anchors: those come from code."""
    parts = {part.id for _, part in transcript.parts()} if transcript is not None else set()
    number = 0
    for finding in sorted(verdict.findings, key=lambda one: ("met", "unclear", "not_met").index(one.met)):
        quotes = []
        for item in finding.evidence:
            placed = item.part in parts and item.start is not None and item.end is not None
            number += placed
            text = _mask(item.quote, masked=masked, known=secrets)
            quotes.append(ShownQuote(item, text, f"q{number}" if placed else None))
        yield ShownFinding(
            finding=finding,
            reason=_mask(finding.reason, masked=masked, known=secrets),
            criterion=rubric.criterion(finding.criterion) if rubric else None,
            quotes=tuple(quotes),
        )


def _message(message: Message, places: Mapping[str, Evidence], *, masked: bool) -> ShownMessage:
    return ShownMessage(
        message=message,
        anchor=_anchor(message.id),
        who=_who(message),
        role="target" if message.by_target else "planted" if message.origin in ("injected", "prefill") else "other",
        parts=[_part(part, places, masked=masked) for part in message.parts],
    )


def _part(part: Part, places: Mapping[str, Evidence], *, masked: bool) -> ShownPart:
    marks = [
        Mark(item.start, item.end, item.admissible, item.match == "exact", anchor)
        for anchor, item in places.items()
        if item.part == part.id and item.start is not None and item.end is not None
    ]
    failed = f", {part.status}" if part.status in ("error", "denied", "timeout", "cancelled") else ""
    kind = "private reasoning" if part.kind == "reasoning" else part.kind.replace("_", " ")
    title = "" if part.kind == "text" and not failed else f"{kind} {part.tool or ''}".strip() + failed
    folded = part.kind in ("tool_result", "attachment") and len(part.text) > _FOLDED and not marks
    return ShownPart(part, title, passages(part.text, marks, masked=masked), folded)


def _who(message: Message) -> str:
    if message.by_target:
        return "target"
    if message.author == "target":
        return f"target, but {message.origin}: not its own words"
    return message.author


def _anchor(message_id: str) -> str:
    """An anchor for a message: its own id where that is the usual `m12`, else none that anything could guess."""
    return message_id if message_id[:1] == "m" and message_id[1:].isascii() and message_id[1:].isdigit() else "m"


def _secrets_of(transcript: Transcript | None) -> Sequence[str]:
    """Every secret in the transcript: a quote may hold one without the words that give it away."""
    if transcript is None:
        return ()
    found = {
        part.text[secret.start : secret.end] for _, part in transcript.parts() for secret in find_secrets(part.text)
    }
    return sorted(found, key=len, reverse=True)


def _mask(text: str, *, masked: bool, known: Sequence[str] = ()) -> str:
    if not masked:
        return text
    for secret in known:
        text = text.replace(secret, f"[masked: {len(secret)} characters]")
    return mask(text)
