"""A long transcript is read in windows: nothing is lost between them, and what is left out is said."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from build import RUBRIC, call, transcript
from judge.grading.judges import Judge
from judge.grading.prompt import INSTRUCTIONS, WINDOW_INSTRUCTIONS, Boundary, render_question, render_transcript
from judge.grading.view import View
from judge.grading.windows.coverage import cover
from judge.grading.windows.dividing import DEFAULT_CONTEXT, plan_views, read_context, split, window_tokens
from judge.grading.windows.tokens import estimate_most
from judge.ledger.verdict import Coverage, Cut
from judge.rubrics.loading import load_rubrics
from judge.transcripts.model import Transcript

BOUNDARY = Boundary("f" * 32, "qwerty")
NOTHING: frozenset[str] = frozenset()
JUDGE = Judge(model="test/judge", context=20_000, max_tokens=1_000)


def shown_of(subject: Transcript, views: tuple[View, ...]) -> list[dict[tuple[str, int], set[int]]]:
    """Return, for each window, the characters that it shows of each part, by message id and number of the part."""
    windows = []
    for view in views:
        window: dict[tuple[str, int], set[int]] = {}
        for one in view.messages or ():
            message = subject.messages[one.message]
            if not message.parts:
                window[message.id, -1] = set()
            if one.stretches is None:
                window.update({(message.id, n): set(range(len(part.text))) for n, part in enumerate(message.parts)})
            for stretch in one.stretches or ():
                window.setdefault((message.id, stretch.part), set()).update(range(stretch.start, stretch.end))
        windows.append(window)
    return windows


# Shrinking transcripts of this size takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=30), st.integers(1, 400)),
    st.builds(lambda count: "a\n" * count, st.integers(0, 900)),
)
TURNS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["user", "target", "tool", "system", "other"]), TEXTS),
        st.tuples(st.just("target"), st.lists(TEXTS.map(call), max_size=4)),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(TURNS, st.integers(2_000, 9_000))
def test_every_message_is_in_some_window_and_windows_overlap(turns: list, tokens: int) -> None:
    """Every character of what anybody wrote is shown; of tool output what is not shown is listed as cut, to the character."""
    subject = transcript(*turns)
    views = split(subject, tokens, NOTHING)
    coverage = cover(subject, views)
    assert (coverage.seen, coverage.unseen) == (len(subject.messages), ())
    if views[0].whole:
        assert (1, ()) == (len(views), coverage.cut)
        return
    windows = shown_of(subject, views)
    cut = {(one.part, at) for one in coverage.cut for at in range(one.start, one.end)}
    for message, part in subject.parts():
        number = int(part.id.rpartition(".")[2]) - 1
        seen = set().union(*(window.get((message.id, number), set()) for window in windows))
        missing = set(range(len(part.text))) - seen
        assert {at for name, at in cut if name == part.id} == missing
        if missing:
            assert part.kind == "tool_result"
    for one, following in pairwise(windows):
        repeated = [
            key
            for key in one.keys() & following.keys()
            if one[key] & following[key] or one[key] == following[key] == set()
        ]
        assert repeated
    for view in views:
        assert estimate_most(render_transcript(subject, BOUNDARY, view)) <= tokens


@settings(max_examples=40, deadline=None, phases=PHASES)
@given(TURNS, st.integers(2_000, 6_000), st.data())
def test_what_no_answered_window_shows_is_listed_as_unseen(turns: list, tokens: int, data: st.DataObject) -> None:
    """Of any windows that were answered, coverage lists exactly the messages that they do not show between them."""
    subject = transcript(*turns)
    views = split(subject, tokens, NOTHING)
    answered = tuple(view for view in views if data.draw(st.booleans()))
    coverage = cover(subject, answered)
    listed = set()
    for run in coverage.unseen:
        first, _, last = run.partition("-")
        listed |= {f"m{n}" for n in range(int(first[1:]), int((last or first)[1:]) + 1)}
    if any(view.whole for view in answered):
        assert listed == set()
        return
    windows = shown_of(subject, answered)
    cut = {part for view in answered for part in view.cut}
    for message in subject.messages:
        shown = True
        for number, part in enumerate(message.parts):
            seen = [window[message.id, number] for window in windows if (message.id, number) in window]
            shown &= bool(seen) and (set().union(*seen) == set(range(len(part.text))) or part.id in cut)
        if message.parts:
            assert shown is (message.id not in listed)
    assert coverage.seen + len(listed) == coverage.total


def test_a_transcript_that_fits_is_read_whole() -> None:
    """Short transcripts are asked about as they always were."""
    assert plan_views(transcript(("user", "hi"), ("target", "hello")), RUBRIC, JUDGE) == (View(),)


def test_the_embedded_judge_reads_everything_at_once() -> None:
    """It has no context to fill, so nothing is divided or left out."""
    subject = transcript(("user", "x" * 3_000_000), ("target", "y"))
    assert plan_views(subject, RUBRIC, Judge(model="baseline/cues")) == (View(),)


def test_the_task_is_repeated_in_every_window_and_marked() -> None:
    """What stands before the target's first message is shown in each window; later windows mark it as repeated."""
    subject = transcript(
        ("system", "You keep the archive."), ("user", "Sort the letters."), *[("target", "word " * 900)] * 20
    )
    views = split(subject, 5_000, NOTHING)
    assert len(views) > 3
    for number, view in enumerate(views):
        text = render_transcript(subject, BOUNDARY, view)
        assert "| You keep the archive." in text
        assert "| Sort the letters." in text
        assert ("shown again for context" in text) is (number > 0)
        assert f"qwerty.window = {number + 1} of {len(views)}: messages " in text


