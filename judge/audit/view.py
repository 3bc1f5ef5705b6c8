"""What a case page shows of verdicts: each beside its criteria, its quotes where they stand, and the transcript's outline.

A rater who labels blind is shown a view that was built without verdicts: there is nothing to hide because nothing is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from judge.audit.queue import vote_key
from judge.audit.reading import Chunk, Reading, ShownMessage, lane
from judge.ledger.verdict import Evidence, Finding, Verdict
from judge.report.cases import outcome
from judge.report.html import tone
from judge.report.passages import Mark
from judge.report.secrets import mask
from judge.rubrics.constitution import Clause, Constitution
from judge.rubrics.model import Criterion, Rubric

_WITH_PAGE: Final = 2  # chunks that come with the page itself
_ROWS: Final = 400  # of the minimap
_ORDER: Final = ("met", "unclear", "not_met")


class ShownQuote(NamedTuple):
    """A quote, masked, and where it stands: the page's anchor and turn, null where it was not found."""

    evidence: Evidence
    text: str
    anchor: str | None
    turn: int | None


class ShownFinding(NamedTuple):
    """A finding beside the criterion that it answers and the clauses behind that."""

    finding: Finding
    reason: str
    criterion: Criterion | None
    clauses: tuple[Clause, ...]
    quotes: tuple[ShownQuote, ...]


class ShownVerdict(NamedTuple):
    """A vote: its number on the page, its name in an address, its outcome and colour, and what it rests on."""

    number: int
    key: str
    verdict: Verdict
    outcome: str
    tone: str
    error: str | None
    findings: tuple[ShownFinding, ...]
    unseen: int | None  # messages that it did not see; null where the row does not say


class Matrix(NamedTuple):
    """Votes by judge and sample, null where a judge gave none, and how often each outcome came."""

    samples: tuple[int, ...]
    rows: tuple[tuple[str, tuple[ShownVerdict | None, ...]], ...]
    spread: tuple[tuple[str, str, int], ...]  # outcome, tone, votes


class Band(NamedTuple):
    """A stretch of the minimap, in turns from 0: a lane, turns that judges did not see, or a quote."""

    start: int
    length: int
    kind: str
    anchor: str | None = None


class Outline(NamedTuple):
    """The minimap: as high as there are turns."""

    height: int
    lanes: tuple[Band, ...]
    shades: tuple[Band, ...]
    ticks: tuple[Band, ...]


class CaseView(NamedTuple):
    """Everything that a case page shows of transcript and verdicts; `messages` are the turns that come with the page."""

    messages: list[ShownMessage]
    chunks: list[Chunk]  # those that the page fetches later
    total: int
    outline: Outline
    verdicts: tuple[ShownVerdict, ...]
    matrix: Matrix


def view_case(
    reading: Reading | None, verdicts: Sequence[Verdict], rubric: Rubric | None, constitution: Constitution | None
) -> CaseView:
    """Put a transcript and verdicts on it together; quotes are marked by their offsets, never by searching."""
    shown = tuple(_verdict(number, one, rubric, constitution, reading) for number, one in enumerate(verdicts, start=1))
    if reading is None:
        return CaseView([], [], 0, Outline(0, (), (), ()), shown, _matrix(shown))
    unseen = count_unseen(verdicts)
    chunks = reading.chunks
    messages = reading.turns(
        1, chunks[min(_WITH_PAGE, len(chunks)) - 1].last if chunks else 0, mark_quotes(verdicts, reading), unseen
    )
    outline = _outline(reading, shown, unseen, len(verdicts))
    return CaseView(messages, chunks[_WITH_PAGE:], reading.total, outline, shown, _matrix(shown))


def mark_quotes(verdicts: Sequence[Verdict], reading: Reading) -> dict[str, list[Mark]]:
    """The quotes of every verdict by the part that they stand in."""
    marks: dict[str, list[Mark]] = {}
    for number, verdict in enumerate(verdicts, start=1):
        for _, items in _place(number, verdict, reading):
            for item, anchor in items:
                if anchor is not None and item.part is not None and item.start is not None and item.end is not None:
                    found = Mark(item.start, item.end, item.admissible, item.match == "exact", anchor)
                    marks.setdefault(item.part, []).append(found)
    return marks


def count_unseen(verdicts: Sequence[Verdict]) -> Counter[str]:
    """How many verdicts did not see each message, as far as their coverage names messages."""
    return Counter(name for one in verdicts if one.coverage for name in set(one.coverage.unseen_ids()))


