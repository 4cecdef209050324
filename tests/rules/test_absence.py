"""What a list proves of what it does not show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import JobPage, JobRow
from runner.rules.absence import flaw


def page(ids: str, total: int | None, current: int | None = 1, pages: int | None = 1, size: int | None = 10) -> JobPage:
    return JobPage(tuple(JobRow(each, f"name-{each}", None, None) for each in ids), total, current, pages, size)


EMPTY = page("", 0, pages=0)
WHOLE = [
    pytest.param([EMPTY], id="an empty list"),
    pytest.param([page("", 0)], id="an empty list of one page"),
    pytest.param([page("abc", 3)], id="one page"),
    pytest.param([page("abc", 3, None, None)], id="one page that tells less"),
    pytest.param([page("ab", 3, 1, 2, 2), page("c", 3, 2, 2, 2)], id="two pages"),
    pytest.param([page("ab", 3, 0, 2, 2), page("c", 3, 1, 2, 2)], id="pages counted from zero"),
    pytest.param([page("ab", 3, 1, 2, 2), page("c", 3, 2, 2, 1), page("", 3, 3, 2, 2)], id="a size of what is shown"),
    pytest.param([page("ab", 4, 1, 2, 2), page("cd", 4, 2, 2, 2), page("", 4, 3, 2, 2)], id="a last page that is full"),
    pytest.param([page("ab", 3, 1, 2, 2), page("cd", 4, 2, 2, 2), page("", 4, 3, 2, 2)], id="one was made meanwhile"),
    pytest.param([page("abc", 3, size=None), page("", 3, size=None)], id="no size, and nothing after"),
]
FLAWED = [
    pytest.param([page("", None)], "does not tell how many", id="no total"),
    pytest.param([page("", 1)], "tells of 1 jobs and shows 0", id="none of those told of"),
    pytest.param([page("ab", 3)], "tells of 3 jobs and shows 2", id="less than told"),
    pytest.param([page("abc", 2)], "tells of 2 jobs and shows 3", id="more than told"),
    pytest.param([page("aab", 2)], "shows a job twice", id="twice"),
    pytest.param([page("abc", 3, size=2)], "shows 3 jobs and tells of 2", id="more than the size"),
    pytest.param([page("abc", 3, 2)], "begins with page 2", id="not the first page"),
    pytest.param([page("abc", 3, 1, 2)], "3 jobs on 2 pages of 10", id="a total of one page"),
    pytest.param([EMPTY._replace(said="note: x")], "shows no job and says note: x", id="something else than jobs"),
    pytest.param(
        [page("ab", 4, None, 3, 2), page("cd", 4, None, 3, 2), page("", 4, None, 3, 2)],
        "4 jobs on 3 pages of 2",
        id="a page more than its rows need",
    ),
    pytest.param([page("abc", 3, 1, 0)], "3 jobs on 0 pages of 10", id="no page for its rows"),
    pytest.param([page("ab", 2, size=2)], "the last page of the list is full", id="a full page, and no look beyond"),
    pytest.param([page("ab", 2, size=2)] * 2, "the last page of the list is full", id="the same page again"),
    pytest.param([page("ab", 2, size=None)] * 2, "the last page of the list is full", id="the same page, no size"),
    pytest.param([page("ab", 2, size=2), page("c", 2, size=2)], "tells of 2 jobs and shows 3", id="more after all"),
    pytest.param([page("ab", 4, 1, 2, 2), page("cd", 4, 1, 2, 2), page("", 4, 1, 2, 2)], "shows 1", id="page 1 twice"),
    pytest.param([page("ab", 4, 1, 2, 3), page("d", 3, 2, 1, 3)], "tells of 4 jobs and shows 3", id="one was deleted"),
]


@pytest.mark.parametrize("pages", WHOLE)
def test_a_list_whose_numbers_agree_is_whole(pages: list[JobPage]) -> None:
    assert flaw(pages) is None


@pytest.mark.parametrize(("pages", "why"), FLAWED)
def test_a_list_that_contradicts_itself_is_not(pages: list[JobPage], why: str) -> None:
    assert why in (flaw(pages) or "")


@pytest.mark.parametrize("name", [None, "", "  "])
def test_nor_is_one_with_a_row_that_has_no_name(name: str | None) -> None:
    assert "shows job a without its name" in (flaw([JobPage((JobRow("a", name, None, None),), 1, 1, 1, 10)]) or "")


@given(st.integers(0, 40), st.integers(1, 12), st.data())
def test_a_list_of_which_any_row_is_missing_is_not_whole(total: int, size: int, data: st.DataObject) -> None:
    """Read page by page, as the service tells it truly; then without one row, whichever."""
    ids = [chr(ord("A") + each) for each in range(total)]
    count = -(-total // size)
    starts = [*range(0, total, size)] or [0]
    starts += [total] if total and total % size == 0 else []
    pages = [page("".join(ids[start : start + size]), total, start // size + 1, count, size) for start in starts]
    assert flaw(pages) is None
    if total:
        at = data.draw(st.integers(0, total - 1))
        less = [each._replace(rows=tuple(row for row in each.rows if row.job_id != ids[at])) for each in pages]
        assert flaw(less) is not None
