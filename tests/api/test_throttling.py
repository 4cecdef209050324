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


@pytest.mark.parametrize("ours", [NOW, NOW + 86_400.0, NOW - 86_400.0])
def test_a_date_counts_from_that_of_the_answer(ours: float) -> None:
    headers = {"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "Thu, 01 Jan 2026 00:00:10 GMT"}
    assert read_throttle("", headers, ours).retry_after_s == 50.0


def test_where_the_answer_has_no_date_that_can_be_read_ours_will_have_to_do() -> None:
    headers = {"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "today"}
    assert read_throttle("", headers, NOW).retry_after_s == 60.0


@pytest.mark.parametrize(
    ("code", "message", "quota"),
    [
        ("APIG.0308", "Daily quota exhausted", True),
        ("APIGW.0308", POLICY + "limit:1000,time:1 day", True),
        ("APIGW.0308", POLICY + "limit:1000,time:24 hour", True),
        ("ModelArts.QuotaExceeded", "no more", True),
        (None, "quota exceeded", True),
        (None, "1000 calls per day are allowed", True),
        ("APIGW.0308", POLICY + "limit:10,time:1 minute", False),
        ("APIGW.0308", POLICY + "limit:10,time:1 minute (quota of the user)", False),
        (None, "the quota of 10 calls per second is exceeded", False),
        (None, "rate quota exceeded", False),
        ("APIGW.0308", "The throttling threshold has been reached", False),
        (None, "slow down", False),
    ],
)
def test_a_spent_quota_is_told_from_a_rate(code: str | None, message: str, quota: bool) -> None:
    assert read_throttle(message, {}, NOW, code).quota is quota
