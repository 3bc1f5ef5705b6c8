"""How many tokens a text has, without a tokenizer or a network: an estimate for people, one for planning, a bound for budgets.

Planning must rather take a text for longer than it is: a window that is too small costs little, one that does not fit costs
the call. `estimate_most` therefore weighs each kind of byte by the worst that byte-pair vocabularies do with ordinary text of
that kind. Against the 100,000-word vocabulary that litellm carries, it is 1.3 to 2.4 times the count for prose, code, JSON,
logs and ten scripts, about equal for hashes and emoji, and never below 0.6 of it, even for random letters
(`benchmarks/windows.py` prints the table).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

# By how much `estimate_most` is above ordinary text.
_ABOVE = 1.5
# Tokens per byte, at most: lower case and blanks, digits, capitals, signs, and bytes beyond ASCII.
_WEIGHTS = (
    (bytes(range(97, 123)) + b" \t\n", 1 / 3),
    (b"0123456789", 0.8),
    (bytes(range(65, 91)), 1.0),
    (bytes(byte for byte in range(33, 127) if not chr(byte).isalnum()), 0.9),
    (bytes(range(128, 256)), 0.65),
)
# Chat templates wrap each message in a few tokens of their own.
_PER_MESSAGE = 16


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text: within about a third of what common vocabularies give for most writing.

    For previews only. Random letters and hashes have more, long numbers fewer.
    """
    return math.ceil(estimate_most(text) / _ABOVE)


def estimate_most(text: str) -> float:
    """Estimate the tokens of a text from above; the module says by how much, and for what it may fall short."""
    data = text.encode("utf-8", "surrogatepass")
    return sum((len(data) - len(data.translate(None, kind))) * weight for kind, weight in _WEIGHTS)


def bound_tokens(messages: Iterable[Mapping[str, str]], extra_bytes: int = 0) -> int:
    """Bound the input tokens of a request from above: a byte-level vocabulary spends at most one token per byte."""
    texts = [len(message["content"].encode("utf-8", "surrogatepass")) + _PER_MESSAGE for message in messages]
    return sum(texts) + extra_bytes
