"""Which servers of earlier runs are to be done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner import __version__
from runner.app.listing import open_store
from runner.app.looking_back import LookingBack, look_back
from runner.app.programs import with_programs_of_now
from runner.app.replaying import replayed
from runner.app.standings import Known, newest_known, read_past_run
from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.journal.store import shown_ids
from runner.model import Outcome
from runner.plan.retry import Parent, retry_plan
from runner.rules.sightings import AtWork, Ended, NoJob, NotProven

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.app.standings import ReadRun
    from runner.journal.store import RunRow, RunStore
    from runner.plan.digests import LaneServer
    from runner.plan.plan import Plan

DEFAULT_OUTCOMES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN)
Newest = dict["LaneServer", Known]


class Retry(NamedTuple):
    """A plan that does servers again. `simulated`: it is of rehearsals, and so must be one itself.

    `at_work` says which servers are left out because a job of an earlier run is at work on them.
    """

    plan: Plan
    simulated: bool
    at_work: Sequence[str] = ()


def plan_retry(
    host: Host,
    state_dir: Path,
    texts: Sequence[str],
    only: Collection[str],
    *,
    look: bool,
    ca_bundle: Path | None,
    try_credential: bool = False,
) -> Retry:
    """Plan to do again those servers of the runs in a state folder whose newest outcome is one of `only`; see `retry_in`."""
    with open_store(state_dir, reading=True) as store:
        return host.run_loop(
            retry_in(host, store, texts, only, look=look, ca_bundle=ca_bundle, try_credential=try_credential)
        )


async def retry_in(
    host: Host,
    store: RunStore,
    texts: Sequence[str],
    only: Collection[str],
    *,
    look: bool,
    ca_bundle: Path | None = None,
    try_credential: bool = False,
) -> Retry:
    """Plan to do again those servers of the runs whose newest outcome is one of `only`.

    With `look`, the jobs of servers that timed out or are unknown are read once more first, and looked up by name where none
    is known; with `try_credential`, also by a credential that the service refused, though it is too soon for that. A later
    run of the same
    campaign counts, too: a server that succeeded since is left out. Real runs and rehearsals know nothing of one another.

    Raises:
        InvalidInput: there is no such run, or no such server in them; or only some of them were simulated.
        RefusedToStart: one of the runs goes on, or it cannot be told whether a job is at work.
    """
    rows = _asked(store, texts)
    simulated = bool(rows[0].simulated)
    asked = [read_past_run(store, row.id) for row in rows]
    newest = newest_known(store, asked)
    looking = LookingBack(host, store, ca_bundle, try_credential=try_credential)
    at_work = await _look_again(looking, newest, only) if look and not simulated else []
    parents = [Parent(run.row.id, run.plan, again) for run, again in _again(asked, newest, only) if again]
    if not parents:
        names = ", ".join(sorted(row.id for row in rows))
        raise InvalidInput(Problem(f"no server of {names} is {' or '.join(only)}", hint="; ".join(at_work)))
    plan = with_programs_of_now(retry_plan(parents, host.clock.wall(), __version__), host.environ)
    return Retry(plan, simulated, at_work)


def _asked(store: RunStore, texts: Sequence[str]) -> list[RunRow]:
    """The rows of the runs that a person means, oldest first."""
    rows = sorted((store.run(run_id) for run_id in {store.resolve(text) for text in texts}), key=lambda row: row.seq)
    for row in rows:
        if row.owner is not None:
            raise RefusedToStart(f"run {row.id} is not over", hint="wait for it, or resume it")
    if len({bool(row.simulated) for row in rows}) > 1:
        raise InvalidInput(Problem("some of the runs were simulated, and some not", hint="retry them apart"))
    return rows


def _again(
    asked: Sequence[ReadRun], newest: Newest, only: Collection[str]
) -> list[tuple[ReadRun, Mapping[LaneServer, int]]]:
    """For each run the servers to do again with its plan, which no newer one asked for has, and the step to go on at."""
    taken: set[LaneServer] = set()
    chosen: list[tuple[ReadRun, Mapping[LaneServer, int]]] = []
    for run in reversed(asked):
        mine = run.standings.keys() - taken
        again = {
            server: _step(run, server, newest[server])
            for server in run.standings  # in the order of the plan
            if server in mine and server in newest and newest[server].standing.outcome in only
        }
        taken |= mine
        chosen.append((run, again))
    return chosen[::-1]


def _step(run: ReadRun, server: LaneServer, known: Known) -> int:
    """Where to go on, as an index into the steps of the run; a later run may have had other steps."""
    steps = run.plan.steps
    name = known.standing.step if known.standing.step in steps else run.standings[server].step
    return steps.index(name)


async def _look_again(looking: LookingBack, newest: Newest, only: Collection[str]) -> list[str]:
    """Bring what is known up to date with what the service says now, also of names that were given up.

    A server that is at work is not known any more; return which those are, in words.
    """
    asked: dict[str, dict[int, list[LaneServer]]] = {}
    for server, known in newest.items():
        if known.standing.is_unsure:
            asked.setdefault(known.run_id, {}).setdefault(known.standing.request, []).append(server)
    at_work: list[str] = []
    for run_id, requests in asked.items():
        ids = {request: [server.server_id for server in servers] for request, servers in requests.items()}
        sightings = await look_back(looking, run_id, replayed(looking.host, looking.store, run_id), ids)
        for request, servers in requests.items():
            seen = sightings[request]
            if isinstance(seen, NotProven):
                if any(newest[server].standing.outcome in only for server in servers):
                    raise _not_proven(run_id, ids[request], seen.why)
                continue
            if isinstance(seen, AtWork):
                at_work.append(f"run {run_id} is at work on {shown_ids(ids[request])}: {seen.seen}")
            _brought_up_to_date(newest, servers, seen)
    return at_work


def _not_proven(run_id: str, servers: Sequence[str], why: str) -> RefusedToStart:
    return RefusedToStart(
        f"it cannot be told whether run {run_id} is at work on {shown_ids(servers)}: {why}",
        hint="try again; --only failed does the others; with --no-look its servers are taken as the run left them",
    )


def _brought_up_to_date(newest: Newest, servers: Sequence[LaneServer], seen: AtWork | Ended | NoJob) -> None:
    if isinstance(seen, AtWork):
        for server in servers:
            del newest[server]
    elif isinstance(seen, Ended):
        for server, outcome in zip(servers, seen.outcomes, strict=True):
            newest[server] = _after(newest[server], outcome)


def _after(known: Known, outcome: Outcome) -> Known:
    """What is known once the outcome of a step is: a server that got through one goes on at the next."""
    standing, plan = known.standing, known.plan
    steps = plan.steps[: plan.main_steps]
    if outcome is Outcome.SUCCEEDED and standing.step != steps[-1]:
        following = steps[steps.index(standing.step) + 1]
        return known._replace(standing=standing._replace(outcome=Outcome.NOT_STARTED, step=following))
    return known._replace(standing=standing._replace(outcome=outcome))