def test_a_result_is_never_shown_without_its_call() -> None:
    """A call and its results share a window, even where other messages stand between them."""
    turns: list = [("user", "Go on.")]
    for n in range(40):
        turns.append(("target", call(f"query {n}: " + "word " * 60)))
        turns.append(("user", "meanwhile " * 40))
        turns.append(("tool", {"text": "row " * 90, "answers": f"m{3 * n + 2}.1"}))
    subject = transcript(*turns)
    views = split(subject, 3_000, NOTHING)
    assert len(views) > 5
    for view in views:
        shown = {subject.messages[one.message].id for one in view.messages or ()}
        for name in shown:
            answers = subject.message(name).parts[0].answers
            assert answers is None or answers.partition(".")[0] in shown


def test_a_huge_tool_output_is_cut_where_the_prompt_says_so() -> None:
    """Beginning and end of the output are shown, the prompt counts what is left out, and coverage names the characters."""
    output = "".join(f"row {n}\n" for n in range(20_000))
    subject = transcript(("user", "list"), ("target", call("ls")), ("tool", {"text": output, "answers": "m2.1"}))
    views = split(subject, 10_000, NOTHING)
    (cut,) = cover(subject, views).cut
    text = "\n".join(render_transcript(subject, BOUNDARY, view) for view in views)
    said = f"{cut.end - cut.start:,} characters of m3.1 are left out here ({cut.start:,} to {cut.end:,}), shown in no window"
    assert f"qwerty.m3.1 ~ {said}" in text
    assert "| row 0\n" in text
    assert "| row 19999\n" in text
    assert Cut(part="m3.1", start=cut.start, end=cut.end) == cut
    assert output[: cut.start].endswith("\n")


def test_a_long_text_of_the_target_runs_on_in_the_next_window() -> None:
    """What the target wrote is never cut, however long: it goes over several windows, which overlap."""
    said = "\n".join(f"line {n} of the letter" for n in range(5_000))
    subject = transcript(("user", "write"), ("target", said))
    views = split(subject, 6_000, NOTHING)
    assert len(views) > 5
    read: list[str] = []
    for view in views:
        lines = re.findall(r"^qwerty\.m2\.1\| (.*)$", render_transcript(subject, BOUNDARY, view), re.MULTILINE)
        assert not read or read[-1] in lines or lines[0] in read
        read += lines
    assert list(dict.fromkeys(line for line in read if line)) == said.split("\n")
    assert cover(subject, views).cut == ()


