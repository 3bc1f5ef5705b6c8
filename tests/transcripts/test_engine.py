"""Reading as such: what a file is, what is refused and how, limits at their edges, ids, and the one JSON policy."""

from __future__ import annotations

import io
import json
import os
import random
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from judge.cli.main import app
from judge.errors import InputError
from judge.transcripts import Limits, Transcript, Unreadable, detect, iter_transcripts, jsontext, read
from judge.transcripts.canonical import encode
from judge.transcripts.jsontext import UNSURE, Origin, parse, parse_carefully, parse_quickly
from judge.transcripts.seen import Seen
from judge.transcripts.source import Opened
from transcript_checks import FIXTURES, transcripts_in

CHAT = [{"role": "user", "content": "Is it fresh?"}, {"role": "assistant", "content": "Yes."}]


def write(path: Path, content: bytes | str | list[object] | dict[str, object]) -> Path:
    if not isinstance(content, bytes):
        content = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    path.write_bytes(content)
    return path


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.json", b"", "the file is empty"),
        ("blank.json", b" \n\t ", "nothing but white space"),
        ("model.pkl", b"\x80\x04\x95\x10\x00", "pickle"),
        ("deep.json", b"[" * 10_000 + b"]" * 10_000, "depth 101 is over the limit of 100"),
        ("broken.json", b'{"messages": [\n{"role" "user"}]}', "line 2, byte 23"),
        ("cut.json", b'{"messages": [\n{"role":', "line 2, byte 23"),
        ("twice.json", b'[{"role": "user", "content": "a", "role": "system"}]', "'role' stands twice"),
        ("twice_escaped.json", b'[{"role": "user", "content": "a", "r\\u006fle": "system"}]', "stands twice"),
        ("twice_spaced.json", b'[{"role": "user", "content": "a", "role" : "system"}]', "stands twice"),
        ("utf16.json", json.dumps(CHAT).encode("utf-16"), "UTF-16"),
        ("zipped.jsonl.gz", b"\x1f\x8b\x08\x00", "gzip"),
        ("picture.png", b"\x89PNG\r\n", "an image"),
        ("table.csv", "id,label\n1,yes\n2,no\n", "separated values"),
        ("notes.md", "# Notes\n\nsome words\n", "Markdown"),
        ("verdicts.jsonl", '{"transcript_id": "a", "rubric": "r", "judge": "j", "level": "absent"}\n' * 2, "verdicts"),
        (
            "labels.jsonl",
            '{"transcript_id": "a", "rubric": "r", "rater": "x", "label": "absent"}\n' * 2,
            "rater labels",
        ),
        ("other.json", '{"colour": "red"}', "no known transcript format"),
    ],
)
def test_what_is_no_transcript_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes | str, says: str
) -> None:
    """Each kind of unusable file gives one error that names the file and what is wrong with it."""
    message = refusal(write(tmp_path / name, content))
    assert says in message
    assert name in message


def test_missing_files_and_empty_folders_are_errors(tmp_path: Path) -> None:
    """A path that leads nowhere, and a folder that holds nothing, are named."""
    assert "cannot be read" in refusal(tmp_path / "nowhere.json")
    assert "holds no files" in refusal(tmp_path)


def test_what_can_be_no_transcript_is_passed_over_and_what_may_hold_one_is_not(tmp_path: Path) -> None:
    write(tmp_path / "a.pkl", b"\x80\x04\x95\x10\x00")
    write(tmp_path / "b.pdf", b"%PDF-1.7")
    write(tmp_path / "c.jsonl.gz", b"\x1f\x8b\x08\x00")
    found = [item for item in iter_transcripts([tmp_path]) if isinstance(item, Unreadable)]
    assert [item.refused for item in found] == [True, True, False]


def test_of_two_calls_with_one_id_a_result_answers_that_of_its_tool(tmp_path: Path) -> None:
    calls = [{"id": "x", "function": {"name": name, "arguments": "{}"}} for name in ("look", "bake")]
    results = [{"role": "tool", "tool_call_id": "x", "name": name, "content": "ok"} for name in ("bake", "look")]
    (found,) = transcripts_in(
        write(tmp_path / "chat.json", {"messages": [{"role": "assistant", "tool_calls": calls}, *results]})
    )
    assert [(part.tool, part.answers) for _, part in found.parts() if part.kind == "tool_result"] == [
        ("bake", "m1.2"),
        ("look", "m1.1"),
    ]


