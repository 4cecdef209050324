"""What a service asks for that is too long to wait for."""

from __future__ import annotations

import pytest

from runner.rules.answers import Throttle
from runner.rules.throttle import TooLong, too_long


@pytest.mark.parametrize(
    ("throttle", "longest_s", "asked"),
    [
        (Throttle(), 300.0, None),
        (Throttle(retry_after_s=300.0), 300.0, None),
        (Throttle(retry_after_s=300.1), 300.0, TooLong(300.1, quota=False)),
        (Throttle(retry_after_s=300.1), 301.0, None),
        (Throttle(10, 3600.0), 300.0, None),
        (Throttle(1000, 86_400.0, quota=True), 300.0, TooLong(86_400.0, quota=True, is_limit=True)),
        (Throttle(1000, 86_400.0, 60.0, quota=True), 300.0, TooLong(60.0, quota=True)),
        (Throttle(quota=True), 300.0, TooLong(None, quota=True, is_limit=True)),
    ],
)
def test_what_is_not_worth_waiting_for(throttle: Throttle, longest_s: float, asked: TooLong | None) -> None:
    assert too_long(throttle, longest_s) == asked
