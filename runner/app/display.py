"""What a person sees of a run: a run goes on without it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from runner.run import events as e
    from runner.run.facts import Facts
    from runner.run.standing import Standing


class Progress(Protocol):
    """Shows a run while it goes on. May raise whatever it likes: that ends the display, not the run."""

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        """Called once, before the first event: this is the run to show, its state as it will change, how it stands now."""
        ...

    def observe(self, event: e.Event) -> None:
        """Called for every event, once the journal has it: must cost next to nothing."""
        ...

    def notice(self, text: str) -> None:
        """Say something that is no event of the run; it may come before `begin`."""
        ...

    async def show(self, state: Facts) -> None:
        """Show how the run stands, until cancelled."""
        ...


class Display:
    """Shows a run for as long as that works. `lost` is called, once, with why it does not any more.

    A terminal that is closed, a log on a full disk, a character that a locale does not have: none of them is a reason to
    leave servers half done.
    """

    def __init__(self, progress: Progress, lost: Callable[[str], None]) -> None:
        self._progress: Progress | None = progress
        self._lost = lost
        self._showing: asyncio.Task[None] | None = None

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        """This is the run to show."""
        if self._progress is not None:
            try:
                self._progress.begin(run_id, state, look)
            except Exception as error:  # noqa: BLE001  whatever it is
                self._end(error)

    def observe(self, event: e.Event) -> None:
        """Show an event."""
        if self._progress is not None:
            try:
                self._progress.observe(event)
            except Exception as error:  # noqa: BLE001  likewise
                self._end(error)

    def notice(self, text: str) -> None:
        """Say something that is no event."""
        if self._progress is not None:
            try:
                self._progress.notice(text)
            except Exception as error:  # noqa: BLE001  likewise
                self._end(error)

    @asynccontextmanager
    async def shown(self, state: Facts) -> AsyncIterator[None]:
        """Show how the run stands, for as long as this is entered."""
        showing = self._showing = asyncio.create_task(self._show(state))
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _show(self, state: Facts) -> None:
        try:
            if self._progress is not None:
                await self._progress.show(state)
        except Exception as error:  # noqa: BLE001  likewise
            self._end(error)

    def _end(self, error: Exception) -> None:
        if self._progress is None:
            return  # it fails once more while it is put away
        self._progress = None
        if self._showing is not None and self._showing is not asyncio.current_task():
            self._showing.cancel()
        self._lost(f"{type(error).__name__}: {error}")
