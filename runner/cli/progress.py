"""How a run shows itself while it goes on: a live table on a terminal, log lines elsewhere."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from runner.campaign import events as e
from runner.campaign.outcomes import OUTCOME

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from runner.campaign.state import RunState
    from runner.cli.logs import Logs

_LIVE_REFRESH_S = 0.2
_LOG_EVERY_S = 10.0


def _figures(state: RunState) -> dict[str, int]:
    """The numbers that tell how a run stands; each is kept by the state, so this costs the same for any fleet."""
    return {
        "requests": len(state.phases),
        "accepted": state.accepted,
        "over": state.settled,
        "in_flight": sum(lane.in_flight for lane in state.lanes),
        "in_doubt": sum(len(lane.doubts) for lane in state.lanes),
        "refused": state.refused,
        **{OUTCOME[letter].value: count for letter, count in sorted(state.counts.items()) if count},
    }


class LoggedProgress:
    """Log lines: what a person must know at once, and how the run stands every ten seconds."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._handlers: dict[type, Callable[[e.Event], None]] = {
            e.RunStarted: lambda event: self._info("run started", event),
            e.RunResumed: lambda event: self._info("run resumed", event),
            e.Refused: lambda event: self._warn("request refused", event),
            e.InDoubt: lambda event: self._warn("request in doubt, looking it up", event),
            e.Adopted: lambda event: self._info("request in doubt found, adopted", event),
            e.NotFound: lambda event: self._warn("request in doubt made no job, sending it again", event),
            e.Conflict: lambda event: self._warn("conflict", event),
            e.GivenUp: lambda event: self._warn("request given up, its servers are unknown", event),
            e.Throttled: lambda event: self._info("throttled", event),
            e.LaneStopped: lambda event: self._warn("lane stopped", event),
            e.StopRequested: lambda event: self._warn("stopping", event),
            e.Accepted: self._accepted,
            e.Settled: self._settled,
        }

    def observe(self, event: e.Event) -> None:
        """Log the event if a person should know."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    async def show(self, state: RunState) -> None:
        """Say how the run stands every ten seconds, until cancelled."""
        while True:
            await asyncio.sleep(_LOG_EVERY_S)
            self._logs.write(logging.INFO, "progress", **_figures(state))

    def _info(self, what: str, event: e.Event) -> None:
        self._logs.write(logging.INFO, what, **_fields(event))

    def _warn(self, what: str, event: e.Event) -> None:
        self._logs.write(logging.WARNING, what, **_fields(event))

    def _accepted(self, event: e.Event) -> None:
        if isinstance(event, e.Accepted):
            self._logs.write(logging.DEBUG, "job accepted", request=event.request, job_id=event.job.job_id)

    def _settled(self, event: e.Event) -> None:
        if isinstance(event, e.Settled) and set(event.outcomes) - {"s"}:
            counts = {OUTCOME[letter].value: event.outcomes.count(letter) for letter in sorted(set(event.outcomes))}
            what = "job over, not every server succeeded"
            self._logs.write(logging.WARNING, what, request=event.request, **counts)


def _fields(event: e.Event) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name in event.__slots__:
        value = getattr(event, name)
        if name == "error" and value is not None:
            fields |= {"http_status": value.http_status, "code": value.code, "error": value.message}
            fields["request_id"] = value.request_id
        elif name not in {"at", "job"}:
            fields[name] = value
    return fields


class LiveProgress:
    """A table on the terminal that is drawn anew a few times a second."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._news = "starting"

    def observe(self, event: e.Event) -> None:
        """Keep the last thing a person should know."""
        news = _NEWS.get(type(event))
        if news is not None:
            error = getattr(event, "error", None)
            self._news = f"{news}: {error.message}" if error else news

    async def show(self, state: RunState) -> None:
        """Draw how the run stands, until cancelled; the last picture stays."""
        from rich.console import Console  # noqa: PLC0415  rich takes long to import, and only a terminal needs it
        from rich.live import Live  # noqa: PLC0415  likewise

        console = Console(stderr=True, no_color=not self._color)
        began = time.monotonic()
        with Live(self._picture(state, began), console=console, auto_refresh=False) as live:
            try:
                while True:
                    await asyncio.sleep(_LIVE_REFRESH_S)
                    live.update(self._picture(state, began), refresh=True)
            finally:
                live.update(self._picture(state, began), refresh=True)

    def _picture(self, state: RunState, began: float) -> RenderableType:
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  likewise
        from rich.table import Table  # noqa: PLC0415  likewise

        total = sum(len(group.servers) for group in state.plan.groups)
        done = sum(state.counts.values())
        grid = Table.grid(padding=(0, 2))
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        grid.add_row(state.plan.campaign, ProgressBar(total or 1, done, width=40), f"{done:,}/{total:,} servers")
        grid.add_row(f"{minutes:02}:{seconds:02}", "  ".join(f"{n} {v:,}" for n, v in _figures(state).items()), "")
        grid.add_row("", self._news, "")
        return grid


_NEWS: dict[type, str] = {
    e.RunStarted: "submitting",
    e.RunResumed: "resumed",
    e.Refused: "refused",
    e.InDoubt: "in doubt, looking it up",
    e.Adopted: "found and adopted",
    e.NotFound: "made no job, sending again",
    e.Conflict: "conflict",
    e.GivenUp: "given up as unknown",
    e.Throttled: "throttled",
    e.LaneStopped: "lane stopped",
    e.StopRequested: "stopping",
}
