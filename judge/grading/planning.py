"""Which verdicts are to be made: who judges what, and what the ledger holds already. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from judge.grading.exchange import call_key
from judge.grading.judges import Judge
from judge.grading.judging import make_verdict_id
from judge.grading.tally import Tally
from judge.ledger.entry import Call, Entry
from judge.ledger.store import REOPENED, Ledger, Outline, Select
from judge.ledger.verdict import Status, Verdict
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript

# How far the ledger is asked ahead, in tasks and in characters of transcripts, which wait in memory meanwhile: not far where
# there is something to ask, so that it leaves soon and what was read is still at hand; further where all is there already.
_LOOK_AHEAD = 32
_LOOK_FAR = 256
_LOOK_AHEAD_CHARS = 4_000_000

# How often a judge is asked the same question: always alike, or as a function says for each; 0 is not at all.
Samples = int | Callable[[Transcript, Rubric, Judge], int]

Wanted = Callable[[Outline], bool]


class Task(NamedTuple):
    """One verdict to be made."""

    verdict_id: str
    transcript: Transcript
    rubric: Rubric
    judge: Judge
    sample: int
    characters: int = 0  # of the transcript
    begun: bool = False  # an earlier run was given answers for it that did not come to a verdict


class Plan(NamedTuple):
    """Who judges what: rubrics, judges, samples of each."""

    rubrics: tuple[Rubric, ...]
    judges: tuple[Judge, ...]
    samples: Samples

    def turns(self, transcripts: Iterable[Transcript]) -> Iterator[list[Task]]:
        """Every task, those of one transcript and one judge together: their prompts begin alike."""
        for transcript in transcripts:
            size = count_characters(transcript)
            for judge in self.judges:
                tasks = [
                    Task(make_verdict_id(transcript, rubric, judge, sample), transcript, rubric, judge, sample, size)
                    for rubric in self.rubrics
                    for sample in range(self._times(transcript, rubric, judge))
                ]
                if tasks:
                    yield tasks

    def _times(self, transcript: Transcript, rubric: Rubric, judge: Judge) -> int:
        return self.samples if isinstance(self.samples, int) else self.samples(transcript, rubric, judge)


class Turn(NamedTuple):
    """One transcript before one judge: verdicts that are there, and tasks that are to be done."""

    found: list[Verdict]
    tasks: list[Task]


NOTHING_YET = Turn([], [])  # what a source of turns gives when more will come, but not now


class Book(Protocol):
    """What a run keeps its results in: a ledger, or what stands for one in a worker process."""

    def call(self, key: str) -> Call | None:
        """See `Ledger.call`."""
        ...

    def append(self, items: Iterable[Verdict | Call | Entry], *, reopen: Collection[Status] = REOPENED) -> object:
        """See `Ledger.append`."""
        ...


def draw_turns(
    plan: Plan,
    transcripts: Iterable[Transcript],
    *,
    book: Ledger | None,
    retry: Sequence[Status],
    tally: Tally,
    wanted: Wanted | None = None,
) -> Iterator[Turn]:
    """What each judge is to be asked about each transcript, the ledger looked up for some of them at a time.

    `wanted` is told of each verdict that is in the ledger, and says whether it is to be read; by default all are.
    """
    turns = plan.turns(transcripts)
    ahead = _LOOK_AHEAD
    while batch := _take(turns, ahead, _LOOK_AHEAD_CHARS):
        every = [task for tasks in batch for task in tasks]
        tally.drawn += len(every)
        known = {} if book is None else book.outlines(task.verdict_id for task in every)
        settled = {verdict_id: outline for verdict_id, outline in known.items() if outline.status not in retry}
        read = tuple(verdict_id for verdict_id, outline in settled.items() if wanted is None or wanted(outline))
        there = {one.verdict_id: one for one in book.verdicts(Select(verdict_id=read))} if book and read else {}
        missing = [task for task in every if task.verdict_id not in settled]
        begun = _find_begun(book, missing, known)
        ahead = _LOOK_AHEAD if missing else _LOOK_FAR
        tally.found += len(settled)
        for tasks in batch if missing or there else ():
            found = [there[task.verdict_id] for task in tasks if task.verdict_id in there]
            todo = [task for task in tasks if task.verdict_id not in settled]
            yield Turn(found, [task._replace(begun=True) if task.verdict_id in begun else task for task in todo])


def _find_begun(book: Ledger | None, tasks: Iterable[Task], known: Mapping[str, Outline]) -> set[str]:
    """Return those verdicts for which an earlier run was given answers that did not come to use.

    An answer that led to a verdict was used: who retries such a verdict wants another answer.
    """
    keys = [
        call_key(task.verdict_id, 0)
        for task in tasks
        if not task.judge.embedded and (task.verdict_id not in known or known[task.verdict_id].status in REOPENED)
    ]
    return {key.partition("/")[0] for key in book.called(keys)} if book and keys else set()


def only_seated(samples: Samples, seated: Collection[tuple[str, str]]) -> Samples:
    """Ask each judge about those rubrics alone that it is seated for."""

    def times(transcript: Transcript, rubric: Rubric, judge: Judge) -> int:
        if (judge.sha256, rubric.sha256) not in seated:
            return 0
        return samples if isinstance(samples, int) else samples(transcript, rubric, judge)

    return times


def _take(turns: Iterator[list[Task]], tasks: int, chars: int) -> list[list[Task]]:
    """Take turns until they hold so many tasks or characters; at least one while there is one."""
    taken: list[list[Task]] = []
    while tasks > 0 and chars > 0 and (turn := next(turns, None)) is not None:
        taken.append(turn)
        tasks -= len(turn)
        chars -= turn[0].characters
    return taken


def count_characters(transcript: Transcript) -> int:
    """Return the characters of all that a transcript says."""
    return sum([len(part.text) for message in transcript.messages for part in message.parts])
