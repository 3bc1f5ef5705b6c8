"""Verdicts as a person reads them on a terminal: the level, the quotes, and the quotes in their place.

Everything that comes from a transcript or a judge goes through `judge.text` first, so no byte of it can act on the
terminal. Colour is used on a terminal only, and never carries meaning alone.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence

from judge.ledger.decisions import REASONS, Matter
from judge.ledger.panel import Panelled
from judge.ledger.verdict import Coverage, Evidence, Finding, Verdict
from judge.rubrics.model import Rubric
from judge.text import counted, end_of, one_line, visible
from judge.transcripts.model import Message, Part, Transcript

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "mark": "7"}
_WIDTH = 100
_CONTEXT_CHARS = 600
_MOST_NAMED = 12
_MATCHES = {
    "exact": "found",
    "normalised": "found but for typography",
    "moved": "found elsewhere",
    "absent": "NOT FOUND",
}


def style(text: str, *names: str) -> str:
    """Return `text` in these styles where stdout is a terminal that wants colour, else as it is."""
    if not text or not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"


def headline(verdict: Verdict) -> str:
    """One line: what, on which rubric, by whom, about which transcript."""
    source = end_of(verdict.source or verdict.transcript_id, 80)
    sample = f" sample {verdict.sample}" if verdict.sample else ""
    judge = one_line(verdict.judge, 40)
    rubric = one_line(verdict.rubric, 60)
    return f"{_outcome(verdict)}  {rubric}  {source}  ({judge}{sample}, {one_line(verdict.verdict_id, 40)})"


def describe_verdict(verdict: Verdict) -> Iterator[str]:
    """The headline, and what it stands on: a positive's quotes, or why there is no verdict."""
    yield headline(verdict)
    if verdict.status != "ok":
        yield f"    {one_line(verdict.error or 'no reason was recorded', 200)}"
        return
    if verdict.positive or verdict.level == "considered":
        seen: set[tuple[str, str]] = set()
        for finding in verdict.findings:
            for item in finding.evidence:
                if finding.met == "met" and item.admissible and (item.message_id, item.quote) not in seen:
                    seen.add((item.message_id, item.quote))
                    where, criterion = one_line(item.message_id, 20), one_line(finding.criterion, 40)
                    yield f'    {where:<5} {criterion:<22} "{one_line(item.quote, 150)}"'
    if flags := [one_line(flag.replace("_", " ")) for flag in verdict.flags]:
        yield style(f"    note: {', '.join(flags)}", "dim")


def show_verdict(verdict: Verdict, rubric: Rubric | None, transcript: Transcript | None) -> Iterator[str]:
    """The whole verdict: findings with their quotes, then the transcript with the quotes marked."""
    yield headline(verdict)
    coverage = verdict.coverage
    details = {
        "status": verdict.status + (f": {verdict.error}" if verdict.error else ""),
        "stated": verdict.stated_level if verdict.stated_level != verdict.level else None,
        "severity": verdict.severity,
        "initiative": verdict.initiative,
        "coverage": _coverage(coverage) if coverage else None,
        "not seen": _first(coverage.unseen) if coverage and coverage.unseen else None,
        "left out": _first([f"{cut.part} ({cut.start:,} to {cut.end:,})" for cut in coverage.cut])
        if coverage and coverage.cut
        else None,
        "flags": ", ".join(verdict.flags) or None,
        "rubric": f"{verdict.rubric} {(verdict.rubric_sha256 or '')[:12]}",
        "cost": _cost(verdict),
        "made": verdict.created_at,
    }
    for name, value in details.items():
        if value is not None:
            yield f"  {name:<11}{one_line(str(value), 200)}"
    if verdict.panel is not None:
        yield from _describe_votes(verdict.panel)
    yield ""
    for finding in verdict.findings:
        yield from _describe_finding(finding, rubric)
    if transcript is not None:
        yield ""
        yield from _show_transcript(transcript, verdict)


def _coverage(coverage: Coverage) -> str:
    windows = f", read in {coverage.windows} windows" if coverage.windows > 1 else ""
    return f"{coverage.seen:,} of {coverage.total:,} messages{windows}"


