"""How a long run is followed: a live line on a terminal, a line now and then elsewhere, nothing when it is quiet."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from judge.grading.tally import Tally
    from judge.transcripts.model import Source, Transcript

INTERVAL_S: Final = 10.0
# The rate that the time left is reckoned with: over the last minutes, since providers do not keep an even pace. More than one of
# them, since under a limit per minute all that a minute allows may be asked in its first second.
_RATE_S: Final = 240.0
_BATCHES_SHOWN: Final = 3
_WEIGHED: Final = 32  # transcripts in our own form whose bytes are counted, which takes longer than reading them
_FRAME: Final = 500  # bytes of a message without its words, nearly
_MOST_FILES: Final = 100_000  # whose sizes are looked up before a run begins


class Reading:
    """How far the sources have been read, in bytes, told from the transcripts that come out of them."""

    def __init__(self, sources: Iterable[Path], limit: int | None = None) -> None:
        from judge.transcripts.source import name_file

        sources = tuple(sources)
        self._total = _count_bytes(sources)
        self._given = tuple(name_file(source) for source in sources)
        self._limit = limit
        self._transcripts = 0
        self._before = 0  # bytes of files that are behind
        self._uri, self._size, self._within = "", 0, 0.0
        self._ended = False
        self._weighed = self._words = self._bytes = 0

    def follow(self, transcripts: Iterable[Transcript]) -> Iterator[Transcript]:
        """Pass transcripts on, noting where each was."""
        from judge.grading.planning import count_characters

        for transcript in transcripts:
            source = transcript.source
            here = self._is_here(source)
            if source.uri != self._uri or not here:
                self._before += self._size
                words = 0 if here else _FRAME * len(transcript.messages) + count_characters(transcript)
                self._uri, self._size = source.uri, source.size if here else self._weigh(transcript, words)
            self._within = _place(transcript) if here else 1.0
            self._transcripts += 1
            yield transcript
        self._ended = True

    def _weigh(self, transcript: Transcript, words: int) -> int:
        """How many bytes of a file a transcript in our own form is: counted at first, then reckoned from its words."""
        if self._weighed < _WEIGHED:
            from judge.transcripts.canonical import encode

            size = len(encode(transcript)) + 1
            self._weighed, self._words, self._bytes = self._weighed + 1, self._words + words, self._bytes + size
            return size
        return words * self._bytes // max(self._words, 1)

    def _is_here(self, source: Source) -> bool:
        """Whether it names a file that is read, and not one that was once read, as a transcript in our own form does."""
        return bool(source.size) and any(
            given in (".", source.uri) or source.uri.startswith(given.rstrip("/") + "/") for given in self._given
        )

    @property
    def share(self) -> float | None:
        """The share of the work that has been read, from 0 to 1; None where nobody can tell."""
        if self._ended:
            return 1.0
        shares = [self._transcripts / self._limit] if self._limit else []
        if self._total:
            shares.append((self._before + self._within * self._size) / self._total)
        return min(max(shares), 1.0) if shares and max(shares) > 0 else None


class Follow:
    """Call it with the tally after each group of verdicts; use it as a context manager."""

    def __init__(
        self,
        *,
        quiet: bool,
        reading: Reading | None = None,
        clock: Callable[[], float] = time.monotonic,
        list_down: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """`list_down` names the providers that keep failing, which a run waits for without a new verdict."""
        self._live: Any = None
        self._quiet = quiet
        self._reading = reading
        self._clock = clock
        self._list_down = list_down
        self._said = clock()
        self._past: deque[tuple[float, int]] = deque([(clock(), 0)])
        self.last: Tally | None = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, tally: Tally) -> None:
        """Show how the run stands."""
        self.last = tally
        now = self._clock()
        self._past.append((now, tally.done))
        while self._past[1][0] <= now - _RATE_S:
            self._past.popleft()
        if self._live is not None:
            self._live.update(self._line(tally), refresh=True)
        elif not self._quiet and now - self._said >= INTERVAL_S:
            self._said = now
            print(self._line(tally), file=sys.stderr, flush=True)

    def seconds_left(self, tally: Tally) -> float | None:
        """How long the rest takes at the pace of the last minutes; None while that cannot be told."""
        share = self._reading.share if self._reading else None
        (then, before), (now, done) = self._past[0], self._past[-1]
        if share is None or done == before or now <= then:
            return None
        return max(tally.drawn / share - tally.done - tally.found, 0.0) * (now - then) / (done - before)

    def _line(self, tally: Tally) -> str:
        from judge.text import one_line

        if down := self._list_down():
            # Nobody knows how long that lasts.
            return f"{describe(tally)}; waiting, as every answer of {one_line(', '.join(down), 200)} is a failure"
        left = self.seconds_left(tally)
        return describe(tally) + (f", {_duration(left)} left" if left is not None else "")


def describe(tally: Tally) -> str:
    """One line: new rows, positive, without a verdict and why, spent, tokens, rate."""
    seconds = max(time.monotonic() - tally.started, 1e-9)
    missing = [f"{count} {status}" for status, count in sorted(tally.statuses.items()) if status != "ok"]
    spent = f"{tally.spent_usd:.4f} USD" + (f" and {tally.unpriced} of unknown cost" if tally.unpriced else "")
    if tally.unpriced and not tally.spent_usd:
        spent = "cost unknown (give --price)"
    return ", ".join(
        [
            f"{tally.done} new",
            *([f"{tally.found} found in the ledger"] if tally.found else []),
            f"{tally.positive} positive",
            *([f"missing: {', '.join(missing)}"] if missing else []),
            spent,
            f"{tally.input_tokens:,} + {tally.output_tokens:,} tokens",
            f"{tally.done / seconds:.1f}/s",
            *_describe_batches(tally.batches),
        ]
    )


def _describe_batches(batches: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    """How each batch stands that is out; of those that have ended how many there are, since a long run has hundreds."""
    from judge.grading.lanes.batches import ENDED
    from judge.text import counted

    out = {name: one for name, one in batches.items() if one[0] not in ENDED}
    if ended := len(batches) - len(out):
        yield f"{counted(ended, 'batch', 'batches')} ended"
    for name, (status, answered) in list(out.items())[:_BATCHES_SHOWN]:
        yield f"batch {name}: {status}, {answered:,} answered" if name else f"the batch interface is {status}"
    if len(out) > _BATCHES_SHOWN:
        yield f"{len(out) - _BATCHES_SHOWN:,} more out"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def _place(transcript: Transcript) -> float:
    """How far into its file a transcript ends, from 0 to 1; 0 where its last message does not point there."""
    source = transcript.source
    if source.member is None and source.locator is None:
        return 1.0
    ends = [one.end for message in transcript.messages[-1:] for one in message.at if one.member is None and one.end]
    return max(ends, default=0) / source.size if source.size else 0.0


def _count_bytes(sources: Iterable[Path]) -> int | None:
    """Bytes of all files, hidden ones passed over as in reading; None where there are too many to look at first."""
    from judge.transcripts.reading import walk

    total = files = 0
    for source in sources:
        total += _size(source)
        for paths in walk(source):
            files += len(paths)
            if files > _MOST_FILES:
                return None
            total += sum(map(_size, paths))
    return total


def _size(path: Path) -> int:
    """Bytes of a regular file; what cannot be looked at is the reader's to report."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
