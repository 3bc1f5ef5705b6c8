"""Several rubrics in one call: cheaper, since the transcript is read once for all of them.

A lane around a lane. The first question about a transcript asks for every rubric of its group; the others are given their
part of the same answer. Each verdict keeps its own part as its call, with its share of tokens and cost, so that bills add
up and a run that was stopped asks again only for what it has no answer to. Re-asks about quotes, and long transcripts that
are read in windows, go one rubric at a time. Which rubrics share a call can change an answer, so the group is part of the
judge, and so of every verdict's id; how much it changes is for a gold set to say (`judge compare`), not for this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from judge.canonical import content_sha256
from judge.grading.answer import Answer, InvalidAnswerError, parse_as
from judge.grading.decision import check_answer
from judge.grading.exchange import Exchange, Lane, NoVerdict, call_key
from judge.grading.judges import Judge
from judge.grading.prompt import Prompt, render_question
from judge.ledger.entry import Call
from judge.rubrics.model import Rubric

INTRODUCTION: Final = """\
There are {count} rubrics. Answer each one by itself, in their order, as if it were the only one: what holds for one says
nothing about another, and every criterion of every rubric needs its own reason and its own evidence."""
ENDING: Final = "Give one answer for each of these rubrics, in this order: {names}."
# An answer that several questions at once made invalid or too long may be none for one of them.
_ALONE: Final = ("invalid", "overflow")
_KEPT: Final = 4_096  # joint answers of which not every part was asked for

Part = dict[str, Answer]


class _RubricAnswer(BaseModel):
    """A judge's whole answer on one of several rubrics."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    rubric: str = Field(description="id of the rubric")
    answer: Answer


