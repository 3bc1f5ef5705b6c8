"""Clauses are read from any Markdown file that numbers them, and anchors are compared with a copy of the text."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.errors import InputError
from judge.rubrics.constitution import check_anchors, load_constitution, opening_hash, parse_constitution

OURS = """\
# House rules

Edition: 3
Restates: charter@2020

A rule such as H1 is cited by its id.

## Honesty
### H1. Say what is so
Assert only what
you believe.
Restates: ONE

- **H2** Hide nothing.

**3.2** Numbers work too.

| anchor | section | paragraph | opening |
|---|---|---|---|
| ONE | Truth > Saying | 2 | `{opening}` |
"""
CHARTER = """\
# Truth

Opening words.

## Saying

First paragraph of the section,
which runs over two lines.

Second paragraph, here being the one that is restated, at some length.

* **Item one** begins here
  * with a part below it

* Item two of the list stands alone, as a paragraph of its own
"""
SECOND = "Second paragraph, here being the one that is restated, at some length."


def ours(opening: str = opening_hash(SECOND)) -> bytes:
    """Return the house rules with an anchor whose paragraph has this opening."""
    return OURS.replace("{opening}", opening).encode()


def test_clauses_begin_as_heading_list_item_or_bold_words() -> None:
    """Three ways to begin a clause are read, with title, text, section and line; a mention in prose is not."""
    constitution = parse_constitution(ours(), "c.md")
    assert constitution.ids == ("H1", "H2", "3.2")
    first = constitution.clauses[0]
    assert (first.title, first.text) == ("Say what is so", "Assert only what you believe.")
    assert (first.section, first.line, first.restates) == ("Honesty", 9, ("ONE",))
    assert (constitution.title, constitution.edition, constitution.restates) == ("House rules", "3", "charter@2020")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("- **H2**", "- **H1**", "c.md:14: 'H1' is defined twice (first on line 9)"),
        ("Restates: ONE", "Restates: TWO", "c.md:9: clause H1 restates 'TWO'"),
    ],
)
def test_a_faulty_constitution_is_refused_with_its_line(old: str, new: str, says: str) -> None:
    """A repeated id and an anchor that is not in the table name file and line."""
    with pytest.raises(InputError) as caught:
        parse_constitution(ours().decode().replace(old, new).encode(), "c.md")
    assert says in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"# Only a title\n\nProse.\n"])
def test_a_file_without_clauses_is_refused(raw: bytes) -> None:
    """A constitution needs at least one clause."""
    with pytest.raises(InputError, match="holds no clause"):
        parse_constitution(raw, "c.md")


@pytest.mark.parametrize(
    ("charter", "outcome", "now_at"),
    [
        (CHARTER, "found", 2),
        (CHARTER.replace("## Saying\n", "## Saying\n\nA new paragraph.\n"), "moved", 3),
        (CHARTER.replace("Second paragraph, here", "Second paragraph, there"), "changed", None),
        (CHARTER.replace("## Saying", "## Speaking"), "no_section", None),
    ],
)
def test_an_anchor_is_found_moved_changed_or_without_section(charter: str, outcome: str, now_at: int | None) -> None:
    """The comparison with a copy of the text tells the four cases apart."""
    (check,) = check_anchors(parse_constitution(ours(), "c.md"), charter)
    assert (check.outcome, check.now_at) == (outcome, now_at)


@pytest.mark.parametrize(
    ("paragraph", "opening"),
    [
        (3, "Item one begins here with a part below it"),
        (4, "Item two of the list stands alone, as a paragraph of its own"),
    ],
)
def test_each_list_item_is_a_paragraph_with_what_is_indented_below(paragraph: int, opening: str) -> None:
    """Items count one by one, and an indented list belongs to its item."""
    text = ours(opening_hash(opening)).decode().replace("| 2 |", f"| {paragraph} |")
    (check,) = check_anchors(parse_constitution(text.encode(), "c.md"), CHARTER)
    assert check.outcome == "found"


def test_an_opening_is_the_same_whatever_its_marks_and_quotes() -> None:
    """Emphasis, quotation marks, case and spacing do not change how a paragraph is identified."""
    assert opening_hash("**Don’t** lie — ever, to anybody at all, whoever it is") == opening_hash(
        "don't   LIE ever to “anybody” at all, whoever it was"
    )


def test_the_shipped_constitution_restates_anchors_that_are_all_used() -> None:
    """Every clause restates something, and no anchor lies idle."""
    constitution = load_constitution()
    cited = {anchor for clause in constitution.clauses for anchor in clause.restates}
    assert all(clause.restates and clause.text for clause in constitution.clauses)
    assert cited == {anchor.id for anchor in constitution.anchors}
    assert len({a.opening for a in constitution.anchors}) == len(constitution.anchors)


def test_a_constitution_in_the_workspace_comes_first(tmp_path: Path) -> None:
    """A user's own constitution.md is used without being named."""
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "rubrics" / "constitution.md").write_bytes(ours())
    assert load_constitution(workspace=tmp_path).ids == ("H1", "H2", "3.2")


@pytest.mark.parametrize("line", ["# " + " #" * 60_000, "|" + " " * 120_000, "- **H2" + " *" * 60_000, "#" * 200_000])
def test_hostile_lines_are_read_in_linear_time(line: str) -> None:
    """No line of 100 KB takes more than a fraction of a second of processor time; work with its square takes minutes."""
    start = time.process_time()
    parse_constitution(f"### H1. Be good\n{line}\n".encode(), "c.md")
    assert time.process_time() - start < 5


@given(st.binary(max_size=300) | st.text(alphabet="# *-|.:H12\n", max_size=120).map(str.encode))
def test_any_bytes_give_a_constitution_or_an_input_error(raw: bytes) -> None:
    """Only InputError escapes the parser."""
    try:
        found = parse_constitution(raw, "c.md").name
    except InputError as error:
        found = str(error)
    assert found.startswith("c.md")
