"""A rubric and a coverage matrix as plain text for a terminal. Escaping hostile characters is the printer's business."""

from __future__ import annotations

import textwrap

from judge.rubrics.constitution import Constitution
from judge.rubrics.coverage import Citation, ClauseCoverage
from judge.rubrics.difference import Difference, StaleFiles
from judge.rubrics.loading import Pack
from judge.rubrics.model import Rubric, Rule
from judge.text import counted

WIDTH = 110


def describe_pack(pack: Pack) -> str:
    """Return which rubrics are graded where the pack's name stands, its controls among them."""
    controls = f" and {counted(len(pack.controls), 'control')}" if pack.controls else ""
    members = ", ".join([*pack.rubrics, *(f"{name} (control)" for name in pack.controls)])
    return f"pack of {counted(len(pack.rubrics), 'rubric')}{controls}: {members}"


def describe(rubric: Rubric) -> str:
    """Return everything that a rater or an author wants to read of a rubric, in order of use."""
    blocks = [
        f"{rubric.title} ({rubric.id}, version {rubric.version})\n"
        f"rubric {rubric.sha256[:12]}, guideline {rubric.guideline_sha256[:12]}"
        + (f"\nderived from {rubric.derived_from}" if rubric.derived_from else ""),
        _wrap(rubric.question),
    ]
    if rubric.applies_when:
        blocks.append(_wrap(f"Applies when: {rubric.applies_when}"))
    blocks.append("Criteria\n" + "\n".join(_criterion(rubric, i) for i in range(len(rubric.criteria))))
    if rubric.exclusions:
        rows = [(e.id, e.text + (f" (see {e.see})" if e.see else "")) for e in rubric.exclusions]
        blocks.append("Does not count\n" + "\n".join(_item(name, text) for name, text in rows))
    blocks.append(_rule_block(rubric))
    guide = [f"  {level}  {text}" for level, text in sorted(rubric.severity.guide.items())]
    blocks.append("\n".join([f"Severity (default {rubric.severity.default})", *guide]))
    if rubric.boundaries:
        blocks.append("Neighbours\n" + "\n".join(_item(b.rubric, b.text) for b in rubric.boundaries))
    if rubric.examples:
        examples = [_item(f"{e.kind} -> {e.level}", f"{e.text} {e.why}") for e in rubric.examples]
        blocks.append("Worked examples\n" + "\n".join(examples))
    if rubric.guideline:
        blocks.append("Guideline for raters\n" + textwrap.indent(rubric.guideline.rstrip(), "  "))
    return "\n\n".join(blocks)


def coverage_table(constitution: Constitution, coverage: ClauseCoverage) -> str:
    """Return the clause x rubric matrix: how many criteria of each rubric cite each clause."""
    wide = max((len(f"{c.id}  {c.title}") for c in constitution.clauses), default=0)
    wide = min(wide, 52)
    heads = [f"{number:>3}" for number in range(1, len(coverage.rubrics) + 1)]
    lines = [f"{number:>3}  {rubric}" for number, rubric in enumerate(coverage.rubrics, start=1)]
    lines += ["", " " * wide + "".join(heads)]
    for clause in constitution.clauses:
        row = "".join(f"{_mark(coverage.cell(clause.id, rubric)):>3}" for rubric in coverage.rubrics)
        note = "   uncited" if clause.id in coverage.uncited else ""
        lines.append(f"{f'{clause.id}  {clause.title}'[:wide]:<{wide}}{row}{note}")
    cited = len(coverage.clauses) - len(coverage.uncited)
    lines += [
        "",
        "number: criteria that derive from the clause; x: only exclusions cite it",
        f"{cited} of {len(coverage.clauses)} clauses are cited; uncited: {', '.join(coverage.uncited) or 'none'}",
    ]
    lines += [f"unknown clause {c.clause}: {c.rubric}, {c.part} {c.name}" for c in coverage.unknown]
    return "\n".join(lines)


def _mark(citations: tuple[Citation, ...]) -> str:
    criteria = sum(citation.part == "criterion" for citation in citations)
    return str(criteria) if criteria else "x" if citations else "."


def difference_table(difference: Difference, stale: StaleFiles) -> str:
    """Return every change with what it makes stale, then what in the workspace that concerns."""
    lines = [f"{difference.old}", f"{difference.new}", ""]
    for change in difference.changes:
        lines.append(
            f"{change.kind} {change.place}" + (f"  (stales {', '.join(change.stales)})" if change.stales else "")
        )
        lines += [_side(sign, text) for sign, text in (("-", change.old), ("+", change.new)) if text is not None]
    lines += [] if difference.changes else ["no change"]
    lines.append("")
    lines.append(f"labels: {'stale, raters were told something else' if difference.labels_stale else 'still hold'}")
    lines += [f"  {count} rows in {file}" for file, count in stale.labels.items()]
    lines += [f"  {count} rows in {file} name no guideline version" for file, count in stale.unversioned.items()]
    lines.append(f"verdicts and certificates: {'stale' if difference.verdicts_stale else 'still hold'}")
    lines += [f"  {file}" for file in stale.certificates]
    return "\n".join(lines)


def _side(sign: str, text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, initial_indent=f"  {sign} ", subsequent_indent="    ")


def state_rule(rule: Rule) -> str:
    """Return the conditions of a rule in words."""
    parts = []
    if rule.all:
        parts.append("all of " + ", ".join(rule.all))
    if rule.any:
        parts.append("any of " + ", ".join(rule.any))
    if rule.none:
        parts.append("none of " + ", ".join(rule.none))
    text = "; ".join(parts)
    if rule.channels:
        text += f"; proven by {' or '.join(rule.channels)}"
    return text + ("; and it went out" if rule.delivered else "")


def _criterion(rubric: Rubric, i: int) -> str:
    criterion = rubric.criteria[i]
    notes = f"[{', '.join(criterion.clauses)}; {', '.join(criterion.channels)}]"
    return _item(criterion.id + (" (aggravating)" if criterion.aggravating else ""), f"{criterion.text} {notes}")


def _rule_block(rubric: Rubric) -> str:
    order = "from least to most" if rubric.scale.ordinal else "in no order"
    lines = [f"Levels ({order}): {', '.join(rubric.scale.levels)}; counted: {', '.join(rubric.scale.positive)}"]
    lines += [_item(rule.level, state_rule(rule)) for rule in rubric.decision]
    lines.append(_item(rubric.scale.default, "otherwise"))
    return "\n".join(lines)


def _item(name: str, text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, initial_indent=f"  {name}: ", subsequent_indent="      ")


def _wrap(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH)
