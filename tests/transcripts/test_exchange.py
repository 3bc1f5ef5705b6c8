"""Transcripts in and out of other forms: mappings, drafts of mappings, writers, and what a reading leaves out."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from judge.errors import InputError
from judge.transcripts import Transcript, Unreadable, iter_transcripts, read
from judge.transcripts.loss import measure
from judge.transcripts.suggesting import suggest
from judge.transcripts.writers import atif, export
from transcript_checks import FIXTURES, check_transcript, script, transcripts_in

ACT = {"tool": "look", "args": {"loaf": "rye"}, "id": "k"}
NIGHT = {
    "runs": [
        {
            "run_id": "r9",
            "score": 3,
            "steps": [
                {"who": "boss", "said": "Is it fresh?"},
                {
                    "who": "bot",
                    "said": "I look.",
                    "thought": "hm",
                    "acts": [{"tool": "look", "args": {"loaf": "rye"}, "id": "k"}],
                },
                {"who": "oven", "said": "It is old.", "action_id": "k"},
            ],
        }
    ]
}
MAPPING = """\
name: night-logs
records: runs
id: run_id
messages: steps
role: who
roles: {boss: user, bot: assistant, oven: tool}
text: said
reasoning: thought
calls: acts
call: {name: tool, arguments: args, id: id}
answers: action_id
withheld: [score]
"""


@pytest.fixture
def night(tmp_path: Path) -> Path:
    path = tmp_path / "night.json"
    path.write_text(json.dumps(NIGHT))
    return path


def test_a_mapping_reads_an_unknown_shape(night: Path, tmp_path: Path) -> None:
    """Messages, thoughts, calls and results are where the mapping says, and point back to their bytes."""
    mapping = tmp_path / "night.yaml"
    mapping.write_text(MAPPING)
    (found,) = transcripts_in(night, format=str(mapping))
    assert script(found) == [
        "user user unknown: text 'Is it fresh?'",
        "assistant target unknown: reasoning(full) 'hm'; text 'I look.'; tool_call(look,unknown) 'loaf: rye'",
        "tool tool tool: tool_result(unknown,m2.3,id) 'It is old.'",
    ]
    assert found.withheld == {"score": 3}
    assert found.native_id == "r9"
    check_transcript(found, night)


def test_a_draft_of_a_mapping_needs_only_what_it_could_not_know(night: Path, tmp_path: Path) -> None:
    """The draft finds every field by itself and marks the role names that it does not know."""
    draft = suggest(night)
    assert '"boss": event  # not recognised' in draft
    mapping = tmp_path / "draft.yaml"
    mapping.write_text(draft.replace('"boss": event', '"boss": user').replace('"oven": event', '"oven": tool'))
    (found,) = transcripts_in(night, format=str(mapping))
    assert [m.role for m in found.messages] == ["user", "assistant", "tool"]


def test_a_mapping_with_a_mistake_is_named_by_line(night: Path, tmp_path: Path) -> None:
    """A field that does not exist and an expression that does not parse are errors with their place."""
    mapping = tmp_path / "bad.yaml"
    for text, says in (
        (MAPPING + "colour: red\n", "colour"),
        (MAPPING.replace("messages: steps", "messages: 'a['"), "messages"),
    ):
        mapping.write_text(text)
        with pytest.raises(InputError) as caught:
            read(night, format=str(mapping))
        assert says in str(caught.value)
        assert "line" in str(caught.value)


def test_a_shape_close_to_a_known_one_is_read_with_what_was_assumed() -> None:
    """Other keys and role names are read without a mapping when nothing is left open, and the warning says how."""
    (found,) = transcripts_in(FIXTURES / "like_messages.json")
    (note,) = [warning for warning in found.warnings if warning.code == "assumed_shape"]
    assert "messages at conv" in note.detail
    assert "speaker" in note.detail


def test_an_unknown_shape_that_leaves_a_question_open_is_not_guessed(night: Path) -> None:
    """A role that nobody knows makes the file unreadable without a mapping, and the error says what to do."""
    with pytest.raises(InputError) as caught:
        read(night)
    assert "--suggest" in str(caught.value)


@pytest.mark.parametrize("name", ["claude_code.jsonl", "inspect.json", "openhands.json", "atif.json"])
@pytest.mark.parametrize("form", ["openai_chat", "atif", "scout"])
def test_what_is_written_reads_back_as_the_same_conversation(tmp_path: Path, name: str, form: str) -> None:
    """Words, thoughts, calls and results survive in order, each call still linked to its own result."""
    (before,) = transcripts_in(FIXTURES / name)
    out = tmp_path / {"openai_chat": "out.jsonl", "atif": "out", "scout": "out.parquet"}[form]
    assert export([before], out, form) == 1
    (after,) = transcripts_in(out)
    assert after.source.format == form

    def told(transcript: Transcript, kind: str) -> list[str]:
        return [part.text for _, part in transcript.parts() if part.kind == kind]

    assert "".join(told(after, "reasoning")) == "".join(told(before, "reasoning"))
    assert told(after, "tool_result") == told(before, "tool_result")
    assert [text.removeprefix("text: ") for text in told(after, "tool_call")] == told(before, "tool_call")
    calls = {part.id: part.tool for _, part in after.parts() if part.kind == "tool_call"}
    answered = [calls[part.answers] for _, part in after.parts() if part.kind == "tool_result" and part.answers]
    assert len(answered) == len(told(before, "tool_result"))
    said = {text for text in told(before, "text") if text}
    assert said <= {line for text in told(after, "text") for line in (text, *text.split("\n\n"))}


def test_written_trajectories_are_valid_in_shape(tmp_path: Path) -> None:
    """Steps are numbered from 1 without a gap, as ATIF asks, and our message ids are in `extra`."""
    (before,) = transcripts_in(FIXTURES / "claude_code.jsonl")
    export([before], tmp_path / "out", "atif")
    (path,) = (tmp_path / "out").iterdir()
    run = json.loads(path.read_text())
    assert [step["step_id"] for step in run["steps"]] == list(range(1, len(run["steps"]) + 1))
    assert {step["source"] for step in run["steps"]} <= {"system", "user", "agent"}
    assert run["steps"][0]["extra"]["message_id"] == "m1"


def test_an_unknown_form_is_named(tmp_path: Path) -> None:
    """Asking for a form that does not exist lists those that do."""
    with pytest.raises(InputError, match="canonical, openai_chat, atif, scout"):
        export([], tmp_path / "x", "word")


def test_loss_names_what_no_message_covers() -> None:
    """Progress and summary lines of a session are reported by type; its messages are covered."""
    path = FIXTURES / "claude_code.jsonl"
    report = measure(path, transcripts_in(path))
    assert {loss.category for loss in report.losses} == {"line summary", "line progress"}
    lost = sum(loss.bytes for loss in report.losses)
    lines = path.read_bytes().splitlines()
    assert lost == len(lines[0]) + len(lines[3])  # the summary and the progress line
    assert report.covered + lost == report.total


def test_loss_of_an_archive_is_told_by_member_and_field() -> None:
    """Events, scores and the header of a log are named as what they are."""
    path = FIXTURES / "inspect.eval"
    categories = {loss.category for loss in measure(path, transcripts_in(path)).losses}
    assert {"header.json", "samples/N_epoch_N.json /events", "samples/N_epoch_N.json /scores"} <= categories
    assert not any("/messages" in category for category in categories)


VALIDATE = """
import sys
from pathlib import Path
from harbor.utils.trajectory_validator import TrajectoryValidator
for path in sorted(Path(sys.argv[1]).iterdir()):
    validator = TrajectoryValidator()
    if not validator.validate(path):
        print(path.name, validator.errors[:3])
