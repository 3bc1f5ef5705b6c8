"""Messages are objects, and pointers hashed, when somebody looks; until then and after, a transcript is the same."""

from __future__ import annotations

import copy
import gc
import hashlib
import json
import pickle
import tracemalloc
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from judge.transcripts import Message, Transcript, iter_transcripts, read
from judge.transcripts.lazy import LazySequence
from tests.transcript_checks import FIXTURES


def read_one() -> Transcript:
    """A transcript of which nothing has been looked at."""
    (found,) = read(FIXTURES / "claude_code.jsonl")
    return found


def test_the_items_are_made_once_and_what_they_were_made_from_is_let_go() -> None:
    made: list[int] = []
    source = bytearray(8)

    def make() -> tuple[int, ...]:
        made.append(len(source))
        return (1, 2, 3)

    numbers = LazySequence(3, make)
    assert len(numbers) == 3
    assert not made
    assert list(numbers) == [1, 2, 3]
    assert numbers[-1] == 3
    assert numbers[1:] == (2, 3)
    assert made == [8]
    assert numbers._make is None


@pytest.mark.parametrize("other", [(1, 2), LazySequence(2, lambda: (1, 2))])
def test_it_equals_a_tuple_of_the_same_items(other: object) -> None:
    numbers = LazySequence(2, lambda: (1, 2))
    assert numbers == other
    assert other == numbers
    assert hash(numbers) == hash((1, 2))
    assert numbers != (2, 1)
    assert numbers != [1, 2]  # as a tuple doesn't either


def test_reading_makes_no_message_before_one_is_looked_at() -> None:
    transcript = read_one()
    assert isinstance(transcript.messages, LazySequence)
    assert transcript.messages._make is not None
    assert len(transcript.messages) > 1
    assert transcript.messages._make is not None
    first = transcript.messages[0]
    assert isinstance(first, Message)
    assert transcript.messages[0] is first


def test_a_pointer_is_hashed_when_it_is_looked_at_and_its_hash_is_that_of_the_line() -> None:
    message = read_one().messages[0]
    assert isinstance(message.at, LazySequence)
    assert message.at._make is not None
    (pointer,) = message.at
    line = (FIXTURES / "claude_code.jsonl").read_bytes()[pointer.start : pointer.end]
    assert pointer.sha256 == hashlib.sha256(line).hexdigest()


@pytest.mark.parametrize(
    "again",
    [
        lambda one: pickle.loads(pickle.dumps(one)),
        copy.deepcopy,
        lambda one: one.model_copy(),
        lambda one: Transcript.model_validate(one.model_dump(by_alias=True)),
        lambda one: Transcript.model_validate_json(one.model_dump_json()),
        lambda one: Transcript(**{name: getattr(one, name) for name in Transcript.model_fields}),
        lambda one: TypeAdapter(tuple[Transcript, ...]).validate_python((one,), strict=True)[0],
    ],
    ids=["pickle", "deepcopy", "model_copy", "python", "json", "constructor", "adapter"],
)
def test_a_copy_made_before_anybody_looked_is_the_same_transcript(again) -> None:
    looked_at = read_one()
    assert [message.id for message in looked_at.messages][:2] == ["m1", "m2"]
    copied = again(read_one())
    assert copied == looked_at
    assert copied.content_sha256 == looked_at.content_sha256
    assert copied.model_dump() == looked_at.model_dump()


def test_what_is_validated_holds_plain_tuples() -> None:
    copied = Transcript.model_validate_json(read_one().model_dump_json())
    assert type(copied.messages) is tuple
    assert type(copied.messages[0].at) is tuple


def test_a_transcript_that_nobody_looked_at_holds_its_own_words_and_not_its_file(tmp_path: Path) -> None:
    size, count = 100_000, 30
    rows = [{"messages": [{"role": "user", "content": f"{number} " + "x" * size}]} for number in range(count)]
    document = tmp_path / "runs.json"
    document.write_text(json.dumps(rows))
    del rows
    tracemalloc.start()
    try:
        kept = next(iter(iter_transcripts([document])))
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(kept, Transcript)
    assert held < 3 * size  # the words once, and what a line of a process's own costs; the document holds them 30 times
