"""Make the replay bundle of a verdict, and check one: that its quotes are there and its decision follows from its answer.

Offline and without a key: no judge is asked again. What was recorded is read again by the same code that read it then:
answers are parsed, quotes looked up, the rubric's rule applied, and the result must be the verdict that was kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from judge.canonical import canonical_json
from judge.errors import InputError, IntegrityError
from judge.frozen import Frozen
from judge.grading.answer import InvalidAnswerError, parse_answer
from judge.grading.decision import Decision, apply_rules, check_answer, decide
from judge.grading.evidence import normalise, part_channel
from judge.grading.exchange import is_conclusive
from judge.grading.judges import BASELINE, BLIND
from judge.grading.lanes.embedded import rules_sha256
from judge.grading.prompt import draw_boundary, render_prompt, template_sha256, view_sha256
from judge.grading.view import View
from judge.ledger.bundle import (
    ENTRIES,
    PROMPT,
    RUBRIC,
    SCHEMA,
    TRANSCRIPT,
    Bundle,
    Manifest,
    Origin,
    encode_entries,
    pack,
    read_json,
    take_entries,
    unpack,
)
from judge.ledger.decisions import DECISION
from judge.ledger.decisions import Decision as Settled
from judge.ledger.entry import CALL, VERDICT, Call, read_call, read_verdict
from judge.ledger.panel import PANEL
from judge.ledger.store import Ledger
from judge.ledger.verdict import Verdict
from judge.rubrics.model import OUTSIDE, Rubric
from judge.text import hidden, quoted
from judge.transcripts import canonical
from judge.transcripts.model import Transcript

_SECRET: Final = (
    SCHEMA.encode()
)  # of the boundary in the bundle's prompt; that of the run is drawn anew each time and not kept
_ENDED: Final = {"refused": "refused", "truncated": "invalid", "overflow": "overflow"}


class Checked(Frozen):
    """What a bundle's check found: what was recomputed, and what it could not be."""

    verdict_id: str
    level: str | None
    status: str
    entries: int
    quotes: int  # looked up again
    rederived: bool  # whether the verdict was decided again from the recorded answer
    decisions: int  # of disputes
    head: str
    notes: tuple[str, ...] = ()


def make_bundle(
    book: Ledger, verdict: Verdict, transcript: Transcript, rubric: Rubric, made_with: dict[str, str]
) -> bytes:
    """Put together the bundle of a verdict.

    What a judge was never shown of the transcript (scores, expected labels, grader notes) is left out.

    Raises:
        InputError: if transcript or rubric are not those that the verdict was made on.
    """
    _require_same(transcript, rubric, verdict, InputError)
    shown = transcript.model_copy(update={"withheld": {}})
    members = {
        TRANSCRIPT: canonical.encode(shown) + b"\n",
        RUBRIC: canonical_json(rubric.model_dump(mode="json")) + b"\n",
        ENTRIES: encode_entries(take_entries(book, verdict.verdict_id, _votes(verdict))),
    }
    asked = not verdict.judge.startswith((BASELINE, PANEL))
    if asked:
        members[PROMPT] = _render(shown, rubric, verdict)
    head = book.head()
    manifest = Manifest(
        verdict_id=verdict.verdict_id,
        transcript_sha256=transcript.content_sha256,
        rubric_sha256=rubric.sha256,
        prompt_sha256=template_sha256() if asked else None,
        ledger=Origin(meta=dict(book.meta), rows=head.rows, head=head.sha256),
        files={},
        made_with=made_with,
    )
    return pack(manifest, members)


def check_bundle(data: bytes, where: str) -> tuple[Bundle, Checked]:
    """Check a bundle: every hash and link, every quote, and that the verdict follows from what the judge answered.

    Raises:
        InputError: if the file is no bundle.
        IntegrityError: naming what does not hold.
    """
    bundle = unpack(data, where)
    transcript, rubric = _read_transcript(bundle, where), _read_rubric(bundle, where)
    verdict = _read_verdict(bundle, bundle.manifest.verdict_id, where)
    if (transcript.content_sha256, rubric.sha256) != (bundle.manifest.transcript_sha256, bundle.manifest.rubric_sha256):
        raise IntegrityError(f"{where}: transcript or rubric are not those that the manifest names")
    notes: list[str] = []
    _check_prompt(bundle, transcript, rubric, verdict, notes, where)
    rederived = _check_verdict(bundle, transcript, rubric, verdict, notes, where)
    votes = [_read_verdict(bundle, name, where) for name in _votes(verdict)]
    if votes:
        _check_votes(verdict, votes, where)
        again = [_check_verdict(bundle, transcript, rubric, vote, notes, where) for vote in votes]
        rederived = all(again)
        notes.append("a panel's verdict: its votes were decided again, the panel's own rule was not applied again")
    quotes = sum(_count_quotes(one) for one in (verdict, *votes))
    decisions = _check_decisions(bundle, verdict, where)
    return bundle, Checked(
        verdict_id=verdict.verdict_id,
        level=verdict.level,
        status=verdict.status,
        entries=len(bundle.entries),
        quotes=quotes,
        rederived=rederived,
        decisions=decisions,
        head=bundle.manifest.ledger.head,
        notes=tuple(dict.fromkeys(notes)),
    )


