"""Reads a list of the service page by page, and says whether that was all of it, or why nobody can know.

Pages overlap by one row: each begins with the row that the one before ended with. So a row that went from among those that
were read shows, though another one came and the total is as before; without that, one row would silently be left out. What
the service does with `limit` and `offset`, and what `total` counts, is not known for sure (api-facts 1.6, 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import JsonObject, ListedPage

Query = list[tuple[str, str]]

_SORTED = [("sort_key", "createTime"), ("sort_dir", "ASC")]  # new rows come at the end, where they move no other


class ListReading:
    """One pass over a list of `what`, by pages of at most `limit` rows (2 or more).

    With `plainly` the first page is asked for without paging, as lists are that have none in the documents; if that is not
    all, paging is tried. A list with `is_sorted` can be asked for in the order in which rows were made. One that is
    `believed` is whole where its `total` says so: nothing depends on its being so.

    `is_over`: there is nothing more to ask for, and `flaw` is why what was shown is no whole list, or None.
    """

    def __init__(self, what: str, limit: int, *, plainly: bool, is_sorted: bool, believed: bool) -> None:
        self._what = what
        self._limit = limit
        self._plainly = plainly
        self._believed = believed
        self._sorting = _SORTED if is_sorted else []
        self._begin()

    def _begin(self) -> None:
        self._ids: set[str] = set()
        self._last: str | None = None
        self._first_page: list[str] = []
        self.total: int | None = None
        self.flaw: str | None = None
        self.is_over = False

    @property
    def shown(self) -> int:
        """How many rows were shown so far."""
        return len(self._ids)

    @property
    def query(self) -> Query:
        """What to ask for next."""
        if self._plainly:
            return []
        return [("limit", str(self._limit)), ("offset", str(self._offset)), *self._sorting]

    @property
    def _offset(self) -> int:
        return max(0, len(self._ids) - 1)

    def take(self, page: ListedPage) -> Sequence[JsonObject]:
        """Take the page in that was asked for; return the rows of it that are new."""
        ids = [row["id"] for row in page.rows]
        self.flaw = self._flaw_of_page(page, ids) or self._flaw_of_place(ids)
        if self.flaw is not None:
            self.is_over = True
            return ()
        was_all = len(self._ids) == page.total
        if not self._ids:
            self._first_page = ids
        fresh = page.rows if self._last is None else page.rows[1:]
        self.total = page.total
        self._ids.update(ids)
        self._last = ids[-1] if ids else self._last
        return self._judged(page, fresh, was_all=was_all)

    def _judged(self, page: ListedPage, fresh: Sequence[JsonObject], *, was_all: bool) -> Sequence[JsonObject]:
        shown, total = len(self._ids), page.total or 0
        is_all = shown == total and (was_all or not self._is_full(page))
        if self._plainly and not is_all:
            self._plainly = False
            self._begin()
            return ()
        if shown > total or (not fresh and shown < total):
            self.flaw = f"the list tells of {total:,} {self._what} and shows {shown:,}"
        self.is_over = is_all or self.flaw is not None
        return fresh

    def _is_full(self, page: ListedPage) -> bool:
        """Whether the page may have been cut where it ends, whatever `total` says: it may count one page only."""
        return not self._believed and bool(page.rows) and len(page.rows) in {page.size, self._limit}

    def _flaw_of_page(self, page: ListedPage, ids: Sequence[str]) -> str | None:
        if page.total is None:
            return f"the list does not tell how many {self._what} there are"
        if page.said is not None:
            return f"the list is empty and says {page.said}"
        if len(set(ids)) < len(ids):
            return f"one page of the list of {self._what} shows the same one twice"
        if self.total not in {None, page.total}:
            return f"the list told of {self.total:,} {self._what}, and then of {page.total:,}"
        return None

    def _flaw_of_place(self, ids: Sequence[str]) -> str | None:
        """Whether a page after the first goes on where the one before ended."""
        if self._last is None:
            return None
        if not ids:
            return f"the page from {self._offset:,} on is empty"
        if ids[0] != self._last:
            if ids == self._first_page[: len(ids)]:
                return f"paging is ignored: the page from {self._offset:,} on shows what the first one showed"
            return f"the page from {self._offset:,} on does not go on where the one before ended"
        again = next((server for server in ids[1:] if server in self._ids), None)
        return None if again is None else f"the page from {self._offset:,} on shows {again} once more"
