"""A mapping drafted from the data itself: where lists of messages seem to be, and what each field seems to hold.

A guess, written down for a person to correct; `like_messages` uses the same guess when it leaves nothing open. Looks at
structure and at a few values; never at the file's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.draft import ROLES
from judge.transcripts.limits import Limits
from judge.transcripts.model import Role
from judge.transcripts.parts import obj, objs
from judge.transcripts.source import Opened, table_rows

_ROLE_KEYS: Final = (
    "role",
    "from",
    "speaker",
    "who",
    "sender",
    "author",
    "source",
    "type",
    "actor",
    "participant",
    "party",
)
_TEXT_KEYS: Final = (
    "content",
    "text",
    "value",
    "message",
    "said",
    "body",
    "utterance",
    "msg",
    "output_text",
    "response",
)
_THOUGHT_KEYS: Final = ("reasoning", "thought", "thinking", "reasoning_content", "thoughts", "scratchpad", "rationale")
_CALL_KEYS: Final = ("tool_calls", "calls", "actions", "action", "function_call", "tool_call", "tool_use", "toolCalls")
_RESULT_KEYS: Final = ("tool_result", "observation", "tool_output", "function_result", "result", "output")
_ANSWER_KEYS: Final = ("tool_call_id", "call_id", "tool_use_id", "in_reply_to", "action_id")
_NAME_KEYS: Final = ("name", "tool", "function", "tool_name", "function_name", "toolName")
_ARGUMENT_KEYS: Final = ("arguments", "args", "input", "parameters", "params", "kwargs")
_GUESSED: Final[dict[str, Role]] = {
    "bot": "assistant", "llm": "assistant", "agent": "assistant", "claude": "assistant", "gpt": "assistant", "ai": "assistant",
    "chatgpt": "assistant", "model": "assistant", "assistant": "assistant", "target": "assistant", "response": "assistant",
    "customer": "user", "client": "user", "operator": "user", "person": "user", "prompter": "user", "principal": "user",
    "instruction": "system", "instructions": "system", "sys": "system", "env": "tool", "api": "tool", "tool_result": "tool",
    "tool_response": "tool", "function_response": "tool", "observation": "tool", "result": "tool", "executor": "tool",
}  # fmt: skip


@dataclass(slots=True)
class Guess:
    """What a file's messages look like."""

    records: str | None
    messages: str
    role: str
    roles: dict[str, Role | None] = field(default_factory=dict)  # None: a value that nothing can be made of
    fields: dict[str, str] = field(default_factory=dict)
    call: dict[str, str] = field(default_factory=dict)
    count: int = 0
    others: list[str] = field(default_factory=list)  # where other lists stand that are as clearly messages

    @property
    def clear(self) -> bool:
        """Whether every role is known, one of them the assistant's, and there is text."""
        known = set(self.roles.values())
        return None not in known and "assistant" in known and len(known) > 1 and "text" in self.fields

    @property
    def settled(self) -> bool:
        """Whether nothing is left open: of two conversations in one record, one may be a grader's."""
        return self.clear and not self.others

    @property
    def place(self) -> str:
        """Where the messages are, in one expression."""
        return f"{self.records}[].{self.messages}" if self.records else self.messages


def suggest(path: Path, limits: Limits | None = None) -> str:
    """Return a mapping for a file as YAML with comments, to be corrected by a person.

    Raises:
        InputError: when nothing in the file looks like a list of messages.
    """
    opened = Opened(path, str(path), limits or Limits())
    guess = guess_mapping(*sample(opened))
    if guess is None:
        raise InputError(
            f"{quoted(path, 400)}: no list of objects that have a speaker and words. A mapping needs `messages`, `role` and "
            "`text`; write it by hand if the conversation is stored in another way."
        )
    return _as_yaml(guess, path)


def sample(opened: Opened) -> tuple[Any, bool]:
    """Return a value to guess from, and whether it is one of many records."""
    if opened.container == "json":
        return opened.document[0], False
    if opened.container == "jsonl":
        rows = []
        for row in opened.rows():
            rows.append(row.value)
            if len(rows) >= 20:
                break
        return rows, True
    if opened.container == "parquet":
        first = next(iter(table_rows(opened)), None)
        return [getattr(first, "value", None)], True
    return None, False


def guess_mapping(value: Any, rows: bool) -> Guess | None:
    """Return the best guess at where the messages of a value are, or None."""
    best: Guess | None = None
    clear: dict[str, None] = {}
    for path, items in _lists(value):
        guess = _guess_list(path, items, rows)
        if guess and guess.clear:
            clear[guess.place] = None
        if guess and (best is None or (guess.clear, guess.count) > (best.clear, best.count)):
            best = guess
    if best is not None:
        best.others = [place for place in clear if place != best.place]
    return best