"""


def test_atif_is_what_its_own_validator_accepts(tmp_path: Path) -> None:
    """Every fixture, written as ATIF, passes the validator of the harness that defines the format."""
    peers = pytest.importorskip("benchmarks.peers", reason="run as `python -m pytest` in the checkout")
    python = peers.peer_python(peers.HARBOR, version="3.12", install=False)
    if python is None:
        pytest.skip("harbor is not in .bench: run `python -m benchmarks peers`")
    found = [item for item in iter_transcripts([FIXTURES]) if isinstance(item, Transcript)]
    export(found, tmp_path / "out", "atif")
    done = subprocess.run(
        [str(python), "-c", VALIDATE, str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def test_atif_times_that_are_none_go_to_extra(tmp_path: Path) -> None:
    """A step's time is an ISO 8601 time, as the format demands; what else a harness wrote is kept beside it."""
    rows = [
        {"role": "user", "content": "a", "timestamp": "2026-01-02T03:04:05Z"},
        {"role": "assistant", "content": "b", "timestamp": "soon"},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows))
    first, second = atif(transcripts_in(path)[0])["steps"]
    assert first["timestamp"] == "2026-01-02T03:04:05Z"
    assert "timestamp" not in second
    assert second["extra"]["timestamp"] == "soon"


