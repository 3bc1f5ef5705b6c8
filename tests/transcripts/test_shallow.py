"""Objects opened one level deep: what is passed over changes nothing that is read, and nothing is missed at the top."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.errors import InputError
from judge.transcripts import Limits, Transcript, read
from judge.transcripts.harness import inspect
from judge.transcripts.jsontext import UNSURE
from judge.transcripts.shallow import find_object, parse_members, split

LIMITS = Limits()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
LAYOUTS: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {},
    {"indent": 2},
    {"indent": "\t", "ensure_ascii": False},
    {"ensure_ascii": False},
    {"separators": (" , ", " : ")},  # a layout that nobody writes: left to the whole reading, never misread
]


@given(st.dictionaries(st.text(max_size=4), PLAIN, min_size=1, max_size=5), st.sampled_from(LAYOUTS))
def test_the_members_of_an_object_are_the_texts_that_they_are_written_in(value: Any, layout: dict[str, Any]) -> None:
    members = split(json.dumps(value, **layout).encode())
    if members is not None:
        assert {name: json.loads(bytes(text)) for name, text in members.items()} == value


@pytest.mark.parametrize("layout", LAYOUTS[:3], ids=["compact", "spaced", "indented"])
def test_the_layouts_that_harnesses_write_are_opened(layout: dict[str, Any]) -> None:
    value = {"id": 1, "messages": [{"role": "user", "content": "a: b, {c}"}], "events": [], "note": None}
    assert split(json.dumps(value, **layout).encode()) is not None
    assert split(json.dumps(value, **layout).encode() + b"\n") is not None


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "a:", "\u00e9"]), PLAIN), min_size=2, max_size=5),
    st.sampled_from([(",", ":"), (", ", ": "), (",\n  ", ": "), (" ,", " :")]),
    st.booleans(),
)
def test_an_object_with_a_key_that_stands_twice_is_never_opened(
    pairs: list[tuple[str, Any]], marks: tuple[str, str], ascii_keys: bool
) -> None:
    comma, colon = marks
    names = [name for name, _ in pairs]
    written = comma.join(
        f"{json.dumps(name, ensure_ascii=ascii_keys)}{colon}{json.dumps(value, separators=(',', ':'))}"
        for name, value in pairs
    )
    opened = split(f"{{{comma[1:]}{written}}}".encode())
    assert opened is None or len(set(names)) == len(names)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"[1]", b'"a"', b'{"a": 1', b'{"a": 1} {"b": 2}', b'{"a": NaN}', b'\xff{"a": 1}',
     b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_object_is_left_to_the_whole_reading(text: bytes) -> None:
    assert split(text) is None


def test_members_that_are_read_are_held_to_the_policy() -> None:
    """A key twice inside a member, or an integer beyond 64 bits, is in doubt where it is read and nothing where it isn't."""
    twice = split(b'{"read": {"a": 1, "a": 2}, "other": 1}')
    large = split(b'{"read": 1, "other": 123456789012345678901234567890}')
    assert twice is not None
    assert large is not None
    assert parse_members(twice, {"read"}, LIMITS) is UNSURE
    assert parse_members(twice, {"other"}, LIMITS) == {"other": 1}
    assert parse_members(large, {"other"}, LIMITS) is UNSURE
    assert parse_members(large, {"read"}, LIMITS) == {"read": 1}


def test_the_first_object_that_fits_is_found() -> None:
    array = b'[1, {"event": "info", "of": "model"}, {"event": "model", "n": 1, "x": [2]}, {"event": "model", "n": 2}]'
    assert find_object(array, "event", "model", ("n",), LIMITS) == {"n": 1}
    assert find_object(array, "event", "tool", ("n",), LIMITS) is None
    assert find_object(b'{"no": "array"}', "event", "model", ("n",), LIMITS) is UNSURE
    assert find_object(b'[{"event": "model", "n": 1, "n": 2}]', "event", "model", ("n",), LIMITS) is UNSURE


