"""Disputes of verdicts as the ledger keeps them: a claim, blind reviews of it, and the decision that settles it.

Three kinds of entry, `dispute`, `review` and `decision`, share the dispute's id as their key. None is ever changed: what a
dispute has come to is folded from its entries in the order in which they were added, and the first decision on it counts.
Who thinks that a decision is wrong disputes the verdict again; then the latest decision on that verdict counts. Verdicts
stay as they are: a decision stands beside the verdict that it is about. Who may write what is `judge.audit.disputes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeVar

from pydantic import Field, ValidationError

from judge.errors import IntegrityError
from judge.frozen import Frozen
from judge.ledger.entry import Entry
from judge.ledger.store import Ledger
from judge.ledger.verdict import Evidence, Met, Verdict
from judge.text import counted

DISPUTE: Final = "dispute"
REVIEW: Final = "review"
DECISION: Final = "decision"

Reason = Literal["judge_wrong", "rubric_unclear", "evidence_misread", "transcript_broken", "upheld"]
Outcome = Literal["upheld", "overturned"]
State = Literal["open", "reviewed", "decided"]
REASONS: Final[Mapping[Reason, str]] = {
    "judge_wrong": "the judge was wrong",
    "rubric_unclear": "the rubric does not say",
    "evidence_misread": "the evidence was misread",
    "transcript_broken": "the transcript is broken",
    "upheld": "the verdict stands",
}


class Dispute(Frozen):
    """A claim that a verdict is wrong. `level` and `status` are the verdict's when it was disputed."""

    dispute_id: str
    verdict_id: str
    transcript_id: str
    rubric: str
    rubric_sha256: str | None = None
    judge: str
    level: str | None = None
    status: str
    by: str
    claim: str
    criterion: str | None = None  # where the claim is about one
    proposed: str | None = None  # the level that the claim asks for
    evidence: tuple[Evidence, ...] = ()  # each was found in the transcript
    created_at: str


class Review(Frozen):
    """What somebody said about the case who had seen neither claim, verdict nor labels."""

    dispute_id: str
    by: str
    level: str
    answers: dict[str, Met] = Field(default_factory=dict)  # by criterion
    severity: int | None = None
    confidence: int | None = None
    rationale: str | None = None
    evidence: tuple[Evidence, ...] = ()
    seconds: float | None = None
    created_at: str


class Stale(Frozen):
    """What a decision made doubtful, as it was when the decision was taken."""

    verdicts: tuple[str, ...] = ()  # other verdicts of the same judge and rubric on the same transcript
    same_judge: int = 0  # verdicts in the ledger of the same judge under the same rubric, this one left out
    certificates: tuple[str, ...] = ()  # files of certificates that were computed on labels of this transcript
    guideline: str | None = None  # hash of the guideline that has a gap


class Decision(Frozen):
    """How an adjudicator settled a dispute. `level` is the right one; null only where a missing verdict stays missing."""

    dispute_id: str
    verdict_id: str
    transcript_id: str
    rubric: str
    judge: str
    by: str
    reason: Reason
    outcome: Outcome  # overturned: the right level is another than the verdict's
    level: str | None = None
    positive: bool | None = None
    severity: int | None = None
    rationale: str
    evidence: tuple[Evidence, ...] = ()  # what the right level stands on
    guideline: str | None = None  # hash of the guideline under which it was decided
    guideline_gap: bool = False
    same_person: bool = False  # the adjudicator had disputed or reviewed it, which the page was told to allow
    stale: Stale = Stale()
    created_at: str


class Matter(NamedTuple):
    """A dispute with everything that followed it."""

    dispute: Dispute
    reviews: tuple[Review, ...]
    decision: Decision | None

    @property
    def state(self) -> State:
        """`open` until somebody has reviewed it, `decided` once it is."""
        if self.decision is not None:
            return "decided"
        return "reviewed" if self.reviews else "open"


class Standing(NamedTuple):
    """What disputes have made of a verdict: the latest decision on it, and how many disputes wait for one."""

    decision: Decision | None
    waiting: int

    @property
    def state(self) -> Literal["disputed", "upheld", "overturned"]:
        """`disputed` while any dispute waits, also where an earlier one was decided."""
        return "disputed" if self.waiting or self.decision is None else self.decision.outcome

    @property
    def text(self) -> str:
        """The mark to print beside the verdict, in words."""
        if self.decision is None:
            return "disputed"
        after = f"to {self.decision.level} " if self.decision.outcome == "overturned" else ""
        decided = f"{self.decision.outcome} {after}by {self.decision.by} ({REASONS[self.decision.reason]})"
        return f"{decided}, disputed again" if self.waiting else decided


