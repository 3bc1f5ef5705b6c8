"""Files that lie beside transcripts and are none: named, so that nobody wonders and nothing empty is graded.

These compete with the readers: a verdict file that happens to hold messages loses or wins by its keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from judge.transcripts import parquet
from judge.transcripts.detect import Candidate, Probe

_Signature = tuple[float, str, Callable[[dict[str, Any]], bool]]


def _has(*keys: str) -> Callable[[dict[str, Any]], bool]:
    return lambda item: all(key in item for key in keys)


def _is_normalised(value: Any) -> bool:
    given = [value.get("input"), value.get("output")] if isinstance(value, dict) else []
    return any(isinstance(one, dict) and "success" in one for one in given)


_OBJECTS: Final[tuple[_Signature, ...]] = (
    (0.97, "verdicts of this tool, not transcripts.", _has("transcript_id", "rubric", "judge", "level")),
    (0.97, "rater labels, not transcripts.", _has("transcript_id", "rubric", "rater", "label")),
    (0.95, "a Scout scan specification, not a transcript.", _has("scan_id", "scan_name", "scanners")),
    (0.95, "Scout scanner results, not transcripts.", _has("scanner_name", "transcript_id", "value")),
    (0.9, "an OpenHands base state: the events beside it are the transcript.", lambda item: (
        _has("agent", "workspace")(item) and not {"messages", "events", "steps"} & item.keys()
    )),
    (0.9, "an evaluation log's directory of summaries, not transcripts.", lambda item: (
        _has("id", "epoch", "input", "target")(item) and "messages" not in item and "events" not in item
        and "output" not in item
    )),
    (0.9, "a list of events with what a test expects of them, not a sample.", _has("events", "expected", "description")),
    (0.9, "what a tracer's normaliser made of each observation: the trace itself is the transcript.",
     lambda item: any(_is_normalised(one) for one in item.values())),
    (0.9, "a capture summary, not spans.", _has("captureDate", "attributeSummary")),
    (0.9, "an AgentLab summary, not a transcript.", _has("n_steps", "cum_reward")),
    (0.6, "pre-rendered few-shot text, not transcripts.", lambda item: (
        set(item) == {"messages_display"}
    )),
    (0.9, "an agent-misalignment experiment state, not a transcript.", _has("experiment_id", "total_samples")),
    (0.9, "a package manifest, not a transcript.", _has("name", "version", "dependencies")),
    (0.9, "a JSON schema, not a transcript.", lambda item: "$schema" in item and "messages" not in item),
)  # fmt: skip

_MEMBERS: Final[tuple[tuple[str, Callable[[str], bool]], ...]] = (
    ("an archive with a Python pickle in it, which is never opened: loading one can run any code.",
     lambda name: name.endswith((".pkl", ".pickle"))),
    ("an office document, not a transcript.", lambda name: name.startswith(("word/", "xl/", "ppt/", "META-INF/manifest"))),
)  # fmt: skip
_MARKDOWN: Final = re.compile(r"\A\s*(#{1,6} |<!DOCTYPE|<html|---\n)", re.IGNORECASE)
_CSV: Final = re.compile(r"\A[^\n,;\t{]{1,80}([,;\t])[^\n{]*\n[^\n]*\1")


def refusals(probe: Probe) -> list[Candidate]:
    """Return what is known about a file that is no transcript."""
    if probe.container == "text":
        return _refuse_text(probe.text)
    if probe.container == "parquet":
        verdicts = {"scanner_name", "transcript_id"} <= set(parquet.columns(probe.opened.path))
        what = "Scout scanner results, not transcripts."
        return [Candidate("not a transcript", 0.99, refusal=what)] if verdicts else []
    if probe.container == "zip":
        return [
            Candidate("not a transcript", 0.5, refusal=what)
            for what, fits in _MEMBERS
            if any(fits(name) for name in probe.names)
        ][:1]
    found = []
    sampled = probe.objects[:8]
    for confidence, what, fits in _OBJECTS:
        if sampled and all(fits(item) for item in sampled):
            found.append(Candidate("not a transcript", confidence, refusal=what))
    return found


def _refuse_text(text: str) -> list[Candidate]:
    if _CSV.match(text):
        what = "a table of separated values. Transcripts come as JSON, JSONL, parquet or a harness's own files."
    elif _MARKDOWN.match(text):
        what = "Markdown or HTML. If it is a conversation with role headings, read it with --format markdown."
    else:
        what = "plain text of no known transcript format. If it is a conversation, map it or name its --format."
    return [Candidate("not a transcript", 0.3, refusal=what)]
