"""AgentDojo runs: the native file per run, or the exported JSONL whose first line is a header.

Ids of calls may be empty or repeated; links fall back on order. `security` changes its meaning with the run and is
withheld with `utility` and `success`. Newer content blocks keep their words under `content`.
"""

from __future__ import annotations

from judge.transcripts.blocks import sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.harness.agentic_misalignment import response_pieces
from judge.transcripts.harness.openai_chat import message_pieces
from judge.transcripts.model import Transcript
from judge.transcripts.parts import Piece, maybe, obj, seq, string
from judge.transcripts.source import Record, RefusedError, elements

NAME = "agentdojo"
records = elements
_FACTS = (
    "suite_name",
    "pipeline_name",
    "user_task_id",
    "injection_task_id",
    "attack_type",
    "model",
    "benchmark_version",
)
_GRADES = ("utility", "security", "success", "injections", "error")
_FILED = frozenset((*_FACTS, *_GRADES, "messages", "metadata"))


def sniff(probe: Probe) -> Match | None:
    """By the suite and task of a run, beside its messages or in their metadata."""
    for row in probe.objects[:4]:
        facts = obj(row.get("metadata")) if "suite_name" not in row else row
        if {"suite_name", "user_task_id"} <= facts.keys() and "messages" in row:
            return Match(0.97, "native" if facts is row else "export")
    return None


def transcribe(record: Record) -> Transcript | None:
    """Return one run; None for the header of an export."""
    draft = Draft(record, NAME)
    row = obj(record.value)
    if "messages" not in row:
        if set(row) <= {"metadata", "index"}:
            return None
        raise RefusedError("a row without messages.")
    for index, given in enumerate(seq(row.get("messages"))):
        message = obj(given)
        role = ROLES.get(string(message.get("role")), "event")
        pieces = message_pieces(message, draft)
        if role == "assistant":  # some pipelines write their reasoning as tags into the text
            for piece in pieces:
                if "<thinking>" in piece.text:
                    pieces = [part for one in pieces for part in _untagged(one)]
                    break
        elif role == "tool":
            function = obj(message.get("tool_call")).get("function")
            error = string(message.get("error"))
            answer = pieces[0]
            answer.tool = (
                function if function and type(function) is str else maybe(obj(function).get("name")) or answer.tool
            )
            answer.status = "error" if error else "ok"
            answer.text = answer.text or error
        draft.say(role, pieces, at=record.point(message, f"/messages/{index}"))
    facts = obj(row.get("metadata")) | row
    draft.run.update({name: facts[name] for name in _FACTS if facts.get(name) is not None})
    draft.withheld.update({name: facts[name] for name in _GRADES if facts.get(name) is not None})
    sort_facts(draft, facts, skip=_FILED)
    return draft.finish()


def _untagged(piece: Piece) -> list[Piece]:
    return response_pieces(piece.text) if piece.kind == "text" and "<thinking>" in piece.text else [piece]
