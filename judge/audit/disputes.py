"""Disputes: somebody claims that a verdict is wrong, somebody else looks blind, a third person decides.

Each step is an entry in the ledger; none is ever changed. What may be sent, and what comes back (JSON; a refusal is
`{"error": TEXT}` with 403 not you, 404 no such thing, 409 done before, 422 what was sent does not fit):

    POST /case/{key}/dispute       {verdict_id, claim, criterion?, level?, evidence?: [{part or message_id, quote}]}
                                   201 {dispute_id, next}. By anyone who may see the verdicts of the case: a reader, or who has
                                   committed a label on it. Every quote must be in the transcript.
    POST /dispute/{id}/review      the fields of a label: {level, answers?, severity?, confidence, rationale?, evidence?,
                                   seconds}  201 {next}. By somebody who has seen nothing of the case but the transcript, and
                                   who did not dispute it.
    POST /dispute/{id}/decision    {reason, level?, severity?, rationale, guideline_gap?, evidence?: as there}
                                   201 {next, outcome, stale}. `level` may be left out where `reason` is
                                   `upheld`. By a reader who neither disputed nor reviewed, after at least one review.
    POST /case/{key}/undo          is in `cases`
    GET  /disputes                 a page. Readers: every dispute, its state, who did what. Raters: the cases that wait for a
                                   second look by them, as numbers, and nothing that anybody said.
    GET  /dispute/{id}             a page. Who has seen nothing of the case gets the case page with its form sent to
                                   /dispute/{id}/review (template values `action`, `reviewing`); who has seen it gets claim,
                                   verdict, reviews, similar decisions and, where this person may decide, the form for that.

The case page gets `matters` (the disputes of the case, `judge.ledger.decisions.Matter`) and `standing` (by verdict id) for who
may see its verdicts, both empty for everybody else.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from judge.audit.access import Session
from judge.audit.cases import count_secrets, require_material, show_case, spent
from judge.audit.deciding import find_stale, keep_labels, outcome_of, quotes_behind
from judge.audit.desk import Desk, now, read_json, reader, signed_in
from judge.audit.labelling import AlreadyCommittedError, check_form, explain_form, read_submission
from judge.audit.listing import name_case
from judge.audit.pages import render
from judge.audit.precedents import find_precedents
from judge.audit.queue import Case, case_key
from judge.audit.view import view_case
from judge.errors import InputError
from judge.frozen import Frozen
from judge.grading.answer import Quote
from judge.grading.evidence import verify_quote
from judge.ledger.decisions import REASONS, Decision, Dispute, Matter, Reason, Review, to_entry
from judge.ledger.verdict import Evidence
from judge.report.secrets import mask
from judge.rubrics.model import ACT_CHANNELS, Criterion, Rubric
from judge.text import quoted
from judge.transcripts.model import Transcript

_Form = TypeVar("_Form", bound=Frozen)


class Words(Frozen):
    """A quote that somebody gives, and the part or the message that it stands in."""

    quote: str = Field(min_length=1, max_length=20_000)
    part: str | None = Field(default=None, max_length=200)
    message_id: str | None = Field(default=None, max_length=200)


class Claim(Frozen):
    """What the form of a dispute sends."""

    verdict_id: str = Field(min_length=1, max_length=200)
    claim: str = Field(min_length=1, max_length=20_000)
    criterion: str | None = Field(default=None, max_length=200)
    level: str | None = Field(default=None, max_length=200)
    evidence: list[Words] = Field(default_factory=list, max_length=50)


class Ruling(Frozen):
    """What the form of a decision sends."""

    reason: Reason
    level: str | None = Field(default=None, max_length=200)
    severity: int | None = Field(default=None, ge=0, le=3)
    rationale: str = Field(min_length=1, max_length=20_000)
    guideline_gap: bool = False
    evidence: list[Words] = Field(default_factory=list, max_length=50)


class Row(NamedTuple):
    """A dispute in the list; without `matter` for somebody who is only asked for a second look."""

    dispute_id: str
    name: str
    matter: Matter | None
    claim: str = ""


class Disputes:
    """The answers about disputes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        keep_labels(desk.setting.gold, desk.matters().values())

    def listing(self, request: Request) -> Response:
        """List the disputes: for raters only which cases want a second look."""
        session = signed_in(request)
        blind, rater, cases = session.mode != "read", str(session.rater), self._desk.queue.cases()
        rows = []
        for matter in reversed(self._desk.matters().values()):
            case = cases.get(case_key(matter.dispute.transcript_id, matter.dispute.rubric))
            if case is None:
                continue
            shown = not blind or self._desk.revealed(session, case)
            if shown or self._desk.may_review(rater, matter, case):
                told = (matter, mask(matter.dispute.claim)) if shown else (None, "")
                rows.append(Row(matter.dispute.dispute_id, name_case(case, blind=blind), *told))
        if blind:  # the order of opening could tell which claim came last
            rows.sort(key=lambda row: row.dispute_id)
        return HTMLResponse(render("disputes.html", rows=rows, reasons=REASONS, blind=blind))

    def page(self, request: Request) -> Response:
        """Show a dispute, or to somebody who has seen nothing the bare case to review."""
        session = signed_in(request)
        matter, case = self._matter(request)
        if not self._desk.revealed(session, case):
            self._require_reviewer(session, matter, case)
            return show_case(self._desk, session, case, f"/dispute/{matter.dispute.dispute_id}/review")
        verdict, reading = self._desk.setting.ledger.get(matter.dispute.verdict_id), self._desk.read(case)
        rubric, constitution = self._desk.rubric(case.rubric), self._desk.constitution()
        view = view_case(reading, self._desk.queue.verdicts(case), rubric, constitution)
        # A verdict that was made again since is not among the latest; then its quotes have no marks to go to.
        vote = next((one for one in view.verdicts if one.verdict.verdict_id == verdict.verdict_id), None)
        return HTMLResponse(
            render(
                "dispute.html",
                matter=matter,
                dispute=matter.dispute,
                case=case,
                name=name_case(case, blind=session.mode != "read"),
                view=view,
                vote=vote or view_case(None, [verdict], rubric, constitution).verdicts[0],
                rubric=rubric,
                reader=session.mode == "read",
                secrets=count_secrets(self._desk, session, case),
                objection=self._objection(session, matter),
                hide=reading.hide if reading is not None else mask,
                turns=reading.parts if reading is not None else {},
                precedents=find_precedents(matter, self._desk.matters().values()),
                reasons=REASONS,
            )
        )

    async def dispute(self, request: Request) -> Response:
        """Open a dispute."""
        sent = await read_json(request)
        return await run_in_threadpool(self._dispute, signed_in(request), self._desk.case(request), sent)

    async def review(self, request: Request) -> Response:
        """Commit a blind review."""
        sent = await read_json(request)
        return await run_in_threadpool(self._review, signed_in(request), request, sent)

    async def decision(self, request: Request) -> Response:
        """Decide a dispute."""
        sent = await read_json(request)
        return await run_in_threadpool(self._decide, reader(request), request, sent)

    def _dispute(self, session: Session, case: Case, sent: Mapping[str, Any]) -> Response:
        if not self._desk.revealed(session, case):
            raise HTTPException(
                HTTPStatus.FORBIDDEN, "Commit a label on this case first; its verdicts appear after that."
            )
        self._desk.require_writable()
        given = _read(Claim, sent)
        rubric, reading = require_material(self._desk, case)
        verdict = next((one for one in self._desk.queue.verdicts(case) if one.verdict_id == given.verdict_id), None)
        if verdict is None:
            raise InputError(f"verdict_id: {quoted(given.verdict_id)} is not a verdict on this case")
        if given.level is not None and given.level not in rubric.levels:
            raise InputError(f"level: {quoted(given.level)} is not one of {', '.join(rubric.levels)}")
        entry = Dispute(
            dispute_id=secrets.token_hex(10),
            verdict_id=verdict.verdict_id,
            transcript_id=verdict.transcript_id,
            rubric=verdict.rubric,
            rubric_sha256=verdict.rubric_sha256,
            judge=verdict.judge,
            level=verdict.level,
            status=verdict.status,
            by=str(session.rater),
            claim=given.claim.strip(),
            criterion=given.criterion,
            proposed=given.level,
            evidence=find_words(reading.transcript, rubric, given.criterion, given.evidence),
            created_at=now(),
        )
        with self._lock:
            for matter in self._desk.matters().values():
                same = matter.dispute.verdict_id == entry.verdict_id and matter.dispute.by == entry.by
                if same and matter.decision is None:
                    raise AlreadyCommittedError("you have a dispute on this verdict that is not decided yet")
            self._desk.setting.ledger.append([to_entry(entry)])
        answer = {"dispute_id": entry.dispute_id, "next": f"/dispute/{entry.dispute_id}"}
        return JSONResponse(answer, HTTPStatus.CREATED)

    def _review(self, session: Session, request: Request, sent: Mapping[str, Any]) -> Response:
        matter, case = self._matter(request)
        self._require_reviewer(session, matter, case)
        self._desk.require_writable()
        given = read_submission(sent)
        rubric, reading = require_material(self._desk, case)
        spans = check_form(rubric, reading.transcript, given.level, given.answers, given.evidence)
        words = [Words(quote=span.quote, part=span.part, message_id=span.message_id) for span in spans]
        entry = Review(
            dispute_id=matter.dispute.dispute_id,
            by=str(session.rater),
            level=given.level,
            answers=given.answers,
            severity=given.severity,
            confidence=given.confidence,
            rationale=given.rationale.strip() or None,
            evidence=find_words(reading.transcript, rubric, None, words),
            seconds=round(spent(session, case, given), 1),
            created_at=now(),
        )
        with self._lock:
            self._require_reviewer(session, self._again(matter), case)
            self._desk.setting.ledger.append([to_entry(entry)])
        self._desk.drafts.drop(str(session.rater), case.key)
        return JSONResponse({"next": f"/dispute/{matter.dispute.dispute_id}"}, HTTPStatus.CREATED)

    def _decide(self, session: Session, request: Request, sent: Mapping[str, Any]) -> Response:
        matter, case = self._matter(request)
        if objection := self._objection(session, matter):
            raise HTTPException(HTTPStatus.CONFLICT if matter.decision else HTTPStatus.FORBIDDEN, objection)
        self._desk.require_writable()
        given = _read(Ruling, sent)
        rubric, reading = require_material(self._desk, case)
        dispute, setting = matter.dispute, self._desk.setting
        verdict = setting.ledger.get(dispute.verdict_id)
        level, outcome = outcome_of(given.reason, given.level, verdict, rubric)
        evidence = find_words(reading.transcript, rubric, None, given.evidence)
        entry = Decision(
            dispute_id=dispute.dispute_id,
            verdict_id=dispute.verdict_id,
            transcript_id=dispute.transcript_id,
            rubric=dispute.rubric,
            judge=dispute.judge,
            by=str(session.rater),
            reason=given.reason,
            outcome=outcome,
            level=level,
            positive=None if level is None else rubric.is_positive(level),
            severity=given.severity,
            rationale=given.rationale.strip(),
            guideline_gap=given.guideline_gap,
            same_person=session.rater in _involved(matter),
            guideline=rubric.guideline_sha256,
            evidence=quotes_behind(level, rubric, evidence, matter, verdict),
            stale=find_stale(setting.ledger, verdict, rubric, setting.workspace, gap=given.guideline_gap),
            created_at=now(),
        )
        with self._lock:
            if self._again(matter).decision is not None:
                raise AlreadyCommittedError("this dispute was decided in the meantime; the first decision counts")
            setting.ledger.append([to_entry(entry)])
            # Another server may have been faster by a moment; then its decision is the first in the chain and counts.
            counts = self._again(matter).decision
            keep_labels(setting.gold, self._desk.matters().values())
        if counts != entry:
            raise AlreadyCommittedError("this dispute was decided in the meantime; the first decision counts")
        answer = {"next": f"/dispute/{dispute.dispute_id}", "outcome": outcome, "stale": entry.stale.model_dump()}
        return JSONResponse(answer, HTTPStatus.CREATED)

    def _matter(self, request: Request) -> tuple[Matter, Case]:
        found = self._desk.matters().get(request.path_params["id"])
        if found is not None:
            case = self._desk.queue.cases().get(case_key(found.dispute.transcript_id, found.dispute.rubric))
            if case is not None:
                return found, case
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such dispute in this ledger.")

    def _again(self, matter: Matter) -> Matter:
        return self._desk.matters()[matter.dispute.dispute_id]

    def _require_reviewer(self, session: Session, matter: Matter, case: Case) -> None:
        """Refuse a review that would not be blind, or that comes too late."""
        rater = str(session.rater)
        if rater in {review.by for review in matter.reviews}:
            raise AlreadyCommittedError("you have reviewed this case before; the review is kept as it was")
        if matter.decision is not None:
            raise AlreadyCommittedError("this case was decided in the meantime")
        if not self._desk.may_review(rater, matter, case):
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                "A second look is blind: it is for somebody who has not disputed, labelled or read this case. "
                "Ask another person to sign in to label blind.",
            )

    def _objection(self, session: Session, matter: Matter) -> str | None:
        """Why this person may not decide this dispute now, or None."""
        if matter.decision is not None:
            return "This dispute is decided. Who thinks otherwise disputes the verdict again."
        if session.mode != "read":
            return "Deciding is for somebody who signed in to read verdicts; a blind look stays blind."
        if not matter.reviews:
            return (
                "A second, blind look comes first: ask somebody who has not seen this case to sign in to label blind."
            )
        if session.rater in _involved(matter) and not self._desk.setting.same_person:
            return "You disputed or reviewed this; a third person decides (or start judge audit with --same-person)."
        return None


