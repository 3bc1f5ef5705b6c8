"""What the ledger keeps, finds and refuses."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.errors import InputError, IntegrityError
from judge.ledger.entry import Call, Entry
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger, Select
from judge.ledger.verdict import Verdict
from judge.ledger.verifying import verify
from ledger.strategies import IDS, VERDICTS
from ledger.support import make_call, make_verdict


@settings(max_examples=60)
@given(batches=st.lists(st.lists(VERDICTS, max_size=5), max_size=4))
def test_every_verdict_comes_back_as_it_went_in(batches: list[list[Verdict]]) -> None:
    """Whatever text verdicts hold, the first settled one per id comes back equal, in a fixed order, and the chain verifies."""
    kept: dict[str, Verdict] = {}
    rows = 0
    with TemporaryDirectory() as folder, open_ledger(Path(folder) / "ledger.db") as ledger:
        for batch in batches:
            written = ledger.append(batch).written
            for verdict in batch:
                if verdict.verdict_id not in kept or kept[verdict.verdict_id].status in ("error", "over_budget"):
                    kept[verdict.verdict_id] = verdict
                    rows += 1
                    written -= 1
            assert written == 0
        ordered = sorted(kept.values(), key=lambda v: (v.transcript_id, v.rubric, v.judge, v.sample, v.verdict_id))
        assert list(ledger.verdicts()) == ordered
        assert ledger.statuses([*kept, "nowhere"]) == {found: verdict.status for found, verdict in kept.items()}
        outlines = ledger.outlines([*kept, "nowhere"])
        assert outlines.keys() == kept.keys()
        assert all(
            value == getattr(kept[one[0]], name) for one in outlines.values() for name, value in one._asdict().items()
        )
        report = verify(ledger)
        assert (report.fault, report.rows, report.verdicts) == (None, rows, len(kept))


@settings(max_examples=40)
@given(key=IDS, answer=st.none() | st.text(), cost=st.none() | st.floats(0, 1))
def test_a_call_is_found_by_its_request_key(key: str, answer: str | None, cost: float | None) -> None:
    """The latest call with a request key comes back equal, whatever the model answered."""
    call = Call(key=key, verdict_id="v", turn=1, answer=answer, cost_usd=cost, usage={"prompt_tokens": 3})
    with TemporaryDirectory() as folder, open_ledger(Path(folder) / "ledger.db") as ledger:
        ledger.append([Call(key=key, verdict_id="v", status="timeout"), call])
        assert ledger.call(key) == call
        assert ledger.call(key + "x") is None
        assert ledger.called([key, key + "x"]) == {key}


def test_the_chain_can_be_recomputed_without_this_package(ledger: Ledger, path: Path) -> None:
    """Plain SQL, JSON and SHA-256 give the head that the ledger states."""
    stated = ledger.append(
        [make_call(1), make_verdict(1), Entry("decision", "d-1", {"verdict_id": "1", "keep": False})]
    ).head
    with sqlite3.connect(path) as raw:
        meta = json.dumps(dict(raw.execute("SELECT name, value FROM meta")), sort_keys=True, separators=(",", ":"))
        rows = raw.execute("SELECT seq, kind, key, body FROM entry ORDER BY seq").fetchall()
    raw.close()
    digest = hashlib.sha256(meta.encode()).digest()
    for seq, kind, key, body in rows:
        lengths = struct.pack(">QII", seq, len(kind.encode()), len(key.encode()))
        digest = hashlib.sha256(digest + lengths + kind.encode() + key.encode() + body.encode()).digest()
    assert (3, digest.hex()) == stated


def test_a_settled_verdict_is_not_replaced(ledger: Ledger) -> None:
    """A second verdict for an id that has one is left out and counted, so nothing is recorded twice."""
    first = make_verdict(1)
    ledger.append([first])
    again = ledger.append([make_verdict(1, level="absent", positive=False), make_verdict(2)])
    assert (again.written, again.kept, again.head.rows) == (1, 1, 2)
    assert ledger.get(first.verdict_id) == first


@pytest.mark.parametrize("status", ["error", "over_budget"])
def test_a_verdict_that_failed_from_outside_is_followed_by_a_later_one(ledger: Ledger, status: str) -> None:
    """After an error or a spent budget the next verdict for the same id counts, and both entries stay."""
    ledger.append([make_verdict(1, status)])
    ledger.append([make_verdict(1)])
    assert ledger.statuses(["00000001"]) == {"00000001": "ok"}
    assert ledger.kinds() == {"verdict": 2}
    assert ledger.counts() == {(): 1}
    assert verify(ledger).ok


def test_other_statuses_are_reopened_on_request(ledger: Ledger) -> None:
    """A caller can name the statuses that a later verdict may replace."""
    ledger.append([make_verdict(1, "invalid")])
    assert ledger.append([make_verdict(1)]).written == 0
    assert ledger.append([make_verdict(1)], reopen=("invalid",)).written == 1
    assert ledger.get("00000001").status == "ok"


def test_one_batch_may_hold_the_failure_and_what_followed(ledger: Ledger) -> None:
    """Within one append the same rule holds as across appends."""
    done = ledger.append([make_verdict(1, "error"), make_verdict(1), make_verdict(1, "refused")])
    assert (done.written, done.kept) == (2, 1)
    assert ledger.get("00000001").status == "ok"


def test_an_append_that_fails_leaves_nothing(ledger: Ledger) -> None:
    """When one item cannot be kept, none of the batch is."""
    with pytest.raises(InputError, match="note '1': cannot be kept"):
        ledger.append([make_verdict(1), Entry("note", "1", {"value": float("nan")})])
    assert ledger.head().rows == 0


@pytest.mark.parametrize(
    "entry",
    [
        Entry("note", "", {}),
        Entry("", "k", {}),
        Entry("note", "a\0b", {}),
        Entry("note", "\ud800", {}),
        Entry("note", "k", {"text": "\udfff"}),
        Entry("note", "k", {"number": 2**70}),
        Entry("note", "k", {"thing": object()}),
    ],
)
def test_what_json_cannot_say_is_refused(ledger: Ledger, entry: Entry) -> None:
    """Keys and bodies that could not be read back are refused with one clear error."""
    with pytest.raises(InputError, match="cannot be kept"):
        ledger.append([entry])


def test_a_number_that_no_database_holds_is_refused(ledger: Ledger) -> None:
    """An integer beyond 63 bits in a column that is queried gives one clear error, and nothing is kept."""
    with pytest.raises(InputError, match="too large to be kept"):
        ledger.append([make_verdict(1), make_verdict(2, sample=2**63)])
    assert ledger.head().rows == 0


def test_a_hand_made_verdict_entry_is_a_programming_mistake(ledger: Ledger) -> None:
    """Only the Verdict model may become a verdict entry."""
    with pytest.raises(ValueError, match="append the Verdict itself"):
        ledger.append([Entry("verdict", "1", {})])


def test_verdicts_are_selected_by_any_column(ledger: Ledger) -> None:
    """Each field of a selection limits what comes back, and an empty list of values matches nothing."""
    other = make_verdict(7, rubric="deceiving-principals", judge="replay/a", level="absent", positive=False)
    failed = make_verdict(9, "refused")
    ledger.append([make_verdict(1), make_verdict(2), other, failed])

    def found(**limits: object) -> list[str]:
        return [verdict.verdict_id for verdict in ledger.verdicts(Select.model_validate(limits))]

    assert found() == ["00000001", "00000002", "00000007", "00000009"]
    assert found(rubric=("deceiving-principals",)) == ["00000007"]
    assert found(judge=("baseline/cues",), positive=True) == ["00000001", "00000002"]
    assert found(transcript_id=("run-00000", "run-00003")) == ["00000001", "00000007"]
    assert found(status=("refused",)) == ["00000009"]
    assert found(level=("absent", "enacted"), positive=False) == ["00000007"]
    assert found(verdict_id=()) == []


def test_counts_group_by_columns(ledger: Ledger) -> None:
    """Counts are per combination of the named columns; an unknown column is a programming mistake."""
    ledger.append([make_verdict(1), make_verdict(2), make_verdict(3, "refused")])
    assert ledger.counts("status", "level") == {("ok", "enacted"): 2, ("refused", None): 1}
    assert ledger.counts(select=Select(status=("refused",))) == {(): 1}
    with pytest.raises(ValueError, match="cannot count by"):
        ledger.counts("body")


def test_get_takes_any_unique_beginning(ledger: Ledger) -> None:
    """A verdict is found by its id or by a beginning that no other id shares."""
    verdicts = [make_verdict(number, verdict_id=name) for number, name in enumerate(["abc", "abcd", "b\U0010ffff"])]
    ledger.append(verdicts)
    assert ledger.get("abcd") == verdicts[1]
    assert ledger.get("abc") == verdicts[0]  # whole ids win over longer ones
    assert ledger.get("b") == verdicts[2]
    with pytest.raises(InputError, match="'ab' is the beginning of 'abc', 'abcd'"):
        ledger.get("ab")
    with pytest.raises(InputError, match="no verdict 'c'"):
        ledger.get("c")
    with pytest.raises(InputError, match="no verdict ''"):
        ledger.get("")


def test_reading_may_go_on_while_rows_are_added(ledger: Ledger) -> None:
    """A reader in the middle of the verdicts sees those that were there when it began."""
    ledger.append(make_verdict(number) for number in range(1200))
    reader = ledger.verdicts()
    next(reader)
    ledger.append(make_verdict(number) for number in range(1200, 1300))
    assert sum(1 for _ in reader) == 1199


def test_threads_may_share_one_ledger(ledger: Ledger) -> None:
    """Appends from several threads all arrive, in one unbroken chain."""
    threads = [
        Thread(target=lambda start=start: [ledger.append([make_verdict(n)]) for n in range(start, start + 40)])
        for start in (0, 100, 200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.counts() == {(): 120}
    assert verify(ledger).ok


def test_a_closed_ledger_is_one_file(path: Path) -> None:
    """Closing leaves the ledger alone in its folder, and it opens again with the same head."""
    with open_ledger(path) as ledger:
        head = ledger.append([make_verdict(1)]).head
    with open_ledger(path, read_only=True) as ledger:
        assert ledger.head() == head
        ledger.close()  # closing twice is fine
    assert [each.name for each in path.parent.iterdir()] == ["ledger.db"]


def test_a_reader_cannot_write(path: Path) -> None:
    """A ledger opened for reading refuses to append."""
    open_ledger(path).close()
    with open_ledger(path, read_only=True) as ledger, pytest.raises(InputError, match="cannot be written"):
        ledger.append([make_verdict(1)])


def test_sql_cannot_change_or_remove_entries(ledger: Ledger, path: Path) -> None:
    """The file itself refuses updates, deletions, replacements and gaps, for any tool that writes to it."""
    ledger.append([make_verdict(1), make_verdict(2)])
    raw = sqlite3.connect(path)
    for statement in (
        "UPDATE entry SET body = '{}' WHERE seq = 1",
        "DELETE FROM entry",
        "INSERT OR REPLACE INTO entry VALUES (1, 'verdict', 'k', '{}', x'00')",
        "INSERT INTO entry VALUES (9, 'verdict', 'k', '{}', x'00')",
        "UPDATE meta SET value = 'x'",
        "DELETE FROM meta",
        "INSERT OR REPLACE INTO meta VALUES ('ledger_id', 'x')",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)
    raw.close()


def test_a_ledger_that_is_not_there_is_not_made_by_reading(path: Path) -> None:
    """Opening without `create`, or for reading only, says that there is none and makes no file."""
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(InputError, match="no ledger there"):
            open_ledger(path, **options)
    assert not path.exists()


def test_paths_that_cannot_be_ledgers_are_named(tmp_path: Path) -> None:
    """A folder, a missing folder and a file that is something else are each refused with what to do."""
    with pytest.raises(InputError, match="is a folder"):
        open_ledger(tmp_path)
    with pytest.raises(InputError, match="mkdir -p"):
        open_ledger(tmp_path / "missing" / "ledger.db")
    notes = tmp_path / "notes.txt"
    notes.write_text("not a database, " * 100)
    for options in ({}, {"create": False}, {"read_only": True}):
        with pytest.raises(InputError, match="not a ledger"):
            open_ledger(notes, **options)
    assert notes.read_text() == "not a database, " * 100


def test_an_empty_file_becomes_a_ledger_only_when_one_may_be_made(path: Path) -> None:
    """An empty file is no ledger to a reader, and room for a new one to a writer."""
    path.touch()
    with pytest.raises(InputError, match="not a ledger"):
        open_ledger(path, create=False)
    with open_ledger(path) as ledger:
        assert ledger.head().rows == 0


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """A database of something else is refused and gets no tables."""
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE recipes (name TEXT)")
    raw.commit()
    with pytest.raises(InputError, match="a database, but not a ledger"):
        open_ledger(path)
    assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    raw.close()


def _rewrite_meta(path: Path, name: str, value: str) -> None:
    raw = sqlite3.connect(path)
    ((trigger,),) = raw.execute("SELECT sql FROM sqlite_master WHERE name = 'meta_UPDATE_refused'").fetchall()
    raw.execute("DROP TRIGGER meta_UPDATE_refused")
    raw.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
    raw.execute(trigger)
    raw.commit()
    raw.close()


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    """A schema that this version does not know is not guessed at."""
    open_ledger(path).close()
    _rewrite_meta(path, "schema", "judge.ledger/2")
    with pytest.raises(InputError, match=r"'judge\.ledger/2' is newer.*upgrade judge"):
        open_ledger(path)


def test_a_ledger_whose_description_is_damaged_is_an_integrity_error(path: Path) -> None:
    """What is no version at all is damage, not a newer version."""
    open_ledger(path).close()
    _rewrite_meta(path, "schema", "nonsense")
    with pytest.raises(IntegrityError, match="description of itself is damaged"):
        open_ledger(path)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER entry_DELETE_refused",
        "CREATE TRIGGER quiet AFTER INSERT ON entry BEGIN SELECT 1; END",
        "DROP INDEX entry_by_key",
        "ALTER TABLE verdict ADD COLUMN note TEXT",
    ],
)
def test_tables_that_were_tampered_with_are_noticed_on_opening(path: Path, statement: str) -> None:
    """A ledger whose guards are gone, or that holds anything of somebody else's, does not open."""
    open_ledger(path).close()
    raw = sqlite3.connect(path)
    raw.execute(statement)
    raw.commit()
    raw.close()
    with pytest.raises(IntegrityError, match="in its tables"):
        open_ledger(path)


