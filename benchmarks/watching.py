"""How soon the end of a job is known, and at how many reads: whole runs in virtual time, and a short one over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.tools import header, row
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import small_plan
from tests.engine.world import World, play

# What the runner saves up of reads, and one call's way there and back, seconds.
_BURST, _CALL_S = 10, 0.05

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
    for end in sorted(end + 0.35 for end in ends):
        saved = min(_BURST, saved + (max(end, before) - before) * rate) if before else saved
        at = max(end, before)
        if saved < 1:
            at += (1 - saved) / rate
            saved = 1.0
        saved, before = saved - 1, at
        yield at + _CALL_S - (end - 0.35)


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


if __name__ == "__main__":
    main()
