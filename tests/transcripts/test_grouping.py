"""Files of a folder that are one transcript, and what lies beside a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from judge.errors import InputError
from judge.transcripts import read, reread
from transcript_checks import FIXTURES, check_transcript, script, transcripts_in


def test_events_in_a_file_each_are_one_run(tmp_path: Path) -> None:
    """A folder of OpenHands events reads as the same conversation as their list, beside a base state that is refused."""
    (whole,) = transcripts_in(FIXTURES / "openhands_v1.jsonl")
    events = tmp_path / "run" / "events"
    events.mkdir(parents=True)
    for number, line in enumerate((FIXTURES / "openhands_v1.jsonl").read_text().splitlines()):
        (events / f"event-{number:05}.json").write_text(line)
    (tmp_path / "run" / "base_state.json").write_text(
        json.dumps({"id": "x", "agent": {}, "workspace": {}, "stats": {}})
    )
    (found,) = read(tmp_path)
    assert script(found) == script(whole)
    assert found.source.uri == str(events)
    check_transcript(found, events)


def test_a_continued_trajectory_is_one_transcript_whose_copied_steps_are_no_new_acts(tmp_path: Path) -> None:
    """The second file's copied context is marked, and only what is new counts as the agent's."""
    head = {"schema_version": "ATIF-v1.7", "session_id": "s", "agent": {"name": "oven", "version": "1"}}
    said = [
        {"step_id": 1, "source": "user", "message": "Bake."},
        {"step_id": 2, "source": "agent", "message": "I bake."},
    ]
    again = [said[0] | {"is_copied_context": True}, said[1] | {"is_copied_context": True}]
    later = {"step_id": 3, "source": "agent", "message": "Baked."}
    (tmp_path / "b.json").write_text(json.dumps(head | {"steps": said, "continued_trajectory_ref": "a.json"}))
    (tmp_path / "a.json").write_text(json.dumps(head | {"steps": [*again, later]}))
    (found,) = read(tmp_path)
    assert [m.parts[0].text for m in found.messages if m.by_target] == ["I bake.", "Baked."]
    assert [m.origin for m in found.messages][2:4] == ["copied", "copied"]
    check_transcript(found, tmp_path)


def test_prompts_are_found_in_the_results_folder(tmp_path: Path) -> None:
    """A response without its prompts is completed from `prompts/<condition>`, with pointers into those files."""
    prompts = tmp_path / "results" / "prompts" / "bakery_none"
    prompts.mkdir(parents=True)
    for name, words in (("system_prompt", "You are Oven."), ("user_prompt", "Read."), ("email_content", "From: Ida")):
        (prompts / f"{name}.txt").write_text(words)
    sample = tmp_path / "results" / "models" / "m" / "bakery_none" / "sample_1" / "response.json"
    sample.parent.mkdir(parents=True)
    sample.write_text(
        json.dumps({"raw_response": '<tool_use:email>\nto: "x"\n</tool_use:email>', "classification": {}})
    )
    (found,) = transcripts_in(sample)
    assert [(m.role, m.parts[0].text) for m in found.messages][:3] == [
        ("system", "You are Oven."),
        ("user", "Read."),
        ("user", "From: Ida"),
    ]
    (pointer,) = found.messages[0].at
    assert hashlib.sha256(reread(pointer, sample)).hexdigest() == pointer.sha256


def test_a_response_alone_says_that_its_prompt_is_missing(tmp_path: Path) -> None:
    """Without prompts the response is read, and what is missing is said."""
    path = tmp_path / "response.json"
    path.write_text(json.dumps({"raw_response": "<scratchpad>hm</scratchpad>Hello.", "condition": "c"}))
    (found,) = transcripts_in(path)
    assert [part.kind for _, part in found.parts()] == ["reasoning", "text"]
    assert "prompt_not_found" in {warning.code for warning in found.warnings}
    assert found.complete["system_prompt"] == "absent"


def test_an_audit_that_stores_only_the_auditor_is_not_read(tmp_path: Path) -> None:
    """An Inspect sample of an audit without the target's view is an error, never the auditor's transcript."""
    log = json.loads((FIXTURES / "inspect.json").read_text())
    log["samples"][0]["store"] = {"AuditStore:seed": "x"}
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(log))
    with pytest.raises(InputError, match="only the auditor's view"):
        read(path)


def test_an_audit_in_two_containers_is_the_same_conversation() -> None:
    """What the target saw and said is the same from Petri's JSON and from an Inspect log."""
    (from_json,) = transcripts_in(FIXTURES / "petri.json")
    (from_log,) = transcripts_in(FIXTURES / "petri.eval")
    final = [m for m in from_json.messages if m.branch is None]
    assert [(m.author, m.parts[0].text) for m in final] == [(m.author, m.parts[0].text) for m in from_log.messages]
    (with_rollback,) = transcripts_in(FIXTURES / "petri_rollback.eval")
    assert script(with_rollback) == script(from_json)


def test_a_rollback_whose_replies_are_not_to_be_found_is_warned_about(tmp_path: Path) -> None:
    """Where the model calls of an audit don't hold what was rolled back, the last branch is read and that is said."""
    log = json.loads((FIXTURES / "inspect.json").read_text())
    sample = log["samples"][0]
    sample["timelines"] = [{"name": "target"}, {"name": "auditor"}]
    sample["events"] = [
        {"event": "branch", "from_anchor": "a"},
        {"event": "model", "uuid": ["x"], "role": {}, "input": 5},
    ]
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(log))
    found = transcripts_in(path)[0]
    assert [warning.code for warning in found.warnings] == ["branches_not_read"]
    assert len(found.messages) == len(sample["messages"])


def test_runs_that_hold_events_further_in_stay_apart(tmp_path: Path) -> None:
    """Trajectories and logs of one folder are transcripts of their own, however much their beginning looks like an event."""
    step = {"step_id": 1, "timestamp": "2026-01-01T00:00:00Z", "source": "agent", "message": "I bake."}
    step |= {"observation": {"results": [{"content": "baked"}]}}
    for name in ("a", "b"):
        run = {
            "schema_version": "ATIF-v1.7",
            "session_id": name,
            "agent": {"name": name, "version": "1"},
            "steps": [step],
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(run))
    event = {"id": "e", "timestamp": "2026-01-01T00:00:00", "source": "user", "kind": "MessageEvent"}
    event |= {"llm_message": {"role": "user", "content": [{"type": "text", "text": "Bake."}]}}
    for name in ("c", "d"):
        (tmp_path / f"{name}.jsonl").write_text(f"{json.dumps(event)}\n{json.dumps(event)}\n")
    assert [len(found.messages) for found in read(tmp_path)] == [2, 2, 2, 2]


def test_event_ten_comes_after_event_nine(tmp_path: Path) -> None:
    """Files that are numbered without leading zeros are in the order of their numbers."""
    for number in range(12):
        args = {"content": f"Loaf {number}."}
        event = {"id": number, "timestamp": "2026-01-01T00:00:00", "source": "user", "action": "message", "args": args}
        (tmp_path / f"{number}.json").write_text(json.dumps(event))
    (found,) = read(tmp_path)
    assert [part.text for _, part in found.parts()] == [f"Loaf {number}." for number in range(12)]
