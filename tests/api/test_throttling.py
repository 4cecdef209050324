"""What a throttled answer says of the limit."""

from __future__ import annotations

import pytest

from runner.api.throttling import read_throttle
from runner.rules.answers import Throttle

NOW = 1767225600.0
POLICY = "The throttling threshold has been reached: policy user over ratelimit,"


@pytest.mark.parametrize(
    ("text", "limit", "period_s"),
    [
        ("limit:10,time:1 minute", 10, 60.0),
        ("limit:200,time:1 second", 200, 1.0),
        ("limit:5,time:{30 seconds}", 5, 30.0),
        ("limit: 3, time: hour", 3, 3600.0),
        ("limit:0,time:1 minute", None, None),
        ("limit:10,time:0 minute", None, None),
        ("slow down", None, None),
    ],
)
def test_the_policy_is_read_from_the_message(text: str, limit: int | None, period_s: float | None) -> None:
    assert read_throttle(POLICY + text, {}, NOW) == Throttle(limit, period_s)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("later", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert read_throttle("", {"Retry-After": value}, NOW).retry_after_s == seconds
