"""Verdict rows out of a ledger and into one, from this package and from other tools."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.errors import InputError
from judge.ledger.export import to_row, write_rows
from judge.ledger.importing import keep, read_row, read_rows
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger
from judge.ledger.verdict import Verdict
from judge.ledger.verifying import verify
from judge.rubrics.model import Scale
from ledger.strategies import VERDICTS
from ledger.support import make_verdict

NOW = "2026-03-02T08:00:00+00:00"
# README, "Verdict rows": the order that users script against.
CONTRACT = (
    "verdict_id transcript_id source rubric rubric_sha256 judge sample level positive status severity findings coverage "
    "flags input_tokens output_tokens cached_tokens cost_usd latency_s attempts created_at"
).split()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Where a test may write a file of rows."""
    return tmp_path / "rows.jsonl"


def _row(**changes: object) -> dict[str, object]:
    return {"transcript_id": "t1", "rubric": "coercive-leverage", "judge": "theirs", "level": "enacted"} | changes


def _write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_exported_rows_have_the_contracts_fields_in_its_order() -> None:
    """Every field of the contract is there, null where nothing is known; what goes beyond it follows when it says something."""
    out = io.BytesIO()
    assert write_rows([make_verdict(1), make_verdict(2, "refused", error="the provider declined")], out) == 2
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert list(first) == CONTRACT
    assert list(second) == [*CONTRACT, "error"]
    assert (first["cost_usd"], second["level"], second["positive"]) == (None, None, None)


def _sound(verdict: Verdict) -> Verdict:
    """A verdict that follows the rule that only status ok has a level, and no level contradicts `positive`."""
    decided = {"level": "enacted", "positive": True} if verdict.status == "ok" else {"level": None, "positive": None}
    return verdict.model_copy(update=decided)


@settings(max_examples=60)
@given(verdict=VERDICTS.map(_sound))
def test_an_exported_row_is_imported_as_the_same_verdict(verdict: Verdict) -> None:
    """Export and import are inverse, whatever text the verdict holds."""
    assert read_row(json.loads(json.dumps(to_row(verdict))), "row") == (verdict, ())


def test_a_whole_ledger_goes_through_a_file(ledger: Ledger, rows: Path, tmp_path: Path) -> None:
    """What one ledger exports, another imports: the same verdicts, once, with an entry that says from where."""
    ledger.append(make_verdict(number) for number in range(700))
    ledger.append([make_verdict(700, "overflow")])
    with rows.open("wb") as out:
        write_rows(ledger.verdicts(), out)
    imported = read_rows(rows)
    with open_ledger(tmp_path / "second.db") as second:
        assert keep(second, imported, NOW) == (701, 0)
        assert keep(second, imported, NOW) == (0, 701)
        assert list(second.verdicts()) == list(ledger.verdicts())
        assert second.kinds() == {"import": 1, "verdict": 701}
        assert verify(second).ok


def test_four_fields_are_enough(rows: Path) -> None:
    """A row of another tool gets a stable id, and `positive` from the level where the scale says it."""
    levels = ["enacted", "considered", "not_applicable", "a level of a scale of its own"]
    imported = read_rows(_write(rows, *(_row(transcript_id=f"t{n}", level=level) for n, level in enumerate(levels))))
    assert [verdict.positive for verdict in imported.verdicts] == [True, False, None, None]
    assert {verdict.status for verdict in imported.verdicts} == {"ok"}
    again = read_rows(rows)
    assert [v.verdict_id for v in again.verdicts] == [v.verdict_id for v in imported.verdicts]
    assert len({verdict.verdict_id for verdict in imported.verdicts}) == 4


def test_a_rubrics_own_scale_says_what_is_positive(rows: Path) -> None:
    """With the rubric's scale at hand, its levels decide; without `level`, `positive` alone is a verdict."""
    scale = Scale(levels=("fair", "slanted"), ordinal=False, positive=("slanted",), default="fair")
    _write(
        rows,
        _row(level="slanted"),
        _row(transcript_id="t2", level="fair"),
        _row(transcript_id="t3", level=None, positive=True),
    )
    imported = read_rows(rows, scales={"coercive-leverage": scale})
    assert [(v.level, v.positive) for v in imported.verdicts] == [("slanted", True), ("fair", False), (None, True)]


