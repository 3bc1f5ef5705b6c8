"""From paths to transcripts: walk, detect, read, and account for every file that gave none.

`iter_transcripts` streams; `read` collects and insists. Neither looks at file names, follows links to folders, opens
special files, or touches the network.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.building import Uncollected
from judge.transcripts.detect import Candidate, Detection, Probe, decide
from judge.transcripts.grouping import gather
from judge.transcripts.harness import Reader, reader, readers
from judge.transcripts.limits import Limits
from judge.transcripts.model import Transcript
from judge.transcripts.refusals import refusals
from judge.transcripts.seen import Seen
from judge.transcripts.source import Gathered, Opened, Record, RefusedError, Unreadable, name_file


def read(source: str | Path, *, format: str | None = None, limits: Limits | None = None) -> list[Transcript]:  # noqa: A002
    """Return every transcript in a file or folder.

    Raises:
        InputError: when a file cannot be read. For a folder, files that are no transcripts are passed over (use
            `iter_transcripts` to see them), but a folder without any transcript is an error. A log of a run without
            samples is none: it holds no transcripts.
    """
    found: list[Transcript] = []
    failed: list[Unreadable] = []
    for item in iter_transcripts([source], format=format, limits=limits):
        if isinstance(item, Transcript):
            found.append(item)
        elif not item.empty:
            failed.append(item)
    broken = [item for item in failed if not item.refused]
    if broken or (failed and not found):
        first = (broken or failed)[0]
        more = f" ({len(failed) - 1} more could not be read.)" if len(failed) > 1 else ""
        raise InputError(first.reason + more)
    return found


def iter_transcripts(
    sources: Iterable[str | Path],
    *,
    format: str | None = None,  # noqa: A002
    limits: Limits | None = None,
) -> Iterator[Transcript | Unreadable]:
    """Yield every transcript of these files and folders, and an `Unreadable` for each file or record that gave none.

    Folders are walked in name order; hidden files are passed over. `Source.uri` is the path as given (for a folder:
    joined with the path below it), so ids and labels are the same on every machine that is given the same paths.

    Raises:
        InputError: for a source that does not exist, a folder without files, or an unknown `format`.
    """
    limits = limits or Limits()
    chosen = reader(format) if format else None
    for source in sources:
        for found in _files(Path(source), limits):
            yield from _read_file(found, chosen, limits)


def detect(path: str | Path, *, limits: Limits | None = None) -> Detection:
    """Say what a file is: format, version, confidence and runner-up.

    Raises:
        InputError: when it is no transcript (`RefusedError`), of no known format, or ambiguous.
    """
    opened = _open(Path(path), str(path), limits or Limits())
    return _detect(opened)


def walk(source: Path) -> Iterator[list[Path]]:
    """Yield the files of each folder in a folder, in name order; hidden ones are passed over, links to folders not followed."""
    for folder, subfolders, names in os.walk(source):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield [Path(folder) / name for name in sorted(names) if not name.startswith(".")]


def _files(source: Path, limits: Limits) -> Iterator[Path | Gathered]:
    try:
        mode = source.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{quoted(source, 400)}: cannot be read ({reason}). Give a file or folder that exists."
        ) from None
    if not stat.S_ISDIR(mode):
        yield source
        return
    count = 0
    for paths in walk(source):
        count += len(paths)
        yield from gather(paths, limits)
    if not count:
        raise InputError(f"{quoted(source, 400)}: the folder holds no files. Give a folder with transcripts.")


def _open(path: Path, uri: str, limits: Limits) -> Opened:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{quoted(uri, 400)}: not a regular file (a pipe, socket or device); it is not opened.")
        return Opened(path, uri, limits)
    except OSError as error:
        raise InputError(f"{quoted(uri, 400)}: cannot be read ({error.strerror}).") from None


def _read_file(found: Path | Gathered, chosen: Reader | None, limits: Limits) -> Iterator[Transcript | Unreadable]:
    uri = name_file(found) if isinstance(found, Path) else found.uri
    try:
        opened = _open(found, uri, limits) if isinstance(found, Path) else found
        using = chosen or reader(_detect(opened).name)
        nothing = True
        for item in read_opened(opened, using):
            nothing = False
            yield item
        if nothing:  # a header, or a beginning: what gives no transcript is accounted for all the same
            yield Unreadable(uri, f"{quoted(uri, 400)}: read as {using.NAME}, it holds no transcript.")
    except RefusedError as error:
        yield Unreadable(uri, str(error), refused=True)
    except InputError as error:
        yield Unreadable(uri, str(error))


def read_opened(opened: Opened, using: Reader) -> Iterator[Transcript | Unreadable]:
    """Yield what one reader makes of one file; a transcript that is there twice gets a suffix to its id.

    Raises:
        InputError: when the file as a whole cannot be read.
    """
    seen = Seen()
    found = using.records(opened)
    while True:
        with Uncollected():
            record = next(found, None)
            item = _transcribe(using, record, seen) if isinstance(record, Record) else record
        if record is None:
            return
        if item is not None:
            yield item


def _transcribe(using: Reader, record: Record, seen: Seen) -> Transcript | Unreadable | None:
    try:
        transcript = using.transcribe(record)
    except InputError as error:
        where = "#".join(part for part in (record.opened.uri, record.member, record.locator) if part)
        return Unreadable(where, str(error), refused=isinstance(error, RefusedError))
    if transcript is None:
        return None
    times = seen.count(transcript.id)
    return transcript if times == 1 else transcript.model_copy(update={"id": f"{transcript.id}-{times}"})


def _detect(opened: Opened) -> Detection:
    probe = Probe(opened, opened.limits)
    with Uncollected():
        candidates = [
            Candidate(name, found.confidence, found.version)
            for name, one in readers().items()
            if (found := one.sniff(probe)) is not None
        ]
        candidates += refusals(probe)
    if not candidates and opened.container == "json":
        for warning in opened.document[1]:
            if warning.code == "truncated":
                raise InputError(
                    f"{quoted(opened.uri, 400)}: no format can be told from what is left; {warning.detail}"
                )
    return decide(candidates, opened.uri)
