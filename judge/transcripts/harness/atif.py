"""ATIF trajectories, 1.5 and later, as Harbor and others write them.

A step holds message, reasoning, calls and observations as separate fields: their order inside a turn is not recorded.
Steps copied from an earlier trajectory are marked, not counted as new acts. A subagent's trajectory inside the file is
kept as a branch. What our own export wrote beside a step (author, origin) is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args

from judge.transcripts.blocks import content_pieces, text_of
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft, tool_name
from judge.transcripts.model import TARGET, Origin, Role, Transcript
from judge.transcripts.parts import Piece, call, maybe, obj, objs, reasoning, result, string
from judge.transcripts.source import Gathered, Opened, Record, Unreadable, elements, whole_rows

NAME = "atif"
_ROLES: Final[dict[str, Role]] = {"system": "system", "user": "user", "agent": "assistant"}


def sniff(probe: Probe) -> Match | None:
    """They say so."""
    version = string(probe.first.get("schema_version"))
    return Match(1.0, version) if version.startswith("ATIF-v") else None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per trajectory; those that continue each other are one."""
    if isinstance(opened, Gathered):
        rows, warnings = whole_rows(opened)
        yield Record(opened, rows[0].value if rows else None, context={"rows": rows}, warnings=warnings)
    else:
        yield from elements(opened)


def transcribe(record: Record) -> Transcript:
    """Return the trajectory."""
    run = obj(record.value)
    draft = Draft(record, NAME, maybe(run.get("schema_version")))
    for row in record.context.get("rows", []):
        record.member = row.member
        _add_run(draft, obj(row.value))
    record.member = None
    if "rows" not in record.context:
        _add_run(draft, run)
    agent = obj(run.get("agent"))
    draft.native_id = maybe(run.get("trajectory_id")) or maybe(run.get("session_id"))
    for tool in objs(agent.get("tool_definitions")):
        draft.offer(*tool_name(tool))
    draft.run.update(agent=agent.get("name"), agent_version=agent.get("version"), session=run.get("session_id"))
    draft.run["models"] = [agent["model_name"]] if string(agent.get("model_name")) else []
    if "rows" not in record.context:
        draft.run["continued_in"] = run.get("continued_trajectory_ref")
    draft.withheld.update({name: run[name] for name in ("notes",) if run.get(name)})
    return draft.finish()


def _add_run(draft: Draft, run: dict[str, Any]) -> None:
    _add_steps(draft, run, "", TARGET, None)
    for index, nested in enumerate(objs(run.get("subagent_trajectories"))):
        agent = obj(nested.get("agent"))
        name = string(nested.get("trajectory_id")) or f"{index + 1}"
        author = f"subagent {string(agent.get('name')) or name}"
        _add_steps(draft, nested, f"/subagent_trajectories/{index}", author, f"subagent {name}")


def _add_steps(draft: Draft, run: dict[str, Any], path: str, author: str, branch: str | None) -> None:
    for index, step in enumerate(objs(run.get("steps"))):
        role = _ROLES.get(string(step.get("source")), "event")
        at = draft.record.point(step, f"{path}/steps/{index}")
        copied = step.get("is_copied_context") is True
        facts: dict[str, Any] = {"timestamp": maybe(step.get("timestamp")), "branch": branch, "at": at}
        pieces: list[Piece] = []
        if string(step.get("reasoning_content")):
            pieces.append(reasoning(step["reasoning_content"]))
        pieces += content_pieces(step.get("message"), draft)
        for made in objs(step.get("tool_calls")):
            pieces.append(
                call(string(made.get("function_name")), made.get("arguments"), maybe(made.get("tool_call_id")))
            )  # fmt: skip
        origin: Any = "copied" if copied else ("sampled" if role == "assistant" else None)
        if role == "assistant" and step.get("llm_call_count") == 0 and not copied:
            origin = "harness"
        extra = obj(step.get("extra"))
        ours = extra if {"message_id", "author", "origin"} <= extra.keys() else {}
        if string(ours.get("origin")) in get_args(Origin):
            origin = ours["origin"]
        if pieces or role != "assistant":
            draft.say(
                role,
                pieces,
                author=author if role == "assistant" else _name(ours, role),
                origin=origin,
                model=maybe(step.get("model_name")),
                notes=("copied context",) if copied else None,
                **facts,
            )
        _add_observation(draft, step, copied=copied, facts=facts)


def _name(ours: dict[str, Any], role: Role) -> str | None:
    """Whom our export named as the author of what is no agent's step; nobody becomes the target by it."""
    name = string(ours.get("author"))
    return name if role != "assistant" and name != TARGET else None


def _add_observation(draft: Draft, step: dict[str, Any], *, copied: bool, facts: dict[str, Any]) -> None:
    results = objs(obj(step.get("observation")).get("results"))
    pieces: list[Piece] = []
    for given in results:
        words = text_of(given.get("content"), draft)
        if not words and given.get("subagent_trajectory_ref"):
            words = "[a subagent's trajectory]"
        pieces.append(result(words, native_id=maybe(given.get("source_call_id"))))
        pieces += [piece for piece in content_pieces(given.get("content"), draft) if piece.kind == "attachment"]
    if pieces:
        draft.say("tool", pieces, origin="copied" if copied else None, **facts)
