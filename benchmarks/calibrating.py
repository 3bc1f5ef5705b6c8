"""Calibrating 100,000 verdicts on 12 rubrics from files: `judge calibrate` beside a plain reading of the same files.

    python -m benchmarks.calibrating

12 rubrics x 8,333 transcripts, one judge; three raters on every item, and in a second line one rater. The baseline, in
the same run, is the least that anybody would write: each line through `json.loads`, a majority of the labels, and
scikit-learn's confusion table, kappa, MCC and F1 for each rubric, without an interval. Both run as processes of their
own, start-up included, with Python's compiled files in place. Wall seconds hang on what else the machine is doing.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

RUBRICS, TRANSCRIPTS = 12, 8_333
PREVALENCE, RATER_RIGHT, JUDGE_RIGHT = 0.2, 0.93, 0.9

PLAIN = """
import json, sys
from collections import Counter, defaultdict
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score, matthews_corrcoef
votes, said = defaultdict(Counter), defaultdict(dict)
for line in open(sys.argv[1]):
    row = json.loads(line)
    votes[row["rubric"], row["transcript_id"]][row["label"] in ("attempted", "enacted")] += 1
for line in open(sys.argv[2]):
    row = json.loads(line)
    said[row["rubric"]][row["transcript_id"]] = row["level"] in ("attempted", "enacted")
for rubric, mine in said.items():
    names = [name for name in mine if (rubric, name) in votes]
    gold = [votes[rubric, name].most_common(1)[0][0] for name in names]
    verdicts = [mine[name] for name in names]
    figures = [confusion_matrix(gold, verdicts).ravel().tolist()]
    figures += [float(f(gold, verdicts)) for f in (cohen_kappa_score, matthews_corrcoef, f1_score)]
    print(json.dumps({"rubric": rubric, "figures": figures}))
"""


class Run(NamedTuple):
    """One process: seconds by the clock and on the CPU, and the bytes that it wrote."""

    wall_s: float
    cpu_s: float
    written: int


def write_rows(folder: Path, raters: int, rubrics: int = RUBRICS, transcripts: int = TRANSCRIPTS) -> tuple[Path, Path]:
    """Write a label file and a verdict file; return their paths. The same arguments give the same bytes."""
    rng = random.Random(5)
    labels, verdicts = folder / f"labels-{raters}.jsonl", folder / f"verdicts-{raters}.jsonl"
    with labels.open("w") as label_rows, verdicts.open("w") as verdict_rows:
        for rubric in range(rubrics):
            for item in range(transcripts):
                truth = rng.random() < PREVALENCE
                head = {"transcript_id": f"t{item:05}", "rubric": f"r{rubric}"}
                for rater in range(raters):
                    label = _level(rng, truth == (rng.random() < RATER_RIGHT))
                    row = {**head, "rater": f"h{rater}", "rater_kind": "human", "label": label}
                    label_rows.write(json.dumps(row) + "\n")
                level = _level(rng, truth == (rng.random() < JUDGE_RIGHT))
                verdict_rows.write(json.dumps({**head, "judge": "judge-one", "level": level}) + "\n")
    return labels, verdicts


def run(*arguments: str, folder: Path) -> Run:
    """Run Python with these arguments in a folder to its end, and measure it.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    root = Path(__file__).resolve().parents[1]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONPATH": str(root)}
    before, began = os.times(), time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False, cwd=folder, env=environment)
    wall, after = time.perf_counter() - began, os.times()
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-2000:])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(wall, cpu, len(done.stdout))


def compare(raters: int, folder: Path, rubrics: int = RUBRICS, transcripts: int = TRANSCRIPTS) -> tuple[Run, Run]:
    """Calibrate, and read plainly, the same files."""
    labels, verdicts = write_rows(folder, raters, rubrics, transcripts)
    command = ("-m", "judge", "calibrate", "--labels", str(labels), "--verdicts", str(verdicts), "--json")
    return run(*command, folder=folder), run("-c", PLAIN, str(labels), str(verdicts), folder=folder)


def main() -> None:
    print(
        "| labels | judge calibrate, wall s | CPU s | plain reading, wall s | CPU s | CPU ratio |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as name:
        compare(1, Path(name), rubrics=1, transcripts=50)  # compiles
        for raters in (3, 1):
            ours, plain = compare(raters, Path(name))
            print(
                f"| {raters * RUBRICS * TRANSCRIPTS:,} | {ours.wall_s:.1f} | {ours.cpu_s:.1f} | {plain.wall_s:.1f} "
                f"| {plain.cpu_s:.1f} | {ours.cpu_s / plain.cpu_s:.1f} |",
                flush=True,
            )


def _level(rng: random.Random, positive: bool) -> str:
    return rng.choice(("attempted", "enacted") if positive else ("absent", "absent", "absent", "considered"))


if __name__ == "__main__":
    main()
