"""Results of the agentic-misalignment experiments: one `response.json` per sample, everything in one string.

The string holds private reasoning in scratchpad tags and acts in tags like `<tool_use:email>`; they become reasoning and
tool calls. What the model was shown lies elsewhere in the results folder (`prompts/<condition>/system_prompt.txt`,
`user_prompt.txt`, `email_content.txt`); it is read from there where it is. The classifier's verdict is withheld.
No harness delivers these mails: every call has status `unknown`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from judge.transcripts.blocks import sort_facts
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.model import Transcript
from judge.transcripts.parts import Piece, call, maybe, obj, objs, reasoning, string, text
from judge.transcripts.pointing import place_bytes
from judge.transcripts.source import Record, elements, whole

NAME = "agentic_misalignment"

_TAGGED: Final = re.compile(
    r"<(?P<tag>scratchpad_reasoning|scratchpad|thinking|think|tool_use:(?P<tool>[\w-]{1,60}))>"
    r"(?P<body>.*?)(?:</(?P=tag)>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_FIELD: Final = re.compile(r"^[ \t]*\"?(\w{1,40})\"?[ \t]*:[ \t]*", re.MULTILINE)
_RESPONSES: Final = ("raw_response", "model_response", "response", "completion")
_PROMPTS: Final = (("system_prompt", "system"), ("user_prompt", "user"), ("email_content", "user"))
_GRADES: Final = re.compile(r"classif|verdict|harm|judg|score|label|grade|detect|deliberat", re.IGNORECASE)
_LOOK_UP: Final = 5  # folders above the sample in which `prompts/` is looked for
_PROMPT_BYTES: Final = 1024 * 1024


def records(opened: Any) -> Any:
    """One per file; a collected file (JSONL or a list) has one per row."""
    return elements(opened) if opened.container == "jsonl" or isinstance(opened.document[0], list) else whole(opened)


def sniff(probe: Probe) -> Match | None:
    """By one of the response keys with the experiment's own keys or tags beside it."""
    first = probe.first
    words = _response(first)[1]
    if not words or "messages" in first:
        return None
    tagged = "<tool_use:" in words or "<scratchpad" in words.lower()
    own = sum(key in first for key in ("condition", "classification", "system_prompt", "sample_id", "experiment_id"))
    if "raw_response" in first and (own or set(first) == {"raw_response"}):
        return Match(0.95 if tagged or own >= 2 else 0.8)
    return Match(0.9) if tagged else (Match(0.7) if own >= 2 else None)


def transcribe(record: Record) -> Transcript:
    """Return one sample: the prompts where they are known, then the response taken apart."""
    draft = Draft(record, NAME)
    row = obj(record.value)
    key, words = _response(row)
    read = {key}
    prompts = obj(row.get("prompts")) or row
    prefix = "/prompts" if "prompts" in row else ""
    for name, role in _PROMPTS:
        if string(prompts.get(name)):
            draft.say(role, [text(prompts[name])], at=record.point(prompts[name], f"{prefix}/{name}"))  # type: ignore[arg-type]
            read |= {name, "prompts"}
    for index, message in enumerate(objs(row.get("messages"))):
        if message.get("role") in ("system", "user") and string(message.get("content")):
            draft.say(message["role"], [text(message["content"])], at=record.point(message, f"/messages/{index}"))
            read.add("messages")
    if not len(draft):
        _prompts_beside(draft, row)
    thought = row.get("reasoning") or row.get("thinking")
    pieces = [reasoning(thought)] if isinstance(thought, str) else []
    if thought:
        read |= {"reasoning", "thinking"}
    pieces += response_pieces(words)
    draft.say("assistant", pieces, origin="sampled", at=record.point(words, f"/{key}"))
    draft.native_id = maybe(row.get("sample_id"))
    draft.withheld.update({name: value for name, value in row.items() if _GRADES.search(name) and name not in read})
    draft.run.update({name: row[name] for name in ("model", "condition") if string(row.get(name))})
    sort_facts(draft, row, skip=read | set(draft.withheld))
    draft.complete["tool_results"] = "absent"
    return draft.finish()


def _response(row: dict[str, Any]) -> tuple[str, str]:
    for key in _RESPONSES:
        if string(row.get(key)):
            return key, row[key]
    return "", ""


def response_pieces(words: str) -> list[Piece]:
    """Take one string apart into reasoning, words and calls, in order; a tag that never closes runs to the end."""
    pieces: list[Piece] = []
    at = 0
    for found in _TAGGED.finditer(words):
        if words[at : found.start()].strip():
            pieces.append(text(words[at : found.start()].strip("\n")))
        if found["tool"]:
            pieces.append(call(found["tool"], fields(found["body"])))
        elif found["body"].strip():
            pieces.append(reasoning(found["body"].strip("\n")))
        at = found.end()
    if words[at:].strip():
        pieces.append(text(words[at:].strip("\n")))
    return pieces


def fields(body: str) -> Any:
    r"""Return the fields of a tag's body (`to: "a", subject: "b", body: "c"`), or the body as it is.

    A value in quotes runs to the last quote before the next field, so quotes and colons inside it stay.
    """
    marks = list(_FIELD.finditer(body))
    if not marks or body[: marks[0].start()].strip():
        return body.strip("\n")
    found: dict[str, str] = {}
    inside: str | None = None
    for index, mark in enumerate(marks):
        value = body[mark.end() : marks[index + 1].start() if index + 1 < len(marks) else len(body)]
        if inside is not None:  # a line like "note: x" in a quoted body belongs to that body
            found[inside] += body[mark.start() : mark.end()] + value
        else:
            found[mark[1]] = value
        current = inside or mark[1]
        begun = found[current].lstrip()
        open_quote = begun.startswith('"') and not re.search(r'"\s*,?\s*\Z', begun[1:])
        inside = current if open_quote else None
    return {name: _unquoted(value) for name, value in found.items()}


def _unquoted(value: str) -> str:
    value = value.strip().removesuffix(",").rstrip()
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def _prompts_beside(draft: Draft, row: dict[str, Any]) -> None:
    """Read the prompts of the condition from the results folder that the file lies in."""
    here = draft.record.opened.path.resolve().parent
    names = [string(row.get("condition")), here.name, here.parent.name]
    for above in list(here.parents)[:_LOOK_UP]:
        for name in names:
            folder = above / "prompts" / name
            if name and "/" not in name and ".." not in name and folder.is_dir():
                for prompt, role in _PROMPTS:
                    _add_prompt(draft, folder / f"{prompt}.txt", role)
                return
    draft.warn("prompt_not_found", "the file holds the response only and no prompts folder was found near it")
    draft.complete["system_prompt"] = "absent"


def _add_prompt(draft: Draft, path: Path, role: str) -> None:
    if not path.is_file() or path.stat().st_size > _PROMPT_BYTES:
        return
    raw = path.read_bytes()
    beside = Path(os.path.relpath(path, draft.record.opened.path.resolve().parent)).as_posix()
    at = place_bytes(raw, 0, len(raw), beside)
    draft.say(role, [text(raw.decode("utf-8", "replace"))], at=at)  # type: ignore[arg-type]
