"""Make one verdict: ask, look the quotes up, ask once more if that could mend them, decide.

What goes wrong with one transcript is its verdict's status; only a provider that rejects everything raises. Which verdicts
are made, when and where they are kept is `run`'s.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from judge.canonical import content_sha256
from judge.grading.decision import Decision, decide
from judge.grading.embedded import rules_sha256
from judge.grading.exchange import Exchange, Lane, NoVerdict
from judge.grading.families import SELF_GRADED, is_self_graded
from judge.grading.judges import Judge
from judge.grading.prompt import template_sha256, view_sha256
from judge.ledger.verdict import Coverage, Verdict
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript


def make_verdict_id(
    transcript: Transcript, rubric: Rubric, judge: Judge, sample: int, hidden: frozenset[str] = frozenset()
) -> str:
    """Hash everything that a verdict depends on: 20 hex digits, the same on every machine.

    `hidden` are the kinds of parts that the judge is not shown, as in a pass that is blind to private reasoning.
    """
    return content_sha256(
        {
            "transcript": transcript.id,
            "content": transcript.content_sha256,
            "rubric": rubric.sha256,
            "prompt": prompt_sha256(judge, hidden),
            "judge": judge.sha256,
            "sample": sample,
        }
    )[:20]


def prompt_sha256(judge: Judge, hidden: frozenset[str] = frozenset()) -> str:
    """Hash of how this judge is asked: the prompt template, or an embedded judge's own rules, and what it is not shown."""
    if judge.embedded:
        return content_sha256({"rules": rules_sha256(), "hidden": sorted(hidden)}) if hidden else rules_sha256()
    return view_sha256(windows=False, hidden=hidden) if hidden else template_sha256()


async def make_verdict(lane: Lane, exchange: Exchange) -> Verdict:
    """Carry an exchange through to its verdict, whatever it comes to.

    Raises:
        ProviderError: the provider rejects everything, so that the run must stop.
    """
    started = time.monotonic()
    try:
        decision = await _judge(lane, exchange)
    except NoVerdict as missing:
        decision = Decision(None, None, missing.status, (), (), (), missing.detail)
    return _to_verdict(exchange, decision, time.monotonic() - started)


async def _judge(lane: Lane, exchange: Exchange) -> Decision:
    """Ask, look the quotes up, and ask once more if that could mend the ones that failed."""
    decision = decide(exchange.transcript, exchange.rubric, await lane.ask(exchange))
    if decision.failed_quotes and lane_can_mend(exchange):
        exchange.flags.add("asked_again")
        decision = decide(exchange.transcript, exchange.rubric, await lane.ask(exchange, describe_failures(decision)))
    return decision


def lane_can_mend(exchange: Exchange) -> bool:
    """Whether asking again about a quote can help: a deterministic embedded judge would say the same."""
    return not exchange.judge.embedded


def describe_failures(decision: Decision) -> str:
    """Say to a judge which of its quotes did not hold, and why."""
    lines = [f'- {criterion}: "{quote[:400]}": {why}' for criterion, quote, why in decision.failed_quotes[:12]]
    return (
        "Code looked up your quotes. These do not count:\n"
        + "\n".join(lines)
        + "\nGive the whole answer again. Copy quotes character for character from one part of one message, from the places "
        "the criterion admits, and cite that message. A criterion for which there is no such quote is not met."
    )


def _to_verdict(exchange: Exchange, decision: Decision, elapsed_s: float) -> Verdict:
    transcript, rubric, judge, calls = exchange.transcript, exchange.rubric, exchange.judge, exchange.calls
    usage = [call.usage for call in calls]
    costs = [call.cost_usd for call in calls]
    seen = len(transcript.messages) if any(call.answer for call in calls) else 0
    stated = decision.stated
    kin = {SELF_GRADED} if is_self_graded(judge.model, transcript.run) else set[str]()
    return Verdict(
        verdict_id=exchange.verdict_id,
        transcript_id=transcript.id,
        source=transcript.source.label,
        rubric=rubric.id,
        rubric_sha256=rubric.sha256,
        judge=judge.name,
        sample=exchange.sample,
        level=decision.level,
        positive=decision.positive,
        status=decision.status,
        severity=stated.severity if stated and decision.status == "ok" else None,
        findings=decision.findings,
        coverage=Coverage(seen=seen, total=len(transcript.messages)),
        flags=tuple(sorted({*decision.flags, *exchange.flags, *kin})),
        input_tokens=_total(usage, "input_tokens"),
        output_tokens=_total(usage, "output_tokens"),
        cached_tokens=_total(usage, "cached_tokens"),
        cost_usd=None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None),
        latency_s=round(elapsed_s, 4),
        attempts=len(calls),
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        stated_level=stated.level if stated else None,
        initiative=stated.initiative if stated else None,
        error=decision.detail,
        transcript_sha256=transcript.content_sha256,
        prompt_sha256=prompt_sha256(judge, exchange.view.hidden),
        judge_sha256=judge.sha256,
        run=_grouping(transcript.run),
    )


def _grouping(run: dict[str, Any]) -> dict[str, Any]:
    """The transcript's facts in a form to group by: a list in one word, and the model under one name."""
    facts = {name: " + ".join(map(str, value)) if isinstance(value, list) else value for name, value in run.items()}
    if "models" in facts and "model" not in facts:
        facts["model"] = facts.pop("models")
    return facts


def _total(usage: Sequence[dict[str, Any]], name: str) -> int | None:
    counts = [row[name] for row in usage if row.get(name) is not None]
    return sum(counts) if counts else None
