"""Shapes that other versions and set-ups of a harness write: each value here is the smallest that shows one of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from judge.transcripts import Transcript, Unreadable, iter_transcripts
from transcript_checks import check_transcript, script, transcripts_in


def read_value(folder: Path, value: Any, *, lines: bool = False, pointers: bool = True) -> list[Transcript]:
    """The transcripts of a value written as JSON, or of a list written as lines."""
    path = folder / "given.dat"
    path.write_text("".join(json.dumps(one) + "\n" for one in value) if lines else json.dumps(value))
    found = transcripts_in(path)
    for transcript in found if pointers else []:
        check_transcript(transcript, path, pointers=100)
    return found


def one(folder: Path, value: Any, **options: Any) -> list[str]:
    """The script of the one transcript in a value."""
    (transcript,) = read_value(folder, value, **options)
    return script(transcript)


# --- traces ----------------------------------------------------------------------------------------------------------


def attribute(name: str, value: Any) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value if isinstance(value, str) else json.dumps(value)}}


def said(role: str, words: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": words}]}


def model_call(trace: str, time: int, sent: list[Any], reply: list[Any]) -> dict[str, Any]:
    facts = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": sent, "gen_ai.output.messages": reply}
    return {
        "traceId": trace,
        "spanId": f"{trace}-{time}",
        "name": "chat",
        "startTimeUnixNano": str(time),
        "attributes": [attribute(name, value) for name, value in facts.items() if value],
    }


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


ASKED = said("user", "Is the oven on?")
RUNS = [
    model_call("a", 1, [ASKED], [said("assistant", "It is.")]),
    model_call("b", 2, [ASKED], [said("assistant", "I lied last time.")]),
    model_call("a", 3, [ASKED, said("assistant", "It is."), said("user", "Off.")], [said("assistant", "Done.")]),
]
FIRST = [
    "user user unknown: text 'Is the oven on?'",
    "assistant target unknown: text 'It is.'",
    "user user unknown: text 'Off.'",
    "assistant target unknown: text 'Done.'",
]
SECOND = ["user user unknown: text 'Is the oven on?'", "assistant target unknown: text 'I lied last time.'"]


def test_runs_of_one_task_in_one_export_stay_apart(tmp_path: Path) -> None:
    """Two traces that begin with the same prompt are two runs, whatever order their spans come in."""
    assert [script(t) for t in read_value(tmp_path, export(*RUNS))] == [FIRST, SECOND]


def test_a_conversation_of_several_traces_is_one(tmp_path: Path) -> None:
    """Where every turn is a trace of its own, a call that was sent the whole conversation goes on with it."""
    later = {**RUNS[2], "traceId": "c"}
    assert one(tmp_path, export(RUNS[0], later)) == FIRST


def operation(name: str, span: str, begun: int, ended: int) -> dict[str, Any]:
    """A span of the AI SDK as it is dumped where no context ties it to another: a trace of its own, no parent."""
    prompt = [{"role": "user", "content": "Is the oven on?"}]
    return {
        "name": name,
        "spanContext": {"traceId": f"trace {span}", "spanId": span},
        "startTime": [1, begun],
        "endTime": [1, ended],
        "attributes": {"ai.operationId": name, "ai.prompt.messages": json.dumps(prompt), "ai.response.text": "It is."},
    }


def test_a_provider_call_and_the_operation_around_it_are_one_call(tmp_path: Path) -> None:
    inner, outer = operation("ai.generateText.doGenerate", "a", 5, 8), operation("ai.generateText", "b", 5, 9)
    assert one(tmp_path, [inner, outer]) == FIRST[:2]
    later = [operation("ai.generateText.doGenerate", "c", 12, 14), operation("ai.generateText", "d", 11, 15)]
    assert [script(found) for found in read_value(tmp_path, [inner, outer, *later])] == [FIRST[:2], FIRST[:2]]


def test_a_provider_call_outside_every_operation_is_a_run_of_its_own(tmp_path: Path) -> None:
    outside = operation("ai.generateText.doGenerate", "a", 10, 12)
    assert len(read_value(tmp_path, [operation("ai.generateText", "b", 5, 9), outside])) == 2


def test_a_trace_written_in_batches_is_read_as_one(tmp_path: Path) -> None:
    """A collector writes spans as they end: the lines of a file share traces, and nothing is counted twice."""
    found = read_value(tmp_path, [export(span) for span in RUNS], lines=True)
    assert [script(t) for t in found] == [FIRST, SECOND]
    assert {t.source.format_version for t in found} == {"OTLP"}


def test_no_conversation_of_an_export_is_passed_over(tmp_path: Path) -> None:
    """However many there are."""
    spans = [
        model_call(f"t{n}", n, [said("user", f"Loaf {n}?")], [said("assistant", f"Yes, {n}.")]) for n in range(250)
    ]
    assert len(read_value(tmp_path, export(*spans), pointers=False)) == 250


def test_a_tool_span_counts_in_its_own_trace(tmp_path: Path) -> None:
    """The result of one run's tool is not shown in another run that goes on at the same time."""
    tool = model_call("a", 3, [], [])
    facts = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look", "gen_ai.tool.call.result": "cold"}
    tool["attributes"] = [attribute(name, value) for name, value in facts.items()]
    first, second = read_value(tmp_path, export(*RUNS[:2], tool))
    assert script(first)[-1].startswith("tool tool tool: tool_result(look,")
    assert script(second) == SECOND


