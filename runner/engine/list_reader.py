"""Reads a list of one lane whole, at the lane's pace, or says what was seen instead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from runner.engine.coming_back import advice
from runner.engine.reading import made_in_turn
from runner.rules.answers import Cause, ReadFailed
from runner.rules.reads import ReadAgain, ReadHistory, ReadLimits, after_failure, not_before
from runner.rules.throttle import too_long
from runner.rules.whole_list import ListReading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.engine.calls import LaneCredential
    from runner.engine.pace import Pace
    from runner.engine.ports import Clock, ListService
    from runner.model import JsonObject, ListedPage, ServiceList

PAGE_LIMIT = 1000
# A list that changes while it is read, or misleads, is read so often, with such a pause between, seconds.
PASSES = 3
_PAUSE_S = 0.5
PATIENT = ReadLimits(reads=4, over_s=10.0, pause_s=1.0)
# With any other cause the answer will hardly be another one, and a person waits for it.
_MAY_PASS = {Cause.BUSY, Cause.UNREACHABLE, Cause.THROTTLED}
BRIEF = ReadLimits(reads=2, over_s=0.0, pause_s=0.5)


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads of one lane are made with. `longest_pause_s` is the longest that the service may ask for."""

    service: ListService
    credential: LaneCredential
    pace: Pace
    clock: Clock
    longest_pause_s: float


class Sink(Protocol):
    """Where the rows of a list go."""

    def begin(self) -> None:
        """The list is read from its beginning: forget what came before."""
        ...

    def add(self, rows: Sequence[JsonObject], shown: int, total: int) -> None:
        """Rows that are new: `shown` of the list's `total` with them."""
        ...


async def read_whole(
    reader: Reader,
    which: ServiceList,
    what: str,
    sink: Sink,
    *,
    plainly: bool = False,
    is_sorted: bool = True,
    believed: bool = False,
    limits: ReadLimits = PATIENT,
) -> str | None:
    """Read a list of `what` into `sink`. Return why it could not be read whole; None: it was.

    `plainly`, `is_sorted` and `believed` are as for `ListReading`.
    """
    flaw: str | None = None
    for tried in range(PASSES):
        if tried:
            await reader.clock.sleep(_PAUSE_S * tried)
        sink.begin()
        reading = ListReading(what, PAGE_LIMIT, plainly=plainly, is_sorted=is_sorted, believed=believed)
        while not reading.is_over:
            page = await read_page(reader, which, reading.query, limits)
            if isinstance(page, ReadFailed):
                return page.error.message
            sink.add(reading.take(page), reading.shown, reading.total or 0)
        flaw = reading.flaw
        if flaw is None:
            break
    return flaw


async def read_page(
    reader: Reader, which: ServiceList, query: Sequence[tuple[str, str]], limits: ReadLimits = PATIENT
) -> ListedPage | ReadFailed:
    """Read a page until it is read, or must not be tried any more: then what failed last."""
    history = ReadHistory()
    while True:
        answer, sent_at = await made_in_turn(
            reader.credential, reader.pace, reader.clock, partial(reader.service.rows, which, query)
        )
        if not isinstance(answer, ReadFailed):
            if sent_at is not None:
                reader.pace.passed(sent_at)
            return answer
        now = reader.clock.now()
        history = history.after(answer, now)
        if stopped := _why_to_stop(reader, answer, sent_at):
            return stopped
        refused = reader.credential.refused_in_a_row
        held_to = limits if answer.cause in _MAY_PASS else BRIEF
        step = after_failure(history, answer, held_to, now=now, refused_in_a_row=refused)
        step = not_before(step, held_to, min(answer.after_s, reader.longest_pause_s), now)
        if not isinstance(step, ReadAgain):
            return answer
        await reader.clock.sleep(step.at - now)


def _why_to_stop(reader: Reader, failed: ReadFailed, sent_at: float | None) -> ReadFailed | None:
    """A throttled answer slows the pace down, or asks for more than is waited for."""
    if failed.cause is not Cause.THROTTLED or sent_at is None:
        return None
    asked = None if failed.throttle is None else too_long(failed.throttle, reader.longest_pause_s)
    if asked is None:
        reader.pace.throttled(failed.throttle, sent_at)
        return None
    said = advice(asked, reader.clock.wall(), reader.longest_pause_s)
    error = replace(failed.error, message=f"{said}; the service says: {failed.error.message}")
    return replace(failed, error=error)