class _JointAnswer(BaseModel):
    """One answer for each rubric."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    answers: list[_RubricAnswer] = Field(description="one for every rubric, in their order")


def seat_together(judge: Judge, rubrics: Sequence[Rubric], size: int) -> list[tuple[Judge, tuple[Rubric, ...]]]:
    """Put rubrics into groups of `size`, in their order, each with the judge that answers it.

    A judge of a group is a judge of its own; one that has a single rubric is the judge as it was.
    """
    groups = [tuple(rubrics[start : start + size]) for start in range(0, len(rubrics), size)]
    return [
        (judge.model_copy(update={"together": tuple(rubric.sha256 for rubric in one)}) if len(one) > 1 else judge, one)
        for one in groups
    ]


@cache
def joint_schema() -> dict[str, Any]:
    """The JSON schema of an answer to several rubrics."""
    return {**_JointAnswer.model_json_schema(), "title": "Answer"}


@cache
def joint_sha256() -> str:
    """Hash of how several rubrics are asked for together, besides how each of them is."""
    return content_sha256({"introduction": INTRODUCTION, "ending": ENDING, "schema": joint_schema()})


@dataclass
class JointExchange(Exchange):
    """The making of one answer to several rubrics; `rubric` is the first of them."""

    rubrics: tuple[Rubric, ...] = ()

    def prompt(self) -> Prompt:
        """What the judge is asked: the prompt for one rubric, with all questions at its end."""
        questions = [f"The rubric {rubric.id}.\n{render_question(rubric)}" for rubric in self.rubrics]
        introduction = INTRODUCTION.format(count=len(self.rubrics))
        ending = ENDING.format(names=", ".join(rubric.id for rubric in self.rubrics))
        return super().prompt()._replace(question="\n\n".join([introduction, *questions, ending]))

    def schema(self) -> dict[str, Any]:
        """See `Exchange.schema`."""
        return joint_schema()

    def read(self, text: str) -> Part:
        """Read the answers, one for each rubric.

        Raises:
            InvalidAnswerError: with what is wrong, and where.
        """
        given = parse_as(_JointAnswer, text).answers
        names = [one.rubric for one in given]
        wanted = [rubric.id for rubric in self.rubrics]
        if sorted(names) != sorted(wanted):
            raise InvalidAnswerError(
                f"answers for {', '.join(names) or 'nothing'}; give one each for {', '.join(wanted)}"
            )
        parts = {one.rubric: one.answer for one in given}
        problems = [
            f"{rubric.id}: {said}" for rubric in self.rubrics if (said := check_answer(rubric, parts[rubric.id]))
        ]
        if problems:
            raise InvalidAnswerError("; ".join(problems))
        return parts


@dataclass
class _Joint:
    """One call for a group: its outcome, and the rubrics that have not had their part of it."""

    outcome: asyncio.Task[tuple[Part | NoVerdict, list[Call]]]
    left: set[str]


class TogetherLane:
    """Asks one judge for a group of rubrics at once."""

    keeps_calls = True
    caches_prefixes = False  # the questions of a group arrive together, and are one

    def __init__(self, inner: Lane, rubrics: Sequence[Rubric]) -> None:
        self._inner = inner
        self._rubrics = tuple(rubrics)
        self._joint: dict[tuple[str, str, int], _Joint] = {}

    @property
    def unreachable(self) -> str | None:
        """See `exchange.Lane.unreachable`."""
        return self._inner.unreachable

    @property
    def waits_for_place(self) -> bool:
        """See `exchange.Lane.waits_for_place`."""
        return self._inner.waits_for_place

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        """See `exchange.Lane.ask`."""
        if complaint is not None or exchange.recorded or not exchange.view.whole:
            return await self._inner.ask(exchange, complaint)
        joint = self._join(exchange)
        # One verdict that is stopped must not stop the others.
        parts, calls = await asyncio.shield(joint.outcome)
        self._add_shares(exchange, calls, None if isinstance(parts, NoVerdict) else parts[exchange.rubric.id])
        if isinstance(parts, NoVerdict):
            if parts.status not in _ALONE:
                raise NoVerdict(parts.status, parts.detail)
            exchange.flags.add("asked_alone")
            return await self._inner.ask(exchange)
        exchange.flags.add("together")
        return parts[exchange.rubric.id]

    async def close(self) -> None:
        """See `exchange.Lane.close`."""
        tasks = [joint.outcome for joint in self._joint.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._inner.close()

    def _join(self, exchange: Exchange) -> _Joint:
        """Return the call that this rubric is part of, begun by whoever comes first."""
        key = exchange.transcript.id, exchange.transcript.content_sha256, exchange.sample
        joint = self._joint.get(key)
        if joint is None:
            while len(self._joint) >= _KEPT:
                del self._joint[next(iter(self._joint))]
            asking = asyncio.ensure_future(self._ask_all(exchange))
            joint = self._joint[key] = _Joint(asking, {rubric.id for rubric in self._rubrics})
        joint.left.discard(exchange.rubric.id)
        if not joint.left:
            del self._joint[key]
        return joint

    async def _ask_all(self, exchange: Exchange) -> tuple[Part | NoVerdict, list[Call]]:
        """Ask for every rubric; return the answers, or why there are none, and every call that was made."""
        joint = JointExchange(
            verdict_id=content_sha256(
                {
                    "transcript": exchange.transcript.id,
                    "content": exchange.transcript.content_sha256,
                    "judge": exchange.judge.sha256,
                    "sample": exchange.sample,
                }
            )[:20],
            transcript=exchange.transcript,
            rubric=self._rubrics[0],
            judge=exchange.judge,
            sample=exchange.sample,
            secret=exchange.secret,
            slots=exchange.slots,
            view=exchange.view,
            rubrics=self._rubrics,
        )
        try:
            parts: Any = await self._inner.ask(joint)
        except NoVerdict as missing:
            return missing, joint.calls
        return parts, joint.calls

    def _add_shares(self, exchange: Exchange, calls: Sequence[Call], answer: Answer | None) -> None:
        """Give a verdict its share of what was spent; the last call holds its part of the answer."""
        place = next(at for at, rubric in enumerate(self._rubrics) if rubric.id == exchange.rubric.id)
        turn = exchange.next_turn()
        for attempt, call in enumerate(calls, start=1):
            answered = answer is not None and attempt == len(calls)
            update = {
                "key": call_key(exchange.verdict_id, turn),
                "verdict_id": exchange.verdict_id,
                "turn": turn,
                "attempt": attempt,
                "status": "ok" if answered else "failed" if call.status == "ok" else call.status,
                "answer": answer.model_dump_json() if answer is not None and answered else None,
                "usage": {name: _share(count, len(self._rubrics), place) for name, count in call.usage.items()},
                "cost_usd": None if call.cost_usd is None else call.cost_usd / len(self._rubrics),
            }
            exchange.add(call.model_copy(update=update))


def _share(count: int, parts: int, place: int) -> int:
    """One part of a number of tokens; the parts of all places add up to it."""
    return count // parts + (place < count % parts)
