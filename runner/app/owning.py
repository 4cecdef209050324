"""Taking a run, or servers, out of hands that may be dead: one look does not tell, looking on for a while does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from runner.journal.ownership import LOOK_S, TAKEOVER_S
from runner.journal.store import HeldByAnother

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.ports import MachineClock

    GiveFree = Callable[[HeldByAnother], Awaitable[HeldByAnother | None]]

T = TypeVar("T")

LOOK_EVERY_S = 0.5
_LONGEST_S = 2 * (TAKEOVER_S + LOOK_S)


class Looking:
    """When to try once more for what another process has.

    `wait_s` is for how long to wait for a living one, by the clock `monotonic`; `say` is told once of any further wait.
    """

    def __init__(self, wait_s: float, monotonic: Callable[[], float], say: Callable[[str], None]) -> None:
        self._monotonic = monotonic
        self._until = monotonic() + wait_s
        self._say: Callable[[str], None] | None = say

    def after(self, refused: HeldByAnother) -> None:
        """Return if it is worth another try, in `LOOK_EVERY_S`.

        Raises:
            HeldByAnother: what was given.
        """
        now = self._monotonic()
        if now < self._until:
            return
        if not refused.look_again or now > self._until + _LONGEST_S:
            raise refused
        if self._say is not None:
            self._say(f"{refused.message}, which gives no sign of life: looking on for up to {TAKEOVER_S:g} s")
            self._say = None


async def patiently(
    clock: MachineClock, looking: Looking, take: Callable[[], T], give_free: GiveFree | None = None
) -> T:
    """Take what another process may have, as soon as it can be had.

    `give_free` may do something about what is in the way: None where it did, else what to tell.

    Raises:
        HeldByAnother: it was not worth any more tries.
    """
    while True:
        try:
            return take()
        except HeldByAnother as error:
            refused: HeldByAnother | None = error
        if give_free is not None and refused is not None:
            refused = await give_free(refused)
        if refused is not None:
            looking.after(refused)
            await clock.sleep(LOOK_EVERY_S)
