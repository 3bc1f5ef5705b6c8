"""mini-swe-agent trajectories that say so: {info, messages, trajectory_format}. Actions are fenced shell in the reply.

The older form is a bare list of messages, which nothing tells from OpenAI chat: it is read as that.
"""

from __future__ import annotations

import re
from typing import Final

from judge.transcripts.blocks import content_pieces, text_of
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.harness.openai_chat import message_pieces
from judge.transcripts.model import Transcript
from judge.transcripts.parts import call, obj, objs, result, string
from judge.transcripts.source import Record, whole

NAME = "mini_swe_agent"
records = whole
_FENCE: Final = re.compile(r"```(?:mswea_bash_command|bash|sh)\s*\n(.*?)\n?```", re.DOTALL)
_CODE: Final = re.compile(r"<returncode>(-?\d+)</returncode>")


def sniff(probe: Probe) -> Match | None:
    """By the name of its format, or its version beside the messages."""
    form = string(probe.first.get("trajectory_format"))
    if form.startswith("mini-swe-agent"):
        return Match(0.99, form)
    return Match(0.9) if "mini_version" in obj(probe.first.get("info")) and "messages" in probe.first else None


def transcribe(record: Record) -> Transcript:
    """Return the run."""
    run = obj(record.value)
    draft = Draft(record, NAME, string(run.get("trajectory_format")) or None)
    expects = False
    for index, message in enumerate(objs(run.get("messages"))):
        at = record.point(message, f"/messages/{index}")
        role = ROLES.get(string(message.get("role")), "event")
        if role == "assistant":
            pieces = message_pieces(message, draft)
            commands = _FENCE.findall(text_of(message.get("content"), draft))
            if not any(piece.kind == "tool_call" for piece in pieces):
                pieces += [call("bash", command) for command in commands[:1]]
            draft.say("assistant", pieces, at=at, origin="sampled")
            expects = bool(commands)
        elif role == "user" and expects:
            words = text_of(message.get("content"), draft)
            code = _CODE.search(words[:200])
            status = ("ok" if code[1] == "0" else "error") if code else "unknown"
            draft.say("tool", [result(words, status=status)], at=at)  # type: ignore[arg-type]
            expects = False
        elif role == "tool":
            pieces = message_pieces(message, draft)
            code = obj(message.get("extra")).get("returncode")
            if type(code) is int:
                pieces[0].status = "ok" if code == 0 else "error"
            draft.say("tool", pieces, at=at)
        else:
            draft.say(role, content_pieces(message.get("content"), draft), at=at)
    info = obj(run.get("info"))
    model = obj(obj(info.get("config")).get("model")).get("model_name")
    draft.run.update(
        exit_status=info.get("exit_status"), mini_version=info.get("mini_version"), models=[model] if model else []
    )
    draft.withheld.update({"submission": info["submission"]} if info.get("submission") else {})
    return draft.finish()