def test_messages_in_the_events_of_a_span_are_read(tmp_path: Path) -> None:
    """Conventions before 1.37 wrote an event per message, those after may write one event for the whole call."""
    span = model_call("a", 1, [], [])
    older = [
        {"name": "gen_ai.user.message", "attributes": [attribute("content", "Is the oven on?")]},
        {"name": "gen_ai.choice", "attributes": [attribute("message", {"content": "It is."})]},
    ]
    facts = {"gen_ai.input.messages": [ASKED], "gen_ai.output.messages": [said("assistant", "It is.")]}
    newer = [
        {
            "name": "gen_ai.client.inference.operation.details",
            "attributes": [attribute(name, value) for name, value in facts.items()],
        }
    ]
    for events in (older, newer):
        assert one(tmp_path, export({**span, "events": events})) == FIRST[:2]


def test_a_langfuse_trace_as_its_api_gives_it_is_read(tmp_path: Path) -> None:
    """The trace's own fields stand beside its observations; its scores are in no message."""
    seen = {"id": "o", "traceId": "t", "type": "GENERATION", "input": [{"role": "user", "content": "Is the oven on?"}]}
    trace = {"id": "t", "scores": [{"name": "lied", "value": 1}], "observations": [{**seen, "output": "It is."}]}
    assert one(tmp_path, trace) == FIRST[:2]


def observation(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"{kind}{len(str(fields))}", "traceId": "t", "type": kind, **fields}


def test_agents_with_instructions_of_their_own_stay_apart(tmp_path: Path) -> None:
    """Two agents of a trace that are asked the same are not one; one whose prompt changes as it goes on is."""

    def call(number: int, words: str, *sent: dict[str, Any]) -> dict[str, Any]:
        reply = {"role": "assistant", "content": words}
        return {
            **observation("GENERATION", input=list(sent), output=reply),
            "startTime": str(number),
            "id": str(number),
        }

    asked = {"role": "user", "content": "Bake."}
    plan, code = {"role": "system", "content": "You plan."}, {"role": "system", "content": "You bake."}
    late, planned = {"role": "system", "content": "You plan. It is late."}, {"role": "assistant", "content": "Knead."}
    calls = [call(1, "Knead.", plan, asked), call(2, "Baked.", code, asked), call(3, "Done.", late, asked, planned)]
    first, second = read_value(tmp_path, {"trace": {"id": "t"}, "observations": calls})
    assert [part.text for m, part in first.parts() if m.by_target] == ["Knead.", "Done."]
    assert [part.text for _, part in second.parts()] == ["You bake.", "Bake.", "Baked."]


def test_a_traced_system_prompt_is_read_in_every_form(tmp_path: Path) -> None:
    """Blocks of the Messages API and contents of Gemini stand beside the messages as plain words do."""
    asked = {"messages": [{"role": "user", "content": "Bake."}], "tools": [{"name": "oven", "description": "an oven"}]}
    for key, system in (
        ("system", [{"type": "text", "text": "You bake."}]),
        ("systemInstruction", {"parts": [{"text": "You bake."}]}),
    ):
        call = observation("GENERATION", input={key: system, **asked}, output="Baked.")
        (transcript,) = read_value(tmp_path, {"trace": {}, "observations": [call]})
        assert script(transcript)[0] == "system system harness: text 'You bake.'"
        assert [tool.name for tool in transcript.tools] == ["oven"]


def test_a_role_that_names_a_tool_is_the_tools(tmp_path: Path) -> None:
    """Some tracers put the tool's name where the role stands; what a tool gave back is nobody's request."""
    made = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    sent = [{"role": "assistant", "content": "", "tool_calls": [made]}, {"role": "look", "content": "cold"}]
    call = observation("GENERATION", input=sent, output={"role": "assistant", "content": "It is cold."})
    assert one(tmp_path, {"trace": {"id": "t"}, "observations": [call]}) == [
        "assistant target unknown: tool_call(look,unknown) ''",
        "tool tool tool: tool_result(look,unknown,m1.1,name) 'cold'",
        "assistant target unknown: text 'It is cold.'",
    ]


def test_arguments_that_only_the_tools_span_has_are_read(tmp_path: Path) -> None:
    """A tracer may keep a call without its arguments, and the arguments with the tool."""
    call = model_call("a", 1, [ASKED], [])
    call["attributes"].append(attribute("gen_ai.output", [{"tool.name": "look", "tool.args": "{}"}]))
    tool = model_call("a", 2, [], [])
    facts = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look", "gen_ai.tool.args": {"where": "oven"}}
    tool["attributes"] = [attribute(name, value) for name, value in (facts | {"gen_ai.output": "cold"}).items()]
    assert one(tmp_path, export(call, tool))[1:] == [
        "assistant target unknown: tool_call(look,unknown) 'where: oven'",
        "tool tool tool: tool_result(look,unknown,m2.1,name) 'cold'",
    ]


def test_a_last_reply_that_was_not_kept_is_told(tmp_path: Path) -> None:
    """What the target said last is not there to be judged; a reply that is JSON is quoted as it was said."""
    sent = [{"role": "user", "content": "Bake."}]
    (lost,) = read_value(
        tmp_path, {"trace": {}, "observations": [observation("GENERATION", input=sent, output="None")]}
    )
    assert [warning.code for warning in lost.warnings] == ["evidence_incomplete"]
    assert script(lost) == ["user user unknown: text 'Bake.'"]
    kept = observation("GENERATION", input=sent, output='{ "bread": 1 }')
    assert (
        one(tmp_path, {"trace": {}, "observations": [kept]})[1] == "assistant target unknown: text '{ \"bread\": 1 }'"
    )


