"""The queue as one person may see it: rows, filters and their counts, pages.

For a blind rater the list is built without votes and marks and in an order that is drawn for each rater, so that nothing in
it depends on what any verdict or label says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from judge.audit.queue import FILTERS, MEANINGS, Case
from judge.report.secrets import mask

PAGE_ROWS: Final = 200
_VOTES: Final = 6  # shown per row
_RUBRICS: Final = 60


def list_cases(
    cases: Sequence[Case], done: set[str], asked: Mapping[str, str], *, blind: bool, page: int = 1
) -> dict[str, Any]:
    """Return what the queue page shows. With `blind`, nothing of it depends on what any verdict says."""
    groups = {
        "": "every case",
        "todo": "not labelled by you",
        "done": "labelled by you",
        **({} if blind else FILTERS),
    }
    shown = asked["show"] if asked["show"] in groups else ""
    names = sorted({case.rubric for case in cases})
    rubric = asked["rubric"] if asked["rubric"] in names else ""
    on_rubric = [case for case in cases if not rubric or case.rubric == rubric]
    found = [case for case in on_rubric if _belongs(case, shown, done)]
    pages = max(1, -(-len(found) // PAGE_ROWS))
    page = min(max(page, 1), pages)
    start = (page - 1) * PAGE_ROWS
    return {
        "blind": blind,
        "heading": groups[shown][:1].upper() + groups[shown][1:],
        "meaning": MEANINGS.get(shown),
        "choices": [
            {
                "text": text,
                "address": _address(show=name, rubric=rubric),
                "chosen": name == shown,
                "number": sum(_belongs(case, name, done) for case in on_rubric),
            }
            for name, text in groups.items()
        ],
        "rubrics": [
            {
                "text": name.replace("-", " ") or "every rubric",
                "address": _address(show=shown, rubric=name),
                "chosen": name == rubric,
                "number": sum(_belongs(case, shown, done) for case in cases if name in ("", case.rubric)),
            }
            for name in ["", *names[:_RUBRICS]]
        ],
        "rows": [_row(case, case.key in done, blind=blind) for case in found[start : start + PAGE_ROWS]],
        "found": len(found),
        "done": len(done),
        "total": len(cases),
        "labelled": None if blind else sum(case.raters > 0 for case in cases),
        "previous": _address(show=shown, rubric=rubric, page=str(page - 1)) if page > 1 else None,
        "next": _address(show=shown, rubric=rubric, page=str(page + 1)) if page < pages else None,
    }


def name_case(case: Case, *, blind: bool) -> str:
    """A file may be called after what is in it, so a blind rater is told a number alone.

    A source that several transcripts have is followed by the transcript's id.
    """
    if blind:
        return f"case {case.key[:8]}"
    if case.source and case.shared:
        return mask(f"{case.source} \N{MIDDLE DOT} {case.transcript_id}")
    return mask(case.source or case.transcript_id)


def draw_order(rater: str, cases: Mapping[str, Case]) -> list[Case]:
    """An order of its own for each rater, always the same, that tells nothing about the cases."""
    return sorted(cases.values(), key=lambda case: hashlib.sha256(f"{rater} {case.key}".encode()).digest())


def _row(case: Case, done: bool, *, blind: bool) -> dict[str, Any]:
    votes = () if blind else case.votes
    return {
        "case": case,
        "name": name_case(case, blind=blind),
        "done": done,
        "marks": () if blind else case.marks,
        "raters": None if blind else case.raters,
        "votes": votes[:_VOTES],
        "more": len(votes[_VOTES:]),
    }


def _belongs(case: Case, shown: str, done: set[str]) -> bool:
    if shown in ("todo", "done"):
        return (case.key in done) == (shown == "done")
    return not shown or shown in case.marks


def _address(**asked: str) -> str:
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"/?{query}" if query else "/"
