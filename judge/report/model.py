"""What a report says, as data: what was judged and what is missing, rates, accuracy, panels, cost, and the worst cases.

`judge.report.gather` fills it; pages, Markdown and tables are made from it. Text that came from a transcript or a judge is
masked when it gets here (`judge.report.secrets`) and is otherwise untouched: whoever prints it escapes it for its medium.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from judge.calibration.calibrate import Calibration, Rate
from judge.calibration.claims import Claims
from judge.calibration.scores import ReliabilityBin
from judge.calibration.statistic import Statistic
from judge.frozen import Frozen

# Where words of a transcript, of its author or of a judge that read it stand in the JSON form of a report.
UNTRUSTED: Final = (
    "cases[].source",
    "cases[].points[].reason",
    "cases[].points[].quotes[].quote",
    "accuracy[].differences[].case",
    "accuracy[].differences[].rationale",
    "panels[].divided[].source",
    "lapses[].source",
    "lapses[].error",
    "rates[].group",
)


class Scope(Frozen):
    """How much was judged, over everything."""

    verdicts: int
    transcripts: int
    rubrics: int
    judges: int
    positive: int  # verdicts
    missing: int  # verdicts that are none: any status but ok
    outside: int  # verdicts that are no place on the scale, such as not_applicable
    first: str | None = None  # when the first and the last of them were made
    last: str | None = None


class Tally(Frozen):
    """What became of the verdicts of one judge on one rubric, every sample counted."""

    rubric: str
    judge: str
    transcripts: int
    verdicts: int
    levels: dict[str, int]  # of status ok, on the scale, lowest first where it is known
    positive_levels: tuple[str, ...]
    outside: dict[str, int]
    missing: dict[str, int]  # by status
    partly_seen: int  # of status ok, although the judge was not shown every message


class Quote(Frozen):
    """A quote, and how code found it."""

    message_id: str
    quote: str
    match: str
    channel: str | None = None
    admissible: bool = True
    note: str | None = None


class Point(Frozen):
    """A criterion that was met, why, and on what."""

    criterion: str
    reason: str
    quotes: tuple[Quote, ...]


class Vote(Frozen):
    """What one judge said in one sample; `outcome` is a level or, where there is no verdict, the status."""

    judge: str
    sample: int
    outcome: str
    positive: bool | None
    status: str


class Case(Frozen):
    """One transcript on one rubric that at least one judge called positive; what is told is told by `verdict_id`."""

    transcript_id: str
    source: str
    rubric: str
    verdict_id: str
    judge: str
    level: str
    severity: int | None
    initiative: str | None
    flags: tuple[str, ...]
    points: tuple[Point, ...]
    votes: tuple[Vote, ...]
    label: str | None = None  # what raters said, where they did

    @property
    def flagged(self) -> int:
        """How many votes are positive."""
        return sum(vote.positive is True for vote in self.votes)

    @property
    def settled(self) -> int:
        """How many votes are positive or negative."""
        return sum(vote.positive is not None for vote in self.votes)


class Difference(Frozen):
    """A labelled transcript on which the judge is not of the raters' mind."""

    kind: str  # "missed", "false alarm", "no verdict"
    label: str
    case: Case
    rationale: str | None = None  # a rater's
    decisive: tuple[Quote, ...] = ()  # what a rater took for decisive


class Certified(Frozen):
    """What a certificate says of one judge on one rubric, and what it does not cover; `void` says why it holds no more."""

    rubric: str
    judge: str
    decision: str
    level: str | None
    protocol: str
    population: str
    covers: str
    gates: tuple[tuple[str, str, str], ...]  # name, state, in words
    reasons: tuple[str, ...]
    not_validated: dict[str, tuple[str, ...]]
    expires_at: str
    claims: Claims
    void: tuple[str, ...]


class Accuracy(Frozen):
    """A judge against labels, where the two differ, and whether its probabilities are what they say."""

    calibration: Calibration
    differences: tuple[Difference, ...]  # up to a cap
    n_differences: int
    reliability: tuple[ReliabilityBin, ...] = ()


class Pair(Frozen):
    """How often two judges agree on positive or negative."""

    first: str
    second: str
    agreement: Statistic


class Divided(Frozen):
    """A transcript on which votes differ."""

    transcript_id: str
    source: str
    votes: tuple[Vote, ...]


class Sitting(Frozen):
    """What a panel's own verdicts on one rubric came to."""

    name: str
    verdicts: int
    settled: tuple[int, ...]  # by each step, the first one first
    escalated: int  # to people
    missing: int  # for want of votes
    dissent: int  # settled although some vote was for another level
    blind_differs: int  # where private reasoning changed what was found


class Panel(Frozen):
    """Several judges, or several samples of one, on one rubric; a panel's own verdicts are no votes.

    `worth` is how many independent votes these are worth, by the correlation of their `votes` and, where transcripts are
    labelled, of their `errors`.
    """

    rubric: str
    judges: tuple[str, ...]
    samples: int
    split: Statistic  # share of transcripts with several votes on which they differ
    pairs: tuple[Pair, ...]
    flips: dict[str, Statistic]  # by judge: share of its transcripts whose samples differ
    divided: tuple[Divided, ...]  # the most divided, up to a cap
    n_divided: int
    worth: dict[str, Statistic] = Field(default_factory=dict)
    votes: dict[str, dict[str, dict[str, int]]] = Field(
        default_factory=dict
    )  # by judge and sample: how many of each outcome
    sittings: tuple[Sitting, ...] = ()


class Cost(Frozen):
    """What one judge took. `cost_usd` sums what is known; `unpriced` verdicts have no known cost."""

    judge: str
    verdicts: int
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float | None
    unpriced: int
    median_latency_s: float | None


class Lapse(Frozen):
    """A transcript without a verdict."""

    transcript_id: str
    source: str
    rubric: str
    judge: str
    status: str
    error: str | None
    verdict_id: str


class Version(Frozen):
    """What was used to judge: a rubric, a judge's parameters or a prompt, and how many verdicts were made with it."""

    kind: str
    name: str
    sha256: str | None
    verdicts: int


class Report(Frozen):
    """Everything that a report shows."""

    title: str
    made_at: str | None
    version: str
    ledger: str | None
    head: str | None  # of the ledger's chain when the report was made
    entries: int | None
    scope: Scope
    tallies: tuple[Tally, ...]
    rates: tuple[Rate, ...]
    grouped_by: tuple[str, ...]
    cases: tuple[Case, ...]
    n_cases: int
    other_cases: dict[str, int]  # of those not shown: how many by rubric, level and severity
    accuracy: tuple[Accuracy, ...]
    certificates: tuple[Certified, ...]
    label_kinds: tuple[str, ...]
    panels: tuple[Panel, ...]
    costs: tuple[Cost, ...]
    lapses: tuple[Lapse, ...]
    n_lapses: int
    versions: tuple[Version, ...]
    notes: tuple[str, ...]
    masked: bool = True
    untrusted: tuple[str, ...] = UNTRUSTED
