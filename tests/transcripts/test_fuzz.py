"""Mutated transcripts: whatever the bytes are, a reader gives transcripts, named failures, or a typed input error.

2,000 mutations per harness where `JUDGE_FUZZ=2000` is set (the continuous integration does); fewer elsewhere, with the
same seeds, so that a failure found there is found here by raising the number.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from judge.errors import InputError
from judge.transcripts import Limits, Transcript, Unreadable, iter_transcripts
from judge.transcripts.canonical import decode, encode
from judge.transcripts.harness import READERS, reader
from judge.transcripts.reading import read_opened
from judge.transcripts.source import Opened
from transcript_checks import FIXTURES

ROUNDS = int(os.environ.get("JUDGE_FUZZ", "60"))
NASTY: list[Any] = [
    None, True, 0, -1, 2**63, 1.5, "", "\x00", "x" * 300, "\u202e", [], {}, [[]], [None], [{}], {"": None}, {"type": 5},
    [1, "a", {"text": 3}], {"role": []}, "data:image/png;base64,@@", "attachment://none", '{"a": [', -(2**63),
]  # fmt: skip
LIMITS = Limits(file_bytes=4 * 1024 * 1024, expanded_bytes=8 * 1024 * 1024)


def mutate_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Flip, delete, repeat or splice a few bytes anywhere."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 40)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 200)]
            case 3:
                data[at:at] = rng.choice(
                    (b"{", b"]", b'"', b"\\", b"\n", b"null", b"\xff", b"PK\x03\x04", b"NaN", b'"a":')
                )
            case _:
                del data[at:]
        if not data:
            data = bytearray(b"{")
    return bytes(data)


def mutate_value(value: Any, rng: random.Random) -> Any:
    """Replace, drop or move one thing somewhere in a value."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        if rng.random() < 0.15:
            return {name: item for name, item in value.items() if name != key}
        return value | {key: mutate_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], mutate_value(value[at], rng), *value[at + 1 :]]
    return rng.choice(NASTY)


def mutants(path: Path, rounds: int) -> list[bytes]:
    """Mutations of a file: of its bytes, and of its values where it is JSON."""
    rng = random.Random(path.name)
    raw = path.read_bytes()
    found = [mutate_bytes(raw, rng) for _ in range(rounds)]
    if path.suffix in (".json", ".traj"):
        value = json.loads(raw)
        found += [json.dumps(mutate_value(value, rng)).encode() for _ in range(rounds)]
    elif path.suffix == ".jsonl":
        rows = [json.loads(line) for line in raw.splitlines()]
        found += ["\n".join(map(json.dumps, mutate_rows(rows, rng))).encode() for _ in range(rounds)]
    return found


def mutate_rows(rows: list[Any], rng: random.Random) -> list[Any]:
    at = rng.randrange(len(rows))
    return [*rows[:at], mutate_value(rows[at], rng), *rows[at + 1 :]]


def harness_of(path: Path) -> str:
    """A fixture is named for its harness, with a suffix where there are several."""
    stem = path.stem
    return max((name for name in READERS if stem.startswith(name.removesuffix("_files"))), key=len, default=stem)


SHARES = Counter(harness_of(path) for path in FIXTURES.iterdir())


@pytest.mark.parametrize("path", sorted(FIXTURES.iterdir()), ids=lambda path: path.name)
def test_only_typed_errors_escape(path: Path, tmp_path: Path) -> None:
    """Mutated files raise nothing but input errors, and none takes long."""
    (original,) = {item.source.format for item in iter_transcripts([path]) if isinstance(item, Transcript)} or {
        "markdown"
    }
    target = tmp_path / path.name
    slowest = 0.0
    for raw in mutants(path, max(10, ROUNDS // 2 // SHARES[harness_of(path)])):
        target.write_bytes(raw)
        begun = time.process_time()
        for item in iter_transcripts([target], limits=LIMITS):  # detection included
            assert isinstance(item, Transcript | Unreadable)
            if isinstance(item, Transcript):  # readers build without validating: every field must fit all the same
                decode(orjson.loads(encode(item)), "mutant")
        try:
            for item in read_opened(Opened(target, "mutant", LIMITS), reader(original)):  # and as if it were named
                assert isinstance(item, Transcript | Unreadable)
                if isinstance(item, Transcript):
                    encode(item)  # what was read is made into messages and hashed only now: that may not fail any more
        except InputError:
            pass
        slowest = max(slowest, time.process_time() - begun)
    assert slowest < 5.0
