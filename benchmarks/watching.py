"""How soon the end of a job is known, and at how many reads: whole runs in virtual time, and a short one over HTTP."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.tools import header, row, runner, timed
from runner.app.listing import open_store
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.cli.serving import ServiceClock, served
from tests.conftest import small_plan
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.engine.world import World, play

OVER_HTTP = 100
BEHAVIOUR = """\
throttle: {creates: null, reads: null}
tasks: {duration_s: 6, spread: 0.3}
listing: {lag_s: 1.0}
"""
JOBSPEC = """\
api_version: runner/v1
name: bench
inventory: fleet.csv
lane: {endpoint: "URL", project_id: p}
groups: [{name: all, select: "true"}]
steps:
  - name: upgrade
    type: HDK_UPGRADE
    job_name: bench
    servers_per_job: 1
    items: [{type: HDK_UPGRADE, spec: {version: "24.1"}}]
submit: {rate: 5/s, settle: 2s}
watch: {rate: 10/s}
"""
# What the runner saves up of reads, and one call's way there and back, seconds.
_BURST, _CALL_S = 10, 0.05
# By then the last task of a job that is over shows, seconds.
_TASKS_SHOW_S = 0.35

SPREADS: dict[str, dict[str, Any]] = {
    "±5 %": {"spread": 0.05},
    "±30 %": {"spread": 0.3},
    "factor 5": {"spread": 2 / 3},
    "exponential": {"lasts": "exponential"},
}
LISTS: dict[str, dict[str, Any]] = {
    "as assumed": {},
    "update_at is the time of reading": {"jobs": {"update_at": "of_reading"}},
    "pages of 10 that cannot be enlarged": {"listing": {"most": 10}},
    "paging ignored, all on one page": {"listing": {"paging": "ignored", "page_size": 100_000}},
    "paging ignored, 10 shown": {"listing": {"paging": "ignored", "page_size": 10}},
}


class Case(NamedTuple):
    """So many jobs that last so long, made and read at these rates."""

    jobs: int
    lasts_s: float
    spread: str
    lists: str = "as assumed"
    creates: float = 10.0
    reads: float = 10.0


class Known(NamedTuple):
    """From a job's end to its outcome in the journal, seconds: what half, and 19 of 20, stay within; reads a job."""

    half_s: float
    most_s: float
    reads: float


def _switches(case: Case) -> dict[str, Any]:
    return {"tasks": {"duration_s": case.lasts_s, **SPREADS[case.spread]}, **LISTS[case.lists]}


def measured(case: Case, seed: int = 1) -> tuple[Known, Known]:
    """What came of it, and the floor: each job read once, as soon as it is over and the rate of reads allows."""
    plan = small_plan(
        (case.jobs,), (1,), Submit(case.creates, 10, concurrency=32), Watch(rate=case.reads, job_timeout_s=7200.0)
    )
    known: dict[int, float] = {}

    async def story(world: World) -> tuple[list[float], list[float], float]:
        world.on_event = lambda event: known.update({event.request: event.at}) if isinstance(event, e.Settled) else None
        await world.run()
        jobs = [world.service.jobs[job_id] for _, job_id in sorted(world.state.job_ids.items())]
        ends = [job.ends_at() or 0.0 for job in jobs]
        calls = world.service.calls
        return (
            [at - end for (_, at), end in zip(sorted(known.items()), ends, strict=True)],
            ends,
            calls["get"] + calls["list"],
        )

    late, ends, reads = play(plan, story, seed=seed, **_switches(case))
    return Known(*_shares(late), reads / case.jobs), Known(*_shares(list(_floor(ends, case.reads))), 1.0)


def _floor(ends: list[float], rate: float) -> Iterator[float]:
    """How late each would be known that is read once, in the order of the ends."""
    saved, before = float(_BURST), 0.0
    for end in sorted(end + _TASKS_SHOW_S for end in ends):
        saved = min(_BURST, saved + (max(end, before) - before) * rate) if before else saved
        at = max(end, before)
        if saved < 1:
            at += (1 - saved) / rate
            saved = 1.0
        saved, before = saved - 1, at
        yield at + _CALL_S - (end - _TASKS_SHOW_S)


