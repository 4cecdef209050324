"""Where events enter a run: each changes the state, goes to the journal, and wakes those who wait for news."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.engine.clock import LONGEST_SLEEP_S
from runner.run.live import LiveRun

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.ports import Journal
    from runner.run.events import Event
    from runner.run.facts import Facts


# A wait that moves every clock: the one that was asked for may differ from the loop's by a rounding error.
_SHORTEST_S = 1e-4


class News:
    """Wakes one task whenever something changed since it last looked."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Something changed."""
        self._event.set()

    def seen(self) -> None:
        """Forget what was told. Must be called before looking, or a change right after it is lost."""
        self._event.clear()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until something changed, or at most `seconds`; less where that is long, for clocks may be set meanwhile."""
        if seconds is None:
            await self._event.wait()
            return
        try:
            async with asyncio.timeout(min(max(_SHORTEST_S, seconds), LONGEST_SLEEP_S)):
                await self._event.wait()
        except TimeoutError:
            pass


class Recorder:
    """Records events of one run.

    The state is ahead of the disk for a moment, and that is safe: every effect waits for the event that ordered it to
    be durable, and since commits are prefixes, all that was decided on is durable then, too. `gate_news` tells of every
    event of a run with a rollout. `observe` must not raise.
    """

    def __init__(self, state: Facts, journal: Journal, observe: Callable[[Event], None]) -> None:
        self._journal = journal
        self._observe = observe
        self.state = state
        self.live = LiveRun(state)
        self.gate_news = News()

    @property
    def may_send(self) -> bool:
        """Whether the run is certainly this process's at this moment: to be asked right before anything is sent."""
        return self._journal.is_owned

    @property
    def may_intend(self) -> bool:
        """Whether a new intent would soon be durable and acted on. Otherwise it would only wait, or lapse."""
        return self._journal.is_owned and not self._journal.is_blocked

    def record(self, event: Event) -> Awaitable[None]:
        """Make an event true; the awaitable is done when it is durable."""
        self.live.apply(event)
        durable = self._journal.append((event,))
        self._observe(event)  # after the append: whatever becomes of a display, the journal has what happened
        if self.state.rollout is not None:
            self.gate_news.tell()
        return durable
