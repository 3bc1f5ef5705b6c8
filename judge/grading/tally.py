"""How a run stands: what is counted while it goes on. Nothing here decides or prints anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from judge.ledger.verdict import Verdict


@dataclass
class Tally:
    """How a run stands. `found` verdicts were in the ledger already; `spent_usd` counts what is known.

    `drawn` counts the verdicts that the transcripts read so far ask for; with `all_drawn`, each of them was begun.
    """

    done: int = 0
    found: int = 0
    drawn: int = 0
    all_drawn: bool = False
    statuses: Counter[str] = field(default_factory=Counter)
    positive: int = 0
    spent_usd: float = 0.0
    unpriced: int = 0  # verdicts whose cost nobody knows
    input_tokens: int = 0
    output_tokens: int = 0
    batches: dict[str, tuple[str, int]] = field(
        default_factory=dict
    )  # at the provider: how each stands, answered so far
    started: float = field(default_factory=time.monotonic)

    def count(self, verdict: Verdict) -> None:
        """Add one new verdict."""
        self.done += 1
        self.statuses[verdict.status] += 1
        self.positive += verdict.positive is True
        self.spent_usd += verdict.cost_usd or 0.0
        self.unpriced += verdict.cost_usd is None
        self.input_tokens += verdict.input_tokens or 0
        self.output_tokens += verdict.output_tokens or 0

    def note_batch(self, name: str, status: str, answered: int) -> None:
        """Note how a batch stands; without a name, that the batch interface cannot be reached, until it answers again."""
        self.batches.pop("", None)
        self.batches[name] = (status, answered)


Progress = Callable[[Tally], None]
