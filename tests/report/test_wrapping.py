"""Lines on a narrow terminal go on below, indented; in a file they stay whole."""

from __future__ import annotations

import pytest

from judge.report.wrapping import tell, wrap_line


def test_a_long_line_goes_on_indented() -> None:
    """A figure whose method does not fit goes on below its name, four columns further in, and no word is cut."""
    line = "  naive           2.00%  [1.30%, 3.07%]  (n 1000, Wilson 95%, missing verdicts as passed)"
    assert list(wrap_line(line, 50)) == [
        "  naive           2.00%  [1.30%, 3.07%]  (n 1000,",
        "      Wilson 95%, missing verdicts as passed)",
    ]
    assert list(wrap_line(line, 100)) == [line]
    assert list(wrap_line("", 50)) == [""]


def test_colour_takes_no_room() -> None:
    """What makes a line yellow is not counted as text."""
    line = "\x1b[33m  note: " + "word " * 7 + "end\x1b[0m"
    assert list(wrap_line(line, 46)) == [line]


def test_a_word_wider_than_the_terminal_stays_whole() -> None:
    """An id or a path is never broken: it can be copied."""
    assert list(wrap_line("  one " + "x" * 60 + " two", 40)) == ["  one", "      " + "x" * 60, "      two"]


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stdout is no terminal nothing is broken, whatever the width of the terminal that started it."""
    tell(["  " + "word " * 100])
    assert capsys.readouterr().out == "  " + "word " * 100 + "\n"


def test_a_terminal_gets_its_width(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal of 60 columns no line of words is longer."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    tell(["  " + "word " * 100])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 8
    assert max(map(len, lines)) <= 60