def test_equal_rows_count_once(rows: Path) -> None:
    """A row that repeats an earlier one is left out and counted."""
    imported = read_rows(_write(rows, _row(), _row(transcript_id="t2"), _row()))
    assert (len(imported.verdicts), imported.duplicates) == (2, 1)


def test_fields_that_a_verdict_does_not_have_are_kept_for_grouping(rows: Path) -> None:
    """Other columns end up in `run`, beside what is there, and are counted."""
    imported = read_rows(_write(rows, _row(team="red", run={"task": "mail"}), _row(transcript_id="t2", team="blue")))
    assert [verdict.run for verdict in imported.verdicts] == [{"task": "mail", "team": "red"}, {"team": "blue"}]
    assert imported.grouping == {"team": 2}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1], r"'\[1\]' is not an object"),
        ({"rubric": "r", "judge": "j", "level": "absent"}, "no 'transcript_id'; required are"),
        (_row(judge=None, model="m-1"), "no 'judge', but 'model' = 'm-1': .*rename the field to 'judge'"),
        (_row(transcript_id=None, sample_id=3), "no 'transcript_id', but 'sample_id' = '3'"),
        (_row(level=None), "neither 'level' nor 'positive'; required are"),
        (_row(level=None, label="enacted"), "but 'label' = 'enacted': .*rename the field to 'level'"),
        (_row(level=None, verdict=True), "but 'verdict' = 'True': .*rename the field to 'positive'"),
        (_row(level=None, flagged=False), "but 'flagged' = 'False': .*rename the field to 'positive'"),
        (_row(level=None, score=0.93), "but 'score' = '0.93': a score is no verdict before a threshold is chosen"),
        (_row(level=3), "level '3': accepted is a level's name"),
        (_row(level=True), "level 'True': true or false belongs into 'positive'"),
        (_row(positive=1), "positive '1': accepted are true and false"),
        (_row(positive=False), "level 'enacted' with positive False: they contradict"),
        (_row(level="not_applicable", positive=False), "they contradict"),
        (_row(status="refused"), "status 'refused' with a level or positive"),
        (_row(status="done", level=None), "status 'done': input should be 'ok', 'unverified'"),
        (_row(sample="1"), "sample '1': input should be a valid integer"),
        (_row(p_positive=1.5), "p_positive '1.5': input should be less than or equal to 1"),
        (_row(findings=[{"criterion": "a", "met": "yes"}]), r"findings\.0\.met 'yes'"),
        (_row(transcript_id=""), "transcript_id '': accepted is text that is not empty"),
        (_row(rubric="a\0b"), r"rubric 'a\\u\{0\}b': accepted is text"),
    ],
)
def test_a_row_that_cannot_be_used_is_explained(rows: Path, row: object, message: str) -> None:
    """The error names file, line, field and value, and what is accepted; nothing is guessed."""
    _write(rows, _row(transcript_id="before"), row)
    with pytest.raises(InputError, match=rf"rows\.jsonl:2: .*{message}"):
        read_rows(rows)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"transcript_id": "t1", ', "rows.jsonl', line 2, byte [0-9]+: no valid JSON"),
        (
            b'{"transcript_id": "t1", "transcript_id": "t2"}',
            "rows.jsonl', line 2, byte [0-9]+: the key 'transcript_id' stands twice",
        ),
        (b'{"transcript_id": "t1", "score": NaN}', "rows.jsonl:2: numbers that are not finite"),
        (b'{"transcript_id": "\\ud800"}', "rows.jsonl:2: half surrogate pairs"),
        (b'{"transcript_id": "\xff"}', "rows.jsonl:2: bytes that are not UTF-8"),
        (b"[" * 10_000, "rows.jsonl', line 2, .*depth 101"),
    ],
)
def test_a_line_that_is_no_sound_json_is_refused(rows: Path, line: bytes, message: str) -> None:
    """Broken, doubled, non-finite, non-Unicode and bottomless JSON each give one error with the line."""
    rows.write_bytes(json.dumps(_row()).encode() + b"\n" + line + b"\n")
    with pytest.raises(InputError, match=f"(?s){message}"):
        read_rows(rows)


