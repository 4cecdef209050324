"""How a run shows itself where there is no terminal: log lines."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from runner.cli.news import Newsroom
from runner.model import Outcome
from runner.run.person_waits import person_waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.cli.logs import Logs
    from runner.run import events as e
    from runner.run.facts import Facts
    from runner.run.standing import Standing

_LOOK_EVERY_S = 0.2
_LOG_EVERY_S = 10.0
# While nothing changes, it is said every so many times of these that the run goes on.
_SAID_ANYWAY = 6


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
    """Log lines: what a person must know at once, and how the run stands: every ten seconds, or a minute."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._news: Newsroom | None = None

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        """Make news of this run. What it waits for a person for already is said once, too."""
        self._news = Newsroom(run_id, state, look)
        for wait in person_waits(state):
            self._logs.write(logging.WARNING, "waits for a person", wait=wait.what, next=wait.commands(run_id))

    def observe(self, event: e.Event) -> None:
        """Log the event if a person should know."""
        item = self._news.item(event) if self._news else None
        if item is not None:
            self._logs.write(item.level, item.what, **item.fields)

    def recall(self, event: e.Event) -> None:
        """An event of before it was shown: nobody is told of it any more."""

    def notice(self, text: str) -> None:
        """Log it."""
        self._logs.write(logging.WARNING, text)

    async def show(self, state: Facts) -> None:
        """Say how the run stands, until cancelled."""
        said: dict[str, object] = {}
        kept_quiet = 0
        try:
            while True:
                for _ in range(round(_LOG_EVERY_S / _LOOK_EVERY_S)):
                    await asyncio.sleep(_LOOK_EVERY_S)
                    self._logs.check()
                standing = "; ".join(self._news.standing()) if self._news else ""
                found = {**_figures(state), **({"now": standing} if standing else {})}
                kept_quiet = kept_quiet + 1 if found == said and kept_quiet < _SAID_ANYWAY - 1 else 0
                if not kept_quiet:
                    self._logs.write(logging.INFO, "progress", **found)
                said = found
        finally:
            self._logs.drain()
