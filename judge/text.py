r"""Untrusted text: how it is shown to a person or a model without being able to act.

A transcript may hold terminal escapes, bidirectional overrides, zero-width and tag characters. `visible` replaces each
with `\u{hex}`, keeping everything else as it is. It never interprets markup.
"""

from __future__ import annotations

import re
from typing import TypeVar

# Controls other than tab and newline, line and paragraph separators, every format character (zero width, bidi,
# soft hyphen, tags), variation selectors, Hangul and Braille blanks, lone surrogates. U+FE0F and ZWJ are here too:
# an emoji that loses its glue is legible, a smuggled message is not.
_ESCAPED = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\ud800-\udfff"
)
INVISIBLE = re.compile(f"[{_ESCAPED}]")
# The escape's own opening is escaped as well, so that the shown form can be read back unambiguously.
_TO_ESCAPE = re.compile(rf"[{_ESCAPED}]|\\(?=u\{{)")
_ESCAPE = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n\t"

_Cell = TypeVar("_Cell")
_RUN_BY_SPREADSHEETS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # the last four are full-width forms


def visible(text: str) -> str:
    r"""Return `text` with every control, invisible or direction-changing character as `\u{hex}`.

    Newline and tab stay. The result is injective: `hidden(visible(t)) == t` for every string.
    """
    # Nearly every text is plain; the expression takes ten times as long to find nothing. A lone backslash is found sooner.
    if text.isascii() and not text.encode().translate(None, _PLAIN) and ("\\" not in text or "\\u{" not in text):
        return text
    return _TO_ESCAPE.sub(lambda m: f"\\u{{{ord(m[0]):x}}}", text)


def hidden(shown: str) -> str:
    """Undo `visible`."""
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), shown)


def one_line(text: str, limit: int = 80) -> str:
    r"""Return `text` for one line of a table: visible, newlines as `\n`, cut with the count of what is gone."""
    shown = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    return shown if len(shown) <= limit else f"{shown[:limit]}... {len(shown) - limit:,} characters cut"


def end_of(name: str, limit: int = 80) -> str:
    """Return a file's or sample's name for one line of a table; its end, which tells it from the next, is what is kept."""
    shown = one_line(name, len(name) * 10)
    return shown if len(shown) <= limit else f"{len(shown) - limit:,} characters cut ...{shown[-limit:]}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun in the right number: `1 call`, `2 calls`, `0 calls`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def quoted(value: object, limit: int = 80) -> str:
    """Return `value` for an error message: quoted, visible, cut."""
    return f"'{one_line(str(value), limit)}'"


def inert(cell: _Cell) -> _Cell | str:
    """Return a cell that no spreadsheet takes for a formula: text visible, behind an apostrophe; numbers stay numbers."""
    if not isinstance(cell, str):
        return cell
    shown = visible(cell)
    return f"'{shown}" if shown.lstrip(" ")[:1] in _RUN_BY_SPREADSHEETS else shown
