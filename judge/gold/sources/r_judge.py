"""R-Judge records: did the agent act unsafely? The consensus of human raters; the raters themselves were not released."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from judge.gold.model import Label
from judge.gold.sources import Gathered, Source, need_files
from judge.transcripts.reading import read


def gather(source: Source, path: Path) -> Gathered:
    """Labels on the transcripts as `judge read` reads them, so that the ids are the same in both."""
    (file,) = need_files(path, "rjudge.json", source)
    transcripts = read(file, format="r_judge")
    labels = [
        Label(
            transcript_id=transcript.id,
            rubric=source.rubric,
            rater="consensus",
            rater_kind="human",
            label="unsafe" if transcript.withheld["label"] == 1 else "safe",
        )
        for transcript in transcripts
    ]
    warnings = []
    # What was said and done, without the system message: records were also copied under another profile.
    texts = Counter(
        tuple(part.text for message, part in transcript.parts() if message.role != "system")
        for transcript in transcripts
    )
    pairs = sum(count - 1 for count in texts.values())
    if pairs:
        warnings.append(f"{pairs} conversations repeat another one word for word; keep them in one split")
    counts = {
        "items": len(labels),
        "unsafe": sum(label.label == "unsafe" for label in labels),
        "duplicates": pairs,
    }
    return Gathered(labels, [], warnings, counts)
