"""The opening of a test split: a protocol is frozen by its hash, then labels and verdicts meet, once, and the ledger keeps it.

Looking again with another prompt, judge or protocol and keeping the best result is how a judge comes to look better than it
is. Nobody can be kept from reading their own label files; but a certificate shows how often the split was opened before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from judge.calibration.protocol import Protocol
from judge.calibration.records import Answer, Identity, Opening, SplitGold, hash_answers, hash_gold
from judge.errors import IntegrityError
from judge.ledger.entry import Entry
from judge.ledger.store import Ledger

KIND: Final = "opening"


def plan_opening(
    past: Sequence[Opening],
    protocol: Protocol,
    identity: Identity,
    gold: SplitGold,
    answers: Sequence[Answer],
    now: str,
) -> Opening:
    """The opening that it is when this judge meets the labels of the split; `now` is ISO 8601. Nothing is logged yet.

    `past`: every opening for the rubric so far. The same judge with the same first answers under the same protocol, on the same
    labels, is the same opening: it is given back as it was. Every other one that shares an item with it is an earlier look.
    """
    items = tuple(item.transcript_id for item in gold.items)
    earlier = [other for other in past if set(other.items) & set(items)]
    first = {row.transcript_id: row for row in reversed(answers)}
    opening = Opening(
        protocol_sha256=protocol.sha256,
        identity=identity,
        split=protocol.split,
        items=items,
        gold_sha256=hash_gold(gold.items, gold.ratings),
        answers_sha256=hash_answers(first[name] for name in items if name in first),
        look=len(earlier) + 1,
        opened_at=now,
    )
    for other in earlier:
        if other.model_copy(update={"look": opening.look, "opened_at": now}) == opening:
            return other
    return opening


def log_openings(ledger: Ledger, openings: Sequence[Opening]) -> None:
    """Keep new openings in the ledger, all or none."""
    if openings:
        ledger.append([Entry(KIND, one.identity.rubric, one.model_dump(mode="json")) for one in openings])


def list_openings(ledger: Ledger, rubric: str) -> list[Opening]:
    """Every opening for a rubric, in order."""
    found = []
    for row in ledger.rows(kind=KIND, key=rubric):
        try:
            found.append(Opening.model_validate_json(row.body))
        except ValidationError as error:
            place = f"{ledger.where}: entry {row.seq}"
            raise IntegrityError(f"{place}: not an opening: {error.errors(include_url=False)[0]['msg']}") from None
    return found
