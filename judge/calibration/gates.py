"""The gates between a judge and a certificate: each is passed, failed, or left open with what is lacking.

Decisions are made on interval bounds, never on point estimates: passed if the whole interval is on the right side of the
threshold, failed if it is on the wrong side, open in between. A verdict that is missing counts as wrong. A gate that is
open says how many further items would settle it.
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from judge.calibration import comparison
from judge.calibration.alpha import krippendorff_alpha
from judge.calibration.annotator import FEWEST_ITEMS, AlternativeAnnotator, annotator_report
from judge.calibration.calibrate import Calibration
from judge.calibration.claims import below_chance
from judge.calibration.intervals import exact_clustered
from judge.calibration.matching import MISSING, Matched, binary
from judge.calibration.planning import further_items, items_for_alpha, specificity_for_ppv
from judge.calibration.records import Record
from judge.calibration.statistic import Statistic, measured
from judge.frozen import Frozen

State = Literal["passed", "failed", "open", "reported"]


class Needs(Frozen):
    """What would settle an open gate, at the rate of mistakes so far where that can, else without any further mistake."""

    positives: int = 0
    negatives: int = 0
    items: int = 0
    repeats: int = 0
    scenarios: int = 0


NOTHING = Needs()


def total_needs(needs: Iterable[Needs]) -> Needs:
    """What settles all gates: the same further items serve several of them, so the largest number of each kind."""
    every = [each.model_dump() for each in needs]
    return Needs(**{name: max((each[name] for each in every), default=0) for name in Needs.model_fields})


class Gate(Frozen):
    """One gate's outcome. `waived`: its threshold is looser than the default of the level."""

    gate: str
    name: str
    state: State
    threshold: float | None = None
    figure: Statistic | None = None
    text: str
    needs: Needs = NOTHING
    waived: bool = False


def evaluate(record: Record, one: Matched, found: Calibration, level: float | None = None) -> tuple[Gate, ...]:
    """Every gate of the protocol, in order. `one` are the record's rows, `found` the figures computed from them.

    `level`: of each interval; None for the protocol's own, as where nothing else was certified in the run.
    """
    protocol, limits = record.protocol, record.protocol.thresholds
    *humans, sensitivity, specificity, repeatability = evaluate_bounds(record, one, level or protocol.interval_level)
    gates = [
        *_integrity(record, one, found),
        *humans,
        sensitivity,
        specificity,
        _replaces_human(record, one),
        _ceiling(found),
        repeatability,
        _scenarios(one, _families(record), limits.scenarios),
        _transport(record),
        _looks(record),
        Gate(
            gate="G10",
            name="expiry",
            state="reported",
            threshold=limits.expires_days,
            text=f"holds {limits.expires_days} days, and until model, prompt, rubric or parameters change",
        ),
    ]
    loose = set(protocol.looser())
    return tuple(gate.model_copy(update={"waived": bool(loose & _THRESHOLDS.get(gate.name, set()))}) for gate in gates)


def evaluate_bounds(record: Record, one: Matched, level: float) -> tuple[Gate, ...]:
    """The gates that are decided on intervals of this level: the raters', sensitivity, specificity, repeatability."""
    protocol, limits = record.protocol, record.protocol.thresholds
    enough = _families(record) >= limits.scenarios
    wanted = limits.specificity_low
    if protocol.target is not None:
        wanted = max(wanted, specificity_for_ppv(protocol.target.prevalence, 1.0, protocol.target.ppv))
    return (
        *_humans(record, one, level),
        _error_rate("G2", "sensitivity", record, one, 1, limits.sensitivity_low, enough, level),
        _error_rate("G3", "specificity", record, one, 0, wanted, enough, level),
        _repeatability(record, one, level),
    )


def _families(record: Record) -> int:
    return len({item.family for item in record.items})


_THRESHOLDS = {
    "parseable": {"parseable"},
    "raters": {"raters"},
    "alpha": {"alpha", "alpha_low"},
    "sensitivity": {"sensitivity_low", "icc"},
    "specificity": {"specificity_low", "icc"},
    "replaces a human": {"epsilon", "winning_rate"},
    "repeatability": {"repeats", "repeat_items", "repeat_positives", "flip_high"},
    "scenarios": {"scenarios"},
    "expiry": {"expires_days"},
}


