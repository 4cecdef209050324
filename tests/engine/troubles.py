"""What else happens around a drawn run: people who delete its jobs or give its servers free, a credential that ends.

Each has a switch. What is off finds a fault that is not mended yet; the constant says where.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import cast

import pytest

from runner.app.locks import release_in
from runner.app.operating import leave
from runner.app.running import more_work
from runner.engine.run import Deadline
from runner.errors import InvalidInput, RefusedToStart, RunStopped, StateFolderError
from runner.journal.owner import Owner
from runner.journal.store import RunStore, StateFolderBusy
from runner.report.fold import Report
from runner.run import events as e
from runner.run.commands import Command
from runner.run.facts import Facts
from runner.simulator.behaviour import Deviations
from runner.simulator.service import SimulatedService
from tests.engine.network import READ_FAULTS
from tests.engine.world import Blind, World

# Another process has the run, or its servers, or took it over; or it holds the store.
GETS_NO_FURTHER = (RefusedToStart, RunStopped, StateFolderError)


class Troubles:
    """Drawn from a seed. A `calm` story has none."""

    def __init__(self, world: World, rng: random.Random, *, calm: bool) -> None:
        self._world = world
        self._rng = rng
        self._calm = calm
        self._comers: list[asyncio.Task[None]] = []
        self._deletions = 0.0 if calm else rng.choice((0.0, 0.0, 0.02))
        self._expiries = 0.0 if calm else rng.choice((0.0, 0.0, 0.01, 0.01))
        self._visits = 0.0 if calm else rng.choice((0.0, 0.02))
        self._seconds = 0.0 if calm else rng.choice((0.0, 0.0, 0.01))
        self._is_released = False
        self._outages = 0.0 if calm or world.promises.may_double else rng.choice((0.0, 0.0, 0.0, 0.01))
        self._is_away = False
        self._stranger = world.store.beside(alive=lambda _: None)
        if self._seconds and rng.random() < 0.5:
            world.while_frozen = self._take_over
        world.network.deleted_is_shown_s = rng.choice((0.0, 10.0))
        world.on_event = self._after
        if not calm and rng.random() < 0.2:
            world.progress = FailingDisplay(rng)

    def deadline(self) -> Deadline | None:
        """For the next process: none, or one that may pass while it is at work."""
        if self._calm or self._rng.random() > 0.2:
            return None
        in_s = self._rng.choice((5.0 if self._world.run_id is None else -1.0, 5.0, 60.0, 3600.0))
        return Deadline(self._world.clock.wall() + in_s, "05:00")

    def between(self) -> None:
        """No process has the run open."""
        if self._world.run_id is None or self._rng.random() >= self._visits * 10:
            return
        with suppress(StateFolderBusy):
            release_in(self._world.store, self._world.run_id)
            self._is_released = True
            self._ask()

    async def after_the_end(self) -> None:
        """Nothing can be asked of the run any more, and it holds no server but those that may be at work."""
        await asyncio.gather(*self._comers)
        held = sum(row.servers for row in self._world.store.leases() if row.run_id == self._world.run_id)
        report = self._world.report()
        unsure = len(servers_that_may_be_at_work(report, self._world.service))
        doubled = [job for job in report["jobs"] if job["state"] == "conflict"]
        # One that was split, and may have made a job that nobody found: which servers that has is not told.
        more = not all(job["tasks"] for job in doubled)
        assert held == unsure or (self._is_released and held < unsure) or (more and held > unsure), (held, unsure)
        try:
            leave(self._world.store, "last", Command("pause"), who="someone", why="", at=self._world.clock.wall())
        except RefusedToStart:
            return
        raise AssertionError("a run that is over took a command")

    def _after(self, event: e.Event) -> None:
        if isinstance(event, e.RunEnded | e.SignalLost):  # the latter is recorded after the end
            return
        if self._rng.random() < self._deletions:
            self._world.network.delete_one()
        if self._rng.random() < self._expiries:
            self._expire()
        if self._rng.random() < self._outages and not self._is_away:
            self._go_away()
        if self._world.owns and self._rng.random() < self._visits:
            self._visit()
        if self._rng.random() < self._seconds:
            self._comers.append(asyncio.create_task(self._go_on_beside()))

    def _expire(self) -> None:
        """The service takes the credential for none of its own, for a while: of reads, or of all calls.

        Then it is mended, or another one is there. How many may be refused, `Signatures` looks after.
        """
        network, another = self._world.network, self._rng.random() < 0.5
        network.refuses_reads, network.refuses_creates = True, self._rng.random() < 0.5

        def mended() -> None:
            network.refuses_reads = network.refuses_creates = False
            network.key = f"{network.key}, and another" if another else network.key

        asyncio.get_running_loop().call_later(self._rng.choice((5.0, 60.0, 400.0)), mended)

    def _go_away(self) -> None:
        """The service cannot be read for a while, all of it or its list or its jobs; perhaps nothing can be sent either."""
        network, fault = self._world.network, self._rng.choice(list(READ_FAULTS))
        before = network.faults, network.fault_chance
        if self._rng.random() < 0.5:
            network.faults, network.fault_chance = [fault], 1.0
        setattr(network, self._rng.choice(("breaks_reads", "breaks_lists", "breaks_gets")), fault)

        self._is_away = True

        def is_back() -> None:
            self._is_away = False
            network.breaks_reads = network.breaks_lists = network.breaks_gets = ""
            network.faults, network.fault_chance = before

        asyncio.get_running_loop().call_later(self._rng.choice((20.0, 200.0, 900.0)), is_back)

    def _visit(self) -> None:
        """Somebody would give the servers free, or go on with the run beside its process: both are refused."""
        with suppress(StateFolderBusy):
            with pytest.raises(RefusedToStart):
                release_in(self._world.store, self._world.run_id or "")
            self._ask()

    async def _go_on_beside(self) -> None:
        """Somebody would go on with the run in another container, from where nobody can tell whether its process lives.

        They get it only if that has been silent for long: then it was frozen, or is gone, and must do nothing any more.
        """
        world = self._world
        store = world.store.beside(alive=lambda _: None)
        with suppress(RefusedToStart, StateFolderError):
            work = await more_work(world.host(), cast("RunStore", store), world.run_id or "", world.options())
            assert work.journal is not None
            assert not world.owns, "a run was taken out of the hands of a process that had just renewed"
            work.journal.close()

    def _take_over(self) -> None:
        """Somebody who cannot tell goes on with the run while its process is frozen, and ends at once."""
        with suppress(RefusedToStart, StateFolderError):
            journal = self._stranger.open_run(self._world.run_id or "", Owner("h", 3, 3, "stranger"))
            assert not self._world.owns, "a run was taken out of the hands of a process that had just renewed"
            journal.close()

    def _ask(self) -> None:
        """A command that harms nothing, or makes no sense: it is taken, or refused, and nothing else."""
        command = self._rng.choice(
            (
                Command("set", settings={"concurrency": str(self._rng.randint(1, 8))}),
                Command("approve", "no such wave"),
                Command("hold", "no such group"),
                Command("exclude", "no such server"),
                Command("frobnicate"),
            )
        )
        with suppress(RefusedToStart, InvalidInput):
            leave(self._world.store, "last", command, who="someone", why="", at=self._world.clock.wall())


class FailingDisplay(Blind):
    """Fails at some event, or while it shows how the run stands."""

    def __init__(self, rng: random.Random) -> None:
        self._left = rng.randint(0, 40)
        self._shows_s = rng.uniform(0.0, 100.0)

    def observe(self, event: e.Event) -> None:
        del event
        self._left -= 1
        if self._left < 0:
            raise BrokenPipeError(32, "Broken pipe")

    async def show(self, state: Facts) -> None:
        del state
        await asyncio.sleep(self._shows_s)
        raise OSError(5, "Input/output error")


# A list that is not whole, and shows it.
_LIES: tuple[dict[str, str], ...] = (
    {"total": "missing", "rows": "none"},
    {"total": "more", "rows": "none"},
    {"error_in_200": "errorCode"},
    {"error_in_200": "nested", "hidden": "unfinished"},
    {"row_names": "null"},
)


class Lists:
    """Lists that prove nothing for a while: jobs show late, or what is listed cannot be relied on. Not in every story."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._lies = rng.choice((0.0, 0.0, 0.05, 0.3))
        self.lied = False
        on_event = world.on_event

        def after(event: e.Event) -> None:
            on_event(event)
            self._after(event)

        world.on_event = after

    def _after(self, event: e.Event) -> None:
        if isinstance(event, e.RunEnded) or self._rng.random() >= self._lies:
            return
        self.lied = True
        service = self._world.service
        service.deviations = Deviations.model_validate(self._rng.choice(_LIES))
        asyncio.get_running_loop().call_later(self._rng.choice((60.0, 900.0, 3000.0)), self._tell_the_truth)

    def _tell_the_truth(self) -> None:
        self._world.service.deviations = Deviations()


def servers_that_may_be_at_work(report: Report, service: SimulatedService) -> set[str]:
    """Those of jobs that were not seen to end, and of requests of which it is not known which jobs they made.

    A request that was split has no servers of its own left. A job of it that was found after all has.
    """
    found_after_all = {job["name"] for job in report["jobs"] if job["state"] == "conflict" and not job["tasks"]}
    of_these = (job for job in service.jobs.values() if job.name in found_after_all)
    return {task.server_id for job in of_these for task in job.tasks} | {
        task["server_id"]
        for job in report["jobs"]
        for task in job["tasks"]
        if job["state"] in {"given_up", "conflict", "in_doubt"} or task["outcome"] in {"unknown", "timed_out"}
    }
