"""Transcripts for other tools: ATIF, OpenAI chat JSONL, Scout's parquet; our own JSONL is `canonical`.

Ids of ours travel along (`extra` in ATIF, `metadata` elsewhere), so that a verdict on an exported transcript can be
brought home. What is withheld is not exported. Only the target is an assistant or agent there: whoever else spoke, a
subagent, a team-mate, is a user with a name, so that nobody's words become the target's on the way. A call's arguments are
written as the text that a judge reads, under the one key `text`: their original JSON stays in the source.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from judge.canonical import canonical_json
from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.canonical import encode
from judge.transcripts.model import TARGET, Message, Part, Transcript

ATIF_VERSION: Final = "ATIF-v1.7"
_CHAT_ROLES: Final = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def export(transcripts: Iterable[Transcript], path: Path, form: str) -> int:
    """Write transcripts in a form and return how many.

    `canonical` and `openai_chat` write one JSONL file, `scout` one parquet file, `atif` a folder with one file each.

    Raises:
        InputError: for an unknown form, or a place that cannot be written.
    """
    writer = _WRITERS.get(form)
    if writer is None:
        raise InputError(f"no form {quoted(form)} to write. Known: {', '.join(_WRITERS)}.")
    try:
        return writer(transcripts, path)
    except OSError as error:
        raise InputError(f"{quoted(path, 400)}: cannot be written ({error.strerror}).") from None


def _text(parts: Iterable[Part], *kinds: str) -> str:
    return "\n\n".join(part.text for part in parts if part.kind in kinds)


def _all_words(parts: Iterable[Part]) -> str:
    """Everything that somebody other than the target said and did, as text: calls and thoughts have no place of their own."""
    heads = {"reasoning": "[reasoning]", "tool_call": "[calls {}]"}
    words = []
    for part in parts:
        head = heads.get(part.kind, "").format(part.tool or "a tool")
        words.append(f"{head}\n{part.text}".strip())
    return "\n\n".join(word for word in words if word)


def _is_other(message: Message) -> bool:
    return message.role == "assistant" and message.author != TARGET


def _arguments(part: Part) -> dict[str, str]:
    return {"text": part.text}


# --- OpenAI chat -----------------------------------------------------------------------------------------------------


def openai_chat(transcript: Transcript) -> dict[str, Any]:
    """Return one conversation as chat messages; several results of one message become several messages."""
    messages: list[dict[str, Any]] = []
    made = {p.id for message in transcript.messages if not _is_other(message) for p in message.parts}
    for message in transcript.messages:
        messages.extend(_chat_messages(message, made))
    tools = [{"type": "function", "function": {"name": t.name, "description": t.description}} for t in transcript.tools]
    row: dict[str, Any] = {"id": transcript.id, "messages": messages}
    return row | ({"tools": tools} if tools else {})


def _chat_messages(message: Message, made: set[str]) -> list[dict[str, Any]]:
    results = [part for part in message.parts if part.kind == "tool_result"]
    rest = [part for part in message.parts if part.kind != "tool_result"]
    found: list[dict[str, Any]] = []
    about = {"metadata": {"id": message.id, "origin": message.origin}}
    if _is_other(message):
        found.append({"role": "user", "name": message.author, "content": _all_words(rest), **about})
    elif rest or not results:
        role = _CHAT_ROLES.get(message.role, "user")
        row: dict[str, Any] = {"role": "user" if role == "tool" else role, "content": _text(rest, "text", "attachment")}
        if message.author not in (TARGET, message.role):
            row["name"] = message.author
        if thought := _text(rest, "reasoning"):
            row["reasoning_content"] = thought
        calls = [part for part in rest if part.kind == "tool_call"]
        if calls:
            row["tool_calls"] = [
                {
                    "id": p.id,
                    "type": "function",
                    "function": {"name": p.tool or "", "arguments": json.dumps(_arguments(p))},
                }
                for p in calls
            ]
        found.append(row | about)
    for part in results:
        if part.answers and part.answers not in made:  # a call that is no assistant's there
            given = {"id": part.id, "status": part.status}
            found.append({"role": "user", "name": "tool", "content": part.text, "metadata": given})
            continue
        found.append(
            {
                "role": "tool",
                "tool_call_id": part.answers or "",
                "content": part.text,
                "metadata": {"id": part.id, "status": part.status},
            }
        )
    return found


def _write_chat(transcripts: Iterable[Transcript], path: Path) -> int:
    return _write_lines((canonical_json(openai_chat(transcript)) for transcript in transcripts), path)


def _write_canonical(transcripts: Iterable[Transcript], path: Path) -> int:
    return _write_lines((encode(transcript) for transcript in transcripts), path)


def _write_lines(lines: Iterable[bytes], path: Path) -> int:
    count = 0
    with path.open("wb") as stream:
        for line in lines:
            stream.write(line + b"\n")
            count += 1
    return count


# --- ATIF ------------------------------------------------------------------------------------------------------------


def atif(transcript: Transcript) -> dict[str, Any]:
    """Return one transcript as an ATIF trajectory; who is no system, user or agent is a user with `extra.author`."""
    steps: list[dict[str, Any]] = []
    agent_step: dict[str, dict[str, Any]] = {}  # by the id of a call
    for message in transcript.messages:
        for part in message.parts:
            if part.kind == "tool_result":
                _observe(steps, agent_step.get(part.answers or ""), message, part)
        if any(part.kind != "tool_result" for part in message.parts) or not message.parts:
            step = _step(len(steps) + 1, message)
            steps.append(step)
            for part in message.parts:
                if part.kind == "tool_call" and not _is_other(message):
                    agent_step[part.id] = step
    models = transcript.run.get("models")
    agent: dict[str, Any] = {"name": _string_or(transcript.run.get("agent"), "agent"), "version": "unknown"}
    if isinstance(models, list) and models and isinstance(models[0], str):
        agent["model_name"] = models[0]
    return {
        "schema_version": ATIF_VERSION,
        "session_id": transcript.native_id or transcript.id,
        "trajectory_id": transcript.id,
        "agent": agent,
        "steps": steps,
        "extra": {"transcript_id": transcript.id, "format": transcript.source.format},
    }


def _step(number: int, message: Message) -> dict[str, Any]:
    source = "user" if _is_other(message) else {"system": "system", "assistant": "agent"}.get(message.role, "user")
    extra: dict[str, Any] = {
        "message_id": message.id,
        "author": message.author,
        "origin": message.origin,
        "role": message.role,
    }
    words = _all_words(message.parts) if _is_other(message) else _text(message.parts, "text", "attachment")
    step: dict[str, Any] = {"step_id": number, "source": source, "message": words, "extra": extra}
    if source == "agent":
        if thought := _text(message.parts, "reasoning"):
            step["reasoning_content"] = thought
        calls = [part for part in message.parts if part.kind == "tool_call"]
        if calls:
            step["tool_calls"] = [
                {"tool_call_id": p.id, "function_name": p.tool or "", "arguments": _arguments(p)} for p in calls
            ]
        if message.origin == "copied":
            step["is_copied_context"] = True
    if message.timestamp:
        (step if _is_iso(message.timestamp) else extra)["timestamp"] = message.timestamp
    return step


def _is_iso(timestamp: str) -> bool:
    """Whether a time is one that ATIF accepts: harnesses write anything, and its validator refuses the whole file."""
    try:
        datetime.fromisoformat(timestamp)
    except ValueError:
        return False
    return True


def _observe(steps: list[dict[str, Any]], step: dict[str, Any] | None, message: Message, part: Part) -> None:
    """Put a result where ATIF has it: in the step of its call; one without a call becomes a step of its own."""
    if step is None:
        extra = {"message_id": message.id, "part_id": part.id, "author": message.author, "status": part.status}
        steps.append({"step_id": len(steps) + 1, "source": "user", "message": part.text, "extra": extra})
        return
    observation = step.setdefault("observation", {"results": []})
    extra = {"part_id": part.id, "status": part.status}
    observation["results"].append({"source_call_id": part.answers, "content": part.text, "extra": extra})


def _write_atif(transcripts: Iterable[Transcript], path: Path) -> int:
    path.mkdir(parents=True, exist_ok=True)
    taken: Counter[str] = Counter()
    for transcript in transcripts:
        name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in transcript.id)
        taken[name] += 1
        times = f"-copy{taken[name]}" if taken[name] > 1 else ""  # the same run may stand in two files
        (path / f"{name}{times}.json").write_bytes(canonical_json(atif(transcript)))
    return taken.total()


# --- Scout parquet ---------------------------------------------------------------------------------------------------


def scout_row(transcript: Transcript) -> dict[str, Any]:
    """Return one row in Scout's columns, and ours beside them: messages are Inspect's, as JSON text."""
    run = transcript.run
    models = run.get("models")
    return {
        "transcript_id": transcript.id,
        "source_type": transcript.source.format,
        "source_id": transcript.native_id or "",
        "source_uri": transcript.source.uri,
        "date": _string_or(run.get("created"), ""),
        "task_set": _string_or(run.get("task"), ""),
        "task_id": str(run.get("sample_id", "")),
        "task_repeat": run.get("epoch") if isinstance(run.get("epoch"), int) else None,
        "agent": _string_or(run.get("agent"), ""),
        "model": models[0] if isinstance(models, list) and models and isinstance(models[0], str) else "",
        "message_count": len(transcript.messages),
        "messages": json.dumps([one for message in transcript.messages for one in _inspect_messages(message)]),
        "source_sha256": transcript.source.sha256,
        "content_sha256": transcript.content_sha256,
    }


# What was not generated in the run is Inspect's `input`.
_SOURCES: Final = {
    "sampled": "generate", "human": "operator", "prefill": "input", "demo": "input", "copied": "input",
}  # fmt: skip


def _inspect_messages(message: Message) -> list[dict[str, Any]]:
    results = [part for part in message.parts if part.kind == "tool_result"]
    rest = [part for part in message.parts if part.kind != "tool_result"]
    found: list[dict[str, Any]] = []
    if _is_other(message):
        words = _all_words(rest)
        found.append({"id": message.id, "role": "user", "content": words, "metadata": {"author": message.author}})
    elif rest or not results:
        content: list[dict[str, Any]] = []
        for part in rest:
            if part.kind == "reasoning":
                content.append(
                    {"type": "reasoning", "reasoning": part.text, "redacted": part.form in ("redacted", "encrypted")}
                )
            elif part.kind != "tool_call":
                content.append({"type": "text", "text": part.text})
        role = message.role if message.role in ("system", "user", "assistant") else "user"
        row: dict[str, Any] = {"id": message.id, "role": role, "content": content}
        row["source"] = _SOURCES.get(message.origin)
        calls = [part for part in rest if part.kind == "tool_call"]
        if calls and role == "assistant":
            row["tool_calls"] = [{"id": p.id, "function": p.tool or "", "arguments": _arguments(p)} for p in calls]
        found.append(row)
    for part in results:
        error = None
        if part.status in ("error", "timeout", "denied", "cancelled"):
            error = {
                "type": {"timeout": "timeout", "denied": "approval"}.get(part.status, "unknown"),
                "message": part.text,
            }
        found.append(
            {
                "id": part.id,
                "role": "tool",
                "content": part.text,
                "tool_call_id": part.answers,
                "function": part.tool,
                "error": error,
            }
        )
    return found


def _write_scout(transcripts: Iterable[Transcript], path: Path) -> int:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise InputError("parquet needs pyarrow. Install it with: pip install 'transcript-judge[parquet]'.") from None
    rows = [scout_row(transcript) for transcript in transcripts]
    text = [name for name in (rows[0] if rows else _scout_names()) if name not in ("task_repeat", "message_count")]
    schema = pyarrow.schema(
        [(name, pyarrow.large_string()) for name in text]
        + [(name, pyarrow.int64()) for name in ("task_repeat", "message_count")]
    )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), path, compression="zstd")
    return len(rows)


def _scout_names() -> list[str]:
    """Columns that are written, for an empty table."""
    return [
        "transcript_id", "source_type", "source_id", "source_uri", "date", "task_set", "task_id", "task_repeat", "agent", "model",
        "message_count", "messages", "source_sha256", "content_sha256",
    ]  # fmt: skip


def _string_or(value: Any, default: str) -> str:

    return value if isinstance(value, str) and value else default


_WRITERS: Final[dict[str, Callable[[Iterable[Transcript], Path], int]]] = {
    "canonical": _write_canonical,
    "openai_chat": _write_chat,
    "atif": _write_atif,
    "scout": _write_scout,
}
