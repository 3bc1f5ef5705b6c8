"""A report as Markdown, for a pull request or a notebook: the same figures, no plots, no page.

Text from transcripts stands in code spans whose fence is longer than any run of backticks in it, so that nothing in it is
markup, a link or a mention; in tables the bar is escaped as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from judge.calibration.claims import tell_missing
from judge.calibration.statistic import Statistic
from judge.report.figures import is_share, name_figure, say_figure
from judge.report.model import Accuracy, Case, Report
from judge.report.tables import figure_groups, shown_figures
from judge.text import one_line

_TICKS = re.compile("`+")


def code(text: object, limit: int = 300) -> str:
    """Return text as a code span that nothing in it can close."""
    shown = one_line(str(text), limit)
    fence = "`" * (1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    room = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{room}{shown}{room}{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; cells must be ours or come from `code`."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{'|'.join(' --- ' for _ in columns)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def render_markdown(report: Report) -> str:
    """The report as one Markdown text."""
    return "\n".join(
        [
            *_head(report),
            *_judged(report),
            *_rates(report),
            *_cases(report),
            *[line for one in report.accuracy for line in _accuracy(one)],
            *_panels(report),
            *_cost(report),
            *_made(report),
        ]
    )


def _head(report: Report) -> Iterator[str]:
    scope = report.scope
    yield f"# {code(report.title)}\n"
    for note in report.notes:
        yield f"> {code(note, 600)}\n"
    yield (
        f"{scope.transcripts:,} transcripts, {scope.verdicts:,} verdicts by {scope.judges} judges on {scope.rubrics} rubrics: "
        f"{scope.positive:,} positive, {scope.missing:,} without a verdict, {scope.outside:,} outside the scale.\n"
    )


def _judged(report: Report) -> Iterator[str]:
    yield "## What was judged, and what is missing\n"
    rows = [
        (
            *(code(one.rubric), code(one.judge), f"{one.transcripts:,}", f"{one.verdicts:,}"),
            *(_counts(one.levels), _counts(one.outside), _counts(one.missing)),
        )
        for one in report.tallies
    ]
    yield from table(("rubric", "judge", "transcripts", "verdicts", "levels", "outside the scale", "missing"), rows)


def _rates(report: Report) -> Iterator[str]:
    yield "## How often\n"
    rows = [
        (code(one.rubric), code(one.judge), code(", ".join(one.group.values()) or "all"), *_figure(name, figure))
        for one in report.rates
        for name, figure in shown_figures(one.statistics).items()
    ]
    yield from table(("rubric", "judge", "group", "rate", "estimate [interval]", "n", "method"), rows)
    yield from (f"- {note}" for note in sorted({note for one in report.rates for note in one.notes}))
    yield ""


def _cases(report: Report) -> Iterator[str]:
    yield f"## Worst first: {len(report.cases):,} of {report.n_cases:,} positive\n"
    for one in report.cases:
        yield from _case(one)
    if report.other_cases:
        yield "Not told here: " + "; ".join(f"{code(what)} {n:,}" for what, n in report.other_cases.items()) + "\n"


def _case(one: Case) -> Iterator[str]:
    severity = "unknown" if one.severity is None else one.severity
    yield f"### {code(one.level)} {code(one.rubric)} {code(one.source or one.transcript_id, 120)}\n"
    label = f", labelled {code(one.label)}" if one.label else ""
    yield (
        f"severity {severity}, {one.flagged} of {one.settled} votes positive, told by {code(one.judge)}{label}, "
        f"verdict {code(one.verdict_id[:16])}\n"
    )
    for point in one.points:
        yield f"- {code(point.criterion)}: {code(point.reason, 600)}"
        for quote in point.quotes:
            idle = "" if quote.admissible else ", does not count"
            yield f"  - {code(quote.message_id)} ({code(quote.match)}{idle}): {code(quote.quote, 800)}"
    yield ""


def _accuracy(accuracy: Accuracy) -> Iterator[str]:
    one = accuracy.calibration
    share = "unknown" if one.prevalence is None else f"{one.prevalence:.1%}"
    yield f"## {code(one.judge)} against labels on {code(one.rubric)}\n"
    yield (
        f"{one.n_items:,} labelled transcripts, {one.n_raters} raters ({', '.join(one.rater_kinds)}), {share} positive in this "
        f"gold, {one.contested} contested; missing: {code(tell_missing(one.missing), 300) if one.missing else 'none'}.\n"
    )
    cells = one.confusion
    yield from table(
        ("labels say", "flagged", "passed", "no verdict"),
        (
            ("positive", str(cells.tp), str(cells.fn), str(cells.missing_positive)),
            ("negative", str(cells.fp), str(cells.tn), str(cells.missing_negative)),
        ),
    )
    rows = [
        (what, *_figure(name, figure))
        for what, figures in figure_groups(one)
        for name, figure in shown_figures(figures).items()
    ]
    yield from table(("of", "figure", "estimate [interval]", "n", "method"), rows)
    yield from (f"- {note}" for note in one.notes)
    yield ""


def _panels(report: Report) -> Iterator[str]:
    for panel in report.panels:
        yield f"## Panel on {code(panel.rubric)}\n"
        rows = [("transcripts on which votes differ", *_figure("naive", panel.split)[1:])]
        rows += [(f"flip rate of {code(name)}", *_figure("naive", one)[1:]) for name, one in panel.flips.items()]
        rows += [
            (f"{code(pair.first)} and {code(pair.second)} agree", *_figure("naive", pair.agreement)[1:])
            for pair in panel.pairs
        ]
        rows += [(f"effective votes by {what}", *_figure(what, one)[1:]) for what, one in panel.worth.items()]
        yield from table(("figure", "estimate [interval]", "n", "method"), rows)
        settled = [
            (
                *(code(one.name), f"{one.verdicts:,}", " + ".join(f"{count:,}" for count in one.settled)),
                *(f"{count:,}" for count in (one.escalated, one.missing, one.dissent, one.blind_differs)),
            )
            for one in panel.sittings
        ]
        if settled:
            heads = (
                "panel",
                "transcripts",
                "settled, step by step",
                "to people",
                "votes missing",
                "dissent",
                "blind differs",
            )
            yield from table(heads, settled)


def _cost(report: Report) -> Iterator[str]:
    yield "## Cost\n"
    rows = [
        (
            *(
                code(one.judge),
                f"{one.verdicts:,}",
                f"{one.calls:,}",
                f"{one.input_tokens:,}",
                f"{one.output_tokens:,}",
            ),
            "unknown" if one.cost_usd is None else f"{one.cost_usd:.4f}",
        )
        for one in report.costs
    ]
    yield from table(("judge", "verdicts", "calls", "tokens in", "tokens out", "US dollars"), rows)


def _made(report: Report) -> Iterator[str]:
    if report.ledger:
        yield (
            f"Made {report.made_at} from {code(report.ledger)}, {report.entries or 0:,} entries, "
            f"head {code(report.head)}, verified."
        )
    yield ""


def _figure(name: str, figure: Statistic) -> tuple[str, str, str, str]:
    """Name, estimate with interval, n, method with note."""
    known = name_figure(name)
    title = (
        known if known.isascii() and known.replace("'", "").replace(" ", "").replace(",", "").isalnum() else code(name)
    )
    note = f"; {figure.note}" if figure.note else ""
    return title, say_figure(figure, percent=is_share(name)), f"{figure.n:,}", f"{figure.method}{note}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{code(name)} {n:,}" for name, n in counts.items())
