"""The ledger in PostgreSQL: the same promises as in a file, on a server that the tests start for themselves."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGKILL
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.support import make_transcripts
from judge.errors import InputError, IntegrityError
from judge.grading.budget import Budget
from judge.grading.judges import Judge
from judge.grading.run import grade_sync
from judge.grading.workers.driver import run_on_workers
from judge.grading.workers.local import LocalLauncher
from judge.ledger.entry import Entry
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger, Select
from judge.ledger.verdict import Verdict
from judge.ledger.verifying import verify
from judge.rubrics.loading import load_rubric
from ledger.strategies import VERDICTS
from ledger.support import make_call, make_verdict, write_missing, write_range

psycopg = pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
_INITDB = shutil.which("initdb") or (str(_DEBIAN[-1]) if _DEBIAN else None)

pytestmark = [
    pytest.mark.skipif(_INITDB is None, reason="no PostgreSQL server on this machine (initdb not found)"),
    pytest.mark.skipif(not hasattr(os, "geteuid"), reason="the tests talk to the server through a Unix socket"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """A PostgreSQL server of its own, on a Unix socket in the folder that is returned."""
    folder = Path(tempfile.mkdtemp(prefix="judge-pg-"))
    account = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    if account:
        shutil.chown(folder, account)
    binaries = Path(str(_INITDB)).resolve().parent

    def run(*command: str) -> None:
        done = subprocess.run(command, user=account, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the PostgreSQL server does not start: {done.stderr[-300:]}")

    control = (str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w", "-s")
    try:
        run(
            str(binaries / "initdb"),
            "-D",
            str(folder / "data"),
            "-U",
            "judge",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        run(*control, "-l", str(folder / "log"), "-o", options, "start")
        yield folder
        run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def address(server: Path) -> str:
    """The address of a ledger that does not exist yet."""
    return _new_address(server)


def _new_address(server: Path) -> str:
    return f"postgresql://judge@/postgres?host={server}&schema=t_{uuid4().hex}"


@pytest.fixture
def ledger(address: str) -> Iterator[Ledger]:
    """A new, empty ledger in PostgreSQL."""
    with open_ledger(address) as opened:
        yield opened


@pytest.fixture
def attack(address: str) -> Iterator[Callable[[str], None]]:
    """Run SQL on the ledger's tables as an administrator whom no trigger stops."""
    plain, _, schema = address.rpartition("&schema=")
    with psycopg.connect(plain, autocommit=True) as database:

        def run(sql: str) -> None:
            database.execute(f'SET search_path TO "{schema}"')
            database.execute("SET session_replication_role = replica")
            database.execute(sql)

        yield run


_TEXT_WITHOUT_NUL = VERDICTS.filter(lambda verdict: "\0" not in f"{verdict.level}{verdict.created_at}")


@settings(max_examples=25)
@given(batches=st.lists(st.lists(_TEXT_WITHOUT_NUL, max_size=5), max_size=3))
def test_every_verdict_comes_back_as_in_a_file(
    server: Path, tmp_path_factory: pytest.TempPathFactory, batches: list[list[Verdict]]
) -> None:
    """Both back ends keep the same of the same appends, and return it in the same order."""
    path = tmp_path_factory.mktemp("file") / "ledger.db"
    with open_ledger(_new_address(server)) as ledger, open_ledger(path) as file:
        for batch in batches:
            assert ledger.append(batch)[:2] == file.append(batch)[:2]
        assert list(ledger.verdicts()) == list(file.verdicts())
        assert [row[:4] for row in ledger.rows()] == [row[:4] for row in file.rows()]
        assert verify(ledger).ok
        assert verify(ledger).verdicts == verify(file).verdicts


def test_lookups_selections_and_counts_answer_as_in_a_file(ledger: Ledger) -> None:
    """Statuses, calls, unique beginnings, selections and counts work on the server too."""
    ledger.append([make_call(1), make_verdict(1), make_verdict(2, "error"), Entry("decision", "d", {"keep": True})])
    ledger.append([make_verdict(2), make_verdict(1, level="absent", positive=False)])
    assert ledger.statuses(["00000001", "00000002", "x"]) == {"00000001": "ok", "00000002": "ok"}
    assert ledger.outlines(["00000001", "x"])["00000001"].positive == make_verdict(1).positive
    assert ledger.call("call-00000001") == make_call(1)
    assert ledger.called(["call-00000001", "x"]) == {"call-00000001"}
    assert ledger.get("00000001") == make_verdict(1)
    assert [v.verdict_id for v in ledger.verdicts(Select(positive=True, status=("ok",)))] == ["00000001", "00000002"]
    assert ledger.counts("status") == {("ok",): 2}
    assert ledger.kinds() == {"call": 1, "decision": 1, "verdict": 3}
    with pytest.raises(InputError, match="is the beginning of '00000001', '00000002'"):
        ledger.get("0")


