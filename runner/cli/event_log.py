"""The events of a run as a person reads them: a line each, with its time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from runner.cli.news import Newsroom
from runner.plain import one_line
from runner.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.model import JsonObject
    from runner.run.events import Event
    from runner.run.facts import Facts
    from runner.run.standing import Standing

_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error"}
_SAID_BY_THE_LINE = frozenset({"boot", "uptime_s", "plan_hash", "kind"})


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
        return ", ".join(
            f"{name.replace('_', ' ')} {one_line(_text(value))}"
            for name, value in self.fields.items()
            if name not in _SAID_BY_THE_LINE and value not in (None, "", (), {})
        )

    @property
    def line(self) -> str:
        """All in one line."""
        said = self.particulars
        return f"{datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M:%S}  {self.what}" + (f": {said}" if said else "")


def log_lines(run_id: str, told: Iterable[tuple[Event, Facts]], least: int) -> Iterator[LogLine]:
    """A line for each event that is news of at least this level (as in the logging module), in order."""
    room: Newsroom | None = None
    for event, facts in told:
        room = room or Newsroom(run_id, facts, _nobody_looks)
        item = room.item(event)
        if item is not None and item.level >= least:
            yield LogLine(event.at, _LEVELS[item.level], item.what, item.fields)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={part}" for key, part in value.items())
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _nobody_looks() -> Standing:
    raise AssertionError("what happened is told, and not how the run stands")
