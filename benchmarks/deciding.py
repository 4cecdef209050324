"""What an event costs, at a thousand and at a million servers: deciding, folding it in, and asking the gate."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping

from benchmarks.tools import header, median, row
from runner.model import Job, Lane, Server
from runner.plan.expansion import PlanOptions, expand
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.decisions import Send, SplitUp
from runner.run.facts import initial_facts
from runner.run.gate import Patience, Record
from runner.run.live import LiveRun
from runner.spec.loading import load_campaign

FLEETS = (1_000, 10_000, 100_000, 1_000_000)
EVENTS = 20_000
ROUNDS = 5
SERVERS_PER_RACK = 40
# Few wait; or all of a zone wait for the few that are in flight there, most of them for their rack, too.
BUDGETS: dict[str, dict[str, object]] = {
    "few wait": {"max_abnormal": "2%", "max_unavailable": 40, "per": {"labels.rack": 8, "labels.az": "20%"}},
    "most wait": {"max_abnormal": "2%", "max_unavailable": 400, "per": {"labels.rack": 8, "labels.az": 16}},
}
JOBSPEC = {
    "api_version": "runner/v1",
    "name": "fleet",
    "groups": [
        {"name": "canary", "select": 'labels.ring == "canary"'},
        {"name": "g", "select": "true", "split_by": "labels.az"},
    ],
    "steps": [
        {"name": "s", "type": "T", "job_name": "s-{{ group.name }}", "servers_per_job": 4, "items": [{"type": "I"}]}
    ],
}


def jobspec(budget: Mapping[str, object]) -> str:
    """JSON, which is YAML, too. In the order listed requests of a rack stand together, and wait for each other."""
    waves = [{"name": "canary", "groups": ["canary"]}, {"name": "main", "sizes": ["25%", "rest"]}]
    rollout = {"waves": waves, "order": "listed", "budget": budget, "abort": {"sequential": {}}}
    return json.dumps({**JOBSPEC, "rollout": rollout})


def fleet(count: int) -> list[Server]:
    """Servers in racks of forty; the racks are in three zones. One in twenty is a canary."""
    labels: dict[tuple[int, str], dict[str, str]] = {}
    servers = []
    for number in range(count):
        rack, ring = number // SERVERS_PER_RACK, "canary" if number % 20 == 0 else "main"
        row_of = labels.setdefault((rack, ring), {"rack": f"r{rack}", "az": f"az{rack % 3}", "ring": ring})
        servers.append(Server(f"id-{number}", f"name-{number}", row_of))
    return servers


def make_plan(count: int, budget: Mapping[str, object]) -> Plan:
    """A plan for so many servers."""
    options = PlanOptions(
        env={},
        run_date="2026-01-01",
        created_at=0.0,
        runner_version="0",
        inventory_fingerprint="",
        lane=Lane("region", None, "project"),
    )
    # As a run that begins has it: with its servers as objects.
    return expand(load_campaign(jobspec(budget), "fleet.yaml"), fleet(count), options).with_servers_made()


class Healthy:
    """A campaign in which all goes well, by events alone; one begins anew where one ends. Times are CPU seconds."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._open: deque[int] = deque()
        self.wave_s: list[tuple[int, float]] = []
        self._began()

    def _began(self) -> None:
        plan = self._plan
        self._open.clear()
        self._run = LiveRun(initial_facts(plan))
        self._now = 0.0
        self._run.apply(e.RunStarted(0.0, "c", plan.plan_hash, "0", simulated=True, watched=True))

    def take(self, count: int) -> float:
        """Seconds that so many events took, but for those that start a wave: they cost its size, once."""
        spent, done = 0.0, 0
        while done < count:
            if self._gate_records():
                continue
            before = time.process_time()
            done_now = self._events(count - done)
            spent += time.process_time() - before
            done += done_now
            if not done_now:
                self._began()
        return spent

    def _gate_records(self) -> bool:
        step = self._run.next_step(self._now, Patience())
        if not isinstance(step, Record):
            return False
        before = time.process_time()
        self._run.apply(step.event)
        if isinstance(step.event, e.WaveStarted) and self._run.facts.rollout is not None:
            servers = self._run.facts.rollout.waves[step.event.wave].plan.servers
            self.wave_s.append((servers, time.process_time() - before))
        elif isinstance(step.event, e.Held | e.Aborted):
            raise SystemExit(step.event.reason)
        return True

    def _events(self, most: int) -> int:
        """Until the gate has something to say, or nothing more can happen."""
        run, done = self._run, 0
        while done < most and not isinstance(run.next_step(self._now, Patience()), Record):
            event = self._next(run.decide(0, self._now))
            if event is None:
                break
            run.apply(event)
            done += 1
            if isinstance(event, e.Intended):
                run.apply(e.Accepted(self._now, event.request, _job(event.request)))
                run.next_step(self._now, Patience())
                done += 1
        return done

    def _next(self, command: object) -> e.Event | None:
        self._now += 1.0
        if isinstance(command, Send):
            self._open.append(command.request)
            return e.Intended(self._now, command.request)
        if isinstance(command, SplitUp):
            return e.Split(self._now, command.request, command.cut)
        if not self._open:
            return None
        request = self._open.popleft()
        return e.Settled(self._now, request, "s" * len(self._run.facts.servers_of(request)), 60.0)


def _job(request: int) -> Job:
    return Job(str(request), None, None, None, None, None, None, None, None)


def main() -> None:
    """Print the cost of an event by the size of the fleet, and its ratio to that of the smallest."""
    for name, budget in BUDGETS.items():
        _measure(name, budget)
        print()


def _measure(name: str, budget: Mapping[str, object]) -> None:
    took: dict[int, float] = {}
    runs: dict[int, Healthy] = {}
    for count in FLEETS:
        before = time.process_time()
        plan = make_plan(count, budget)
        took[count] = time.process_time() - before
        runs[count] = Healthy(plan)
    costs: dict[int, list[float]] = {count: [] for count in FLEETS}
    for _ in range(ROUNDS):
        for count, run in runs.items():
            costs[count].append(run.take(EVENTS) / EVENTS * 1e6)
    header(
        f"servers; {name}",
        f"µs per event, median of {ROUNDS}",
        "ratio",
        "largest wave begun, servers",
        "ms",
        "plan made, s",
    )
    for count, run in runs.items():
        servers, seconds = max(run.wave_s)
        cost = median(costs[count])
        row(f"{count:,}", cost, cost / median(costs[FLEETS[0]]), f"{servers:,}", seconds * 1000, took[count])


if __name__ == "__main__":
    main()
