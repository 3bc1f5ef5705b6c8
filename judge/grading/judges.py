"""Who judges: a model name with every parameter that can change a verdict."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field

from judge.canonical import content_sha256
from judge.errors import InputError
from judge.frozen import Frozen
from judge.text import quoted

Mode = Literal["json_schema", "tools", "text"]
Via = Literal["auto", "direct", "litellm", "batch"]
BASELINE = "baseline/"
REPLAY = "replay/"
BLIND = "~blind"  # ends the name of a judge that is not shown private reasoning


class Price(Frozen):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)  # input read from the provider's cache; null: as input
    written: float | None = Field(default=None, ge=0)  # input written to it; null: as input


class Judge(Frozen):
    """A judge: `model` as litellm names it (`openai/...`, `anthropic/...`), or `baseline/cues`, or `replay/FILE`.

    `sha256` covers what can change a verdict; where and how patiently the provider is reached is not part of it.
    """

    model: str = Field(min_length=1)
    temperature: float | None = 0.0  # null: the provider's default
    max_tokens: int = Field(default=4096, ge=64)
    mode: Mode | None = None  # null: json_schema where the model has it, else text
    seed: int | None = None
    hides: tuple[Literal["reasoning"], ...] = ()  # kinds of parts that it is not shown
    together: tuple[str, ...] = ()  # rubrics that share its calls, by their hashes; none: one rubric a call
    context: int | None = Field(default=None, ge=8_000)  # tokens that it reads at once; null: as known of the model
    # how it is reached
    api_base: str | None = None
    via: Via = "auto"  # auto: our own client where it speaks the provider's form, litellm for all others; batch: see `batching`
    timeout_s: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=6, ge=1)
    backoff_s: float = Field(default=0.5, ge=0)
    price: Price | None = None

    @cached_property
    def sha256(self) -> str:
        """Hash of the parameters that can change a verdict; what is hidden and shared counts only where something is.

        The context is not among them: it enters the ids of those verdicts for which a transcript is read in windows.
        """
        counted = {"model", "temperature", "max_tokens", "mode", "seed"}
        counted |= {name for name in ("hides", "together") if getattr(self, name)}
        return content_sha256(self.model_dump(mode="json", include=counted))

    @property
    def name(self) -> str:
        """What its verdicts are filed under: the model, whether it was blind to the target's reasoning, rubrics a call."""
        shared = f" ({len(self.together)} rubrics a call)" if self.together else ""
        return self.model + (BLIND if self.hides else "") + shared

    @property
    def provider(self) -> str:
        """Who is behind it, and where: what limits of a provider go by."""
        return f"{self.model.partition('/')[0]} {self.api_base or ''}".strip()

    @property
    def embedded(self) -> bool:
        """Whether it runs inside this process, without a key, a network or a cost."""
        return self.model.startswith(BASELINE)

    @property
    def replayed(self) -> bool:
        """Whether it answers from a recording."""
        return self.model.startswith(REPLAY)


def parse_judge(text: str, **parameters: object) -> Judge:
    """Build a judge from what stands on a command line.

    Raises:
        InputError: if it has no provider prefix, so that nobody can tell who is asked.
    """
    provider, _, name = text.partition("/")
    if not provider or not name:
        raise InputError(
            f"judge {quoted(text)}: give provider/model, as in baseline/cues, openai/gpt-5 or anthropic/claude-opus-4-5"
        )
    return Judge.model_validate({"model": text, **parameters})
