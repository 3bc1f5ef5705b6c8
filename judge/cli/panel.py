"""`judge grade --panel`: reading the panel, what it would cost, and what a panel is not asked with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.cli.common import print_json, say, show_usd
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.grading.judges import Judge
    from judge.grading.panels.panel import Panel
    from judge.ledger.verdict import Verdict
    from judge.rubrics.model import Rubric
    from judge.transcripts.model import Transcript

# How a judge is reached, which may stand on the command line for all members; what can change a verdict is in the file.
_REACHED = ("context", "api_base", "timeout_s", "attempts", "price", "via")


def open_panel(
    given: str,
    workspace: Path | None,
    rubrics: Sequence[Rubric],
    parameters: Mapping[str, Any],
    refused: Mapping[str, bool],
) -> Panel:
    """Read a panel that can sit on these rubrics. `refused` are options that say what the file has to say, if given.

    Raises:
        InputError: for such an option, or a file that does not fit.
    """
    from judge.grading.panels.file import find_panel, fit_thresholds, load_panel

    if both := [option for option, is_given in refused.items() if is_given]:
        raise InputError(
            f"--panel and {both[0]}: members and how they are asked stand in the panel file, and they are asked for one rubric "
            f"a call; leave {both[0]} out"
        )
    path = find_panel(given, workspace)
    panel = load_panel(path, {name: value for name, value in parameters.items() if name in _REACHED})
    fit_thresholds(panel, rubrics, str(path))
    return panel


def ask(
    run: Callable[..., Any],
    transcripts: Iterable[Transcript],
    again: Callable[[], Iterable[Transcript]],
    rubrics: Sequence[Rubric],
    who: Sequence[Judge] | Panel,
    *,
    samples: int,
    **options: Any,
) -> AsyncIterator[tuple[Verdict, bool]]:
    """Return the verdicts of judges, or the votes and verdicts of a panel; `again` reads the transcripts once more."""
    from judge.grading.panels.panel import Panel

    if not isinstance(who, Panel):
        verdicts: AsyncIterator[tuple[Verdict, bool]] = run(transcripts, rubrics, who, samples=samples, **options)
        return verdicts
    from judge.grading.panels.sitting import sit

    first = iter([transcripts])
    return sit(lambda: next(first, None) or again(), rubrics, who, run=run, **options)


def print_preview(
    panel: Panel,
    transcripts: Sequence[Transcript],
    rubrics: Sequence[Rubric],
    is_found: Callable[[str], bool] = lambda _verdict_id: False,
    *,
    json: bool,
) -> None:
    """Print what each step would be asked and cost, and what share of the work is expected to come to it."""
    from judge.grading.panels.preview import preview_panel
    from judge.text import counted

    found = preview_panel(transcripts, rubrics, panel, is_found)
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        for step in found.steps:
            most = "" if step.step == 1 else "at most "
            expected = "" if step.step == 1 else f"; expected: {_share(step.reach)}, {_cost(step.expected_cost_usd)}"
            there = f" besides {counted(step.found, 'vote')} in the ledger" if step.found else ""
            print(
                f"step {step.step}, {', '.join(step.judges)}: {most}{counted(step.calls, 'call')}{there}, about "
                f"{step.input_tokens:,} tokens in and {step.output_tokens:,} out, {_cost(step.cost_usd)}{expected}"
            )
        print(f"people: expected: {_share(found.to_people)}")
        print(f"in all: at most {_cost(found.cost_usd)}; expected: {_cost(found.expected_cost_usd)}")
        if found.label_kinds and found.label_kinds != ("human",):
            print(f"what is expected rests on {', '.join(found.label_kinds)} labels, not on people's")
    say("Nothing was asked and nothing was spent.", quiet=json)


def _share(share: float | None) -> str:
    if share is None:
        return "an unknown share (judge calibrate --thresholds measures it)"
    return f"{100 * share:.1f} % of the transcripts"


def _cost(cost: float | None) -> str:
    return "cost unknown" if cost is None else f"about {show_usd(cost)}"
