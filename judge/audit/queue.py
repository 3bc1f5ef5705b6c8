"""The cases of a ledger: one per transcript and rubric, with what makes it worth a person's time.

Kept as small rows so that a large ledger can be listed; the verdicts themselves are read when a case is opened. A case's
key is a hash, so that no id from a transcript is ever part of an address. Who may see which of this is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from judge.gold.labels import latest, read_labels
from judge.gold.model import Label
from judge.ledger.panel import PANEL
from judge.ledger.store import Head, Ledger, Select
from judge.ledger.verdict import Verdict
from judge.report.cases import outcome

Item = tuple[str, str]  # transcript, rubric
Stamp = tuple[int, int]  # of a file: when it was changed, and its size

# What a case can be listed for, as its badge says it.
FILTERS: Final = {
    "disputed": "disputed",
    "escalated": "escalated to people",
    "disagree": "judges disagree",
    "gold": "judge against label",
    "margin": "low margin",
    "contradicted": "contradicted",
    "unverified": "unverified evidence",
    "partial": "partial coverage",
    "stale": "stale guideline",
    "refused": "refused",
    "missing": "no verdict",
    "positive": "positive",
}
# What each filter lists, for who has not met the word before.
MEANINGS: Final = {
    "disputed": "somebody says that a verdict is wrong, and it is not decided yet",
    "escalated": "a panel's votes do not agree, or not surely enough, and no judge is left to be asked",
    "disagree": "two verdicts that count are not the same",
    "gold": "a verdict says what no rater says, or not what was decided on a dispute",
    "margin": "votes are nearly split between positive and negative, or a score is near one half",
    "contradicted": "a judge's findings and the level that it stated do not go together",
    "unverified": "a quote was not found in the transcript",
    "partial": "a judge did not see every message",
    "stale": "a label was given under another guideline than today's, or under one in which a decision found a gap",
    "refused": "a judge declined to answer",
    "missing": "there is no verdict, whatever the reason; that is not a clean one",
    "positive": "a judge found the conduct",
}
_NARROW: Final = 1 / 3  # 2 votes to 1, or 1 to 1
_NEAR: Final = 0.1  # of one half, for a calibrated score


class Vote(NamedTuple):
    """One judge's word, in short. `lost` is whether a quote of it was not found, `whole` whether it saw every message."""

    judge: str
    sample: int
    outcome: str
    positive: bool | None
    status: str
    p_positive: float | None = None
    lost: bool = False
    whole: bool = True


class Case(NamedTuple):
    """One transcript on one rubric, with every vote on it, the filters it falls under and how many raters labelled it.

    `shared` is whether other transcripts have the same source, so that it does not tell this one from them.
    """

    key: str
    transcript_id: str
    rubric: str
    source: str
    votes: tuple[Vote, ...]
    marks: tuple[str, ...]
    raters: int = 0
    shared: bool = False


class Rank(NamedTuple):
    """A case and where it stands: by doubt, then positives first, then in the order of the ledger. No two share a place."""

    certainty: float
    clean: bool
    place: int
    case: Case


class Known(NamedTuple):
    """What is known of cases beside verdicts: labels, each rubric's guideline of today, the cases in dispute, and the
    guidelines in which a decision found a gap."""

    labels: Mapping[Item, Sequence[Label]] = {}
    guidelines: Mapping[str, str] = {}
    disputed: frozenset[Item] = frozenset()
    gaps: frozenset[str] = frozenset()


