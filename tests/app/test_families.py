"""What a run must leave to the others of its family, after any past."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app.families import left_out, left_to_kin, refuse_mixed
from runner.app.history import stored_plan
from runner.app.process import this_host
from runner.app.retrying import plan_retry
from runner.errors import InvalidInput, RefusedToStart
from runner.model import Job, Lane
from runner.plan.digests import LaneServer, lane_servers
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from tests.app.past import AT_WORK, NOT_SENT, Past, past_plan
from tests.conftest import small_plan

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


def test_a_server_that_needs_a_check_only_is_left_to_a_later_run_once_that_has_touched_it(past: Past) -> None:
    first = past.run(dict.fromkeys("abc", "s"), state="stopped")
    child = past.run({"a": "f", "b": NOT_SENT}, parents=[first], state="stopped")
    mine = dict.fromkeys(lane_servers(stored_plan(past.store, first)), 0)
    events = left_to_kin(past.store, first, mine, 1.0, done=mine)
    assert [(event.servers, event.run_id) for event in events] == [(("a",), child)]


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


# --- whole families, drawn


class Family:
    """Runs of one campaign that are begun, stopped, gone on with and retried at random; what each server got is noted.

    A server's job comes out at once. What a run may send is what its plan and its journal leave it, less what is its kin's.
    """

    def __init__(self, past: Past, rng: random.Random) -> None:
        self.past = past
        self.rng = rng
        self.jobs: dict[str, list[tuple[str, str]]] = {}
        self.runs: list[str] = []

    def begin(self, plan: Plan) -> None:
        self.runs.append(self.past.add(plan))
        self.go_on(self.runs[-1])

    def retry(self) -> None:
        only = self.rng.choice((("failed", "unknown"), ("failed", "unknown", "not_started"), ("not_started",)))
        asked = self.rng.sample(self.runs, self.rng.choice((1, 1, 2)) if len(self.runs) > 1 else 1)
        try:
            plan = plan_retry(this_host(), self.past.folder, asked, only, look=False, ca_bundle=None).plan
        except InvalidInput:
            return  # there is nothing to do again, or the runs have too little in common
        if self.rng.random() < 0.3:
            self.resume()  # the plan lies in a file meanwhile
        self.begin(plan)

    def resume(self) -> None:
        run_id = self.rng.choice(self.runs)
        if not self.past.store.run(run_id).state.is_over:
            self.past.append(run_id, [e.RunResumed(1.0, "0"), e.Surveyed(1.0, 0)])
            self.go_on(run_id)

    def go_on(self, run_id: str) -> None:
        plan = stored_plan(self.past.store, run_id)
        facts = initial_facts(plan)
        replay(facts, self.past.store.read_events(run_id))
        theirs = {server for event in left_out(self.past.store, run_id, facts, 1.0) for server in event.servers}
        events: list[e.Event] = []
        for request, phase in enumerate(facts.phases):
            (server,) = facts.servers_of(request)
            if phase.is_over or server.id in theirs or self.rng.random() < 0.4:
                continue
            letter = self.rng.choice("ssf")
            job = Job(f"job-{request}", None, None, None, None, None, None, None, None)
            events += [e.Intended(1.0, request), e.Accepted(1.0, request, job), e.Settled(1.0, request, letter, 1.0)]
            self.check_kin(run_id, server.id)
            self.jobs.setdefault(server.id, []).append((run_id, letter))
        state = self.rng.choice(("stopped", "stopped", "aborted"))
        self.past.append(run_id, [*events, e.RunEnded(2.0, state, "", 5)])

    def check_kin(self, run_id: str, server_id: str) -> None:
        """What the run takes, no newer open run of the family has in its plan."""
        for kin in self.past.store.history.family(run_id):
            row = self.past.store.run(kin)
            if row.seq > self.past.store.run(run_id).seq and not row.state.is_over:
                assert server_id not in {s.server_id for s in lane_servers(stored_plan(self.past.store, kin))}


def test_servers_of_every_lane_are_left_to_a_retry(past: Past) -> None:
    plan = small_plan((1, 1), (1,), lanes=2)
    first = past.add(plan, [e.RunEnded(9.0, "stopped", "", 5)])
    child = past.add(replace(plan, parents=(first,)))
    facts = initial_facts(stored_plan(past.store, first))
    replay(facts, past.store.read_events(first))
    left = [(event.group, event.servers, event.run_id) for event in left_out(past.store, first, facts, 1.0)]
    assert left == [(0, ("g0-s0",), child), (1, ("g1-s0",), child)]


@pytest.mark.parametrize("seed", range(30))
def test_in_no_family_does_a_server_get_a_job_after_one_that_succeeded(past: Past, seed: int) -> None:
    rng = random.Random(seed)
    family = Family(past, rng)
    family.begin(past_plan("abcdefgh"))
    for _ in range(12):
        rng.choice((family.retry, family.resume, family.resume))()
    for server, jobs in family.jobs.items():
        assert "s" not in [letter for _, letter in jobs[:-1]], (server, jobs)
        assert len({run_id for run_id, _ in jobs}) == len(jobs), (server, jobs)
