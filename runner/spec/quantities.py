"""Quantities as people write them: `10/s`, `600/m`, `30s`, `2h`, `2%`, `p95`."""

from __future__ import annotations

import math
import re

from runner.spec.rollout.model import Share

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)/(s|m|h)")

EXPECTED_DURATION = "a duration such as 500ms, 30s, 5m, 2h or 1d"
EXPECTED_RATE = "a rate such as 10/s, 600/m or unlimited"
EXPECTED_SHARE = "a number of servers such as 10, or percent such as 2%"
UNLIMITED = "unlimited"
WHOLE = "whole"
_LONGEST_S = 100 * 365 * 86400.0
_COUNT = re.compile(r"[0-9]{1,18}")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_QUANTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]+)?)")


def parse_duration(text: str) -> float | None:
    """Seconds; None when it is no duration, is zero, or longer than anybody waits (100 years)."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    return seconds if 0 < seconds <= _LONGEST_S else None


def parse_rate(text: str) -> float | None:
    """Calls per second; `inf` for `unlimited`; None when it is no rate, or is zero."""
    if text.strip() == UNLIMITED:
        return float("inf")
    match = _RATE.fullmatch(text.strip())
    rate = float(match[1]) / _SECONDS[match[2]] if match else 0.0
    return rate if 0 < rate < math.inf else None


def parse_percent(text: str) -> float | None:
    """A share from 0 to 1; None when it is no percentage, or above 100 %."""
    match = _PERCENT.fullmatch(text.strip())
    share = float(match[1]) / 100 if match else math.inf
    return share if share <= 1 else None


def parse_quantile(text: str) -> float | None:
    """`p95` as 0.95; None when it is none, or is p0."""
    match = _QUANTILE.fullmatch(text.strip())
    return (float(match[1]) / 100 or None) if match else None


def parse_share(value: str | int) -> Share | None:
    """A limit; None when it is none. A limit of zero servers is one, for what must not happen at all."""
    if isinstance(value, int) or _COUNT.fullmatch(value.strip()):
        return Share(str(value).strip(), count=int(value)) if int(value) >= 0 else None
    percent = parse_percent(value)
    return None if percent is None else Share(value.strip(), percent=percent * 100)
