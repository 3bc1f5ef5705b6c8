"""Who may have seen what a judge said about a case: what decides whether a label or a review is blind.

Kept as entries of kind `sign_in` in the ledger, written when somebody signs in, never when somebody reads; so it survives a
restart, and it errs on one side: who has once signed in to read may have seen every verdict, whatever was then opened. The
cases that are shown with the judge's verdict before a label are drawn by a hash, so that the entry alone tells which.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any, Final

import orjson

from judge.gold.model import Arm
from judge.ledger.entry import Entry
from judge.ledger.store import Ledger

SIGN_IN: Final = "sign_in"


def draw_arm(rater: str, case: str, share: float, seed: str) -> Arm:
    """Draw, always the same, whether this rater sees the verdicts on this case before the label or after it.

    Args:
        rater: who labels.
        case: the case's key.
        share: the chance of `before`, 0 to 1; 0 gives `after` always, 1 `before`.
        seed: what makes another draw of the same raters and cases.
    """
    digest = hashlib.sha256(f"{seed}\n{rater}\n{case}".encode()).digest()
    return "before" if int.from_bytes(digest[:8], "big") < share * 2**64 else "after"


class Sight:
    """What the sign-ins of a ledger allow everybody to have seen. Safe to use from several threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._readers: set[str] = set()
        self._draws: dict[str, set[tuple[float, str]]] = {}
        for row in ledger.rows(kind=SIGN_IN):
            self._learn(row.key, orjson.loads(row.body))

    def note(self, rater: str, mode: str, *, share: float, seed: str, at: str, keep: bool) -> None:
        """Keep that somebody signed in; `keep` False only remembers it until the page is stopped."""
        body = {"mode": mode, "show_before": share, "seed": seed, "at": at}
        with self._lock:
            if keep:
                self._ledger.append([Entry(SIGN_IN, rater, body)])
            self._learn(rater, body)

    def may_have_seen(self, rater: str, case: str) -> bool:
        """Whether some sign-in let this rater see verdicts on this case before a label."""
        with self._lock:
            return rater in self._readers or any(
                draw_arm(rater, case, share, seed) == "before" for share, seed in self._draws.get(rater, ())
            )

    def is_reader(self, rater: str) -> bool:
        """Whether this rater has ever signed in to read."""
        with self._lock:
            return rater in self._readers

    def _learn(self, rater: str, body: Mapping[str, Any]) -> None:
        if body["mode"] == "read":
            self._readers.add(rater)
        elif body["show_before"] > 0:
            self._draws.setdefault(rater, set()).add((body["show_before"], body["seed"]))