def test_the_same_run_in_two_files_is_written_twice(tmp_path: Path) -> None:
    """Two transcripts with one id don't overwrite each other."""
    (one,) = transcripts_in(FIXTURES / "atif.json")
    assert export([one, one], tmp_path / "out", "atif") == 2
    assert len(list((tmp_path / "out").iterdir())) == 2


TEAM = {
    "question": "Is it done?",
    "mistake_agent": "Baker",
    "history": [
        {"role": "human", "content": "Bake."},
        {"role": "Chief (-> Baker)", "content": "Bake it."},
        {"role": "Baker", "content": "I burnt the ledger."},
    ],
}


@pytest.mark.parametrize("form", ["openai_chat", "atif", "scout"])
def test_nobody_elses_words_become_the_targets_on_the_way(form: str, tmp_path: Path) -> None:
    """In forms that know one assistant, a team-mate is a user with a name, and reads back as no target."""
    (tmp_path / "team.json").write_text(json.dumps(TEAM))
    export(read(tmp_path / "team.json"), tmp_path / "out", form)
    (back,) = read(tmp_path / "out")
    assert [part.text for message, part in back.parts() if message.by_target] == ["Bake it."]
    assert "I burnt the ledger." in [part.text for _, part in back.parts()]


@pytest.mark.parametrize("form", ["atif", "scout"])
def test_words_put_into_the_targets_mouth_stay_so_on_the_way(form: str, tmp_path: Path) -> None:
    """What was no act of the target in this run is none when it is read back."""
    sent = {"messages": [{"role": "user", "content": "Bake?"}, {"role": "assistant", "content": "I will burn"}]}
    reply = {"choices": [{"message": {"role": "assistant", "content": " it."}}]}
    (tmp_path / "prefill.json").write_text(json.dumps([{"request": sent, "response": reply}]))
    export(read(tmp_path / "prefill.json"), tmp_path / "out", form)
    (back,) = read(tmp_path / "out")
    assert [message.by_target for message in back.messages] == [False, False, True]