def test_a_ledger_that_another_process_locks_is_waited_for_and_named(path: Path) -> None:
    """A writer that cannot get its turn within the wait says so instead of hanging or losing rows."""
    with open_ledger(path, wait_s=0.05) as ledger:
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match=r"locked by another process for more than 0\.05 s"):
            ledger.append([make_verdict(1)])
        raw.execute("ROLLBACK")
        raw.close()
        assert ledger.append([make_verdict(1)]).head.rows == 1


def test_a_full_disk_keeps_what_was_acknowledged(path: Path) -> None:
    """When the file cannot grow, the append fails whole, and with room again the chain goes on."""
    with open_ledger(path) as ledger:
        ledger.append([make_verdict(1)])
        ((pages,),) = ledger._query("PRAGMA page_count")
        ledger._query(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(InputError, match="disk is full; nothing of this batch was kept"):
            ledger.append(make_verdict(number) for number in range(2, 500))
        assert ledger.head().rows == 1
        ledger._query("PRAGMA max_page_count = 1000000")
        assert ledger.append(make_verdict(number) for number in range(2, 500)).written == 498
        assert verify(ledger).ok


_LIMITED = """
import resource, signal, sys
from judge.errors import InputError
from judge.ledger.entry import Entry
from judge.ledger.opening import open_ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
acknowledged = 0
with open_ledger(sys.argv[1]) as ledger:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    try:
        while True:
            acknowledged = ledger.append([Entry("note", "k", {"text": "x" * 5000})] * 4).head.rows
    except InputError as error:
        print(error, file=sys.stderr)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(acknowledged)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
def test_a_write_that_the_system_refuses_is_a_clean_error(path: Path) -> None:
    """When the operating system refuses to write, the error is ours and every acknowledged row is there."""
    done = subprocess.run([sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert "nothing of this batch was kept" in done.stderr
    with open_ledger(path, create=False) as ledger:
        assert ledger.head().rows == int(done.stdout) > 0
        assert verify(ledger).ok


_AS_NOBODY = """
import os, sys
import judge.ledger.sqlite  # while its file can be read
from judge.errors import InputError
from judge.ledger.verifying import verify
from judge.ledger.opening import open_ledger
if os.geteuid() == 0:  # root may write anywhere
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with open_ledger(sys.argv[1], read_only=True) as ledger:
    print(verify(ledger).ok, len(list(ledger.verdicts())))
try:
    with open_ledger(sys.argv[1]) as ledger:
        ledger.append(())
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folder permissions are a POSIX feature")
def test_a_ledger_on_a_read_only_disk_can_be_read_and_says_why_it_cannot_be_written() -> None:
    """Where nothing may be written, a ledger still verifies, and a writer gets a clean error."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "ledger.db"
        with open_ledger(path) as ledger:
            ledger.append([make_verdict(1), make_verdict(2)])
        path.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-B", "-c", _AS_NOBODY, str(path)], capture_output=True, text=True, check=False
        )
        folder.chmod(0o755)
    assert done.stderr == ""
    verified, refused = done.stdout.splitlines()
    assert verified == "True 2"
    assert "cannot be written" in refused


def test_a_torn_file_is_an_integrity_error(path: Path) -> None:
    """A ledger whose end is missing on disk is damage, said so whether it shows on opening or on reading."""
    with open_ledger(path) as ledger:
        ledger.append(make_verdict(number) for number in range(300))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(IntegrityError, match="restore it"), open_ledger(path) as ledger:
        verify(ledger).require()


def test_a_stored_verdict_of_another_shape_is_named_by_its_entry(path: Path) -> None:
    """A body that is no verdict of this version is an integrity error that names the entry and the field."""
    with open_ledger(path) as ledger:
        ledger.append([make_verdict(1)])
        raw = sqlite3.connect(path)
        ((trigger,),) = raw.execute("SELECT sql FROM sqlite_master WHERE name = 'entry_UPDATE_refused'").fetchall()
        raw.execute("DROP TRIGGER entry_UPDATE_refused")
        raw.execute("UPDATE entry SET body = '{\"verdict_id\": 3}'")
        raw.execute(trigger)
        raw.commit()
        raw.close()
        with pytest.raises(IntegrityError, match=r"entry 1: not a verdict of this version: verdict_id: .*not '3'"):
            ledger.get("00000001")
