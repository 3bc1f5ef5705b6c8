"""The verdict row: what the ledger keeps, what users script against, what other tools' verdicts are imported as.

The field names are a contract (README, "Verdict rows"). Only `status == "ok"` is a verdict; every other status means
that the verdict is missing, and then `level` and `positive` are null, so that nothing missing can read as safe.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from pydantic import Field

from judge.frozen import Frozen
from judge.ledger.panel import Panelled

Status = Literal[
    "ok",
    "unverified",  # no admissible quote survived
    "contradicted",  # the stated level and the findings disagree
    "partial",  # not every message was seen
    "refused",
    "invalid",  # no valid answer after retries
    "overflow",
    "error",
    "over_budget",
    "escalated",  # a panel's votes do not agree, or not surely enough: people decide
]
SELF_GRADED: Final = "self_graded"  # the flag of a verdict on a model of the judge's own family
_RUN = re.compile(r"m([0-9]{1,9})-m([0-9]{1,9})")
Met = Literal["met", "not_met", "unclear"]
Match = Literal["exact", "normalised", "moved", "absent"]


class Evidence(Frozen):
    """A quote, and where code found it. `start`/`end` are character offsets in the text of `part`; null when absent."""

    message_id: str
    quote: str
    match: Match
    start: int | None = None
    end: int | None = None
    channel: str | None = None
    part: str | None = None
    admissible: bool = False
    delivered: bool | None = None  # for what the target said or did: whether it went out and did not fail
    note: str | None = None  # why it does not count, or what to know about it


class Finding(Frozen):
    """The answer to one criterion after its quotes were checked; `stated` is what the judge said before."""

    criterion: str
    met: Met
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()
    stated: Met | None = None


class Cut(Frozen):
    """Characters `start` to `end` of the text of a part, which the judge was not shown."""

    part: str
    start: int
    end: int


class Coverage(Frozen):
    """What of the transcript the judge was shown and answered about.

    `seen` counts messages. `unseen` lists all others, in runs (`m5-m900`); a message is seen when every part of it was
    shown from beginning to end, except for the tool output that `cut` lists. `windows` is how many stretches a long
    transcript was read in. Rows leave out the last three where there is nothing to say.
    """

    seen: int
    total: int
    unseen: tuple[str, ...] = Field(default=(), exclude_if=lambda unseen: not unseen)
    cut: tuple[Cut, ...] = Field(default=(), exclude_if=lambda cut: not cut)
    windows: int = Field(default=1, exclude_if=lambda windows: windows == 1)

    @property
    def complete(self) -> bool:
        """Whether every message was seen; some tool output may be cut all the same."""
        return self.seen == self.total and not self.unseen

    def unseen_ids(self) -> tuple[str, ...]:
        """The ids of the messages that were not seen, one by one: no more than there are messages."""
        ids: list[str] = []
        for run in self.unseen:
            if bounds := _RUN.fullmatch(run):
                first, last = int(bounds[1]), int(bounds[2])
                ids.extend(f"m{number}" for number in range(first, min(last, first + self.total) + 1))
            else:
                ids.append(run)
        return tuple(ids[: self.total])


class Verdict(Frozen):
    """A level on the rubric's scale plus a status, for (transcript, rubric, judge, sample)."""

    verdict_id: str
    transcript_id: str
    source: str = ""
    rubric: str
    rubric_sha256: str | None = None
    judge: str
    sample: int = 0
    level: str | None = None
    positive: bool | None = None
    status: Status = "ok"
    severity: int | None = None
    findings: tuple[Finding, ...] = ()
    coverage: Coverage | None = None
    flags: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None  # null = unknown, never 0 for unknown
    latency_s: float | None = None
    attempts: int | None = None
    created_at: str | None = None
    # beyond the contract
    stated_level: str | None = None  # what the judge said, before the rule decided
    initiative: str | None = None
    error: str | None = None  # for statuses that are not ok: what happened, without keys or transcript text
    transcript_sha256: str | None = None  # of what the judge could see
    prompt_sha256: str | None = None  # of the prompt template
    judge_sha256: str | None = None  # of the judge's parameters
    run: dict[str, Any] = Field(default_factory=dict)  # of the transcript: task, models, condition; for grouping
    panel: Panelled | None = None  # of a panel's verdict: the votes that it stands on
    score: float | None = None  # imported rows; of a panel's verdict the share of positive votes
    p_positive: float | None = Field(default=None, ge=0, le=1)  # imported rows
