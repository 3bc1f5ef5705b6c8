"""Which family a model belongs to, by its name: a judge that grades a model of its own family may favour it.

Self-preference has been measured for many models and does not fade as they get better (arXiv 2604.22891), so a verdict of a
judge on a target of its family carries the flag `self_graded`. A name that says nothing gives no family, and no flag: its
absence is no proof of independence. The judge itself is never told who wrote the transcript.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

# What a name of each family holds, as a word or the beginning of one. The first that is found wins, so that a model distilled
# from one family into another counts as what it was tuned to be like. Models of one house are one family.
_WORDS: Final[Mapping[str, str]] = {
    "deepseek": r"deepseek",
    "claude": r"claude",
    "gpt": r"(?:chat)?gpt|o[1-9](?![a-z0-9])|codex|davinci",
    "gemini": r"gemini|gemma|palm(?![a-z])|bard(?![a-z])",
    "llama": r"(?:code)?llama|vicuna|alpaca",
    "qwen": r"qwen|qwq|qvq|tongyi",
    "mistral": r"mi[sx]tral|ministral|magistral|devstral|codestral|pixtral",
    "grok": r"grok",
    "command": r"command(?![a-z])|aya(?![a-z])",
    "nova": r"nova(?![a-z])",
    "phi": r"phi(?![a-z])",
    "glm": r"(?:chat)?glm",
    "kimi": r"kimi|moonshot",
    "minimax": r"minimax|abab",
    "nemotron": r"nemotron",
    "granite": r"granite",
    "yi": r"yi(?=-)",
}
_PATTERNS: Final = tuple(
    (family, re.compile(rf"(?<![a-z0-9])(?:{words})", re.IGNORECASE)) for family, words in _WORDS.items()
)


@lru_cache(maxsize=256)
def find_family(model: str) -> str | None:
    """Return the family that a model's name tells, as `gpt` for `openai/gpt-5-mini`; None where it tells none."""
    # A provider's prefix is no model: `groq/llama-3` is a llama, `openai/local` may be anything.
    name = model.rpartition("/")[2] or model
    return next((family for family, pattern in _PATTERNS if pattern.search(name)), None)


def is_self_graded(judge: str, run: Mapping[str, Any]) -> bool:
    """Whether the judge is of the family of a model that the transcript's `run` names."""
    family = find_family(judge)
    return family is not None and family in {find_family(name) for name in _models(run)}


def _models(run: Mapping[str, Any]) -> list[str]:
    """Every model that the run names; several stand in a list, or in one word as a verdict keeps them."""
    given = [run.get("model"), run.get("models")]
    flat = [one for value in given for one in (value if isinstance(value, list | tuple) else [value])]
    return [name for value in flat if isinstance(value, str) for name in value.split(" + ")]