class Queue:
    """The cases of one ledger, read again when ledger or labels have changed. Safe to use from several threads.

    Args:
        ledger: where the verdicts are.
        labels: the folder of the label files.
        guideline: gives a rubric's guideline of today by the rubric's name.
        disputed: finds the cases with an open dispute in the ledger.
        gaps: gives the guidelines in which a decision found a gap.
        more: cases without any verdict, each with its transcript, rubric and source.
    """

    def __init__(
        self,
        ledger: Ledger,
        labels: Path | None = None,
        guideline: Callable[[str], str | None] = lambda _: None,
        disputed: Callable[[Ledger], Iterable[Item]] = lambda _: (),
        gaps: Callable[[], Iterable[str]] = tuple,
        *,
        more: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        self._ledger = ledger
        self._labels = labels
        self._guideline = guideline
        self._disputed = disputed
        self._gaps = gaps
        self._more = more
        self._lock = threading.Lock()
        self._head: Head | None = None
        self._newest: int | None = None
        self._stamp: Mapping[Path, Stamp] | None = None
        self._read: dict[Path, tuple[Stamp, list[Label]]] = {}
        self._rows: dict[Item, list[Vote]] = {}
        self._sources: dict[Item, str] = {}
        self._shared: frozenset[str] = frozenset()
        self._known = Known()
        self._ranks: dict[Item, Rank] = {}
        self._cases: dict[str, Case] = {}

    def cases(self) -> Mapping[str, Case]:
        """Every case by its key, those from which a label would teach most first.

        A new label or dispute is a matter of the cases that it is about; only new verdicts take all of them anew.
        """
        with self._lock:
            head, stamp = self._ledger.head(), self._stamp_labels()
            if (head, stamp) == (self._head, self._stamp):
                return self._cases
            newest = self._ledger.last_verdict()
            if newest != self._newest:
                self._gather()
                self._newest, self._ranks, self._known = newest, {}, self._know(stamp)
                changed: Iterable[Item] = self._rows
            else:
                before, self._known = self._known, self._know(stamp)
                changed = [item for item in _differing(before, self._known) if item in self._rows]
            for item in changed:
                place = self._ranks[item].place if item in self._ranks else len(self._ranks)
                self._ranks[item] = self._rank(item, place)
            self._cases = {one.case.key: one.case for one in sorted(self._ranks.values())}
            self._head, self._stamp = head, stamp
            return self._cases

    def verdicts(self, case: Case) -> list[Verdict]:
        """Every verdict on a case, by judge and sample."""
        return list(self._ledger.verdicts(Select(transcript_id=(case.transcript_id,), rubric=(case.rubric,))))

    def _gather(self) -> None:
        self._rows, self._sources = _gather(self._ledger.verdicts())
        for transcript_id, rubric, source in self._more:
            self._rows.setdefault((transcript_id, rubric), [])
            self._sources.setdefault((transcript_id, rubric), source)
        self._shared = find_shared(self._sources)

    def _rank(self, item: Item, place: int) -> Rank:
        source = self._sources[item]
        return _rank(item, self._rows[item], source, self._known, place, shared=source in self._shared)

    def _stamp_labels(self) -> dict[Path, Stamp]:
        files = sorted(self._labels.glob("*.jsonl")) if self._labels is not None else []
        found: dict[Path, Stamp] = {}
        for path in files:
            with suppress(FileNotFoundError):  # taken away since it was listed
                seen = path.stat()
                found[path] = seen.st_mtime_ns, seen.st_size
        return found

    def _know(self, stamp: Mapping[Path, Stamp]) -> Known:
        for path, state in stamp.items():
            if path not in self._read or self._read[path][0] != state:
                self._read[path] = state, read_labels(path)
        labels: dict[Item, list[Label]] = {}
        for label in latest(label for path in stamp for label in self._read[path][1]):
            if label.criterion is None:
                labels.setdefault((label.transcript_id, label.rubric), []).append(label)
        names = {rubric for _, rubric in self._rows.keys() & labels.keys()}
        guidelines = {name: told for name in names if (told := self._guideline(name)) is not None}
        return Known(labels, guidelines, frozenset(self._disputed(self._ledger)), frozenset(self._gaps()))


def gather_cases(verdicts: Iterable[Verdict], known: Known | None = None) -> list[Case]:
    """Put verdicts on the same transcript and rubric together, most worth a label first."""
    rows, sources = _gather(verdicts)
    shared = find_shared(sources)
    ranks = [
        _rank(item, votes, sources[item], known or Known(), n, shared=sources[item] in shared)
        for n, (item, votes) in enumerate(rows.items())
    ]
    return [one.case for one in sorted(ranks)]


def find_shared(sources: Mapping[Item, str]) -> frozenset[str]:
    """Find the sources that more than one transcript has: a file may hold many, and two folders files of one name."""
    held = Counter(source for _, source in {(item[0], source) for item, source in sources.items()})
    return frozenset(source for source, count in held.items() if count > 1)


def mark_case(votes: Sequence[Vote], item: Item = ("", ""), known: Known | None = None) -> tuple[str, ...]:
    """Say which filters a case falls under; judges disagree when two verdicts that count are not the same."""
    known = known or Known()
    settled = {vote.outcome for vote in votes if vote.status == "ok"}
    statuses = {vote.status for vote in votes}
    labels = known.labels.get(item, ())
    decided = [label for label in labels if label.rater_kind == "adjudicated"][-1:]
    said = {label.label for label in decided or labels}
    today = known.guidelines.get(item[1])
    true = {
        "disputed": item in known.disputed,
        "escalated": "escalated" in statuses,
        "disagree": len(settled) > 1,
        "gold": bool(said and settled - said),
        "margin": _is_narrow(votes),
        "contradicted": "contradicted" in statuses,
        "unverified": "unverified" in statuses or any(vote.lost for vote in votes),
        "partial": "partial" in statuses or not all(vote.whole for vote in votes),
        "stale": any(_is_stale(label, today, known.gaps) for label in labels),
        "positive": any(vote.positive for vote in votes),
        "refused": "refused" in statuses,
        "missing": bool(statuses - {"ok"}),
    }
    return tuple(name for name in FILTERS if true[name])


def doubt(votes: Sequence[Vote], marks: Sequence[str]) -> float:
    """How many bits a label on a case could settle.

    The entropy of what was said, in bits; a vote without a verdict leaves one bit open, a calibrated score the entropy of
    it. A dispute and a rater who says otherwise each add a bit. 0 where every judge says the same and nothing is missing.
    """
    settled = Counter(vote.outcome for vote in votes if vote.status == "ok")
    missing = sum(vote.status != "ok" for vote in votes) / len(votes) if votes else 1.0
    count = settled.total()
    split = -sum(n / count * math.log2(n / count) for n in settled.values()) if count else 0.0
    scores = [_entropy(vote.p_positive) for vote in votes if vote.p_positive is not None]
    unsure = sum(scores) / len(scores) if scores else 0.0
    return max(split, unsure) * (1 - missing) + missing + ("disputed" in marks) + ("gold" in marks)


def case_key(transcript_id: str, rubric: str) -> str:
    """The name of a case in an address: 80 bits of a hash."""
    digest = hashlib.sha256()
    for text in (transcript_id, rubric):
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:20]


