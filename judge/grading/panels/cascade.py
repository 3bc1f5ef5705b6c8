"""A cascade's thresholds: how sure each judge must be to decide alone, as measured on labelled transcripts.

`judge calibrate --thresholds FILE` writes them (`judge.calibration.cascading` sets them); a panel file names them. They hold for
one rubric and for exactly the judges, samples and prompts that they were measured with: anything else is refused, since the
promise made for them would be made for something that nobody measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from judge.canonical import canonical_json, sha256_hex
from judge.errors import InputError
from judge.frozen import Frozen
from judge.text import quoted

SCHEMA: Final = "judge.thresholds/1"
_NEXT: Final = "set them anew with: judge calibrate --thresholds FILE"


class Limit(Frozen):
    """From which confidence on a judge decides one answer alone; null: never.

    Of the `seen` labelled transcripts that it was to decide and gave this answer on, it decided `decided`, `wrong` of them
    wrongly; `risk_high` is the upper bound of that share at the level tested, null where it decides nothing.
    """

    threshold: float | None = Field(default=None, ge=0, le=1)
    seen: int = Field(ge=0)
    decided: int = Field(ge=0)
    wrong: int = Field(ge=0)
    risk_high: float | None = Field(default=None, ge=0, le=1)


class Step(Frozen):
    """One judge of a cascade: who exactly, and its limits for positive and for negative answers.

    `reached` labelled transcripts of its own share of them came to it; the others were decided before.
    """

    judge: str
    judge_sha256: str | None
    prompt_sha256: str | None
    samples: int = Field(ge=1)
    reached: int = Field(ge=0)
    positive: Limit
    negative: Limit

    @property
    def decided(self) -> int:
        """How many of those that reached it the judge decided."""
        return self.positive.decided + self.negative.decided

    @property
    def passed_on(self) -> float | None:
        """The share of what reaches it that goes on to the next step, as measured; None where nothing reached it."""
        return None if self.reached == 0 else 1 - self.decided / self.reached

    def limit(self, answer: bool) -> float | None:
        """From which confidence on this answer is decided here."""
        return (self.positive if answer else self.negative).threshold


class Thresholds(Frozen):
    """The thresholds of a cascade on one rubric, cheapest judge first.

    With probability 1 - `delta` over the labelled transcripts, each judge errs on at most `max_risk` of the positive answers
    that it decides, and on at most `max_risk` of the negative ones.
    """

    schema_: Literal["judge.thresholds/1"] = Field(default=SCHEMA, alias="schema")
    rubric: str
    rubric_sha256: str | None
    gold_sha256: str  # of the labels that they were measured with
    label_kinds: tuple[str, ...]
    items: int = Field(ge=0)
    max_risk: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)
    seed: int
    steps: tuple[Step, ...] = Field(min_length=1)

    @cached_property
    def sha256(self) -> str:
        """Hash of the file."""
        return sha256_hex(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Canonical JSON, one line."""
        return canonical_json(self.model_dump(mode="json", by_alias=True)) + b"\n"

    def reach(self, step: int) -> float | None:
        """The share of all transcripts that come to a step (from 1; one past the last: to people), None if unknown."""
        share = 1.0
        for before in self.steps[: step - 1]:
            if before.passed_on is None:
                return None
            share *= before.passed_on
        return share


def read_thresholds(path: Path) -> Thresholds:
    """Read a file of thresholds.

    Raises:
        InputError: if it cannot be read, or is none.
    """
    try:
        return Thresholds.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; {_NEXT}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise InputError(
            f"{path}: not thresholds: {place}: {first['msg']}, not {quoted(first['input'])}; {_NEXT}"
        ) from None


class Asked(Frozen):
    """Who would be asked at one step of a cascade, to be held against what thresholds were measured with."""

    judge: str
    judge_sha256: str
    prompt_sha256: str
    samples: int


def check_fit(thresholds: Thresholds, rubric_sha256: str, asked: Sequence[Asked], where: str) -> None:
    """See that thresholds were measured with this rubric and these judges; `where` names the file.

    Raises:
        InputError: naming the first thing that is not as it was measured.
    """
    rubric = thresholds.rubric
    if thresholds.rubric_sha256 != rubric_sha256:
        raise InputError(f"{where}: is for another version of rubric {quoted(rubric)} than the one here; {_NEXT}")
    names = [step.judge for step in thresholds.steps]
    if len(asked) != len(names):
        raise InputError(
            f"{where}: has {len(names)} steps ({', '.join(names)}), the panel asks in {len(asked)}; {_NEXT}"
        )
    for number, (measured, here) in enumerate(zip(thresholds.steps, asked, strict=True), start=1):
        for name, then, now in (
            ("judge", measured.judge, here.judge),
            ("samples", measured.samples, here.samples),
            ("parameters", measured.judge_sha256, here.judge_sha256),
            ("prompt", measured.prompt_sha256, here.prompt_sha256),
        ):
            if then != now:
                shown = "nobody knows which" if then is None else _short(then)
                raise InputError(
                    f"{where}: step {number}: measured with {name} {shown}, the panel has {_short(now)}; {_NEXT}"
                )


def _short(value: object) -> str:
    """A name as it is, a hash by its beginning."""
    text = str(value)
    return quoted(text[:12] if len(text) == 64 else text)
