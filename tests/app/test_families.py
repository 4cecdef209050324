"""What a run must leave to the others of its family, after any past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.app.families import left_to_kin, refuse_mixed
from runner.app.history import stored_plan
from runner.errors import RefusedToStart
from runner.model import Lane
from runner.plan.digests import LaneServer, lane_servers
from tests.app.past import AT_WORK, NOT_SENT, Past, past_plan

ELSEWHERE = Lane("r", None, "q")


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path)
    yield made
    made.close()


def left_by(past: Past, run_id: str, to_do: str | None = None) -> dict[str, str]:
    """Which servers a run leaves to which run, of those that it is not through with (None: of all)."""
    servers = lane_servers(stored_plan(past.store, run_id))
    mine = {server: 0 for server in servers if to_do is None or server.server_id in to_do}
    return {id_: event.run_id for event in left_to_kin(past.store, run_id, mine, 1.0) for id_ in event.servers}


ALL = dict.fromkeys("abcdef", NOT_SENT)


def test_what_a_later_run_has_touched_is_left_to_it_however_it_came_out(past: Past) -> None:
    first = past.run(ALL, state="stopped")
    child = past.run({"a": "s", "b": "f", "c": "t", "d": AT_WORK, "e": NOT_SENT}, parents=[first])
    assert left_by(past, first) == dict.fromkeys("abcd", child)
    assert left_by(past, first, "ae") == {"a": child}


@pytest.mark.parametrize("state", ["stopped", "unusable", "submitted"])
def test_what_a_later_run_may_still_touch_is_left_to_it(past: Past, state: str) -> None:
    first = past.run(ALL, state="stopped")
    child = past.run({"a": "s", "e": NOT_SENT}, parents=[first], state=state)
    assert left_by(past, first) == {"a": child, "e": child}


def test_what_a_later_run_gave_up_unsent_is_free_again(past: Past) -> None:
    first = past.run(ALL, state="stopped")
    past.run({"a": NOT_SENT}, parents=[first], state="aborted")
    assert left_by(past, first) == {}


def test_a_run_that_never_said_that_it_began_is_open_all_the_same(past: Past) -> None:
    first = past.run(ALL, state="stopped")
    child = past.add(past_plan(["a"], parents=[first]))
    assert left_by(past, first) == {"a": child}


def test_grandchildren_and_siblings_count_too(past: Past) -> None:
    first = past.run(ALL, state="stopped")
    child = past.run({"a": "f", "b": NOT_SENT}, parents=[first])
    grandchild = past.run({"a": "s"}, parents=[child])
    sibling = past.run({"b": "s", "c": "s"}, parents=[first])
    assert left_by(past, first) == {"a": grandchild, "b": sibling, "c": sibling}
    assert left_by(past, child) == {"a": grandchild, "b": sibling}
    assert left_by(past, sibling) == {}


def test_what_succeeded_in_an_earlier_run_is_done_and_what_failed_there_is_not(past: Past) -> None:
    first = past.run({"a": "s", "b": "f", "c": AT_WORK, "d": NOT_SENT}, state="stopped")
    child = past.run(dict.fromkeys("abcd", NOT_SENT), parents=[first], state="stopped")
    assert left_by(past, child) == {"a": first}


def test_a_success_that_came_before_a_failure_is_no_success(past: Past) -> None:
    first = past.run({"a": "s"})
    second = past.run({"a": "f"}, parents=[first])
    third = past.run({"a": NOT_SENT}, parents=[second], state="stopped")
    assert left_by(past, third) == {}


def test_a_server_that_has_steps_left_to_do_is_not_done(past: Past) -> None:
    first = past.run({"a": "s" + NOT_SENT, "b": "ss"}, state="stopped")
    child = past.run({"a": NOT_SENT * 2, "b": NOT_SENT * 2}, parents=[first], state="stopped")
    assert left_by(past, child) == {"b": first}
    assert left_by(past, first, "a") == {"a": child}


def test_rehearsals_and_runs_elsewhere_take_nothing_away(past: Past) -> None:
    first = past.run(ALL, state="stopped")
    rehearsal = past.run({"a": "s"}, parents=[first], simulated=True)
    past.run({"b": "s"}, parents=[first], lane=ELSEWHERE)
    past.run({"c": "s"})
    assert left_by(past, first) == {}
    assert left_by(past, rehearsal) == {}


def test_groups_are_those_of_the_run_that_leaves_them(past: Past) -> None:
    first = past.run(ALL, state="stopped")
    past.run({"a": "s", "b": "s"}, parents=[first])
    to_do = {LaneServer("r/p", "a"): 1, LaneServer("r/p", "b"): 0, LaneServer("r/p", "c"): 0}
    events = left_to_kin(past.store, first, to_do, 1.0)
    assert [(event.group, event.servers) for event in events] == [(0, ("b",)), (1, ("a",))]


def test_a_retry_of_a_rehearsal_is_none_of_a_real_run(past: Past) -> None:
    rehearsal = past.run({"a": "f"}, simulated=True)
    again = past_plan(["a"], parents=[rehearsal, "of another folder"])
    with pytest.raises(RefusedToStart, match=f"run {rehearsal} did, and that was simulated"):
        refuse_mixed(past.store, again, simulated=False)
    refuse_mixed(past.store, again, simulated=True)
    refuse_mixed(past.store, past_plan(["a"], parents=[past.run({"a": "f"})]), simulated=False)
    refuse_mixed(past.store, past_plan(["a"], parents=["of another folder"]), simulated=False)