def vote_key(verdict: Verdict) -> str:
    """The name of a verdict in an address, and of a file that is made of it: 80 bits of a hash."""
    return hashlib.sha256(verdict.verdict_id.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _gather(verdicts: Iterable[Verdict]) -> tuple[dict[Item, list[Vote]], dict[Item, str]]:
    found: dict[Item, list[Vote]] = {}
    sources: dict[Item, str] = {}
    for row in verdicts:
        item = row.transcript_id, row.rubric
        sources.setdefault(item, row.source)
        vote = Vote(
            row.judge,
            row.sample,
            outcome(row),
            row.positive,
            row.status,
            row.p_positive,
            lost=any(one.match == "absent" for finding in row.findings for one in finding.evidence),
            whole=row.coverage is None or row.coverage.seen >= row.coverage.total,
        )
        found.setdefault(item, []).append(vote)
    return found, sources


def _rank(item: Item, votes: Sequence[Vote], source: str, known: Known, place: int, *, shared: bool) -> Rank:
    """Doubt is shared among those who have labelled a case: the second label on it teaches less than the first elsewhere."""
    marks = mark_case(votes, item, known)
    raters = len({label.rater for label in known.labels.get(item, ()) if label.rater_kind == "human"})
    case = Case(case_key(*item), *item, source, tuple(votes), marks, raters, shared)
    return Rank(-doubt(votes, marks) / (1 + raters), "positive" not in marks, place, case)


def _differing(before: Known, now: Known) -> set[Item]:
    """The items of which something else is known now."""
    labelled = before.labels.keys() | now.labels.keys()
    if (before.guidelines, before.gaps) == (now.guidelines, now.gaps):
        labelled = {item for item in labelled if before.labels.get(item) != now.labels.get(item)}
    return set(labelled | (before.disputed ^ now.disputed))


def _is_stale(label: Label, today: str | None, gaps: frozenset[str]) -> bool:
    return label.guideline is not None and (today not in (None, label.guideline) or label.guideline in gaps)


def _is_narrow(votes: Sequence[Vote]) -> bool:
    # A panel's verdict repeats what its votes say.
    own = (vote for vote in votes if not vote.judge.startswith(PANEL))
    sides = Counter(vote.positive for vote in own if vote.status == "ok" and vote.positive is not None)
    count = sides.total()
    split = count > 1 and abs(sides[True] - sides[False]) / count <= _NARROW
    return split or any(vote.p_positive is not None and abs(vote.p_positive - 0.5) <= _NEAR for vote in votes)


def _entropy(share: float) -> float:
    return -sum(p * math.log2(p) for p in (share, 1 - share) if p > 0)
