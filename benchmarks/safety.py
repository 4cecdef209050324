"""What safety costs: submitting with the journal and without one, and what resume does beside a bare SELECT.

Besides wall time each table has the CPU time, which says the same on a machine that has other things to do.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw
import uvloop

from benchmarks.submission import JOBSPEC, PORT, nginx
from benchmarks.tools import RUNS, header, median, row, runner, timed
from runner.app.bodies import BodyMaker
from runner.app.history import stored_plan
from runner.app.listing import open_store
from runner.app.remembering import credentials_of
from runner.app.services import Surroundings, open_lane_services
from runner.engine.clock import RunClock, SystemClock
from runner.engine.lane import LaneContext
from runner.engine.pace import Pace
from runner.engine.ports import JobService, Journal
from runner.engine.recorder import Recorder
from runner.engine.refusals import CredentialMemory, KeptInProcess
from runner.engine.run import RunContext, RunEngine
from runner.journal.owner import this_process
from runner.journal.store import RunRecord, RunStore
from runner.model import Job, Task
from runner.plan.codec import plan_from_json, plan_to_json
from runner.plan.keys import job_name, request_key, run_token
from runner.plan.plan import Plan
from runner.plan.rollout.model import PlannedCheck
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import Facts, initial_facts
from runner.settings import JOURNAL_FILE

REQUESTS = 20_000
SERVERS, PER_JOB = 100_000, 50
RUN_ID = "20250101-000000-bench0"
READS_PER_S, READS_BURST = 10.0, 10
READS = 15
# Its limits count each server, and never bind, for nothing is over before all is sent: it shows what deciding costs.
ROLLOUT = """\
rollout:
  waves: [{name: all}]
  budget: {max_abnormal: 100%, max_unavailable: 100%, per: {labels.rack: 16}}
  abort: {sequential: {healthy: 1%, bad: 5%, false_alarm: 1%, miss: 5%}}
