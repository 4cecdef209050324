"""Whether the service takes the credential of a run: one doubt over all its calls, of every lane and kind.

Accounts get locked after a few refused signatures in a row (api-facts 3.2). So until a call has worked, and from a refused
one on, calls are made one at a time, and none once too many were refused: `RememberedCalls` counts them, for other
processes, too. What was on its way already when the first was refused cannot be called back.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from runner.engine.calls import Call, LaneCredential
from runner.engine.recorder import News
from runner.model import Job, JobPage, ListedPage
from runner.rules.answers import Cause, Created, ReadFailed, Refusal, ServiceError
from runner.rules.refusals import UNAUTHENTICATED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.ports import Clock
    from runner.engine.refusals import RememberedCalls
    from runner.rules.answers import Answer

    Slot = Callable[[], Awaitable[bool]]

# After a refused call the next one waits so long, seconds.
_APART_S = 1.0


class Credential:
    """The calls of one credential in one process. Each begins, by `enter` or `begin`, and comes to an `end`.

    It is `unproven` until a call worked, and from a refused one on.
    """

    def __init__(self, clock: Clock, calls: RememberedCalls) -> None:
        self._clock = clock
        self._calls = calls
        self._lanes: list[LaneCredential] = []
        self._turn = asyncio.Lock()
        self._news = News()
        self._not_before = -math.inf
        self._in_flight = 0
        self._untold = 0
        self._unproven = True
        self.round = 0
        self.is_exhausted = False
        self.refusal = ReadFailed(Cause.UNAUTHENTICATED, ServiceError(None, None, "no call is made", None))

    def of_lane(self) -> LaneCredential:
        """The calls of one more lane."""
        self._lanes.append(LaneCredential(self))
        return self._lanes[-1]

    @property
    def is_queue(self) -> bool:
        """Whether a call has its turn alone, or waits for it."""
        return self._turn.locked()

    async def enter(self, lane: LaneCredential, slot: Slot, still: Callable[[], bool]) -> Call | None:
        """Begin a call in its `slot`, while there is doubt alone. None: no call began.

        That is so where the slot is not to be had, or the call is not wanted `still`, and once too many were refused.
        """
        if not lane.is_doubted:
            if not await slot():
                return None
            if not lane.is_doubted:
                return self.begin(lane)
        async with self._turn:
            while await self._is_free(lane, still) and await slot():
                if (call := self._begun_alone(lane)) is not None:
                    return call
        return None

    def begin(self, lane: LaneCredential, *, is_alone: bool = False) -> Call:
        """Begin a call at once."""
        self._in_flight += 1
        lane.in_flight += 1
        return Call(lane, self.round, is_alone=is_alone)

    def refused(self, call: Call, lane: LaneCredential) -> None:
        """A call was refused, which is not over."""
        self._refused(call, lane, over=False)
        call.is_told = True

    async def again(self, call: Call, lane: LaneCredential, still: Callable[[], bool]) -> bool:
        """A call was refused, and is to be made again with another proof: that is tried alone first, like any."""
        call.is_told = False
        self._not_before = -math.inf
        return await self.anew(call, lane, still)

    async def anew(self, call: Call, lane: LaneCredential, still: Callable[[], bool]) -> bool:
        """A call that is on its way nowhere begins anew, while there is doubt alone."""
        self._over(lane)
        self._news.tell()
        begun: Call | None = None
        try:
            async with self._turn:
                while begun is None and await self._is_free(lane, still):
                    begun = self._begun_alone(lane)
        finally:
            if begun is None:  # it may be broken off, too
                self.begin(lane)  # whose end follows
        if begun is None:
            return False
        call.round, call.is_alone = begun.round, begun.is_alone
        return True

    def end(
        self, call: Call, lane: LaneCredential, answer: Answer | Job | JobPage | ListedPage | ReadFailed | None
    ) -> None:
        """A call is over."""
        self._over(lane)
        if type(answer) is Created and not lane.is_doubted:
            return  # what nearly every call comes to
        if isinstance(answer, Refusal | ReadFailed) and answer.cause is Cause.UNAUTHENTICATED:
            self._refused(call, lane, answer)
        elif not lane.is_doubted:
            return
        elif call.is_told:
            self._refused(call, lane)  # broken off before it was known whether there is another proof
        elif call.is_alone and call.round == self.round:
            self._was_alone(lane, answer)
        self._news.tell()

    def _over(self, lane: LaneCredential) -> None:
        self._in_flight -= 1
        lane.in_flight -= 1

    def _begun_alone(self, lane: LaneCredential) -> Call | None:
        """A call that begins; alone, as far as all processes know, where it is not proven that any works."""
        if not lane.is_doubted:
            return self.begin(lane)
        if self._others(lane) or (self._unproven and self._calls.begin() != 0.0):
            return None
        self.is_exhausted = False
        return self.begin(lane, is_alone=True)

    def _others(self, lane: LaneCredential) -> int:
        """How many calls are on their way that one in doubt is not made beside."""
        return self._in_flight if self._unproven else lane.in_flight

    def _refused(
        self, call: Call, lane: LaneCredential, answer: Refusal | ReadFailed | None = None, *, over: bool = True
    ) -> None:
        """One that left before the last refusal was known of came together with that one, which is counted.

        What was refused with a proof that another one replaces, as tokens do, is noted only if that is refused, too.
        """
        if not call.is_told:
            self._open_round(call)
        if not call.is_counted:
            return
        if not call.is_noted and (over or not self._calls.is_renewed):
            self._calls.refused(1 + self._untold)
            self._untold, call.is_noted = 0, True
        if answer is not None:
            lane.refuse(answer)
            self.is_exhausted, self.refusal = False, ReadFailed(answer.cause, answer.error)
        self._set_unproven(unproven=True)
        self._may_go_on()

    def _open_round(self, call: Call) -> None:
        """From now on calls go alone, where this is the first of those that come together."""
        call.is_counted = call.round == self.round
        if not call.is_counted:
            self._untold += 1
            return
        if not call.has_left and call.is_alone and self._unproven:
            self._calls.lapsed()
        self.round += 1
        self._not_before = self._clock.monotonic() + _APART_S
        call.is_noted = not call.has_left  # else a login failed, which is counted where it was made

    def _was_alone(self, lane: LaneCredential, answer: object) -> None:
        if not _has_worked(answer):
            if self._unproven:
                self._calls.lapsed()
            return
        if self._unproven:
            self._calls.worked()
            self._untold = 0
        lane.work(answer)
        self._set_unproven(unproven=False)

    def _set_unproven(self, *, unproven: bool) -> None:
        self._unproven = unproven
        for lane in self._lanes:
            lane.is_doubted = unproven or lane.refused_creates + lane.refused_reads > 0

    def _may_go_on(self) -> float | None:
        """In how many seconds to look whether a call may be made; None: none may be, and it is said why."""
        wait_s = self._calls.free_in() if self._unproven else 0.0
        if wait_s is None and not self.is_exhausted:
            self.is_exhausted = True
            self.refusal = ReadFailed(Cause.UNAUTHENTICATED, self._calls.told(self.refusal.error))
        return wait_s

    async def _is_free(self, lane: LaneCredential, still: Callable[[], bool]) -> bool:
        """Wait until a call may begin; False: none may any more, or it is not wanted."""
        while lane.is_doubted:
            self._news.seen()
            if not still() or max(lane.refused_creates, lane.refused_reads) >= UNAUTHENTICATED_LIMIT:
                return False
            if self._others(lane):
                await self._news.wait()
                continue
            wait_s = self._may_go_on()
            if wait_s is None:
                return False
            wait_s = max(wait_s, self._not_before - self._clock.monotonic())
            if wait_s <= 0:
                break
            await self._news.wait(wait_s)
        return True


def _has_worked(answer: object) -> bool:
    """Whether the service took the credential. Who knows that a job is missing has looked for it."""
    if isinstance(answer, ReadFailed):
        return answer.missing
    return isinstance(answer, Created | Job | JobPage | ListedPage)
