"""Scout transcript tables: parquet with Inspect's messages as JSON text, one transcript per row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from judge.transcripts import parquet
from judge.transcripts.blocks import sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.harness import inspect
from judge.transcripts.model import Transcript
from judge.transcripts.parts import maybe, obj, seq
from judge.transcripts.source import Opened, Record, Unreadable, table_rows

NAME = "scout"
_FACTS: Final = ("task_set", "task_id", "task_repeat", "agent", "source_type", "date", "limit", "error", "total_tokens")
_PASSED: Final = frozenset(
    ("messages", "events", "timelines", "events_data", "transcript_id", "source_id", "source_uri", "log", "model", "sample_id",
     "agent_args", "model_options", "generate_config", "model_roles", "task_args", "input", "eval_metadata", "id")
)  # fmt: skip


def sniff(probe: Probe) -> Match | None:
    """By its columns."""
    if probe.container != "parquet":
        return None
    names = set(parquet.columns(probe.opened.path))
    return Match(0.97) if {"transcript_id", "source_type", "messages"} <= names else None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per row."""
    return table_rows(opened)


def transcribe(record: Record) -> Transcript:
    """Return the transcript of one row."""
    draft = Draft(record, NAME)
    row = obj(record.value)
    for index, message in enumerate(seq(row.get("messages"))):
        inspect.add_message(draft, obj(message), record.point(message, f"/messages/{index}"), {})
    draft.native_id = maybe(row.get("transcript_id"))
    draft.run.update({name: row[name] for name in _FACTS if row.get(name) not in (None, "")})
    draft.run["models"] = [row["model"]] if row.get("model") else []
    if row.get("sample_metadata"):
        draft.withheld["sample_metadata"] = row["sample_metadata"]
    sort_facts(draft, row, skip={*_PASSED, *_FACTS, "sample_metadata"})
    return draft.finish()
