"""Account for what a judge was shown: which messages it saw whole, which it did not, and what was cut out of tool output.

Pure. A message is seen when the windows that were answered show, between them, every part of it from beginning to end. The
output of a tool of which the middle was cut counts as seen, and stands in the list of cuts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from judge.grading.view import Stretch, View
from judge.ledger.verdict import Coverage, Cut
from judge.transcripts.model import Message, Transcript


def cover(transcript: Transcript, views: Sequence[View]) -> Coverage:
    """Return what the views that were answered cover between them; parts that are hidden on purpose are not missed."""
    total = len(transcript.messages)
    if any(view.whole for view in views):
        return Coverage(seen=total, total=total)
    whole: set[int] = set()
    stretches: dict[int, set[Stretch]] = {}
    cut_parts = frozenset[str]().union(*(view.cut for view in views))
    for view in views:
        for shown in view.messages or ():
            if shown.stretches is None:
                whole.add(shown.message)
            else:
                stretches.setdefault(shown.message, set()).update(shown.stretches)
    cuts: list[Cut] = []
    for number, there in stretches.items():
        if number in whole:
            continue
        gaps = list(_gaps(transcript.messages[number], sorted(there)))
        if all(gap.part in cut_parts for gap in gaps):
            whole.add(number)
            cuts.extend(gaps)
    unseen = [number for number in range(total) if number not in whole]
    return Coverage(
        seen=total - len(unseen),
        total=total,
        unseen=tuple(_name_runs(transcript, unseen)),
        cut=tuple(cuts),
        windows=max(1, *(view.window[1] for view in views)) if views else 1,
    )


def _gaps(message: Message, shown: Sequence[Stretch]) -> Iterable[Cut]:
    """Yield what of each part is not shown; a part without text is missed too if it is not there at all."""
    there = {number: list(stretches) for number, stretches in groupby(shown, key=attrgetter("part"))}
    for number, part in enumerate(message.parts):
        at = 0
        for stretch in there.get(number, ()):
            if stretch.start > at:
                yield Cut(part=part.id, start=at, end=stretch.start)
            at = max(at, stretch.end)
        if at < len(part.text) or number not in there:
            yield Cut(part=part.id, start=at, end=len(part.text))


def _name_runs(transcript: Transcript, numbers: Sequence[int]) -> Iterable[str]:
    """Yield runs of neighbours by their ids: m5, or m5-m900."""
    start = 0
    for at in range(1, len(numbers) + 1):
        if at < len(numbers) and numbers[at] == numbers[at - 1] + 1:
            continue
        first, last = transcript.messages[numbers[start]].id, transcript.messages[numbers[at - 1]].id
        yield first if first == last else f"{first}-{last}"
        start = at