def _shares(late: list[float]) -> tuple[float, float]:
    ordered = sorted(late)
    return ordered[len(ordered) // 2], ordered[int(0.95 * len(ordered))]


def cases() -> Iterator[Case]:
    """Those of the table."""
    for jobs in (200, 2000):
        for lasts_s in (6.0, 180.0):
            for spread in SPREADS:
                yield Case(jobs, lasts_s, spread, creates=5.0)
                yield Case(jobs, lasts_s, spread)
    for lists in LISTS:
        for jobs in (200, 2000):
            for lasts_s, spread in ((6.0, "±30 %"), (180.0, "±5 %"), (180.0, "factor 5")):
                if lists != "as assumed":
                    yield Case(jobs, lasts_s, spread, lists, creates=5.0)


def waited_at_a_limit(most: int, lasts_s: float, spread: str) -> tuple[float, float, float]:
    """Sixty jobs of which so many may run: how long after one is over, and shows it, the next starts; reads a job."""
    rollout = {"waves": [{"name": "w"}], "order": "listed", "budget": {"max_unavailable": most}}
    plan = rollout_plan(rollout, fleet(60), steps=[step("upgrade", 1)], watch={"rate": "10/s"})

    async def story(world: World) -> tuple[list[float], float]:
        await world.run()
        jobs = list(world.service.jobs.values())
        shown_at = sorted((job.ends_at() or 0.0) + _TASKS_SHOW_S for job in jobs)
        calls = world.service.calls
        began = [job.created_at for job in jobs[most:]]
        return [at - over for at, over in zip(began, shown_at, strict=False)], (calls["get"] + calls["list"]) / len(
            jobs
        )

    waited, reads = play(plan, story, seed=1, tasks={"duration_s": lasts_s, **SPREADS[spread]})
    return *_shares(waited), reads


def over_http() -> Known:
    """The whole command against a simulated service in this process: real time, HTTP and SQLite."""
    with tempfile.TemporaryDirectory() as name, served(BEHAVIOUR, ServiceClock(stands=False)) as simulator:
        folder = Path(name)
        servers = "".join(f"id-{number},server-{number}\n" for number in range(OVER_HTTP))
        (folder / "fleet.csv").write_text(f"id,name\n{servers}")
        (folder / "bench.yaml").write_text(JOBSPEC.replace("URL", simulator.url))
        command = runner("run", folder / "bench.yaml", "--state-dir", folder / "state")
        timed(command, HUAWEICLOUD_SDK_AK="SIMULATORAK", HUAWEICLOUD_SDK_SK="SIMULATORSK")
        late, jobs, accepted = list[float](), simulator.service.jobs, dict[int, str]()
        with open_store(folder / "state") as store:
            for event in store.read_events(store.runs()[0].id):
                if isinstance(event, e.Accepted):
                    accepted[event.request] = event.job.job_id
                elif isinstance(event, e.Settled):
                    late.append(event.at - (jobs[accepted[event.request]].ends_at() or 0.0))
        calls = simulator.service.calls
        return Known(*_shares(late), (calls["get"] + calls["list"]) / OVER_HTTP)


def main() -> None:
    """Print the table."""
    header(
        "jobs",
        "last, s",
        "spread",
        "creates/s",
        "list",
        "half known, s",
        "95 %, s",
        "reads a job",
        "floor half",
        "95 %",
    )
    for case in cases():
        known, floor = measured(case)
        row(case.jobs, f"{case.lasts_s:g}", case.spread, f"{case.creates:g}", case.lists, *known, *floor[:2])
        sys.stdout.flush()
    print()
    header("may run", "last, s", "spread", "half of the next start within, s", "95 %, s", "reads a job")
    for most in (1, 5, 20):
        for lasts_s, spread in ((6.0, "±30 %"), (180.0, "±5 %"), (180.0, "factor 5")):
            row(most, f"{lasts_s:g}", spread, *waited_at_a_limit(most, lasts_s, spread))
    print()
    header("over HTTP", "half known, s", "95 %, s", "reads a job")
    row(f"{OVER_HTTP} jobs of 6 s ±30 %, 5 a second", *over_http())


if __name__ == "__main__":
    main()