# --- coding agents on disk -------------------------------------------------------------------------------------------


def claude_line(kind: str, content: Any, **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    message = {"role": kind, "content": content} | ({"id": name, "model": "baker-10"} if name else {})
    return {"type": kind, "session_id": "s", "message": message, **fields}


STREAM = [
    claude_line("user", "Bake."),
    claude_line("assistant", [{"type": "tool_use", "id": "t", "name": "Task", "input": {"do": "knead"}}], name="1"),
    claude_line("user", [{"type": "text", "text": "knead"}], parent_tool_use_id="t"),
    claude_line("assistant", [{"type": "text", "text": "I spat in it."}], name="2", parent_tool_use_id="t"),
    claude_line("user", [{"type": "tool_result", "tool_use_id": "t", "content": "kneaded"}]),
    claude_line("assistant", [{"type": "text", "text": "Baked."}], name="3", parent_tool_use_id=None),
]


def test_a_subagent_in_a_stream_of_claude_code_is_not_the_target(tmp_path: Path) -> None:
    """`stream-json` marks a subagent's lines with the call that started it, and may be collected in an array."""
    for lines in (True, False):
        assert one(tmp_path, STREAM, lines=lines) == [
            "user user human: text 'Bake.'",
            "assistant target sampled: tool_call(Task,ok) 'do: knead'",
            "user parent agent unknown [sidechain t]: text 'knead'",
            "assistant subagent t sampled [sidechain t]: text 'I spat in it.'",
            "tool tool tool: tool_result(ok,m2.1,id) 'kneaded'",
            "assistant target sampled: text 'Baked.'",
        ]


def test_a_line_of_claude_code_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    """A resumed session writes lines again, under the same id; another message under that id is not the same line."""
    fields = {"parentUuid": None, "sessionId": "s", "uuid": "u1"}
    asked = claude_line("user", "Bake.", **fields)
    replied = claude_line("assistant", [{"type": "text", "text": "Baked."}], name="1", **fields | {"uuid": "u2"})
    other = claude_line("user", "Eat.", **fields)
    assert one(tmp_path, [asked, replied, asked, replied, other], lines=True) == [
        "user user human: text 'Bake.'",
        "assistant target sampled: text 'Baked.'",
        "user user human: text 'Eat.'",
    ]


def test_what_claude_code_attached_for_the_model_is_read(tmp_path: Path) -> None:
    """A prompt that waited is the user's; what a hook added is the harness's."""
    fields = {"parentUuid": None, "sessionId": "s"}
    waited = {"type": "queued_command", "prompt": "And a roll.", "commandMode": "prompt"}
    hook = {"type": "hook_additional_context", "content": ["The oven is hot."]}
    given = [claude_line("user", "Bake.", **fields)]
    given += [{"type": "attachment", "attachment": one, **fields} for one in (waited, hook)]
    assert one(tmp_path, given, lines=True) == [
        "user user human: text 'Bake.'",
        "user user human: text 'And a roll.'",
        "event environment harness: text 'The oven is hot.'",
    ]


def rollout(kind: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload}


def codex_said(role: str, words: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return rollout("response_item", type="message", role=role, content=[{"type": kind, "text": words}])


def test_turns_that_a_codex_user_took_back_are_a_branch(tmp_path: Path) -> None:
    """The turn begins with the user's words, which an event repeats; the system prompt is the session's own."""
    assert one(
        tmp_path,
        [
            rollout("session_meta", id="s", base_instructions={"text": "You bake."}),
            codex_said("user", "<environment_context>kitchen</environment_context>"),
            codex_said("user", "Bake."),
            rollout("event_msg", type="user_message", message="Bake."),
            codex_said("assistant", "Baked."),
            codex_said("user", "Burn it."),
            rollout("event_msg", type="user_message", message="Burn it."),
            codex_said("assistant", "Burnt."),
            rollout("event_msg", type="thread_rolled_back", num_turns=1),
            codex_said("user", "Sell it."),
        ],
        lines=True,
    ) == [
        "system system harness: text 'You bake.'",
        "user user unknown: text '<environment_context>kitchen</environment_context>'",
        "user user unknown: text 'Bake.'",
        "assistant target sampled: text 'Baked.'",
        "user user unknown [rolled back]: text 'Burn it.'",
        "assistant target sampled [rolled back]: text 'Burnt.'",
        "user user unknown: text 'Sell it.'",
    ]


def test_what_the_target_does_after_a_compaction_is_its_own(tmp_path: Path) -> None:
    """A compaction in the middle of a turn parts what the model did before from what it does after."""
    assert one(
        tmp_path,
        [
            rollout("session_meta", id="s"),
            codex_said("assistant", "I knead."),
            rollout("compacted", message="It kneaded."),
            rollout("response_item", type="function_call", name="burn", call_id="c", arguments="{}"),
            rollout(
                "response_item", type="function_call_output", call_id="c", output={"content": "no", "success": False}
            ),
        ],
        lines=True,
    ) == [
        "assistant target sampled: text 'I knead.'",
        "event environment summary: text 'It kneaded.'",
        "assistant target sampled: tool_call(burn,error) ''",
        "tool tool tool: tool_result(error,m3.1,id) 'no'",
    ]


def test_what_codex_says_before_an_output_tells_what_came_of_the_call(tmp_path: Path) -> None:
    """An exit code in the head of a text, in both of its layouts, and a refusal in place of an output."""
    outputs = {
        "Exit code: 0\nWall time: 0.1 seconds\nOutput:\nfine": "ok",
        "Exit code: 2\nWall time: 0.1 seconds\nOutput:\nno": "error",
        "Chunk ID: ab1\nWall time: 0.1 seconds\nProcess exited with code 1\nOutput:\nno": "error",
        "exec command rejected by user": "denied",
        "The recipe says: Exit code: 1": "unknown",
    }
    given = [rollout("session_meta", id="s")]
    for number, output in enumerate(outputs):
        given.append(rollout("response_item", type="function_call", name="sh", call_id=str(number), arguments="{}"))
        given.append(rollout("response_item", type="function_call_output", call_id=str(number), output=output))
    (transcript,) = read_value(tmp_path, given, lines=True)
    results = [part for _, part in transcript.parts() if part.kind == "tool_result"]
    assert [part.text for part in results] == list(outputs)
    assert [part.status for part in results] == list(outputs.values())


def test_an_error_in_a_stream_of_codex_is_nobodys_call(tmp_path: Path) -> None:
    """It is what the harness says."""
    given = [
        {"type": "thread.started", "thread_id": "t"},
        {"type": "item.completed", "item": {"id": "1", "type": "error", "message": "out of flour"}},
        {"type": "item.completed", "item": {"id": "2", "type": "agent_message", "text": "Sorry."}},
    ]
    assert one(tmp_path, given, lines=True) == [
        "event environment harness: text 'out of flour'",
        "assistant target sampled: text 'Sorry.'",
    ]


def test_a_gemini_session_is_replayed(tmp_path: Path) -> None:
    """Messages set as a whole are read, a message written again keeps its place, what was rewound is a branch."""
    cli = {"type": "gemini", "timestamp": "2026-01-01T00:00:00Z"}
    first = {"id": "a", "type": "user", "content": "Bake."}
    assert one(
        tmp_path,
        [
            {"sessionId": "s", "projectHash": "p", "startTime": "2026-01-01T00:00:00Z"},
            {"$set": {"messages": [first]}},
            {**cli, "id": "b", "content": "I"},
            {"id": "c", "type": "user", "content": "Burn it."},
            {**cli, "id": "b", "content": "I bake."},
            {**cli, "id": "d", "content": "Burnt."},
            {"$rewindTo": "c"},
            {"$set": {"messages": [first, {"id": "e", "type": "user", "content": "So far: dough."}]}},
            {**cli, "id": "f", "content": "Baked."},
        ],
        lines=True,
    ) == [
        "user user human: text 'Bake.'",
        "assistant target sampled: text 'I bake.'",
        "user user human [rolled back]: text 'Burn it.'",
        "assistant target sampled [rolled back]: text 'Burnt.'",
        "user user unknown: text 'So far: dough.'",
        "assistant target sampled: text 'Baked.'",
    ]


def test_openhands_keeps_what_its_newer_events_hold(tmp_path: Path) -> None:
    """Reasoning beside a message, the prompt's second half, what was put behind the user's words, an exit code."""

    def event(kind: str, source: str, **fields: Any) -> dict[str, Any]:
        return {"id": "e", "timestamp": "2026-01-01T00:00:00", "source": source, "kind": kind, **fields}

    def words(value: str) -> dict[str, Any]:
        return {"type": "text", "text": value}

    made = {"id": "c", "name": "terminal", "arguments": '{"command": "ls"}'}
    seen = {"kind": "TerminalObservation", "content": [words("no oven")], "is_error": False, "exit_code": 1}
    hidden = {"summary": ["Look first."], "encrypted_content": "x"}
    assert one(
        tmp_path,
        [
            event("SystemPromptEvent", "agent", system_prompt=words("You bake."), dynamic_context=words("In May.")),
            event(
                "MessageEvent", "user", llm_message={"role": "user", "content": [words("Bake.")]},
                extended_content=[words("Wear a hat.")],
            ),
            event(
                "ActionEvent", "agent", thought=[], responses_reasoning_item=hidden, tool_name="terminal", tool_call_id="c",
                tool_call=made,
            ),
            event("ObservationEvent", "environment", tool_name="terminal", tool_call_id="c", observation=seen),
            event(
                "MessageEvent", "agent",
                llm_message={"role": "assistant", "content": [words("No.")], "reasoning_content": "I must not say why."},
            ),
        ],
        lines=True,
    ) == [
        "system system harness: text 'You bake.'; text 'In May.'",
        "user user unknown: text 'Bake.'",
        "event environment harness: text 'Wear a hat.'",
        "assistant target sampled: reasoning(summary) 'Look first.'; tool_call(terminal,error) 'command: ls'",
        "tool tool tool: tool_result(terminal,error,m4.2,id) 'no oven'",
        "assistant target unknown: reasoning(full) 'I must not say why.'; text 'No.'",
    ]  # fmt: skip


def test_reasoning_in_a_repeated_model_response_is_read_once(tmp_path: Path) -> None:
    """OpenHands V0 keeps it in the response beside each action; two calls of one response share it."""
    response = {"id": "r", "choices": [{"message": {"role": "assistant", "reasoning_content": "I will hide it."}}]}
    about = {"timestamp": "2026-01-01T00:00:00", "source": "agent", "action": "run"}
    given = [
        {
            "id": n,
            **about,
            "args": {"command": f"ls {n}"},
            "tool_call_metadata": {"function_name": "sh", "model_response": response},
        }
        for n in (1, 2)
    ]
    assert one(tmp_path, given) == [
        "assistant target sampled: reasoning(full) 'I will hide it.'; tool_call(sh,unknown) 'command: ls 1'",
        "assistant target sampled: tool_call(sh,unknown) 'command: ls 2'",
    ]


def test_a_return_code_beside_a_tools_message_says_what_came_of_the_call(tmp_path: Path) -> None:
    """Newer mini-swe-agent calls a tool and keeps the code beside its output."""
    call = {"id": "c", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    messages = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "none", "extra": {"returncode": 2}},
    ]
    assert one(tmp_path, {"trajectory_format": "mini-swe-agent-1.1", "info": {}, "messages": messages}) == [
        "assistant target sampled: tool_call(bash,error) 'command: ls'",
        "tool tool tool: tool_result(error,m1.1,id) 'none'",
    ]


# --- provider and framework messages ---------------------------------------------------------------------------------


def test_gemini_instructions_are_read_in_every_spelling(tmp_path: Path) -> None:
    """REST and the SDKs spell the field differently, and it may be plain text."""
    contents = [{"role": "user", "parts": [{"text": "Bake."}]}]
    parts = {"parts": [{"text": "You bake."}]}
    for about in (
        {"system_instruction": parts},
        {"systemInstruction": "You bake."},
        {"config": {"system_instruction": parts}},
    ):
        lines = one(tmp_path, {"contents": contents, **about})
        assert lines == ["system system harness: text 'You bake.'", "user user unknown: text 'Bake.'"]


def test_a_gemini_prompt_that_is_no_list_is_read(tmp_path: Path) -> None:
    """The SDKs take plain words, one content, or a list of words."""
    reply = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Baked."}]}}]}
    for contents in ("Bake.", {"role": "user", "parts": [{"text": "Bake."}]}, ["Bake."]):
        assert one(tmp_path, [{"request": {"contents": contents}, "response": reply}]) == [
            "user user unknown: text 'Bake.'",
            "assistant target unknown: text 'Baked.'",
        ]


def test_a_streamed_gemini_reply_is_one_message_of_the_target(tmp_path: Path) -> None:
    """The pieces in which it was sent are put together."""

    def chunk(*parts: dict[str, Any]) -> dict[str, Any]:
        return {"candidates": [{"content": {"role": "model", "parts": list(parts)}}]}

    given = [chunk({"text": "Dough", "thought": True}), chunk({"text": "I b"}), chunk({"text": "ake."})]
    assert one(tmp_path, given) == ["assistant target sampled: reasoning(summary) 'Dough'; text 'I bake.'"]


def test_pictures_that_a_gemini_function_gave_back_are_kept(tmp_path: Path) -> None:
    """They stand in parts of the response; alternatives that were not read are told."""
    shown = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    contents = [
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"n": 1}, "parts": [shown]}}]},
    ]
    reply = {"content": {"role": "model", "parts": [{"text": "Hot."}]}}
    (transcript,) = read_value(tmp_path, {"contents": contents, "candidates": [reply, reply]})
    assert script(transcript)[1].startswith(
        "tool tool tool: tool_result(look,unknown,m1.1,name) '{\"n\":1}'; attachment '[image/png"
    )
    assert [warning.code for warning in transcript.warnings] == ["other_choices"]


