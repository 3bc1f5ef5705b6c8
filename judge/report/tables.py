"""The tables of a report, as rows that a spreadsheet, a Markdown page and an HTML page all take.

A cell that a spreadsheet would run as a formula begins with an apostrophe in CSV; control and direction-changing characters
are shown, never sent.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from judge.calibration.calibrate import Calibration
from judge.calibration.statistic import Statistic
from judge.errors import InputError
from judge.frozen import Frozen
from judge.report.model import Report
from judge.text import inert

Cell = str | bool | int | float | None

_FIGURE: Final = ("statistic", "estimate", "low", "high", "n", "method", "note")

# Left out of pages, not of --json: figures that only hold at the gold set's prevalence, or that hide an uncertainty.
LEFT_OUT: Final = frozenset({"precision", "average_precision", "npv", "f1", "accuracy", "rogan_gladen"})


class Table(Frozen):
    """Named columns and rows; `name` is what its file is called."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def csv(self) -> str:
        """The table as CSV, with a head."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(self.columns)
        writer.writerows([inert(cell) for cell in row] for row in self.rows)
        return out.getvalue()

    @property
    def address(self) -> str:
        """The CSV as a data address: a link that holds the file itself."""
        return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(self.csv.encode()).decode()}"


def list_tables(report: Report) -> tuple[Table, ...]:
    """Every table of a report that has rows."""
    found = (
        _judged(report),
        _rates(report),
        _cases(report),
        _accuracy(report),
        _confusion(report),
        _reliability(report),
        _differences(report),
        _pairs(report),
        _panel(report),
        _cost(report),
        _missing(report),
    )
    return tuple(table for table in found if table.rows)


def write_csv(report: Report, folder: Path) -> list[Path]:
    """Write every table into a folder, each as a file of its name.

    Raises:
        InputError: if the folder cannot be made or written to.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in list_tables(report):
            path = folder / f"{table.name}.csv"
            path.write_text(table.csv, encoding="utf-8", newline="")
            written.append(path)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}; name another folder with --csv") from None
    return written


def shown_figures(figures: Mapping[str, Statistic]) -> dict[str, Statistic]:
    """The figures that a page may print; an estimate for which no interval can be given is not stated, and its note says why."""
    return {
        name: one if one.low is not None or one.high is not None or one.note is None else _withheld(one)
        for name, one in figures.items()
        if name not in LEFT_OUT
    }


def _withheld(one: Statistic) -> Statistic:
    return one.model_copy(update={"estimate": None})


def _figures(head: Sequence[Cell], figures: Mapping[str, Statistic]) -> Iterator[tuple[Cell, ...]]:
    for name, one in shown_figures(figures).items():
        yield (*head, name, one.estimate, one.low, one.high, one.n, one.method, one.note)


