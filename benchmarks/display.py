"""What the live view costs a run: each event that it is shown, and the pictures of so many seconds. CPU time."""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from benchmarks.deciding import make_plan
from benchmarks.tools import header, median, row
from runner.cli.live import LiveProgress
from runner.cli.terminal import Terminal
from runner.model import Job, Task
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.commands import Command
from runner.run.decisions import Send, SplitUp
from runner.run.facts import Facts, initial_facts
from runner.run.gate import Patience, Record
from runner.run.live import LiveRun
from runner.run.standing import Standing, standing

FLEETS = (1_000, 10_000, 100_000)
EVENTS = 20_000
EVENTS_PER_S = 1_000
DRAWN_PER_S = 2  # as `runner.cli.live` draws
ROUNDS = 5
SIZES = ((80, 24), (200, 50))
# One server in so many fails, each in words of its own; of more the test ends the run.
FAILS = 150
BUDGET: dict[str, object] = {"max_abnormal": "50%", "max_unavailable": 2000, "per": {"labels.rack": 20}}


async def no_command(run_id: str, command: Command, why: str) -> int:
    """Nobody sits there."""
    raise NotImplementedError((run_id, command, why))


class Taken(NamedTuple):
    """CPU seconds of showing events, and of drawing."""

    events_s: float
    pictures_s: float


class Shown:
    """A run at work that is shown, by events alone; of a small fleet it begins anew where it ends."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._began()
        self.events = self._events()

    def _began(self) -> None:
        self._run = LiveRun(initial_facts(self._plan))
        self._open: deque[int] = deque()
        self._now = 0.0
        self.live = LiveProgress({}, no_command, color=True)
        self.live.begin("20260101-000000-abcdef", self.facts, self._look)
        self._run.apply(e.RunStarted(0.0, "c", self._plan.plan_hash, "0", simulated=False, watched=True))

    @property
    def facts(self) -> Facts:
        """What is true of it."""
        return self._run.facts

    def _look(self) -> Standing:
        return standing(self.facts, self._now, self._run.sight(self._now))

    def _events(self) -> Iterator[e.Event]:
        """Those to come, each true already; without an end."""
        while True:
            step = self._run.next_step(self._now, Patience())
            made = [step.event] if isinstance(step, Record) else list(self._next())
            if not made:
                self._began()
            for event in made:
                self._run.apply(event)
                self._now += 1 / EVENTS_PER_S
                yield event

    def _next(self) -> Iterator[e.Event]:
        asked = self._run.decide(0, self._now)
        if isinstance(asked, SplitUp):
            yield e.Split(self._now, asked.request, asked.cut)
        elif isinstance(asked, Send) and len(self._open) < EVENTS_PER_S:
            self._open.append(asked.request)
            yield e.Intended(self._now, asked.request)
            yield e.Accepted(self._now, asked.request, _job(asked.request))
        elif self._open:
            request = self._open.popleft()
            servers = self.facts.servers_of(request)
            letters = "".join("f" if crc32(server.id.encode()) % FAILS == 0 else "s" for server in servers)
            tasks = tuple(
                _task(server.id, server.name, letter) for server, letter in zip(servers, letters, strict=True)
            )
            yield e.JobRead(self._now, request, _job(request, tasks))
            yield e.Settled(self._now, request, letters, 1.0)


def _task(server_id: str, name: str, letter: str) -> Task:
    number = crc32(server_id.encode())
    said = f"device {number % 8} of {server_id}: no answer within {number % 90} s" if letter == "f" else None
    return Task("t", server_id, name, "FAILED" if letter == "f" else "SUCCESS", said, 0.0, 1.0, None)


def _job(request: int, tasks: tuple[Task, ...] = ()) -> Job:
    return Job(str(request), None, None, None, None, None, None, None, None, tasks)


def taken(run: Shown, size: tuple[int, int]) -> Taken:
    """So many events shown, and drawn as often as they come in so many seconds."""
    terminal = Terminal(io.StringIO(), None, {}, color=True)
    events_s = pictures_s = 0.0
    every = EVENTS_PER_S // DRAWN_PER_S
    for number, event in zip(range(EVENTS), run.events, strict=False):
        before = time.process_time()
        run.live.observe(event)
        events_s += time.process_time() - before
        if number % every == 0:
            before = time.process_time()
            terminal.draw(run.live.picture(run.facts, *size))
            pictures_s += time.process_time() - before
    return Taken(events_s, pictures_s)


def main() -> None:
    """Print the share of a core that the display takes, by the size of the fleet and of the terminal."""
    seconds = EVENTS / EVENTS_PER_S
    header(
        f"servers; {EVENTS_PER_S:,} events/s",
        "terminal",
        f"% of a core, median of {ROUNDS}",
        "µs an event",
        "ms a picture",
    )
    for count in FLEETS:
        plan = make_plan(count, BUDGET)
        for size in SIZES:
            run = Shown(plan)
            found = [taken(run, size) for _ in range(ROUNDS)]
            share = median([100 * sum(one) / seconds for one in found])
            event = median([one.events_s / EVENTS * 1e6 for one in found])
            picture = median([one.pictures_s / (seconds * DRAWN_PER_S) * 1e3 for one in found])
            row(f"{count:,}", f"{size[0]}x{size[1]}", share, event, picture)


if __name__ == "__main__":
    main()
