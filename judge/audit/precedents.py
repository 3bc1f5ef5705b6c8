"""Past decisions that are like a dispute: on the same rubric, the same criterion, in similar words.

Plain counting of rare words that both share, so that the same ledger always shows the same precedents; no model is asked.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from judge.ledger.decisions import Matter

SHOWN: Final = 5
# What stands in every text about a verdict says nothing of what it is about.
_COMMON: Final = frozenset(
    "about after again all and any are because been before but can could did does for from had has have her him his into its "
    "just more not nothing one only other our out over she should some such than that the their them then there these they "
    "this those was were what when which who why will with would you your".split()
)
_WORD: Final = re.compile(r"[^\W\d_]{3,}")


class Precedent(NamedTuple):
    """A decided dispute and what makes it alike: in words for the page."""

    matter: Matter
    alike: tuple[str, ...]


def find_precedents(about: Matter, matters: Iterable[Matter], limit: int = SHOWN) -> list[Precedent]:
    """Return decided disputes on the same rubric, those most alike first, the latest first among equals.

    Most alike is: about the same criterion, then (of one that is decided) for the same reason, then about the same level of
    a verdict, then in words that few disputes have.
    """
    decided = [
        one
        for one in matters
        if one.decision is not None
        and one.dispute.rubric == about.dispute.rubric
        and one.dispute.dispute_id != about.dispute.dispute_id
    ]
    texts = [_words(one) for one in decided]
    seen = Counter(word for words in texts for word in words)
    mine = _words(about)
    ranked = []
    for one, words in zip(decided, texts, strict=True):
        shared = sorted(mine & words, key=lambda word: (seen[word], word))
        weight = sum(math.log((len(decided) + 1) / seen[word]) for word in shared)
        criterion = about.dispute.criterion is not None and one.dispute.criterion == about.dispute.criterion
        level = one.dispute.level == about.dispute.level
        alike = [f"criterion {about.dispute.criterion}"] if criterion else []
        alike += [f"verdict {about.dispute.level or 'missing'}"] if level else []
        alike += [f"words {', '.join(shared[:4])}"] if weight > 0 else []
        reason = (
            about.decision is not None and one.decision is not None and about.decision.reason == one.decision.reason
        )
        ranked.append(((criterion, reason, level, round(weight, 9)), one, tuple(alike)))
    ranked.sort(key=lambda row: row[1].decision.created_at if row[1].decision else "", reverse=True)
    ranked.sort(key=lambda row: row[0], reverse=True)
    return [Precedent(one, alike) for _, one, alike in ranked[:limit]]


def _words(matter: Matter) -> set[str]:
    text = f"{matter.dispute.claim} {matter.decision.rationale if matter.decision else ''}"
    return {word.casefold() for word in _WORD.findall(text)} - _COMMON