def test_special_files_and_loops_of_links_do_not_hang(tmp_path: Path) -> None:
    """A pipe is not opened; a folder that links to itself is walked once."""
    write(tmp_path / "a.json", CHAT)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    items = list(iter_transcripts([tmp_path]))
    assert [type(item).__name__ for item in items] == ["Transcript", "Unreadable"]
    assert isinstance(items[1], Unreadable)
    assert "not a regular file" in items[1].reason


def test_a_run_over_a_folder_reports_every_file(tmp_path: Path) -> None:
    """Readable files are read and each of the others is accounted for, in name order."""
    write(tmp_path / "a.json", CHAT)
    write(tmp_path / "b.json", b"{")
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "c.json", CHAT)
    write(tmp_path / ".hidden.json", b"{")
    items = list(iter_transcripts([tmp_path]))
    assert [item.source.uri if isinstance(item, Transcript) else item.source for item in items] == [
        str(tmp_path / "a.json"),
        str(tmp_path / "b.json"),
        str(tmp_path / "sub" / "c.json"),
    ]


def test_ambiguity_names_both_and_format_overrides(tmp_path: Path) -> None:
    """A file that two readers claim alike is an error that names both; `format` settles it."""
    both = {"trajectory_format": "mini-swe-agent-1", "schema_version": "ATIF-v1.7", "messages": CHAT, "steps": []}
    path = write(tmp_path / "both.json", both)  # type: ignore[arg-type]
    message = refusal(path)
    assert "--format atif" in message
    assert "--format mini_swe_agent" in message
    assert len(transcripts_in(path, format="mini_swe_agent")) == 1
    assert "no format 'nonsense'" in refusal(path, format="nonsense")


def test_detection_tells_the_runner_up() -> None:
    """The chosen format comes with its confidence and the next best."""
    found = detect(FIXTURES / "mini_swe_agent.json")
    assert found.name == "mini_swe_agent"
    assert found.confidence > 0.9
    assert found.runner_up is not None
    assert found.runner_up.name == "openai_chat"


def test_appending_to_a_file_changes_no_other_id(tmp_path: Path) -> None:
    """Ids come from each record's own bytes; an exact duplicate in one file gets a suffix."""
    line = json.dumps({"messages": CHAT})
    other = json.dumps({"messages": [*CHAT, *CHAT]})
    one = transcripts_in(write(tmp_path / "a.jsonl", f"{line}\n{line}\n"))
    two = transcripts_in(write(tmp_path / "b.jsonl", f"{line}\n{line}\n{other}\n"))
    assert [t.id for t in one] == [t.id for t in two][:2]
    assert one[1].id == f"{one[0].id}-2"
    assert two[2].id not in (one[0].id, one[1].id)


def test_cutting_a_file_anywhere_loses_at_most_the_last_record(tmp_path: Path) -> None:
    """A JSONL session, a JSON array and an archive, cut at every 37th byte, keep every record that is whole."""
    whole = (FIXTURES / "claude_code.jsonl").read_bytes()
    lines = whole.split(b"\n")
    for at in range(600, len(whole), 37):
        path = write(tmp_path / "cut.jsonl", whole[:at])
        (found,) = transcripts_in(path)
        complete = whole[:at].count(b"\n")
        said = sum(b'"message": {' in line for line in lines[:complete])
        assert sum(len(m.at) for m in found.messages) >= said
    rows = json.dumps([{"messages": CHAT, "n": n} for n in range(6)]).encode()
    for at in range(100, len(rows), 37):
        items = list(iter_transcripts([write(tmp_path / "cut.json", rows[:at])]))
        found_rows = [item for item in items if isinstance(item, Transcript)]
        assert len(found_rows) >= rows[:at].count(b'"n"') - 1
        assert all("truncated" in {w.code for w in item.warnings} for item in found_rows)
    archive = (FIXTURES / "inspect.eval").read_bytes()
    first_two = archive.index(b"samples/2_epoch_1.json")
    items = list(iter_transcripts([write(tmp_path / "cut.eval", archive[: first_two + 5])]))
    assert [type(item) for item in items] == [Transcript]