# --- samples of Inspect's ----------------------------------------------------------------------------------------------

SAMPLE: dict[str, Any] = {
    "id": 1,
    "epoch": 2,
    "uuid": "u-1",
    "input": "not read where there are messages",
    "target": "4",
    "metadata": {"level": 1},
    "store": {"seen": ["x"]},
    "files": {"a.txt": "b"},
    "choices": ["3", "4"],
    "score": None,
    "model_usage": {"m": {"input_tokens": 1}, "grader": {"input_tokens": 2}},
    "limit": {"type": "token", "limit": 9},
    "error": {"message": "stopped", "traceback": "..."},
    "working_time": 1.5,
    "messages": [
        {"id": "a", "role": "user", "content": "How many?"},
        {"id": "b", "role": "assistant", "source": "generate", "content": "attachment://f00d"},
    ],
    "attachments": {"f00d": "Four loaves, and no more."},
    "events": [
        {"event": "info", "data": "model"},
        {"event": "model", "tools": [{"name": "count", "description": "Counts."}], "input": ["x"]},
        {"event": "state", "data": 0},
        {"event": "model", "tools": [{"name": "later"}], "input": [{"id": "a", "role": "user", "content": "Early?"}]},
    ],
    "scores": {"s": {"value": 1}},
}


def archive(path: Path, sample: bytes) -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("header.json", json.dumps({"version": 2, "eval": {"task": "t", "model": "m"}}))
        made.writestr("samples/1_epoch_2.json", sample)
    path.write_bytes(out.getvalue())
    return path


def whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Transcript]:
    """The same archive, its samples parsed whole."""
    with monkeypatch.context() as patch:
        patch.setattr(inspect, "split", lambda _: None)
        return read(path)


@pytest.mark.parametrize("layout", LAYOUTS[:3], ids=["compact", "spaced", "indented"])
@pytest.mark.parametrize("without", ["", "attachments", "events", "messages", "scores"])
def test_a_sample_opened_in_part_reads_as_one_parsed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: dict[str, Any], without: str
) -> None:
    sample = {name: value for name, value in SAMPLE.items() if name != without}
    path = archive(tmp_path / "a.eval", json.dumps(sample, **layout).encode())
    assert read(path) == whole(path, monkeypatch)


def test_a_reference_to_a_stored_text_is_followed_however_it_is_written(tmp_path: Path) -> None:
    """`/` may be escaped, and any letter may: a message must not hide behind its reference."""
    plain = json.dumps(SAMPLE, separators=(",", ":"))
    for written in ("attachment://", "attachment:\\/\\/", "\\u0061ttachment://"):
        path = archive(tmp_path / "a.eval", plain.replace("attachment://", written).encode())
        (transcript,) = read(path)
        assert transcript.messages[1].parts[0].text == "Four loaves, and no more."


def test_the_tools_are_those_of_the_first_call_of_a_model(tmp_path: Path) -> None:
    (transcript,) = read(archive(tmp_path / "a.eval", json.dumps(SAMPLE).encode()))
    assert [tool.name for tool in transcript.tools] == ["count"]


def test_a_key_that_stands_twice_is_refused_in_what_is_read(tmp_path: Path) -> None:
    """At the top of a sample and in its messages; in an event that nobody reads it changes nothing."""
    plain = json.dumps(SAMPLE, separators=(",", ":"))
    top = archive(tmp_path / "top.eval", plain.replace('"epoch":2', '"epoch":2,"id":7').encode())
    message = archive(tmp_path / "message.eval", plain.replace('"role":"user"', '"role":"user","role":"tool"').encode())
    event = archive(tmp_path / "event.eval", plain.replace('"data":0', '"data":0,"data":1').encode())
    for path in (top, message):
        with pytest.raises(InputError, match="stands twice"):
            read(path)
    (transcript,) = read(event)
    assert len(transcript.messages) == 2
