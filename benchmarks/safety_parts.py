"""What each part of being safe, and of being seen, takes of the CPU time of a create.

Each is what a real run of 20,000 creates had to do, done again alone: its entries hashed, its servers leased and given
free, a read of each job kept, each event shown and the display drawn as often as it is. The whole is the command that
submits them, with its start. It says what could be saved at most by leaving a part out.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.compare import Bench, run, write_fleet, write_jobspec
from benchmarks.submission import nginx
from benchmarks.tools import header, median, row
from runner.app.history import stored_plan
from runner.app.listing import open_store
from runner.app.services import Surroundings, open_lane_services
from runner.cli.live import LiveProgress
from runner.cli.terminal import Terminal
from runner.journal.chain import follow
from runner.journal.owner import this_process
from runner.journal.store import RunRecord, RunStore
from runner.model import Job, Task
from runner.plan.codec import plan_to_json
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.commands import Command
from runner.run.evolve import evolve, replay
from runner.run.facts import Facts, initial_facts
from runner.run.live import LiveRun
from runner.run.standing import standing

CREATES = 20_000
ROUNDS = 5
AT_ONCE = 64  # requests that share a commit
DRAWN_PER_S = 2  # as `runner.cli.live` draws
_WHOLE = "whole command, and a read of each job"
RUN_ID = "20260101-000000-bench0"


class Submitted(NamedTuple):
    """A run that submitted everything: CPU seconds of the command, seconds it took, where its journal is."""

    cpu_s: float
    wall_s: float
    state: Path


def submitted(bench: Bench) -> Submitted:
    """The whole command."""
    folder, state = bench.folder, bench.folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    write_fleet(folder, CREATES)
    jobspec = write_jobspec(folder, bench.url.rpartition(":")[2])
    began = time.perf_counter()
    used = run(Path(__file__).parent.parent, folder, "run", jobspec, "--no-wait", "-q", "--state-dir", state)
    return Submitted(used.cpu_s, time.perf_counter() - began, state)


@contextmanager
def clocked() -> Iterator[list[float]]:
    """Seconds of CPU time that what is within takes, by all threads."""
    took: list[float] = []
    began = time.process_time()
    yield took
    took.append(time.process_time() - began)


class _Leaving:
    """Nothing holds a call back."""

    async def leave(self) -> bool:
        return True

    def refused(self) -> None:
        pass


def read_over_http(plan: Plan) -> float:
    """Each job asked for once, as many at a time as creates are sent."""
    return asyncio.run(_asked(plan))


async def _asked(plan: Plan) -> float:
    async with AsyncExitStack() as stack:
        around = Surroundings(os.environ, Path.home(), time.time)
        (service,) = await open_lane_services(stack, plan, lambda text: text, around)
        numbers = iter(range(CREATES))

        async def ask() -> None:
            for number in numbers:
                await service.get(f"{number:032}", _Leaving())

        with clocked() as took:
            await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
        return took[0]


def hash_chain(store: RunStore, run_id: str) -> float:
    """Each entry hashed, as when it was written."""
    links = [*store.links(run_id)]
    with clocked() as took:
        follow(run_id, store.run(run_id).plan_hash, links)
    return took[0]


def leases(plan: Plan) -> float:
    """All servers taken and given free, beside a run without any."""
    servers = [server.id for group in plan.groups for server in group.servers]
    return _held(plan, servers) - _held(plan, [])


def _held(plan: Plan, servers: list[str]) -> float:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, open_store(Path(name)) as store:
        store.save_plan(plan.plan_hash, plan_to_json(plan))
        with clocked() as took:
            _new_run(store, plan, servers)
            store.release(RUN_ID)
        return took[0]


def _new_run(store: RunStore, plan: Plan, servers: list[str]) -> None:
    record = RunRecord(RUN_ID, plan.campaign, plan.plan_hash, time.time(), this_process(RUN_ID), servers)
    store.create_run(record)


def reads(plan: Plan, events: list[e.Event]) -> float:
    """A reading of each job kept, and taken in."""
    facts = initial_facts(plan)
    replay(facts, events)
    told = [e.JobRead(time.time(), request, _job(plan, request)) for request in range(len(plan.requests))]
    return asyncio.run(_kept(plan, told)) + _taken_in(told, facts)


async def _kept(plan: Plan, events: list[e.JobRead]) -> float:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, open_store(Path(name)) as store:
        store.save_plan(plan.plan_hash, plan_to_json(plan))
        _new_run(store, plan, [])
        journal = store.open_run(RUN_ID, this_process(RUN_ID))
        with clocked() as took:
            for first in range(0, len(events), AT_ONCE):
                await journal.append(events[first : first + AT_ONCE])
        journal.close()
        return took[0]


def _taken_in(events: list[e.JobRead], facts: Facts) -> float:
    with clocked() as took:
        for event in events:
            evolve(facts, event)
    return took[0]


def _job(plan: Plan, request: int) -> Job:
    at = time.time()
    tasks = tuple(
        Task(str(uuid.uuid4()), one.id, one.name, "SUCCESS", "", at, at + 600, None) for one in plan.servers_of(request)
    )
    return Job(str(uuid.uuid4()), "hdk-all", "T", "FINISHED", 0, "t", "user", at, at + 600, tasks)


async def no_command(run_id: str, command: Command, why: str) -> int:
    """Nobody sits there."""
    raise NotImplementedError((run_id, command, why))


def display(plan: Plan, events: list[e.Event], seconds: float) -> float:
    """Each event shown to the live view, and the view drawn as often as in so many seconds."""
    facts = initial_facts(plan)
    live = LiveProgress({}, no_command, color=True)
    terminal = Terminal(io.StringIO(), None, {}, color=True)
    view = LiveRun(facts)
    live.begin(RUN_ID, facts, lambda: standing(facts, time.time(), view.sight(time.time())))
    replay(facts, events)
    with clocked() as took:
        for event in events:
            live.observe(event)
        for _ in range(max(1, round(seconds * DRAWN_PER_S))):
            terminal.draw(live.picture(facts, 200, 50))
    return took[0]


def parts(run_of: Submitted) -> dict[str, float]:
    """CPU seconds of each part."""
    with open_store(run_of.state) as store:
        run_id = store.resolve("last")
        plan = stored_plan(store, run_id)
        events = [*store.read_events(run_id)]
        chain = hash_chain(store, run_id)
    return {
        _WHOLE: run_of.cpu_s + read_over_http(plan),
        "hash chain": chain,
        "leases": leases(plan),
        "a read of each job, kept": reads(plan, events),
        "standing and display": display(plan, events, run_of.wall_s),
    }


def main() -> None:
    """Print what each part takes of a create, beside the whole."""
    os.environ |= {"HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "b"}
    with tempfile.TemporaryDirectory() as name, nginx(Path(name)) as url:
        found = [parts(submitted(Bench(Path(name), url))) for _ in range(ROUNDS)]
    took = {part: median([one[part] for one in found]) / CREATES * 1e6 for part in found[0]}
    took["these together"] = sum(took.values()) - took[_WHOLE]
    header("part", f"CPU \u00b5s a create, median of {ROUNDS}", "of the whole")
    for part, each in took.items():
        row(part, each, each / took[_WHOLE])


if __name__ == "__main__":
    main()