@pytest.mark.parametrize("name", ["aider.md", "email.mbox"])
def test_text_that_breaks_off_within_a_line_is_said_to_be_cut(tmp_path: Path, name: str) -> None:
    """Lines of text have no closing bracket: an unfinished one is all that tells of a cut."""
    whole = (FIXTURES / name).read_bytes()
    for raw, expected in ((whole, False), (whole.rstrip()[:-3], True)):
        found = transcripts_in(write(tmp_path / "cut", raw))
        assert ("truncated" in {warning.code for warning in found[-1].warnings}) is expected
        assert "truncated" not in {warning.code for transcript in found[:-1] for warning in transcript.warnings}


@pytest.mark.parametrize(
    ("content", "reader"),
    [
        (b"# aider chat started at 2026-01-01 10:00:00\n", "aider"),
        (json.dumps([{"metadata": {"suite_name": "s", "user_task_id": "u"}, "index": 0}]).encode(), "agentdojo"),
    ],
)
def test_a_file_that_gives_nothing_is_accounted_for(tmp_path: Path, content: bytes, reader: str) -> None:
    """A log that ends before its first message does not vanish from the count."""
    (item,) = iter_transcripts([write(tmp_path / "log", content)], format=reader)
    assert isinstance(item, Unreadable)
    assert "holds no transcript" in item.reason


@pytest.mark.parametrize("suffix", ["eval", "json"])
def test_a_header_only_log_is_explained_and_no_error(tmp_path: Path, suffix: str) -> None:
    """An Inspect log without samples has no transcripts: `read` gives none, and the command says why and exits with 0."""
    path = FIXTURES / "inspect_header_only.eval"
    if suffix == "json":
        path = write(tmp_path / "log.json", {"version": 2, "status": "error", "eval": {"task": "t", "model": "m"}})
    (item,) = iter_transcripts([path])
    assert isinstance(item, Unreadable)
    assert (item.refused, item.empty) == (True, True)
    assert read(path) == []
    shown = CliRunner().invoke(app, ["read", str(path)])
    assert "holds no samples" in shown.stderr
    assert shown.exit_code == 0


def test_a_file_that_is_no_transcript_is_not_an_empty_log(tmp_path: Path) -> None:
    """What is refused as something else ends `judge read` with 2: nothing was found."""
    path = write(
        tmp_path / "labels.jsonl", '{"transcript_id": "a", "rubric": "r", "rater": "x", "label": "absent"}\n' * 2
    )
    assert CliRunner().invoke(app, ["read", str(path)]).exit_code == 2


def test_a_log_whose_samples_are_stored_in_an_unknown_way_is_not_empty(tmp_path: Path) -> None:
    """An archive that says it has samples, none of which can be found, is an error and not a clean nothing."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(
            "header.json", json.dumps({"eval": {"task": "t", "model": "m"}, "results": {"total_samples": 3}})
        )
        archive.writestr("samples/1_epoch_1/chunk-0.bin", b"x")
    assert "layout that is not known" in refusal(write(tmp_path / "a.eval", out.getvalue()))


def test_ids_are_counted_past_what_memory_holds() -> None:
    """Repeated ids get their number, whatever the id looks like and however long ago it was seen."""
    seen = Seen()
    names = ("ff", "x", "ff", "x", "ff", "0", "f" * 16, "f" * 17, "-1", "f" * 16)
    assert [seen.count(name) for name in names] == [1, 1, 2, 2, 3, 1, 1, 1, 1, 2]
    many = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(1_000, 31_000)]
    assert all(seen.count(name) == 1 for name in many)
    assert [seen.count(name) for name in (many[0], "ff", many[0], "f" * 16, "x")] == [2, 4, 3, 3, 3]
    assert [seen.count(name) for name in many[1:]] == [2] * (len(many) - 1)


def test_memory_stays_where_it_is_however_many_ids_are_counted() -> None:
    """After the first 20,000, a hundred thousand more take less than the 1.6 MB that two words for each would."""
    program = """
import resource
from judge.transcripts.seen import Seen
seen = Seen()
def most(first, last):
    for number in range(first, last):
        assert seen.count(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}") == 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(-most(0, 20_000) + most(20_000, 120_000))
