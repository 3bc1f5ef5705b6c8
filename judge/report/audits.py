"""A gold audit as a person reads it: what was found, the gravest first, then what judges that do not read reach."""

from __future__ import annotations

from collections.abc import Iterator

from judge.calibration.audit import GoldAudit
from judge.report.terminal import style
from judge.text import one_line

_COLOURS = {"fault": "red", "warning": "yellow", "note": "dim"}
_FIGURES = ("balanced_accuracy", "accuracy", "f1")


def describe_audit(one: GoldAudit) -> Iterator[str]:
    """Lines for a terminal."""
    yield style(f"gold on {one_line(one.rubric)}", "bold")
    yield f"  {one.n_items} items, {one.positives} positive, {one.contested} contested"
    if not one.discoveries:
        yield "  nothing was found"
    for discovery in one.discoveries:
        yield style(f"  {discovery.weight}: {one_line(discovery.text, 240)}", _COLOURS[discovery.weight])
        for item in discovery.items[:5]:
            yield f"    {one_line(item)}"
    yield "  judges that do not read, on items that they were not chosen on:"
    for rival in one.rivals:
        figures = ((name, rival.statistics[name].estimate) for name in _FIGURES)
        shown = ", ".join(f"{name} {'undefined' if value is None else f'{value:.4f}'}" for name, value in figures)
        yield f"    {rival.name:<18} {shown}  ({one_line(rival.rule, 120)})"
    for judge in one.judges:
        says = "beats" if judge.beats else "DOES NOT BEAT"
        adjusted = f", {judge.p_adjusted:.2g} of all that were compared" if judge.p_adjusted != judge.p else ""
        yield (
            f"  {one_line(judge.judge)} {says} {judge.rival}: right alone on {judge.only_judge_right} items, wrong alone on "
            f"{judge.only_rival_right} of {judge.n} (p {judge.p:.2g}{adjusted})"
        )
