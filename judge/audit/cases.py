"""The queue and the cases: what is listed, what a case shows to whom, labels, drafts and taking a label back.

For a rater who has not committed on a case its verdicts and labels are not read at all, and lists are built without them.
Where the page was told to show a share of cases with the verdicts first (`Setting.show_before`), those show the verdicts
and still no label.

What may be sent, and what comes back (JSON; a refusal is `{"error": TEXT}`):

    POST /case/{key}/label   {level, answers?: {criterion: met|not_met|unclear}, severity?, confidence, rationale?,
                              evidence?: [{part, quote}], seconds}           201 {next}; 409 if committed before
    POST /case/{key}/draft   any of the same fields                         200 {saved: TIME}; 409 if committed before
    GET  /case/{key}/draft                                                  200 {draft: {...} or null}: one's own alone
    POST /case/{key}/undo    {}                                             200 {next, draft}: the label is withdrawn
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from judge.audit.access import Session
from judge.audit.desk import Desk, item_of, now, read_json, session_of, signed_in
from judge.audit.drafts import Draft, read_draft
from judge.audit.labelling import AlreadyCommittedError, Selection, Submission, make_labels, read_submission
from judge.audit.listing import list_cases, name_case
from judge.audit.pages import render
from judge.audit.queue import Case
from judge.audit.reading import CHUNK, Reading
from judge.audit.view import cite, count_unseen, mark_quotes, view_case
from judge.errors import InputError
from judge.gold.model import Label
from judge.ledger.decisions import find_standing
from judge.ledger.verdict import Verdict
from judge.rubrics.model import Rubric


class Cases:
    """The answers about queue and cases."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def queue(self, request: Request) -> Response:
        """List the cases: for a blind rater without anything that a verdict says."""
        session = session_of(request)
        cases = self._desk.queue.cases()
        if session.rater is None:
            return HTMLResponse(render("sign_in.html", cases=len(cases)))
        blind = session.mode != "read"
        committed = self._desk.labels.done(session.rater)
        done = {key for key, case in cases.items() if item_of(case) in committed}
        asked = {name: request.query_params.get(name, "") for name in ("show", "rubric")}
        page = request.query_params.get("page", "1")
        order = [cases[key] for key in self._desk.order(session, cases)]
        listed = list_cases(order, done, asked, blind=blind, page=int(page) if page.isdecimal() else 1)
        first = next((row["case"].key for row in listed["rows"] if not row["done"]), None)
        return HTMLResponse(
            render("queue.html", **listed, rater=session.rater, waiting=self._desk.waiting(session, cases)),
            background=BackgroundTask(self._desk.fetch, first),
        )

    def case(self, request: Request) -> Response:
        """Show one case; verdicts and labels only to who reads verdicts or has committed on it."""
        session, case = signed_in(request), self._desk.case(request)
        return show_case(self._desk, session, case, f"/case/{case.key}/label")

    def turns(self, request: Request) -> Response:
        """Show a stretch of a case's turns, as its page shows them to this person."""
        session, case = signed_in(request), self._desk.case(request)
        reading = self._desk.read(case)
        first = request.query_params.get("from", "")
        if reading is None or not first.isdecimal():
            raise HTTPException(HTTPStatus.NOT_FOUND, "There are no such turns.")
        verdicts = read_verdicts(self._desk, session, case)
        marks, unseen = mark_quotes(verdicts, reading), count_unseen(verdicts)
        shown = reading.turns(int(first), int(first) + CHUNK - 1, marks, unseen)
        return HTMLResponse(render("turns.html", messages=shown, judges=len(verdicts)))

    def find(self, request: Request) -> Response:
        """Say in which turns of a case words stand. What a verdict says is not searched."""
        signed_in(request)
        reading = self._desk.read(self._desk.case(request))
        hits = reading.find(request.query_params.get("words", "")) if reading is not None else []
        return JSONResponse({"hits": hits})

    async def label(self, request: Request) -> Response:
        """Commit a label."""
        sent = await read_json(request)
        return await run_in_threadpool(self._commit, signed_in(request), self._desk.case(request), sent)

    async def save(self, request: Request) -> Response:
        """Keep what stands in a form that is not committed."""
        sent = await read_json(request)
        return await run_in_threadpool(self._save, signed_in(request), self._desk.case(request), sent)

    def draft(self, request: Request) -> Response:
        """Give back what this rater's form held."""
        session, case = signed_in(request), self._desk.case(request)
        draft = self._desk.drafts.load(str(session.rater), case.key)
        return JSONResponse({"draft": None if draft is None else draft.model_dump(mode="json")})

    async def undo(self, request: Request) -> Response:
        """Withdraw one's label on a case; what it said becomes the draft of the next one."""
        await read_json(request)
        return await run_in_threadpool(self._undo, signed_in(request), self._desk.case(request))

    def _commit(self, session: Session, case: Case, sent: Mapping[str, Any]) -> Response:
        desk, rater = self._desk, str(session.rater)
        desk.require_writable()
        given = read_submission(sent)
        rubric, reading = require_material(desk, case)
        blind = desk.unseen(rater, case)
        arm = desk.arm(session, case)
        drawn = arm if not desk.sight.is_reader(rater) and not desk.labels.ever(rater, item_of(case)) else None
        rows = make_labels(
            given,
            rubric,
            reading.transcript,
            rater,
            named=case.rubric,
            blind=blind,
            seconds=spent(session, case, given),
            arm=drawn,
        )
        desk.labels.commit(rows)
        desk.drafts.drop(rater, case.key)
        return JSONResponse({"next": f"/case/{case.key}"}, HTTPStatus.CREATED)

    def _save(self, session: Session, case: Case, sent: Mapping[str, Any]) -> Response:
        rater = str(session.rater)
        draft = read_draft(sent)
        if item_of(case) in self._desk.labels.done(rater):
            raise AlreadyCommittedError("you have committed a label on this case; there is nothing left to draft")
        self._desk.drafts.save(rater, case.key, draft)
        return JSONResponse({"saved": now()})

    def _undo(self, session: Session, case: Case) -> Response:
        rater, item = str(session.rater), item_of(case)
        draft = _as_draft(self._desk.labels.withdraw(rater, item, now()))
        self._desk.drafts.save(rater, case.key, draft)
        return JSONResponse({"next": f"/case/{case.key}", "draft": draft.model_dump(mode="json")})