"""
    grown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert int(grown) < 1_600


def test_a_full_temporary_folder_is_said_to_be_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    seen = Seen()
    with pytest.raises(InputError, match=r"disk is full.*SQLITE_TMPDIR"):
        sum(seen.count(f"{number:016x}") for number in range(100_000))


# --- limits, one below and one above ---------------------------------------------------------------------------------


def nested(depth: int) -> dict[str, object]:
    value: object = 1
    for _ in range(depth - 1):
        value = [value]
    return {"messages": CHAT, "extra": value}


@pytest.mark.parametrize(
    ("inside", "over", "limits", "name"),
    [
        (nested(100), nested(101), Limits(), "depth"),
        ({"messages": CHAT * 10_000}, {"messages": CHAT * 10_000 + CHAT[:1]}, Limits(), "messages"),
        (
            {"messages": [{"role": "user", "content": "x" * 4 * 1024 * 1024}]},
            {"messages": [{"role": "user", "content": "x" * (4 * 1024 * 1024 + 1)}]},
            Limits(),
            "message_bytes",
        ),
        (
            {"messages": CHAT, "extra": {str(n): n for n in range(1_000)}},
            {"messages": CHAT, "extra": {str(n): n for n in range(1_001)}},
            Limits(),
            "keys",
        ),
    ],
    ids=["depth", "messages", "message_bytes", "keys"],
)
def test_limits_hold_at_their_edge(
    tmp_path: Path, inside: dict[str, object], over: dict[str, object], limits: Limits, name: str
) -> None:
    """At the limit a file is read; one beyond it is refused, and the error names the option that raises it."""
    assert len(read(write(tmp_path / "inside.json", inside), limits=limits)) == 1
    path = write(tmp_path / "over.json", over)
    assert f"--limits {name}=" in refusal(path, limits=limits)
    raised = limits.model_copy(update={name: getattr(limits, name) * 2})
    assert len(read(path, limits=raised)) == 1


def test_file_size_is_checked_before_reading(tmp_path: Path) -> None:
    """A document may be as large as the limit, not one byte larger; a stream of lines only per line."""
    path = write(tmp_path / "a.json", {"messages": CHAT})
    size = path.stat().st_size
    assert len(read(path, limits=Limits(file_bytes=size))) == 1
    assert "--limits file_bytes=" in refusal(path, limits=Limits(file_bytes=size - 1))
    line = json.dumps({"messages": CHAT})
    stream = write(tmp_path / "a.jsonl", (line + "\n") * 100)
    assert len(read(stream, limits=Limits(file_bytes=len(line) + 1))) == 100


def bomb(count: int, size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"samples/{number}_epoch_1.json", b"0" * size)
    return out.getvalue()


def test_zip_bombs_are_refused_before_they_are_expanded(tmp_path: Path) -> None:
    """The ratio, the sum of sizes and the number of members are read from the directory."""
    assert "--limits ratio=" in refusal(write(tmp_path / "a.eval", bomb(1, 20 * 1024 * 1024)))
    assert "--limits members=" in refusal(write(tmp_path / "b.eval", bomb(12, 1)), limits=Limits(members=11))
    assert "--limits expanded_bytes=" in refusal(
        write(tmp_path / "c.eval", bomb(4, 1024)), limits=Limits(expanded_bytes=4 * 1024 - 1)
    )


@pytest.mark.parametrize(
    "name", ["../../evil.json", "/etc/evil.json", "C:/evil.json", "a/../../b.json", "..\\evil.json"]
)
def test_names_that_point_outside_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    """A member's name is never a path on this machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("header.json", "{}")
        archive.writestr(name, "{}")
    assert "points outside the archive" in refusal(write(tmp_path / "a.eval", out.getvalue()))


