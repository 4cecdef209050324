"""What of one lane fails, as things stand: told once it has lasted a moment, about every minute after, and when it is over.

Whoever reads, or sends, tells of each thing that failed and of each that works again after it failed; of what works from the
start nobody hears. However many things there are, all of a lane is told in one event.
"""

from __future__ import annotations

from enum import IntEnum, auto
from typing import TYPE_CHECKING, NamedTuple

from runner.engine.recorder import News
from runner.rules.answers import Cause
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Hashable

    from runner.engine.lane import LaneContext
    from runner.rules.answers import ReadFailed, Refusal, ServiceError
    from runner.rules.reads import ReadHistory
    from runner.run.outages import AfterThat

# A call that fails once or twice is no news, nor is one that is throttled for a while, seconds.
_TOLD_AFTER_S = 10.0
_THROTTLED_TOLD_AFTER_S = 60.0
_TOLD_EVERY_S = 60.0


class What(IntEnum):
    """What it is that fails."""

    JOB = auto()
    DOUBT = auto()  # the lookup of a request in doubt
    LIST = auto()  # the whole list, in the survey
    CREATE = auto()


class About(NamedTuple):
    """One thing that may fail: `key` tells it from others of the lane, `then` is what happens when it fails for too long."""

    key: Hashable
    what: What
    then: AfterThat


class _Failing(NamedTuple):
    since: float
    failed: int
    until: float
    about: About
    throttled: bool


class FailingCalls:
    """The things of one lane that fail now. Times are epoch seconds by the run's clock."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        self._things: dict[Hashable, _Failing] = {}
        self._news = News()
        self._failed = 0
        self._error: ServiceError | None = None
        self._tell_at = 0.0

    def fails(self, about: About, failed: ReadFailed | Refusal, history: ReadHistory, *, until: float) -> None:
        """It failed once more, which `history` counts; it is tried again, at most `until`."""
        if not self._things:
            self._news.tell()
        throttled = failed.cause is Cause.THROTTLED
        self._things[about.key] = _Failing(history.since, history.failed, until, about, throttled)
        self._failed += 1
        self._error = failed.error

    def works(self, key: Hashable) -> None:
        """It works again."""
        self._over(key, given_up=False)

    def given_up(self, key: Hashable) -> None:
        """It is not tried any more, or not for now."""
        self._over(key, given_up=True)

    async def run(self) -> None:
        """Tell, until cancelled."""
        while True:
            self._news.seen()
            self._leave_out_what_rests()
            due_in = self._due_in()
            if due_in is None or due_in > 0:
                await self._news.wait(due_in)
            elif self._error is not None:
                self._tell(self._error)

    def _leave_out_what_rests(self) -> None:
        """Where nothing is sent for other reasons, nobody knows whether it could be."""
        lane = self._lane
        if lane.sends_no_more or lane.run.is_waiting_for_person:
            for about in [thing.about for thing in self._things.values() if thing.about.what is What.CREATE]:
                self.given_up(about.key)

    def _due_in(self) -> float | None:
        """Seconds until it is to be told, again or for the first time; None while nothing fails."""
        if not self._things:
            return None
        now = self._lane.clock.now()
        if self._lane.state.failing is not None:
            return self._tell_at - now
        first = next(iter(self._things.values()))
        return first.since + (_THROTTLED_TOLD_AFTER_S if first.throttled else _TOLD_AFTER_S) - now

    def _over(self, key: Hashable, *, given_up: bool) -> None:
        if self._things.pop(key, None) is None or self._things:
            return
        failing = self._lane.state.failing
        if failing is not None:
            now = self._lane.clock.now()
            self._lane.recorder.record(e.CallsWorking(now, self._lane.index, failing.since, self._failed, given_up))
        self._failed = 0

    def _tell(self, error: ServiceError) -> None:
        """Whatever is given up first decides what happens next."""
        now, things = self._lane.clock.now(), self._things.values()
        told = self._lane.state.failing
        if told is None:
            self._failed = sum(thing.failed for thing in things)
        first = min(things, key=lambda thing: thing.until)
        kinds = [thing.about.what for thing in things]
        self._tell_at = now + _TOLD_EVERY_S
        self._lane.recorder.record(
            e.CallsFailing(
                now,
                self._lane.index,
                next(iter(things)).since if told is None else told.since,
                self._failed,
                error,
                jobs=kinds.count(What.JOB),
                doubts=kinds.count(What.DOUBT),
                creates=What.CREATE in kinds,
                until=first.until,
                then=first.about.then,
            )
        )
