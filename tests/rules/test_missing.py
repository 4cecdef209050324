"""Jobs that the service does not know when it is asked for them: what the list says of them."""

from __future__ import annotations

import pytest

from runner.model import JobRow
from runner.rules.missing import Lost, NotLost, judge_missing
from runner.rules.reads import UNREADABLE_S, ReadHistory

HISTORY = ReadHistory(failed=5, since=100.0, missing=4, missing_since=110.0)
NOT_KNOWN = "the service does not know job j (4 reads in 30 s)"


def row(job_id: str, status: str | None) -> JobRow:
    return JobRow(job_id, "name", status, None)


@pytest.mark.parametrize("status", ["PROCESSING", "FINISHED", "SOMETHING_NEW"])
def test_what_is_listed_is_not_lost(status: str) -> None:
    judged = judge_missing("j", [row("other", "DELETED"), row("j", status)], None, HISTORY, 140.0)
    assert judged == NotLost(f"{NOT_KNOWN}, but lists it as {status}")


def test_what_is_listed_as_deleted_is_lost() -> None:
    assert judge_missing("j", [row("j", "DELETED")], None, HISTORY, 140.0) == Lost(
        "job j was deleted: it is listed as DELETED"
    )


def test_what_a_list_does_not_show_is_lost_once_that_proves_it() -> None:
    assert judge_missing("j", [row("other", "FINISHED")], None, HISTORY, 140.0) == Lost(f"{NOT_KNOWN}, nor lists it")
    why = f"{NOT_KNOWN}, nor lists it, which proves nothing: it has no total"
    assert judge_missing("j", [], "it has no total", HISTORY, 140.0) == NotLost(why)


def test_what_is_not_proven_for_ten_minutes_never_is() -> None:
    late = HISTORY.missing_since + UNREADABLE_S
    assert isinstance(judge_missing("j", [], "it has no total", HISTORY, late - 1.0), NotLost)
    assert isinstance(judge_missing("j", [], "it has no total", HISTORY, late), Lost)
