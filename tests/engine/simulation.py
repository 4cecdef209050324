"""Whole runs drawn from a seed, with everything going wrong that can: `python -m tests.engine.simulation 10000 [FIRST]`.

A seed gives a plan, the manners of the service, and what breaks when. The same seed is the same story, to the event.
Every third one has a rollout, and a person who gives commands. Two of nine are retried while they go on, one with a rollout.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import pytest

from runner.app.running import AlreadyFinished
from runner.model import RunState
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.gate import Patience
from runner.run.verdict import Verdict
from runner.run.waits import WaitKind
from runner.spec.campaign import Submit, Watch
from tests.conftest import small_plan
from tests.engine.family_stories import Family
from tests.engine.network import DOUBLING_FAULTS, FAULTS
from tests.engine.rollout_stories import Person, drawn_plan
from tests.engine.troubles import GETS_NO_FURTHER, Lists, Troubles
from tests.engine.world import DAY, World, play, until_it_dies

_ENDED = {"settled", "conflict", "void", "refused"}
_EVERY = 3
_EVERY_FAMILY = 9
_MOST_PROCESSES = 100
_DEVIATING = 0.4
_FEW = {1, 3, 10}
_OF_A_PERSON = (e.Withdrawn, e.Included, e.Commanded)
_LOSES_COMMANDS = 0.5
# Where nothing is known that a list contradicts, one that lies well cannot be told from a true one: these show it.
_DEVIATIONS: tuple[dict[str, Any], ...] = (
    {"rows": "none"},
    {"rows": "fewer"},
    {"rows": "some"},
    {"row_lag_s": 40.0},
    {"total": "missing"},
    {"total": "more"},
    {"row_names": "null"},
    {"row_names": "missing"},
    {"names": "padded"},
    {"create_answer": "job_before"},
    {"create_answer": "another_name"},
    {"create_answer": "other_servers"},
    {"detail_missing_s": 8.0},
    {"detail_lag_s": 8.0},
    *({"error_in_200": how} for how in ("error_code", "errorCode", "code", "nested", "listed")),
)


class Story:
    """What one seed comes to."""

    calm = False
    hidden: Collection[WaitKind] = ()
    story_s = DAY
    _lists: Lists | None = None

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = self._rng = random.Random(seed)
        self.rate = rng.choice((0.02, 0.2, 5.0, 50.0, 500.0, math.inf))
        self.burst = rng.choice((1, 10))
        self.lag_s = rng.choice((0.0, 2.0, 10.0))
        self.plan = self._plan()
        self.stops = [rng.randint(1, 60) for _ in range(rng.randint(0, 4))]
        self.torn = [rng.choice((0, 0, 1, 3, 10, 1000)) for _ in self.stops]
        self.kinds = [rng.choice(("crash", "crash", "stop", "intake")) for _ in self.stops]

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
            longest_s=self.story_s,
            listing={
                "lag_s": self.lag_s,
                "name_filter": rng.choice(("substring", "exact")),
                "order": rng.choice(("newest", "oldest", "random")),
                "paging": rng.choice(("honoured", "honoured", "ignored")),
                "page_size": rng.choice((10, 1000)),
                "most": rng.choice((5, 1000, 1000)),
                "foreign_jobs": rng.choice((0, 30)),
            },
            tasks=self._tasks(),
            jobs={"update_at": rng.choice(("of_change", "of_reading"))},
            # A server in another job is taken all the same: so that a second create would show.
            servers={"busy": "queue"} | self._servers(),
        )

    def _servers(self) -> dict[str, Any]:
        """In some stories there is no such server, or somebody else is at work on it for a while."""
        rng, ids = self._rng, [server.id for group in self.plan.groups for server in group.servers]
        if self.calm or rng.random() < 0.6:
            return {}
        few = min(3, len(ids))
        return {
            "not_known": rng.sample(ids, rng.randint(0, few)),
            "occupied": {server: rng.choice((30.0, 300.0, 3000.0)) for server in rng.sample(ids, rng.randint(0, few))},
            "says_which": rng.random() < 0.5,
        }

    def _tasks(self) -> dict[str, Any]:
        rng = self._rng
        return {
            "duration_s": 20.0,
            "spread": 0.5,
            "final_lag_s": rng.choice((0.35, 5.0)),
            "unknown_status": rng.choice((0.0, 0.3)),
            "missing": rng.choice((0.0, 0.0, 0.1)),
            "failing": rng.choice((0.0, 0.1)),
        }

    def _set(self, world: World) -> None:
        """What breaks, and how often. Few kinds at once in most stories, so that none hides another."""
        rng, network = self._rng, world.network
        world.explanations.hidden, world.explanations.sleeps_through = self.hidden, True
        kinds = list(FAULTS)
        if rng.random() < 0.1:
            kinds += list(DOUBLING_FAULTS) * 5
            world.promises.may_double = True
        network.faults = rng.sample(kinds, rng.choice((1, 3, len(kinds))))
        network.fault_chance = rng.choice((0.0, 0.1, 0.5))
        network.read_fault_chance = rng.choice((0.0, 0.0, 0.1))
        network.login_chance = rng.choice((0.0, 0.0, 0.05))
        world.jumps = rng.choice((0.0, 0.5))
        world.reboots = rng.choice((0.0, 0.5))
        world.settings = rng.choice((0.0, 0.0, 0.02))
        world.suspends = rng.choice((0.0, 0.0, 0.02))
        world.freezes = rng.choice((0.0, 0.02))
        world.intrusions = 0.05
        world.commit_s = rng.choice((0.0, 0.003, 0.3))
        world.lockings = rng.choice((0.0, 0.0, 0.01))

    def _deviate(self, world: World) -> None:
        """The service does otherwise than assumed, for a while: drawn apart, so that all else stays what it was."""
        rng = random.Random(f"deviations {self.seed}")
        if self.calm or world.promises.may_double or rng.random() > _DEVIATING:
            return
        service, true = world.service, world.service.deviations
        drawn = rng.choice(_DEVIATIONS)
        listing = service.behaviour.listing
        if "names" in drawn and (listing.paging == "ignored" or listing.name_filter == "exact"):
            return  # such a job may never be listed, for as long as there is the service, and nothing may contradict that
        service.deviations = true.model_copy(update=drawn)
        world.promises.is_lied_to = True
        asyncio.get_running_loop().call_later(rng.choice((30.0, 700.0, 3600.0)), setattr, service, "deviations", true)

    async def _tell(self, world: World) -> None:
        self._set(world)
        self._deviate(world)
        self._troubles = Troubles(world, self._rng, calm=self.calm)
        await self._disturbed(world)
        await self._to_its_end(world)
        self._check(world)
        await self._troubles.after_the_end()

    async def _disturbed(self, world: World) -> None:
        """One process after another that does not get to the end."""
        for after, torn, kind in zip(self.stops, self.torn, self.kinds, strict=True):
            try:
                self._troubles.between()
                if kind == "intake":
                    verdict = await world.run(intake_ends_after=after)
                    check_nothing_is_left_at_work(world, is_over=verdict.state.is_over)
                else:
                    running = world.run(crash_after=after) if kind == "crash" else world.run(stop_after=after)
                    await until_it_dies(running)
            except GETS_NO_FURTHER:
                pass
            world.tear(torn if torn not in _FEW else self._lost(world) or torn)

    def _lost(self, world: World) -> int:
        """In some stories the lost end begins with what a person excluded or took in last, and all that followed is lost."""
        rng = random.Random(f"lost {self.seed} {len(world.events())}")
        events = world.events()
        places = [place for place, event in enumerate(events) if isinstance(event, _OF_A_PERSON)]
        return len(events) - places[-1] if places and rng.random() < _LOSES_COMMANDS else 0

    async def _to_its_end(self, world: World) -> None:
        """As many processes as it takes."""
        for process in range(_MOST_PROCESSES):
            if process == _MOST_PROCESSES // 2:
                world.patience = Patience()  # the next window may be months off
            try:
                self._troubles.between()
                verdict = await world.run(deadline=self._troubles.deadline())
            except AlreadyFinished:
                return
            except GETS_NO_FURTHER:
                pass
            else:
                if verdict.state.is_over:
                    return
                self._stopped(verdict)
            await asyncio.sleep(self._rng.choice((10.0, 300.0)))
        raise AssertionError(f"the run does not end: {world.waits_for()}")

    def _stopped(self, verdict: Verdict) -> None:
        """A process ended before the run."""

    def _check(self, world: World) -> None:
        """How it ended. What may not happen on the way is checked on the way."""
        report = world.report()
        counts = dict(report["counts"])
        assert counts.pop("servers") == sum(counts.values())
        assert report["run"]["state"] == "finished", report["run"]
        # A request may be lost as often as it may be sent: nobody tries for ever.
        used_up = self.plan.submit.attempts
        states = Counter(
            job["state"] for job in report["jobs"] if job["state"] != "given_up" or job["attempts"] < used_up
        )
        is_lied_to = world.promises.is_lied_to or (self._lists is not None and self._lists.lied)
        ended = _ENDED | ({"given_up"} if world.network.deletes or is_lied_to else set())
        ended |= {"withdrawn"} if len(world.campaigns) > 1 else set()
        assert set(states) <= ended, (states, [job["error"] for job in report["jobs"] if job["error"]])
        world.promises.kept_by(report, world.last_look, self.lag_s)


class RolloutStory(Story):
    """A story with a rollout. A `calm` one has no failures, no faults and a person who only approves."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.calm = self._rng.random() < 0.15

    def _plan(self) -> Plan:
        rng = self._rng
        rate = "unlimited" if math.isinf(self.rate) else f"{self.rate:g}/s"
        submit = {
            "rate": rate,
            "burst": self.burst,
            "concurrency": rng.randint(1, 6),
            "attempts": 50,
            "settle": "15s",
        }
        return drawn_plan(rng, submit, {"rate": rng.choice(("10/s", "100/s")), "job_timeout": "30m"})

    def _tasks(self) -> dict[str, Any]:
        if self.calm:
            return {"duration_s": 20.0, "spread": 0.5}
        rng = self._rng
        return super()._tasks() | {
            "failing": rng.choice((0.0, 0.05, 0.2, 0.6)),
            "skipped": rng.choice((0.0, 0.0, 0.2)),
            "missing": rng.choice((0.0, 0.0, 0.0, 0.05)),
        }

    def _set(self, world: World) -> None:
        super()._set(world)
        if self.calm:
            world.network.faults, world.promises.may_double = (), False
            world.network.read_fault_chance = world.jumps = world.freezes = 0.0
            world.settings = world.suspends = world.lockings = 0.0
        elif self._rng.random() < 0.2:
            for_window, for_person, for_pause = (self._rng.random() < 0.5 for _ in range(3))
            world.patience = Patience(for_window, for_person, for_pause or for_person)

    async def _tell(self, world: World) -> None:
        self._person = Person(world, self._rng, calm=self.calm)
        working = asyncio.create_task(self._person.work())
        try:
            await super()._tell(world)
        finally:
            working.cancel()

    def _stopped(self, verdict: Verdict) -> None:
        if "deadline" in verdict.reason:
            self._person.go_on_after_deadline()

    def _check(self, world: World) -> None:
        report, events = world.report(), world.events()
        counts = dict(report["counts"])
        assert counts.pop("servers") == sum(counts.values()) == report["counts"]["servers"]
        finished = report["run"]["state"] == RunState.FINISHED
        assert finished or report["run"]["state"] == RunState.ABORTED
        check_nothing_is_left_at_work(world)
        world.promises.kept_by(report, world.last_look, self.lag_s)
        if world.promises.rollout is not None:
            world.promises.rollout.kept_by(report, events, finished=finished)
        if self.calm:
            assert finished, report["run"]
            assert counts["succeeded"] == report["counts"]["servers"]