def _integrity(record: Record, one: Matched, found: Calibration) -> Iterable[Gate]:
    positives, negatives = int((one.truth == 1).sum()), int((one.truth == 0).sum())
    both = positives > 0 and negatives > 0
    yield Gate(
        gate="G0",
        name="classes",
        state="passed" if both else "open",
        text=f"gold holds {positives} positives, {negatives} negatives, {found.contested} contested",
        needs=Needs(positives=int(positives == 0), negatives=int(negatives == 0)),
    )
    yield _polarity(one, found)
    unjudged = one.reasons.get("not judged", 0)
    n, limits = len(one.said), record.protocol.thresholds
    usable = int((one.said != MISSING).sum())
    if unjudged:
        text = f"{unjudged} of {n} items of the split were never judged"
    else:
        text = f"{usable} of {n} verdicts are usable; the others count as wrong"
    yield Gate(
        gate="G0",
        name="parseable",
        state="open" if unjudged else "passed" if usable >= limits.parseable * n else "failed",
        threshold=limits.parseable,
        figure=measured(usable / n, None, None, method="share of items with a usable verdict", n=n),
        text=text,
        needs=Needs(items=unjudged),
    )
    shared = record.split_families
    circular = record.identity.judge in one.ratings.raters
    yield Gate(
        gate="G0",
        name="independence",
        state="failed" if shared or circular else "passed",
        text="the judge is one of the raters: gold is circular"
        if circular
        else f"families in another split too: {', '.join(shared[:5])}"
        if shared
        else "no family of the split stands in another one, and the judge is no rater",
    )


def _polarity(one: Matched, found: Calibration) -> Gate:
    """A judge that is worse than chance has its labels swapped, or the gold has."""
    flagged = {int(value) for value in one.said[one.said != MISSING]}
    state: State
    mcc = found.statistics["mcc"]
    if below_chance(found.statistics):
        state, text = "failed", "suspect polarity: worse than chance, as when positive and negative are swapped"
    elif len(flagged) < 2:
        only = "positive" if flagged == {1} else "negative"
        state, text = "failed", f"the judge gives one answer only ({only}): it tells nothing apart"
    elif mcc.low is not None and mcc.low > 0:
        state, text = "passed", "better than chance"
    else:
        state, text = "open", "may be no better than chance"
    return Gate(gate="G0", name="polarity", state=state, threshold=0.0, figure=mcc, text=text)


def _humans(record: Record, one: Matched, level: float) -> Iterable[Gate]:
    limits, table = record.protocol.thresholds, one.ratings
    if table.kinds != {"human"}:
        kinds = ", ".join(sorted(table.kinds))
        yield Gate(gate="G1", name="raters", state="reported", text=f"labels are {kinds}: they can certify nothing")
        return
    fewest = int((table.codes != MISSING).sum(axis=1).min())
    short = int(((table.codes != MISSING).sum(axis=1) < limits.raters).sum())
    seeing = sum(row.blind is not True for row in record.ratings if row.rater_kind == "human")
    yield Gate(
        gate="G1",
        name="raters",
        state="open" if short else "passed",
        threshold=limits.raters,
        text=f"{len(table.raters)} raters, at least {fewest} on every item"
        + (f"; {short} items have fewer than {limits.raters}" if short else ""),
        needs=Needs(items=short),
    )
    yield Gate(
        gate="G1",
        name="blind",
        state="open" if seeing else "passed",
        text=f"{seeing} labels are not recorded as blind" if seeing else "every label was given blind",
        needs=Needs(items=seeing),
    )
    signs = binary(table, table.codes)
    alpha = krippendorff_alpha(signs, "nominal", clusters=one.clusters, seed=0, level=level)
    yield _alpha(alpha, limits.alpha, limits.alpha_low)


def _alpha(alpha: Statistic, point: float, low: float) -> Gate:
    needs = Needs()
    state: State
    if alpha.estimate is None or alpha.low is None or alpha.high is None:
        state, text = "open", "the raters' agreement cannot be told"
    elif alpha.high < low:
        state, text = "failed", "raters do not agree: the rubric is the problem, and nothing can be said of any judge"
    elif alpha.low >= low and alpha.estimate >= point:
        state, text = "passed", "raters agree"
    else:
        state, text = "open", "whether raters agree enough is open"
        if more := items_for_alpha(alpha.estimate, alpha.low, alpha.n, low):
            needs = Needs(items=more)
        elif alpha.estimate < point:
            text = f"alpha is below {point:g}: more items will not help, a clearer rubric or better training may"
    return Gate(gate="G1", name="alpha", state=state, threshold=low, figure=alpha, text=text, needs=needs)


