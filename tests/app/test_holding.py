"""The servers that a run holds, where somebody else has the database when they are to be given free."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw

from runner.app.carrying import Work
from runner.app.holding import let_go_patiently
from runner.app.process import this_host
from runner.engine.clock import RunClock
from runner.journal.sqlite import SqliteStore
from runner.journal.store import RunRecord
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from tests.app.past import past_plan


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
