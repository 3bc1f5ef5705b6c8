"""A model's family is told by its name, and a judge of the target's family is flagged."""

from __future__ import annotations

import pytest

from build import RUBRIC, answer, transcript
from judge.grading import run as run_module
from judge.grading.answer import Answer
from judge.grading.exchange import Exchange
from judge.grading.families import find_family, is_self_graded
from judge.grading.judges import Judge
from judge.grading.run import grade_sync


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("openai/gpt-5-mini", "gpt"),
        ("azure/o3-mini", "gpt"),
        ("o1", "gpt"),
        ("chatgpt-4o-latest", "gpt"),
        ("ft:gpt-4o:acme::x1", "gpt"),
        ("anthropic/claude-opus-4-5", "claude"),
        ("bedrock/anthropic.claude-3-haiku-v1:0", "claude"),
        ("vertex_ai/gemini-2.5-pro", "gemini"),
        ("google/gemma-3-27b-it", "gemini"),
        ("groq/llama-3.3-70b", "llama"),
        ("together_ai/meta-llama/Meta-Llama-3.1-8B", "llama"),
        ("openrouter/qwen/qwq-32b", "qwen"),
        ("mistral/mixtral-8x7b", "mistral"),
        ("deepseek/deepseek-r1-distill-llama-70b", "deepseek"),
        ("xai/grok-4", "grok"),
        ("openai/local", None),
        ("baseline/cues", None),
        ("test/philosopher", None),
        ("demo/o2switch", None),
        ("", None),
    ],
)
def test_a_name_tells_the_family(name: str, family: str | None) -> None:
    """The model's own name counts; the provider in front of it does not."""
    assert family == find_family(name)


@pytest.mark.parametrize(
    ("judge", "run", "flagged"),
    [
        ("openai/gpt-5", {"models": ["gpt-4o-mini"]}, True),
        ("openai/gpt-5", {"models": ["claude-sonnet-4", "gpt-4o"]}, True),
        ("openai/gpt-5", {"model": "claude-sonnet-4 + o4-mini"}, True),
        ("openai/gpt-5", {"model": "claude-sonnet-4"}, False),
        ("openai/local", {"model": "another-local"}, False),
        ("openai/gpt-5", {}, False),
        ("openai/gpt-5", {"models": None, "model": 7}, False),
    ],
)
def test_only_a_known_shared_family_is_self_grading(judge: str, run: dict, flagged: bool) -> None:
    """Two models of unknown family are not taken for kin, nor is a run that names no model."""
    assert flagged is is_self_graded(judge, run)


class _Lane:
    keeps_calls = False
    caches_prefixes = False
    waits_for_place = False
    unreachable = None

    def __init__(self) -> None:
        self.read: list[str] = []

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        del complaint
        self.read += exchange.prompt()
        return answer("absent")

    async def close(self) -> None:
        return


def test_the_flag_is_on_the_verdict_and_nowhere_in_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict on a model of the judge's family says so; the judge is not told who wrote the transcript."""
    lane = _Lane()
    monkeypatch.setattr(run_module, "open_lane", lambda judge, *_, **__: (judge, lane))
    subjects = [
        transcript(("target", "done"), id="own", run={"models": ["gpt-4o-2024"]}),
        transcript(("target", "done"), id="other", run={"models": ["claude-sonnet-4"]}),
    ]
    graded = grade_sync(subjects, [RUBRIC], [Judge(model="openai/gpt-5")])
    assert {"own": True, "other": False} == {v.transcript_id: "self_graded" in v.flags for v in graded.verdicts}
    assert not [text for text in lane.read if "gpt-4o" in text or "claude" in text]
