"""`runner list` on a terminal of 80 columns: whatever the runs are called and however many servers they have."""

from __future__ import annotations

import json
from collections.abc import Iterator

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.cli.listing import WIDTH
from runner.settings import JOURNAL_FILE
from tests.app.past import AT_WORK, Past
from tests.cli.conftest import Program
from tests.cli.rollouts import given as give

NAMES = st.text("abc-_.09", min_size=1, max_size=64)
COUNTS = st.sampled_from([0, 1, 999, 98_765, 1_000_000])


@pytest.fixture
def past(program: Program) -> Iterator[Past]:
    program.state.mkdir()
    past = Past(program.state)
    yield past
    past.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, COUNTS, COUNTS, COUNTS, st.floats(0, 4e9))
def test_no_line_is_wider_than_the_terminal(
    program: Program, past: Past, name: str, good: int, bad: int, left: int, at: float
) -> None:
    run_id = past.run({"a": "s"}, campaign=name, parents=["20260101-000000-000000"] * 3, at=at)
    counts = {"servers": good + bad + left, "succeeded": good, "failed": bad, "not_started": left}
    past.store.finish(run_id, "interrupted", counts)
    lines = give(program, "list").splitlines()
    assert max(map(len, lines)) <= WIDTH
    shown = next(line for line in lines if line.startswith(run_id)).split()
    assert shown[1].removesuffix("...") == name[: len(shown[1].removesuffix("..."))]
    assert len(shown[1]) >= min(len(name), 8)
    assert [int(cell.replace(",", "")) for cell in shown[4:7]] == [good, bad, left]


def test_what_has_room_is_whole(program: Program, past: Past) -> None:
    past.run({"a": "s", "b": "f", "c": "?", "d": "n"}, campaign="nightly-maintenance")
    past.store.finish(past.run({"a": "s"}, campaign="c"), "finished", {"servers": 1, "succeeded": 1})
    header, newest, oldest = give(program, "list").splitlines()
    assert header.split() == ["run", "campaign", "state", "age", "good", "bad", "left", "exit"]
    assert newest.split()[1:3] == ["c", "finished"]
    assert newest.split()[4:] == ["1", "0", "0", "3"]
    assert oldest.split()[1] == "nightly-maintenance"


def test_counts_of_a_run_without_an_end_are_read_from_its_journal(program: Program, past: Past) -> None:
    past.run({"a": "s", "b": "f", "c": AT_WORK, "d": "n"}, state="stopped")
    (row,) = json.loads(give(program, "list", "--format", "json"))
    assert (row["counts"], row["progress"]) == (None, {"good": 1, "bad": 1, "left": 2})
    assert (row["state"], row["exit_code"], row["waits"]) == ("stopped", 3, [])


def test_a_run_that_cannot_be_read_does_not_hide_the_others(program: Program, past: Past) -> None:
    past.run({"a": "s"}, campaign="whole")
    broken = past.run({"a": "s", "b": "s"}, campaign="broken")
    db = apsw.Connection(str(program.state / JOURNAL_FILE))
    db.execute("UPDATE plan SET body = x'00' WHERE plan_hash = (SELECT plan_hash FROM run WHERE id = ?)", (broken,))
    db.close()
    said = give(program, "list")
    assert "  waits: its journal cannot be read: see `runner verify`\n" in said
    assert " whole " in said
    assert len(json.loads(give(program, "list", "--format", "json"))) == 2
    give(program, "show", broken, code=6, says="is damaged")
