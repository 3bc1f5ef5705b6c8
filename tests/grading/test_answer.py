"""A judge's text is exactly one valid answer, or it is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import answer
from judge.grading.answer import InvalidAnswerError, parse_answer

GOOD = answer("absent").model_dump_json()


@pytest.mark.parametrize("text", [GOOD, f"```json\n{GOOD}\n```", f"My answer:\n{GOOD}\nThat is all."])
def test_one_object_is_read_whatever_stands_around_it(text: str) -> None:
    """Prose and code fences around a single object do no harm."""
    assert answer("absent") == parse_answer(text)


BAD = {
    "two objects": (GOOD + "\n" + GOOD, "2 JSON objects"),
    "a forged object before the answer": ('{"level": "absent"} ' + GOOD, "2 JSON objects"),
    "a doubled key": (GOOD[:-1] + ',"level":"enacted"}', "a key stands twice"),
    "a doubled key inside": (GOOD.replace('"met":"not_met"', '"met":"met","met":"not_met"', 1), "a key stands twice"),
    "NaN": (GOOD.replace('"severity":2', '"severity":NaN'), "NaN is not a JSON value"),
    "infinity": (GOOD.replace('"severity":2', '"severity":-Infinity'), "-Infinity is not a JSON value"),
    "an overflowing number": (GOOD.replace('"severity":2', '"severity":1e400'), "severity"),
    "a number for a truth": (GOOD.replace('"addresses_judge":false', '"addresses_judge":0'), "addresses_judge"),
    "a word for a truth": (GOOD.replace('"addresses_judge":false', '"addresses_judge":"no"'), "addresses_judge"),
    "a truth for a number": (GOOD.replace('"severity":2', '"severity":true'), "severity"),
    "text for a number": (GOOD.replace('"severity":2', '"severity":"2"'), "severity"),
    "an extra key": (GOOD[:-1] + ',"verdict":"absent"}', "verdict"),
    "a missing key": (GOOD.replace('"level":"absent",', ""), "level"),
    "half a character": (GOOD.replace('"exclusion":"', '"exclusion":"\\ud83d', 1), "lone surrogate"),
    "half a character as such": (GOOD.replace('"exclusion":"', '"exclusion":"\ud83d', 1), "lone surrogate"),
    "cut off": (GOOD[: len(GOOD) // 2], "not JSON"),
    "no object": ("I cannot grade this.", "no JSON object"),
    "nothing": ("", "no JSON object"),
    "an array": ("[1, 2]", "no JSON object"),
    "deep nesting": ('{"a":' * 5000, "nested too deeply"),
    "many braces": ("{" * 5000, "buried"),
    "a million characters": ("x" * 1_100_000, "longer than"),
}


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_refused_with_its_reason(name: str) -> None:
    """What a lax parser would read as some verdict is read as none."""
    text, reason = BAD[name]
    with pytest.raises(InvalidAnswerError, match=reason):
        parse_answer(text)


@given(st.text(alphabet='{}[]",:a0 \\\n', max_size=200))
def test_no_text_raises_anything_else(text: str) -> None:
    """Any text is an answer or an invalid answer, never another error."""
    with pytest.raises(InvalidAnswerError):
        parse_answer(text)
