"""Who may use the audit page: one-time links, the sessions that they open, and who has signed in to each.

Kept in memory alone: a restart ends every session. Names are taken on trust, as on paper; what a name may have seen decides
whether its labels are blind, and outlives this module (`sight`).
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from judge.errors import InputError
from judge.text import quoted

Mode = Literal["label", "read"]
MODES: Final[tuple[Mode, ...]] = ("label", "read")
_BYTES: Final = 32  # 256 bits
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
# Names that a file system reserves: a rater's file is called like the rater.
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])")


@dataclass
class Session:
    """One browser. `rater` is who signed in to it, once; `opened` when each case was first shown, in seconds of a clock."""

    secret: str
    rater: str | None = None
    mode: Mode | None = None
    opened: dict[str, float] = field(default_factory=dict)


class Access:
    """The links that still open a session, and the sessions. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._links: list[str] = []
        self._sessions: list[Session] = []

    def new_link(self) -> str:
        """Return a token that opens one session, once."""
        token = secrets.token_urlsafe(_BYTES)
        with self._lock:
            self._links.append(token)
        return token

    def exchange(self, token: str) -> Session | None:
        """Open a session for a token that has not been used, else None."""
        with self._lock:
            found = _matching(token, self._links)
            if found is None:
                return None
            self._links.remove(found)
            session = Session(secrets.token_urlsafe(_BYTES))
            self._sessions.append(session)
            return session

    def session(self, secret: str) -> Session | None:
        """Return the session with this secret, or None."""
        with self._lock:
            found = _matching(secret, [one.secret for one in self._sessions])
            return next((one for one in self._sessions if one.secret == found), None)

    def end(self, session: Session) -> None:
        """End a session: its secret opens nothing any more."""
        with self._lock:
            self._sessions = [one for one in self._sessions if one is not session]

    def check(self, session: Session, name: str, mode: str) -> None:
        """See that a session can be this name's.

        Raises:
            InputError: for a name that cannot be a file's, an unknown mode, or a session that has a rater.
        """
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise InputError(
                f"{quoted(name)} is no name for a rater: take up to 40 of a-z, 0-9 and '-', with a letter or digit at both ends"
            )
        if mode not in MODES:
            raise InputError(f"{quoted(mode)} is no way to work here; there is {' and '.join(MODES)}")
        if session.rater is not None:
            raise InputError(
                f"this browser is signed in as {session.rater}; sign out and open a new link to be somebody else"
            )

    def sign_in(self, session: Session, name: str, mode: str) -> None:
        """Say who a session is, once.

        Raises:
            InputError: as `check` does.
        """
        with self._lock:
            self.check(session, name, mode)
            session.rater, session.mode = name, cast("Mode", mode)


def _matching(given: str, known: list[str]) -> str | None:
    """The known secret that equals `given`. Every one is compared in full, so that time tells nothing."""
    found = None
    for one in known:
        if hmac.compare_digest(one.encode(), given.encode("utf-8", "surrogatepass")):
            found = one
    return found
