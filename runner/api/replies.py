"""What came back from one HTTP request: a whole reply, or nothing whole. No library's types leak from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.rules.answers import Cause, ServiceError


class Reply(NamedTuple):
    """A whole HTTP answer. `headers` ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(NamedTuple):
    """No whole HTTP answer. `cause` is None where bytes of the request may have left: then it is in doubt."""

    cause: Cause | None
    error: ServiceError
