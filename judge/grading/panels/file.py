"""The panel file: who sits, in which role, how often, and how many must agree. Strict YAML, read into a `Panel`.

What the votes then amount to is `panel`'s; whether the files of thresholds that it names fit is checked once the rubrics are
known (`fit_thresholds`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from judge.errors import InputError
from judge.frozen import Frozen
from judge.grading.judges import Judge, parse_judge
from judge.grading.judging import prompt_sha256
from judge.grading.lanes.replay import open_recording
from judge.grading.panels.cascade import Asked, Thresholds, check_fit, read_thresholds
from judge.grading.panels.panel import Agree, On, Panel, Seat
from judge.ledger.panel import Role
from judge.rubrics.loading import validate
from judge.rubrics.model import Rubric
from judge.strict_yaml import Document, read_yaml
from judge.text import quoted

SCHEMA: Final = "judge.panel/1"
FOLDER: Final = "panels"
MOST_VOTES: Final = 100  # of one member on one transcript
_FORM: Final = "for the form see docs/panels.md"


class Member(Judge):
    """One line of a panel file: a judge with its parameters, how often it is asked, and what for."""

    samples: int = Field(default=1, ge=1, le=MOST_VOTES)
    role: Role = "judge"
    step: int | None = Field(default=None, ge=1, description="when it is asked; default: 1, each escalation one later")


class PanelFile(Frozen):
    """A panel as it is written down."""

    schema_: Literal["judge.panel/1"] = Field(default=SCHEMA, alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    about: str = ""
    agree: Agree = Field(default="all", description="how many votes of a step must be alike")
    on: On = Field(default="level", description="what they must be alike in: the level, or positive or not")
    members: tuple[Member, ...] = Field(min_length=1)
    correlation: float | None = Field(default=None, ge=-1, le=1, description="mean over pairs of members, as measured")
    thresholds: tuple[str, ...] = Field(default=(), description="files of judge calibrate --thresholds, one a rubric")


def find_panel(given: str, workspace: Path | None) -> Path:
    """Return the file that is meant: a path, or a name in the workspace or in its folder `panels/`.

    Raises:
        InputError: if there is none.
    """
    candidates = [Path(given)]
    if workspace is not None:
        folders = (workspace, workspace / FOLDER)
        candidates += [folder / name for folder in folders for name in (given, f"{given}.yaml")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        looked = ", ".join(map(str, candidates))
        raise InputError(f"--panel {quoted(given)}: no such file, looked for {looked}; {_FORM}")
    return found


def load_panel(path: Path, reached: Mapping[str, object] | None = None) -> Panel:
    """Read a panel file. `reached` are parameters of how judges are reached, for members that give none of their own.

    Raises:
        InputError: naming file, line, value, what is accepted and what to do next.
    """
    document = read_yaml(path)
    file = validate(PanelFile, document, _FORM)
    steps = _number_steps(file, document)
    seats: list[Seat] = []
    for place, (member, step) in enumerate(zip(file.members, steps, strict=True)):
        try:
            seat = _seat(member, step, reached or {})
        except InputError as error:
            raise _refuse(document, ("members", place, "model"), str(error)) from None
        if any(seat.voter.name == earlier.voter.name for earlier in seats):
            raise _refuse(
                document,
                ("members", place, "model"),
                f"{quoted(seat.voter.name)} sits here twice, and nobody could tell its votes apart; ask it oftener with samples",
            )
        if (seat.role == "blind") != bool(seat.voter.hides):
            raise _refuse(
                document,
                ("members", place, "role"),
                f"role {seat.role}: {quoted(member.model)} is a recording of {quoted(seat.voter.name)}; only a recording of a "
                "blind judge can be blind",
            )
        seats.append(seat)
    panel = Panel(
        name=file.name,
        seats=tuple(seats),
        agree=file.agree,
        on=file.on,
        correlation=file.correlation,
        thresholds=_read_all_thresholds(file, document, path.parent),
    )
    _check_rule(panel, document)
    return panel


def fit_thresholds(panel: Panel, rubrics: Iterable[Rubric], where: str) -> None:
    """See that a panel which decides by thresholds has some for each rubric, measured with these judges and prompts.

    Raises:
        InputError: naming the rubric, or what is not as it was measured.
    """
    for rubric in rubrics if panel.thresholds else ():
        found = panel.thresholds.get(rubric.id)
        if found is None:
            raise InputError(
                f"{where}: thresholds: none for rubric {quoted(rubric.id)}, only for {', '.join(sorted(panel.thresholds))}; "
                f"set some with: judge calibrate --thresholds FILE -r {rubric.id}"
            )
        asked = [
            Asked(
                judge=seat.voter.name,
                judge_sha256=seat.voter.sha256,
                prompt_sha256=prompt_sha256(seat.voter),
                samples=seat.samples,
            )
            for seat in sorted(panel.seats, key=lambda seat: seat.step)
        ]
        check_fit(found, rubric.sha256, asked, f"{where}: thresholds for {rubric.id}")


def _number_steps(file: PanelFile, document: Document) -> list[int]:
    """When each member is asked: judges at once, then one escalation after the other, unless the file says otherwise."""
    steps: list[int] = []
    for place, member in enumerate(file.members):
        if member.hides:
            raise _refuse(document, ("members", place, "hides"), "hides: give role: blind, or leave it out")
        at = ("members", place, "step")
        if member.role == "escalation":
            step = member.step or max([1, *steps]) + 1
            if step == 1:
                raise _refuse(
                    document, at, "step 1 of an escalation: it is asked later; give 2 or more, or leave it out"
                )
        else:
            step = member.step or 1
            if step > 1:
                raise _refuse(document, at, f"step {step} of a {member.role}: give role: escalation, or leave step out")
        steps.append(step)
    if not any(member.role == "judge" for member in file.members):
        raise _refuse(document, ("members",), "no member has the role judge; give it to who is asked first")
    if gap := sorted(set(range(1, max(steps) + 1)) - set(steps)):
        raise _refuse(
            document, ("members",), f"nobody is asked at step {gap[0]}; number the steps from 1 without a gap"
        )
    return steps


def _seat(member: Member, step: int, reached: Mapping[str, object]) -> Seat:
    # What the line itself says comes before what the command line says for all.
    own = {name: getattr(member, name) for name in member.model_fields_set & Judge.model_fields.keys()}
    hides = ("reasoning",) if member.role == "blind" else ()
    given = {name: value for name, value in reached.items() if value is not None}
    judge = parse_judge(member.model, **{**given, **own, "hides": hides})
    voter: Judge = open_recording(judge).judge if judge.replayed else judge
    return Seat(judge, voter, member.samples, member.role, step)


def _read_all_thresholds(file: PanelFile, document: Document, folder: Path) -> dict[str, Thresholds]:
    found: dict[str, Thresholds] = {}
    for place, name in enumerate(file.thresholds):
        thresholds = read_thresholds(folder / name)
        if thresholds.rubric in found:
            text = f"{quoted(name)} is a second file for rubric {quoted(thresholds.rubric)}; keep one"
            raise _refuse(document, ("thresholds", place), text)
        found[thresholds.rubric] = thresholds
    return found


def _check_rule(panel: Panel, document: Document) -> None:
    """See that the rule can be kept, and that no two levels could both keep it."""
    for step in range(1, panel.steps + 1):
        here = [seat for seat in panel.seats if seat.step == step]
        asked = sum(seat.samples for seat in here if seat.role != "blind")
        if panel.thresholds and len(here) > 1:
            who = ", ".join(seat.voter.name for seat in here)
            text = f"with thresholds one judge decides at each step; step {step} has {who}"
            raise _refuse(document, ("thresholds",), text)
        if isinstance(panel.agree, int) and not asked / 2 < panel.agree <= asked:
            raise _refuse(
                document,
                ("agree",),
                f"agree {panel.agree}: step {step} has {asked} votes; give a number above half of them and no larger than them, "
                "or all, or majority",
            )


def _refuse(document: Document, place: Sequence[str | int], text: str) -> InputError:
    return InputError(f"{document.name}:{document.line(tuple(place))}: {text}")
