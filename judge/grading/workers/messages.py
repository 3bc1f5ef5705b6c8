"""What passes between the driver and a worker: lists that begin with a word, in JSON. No code and no pickles travel.

Driver to worker: `plan`, `turn` (a transcript, its tasks, calls that were paid for before), `answer` (to a request), `kept`
(rows that are in the ledger), `end` (no more turns), `stop` (now). Worker to driver: `hello`, `rows`, `ask` and `tell`
(money and pace, see `permits`), `fatal`, `ended`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from judge.errors import BudgetError, InputError, IntegrityError, JudgeError, ProviderError
from judge.frozen import Frozen
from judge.grading.judges import Judge
from judge.grading.judging import make_verdict_id
from judge.grading.planning import Task, count_characters
from judge.ledger.entry import Call
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript

Message = list[Any]
# kind, key, canonical body
Row = tuple[str, str, str]

_ERRORS: Final = {kind.__name__: kind for kind in (JudgeError, InputError, ProviderError, BudgetError, IntegrityError)}


class Order(Frozen):
    """What a worker is to do all along."""

    rubrics: tuple[Rubric, ...]
    judges: tuple[Judge, ...]
    concurrency: int
    limit_usd: float | None
    repeats: bool


class Parcel(NamedTuple):
    """A turn that arrived: the tasks, and calls that were paid for before."""

    tasks: list[Task]
    calls: list[Call]


def encode(messages: Iterable[Message]) -> bytes:
    """Return messages as bytes."""
    return orjson.dumps(list(messages))


def decode(data: bytes) -> list[Message]:
    """Return the messages that `encode` was given."""
    messages: list[Message] = orjson.loads(data)
    return messages


def pack_turn(tasks: Sequence[Task], calls: Iterable[Call], rubrics: Sequence[str], judges: Sequence[str]) -> Message:
    """Return the message for the tasks of one transcript; `rubrics` and `judges` are the hashes of the order's, in order.

    What no judge may see is not sent.
    """
    transcript = tasks[0].transcript.model_dump_json(exclude={"withheld"}, exclude_defaults=True)
    listed = [
        [task.verdict_id, rubrics.index(task.rubric.sha256), judges.index(task.judge.sha256), task.sample]
        for task in tasks
    ]
    return ["turn", transcript, listed, [call.model_dump_json(exclude_none=True) for call in calls]]


def unpack_turn(message: Message, rubrics: Sequence[Rubric], judges: Sequence[Judge]) -> Parcel:
    """Return what a `turn` holds.

    Raises:
        InputError: if this worker would make another verdict of it than the driver expects.
    """
    _, text, listed, calls = message
    transcript = Transcript.model_validate_json(text)
    paid = [Call.model_validate_json(call) for call in calls]
    begun, size = {call.verdict_id for call in paid}, count_characters(transcript)
    tasks = [
        Task(verdict_id, transcript, rubrics[rubric], judges[judge], sample, size, verdict_id in begun)
        for verdict_id, rubric, judge, sample in listed
    ]
    for task in tasks:
        if make_verdict_id(transcript, task.rubric, task.judge, task.sample) != task.verdict_id:
            raise InputError(
                "a worker has another version of judge than the driver (its prompt or its rules differ); "
                "install the same version on every machine"
            )
    return Parcel(tasks, paid)


def name_error(error: JudgeError) -> Message:
    """Return the `fatal` message for an error."""
    return ["fatal", type(error).__name__, str(error)]


def read_error(message: Message) -> JudgeError:
    """Return the error that a `fatal` message names."""
    return _ERRORS.get(message[1], JudgeError)(message[2])
