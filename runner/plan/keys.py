"""The key of a request: what makes its job's name unique, so that a job can be found again by name.

A key is 12 characters: six that all requests of a run share, from a hash of the run id, and the request's place in the
plan in base 36. So no two requests of a run share a key, and a list filtered by the first six shows the run's jobs.
"""

from __future__ import annotations

import hashlib

from runner.spec.rules import MAX_NAME

KEY_LENGTH = 12
_HALF = KEY_LENGTH // 2
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def run_token(run_id: str) -> str:
    """The part of the key that all requests of a run share."""
    digest = hashlib.sha256(run_id.encode()).digest()
    return _base36(int.from_bytes(digest[:8], "big") % 36**_HALF)


def request_key(token: str, number: int) -> str:
    """The key of the request with this number (`RequestTable.number_of`), from its run's token."""
    return token + _base36(number)


def job_name(rendered: str, key: str) -> str:
    """The name of a request's job: the rendered name, cut to fit, and the key; 64 characters at most."""
    return f"{rendered[: MAX_NAME - KEY_LENGTH - 1]}-{key}"


def number_in(name: str, token: str) -> int | None:
    """The number of the request whose job has this name, if it has the key of one of the run's."""
    key = name[-KEY_LENGTH:]
    digits = key[_HALF:]
    if not key.startswith(token) or name[-KEY_LENGTH - 1 : -KEY_LENGTH] != "-" or not set(digits) <= set(_DIGITS):
        return None
    return int(digits, 36)


_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def _base36(number: int) -> str:
    high, low = divmod(number, 36**2)
    top, middle = divmod(high, 36**2)
    return _PAIRS[top] + _PAIRS[middle] + _PAIRS[low]
