"""What models cost and take, from the table that litellm carries, read without importing litellm (which takes seconds)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import orjson

from judge.grading.judges import Price

_TABLE: Final = "model_prices_and_context_window_backup.json"


def known_price(model: str, *, batch: bool = False) -> Price | None:
    """Return litellm's bundled price of a model, or None where it is unknown (which is not the same as free).

    `batch` asks for the price in a batch: where the table has none, it is that of a single request, and so a bound.
    """
    row = model_facts(model)
    if batch and row.get("input_cost_per_token_batches") and row.get("output_cost_per_token_batches"):
        return Price(input=row["input_cost_per_token_batches"] * 1e6, output=row["output_cost_per_token_batches"] * 1e6)
    if row.get("input_cost_per_token") is None or row.get("output_cost_per_token") is None:
        return None
    return Price(
        input=row["input_cost_per_token"] * 1e6,
        output=row["output_cost_per_token"] * 1e6,
        cached=_per_million(row.get("cache_read_input_token_cost")),
        written=_per_million(row.get("cache_creation_input_token_cost")),
    )


def known_context(model: str) -> int | None:
    """Return how many tokens a model reads at once, or None where the table does not say (or says less than 8,000)."""
    row = model_facts(model)
    tokens = row.get("max_input_tokens") or row.get("max_tokens")
    return tokens if isinstance(tokens, int) and tokens >= 8_000 else None


def model_facts(model: str) -> Mapping[str, Any]:
    """Return what the table says about a model, by its name with or without the provider; empty where it is not there."""
    table = _table()
    row: Mapping[str, Any] = table.get(model) or table.get(model.partition("/")[2]) or {}
    return row


def _per_million(cost: float | None) -> float | None:
    return None if cost is None else cost * 1e6


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    table: Mapping[str, Mapping[str, Any]] = orjson.loads((Path(spec.origin).parent / _TABLE).read_bytes())
    return table
