"""A case as a file: the page of one verdict that needs nothing else, and the bundle that can be checked without us.

For who may see the verdicts of the case. It only reads: nothing is written, here or in the ledger. A file is called after a
hash, so that no name from a transcript or a ledger reaches somebody's disk.

    GET /case/{key}/page/{vote}     one verdict with its transcript, disputes and decisions; masked as the pages here are
    GET /case/{key}/bundle/{vote}   its replay bundle, for `judge ledger verify`. A bundle cannot mask what it has to prove: where
                                    secrets are masked here, that of a transcript which holds any is refused
"""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from judge.audit.desk import Desk, signed_in
from judge.audit.queue import Case, vote_key
from judge.errors import InputError
from judge.grading.bundling import make_bundle
from judge.ledger.decisions import find_doubts
from judge.ledger.verdict import Verdict
from judge.report.case_page import render_case
from judge.rubrics.model import Rubric

_DISTRIBUTION = "transcript-judge"


class Exports:
    """The answers that are files."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def page(self, request: Request) -> Response:
        """Give one verdict as a page that needs nothing else."""
        case, verdict = self._find(request)
        reading, matters = self._desk.read(case), self._desk.matters().values()
        page = render_case(
            verdict,
            self._rubric(case, verdict),
            None if reading is None else reading.transcript,
            matters=[one for one in matters if one.dispute.verdict_id == verdict.verdict_id],
            doubted=verdict.verdict_id in find_doubts(matters),
            masked=self._desk.setting.masked,
            version=version(_DISTRIBUTION),
        )
        return _attach(page.encode(), f"case-{vote_key(verdict)}.html", "text/html; charset=utf-8")

    def bundle(self, request: Request) -> Response:
        """Give the replay bundle of one verdict."""
        case, verdict = self._find(request)
        reading, rubric = self._desk.read(case), self._rubric(case, verdict)
        if reading is None or rubric is None:
            raise InputError("the transcript or the rubric is not here as it was, and a bundle holds both")
        if reading.masked and reading.secrets:
            raise InputError(
                f"its transcript holds {reading.secrets} things that look like keys or passwords, and a bundle cannot mask "
                "them; start judge audit with --show-secrets, or write it with: judge show ID --bundle FILE.zip"
            )
        data = make_bundle(
            self._desk.setting.ledger, verdict, reading.transcript, rubric, {_DISTRIBUTION: version(_DISTRIBUTION)}
        )
        return _attach(data, f"case-{vote_key(verdict)}.zip", "application/zip")

    def _find(self, request: Request) -> tuple[Case, Verdict]:
        session, case = signed_in(request), self._desk.case(request)
        if not self._desk.revealed(session, case):
            raise HTTPException(
                HTTPStatus.FORBIDDEN, "Commit a label on this case first; its verdicts appear after that."
            )
        for verdict in self._desk.queue.verdicts(case):
            if vote_key(verdict) == request.path_params["vote"]:
                return case, verdict
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such verdict on this case.")

    def _rubric(self, case: Case, verdict: Verdict) -> Rubric | None:
        """The rubric in the version that the verdict was made on, if it is here."""
        rubric = self._desk.rubric(case.rubric)
        return rubric if rubric is not None and verdict.rubric_sha256 in (None, rubric.sha256) else None


def _attach(data: bytes, name: str, kind: str) -> Response:
    return Response(data, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
