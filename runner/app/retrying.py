"""Which servers of earlier runs are to be done again."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from runner import __version__
from runner.app.history import open_store
from runner.app.programs import with_programs_of_now
from runner.app.remembering import credentials_of, memory_of
from runner.app.standings import Known, newest_known, read_past_run
from runner.engine.clock import RunClock
from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.model import Outcome
from runner.plan.retry import Parent, retry_plan
from runner.rules.answers import Cause, ReadFailed
from runner.rules.outcomes import JobEnding, Outcomes, is_finished

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.app.standings import ReadRun
    from runner.engine.calls import LaneCredential
    from runner.engine.ports import JobService
    from runner.journal.store import RunRow, RunStore
    from runner.model import Job
    from runner.plan.digests import LaneServer
    from runner.plan.plan import Plan

DEFAULT_OUTCOMES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN)
_HOLDER_BYTES = 8
_WORTH_A_LOOK = {Outcome.TIMED_OUT, Outcome.UNKNOWN}

Newest = dict["LaneServer", Known]


class Retry(NamedTuple):
    """A plan that does servers again. `simulated`: it is of rehearsals, and so must be one itself."""

    plan: Plan
    simulated: bool


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

    With `look`, the jobs of servers that timed out or are unknown are read once more first; with `try_credential`, also
    by a credential that the service refused, though it is too soon for that. A later run of the same
    campaign counts, too: a server that succeeded since is left out. Real runs and rehearsals know nothing of one another.

    Raises:
        InvalidInput: there is no such run, or no such server in them; or only some of them were simulated.
        RefusedToStart: one of the runs goes on, or a job cannot be looked at.
    """
    rows = _asked(store, texts)
    simulated = bool(rows[0].simulated)
    asked = [read_past_run(store, row.id) for row in rows]
    newest = newest_known(store, asked)
    if look and not simulated:
        await _look_again(_Looking(host, store, ca_bundle, try_credential), newest)
    parents = [Parent(run.row.id, run.plan, again) for run, again in _again(asked, newest, only) if again]
    if not parents:
        names = ", ".join(sorted(row.id for row in rows))
        raise InvalidInput(Problem(f"no server of {names} is {' or '.join(only)}"))
    plan = with_programs_of_now(retry_plan(parents, host.clock.wall(), __version__), host.environ)
    return Retry(plan, simulated)


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


class _Looking(NamedTuple):
    """How jobs are looked at."""

    host: Host
    store: RunStore
    ca_bundle: Path | None
    try_credential: bool


async def _look_again(looking: _Looking, newest: Newest) -> None:
    """Bring what is known up to date with what the service says now. A server that is at work is not known any more."""
    jobs: dict[str, dict[str, list[LaneServer]]] = {}
    for server, known in newest.items():
        if known.standing.outcome in _WORTH_A_LOOK and known.standing.job_id is not None:
            jobs.setdefault(known.plan.plan_hash, {}).setdefault(known.standing.job_id, []).append(server)
    for of_plan in jobs.values():
        plan = newest[next(iter(of_plan.values()))[0]].plan
        for job_id, job in (await _jobs_of(looking, plan, of_plan)).items():
            _brought_up_to_date(newest, of_plan[job_id], job)


def _untold(_: str) -> None:
    """What a person should know of a run is told when it begins."""


async def _jobs_of(looking: _Looking, plan: Plan, wanted: Mapping[str, Sequence[LaneServer]]) -> dict[str, Job]:
    host = looking.host
    jobs: dict[str, Job] = {}
    memory = memory_of(
        looking.store,
        host.chance.randbytes(_HOLDER_BYTES).hex(),
        host.clock.wall,
        timeout_s=plan.submit.timeout_s,
        insists=looking.try_credential,
    )
    async with AsyncExitStack() as stack:
        services = await host.open_services(
            stack, plan, str, behaviour=None, ca_bundle=looking.ca_bundle, most_reads=1, notice=_untold, memory=memory
        )
        credentials = credentials_of(services, memory, RunClock(host.clock))
        labels = [lane.label for lane in plan.lanes]
        for job_id, servers in wanted.items():
            lane = labels.index(servers[0].lane)
            job = await _read(services[lane], credentials[lane], job_id)
            if isinstance(job, ReadFailed):
                raise RefusedToStart(
                    f"job {job_id} cannot be looked at: {job.error.message}",
                    hint="try again; with --no-look its servers are taken as the run left them",
                )
            jobs[job_id] = job
    return jobs


async def _read(service: JobService, credential: LaneCredential, job_id: str) -> Job | ReadFailed:
    async def at_once() -> bool:
        return True

    call = await credential.enter(at_once)
    if call is None:
        return credential.refusal
    job: Job | ReadFailed | None = None
    try:
        job = await service.get(job_id, call)
    finally:
        credential.end(call, job)
    if isinstance(job, ReadFailed) and job.cause is Cause.UNAUTHENTICATED:
        return credential.refusal
    return credential.refusal if job is None else job


def _brought_up_to_date(newest: Newest, servers: Sequence[LaneServer], job: Job) -> None:
    ids = [server.server_id for server in servers]
    if not is_finished(job, ids):
        for server in servers:
            del newest[server]
        return
    for server, outcome in zip(servers, Outcomes.of_job(ids, job, JobEnding.FINISHED), strict=True):
        newest[server] = _after(newest[server], outcome)


def _after(known: Known, outcome: Outcome) -> Known:
    """What is known once the outcome of a step is: a server that got through one goes on at the next."""
    standing, plan = known
    steps = plan.steps[: plan.main_steps]
    if outcome is Outcome.SUCCEEDED and standing.step != steps[-1]:
        following = steps[steps.index(standing.step) + 1]
        return Known(standing._replace(outcome=Outcome.NOT_STARTED, step=following), plan)
    return Known(standing._replace(outcome=outcome), plan)
