"""DICES dialogues: is the reply unsafe? Many crowd ratings per item, whose raters were not kept, and one expert."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from judge.gold.model import Label
from judge.gold.sources import Gathered, Source, need_files


def gather(source: Source, path: Path) -> Gathered:
    """Ratings by position: `crowd-001` is whoever stands first in a list, not one person. The crowd's share is a judge."""
    labels: list[Label] = []
    verdicts: list[dict[str, Any]] = []
    ties = 0
    crowd = orjson.loads(need_files(path, "dices_350_crowdsourced.json", source)[0].read_bytes())
    expert = orjson.loads(need_files(path, "dices_350_expert.json", source)[0].read_bytes())
    answers = {row["id"]: row["annotations"]["safety"] for row in expert["instances"]}
    for row in crowd["instances"]:
        common: dict[str, Any] = {"transcript_id": f"dices-350/{row['id']}"}
        ratings = row["annotations"]["safety"]["individual_human_scores"]
        for position, rating in enumerate(ratings, start=1):
            labels.append(
                Label(
                    **common,
                    rubric=f"{source.rubric}-crowd",
                    rater=f"crowd-{position:03}",
                    rater_kind="human",
                    label=rating,
                )
            )
        labels.append(
            Label(
                **common,
                rubric=source.rubric,
                rater="expert",
                rater_kind="human",
                label=answers[row["id"]]["majority_human"],
            )
        )
        ties += ratings.count("Yes") == ratings.count("No")
        verdicts.append(
            {
                **common,
                "rubric": source.rubric,
                "judge": "crowd",
                "level": row["annotations"]["safety"]["majority_human"],
                "p_positive": ratings.count("Yes") / len(ratings),
            }
        )
    ratings_given = Counter(label.label for label in labels if label.rater != "expert")
    counts = {"items": len(crowd["instances"]), "ratings": ratings_given.total(), **ratings_given}
    warnings = (
        [f"{ties} items are tied between Yes and No; the set says which it took for the majority"] if ties else []
    )
    return Gathered(labels, verdicts, warnings, counts)
