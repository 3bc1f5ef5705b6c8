"""Several judges, or several samples of one: how often they differ, who with whom, and on which transcripts most.

Votes that differ are for people to look at; nothing here averages them into a verdict.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from judge.calibration.comparison import flip_rate
from judge.calibration.intervals import proportion
from judge.calibration.matching import MISSING
from judge.calibration.statistic import Statistic
from judge.calibration.votes import effective_votes
from judge.ledger.verdict import Verdict
from judge.report.cases import Mask, outcome, tell_votes
from judge.report.figures import format_statistic
from judge.report.model import Divided, Pair, Panel, Sitting
from judge.text import counted, one_line

DIVIDED = 30  # transcripts that are told
_JUDGES_IN_PAIRS = 12
_VOTERS = 24  # of whom it is reckoned what their votes are worth; a sample of a judge is a voter

ByItem = Mapping[tuple[str, str], Sequence[Verdict]]  # by rubric and transcript


def measure_panels(
    on_item: ByItem, hide: Mask, truth: Mapping[tuple[str, str], bool] | None = None
) -> tuple[Panel, ...]:
    """One panel for each rubric on which some transcript has several votes; `hide` masks what is told of a transcript.

    `truth`: what raters say, by rubric and transcript, where they are not tied.
    """
    rubrics: dict[str, list[Sequence[Verdict]]] = defaultdict(list)
    sittings: dict[str, list[Verdict]] = defaultdict(list)
    for (rubric, _), rows in on_item.items():
        votes = [row for row in rows if row.panel is None]
        sittings[rubric] += (row for row in rows if row.panel is not None)
        if len(votes) > 1:
            rubrics[rubric].append(votes)
    return tuple(
        _panel(rubric, items, sittings[rubric], hide, truth or {}) for rubric, items in sorted(rubrics.items())
    )


def describe_panel(panel: Panel) -> Iterator[str]:
    """A panel in words: who voted how, how often votes differ, what they are worth, and what became of it."""
    yield f"{one_line(panel.rubric)}: {counted(len(panel.judges), 'judge')}, up to {counted(panel.samples, 'sample')}"
    for judge, samples in panel.votes.items():
        for sample, outcomes in samples.items():
            told = ", ".join(f"{count:,} {one_line(name, 40)}" for name, count in outcomes.items())
            yield f"  {one_line(judge, 40)} sample {sample}: {told}"
    yield f"  votes differ            {format_statistic(panel.split, percent=True)}"
    for judge, figure in panel.flips.items():
        yield f"  flip rate               {format_statistic(figure, percent=True)}  {one_line(judge, 40)}"
    for pair in panel.pairs:
        who = f"{one_line(pair.first, 40)} and {one_line(pair.second, 40)}"
        yield f"  agreement               {format_statistic(pair.agreement, percent=True)}  {who}"
    for what, figure in panel.worth.items():
        yield f"  effective votes ({what + ')':<7} {format_statistic(figure)}"
    for one in panel.sittings:
        steps = ", ".join(f"{count:,} settled at step {step}" for step, count in enumerate(one.settled, start=1))
        yield f"  {one_line(one.name, 60)}: {counted(one.verdicts, 'transcript')}: {steps}, {one.escalated:,} escalated to people"
        yield f"    {one.missing:,} for want of votes, {one.dissent:,} settled with dissent"
        if one.blind_differs:
            yield f"    {one.blind_differs:,} where private reasoning changed what was found"


def _panel(
    rubric: str,
    items: Sequence[Sequence[Verdict]],
    sittings: Iterable[Verdict],
    hide: Mask,
    truth: Mapping[tuple[str, str], bool],
) -> Panel:
    judges = tuple(sorted({row.judge for rows in items for row in rows}))
    settled = [[row for row in rows if row.positive is not None] for rows in items]
    several = [rows for rows in settled if len(rows) > 1]
    divided = [rows for rows in several if len({row.positive for row in rows}) > 1]
    divided.sort(key=lambda rows: (-_evenness(rows), rows[0].transcript_id))
    whole = {rows[0].transcript_id: rows for rows in items}
    return Panel(
        rubric=rubric,
        judges=judges,
        samples=1 + max(row.sample for rows in items for row in rows),
        split=proportion(len(divided), len(several), method="wilson"),
        pairs=_pairs(judges, settled),
        flips=_flips(judges, settled),
        divided=tuple(
            Divided(
                transcript_id=rows[0].transcript_id,
                source=hide(rows[0].source)[:200],
                votes=tell_votes(whole[rows[0].transcript_id]),
            )
            for rows in divided[:DIVIDED]
        ),
        n_divided=len(divided),
        worth=_worth(several, truth),
        votes=_count_votes(items),
        sittings=_sittings(sittings),
    )


def _worth(items: Sequence[Sequence[Verdict]], truth: Mapping[tuple[str, str], bool]) -> dict[str, Statistic]:
    """How many independent votes these are worth, by how they go together and by how they err together."""
    voters = sorted({(row.judge, row.sample) for rows in items for row in rows})
    if not 1 < len(voters) <= _VOTERS:
        return {}
    column = {voter: place for place, voter in enumerate(voters)}
    table = np.full((len(items), len(voters)), MISSING)
    for index, rows in enumerate(items):
        for row in rows:
            table[index, column[row.judge, row.sample]] = bool(row.positive)
    found = {"votes": effective_votes(table)}
    right = np.array([truth.get((rows[0].rubric, rows[0].transcript_id), MISSING) for rows in items], dtype=int)
    return found | ({"errors": effective_votes(table, right)} if (right != MISSING).any() else {})


def _count_votes(items: Iterable[Sequence[Verdict]]) -> dict[str, dict[str, dict[str, int]]]:
    """How often each sample of each judge gave each outcome."""
    counts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for rows in items:
        for row in rows:
            counts[row.judge, row.sample][outcome(row)] += 1
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (judge, sample), outcomes in sorted(counts.items()):
        found.setdefault(judge, {})[str(sample)] = dict(sorted(outcomes.items()))
    return found


def _sittings(verdicts: Iterable[Verdict]) -> tuple[Sitting, ...]:
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for row in verdicts:
        groups[row.judge].append(row)
    return tuple(_sitting(name, rows) for name, rows in sorted(groups.items()))


def _sitting(name: str, rows: Sequence[Verdict]) -> Sitting:
    steps = max(row.panel.steps for row in rows if row.panel)
    settled = Counter(row.panel.step for row in rows if row.panel and row.status == "ok")
    escalated = sum(row.status == "escalated" for row in rows)
    return Sitting(
        name=name,
        verdicts=len(rows),
        settled=tuple(settled[step] for step in range(1, steps + 1)),
        escalated=escalated,
        missing=len(rows) - settled.total() - escalated,
        dissent=sum("dissent" in row.flags for row in rows),
        blind_differs=sum("blind_differs" in row.flags for row in rows),
    )


def _evenness(rows: Sequence[Verdict]) -> float:
    share = sum(row.positive is True for row in rows) / len(rows)
    return min(share, 1 - share)


def _pairs(judges: Sequence[str], items: Iterable[Sequence[Verdict]]) -> tuple[Pair, ...]:
    """Agreement of each two judges by their first samples."""
    if not 1 < len(judges) <= _JUDGES_IN_PAIRS:
        return ()
    alike: Counter[tuple[str, str]] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for rows in items:
        first = sorted((row.judge, bool(row.positive)) for row in rows if row.sample == 0)
        for place, (one, vote) in enumerate(first):
            for other, answer in first[place + 1 :]:
                both[one, other] += 1
                alike[one, other] += vote == answer
    return tuple(
        Pair(first=one, second=other, agreement=proportion(alike[one, other], both[one, other], method="wilson"))
        for place, one in enumerate(judges)
        for other in judges[place + 1 :]
    )


def _flips(judges: Sequence[str], items: Iterable[Sequence[Verdict]]) -> dict[str, Statistic]:
    votes: dict[str, list[list[int]]] = {name: [] for name in judges}
    for rows in items:
        mine: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            mine[row.judge].append(int(bool(row.positive)))
        for name, answers in mine.items():
            if len(answers) > 1:
                votes[name].append(answers)
    found = {}
    for name, several in votes.items():
        if several:
            table = np.full((len(several), max(map(len, several))), MISSING)
            for index, answers in enumerate(several):
                table[index, : len(answers)] = answers
            found[name] = flip_rate(table)
    return found
