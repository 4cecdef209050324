"""A proof of who one is that gets old: fetched at first use, again before it expires, and once after it was refused.

However many requests are in flight, at most one fetch runs. What a service issues is fetched once a minute at most: a
proof that was refused just after it was issued is not stale but unwanted, and accounts are locked after a few wrong logins.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from runner.rules.answers import Cause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.rules.answers import ServiceError

T = TypeVar("T")

PATIENCE_S = 60.0
_SHARE_OF_LIFE = 0.9  # a token lives for 24 h, but may die up to half an hour before it says (api-facts 3.1)
_PASSING = frozenset({Cause.BUSY, Cause.UNREACHABLE, Cause.THROTTLED})
_PASSES_IN_S = 5.0


class Issued(NamedTuple, Generic[T]):
    """A proof, and until when it is good, epoch seconds; None: nobody said."""

    value: T
    expires_at: float | None


class IamFailed(Exception):
    """There is no proof to be had; nothing was sent to the service."""

    def __init__(self, cause: Cause, error: ServiceError) -> None:
        super().__init__(error.message)
        self.cause = cause
        self.error = error


class Renewed(Generic[T]):
    """The proof as it is now, None before the first fetch. `fetch` raises IamFailed; without one nothing is renewed.

    `apart_s` is how long after a fetch there is no other one. `seen` are all that there were.
    """

    def __init__(
        self, value: T | None, fetch: Callable[[], Awaitable[Issued[T]]] | None = None, *, apart_s: float = PATIENCE_S
    ) -> None:
        self.value = value
        self.seen: list[T] = [] if value is None else [value]
        self._fetch = fetch
        self._apart_s = apart_s
        self._lock = asyncio.Lock()
        self._obtained_at = float("-inf")
        self._renew_at = float("-inf") if value is None else float("inf")
        self._failure: tuple[float, IamFailed] | None = None

    async def freshen(self, now: float) -> None:
        """Fetch it where it is about to expire, by epoch seconds `now`. While it still lives, a fetch may fail.

        Raises:
            IamFailed: there is none.
        """
        if now < self._renew_at:
            return
        async with self._lock:
            if now < self._renew_at:
                return
            try:
                await self._obtain(now)
            except IamFailed:
                if self.value is None:
                    raise
                self._renew_at = now + PATIENCE_S

    async def renew(self, was_sent: Callable[[T], bool], now: float) -> bool:
        """After a refusal of what `was_sent`: whether there is another one now.

        Raises:
            IamFailed: there should be another one, and it is not to be had.
        """
        if self._fetch is None:
            return False
        async with self._lock:
            before = self.value
            if before is None or not was_sent(before):
                return True  # renewed by another request that was refused
            if _is_within(self._apart_s, self._obtained_at, now):
                return False
            await self._obtain(now)
            return self.value != before

    async def _obtain(self, now: float) -> None:
        if self._fetch is None:
            return
        if self._failure is not None:
            at, failed = self._failure
            if _is_within(_PASSES_IN_S if failed.cause in _PASSING else PATIENCE_S, at, now):
                raise IamFailed(failed.cause, failed.error)
        try:
            issued = await self._fetch()
        except IamFailed as failed:
            self._failure = (now, failed)
            raise
        self._failure = None
        if issued.value != self.value:
            self.seen.append(issued.value)
            self.value = issued.value
        self._obtained_at, self._renew_at = now, float("inf")
        if issued.expires_at is not None:
            self._renew_at = now + max(PATIENCE_S, _SHARE_OF_LIFE * (issued.expires_at - now))


def _is_within(seconds: float, at: float, now: float) -> bool:
    """Whether so little time has passed since then; not if the wall clock was set back since."""
    return 0 <= now - at < seconds
