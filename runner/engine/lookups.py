"""Looks up by name which jobs requests have made, many requests with one reading of the list.

A name filter may be exact, or may match parts of names (api-facts 6), and paging may be ignored (api-facts 1.3). So a
list only answers for a request if it would have shown the request's job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.engine.listing import MOST_PAGES, read_listing
from runner.rules.answers import Cause, ReadFailed, ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from runner.engine.lane import LaneContext
    from runner.engine.listing import Listing
    from runner.model import JobRow

    Read = Callable[[str | None, int], Awaitable[Listing | ReadFailed]]

FEW = 3
"""So many requests are looked up one by one."""

_NOT_WHOLE = ReadFailed(
    Cause.BUSY, ServiceError(None, None, "the service does not show the whole job list", None), answered=True
)


class LookedUp(NamedTuple):
    """What one reading says of `requests`: every row that may be about them, or why there are none.

    `asked_at` is when the reading began, epoch seconds: a job that was listed later may be missing.
    """

    requests: Sequence[int]
    asked_at: float
    rows: Sequence[JobRow] | ReadFailed


class Lookups:
    """The lookups of one lane. `read` reads the list filtered by a name, in at most so many pages."""

    def __init__(self, lane: LaneContext, read: Read | None = None) -> None:
        self._lane = lane
        self._read = read or self._read_once
        self._no_use_for = FEW

    async def of(self, requests: Sequence[int], names: Sequence[str] = ()) -> AsyncGenerator[LookedUp, None]:
        """Look all of them up, with as few reads as the service allows, and other `names` of the run with them.

        Where no list answers for all, or only one longer than there are requests, each name is asked for.
        """
        count = len(requests) + len(names)
        if count > self._no_use_for:
            asked_at = self._lane.clock.now()
            rows = await self._rows_in_one_list(count)
            if rows is not None:
                yield LookedUp(requests, asked_at, rows)
                return
            self._no_use_for = count
        for request in requests:
            asked_at = self._lane.clock.now()
            yield LookedUp([request], asked_at, await self._rows_by_name(self._lane.job_name_of(request)))
        for name in names:
            yield LookedUp([], self._lane.clock.now(), await self._rows_by_name(name))

    async def _rows_by_name(self, name: str) -> Sequence[JobRow] | ReadFailed:
        """The rows of one name. Other names among them show that the filter is not obeyed: then all rows must be there."""
        listing = await self._read(name, MOST_PAGES)
        if isinstance(listing, ReadFailed):
            return listing
        if listing.is_whole or all(name in (row.name or "") for row in listing.rows.values()):
            return _rows(listing)
        return _NOT_WHOLE

    async def _rows_in_one_list(self, most_pages: int) -> Sequence[JobRow] | ReadFailed | None:
        """The rows of a list that has every job of the run; None where there is no such list of so few pages.

        An empty answer to the run's part of the names proves nothing, for the filter may be exact; a name that only
        contains it does. Else the whole list will do.
        """
        by_run = await self._read(self._lane.run_token, most_pages)
        if isinstance(by_run, ReadFailed):
            return by_run
        if by_run.is_whole and any(self._is_of_the_run(row) for row in by_run.rows.values()):
            return _rows(by_run)
        everything = await self._read(None, most_pages)
        if isinstance(everything, ReadFailed):
            return everything
        return _rows(everything) if everything.is_whole else None

    def _is_of_the_run(self, row: JobRow) -> bool:
        token = self._lane.run_token
        return row.name is not None and token in row.name and token != row.name

    async def _read_once(self, name: str | None, most_pages: int) -> Listing | ReadFailed:
        return await read_listing(self._lane, name, most_pages)


def _rows(listing: Listing) -> Sequence[JobRow]:
    return list(listing.rows.values())