def test_an_append_that_fails_leaves_nothing(ledger: Ledger) -> None:
    """A value that the database refuses undoes the whole batch, and the ledger goes on."""
    with pytest.raises(InputError, match="cannot be kept"):
        ledger.append([make_verdict(1), make_verdict(2, transcript_id="a\0b")])
    assert ledger.head().rows == 0
    assert ledger.append([make_verdict(1)]).head.rows == 1


def test_sql_cannot_change_or_remove_entries(ledger: Ledger, address: str) -> None:
    """The database refuses updates, deletions and truncation of what was recorded."""
    ledger.append([make_verdict(1)])
    plain, _, schema = address.rpartition("&schema=")
    with psycopg.connect(plain, autocommit=True) as database:
        for statement in ("UPDATE {}.entry SET body = ''", "DELETE FROM {}.entry", "TRUNCATE {}.meta"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                database.execute(statement.format(schema))


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE entry SET body = replace(body, 'Odalys', 'nobody') WHERE seq = 2", "entry 2: changed"),
        ("DELETE FROM entry WHERE seq = 1", "entry 1 is missing"),
        ("UPDATE entry SET seq = 9 WHERE seq = 3", "entry 9: entry 3 is missing"),
        ("UPDATE verdict SET positive = 0", "entry 2: queries would return other values"),
        ("DELETE FROM verdict", "queries would not find verdict '00000001'"),
        ("DROP TRIGGER entry_refused ON entry", "guards against changes are missing"),
        ("ALTER TABLE entry DISABLE TRIGGER entry_refused", "guards against changes are missing"),
    ],
)
def test_an_administrators_change_is_detected(
    ledger: Ledger, attack: Callable[[str], None], sql: str, problem: str
) -> None:
    """Whoever can switch the guards off is found out by the chain."""
    ledger.append([make_call(1), make_verdict(1), make_call(2)])
    attack(sql)
    with pytest.raises(IntegrityError, match=problem):
        verify(ledger).require()


def test_rows_cut_off_the_end_are_detected_by_a_head_noted_before(
    ledger: Ledger, attack: Callable[[str], None]
) -> None:
    """As in a file, a shorter chain holds by itself and fails the head that was noted."""
    noted = ledger.append([make_call(1), make_call(2)]).head.sha256
    attack("DELETE FROM entry WHERE seq = 2")
    assert verify(ledger).ok
    assert not verify(ledger, expect=noted).ok


def test_a_ledger_is_not_made_by_reading(address: str) -> None:
    """Reading where no ledger is says so and creates nothing."""
    for _ in range(2):
        with pytest.raises(InputError, match="no ledger there"):
            open_ledger(address, read_only=True)


def test_a_reader_cannot_write(ledger: Ledger, address: str) -> None:
    """A ledger opened for reading refuses to append."""
    with open_ledger(address, read_only=True) as reader, pytest.raises(InputError, match="cannot be written"):
        reader.append([make_verdict(1)])
    assert ledger.head().rows == 0


def test_a_ledger_that_another_process_locks_is_waited_for_and_named(address: str) -> None:
    """A writer whose turn does not come says so."""
    locked = pytest.raises(InputError, match=r"locked by another process for more than 0\.05 s")
    with open_ledger(address) as first, open_ledger(address, wait_s=0.05) as second, first._writing(), locked:
        second.append([make_verdict(1)])


def test_a_newer_version_is_refused(ledger: Ledger, address: str, attack: Callable[[str], None]) -> None:
    """A schema that this version does not know is not guessed at."""
    attack("UPDATE meta SET value = 'judge.ledger/2' WHERE name = 'schema'")
    with pytest.raises(InputError, match="newer than"):
        open_ledger(address)


def test_no_error_shows_the_password(tmp_path: Path) -> None:
    """A server that is not there is an input error without the account's name or password."""
    with pytest.raises(InputError) as caught:
        open_ledger(f"postgresql://odalys:hunter2@/books?host={tmp_path}", wait_s=1)
    assert "hunter2" not in str(caught.value)
    assert "odalys" not in str(caught.value)
    assert f"postgresql://{tmp_path}/books?schema=judge" in str(caught.value)


def test_no_command_shows_or_writes_the_password(address: str, tmp_path: Path) -> None:
    """What is printed may be logged and a report is passed on: neither holds the password, nor does a folder's name."""
    secret = address.replace("judge@", "judge:hunter2@")
    (tmp_path / "one.json").write_text(
        '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}'
    )
    said = ""
    for command in (
        ("grade", "one.json", "-r", "coercive-leverage", "-m", "baseline/cues", "--all"),
        ("verdicts",),
        ("rates",),
        ("report", "--to", "report.html"),
        ("report", "--md"),
        ("report", "--json"),
        ("ledger", "verify"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "judge", *command, "--ledger", secret],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    with subprocess.Popen(
        [sys.executable, "-m", "judge", "audit", "--no-open", "--json", "--ledger", secret],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    ) as page:
        assert page.stdout is not None
        said += page.stdout.readline()
        page.terminate()
    assert '"labels":"gold/labels"' in said
    said += (tmp_path / "report.html").read_text()
    assert "hunter2" not in said
    assert "/postgres?schema=" in said


def test_an_address_of_another_kind_of_server_is_refused() -> None:
    """It is not taken for the path of a file."""
    with pytest.raises(InputError, match=r"'mysql' address; give a file's path or postgresql://"):
        open_ledger("mysql://judge@localhost/books")


@pytest.mark.parametrize("query", ["schema=a-b", "schema=", "schema=x%22;drop", "nonsense=1"])
def test_an_address_that_makes_no_sense_is_refused(query: str) -> None:
    """What cannot be a schema or an option is refused before anything is connected to."""
    with pytest.raises(InputError, match="accepted"):
        open_ledger(f"postgresql://judge@localhost/books?{query}")


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Processes that start in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["judge.ledger.sqlite", "judge.ledger.postgres", "psycopg"])
    return context


