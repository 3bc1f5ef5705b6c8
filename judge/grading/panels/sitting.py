"""Ask a panel: step by step, each step an ordinary run over what the steps before it left open.

Every vote is a verdict of its own, kept like any other; the panel's verdict is computed from them and kept beside them. A
second run finds the votes, computes the same verdicts, and writes nothing. What the votes amount to is `panel`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

from judge.errors import InputError
from judge.frozen import Frozen
from judge.grading.budget import Budget
from judge.grading.panels.file import fit_thresholds, load_panel
from judge.grading.panels.panel import Cast, Panel, conclude, hear, seat_votes
from judge.grading.run import run as run_here
from judge.grading.tally import Progress, Tally
from judge.ledger.panel import PANEL
from judge.ledger.store import Ledger, Select
from judge.ledger.verdict import Status, Verdict
from judge.rubrics.loading import load_rubric
from judge.rubrics.model import Rubric
from judge.text import quoted
from judge.transcripts.model import Transcript

_GROUP: Final = 200  # verdicts of the panel that are written at once
# What of a tally adds up over steps; the rest is how the present step stands.
_COUNTS: Final = tuple("done found drawn statuses positive spent_usd unpriced input_tokens output_tokens".split())
_ANY: Final[tuple[Status, ...]] = get_args(Status)

Item = tuple[str, str]  # transcript and rubric


async def sit(
    transcripts: Callable[[], Iterable[Transcript]],
    rubrics: Sequence[Rubric],
    panel: Panel,
    *,
    ledger: Ledger | None = None,
    on_progress: Progress | None = None,
    run: Callable[..., Any] = run_here,
    **options: Any,
) -> AsyncIterator[tuple[Verdict, bool]]:
    """Yield each vote and each verdict of the panel (`verdict.panel` is set) once it is on disk, and whether it was there.

    Args:
        transcripts: gives what is graded, anew for every step: only what is open is kept in mind, not transcripts.
        rubrics: the rubrics, each asked of every transcript.
        panel: who is asked, and by which rule.
        ledger: where verdicts are kept and looked up; without one nothing is kept.
        on_progress: called with how all steps so far stand together.
        run: what makes the votes: in this process, or on workers.
        options: what `run` takes besides: budget, concurrency, retry.

    Raises:
        InputError: if the ledger holds verdicts of another panel of this name; else, and ProviderError, as `run.run`.
    """
    _check_name(panel, ledger)
    bench, follow = _Bench(rubrics, panel, ledger), _Follow(on_progress)
    for step in range(1, panel.steps + 1):
        judges = [seat.judge for seat in panel.seats if seat.step == step]
        samples = bench.times(step)
        stream = run(transcripts(), rubrics, judges, ledger=ledger, samples=samples, on_progress=follow, **options)
        try:
            async with aclosing(stream):
                async for vote, found in stream:
                    yield vote, found
                    if bench.take(step, vote) >= _GROUP:
                        for outcome in bench.settle():
                            yield outcome
        finally:
            # What is complete is kept, also when the run stops here.
            last = bench.settle()
        for outcome in last:
            yield outcome
        if not bench.passed_on:
            break
        bench.next_step()
        follow.next_step()


class PanelGrading(Frozen):
    """The result of a panel: its verdicts, and the votes that they were computed from."""

    verdicts: tuple[Verdict, ...]
    votes: tuple[Verdict, ...]
    budget_reached: bool

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the panel's verdicts as plain rows in the contract's form."""
        return [verdict.model_dump(mode="json") for verdict in self.verdicts]


async def grade_panel(
    transcripts: Sequence[Transcript],
    rubrics: Iterable[Rubric | str],
    panel: Panel | Path | str,
    *,
    ledger: Ledger | None = None,
    budget_usd: float | None = None,
    **options: Any,
) -> PanelGrading:
    """Grade transcripts with a panel, or the one that a file describes. Errors and `options` as for `sit`.

    Raises:
        InputError: besides, if the panel file does not fit its form, or its thresholds the rubrics.
    """
    loaded = [load_rubric(rubric) if isinstance(rubric, str) else rubric for rubric in rubrics]
    seated = panel if isinstance(panel, Panel) else load_panel(Path(panel))
    fit_thresholds(seated, loaded, str(panel) if not isinstance(panel, Panel) else PANEL + panel.name)
    budget = Budget(budget_usd)
    stream = sit(lambda: transcripts, loaded, seated, ledger=ledger, budget=budget, **options)
    rows = [row async for row, _ in stream]
    return PanelGrading(
        verdicts=tuple(row for row in rows if row.panel is not None),
        votes=tuple(row for row in rows if row.panel is None),
        budget_reached=budget.reached,
    )


def grade_panel_sync(*args: Any, **kwargs: Any) -> PanelGrading:
    """`grade_panel` for code without an event loop; same arguments, same result."""
    return asyncio.run(grade_panel(*args, **kwargs))


