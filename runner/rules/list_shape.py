"""Where in the job list a job stands, learned from the pages that were read.

Order and paging are not documented (api-facts 1.3), so nothing depends on them but how many pages it takes to see a job.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ListShape:
    """Jobs stand by their `place`: how many of the lane's jobs were accepted before.

    `size` is how many rows a page has where one does not show all, else 0. `turns` is False where every page shows the same.
    """

    def __init__(self) -> None:
        self.size = 0
        self.turns = True
        self._newest_first: bool | None = True  # None: in no order
        self._shift = 0  # rows of others, and jobs that are not listed yet
        self._total = 0
        self._last: Sequence[str] = ()

    @property
    def is_ordered(self) -> bool:
        """Whether it can be told which page shows a job."""
        return self._newest_first is not None

    def position(self, place: int) -> int:
        """The row at which a job should be, counted over all pages."""
        return (self._total - 1 - place if self._newest_first else place) + self._shift

    def offset(self, place: int) -> int:
        """Where to begin the page that shows this job first, but for a few: others are made meanwhile."""
        return max(0, self.position(place) - self._few)

    def pages(self, positions: Sequence[int]) -> int:
        """How many pages it takes to see the jobs at these positions, which rise."""
        if not self.is_ordered:
            return max(1, -(-self._total // self.size))
        count, shown = 0, -1
        for position in positions:
            if position > shown:
                count, shown = count + 1, max(0, position - self._few) + self.size - 1
        return max(1, count)

    @property
    def _few(self) -> int:
        return max(1, self.size // 10)

    def learn(self, offset: int, ids: Sequence[str], places: Sequence[int | None], total: int | None) -> bool:
        """Take in a page that was asked for from `offset`: its ids, and the places of those that are known.

        Return whether it is the last: there is no more to see.
        """
        if offset and ids and ids == self._last:
            self.turns = False
        self._last, self._total = ids, max(total or 0, 0)
        is_all = total is not None and not offset and len(ids) >= total
        self.size = 0 if is_all else max(self.size, len(ids), 1)
        known = [(offset + row, place) for row, place in enumerate(places) if place is not None]
        self._learn_order([place for _, place in known])
        if known and self.turns:
            at, place = known[len(known) // 2]
            self._shift += at - self.position(place)
        return is_all or not ids or not self.turns

    def _learn_order(self, places: Sequence[int]) -> None:
        """Requests sent at once may be accepted in another order than their jobs are made: a few stand otherwise."""
        pairs = list(pairwise(places))
        falling = sum(before > after for before, after in pairs)
        if len(pairs) < 4:  # noqa: PLR2004  too few to tell
            return
        share = falling / len(pairs)
        order = None if 0.25 < share < 0.75 else share > 0.5  # noqa: PLR2004  a quarter is a few
        if order is not self._newest_first:
            self._newest_first, self._shift = order, 0
