"""Lines laid out for the width of a terminal: what is too long goes on below, indented. Files and pipes get them whole."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Final

_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")
_WORD: Final = re.compile(r"\s*\S+")
_DEEPER: Final = 4  # columns by which a line that goes on is indented beyond its beginning
_NARROWEST: Final = 40


def tell(lines: Iterable[str]) -> None:
    """Print lines to stdout, within its width where it is a terminal."""
    width = max(_NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    for line in lines:
        print("\n".join(wrap_line(line, width)) if width else line)


def wrap_line(line: str, width: int) -> Iterator[str]:
    """The line in pieces of at most `width` columns, broken between words; a longer word stays whole. Styles take no room."""
    indent = len(_STYLE.sub("", line)) - len(_STYLE.sub("", line).lstrip())
    piece, used = "", 0
    for word in _WORD.findall(line):
        size = len(_STYLE.sub("", word))
        if used and used + size > width:
            yield piece
            kept = word.lstrip()
            piece, used = " " * (indent + _DEEPER) + kept, indent + _DEEPER + len(_STYLE.sub("", kept))
        else:
            piece, used = piece + word, used + size
    yield piece