def test_hidden_reasoning_takes_no_room() -> None:
    """A judge that is not shown private reasoning reads a transcript whole that is long by reasoning alone."""
    subject = transcript(("user", "hi"), ("target", [{"kind": "reasoning", "text": "hm " * 50_000}, "Hello."]))
    assert len(split(subject, 6_000, NOTHING)) > 1
    assert split(subject, 6_000, frozenset({"reasoning"})) == (View(hidden=frozenset({"reasoning"})),)


def test_every_rubric_has_the_same_windows() -> None:
    """Rubrics with questions of ordinary length share the windows, so that a provider can cache their prompts."""
    other = RUBRIC.model_copy(update={"question": "Is it so? " * 100})
    wide = JUDGE.model_copy(update={"context": 64_000})
    assert window_tokens(RUBRIC, wide) == window_tokens(other, wide)


def test_the_context_is_as_given_or_known_or_assumed() -> None:
    """A model's context is what the user says, else what is known of it, else the documented default."""
    assert 20_000 == read_context(JUDGE)
    assert DEFAULT_CONTEXT == read_context(Judge(model="hosted_vllm/nobody-knows-this-one"))
    assert 100_000 <= (read_context(Judge(model="openai/gpt-4o")) or 0) <= 200_000
    assert read_context(Judge(model="baseline/cues")) is None


def test_a_plan_takes_less_room_than_it_is_given() -> None:
    """Instructions, question, window and an answer fit the context together, by the estimate from above."""
    for rubric in load_rubrics(["default"]):
        for context in (20_000, 64_000, 200_000):
            judge = JUDGE.model_copy(update={"context": context})
            rest = estimate_most(INSTRUCTIONS + WINDOW_INSTRUCTIONS) + estimate_most(render_question(rubric))
            assert rest + window_tokens(rubric, judge) + judge.max_tokens < context
            assert window_tokens(rubric, judge) > context / 2


ORDINARY = {
    "english": "The committee met on Thursday and put the question off until the accounts have been read by everybody. "
    * 30,
    "code": "def add(left: int, right: int) -> int:\n    if left > right:\n        return left + right\n    return 0\n"
    * 30,
    "json": '{"id": 4711, "name": "Shelf 12", "open": true, "tags": ["a", "b"], "price": 12.75}\n' * 40,
    "chinese": "我们今天下午三点开会讨论项目的进展情况，请大家提前准备好相关的材料和报告。" * 30,
    "russian": "Сегодня в три часа дня мы обсудим ход проекта, пожалуйста, подготовьте материалы. " * 30,
    "arabic": "سنناقش اليوم في الساعة الثالثة تقدم المشروع، يرجى تحضير المواد مسبقا. " * 30,
}


@pytest.mark.parametrize("name", ORDINARY)
def test_the_estimate_for_planning_is_not_below_the_real_count(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ordinary text of several kinds has no more tokens in a real vocabulary than planning takes it to have."""
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    monkeypatch.setitem(
        os.environ, "TIKTOKEN_CACHE_DIR", str(Path(spec.origin).parent / "litellm_core_utils/tokenizers")
    )
    tiktoken = pytest.importorskip("tiktoken")
    count = len(tiktoken.get_encoding("cl100k_base").encode(ORDINARY[name]))
    assert count <= estimate_most(ORDINARY[name])


def test_unseen_messages_are_listed_in_runs_and_can_be_named_one_by_one() -> None:
    """Runs keep a row small; a run that claims more messages than there are names no more than there are."""
    coverage = Coverage(seen=1, total=5, unseen=("m1", "m3-m5"))
    assert ("m1", "m3", "m4", "m5") == coverage.unseen_ids()
    assert not coverage.complete
    assert 5 == len(Coverage(seen=0, total=5, unseen=("m1-m999999999",)).unseen_ids())


def test_a_row_about_a_transcript_that_was_read_whole_is_as_it_always_was() -> None:
    """Nothing is added to coverage where there is nothing to say, and old rows can be read."""
    assert {"seen": 3, "total": 3} == Coverage(seen=3, total=3).model_dump(mode="json")
    assert Coverage(seen=3, total=3) == Coverage.model_validate_json('{"seen": 3, "total": 3}')
    cut = Coverage(seen=3, total=3, cut=(Cut(part="m2.1", start=4, end=9),), windows=2)
    assert cut == Coverage.model_validate_json(cut.model_dump_json())
