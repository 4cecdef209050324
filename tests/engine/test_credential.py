"""Calls with a credential that may be refused: how many go at once, and that none follows too many refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from runner.engine.credential import Credential
from runner.model import Job, JobPage
from runner.rules.answers import Cause, Created, ReadFailed, Refusal, ServiceError, Unanswered
from runner.rules.refusals import UNAUTHENTICATED_LIMIT
from tests.engine.conftest import VirtualClock, VirtualLoop

ERROR = ServiceError(401, "APIGW.0301", "as told", None)
JOB = Job("j", "n", None, "ACTIVE", 0, None, None, None, None)
PAGE = JobPage((), 0)
READ_REFUSED = ReadFailed(Cause.UNAUTHENTICATED, ERROR)
CREATE_REFUSED = Refusal(Cause.UNAUTHENTICATED, ERROR)
MISSING = ReadFailed(Cause.INVALID, ERROR, missing=True)
CLEAN = [Created(JOB), JOB, PAGE, MISSING]
SAYS_NOTHING = [ReadFailed(Cause.BUSY, ERROR), Refusal(Cause.THROTTLED, ERROR), Unanswered(ERROR), None]


class Calls:
    """Calls that take a tenth of a second. `answers` are theirs, in the order they begin."""

    def __init__(self, clock: VirtualClock, *answers: Any) -> None:
        self.credential = Credential(clock)
        self.answers = list(answers)
        self.began_at: list[float] = []
        self.most = self._under_way = 0
        self._clock = clock

    async def call(self) -> bool:
        if not await self.credential.enter(self.slot):
            return False
        self.began_at.append(self._clock.monotonic())
        answer = self.answers.pop(0)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await self._clock.sleep(0.1)
        self._under_way -= 1
        self.credential.end(answer)
        return True

    async def slot(self) -> bool:
        return True


def in_virtual_time(story: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story(VirtualClock(loop)))
    finally:
        loop.close()


async def at_once(calls: Calls, count: int) -> list[bool]:
    return await asyncio.gather(*(calls.call() for _ in range(count)))


@pytest.mark.parametrize("worked", CLEAN)
def test_until_a_call_has_worked_they_go_one_at_a_time(worked: Any) -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, *SAYS_NOTHING, worked, *[JOB] * 20)
        assert all(await at_once(calls, 5))
        assert calls.most == 1
        assert not calls.credential.is_doubted
        await at_once(calls, 20)
        assert calls.most == 20

    in_virtual_time(story)


@pytest.mark.parametrize("refused", [READ_REFUSED, CREATE_REFUSED])
def test_from_a_refused_call_on_they_go_one_at_a_time_and_apart(refused: Any) -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB, *[JOB] * 3, refused, JOB, JOB)
        await calls.call()
        await at_once(calls, 4)
        calls.most = 0
        await at_once(calls, 2)
        assert calls.began_at[-2] - calls.began_at[-3] >= 1.0
        assert calls.most == 1

    in_virtual_time(story)


@pytest.mark.parametrize("refused", [READ_REFUSED, CREATE_REFUSED])
def test_after_three_refused_in_a_row_nothing_is_called(refused: Any) -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, *[refused] * 9)
        assert await at_once(calls, 40) == [True] * UNAUTHENTICATED_LIMIT + [False] * 37
        assert calls.most == 1
        assert not await calls.call()
        assert calls.credential.refusal == READ_REFUSED

    in_virtual_time(story)


def test_what_is_under_way_when_the_first_is_refused_is_waited_for() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB, READ_REFUSED, *[JOB] * 9)
        await calls.call()
        running = asyncio.ensure_future(at_once(calls, 4))
        await clock.sleep(0.05)
        assert calls.most == 4
        late = asyncio.ensure_future(at_once(calls, 4))
        await running
        await late
        assert not calls.credential.is_doubted  # what came back after the refusal had worked

    in_virtual_time(story)


def test_creates_that_work_do_not_hide_that_reads_do_not() -> None:
    async def story(clock: VirtualClock) -> None:
        created = Created(JOB)
        calls = Calls(clock, created, READ_REFUSED, created, READ_REFUSED, created, READ_REFUSED)
        for _ in range(6):
            assert await calls.call()
        assert calls.credential.refused_in_a_row == UNAUTHENTICATED_LIMIT
        assert not await calls.call()

    in_virtual_time(story)


def test_a_call_without_a_slot_does_not_begin_and_one_that_is_broken_off_lets_the_next_go() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB)

        async def none() -> bool:
            return False

        assert not await calls.credential.enter(none)
        assert await calls.credential.enter(calls.slot)
        waiting = asyncio.ensure_future(calls.call())
        await clock.sleep(5.0)
        assert not waiting.done()
        calls.credential.end(None)
        assert await waiting

    in_virtual_time(story)
