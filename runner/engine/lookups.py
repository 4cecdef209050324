"""Looks up by name which jobs requests have made, many requests with one reading of the list.

A name filter may be exact, may match parts of names (api-facts 6), or match something else than it is asked for, and
paging may be ignored (api-facts 1.3). So a list only answers for a request if it would have shown the request's job.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runner.engine.listing import MOST_PAGES, read_listing
from runner.rules.answers import ReadFailed
from runner.rules.names import ShownNames, folded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from runner.engine.known import KnownJob
    from runner.engine.lane import LaneContext
    from runner.engine.listing import Listing
    from runner.model import JobRow

    Read = Callable[[str | None, int], Awaitable[Listing | ReadFailed]]

FEW = 3
"""So many requests are looked up one by one."""
# A whole list beside one that is filtered is read only so far.
_MOST_PAGES_BESIDE = 20


class LookedUp(NamedTuple):
    """What one reading says of `requests`: every row that may be about them, or why there are none.

    `asked_at` is when the reading began, epoch seconds: a job that was listed later may be missing. `unproven` is why
    jobs that no row is about may be there all the same, `flaw` why there may be more of those that rows are about.
    """

    requests: Sequence[int]
    asked_at: float
    rows: Sequence[JobRow] | ReadFailed
    unproven: str | None = None
    flaw: str | None = None


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
        by_name = _ByName(self._lane, self._read)
        for request in requests:
            yield await by_name.look_up([request], self._lane.job_name_of(request))
        for name in names:
            yield await by_name.look_up([], name)

    async def _rows_in_one_list(self, most_pages: int) -> Sequence[JobRow] | ReadFailed | None:
        """The rows of a list that has every job of the run; None where there is no such list of so few pages.

        An empty answer to the run's part of the names proves nothing, for the filter may be exact; a name that only
        contains it does. Else the whole list will do.
        """
        asked_at = self._lane.clock.now()
        by_run = await self._read(self._lane.run_token, most_pages)
        if isinstance(by_run, ReadFailed):
            return by_run
        if any(map(self._is_of_the_run, by_run.rows.values())) and await _flaw(self._lane, by_run, asked_at) is None:
            return _rows(by_run)
        asked_at = self._lane.clock.now()
        everything = await self._read(None, most_pages)
        if isinstance(everything, ReadFailed):
            return everything
        return _rows(everything) if await _flaw(self._lane, everything, asked_at) is None else None

    def _is_of_the_run(self, row: JobRow) -> bool:
        token = self._lane.run_token
        return row.name is not None and token in folded(row.name) and token != folded(row.name)

    async def _read_once(self, name: str | None, most_pages: int) -> Listing | ReadFailed:
        return await read_listing(self._lane, name, most_pages)


class _ByName:
    """Lookups of single names, one after the other. What is read beside them is read once."""

    def __init__(self, lane: LaneContext, read: Read) -> None:
        self._lane = lane
        self._read = read
        self._asked_at = lane.clock.now()
        self._beside: tuple[Listing | ReadFailed, str | None] | None = None
        self._filter: tuple[bool, str | None] | None = None
        self._lies: str | None = None  # why no list proves anything, whatever is read beside

    async def look_up(self, requests: Sequence[int], name: str) -> LookedUp:
        """The rows of one name: filtered by it, and where the filter is not known to be obeyed, also of the whole list."""
        asked_at = self._lane.clock.now()
        listing = await self._read(name, MOST_PAGES)
        if isinstance(listing, ReadFailed):
            return LookedUp(requests, asked_at, listing)
        rows = _rows(listing)
        flaw = listing.flaw or await self._lane.known.hides_seen(listing.rows, name)
        self._lane.known.were_seen(rows, name)
        if ShownNames(rows).of(name):
            return LookedUp(requests, asked_at, rows, flaw=flaw)
        is_tested, why = (False, flaw) if flaw else await self._tested_filter()
        if is_tested and why is None:
            return LookedUp(requests, asked_at, rows)
        everything, flaw = await self._read_beside()
        if isinstance(everything, ReadFailed):
            return LookedUp(requests, asked_at, everything)
        unproven = (why or self._nameless(everything)) if flaw else self._nameless(listing, everything)
        unproven = unproven or self._lies
        return LookedUp(requests, self._asked_at, rows + _rows(everything), unproven)

    def _nameless(self, listing: Listing, named: Listing | None = None) -> str | None:
        """Why one of the rows may be of any request: no list shows its name, and it is of no job that is known."""
        shown = {job_id for job_id, row in named.rows.items() if _has_name(row)} if named else set[str]()
        rows = (row for row in listing.rows.values() if not _has_name(row) and row.job_id not in shown)
        nameless = next((row.job_id for row in rows if not self._lane.known.is_known(row.job_id)), None)
        return None if nameless is None else f"the list shows job {nameless} without its name"

    async def _tested_filter(self) -> tuple[bool, str | None]:
        """Whether there are jobs by which the filter could be tested, and why it is none to rely on."""
        known = self._lane.known
        if self._filter is None:
            witnesses = {self._lane.job_name_of(job.request): job for job in known.witnesses(self._asked_at)}
            self._filter = (bool(witnesses), None)
            for name in (*witnesses, *islice(known.contradicted - witnesses.keys(), FEW)):
                listing = await self._read(name, MOST_PAGES)
                if isinstance(listing, ReadFailed):
                    return True, f"the job list could not be read: {listing.error.message}"
                if (why := await self._hides(name, witnesses.get(name), listing)) and self._filter[1] is None:
                    self._filter = (True, f"filtered by the name of a job, {why}")
        return self._filter

    async def _hides(self, name: str, job: KnownJob | None, listing: Listing) -> str | None:
        """Which job a list hides that is filtered by a name, that of this one perhaps.

        Where it shows some of that name and hides others, that is not the filter's doing.
        """
        known = self._lane.known
        known.were_listed(listing.rows)
        why = None if job is None or job.job_id in listing.rows else await known.hides(job.job_id)
        why = why or await known.hides_seen(listing.rows, name)
        known.were_seen(listing.rows.values(), name)
        if why and ShownNames(listing.rows.values()).of(name):
            self._lies = why
        return why

    async def _read_beside(self) -> tuple[Listing | ReadFailed, str | None]:
        """The whole list, and why it is not whole."""
        if self._beside is None:
            asked_at = self._lane.clock.now()
            everything = await self._read(None, _MOST_PAGES_BESIDE)
            flaw = None if isinstance(everything, ReadFailed) else await _flaw(self._lane, everything, asked_at)
            self._beside = everything, flaw
        return self._beside


async def _flaw(lane: LaneContext, listing: Listing, asked_at: float) -> str | None:
    """Why a list that was asked for at `asked_at` is not to be relied on, where it should show all jobs of the run."""
    why = listing.flaw or await lane.known.hidden_from(listing.rows, asked_at)
    why = why or await lane.known.hides_seen(listing.rows)
    lane.known.were_seen(listing.rows.values())
    return why


def _has_name(row: JobRow) -> bool:
    return bool((row.name or "").strip())


def _rows(listing: Listing) -> list[JobRow]:
    return list(listing.rows.values())
