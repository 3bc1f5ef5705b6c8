"""Find again the transcript that a verdict is about, from the label that was kept of its source.

Nothing is searched for by content: a transcript whose bytes have changed, or whose file has gone, is not found.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from judge.text import hidden
from judge.transcripts.model import Transcript
from judge.transcripts.reading import iter_transcripts
from judge.workspace import packaged_data


def find_transcript(label: str, transcript_id: str, ledger: str, sources: Iterable[Path] = ()) -> Transcript | None:
    """Read again the transcript that a verdict is about, from `sources` or from where it was read at the time.

    None if it is not there any more, or its bytes have changed. Places that a label names are looked up from here, from
    the ledger's folder and in the packaged data.
    """
    places = list(sources) or _places(label, ledger)
    for place in places:
        for item in iter_transcripts([place]):
            if isinstance(item, Transcript) and item.id == transcript_id:
                return item
    return None


def _places(label: str, ledger: str) -> list[Path]:
    """Where the file of a source label (`path#member#locator`) may be: as given then, or beside the ledger, or packaged."""
    pieces = label.split("#")
    names = [hidden("#".join(pieces[:count])) for count in range(len(pieces), 0, -1)]
    folders = [Path(), Path(ledger).parent, packaged_data()]
    return [path for name in names for folder in folders if name and (path := folder / name).exists()][:1]
