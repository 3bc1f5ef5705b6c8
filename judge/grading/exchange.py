"""What passes between the run and a lane while one verdict is being made, and how a call is recorded.

A lane is a way to get an answer: a model through litellm, the embedded baseline, a recording. All lanes take an `Exchange`
and give an `Answer`, or raise `NoVerdict` with the status that the verdict will carry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from judge.grading.answer import Answer, InvalidAnswerError, answer_schema, parse_answer
from judge.grading.decision import check_answer
from judge.grading.judges import Judge
from judge.grading.prompt import Boundary, Prompt, draw_boundary, render_prompt
from judge.grading.slots import Slots
from judge.grading.view import WHOLE, View
from judge.ledger.entry import Call
from judge.ledger.verdict import Status
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript


def is_conclusive(call: Call) -> bool:
    """Whether asking again would bring the same: the judge itself spoke, or the prompt was too long for it."""
    return call.status in ("ok", "refused", "truncated", "overflow")


def call_key(verdict_id: str, turn: int) -> str:
    """What a turn's calls are found by in the ledger; the latest is the one that counts."""
    return f"{verdict_id}/{turn}"


class NoVerdict(Exception):  # noqa: N818 - a status, not an error of the program
    """The exchange ended without an answer; `status` is what the verdict will say."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass
class Exchange:
    """The making of one verdict. `recorded` holds calls that were paid for before; a lane uses them up first.

    `view` is what the judge is shown when it is asked next: one window after another, where a transcript is long.
    """

    verdict_id: str
    transcript: Transcript
    rubric: Rubric
    judge: Judge
    sample: int
    secret: bytes  # of the run; the prompt's boundary is drawn from it
    recorded: deque[Call] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    on_call: Callable[[Call], None] = lambda _call: None
    slots: Slots = field(default_factory=Slots)  # places for requests, shared with the rest of the run
    turn: int = 0
    view: View = WHOLE

    def prompt(self) -> Prompt:
        """What the judge is asked about what `view` shows."""
        return render_prompt(self.transcript, self.rubric, self.boundary, self.view)

    @cached_property
    def boundary(self) -> Boundary:
        """The boundary of this exchange's prompts: the same for all its windows, absent from the whole transcript."""
        return draw_boundary(self.secret, self.transcript)

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the answer."""
        return answer_schema()

    def read(self, text: str) -> Any:
        """Read an answer: an `Answer`, and for several rubrics at once whatever holds theirs.

        Raises:
            InvalidAnswerError: with what is wrong, in words that can be sent back to the judge.
        """
        answer = parse_answer(text)
        if problem := check_answer(self.rubric, answer):
            raise InvalidAnswerError(problem)
        return answer

    def next_turn(self) -> int:
        """Count one more request of this exchange."""
        self.turn += 1
        return self.turn - 1

    def add(self, call: Call) -> None:
        """Keep a new call and pass it on to be recorded."""
        self.calls.append(call)
        self.on_call(call)


class Lane(Protocol):
    """A way to get answers from one judge."""

    #: Whether its calls cost money or time worth keeping, so that each is recorded before its verdict is.
    keeps_calls: bool
    #: Whether the provider may charge less for a prompt that begins like one it has just answered.
    caches_prefixes: bool

    @property
    def waits_for_place(self) -> bool:
        """Whether it takes one of the exchange's places for each request, so that more may be in the making than is asked."""
        ...

    @property
    def unreachable(self) -> str | None:
        """Why nothing was ever reached, once something was tried; null otherwise."""
        ...

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        """Get an answer; `complaint` says what was wrong with the last one (quotes that were not found).

        Raises:
            NoVerdict: refused, invalid, overflow, error or over budget.
            ProviderError: the provider rejects everything, so the run must stop.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
