"""Which files of a folder are one transcript: an agent's events in a file each, and trajectories that continue each other.

Told by what the files hold. A subagent's session is a transcript of its own (it acts on its own); `run` names the session
that it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from judge.transcripts.limits import Limits
from judge.transcripts.parts import obj, string
from judge.transcripts.source import Gathered

_DIGITS: Final = re.compile(r"(\d{1,18})")
_PEEK: Final = 4096
_EVENT: Final = re.compile(rb'\A\s*\{.*"(?:id|timestamp)"\s*:.*"source"\s*:\s*"(?:agent|user|environment)"', re.DOTALL)
_EVENT_KIND: Final = re.compile(rb'"(?:kind|action|observation)"\s*:')
_ATIF: Final = re.compile(rb'"schema_version"\s*:\s*"ATIF-v')


def gather(paths: list[Path], limits: Limits) -> Iterator[Path | Gathered]:
    """Yield the files of one folder, those that belong together as one, in the place of their first."""
    heads = {path: _peek(path) for path in paths}
    likely = [path for path in paths if _EVENT.match(heads[path]) and _EVENT_KIND.search(heads[path])]
    events = sorted((path for path in likely if _is_event(path, limits)), key=_numbers)  # 10.json comes after 9.json
    groups: dict[Path, list[Path]] = {}
    if len(events) > 1:
        groups[events[0]] = events
    trajectories = [path for path in paths if _ATIF.search(heads[path])]
    for chain in _chains(trajectories, limits):
        groups[chain[0]] = chain
    inner = {path for chain in groups.values() for path in chain[1:]}
    for path in paths:
        if path in groups:
            yield Gathered(path.parent, groups[path], limits)
        elif path not in inner:
            yield path


def _peek(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as stream:
            return stream.read(_PEEK)
    except OSError:
        return b""


def _numbers(path: Path) -> list[tuple[int, str]]:
    return [(int(step), "") if step.isdecimal() else (-1, step) for step in _DIGITS.split(path.name)]


def _is_event(path: Path, limits: Limits) -> bool:
    """Whether a file is one event: a log of many, or a run that holds such fields further in, is a transcript itself."""
    try:
        if path.stat().st_size > limits.file_bytes:
            return False
        event = obj(orjson.loads(path.read_bytes()))
    except (OSError, orjson.JSONDecodeError):
        return False
    return {"id", "timestamp", "source"} <= event.keys() and bool({"kind", "action", "observation"} & event.keys())


def _chains(paths: list[Path], limits: Limits) -> list[list[Path]]:
    """Trajectories that name the file in which they go on, each chain from its first."""
    names = {path.name: path for path in paths}
    following: dict[Path, Path] = {}
    for path in paths:
        try:
            if path.stat().st_size > limits.file_bytes:
                continue
            reference = obj(orjson.loads(path.read_bytes())).get("continued_trajectory_ref")
        except (OSError, orjson.JSONDecodeError):
            continue
        name = Path(
            string(reference) or string(obj(reference).get("path")) or string(obj(reference).get("trajectory_path"))
        ).name
        if name in names and names[name] != path:
            following[path] = names[name]
    continued = set(following.values())
    chains = []
    for path in paths:
        if path in following and path not in continued:
            chain = [path]
            while chain[-1] in following and following[chain[-1]] not in chain:
                chain.append(following[chain[-1]])
            chains.append(chain)
    return chains
