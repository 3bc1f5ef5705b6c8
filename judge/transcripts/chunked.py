"""Inspect samples that are stored in chunks: a shell, and beside it its messages, attachments and events in parts.

Archives alone have them. Which member belongs to which sample follows from its folder; a chunk is named for the number of
the first thing in it. Knows nothing of what a message is.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.jsontext import Origin, parse
from judge.transcripts.parts import obj, seq
from judge.transcripts.pointing import Place, place_value
from judge.transcripts.source import Opened

_SHELL: Final = "sample.json"


class Chunked(NamedTuple):
    """A sample put together: its value, the bytes that its id is taken from, and where each of its messages stands."""

    value: dict[str, Any]
    raw: bytes
    places: list[Place]


def sort_members(names: list[str]) -> dict[str, list[str] | None]:
    """Return the members of an archive that are a sample each, with those beside a shell; None for a whole sample."""
    inside = [(name, name.split("/", 2)[1:]) for name in names if name.startswith("samples/")]
    chunks: dict[str, list[str]] = {folder: [] for _, (folder, *rest) in inside if rest == [_SHELL]}
    found: dict[str, list[str] | None] = {}
    for name, (folder, *rest) in inside:
        if rest == [_SHELL]:
            found[name] = chunks[folder]
        elif rest and folder in chunks:
            chunks[folder].append(name)
        elif name.endswith(".json"):
            found[name] = None
    return found


def open_chunks(opened: Opened, shell: str, members: list[str]) -> Chunked:
    """Put a sample together. Of its events only the first chunk is read, for the tools that were offered.

    Raises:
        InputError: for a chunk that cannot be read, or a message that is in none.
    """
    folder = shell.removesuffix(_SHELL)
    texts = [opened.archive.read(shell)]

    def read(member: str) -> Any:
        texts.append(opened.archive.read(member))
        return parse(texts[-1], Origin(f"{opened.uri}#{member}"), opened.limits)[0]

    sample = obj(parse(texts[0], Origin(f"{opened.uri}#{shell}"), opened.limits)[0])
    messages: list[Any] = []
    places: list[Place] = []
    for start, member in _in_order(members, f"{folder}messages/"):
        if start != len(messages):
            raise InputError(f"{quoted(opened.uri, 400)}, member {quoted(member)}: the chunk before it is missing.")
        values = seq(read(member))
        messages += values
        places += [place_value(value, f"/{index}", member) for index, value in enumerate(values)]
    stored: dict[str, Any] = {}
    for start, member in _in_order(members, f"{folder}attachments/"):
        stored |= {str(start + index): value for index, value in enumerate(seq(read(member)))}
    raw = b"".join(texts)
    refs = sample.get("message_refs")
    if _reach(refs) > len(messages):
        where = f"{quoted(opened.uri, 400)}, member {quoted(shell)}"
        raise InputError(f"{where}: it refers to messages that are in no chunk; the log was cut off or is damaged.")
    told = pool_numbers(refs, len(messages))
    sample |= {"messages": [messages[number] for number in told], "attachments": stored}
    if f"{folder}events/0.json" in opened.archive:
        sample["events"] = read(f"{folder}events/0.json")
    return Chunked(sample, raw, [places[number] for number in told])


def _in_order(members: list[str], folder: str) -> list[tuple[int, str]]:
    """The chunks in a folder with the number that each is named for."""
    numbers = [(name.removeprefix(folder).removesuffix(".json"), name) for name in members if name.startswith(folder)]
    return sorted((int(number), name) for number, name in numbers if number.isdecimal() and len(number) < 19)


def _reach(refs: Any) -> int:
    """How many messages there must be for all references to stand for some."""
    ends = [
        ref[1] if isinstance(ref, list) and len(ref) == 2 else ref + 1 if type(ref) is int else 0 for ref in seq(refs)
    ]
    return max((end for end in ends if type(end) is int), default=0)


def pool_numbers(refs: Any, size: int) -> list[int]:
    """Return the pool indices that references stand for: numbers, or pairs [from, to)."""
    numbers: list[int] = []
    for ref in seq(refs):
        if isinstance(ref, list) and len(ref) == 2 and all(type(one) is int for one in ref):
            numbers.extend(range(max(0, ref[0]), min(ref[1], size)))
        elif type(ref) is int and 0 <= ref < size:
            numbers.append(ref)
        if len(numbers) > size * 2:
            break
    return numbers