"""
GC_THRESHOLD = (200_000, 50, 100)  # as `runner.cli.main` sets it


class NullJournal:
    """Remembers nothing; every event counts as durable at once."""

    def __init__(self) -> None:
        self._done = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    is_owned = True
    is_blocked = False

    def append(self, events: Sequence[e.Event]) -> Awaitable[None]:
        """Forget events."""
        del events
        return self._done


class _NoChecks:
    """The rollout that is measured asks for none."""

    async def check(self, check: PlannedCheck) -> tuple[bool, str]:
        raise AssertionError(check)


@contextmanager
def _state_folder() -> Iterator[Path]:
    """A folder on the disk that is measured, not in memory."""
    folder = Path.cwd() / ".benchmark-state"
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder)


def _write_plan(folder: Path, jobspec: str, servers: int) -> Path:
    with (folder / "fleet.ndjson").open("w") as file:
        file.writelines(
            f'{{"id":"{uuid.uuid4()}","name":"node-{number:07}","rack":"r{number // 16}"}}\n'
            for number in range(servers)
        )
    (folder / "job.yaml").write_text(jobspec)
    timed(runner("plan", folder / "job.yaml", "-o", folder / "plan.json"))
    return folder / "plan.json"


def _new_run(store: RunStore, plan: Plan) -> Journal:
    store.save_plan(plan.plan_hash, plan_to_json(plan))
    owner = this_process(RUN_ID)
    servers = [server.id for group in plan.groups for server in group.servers]
    store.create_run(RunRecord(RUN_ID, plan.campaign, plan.plan_hash, time.time(), owner, servers))
    return store.open_run(RUN_ID, owner)


# Submitting. Each measurement is a process of its own, put together as `runner.app.running` does it.


async def _submit(plan: Plan, journal_kind: str) -> tuple[float, float]:
    """Creates per second and CPU microseconds a create, from the first intent to the last answer."""
    async with AsyncExitStack() as stack:
        store = stack.enter_context(open_store(stack.enter_context(_state_folder())))
        state = initial_facts(plan)
        bodies = BodyMaker(plan, RUN_ID, state, os.environ)
        (service,) = await open_lane_services(
            stack, plan, bodies.redact, Surroundings(os.environ, Path.home(), time.time)
        )
        journal = NullJournal() if journal_kind == "null" else _new_run(store, plan)
        all_sent = asyncio.Event()
        recorder = Recorder(state, journal, lambda _: all_sent.set() if state.accepted == REQUESTS else None)
        clock = RunClock(SystemClock())
        engine = RunEngine(recorder, [_lane(service, recorder, clock, bodies)], clock, RunContext(checker=_NoChecks()))
        gc.set_threshold(*GC_THRESHOLD)
        gc.freeze()
        began, cpu_began = time.perf_counter(), time.process_time()
        await recorder.record(_started(plan, watched=journal_kind == "watched"))
        running = asyncio.create_task(engine.run())
        await all_sent.wait()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        running.cancel()  # a wave is not over before its jobs are, and nobody watches them
        return REQUESTS / took, cpu / REQUESTS * 1e6


def _lane(service: JobService, recorder: Recorder, clock: RunClock, bodies: BodyMaker) -> LaneContext:
    return LaneContext(
        index=0,
        service=service,
        recorder=recorder,
        clock=clock,
        creates=Pace(None, 1, clock),
        reads=Pace(READS_PER_S, READS_BURST, clock),
        credential=credentials_of([service], CredentialMemory(KeptInProcess(), time.time, RUN_ID), clock)[0],
        body_of=bodies.body_of,
        job_name_of=bodies.job_name_of,
        run_token=run_token(RUN_ID),
        jitter=random.random,
    )


def _started(plan: Plan, *, watched: bool) -> e.RunStarted:
    return e.RunStarted(time.time(), plan.campaign, plan.plan_hash, "0", simulated=False, watched=watched)


class _Way(NamedTuple):
    """A way to submit: how it is called, the journal (`null`, `sqlite`, or that and jobs watched: `watched`), the plan."""

    called: str
    journal: str
    plan: Path


def _submissions(folder: Path) -> None:
    plan = _write_plan(folder, JOBSPEC.format(port=PORT), REQUESTS)
    _in_turn(folder, "journal", [_Way("none", "null", plan), _Way("SQLite, durable", "sqlite", plan)])


def _careful_submissions(folder: Path) -> None:
    plan = _write_plan(folder, JOBSPEC.format(port=PORT), REQUESTS)
    (folder / "rollout").mkdir()
    careful = _write_plan(folder / "rollout", JOBSPEC.format(port=PORT) + ROLLOUT, REQUESTS)
    _in_turn(folder, "rollout", [_Way("none", "watched", plan), _Way("one wave, limits, test", "watched", careful)])


def _in_turn(folder: Path, what: str, ways: Sequence[_Way]) -> None:
    measured: list[list[tuple[float, float]]] = [[] for _ in ways]
    with nginx(folder):
        for _ in range(RUNS):
            for way, results in zip(ways, measured, strict=True):
                command = [sys.executable, "-m", "benchmarks.safety", "submit", way.journal, str(way.plan)]
                out = timed(command, HUAWEICLOUD_SDK_AK="a", HUAWEICLOUD_SDK_SK="b")[1].split()
                results.append((float(out[0]), float(out[1])))
    header(what, f"creates/s, median of {RUNS}", "ratio", "CPU \u00b5s a create", "inverse ratio")
    rate, cpu = _medians(measured[0])
    for way, results in zip(ways, measured, strict=True):
        its_rate, its_cpu = _medians(results)
        row(way.called, its_rate, its_rate / rate, its_cpu, cpu / its_cpu)


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return median([first for first, _ in pairs]), median([second for _, second in pairs])


# Resuming.


def _job(request: int, tasks: tuple[Task, ...] = ()) -> Job:
    name = job_name("hdk-all", request_key(run_token(RUN_ID), request))
    status = "FINISHED" if tasks else "ACTIVE"
    at = 1755005748.201
    return Job(str(uuid.uuid4()), name, "ASCEND_SOFTWARE_UPGRADE", status, 0, "t", "user", at, at + 600, tasks)


def _task(server_id: str, name: str) -> Task:
    cloud_server = {"id": str(uuid.uuid4()), "type": "BMS"}
    message = "the driver and the firmware were upgraded, the server was started again"
    at = 1755005748.201
    return Task(str(uuid.uuid4()), server_id, name, "SUCCESS", message, at, at + 600, cloud_server)


def _over(plan: Plan, request: int) -> tuple[e.Event, e.Event]:
    tasks = tuple(_task(server.id, server.name) for server in plan.servers_of(request))
    now = time.time()
    return e.JobRead(now, request, _job(request, tasks)), e.Settled(now, request, "s" * len(tasks), 600.0)


async def _write_journal(store: RunStore, plan: Plan, at_once: int) -> None:
    """A run that was killed right before its last job was over; `at_once` requests share a commit."""
    journal = _new_run(store, plan)
    await journal.append([_started(plan, watched=True)])
    count = len(plan.requests)
    for first in range(0, count, at_once):
        requests = range(first, min(first + at_once, count))
        await journal.append([e.Intended(time.time(), request) for request in requests])
        await journal.append([e.Accepted(time.time(), request, _job(request)) for request in requests])
    for first in range(0, count - 1, at_once):
        requests = range(first, min(first + at_once, count - 1))
        await journal.append([event for request in requests for event in _over(plan, request)])


def _select(folder: Path, columns: str) -> list[object]:
    db = apsw.Connection(str(folder / JOURNAL_FILE))
    try:
        return list(db.execute(f"SELECT {columns} FROM entry WHERE run_id = ?", (RUN_ID,)))  # noqa: S608
    finally:
        db.close()


def _read_plan(folder: Path) -> Plan:
    with open_store(folder) as store:
        return stored_plan(store, RUN_ID)


def _replayed(folder: Path, plan: Plan) -> Facts:
    with open_store(folder) as store:
        state = initial_facts(plan)
        replay(state, store.read_events(RUN_ID, lean=True))
        return state


def _resumed(folder: Path) -> Facts:
    """All that `runner.app.running.resume_run` does before it can act."""
    with open_store(folder) as store:
        state = initial_facts(stored_plan(store, RUN_ID))
        replay(state, store.read_events(RUN_ID, lean=True))
        return state


def _resumes(plan: Plan, at_once: int) -> None:
    with _state_folder() as folder:
        with open_store(folder) as store:
            asyncio.run(_write_journal(store, plan, at_once))
        assert _resumed(folder).settled == len(plan.requests) - 1  # noqa: S101  or it measured something else
        commits = len(_select(folder, "seq"))
        parts: dict[str, Callable[[], object]] = {
            "bare SELECT of all": lambda: _select(folder, "events, details, tasks"),
            "bare SELECT less details": lambda: _select(folder, "events"),
            "plan": lambda: _read_plan(folder),
            "replay": lambda: _replayed(folder, plan),
            "plan and replay": lambda: _resumed(folder),
        }
        times = _interleaved(parts)
    (bare, bare_cpu), *_ = times.values()
    header(f"{commits:,} commits", f"seconds, median of {READS}", "ratio", "CPU seconds", "ratio")
    for name, (wall, cpu) in times.items():
        row(name, f"{wall:.4f}", wall / bare, f"{cpu:.4f}", cpu / bare_cpu)


def _interleaved(parts: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Median wall and CPU seconds of each."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    for _ in range(READS):
        for name, part in parts.items():
            began, cpu_began = time.perf_counter(), time.process_time()
            kept = part()
            times[name].append((time.perf_counter() - began, time.process_time() - cpu_began))
            del kept  # only now: a run that is resumed keeps it
    return {name: _medians(pairs) for name, pairs in times.items()}


def main() -> None:
    """Print creates per second with and without the journal, and how long a resume takes to read."""
    with tempfile.TemporaryDirectory() as name:
        _submissions(Path(name))
        print()
        _careful_submissions(Path(name))
        jobspec = JOBSPEC.format(port=PORT).replace("servers_per_job: 1", f"servers_per_job: {PER_JOB}")
        plan = plan_from_json(_write_plan(Path(name), jobspec, SERVERS).read_bytes(), "plan")
    gc.set_threshold(*GC_THRESHOLD)
    for at_once in (1, 32):
        print()
        _resumes(plan, at_once)


if __name__ == "__main__":
    if sys.argv[1:2] == ["submit"]:
        print(*uvloop.run(_submit(plan_from_json(Path(sys.argv[3]).read_bytes(), "plan"), sys.argv[2])))
    else:
        main()