def _received(acknowledged: Connection) -> set[int]:
    numbers: set[int] = set()
    while True:
        try:
            numbers.update(acknowledged.recv())
        except EOFError:
            return numbers


def test_writers_on_several_machines_share_a_ledger(
    address: str, processes: multiprocessing.context.ForkServerContext
) -> None:
    """Processes that write overlapping verdicts at once give one unbroken chain with each verdict once."""
    pipes = [processes.Pipe(duplex=False) for _ in range(3)]
    writers = [
        processes.Process(target=write_range, args=(address, range(start, start + 100), sending))
        for start, (_, sending) in zip((0, 50, 100), pipes, strict=True)
    ]
    for writer in writers:
        writer.start()
    for _, sending in pipes:
        sending.close()
    written = [receiving.recv() for receiving, _ in pipes]
    for writer in writers:
        writer.join()
    with open_ledger(address, create=False) as ledger:
        assert sum(written) == 200
        assert ledger.kinds() == {"verdict": 200}
        assert verify(ledger).ok


def test_killed_writers_lose_nothing_that_was_acknowledged(
    address: str, processes: multiprocessing.context.ForkServerContext
) -> None:
    """After kill -9 of a writer at ten random moments each acknowledged row is there once, and the chain verifies."""
    chance = random.Random(10)
    acknowledged: set[int] = set()
    for kill in range(10):
        receiving, sending = processes.Pipe(duplex=False)
        writer = processes.Process(target=write_missing, args=(address, 4_000, kill, sending))
        writer.start()
        sending.close()
        receiving.poll(None)
        writer.join(chance.uniform(0, 0.05))
        writer.kill()
        writer.join()
        assert writer.exitcode == -SIGKILL
        acknowledged |= _received(receiving)
        receiving.close()
    with open_ledger(address) as ledger:
        assert verify(ledger).fault is None
        present = {int(row.key, 16) for row in ledger.rows(kind="verdict")}
        assert len(present) == ledger.kinds()["verdict"]
        assert acknowledged <= present
        assert acknowledged


def test_disputes_and_links_are_the_same_here(ledger: Ledger) -> None:
    """Disputes are folded from this back end as from SQLite, and an entry's link can be taken out of its chain."""
    from judge.ledger.bundle import take_entries
    from judge.ledger.chain import link
    from judge.ledger.decisions import stand
    from ledger.test_decisions import VERDICTS as DISPUTED
    from ledger.test_decisions import decision, dispute

    assert ledger.last_verdict() == 0
    ledger.append(DISPUTED)
    ledger.append([dispute("d1"), decision("d1")])
    assert ledger.last_verdict() == len(DISPUTED)
    assert stand(ledger)[DISPUTED[0].verdict_id].state == "overturned"
    taken = take_entries(ledger, DISPUTED[0].verdict_id)
    assert [one.kind for one in taken] == ["verdict", "dispute", "decision"]
    for one in taken:
        linked = link(bytes.fromhex(one.previous), one.seq, one.kind, one.key, one.body.encode())
        assert linked.hex() == one.sha256


def test_workers_of_a_run_write_through_their_driver(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two worker processes leave the rows that one process leaves in a file; each turn's latest call is found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rubric, judge = load_rubric("coercive-leverage"), Judge(model="baseline/cues")

    async def work() -> int:
        stream = run_on_workers(
            make_transcripts(100), [rubric], [judge], launch=LocalLauncher, workers=2, budget=Budget(), ledger=ledger
        )
        return sum([not found async for _, found in stream])

    assert [100, 0] == [asyncio.run(work()) for _ in range(2)]
    with open_ledger(tmp_path / "ledger.db") as file:
        grade_sync(make_transcripts(100), [rubric], [judge], ledger=file)
        clock = {"created_at", "latency_s"}
        assert [row.model_dump(exclude=clock) for row in file.verdicts()] == [
            row.model_dump(exclude=clock) for row in ledger.verdicts()
        ]
    first, again = (make_call(1).model_copy(update={"key": "a/0", "attempt": attempt}) for attempt in (1, 2))
    ledger.append([first, again, first.model_copy(update={"key": "a0/0"})])
    assert [again] == ledger.calls("a")
