"""How a run shows itself while it goes on: a live table on a terminal, log lines elsewhere."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

from runner.cli import streams
from runner.cli.logs import LONGEST_DRAIN_S
from runner.cli.news import Newsroom
from runner.cli.outlet import Outlet
from runner.model import Outcome
from runner.plain import one_line
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from runner.cli.logs import Logs
    from runner.run.facts import Facts
    from runner.run.standing import Standing

_LOOK_EVERY_S = 0.2
_LOG_EVERY_S = 10.0


def _figures(state: Facts) -> dict[str, int]:
    """The numbers that tell how a run stands; each is kept by the state, so this costs the same for any fleet."""
    return {
        "requests": len(state.phases),
        "accepted": state.accepted,
        "over": state.settled,
        "on_their_way": sum(lane.in_flight for lane in state.lanes),
        "at_work": sum(len(lane.open) for lane in state.lanes),
        "in_doubt": sum(len(lane.doubts) for lane in state.lanes),
        "refused": state.refused,
        **{outcome.value: state.counts[outcome] for outcome in Outcome if state.counts[outcome]},
    }


class LoggedProgress:
    """Log lines: what a person must know at once, and how the run stands every ten seconds."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._news: Newsroom | None = None

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        """Make news of this run."""
        self._news = Newsroom(run_id, state, look)

    def observe(self, event: e.Event) -> None:
        """Log the event if a person should know."""
        item = self._news.item(event) if self._news else None
        if item is not None:
            self._logs.write(item.level, item.what, **item.fields)

    def notice(self, text: str) -> None:
        """Log it."""
        self._logs.write(logging.WARNING, text)

    async def show(self, state: Facts) -> None:
        """Say how the run stands every ten seconds, until cancelled."""
        try:
            while True:
                for _ in range(round(_LOG_EVERY_S / _LOOK_EVERY_S)):
                    await asyncio.sleep(_LOOK_EVERY_S)
                    self._logs.check()
                standing = "; ".join(self._news.standing()) if self._news else ""
                self._logs.write(logging.INFO, "progress", **_figures(state), **({"now": standing} if standing else {}))
        finally:
            self._logs.drain()


class LiveProgress:
    """A table on the terminal that is drawn anew a few times a second. `monotonic` is a clock, in seconds."""

    def __init__(self, monotonic: Callable[[], float], *, color: bool) -> None:
        self._monotonic = monotonic
        self._color = color
        self._news: Newsroom | None = None
        self._latest = "starting"

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        """Make news of this run."""
        self._news = Newsroom(run_id, state, look)

    def observe(self, event: e.Event) -> None:
        """Keep the last thing a person should know; that calls fail is shown for as long as they do."""
        item = self._news.item(event) if self._news else None
        if item is not None and item.level >= logging.INFO and not isinstance(event, e.CallsFailing):
            # What waits for a person is shown for as long as it does.
            self._latest = "" if "next" in item.fields else item.line

    def notice(self, text: str) -> None:
        """Keep it as the last thing a person should know; before there is a table, print it."""
        if self._news is None:
            streams.say(text)
        self._latest = text

    async def show(self, state: Facts) -> None:
        """Draw how the run stands, until cancelled; the last picture stays."""
        from rich.console import Console
        from rich.live import Live

        # It is one, and rich would take one that was closed for a file, and say nothing.
        outlet = Outlet(sys.stderr)
        console = Console(file=cast("TextIO", outlet), no_color=not self._color, force_terminal=True)
        began = self._monotonic()
        try:
            with Live(self.picture(state, began), console=console, auto_refresh=False) as live:
                try:
                    while True:
                        await asyncio.sleep(_LOOK_EVERY_S)
                        outlet.check()
                        if not outlet.is_behind:
                            live.update(self.picture(state, began), refresh=True)
                finally:
                    live.update(self.picture(state, began), refresh=True)
        finally:
            outlet.drain(LONGEST_DRAIN_S)

    def picture(self, state: Facts, began: float) -> RenderableType:
        """How the run stands, which `began` then by the clock given."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        total = sum(len(group.servers) for group in state.plan.groups)
        done = sum(state.counts.values())
        head = Table.grid(padding=(0, 2))
        at_work = f", {state.at_work:,} at work" if state.at_work else ""
        bar = ProgressBar(total or 1, done, width=40)
        head.add_row(Text(_shown(state.plan.campaign)), bar, f"{done:,}/{total:,} servers{at_work}")
        minutes, seconds = divmod(int(self._monotonic() - began), 60)
        figures = "  ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in _figures(state).items())
        standing = [*self._news.standing(), *self._news.failing()] if self._news else []
        lines = (f"{minutes:02}:{seconds:02}  {figures}", *standing, self._latest)
        # As plain text: what a check or a person said may look like markup.
        return Group(head, *(Text(_shown(line)) for line in lines))


def _shown(text: str) -> str:
    """A line of it. An escape that was put in once lines are laid out would make one longer than the terminal is wide."""
    return streams.fitting(one_line(text), sys.stderr)