def show_case(desk: Desk, session: Session, case: Case, action: str) -> Response:
    """Answer with a case's page, whose form goes to `action`."""
    rater = str(session.rater)
    reveal = desk.revealed(session, case)
    verdicts = read_verdicts(desk, session, case)
    labels = [one for one in desk.labels.on(item_of(case)) if one.criterion is None] if reveal else []
    session.opened.setdefault(case.key, time.monotonic())
    rubric = desk.rubric(case.rubric)
    previous, following = _neighbours(desk, session, case)
    constitution = desk.constitution()
    matters = [] if not reveal else [one for one in desk.matters().values() if _is_about(one.dispute, case)]
    return HTMLResponse(
        render(
            "case.html",
            case=case,
            name=name_case(case, blind=session.mode != "read"),
            rubric=rubric,
            clauses={one.id: cite(one, constitution) for one in rubric.criteria} if rubric else {},
            view=view_case(desk.read(case), verdicts, rubric, constitution),
            reveal=reveal or bool(verdicts),
            secrets=count_secrets(desk, session, case),
            blind=desk.unseen(rater, case),
            labels=labels,
            own=next((one for one in labels if one.rater == rater), None),
            previous=previous,
            next=following,
            action=action,
            reviewing=action.startswith("/dispute/"),
            matters=matters,
            standing=find_standing(matters),
        ),
        background=BackgroundTask(desk.fetch, following),
    )


def read_verdicts(desk: Desk, session: Session, case: Case) -> list[Verdict]:
    """Read the verdicts on a case for somebody who may see them, else none."""
    if desk.revealed(session, case) or desk.arm(session, case) == "before":
        return desk.queue.verdicts(case)
    return []


def count_secrets(desk: Desk, session: Session, case: Case) -> int | None:
    """Count what a bundle of this case would give away; null where this person can have none yet."""
    if not desk.revealed(session, case):
        return None
    reading = desk.read(case)
    return reading.secrets if reading is not None and reading.masked else 0


def require_material(desk: Desk, case: Case) -> tuple[Rubric, Reading]:
    """Return what a label is given on.

    Raises:
        InputError: if the rubric or the transcript is not here.
    """
    rubric, reading = desk.rubric(case.rubric), desk.read(case)
    if rubric is None or reading is None:
        raise InputError("the rubric or the transcript of this case is not here, so it cannot be labelled")
    return rubric, reading


def spent(session: Session, case: Case, given: Submission) -> float:
    """Return the seconds that went into a label: what the page counted, at most as long as the case was open."""
    opened = session.opened.get(case.key)
    return given.seconds if opened is None else min(given.seconds, time.monotonic() - opened)


def _as_draft(labels: list[Label]) -> Draft:
    label = next(one for one in labels if one.criterion is None)
    return Draft(
        level=label.label,
        answers={str(one.criterion): one.label for one in labels if one.criterion is not None},  # type: ignore[misc]
        severity=label.severity,
        confidence=label.confidence,
        rationale=label.rationale or "",
        evidence=[Selection(part=span.part, quote=span.quote) for span in label.evidence if span.part],
        seconds=label.seconds or 0,
    )


def _is_about(dispute: Any, case: Case) -> bool:
    return (dispute.transcript_id, dispute.rubric) == item_of(case)


def _neighbours(desk: Desk, session: Session, case: Case) -> tuple[str | None, str | None]:
    order = desk.order(session, desk.queue.cases())
    at = order.index(case.key)
    return (order[at - 1] if at else None), (order[at + 1] if at + 1 < len(order) else None)
