"""A certificate as a person reads it: the decision first, then each gate, what is lacking, and what it does not cover."""

from __future__ import annotations

from collections.abc import Iterator

from judge.calibration.certificate import Certificate
from judge.calibration.drift import Drift
from judge.calibration.gates import Gate
from judge.report.figures import describe_claims, format_statistic
from judge.report.terminal import style
from judge.text import one_line

_COLOURS = {"certified": "green", "refused": "red", "insufficient": "yellow", "provisional": "yellow"}
_WORDS = {"polarity": "more than", "repeatability": "at most", "looks": "at most", "expiry": "days"}
_MARKS = {"passed": "ok", "failed": "FAILED", "open": "open", "reported": "-"}


def describe_certificate(one: Certificate) -> Iterator[str]:
    """Lines for a terminal."""
    who = one.identity
    verdict = one.decision.upper() + (f" ({one.level})" if one.level else "")
    yield style(f"{verdict}: {one_line(who.judge)} on {one_line(who.rubric)}", _COLOURS[one.decision])
    yield f"  protocol {one_line(one.protocol.name)} ({one.protocol.level}), {one.protocol.sha256[:12]}"
    scope = one.scope
    yield (
        f"  gold: {scope.items} items of split {scope.split} in {scope.scenarios} scenarios, {scope.positives} positive, "
        f"{scope.negatives} negative, {scope.contested} contested; {scope.raters} raters ({', '.join(scope.rater_kinds)})"
    )
    for reason in one.reasons:
        yield f"  because {one_line(reason, 200)}"
    for gate in one.gates:
        yield from _describe_gate(gate)
    wanted = [f"{count} {name}" for name, count in one.needs.model_dump().items() if count]
    if wanted:
        yield f"  further needed: {', '.join(wanted)}"
    for waiver in one.protocol.waivers:
        yield style(f"  WAIVED {one_line(waiver.threshold)}: {one_line(waiver.reason, 200)}", "yellow")
    for name, values in scope.not_validated.items():
        yield f"  not validated for {one_line(name)}: {one_line(', '.join(values), 200)}"
    opinion = one.second_opinion
    if opinion.theirs is not None:
        yield f"  alpha {opinion.ours:.6f}, by the krippendorff library {opinion.theirs:.6f}"
    yield from describe_claims(one.claims)
    yield f"  opened {one.opened_at} (look {one.look} of {one.protocol.looks}), holds until {one.expires_at}"


def describe_drift(one: Drift) -> Iterator[str]:
    """What anchors that were judged again say."""
    test = f"p {one.changes.p:.3g} (look {one.look}: drift is below {one.threshold:.3g})"
    yield f"  {one.n} anchors judged again: {one.changed} verdicts changed, {one.lost} lost, {test}"
    for moved in one.moved:
        yield f"    {moved.name:<18} {format_statistic(moved.before)}  now  {format_statistic(moved.now)}"
    if one.note:
        yield style(f"  note: {one.note}", "yellow")
    for reason in one.drifted:
        yield style(f"  DRIFTED: {one_line(reason, 200)}", "red")


def _describe_gate(gate: Gate) -> Iterator[str]:
    figure = ""
    if gate.figure is not None:
        figure = f"  {format_statistic(gate.figure)}"
    bar = "" if gate.threshold is None else f" ({_WORDS.get(gate.name, 'at least')} {gate.threshold:g})"
    waived = ", waived" if gate.waived else ""
    yield f"  {gate.gate:<3} {gate.name:<17} {_MARKS[gate.state]}{waived}{bar}: {one_line(gate.text, 400)}{figure}"
