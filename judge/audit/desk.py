"""What every page of the audit stands on: the setting, who asks, which case is meant, and what this person may be shown.

Blindness is decided here: `Desk.revealed` says whether verdicts may be read for somebody at all, `Desk.unseen` whether what
somebody says about a case was said without having seen any. What the pages show is `cases` and `disputes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from judge.audit.access import Access, Session
from judge.audit.drafts import Drafts
from judge.audit.labelling import Item, Labels
from judge.audit.listing import draw_order
from judge.audit.queue import Case, Queue, case_key
from judge.audit.reading import Reading
from judge.audit.shelf import Shelf
from judge.audit.sight import Sight, draw_arm
from judge.errors import InputError
from judge.gold.model import Arm
from judge.ledger.decisions import Matter, read_matters, stale_guidelines
from judge.ledger.store import Head, Ledger
from judge.rubrics.constitution import Constitution, load_constitution
from judge.rubrics.loading import load_rubric
from judge.rubrics.model import Rubric
from judge.transcripts.finding import find_transcript

_BODY_BYTES: Final = 1_000_000


class Setting(NamedTuple):
    """What the page stands on: a ledger that is open, where it is, where labels go, and where transcripts may be.

    `show_before` is the share of a blind rater's cases that are shown with the judge's verdict before the label, drawn by
    `seed`; `same_person` lets who disputed or reviewed decide as well; `more` are cases without a verdict: transcript id,
    rubric and source; `writable` says whether the ledger can be appended to; `announce` tells who runs the page a one-time
    link, where somebody has signed out.
    """

    ledger: Ledger
    where: str
    gold: Path
    workspace: Path | None = None
    sources: tuple[Path, ...] = ()
    masked: bool = True
    show_before: float = 0.0
    seed: str = ""
    same_person: bool = False
    more: tuple[tuple[str, str, str], ...] = ()
    writable: bool = True
    announce: Callable[[str], None] = lambda _: None


class Desk:
    """The state behind the pages, one per server; what lasts is in the ledger, the label files and the drafts."""

    def __init__(self, setting: Setting, access: Access) -> None:
        self.setting = setting
        self.access = access
        self.queue = Queue(
            setting.ledger,
            setting.gold / "labels",
            self._guideline,
            self._in_dispute,
            gaps=lambda: stale_guidelines(self.matters().values()),
            more=setting.more,
        )
        self.labels = Labels(setting.gold)
        self.drafts = Drafts(setting.gold / "drafts")
        self.sight = Sight(setting.ledger)
        self._orders: dict[str, list[str]] = {}
        self._matters: tuple[Head, dict[str, Matter]] | None = None
        self._shelf = Shelf(self._find_transcript)
        self.rubric = lru_cache(maxsize=None)(self._find_rubric)

    def case(self, request: Request) -> Case:
        """Return the case that an address names."""
        found = self.queue.cases().get(request.path_params["key"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such case in this ledger.")
        return found

    def order(self, session: Session, cases: Mapping[str, Case]) -> list[str]:
        """Return the keys of these cases in the order in which this person sees them; a rater's is drawn once and kept.

        The cases are the caller's, as the queue gave them once: asked again it may give more.
        """
        if session.mode == "read":
            return list(cases)
        rater = str(session.rater)
        known = self._orders.get(rater)
        if known is None or len(known) != len(cases):  # cases come, none goes
            known = [case.key for case in draw_order(rater, cases)]
            self._orders[rater] = known
        return known

    def read(self, case: Case) -> Reading | None:
        """Return a case's transcript, or None if it is not where it was."""
        return self._shelf.take((case.source, case.transcript_id))

    def fetch(self, key: str | None) -> None:
        """Read the transcript of a case that will probably be opened next."""
        case = self.queue.cases().get(key or "")
        if case is not None:
            self._shelf.fetch((case.source, case.transcript_id))

    def matters(self) -> dict[str, Matter]:
        """Return every dispute in the ledger with what followed it, read again when the ledger has grown."""
        head = self.setting.ledger.head()
        known = self._matters
        if known is None or known[0] != head:
            known = self._matters = head, read_matters(self.setting.ledger)
        return known[1]

    def revealed(self, session: Session, case: Case) -> bool:
        """Whether this person may see what everybody said about a case: readers, and who committed or reviewed it."""
        return (
            session.mode == "read"
            or item_of(case) in self.labels.done(str(session.rater))
            or self._reviewed(str(session.rater), case)
        )

    def arm(self, session: Session, case: Case) -> Arm | None:
        """Return whether a blind rater sees the verdicts on this case first; null where nothing is drawn."""
        if session.mode != "label" or not self.setting.show_before:
            return None
        return draw_arm(str(session.rater), case.key, self.setting.show_before, self.setting.seed)

    def unseen(self, rater: str, case: Case) -> bool:
        """Whether this rater cannot have seen what a judge or another rater said about a case."""
        return not (
            self.sight.may_have_seen(rater, case.key)
            or self.labels.ever(rater, item_of(case))
            or self._reviewed(rater, case)
        )

    def may_review(self, rater: str, matter: Matter, case: Case) -> bool:
        """Whether a second look by this rater would be blind, and is wanted."""
        return matter.decision is None and rater != matter.dispute.by and self.unseen(rater, case)

    def waiting(self, session: Session, cases: Mapping[str, Case]) -> int:
        """Count the disputes that wait for something this person can do: a reader's that are open, a rater's second looks."""
        count = 0
        for matter in self.matters().values():
            case = cases.get(case_key(matter.dispute.transcript_id, matter.dispute.rubric))
            if case is not None and matter.decision is None:
                count += session.mode == "read" or self.may_review(str(session.rater), matter, case)
        return count

    def constitution(self) -> Constitution | None:
        """Return the constitution that the rubrics cite, or None if it cannot be read."""
        try:
            return load_constitution(workspace=self.setting.workspace)
        except InputError:
            return None

    def require_writable(self) -> None:
        """Refuse what must be kept in a ledger that cannot be written."""
        if not self.setting.writable:
            raise InputError("this ledger cannot be written, so it can only be read here; nothing was kept")

    def _reviewed(self, rater: str, case: Case) -> bool:
        return any(
            review.by == rater
            for matter in self.matters().values()
            if (matter.dispute.transcript_id, matter.dispute.rubric) == item_of(case)
            for review in matter.reviews
        )

    def _in_dispute(self, _: Ledger) -> set[Item]:
        return {
            (matter.dispute.transcript_id, matter.dispute.rubric)
            for matter in self.matters().values()
            if matter.decision is None
        }

    def _find_transcript(self, source: str, transcript_id: str) -> Reading | None:
        try:
            found = find_transcript(source, transcript_id, self.setting.where, self.setting.sources)
        except InputError:
            return None
        return None if found is None else Reading(found, masked=self.setting.masked)

    def _find_rubric(self, name: str) -> Rubric | None:
        try:
            return load_rubric(name, self.setting.workspace)
        except InputError:
            return None

    def _guideline(self, name: str) -> str | None:
        rubric = self.rubric(name)
        return None if rubric is None else rubric.guideline_sha256


def item_of(case: Case) -> Item:
    """Return what labels name a case by."""
    return case.transcript_id, case.rubric


def session_of(request: Request) -> Session:
    """Return the session that the guard found."""
    session: Session | None = request.scope.get("state", {}).get("session")
    if session is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "Open the one-time link that judge audit printed.")
    return session


def signed_in(request: Request) -> Session:
    """Return the session of somebody who has said who they are."""
    session = session_of(request)
    if session.rater is None:
        raise HTTPException(HTTPStatus.FORBIDDEN, "Say who you are first: sign in at the queue.")
    return session


def reader(request: Request) -> Session:
    """Return the session of somebody who may see everything."""
    session = signed_in(request)
    if session.mode != "read":
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "Only somebody who reads verdicts may do this; this browser labels blind."
        )
    return session


async def read_json(request: Request) -> dict[str, Any]:
    """Read the JSON object that was sent."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is more than a label can hold.")
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "What was sent is not JSON.") from None
    if not isinstance(sent, dict):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "What was sent is not a JSON object.")
    return sent


def now() -> str:
    """Return the time to keep with an entry, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
