"""Campaigns beside one another: what one left is retried while it may go on itself, or run again, by whoever comes."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import cast

from runner.app.locks import release_in
from runner.app.retrying import retry_in
from runner.errors import InvalidInput
from runner.journal.store import RunStore
from runner.model import Outcome, RunState
from runner.run import events as e
from runner.run.verdict import Verdict
from tests.engine.campaigns import Campaign, check_excluded_stay_out
from tests.engine.disk import Crash
from tests.engine.troubles import GETS_NO_FURTHER
from tests.engine.world import World, until_it_dies

_OUTCOMES = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.SUCCEEDED)
_MAY_BE_AT_WORK = {Outcome.TIMED_OUT.value, Outcome.UNKNOWN.value}
_MOST_CAMPAIGNS = 4
_MOST_PROCESSES = 120
_PROMPT = 20


class Family:
    """One campaign, those that do again what it did not get through with, and others on the same servers.

    `stopped` is told how a process ended that was to get to the end.
    """

    def __init__(self, world: World, rng: random.Random, stopped: Callable[[Verdict], None]) -> None:
        self._world = world
        self._rng = rng
        self._stopped = stopped
        self._turns = rng.randint(3, 10)

    async def live(self) -> None:
        """A while of everything at once, and then each to its end."""
        world = self._world
        for _ in range(self._turns):
            if len(world.campaigns) < _MOST_CAMPAIGNS and self._rng.random() < 0.4:
                await (self._retry() if self._rng.random() < 0.8 else self._run_again())
            else:
                await self._go_on(self._rng.choice(world.campaigns))
        for turn in range(_MOST_PROCESSES):
            left = [campaign for campaign in world.campaigns if not self._is_over(campaign)]
            if not left:
                return
            await self._to_its_end(self._rng.choice(left))
            # One that waits for no window and for no person ends at once, and needs the whole of their time.
            await world.clock.sleep(60.0 if turn < _PROMPT else 600.0)
            if turn >= 2 * _PROMPT:
                self._release()
        raise AssertionError(f"these campaigns do not end: {[campaign.run_id for campaign in left]}")

    def _release(self) -> None:
        """Somebody has looked for hours, and seen that nothing works any more on what runs that are over still hold."""
        for campaign in self._world.campaigns:
            if campaign.run_id is not None and self._is_over(campaign):
                with suppress(*GETS_NO_FURTHER):
                    release_in(cast("RunStore", self._world.store), campaign.run_id)

    async def _retry(self) -> None:
        """Plan to do again what some of the runs did not get through with. Nothing may be left of it."""
        world, rng = self._world, self._rng
        begun = [campaign.run_id for campaign in world.campaigns if campaign.run_id is not None]
        if not begun:
            return
        asked = rng.sample(begun, rng.randint(1, len(begun)))
        only = rng.sample(_OUTCOMES, rng.randint(1, len(_OUTCOMES)))
        # Not over, nothing to do again, or a job that cannot be read.
        with suppress(InvalidInput, *GETS_NO_FURTHER):
            store = cast("RunStore", world.store)
            # Without a look, one that timed out may still be at work, and whoever says so takes that on.
            look = not _MAY_BE_AT_WORK.isdisjoint(only) or rng.random() < 0.5
            retry = await retry_in(world.host(), store, asked, only, look=look)
            if Outcome.EXCLUDED.value not in only:
                check_excluded_stay_out(retry.plan, world.campaigns)
            world.campaign_of(retry.plan)

    async def _run_again(self) -> None:
        """Plan to do all of it again, as a campaign that is no kin of any other."""
        world = self._world
        world.campaign_of(replace(self._rng.choice(world.campaigns).plan, parents=()))
        await world.clock.sleep(self._rng.choice((0.0, 60.0, 600.0)))

    async def _go_on(self, campaign: Campaign) -> None:
        """A process that does not get to the end, as a rule."""
        world, rng = self._world, self._rng
        world.turn_to(campaign)
        after = rng.randint(1, 40)
        # Another run has the servers, or there is nothing left to do.
        with suppress(*GETS_NO_FURTHER):
            await until_it_dies(world.run(crash_after=after) if rng.random() < 0.5 else world.run(stop_after=after))

    async def _to_its_end(self, campaign: Campaign) -> None:
        self._world.turn_to(campaign)
        with suppress(Crash, *GETS_NO_FURTHER):
            self._stopped(await self._world.run())

    def _is_over(self, campaign: Campaign) -> bool:
        """Whether nothing is left to do of it, as its journal tells."""
        if campaign.run_id is None:
            return False
        ends = self._world.store.read_events(campaign.run_id, kinds=("run_ended", "run_resumed"))
        last = list(ends)[-1:]
        return any(isinstance(event, e.RunEnded) and RunState(event.state).is_over for event in last)
