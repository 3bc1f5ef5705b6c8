"""What a terminal shows of a verdict: what the judge saw, and what it did not."""

from __future__ import annotations

from judge.ledger.verdict import Coverage, Cut
from judge.report.terminal import show_verdict

from .material import verdict


def shown(coverage: Coverage) -> str:
    return "\n".join(show_verdict(verdict(1, coverage=coverage), None, None))


def test_unseen_messages_and_cut_output_are_named() -> None:
    """Windows, the messages that nobody answered for, and the characters that no window showed stand under the verdict."""
    said = shown(
        Coverage(seen=40, total=60, unseen=("m5", "m9-m27"), cut=(Cut(part="m3.1", start=1200, end=88_000),), windows=7)
    )
    assert "40 of 60 messages, read in 7 windows" in said
    assert "not seen   m5, m9-m27" in said
    assert "left out   m3.1 (1,200 to 88,000)" in said


def test_a_transcript_that_was_read_whole_needs_no_more_words() -> None:
    """Nothing is said of windows, unseen messages or cuts where there are none."""
    said = shown(Coverage(seen=60, total=60))
    assert "60 of 60 messages" in said
    assert "windows" not in said
    assert "not seen" not in said
    assert "left out" not in said


def test_a_long_list_of_unseen_messages_is_cut_and_cannot_act_on_the_terminal() -> None:
    """The first dozen are named with the count of the rest; what came from an imported row is made visible."""
    said = shown(Coverage(seen=0, total=60, unseen=("\x1b[31mm1", *(f"m{n}" for n in range(3, 40, 2)))))
    assert "and 8 more" in said
    assert "\x1b" not in said