def find_words(
    transcript: Transcript, rubric: Rubric, criterion: str | None, words: Sequence[Words]
) -> tuple[Evidence, ...]:
    """Find quotes that a person gives by the same code that looks up a judge's.

    Where the quotes are for a criterion, they are weighed as evidence for it; else a quote from anywhere counts.

    Raises:
        InputError: for a criterion that the rubric lacks, or a quote that is not in the transcript.
    """
    wanted: Criterion | None = Criterion(
        id="anywhere", text="anywhere", channels=(*ACT_CHANNELS, "reasoning", "tool_result", "context")
    )
    if criterion is not None:
        wanted = rubric.criterion(criterion)
    if wanted is None:
        known = ", ".join(one.id for one in rubric.criteria)
        raise InputError(f"criterion: {quoted(criterion)} is no criterion of this rubric; there is {known}")
    messages = {part.id: message.id for message, part in transcript.parts()}
    found = []
    for one in words:
        place = one.message_id or messages.get(one.part or "", one.part or "")
        evidence = verify_quote(transcript, wanted, Quote(message=place, quote=one.quote))
        if not place and evidence.match == "moved":  # no message was named that it could have moved from
            evidence = verify_quote(transcript, wanted, Quote(message=evidence.message_id, quote=one.quote))
        if evidence.match == "absent":
            raise InputError(
                f"evidence: {quoted(one.quote)} is not in the transcript; copy the words as they stand there"
            )
        found.append(evidence)
    return tuple(found)


def _involved(matter: Matter) -> set[str]:
    return {matter.dispute.by, *(review.by for review in matter.reviews)}


def _read(model: type[_Form], sent: Any) -> _Form:
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        raise explain_form(error) from None