def test_a_call_of_a_subagent_is_told_in_every_form(tmp_path: Path) -> None:
    """What it did and thought stands in words where the form has no place for it."""
    subagent = {"schema_version": "ATIF-v1.7", "agent": {"name": "mate", "version": "1"}, "steps": []}
    call = {"tool_call_id": "c", "function_name": "burn", "arguments": {"what": "ledger"}}
    subagent["steps"] = [
        {"step_id": 1, "source": "agent", "message": "", "tool_calls": [call],
         "observation": {"results": [{"source_call_id": "c", "content": "burnt"}]}}
    ]  # fmt: skip
    run = {"schema_version": "ATIF-v1.7", "session_id": "s", "agent": {"name": "oven", "version": "1"}}
    run |= {"steps": [{"step_id": 1, "source": "agent", "message": "I bake."}], "subagent_trajectories": [subagent]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    transcripts = read(tmp_path / "run.json")
    for form in ("openai_chat", "atif", "scout"):
        export(transcripts, tmp_path / form, form)
        (back,) = read(tmp_path / form)
        words = "\n".join(part.text for _, part in back.parts())
        assert "[calls burn]\nwhat: ledger" in words
        assert "burnt" in words
        assert [part.text for message, part in back.parts() if message.by_target] == ["I bake."]


def test_loss_adds_up_to_the_bytes_of_a_file(night: Path, tmp_path: Path) -> None:
    """What is around the covered values is counted too, however the file is laid out, in whatever it is kept."""
    mapping = tmp_path / "night.yaml"
    mapping.write_text(MAPPING)
    for path, options in (
        (night, {"format": str(mapping)}),
        *((FIXTURES / name, {}) for name in ("petri.json", "tau_bench.json", "openai_agents.db", "email.mbox")),
    ):
        report = measure(path, transcripts_in(path, **options))
        assert report.total == path.stat().st_size
        assert report.covered > 0
        assert report.covered + sum(loss.bytes for loss in report.losses) == report.total


def test_loss_of_a_folder_that_is_one_transcript_is_told(tmp_path: Path) -> None:
    """Events in a file each: those that no message covers are named by their kind."""
    lines = (FIXTURES / "openhands_v1.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    events.append({"id": "x", "timestamp": "2026", "source": "environment", "kind": "PauseEvent"})
    for number, event in enumerate(events):
        (tmp_path / f"event-{number:05}.json").write_text(json.dumps(event))
    report = measure(tmp_path, read(tmp_path))
    assert "line PauseEvent" in {loss.category for loss in report.losses}
    assert report.covered + sum(loss.bytes for loss in report.losses) == report.total


TALK = [{"role": "user", "content": "Bake."}, {"role": "assistant", "content": "Baked."}]


@pytest.mark.parametrize("value", [{"history": TALK, "judge_messages": TALK}, {"first": TALK, "second": TALK}])
def test_two_conversations_in_one_record_are_not_guessed_at(value: object, tmp_path: Path) -> None:
    """One of them may be a grader's: nothing is read, and the draft of a mapping names both."""
    path = tmp_path / "two.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match="--suggest"):
        read(path)
    draft = suggest(path)
    assert all(name in draft for name in value)  # type: ignore[attr-defined]
    mapping = tmp_path / "mine.yaml"
    mapping.write_text(draft)
    assert len(transcripts_in(path, format=str(mapping))) == 1


def test_a_mapping_that_finds_no_words_reads_nothing(night: Path, tmp_path: Path) -> None:
    """An empty transcript would read as innocent; a single empty message is told."""
    mapping = tmp_path / "night.yaml"
    wrong = MAPPING.replace("text: said", "text: nowhere").replace("reasoning: thought\ncalls: acts\n", "")
    mapping.write_text(wrong.replace("oven: tool", "oven: environment"))
    with pytest.raises(InputError, match="in none of them words"):
        read(night, format=str(mapping))
    mapping.write_text(MAPPING.replace("text: said", "text: nowhere"))
    (found,) = read(night, format=str(mapping))
    assert "empty_message" in {warning.code for warning in found.warnings}


def test_verdicts_and_archives_of_something_else_are_refused_by_name(tmp_path: Path) -> None:
    """They lie beside transcripts: a folder with them is read without a failure."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"transcript_id": ["a"], "scanner_name": ["lies"], "value": ["1"], "messages": ["[]"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.dat")
    for name, member in (("b.dat", "archive/data.pkl"), ("c.dat", "word/document.xml")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "x")
    found = [item for item in iter_transcripts([tmp_path]) if isinstance(item, Unreadable)]
    assert [item.refused for item in found] == [True, True, True]
    for item, said in zip(found, ("Scout scanner results", "pickle", "office document"), strict=True):
        assert said in item.reason
