"""What Python code calls: the same functions as the command line's, taking what code has at hand.

Transcripts, verdicts and labels may be models, rows (mappings, as `json.loads` gives them) or the path of a file or folder;
rubrics and judges may be named, one or several. All of it goes through the readers of the command line, with their errors.
Nothing is measured or graded here. What is heavy is imported when a function is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.errors import InputError

if TYPE_CHECKING:
    from judge.calibration.calibrate import Agreement, Calibration, Rate
    from judge.gold.model import Label
    from judge.grading.judges import Judge
    from judge.grading.panels.panel import Panel
    from judge.grading.panels.sitting import PanelGrading
    from judge.grading.run import Grading
    from judge.ledger.outcomes import Judged
    from judge.ledger.verdict import Verdict
    from judge.rubrics.model import Rubric, Scale
    from judge.transcripts.model import Transcript

    Path_ = str | Path
    Transcripts = Path_ | Transcript | Iterable[Transcript | Path_]
    Rubrics = Path_ | Rubric | Iterable[Rubric | Path_]
    Judges = str | Judge | Iterable[Judge | str]
    Verdicts = Path_ | Iterable[Judged | Mapping[str, Any]]
    Labels = Path_ | Iterable[Label | Mapping[str, Any]]


async def grade(transcripts: Transcripts, rubrics: Rubrics, judges: Judges, **options: Any) -> Grading:
    """Grade transcripts against rubrics with judges, and return every verdict.

    Args:
        transcripts: what is graded: transcripts, or paths of files and folders of them.
        rubrics: rubrics, their names, everyday names or files, or packs; each is asked of every transcript.
        judges: judges, or `provider/model`, each asking every rubric.
        options: `ledger, samples, concurrency, budget_usd, retry, record, on_progress`, as `judge.grading.run.grade` has them.

    Raises:
        InputError: for what cannot be read, a rubric that is not there, a judge that cannot work; nothing was spent.
        ProviderError: the provider rejects the key, the model or everything; what was done is kept.
    """
    from judge.grading.judges import Judge
    from judge.grading.run import grade as run

    asked: list[Judge | str] = [judges] if isinstance(judges, str | Judge) else list(judges)
    return await run(_read_transcripts(transcripts), _load_rubrics(rubrics), asked, **options)


def grade_sync(transcripts: Transcripts, rubrics: Rubrics, judges: Judges, **options: Any) -> Grading:
    """`grade` for code without an event loop; same arguments, same result."""
    return asyncio.run(grade(transcripts, rubrics, judges, **options))


async def grade_panel(
    transcripts: Transcripts, rubrics: Rubrics, panel: Panel | Path | str, **options: Any
) -> PanelGrading:
    """Grade transcripts with a panel, or the one that a file describes; transcripts and rubrics as for `grade`.

    Args:
        options: as `judge.grading.panels.sitting.grade_panel` has them: `ledger`, `budget_usd` and those of a run.

    Raises:
        InputError: as `grade`, or if the panel file does not fit its form, or its thresholds the rubrics.
    """
    from judge.grading.panels.sitting import grade_panel as sit

    return await sit(list(_read_transcripts(transcripts)), _load_rubrics(rubrics), panel, **options)


def grade_panel_sync(
    transcripts: Transcripts, rubrics: Rubrics, panel: Panel | Path | str, **options: Any
) -> PanelGrading:
    """`grade_panel` for code without an event loop; same arguments, same result."""
    return asyncio.run(grade_panel(transcripts, rubrics, panel, **options))


def calibrate(verdicts: Verdicts, labels: Labels, **options: Any) -> list[Calibration]:
    """Measure each judge against the labels, rubric by rubric: every figure, with its interval.

    Args:
        verdicts: verdicts, rows of any judge, or the path of a file or folder of rows (JSONL).
        labels: labels, label rows, or the path of a file or folder of them.
        options: `scales, positive, clusters, cluster_by, by, kinds, epsilon, seed`, as `judge.calibration.calibrate` has them;
            scales are those of the rubrics here where none are given.

    Raises:
        InputError: if a row cannot be used, or verdicts and labels do not fit.
    """
    from judge.calibration.calibrate import calibrate as measure

    rows = _read_verdicts(verdicts)
    return measure(rows, _read_labels(labels), **_with_scales(options, rows))


def rates(verdicts: Verdicts, labels: Labels = (), **options: Any) -> list[Rate]:
    """Estimate how often the behaviour occurs, per rubric, judge and group: naive, and corrected where there are labels.

    Args:
        verdicts: as for `calibrate`.
        labels: as for `calibrate`; without any only the flag rate and its bounds can be given.
        options: `by, scales, positive, clusters, cluster_by, design, level, random_gold`, as `measure_rates` in
            `judge.calibration.estimate` has them; scales are those of the rubrics here where none are given.

    Raises:
        InputError: if a row cannot be used, there are no verdicts, or labels and verdicts do not fit.
    """
    from judge.calibration.estimate import measure_rates

    rows = _read_verdicts(verdicts)
    return measure_rates(rows, _read_labels(labels), **_with_scales(options, rows))


def agreement(labels: Labels, rubric: str | None = None, **options: Any) -> Agreement:
    """Measure how far raters agree on one rubric (needed only where the labels are on several).

    Args:
        labels: as for `calibrate`.
        rubric: its id or everyday name.
        options: as `judge.calibration.among_raters.agreement` has them: `scale, positive, kinds, order, clusters` and more.

    Raises:
        InputError: if a row cannot be used, there are no labels, or they are on several rubrics and none is named.
    """
    from judge.calibration.among_raters import agreement as measure
    from judge.rubrics.loading import name_rubrics
    from judge.workspace import find_workspace

    rows = _read_labels(labels)
    there = {row.rubric for row in rows}
    meant = [*there] if rubric is None else name_rubrics([rubric], there, find_workspace())
    if len(meant) != 1:
        return measure(rows, rubric, **options)  # which says what is wrong
    return measure(rows, meant[0], **({"scale": _scales(meant).get(meant[0])} | options))


def _read_transcripts(given: Transcripts) -> Iterable[Transcript]:
    """Transcripts, or those at paths: all read at once, but for a stream of them, which is pulled as it is needed."""
    from judge.transcripts.model import Transcript

    several = [given] if isinstance(given, str | Path | Transcript) else given
    return list(_pull(several)) if isinstance(several, Sequence) else _pull(several)


def _pull(several: Iterable[Any]) -> Iterator[Transcript]:
    from judge.transcripts.model import Transcript
    from judge.transcripts.reading import read

    for number, one in enumerate(several):
        if isinstance(one, str | Path):
            yield from read(one)
        elif isinstance(one, Transcript):
            yield one
        else:
            raise _refuse("transcripts", number, one, "transcripts (judge.read makes them) or a path")


def _load_rubrics(given: Rubrics) -> list[Rubric]:
    from judge.rubrics.loading import load_rubrics
    from judge.rubrics.model import Rubric
    from judge.workspace import find_workspace

    several = [given] if isinstance(given, str | Path | Rubric) else given
    found: dict[str, Rubric] = {}
    for one in several:
        for rubric in [one] if isinstance(one, Rubric) else load_rubrics([one], find_workspace()):
            found.setdefault(rubric.id, rubric)
    return list(found.values())


def _read_verdicts(given: Verdicts) -> list[Verdict]:
    """Verdicts of models, mappings or files.

    Raises:
        InputError: for a row that is none; for a mapping that is about the same thing as an earlier one and says another.
    """
    from judge.ledger.importing import read_row, read_rows
    from judge.ledger.outcomes import Outcome
    from judge.ledger.verdict import Verdict

    if isinstance(given, str | Path):
        return [verdict for path in _row_files(Path(given)) for verdict in read_rows(path).verdicts]
    found: list[Any] = []  # an outcome stands for a verdict wherever figures are made
    named: dict[str, Verdict] = {}
    for number, one in enumerate(_several(given, "verdicts")):
        if isinstance(one, Verdict | Outcome):
            found.append(one)
        elif not isinstance(one, Mapping):
            raise _refuse("verdicts", number, one, "verdicts, rows (mappings) or a path")
        else:
            verdict, _ = read_row(dict(one), f"verdicts[{number}]")
            earlier = named.get(verdict.verdict_id)
            if earlier is None:
                named[verdict.verdict_id] = verdict
                found.append(verdict)
            elif earlier != verdict:
                raise InputError(
                    f"verdicts[{number}]: a second verdict on the same thing, unlike an earlier row; number repeated verdicts "
                    "with 'sample': 0, 1, ... or give each its own 'verdict_id'"
                )
    return found


def _read_labels(given: Labels) -> list[Label]:
    import orjson

    from judge.gold.labels import read_label, read_labels
    from judge.gold.model import Label
    from judge.gold.votes import Vote

    if isinstance(given, str | Path):
        return read_labels(Path(given))
    found: list[Any] = []  # a vote stands for a label wherever figures are made
    for number, one in enumerate(_several(given, "labels")):
        if isinstance(one, Label | Vote):
            found.append(one)
        elif not isinstance(one, Mapping):
            raise _refuse("labels", number, one, "labels, rows (mappings) or a path")
        else:
            where = f"labels[{number}]"
            try:
                line = orjson.dumps(dict(one))
            except TypeError as error:
                raise InputError(f"{where}: {error}; accepted is what JSON can hold") from None
            found.append(read_label(line, where))
    return found


def _several(given: Iterable[Any], what: str) -> Iterable[Any]:
    if isinstance(given, Mapping):
        raise InputError(f"{what}: one row; give a list of rows, or a path")
    return given


def _row_files(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.jsonl"))
    if not found:
        raise InputError(f"{path}: no files of verdict rows (*.jsonl) in this folder")
    return found


def _with_scales(options: dict[str, Any], rows: Iterable[Judged]) -> dict[str, Any]:
    """The options, with the scales of those rubrics that are here, unless scales were given."""
    if options.get("scales") is not None:
        return options
    return options | {"scales": _scales({row.rubric for row in rows})}


def _scales(names: Iterable[str]) -> dict[str, Scale]:
    from judge.rubrics.loading import known_ids, load_rubric
    from judge.workspace import find_workspace

    here = find_workspace()
    known = known_ids(here)
    return {name: load_rubric(name, here).scale for name in sorted(names) if name in known}


def _refuse(what: str, number: int, value: object, accepted: str) -> InputError:
    from judge.text import quoted

    return InputError(f"{what}[{number}]: {quoted(value)} of type {type(value).__name__}; accepted are {accepted}")
