"""What a person can type now: the exact commands that a run waits for, for its summary and for its display."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.run.facts import Hold, StopRule
from runner.run.gate import DEADLINE_PASSED
from runner.run.waves import Stage
from runner.spec.rollout.limits import SETTABLE

if TYPE_CHECKING:
    from runner.model import RunState
    from runner.run.facts import Facts


class Waiting(NamedTuple):
    """What a run waits for a person for: what it is held on, a pause, groups held, a wave to be approved."""

    held: Hold | None = None
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
            waits.append((f"held: {self.held.reason}", _go_on(self.held, run_id)))
        elif self.paused:
            waits.append(("paused", f"runner continue {run_id}"))
        waits += [(f"group {group} is held", f"runner release {run_id} {group}") for group in self.groups]
        if self.wave is not None:
            choice = f"runner approve {run_id} {self.wave}, or runner reject {run_id} {self.wave}"
            waits.append((f"wave {self.wave} waits", choice))
        return waits


def _go_on(held: Hold, run_id: str) -> str:
    """A limit that is not raised would hold the run again at once, and a check that fails again, too."""
    first = f"runner set {run_id} {held.limit}=N and " if held.limit in SETTABLE else ""
    skip = f", or runner continue {run_id} --skip-check" if held.rule == StopRule.CHECK else ""
    return f"{first}runner continue {run_id}{skip}, or runner abort {run_id}"


def waiting_in(facts: Facts) -> Waiting:
    """What a run waits for, or waited for when it ended."""
    if facts.aborted is not None or (facts.ended is not None and facts.ended.is_over):
        return Waiting()
    controls, wave = facts.controls, facts.rollout.wave if facts.rollout else None
    return Waiting(
        controls.held,
        controls.paused,
        tuple(facts.plan.groups[group].name for group in sorted(controls.held_groups)),
        wave.plan.name if wave is not None and wave.stage is Stage.AWAITING_APPROVAL else None,
    )


def next_command(facts: Facts, run_id: str, state: RunState) -> str:
    """What to type next, for a run that stands so; empty where nothing is left to do, or no person is needed."""
    if facts.simulated and state.is_resumable:
        return ""  # its simulator ended with it
    commands = waiting_in(facts).commands(run_id)
    if facts.intake_ended == DEADLINE_PASSED and state.is_resumable:
        commands = f"runner set {run_id} deadline=DURATION"
    resume = f"runner resume {run_id}" if state.is_resumable else ""
    return "; then ".join(filter(None, (commands, resume)))