def _error_rate(
    gate: str, name: str, record: Record, one: Matched, right: int, bound: float, enough: bool, level: float
) -> Gate:
    """Sensitivity or specificity with missing verdicts counted as wrong, at the effective size of the families."""
    among = one.truth == right
    hits = one.said[among] == right
    groups = np.arange(len(one.truth)) if one.clusters is None else one.clusters
    index = np.unique(groups[among], return_inverse=True)[1]
    caught, sizes = np.bincount(index, weights=hits), np.bincount(index)
    figure, size = exact_clustered(caught, sizes, level, record.protocol.thresholds.icc)
    kind = "positives" if right else "negatives"
    n, count = int(among.sum()), int(hits.sum())
    text = f"{count} of {n} {kind} right"
    state: State
    if figure.low is None or figure.high is None:
        state = "open"
    elif figure.low >= bound:
        state = "passed"
    else:
        state = "failed" if figure.high < bound else "open"
    needs = Needs()
    if state == "open":
        effect = n / size if size else 1.0
        more = further_items(count / effect, n / effect, bound, level) if n else further_items(0, 0, bound, level)
        wanted = more.if_all_right if more.at_this_rate is None else more.at_this_rate
        needs = Needs(**{kind: math.ceil(wanted * effect)})
    if not enough and figure.estimate is not None:
        # Too few scenarios: what an interval over them would claim does not hold.
        figure = measured(
            figure.estimate, None, None, method=figure.method, n=figure.n, note="no interval: too few scenarios"
        )
        state = "failed" if state == "failed" else "open"
    return Gate(gate=gate, name=name, state=state, threshold=bound, figure=figure, text=text, needs=needs)


def _replaces_human(record: Record, one: Matched) -> Gate:
    limits = record.protocol.thresholds

    def gate(state: State, text: str, figure: Statistic | None = None, needs: Needs = NOTHING) -> Gate:
        return Gate(
            gate="G4",
            name="replaces a human",
            state=state,
            threshold=limits.winning_rate,
            figure=figure,
            text=text,
            needs=needs,
        )

    if one.ratings.kinds != {"human"} or len(one.ratings.raters) < 2:
        return gate("reported", "not tested: it needs two human raters")
    signs = binary(one.ratings, one.ratings.codes)
    # A missing verdict is no answer that agrees with anybody.
    said = np.where(one.said == MISSING, 2, one.said).astype(float)
    report = annotator_report(np.where(signs == MISSING, np.nan, signs), said, limits.epsilon, clusters=one.clusters)
    won = [report.overall, report.on_positives, report.always_majority]
    rates = [test.winning_rate.estimate for test in won]
    shown = [
        f"{name} {'untested' if rate is None else f'{rate:.2f}'}"
        for name, rate in zip(("overall", "on positives", "always-majority"), rates, strict=True)
    ]
    text = "winning rate " + ", ".join(shown)
    overall, on_positives, _ = rates
    if overall is None or on_positives is None:
        needs = Needs(positives=max(0, FEWEST_ITEMS - int((one.truth == 1).sum())))
        return gate("open", text, report.overall.winning_rate, needs)
    ours, baseline = (test.advantage_probability.estimate or 0.0 for test in (report.overall, report.always_majority))
    text += f"; as good as a rater {ours:.3f} of the time, the commonest answer {baseline:.3f}"
    state: State = "open"
    if any(_cannot_replace(test) for test in (report.overall, report.on_positives)):
        state = "failed"
    elif min(overall, on_positives) >= limits.winning_rate and ours > baseline:
        state = "passed"
    return gate(state, text, report.overall.winning_rate)


def _cannot_replace(test: AlternativeAnnotator) -> bool:
    """Whether for most raters the gap is epsilon or more beyond doubt; not to have shown the contrary is no failure yet."""
    p_values = [one.p for one in test.raters if one.p is not None]
    return 2 * sum(p >= 0.95 for p in p_values) > len(p_values)


