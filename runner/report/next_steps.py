"""What a person can type now: the exact commands that a run waits for, for its report and for its display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runner.model import RunState
from runner.run.gate import DEADLINE_PASSED
from runner.run.waves import Stage
from runner.spec.rollout.limits import SETTABLE

if TYPE_CHECKING:
    from runner.run.facts import Facts


class Waiting(NamedTuple):
    """What a run waits for a person for: the evidence it is held on, a pause, groups held, a wave to be approved."""

    held: str | None = None
    paused: bool = False
    groups: tuple[str, ...] = ()
    wave: str | None = None

    def lines(self, run_id: str) -> list[str]:
        """Each thing that is waited for, with the commands that end the wait."""
        return [f"{what}: {command}" for what, command in self._waits(run_id)]

    def commands(self, run_id: str) -> str:
        """Those commands alone; empty if nothing is waited for."""
        return "; ".join(command for _, command in self._waits(run_id))

    def _waits(self, run_id: str) -> list[tuple[str, str]]:
        waits = []
        if self.held is not None:
            waits.append((f"held: {self.held}", _go_on(self.held, run_id)))
        elif self.paused:
            waits.append(("paused", f"runner continue {run_id}"))
        waits += [(f"group {group} is held", f"runner release {run_id} {group}") for group in self.groups]
        if self.wave is not None:
            choice = f"runner approve {run_id} {self.wave}, or runner reject {run_id} {self.wave}"
            waits.append((f"wave {self.wave} waits", choice))
        return waits


def _go_on(held: str, run_id: str) -> str:
    """A limit that is not raised would hold the run again at once."""
    name = held.partition(":")[0]
    first = f"runner set {run_id} {name}=N and " if name in SETTABLE else ""
    return f"{first}runner continue {run_id}, or runner abort {run_id}"


def waiting_in(state: Facts) -> Waiting:
    """What a run at work waits for."""
    if state.over:
        return Waiting()
    controls, wave = state.controls, state.rollout.wave if state.rollout else None
    return Waiting(
        controls.held,
        controls.paused,
        tuple(state.plan.groups[group].name for group in sorted(controls.held_groups)),
        wave.plan.name if wave is not None and wave.stage is Stage.AWAITING_APPROVAL else None,
    )


def waiting_of(report: dict[str, Any]) -> Waiting:
    """What the run of a report waits for, or waited for when it ended."""
    if not _may_go_on(report):
        return Waiting()
    held, paused, groups = None, False, {}
    for decision in report["decisions"]:
        match decision["what"], decision["who"]:
            case "abort" | "reject", _:
                return Waiting()
            case "hold", "runner":
                held = decision["evidence"]
            case "hold", _:
                groups[decision["evidence"]] = True
            case "release", _:
                groups.pop(decision["evidence"], None)
            case "pause", _:
                paused = True
            case "continue", _:
                held, paused = None, False
    wave = next((wave["name"] for wave in report["waves"] if wave["state"] == Stage.AWAITING_APPROVAL), None)
    return Waiting(held, paused, tuple(groups), wave)


def _may_go_on(report: dict[str, Any]) -> bool:
    state = RunState(report["run"]["state"])
    return state is RunState.RUNNING or state.is_resumable


def next_command(report: dict[str, Any]) -> str:
    """What to type next; empty where nothing is left to do, or no person is needed."""
    run = report["run"]
    if run["simulated"] and RunState(run["state"]).is_resumable:
        return ""  # its simulator ended with it
    commands = waiting_of(report).commands(run["id"])
    if run["reason"].startswith(DEADLINE_PASSED):
        commands = f"runner set {run['id']} deadline=DURATION"
    resume = f"runner resume {run['id']}" if RunState(run["state"]).is_resumable else ""
    return "; then ".join(filter(None, (commands, resume)))