def cite(criterion: Criterion, constitution: Constitution | None) -> tuple[Clause, ...]:
    """Return the clauses that a criterion names and that are there."""
    found = (constitution.clause(name) for name in criterion.clauses) if constitution else ()
    return tuple(clause for clause in found if clause is not None)


def _unseen(verdict: Verdict) -> Sequence[str]:
    return verdict.coverage.unseen_ids() if verdict.coverage is not None else ()


def _place(
    number: int, verdict: Verdict, reading: Reading | None
) -> Iterator[tuple[Finding, list[tuple[Evidence, str | None]]]]:
    """Findings, those that are met first, their quotes each with the anchor of its place if it has one."""
    places = reading.parts if reading is not None else {}
    count = 0
    for finding in sorted(verdict.findings, key=lambda one: _ORDER.index(one.met)):
        items: list[tuple[Evidence, str | None]] = []
        for item in finding.evidence:
            count += 1
            placed = item.part in places and item.start is not None and item.end is not None
            items.append((item, f"q{number}-{count}" if placed else None))
        yield finding, items


def _verdict(
    number: int, verdict: Verdict, rubric: Rubric | None, constitution: Constitution | None, reading: Reading | None
) -> ShownVerdict:
    same = rubric is not None and verdict.rubric_sha256 in (None, rubric.sha256)
    hide = reading.hide if reading is not None else mask
    places = reading.parts if reading is not None else {}
    findings = []
    for finding, items in _place(number, verdict, reading):
        criterion = rubric.criterion(finding.criterion) if rubric and same else None
        quotes = tuple(
            ShownQuote(item, hide(item.quote), anchor, places[item.part] if anchor and item.part else None)
            for item, anchor in items
        )
        clauses = cite(criterion, constitution) if criterion else ()
        findings.append(ShownFinding(finding, hide(finding.reason), criterion, clauses, quotes))
    said = outcome(verdict)
    return ShownVerdict(
        number=number,
        key=vote_key(verdict),
        verdict=verdict,
        outcome=said,
        tone=tone(said, verdict.positive, verdict.status),
        error=hide(verdict.error) if verdict.error else None,
        findings=tuple(findings),
        unseen=verdict.coverage.total - verdict.coverage.seen if verdict.coverage else None,
    )


def _matrix(shown: Sequence[ShownVerdict]) -> Matrix:
    samples = tuple(sorted({one.verdict.sample for one in shown}))
    votes = {(one.verdict.judge, one.verdict.sample): one for one in shown}
    judges = sorted({one.verdict.judge for one in shown})
    rows = tuple((name, tuple(votes.get((name, sample)) for sample in samples)) for name in judges)
    counts = Counter((one.outcome, one.tone) for one in shown)
    return Matrix(samples, rows, tuple((*key, count) for key, count in counts.most_common()))


def _outline(reading: Reading, shown: Sequence[ShownVerdict], unseen: Mapping[str, int], judges: int) -> Outline:
    messages = reading.transcript.messages
    step = max(1, -(-len(messages) // _ROWS))
    lanes = []
    shades = []
    for start in range(0, len(messages), step):
        stretch = messages[start : start + step]
        kinds = Counter(lane(one) for one in stretch)
        # What was planted is rare and matters: a stretch with any of it is drawn as such.
        lanes.append((start, len(stretch), "planted" if kinds["planted"] else kinds.most_common(1)[0][0]))
        most = max((unseen.get(one.id, 0) for one in stretch), default=0)
        shades.append((start, len(stretch), "" if not most else "all" if most >= judges else "some"))
    quotes = [quote for vote in shown for told in vote.findings for quote in told.quotes]
    ticks = tuple(
        Band((quote.turn - 1) // step * step, step, quote_kind(quote.evidence), quote.anchor)
        for quote in quotes
        if quote.turn is not None
    )
    return Outline(len(messages), tuple(_merge(lanes)), tuple(one for one in _merge(shades) if one.kind), ticks)


def quote_kind(item: Evidence) -> str:
    """How a quote is drawn: a class of the page, of a closed set."""
    if item.match == "absent":
        return "lost"
    if not item.admissible:
        return "idle"
    return "exact" if item.match == "exact" else "loose"


def _merge(bands: Sequence[tuple[int, int, str]]) -> Iterator[Band]:
    """Join neighbours of one kind."""
    held: Band | None = None
    for start, length, kind in bands:
        if held is not None and held.kind == kind:
            held = held._replace(length=held.length + length)
            continue
        if held is not None:
            yield held
        held = Band(start, length, kind)
    if held is not None:
        yield held
