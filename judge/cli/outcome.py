"""What `judge grade` prints: verdicts as they come, and at the end what they come to and cost, by rubric."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from judge.cli.common import print_json, say
from judge.cli.progress import Follow, describe

if TYPE_CHECKING:
    from judge.ledger.store import Outline
    from judge.ledger.verdict import Verdict


_LEAST_SHOWN_USD = 0.0001


@dataclass
class _Rubric:
    """What a run came to on one rubric."""

    levels: Counter[str] = field(default_factory=Counter)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)  # by judge and sample
    new: int = 0  # answers that this run has paid for, a panel's votes included
    spent_usd: float = 0.0
    unpriced: int = 0


class Outcome:
    """What a run came to, by rubric."""

    def __init__(self) -> None:
        self.rubrics: dict[str, _Rubric] = {}
        self.total = self.missing = 0

    def count(self, verdict: Verdict | Outline) -> None:
        """Add a verdict, new or found."""
        here = self.rubrics.setdefault(verdict.rubric, _Rubric())
        here.levels[(verdict.level if verdict.status == "ok" else f"no verdict: {verdict.status}") or "?"] += 1
        here.answered[verdict.judge, verdict.sample] += 1
        self.total += 1
        self.missing += verdict.status != "ok"

    def add_cost(self, verdict: Verdict) -> None:
        """Add what a new verdict has cost, if anybody was asked for it."""
        if not verdict.attempts:
            return
        here = self.rubrics.setdefault(verdict.rubric, _Rubric())
        here.new += 1
        here.spent_usd += verdict.cost_usd or 0.0
        here.unpriced += verdict.cost_usd is None

    def wants(self, found: Outline) -> bool:
        """Whether a verdict that is in the ledger will be printed; one that will not is counted here."""
        if printed := _is_printed(found):
            return printed
        self.count(found)
        return False


def _is_printed(verdict: Verdict | Outline) -> bool:
    return verdict.status != "ok" or bool(verdict.positive) or verdict.level == "considered"


async def print_all(
    stream: AsyncIterator[tuple[Verdict, bool]], outcome: Outcome, *, json: bool, everything: bool, panel: bool
) -> None:
    """Print verdicts as they come, those that say nothing only if everything is wanted, and count them all."""
    from judge.report.terminal import describe_verdict

    async for verdict, found in stream:
        # Of a panel it is its own verdicts that count; its votes are there to be read, and are what is paid for.
        counts = not panel or verdict.panel is not None
        if counts:
            outcome.count(verdict)
        if not found and verdict.panel is None:
            outcome.add_cost(verdict)
        if json:
            print_json(verdict.model_dump(mode="json"))
        elif not counts and not everything:
            continue
        elif everything or _is_printed(verdict):
            print("\n".join(describe_verdict(verdict)))


def summarise(outcome: Outcome, follow: Follow, ledger: str, *, paid_usd: float | None = None, quiet: bool) -> None:
    """Say what all verdicts come to. `paid_usd` is what this run has taken from its budget, null where it had none."""
    from judge.text import counted

    if not outcome.total:
        say("\nNo transcripts were graded.", quiet=quiet)
        return
    say(quiet=quiet)
    for name, one in sorted(outcome.rubrics.items()):
        counts = ", ".join(f"{count} {level}" for level, count in sorted(one.levels.items()))
        # Several judges or samples answer about one transcript: rows are no transcripts. Each of them answers about each, so
        # that no ids need to be kept, which would grow with the run.
        rows, judged = sum(one.levels.values()), max(one.answered.values(), default=0)
        several = f"{rows:,} answers on " if rows > judged else ""
        say(f"{name}: {several}{counted(judged, 'transcript')}: {counts}{_describe_cost(one)}", quiet=quiet)
    if outcome.missing:
        say(f"no verdict: {outcome.missing:,} of {outcome.total:,}; counted as missing, not as clean", quiet=quiet)
    if follow.last is not None:
        say(describe(follow.last), quiet=quiet)
        if paid_usd is not None and follow.last.spent_usd - paid_usd >= _LEAST_SHOWN_USD:
            say(f"{paid_usd:.4f} USD of it by this run; the other answers an earlier one had paid for", quiet=quiet)
    say(f"ledger: {ledger}", quiet=quiet)


def _describe_cost(one: _Rubric) -> str:
    """What the new answers on a rubric have cost, in all and each; nothing where they were free."""
    priced = one.new - one.unpriced
    if not one.unpriced and not one.spent_usd:
        return ""
    if not priced:
        return "; cost unknown"
    unknown = f", {one.unpriced:,} of unknown cost besides" if one.unpriced else ""
    return f"; {one.spent_usd:.4f} USD, {one.spent_usd / priced:.5f} an answer{unknown}"