def _judged(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in report.tallies:
        head = (one.rubric, one.judge)
        rows += [(*head, "level", name, count, name in one.positive_levels) for name, count in one.levels.items()]
        rows += [(*head, "outside the scale", name, count, None) for name, count in one.outside.items()]
        rows += [(*head, "missing", name, count, None) for name, count in one.missing.items()]
    return Table(name="judged", columns=("rubric", "judge", "what", "name", "verdicts", "positive"), rows=tuple(rows))


def _rates(report: Report) -> Table:
    rows = [
        row
        for one in report.rates
        for row in _figures(
            (one.rubric, one.judge, *one.group.values(), one.flagged, sum(one.missing.values())),
            one.statistics,
        )
    ]
    columns = ("rubric", "judge", *report.grouped_by, "flagged", "missing", *_FIGURE)
    return Table(name="rates", columns=columns, rows=tuple(rows))


def _cases(report: Report) -> Table:
    rows = [
        (
            *(one.rubric, one.transcript_id, one.source, one.level, one.severity, one.judge, one.flagged, one.settled),
            *(one.label, one.verdict_id, point.criterion, quote.message_id, quote.match, quote.quote),
        )
        for one in report.cases
        for point in one.points
        for quote in point.quotes
    ]
    columns = "rubric transcript_id source level severity judge flagged votes labels verdict_id criterion message_id match quote"
    return Table(name="cases", columns=tuple(columns.split()), rows=tuple(rows))


def _accuracy(report: Report) -> Table:
    rows = []
    for one in (accuracy.calibration for accuracy in report.accuracy):
        for what, figures in figure_groups(one):
            rows += list(_figures((one.rubric, one.judge, one.prevalence, what), figures))
    return Table(name="accuracy", columns=("rubric", "judge", "gold_prevalence", "of", *_FIGURE), rows=tuple(rows))


def figure_groups(one: Calibration) -> tuple[tuple[str, Mapping[str, Statistic]], ...]:
    """The groups of figures of a calibration, each with what it is of."""
    return (
        ("judge", one.statistics),
        ("judge, on the levels", one.by_level),
        ("judge, if missing verdicts were known", one.bounds),
        ("raters among themselves", one.humans),
        ("balanced accuracy of each rater against the others", one.ceiling),
        ("balanced accuracy of the judge against the same others", one.beside_ceiling),
        ("balanced accuracy of judges that do not read", one.rivals),
    )


def _confusion(report: Report) -> Table:
    rows = []
    for accuracy in report.accuracy:
        one = accuracy.calibration
        for label, line in zip(one.levels, one.level_table, strict=True):
            rows += [(one.rubric, one.judge, label, level, n) for level, n in zip(one.levels, line, strict=True)]
    return Table(name="confusion", columns=("rubric", "judge", "labels_say", "judge_says", "items"), rows=tuple(rows))


def _reliability(report: Report) -> Table:
    rows = [
        (
            *(accuracy.calibration.rubric, accuracy.calibration.judge, one.low, one.high, one.n, one.mean),
            *(one.observed, one.observed_low, one.observed_high, "Wilson 95%"),
        )
        for accuracy in report.accuracy
        for one in accuracy.reliability
    ]
    columns = "rubric judge from to n stated observed observed_low observed_high method"
    return Table(name="reliability", columns=tuple(columns.split()), rows=tuple(rows))


def _differences(report: Report) -> Table:
    rows = [
        (
            *(one.case.rubric, one.case.judge, one.kind, one.case.transcript_id, one.label, one.case.level),
            *(one.rationale, one.case.verdict_id),
        )
        for accuracy in report.accuracy
        for one in accuracy.differences
    ]
    columns = "rubric judge kind transcript_id labels verdict rationale verdict_id"
    return Table(name="differences", columns=tuple(columns.split()), rows=tuple(rows))


def _pairs(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for panel in report.panels:
        rows += list(_figures((panel.rubric, None, None), {"votes_differ": panel.split}))
        for what, figure in panel.worth.items():
            rows += list(_figures((panel.rubric, None, None), {f"effective_votes_by_{what}": figure}))
        for name, figure in panel.flips.items():
            rows += list(_figures((panel.rubric, name, None), {"flip_rate": figure}))
        for pair in panel.pairs:
            rows += list(_figures((panel.rubric, pair.first, pair.second), {"percent_agreement": pair.agreement}))
    return Table(name="panel_agreement", columns=("rubric", "judge", "other_judge", *_FIGURE), rows=tuple(rows))


def _panel(report: Report) -> Table:
    rows = [
        (panel.rubric, one.transcript_id, one.source, vote.judge, vote.sample, vote.outcome)
        for panel in report.panels
        for one in panel.divided
        for vote in one.votes
    ]
    return Table(
        name="panel_divided", columns=tuple("rubric transcript_id source judge sample vote".split()), rows=tuple(rows)
    )


def _cost(report: Report) -> Table:
    columns = "judge verdicts calls input_tokens output_tokens cached_tokens cost_usd unpriced median_latency_s".split()
    rows = tuple(tuple(getattr(one, name) for name in columns) for one in report.costs)
    return Table(name="cost", columns=tuple(columns), rows=rows)


def _missing(report: Report) -> Table:
    columns = "rubric transcript_id source judge status error verdict_id".split()
    rows = tuple(tuple(getattr(one, name) for name in columns) for one in report.lapses)
    return Table(name="missing", columns=tuple(columns), rows=rows)