def check_nothing_is_left_at_work(world: World, *, is_over: bool = True) -> None:
    """After the end of intake everything that was sent is followed to its end, unless the service cannot be asked.

    A job that the list showed of a step whose turn had not come is looked up by the next process, where it came only when
    a person excluded the servers before it, and the lane was through.
    """
    shown = set() if is_over else {event.request for event in world.events() if isinstance(event, e.Suspected)}
    for lane in world.state.lanes:
        if lane.stopped is not None:
            continue
        assert not lane.in_flight
        assert lane.doubts.keys() <= shown
        assert not lane.open


class FamilyStory(Story):
    """A story whose run is retried while it may go on itself. In some the list proves nothing for a while, now and then."""

    longest_s = 900.0
    story_s = 2 * DAY  # whoever wants servers that an earlier campaign holds waits for them

    def _tasks(self) -> dict[str, Any]:
        drawn = {"failing": self._rng.choice((0.1, 0.4)), "skipped": self._rng.choice((0.0, 0.1))}
        return super()._tasks() | drawn | {"duration_s": self._rng.choice((20.0, 20.0, self.longest_s))}

    def _set(self, world: World) -> None:
        super()._set(world)
        self._lists = Lists(world, self._rng)

    async def _tell(self, world: World) -> None:
        self._set(world)
        await Family(world, self._rng, self._stopped).live()
        for campaign in world.campaigns:
            world.turn_to(campaign)
            world.promises.is_lied_to = self._lists is not None and self._lists.lied
            self._check(world)


class RolloutFamilyStory(RolloutStory, FamilyStory):
    """A family whose campaigns have rollouts, and one person for them all, who turns to that which is at work."""

    longest_s = 20.0  # no window has room for longer ones

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.calm = False


def story_of(seed: int) -> Story:
    """The story of a seed."""
    if seed % _EVERY_FAMILY in _FAMILIES:
        return _FAMILIES[seed % _EVERY_FAMILY](seed)
    return RolloutStory(seed) if seed % _EVERY == _EVERY - 1 else Story(seed)


_FAMILIES: dict[int, type[Story]] = {1: FamilyStory, 7: RolloutFamilyStory}


def first_failure(first: int, count: int, say: Callable[[str], None]) -> int | None:
    """The first seed whose story breaks a promise; None if all keep them."""
    for seed in range(first, first + count):
        try:
            story_of(seed).run()
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  whatever it is, the seed is what is wanted
            say(f"{traceback.format_exc()}\nseed {seed}: {innermost(error)!r}")
            return seed
    return None


def innermost(error: BaseException) -> BaseException:
    """The first error of a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


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
