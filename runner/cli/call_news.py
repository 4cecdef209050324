"""What a person is told of calls that fail: once for a lane, and not for each of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from runner.cli.news_item import NewsItem, error_fields, event_fields
from runner.report.outages import failing_text, since_text, waiting_text
from runner.rules.answers import Cause
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.run.facts import Facts


class _Room(Protocol):
    state: Facts


def _calls_failing(room: _Room, event: e.CallsFailing) -> NewsItem:
    fields = {"lane": _label(room, event.lane), "failed": event.failed, "reason": failing_text(event)}
    return NewsItem(logging.WARNING, "calls fail", fields | error_fields(event.error) | {"waits": waiting_text(event)})


def _calls_working(room: _Room, event: e.CallsWorking) -> NewsItem:
    what = "no call fails any more, for what failed is not tried now" if event.given_up else "calls work again"
    reason = f"{event.failed:,} failed {since_text(event.since, event.at)}"
    fields = {"lane": _label(room, event.lane), "failed": event.failed, "reason": reason}
    return NewsItem(logging.WARNING, what, fields)


def _refused(_: _Room, event: e.Refused) -> NewsItem:
    """That a service cannot be reached is told for the whole lane, and not each time that it was tried."""
    is_told = event.cause is Cause.UNREACHABLE and event.retry_at is not None
    return NewsItem(logging.DEBUG if is_told else logging.WARNING, "request refused", event_fields(event))


def _lane_stopped(room: _Room, event: e.LaneStopped) -> NewsItem:
    failing = room.state.lanes[event.lane].failing
    fields = event_fields(event) | {"lane": _label(room, event.lane)}
    if failing is not None:
        fields["reason"] = f"calls failed {since_text(failing.since, event.at)}"
    return NewsItem(logging.ERROR, "lane stopped", fields)


def _label(room: _Room, lane: int) -> str:
    return room.state.plan.lanes[lane].label


CALLS: dict[type, Callable[[Any, Any], NewsItem]] = {
    e.Refused: _refused,
    e.CallsFailing: _calls_failing,
    e.CallsWorking: _calls_working,
    e.LaneStopped: _lane_stopped,
}
"""What to make of each of these events, for a run whose facts are the `state` of the first argument."""
