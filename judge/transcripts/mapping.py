"""Any other shape, through a small mapping file: YAML that says by JMESPath where the messages are and what is in them.

    name: night-shift-logs        # what the format is called
    records: runs                 # where the transcripts are in a file; left out: the whole file, or each line or row
    id: run_id                    # a record's own id, for reference
    messages: steps               # where the messages are in a record
    role: who                     # in a message: who speaks
    roles: {bot: assistant, boss: user, env: tool}
    author: who_exactly           # optional: a name for authors other than the target
    text: said                    # what is said
    reasoning: thought            # private reasoning
    calls: actions                # tool calls, one or a list
    call: {name: tool, arguments: args, id: id}
    result: output                # what a tool gave back
    answers: action_id            # the id of the call that it answers
    run: {task: task_name}        # facts to group by
    withheld: [score, meta.label] # never shown to a judge

`suggest` drafts one from the data itself. Expressions are looked up, never executed; what they don't find is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath
import jmespath.exceptions
from pydantic import Field, ValidationError, field_validator

from judge.errors import InputError
from judge.frozen import Frozen
from judge.strict_yaml import read_yaml
from judge.text import quoted
from judge.transcripts.blocks import content_pieces
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.model import Role, Transcript
from judge.transcripts.parts import Piece, call, compact, maybe, reasoning, result, string
from judge.transcripts.pointing import Place
from judge.transcripts.source import Opened, Record, Unreadable, elements, lines, table_rows, whole


class Mapping(Frozen):
    """Where things are, as JMESPath expressions; see the module for what each is for."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,60}$")
    records: str | None = None
    id: str | None = None
    messages: str
    role: str
    roles: dict[str, Role] = Field(default_factory=dict)
    author: str | None = None
    text: str | None = None
    reasoning: str | None = None
    calls: str | None = None
    call: dict[str, str] = Field(default_factory=dict)
    result: str | None = None
    answers: str | None = None
    run: dict[str, str] = Field(default_factory=dict)
    withheld: tuple[str, ...] = ()

    @field_validator("records", "id", "messages", "role", "author", "text", "reasoning", "calls", "result", "answers")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            _compiled(value)
        return value


def _compiled(expression: str) -> Any:
    try:
        return jmespath.compile(expression)
    except (jmespath.exceptions.JMESPathError, RecursionError) as error:
        raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from None


def find(expression: str | None, value: Any) -> Any:
    """Return what an expression finds in a value, or None."""
    if expression is None:
        return None
    try:
        return _compiled(expression).search(value)
    except (jmespath.exceptions.JMESPathError, RecursionError, TypeError, ValueError):
        return None  # a function applied to a value of another type: not there


def load_mapping(path: Path) -> Mapping:
    """Return the mapping in a YAML file.

    Raises:
        InputError: naming file, line and field that do not fit.
    """
    document = read_yaml(path)
    data = document.data
    if isinstance(data, dict) and isinstance(data.get("withheld"), list):
        data = data | {"withheld": tuple(data["withheld"])}
    try:
        return Mapping.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = tuple(first["loc"])
        raise InputError(
            f"{quoted(path, 400)}, line {document.line(place)}: {'.'.join(map(str, place)) or 'the mapping'}: {first['msg']}. "
            f"Fields: {', '.join(Mapping.model_fields)}."
        ) from None


