"""Whether the service takes the credential of a lane: one count over all its calls, whoever makes them.

Accounts get locked after a few refused signatures in a row (api-facts 3.2). So until a call has worked, and from a refused
one on, calls are made one at a time, and none once UNAUTHENTICATED_LIMIT were refused in a row. What was on its way
already when the first was refused cannot be called back.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from runner.engine.recorder import News
from runner.model import Job, JobPage
from runner.rules.answers import Cause, Created, ReadFailed, Refusal, ServiceError
from runner.rules.refusals import UNAUTHENTICATED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.ports import Clock
    from runner.rules.answers import Answer

# After a refused call the next one waits so long, seconds.
_APART_S = 1.0


class Credential:
    """The calls of one lane. Each begins, by `enter` or `begin`, and comes to an `end`.

    Counted are the calls refused in a row, and the reads among them: creates that work must not hide that reads do not.
    `refusal` is the last one, as an answer to those who call no more.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        self._news = News()
        self._not_before = -math.inf
        self._in_flight = 0
        self._refused = self._refused_reads = 0
        self.is_doubted = True
        self.refusal = ReadFailed(Cause.UNAUTHENTICATED, ServiceError(None, None, "the credential is refused", None))

    @property
    def refused_in_a_row(self) -> int:
        """How many calls in a row were refused as unauthenticated: of all, or of reads."""
        return max(self._refused, self._refused_reads)

    async def enter(self, slot: Callable[[], Awaitable[bool]]) -> bool:
        """Begin a call in its `slot`, while there is doubt alone. False: no call began.

        That is so where the slot is not to be had, and once the credential was refused too often.
        """
        if not self.is_doubted:
            if not await slot():
                return False
            if not self.is_doubted:
                return self.begin()
        async with self._turn:
            while await self._is_free() and await slot():
                if self._is_free_now:
                    return self.begin()
        return False

    def begin(self) -> bool:
        """Begin a call at once: for who has seen that there is no doubt. Always True."""
        self._in_flight += 1
        return True

    def end(self, answer: Answer | Job | JobPage | ReadFailed | None) -> None:
        """A call is over; None: it was not made after all, or not waited for."""
        self._in_flight -= 1
        if type(answer) is Created and not self.is_doubted:
            return  # what nearly every call comes to
        if isinstance(answer, Refusal | ReadFailed) and answer.cause is Cause.UNAUTHENTICATED:
            self._refused += 1
            self._refused_reads += isinstance(answer, ReadFailed)
            self.refusal = ReadFailed(answer.cause, answer.error)
            self._not_before = self._clock.monotonic() + _APART_S
            self.is_doubted = True
        elif not self.is_doubted:
            return
        elif _has_worked(answer):
            self._refused = 0
            if not isinstance(answer, Created):
                self._refused_reads = 0
            self.is_doubted = self._refused_reads > 0
        self._news.tell()

    @property
    def _is_free_now(self) -> bool:
        return not (self.is_doubted and self._in_flight)

    async def _is_free(self) -> bool:
        """Wait until a call may begin; False: none may any more."""
        while self.is_doubted:
            self._news.seen()
            if self.refused_in_a_row >= UNAUTHENTICATED_LIMIT:
                return False
            early_s = self._not_before - self._clock.monotonic()
            if not self._in_flight and early_s <= 0:
                break
            await self._news.wait(None if self._in_flight else early_s)
        return True


def _has_worked(answer: object) -> bool:
    """Whether the service took the credential. Who knows that a job is missing has looked for it."""
    if isinstance(answer, ReadFailed):
        return answer.missing
    return isinstance(answer, Created | Job | JobPage)
