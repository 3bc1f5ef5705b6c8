"""An invented gold folder with labels by made-up raters, and verdict rows of made-up judges on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

RUBRIC = "petty-larceny"
IDENTITY = {"rubric_sha256": "a" * 64, "prompt_sha256": "b" * 64, "judge_sha256": "c" * 64}


def truth_of(index: int, every: int) -> bool:
    """Whether item `index` is positive when one of `every` is."""
    return index % every == 0


def write_gold(
    folder: Path,
    n: int,
    *,
    every: int,
    families: int = 40,
    raters: int = 3,
    kind: str = "human",
    labels: tuple[str, str] = ("no", "yes"),
    errs: Callable[[int, int], bool] = lambda item, rater: (item * 7 + rater * 13) % 97 == 5,
    split: str = "test",
    rubrics: Iterable[str] = (RUBRIC,),
) -> Path:
    """Write a gold folder of `n` items, of which the first of `every` is positive, in `families` families.

    On each of the rubrics the labels are the same.
    """
    items = [
        {
            "transcript_id": f"t{i:04}",
            "content_sha256": f"{i:064x}",
            "family": _family(i, every, families),
            "split": split,
        }
        for i in range(n)
    ]
    _write(folder / "items.jsonl", items)
    for rater in range(raters):
        rows = [
            {
                "transcript_id": f"t{i:04}",
                "rubric": rubric,
                "rater": f"rater{rater}",
                "rater_kind": kind,
                "label": labels[truth_of(i, every) != errs(i, rater)],
                "blind": True,
            }
            for rubric in rubrics
            for i in range(n)
        ]
        _write(folder / "labels" / f"rater{rater}.jsonl", rows)
    return folder


def write_verdicts(
    path: Path,
    n: int,
    says: Callable[[int], bool | None],
    *,
    samples: int = 3,
    levels: tuple[str, str] = ("no", "yes"),
    **changes: Any,
) -> Path:
    """Write verdict rows: `says` gives True, False, or None where the judge refused."""
    rows = []
    for i in range(n):
        for sample in range(samples):
            said = says(i)
            row: dict[str, Any] = {"transcript_id": f"t{i:04}", "rubric": RUBRIC, "judge": "keen", "sample": sample}
            row |= {"status": "refused"} if said is None else {"level": levels[said]}
            rows.append(row | IDENTITY | changes)
    _write(path, rows)
    return path


def _family(index: int, every: int, families: int) -> str:
    """Positives and negatives are spread evenly over the families."""
    return f"f{(index // every if index % every == 0 else index) % families:03}"


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