def _votes(verdict: Verdict) -> list[str]:
    """The verdicts that a panel's verdict was made of."""
    return [] if verdict.panel is None else [vote.verdict_id for vote in verdict.panel.votes]


def _check_votes(verdict: Verdict, votes: Sequence[Verdict], where: str) -> None:
    """See that a panel counted its votes as they are."""
    assert verdict.panel is not None
    for counted, vote in zip(verdict.panel.votes, votes, strict=True):
        if (counted.status, counted.level, counted.judge) != (vote.status, vote.level, vote.judge):
            raise IntegrityError(f"{where}: the panel counted the vote {vote.verdict_id} as another than it is")


def _check_verdict(
    bundle: Bundle, transcript: Transcript, rubric: Rubric, verdict: Verdict, notes: list[str], where: str
) -> bool:
    """Check one verdict as far as what was recorded allows; return whether it was decided again."""
    _require_same(transcript, rubric, verdict, IntegrityError)
    again = None if verdict.panel is not None else _decide_again(bundle, transcript, rubric, verdict, notes)
    if again is not None:
        _compare(verdict, again, where)
        return True
    if verdict.panel is None:
        _check_rule(rubric, verdict, where)
    _check_quotes(transcript, rubric, verdict, where)
    return False


def _require_same(
    transcript: Transcript, rubric: Rubric, verdict: Verdict, error: type[InputError] | type[IntegrityError]
) -> None:
    if verdict.transcript_id != transcript.id or verdict.transcript_sha256 not in (None, transcript.content_sha256):
        raise error(f"verdict {verdict.verdict_id}: the transcript is not the one that it was made on")
    if verdict.rubric_sha256 not in (None, rubric.sha256):
        raise error(f"verdict {verdict.verdict_id}: the rubric {rubric.id} is not the version that it was made on")


def _read_transcript(bundle: Bundle, where: str) -> Transcript:
    try:
        return canonical.decode(read_json(bundle.members[TRANSCRIPT], f"{where}: {TRANSCRIPT}"), TRANSCRIPT)
    except InputError as error:
        raise IntegrityError(f"{where}: {error}") from None


