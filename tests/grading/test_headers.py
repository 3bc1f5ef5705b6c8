"""What a provider's reply says about itself: what is left, how long to wait, what a failure means for the pace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from judge.grading.lanes.wire import Failure, Received, diagnose, read_allowance, retry_after, to_outcome


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("6m0s", 360.0), ("8.64s", 8.64), ("120ms", 0.12), ("1h2m3s", 3723.0), ("7", 7.0), ("soon", 0.0)],
)
def test_resets_are_read_in_every_form(reset: str, seconds: float) -> None:
    """OpenAI's durations, plain seconds; what nobody understands is no wait."""
    headers = {"x-ratelimit-remaining-tokens": "40", "x-ratelimit-reset-tokens": reset}
    assert read_allowance(headers) == (0.0, 40, pytest.approx(seconds))


def test_anthropic_s_resets_are_times() -> None:
    """Its own header names, and a moment instead of a duration; no requests left holds everybody until then."""
    until = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    headers = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": until}
    hold_s, tokens, _ = read_allowance(headers)
    assert 28 < hold_s <= 30
    assert tokens is None


def test_headers_that_say_nothing_limit_nothing() -> None:
    """Without headers, or with nonsense in them, there is no limit."""
    assert read_allowance({}) == (0.0, None, 0.0)
    assert read_allowance({"x-ratelimit-remaining-tokens": "-3", "x-ratelimit-remaining-requests": "many"}) == (
        0,
        None,
        0,
    )
    assert retry_after({"retry-after": "whenever"}) is None


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Received(None, {}), "answered"),
        (Failure("http", 429), "limited"),
        (Failure("http", 503), "limited"),
        (Failure("http", 529), "limited"),
        (Failure("http", 500), "failed"),
        (Failure("garbled"), "failed"),
        (Failure("late"), "unreached"),
        (Failure("dropped"), "unreached"),
        (Failure("nowhere"), "unreached"),
        (Failure("http", 400), "other"),
        (Failure("overflow", 400), "other"),
    ],
)
def test_the_pace_is_told_how_the_provider_is(result: Any, status: str) -> None:
    """Turned away, broken, silent, or a matter of the request alone."""
    assert to_outcome(result, 1.0, None).status == status


def test_a_wait_that_is_asked_for_reaches_the_pace() -> None:
    """Retry-After counts with a 429 and with any other failure."""
    for code in (429, 500):
        assert to_outcome(Failure("http", code, headers={"retry-after": "12"}), 1.0, None).hold_s == 12.0


def test_an_account_without_credit_ends_the_run() -> None:
    """A 429 that says that the quota is used up is no reason to try again, transcript after transcript."""
    asked: dict[str, Any] = {"timeout_s": 1.0, "mode": "json_schema", "temperature": None}
    assert diagnose(Failure("http", 429, '{"code": "insufficient_quota"}'), **asked).fatal
    assert diagnose(Failure("http", 402), **asked).fatal
    assert not diagnose(Failure("http", 429, "slow down"), **asked).fatal
