"""Calls with a credential that may be refused: how many go at once, and that none follows too many refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import orjson
import pytest

from runner.engine.calls import LaneCredential
from runner.engine.credential import Credential
from runner.engine.refusals import CredentialMemory, KeptInProcess
from runner.model import Job, JobPage
from runner.rules.answers import Cause, Created, ReadFailed, Refusal, ServiceError, Unanswered
from runner.rules.refusals import UNAUTHENTICATED_LIMIT
from runner.rules.refused_calls import PROBE_AFTER_S, Identity
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
    """Calls of a lane that take a tenth of a second. `answers` are theirs, in the order they begin.

    Processes share what they have `kept`.
    """

    def __init__(self, clock: VirtualClock, *answers: Any, kept: KeptInProcess | None = None, name: str = "a") -> None:
        self.kept = kept or KeptInProcess()
        self.memory = CredentialMemory(self.kept, clock.wall, name)
        self.identity = Identity("key", "secret")
        self.shared = Credential(clock, self.memory.of(lambda: self.identity))
        self.credential = self.shared.of_lane()
        self.answers = list(answers)
        self.began_at: list[float] = []
        self.most = self._under_way = 0
        self._clock = clock

    async def call(self, credential: LaneCredential | None = None) -> bool:
        credential = credential or self.credential
        call = await credential.enter(self.slot)
        if call is None or not call.leave_now():
            return False
        self.began_at.append(self._clock.monotonic())
        answer = self.answers.pop(0)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await self._clock.sleep(0.1)
        self._under_way -= 1
        credential.end(call, answer)
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
        said = calls.credential.refusal.error.message
        assert said.startswith("as told: the service refused the access key 3 times in a row, first at 1970-01-12")
        assert "Accounts are locked after about five, so it is not tried again before 1970-01-12 14:01:42 UTC" in said

    in_virtual_time(story)


def test_what_is_under_way_when_the_first_is_refused_is_waited_for_and_proves_nothing() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB, READ_REFUSED, *[JOB] * 9)
        await calls.call()
        running = asyncio.ensure_future(at_once(calls, 4))
        await clock.sleep(0.05)
        assert calls.most == 4
        await clock.sleep(0.04)
        late = asyncio.ensure_future(at_once(calls, 4))
        await running
        await clock.sleep(0.5)
        assert len(calls.began_at) == 9  # they left before, so it says nothing of now that they work
        await late
        await calls.call()
        assert calls.began_at[-1] - calls.began_at[-2] >= 1.0

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
        call = await calls.credential.enter(calls.slot)
        assert call is not None
        waiting = asyncio.ensure_future(calls.call())
        await clock.sleep(5.0)
        assert not waiting.done()
        calls.credential.end(call, None)
        assert await waiting

    in_virtual_time(story)


@pytest.mark.parametrize("refused", [READ_REFUSED, CREATE_REFUSED])
def test_those_that_come_together_count_once_for_all_lanes(refused: Any) -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB, *[refused] * 64, refused, refused, refused)
        other = calls.shared.of_lane()
        await calls.call()
        await asyncio.gather(*(calls.call((calls.credential, other)[i % 2]) for i in range(64)))
        assert not calls.credential.is_exhausted
        assert calls.credential.refused_in_a_row + other.refused_in_a_row == 1
        calls.most = 0
        assert [await calls.call(lane) for lane in (other, calls.credential, other)] == [True, True, False]
        assert calls.most == 1
        assert len(calls.answers) == 1
        assert "3 times in a row (66 calls in all)" in calls.credential.refusal.error.message

    in_virtual_time(story)


def test_one_that_works_in_between_begins_the_count_anew() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, *[READ_REFUSED, READ_REFUSED, JOB, JOB] * 4, *[READ_REFUSED] * 5)
        lanes = [calls.credential, calls.shared.of_lane()]
        for number in range(16):
            assert await calls.call(lanes[number % 2])
        assert [await calls.call(lanes[number % 2]) for number in range(4)] == [True, True, True, False]

    in_virtual_time(story)


def test_a_lane_that_is_always_refused_stops_though_another_works() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, *[READ_REFUSED, *[JOB] * 4] * 3, *[JOB] * 4)
        other = calls.shared.of_lane()
        for _ in range(3):
            assert await calls.call()
            assert all([await calls.call(other) for _ in range(4)])
        assert calls.credential.refused_in_a_row == UNAUTHENTICATED_LIMIT
        assert not await calls.call()
        assert not calls.credential.is_exhausted
        calls.most = 0
        assert all(await asyncio.gather(*(calls.call(other) for _ in range(4))))
        assert calls.most == 4

    in_virtual_time(story)


def test_what_has_begun_and_not_left_when_one_is_refused_stays() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB, CREATE_REFUSED)
        await calls.call()
        late = calls.credential.begin()
        await calls.call()
        assert not await late.leave()
        calls.credential.end(late, None)
        assert calls.credential.is_doubted

    in_virtual_time(story)


def test_with_another_proof_one_call_leaves_once_more_and_the_others_after_it_worked() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB)
        await calls.call()
        left_again: list[int] = []
        under_way = [0]

        async def expired(number: int) -> None:
            call = calls.credential.begin()
            assert await call.leave()
            await clock.sleep(0.1)
            call.refused()
            await clock.sleep(0.05)
            assert await call.leave()
            left_again.append(number)
            under_way[0] += 1
            assert under_way[0] == 1 or not calls.credential.is_doubted
            await clock.sleep(0.1)
            under_way[0] -= 1
            calls.credential.end(call, JOB)

        began = clock.monotonic()
        await asyncio.gather(*map(expired, range(8)))
        assert sorted(left_again) == list(range(8))
        assert clock.monotonic() - began < 0.4
        assert not calls.kept.rows

    in_virtual_time(story)


def test_one_that_is_broken_off_while_it_waits_to_leave_once_more_lets_others_go() -> None:
    """Of two that were refused, and have another proof, the second waits for the first; then nothing may be sent any more."""

    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, JOB, JOB)
        assert await calls.call()
        first, second = calls.credential.begin(), calls.credential.begin()
        assert first.leave_now()
        assert second.leave_now()
        first.refused()
        second.refused()
        goes, waits = asyncio.create_task(first.again()), asyncio.create_task(second.again())
        assert await goes
        await clock.sleep(1.0)
        assert not waits.done()
        waits.cancel()
        await asyncio.wait([waits])
        calls.credential.end(second, None)
        calls.credential.end(first, CREATE_REFUSED)
        async with asyncio.timeout(60.0):
            assert await calls.call()

    in_virtual_time(story)


def test_processes_that_begin_at_once_make_three_calls_in_all_and_later_ones_none() -> None:
    async def story(clock: VirtualClock) -> None:
        kept = KeptInProcess()
        processes = [Calls(clock, *[READ_REFUSED] * 9, kept=kept, name=name) for name in "abcd"]
        made = await asyncio.gather(*(at_once(calls, 10) for calls in processes))
        assert sum(map(sum, made)) == UNAUTHENTICATED_LIMIT
        began = sorted(at for calls in processes for at in calls.began_at)
        assert all(later - earlier >= 0.1 for earlier, later in pairwise(began))
        for _ in range(10):
            await clock.sleep(60.0)
            assert not await Calls(clock, READ_REFUSED, kept=kept, name="later").call()

    in_virtual_time(story)


def test_after_a_while_one_call_is_made_and_after_twice_as_long_another_one() -> None:
    async def story(clock: VirtualClock) -> None:
        kept, probes = KeptInProcess(), list[float]()
        await at_once(Calls(clock, *[READ_REFUSED] * 3, kept=kept), 9)
        began = clock.monotonic()
        for minute in range(200):
            calls = Calls(clock, READ_REFUSED, kept=kept, name=f"minute {minute}")
            if any(await at_once(calls, 3)):
                probes.append(clock.monotonic() - began)
            await clock.sleep(60.0)
        assert [round(at / PROBE_AFTER_S) for at in probes] == [1, 3, 7]
        await clock.sleep(8 * PROBE_AFTER_S)
        assert all(await at_once(Calls(clock, *[JOB] * 9, kept=kept, name="mended"), 9))
        assert not kept.rows

    in_virtual_time(story)


def test_another_secret_is_tried_once_and_another_key_as_if_nothing_was() -> None:
    async def story(clock: VirtualClock) -> None:
        kept = KeptInProcess()
        await at_once(Calls(clock, *[READ_REFUSED] * 3, kept=kept), 9)
        other_secret = Calls(clock, *[READ_REFUSED] * 9, kept=kept)
        other_secret.identity = Identity("key", "other secret")
        assert sum(await at_once(other_secret, 9)) == 1
        other_key = Calls(clock, *[READ_REFUSED] * 9, kept=kept)
        other_key.identity = Identity("other key", "secret")
        assert sum(await at_once(other_key, 9)) == UNAUTHENTICATED_LIMIT
        insisting = Calls(clock, *[READ_REFUSED] * 9, kept=kept)
        insisting.memory.insists = True
        assert sum(await at_once(insisting, 9)) == 1

    in_virtual_time(story)


def test_a_process_that_died_while_it_called_is_not_waited_for_for_ever_nor_is_a_busy_store() -> None:
    async def story(clock: VirtualClock) -> None:
        held = [False]
        kept = KeptInProcess(lambda: held[0])
        dead = Calls(clock, JOB, kept=kept, name="dead")
        assert await dead.credential.enter(dead.slot) is not None
        assert await Calls(clock, JOB, kept=kept, name="dead").call()  # it is gone on with
        assert await dead.credential.shared.of_lane().enter(dead.slot, lambda: False) is None
        kept.rows.clear()
        dead = Calls(clock, JOB, kept=kept, name="dead")
        await dead.credential.enter(dead.slot)
        calls = Calls(clock, JOB, kept=kept, name="other")
        waiting = asyncio.ensure_future(calls.call())
        await clock.sleep(50.0)
        assert not waiting.done()
        held[0] = True
        await clock.sleep(50.0)
        assert not waiting.done()
        held[0] = False
        assert await waiting

    in_virtual_time(story)


def test_what_could_not_be_noted_at_once_is_before_the_next_call() -> None:
    async def story(clock: VirtualClock) -> None:
        held = [False]
        kept = KeptInProcess(lambda: held[0])
        calls = Calls(clock, READ_REFUSED, READ_REFUSED, READ_REFUSED, kept=kept)
        call = await calls.credential.enter(calls.slot)
        assert call is not None
        assert await call.leave()
        held[0] = True
        calls.credential.end(call, READ_REFUSED)
        assert "1," not in "".join(kept.rows.values())[:3]
        held[0] = False
        assert sum(await at_once(calls, 9)) == 2

    in_virtual_time(story)


def test_what_could_not_be_noted_is_when_the_process_ends() -> None:
    async def story(clock: VirtualClock) -> None:
        held = [False]
        kept = KeptInProcess(lambda: held[0])
        calls = Calls(clock, kept=kept)
        call = await calls.credential.enter(calls.slot)
        assert call is not None
        assert await call.leave()
        held[0] = True
        calls.credential.end(call, READ_REFUSED)
        calls.memory.flush()
        held[0] = False
        calls.memory.flush()
        assert sum(await at_once(Calls(clock, *[READ_REFUSED] * 9, kept=kept), 9)) == UNAUTHENTICATED_LIMIT - 1

    in_virtual_time(story)


@pytest.mark.parametrize("damaged", ["", "null", "[1]", '["a", 1, 1, 1, "", "", 0]', "{", '[3, 3, null, 1, "", "", 0]'])
def test_what_cannot_be_read_is_as_if_it_was_not_there(damaged: str) -> None:
    async def story(clock: VirtualClock) -> None:
        kept = KeptInProcess()
        await at_once(Calls(clock, *[READ_REFUSED] * 3, kept=kept), 9)
        kept.rows = dict.fromkeys(kept.rows, damaged)
        assert sum(await at_once(Calls(clock, *[READ_REFUSED] * 9, kept=kept), 9)) == UNAUTHENTICATED_LIMIT

    in_virtual_time(story)


def test_no_key_is_kept_nor_what_it_could_be_found_by() -> None:
    async def story(clock: VirtualClock) -> None:
        calls = Calls(clock, *[READ_REFUSED] * 3)
        calls.identity = Identity("key THEACCESSKEY", "thesecretkey")
        await at_once(calls, 9)
        ((name, noted),) = calls.kept.rows.items()
        assert len(name) == 32
        assert len(orjson.loads(noted)[4]) == 4  # 16 bits: too few to find a secret by
        assert "THEACCESSKEY" not in name + noted + repr(calls.identity)
        assert "thesecretkey" not in name + noted + repr(calls.identity)

    in_virtual_time(story)
