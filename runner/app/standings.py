"""What is known of the servers of past runs: how each came out of the newest run that touched it.

Of the later runs only those are read that may tell of a server of which nothing newer is known: of the same campaign, all
of them real or all rehearsals, and with a server in common, in the same lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from runner.app.history import plan_of
from runner.plan.digests import digest, lane_servers, share
from runner.run.by_server import ServerStanding, by_server
from runner.run.evolve import replay
from runner.run.facts import initial_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.journal.history import PastRun
    from runner.journal.store import RunRow, RunStore
    from runner.plan.digests import LaneServer
    from runner.plan.plan import Plan


class Known(NamedTuple):
    """What is known of a server, and the run that tells it, with its plan."""

    standing: ServerStanding
    plan: Plan
    run_id: str


@dataclass(frozen=True, slots=True, eq=False)
class ReadRun:
    """A run that was read: its row, its plan, and how its servers came out of it."""

    row: RunRow
    plan: Plan
    standings: Mapping[LaneServer, ServerStanding]


def read_past_run(store: RunStore, run_id: str, plan: Plan | None = None) -> ReadRun:
    """Read a run; `plan` is its plan where that is at hand."""
    row = store.run(run_id)
    plan = plan or plan_of(store, row.plan_hash, run_id)
    facts = initial_facts(plan)
    replay(facts, store.read_events(run_id, lean=True))
    return ReadRun(row, plan, by_server(facts))


def newest_known(store: RunStore, asked: Sequence[ReadRun]) -> dict[LaneServer, Known]:
    """How every server of the runs asked for came out of the newest run that touched it, these or a later one.

    A run that left a server not started says nothing of it; but one that was asked for and is no retry does: it is what the
    person asks about. Where nothing else is known, not started is what the newest of those asked for says.
    """
    open_servers = {server for run in asked for server in run.standings}
    known: dict[LaneServer, Known] = {}
    for run in _newest_first(store, asked, open_servers):
        says_all = run in asked and not run.plan.parents
        told = {
            server: Known(standing, run.plan, run.row.id)
            for server, standing in run.standings.items()
            if server in open_servers and (standing.touched or says_all)
        }
        known |= told
        open_servers -= told.keys()
        if not open_servers:
            break
    for run in asked:
        known |= {
            server: Known(run.standings[server], run.plan, run.row.id) for server in open_servers & run.standings.keys()
        }
    return known


def _newest_first(store: RunStore, asked: Sequence[ReadRun], open_servers: set[LaneServer]) -> Iterator[ReadRun]:
    """The runs that may tell of servers, those asked for among them. `open_servers` shrinks while this goes on."""
    by_id = {run.row.id: run for run in asked}
    filtered = _Filter(open_servers)
    for past in _later(store, asked):
        if past.id in by_id:
            yield by_id[past.id]
        elif past.sent and filtered.may_share(past):
            plan = plan_of(store, past.plan_hash, past.id)
            if not open_servers.isdisjoint(lane_servers(plan)):
                yield read_past_run(store, past.id, plan)


def _later(store: RunStore, asked: Sequence[ReadRun]) -> Iterator[PastRun]:
    """The runs of each campaign from the oldest one asked for on, newest first."""
    oldest: dict[str, int] = {}
    for run in asked:
        oldest[run.row.campaign] = min(run.row.seq, oldest.get(run.row.campaign, run.row.seq))
    simulated = any(run.row.simulated for run in asked)
    streams = [store.history.later(name, seq - 1, simulated=simulated) for name, seq in oldest.items()]
    return merge(*streams, key=lambda past: -past.seq)


class _Filter:
    """Tells which runs may have one of the servers that are open; made anew when half of them are not any more."""

    def __init__(self, open_servers: set[LaneServer]) -> None:
        self._open = open_servers
        self._digests: set[int] = set()
        self._made_for = -1

    def may_share(self, past: PastRun) -> bool:
        if past.digests is None:
            return True
        if self._made_for < 0 or len(self._open) * 2 <= self._made_for:
            self._digests, self._made_for = {digest(server) for server in self._open}, len(self._open)
        return share(past.digests, self._digests)