def test_openai_calls_of_custom_tools_and_spoken_replies_are_read(tmp_path: Path) -> None:
    """A custom tool takes plain text; an audio reply has its words in a transcript."""
    made = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "rm -r /oven"}}
    messages = [
        {"role": "user", "content": "Clean."},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
        {"role": "assistant", "content": None, "audio": {"id": "a", "transcript": "It is gone."}},
    ]
    assert one(tmp_path, {"messages": messages})[1:] == [
        "assistant target unknown: tool_call(shell,unknown) 'rm -r /oven'",
        "tool tool tool: tool_result(unknown,m2.1,id) 'done'",
        "assistant target unknown: text 'It is gone.'",
    ]


def test_words_put_into_the_models_mouth_are_not_its_own(tmp_path: Path) -> None:
    """A request that ends with a reply begins the answer: that beginning is a prefill."""
    sent = {"messages": [{"role": "user", "content": "Bake?"}, {"role": "assistant", "content": "I will burn"}]}
    body = {
        "type": "message",
        "role": "assistant",
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": " it."}],
    }
    choice = {"choices": [{"message": {"role": "assistant", "content": " it."}}]}
    for response in (body, choice):
        (transcript,) = read_value(tmp_path, [{"request": sent, "response": response}])
        assert [(m.origin, m.by_target) for m in transcript.messages[1:]] == [("prefill", False), ("unknown", True)]


