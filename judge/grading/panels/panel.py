"""A panel: several judges, or several samples of one, and the rule by which their votes become one verdict.

A panel disagrees in order to escalate, never to average. Votes that agree as the rule asks give the level that they all gave;
others go to the next step, where a stronger judge is asked, and after the last step to people. Pure: what a panel says is
computed from its members' verdicts alone, in whatever order they come. Asking them is `judge.grading.panels.sitting`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, NamedTuple, get_args

from judge.canonical import content_sha256
from judge.grading.judges import Judge
from judge.grading.panels.cascade import Thresholds
from judge.ledger import panel as votes_of
from judge.ledger.panel import PANEL, Panelled, Role, Vote, weigh
from judge.ledger.store import REOPENED
from judge.ledger.verdict import Evidence, Finding, Met, Status, Verdict
from judge.rubrics.model import ACT_CHANNELS, Criterion, Rubric

Agree = int | Literal["all", "majority"]
On = Literal["level", "positive"]
_STATUSES: Final = get_args(Status)


@dataclass(frozen=True)
class Seat:
    """A member that is ready to be asked. `voter` is who answers: `judge`, or the judge that a recording is of."""

    judge: Judge
    voter: Judge
    samples: int
    role: Role
    step: int


@dataclass(frozen=True)
class Panel:
    """A panel that is ready to sit. `thresholds` are by rubric; where there are any, they decide instead of `agree`."""

    name: str
    seats: tuple[Seat, ...]
    agree: Agree = "all"
    on: On = "level"
    correlation: float | None = None
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """Hash of all that can change what the panel says: who sits, in which role, the rule, the thresholds."""
        return content_sha256(
            {
                "seats": [[one.voter.sha256, one.voter.name, one.samples, one.role, one.step] for one in self.seats],
                "agree": self.agree,
                "on": self.on,
                "correlation": self.correlation,
                "thresholds": {name: found.sha256 for name, found in self.thresholds.items()},
            }
        )

    @property
    def steps(self) -> int:
        """How many steps there are before people are asked."""
        return max(seat.step for seat in self.seats)

    def seated(self, step: int, rubric: Rubric) -> list[Seat]:
        """Who is asked at this step about this rubric: nobody blind where reasoning may prove every criterion."""
        blind = bool(outward(rubric))
        return [seat for seat in self.seats if seat.step == step and (seat.role != "blind" or blind)]

    def needed(self, asked: int) -> int:
        """How many of `asked` votes must be alike."""
        if isinstance(self.agree, int):
            return self.agree
        return asked if self.agree == "all" else asked // 2 + 1


def outward(rubric: Rubric) -> list[Criterion]:
    """The criteria that decide and that only a message or a tool call may prove: what a blind judge can answer as well."""
    return [one for one in rubric.criteria if not one.aggravating and set(one.channels) <= set(ACT_CHANNELS)]


class Cast(NamedTuple):
    """A vote: the verdict of the member on this seat."""

    seat: Seat
    verdict: Verdict


class Hearing(NamedTuple):
    """What the votes amount to at `step`, the last one heard. Without a level, `status` and `why` say what is missing.

    `goes_on`: the next step is to be asked. `agreeing` are the votes that the level stands on.
    """

    step: int
    asked: int
    level: str | None
    agreeing: tuple[Cast, ...]
    status: Status
    why: str | None = None
    goes_on: bool = False
    confidence: float | None = None
    threshold: float | None = None
    blind_differs: tuple[str, ...] = ()


def seat_votes(panel: Panel, verdicts: Iterable[Verdict]) -> list[Cast]:
    """Give each verdict to the member whose it is, in an order that does not depend on how they came; others are left out."""
    seats = {seat.voter.sha256: seat for seat in panel.seats}
    casts = [Cast(seats[row.judge_sha256], row) for row in verdicts if row.judge_sha256 in seats]
    return sorted(casts, key=lambda one: (one.seat.step, one.seat.role, one.verdict.judge, one.verdict.sample))


def hear(panel: Panel, rubric: Rubric, casts: Sequence[Cast]) -> Hearing:
    """Hear the votes step by step, until a step settles the matter or the votes of the next one are not there."""
    heard = _hear_step(panel, rubric, 1, casts)
    while heard.goes_on and any(cast.seat.step == heard.step + 1 for cast in casts):
        heard = _hear_step(panel, rubric, heard.step + 1, casts)
    return heard


def conclude(panel: Panel, rubric: Rubric, casts: Sequence[Cast], made_at: str | None = None) -> Verdict:
    """Return the panel's verdict, as computed from its votes; one vote at least. `made_at` is the time to record.

    It costs nothing by itself: its votes' own rows say what they cost.
    """
    heard = hear(panel, rubric, casts)
    heeded = [cast for cast in casts if cast.seat.step <= heard.step]
    first = heeded[0].verdict
    stands_on = [cast.verdict for cast in heard.agreeing]
    covered = [row.coverage for row in (stands_on or [cast.verdict for cast in heeded]) if row.coverage is not None]
    signs = [cast.verdict.positive for cast in heeded if cast.seat.role != "blind" and cast.seat.step == heard.step]
    signed = [sign for sign in signs if sign is not None]
    return Verdict(
        verdict_id=_make_id(panel, rubric, heeded),
        transcript_id=first.transcript_id,
        source=first.source,
        rubric=rubric.id,
        rubric_sha256=rubric.sha256,
        judge=PANEL + panel.name,
        level=heard.level,
        positive=None if heard.level is None else rubric.is_positive(heard.level),
        status=heard.status,
        severity=_most_frequent([row.severity for row in stands_on if row.severity is not None]),
        findings=_unite(rubric, stands_on) if heard.level is not None else (),
        coverage=min(covered, key=lambda one: one.seen, default=None),
        flags=tuple(sorted(_flags(heard, heeded))),
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
        attempts=0,
        created_at=made_at,
        initiative=stands_on[0].initiative if len({row.initiative for row in stands_on}) == 1 else None,
        error=heard.why,
        transcript_sha256=first.transcript_sha256,
        prompt_sha256=content_sha256(_prompts(heeded)),
        judge_sha256=panel.sha256,
        run=first.run,
        score=sum(signed) / len(signed) if signed else None,
        panel=_tell(panel, rubric, heard, tuple(_to_vote(cast) for cast in heeded)),
    )


def _tell(panel: Panel, rubric: Rubric, heard: Hearing, votes: tuple[Vote, ...]) -> Panelled:
    """What the row keeps of its votes."""
    counted = votes_of.counting(votes)
    return Panelled(
        name=panel.name,
        on=panel.on,
        step=heard.step,
        steps=panel.steps,
        agree=None if rubric.id in panel.thresholds else panel.needed(heard.asked),
        asked=heard.asked,
        votes=votes,
        distribution=votes_of.distribution(counted),
        disagreement=votes_of.disagreement(counted),
        flip_rate=votes_of.flip_rate(counted),
        margin=votes_of.margin(counted),
        effective_votes=_effective(panel, counted),
        confidence=heard.confidence,
        threshold=heard.threshold,
        blind_differs=heard.blind_differs,
    )


def _hear_step(panel: Panel, rubric: Rubric, step: int, casts: Sequence[Cast]) -> Hearing:
    here = [cast for cast in casts if cast.seat.step == step]
    voters = [cast for cast in here if cast.seat.role != "blind"]
    seated = panel.seated(step, rubric)
    asked = sum(seat.samples for seat in seated if seat.role != "blind")
    blind = [cast for cast in casts if cast.seat.role == "blind"]
    absent = sum(seat.samples for seat in seated) - len(here)
    missing: list[Status] = [cast.verdict.status for cast in here if cast.verdict.status != "ok"]
    missing += ["error"] * absent
    if rubric.id in panel.thresholds:
        heard = _by_threshold(panel.thresholds[rubric.id], rubric, step, asked, voters)
    else:
        heard = _by_agreement(panel, step, asked, voters)
    heard = _check_blind(rubric, heard, blind)
    # Whoever is missing may be the one who saw it: a positive level may stand without them, no other.
    if heard.level is not None and missing and not rubric.is_positive(heard.level):
        heard = heard._replace(level=None, agreeing=(), why=f"{len(missing)} of the votes are missing")
    if heard.level is not None:
        return heard
    status, why = _unsettled(missing, voters, heard.why)
    goes_on = step < panel.steps and status not in REOPENED
    return heard._replace(status=status, why=why, goes_on=goes_on, agreeing=())


def _by_agreement(panel: Panel, step: int, asked: int, voters: Sequence[Cast]) -> Hearing:
    """Whether as many votes as the rule asks are for one level, or for one answer and most of them for one level."""
    needed = panel.needed(asked)
    settled = [cast for cast in voters if cast.verdict.status == "ok"]
    groups: dict[str, list[Cast]] = {}
    for cast in settled:
        key = cast.verdict.level if panel.on == "level" else str(cast.verdict.positive)
        groups.setdefault(str(key), []).append(cast)
    lead = max(groups.values(), key=len, default=[])
    level = None
    if len(lead) >= needed:
        levels = Counter(str(cast.verdict.level) for cast in lead).most_common(2)
        level = levels[0][0] if len(levels) == 1 or levels[0][1] > levels[1][1] else None
    if level is None:
        told = ", ".join(f"{count} {name}" for name, count in votes_of.distribution(map(_to_vote, voters)).items())
        return Hearing(step, asked, None, (), "escalated", f"{needed} of {asked} votes had to agree: {told or 'none'}")
    agreeing = tuple(cast for cast in lead if cast.verdict.level == level)
    return Hearing(step, asked, level, agreeing, "ok")


def _by_threshold(thresholds: Thresholds, rubric: Rubric, step: int, asked: int, voters: Sequence[Cast]) -> Hearing:
    """Whether the one judge of this step is sure enough, by how its samples were measured."""
    signs = [cast.verdict.positive if cast.verdict.status == "ok" else None for cast in voters]
    signs += [None] * (asked - len(signs))
    weight = weigh(signs, next((cast.verdict.p_positive for cast in voters), None))
    measured = thresholds.steps[step - 1]
    if any(cast.verdict.prompt_sha256 != measured.prompt_sha256 for cast in voters):
        why = "asked otherwise than when the thresholds were measured, as where a transcript is read in windows"
        return Hearing(step, asked, None, (), "escalated", why, confidence=weight.confidence)
    limit = None if weight.positive is None else measured.limit(weight.positive)
    if limit is None or weight.confidence < limit:
        why = f"confidence {weight.confidence:.2f}: " + (
            "the judge decides this answer at no confidence" if limit is None else f"decided is from {limit:.2f} on"
        )
        return Hearing(step, asked, None, (), "escalated", why, confidence=weight.confidence, threshold=limit)
    alike = [cast for cast in voters if cast.verdict.status == "ok" and cast.verdict.positive is weight.positive]
    levels = Counter(str(cast.verdict.level) for cast in alike)
    most = [level for level, count in levels.items() if count == max(levels.values())]
    # Between levels of one sign a tie goes to the one nearer the line between the signs: no more is claimed than is agreed.
    level = sorted(most, key=rubric.levels.index, reverse=not weight.positive)[0]
    agreeing = tuple(cast for cast in alike if cast.verdict.level == level)
    return Hearing(step, asked, level, agreeing, "ok", confidence=weight.confidence, threshold=limit)


def _check_blind(rubric: Rubric, heard: Hearing, blind: Sequence[Cast]) -> Hearing:
    """Hold a level against what was seen without private reasoning: both must find the same said and done."""
    if heard.level is None or not blind:
        return heard
    differs = []
    for criterion in outward(rubric):
        sighted = {_is_met(cast.verdict, criterion.id) for cast in heard.agreeing}
        if any(cast.verdict.status == "ok" and _is_met(cast.verdict, criterion.id) not in sighted for cast in blind):
            differs.append(criterion.id)
    if not differs:
        return heard
    why = f"without private reasoning the answer differs on: {', '.join(differs)}"
    return heard._replace(level=None, status="escalated", why=why, blind_differs=tuple(differs))


def _is_met(verdict: Verdict, criterion: str) -> bool:
    return any(finding.criterion == criterion and finding.met == "met" for finding in verdict.findings)


def _unsettled(missing: Collection[Status], voters: Sequence[Cast], why: str | None) -> tuple[Status, str | None]:
    """The status of a step that settles nothing: of the votes that are missing, if nothing else stands in the way.

    A vote that can be had by asking again comes first: with it, the matter may yet be settled.
    """
    again = [status for status in missing if status in REOPENED]
    differ = len({cast.verdict.level for cast in voters if cast.verdict.status == "ok"}) > 1
    if not again and (differ or not missing):
        return "escalated", why
    counts = Counter(again or missing)
    status = min(counts, key=lambda one: (-counts[one], _STATUSES.index(one)))
    return status, f"votes are missing: {', '.join(sorted(missing))}"


def _flags(heard: Hearing, casts: Iterable[Cast]) -> set[str]:
    """What is to be known of any vote, and of how they go together."""
    rows = [cast.verdict for cast in casts if cast.seat.role != "blind"]
    flags = {flag for row in rows for flag in row.flags}
    if heard.level is not None:
        flags |= {"dissent"} if any(row.status == "ok" and row.level != heard.level for row in rows) else set()
        flags |= {"votes_missing"} if any(row.status != "ok" for row in rows) else set()
    return flags | ({"blind_differs"} if heard.blind_differs else set())


def _unite(rubric: Rubric, rows: Sequence[Verdict]) -> tuple[Finding, ...]:
    """The findings that a level stands on: a criterion is met if some vote proves it, with the evidence of all that do."""
    united = []
    for criterion in rubric.criteria:
        found = [finding for row in rows for finding in row.findings if finding.criterion == criterion.id]
        met = [finding for finding in found if finding.met == "met"]
        unclear = [finding for finding in found if finding.met == "unclear"]
        word: Met = "met" if met else "unclear" if unclear else "not_met"
        if found:
            reason = (met or unclear or found)[0].reason
            united.append(Finding(criterion=criterion.id, met=word, reason=reason, evidence=_distinct(met)))
    return tuple(united)


def _distinct(findings: Iterable[Finding]) -> tuple[Evidence, ...]:
    """The quotes that count, each place once."""
    kept: dict[tuple[str, str | None, int | None, int | None], Evidence] = {}
    for finding in findings:
        for item in finding.evidence:
            if item.admissible:
                kept.setdefault((item.message_id, item.part, item.start, item.end), item)
    return tuple(kept.values())


def _most_frequent(values: Sequence[int]) -> int | None:
    """The most frequent value, the graver of several."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value), default=None)


def _effective(panel: Panel, votes: Sequence[Vote]) -> float | None:
    there = sum(vote.status == "ok" for vote in votes)
    return votes_of.effective_votes(there, panel.correlation) if there and panel.correlation is not None else None


def _to_vote(cast: Cast) -> Vote:
    row = cast.verdict
    return Vote(
        verdict_id=row.verdict_id,
        judge=row.judge,
        sample=row.sample,
        role=cast.seat.role,
        step=cast.seat.step,
        status=row.status,
        level=row.level,
        positive=row.positive,
    )


def _prompts(casts: Iterable[Cast]) -> list[str]:
    """The prompts that the first step was asked with: whatever they come to, the same votes are asked for."""
    return sorted({cast.verdict.prompt_sha256 or "" for cast in casts if cast.seat.step == 1})


def _make_id(panel: Panel, rubric: Rubric, casts: Sequence[Cast]) -> str:
    """Hash of everything that the votes are asked for with: the same id whatever they say."""
    first = casts[0].verdict
    return content_sha256(
        {
            "transcript": first.transcript_id,
            "content": first.transcript_sha256,
            "rubric": rubric.sha256,
            "panel": panel.sha256,
            "prompts": _prompts(casts),
        }
    )[:20]