def _lists(
    value: Any, path: tuple[str | int, ...] = (), depth: int = 0
) -> Iterator[tuple[tuple[str | int, ...], list[Any]]]:
    """Every list of objects within a few levels, with its path; only the first items of a list are followed."""
    if depth > 6:
        return
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value[:50]):
            yield path, value
        for index, item in enumerate(value[:3]):
            yield from _lists(item, (*path, index), depth + 1)
    elif isinstance(value, dict):
        for name, item in list(value.items())[:100]:
            yield from _lists(item, (*path, name), depth + 1)


def _guess_list(path: tuple[str | int, ...], items: list[Any], rows: bool) -> Guess | None:
    sampled = objs(items)[:200]
    keys: Counter[str] = Counter(key for item in sampled for key in item)
    role = next((key for key in _ROLE_KEYS if keys[key] >= 0.9 * len(sampled) and _are_roles(sampled, key)), None)
    if role is None:
        return None
    found = {str(item.get(role)): None for item in sampled}
    roles: dict[str, Role | None] = {name: ROLES.get(name.lower()) or _GUESSED.get(name.lower()) for name in found}
    fields = {
        name: key
        for name, candidates in (
            ("text", _TEXT_KEYS), ("reasoning", _THOUGHT_KEYS), ("calls", _CALL_KEYS), ("result", _RESULT_KEYS),
            ("answers", _ANSWER_KEYS),
        )
        for key in [next((one for one in candidates if keys[one] and one != role), None)]
        if key
    }  # fmt: skip
    if "text" not in fields:
        return None
    records, messages = _expressions(path, rows)
    guess = Guess(records, messages, role, roles, fields, count=len(items))
    if "calls" in fields:
        guess.call = _guess_call(sampled, fields["calls"])
    return guess


def _are_roles(items: list[dict[str, Any]], key: str) -> bool:
    """Whether a field holds few different short words, at least one of them a speaker that we know."""
    values = {item.get(key) for item in items if isinstance(item.get(key), str)}
    named = {str(value).lower() for value in values}
    return 0 < len(values) <= 12 and len(values) >= 1 and bool(named & (ROLES.keys() | _GUESSED.keys()))


def _expressions(path: tuple[str | int, ...], rows: bool) -> tuple[str | None, str]:
    """Part a path at its last list index: before it are the records, after it the messages of one record."""
    if rows and path and isinstance(path[0], int):
        path = path[1:]
    at = max((index for index, step in enumerate(path) if isinstance(step, int)), default=-1)
    records = _joined(path[:at]) if at >= 0 else None
    return (records or ("@" if at == 0 else None)), _joined(path[at + 1 :]) or "@"


def _joined(steps: tuple[str | int, ...]) -> str:
    words = []
    for step in steps:
        if isinstance(step, int):
            words.append(f"[{step}]")
        else:
            words.append('"' + step.replace('"', '\\"') + '"' if _quote(step) else step)
    return ".".join(words).replace(".[", "[")


def _quote(step: str) -> bool:
    return not step.isidentifier() or not step.isascii()


def _guess_call(items: list[dict[str, Any]], key: str) -> dict[str, str]:
    for item in items:
        value = item.get(key)
        first = obj(value[0] if isinstance(value, list) and value else value)
        prefix, holder = (
            ("function.", obj(first.get("function"))) if isinstance(first.get("function"), dict) else ("", first)
        )
        name = next((one for one in _NAME_KEYS if isinstance(holder.get(one), str)), None)
        args = next((one for one in _ARGUMENT_KEYS if one in holder), None)
        if name:
            call = {"name": prefix + name}
            call |= {"arguments": prefix + args} if args else {}
            return call | ({"id": "id"} if "id" in first else {})
    return {}


def _as_yaml(guess: Guess, path: Path) -> str:
    quote = '"{}"'.format
    lines = [
        "# Drafted from the data; read it before you trust it, then: judge read FILE --format THIS.yaml",
        f"# {guess.count} messages in the list that was looked at ({path.name})",
        *(f"# another list of messages stands at {place}: is one of them a grader's?" for place in guess.others[:20]),
        "name: my-logs",
    ]
    if guess.records:
        lines.append(f"records: {quote(guess.records) if not guess.records.isidentifier() else guess.records}")
    lines.append(f"messages: {quote(guess.messages) if not guess.messages.isidentifier() else guess.messages}")
    lines.append(f"role: {guess.role}")
    lines.append("roles:")
    for name, role in guess.roles.items():
        safe = name.replace("\\", "\\\\").replace('"', '\\"')
        remark = "" if role else "  # not recognised: system, user, assistant, tool, environment or event?"
        lines.append(f'  "{safe}": {role or "event"}{remark}')
    lines += [f"{name}: {key}" for name, key in guess.fields.items()]
    if guess.call:
        lines.append("call:")
        lines += [f"  {name}: {expression}" for name, expression in guess.call.items()]
    lines.append(
        "withheld: []  # scores, labels and grader notes of a record: name them here, a judge must not see them"
    )
    return "\n".join(lines) + "\n"