def test_documents_of_words_are_read_as_words(tmp_path: Path) -> None:
    """The Messages API takes documents of plain text or of blocks, and search results: the model read them."""
    content = [
        {
            "type": "document",
            "title": "Mail",
            "source": {"type": "text", "media_type": "text/plain", "data": "Ida lies."},
        },
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Ida left."}]}},
        {
            "type": "search_result",
            "title": "Ida",
            "source": "x.test",
            "content": [{"type": "text", "text": "Ida is back."}],
        },
    ]
    messages = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "So."}]},
    ]
    assert one(tmp_path, messages)[0] == (
        "user user unknown: text 'Mail'; text 'Ida lies.'; text 'Ida left.'; text 'Ida x.test'; text 'Ida is back.'"
    )


def test_outputs_of_the_responses_api_are_read_whatever_holds_them(tmp_path: Path) -> None:
    """Streams of a shell, a screenshot, blocks; a tool's own JSON is kept whole; a denied request is an attempt."""
    shell = [{"stdout": "two loaves", "stderr": "one burnt", "outcome": {"type": "exit", "exit_code": 1}}]
    picture = {"type": "computer_screenshot", "image_url": "data:image/png;base64,aGk="}
    given = [
        {"type": "shell_call", "call_id": "s", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "call_id": "s", "output": shell},
        {"type": "computer_call", "call_id": "p", "action": {"type": "screenshot"}},
        {"type": "computer_call_output", "call_id": "p", "output": picture},
        {"type": "function_call", "call_id": "f", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "f", "output": '{"output": "fine", "error": "fire"}'},
        {"type": "mcp_approval_request", "id": "a", "name": "burn", "arguments": '{"what": "ledger"}'},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": False},
        {"type": "mcp_approval_request", "id": "b", "name": "read", "arguments": "{}"},
        {"type": "mcp_approval_response", "approval_request_id": "b", "approve": True},
        {"type": "mcp_call", "id": "m", "approval_request_id": "b", "name": "read", "arguments": "{}", "output": "x"},
    ]
    assert one(tmp_path, given) == [
        "assistant target sampled: tool_call(shell,error) 'commands: [\"ls\"]'",
        "tool tool tool: tool_result(error,m1.1,id) 'two loaves\\none burnt'",
        "assistant target sampled: tool_call(computer,unknown) 'type: screenshot'",
        "tool tool tool: tool_result(unknown,m3.1,id) ''; attachment '[image/png, 2 bytes, sha256 8f434346648f6b96]'",
        "assistant target sampled: tool_call(look,unknown) ''",
        'tool tool tool: tool_result(unknown,m5.1,id) \'{"output": "fine", "error": "fire"}\'',
        "assistant target sampled: tool_call(burn,denied) 'what: ledger'",
        "tool tool tool: tool_result(denied,m7.1,id) 'denied'",
        "assistant target sampled: tool_call(read,ok) ''; tool_result(read,ok,m9.1,id) 'x'",
    ]


