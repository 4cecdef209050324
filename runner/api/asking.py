"""What gives proofs is asked again after a bad answer: it may be of one node of many, and is no reason to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from runner.rules.answers import Cause, ReadFailed, ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from runner.engine.refusals import RememberedCalls

T = TypeVar("T")

_TRIES = 3
_REFUSED_BEFORE = ServiceError(None, None, "no call is made", None)
# A user and password are tried twice at most: a wrong one locks the account, as failed signatures do (api-facts 3.2).
MORE_TRIES = {Cause.BUSY: 2, Cause.UNREACHABLE: 2, Cause.THROTTLED: 2, Cause.UNAUTHENTICATED: 1}


async def asked(
    ask: Callable[[], Awaitable[T | ReadFailed]],
    pause_s: float,
    calls: RememberedCalls,
    again: Collection[Cause] = MORE_TRIES.keys(),
) -> T | ReadFailed:
    """The answer, or the last one that is none; `pause_s` after the first, and twice that after the second.

    What failed for other reasons than those of `again` is not asked again, nor by whom too many `calls` were refused.
    """
    failed = ReadFailed(Cause.UNAUTHENTICATED, _REFUSED_BEFORE)
    for tried in range(1, _TRIES + 1):
        if not await _may_ask(calls):
            break
        answer = await _ask_once(ask, calls)
        if not isinstance(answer, ReadFailed):
            return answer
        failed = answer
        if tried == _TRIES or failed.cause not in again or tried > MORE_TRIES[failed.cause]:
            break
        await asyncio.sleep(pause_s * tried)
    return ReadFailed(failed.cause, calls.told(failed.error)) if failed.cause is Cause.UNAUTHENTICATED else failed


async def _may_ask(calls: RememberedCalls) -> bool:
    """Whether to ask; as long as another process does so, it is waited for."""
    while (wait_s := calls.begin()) != 0.0:
        if wait_s is None:
            return False
        await asyncio.sleep(wait_s)
    return True


async def _ask_once(ask: Callable[[], Awaitable[T | ReadFailed]], calls: RememberedCalls) -> T | ReadFailed:
    answer: T | ReadFailed | None = None
    try:
        answer = await ask()
    finally:
        if answer is None or (isinstance(answer, ReadFailed) and answer.cause is not Cause.UNAUTHENTICATED):
            calls.lapsed()
        elif isinstance(answer, ReadFailed):
            calls.refused()
        else:
            calls.worked()
    return answer
