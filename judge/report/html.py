"""Reports and cases as one HTML file that needs nothing else: no script, no address, no font, no picture.

Every text goes through autoescape, is shown by `judge.text.visible`, and is never markup, a link or a style: what is a
class or an anchor in the page comes from closed sets here. The policy in the page's head allows its own style sheet, by its
hash, and nothing besides.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from judge.calibration.calibrate import Rate
from judge.calibration.claims import tell_missing
from judge.report import plots
from judge.report.figures import is_share, name_figure, say_figure, survives_prevalence
from judge.report.model import Report, Tally
from judge.report.tables import list_tables, shown_figures
from judge.text import one_line, visible

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_TONES: Final = {"enacted": "enacted", "attempted": "attempted", "considered": "considered"}


def render_report(report: Report) -> str:
    """The report as one page."""
    return render_page("report.html", report=report, files={table.name: table for table in list_tables(report)})


def tone(outcome: str | None, positive: bool | None, status: str = "ok") -> str:
    """The colour class of an outcome: one of a closed set, whatever the outcome is called."""
    if status != "ok":
        return "missing"
    if positive is None:
        return "outside"
    if positive:
        return _TONES.get(outcome or "", "enacted")
    return "considered" if outcome == "considered" else "clear"


def tally_parts(tally: Tally) -> list[tuple[str, str, int]]:
    """The parts of a tally's bar, worst first, what is missing last."""
    levels = [(tone(name, name in tally.positive_levels), name, n) for name, n in reversed(tally.levels.items())]
    outside = [("outside", name, n) for name, n in tally.outside.items()]
    return [*levels, *outside, *(("missing", name, n) for name, n in tally.missing.items())]


def figure_axis(name: str) -> plots.Axis:
    """The axis on which a figure of accuracy or agreement is drawn."""
    return plots.UNIT if is_share(name) or name in ("brier",) else plots.Axis(-1.0, 1.0, percent=False)


def moment(text: str) -> str:
    """A time of day as people write it; what is not one of ours stays as it is."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return one_line(text, 40)


def sentence(text: str) -> str:
    """A note as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def rate_axis(rates: Iterable[Rate]) -> plots.Axis:
    """One axis for every rate on a rubric; what missing verdicts could have been may reach beyond it."""
    return plots.fit_axis(
        [figure for one in rates for name, figure in shown_figures(one.statistics).items() if name != "worst_case"]
    )


class Limit(NamedTuple):
    """What may not be said of some rates: one sentence, with how many of them it is about."""

    sentence: str
    rates: int


def fold_limits(rates: Sequence[Rate]) -> list[Limit]:
    """Say once what may not be said of several rates, where the sentences differ in their numbers alone.

    The numbers of those that differ become `n`; each rate's own stand beside it in the table.
    """
    alike: dict[str, list[str]] = {}
    for text in (text for rate in rates for text in rate.claims.may_not):
        alike.setdefault(_NUMBER.sub("n", text), []).append(text)
    return [Limit(texts[0] if len(set(texts)) == 1 else shape, len(texts)) for shape, texts in alike.items()]


def render_page(template: str, **values: Any) -> str:
    """A page from one of our templates; the values are text, whoever wrote it."""
    style = _read("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template(template).render(style=Markup(style), digest=digest, **values)  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("judge.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "missing": tell_missing,
        "shown": visible,
        "line": one_line,
        "count": "{:,}".format,
        "share": "{:.1%}".format,
        "moment": moment,
        "sentence": sentence,
    }
    environment.globals |= {
        "axis": plots.axis,
        "interval": plots.interval,
        "bar": plots.bar,
        "reliability_curve": plots.reliability_curve,
        "tone": tone,
        "tally_parts": tally_parts,
        "is_share": is_share,
        "survives": survives_prevalence,
        "figure_axis": figure_axis,
        "rate_axis": rate_axis,
        "fold_limits": fold_limits,
        "shown_figures": shown_figures,
        "name_figure": name_figure,
        "say_figure": say_figure,
    }
    return environment


def _read(name: str) -> str:
    return resources.files("judge.report").joinpath("templates", name).read_text(encoding="utf-8")