def _check_name(panel: Panel, ledger: Ledger | None) -> None:
    """See that what is filed under the panel's name is this panel's: figures would mix what two of them say."""
    if ledger is None:
        return
    name = PANEL + panel.name
    other = next(ledger.verdicts(Select(judge=(name,))), None)
    if other is not None and other.judge_sha256 != panel.sha256:
        raise InputError(
            f"{ledger.where}: holds verdicts of another {quoted(name)}, with other members, rule or thresholds; give this "
            "panel another name in its file, or take another ledger with --ledger"
        )


class _Bench:
    """What is open: of each transcript and rubric the votes that are there, until the step's last one comes in."""

    def __init__(self, rubrics: Sequence[Rubric], panel: Panel, ledger: Ledger | None) -> None:
        self.passed_on: dict[Item, list[Verdict | str]] = {}  # to the next step; by id where the ledger has the votes
        self._rubrics = {rubric.id: rubric for rubric in rubrics}
        self._panel = panel
        self._ledger = ledger
        self._open: dict[Item, list[Verdict | str]] | None = None  # null: every transcript is
        self._heard: dict[Item, list[Verdict]] = {}
        self._complete: list[list[Cast]] = []

    def times(self, step: int) -> Callable[[Transcript, Rubric, Any], int]:
        """How often a judge is asked about a transcript and rubric at this step."""
        open_items = self._open

        def how_often(transcript: Transcript, rubric: Rubric, judge: Any) -> int:
            if open_items is not None and (transcript.id, rubric.id) not in open_items:
                return 0
            return next(
                (one.samples for one in self._panel.seated(step, rubric) if one.voter.sha256 == judge.sha256), 0
            )

        return how_often

    def take(self, step: int, vote: Verdict) -> int:
        """Add a vote, and return how many verdicts of the panel wait to be written."""
        item = vote.transcript_id, vote.rubric
        here = self._heard.setdefault(item, [])
        here.append(vote)
        rubric = self._rubrics[vote.rubric]
        if len(here) == sum(seat.samples for seat in self._panel.seated(step, rubric)):
            votes = [*self._earlier(item), *self._heard.pop(item)]
            casts = seat_votes(self._panel, votes)
            if hear(self._panel, rubric, casts).goes_on:
                self.passed_on[item] = [vote if self._ledger is None else vote.verdict_id for vote in votes]
            else:
                self._complete.append(casts)
        return len(self._complete)

    def settle(self) -> list[tuple[Verdict, bool]]:
        """Write the verdicts of the panel that wait, and return them; those that are there already are not written."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        made = [conclude(self._panel, self._rubrics[casts[0].verdict.rubric], casts, now) for casts in self._complete]
        self._complete.clear()
        if self._ledger is None or not made:
            return [(verdict, False) for verdict in made]
        wanted = tuple(verdict.verdict_id for verdict in made)
        there = {verdict.verdict_id: verdict for verdict in self._ledger.verdicts(Select(verdict_id=wanted))}
        new = [verdict for verdict in made if not _is_same(there.get(verdict.verdict_id), verdict)]
        # A vote that was asked for again can change what the panel says: the ledger keeps both, the later one counts.
        self._ledger.append(new, reopen=_ANY)
        fresh = {verdict.verdict_id for verdict in new}
        return [
            (verdict, False) if verdict.verdict_id in fresh else (there[verdict.verdict_id], True) for verdict in made
        ]

    def next_step(self) -> None:
        """Go on with what was passed on."""
        self._open, self.passed_on = self.passed_on, {}

    def _earlier(self, item: Item) -> list[Verdict]:
        """The votes of the steps before."""
        kept = (self._open or {}).get(item, [])
        rows = [vote for vote in kept if isinstance(vote, Verdict)]
        ids = tuple(vote for vote in kept if isinstance(vote, str))
        if ids and self._ledger is not None:
            rows += self._ledger.verdicts(Select(verdict_id=ids))
        return rows


class _Follow:
    """Adds up the tallies of the steps, each of which counts from nought."""

    def __init__(self, on_progress: Progress | None) -> None:
        self._on_progress = on_progress
        self._before: Tally | None = None
        self._last: Tally | None = None

    def __call__(self, tally: Tally) -> None:
        """Pass on what all steps come to."""
        self._last = tally if self._before is None else _add(self._before, tally)
        if self._on_progress is not None:
            self._on_progress(self._last)

    def next_step(self) -> None:
        """Count on from here."""
        self._before = self._last


def _add(before: Tally, now: Tally) -> Tally:
    sums = {name: getattr(before, name) + getattr(now, name) for name in _COUNTS}
    return replace(now, started=before.started, **sums)


def _is_same(there: Verdict | None, made: Verdict) -> bool:
    return there is not None and there.model_copy(update={"created_at": made.created_at}) == made
