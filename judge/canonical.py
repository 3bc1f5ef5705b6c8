"""Canonical JSON and content hashes: what makes two machines agree that two things are the same.

Deliberately not a general serialiser: values are plain JSON, keys are sorted, numbers are finite, text is UTF-8.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, Final

import orjson

_HARMLESS: Final = frozenset({str, int, bool, type(None)})


def canonical_json(value: Any, *, floats: bool = True) -> bytes:
    """Encode plain JSON so that equal values give equal bytes: sorted keys, no spaces, UTF-8.

    `floats` False says that there are none in it: looking for infinite ones takes longer than all the rest.

    Raises:
        ValueError: for NaN or an infinity, which JSON cannot say (and which orjson would turn into null).
        TypeError: for anything that is not plain JSON.
    """
    encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    # orjson writes NaN and infinities as null; looking at every number otherwise costs ten times the encoding.
    if floats and b"null" in encoded:
        _refuse_non_finite(value)
    return encoded


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def content_sha256(value: Any, *, floats: bool = True) -> str:
    """Return the SHA-256 of a plain JSON value, the same whatever its key order was; `floats` as for `canonical_json`."""
    return sha256_hex(canonical_json(value, floats=floats))


def _refuse_non_finite(value: Any) -> None:
    stack: list[Any] = [(value,)]
    while stack:
        for item in stack.pop():
            if type(item) in _HARMLESS:  # nearly everything; what follows would cost five times as much for each
                continue
            if isinstance(item, dict):
                stack.append(item.values())
            elif isinstance(item, list | tuple):
                stack.append(item)
            elif isinstance(item, float) and not math.isfinite(item):
                raise ValueError(f"{item!r} has no canonical JSON; use null and a note")
