"""Reads the job list whole, as far as the service lets itself be paged.

Paging is undocumented, and the service may ignore `offset` and `limit` (api-facts 1.3): a page with nothing new is
the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.engine.reading import persist, read
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

    `is_whole` says that the service told how many there are, and that all of them are here. Were some deleted meanwhile,
    those behind them moved up, perhaps past the page that was read next: then it is not.
    """

    rows: dict[str, JobRow]
    pages: int
    page_size: int
    is_whole: bool


async def read_listing(lane: LaneContext, name: str | None, most_pages: int = MOST_PAGES) -> Listing | ReadFailed:
    """Read every page of the list, filtered by `name`; the filter may be exact or substring (api-facts 6)."""
    rows: dict[str, JobRow] = {}
    page_size = pages = 0
    total: int | None = None
    while pages < most_pages:
        page = await _read_page(lane, name, len(rows))
        if isinstance(page, ReadFailed):
            return page
        pages += 1
        total = page.total if total is None or page.total is None else max(total, page.total)
        page_size = max(page_size, len(page.rows))
        known = len(rows)
        rows.update((row.job_id, row) for row in page.rows)
        nothing_new = len(rows) == known
        if nothing_new or (total is not None and len(rows) >= total):
            break
    return Listing(rows, pages, page_size, total is not None and len(rows) >= total)


async def _read_page(lane: LaneContext, name: str | None, offset: int) -> JobPage | ReadFailed:
    async def page() -> JobPage | ReadFailed:
        return await read(lane, lambda: lane.service.list(name=name, offset=offset, limit=PAGE_LIMIT))

    return await persist(lane, page, _OF_A_PAGE)
