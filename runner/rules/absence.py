"""What a list of jobs proves: that it does not show one proves only then that there is none if it is whole.

It is whole if all that it tells of itself agrees, and it shows what is known to exist (api-facts 1.3, 6). A list that was
cut, filtered in an unknown way, or empty because of an error must not look like one without the job: that would be made
twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.rules.answers import Cause, ReadFailed, ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import JobPage


def is_full(page: JobPage) -> bool:
    """Whether there may be another page after this one, whatever `total` says: it may count one page only."""
    return bool(page.rows) and (page.size is None or len(page.rows) >= page.size)


def unproven(why: str) -> ReadFailed:
    """What follows from a list that proves nothing: as much as from one that could not be read."""
    return ReadFailed(Cause.BUSY, ServiceError(None, None, why, None), answered=True)


def flaw(pages: Sequence[JobPage]) -> str | None:
    """Why pages, read one after the other until nothing new was shown, are no whole list; None if they are one.

    A last page without rows shows that the one before was the last, where that was full.
    """
    for page in pages:
        if why := _flaw_of_page(page):
            return why
    return _flaw_of_first(pages[0]) or _flaw_of_count(pages) or _flaw_of_pages(pages)


def _flaw_of_page(page: JobPage) -> str | None:
    ids = {row.job_id for row in page.rows}
    if page.total is None:
        return "the list does not tell how many jobs there are"
    if page.said is not None:
        return f"the list shows no job and says {page.said}"
    if len(ids) < len(page.rows):
        return "one page of the list shows a job twice"
    if page.size is not None and len(page.rows) > page.size:
        return f"a page of the list shows {len(page.rows)} jobs and tells of {page.size}"
    nameless = next((row.job_id for row in page.rows if not (row.name or "").strip()), None)
    return None if nameless is None else f"the list shows job {nameless} without its name"


def _flaw_of_first(page: JobPage) -> str | None:
    return f"the list begins with page {page.current}" if page.current is not None and page.current > 1 else None


def _flaw_of_count(pages: Sequence[JobPage]) -> str | None:
    """Jobs made or deleted meanwhile move the others from page to page: the most that were told of must be shown."""
    told = max(page.total or 0 for page in pages)
    shown = len({row.job_id for page in pages for row in page.rows})
    if shown != told:
        return f"the list tells of {told} jobs and shows {shown}"
    if is_full(pages[-1]):
        return "the last page of the list is full, and those after it are not shown"
    return None


def _flaw_of_pages(pages: Sequence[JobPage]) -> str | None:
    """The number of pages must be what `total` and `size` make it. Of the last page, `size` may be what is on it."""
    size = max((page.size or 0 for page in pages), default=0)
    for page in pages:
        total, told = page.total or 0, page.pages
        if told is None or not size:
            continue
        if told * size < total or (told > 1 and (told - 1) * size >= total):
            return f"the list tells of {total} jobs on {told} pages of {size}"
    from_zero = int(pages[0].current == 0)
    last = max((page.current + from_zero for page in pages if page.rows and page.current is not None), default=None)
    most = max((page.pages or 0 for page in pages), default=0)
    return f"the list tells of {most} pages and shows {last}" if last is not None and last < most else None
