"""What a run waits for a person for, and the commands that end each wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.facts import StopRule
from runner.run.waits import Choice, Typed, Wait, WaitKind
from runner.run.waves import Stage
from runner.spec.rollout.limits import SETTABLE

if TYPE_CHECKING:
    from runner.run.facts import Facts, Hold

_CONTINUE, _ABORT = Typed("continue"), Typed("abort")


def person_waits(facts: Facts) -> list[Wait]:
    """What is waited for, or was when the run ended; nothing after an abort, and of a run that is over."""
    if facts.aborted is not None or (facts.ended is not None and facts.ended.is_over):
        return []
    controls, wave = facts.controls, facts.rollout.wave if facts.rollout else None
    waits = []
    if controls.held is not None:
        waits.append(hold_wait(controls.held))
    elif controls.paused:
        waits.append(Wait(WaitKind.PAUSE, "paused", controls.paused_since, choices=((_CONTINUE,),)))
    for group, since in sorted(controls.held_groups.items()):
        name = facts.plan.groups[group].name
        waits.append(Wait(WaitKind.GROUP, f"group {name} is held", since, choices=((Typed("release", name),),)))
    if wave is not None and wave.stage is Stage.AWAITING_APPROVAL:
        waits.append(approval_wait(wave.plan.name, wave.asked_at))
    return waits


def hold_wait(held: Hold) -> Wait:
    """What a rule holds the run on."""
    return Wait(WaitKind.HOLD, f"held: {held.reason}", held.since, choices=_go_on(held))


def approval_wait(wave: str, since: float | None = None) -> Wait:
    """A wave that a person must approve."""
    choices = ((Typed("approve", wave),), (Typed("reject", wave),))
    return Wait(WaitKind.APPROVAL, f"wave {wave} waits", since, choices=choices)


def _go_on(held: Hold) -> tuple[Choice, ...]:
    """A limit that is not raised would hold the run again at once, and a check that fails again, too."""
    first = (Typed("set", f"{held.limit}=N"),) if held.limit in SETTABLE else ()
    skip = ((Typed("continue", "--skip-check"),),) if held.rule == StopRule.CHECK else ()
    return ((*first, _CONTINUE), *skip, (_ABORT,))
