"""What stands between the network and the audit page: every request is checked here before any other code sees it.

A page in another tab, a name that resolves to loopback, or another program's page on another port must not be able to read
or write. What a request asks for is none of this module's business.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from judge.audit.access import Access, Session

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
OPENING: Final = "/open"
LEAVING: Final = "/signed-out"
STATIC: Final = "/static/"
_METHODS: Final = ("GET", "POST")
# No path of ours needs an escape, a dot segment or an empty segment; so none is decoded, and none can be confused.
_PATH: Final = re.compile(rb"/(?:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}){0,4})?")
_QUERY_BYTES: Final = 500


class Refused(Exception):  # noqa: N818
    """A request that goes no further; never leaves this module."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Guard:
    """Lets through to `app` only what a browser that opened a link of ours sends to our own address.

    The request's session is put into the scope's `state` as `session`; only the opening, the page after signing out and the
    static files need none.
    """

    def __init__(self, app: Application, access: Access, port: int) -> None:
        self._app = app
        self._access = access
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        # Cookies do not know ports: without its own name, a second audit page would sign the first one out.
        self.cookie = f"judge-audit-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP and the server's own start and stop is refused."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def sealed(event: Event) -> None:
            if event["type"] == "http.response.start":
                kept = [(name, value) for name, value in event.get("headers", ()) if name.decode() not in HEADERS]
                event["headers"] = [*kept, *((name.encode(), value.encode()) for name, value in HEADERS.items())]
            await send(event)

        try:
            session = self._admit(scope)
        except Refused as refused:
            await _answer(sealed, refused)
            return
        scope.setdefault("state", {})["session"] = session
        await self._app(scope, receive, sealed)

    def _admit(self, scope: Scope) -> Session | None:
        headers = _read_headers(scope["headers"])
        host = headers.get("host")
        if host not in self._hosts:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "This page answers only at the address that it printed.")
        method = scope["method"]
        if method not in _METHODS:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "There is only reading (GET) and writing (POST) here.")
        _check_origin(headers, method, host)
        if not _PATH.fullmatch(scope.get("raw_path") or scope["path"].encode()):
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such page.")
        if len(scope.get("query_string", b"")) > _QUERY_BYTES:
            raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long.")
        session = self._access.session(self._secret(headers))
        if session is None and scope["path"] not in (OPENING, LEAVING) and not scope["path"].startswith(STATIC):
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "Open the one-time link that judge audit printed, or ask for a new one."
            )
        return session

    def _secret(self, headers: dict[str, str]) -> str:
        pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
        values = [value for name, _, value in pairs if name == self.cookie]
        if len(values) > 1:
            raise Refused(HTTPStatus.BAD_REQUEST, "The session's cookie was sent twice.")
        return values[0] if values else ""


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name. What is sent twice could be read one way here and another way elsewhere, so it is refused."""
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]
    repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if repeated:
        raise Refused(HTTPStatus.BAD_REQUEST, "A header was sent twice.")
    return dict(pairs)


def _check_origin(headers: dict[str, str], method: str, host: str) -> None:
    """Who asks: nobody but this page itself, or the person who typed the address."""
    elsewhere = Refused(HTTPStatus.FORBIDDEN, "Another page asked for this; only this page itself may.")
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        raise elsewhere
    site = headers.get("sec-fetch-site")
    if method == "POST":
        if origin is None or site not in (None, "same-origin"):
            raise elsewhere
        if headers.get("content-type") != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "What is written here is JSON.")
    elif site not in (None, "same-origin", "none"):
        raise elsewhere


async def _answer(send: Send, refused: Refused) -> None:
    body = f"{refused.status.value} {refused.status.phrase}. {refused.reason}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if refused.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"GET, POST"))
    await send({"type": "http.response.start", "status": refused.status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