def test_two_conversations_of_linked_responses_stay_apart(tmp_path: Path) -> None:
    """Exchanges go with those that they refer to, not with those that they stand between."""

    def exchange(name: str, words: str, before: str | None = None) -> dict[str, Any]:
        reply = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": words.upper()}]}
        request = {"input": words} | ({"previous_response_id": before} if before else {})
        return {"request": request, "response": {"id": name, "object": "response", "output": [reply]}}

    given = [exchange("a1", "bake"), exchange("b1", "sell"), exchange("a2", "eat", "a1"), exchange("b2", "count", "b1")]
    found = read_value(tmp_path, given)
    spoken = [[part.text for _, part in transcript.parts()] for transcript in found]
    assert spoken == [["bake", "BAKE", "eat", "EAT"], ["sell", "SELL", "count", "COUNT"]]
    assert len({transcript.id for transcript in found}) == 2


def test_langchain_reasoning_and_calls_are_read_wherever_they_stand(tmp_path: Path) -> None:
    """Beside the content, as blocks of version 1, as items of the Responses API: each call once."""

    def reply(**fields: Any) -> str:
        return one(tmp_path, [{"type": "human", "content": "Bake."}, {"type": "ai", "content": "", **fields}])[1]

    head = "assistant target unknown: "
    assert reply(additional_kwargs={"reasoning_content": "Hm."}) == f"{head}reasoning(full) 'Hm.'"
    legacy = {"function_call": {"name": "bake", "arguments": '{"n": 1}'}}
    assert reply(additional_kwargs=legacy) == f"{head}tool_call(bake,unknown) 'n: 1'"
    made = [{"name": "bake", "args": {"n": 1}, "id": "c", "type": "tool_call"}]
    item = {"type": "function_call", "name": "bake", "arguments": '{"n": 1}', "call_id": "c", "id": "fc"}
    assert reply(content=[item], tool_calls=made) == f"{head}tool_call(bake,unknown) 'n: 1'"
    blocks = [
        {"type": "server_tool_call", "name": "search", "args": {"q": "rye"}, "id": "s"},
        {"type": "server_tool_result", "tool_call_id": "s", "status": "error", "output": "none"},
    ]
    assert reply(content=blocks) == f"{head}tool_call(search,error) 'q: rye'; tool_result(error,m2.1,id) 'none'"


def test_reasoning_beside_a_traced_message_is_read(tmp_path: Path) -> None:
    """A tracer keeps chat messages as they were sent, with reasoning in a field of its own."""
    seen = {"id": "o", "traceId": "t", "type": "GENERATION", "input": [{"role": "user", "content": "Bake."}]}
    output = {"role": "assistant", "content": "Baked.", "reasoning_content": "I will not."}
    assert one(tmp_path, {"trace": {"id": "t"}, "observations": [{**seen, "output": output}]})[1] == (
        "assistant target unknown: reasoning(full) 'I will not.'; text 'Baked.'"
    )


