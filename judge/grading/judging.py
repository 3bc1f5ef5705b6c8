"""Make one verdict: ask, look the quotes up, ask once more if that could mend them, decide.

A long transcript is asked about window by window, one after another, so that turns, re-asks and recordings keep their order
however often a run is stopped. Where a provider finds a prompt too long, what has not been read is planned anew at half the
size. A refusal or an invalid answer is that window's own; a provider's error and an empty purse end the asking.

What goes wrong with one transcript is its verdict's status; only a provider that rejects everything raises. Which verdicts
are made, when and where they are kept is `run`'s.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from judge.canonical import content_sha256
from judge.grading.decision import Decision, decide, decide_unasked
from judge.grading.exchange import Exchange, Lane, NoVerdict
from judge.grading.families import is_self_graded
from judge.grading.judges import Judge
from judge.grading.lanes.embedded import rules_sha256
from judge.grading.prompt import template_sha256, view_sha256
from judge.grading.together import joint_sha256
from judge.grading.view import View
from judge.grading.windows.coverage import cover
from judge.grading.windows.dividing import LEAST_WINDOW, RULES, plan_views, split, transcript_tokens, window_tokens
from judge.grading.windows.merging import Heard, merge
from judge.ledger.verdict import SELF_GRADED, Coverage, Verdict
from judge.rubrics.model import Rubric
from judge.transcripts.model import Transcript


def make_verdict_id(transcript: Transcript, rubric: Rubric, judge: Judge, sample: int) -> str:
    """Hash everything that a verdict depends on: 20 hex digits, the same on every machine.

    How large the windows are counts for those transcripts that are read in windows, and for no others.
    """
    return content_sha256(
        {
            "transcript": transcript.id,
            "content": transcript.content_sha256,
            "rubric": rubric.sha256,
            "prompt": _asked_sha256(transcript, rubric, judge),
            "judge": judge.sha256,
            "sample": sample,
        }
    )[:20]


def prompt_sha256(judge: Judge) -> str:
    """Hash of how this judge is asked: the prompt template, or an embedded judge's own rules, and what it is not shown."""
    if judge.embedded:
        rules = rules_sha256()
        return content_sha256({"rules": rules, "hidden": sorted(set(judge.hides))}) if judge.hides else rules
    asked = view_sha256(windows=False, hidden=frozenset(judge.hides)) if judge.hides else template_sha256()
    return content_sha256({"prompt": asked, "together": joint_sha256()}) if judge.together else asked


def _asked_sha256(transcript: Transcript, rubric: Rubric, judge: Judge) -> str:
    """`prompt_sha256`, and for a transcript that is read in windows how those are made and rendered."""
    if judge.embedded or plan_views(transcript, rubric, judge)[0].whole:
        return prompt_sha256(judge)
    return content_sha256(
        {
            "prompt": view_sha256(windows=True, hidden=frozenset(judge.hides)),  # one rubric a call, whatever the judge
            "rules": RULES,
            "tokens": window_tokens(rubric, judge),
        }
    )


async def make_verdict(lane: Lane, exchange: Exchange) -> Verdict:
    """Carry an exchange through to its verdict, whatever it comes to.

    Raises:
        ProviderError: the provider rejects everything, so that the run must stop.
    """
    started = time.monotonic()
    if unasked := decide_unasked(exchange.transcript, exchange.rubric):
        return _to_verdict(exchange, unasked, cover(exchange.transcript, [exchange.view]), time.monotonic() - started)
    heard: list[Heard] = []
    try:
        await _hear(lane, exchange, heard)
        decision = merge(exchange.transcript, exchange.rubric, heard)
    except NoVerdict as missing:
        decision = Decision(None, None, missing.status, (), (), (), missing.detail)
    return _to_verdict(exchange, decision, _cover(exchange, heard), time.monotonic() - started)


async def _hear(lane: Lane, exchange: Exchange, heard: list[Heard]) -> None:
    """Ask about one view after another; `heard` takes what each came to."""
    tokens = 0
    views = deque(plan_views(exchange.transcript, exchange.rubric, exchange.judge))
    flags: set[str] = set()
    while views:
        exchange.view = views.popleft()
        exchange.flags = set()  # a lane may widen its answer once for each
        try:
            heard.append(Heard(exchange.view, decision=await _judge(lane, exchange)))
        except NoVerdict as missing:
            tokens = tokens // 2 or _half_of(exchange)
            smaller = _split_again(exchange, tokens, len(heard)) if missing.status == "overflow" else ()
            if smaller:
                flags.add("split_after_overflow")
                views = deque(smaller)
                continue
            heard.append(Heard(exchange.view, missing=missing))
            if missing.status in ("error", "over_budget"):
                break
        finally:
            flags |= exchange.flags
            exchange.flags = flags


def _half_of(exchange: Exchange) -> int:
    if exchange.view.whole:
        return int(transcript_tokens(exchange.transcript, exchange.view.hidden)) // 2
    return window_tokens(exchange.rubric, exchange.judge) // 2


def _split_again(exchange: Exchange, tokens: int, done: int) -> Sequence[View]:
    """Plan what begins with the view that was too long anew, for windows of `tokens`; nothing where that is too small."""
    if tokens < LEAST_WINDOW:
        return ()
    own = [shown.message for shown in exchange.view.messages or () if shown.message not in exchange.view.again]
    views = split(exchange.transcript, tokens, exchange.view.hidden, first=own[0] if own else 0)
    return [replace(view, window=(done + view.window[0], done + view.window[1])) for view in views]


def _cover(exchange: Exchange, heard: Sequence[Heard]) -> Coverage:
    """What the judge was shown and answered about. A whole transcript counts as seen however bad the answer was."""
    told = [one.view for one in heard if one.decision]
    if exchange.view.whole and any(call.answer for call in exchange.calls):
        told = [exchange.view]
    return cover(exchange.transcript, told)


async def _judge(lane: Lane, exchange: Exchange) -> Decision:
    """Ask about what the exchange shows, look the quotes up, and ask once more if that could mend those that failed."""
    transcript, rubric, view = exchange.transcript, exchange.rubric, exchange.view
    decision = decide(transcript, rubric, await lane.ask(exchange), view=view)
    if decision.failed_quotes and lane_can_mend(exchange):
        exchange.flags.add("asked_again")
        decision = decide(transcript, rubric, await lane.ask(exchange, describe_failures(decision)), view=view)
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


def _to_verdict(exchange: Exchange, decision: Decision, coverage: Coverage, elapsed_s: float) -> Verdict:
    transcript, rubric, judge, calls = exchange.transcript, exchange.rubric, exchange.judge, exchange.calls
    usage = [call.usage for call in calls]
    costs = [call.cost_usd for call in calls]
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
        coverage=coverage,
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
        prompt_sha256=_asked_sha256(transcript, rubric, judge),
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
