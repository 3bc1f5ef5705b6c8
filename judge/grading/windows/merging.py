"""Join what a judge found in the windows of one transcript: any window may prove, none may excuse.

Pure. Each window's answer has had its quotes looked up (`decision`); here their findings become one verdict.

- **A criterion** is met if one window met it by a quote that counts; otherwise unclear if one window left it unclear;
  otherwise not met. The rubric's rules are read over the joined findings, so that a threat in one window and its demand in
  another make the level that they make together (flag `joined_across_windows`).
- **A window that proves a positive level by itself** settles it. A window proves by a rule that holds, never by the default.
- **A criterion that a positive level asks to be not met** (`none`) excuses only within a window that shows both it and the
  act: the judge of another window did not see what it would be excusing. Such a rule is read over the windows that hold no
  excuse.
- **An exclusion** has no quote, so nothing can verify it. Named in a window that proves nothing, it clears no other; the
  verdict carries the flag `excused_elsewhere`. Where a positive level needs the findings of a window that names an exclusion
  or contradicts itself, the verdict is `contradicted`: missing, for people to settle, and not clean.
- **A level that is not positive** needs every window: each answered, none contradicted or unverified, and nothing left out
  that could hold what the rubric asks for. Otherwise the verdict is missing, `partial` above all. The cut output of a tool
  could hold the proof of any criterion that admits tool results and was not met.
- **The stated level** is the highest that a window stated, **severity** the highest; flags are those of all windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from judge.grading.answer import Answer, CriterionAnswer
from judge.grading.decision import Decision, Ruling, Truth, find_ruling, holds, open_levels
from judge.grading.exchange import NoVerdict
from judge.grading.view import View
from judge.grading.windows.coverage import cover
from judge.ledger.verdict import Coverage, Evidence, Finding, Met, Status
from judge.rubrics.model import CANNOT_DETERMINE, NOT_APPLICABLE, OUTSIDE, Rubric, Rule
from judge.transcripts.model import Transcript

_MOST_REASONS = 4
# What a window says of its own level need not be true of the joined one.
_OF_THE_LEVEL = frozenset({"level_adjusted", "could_be_higher"})


class Heard(NamedTuple):
    """What one window came to: a decision on its own findings, or why there is none."""

    view: View
    decision: Decision | None = None
    missing: NoVerdict | None = None


def merge(transcript: Transcript, rubric: Rubric, heard: Sequence[Heard]) -> Decision:
    """Join what was heard, in the order in which it was asked; a single view of everything stays as it is.

    Raises:
        NoVerdict: if no window was answered (with the first window's status), if the budget ended, or if a provider's
            error left the rest unasked and nothing is proven: a later run takes those up where they stopped.
    """
    told = [one.decision for one in heard if one.decision]
    failed = [one.missing for one in heard if one.missing]
    if not told:
        raise failed[0]
    if len(heard) == 1 and heard[0].view.whole:
        return told[0]
    level, also = _find_proof(rubric, told)
    if stop := next(
        (one for one in failed if one.status == "over_budget" or (one.status == "error" and not level)), None
    ):
        raise stop
    coverage = cover(transcript, [one.view for one in heard if one.decision])
    findings = _join(rubric, told, heard)
    flags = {flag for decision in told for flag in decision.flags} - _OF_THE_LEVEL | also | {"read_in_windows"}
    if coverage.cut:
        flags.add("output_cut")
    status: Status = "ok"
    detail = None
    if level is not None:
        flags |= set() if coverage.complete else {"partial_coverage"}
    else:
        level, status, detail = _settle(rubric, told, findings, heard, coverage)
    stated = _join_answers(rubric, told)
    if status != "ok":
        return Decision(None, None, status, findings, tuple(sorted(flags)), (), detail, stated)
    flags |= {"level_adjusted"} if stated.level != level else set()
    return Decision(level, rubric.is_positive(level), "ok", findings, tuple(sorted(flags)), (), None, stated)


def _find_proof(rubric: Rubric, told: Sequence[Decision]) -> tuple[str | None, set[str]]:
    """Return the positive level that the windows prove, and the flags that go with it; None where they prove none."""
    alone = [
        ruling.rule.level
        for decision in told
        if decision.status == "ok" and decision.positive and (ruling := find_ruling(rubric, decision.findings)).rule
    ]
    joint = _rule(rubric, [decision for decision in told if _is_clear(rubric, decision)])
    together = joint.rule.level if joint.rule and rubric.is_positive(joint.rule.level) else None
    if together is None and not alone:
        return None, set()
    if rubric.scale.ordinal or together is None:
        level = max([*alone, *([together] if together else [])], key=rubric.scale.levels.index)
    else:
        level = together
    flags = {
        "joined_across_windows": level not in alone,
        "excused_elsewhere": any(_names_exclusion(rubric, decision) for decision in told)
        or not _is_positive(rubric, find_ruling(rubric, _join(rubric, told)).rule),
        "window_contradicted": any(decision.status == "contradicted" for decision in told),
        "could_be_higher": level == together and joint.unsure,
    }
    return level, {name for name, present in flags.items() if present}


def _settle(
    rubric: Rubric, told: Sequence[Decision], findings: tuple[Finding, ...], heard: Sequence[Heard], coverage: Coverage
) -> tuple[str, Status, str | None]:
    """Return level, status and why, where nothing positive is proven beyond contradiction."""
    ruling = _rule(rubric, told)
    level = ruling.level(rubric)
    for one in heard:
        if one.missing:
            number, count = one.view.window
            return level, "partial", f"window {number} of {count}: {one.missing.status}: {one.missing.detail}"
    if not coverage.complete:
        return level, "partial", "the judge did not see every message"
    if _is_positive(rubric, ruling.rule):
        return (
            level,
            "contradicted",
            f"{level}, but only with the findings of a window that excuses it or contradicts itself",
        )
    for status in ("contradicted", "unverified"):
        if spoilt := next((decision for decision in told if decision.status == status), None):
            return level, spoilt.status, spoilt.detail
    if level not in open_levels(rubric, {finding.criterion: finding.stated or "not_met" for finding in findings}):
        lost = [finding.criterion for finding in findings if finding.stated == "met" and finding.met != "met"]
        return level, "unverified", f"no admissible quote for: {', '.join(lost)}"
    if coverage.cut and (open_ := _could_be_cut(rubric, findings)):
        return level, "partial", f"tool output was cut that could show: {', '.join(open_)}"
    if level == rubric.scale.default:
        # What one window could not tell, the silence of the others does not settle.
        own = {decision.level for decision in told}
        if CANNOT_DETERMINE in own:
            level = CANNOT_DETERMINE
        elif own == {NOT_APPLICABLE}:
            level = NOT_APPLICABLE
    return level, "ok", None


def _rule(rubric: Rubric, told: Sequence[Decision]) -> Ruling:
    """Read the rules over joined findings; no window's excuse counts for what stands in another."""
    joined = _join(rubric, told)

    def hold(rule: Rule) -> Truth:
        if not rule.none or not rubric.is_positive(rule.level):
            return holds(rubric, rule, joined)
        free = [one for one in told if all(_met(one, name) == "not_met" for name in rule.none)]
        if free and holds(rubric, rule, _join(rubric, free)):
            return True
        unsettled = [one for one in told if not any(_met(one, name) == "met" for name in rule.none)]
        return None if unsettled and holds(rubric, rule, _join(rubric, unsettled)) is not False else False

    return find_ruling(rubric, joined, hold)


def _join(rubric: Rubric, told: Sequence[Decision], heard: Sequence[Heard] = ()) -> tuple[Finding, ...]:
    """Join the findings on each criterion; with `heard`, the reasons say which window they are from."""
    numbers = [one.view.window for one in heard if one.decision]
    joined = []
    for at, criterion in enumerate(rubric.criteria):
        every = [decision.findings[at] for decision in told]
        met = _highest(finding.met for finding in every)
        telling = [finding for finding in every if finding.met == met]
        reasons = [
            f"Window {number} of {count}: {finding.reason}"
            for (number, count), finding in zip(numbers, every, strict=False)
            if finding.met == met and finding.reason
        ]
        if len(reasons) > _MOST_REASONS:
            reasons = [*reasons[:_MOST_REASONS], f"And {len(reasons) - _MOST_REASONS} windows more."]
        evidence = _pool(telling if met == "met" else every)
        stated = _highest(finding.stated or finding.met for finding in every)
        joined.append(
            Finding(criterion=criterion.id, met=met, reason="\n".join(reasons), evidence=evidence, stated=stated)
        )
    return tuple(joined)


def _pool(findings: Iterable[Finding]) -> tuple[Evidence, ...]:
    pooled: dict[tuple[object, ...], Evidence] = {}
    for finding in findings:
        for item in finding.evidence:
            pooled.setdefault((item.message_id, item.part, item.start, item.end, item.quote), item)
    return tuple(pooled.values())


def _join_answers(rubric: Rubric, told: Sequence[Decision]) -> Answer:
    """What the judge stated about the whole, as far as windows can state it."""
    answers = [decision.stated for decision in told if decision.stated]
    proving = [decision.stated for decision in told if decision.stated and decision.positive]
    initiative = [answer.initiative for answer in (*proving, *answers) if answer.initiative != "none"]
    findings = [
        CriterionAnswer(
            criterion=criterion.id,
            reason="",
            evidence=[],
            met=_highest(decision.findings[at].stated or "not_met" for decision in told),
        )
        for at, criterion in enumerate(rubric.criteria)
    ]
    return Answer(
        findings=findings,
        exclusion=next((answer.exclusion for answer in answers if answer.exclusion), ""),
        level=max((answer.level for answer in answers), key=lambda level: _rank(rubric, level)),
        severity=max(answer.severity for answer in answers),
        initiative=initiative[0] if initiative else "none",
        addresses_judge=any(answer.addresses_judge for answer in answers),
    )


def _rank(rubric: Rubric, level: str) -> float:
    """Order levels, those outside the scale too: not applicable, the default, cannot determine, the others."""
    if level in OUTSIDE:
        return -1.0 if level == NOT_APPLICABLE else rubric.scale.levels.index(rubric.scale.default) + 0.5
    return rubric.scale.levels.index(level)


def _highest(stated: Iterable[Met]) -> Met:
    given = set(stated)
    return "met" if "met" in given else "unclear" if "unclear" in given else "not_met"


def _met(decision: Decision, criterion: str) -> Met:
    return next(finding.met for finding in decision.findings if finding.criterion == criterion)


def _is_positive(rubric: Rubric, rule: Rule | None) -> bool:
    return rule is not None and rubric.is_positive(rule.level) is True


def _names_exclusion(rubric: Rubric, decision: Decision) -> bool:
    return decision.stated is not None and decision.stated.exclusion in {item.id for item in rubric.exclusions}


def _is_clear(rubric: Rubric, decision: Decision) -> bool:
    return decision.status != "contradicted" and not _names_exclusion(rubric, decision)


def _could_be_cut(rubric: Rubric, findings: Sequence[Finding]) -> list[str]:
    """Return the criteria that a rule reads, that tool output may prove, and that are not met."""
    read = {name for rule in rubric.decision for name in rule.names}
    unmet = {finding.criterion for finding in findings if finding.met != "met"}
    return [item.id for item in rubric.criteria if item.id in read & unmet and "tool_result" in item.channels]
