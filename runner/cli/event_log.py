"""The events of a run as a person reads them: a line each, with its time."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from runner.cli.news import Newsroom
from runner.cli.news_item import NewsItem
from runner.plain import one_line
from runner.report.times import rfc3339
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.model import JsonObject
    from runner.run.facts import Facts
    from runner.run.standing import Standing

_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error"}
_FOR_MACHINES = frozenset({"boot", "uptime_s", "plan_hash"})
_NAMED = 3


class LogLine(NamedTuple):
    """What happened at a time, epoch seconds, with the particulars."""

    at: float
    level: str
    what: str
    fields: Mapping[str, object]

    def as_json(self) -> JsonObject:
        """As JSON has it; the fields stand under a name of their own, for they may have any."""
        return {"at": rfc3339(self.at), "level": self.level, "event": self.what, "fields": dict(self.fields)}

    @property
    def particulars(self) -> str:
        """The fields in words, in one line."""
        told = {name: value for name, value in self.fields.items() if name not in _FOR_MACHINES and _says(value)}
        return ", ".join(f"{name.replace('_', ' ')} {one_line(_text(value))}".rstrip() for name, value in told.items())

    @property
    def line(self) -> str:
        """All in one line."""
        said = self.particulars
        return f"{datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M:%S}  {self.what}" + (f": {said}" if said else "")


def log_lines(run_id: str, told: Iterable[tuple[e.Event, Facts]], least: int) -> Iterator[LogLine]:
    """A line for each event that is news of at least this level (as in the logging module), in order."""
    room: Newsroom | None = None
    for event, facts in told:
        room = room or Newsroom(run_id, facts, _nobody_looks)
        item = _ended(event) if isinstance(event, e.RunEnded) else room.item(event)
        if item is not None and item.level >= least:
            yield LogLine(event.at, _LEVELS[item.level], item.what, {**_servers(event, facts), **item.fields})


def _ended(event: e.RunEnded) -> NewsItem:
    """That its process ended it: no news to whoever looks on, and the end of the log."""
    return NewsItem(logging.INFO, f"run {event.state}", {"reason": event.reason, "exit": event.exit_code})


def _servers(event: e.Event, facts: Facts) -> dict[str, object]:
    """The names of some servers that the event is about, and how many more there are."""
    request = getattr(event, "request", None)
    if request is None:
        return {}
    names = [server.name for server in facts.servers_of(request)]
    more = [f"and {len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return {"servers": [*names[:_NAMED], *more]}


def _says(value: object) -> bool:
    """Whether there is something to say: nothing of what is not there, or not so."""
    return value is not None and value is not False and value not in ("", (), [], {})


def _text(value: object) -> str:
    if value is True:
        return ""  # the name says all
    if isinstance(value, dict):
        return " ".join(f"{key}={part}" for key, part in value.items())
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _nobody_looks() -> Standing:
    raise AssertionError("what happened is told, and not how the run stands")
