"""Rates and durations as people write them: `10/s`, `600/m`, `30s`, `2h`, `500ms`."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h)")

EXPECTED_DURATION = "a duration such as 500ms, 30s, 5m, 2h or 1d"
EXPECTED_RATE = "a rate such as 10/s, 600/m or unlimited"
UNLIMITED = "unlimited"


def parse_duration(text: str) -> float | None:
    """Seconds; None when it is no duration, or is zero."""
    match = _DURATION.fullmatch(text.strip())
    return (float(match[1]) * _SECONDS[match[2]] or None) if match else None


def parse_rate(text: str) -> float | None:
    """Calls per second; `inf` for `unlimited`; None when it is no rate, or is zero."""
    if text.strip() == UNLIMITED:
        return float("inf")
    match = _RATE.fullmatch(text.strip())
    return (float(match[1]) / _SECONDS[match[2]] or None) if match else None
