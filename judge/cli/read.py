"""`judge read`: what would be graded, before anything is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from judge.cli.common import (
    Format,
    Json,
    LimitsOption,
    Quiet,
    print_json,
    read_sources,
    report_unreadable,
    say,
)

if TYPE_CHECKING:
    from judge.transcripts.model import Transcript
    from judge.transcripts.source import Unreadable


def read(
    sources: Annotated[list[Path], typer.Argument(help="Files or folders of transcripts, from any harness.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE.jsonl", help="Write the canonical form, one per line.")
    ] = None,
    form: Annotated[
        str, typer.Option("--as", metavar="FORM", help="What --to writes: canonical, openai_chat, atif or scout.")
    ] = "canonical",
    loss: Annotated[bool, typer.Option("--loss", help="List the bytes of each file that no message covers.")] = False,
    detect: Annotated[
        bool, typer.Option("--detect", help="Only say what each file is: format, version, confidence, runner-up.")
    ] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Draft a mapping file for a format that is not known, from one file.")
    ] = False,
    format: Format = None,  # noqa: A002
    limits: LimitsOption = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what would be graded: id, harness, messages, tokens, warnings.

    Example: judge read runs/ --to transcripts.jsonl
    """
    from judge.text import counted

    if suggest or detect:
        _look(sources, limits, draft=suggest, json=json)
        return
    unreadable: list[Unreadable] = []
    found = 0
    stream = read_sources(sources, format, unreadable, limits)
    if to is not None:
        stream = _write(stream, to, form)
    if loss:
        found = _report_loss(stream, limits, json=json)
        stream = []
    for transcript in stream:
        found += 1
        row = _summarise(transcript)
        if json:
            print_json(row)
        else:
            print(_line(row))
    report_unreadable(unreadable, quiet=quiet)
    say(f"\n{counted(found, 'transcript')}" + (f", written to {to}" if to else ""), quiet=quiet)
    if not found and not any(item.empty for item in unreadable):  # a log without samples is as it should be
        raise typer.Exit(2)
    if any(not item.refused for item in unreadable):
        raise typer.Exit(1)


def _write(stream: Any, to: Path, form: str) -> Any:
    """Pass transcripts through while the canonical form is written; other forms are written first, in one go."""
    from judge.errors import InputError
    from judge.transcripts.canonical import encode
    from judge.transcripts.writers import export

    if form != "canonical":
        transcripts = list(stream)
        export(transcripts, to, form)
        yield from transcripts
        return
    try:
        with to.open("wb") as file:
            for transcript in stream:
                file.write(encode(transcript) + b"\n")
                yield transcript
    except OSError as error:
        raise InputError(f"{to}: cannot be written: {error.strerror}") from None


def _look(sources: list[Path], limits: list[str] | None, *, draft: bool, json: bool) -> None:
    """Print a drafted mapping, or what each file is."""
    from judge.cli.common import parse_limits
    from judge.errors import InputError
    from judge.text import one_line, quoted, visible
    from judge.transcripts.reading import detect
    from judge.transcripts.source import RefusedError
    from judge.transcripts.suggesting import suggest

    unknown = False
    for source in sources if draft else _each_file(sources):
        if draft:
            if source.is_dir():
                raise InputError(
                    f"{quoted(source, 400)}: a folder. A mapping is drafted from one file: name one in it."
                )
            print(visible(suggest(source, parse_limits(limits))), end="")
            continue
        try:
            found = detect(source, limits=parse_limits(limits))
        except InputError as error:
            if source in sources:
                raise
            refused = isinstance(error, RefusedError)
            unknown = unknown or not refused
            if json:
                print_json({"source": str(source), "format": None, "refused": refused, "reason": str(error)})
            else:
                print(visible(str(error)))
            continue
        second = f"{found.runner_up.name} {found.runner_up.confidence:.2f}" if found.runner_up else "none"
        row = {"source": str(source), "format": found.name, "version": found.version, "confidence": found.confidence}
        if json:
            print_json(row | {"runner_up": second})
        else:
            version = f" {one_line(found.version, 40)}" if found.version else ""
            print(
                f"{one_line(str(source), 100)}: {found.name}{version}, confidence {found.confidence:.2f}, runner-up {second}"
            )
    if unknown:  # a folder may hold anything; what could not be told is not passed over
        raise typer.Exit(1)


def _each_file(sources: list[Path]) -> Iterator[Path]:
    """The files that are named, and those in folders that are, in the order in which they are read."""
    from judge.transcripts.reading import walk

    for source in sources:
        if source.is_dir():
            yield from chain.from_iterable(walk(source))
        else:
            yield source


def _report_loss(stream: Any, limits: list[str] | None, *, json: bool) -> int:
    """Print what the messages of each file leave out of it, and return how many transcripts there were."""
    from itertools import groupby

    from judge.cli.common import parse_limits
    from judge.text import hidden, one_line
    from judge.transcripts.loss import measure

    count = 0
    for uri, group in groupby(stream, key=lambda transcript: transcript.source.uri):
        transcripts = list(group)
        count += len(transcripts)
        report = measure(Path(hidden(uri)), transcripts, parse_limits(limits))
        if json:
            print_json(report.model_dump())
            continue
        print(f"{one_line(uri, 120)}: {report.covered:,} of {report.total:,} bytes covered by messages")
        for item in report.losses:
            print(f"  {item.bytes:>12,} bytes in {item.items:>6,}  {one_line(item.category, 100)}")
    return count


def _summarise(transcript: Transcript) -> dict[str, Any]:
    from collections import Counter

    from judge.grading.windows.tokens import estimate_tokens

    kinds = Counter(part.kind for _, part in transcript.parts())
    return {
        "transcript_id": transcript.id,
        "source": transcript.source.label,
        "format": transcript.source.format,
        "format_version": transcript.source.format_version,
        "messages": len(transcript.messages),
        "by_target": sum(message.by_target for message in transcript.messages),
        "parts": dict(kinds),
        "tokens": sum(estimate_tokens(part.text) for _, part in transcript.parts()),
        "withheld": sorted(transcript.withheld),
        "warnings": [warning.model_dump(exclude_none=True) for warning in transcript.warnings],
        "complete": transcript.complete,
    }


def _line(row: dict[str, Any]) -> str:
    from judge.text import end_of, one_line

    notes = [f"withheld: {', '.join(row['withheld'])}"] if row["withheld"] else []
    notes += [f"{warning['code']}: {warning['detail']}" for warning in row["warnings"][:3]]
    if len(row["warnings"]) > 3:
        notes.append(f"{len(row['warnings']) - 3} more warnings, see --json")
    head = (
        f"{one_line(row['transcript_id'], 40):<18} {row['format']:<22} {row['messages']:>5} messages "
        f"{row['by_target']:>5} by target "
        f"{row['tokens']:>9,} tokens  {end_of(row['source'], 100)}"
    )
    return "\n".join([head, *(f"    {one_line(note, 160)}" for note in notes)])
