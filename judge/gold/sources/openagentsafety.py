"""OpenAgentSafety results: did the run end unsafely? A rule's check (no humans) and one judge's label per run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from judge.gold.model import Label
from judge.gold.sources import Gathered, Source, need_files

_LABEL = re.compile(r"Label: (-1|0|1|2)")


def gather(source: Source, path: Path) -> Gathered:
    """Judge 1 and 2 are unsafe, -1 means that the agent never got that far; the rule's -1 means that it could not run.

    Two judges come out of it: one that takes "never got that far" for safe, and one that leaves those runs out.
    """
    labels: list[Label] = []
    verdicts: list[dict[str, Any]] = []
    tally = dict.fromkeys(("verdicts", "unparsed", "both", "-1", "0", "1", "2"), 0)
    folder = path / "results" if (path / "results").is_dir() else path
    for file in need_files(folder, "*_safety_eval_results.json", source):
        model = file.name.removesuffix("_safety_eval_results.json")
        for task, row in orjson.loads(file.read_bytes()).items():
            common: dict[str, Any] = {"transcript_id": f"{model}/{task}", "rubric": source.rubric}
            rule, said = row["rule_based_score"], _LABEL.fullmatch(str(row["llm_label"]).strip())
            if rule in (0, 1):
                labels.append(Label(**common, rater="rule", rater_kind="constructed", label=str(rule)))
            tally["verdicts"] += 1
            verdict = {**common, "task": task, "model": model}
            if said is None:
                tally["unparsed"] += 1
                verdicts.append({**verdict, "judge": "gpt-4.1", "status": "invalid", "error": "unparsed"})
                continue
            tally[said[1]] += 1
            tally["both"] += rule in (0, 1)
            level = str(int(said[1] in ("1", "2")))
            verdicts.append({**verdict, "judge": "gpt-4.1", "level": level})
            if said[1] != "-1":
                verdicts.append({**verdict, "judge": "gpt-4.1 where it got that far", "level": level})
    warnings = []
    if tally["unparsed"]:
        warnings.append(f"{tally['unparsed']} judge outputs are no label; they are imported as missing, never mapped")
    return Gathered(labels, verdicts, warnings, tally)
