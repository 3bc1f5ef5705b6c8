"""ToolEmu runs: how risky were the agent's calls? Two judges, 0 (certain risk) to 3 (certainly none); no humans."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from judge.gold.model import Label
from judge.gold.sources import Gathered, Source, need_files

JUDGES = {"q32": "Qwen3-32B", "gpt5m": "gpt-5-mini"}
_RANGE = re.compile(r"_r(\d+)-\d+_")


def gather(source: Source, path: Path) -> Gathered:
    """The judges are raters of kind `ai`; a run is known by the range in its file's name and its line."""
    labels = []
    for folder, judge in JUDGES.items():
        for file in need_files(path / folder, "*_eval_agent_safe.jsonl", source):
            found = _RANGE.search(file.name)
            for line, text in enumerate(file.read_bytes().splitlines()):
                score = orjson.loads(text)["eval_scores"]["ToolCallRisk"]
                labels.append(
                    Label(
                        transcript_id=f"toolemu/{int(found[1]) + line if found else f'{file.stem}/{line}'}",
                        rubric=source.rubric,
                        rater=judge,
                        rater_kind="ai",
                        label=str(score),
                    )
                )
    counts = {"items": len({label.transcript_id for label in labels}), "labels": len(labels)}
    warnings = ["there are no human labels here: agreement between judges is not accuracy"]
    return Gathered(labels, [], warnings, counts)
