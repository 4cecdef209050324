"""Reads the job list whole, as far as the service lets itself be paged.

Paging is undocumented, and the service may ignore `offset` and `limit` (api-facts 1.3): a page with nothing new is
the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.engine.reading import persist, read
from runner.rules.absence import flaw, is_full
from runner.rules.answers import ReadFailed
from runner.rules.reads import ReadLimits

if TYPE_CHECKING:
    from runner.engine.lane import LaneContext
    from runner.model import JobPage, JobRow

PAGE_LIMIT = 1000
MOST_PAGES = 500
# A page is tried again where that may help: else a list of many pages would hardly ever be read whole.
_OF_A_PAGE = ReadLimits(reads=4, over_s=0.0, pause_s=0.5)


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows by job id. `pages` is how many reads it took; `page_size` the most rows that one of them had.

    `flaw` is why it does not prove that jobs which it does not show are not there; None if, for all it says, it does.
    """

    rows: dict[str, JobRow]
    pages: int
    page_size: int
    flaw: str | None


async def read_listing(lane: LaneContext, name: str | None, most_pages: int = MOST_PAGES) -> Listing | ReadFailed:
    """Read every page of the list, filtered by `name`; the filter may be exact or substring (api-facts 6)."""
    rows: dict[str, JobRow] = {}
    pages: list[JobPage] = []
    told = 0
    while len(pages) < most_pages:
        page = await _read_page(lane, name, len(rows))
        if isinstance(page, ReadFailed):
            return page
        pages.append(page)
        known = len(rows)
        rows.update((row.job_id, row) for row in page.rows)
        told = max(told, page.total or 0)
        is_all = page.total is not None and len(rows) >= told
        if len(rows) == known or (is_all and not is_full(page)):
            break
    return Listing(rows, len(pages), max(len(page.rows) for page in pages), flaw(pages))


async def _read_page(lane: LaneContext, name: str | None, offset: int) -> JobPage | ReadFailed:
    async def page() -> JobPage | ReadFailed:
        return await read(
            lane, lambda call: lane.service.list(name=name, offset=offset, limit=PAGE_LIMIT, departure=call)
        )

    return await persist(lane, page, _OF_A_PAGE)