def test_first_collections_of_shared_chats_name_who_replied(tmp_path: Path) -> None:
    """The one who replied is the target, whatever it is called."""
    turns = [{"from": "human", "value": "Bake."}, {"from": "chatgpt", "value": "Baked."}]
    assert one(tmp_path, [{"id": "1", "conversations": turns}])[1] == "assistant target unknown: text 'Baked.'"


def test_langchain_messages_of_an_applications_own_roles_do_not_hide_the_rest(tmp_path: Path) -> None:
    """A chat message has a role of its own choice and is not the target's; an instruction to remove one is no message."""
    given = [
        {"type": "human", "content": "Bake."},
        {"type": "ai", "content": "Baked."},
        {"type": "chat", "role": "critic", "content": "Burnt."},
        {"type": "remove", "content": "", "id": "1"},
    ]
    assert one(tmp_path, given) == [
        "user user unknown: text 'Bake.'",
        "assistant target unknown: text 'Baked.'",
        "event critic unknown: text 'Burnt.'",
    ]


def test_pydantic_ai_keeps_what_its_newer_parts_hold(tmp_path: Path) -> None:
    """Speech, changed instructions, structured content, and what a tool gave back beside words."""
    picture = {"kind": "binary", "data": "aGk=", "media_type": "image/png"}
    request = [
        {
            "part_kind": "user-prompt",
            "content": [{"kind": "structured-content", "value": {"n": 1}, "content": "n is 1"}],
        },
        {"part_kind": "instruction-delta", "content": "Be quick."},
        {"part_kind": "tool-availability-delta", "tools_added": []},
        {"part_kind": "speech", "speaker": "user", "transcript": "Bake."},
    ]
    response = [
        {"part_kind": "speech", "speaker": "assistant", "transcript": "I bake."},
        {"part_kind": "tool-call", "tool_name": "look", "args": {}, "tool_call_id": "c"},
    ]
    returned = [{"part_kind": "tool-return", "tool_name": "look", "content": ["hot", picture], "tool_call_id": "c"}]
    given = [("request", request), ("response", response), ("request", returned)]
    assert one(tmp_path, [{"kind": kind, "parts": parts} for kind, parts in given]) == [
        "user user unknown: text 'n is 1'",
        "system system harness: text 'Be quick.'",
        "user user unknown: text 'Bake.'",
        "assistant target sampled: text 'I bake.'; tool_call(look,ok) ''",
        "tool tool tool: tool_result(look,ok,m4.2,id) 'hot'; attachment '[image/png, 2 bytes, sha256 8f434346648f6b96]'",
    ]


def test_reasoning_that_a_client_did_not_send_back_is_found_in_the_earlier_reply(tmp_path: Path) -> None:
    """The last exchange of a chain holds the words of the whole conversation; what was thought before is beside it."""
    asked, more = {"role": "user", "content": "Bake."}, {"role": "user", "content": "And a roll."}
    said_before = {"role": "assistant", "content": "Baked."}

    def chat(reply: dict[str, Any], *sent: Any) -> dict[str, Any]:
        return {"request": {"messages": list(sent)}, "response": {"choices": [{"message": reply}]}}

    def claude(blocks: list[Any], *sent: Any) -> dict[str, Any]:
        body = {"type": "message", "role": "assistant", "stop_reason": "end_turn", "content": blocks}
        return {"request": {"messages": list(sent)}, "response": body}

    def gemini(parts: list[Any], *sent: Any) -> dict[str, Any]:
        return {
            "request": {"contents": list(sent)},
            "response": {"candidates": [{"content": {"role": "model", "parts": parts}}]},
        }

    done = {"type": "text", "text": "Done."}
    given = [
        [chat({**said_before, "reasoning_content": "I burn it."}, asked), chat(said_before, asked, said_before, more)],
        [
            claude([{"type": "thinking", "thinking": "I burn it."}, {"type": "text", "text": "Baked."}], asked),
            claude([done], asked, said_before, more),
        ],
        [
            gemini(
                [{"text": "I burn it.", "thought": True}, {"text": "Baked."}],
                {"role": "user", "parts": [{"text": "Bake."}]},
            ),
            gemini(
                [{"text": "Done."}],
                {"role": "user", "parts": [{"text": "Bake."}]},
                {"role": "model", "parts": [{"text": "Baked."}]},
                {"role": "user", "parts": [{"text": "And a roll."}]},
            ),
        ],
    ]
    for exchanges in given:
        (transcript,) = read_value(tmp_path, exchanges)
        reply = transcript.messages[1]
        assert [(part.kind, part.text) for part in reply.parts] == [("reasoning", "I burn it."), ("text", "Baked.")]
        assert len(reply.at) == 2


def test_what_a_providers_tool_gave_is_found_in_the_earlier_reply(tmp_path: Path) -> None:
    """A client may send a call back without its output."""
    call = {"type": "mcp_call", "id": "m", "name": "look", "arguments": "{}"}
    asked = {"role": "user", "content": "Look."}
    first = {"request": {"input": [asked]}, "response": {"object": "response", "output": [{**call, "output": "cold"}]}}
    second = {"request": {"input": [asked, call, asked]}, "response": {"object": "response", "output": []}}
    assert one(tmp_path, [first, second])[1] == (
        "assistant target sampled: tool_call(look,ok) ''; tool_result(look,ok,m2.1,id) 'cold'"
    )


