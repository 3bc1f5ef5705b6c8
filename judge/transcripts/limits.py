"""The caps that stand before every reader: a log may be hostile, and no cap may be discovered by running out of memory.

Each cap is checked before the allocation that it bounds and each can be raised (`--limits NAME=VALUE` on the command line,
`Limits(...)` in Python). Reading writes nothing of what it reads to disk and never opens an archive inside an archive.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from judge.errors import InputError
from judge.frozen import Frozen
from judge.text import quoted

MIB = 1024 * 1024


class Limits(Frozen):
    """How much one source may ask of us.

    `file_bytes` bounds whatever has to be held in memory as one piece: a JSON document, an archive, one line of a
    stream. A JSONL file with one transcript per line may be of any size.
    """

    file_bytes: int = Field(default=64 * MIB, ge=1)
    expanded_bytes: int = Field(default=512 * MIB, ge=1)  # all members of an archive together, uncompressed
    ratio: int = Field(default=200, ge=1)  # uncompressed to compressed, per member and for the archive
    members: int = Field(default=10_000, ge=1)
    depth: int = Field(default=100, ge=1, le=200)  # nesting of arrays and objects; what can be written again
    messages: int = Field(default=20_000, ge=1)  # per transcript
    message_bytes: int = Field(default=4 * MIB, ge=1)  # text of one message
    keys: int = Field(default=1_000, ge=1)  # per object


def exceed(name: str, found: int, allowed: int, where: str) -> InputError:
    """Return the error for a cap that does not hold, naming the option that raises it."""
    return InputError(
        f"{where}: {name.replace('_', ' ')} {found:,} is over the limit of {allowed:,}. If you trust this source, "
        f"raise it with --limits {name}={found} (Python: Limits({name}={found}))."
    )


def check_file(path: Path, size: int, limits: Limits) -> None:
    """Refuse a file that would have to be held in memory and is too large for it.

    Raises:
        InputError: when it is over `limits.file_bytes`.
    """
    if size > limits.file_bytes:
        raise exceed("file_bytes", size, limits.file_bytes, quoted(path, 400))
