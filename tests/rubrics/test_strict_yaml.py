"""YAML is read as bounded plain data, and everything else is refused with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.errors import InputError
from judge.strict_yaml import MAX_BYTES, parse_yaml, read_yaml


def refused(text: str | bytes) -> str:
    """Return the message that `text` is refused with."""
    with pytest.raises(InputError) as caught:
        parse_yaml(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    return str(caught.value)


def outcome(raw: bytes) -> str:
    """Return the name of the document, or the message that it is refused with."""
    try:
        return parse_yaml(raw, "f.yaml").name
    except InputError as error:
        return str(error)


# Expected values: YAML 1.2.2, section 10.3.2 (core schema tag resolution).
@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("12", 12),
        ("-7", -7),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ("2026-01-20", "2026-01-20"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("<<", "<<"),
    ],
)
def test_plain_scalars_follow_the_core_schema(scalar: str, value: object) -> None:
    """Only true, false, null and decimal numbers are more than text; `no` and dates stay text."""
    found = parse_yaml(f"key: {scalar}\n".encode(), "f.yaml").data["key"]
    assert (type(found), found) == (type(value), value)


def test_keys_are_text_whatever_they_look_like() -> None:
    """A key such as `1` or `no` is the text that stands there."""
    assert parse_yaml(b"1: a\nno: b\n", "f.yaml").data == {"1": "a", "no": "b"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: &x 1\n", 1, "anchor '&x'"),
        ("a: 1\nb: *x\n", 2, "alias '*x'"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: !!binary aGk=\n", 1, "tag"),
        ("a: 1\nb: 2\na: 3\n", 3, "given twice (first on line 1)"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("? [1]\n: 2\n", 1, "used as a key"),
        ("a: 1\n b: 2\n", 2, "not YAML"),
        ("a: 'open\n", 2, "not YAML"),
        ("a: 1e999\n", 1, "too large"),
        ("a: 1\nb: \x07\n", 2, "not allowed"),
    ],
)
def test_what_is_not_plain_data_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    """Anchors, aliases, tags, duplicate keys, second documents and broken syntax name file and line."""
    message = refused(text)
    assert message.startswith(f"f.yaml:{line}: ")
    assert says in message


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    """A Latin-1 byte names its line."""
    assert refused(b"a: 1\nb: caf\xe9\n").startswith("f.yaml:2: byte 11 is not UTF-8")


def alias_bomb() -> bytes:
    """Nine lists of nine aliases each: 9^9 items when written out."""
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    rows += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(rows).encode()


@pytest.mark.parametrize("hostile", [alias_bomb(), b"[" * 5000, b"a: " + b"{a: " * 5000, b"- " * 100_000])
def test_a_bomb_is_refused_in_under_50_ms(hostile: bytes) -> None:
    """An alias bomb and a tower of brackets are refused at once."""
    refused(hostile)  # once to load the parser
    best = min(_timed(hostile) for _ in range(5))
    assert best < 0.05


def _timed(raw: bytes) -> float:
    start = time.process_time()
    refused(raw)
    return time.process_time() - start


def test_twenty_levels_are_read_and_one_more_is_not() -> None:
    """The depth limit lies exactly at 20."""
    assert parse_yaml(b"[" * 20 + b"]" * 20, "f.yaml").data is not None
    assert "deeper than 20" in refused("[" * 21 + "]" * 21)


def test_the_size_limit_lies_exactly_at_256_kib(tmp_path: Path) -> None:
    """A file of 256 KiB is read, one byte more is not."""
    path = tmp_path / "f.yaml"
    path.write_bytes(b"#" * (MAX_BYTES - 5) + b"\na: 1")
    assert read_yaml(path).data == {"a": 1}
    path.write_bytes(b"#" * (MAX_BYTES - 4) + b"\na: 1")
    with pytest.raises(InputError, match="larger than 256 KiB"):
        read_yaml(path)


def test_every_place_knows_its_line() -> None:
    """Keys and list items map to the lines on which they stand."""
    document = parse_yaml(b"a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n", "f.yaml")
    assert [document.line(p) for p in [("a",), ("b", 0), ("b", 1, "d"), ("b", 1, "gone")]] == [1, 3, 5, 4]


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_data_or_an_input_error(raw: bytes) -> None:
    """No other exception escapes, whatever the bytes are."""
    assert outcome(raw).startswith("f.yaml")


yaml_like = st.text(alphabet="ab:-[]{}&*!|>'\"#%@`?, \n\t~<01.", max_size=80)


@given(yaml_like)
def test_anything_that_looks_like_yaml_gives_data_or_an_input_error(text: str) -> None:
    """Indicators in any order cannot break out of the error contract."""
    assert outcome(text.encode()).startswith("f.yaml")
