"""Runs that were retried from one another: what one of them must leave to the others, and all of them folded into one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runner.app.history import stored_run
from runner.app.listing import open_store
from runner.app.standings import read_past_run
from runner.errors import RefusedToStart
from runner.model import JsonObject, Outcome
from runner.plan.digests import LaneServer
from runner.run import events as e
from runner.run.by_server import by_server
from runner.run.excluding import is_to_do

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from runner.app.history import StoredRun
    from runner.app.standings import ReadRun
    from runner.journal.store import RunRow, RunStore
    from runner.plan.plan import Plan
    from runner.run.facts import Facts

LINEAGE_VERSION = "runner/lineage/v1"


def refuse_mixed(store: RunStore, plan: Plan, *, simulated: bool) -> None:
    """What was only rehearsed is not done again for real.

    Raises:
        RefusedToStart: the plan does again what a rehearsal did, and is to be carried out for real.
    """
    for row in () if simulated else _known(store, plan.parents):
        if row.simulated:
            raise RefusedToStart(
                f"the plan does again what run {row.id} did, and that was simulated",
                hint="rehearse it with --simulate, or make a plan from the jobspec",
            )


def refuse_rehearsal(row: RunRow) -> None:
    """A rehearsal is not gone on with: that would be for real.

    Raises:
        RefusedToStart: the run is one, or nobody knows: it was made by an earlier version, and never began.
    """
    if row.simulated is None:
        what = f"run {row.id} never began, and it is not known whether it was to be simulated"
        raise RefusedToStart(what, hint="start a new one")
    if row.simulated:
        raise RefusedToStart(f"run {row.id} was against a simulator, which ended with it", hint="start a new one")


def _known(store: RunStore, ids: Collection[str]) -> list[RunRow]:
    present = {kin for run_id in ids for kin in store.history.family(run_id)}
    return [store.run(run_id) for run_id in ids if run_id in present]


def left_out(store: RunStore, run_id: str, facts: Facts, at: float) -> list[e.LeftOut]:
    """The servers of a run, as it stands, that it must leave to other runs of its family. `at` is epoch seconds."""
    if len(store.history.family(run_id)) == 1:
        return []
    to_do = {
        LaneServer(facts.plan.lanes[facts.lane_index(request)].label, server.id): facts.requests.entries[request].group
        for request in range(len(facts.phases))
        if is_to_do(facts, request)
        for server in facts.requests.servers_of(request)
    }
    done = {server for server, standing in by_server(facts).items() if standing.outcome is Outcome.SUCCEEDED}
    return left_to_kin(store, run_id, to_do, at, done=done)


def left_to_kin(
    store: RunStore, run_id: str, to_do: Mapping[LaneServer, int], at: float, *, done: Collection[LaneServer] = ()
) -> list[e.LeftOut]:
    """Which of its servers a run must leave to which other. A server belongs to one run of a family at a time.

    `to_do` gives the servers that the run is not through with, each with its group. Of a run that was made later, those are
    left to it that it may still touch, because it is not over, and all that it has touched, however they came out of it:
    to do a server again is a retry's business. Of an earlier run, which may have gone on since the plan was made, those that
    succeeded in it are done. So a server that is `done` but for a check is not left to a later run that has not touched it.
    """
    own = store.run(run_id)
    open_servers = set(to_do)
    found: list[e.LeftOut] = []
    for kin in _kin_newest_first(store, own):
        if not open_servers:
            break
        theirs = [server for server in kin.standings if server in open_servers]
        is_later = kin.row.seq > own.seq
        kept = [server for server in theirs if _is_kept(kin, server, is_later=is_later, is_done=server in done)]
        found += _events(at, kin.row.id, kept, to_do)
        # The newest run that touched a server tells of it, and no older one.
        open_servers.difference_update(kept, (server for server in theirs if kin.standings[server].touched))
    return found


def _kin_newest_first(store: RunStore, own: RunRow) -> Iterator[ReadRun]:
    """The others of the family: all real, or all rehearsals."""
    for run_id in reversed(store.history.family(own.id)):
        if run_id != own.id and store.run(run_id).simulated == own.simulated:
            yield read_past_run(store, run_id)


def _is_kept(kin: ReadRun, server: LaneServer, *, is_later: bool, is_done: bool) -> bool:
    standing = kin.standings[server]
    if is_later:
        return standing.touched or not (is_done or kin.row.state.is_over)
    return standing.outcome is Outcome.SUCCEEDED


def _events(
    at: float, run_id: str, servers: Collection[LaneServer], group_of: Mapping[LaneServer, int]
) -> list[e.LeftOut]:
    groups: dict[int, list[str]] = {}
    for server in servers:
        groups.setdefault(group_of[server], []).append(server.server_id)
    return [e.LeftOut(at, group, tuple(ids), run_id) for group, ids in sorted(groups.items())]


def lineage(state_dir: Path, text: str) -> JsonObject:
    """The family of a run, its ancestors and whatever was retried from any of them, folded into one.

    Of a real run, rehearsals tell nothing, nor the other way round. A server that a run did not touch is as it was before.
    """
    with open_store(state_dir, reading=True) as store:
        asked = store.run(store.resolve(text))
        runs: list[JsonObject] = []
        servers: dict[LaneServer, JsonObject] = {}
        for run_id in store.history.family(asked.id):
            if bool(store.run(run_id).simulated) is bool(asked.simulated):
                stored = stored_run(store, run_id, state_dir)
                parents, counts = list(store.history.parents(run_id)), stored.report.head["counts"]
                runs.append({**stored.report.head["run"], "parents": parents, "counts": counts})
                servers |= _servers(run_id, stored, servers)
    outcomes = Counter(server["outcome"] for server in servers.values())
    counts = {"servers": len(servers), **{outcome.value: outcomes[outcome.value] for outcome in Outcome}}
    abnormal = sum(outcomes[outcome.value] for outcome in Outcome if outcome.is_abnormal)
    return {
        "schema_version": LINEAGE_VERSION,
        "runs": runs,
        "counts": counts,
        "abnormal_count": abnormal,
        "servers": list(servers.values()),
    }


def _servers(run_id: str, stored: StoredRun, before: Collection[LaneServer]) -> dict[LaneServer, JsonObject]:
    """What the run says of servers: of those it touched, and of those that no run before it had."""
    names = {
        LaneServer(job["lane"], task["server_id"]): task["server_name"]
        for job in stored.report.jobs()
        for task in job["tasks"]
    }
    return {
        server: {
            "server_id": server.server_id,
            "server_name": names[server],
            "lane": server.lane,
            "outcome": standing.outcome.value,
            "step": standing.step,
            "run": run_id,
        }
        for server, standing in by_server(stored.report.facts).items()
        if standing.touched or server not in before
    }
