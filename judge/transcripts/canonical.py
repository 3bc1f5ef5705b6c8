"""Our own JSONL: one transcript object with its `messages` per line. What is written reads back equal, ids included.

The reader for it is `harness/canonical.py`; this module holds the codec, which needs no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import orjson
from pydantic import ValidationError

from judge.canonical import canonical_json
from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.model import Transcript


def encode(transcript: Transcript) -> bytes:
    """Return one transcript as one line without its newline: sorted keys, nothing that is null or empty by default."""
    return canonical_json(transcript.model_dump(mode="json", exclude_defaults=True) | {"schema": transcript.schema_})


def decode(value: Any, where: str) -> Transcript:
    """Return the transcript of one parsed line.

    Raises:
        InputError: naming the field that does not fit, or an id that stands twice.
    """
    try:
        transcript = Transcript.model_validate_json(orjson.dumps(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = "/".join(str(step) for step in first["loc"]) or "the object"
        raise InputError(
            f"{quoted(where, 400)}: {quoted(place)} does not fit the canonical form: {first['msg']} "
            f"(found {quoted(first.get('input'))}; {error.error_count()} in all)."
        ) from None
    ids = [message.id for message in transcript.messages]
    ids += [part.id for message in transcript.messages for part in message.parts]
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise InputError(
            f"{quoted(where, 400)}: the id {quoted(twice)} stands twice in one transcript; ids must be unique."
        )
    return transcript


def write(transcripts: Iterable[Transcript], stream: BinaryIO) -> int:
    """Write transcripts, one line each, and return how many."""
    count = 0
    for transcript in transcripts:
        stream.write(encode(transcript) + b"\n")
        count += 1
    return count