class MappedReader:
    """A reader made from a mapping: it is only used when asked for, so it never claims a file."""

    def __init__(self, mapping: Mapping) -> None:
        self.NAME = mapping.name  # part of the protocol that modules fulfil
        self._mapping = mapping

    def sniff(self, probe: Probe) -> Match | None:  # noqa: ARG002
        """Never: a mapping is named."""
        return None

    def records(self, opened: Opened) -> Iterator[Record | Unreadable]:
        """Yield what `records` finds, or the file, its lines or its rows."""
        mapping = self._mapping
        if opened.container == "parquet":
            yield from table_rows(opened)
        elif opened.container == "jsonl":
            yield from lines(opened)
        elif mapping.records is None:
            value = opened.document[0]
            several = isinstance(value, list) and not isinstance(find(mapping.messages, value), list)
            yield from elements(opened) if several else whole(opened)
        else:
            found = find(mapping.records, opened.document[0])
            places = _places(opened.document[0])
            for index, value in enumerate(found if isinstance(found, list) else [found]):
                place = places.get(id(value))
                if value is None or place is None:
                    yield Unreadable(f"{opened.uri}#{index}", f"'records' found nothing readable at position {index}.")
                    continue
                yield Record(
                    opened, value, compact(value).encode("utf-8", "replace"), path=place, locator=place,
                    warnings=opened.document[1],
                )  # fmt: skip

    def transcribe(self, record: Record) -> Transcript:
        """Return one transcript."""
        mapping = self._mapping
        draft = Draft(record, mapping.name, "mapped")
        found = find(mapping.messages, record.value)
        places = _places(record.value)
        said = sum(self._add(draft, message, record, places) for message in (found if isinstance(found, list) else []))
        if len(draft) and not said:
            where = quoted("#".join(part for part in (record.opened.uri, record.locator) if part), 400)
            raise InputError(
                f"{where}: the mapping finds messages, and in none of them words, calls or results. `text`, `calls` and "
                "`result` say where they are; `judge read --suggest FILE` drafts them from the data."
            )
        draft.native_id = maybe(find(mapping.id, record.value))
        draft.run.update({name: find(expression, record.value) for name, expression in mapping.run.items()})
        for expression in mapping.withheld:
            value = find(expression, record.value)
            if value is not None:
                draft.withheld[expression] = value
        return draft.finish()

    def _add(self, draft: Draft, message: Any, record: Record, places: dict[int, str]) -> bool:
        """Add one message and say whether there is anything in it."""
        mapping = self._mapping
        raw_role = compact(find(mapping.role, message))
        role = mapping.roles.get(raw_role) or ROLES.get(raw_role.lower())
        if role is None:
            draft.warn("unknown_role", f"the role '{raw_role[:40]}' is in no list of the mapping; read as an event")
            role = "event"
        pieces: list[Piece] = []
        thought = compact(find(mapping.reasoning, message))
        if thought:
            pieces.append(reasoning(thought))
        said = find(mapping.text, message)
        if role != "tool" or mapping.result:
            pieces += content_pieces(said, draft)
        pieces += self._calls(message)
        output = find(mapping.result, message) if mapping.result else (said if role == "tool" else None)
        place = places.get(id(message))
        at: Place = record.point(message, place) if place is not None else record.point(record.value, "")
        author = maybe(find(mapping.author, message)) if role != "assistant" else None
        if output is not None and role == "assistant":
            draft.say(role, pieces, at=at)
            draft.say("tool", [result(compact(output), native_id=maybe(find(mapping.answers, message)))], at=at)
            return True
        if output is not None:
            pieces.append(result(compact(output), native_id=maybe(find(mapping.answers, message))))
        if not pieces:
            draft.warn("empty_message", "a message in which the mapping finds nothing", at.path)
        draft.say(role, pieces, at=at, author=author)
        return bool(pieces)

    def _calls(self, message: Any) -> list[Piece]:
        mapping = self._mapping
        found = find(mapping.calls, message)
        made = found if isinstance(found, list) else [found]
        keys = {"name": "name", "arguments": "arguments", "id": "id"} | mapping.call
        return [
            call(string(find(keys["name"], one)), find(keys["arguments"], one), maybe(find(keys["id"], one)))
            if isinstance(one, dict)
            else call("", one)
            for one in made
            if one not in (None, "", {})
        ]


def _places(value: Any) -> dict[int, str]:
    """JSON pointer of every object and list in a value, by identity: JMESPath gives back the very objects it finds."""
    found: dict[int, str] = {id(value): ""}
    stack: list[tuple[Any, str]] = [(value, "")]
    while stack:
        item, place = stack.pop()
        if isinstance(item, dict):
            children = [
                (child, f"{place}/{name.replace('~', '~0').replace('/', '~1')}") for name, child in item.items()
            ]
        else:
            children = (
                [(child, f"{place}/{index}") for index, child in enumerate(item)] if isinstance(item, list) else []
            )
        for child, where in children:
            if isinstance(child, dict | list):
                found[id(child)] = where
                stack.append((child, where))
    return found
