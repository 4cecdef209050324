"""Lists that are read page by page: whole, or with the reason why nobody knows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import ListedPage
from runner.rules.whole_list import ListReading

Change = tuple[str, float]


class Service:
    """A list that changes by one step before each page after the first; `most` rows a page."""

    def __init__(self, count: int, most: int, changes: list[list[Change]]) -> None:
        self.rows = [f"s{number}" for number in range(count)]
        self.ever = set(self.rows)
        self.always = set(self.rows)
        self._most = most
        self._changes = iter(changes)
        self._made = count

    def change(self) -> None:
        for kind, where in next(self._changes, []):
            place = int(where * len(self.rows))
            if kind == "delete" and self.rows:
                self.always.discard(self.rows.pop(min(place, len(self.rows) - 1)))
            elif kind == "make":
                self.rows.insert(place, f"s{self._made}")
                self._made += 1
        self.ever |= set(self.rows)

    def page(self, query: list[tuple[str, str]]) -> ListedPage:
        asked = dict(query)
        offset, limit = int(asked.get("offset", 0)), min(self._most, int(asked.get("limit", 10)))
        rows = tuple({"id": one} for one in self.rows[offset : offset + limit])
        return ListedPage(rows, len(self.rows), size=limit)


def read(
    page: Callable[[list[tuple[str, str]]], ListedPage], between: Callable[[], None], **how: bool
) -> tuple[ListReading, list[str]]:
    reading = ListReading(
        "servers", 7, plainly=how.get("plainly", False), is_sorted=True, believed=how.get("believed", False)
    )
    shown: list[str] = []
    while not reading.is_over:
        shown += [row["id"] for row in reading.take(page(reading.query))]
        between()
    return reading, shown


CHANGES = st.lists(st.lists(st.tuples(st.sampled_from(["delete", "make"]), st.floats(0, 1)), max_size=3), max_size=12)


@given(st.integers(0, 60), st.integers(2, 9), CHANGES, st.booleans())
def test_what_was_there_all_the_time_is_shown_or_the_list_is_refused(
    count: int, most: int, changes: list[list[Change]], plainly: bool
) -> None:
    service = Service(count, most, changes)
    reading, shown = read(service.page, service.change, plainly=plainly)
    if reading.flaw is None:
        assert service.always <= set(shown) <= service.ever
        assert len(set(shown)) == len(shown)


@given(st.integers(0, 60), st.integers(2, 9), st.booleans(), st.booleans())
def test_a_list_that_stays_as_it_is_is_read_whole(count: int, most: int, plainly: bool, believed: bool) -> None:
    service = Service(count, most, [])
    reading, shown = read(service.page, lambda: None, plainly=plainly, believed=believed)
    assert reading.flaw is None
    assert shown == service.rows
    assert reading.shown == reading.total == count


def page(*ids: str, total: int | None, size: int | None = None, said: str | None = None) -> ListedPage:
    return ListedPage(tuple({"id": one} for one in ids), total, size=size, said=said)


@pytest.mark.parametrize(
    ("pages", "flaw"),
    [
        ([page("a", total=None)], "does not tell how many"),
        ([page(total=0, said="message: no")], "is empty and says message: no"),
        ([page("a", "a", total=2)], "shows the same one twice"),
        ([page("a", "b", total=4), page("b", "c", total=5)], "told of 4 servers, and then of 5"),
        ([page("a", "b", total=4), page("a", "b", total=4)], "paging is ignored"),
        ([page("a", "b", total=4), page("c", "d", total=4)], "does not go on where the one before ended"),
        ([page("a", "b", total=4), page("b", "a", total=4)], "shows a once more"),
        ([page("a", "b", total=4), page(total=4)], "is empty"),
        ([page("a", "b", total=4), page("b", total=4)], "tells of 4 servers and shows 2"),
        ([page("a", "b", total=1)], "tells of 1 servers and shows 2"),
        ([page("a", "b", total=2, size=2), page("b", "c", total=2, size=2)], "tells of 2 servers and shows 3"),
        ([page("a", "b", total=2, size=2), page("a", "b", total=2, size=2)], "paging is ignored"),
        (
            [page("a", "b", total=3, size=2), page("b", "c", total=3, size=2), page("c", "d", total=3, size=2)],
            "tells of 3 servers and shows 4",
        ),
        ([page("a", total=2), page("a", total=2)], "tells of 2 servers and shows 1"),
    ],
)
def test_each_flaw_is_named(pages: list[ListedPage], flaw: str) -> None:
    answers = iter(pages)
    reading, _ = read(lambda _: next(answers), lambda: None)
    assert flaw in str(reading.flaw)
    assert next(answers, None) is None


def test_a_full_page_is_not_the_last_for_all_that_it_says() -> None:
    answers = iter([page("a", "b", total=2, size=2), page("b", total=2, size=2)])
    reading, shown = read(lambda _: next(answers), lambda: None)
    assert (reading.flaw, shown) == (None, ["a", "b"])
    assert next(answers, None) is None


def test_pages_overlap_by_a_row_and_go_by_the_rows_that_were_shown() -> None:
    asked: list[list[tuple[str, str]]] = []
    service = Service(9, 4, [])

    def answer(query: list[tuple[str, str]]) -> ListedPage:
        asked.append(query)
        return service.page(query)

    read(answer, lambda: None, plainly=True)
    assert asked[0] == []
    assert [dict(query)["offset"] for query in asked[1:]] == ["0", "3", "6"]
    assert all(("sort_key", "createTime") in query for query in asked[1:])
