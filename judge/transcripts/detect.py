"""What a file is, by its structure: the candidates in order, and an error when two are equally likely.

A file's name is never looked at. Each reader's `sniff` says how sure it is; weak shapes (a bare list of role and content)
give low figures, so that a harness that shares them wins when its own keys are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.limits import Limits
from judge.transcripts.source import Container, Opened, RefusedError

_MARGIN: Final = 0.05  # two candidates closer than this are equally likely
_FLOOR: Final = 0.2
_SAMPLE_ROWS: Final = 64
_SAMPLE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Match:
    """How sure a reader is that a file is its own (0..1), and the version of the format where the file tells."""

    confidence: float
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of a file. `refusal` says what it is when it is no transcript."""

    name: str
    confidence: float
    version: str | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """The chosen format of a file, with the next best."""

    name: str
    version: str | None
    confidence: float
    runner_up: Candidate | None = None


@dataclass
class Probe:
    """What a sniffer may look at: the container, and the parsed beginning of its content."""

    opened: Opened
    limits: Limits = field(default_factory=Limits)

    @cached_property
    def container(self) -> Container:
        """What the bytes are."""
        return self.opened.container

    @cached_property
    def doc(self) -> Any:
        """The value of a JSON file, else None; of one that was cut, without the element that the cut went through."""
        if self.container != "json":
            return None
        value, warnings = self.opened.document
        return _without_tail(value) if any(warning.code == "truncated" for warning in warnings) else value

    @cached_property
    def rows(self) -> list[Any]:
        """The first values of a JSONL file, or of a JSON array; else nothing."""
        if self.container == "jsonl":
            return [row.value for row in self.opened.peek(_SAMPLE_ROWS, _SAMPLE_BYTES) if not row.broken]
        return self.doc[:_SAMPLE_ROWS] if isinstance(self.doc, list) else []

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The objects among `rows`; for a JSON file that holds one object, that object."""
        if isinstance(self.doc, dict):
            return [self.doc]
        return [row for row in self.rows if isinstance(row, dict)]

    @cached_property
    def first(self) -> dict[str, Any]:
        """The first object, or an empty one."""
        return self.objects[0] if self.objects else {}

    @cached_property
    def names(self) -> list[str]:
        """Names of the members of an archive, else nothing."""
        return self.opened.archive.names if self.container == "zip" else []

    @cached_property
    def text(self) -> str:
        """The beginning of a text file, else an empty string."""
        return self.opened.head.decode("utf-8-sig", "replace") if self.container == "text" else ""

    def share(self, *keys: str) -> float:
        """Share of the sampled objects that have every one of these keys."""
        if not self.objects:
            return 0.0
        return sum(all(key in item for key in keys) for item in self.objects) / len(self.objects)


def _without_tail(value: Any) -> Any:
    """Drop the last element of the outermost list that ends where the value ends, as far as it leaves any."""
    if isinstance(value, list) and len(value) > 1:
        return value[:-1]
    if isinstance(value, list) and value:
        return [_without_tail(value[0])]
    if isinstance(value, dict) and value:
        last = next(reversed(value))
        return value | {last: _without_tail(value[last])}
    return value


def decide(candidates: list[Candidate], uri: str) -> Detection:
    """Return the best candidate.

    Raises:
        InputError: when none fits, when the best is known not to be a transcript, or when two are equally likely.
    """
    ranked = sorted((one for one in candidates if one.confidence >= _FLOOR), key=lambda one: -one.confidence)
    if not ranked:
        raise InputError(
            f"{quoted(uri, 400)}: no known transcript format. `judge read --suggest FILE` drafts a mapping for it; "
            "`--format NAME` reads it as a format that you name."
        )
    best = ranked[0]
    if best.refusal:
        raise RefusedError(f"{quoted(uri, 400)}: {best.refusal}")
    second = ranked[1] if len(ranked) > 1 else None
    if second and best.confidence - second.confidence < _MARGIN and not second.refusal:
        raise InputError(
            f"{quoted(uri, 400)}: could be {best.name} ({best.confidence:.2f}) or {second.name} ({second.confidence:.2f}). "
            f"Say which: --format {best.name} or --format {second.name}."
        )
    return Detection(best.name, best.version, best.confidence, second)