def _ceiling(found: Calibration) -> Gate:
    area = found.statistics["balanced_accuracy"]
    text = "balanced accuracy: judge " + ("undefined" if area.estimate is None else f"{area.estimate:.3f}")
    humans, judge = (_range(figures) for figures in (found.ceiling, found.beside_ceiling))
    if humans and judge:
        text += f"; against the majority of the other raters, on the same items: raters {humans}, judge {judge}"
    return Gate(gate="G5", name="ceiling", state="reported", figure=area, text=text)


def _range(figures: Mapping[str, Statistic]) -> str:
    known = [figure.estimate for figure in figures.values() if figure.estimate is not None]
    return f"{min(known):.3f} to {max(known):.3f}" if known else ""


def _repeatability(record: Record, one: Matched, level: float) -> Gate:
    limits = record.protocol.thresholds
    repeated = (one.repeats != MISSING).sum(axis=1) >= limits.repeats
    items, positives = int(repeated.sum()), int((one.truth[repeated] == 1).sum())
    figure = comparison.flip_rate(one.repeats[repeated], level)
    lacking = Needs(repeats=max(0, limits.repeat_items - items), positives=max(0, limits.repeat_positives - positives))
    state: State
    text = f"{items} items judged {limits.repeats} times or more, {positives} of them positive"
    if figure.low is not None and figure.low > limits.flip_high:
        state = "failed"
    elif lacking != Needs() or figure.high is None:
        state = "open"
    elif figure.high <= limits.flip_high:
        state = "passed"
    else:
        state = "open"
        flips = round((figure.estimate or 0.0) * items)
        more = further_items(items - flips, items, 1 - limits.flip_high, level)
        lacking = Needs(repeats=more.at_this_rate or more.if_all_right)
    needs = lacking if state == "open" else Needs()
    return Gate(
        gate="G6", name="repeatability", state=state, threshold=limits.flip_high, figure=figure, text=text, needs=needs
    )


def _scenarios(one: Matched, families: int, wanted: int) -> Gate:
    text = f"{families} scenarios"
    if one.clusters is not None:
        positive = one.truth == 1
        caught, there = Counter(one.clusters[positive & (one.said == 1)]), Counter(one.clusters[positive])
        if there:
            worst = min(there, key=lambda name: (caught[name] / there[name], -there[name], str(name)))
            text += f"; worst: {caught[worst]} of {there[worst]} positives found in {str(worst).removeprefix('group ')}"
    if families < wanted:
        lacking = Needs(scenarios=wanted - families)
        return Gate(
            gate="G7",
            name="scenarios",
            state="open",
            threshold=wanted,
            text=f"too few scenarios for intervals: {text}",
            needs=lacking,
        )
    return Gate(gate="G7", name="scenarios", state="passed", threshold=wanted, text=text)


def not_covered(record: Record) -> dict[str, tuple[str, ...]]:
    """What the protocol means to cover and the gold does not hold, by field."""
    held: dict[str, set[str]] = {}
    for item in record.items:
        for name, value in item.run.items():
            held.setdefault(name, set()).add(value)
        if item.setting is not None:
            held.setdefault("setting", set()).add(item.setting)
    lacking = {
        name: tuple(sorted(set(values) - held.get(name, set()))) for name, values in record.protocol.covers.items()
    }
    return {name: values for name, values in sorted(lacking.items()) if values}


def _transport(record: Record) -> Gate:
    lacking = not_covered(record)
    if not record.protocol.population:
        text = "the protocol does not say which transcripts the certificate is meant for (`population`)"
        return Gate(gate="G8", name="transport", state="open", text=text)
    shown = "; ".join(f"{name}: {', '.join(values)}" for name, values in lacking.items())
    text = f"not validated for {shown}" if lacking else "error rates are assumed to carry over to the population named"
    who = record.identity
    command = shlex.join(["judge", "gold", "next", "-r", who.rubric, "-m", who.judge, "--audit", "--to", "audit.jsonl"])
    text += f"; look at new verdicts of each campaign: {command}"
    return Gate(gate="G8", name="transport", state="reported", text=text)


def _looks(record: Record) -> Gate:
    look, planned = record.opening.look, record.protocol.looks
    if look > planned:
        text = f"the split was opened for the {look}. time, {planned} planned: a fresh split is needed"
        return Gate(gate="G9", name="looks", state="failed", threshold=planned, text=text)
    text = f"look {look} of {planned}, each with intervals at {record.protocol.interval_level:.4g}"
    return Gate(gate="G9", name="looks", state="passed", threshold=planned, text=text)
