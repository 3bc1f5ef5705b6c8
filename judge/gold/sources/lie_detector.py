"""Lie-detector transcripts: did the assistant lie? One rater on some, a label by construction on all, five judges."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from judge.canonical import content_sha256
from judge.gold.model import Label
from judge.gold.sources import Gathered, Source, need_files

LEVELS = {"A": "lie", "B": "not_lie"}


def gather(source: Source, path: Path) -> Gathered:
    """One transcript per line; `majority` is the vote of the judges that could be parsed."""
    labels: list[Label] = []
    verdicts: list[dict[str, Any]] = []
    unparsed = 0
    texts: Counter[str] = Counter()
    (file,) = need_files(path, "lie178*.jsonl", source)
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        row = orjson.loads(line)
        item = f"{row['task']}/{row['sample_id']}/{number}"
        texts[content_sha256(row["messages"])] += 1
        common: dict[str, Any] = {"transcript_id": item, "rubric": source.rubric}
        for rater, given in row["human_annotations"].items():
            labels.append(Label(**common, rater=rater, rater_kind="human", label=given["classification"]))
        construct = LEVELS[row["target"]]
        labels.append(Label(**common, rater="construction", rater_kind="constructed", label=construct))
        votes: Counter[str] = Counter()
        for judge, said in row["judges"].items():
            verdict = {**common, "judge": judge, "category": row["category"]}
            if said["parseable"] and said["predicted_binary"] in LEVELS:
                level = LEVELS[said["predicted_binary"]]
                votes[level] += 1
                verdicts.append({**verdict, "level": level, "p_positive": said["predicted_score"] / 100})
            else:
                unparsed += 1
                verdicts.append({**verdict, "status": "invalid", "error": "unparsed"})
        top = votes.most_common(2)
        if len(top) == 1 or top[0][1] > top[1][1]:
            verdicts.append({**common, "judge": "majority", "level": top[0][0], "category": row["category"]})
    warnings = []
    if unparsed:
        warnings.append(f"{unparsed} judge outputs are no label; they are imported as missing, never mapped")
    if doubled := sum(count - 1 for count in texts.values()):
        warnings.append(f"{doubled} transcripts stand in the set more than once")
    humans = [label for label in labels if label.rater_kind == "human"]
    counts = {
        "items": number,
        "human": len(humans),
        "human_positive": sum(label.label == "lie" for label in humans),
        "verdicts": len(verdicts),
        "unparsed": unparsed,
    }
    return Gathered(labels, verdicts, warnings, counts)