# --- the JSON policy -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value", "codes"),
    [
        (b'{"a": NaN}', {"a": None}, {"non_finite"}),
        (b'{"a": [Infinity, -Infinity, 1e999]}', {"a": [None, None, None]}, {"non_finite"}),
        (b'{"a": 123456789012345678901234567890}', {"a": "123456789012345678901234567890"}, {"big_integer"}),
        (b'{"a": 18446744073709551615}', {"a": 18446744073709551615}, set()),
        (b'{"a": "\\ud800x"}', {"a": "\ufffdx"}, {"lone_surrogate"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}, set()),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}, {"byte_order_mark"}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}, {"not_utf8"}),
        (b'{"a": "\xc0\xaf"}', {"a": "\ufffd\ufffd"}, {"not_utf8"}),
        (b'{"a": "\\u0000"}', {"a": "\x00"}, set()),
        (b'{"a:": 1, "b\\\\": 2, "c" : 3}', {"a:": 1, "b\\": 2, "c": 3}, set()),
    ],
)
def test_json_policy(raw: bytes, value: object, codes: set[str]) -> None:
    """Each oddity has one reading and one warning."""
    found, warnings = parse(raw, Origin("x"), Limits())
    assert found == value
    assert {warning.code for warning in warnings} == codes


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=20,
    )
)
@settings(max_examples=300)
def test_plain_json_reads_as_itself(value: object) -> None:
    """Whatever the standard library writes is read back equal, without a warning."""
    raw = json.dumps(value).encode()
    if b"\\ud" not in raw:
        assert parse(raw, Origin("x"), Limits()) == (value, ())


def read_both_ways(raw: bytes, limits: Limits) -> None:
    """What the quick reading is sure of, the careful one reads alike and without a warning."""
    value = parse_quickly(raw, limits)
    if value is not UNSURE:
        careful, warnings = parse_carefully(raw, Origin("x"), limits)
        assert json.dumps(careful) == json.dumps(value)  # 1 and 1.0 differ here, as they do in the text
        assert warnings == ()


ODD_PIECES = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b'"a":1', b'"a":1,"a":1', b'"\\u0061":2', b'"b\\u003a":0',
    b"12345678901234567890123", b"1234567890123456789", b"1e5", b"1E400", b"-0", b"-0.0", b"1.0", b"NaN", b"null", b"tru",
    b'"\\ud800"', b"\xff", b"\xc3\xa9", b"\\u00e9", b"[[[[[[[[", b'{"k":{"k":{"k":', b"\x00",
]  # fmt: skip