def to_entry(item: Dispute | Review | Decision) -> Entry:
    """Return the entry that keeps it."""
    kind = {Dispute: DISPUTE, Review: REVIEW, Decision: DECISION}[type(item)]
    return Entry(kind, item.dispute_id, item.model_dump(mode="json", exclude_none=True))


def read_matters(book: Ledger, dispute_id: str | None = None) -> dict[str, Matter]:
    """Return every dispute, or one, with what followed it, by id and in the order in which they were opened.

    Raises:
        IntegrityError: for an entry of these kinds that is none.
    """
    disputes = _first(_read(book, DISPUTE, Dispute, dispute_id))
    decisions = _first(_read(book, DECISION, Decision, dispute_id))
    reviews: dict[str, list[Review]] = {}
    for review in _read(book, REVIEW, Review, dispute_id):
        reviews.setdefault(review.dispute_id, []).append(review)
    return {
        name: Matter(dispute, tuple(reviews.get(name, ())), decisions.get(name)) for name, dispute in disputes.items()
    }


def find_standing(matters: Iterable[Matter]) -> dict[str, Standing]:
    """Return, by verdict id, where each disputed verdict stands; verdicts that nobody disputed are not in it."""
    found: dict[str, Standing] = {}
    for matter in matters:
        name = matter.dispute.verdict_id
        decision, waiting = found.get(name, Standing(None, 0))
        if matter.decision is None:
            waiting += 1
        elif decision is None or matter.decision.created_at >= decision.created_at:
            decision = matter.decision
        found[name] = Standing(decision, waiting)
    return found


def stand(book: Ledger) -> dict[str, Standing]:
    """Return where every disputed verdict of a ledger stands, by verdict id."""
    return find_standing(read_matters(book).values())


def stale_guidelines(matters: Iterable[Matter]) -> dict[str, tuple[str, ...]]:
    """Return the guidelines that a decision found a gap in, by hash, with the ids of the disputes that showed it."""
    found: dict[str, tuple[str, ...]] = {}
    for matter in matters:
        guideline = matter.decision.stale.guideline if matter.decision else None
        if guideline is not None:
            found[guideline] = (*found.get(guideline, ()), matter.dispute.dispute_id)
    return found


def find_doubts(matters: Iterable[Matter]) -> dict[str, tuple[str, ...]]:
    """Return the verdicts that a decision made doubtful, by id, with the disputes: the same judge was overturned beside them."""
    found: dict[str, tuple[str, ...]] = {}
    for matter in matters:
        if matter.decision is not None and matter.decision.outcome == "overturned":
            for name in matter.decision.stale.verdicts:
                found[name] = (*found.get(name, ()), matter.dispute.dispute_id)
    return found


def tell_standing(verdicts: Iterable[Verdict], standing: Mapping[str, Standing]) -> str | None:
    """Say beside a figure over these verdicts how many of them were disputed and how that ended; None where none was."""
    counts: Counter[str] = Counter(
        found.state for one in verdicts if (found := standing.get(one.verdict_id)) is not None
    )
    if not counts:
        return None
    ended = {"overturned": "overturned by decisions", "upheld": "upheld", "disputed": "not decided yet"}
    told = ", ".join(f"{counts[state]:,} {words}" for state, words in ended.items() if counts[state])
    return f"{counted(counts.total(), 'verdict')} disputed: {told}; every figure counts what the judge said"


_Body = TypeVar("_Body", Dispute, Review, Decision)


def _read(book: Ledger, kind: str, model: type[_Body], key: str | None) -> Iterable[_Body]:
    for row in book.rows(kind=kind, key=key):
        try:
            yield model.model_validate_json(row.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "body"
            raise IntegrityError(
                f"{book.where}: entry {row.seq}: not a {kind} of this version: {place}: {first['msg']}"
            ) from None


def _first(items: Iterable[_Body]) -> dict[str, _Body]:
    found: dict[str, _Body] = {}
    for item in items:
        found.setdefault(item.dispute_id, item)
    return found
