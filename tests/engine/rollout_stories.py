"""Rollouts drawn from a seed, and a person at the keyboard who disturbs them and answers every question at last."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from runner.errors import InvalidInput
from runner.model import Server
from runner.plan.plan import Plan
from runner.plan.rollout.model import PlannedCheck
from runner.run.waves import Stage
from tests.engine.conftest import World
from tests.engine.rollout_plans import group, rollout_plan, step

_ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns")
_ANSWERS_UNTIL_THE_END = 3


def drawn_plan(rng: random.Random, submit: dict[str, Any], watch: dict[str, Any]) -> Plan:
    """A plan that can be carried out: what the expansion refuses is drawn again."""
    while True:
        try:
            return _plan(rng, submit, watch)
        except InvalidInput:
            continue


def _plan(rng: random.Random, submit: dict[str, Any], watch: dict[str, Any]) -> Plan:
    servers = _fleet(rng)
    groups = [group("small", 'labels.flavor == "f0"'), group("large", region=f"region-{rng.randint(0, 1)}")]
    steps = [
        step(f"step-{number}", rng.randint(2, 5), expected_duration="1m") for number in range(rng.choice((1, 1, 2)))
    ]
    rollout: dict[str, Any] = {
        "waves": _waves(rng),
        "order": rng.choice(("stratified", "listed", "shuffled")),
        "budget": _budget(rng),
        "on_breach": rng.choice(("hold", "hold", "hold", "abort")),
        "abort": _abort(rng),
    }
    checks: list[dict[str, Any]] = []
    if rng.random() < 0.4:
        checks.append({"name": "well", "command": ["true"], "attempts": rng.randint(1, 3)})
    if rng.random() < 0.3:
        steps.append(step("look", rng.randint(1, 4), expected_duration="1m"))
        checks.append({"name": "looked", "step": "look"})
    if rng.random() < 0.4:
        steps.append(step("logs", expected_duration="1m"))
        rollout["on_failure"] = {"step": "logs"}
    if rng.random() < 0.3:
        rollout["window"] = _window(rng)
    if rng.random() < 0.1:
        rollout["deadline"] = rng.choice(("3m", "10m"))
    rollout["checks"] = checks
    return rollout_plan(rollout, servers, steps=steps, groups=groups, submit=submit, watch=watch)


def _fleet(rng: random.Random) -> list[Server]:
    flavors, racks, together = rng.randint(1, 3), rng.randint(1, 4), rng.randint(1, 2)
    return [
        Server(
            f"s{i:03}",
            f"name-{i:03}",
            # Servers of one hypervisor have all else in common, or no group could hold them.
            {
                "hyper": f"h{i // together}",
                "rack": f"r{i // together % racks}",
                "flavor": f"f{i // together % flavors}",
            },
        )
        for i in range(rng.randint(1, 24))
    ]


def _waves(rng: random.Random) -> list[dict[str, Any]]:
    def entry(name: str, groups: list[str] | None) -> dict[str, Any]:
        sizes = rng.choice((None, [1, 3, "rest"], ["25%", "rest"], {"first": 1, "factor": 2}))
        drawn = {"name": name, "groups": groups, "sizes": sizes, "soak": rng.choice((None, "5s", "1m"))}
        return {key: value for key, value in drawn.items() if value is not None} | {"approve": rng.random() < 0.2}

    if rng.random() < 0.5:
        return [entry("all", None)]
    first, second = rng.sample(["small", "large"], 2)
    return [entry("first", [first]), entry("second", [second])]


def _budget(rng: random.Random) -> dict[str, Any]:
    limits = {
        "max_abnormal": (2, 5, "20%", "50%"),
        "max_unavailable": (4, "30%"),
        "max_abnormal_per_wave": (2, "50%"),
        "max_abnormal_per_group": (3, "50%"),
        "max_skipped": (2, "40%"),
    }
    budget: dict[str, Any] = {name: rng.choice(some) for name, some in limits.items() if rng.random() < 0.3}
    per = {
        "labels.rack": rng.choice((1, 2, "50%")),
        "labels.flavor": rng.choice((2, 4, "50%")),
        "labels.hyper": "whole",
    }
    return budget | {"per": {name: most for name, most in per.items() if rng.random() < 0.3}}


def _abort(rng: random.Random) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if rng.random() < 0.2:
        rules["sequential"] = {"healthy": "1%", "bad": "30%"}
    if rng.random() < 0.2:
        rules["after_unknown"] = rng.randint(2, 6)
    return rules


def _window(rng: random.Random) -> dict[str, Any]:
    """Open in most of every hour, so that a run ends on the same day."""
    start, end = rng.randint(0, 10), rng.randint(20, 50)
    allow = [f"daily {hour:02}:{start:02}-{hour:02}:{end:02}" for hour in range(24)]
    return {"allow": allow, "timezone": rng.choice(_ZONES), "cutoff": "p99"}


class Person:
    """Who gives commands while the run goes on: some at random, and always an answer where one is waited for."""

    def __init__(self, world: World, rng: random.Random, *, calm: bool) -> None:
        self._world = world
        self._rng = rng
        self._left = 0 if calm else rng.choice((0, 1, 3, 6))
        self._answers = Counter[str | None]()  # of each run
        self._patience = 0 if calm else rng.randint(1, 6)
        self._check_failing = 0.0 if calm else rng.choice((0.0, 0.3, 1.0))
        self._calm = calm
        world.passes = self._passes

    async def work(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(self._rng.uniform(1.0, 40.0))
            if self._world.state.ended is not None and self._world.state.ended.is_over:
                continue
            if not self._answer() and self._left and self._rng.random() < 0.5:
                self._left -= 1
                self._disturb()

    def go_on_after_deadline(self) -> None:
        """Give the run all the time it needs."""
        self._world.command("set", deadline="100d")

    def _set_pace(self) -> None:
        world, rng = self._world, self._rng
        world.command("set", rate=rng.choice(("1/s", "20/s")), concurrency=str(rng.randint(1, 8)))
        if self._left % 2:
            world.command("set", deadline=datetime.fromtimestamp(world.clock.wall() + 1200.0, UTC).isoformat())

    def _passes(self, check: PlannedCheck) -> bool:
        del check
        self._check_failing *= 0.8
        return self._rng.random() >= self._check_failing

    def _answer(self) -> bool:
        state, world = self._world.state, self._world
        wave = state.rollout.wave if state.rollout else None
        if state.controls.held is not None:
            self._answers[world.run_id] += 1
            self._answer_hold(self._answers[world.run_id])
        elif wave is not None and wave.stage is Stage.AWAITING_APPROVAL:
            unhappy = not self._calm and self._rng.random() < 0.1
            world.command("reject" if unhappy else "approve", wave.plan.name)
        elif state.controls.held_groups and self._rng.random() < 0.3:
            group_index = min(state.controls.held_groups)
            world.command("release", world.plan.groups[group_index].name)
        elif state.controls.paused:
            world.command("continue")
        else:
            return False
        return True

    def _answer_hold(self, answers: int) -> None:
        world = self._world
        if answers >= self._patience + _ANSWERS_UNTIL_THE_END:
            world.command("abort", why="enough")
        elif answers >= self._patience:
            world.command("exclude", "true")
            world.command("continue")
        else:
            for name in ("max_abnormal", "max_unavailable", "max_skipped"):
                if self._rng.random() < 0.5:
                    world.command("set", **{name: self._rng.choice(("100%", "10", "60%"))})
            world.command("continue")

    def _exclude(self, servers: str) -> None:
        self._world.command("exclude", servers)
        if self._rng.random() < 0.3:
            self._world.command("include", "true")

    def _disturb(self) -> None:
        world, rng, plan = self._world, self._rng, self._world.plan
        servers = [server for each in plan.groups for server in each.servers]
        match rng.choice(
            ("pause", "hold", "exclude", "exclude", "include", "rack", "set", "limit", "approve", "abort")
        ):
            case "pause":
                world.command("pause")
            case "hold":
                world.command("hold", rng.choice(plan.groups).name)
            case "exclude":
                self._exclude(rng.choice((rng.choice(servers).id, "true")))
            case "include":
                world.command("include", "true")
            case "rack":
                self._exclude(f'labels.rack == "{rng.choice(servers).labels["rack"]}"')
            case "set":
                self._set_pace()
            case "limit":
                world.command("set", max_abnormal=rng.choice(("1", "10%", "50%", "100%")))
            case "approve":
                world.command("approve", "nothing")
            case _ if rng.random() < 0.2:
                world.command("abort")
            case _:
                world.command("continue")
