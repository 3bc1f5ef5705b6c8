"""ShareGPT and Vicuna conversations: rows of {id, conversations: [{from, value}]}."""

from __future__ import annotations

from typing import Final

from judge.transcripts.blocks import content_pieces, sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.model import Transcript
from judge.transcripts.parts import call, decoded_json, maybe, obj, result, seq, string
from judge.transcripts.source import Record, elements

NAME = "sharegpt"
records = elements
_MODELS: Final = ("chatgpt", "bing", "bard", "claude")  # as the first collections named who replied
_CALL: Final = ("function_call", "tool_call")


def sniff(probe: Probe) -> Match | None:
    """By turns that have `from` and `value`."""
    turns = seq(probe.first.get("conversations"))
    fits = bool(turns) and all({"from", "value"} <= obj(turn).keys() for turn in turns[:16])
    return Match(0.95) if fits and probe.share("conversations") >= 0.9 else None


def transcribe(record: Record) -> Transcript:
    """Return one conversation."""
    draft = Draft(record, NAME)
    row = obj(record.value)
    if string(row.get("system")):
        draft.say("system", content_pieces(row["system"], draft), at=record.point(row["system"], "/system"))
    for index, given in enumerate(seq(row.get("conversations"))):
        turn = obj(given)
        speaker, value = string(turn.get("from")), turn.get("value")
        at = record.point(turn, f"/conversations/{index}")
        if speaker in _CALL:
            made = obj(decoded_json(string(value)))
            name = string(made.get("name"))
            pieces = [call(name, made.get("arguments", value) if name else value)]
            draft.say("assistant", pieces, at=at)
            continue
        role = "assistant" if speaker in _MODELS else ROLES.get(speaker)
        if role is None:
            draft.warn("unknown_role", f"a turn from '{speaker[:40]}' was read as an event")
            role = "event"
        pieces = [result(string(value))] if role == "tool" else content_pieces(value, draft)
        draft.say(role, pieces, at=at)
    draft.native_id = maybe(row.get("id"))
    sort_facts(draft, row, skip={"id", "conversations", "system"})
    return draft.finish()