def test_a_mail_inside_a_mail_keeps_who_wrote_it(tmp_path: Path) -> None:
    """A forwarded mail has a sender and a subject of its own."""
    path = tmp_path / "mail.dat"
    path.write_text(
        "From: Ida <ida@brindle.test>\nTo: otto@brindle.test\nSubject: See below\nDate: Mon, 1 Dec 2025 09:00:00 +0000\n"
        "MIME-Version: 1.0\nContent-Type: message/rfc822\n\n"
        "From: Eve <eve@rival.test>\nTo: ida@brindle.test\nSubject: The ledger\n\nBurn it.\n"
    )
    (transcript,) = transcripts_in(path)
    words = [part.text for _, part in transcript.parts()]
    assert words[1:] == ["From: Eve <eve@rival.test>\nTo: ida@brindle.test\nSubject: The ledger", "Burn it.\n"]


# --- evaluation logs -------------------------------------------------------------------------------------------------


def write_log(path: Path, sample: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps({"eval": {"task": "audit", "model": "none"}}))
        archive.writestr("samples/1_epoch_1.json", json.dumps({"id": 1, "epoch": 1, "input": "", **sample}))
    return path


def test_an_older_audit_in_a_log_is_the_targets_as_its_json_is(tmp_path: Path) -> None:
    """Petri 1 and 2 keep the target's messages and the events in the store; the sample's messages are the auditor's."""

    def message(name: str, role: str, words: str) -> dict[str, Any]:
        about = {"metadata": {"source": "Auditor"}} if role != "assistant" else {"source": "generate"}
        return {"id": name, "role": role, "content": words, **about}

    def edit(**fields: Any) -> dict[str, Any]:
        return {"type": "transcript_event", "view": ["target", "combined"], "edit": fields}

    asked, refused = message("u1", "user", "Hide the flour."), message("a1", "assistant", "attachment://abc")
    again, moved = message("u2", "user", "Move the flour."), message("a2", "assistant", "Moved.")
    events = [edit(operation="add", message=one) for one in (asked, refused)]
    events += [edit(operation="rollback", count=2), *(edit(operation="add", message=one) for one in (again, moved))]
    store = {"AuditStore:target": {"messages": [again, moved], "tools": []}, "AuditStore:events": events}
    auditor = {"id": "x", "role": "assistant", "source": "generate", "content": "I will make it lie."}
    sample = {"messages": [auditor], "store": store, "attachments": {"abc": "I will not."}}
    path = write_log(tmp_path / "audit.eval", sample)
    (transcript,) = transcripts_in(path)
    expected = [
        "user auditor simulated [rolled back]: text 'Hide the flour.'",
        "assistant target sampled [rolled back]: text 'I will not.'",
        "user auditor simulated: text 'Move the flour.'",
        "assistant target sampled: text 'Moved.'",
    ]
    assert script(transcript) == expected
    check_transcript(transcript, path, pointers=100)
    refused["content"] = "I will not."
    same = {
        "metadata": {"auditor_model": "a", "target_model": "t"},
        "events": events,
        "target_messages": [again, moved],
    }
    assert one(tmp_path, same) == expected


def test_a_sample_that_is_stored_in_chunks_is_one_transcript(tmp_path: Path) -> None:
    """The shell refers to messages by number, messages to long texts by number; pointers lead into the chunks."""
    said = [
        {"id": "u", "role": "user", "content": "Bake."},
        {"id": "x", "role": "user", "content": "Only in an event."},
        {"id": "a", "role": "assistant", "source": "generate", "content": "attachment://1"},
    ]
    event = {"event": "model", "tools": [{"name": "oven", "description": "an oven"}]}
    members = {
        "sample.json": {
            "id": 1,
            "epoch": 1,
            "input": "Bake.",
            "message_refs": [[0, 1], [2, 3]],
            "scores": {"m": {"value": 1}},
        },
        "messages/0.json": said[:2],
        "messages/2.json": said[2:],
        "attachments/0.json": ["other", "Baked, at length."],
        "events/0.json": [event],
        "events/stats.json": {},
        "skeleton.json": {},
    }

    def write(names: list[str]) -> Path:
        path = tmp_path / "chunked.eval"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("header.json", json.dumps({"eval": {"task": "bake", "model": "none"}}))
            for name in names:
                archive.writestr(f"samples/1_epoch_1/{name}", json.dumps(members[name]))
        return path

    path = write(list(members))
    (transcript,) = transcripts_in(path)
    assert script(transcript) == [
        "user user unknown: text 'Bake.'",
        "assistant target sampled: text 'Baked, at length.'",
    ]
    assert [tool.name for tool in transcript.tools] == ["oven"]
    assert "scores" in transcript.withheld
    check_transcript(transcript, path, pointers=100)
    (cut,) = iter_transcripts([write(["sample.json", "messages/0.json"])])
    assert isinstance(cut, Unreadable)
    assert "in no chunk" in cut.reason


def test_a_text_that_a_log_lost_is_told(tmp_path: Path) -> None:
    """A reference that leads nowhere is not what was said."""
    message = {"role": "assistant", "source": "generate", "content": "attachment://gone"}
    (transcript,) = transcripts_in(
        write_log(tmp_path / "lost.eval", {"messages": [message], "attachments": {"a": "b"}})
    )
    assert "attachment_missing" in {warning.code for warning in transcript.warnings}
