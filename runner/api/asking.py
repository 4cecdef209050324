"""What gives proofs is asked again after a bad answer: it may be of one node of many, and is no reason to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from runner.rules.answers import Cause, ReadFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

T = TypeVar("T")

_TRIES = 3
# A user and password are tried twice at most: a wrong one locks the account, as failed signatures do (api-facts 3.2).
MORE_TRIES = {Cause.BUSY: 2, Cause.UNREACHABLE: 2, Cause.THROTTLED: 2, Cause.UNAUTHENTICATED: 1}


async def asked(
    ask: Callable[[], Awaitable[T | ReadFailed]], pause_s: float, again: Collection[Cause] = MORE_TRIES.keys()
) -> T | ReadFailed:
    """The answer, or the last one that is none; `pause_s` after the first, and twice that after the second.

    What failed for other reasons than those of `again` is not asked again.
    """
    for tried in range(1, _TRIES):
        answer = await ask()
        if not isinstance(answer, ReadFailed) or answer.cause not in again or tried > MORE_TRIES[answer.cause]:
            return answer
        await asyncio.sleep(pause_s * tried)
    return await ask()