def _first(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown


def show_matters(matters: Sequence[Matter]) -> Iterator[str]:
    """What was disputed about a verdict and how it was decided, in the order in which it was disputed."""
    for matter in matters:
        dispute, decision = matter.dispute, matter.decision
        yield ""
        yield style(f"disputed by {one_line(dispute.by, 40)}, {one_line(dispute.created_at, 40)}", "bold")
        yield f"    claim      {one_line(dispute.claim, 300)}"
        for review in matter.reviews:
            said = f"{one_line(review.level, 40)}, blind, by {one_line(review.by, 40)}"
            yield f"    second     {said}" + (f": {one_line(review.rationale, 200)}" if review.rationale else "")
        if decision is None:
            yield "    decision   none yet"
            continue
        level = f" to {one_line(decision.level, 40)}" if decision.outcome == "overturned" and decision.level else ""
        yield f"    decision   {decision.outcome}{level} by {one_line(decision.by, 40)} ({REASONS[decision.reason]})"
        yield f"               {one_line(decision.rationale, 300)}"
        for path in decision.stale.certificates:
            yield f"    stale      {one_line(path, 120)}: computed on labels of this transcript"
        if decision.stale.guideline:
            yield f"    stale      guideline {decision.stale.guideline[:12]}: it has a gap here"


def _outcome(verdict: Verdict) -> str:
    if verdict.status != "ok":
        return style(f"no verdict ({verdict.status})", "yellow")
    word = one_line(verdict.level or ("positive" if verdict.positive else "negative"), 40).upper()
    return style(word, "bold", "red") if verdict.positive else style(word, "bold") if word == "CONSIDERED" else word


def _cost(verdict: Verdict) -> str:
    tokens = (
        f"{verdict.input_tokens or 0:,} in, {verdict.output_tokens or 0:,} out" if verdict.input_tokens else "no tokens"
    )
    price = "cost unknown" if verdict.cost_usd is None else f"{verdict.cost_usd:.4f} USD"
    return f"{price}, {tokens}, {counted(verdict.attempts or 0, 'call')}, {verdict.latency_s or 0:g} s"


def _describe_votes(panel: Panelled) -> Iterator[str]:
    """How a panel came to its verdict: the rule, the figures of its votes, and each vote."""
    if panel.agree is None:
        sure = "unknown" if panel.confidence is None else f"{panel.confidence:.2f}"
        limit = "never at this answer" if panel.threshold is None else f"from {panel.threshold:.2f} on"
        rule = f"confidence {sure}, decided {limit}"
    else:
        rule = f"{panel.agree} of {panel.asked} votes had to agree on the {panel.on}"
    yield f"  {'rule':<11}step {panel.step} of {panel.steps}: {rule}"
    shares = {"disagreement": panel.disagreement, "flip rate": panel.flip_rate, "margin": panel.margin}
    told = [f"{name} {share:.2f}" for name, share in shares.items() if share is not None]
    told += [f"effective votes {panel.effective_votes:.1f}"] if panel.effective_votes is not None else []
    yield f"  {'votes':<11}{', '.join(told)}"
    for vote in panel.votes:
        role = "" if vote.role == "judge" else f" {vote.role}"
        who = f"{one_line(vote.judge, 40)} sample {vote.sample}, step {vote.step}{role}"
        yield f"    {one_line(vote.outcome, 40):<17} {who}  ({one_line(vote.verdict_id, 40)})"
    if panel.blind_differs:
        yield f"    without private reasoning the answer differs on: {one_line(', '.join(panel.blind_differs), 200)}"


def _describe_finding(finding: Finding, rubric: Rubric | None) -> Iterator[str]:
    changed = f" (the judge said {finding.stated})" if finding.stated not in (None, finding.met) else ""
    yield f"{style(one_line(finding.criterion, 40), 'bold')}: {finding.met.replace('_', ' ')}{changed}"
    criterion = rubric.criterion(finding.criterion) if rubric else None
    if criterion:
        yield from textwrap.wrap(criterion.text, _WIDTH, initial_indent="    asks: ", subsequent_indent="          ")
        if criterion.clauses:
            yield f"    from: {', '.join(criterion.clauses)}"
    reason = visible(finding.reason).replace("\n", " ")
    yield from textwrap.wrap(reason, _WIDTH, initial_indent="    why:  ", subsequent_indent="          ")
    for item in finding.evidence:
        counts = "" if item.admissible else style("  does not count: " + one_line(item.note or "", 120), "yellow")
        where = f"{item.part or item.message_id}, {item.channel}" if item.channel else item.message_id
        yield f'    {one_line(where, 40)} [{_MATCHES[item.match]}] "{one_line(item.quote, 200)}"{counts}'


def _show_transcript(transcript: Transcript, verdict: Verdict) -> Iterator[str]:
    marks: dict[str, list[Evidence]] = {}
    for finding in verdict.findings:
        for item in finding.evidence:
            if item.part is not None and item.start is not None:
                marks.setdefault(item.part, []).append(item)
    for message in transcript.messages:
        yield style(f"{message.id}  {_who(message)}", "bold")
        for part in message.parts:
            yield from _show_part(part, marks.get(part.id, []))


def _who(message: Message) -> str:
    who = one_line(message.author, 60) if not message.by_target else "TARGET"
    if message.author == "target" and not message.by_target:
        who = f"target ({message.origin}, not its own words)"
    return who + (f" to {one_line(message.to, 60)}" if message.to else "")


def _show_part(part: Part, marks: Sequence[Evidence]) -> Iterator[str]:
    label = part.kind.replace("_", " ") + (f" {one_line(part.tool, 60)}" if part.tool else "")
    failed = f" ({part.status})" if part.status in ("error", "denied", "timeout", "cancelled") else ""
    if part.kind != "text" or failed:
        yield style(f"    [{label}{failed}]", "dim")
    for line in _marked(part.text, marks).split("\n"):
        yield f"    {line}"


def _marked(text: str, marks: Sequence[Evidence]) -> str:
    """The text with quotes between >>> and <<<, long stretches without one cut visibly."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted((item.start or 0, item.end or 0) for item in marks if item.admissible):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    pieces, at = [], 0
    for start, end in spans:
        pieces.append(_shorten(text[at:start]))
        pieces.append(style(f">>>{visible(text[start:end])}<<<", "bold", "red"))
        at = end
    return "".join([*pieces, _shorten(text[at:])])


def _shorten(text: str) -> str:
    if len(text) <= 2 * _CONTEXT_CHARS:
        return visible(text)
    cut = len(text) - 2 * _CONTEXT_CHARS
    return f"{visible(text[:_CONTEXT_CHARS])}\n[... {cut:,} characters cut ...]\n{visible(text[-_CONTEXT_CHARS:])}"
