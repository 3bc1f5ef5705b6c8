"""Write the fixtures that a real library can write, with that library, offline, and no model: `make_fixtures.py FOLDER`.

Run by an interpreter that has them (`peer_python(*FIXTURE_LIBRARIES)` in `benchmarks/peers.py` makes one); it imports
nothing of ours. Libraries that are not there are passed over, by name. What is written differs from run to run in ids and
times only; the tests look at neither. Every other fixture is written by hand.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SYSTEM, HIDE, MOVE = "You keep the books.", "Hide the flour.", "Move the flour."


def petri_rollback(folder: Path) -> None:
    """An Inspect log of an audit as Petri 3 stores it: the auditor rolled back a refusal and asked again."""
    from inspect_ai.event import (  # type: ignore[import-not-found]
        AnchorEvent,
        BranchEvent,
        ModelEvent,
        Timeline,
        TimelineEvent,
        TimelineSpan,
    )
    from inspect_ai.log import (  # type: ignore[import-not-found]
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalSample,
        EvalSpec,
        write_eval_log,
    )
    from inspect_ai.model import (  # type: ignore[import-not-found]
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageUser,
        GenerateConfig,
        ModelOutput,
    )

    def call(asked: list[Any], reply: str) -> Any:
        output = ModelOutput.from_content("baker-3", reply)
        return ModelEvent(
            model="baker-3",
            role="target",
            input=asked,
            tools=[],
            tool_choice="auto",
            config=GenerateConfig(),
            output=output,
        )

    system, hide, move = ChatMessageSystem(content=SYSTEM), ChatMessageUser(content=HIDE), ChatMessageUser(content=MOVE)
    anchor = AnchorEvent(anchor_id="a1")
    first = call([system, hide], "I will not.")
    # A branch replays what came before it: the same message under another id.
    second = call([ChatMessageSystem(content=SYSTEM), move], "Moved.")
    branch = BranchEvent(from_anchor="a1")
    events = [anchor, first, branch, second]
    tried = TimelineSpan(id="b1", name="branch", branched_from="a1", content=[TimelineEvent(event=second)])
    root = TimelineSpan(id="t1", name="target", content=[TimelineEvent(event=first)], branches=[tried])
    views = [
        Timeline(name="target", description="the target", root=root),
        Timeline(name="auditor", description="the auditor", root=TimelineSpan(id="t2", name="auditor")),
    ]
    reply = second.output.choices[0].message
    assert isinstance(reply, ChatMessageAssistant)
    sample = EvalSample(
        id=1, epoch=1, input=HIDE, target="", messages=[system, move, reply], events=events, timelines=views
    )
    spec = EvalSpec(
        created="2026-01-01T00:00:00+00:00", task="audit", model="none/none", dataset=EvalDataset(), config=EvalConfig()
    )
    log = EvalLog(version=2, status="success", eval=spec, samples=[sample])
    write_eval_log(log, str(folder / "petri_rollback.eval"), format="eval")


def inspect_rewritten(folder: Path) -> None:
    """A log with one call, its result and its reply, as the newest Inspect writes it."""
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalSample,
        EvalSpec,
        write_eval_log,
    )
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageTool, ChatMessageUser
    from inspect_ai.tool import ToolCall, ToolCallError  # type: ignore[import-not-found]

    made = ToolCall(id="c1", function="file_invoice", arguments={"month": "July"})
    messages = [
        ChatMessageSystem(content=SYSTEM),
        ChatMessageUser(content="Please file the July invoice.", source="input"),
        ChatMessageAssistant(content="Filing.", tool_calls=[made], source="generate"),
        ChatMessageTool(
            content="", tool_call_id="c1", function="file_invoice", error=ToolCallError("timeout", "It took too long.")
        ),
        ChatMessageAssistant(content="It did not go through.", source="generate"),
    ]
    spec = EvalSpec(
        created="2026-01-01T00:00:00+00:00", task="books", model="none/none", dataset=EvalDataset(), config=EvalConfig()
    )
    sample = EvalSample(id=1, epoch=1, input="Please file the July invoice.", target="17", messages=messages)
    log = EvalLog(version=2, status="success", eval=spec, samples=[sample])
    write_eval_log(log, str(folder / "inspect_rewritten.eval"), format="eval")


def pydantic_ai_made(folder: Path) -> None:
    """Pydantic AI's own dump of a run with a call that failed and was tried again."""
    from pydantic_ai.messages import (  # type: ignore[import-not-found]
        ModelMessagesTypeAdapter,
        ModelRequest,
        ModelResponse,
        SystemPromptPart,
        TextPart,
        ThinkingPart,
        ToolCallPart,
        ToolReturnPart,
        UserPromptPart,
    )

    run = [
        ModelRequest(parts=[SystemPromptPart("You fix ovens."), UserPromptPart("Is oven 2 hot?")]),
        ModelResponse(parts=[ThinkingPart("look first"), ToolCallPart("read_dial", {"oven": 3}, "c1")]),
        ModelRequest(parts=[ToolReturnPart("read_dial", "no oven 3", "c1", outcome="retried")]),
        ModelResponse(parts=[ToolCallPart("read_dial", {"oven": 2}, "c2")]),
        ModelRequest(parts=[ToolReturnPart("read_dial", "220", "c2")]),
        ModelResponse(parts=[TextPart("Yes, 220 degrees.")]),
    ]
    (folder / "pydantic_ai_made.json").write_bytes(ModelMessagesTypeAdapter.dump_json(run) + b"\n")


def langchain_made(folder: Path) -> None:
    """LangChain's `messages_to_dict` of a run with one call."""
    from langchain_core.messages import (  # type: ignore[import-not-found]
        AIMessage,
        HumanMessage,
        SystemMessage,
        ToolMessage,
        messages_to_dict,
    )

    run = [
        SystemMessage("You fix ovens."),
        HumanMessage("Is oven 2 hot?"),
        AIMessage("", tool_calls=[{"name": "read_dial", "args": {"oven": 2}, "id": "c1"}]),
        ToolMessage("220", tool_call_id="c1", name="read_dial"),
        AIMessage("Yes, 220 degrees."),
    ]
    (folder / "langchain_made.json").write_text(json.dumps(messages_to_dict(run)) + "\n")


MAKERS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "inspect_ai": (petri_rollback, inspect_rewritten),
    "pydantic_ai": (pydantic_ai_made,),
    "langchain_core": (langchain_made,),
}


def main(folder: Path) -> None:
    """Write what the installed libraries can write."""
    for library, makers in MAKERS.items():
        if importlib.util.find_spec(library) is None:
            print(f"{library} is not installed: its fixtures were not written")
            continue
        for make in makers:
            make(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
