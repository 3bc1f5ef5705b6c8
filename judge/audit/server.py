"""The audit page's application: which address is answered by what, who is let in, and how a refusal is said.

What the addresses answer is `cases` and `disputes`; who may see what is decided in `desk`. Addresses, headers and cookies are
checked before any of it, in `guard`.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from judge.audit.access import Access, Session
from judge.audit.cases import Cases
from judge.audit.desk import Desk, Setting, now, read_json, reader, session_of, signed_in
from judge.audit.disputes import Disputes
from judge.audit.exporting import Exports
from judge.audit.guard import LEAVING, OPENING, Application, Guard
from judge.audit.labelling import AlreadyCommittedError
from judge.audit.pages import STATIC, load_templates, read_static, render
from judge.errors import JudgeError
from judge.transcripts.harness import readers

__all__ = ["Setting", "make_app", "warm_up"]


def make_app(setting: Setting, access: Access, port: int) -> Guard:
    """Put the application together behind its guard; `port` is the one that it will be reached at."""
    desk = Desk(setting, access)
    door, cases, disputes, exports = Door(desk), Cases(desk), Disputes(desk), Exports(desk)
    reads = {
        OPENING: door.open,
        LEAVING: _say_goodbye,
        "/": cases.queue,
        "/case/{key}": cases.case,
        "/case/{key}/turns": cases.turns,
        "/case/{key}/find": cases.find,
        "/case/{key}/page/{vote}": exports.page,
        "/case/{key}/bundle/{vote}": exports.bundle,
        "/disputes": disputes.listing,
        "/dispute/{id}": disputes.page,
        "/static/{name}": _static,
    }
    writes = {
        "/sign-in": door.sign_in,
        "/sign-out": door.sign_out,
        "/invite": door.invite,
        "/case/{key}/label": cases.label,
        "/case/{key}/undo": cases.undo,
        "/case/{key}/dispute": disputes.dispute,
        "/dispute/{id}/review": disputes.review,
        "/dispute/{id}/decision": disputes.decision,
    }
    app = Starlette(
        routes=[
            *(Route(path, answer, methods=["GET"]) for path, answer in reads.items()),
            *(Route(path, answer, methods=["POST"]) for path, answer in writes.items()),
            Route("/case/{key}/draft", cases.draft, methods=["GET"]),
            Route("/case/{key}/draft", cases.save, methods=["POST"]),
        ],
        exception_handlers={JudgeError: _explain, HTTPException: _explain_status},
    )
    app.router.redirect_slashes = False
    guard = Guard(_as_application(app), access, port)
    door.cookie = guard.cookie
    return guard


def warm_up() -> None:
    """Load what the first page of a case needs and nothing before it: while somebody goes to their browser there is time."""
    load_templates()
    readers()


class Door:
    """How somebody comes in: a one-time link, a name, a link for another browser."""

    cookie = ""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def open(self, request: Request) -> Response:
        """Exchange a one-time link for a session. It writes nothing but that session."""
        session = self._desk.access.exchange(request.query_params.get("token", ""))
        if session is None:
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "This link was used before, or is not one of this page.")
        answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        answer.set_cookie(self.cookie, session.secret, httponly=True, samesite="strict", path="/")
        return answer

    async def sign_in(self, request: Request) -> Response:
        """Say who this browser is; what that lets them see is kept, since it decides whether their labels are blind."""
        sent = await read_json(request)
        name, mode = str(sent.get("name", "")), str(sent.get("mode", ""))
        await run_in_threadpool(self._sign_in, session_of(request), name, mode)
        return JSONResponse({"next": "/"})

    def _sign_in(self, session: Session, name: str, mode: str) -> None:
        setting = self._desk.setting
        self._desk.access.check(session, name, mode)
        if mode != "read":
            self._desk.require_writable()
        # Kept before it is allowed: nobody sees a verdict without its being known.
        self._desk.sight.note(name, mode, share=setting.show_before, seed=setting.seed, at=now(), keep=setting.writable)
        self._desk.access.sign_in(session, name, mode)

    async def sign_out(self, request: Request) -> Response:
        """End this browser's session. Who runs the page is given a link for whoever comes next."""
        session = signed_in(request)
        await read_json(request)
        self._desk.access.end(session)
        self._desk.setting.announce(self._make_link(request))
        answer = JSONResponse({"next": LEAVING})
        answer.delete_cookie(self.cookie, path="/", httponly=True, samesite="strict")
        return answer

    async def invite(self, request: Request) -> Response:
        """Make a one-time link for another browser; only for who may see everything."""
        reader(request)
        return JSONResponse({"link": self._make_link(request)})

    def _make_link(self, request: Request) -> str:
        return f"http://{request.headers['host']}{OPENING}?token={self._desk.access.new_link()}"


def _say_goodbye(_: Request) -> Response:
    """Say goodbye; nothing on this page needs a session."""
    return HTMLResponse(render("signed_out.html"))


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    text = read_static(name)
    if text is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such file.")
    return Response(text, media_type=STATIC[name])


def _explain(request: Request, error: Exception) -> Response:
    code = HTTPStatus.CONFLICT if isinstance(error, AlreadyCommittedError) else HTTPStatus.UNPROCESSABLE_ENTITY
    return _say(request, code, str(error))


def _explain_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _say(request, HTTPStatus(error.status_code), error.detail)


def _say(request: Request, status: HTTPStatus, text: str) -> Response:
    if request.method == "POST":
        return JSONResponse({"error": text}, status)
    return HTMLResponse(render("message.html", title=status.phrase, text=text), status)


def _as_application(app: Starlette) -> Application:
    return app
