"""Whole runs drawn from a seed, with everything going wrong that can: `python -m tests.engine.simulation 10000 [FIRST]`.

A seed gives a plan, the manners of the service, and what breaks when. The same seed is the same story, to the event.
"""

from __future__ import annotations

import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from runner.plan.plan import Plan
from runner.spec.campaign import Submit, Watch
from tests.conftest import small_plan
from tests.engine.conftest import Crash, World, play

_ENDED = {"settled", "conflict"}


class Story:
    """What one seed comes to."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = self._rng = random.Random(seed)
        self.rate = rng.choice((5.0, 50.0, 500.0))
        self.burst = rng.choice((1, 10))
        self.plan = self._plan()
        self.stops = [rng.randint(1, 60) for _ in range(rng.randint(0, 4))]
        self.torn = [rng.choice((0, 0, 1, 3, 10, 1000)) for _ in self.stops]
        self.kinds = [rng.choice(("crash", "crash", "stop")) for _ in self.stops]

    def _plan(self) -> Plan:
        rng = self._rng
        return small_plan(
            tuple(rng.randint(1, 20) for _ in range(rng.randint(1, 2))),
            tuple(rng.randint(1, 4) for _ in range(rng.choice((1, 1, 2)))),
            Submit(self.rate, self.burst, concurrency=rng.randint(1, 6), attempts=50, settle_s=15.0),
            Watch(rate=rng.choice((10.0, 100.0)), job_timeout_s=1800.0),
            lanes=rng.choice((1, 2)),
        )

    def run(self) -> None:
        """Tell it.

        Raises:
            AssertionError: something happened that must not.
        """
        rng = self._rng
        play(
            self.plan,
            self._tell,
            seed=self.seed,
            lost=rng.choice((0.0, 0.1, 0.5)),
            reads_lost=rng.choice((0.0, 0.2)),
            throttled=rng.choice((0.0, 0.1)),
            jumps=rng.choice((0.0, 0.5)),
            freezes=rng.choice((0.0, 0.02)),
            listing={
                "lag_s": rng.choice((0.0, 2.0, 10.0)),
                "name_filter": rng.choice(("substring", "exact")),
                "order": rng.choice(("newest", "random")),
                "paging": rng.choice(("honoured", "honoured", "ignored")),
                "foreign_jobs": rng.choice((0, 30)),
            },
            tasks={
                "duration_s": 20.0,
                "spread": 0.5,
                "final_lag_s": rng.choice((0.35, 5.0)),
                "unknown_status": rng.choice((0.0, 0.3)),
                "missing": rng.choice((0.0, 0.0, 0.1)),
                "failing": rng.choice((0.0, 0.1)),
            },
            # A server in another job is taken all the same: so that a second create would show.
            servers={"busy": "queue"},
        )

    async def _tell(self, world: World) -> None:
        for after, torn, kind in zip(self.stops, self.torn, self.kinds, strict=True):
            with suppress(Crash, BaseExceptionGroup):
                await (world.run(crash_after=after) if kind == "crash" else world.run(stop_after=after))
            world.tear(torn)
        await world.run()
        self._check(world)

    def _check(self, world: World) -> None:
        report = world.report()
        counts = dict(report["counts"])
        assert counts.pop("servers") == sum(counts.values())
        assert report["run"]["state"] == "finished", report["run"]
        states = Counter(job["state"] for job in report["jobs"])
        assert set(states) <= _ENDED | {"void"}, (states, [job["error"] for job in report["jobs"] if job["error"]])
        self._check_jobs(world, report)
        assert most_above(world.network.creates, self.rate, self.burst) <= 1e-6

    def _check_jobs(self, world: World, report: dict[str, Any]) -> None:
        """No server has two jobs of one step, every job is in the report, none is there twice."""
        made = Counter(job.request["name"] for job in world.service.jobs.values() if job.request["name"] in world.names)
        conflicts = {job["name"] for job in report["jobs"] if job["state"] == "conflict"}
        assert {name for name, count in made.items() if count > 1} <= conflicts
        known = {job["job_id"] for job in report["jobs"]}
        ours = {job.job_id for job in world.service.jobs.values() if job.request["name"] in made}
        assert conflicts or ours <= known
        if not conflicts:
            assert all(job["state"] == "void" or job["job_id"] for job in report["jobs"])


def most_above(times: list[tuple[int, float]], rate: float, burst: int) -> float:
    """By how many creates the fullest stretch of time of any lane exceeds rate x T + burst."""
    lanes: dict[int, list[float]] = {}
    for lane, at in times:
        lanes.setdefault(lane, []).append(at)
    most = -1.0
    for lane_times in lanes.values():
        # The level of a bucket that drains at the rate: the sum over any stretch shows as its highest point.
        level, before = 0.0, lane_times[0]
        for at in lane_times:
            level = max(0.0, level - rate * (at - before)) + 1
            before = at
            most = max(most, level - burst)
    return most


def first_failure(first: int, count: int, say: Callable[[str], None]) -> int | None:
    """The first seed whose story breaks a promise; None if all keep them."""
    for seed in range(first, first + count):
        try:
            Story(seed).run()
        except Exception as error:  # noqa: BLE001  whatever it is, the seed is what is wanted
            say(f"seed {seed}: {error!r}\n{traceback.format_exc()}")
            return seed
    return None


def main() -> int:
    """Run the seeds that the command line asks for."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed = first_failure(first, count, _say)
    if failed is None:
        _say(f"{count} seeds from {first}: every promise kept")
        return 0
    _say(f"play it again with: python -m tests.engine.simulation 1 {failed}")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
