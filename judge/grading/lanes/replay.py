"""Recordings: the answers of a run in a JSONL file, and the lane that answers from one.

`judge grade --record FILE` writes one line per answer; `-m replay/FILE` repeats the run without a key. A recording is found
by what was asked (transcript content, rubric, prompt template, judge parameters, sample), not by the wire messages, whose
boundary is drawn anew each time. The verdicts carry the recorded judge's name and the flag `replayed`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self

from pydantic import ValidationError

from judge.errors import InputError
from judge.frozen import Frozen
from judge.grading.answer import Answer, InvalidAnswerError, parse_answer
from judge.grading.decision import check_answer
from judge.grading.exchange import Exchange, NoVerdict, is_conclusive
from judge.grading.judges import REPLAY, Judge
from judge.grading.windows.dividing import read_context
from judge.ledger.entry import Call
from judge.text import quoted

# The question, and once more if the answer was not valid; what follows belongs to the next question.
_TURNS_PER_QUESTION = 2


class Line(Frozen):
    """One line of a recording: who was asked, and one call that got an answer."""

    judge: Judge
    call: Call


class Recorder:
    """Writes a recording as the run goes; each line is on disk before the run goes on."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: IO[str] = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, judge: Judge, calls: Iterable[Call]) -> None:
        """Append the calls that the judge answered."""
        public = judge.model_copy(update={"api_base": None, "context": read_context(judge)})
        for call in calls:
            if is_conclusive(call):
                self._file.write(Line(judge=public, call=call).model_dump_json(exclude_none=True) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Recording:
    """A recording in memory: whose answers it holds, and which."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: dict[str, dict[int, Call]] = {}
        judges: dict[str, Judge] = {}
        for number, text in enumerate(_read_lines(path), start=1):
            try:
                line = Line.model_validate_json(text)
            except ValidationError as error:
                what = error.errors(include_url=False, include_input=False)[0]
                raise InputError(
                    f"{path}:{number}: not a recorded answer: {'.'.join(map(str, what['loc']))}: {what['msg']}; "
                    "recordings are written by: judge grade --record FILE"
                ) from None
            judges[line.judge.name] = line.judge
            self.calls.setdefault(line.call.verdict_id, {})[line.call.turn] = line.call
        if len(judges) != 1:
            names = ", ".join(sorted(judges)) or "none"
            raise InputError(f"{path}: a recording holds the answers of one judge; this one holds those of: {names}")
        self.judge = next(iter(judges.values()))


def open_recording(judge: Judge) -> Recording:
    """Load the file that a `replay/FILE` judge names."""
    return Recording(Path(judge.model.removeprefix(REPLAY)))


class ReplayLane:
    """Answers from a recording, turn by turn."""

    keeps_calls = False
    caches_prefixes = False
    waits_for_place = False
    unreachable: str | None = None

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        """See `exchange.Lane.ask`. An answer that was invalid is followed by the one that mended it, as it was then."""
        del complaint
        exchange.flags.add("replayed")
        turns = self._recording.calls.get(exchange.verdict_id, {})
        reason, answered = "no recorded answer to this question", False
        for _ in range(_TURNS_PER_QUESTION):
            if (call := turns.get(exchange.turn)) is None:
                break
            answered = True
            exchange.next_turn()
            exchange.add(call)
            if call.status == "refused":
                raise NoVerdict("refused", call.error or "the judge declined to answer")
            if call.status == "truncated":
                raise NoVerdict("invalid", "the answer was cut off at the token limit")
            if call.status == "overflow":
                raise NoVerdict("overflow", call.error or "the transcript did not fit the model's context")
            try:
                answer = parse_answer(call.answer or "")
                reason = check_answer(exchange.rubric, answer) or ""
            except InvalidAnswerError as error:
                reason = str(error)
            if not reason:
                return answer
        raise NoVerdict("invalid" if answered else "error", reason)

    async def close(self) -> None:
        """There is nothing to release."""


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such recording; make one with: judge grade ... --record {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a recording: {quoted(error)}") from None
    return [line for line in text.split("\n") if line.strip()]