@pytest.mark.parametrize("short", [0, 16 * 1024])
def test_a_quick_reading_is_the_careful_reading(short: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On lines of every fixture, with odd pieces put in or cut out, the short cut never reads what the long way would not.

    Once as for texts of many kilobytes, and once as for short ones: they are looked at in different ways.
    """
    monkeypatch.setattr(jsontext, "_SHORT", short)
    rng = random.Random(7)
    limits = Limits(depth=12, keys=24)
    lines = [
        line
        for path in sorted(FIXTURES.iterdir())
        if path.suffix in (".json", ".jsonl", ".traj")
        for line in path.read_bytes().splitlines()
        if 20 < len(line) < 3_000
    ]
    compact = [orjson.dumps(orjson.loads(line)) for line in lines if line[:1] == b"{" and line[-1:] == b"}"]
    sure = 0
    for number in range(6_000):
        raw = bytearray(rng.choice(compact if number % 2 else lines))
        for _ in range(rng.randint(0, 2)):
            at = rng.randrange(len(raw) + 1)
            raw[at : at + rng.choice((0, 0, 1, 5))] = rng.choice(ODD_PIECES)
        try:
            read_both_ways(bytes(raw), limits)
        except InputError as error:
            pytest.fail(f"read quickly, refused carefully: {bytes(raw)!r}: {error}")
        sure += parse_quickly(bytes(raw), limits) is not UNSURE
    assert sure > 1_000  # else the test has looked at nothing


def test_rows_that_detection_has_seen_are_given_again_unchanged(tmp_path: Path) -> None:
    """After a look at the first lines, blank and broken ones among them, all rows come as from a fresh start."""
    lines = [b'{"a": 1}', b"", b"{oops", b'  {"b": [2]}  ', b'{"c":3}', b'{"d":4}']
    path = write(tmp_path / "a.jsonl", b"\r\n".join(lines))
    fresh = list(Opened(path, "x", Limits()).rows())
    assert [(row.number, row.value) for row in fresh] == [
        (1, {"a": 1}),
        (3, None),
        (4, {"b": [2]}),
        (5, {"c": 3}),
        (6, {"d": 4}),
    ]
    assert all(path.read_bytes()[row.start : row.end] == row.raw for row in fresh)
    for count in range(1, 6):
        opened = Opened(path, "x", Limits())
        assert opened.peek(count, 10_000) == fresh[: count + (count > 1)]  # a broken line does not count as seen
        assert list(opened.rows()) == fresh
        assert list(opened.rows()) == fresh


def test_a_text_nested_more_deeply_than_can_be_written_is_refused(tmp_path: Path) -> None:
    """Between what is read (1,024 levels) and what is written (254) lies no failure without a name."""
    for depth in (101, 250, 300, 1_000):
        path = write(
            tmp_path / "a.json", b'[{"role": "user", "content": "a", "x": ' + b"[" * depth + b"]" * depth + b"}]"
        )
        assert "depth 101 is over the limit of 100" in refusal(path)


def test_errors_give_line_and_byte_of_the_file_not_of_the_line(tmp_path: Path) -> None:
    """A broken line in a stream is named by its place in the file; its neighbours are read."""
    good = json.dumps({"messages": CHAT})
    path = write(tmp_path / "a.jsonl", f'{good}\n{{"messages": oops}}\n{good}\n')
    items = list(iter_transcripts([path]))
    assert [type(item) for item in items] == [Transcript, Unreadable, Transcript]
    assert isinstance(items[1], Unreadable)
    assert f"line 2, byte {len(good) + 1 + 13}" in items[1].reason


# --- canonical form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["claude_code.jsonl", "petri.json", "inspect.eval", "tau_bench.json"])
def test_canonical_form_round_trips_exactly(tmp_path: Path, name: str) -> None:
    """What is written reads back equal, ids and source included."""
    found = transcripts_in(FIXTURES / name)
    path = tmp_path / "all.jsonl"
    path.write_bytes(b"".join(encode(transcript) + b"\n" for transcript in found))
    assert transcripts_in(path) == found


def test_canonical_form_is_checked(tmp_path: Path) -> None:
    """A field that does not fit, and an id that stands twice, are named."""
    (good,) = transcripts_in(FIXTURES / "petri.json")
    row = json.loads(encode(good))
    row["messages"][0]["role"] = "king"
    assert "'messages/0/role'" in refusal(write(tmp_path / "a.json", row))
    row = json.loads(encode(good))
    row["messages"][1]["id"] = "m1"
    assert "the id 'm1' stands twice" in refusal(write(tmp_path / "b.json", row))


@pytest.mark.parametrize("path", sorted(FIXTURES.iterdir()), ids=lambda path: path.name)
def test_what_readers_build_is_valid(path: Path) -> None:
    """Messages, parts and pointers are built without validation; validating them afterwards changes nothing."""
    for transcript in transcripts_in(path, format="markdown" if path.name == "markdown.md" else None):
        assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript


CUT = [
    "anthropic_messages",
    "atif",
    "gemini_api",
    "inspect",
    "langchain",
    "openhands",
    "pydantic_ai",
    "r_judge",
    "sharegpt",
    "who_when",
]


@pytest.mark.parametrize("name", CUT)
def test_a_cut_document_is_still_recognised(tmp_path: Path, name: str) -> None:
    """From six tenths on, a document that ends too early is read as what it is, with a warning and without its tail."""
    whole = (FIXTURES / f"{name}.json").read_bytes()
    (full,) = transcripts_in(FIXTURES / f"{name}.json")
    for tenths in range(60, 99, 3):
        (found,) = transcripts_in(write(tmp_path / "cut.json", whole[: len(whole) * tenths // 100]))
        assert found.source.format == full.source.format
        assert "truncated" in {warning.code for warning in found.warnings}
        assert 0 < len(found.messages) <= len(full.messages)


def test_a_message_that_was_left_out_is_named_by_its_place_where_it_has_one(tmp_path: Path) -> None:
    said: dict[str, object] = {"role": "user", "content": "Is the oven on?"}
    several = write(tmp_path / "several.json", [{"messages": [said]}, {"messages": [said, 7]}])
    assert [[warning.at for warning in found.warnings] for found in transcripts_in(several)] == [[], ["/1/messages/1"]]
    lines = write(tmp_path / "lines.jsonl", b"\n".join(map(orjson.dumps, [said, said, 7])))
    (found,) = transcripts_in(lines, format="openai_chat")
    assert [warning.at for warning in found.warnings] == [None]
