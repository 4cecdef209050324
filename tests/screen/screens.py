"""Screens of a run at its stations, as text files beside: `python -m tests.screen.screens` writes them anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from runner.model import Server, Task
from runner.run import events as e
from runner.run.facts import initial_facts
from runner.run.live import LiveRun
from runner.run.standing import standing
from runner.screen.cells import text_of
from runner.screen.charset import Charset
from runner.screen.dialogue import Dialogue
from runner.screen.kept import Kept
from runner.screen.picture import picture
from runner.screen.view import View
from tests.conftest import small_plan
from tests.driving import job_of
from tests.engine.rollout_plans import group, rollout_plan, step
from tests.run.by_hand import ByHand

FOLDER = Path(__file__).parent / "goldens"
NOW = 1_800_000_000.0
RUN_ID = "20270115-080000-c8e511"
TERMINALS = ((80, 24, "utf-8"), (80, 24, "ascii"), (120, 30, "utf-8"), (200, 50, "utf-8"), (40, 10, "utf-8"))
# One of each kind fails now and then, in two racks more often.
_TROUBLES = ("device {} of {} gives no answer", "firmware of {} is newer: {}.1")


def _fleet(count: int) -> list[Server]:
    return [
        Server(f"id-{n:04}", f"node-{n:04}", {"rack": f"r{n // 20:03}", "ring": "canary" if n < 20 else "main"})
        for n in range(count)
    ]


class Shown(ByHand):
    """A run with what was kept of its events."""

    def __init__(self) -> None:
        waves = [
            {"name": "canary", "groups": ["canary"], "approve": True, "soak": "10m"},
            {"name": "ramp", "sizes": ["5%", "25%", "rest"], "soak": "10s"},
        ]
        checks = [{"name": "training healthy", "command": ["true"]}]
        budget = {"max_abnormal": "5%", "max_unavailable": 600, "per": {"labels.rack": 20}}
        plan = rollout_plan(
            {"waves": waves, "checks": checks, "order": "listed", "budget": budget, "abort": {"sequential": {}}},
            _fleet(2000),
            steps=[step("upgrade", 1)],
            groups=[group("canary", 'labels.ring == "canary"'), group("main")],
            submit={"rate": "20/s", "burst": 20, "concurrency": 8},
        )
        self.kept = Kept(initial_facts(plan))
        super().__init__(plan, NOW)

    def record(self, *events: e.Event) -> None:
        for event in events:
            super().record(event)
            if isinstance(event, e.RunStarted):
                self.kept = Kept(self.facts)
            self.kept.take(event)
            if isinstance(event, e.WaveStarted | e.WavePassed | e.Held | e.Commanded):
                self.kept.note(event.at, event.kind.replace("_", " "))

    def over(self, request: int) -> None:
        """Its job is over."""
        (server,) = self.facts.servers_of(request)
        fails = request % 97 == 13 or server.labels["rack"] == "r040"
        said = _TROUBLES[request % 2].format(request % 8, server.id) if fails else None
        task = Task("t", server.id, server.name, "FAILED" if fails else "SUCCESS", said, None, None, None)
        self.record(e.JobRead(self.now, request, replace(job_of(request), tasks=(task,))))
        self.record(e.Settled(self.now, request, "f" if fails else "s", 20.0))

    def wave(self, requests: range, *, leave: int = 0) -> None:
        """These are sent, and over but for those to leave."""
        for request in requests:
            self.now += 0.1
            self.send(request)
        for request in list(requests)[: len(requests) - leave]:
            self.over(request)

    def gate(self, *_: object) -> None:  # type: ignore[override]
        """Through the soak and the check."""
        self.now = (
            self.facts.rollout.wave.soak_until if self.facts.rollout and self.facts.rollout.wave else self.now
        ) + 1
        wave = self.facts.rollout.current if self.facts.rollout else 0
        self.record(e.CheckStarted(self.now, wave, 0))
        self.record(e.Checked(self.now, wave, 0, passed=True, detail="12 of 12 jobs train", is_last=True))


def _canary() -> Shown:
    run = Shown()
    run.record(e.WaveStarted(run.now, 0))
    run.wave(range(20))
    return run


def _waiting() -> Shown:
    run = _canary()
    run.gate()
    run.record(e.ApprovalAsked(run.now, 0))
    run.now += 125.0
    return run


def _ramp() -> Shown:
    run = _waiting()
    run.record(e.Commanded(run.now, 1, "approve", "canary", {}, "root@ops", "looked at grafana", None))
    run.record(e.WaveStarted(run.now, 1))
    run.wave(range(20, 119))
    run.gate()
    run.record(e.WavePassed(run.now, 1), e.WaveStarted(run.now, 2))
    run.wave(range(119, 520), leave=60)
    return run


def _held() -> Shown:
    run = _ramp()
    run.record(
        e.Held(
            run.now,
            "budget",
            "max_abnormal: 100 abnormal, at most 100 of 2000 servers",
            "max_abnormal",
            "campaign",
            100,
            100,
        )
    )
    run.now += 3.0
    return run


def _stopped() -> Shown:
    run = _ramp()
    run.record(
        e.StopRequested(run.now, "SIGINT was received"), e.RunEnded(run.now + 2, "stopped", "SIGINT was received", 5)
    )
    return run


STATIONS: dict[str, Callable[[], Shown]] = {
    "begun": Shown,
    "soaking": _canary,
    "approval": _waiting,
    "at-work": _ramp,
    "held": _held,
    "stopped": _stopped,
}


def view_of(run: Shown, width: int, height: int, encoding: str) -> View:
    """What a picture of it is made from."""
    return View(RUN_ID, run.facts, run.look(), run.kept, Charset(encoding), width, height)


def _text(view: View) -> str:
    foot = Dialogue(view.charset, may_type=True, may_detach=True).foot(view.width)
    return "".join(f"{text_of(one)}".rstrip() + "\n" for one in picture(view, foot))


def screens() -> Iterator[tuple[str, str]]:
    """The name of each, and what stands there."""
    for station, make in STATIONS.items():
        run = make()
        for width, height, encoding in TERMINALS:
            yield f"{station}-{width}x{height}-{encoding}", _text(view_of(run, width, height, encoding))
    facts = initial_facts(small_plan((40, 40), (4,)))
    live = LiveRun(facts)
    live.apply(e.RunStarted(NOW, "c", "", "0", simulated=False, watched=True))
    found = standing(facts, NOW + 3.0, live.sight(NOW + 3.0))
    yield "no-rollout-80x24-utf-8", _text(View(RUN_ID, facts, found, Kept(facts), Charset(), 80, 24))


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in screens():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
