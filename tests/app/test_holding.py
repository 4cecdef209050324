"""The servers that a run holds, where somebody else has the database when they are to be given free."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from runner.app.carrying import Work
from runner.app.holding import let_go, let_go_patiently
from runner.app.process import this_host
from runner.engine.clock import RunClock
from runner.journal.sqlite import SqliteStore
from runner.journal.store import RunRecord
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from tests.app.past import past_plan
from tests.driving import job_of


async def test_a_run_that_ended_gives_its_servers_free_once_the_database_is(tmp_path: Path) -> None:
    host, plan = this_host(), past_plan("ab")
    facts = initial_facts(plan)
    started = e.RunStarted(1.0, "c", plan.plan_hash, "0", simulated=False, watched=True)
    replay(facts, [started, e.RunEnded(2.0, "aborted", "", 4)])
    store = SqliteStore(tmp_path / "journal.db", wait_s=0.0)
    store.save_plan(plan.plan_hash, b"{}")
    store.create_run(RunRecord("run-1", "c", plan.plan_hash, 1.0, servers=("a", "b"), lease_s=60.0))
    other = apsw.Connection(str(tmp_path / "journal.db"))
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.1, other.execute, "ROLLBACK")
    await let_go_patiently(host, store, Work("run-1", plan, facts, RunClock(host.clock), None))
    assert (store.leases(), store.run("run-1").state) == ([], "aborted")
    other.close()
    store.close()


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("taken", [False, True])
def test_a_server_whose_second_job_is_found_when_it_was_let_go_is_held_again_unless_another_has_it(
    tmp_path: Path, *, taken: bool, simulated: bool
) -> None:
    plan = past_plan("ab")
    facts = initial_facts(plan)
    replay(facts, [e.RunStarted(1.0, "c", plan.plan_hash, "0", simulated=simulated, watched=True)])
    replay(
        facts,
        [e.Intended(1.0, 0), e.Accepted(1.0, 0, job_of(0)), e.Settled(2.0, 0, "s" * len(facts.servers_of(0)), 1.0)],
    )
    replay(facts, [e.Doubled(3.0, 0, ("one", "two")), e.RunEnded(4.0, "finished", "", 3)])
    doubled = [server.id for server in facts.servers_of(0)]
    with closing(SqliteStore(tmp_path / "journal.db", wait_s=0.0)) as store:
        store.save_plan(plan.plan_hash, b"{}")
        store.create_run(RunRecord("run-1", "c", plan.plan_hash, 1.0, lease_s=60.0))
        if taken:
            store.create_run(RunRecord("run-2", "c", plan.plan_hash, 1.0, servers=doubled, lease_s=60.0))
        let_go(store, Work("run-1", plan, facts, RunClock(this_host().clock), None))
        holders = [(row.run_id, row.servers) for row in store.leases()]
    mine = [] if taken or simulated else [("run-1", len(doubled))]
    assert holders == mine + [("run-2", len(doubled))] * taken