def test_an_array_is_refused_with_the_way_to_convert_it(rows: Path) -> None:
    """A JSON array instead of lines is recognised."""
    rows.write_text("[{}]")
    with pytest.raises(InputError, match=r"one object per line.*jq -c"):
        read_rows(rows)


def test_marks_and_empty_lines_are_no_rows(rows: Path) -> None:
    """A byte-order mark and blank lines are passed over, and lines are counted with them."""
    rows.write_bytes(b"\xef\xbb\xbf" + json.dumps(_row()).encode() + b"\r\n\n  \n" + b"{}\n")
    with pytest.raises(InputError, match=r"rows\.jsonl:4: no 'transcript_id'"):
        read_rows(rows)


def test_two_different_verdicts_on_one_thing_must_be_told_apart(rows: Path) -> None:
    """Repeated verdicts need `sample` or ids of their own; the error names both lines."""
    _write(rows, _row(), _row(level="absent"))
    with pytest.raises(InputError, match=r"rows\.jsonl:2: a second verdict of 'theirs' on 't1'.*unlike that in line 1"):
        read_rows(rows)
    assert len(read_rows(_write(rows, _row(), _row(level="absent", sample=1))).verdicts) == 2
    assert len(read_rows(_write(rows, _row(), _row(level="absent", verdict_id="mine"))).verdicts) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is an input error."""
    with pytest.raises(InputError, match=r"nowhere\.jsonl: cannot be read"):
        read_rows(tmp_path / "nowhere.jsonl")


def test_an_import_never_changes_what_a_ledger_says(ledger: Ledger, rows: Path) -> None:
    """A row whose id the ledger has with another outcome is refused, and none of the file is kept."""
    ledger.append([make_verdict(1)])
    changed = to_row(make_verdict(1)) | {"level": "absent", "positive": False}
    with pytest.raises(InputError, match=r"'00000001' on 'run-00000' is in .* with another outcome"):
        keep(ledger, read_rows(_write(rows, _row(), changed)), NOW)
    assert ledger.kinds() == {"verdict": 1}


def test_the_same_verdict_made_elsewhere_is_there_already(ledger: Ledger, rows: Path) -> None:
    """Two machines that asked the same question at other times and costs gave one verdict, and the first one stays."""
    ledger.append([make_verdict(1)])
    elsewhere = to_row(make_verdict(1)) | {"created_at": "2026-04-01T10:00:00Z", "latency_s": 9.5, "cost_usd": 0.5}
    assert keep(ledger, read_rows(_write(rows, elsewhere)), NOW) == (0, 1)
    assert ledger.get("00000001") == make_verdict(1)


def test_an_import_may_follow_a_failure(ledger: Ledger, rows: Path) -> None:
    """Where the ledger has only an error for an id, an imported verdict takes its place, and both stay recorded."""
    ledger.append([make_verdict(1, "error")])
    assert keep(ledger, read_rows(_write(rows, to_row(make_verdict(1)))), NOW) == (1, 0)
    assert ledger.get("00000001") == make_verdict(1)


@settings(max_examples=100)
@given(
    row=st.dictionaries(
        st.sampled_from([*CONTRACT, "run", "score", "p_positive", "label"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text(), max_size=2)
        | st.just({}),
    )
)
def test_no_row_escapes_as_another_error(row: dict[str, object]) -> None:
    """Whatever a row holds, it is a verdict or an input error."""
    try:
        verdict, _ = read_row(_row() | row, "row")
    except InputError:
        return
    assert verdict.status == "ok" or verdict.level is None


def test_a_number_beyond_64_bits_is_refused() -> None:
    """Python callers too get an input error for what JSON tools would change."""
    with pytest.raises(InputError, match="integers of 64 bits"):
        read_row(_row(run={"seed": 2**80}), "row")
