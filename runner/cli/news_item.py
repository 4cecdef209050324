"""One piece of news, and what of an event goes into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.rules.answers import ServiceError
    from runner.run import events as e


class NewsItem(NamedTuple):
    """Something to tell: its level as in the logging module, what happened, and the particulars."""

    level: int
    what: str
    fields: Mapping[str, object]

    @property
    def line(self) -> str:
        """In one line, with what a person would want to know at once."""
        said = [one_line(str(self.fields[name])) for name in _SAID if self.fields.get(name)]
        return ": ".join([self.what, *said])


_SAID = ("wave", "check", "run", "server", "refused", "reason", "error", "detail", "waits", "next")


def event_fields(event: e.Event) -> dict[str, object]:
    """All that the event tells, but for the time and the job."""
    fields: dict[str, object] = {}
    for name in event.__slots__:
        value = getattr(event, name)
        if name == "error" and value is not None:
            fields |= error_fields(value)
        elif name not in {"at", "job"}:
            fields[name] = value
    return fields


def error_fields(error: ServiceError) -> dict[str, object]:
    """An error, part by part."""
    return {
        "http_status": error.http_status,
        "code": error.code,
        "error": error.message,
        "request_id": error.request_id,
    }
