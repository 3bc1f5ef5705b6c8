"""Whether a judge still judges as it did when it was certified: the items of its record, judged again.

Providers change models behind a name. A certificate is void without any test when model, prompt, rubric or parameters changed
(`certificate.why_void`); where they say that nothing did, the anchors tell: exact McNemar on verdicts that changed, and the
error rates once more, against the gates they had passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from judge.calibration.calibrate import measure
from judge.calibration.comparison import McNemar, mcnemar
from judge.calibration.gates import Gate, evaluate
from judge.calibration.matching import MISSING, Matched
from judge.calibration.records import Answer, Record, match_record
from judge.calibration.statistic import Statistic
from judge.errors import InputError
from judge.frozen import Frozen
from judge.ledger.verdict import Verdict

SURE: Final = 0.01  # p of McNemar's test below which verdicts moved in one direction for sure
FEWEST: Final = 30  # anchors below which nothing can be said of drift
_WATCHED: Final = ("sensitivity", "specificity", "balanced_accuracy")
_BOUNDS: Final = ("sensitivity", "specificity")


class Moved(Frozen):
    """A figure then and now, on the same items."""

    name: str
    before: Statistic
    now: Statistic


class Drift(Frozen):
    """Verdicts on anchors, then and now. `only_first` of `changes`: flagged then and not now."""

    n: int
    changed: int
    lost: int  # had a usable verdict then and have none now
    changes: McNemar
    moved: tuple[Moved, ...]
    failing: tuple[Gate, ...]  # gates of sensitivity and specificity that the new verdicts would fail
    look: int  # which check of the anchors this is
    threshold: float  # p below which this look says that verdicts moved
    drifted: tuple[str, ...]  # why the certificate is void; empty if it is not
    note: str | None = None


def measure_drift(record: Record, verdicts: Iterable[Verdict], look: int = 1) -> Drift:
    """Compare a record's answers with newer verdicts of the same judge on the same items.

    `look`: which scheduled check this is; the error that McNemar's test may make is halved with each, so that all of them
    together stay below `SURE`.

    Raises:
        InputError: if no newer verdict is on an item of the record.
    """
    identity = record.identity
    named = {item.transcript_id for item in record.items}
    newer = [
        Answer(**{name: getattr(row, name) for name in Answer.model_fields})
        for row in verdicts
        if row.judge == identity.judge and row.rubric == identity.rubric and row.transcript_id in named
    ]
    if not newer:
        raise InputError(
            f"no verdict of {identity.judge!r} on {identity.rubric!r} is on an item of the certificate; judge its anchors again"
        )
    again = {row.transcript_id for row in newer}
    before = match_record(_only(record, again))
    now = match_record(_only(record, again).model_copy(update={"answers": tuple(newer)}))
    return _compare(record, before, now, look)


def _compare(record: Record, before: Matched, now: Matched, look: int) -> Drift:
    both = (before.said != MISSING) & (now.said != MISSING)
    fell = int(((before.said == 1) & (now.said == 0)).sum())
    rose = int(((before.said == 0) & (now.said == 1)).sum())
    test = mcnemar(fell, rose)
    n = len(now.said)
    figures = [measure(one, epsilon=record.protocol.thresholds.epsilon) for one in (before, now)]
    gates = evaluate(record, now, figures[1])
    # Anchors are fewer than the gold was: an interval that became wider is no drift, one that lies below the gate is.
    failing = tuple(gate for gate in gates if gate.name in _BOUNDS and gate.state == "failed")
    threshold = SURE / 2**look
    why = []
    if test.p < threshold:
        why.append(f"verdicts moved: {fell} no longer flagged, {rose} newly flagged, p {test.p:.2g}")
    why += [f"{gate.name} is below its gate: {gate.text}" for gate in failing]
    return Drift(
        n=n,
        changed=fell + rose,
        lost=int(((before.said != MISSING) & (now.said == MISSING)).sum()),
        changes=test,
        moved=tuple(
            Moved(name=name, before=figures[0].statistics[name], now=figures[1].statistics[name]) for name in _WATCHED
        ),
        failing=failing,
        look=look,
        threshold=threshold,
        drifted=tuple(why),
        note=f"only {int(both.sum())} anchors: too few to see drift" if both.sum() < FEWEST else None,
    )


def _only(record: Record, names: set[str]) -> Record:
    """The record with these items alone."""
    return record.model_copy(
        update={
            "items": tuple(item for item in record.items if item.transcript_id in names),
            "ratings": tuple(row for row in record.ratings if row.transcript_id in names),
            "answers": tuple(row for row in record.answers if row.transcript_id in names),
        }
    )
