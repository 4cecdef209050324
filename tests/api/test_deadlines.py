"""One timer for all: each exchange has its own time all the same, and who is cancelled by others stays cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.deadlines import Deadlines
from tests.engine.virtual import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine

LIMIT_S = 5.0
Ended = tuple[str, float]
"""How an exchange ended, and after how long."""


def in_virtual_time(story: Coroutine[object, object, list[Ended]]) -> list[Ended]:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story)
    finally:
        loop.close()


async def exchange(deadlines: Deadlines, takes_s: float) -> Ended:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    began = loop.time()
    deadlines.begin(task)
    try:
        await asyncio.sleep(takes_s)
    except asyncio.CancelledError:
        if not deadlines.was_late(task):
            raise
        return "late", loop.time() - began
    finally:
        deadlines.end(task)
    return "in time", loop.time() - began


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 12)), min_size=1, max_size=12))
def test_each_has_its_own_time(exchanges: list[tuple[float, float]]) -> None:
    async def later(deadlines: Deadlines, at: float, takes_s: float) -> Ended:
        await asyncio.sleep(at)
        return await exchange(deadlines, takes_s)

    async def story() -> list[Ended]:
        deadlines = Deadlines(LIMIT_S)
        return await asyncio.gather(*(later(deadlines, at, takes_s) for at, takes_s in exchanges))

    for (_, takes_s), (how, took_s) in zip(exchanges, in_virtual_time(story()), strict=True):
        if abs(takes_s - LIMIT_S) > 1e-3:
            assert how == ("late" if takes_s > LIMIT_S else "in time")
        assert took_s == pytest.approx(min(takes_s, LIMIT_S), abs=1e-3)


@pytest.mark.parametrize("at", [1.0, LIMIT_S], ids=["before its end", "as it ends"])
def test_who_is_cancelled_by_others_stays_cancelled(at: float) -> None:
    async def story() -> list[Ended]:
        task = asyncio.create_task(exchange(Deadlines(LIMIT_S), 60.0))
        await asyncio.sleep(at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return []

    in_virtual_time(story())
