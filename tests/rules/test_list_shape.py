"""Where a job stands in the list."""

from __future__ import annotations

import pytest

from runner.rules.list_shape import ListShape

JOBS = [f"job-{place}" for place in range(100)]


def page(order: str, offset: int, size: int = 10) -> tuple[list[str], list[int | None]]:
    rows = JOBS if order == "oldest" else JOBS[::-1]
    ids = rows[offset : offset + size]
    return ids, [JOBS.index(job_id) for job_id in ids]


def learn(shape: ListShape, order: str, offset: int, total: int = 100) -> bool:
    ids, places = page(order, offset)
    return shape.learn(offset, ids, places, total)


@pytest.mark.parametrize(("order", "at"), [("newest", 69), ("oldest", 30)])
def test_the_page_of_a_job_is_known_after_one_page(order: str, at: int) -> None:
    shape = ListShape()
    assert not learn(shape, order, 0)
    assert (shape.size, shape.position(30), shape.offset(30)) == (10, at, at - 1)


def test_rows_of_others_move_it() -> None:
    shape = ListShape()
    others = [f"other-{number}" for number in range(5)]
    ids, places = page("newest", 0)
    shape.learn(0, others + ids, [None] * 5 + places, 105)
    assert shape.position(99) == 5
    assert shape.position(0) == 104


def test_a_page_that_has_all_is_the_last() -> None:
    shape = ListShape()
    assert shape.learn(0, JOBS, list(range(100)), 100)
    assert shape.size == 0


def test_pages_that_do_not_turn_are_noticed() -> None:
    shape = ListShape()
    learn(shape, "newest", 0)
    ids, places = page("newest", 0)
    assert shape.turns
    assert shape.learn(40, ids, places, 100)
    assert not shape.turns


def test_of_a_list_without_order_every_page_is_needed() -> None:
    shape = ListShape()
    mixed = [50, 3, 99, 1, 64, 20, 80, 7, 30, 2]
    shape.learn(0, [JOBS[place] for place in mixed], mixed, 100)
    assert not shape.is_ordered
    assert shape.pages([3, 4]) == 10
    shape.learn(0, [JOBS[place] for place in mixed], mixed, None)
    assert shape.pages([3, 4]) == 1


def test_few_that_stand_otherwise_are_no_other_order() -> None:
    shape = ListShape()
    places = [99, 97, 98, 96, 95, 94, 93, 92, 91, 90]
    shape.learn(0, [JOBS[place] for place in places], places, 100)
    assert shape.is_ordered


def test_pages_are_counted_by_what_is_looked_for() -> None:
    shape = ListShape()
    learn(shape, "newest", 0)
    assert shape.pages([0, 1, 2]) == 1
    assert shape.pages([0, 50, 99]) == 3
    assert shape.pages(list(range(40, 80))) == 5
