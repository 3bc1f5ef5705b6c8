"""Tables leave as CSV that a spreadsheet reads as data, and as Markdown that nothing in it can break."""

from __future__ import annotations

import base64
import csv
import io
import re
from pathlib import Path

import pytest

from judge.errors import InputError
from judge.report.markdown import code, render_markdown
from judge.report.tables import Table, list_tables, write_csv
from judge.text import inert
from report.hostile import STRINGS
from report.material import filled, full_report

_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"])
def test_cells_cannot_become_formulas(cell: str) -> None:
    """A text that a spreadsheet would run begins with an apostrophe, or with the escape of its control character."""
    shown = inert(cell)
    assert isinstance(shown, str)
    assert shown[0] in "'\\"


@pytest.mark.parametrize("cell", [1, -1, -0.5, None, True, "plain", "a=b"])
def test_other_cells_stay(cell: object) -> None:
    """Numbers stay numbers, also negative ones, and ordinary text stays as it is."""
    assert inert(cell) is cell


@pytest.mark.parametrize("text", [text for text in STRINGS if "\ud800" not in text], ids=lambda text: ascii(text)[:40])
def test_no_cell_of_any_table_is_a_formula(text: str) -> None:
    """Whatever stands in every field, no cell of any table of the report begins a formula, and rows keep their columns."""
    for table in list_tables(filled(text)):
        for row in list(csv.reader(io.StringIO(table.csv)))[1:]:
            assert len(table.columns) == len(row)
            assert not [cell for cell in row if _FORMULA.match(cell) and not re.fullmatch(r"-?[\d.e-]+", cell)]


def test_the_link_holds_the_file_itself() -> None:
    """The address of a table is its CSV, byte for byte."""
    table = Table(name="t", columns=("a", "b"), rows=(("x,y", 1.5), ('say "so"', None)))
    head, data = table.address.split(",", 1)
    assert "data:text/csv;charset=utf-8;base64" == head
    assert 'a,b\r\n"x,y",1.5\r\n"say ""so""",\r\n' == base64.b64decode(data).decode()


def test_tables_are_written_to_a_folder(tmp_path: Path) -> None:
    """Every table with rows is a file of its name."""
    written = write_csv(full_report(), tmp_path / "new" / "folder")
    assert {f"{table.name}.csv" for table in list_tables(full_report())} == {path.name for path in written}
    assert "rubric,judge,model,flagged,missing,statistic" in (tmp_path / "new" / "folder" / "rates.csv").read_text()


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    """A file in the place of the folder is said in one line, with what to do."""
    (tmp_path / "taken").write_text("x")
    with pytest.raises(InputError, match="--csv"):
        write_csv(full_report(), tmp_path / "taken")


def test_figures_of_the_gold_prevalence_alone_stay_out_of_tables() -> None:
    """Precision, NPV, F1 and accuracy, and the rate with error rates taken as known, are for --json only."""
    printed = "".join(table.csv for table in list_tables(full_report()))
    assert "sensitivity" in printed
    assert not re.findall(r"(?m),(precision|npv|f1|accuracy|rogan_gladen),", printed)


@pytest.mark.parametrize("text", STRINGS, ids=lambda text: ascii(text)[:40])
def test_nothing_closes_a_code_span(text: str) -> None:
    """The fence around a text is longer than any run of backticks in it, and the text stays on one line."""
    span = code(text, 10_000)
    fence = re.match("`+", span)
    assert fence is not None
    inside = span[len(fence[0]) : -len(fence[0])]
    assert not [run for run in re.findall("`+", inside) if len(run) >= len(fence[0])]
    assert "\n" not in span
    assert span.endswith(fence[0])


def test_markdown_says_what_the_page_says() -> None:
    """The same sections and figures: 7 of 12 transcripts with votes that differ, and the worst case with its quote."""
    text = render_markdown(full_report())
    assert "58.3 % [" in text
    assert "`pay or else`" in text
    assert "does not count" in text
    assert "`refused` 1" in text


@pytest.mark.parametrize("text", ["| a | b |", "x|y", "`|`"])
def test_a_bar_does_not_add_a_column(text: str) -> None:
    """Rows of a Markdown table keep their number of columns."""
    block = re.findall(r"(?m)^\|.*\|$", render_markdown(filled(text)))
    counts = [len(re.findall(r"(?<!\\)\|", line)) for line in block]
    heads = [index for index, line in enumerate(block) if set(line) <= set("|- ")]
    for start, end in zip(heads, [*heads[1:], len(block) + 1], strict=True):
        assert len(set(counts[start - 1 : end - 1])) == 1
