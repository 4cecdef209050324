"""A run of a rollout over a fleet of racks, made by the deciding of a real one with a service that is drawn: no I/O, no clock.

`python -m tests.made_run FOLDER SERVERS` writes one into a state folder.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from runner.model import Job, Server, Task
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.decisions import LeaveOut, Send, SplitUp
from runner.run.facts import initial_facts
from runner.run.gate import Patience, Record
from runner.run.live import LiveRun
from tests.app.past import Past
from tests.rolling import Case, jobspec

START = 1_790_000_000.0
ROLLOUT: Mapping[str, Any] = {
    "waves": [
        {"name": "canary", "groups": ["canary"], "soak": "1m", "approve": True},
        {"name": "ramp", "sizes": ["10%", "40%", "rest"], "soak": "1m"},
    ],
    "budget": {"max_abnormal": "20%", "max_unavailable": "40%", "per": {"labels.rack": "100%"}},
    "abort": {"sequential": {"healthy": "5%", "bad": "20%", "false_alarm": "1%", "miss": "5%"}},
}
_PER_JOB, _PATIENCE = 10, 3
Bad = Callable[[Server, Random], str | None]
"""Why a server fails, if it does."""


class MadeRun(NamedTuple):
    """A plan, and all that happened."""

    plan: Plan
    events: list[e.Event]


def racks(count: int, per_rack: int = 20) -> list[Server]:
    """A fleet whose ids are as long and as random as real ones."""
    chance = Random(7)
    labels = [
        {"rack": f"r{rack:04d}", "az": f"az{rack % 3 + 1}", "flavor": "snt9b" if rack % 4 else "snt9c"}
        for rack in range(-(-count // per_rack))
    ]
    return [
        Server(str(UUID(int=chance.getrandbits(128))), f"npu-{place:06d}", labels[place // per_rack])
        for place in range(count)
    ]


def one_bad_rack(server: Server, chance: Random) -> str | None:
    """Half of a rack fails, and of the others some: driver, or no words at all."""
    if server.labels["rack"] == "r0003" and chance.random() < 0.6:
        return f"node 10.0.3.{chance.randrange(200)}: driver 24.1.rc2 does not fit firmware 7.3.0.1"
    return "reboot timed out after 1800 s" if chance.random() < 0.01 else None


def made_run(
    servers: int = 600,
    bad: Bad = one_bad_rack,
    *,
    fleet: list[Server] | None = None,
    rollout: Mapping[str, Any] | None = ROLLOUT,
    why: str = "looked at the dashboard",
) -> MadeRun:
    """Carry it out. A person approves five minutes after being asked, and lets a run go on that is held, three times."""
    canary = 'labels.rack == "r0005"'
    groups = [{"name": "canary", "select": canary}, {"name": "all", "select": f"not ({canary})"}]
    plan = Case(jobspec(groups, (_PER_JOB,), rollout), racks(servers) if fleet is None else fleet).plan()
    maker = _Maker(plan, bad, why)
    maker.run()
    return MadeRun(plan, maker.events)


class _Maker:
    def __init__(self, plan: Plan, bad: Bad, why: str) -> None:
        self.live, self.events, self.now = LiveRun(initial_facts(plan)), list[e.Event](), START
        self._chance, self._bad, self._why = Random(3), bad, why
        self._asked = 0
        self._due: list[tuple[float, int]] = []
        self._record(e.RunStarted(START, plan.campaign, plan.plan_hash, "0", simulated=False, watched=True))

    def _record(self, event: e.Event) -> None:
        self.live.apply(event)
        self.events.append(event)

    def run(self) -> None:
        while self._gate() or self._sent() or self._settled():
            pass
        abnormal = any(outcome.is_abnormal for outcome in self.live.facts.counts)
        state, reason = ("aborted", "a rule") if self.live.facts.aborted is not None else ("finished", "")
        self._record(e.RunEnded(self.now, state, reason, 4 if state == "aborted" else 3 if abnormal else 0))

    def _gate(self) -> bool:
        facts = self.live.facts
        step = self.live.next_step(self.now, Patience())
        if isinstance(step, Record):
            self._record(step.event)
            return True
        wave = facts.rollout.wave if facts.rollout else None
        if self._due or wave is None or facts.over:
            return False
        if facts.is_waiting_for_person or wave.asked_at is not None:
            self.now += 300.0
            self._asked += wave.asked_at is None
            action = "approve" if wave.asked_at is not None else "continue" if self._asked <= _PATIENCE else "abort"
            self._record(e.Commanded(self.now, len(self.events), action, "", {}, "mira", self._why, None))
            return True
        if not wave.left and self.now < wave.soak_until:
            self.now = wave.soak_until
            return True
        return False

    def _sent(self) -> bool:
        command = self.live.decide(0, self.now)
        if isinstance(command, Send):
            self.now += 0.05
            request = command.request
            self._record(e.Intended(self.now, request))
            self._record(e.Accepted(self.now + 0.1, request, self._job(request, "ACTIVE", ())))
            heapq.heappush(self._due, (self.now + self._chance.uniform(60, 180), request))
            return True
        if isinstance(command, SplitUp):
            self._record(e.Split(self.now, command.request, command.cut))
            return True
        if isinstance(command, LeaveOut):
            self._record(e.Withdrawn(self.now, command.request))
            return True
        return False

    def _settled(self) -> bool:
        if not self._due:
            return False
        at, request = heapq.heappop(self._due)
        self.now = max(self.now, at)
        whys = [self._bad(server, self._chance) for server in self.live.facts.servers_of(request)]
        letters = "".join("s" if why is None else "t" if "timed out" in why else "f" for why in whys)
        tasks = tuple(
            Task(f"t{request}-{place}", server.id, server.name, "SUCCESS" if why is None else "FAILED", why, START, self.now, None)
            for place, (server, why) in enumerate(zip(self.live.facts.servers_of(request), whys, strict=True))
        )  # fmt: skip
        self._record(e.JobRead(self.now, request, self._job(request, "FINISHED", tasks)))
        self._record(e.Settled(self.now, request, letters, 100.0))
        return True

    def _job(self, request: int, status: str, tasks: tuple[Task, ...]) -> Job:
        job_id = str(UUID(int=Random(request).getrandbits(128)))
        return Job(job_id, "n", "T", status, None, None, "user", self.now, self.now, tasks)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    past, run = Past(folder), made_run(int(sys.argv[2]))
    run_id = past.add(run.plan, [], at=START)
    for start in range(1, len(run.events), 500):
        past.append(run_id, run.events[start : start + 500])
    past.close()