def _read_rubric(bundle: Bundle, where: str) -> Rubric:
    try:
        return Rubric.model_validate_json(bundle.members[RUBRIC])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise IntegrityError(f"{where}: {RUBRIC}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _read_verdict(bundle: Bundle, verdict_id: str, where: str) -> Verdict:
    """The latest row of a verdict, which is the one that counts."""
    rows = [one for one in bundle.of(VERDICT) if one.key == verdict_id]
    if not rows:
        raise IntegrityError(f"{where}: the verdict {quoted(verdict_id)} is not among its entries")
    return read_verdict(rows[-1].body, f"{where}: entry {rows[-1].seq}")


def _view(verdict: Verdict) -> View:
    return View(hidden=frozenset({"reasoning"})) if verdict.judge.endswith(BLIND) else View()


def _render(transcript: Transcript, rubric: Rubric, verdict: Verdict) -> bytes:
    prompt = render_prompt(transcript, rubric, draw_boundary(_SECRET, transcript), _view(verdict))
    return canonical_json({"messages": prompt.messages()}) + b"\n"


def _check_prompt(
    bundle: Bundle, transcript: Transcript, rubric: Rubric, verdict: Verdict, notes: list[str], where: str
) -> None:
    if PROMPT not in bundle.members:
        return
    hidden = _view(verdict).hidden
    if verdict.prompt_sha256 not in (None, view_sha256(windows=False, hidden=hidden) if hidden else template_sha256()):
        notes.append(
            "the judge was asked otherwise (in windows, with other rubrics, or by another version): prompt.json is not it"
        )
    if bundle.manifest.prompt_sha256 != template_sha256():
        notes.append("the prompt was rendered by another version of this program; it was compared by its hash alone")
    elif bundle.members[PROMPT] != _render(transcript, rubric, verdict):
        raise IntegrityError(f"{where}: {PROMPT} is not what this transcript and rubric are rendered to")


def _decide_again(
    bundle: Bundle, transcript: Transcript, rubric: Rubric, verdict: Verdict, notes: list[str]
) -> Decision | None:
    """Decide again from the last answer that was recorded; None, with a note, where that cannot be done."""
    if verdict.judge.startswith(BASELINE):
        return _ask_embedded(transcript, rubric, verdict, notes)
    calls: dict[int, Call] = {}
    for one in bundle.of(CALL):
        if one.key.partition("/")[0] != verdict.verdict_id:
            continue
        call = read_call(one.body, f"entry {one.seq}")
        if is_conclusive(call):
            calls[call.turn] = call
    if not calls:
        notes.append(
            "no answer of the judge was recorded, so the verdict cannot be decided again; its quotes were looked up"
        )
        return None
    if verdict.coverage is not None and verdict.coverage.windows > 1:
        notes.append(
            f"the transcript was read in {verdict.coverage.windows} windows, which are not joined again here; "
            "the quotes were looked up"
        )
        return None
    if verdict.status in ("error", "over_budget"):
        notes.append(f"the verdict ended in {verdict.status}, which follows from no answer")
        return None
    last = calls[max(calls)]
    if last.status in _ENDED:
        return Decision(None, None, _ENDED[last.status], (), (), (), None)  # type: ignore[arg-type]
    try:
        answer = parse_answer(last.answer or "")
    except InvalidAnswerError:
        return Decision(None, None, "invalid", (), (), (), None)
    if check_answer(rubric, answer):
        return Decision(None, None, "invalid", (), (), (), None)
    return decide(transcript, rubric, answer, complete=_is_complete(verdict), view=_view(verdict))


def _ask_embedded(transcript: Transcript, rubric: Rubric, verdict: Verdict, notes: list[str]) -> Decision | None:
    from judge.grading.cues import answer

    if verdict.prompt_sha256 != rules_sha256():
        notes.append(
            "the embedded judge's rules are of another version, so it was not asked again; quotes were looked up"
        )
        return None
    return decide(transcript, rubric, answer(transcript, rubric), complete=_is_complete(verdict))


def _is_complete(verdict: Verdict) -> bool:
    return verdict.coverage is None or verdict.coverage.complete


def _compare(verdict: Verdict, again: Decision, where: str) -> None:
    stated = again.stated
    severity = stated.severity if stated and again.status == "ok" else None
    pairs = {
        "status": (verdict.status, again.status),
        "level": (verdict.level, again.level),
        "positive": (verdict.positive, again.positive),
        "severity": (verdict.severity, severity),
        "stated_level": (verdict.stated_level, stated.level if stated else None),
        "findings": (verdict.findings, again.findings),
    }
    for name, (kept, found) in pairs.items():
        if kept != found:
            detail = "" if name == "findings" else f": it gives {found}, the verdict says {kept}"
            raise IntegrityError(f"{where}: {name} does not follow from the recorded answer{detail}")


def _check_rule(rubric: Rubric, verdict: Verdict, where: str) -> None:
    """See that a verdict without an answer has the level that the rule gives its findings, where they are all there."""
    named = {finding.criterion for finding in verdict.findings}
    windows = verdict.coverage.windows if verdict.coverage is not None else 1
    if (
        verdict.status != "ok"
        or windows > 1
        or verdict.level in OUTSIDE
        or named != {one.id for one in rubric.criteria}
    ):
        return
    level, _ = apply_rules(rubric, verdict.findings)
    if level != verdict.level:
        raise IntegrityError(
            f"{where}: level does not follow from the findings: they give {level}, not {verdict.level}"
        )


def _check_quotes(transcript: Transcript, rubric: Rubric, verdict: Verdict, where: str) -> None:
    """See that every quote of a verdict stands where the verdict has it, in a channel that its criterion admits."""
    parts = {part.id: (message, part) for message, part in transcript.parts()}
    for finding in verdict.findings:
        criterion = rubric.criterion(finding.criterion)
        for item in finding.evidence:
            place = f"{where}: a quote is not where the verdict has it ({finding.criterion}, {item.message_id})"
            if item.match == "absent" or item.part is None or item.start is None or item.end is None:
                if item.admissible:
                    raise IntegrityError(f"{where}: a quote that was not found counts for {finding.criterion}")
                continue
            message, part = parts.get(item.part, (None, None))
            if message is None or part is None or message.id != item.message_id:
                raise IntegrityError(place)
            if normalise(part.text[item.start : item.end]).strip() != normalise(hidden(item.quote)).strip():
                raise IntegrityError(place)
            channel = part_channel(message, part)
            if item.channel not in (None, channel) or (
                item.admissible and criterion is not None and channel not in criterion.channels
            ):
                raise IntegrityError(f"{where}: a quote counts from a channel that {finding.criterion} does not admit")


def _count_quotes(verdict: Verdict) -> int:
    return sum(len(finding.evidence) for finding in verdict.findings)


def _check_decisions(bundle: Bundle, verdict: Verdict, where: str) -> int:
    for one in bundle.of(DECISION):
        try:
            settled = Settled.model_validate_json(one.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise IntegrityError(f"{where}: entry {one.seq}: not a decision: {first['msg']}") from None
        if settled.verdict_id != verdict.verdict_id:
            raise IntegrityError(f"{where}: entry {one.seq}: decides about another verdict, {settled.verdict_id}")
        if (settled.level == verdict.level) != (settled.outcome == "upheld"):
            raise IntegrityError(f"{where}: entry {one.seq}: {settled.outcome} does not follow from its level")
    return len(bundle.of(DECISION))
