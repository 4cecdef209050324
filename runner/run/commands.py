"""What people may ask of a run while it goes on: whether it makes sense now, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.run.excluding import NoSuchServers, matching_servers
from runner.run.facts import unpark_group
from runner.run.waves import Stage
from runner.spec.quantities import (
    EXPECTED_DURATION,
    EXPECTED_RATE,
    EXPECTED_SHARE,
    parse_duration,
    parse_rate,
    parse_share,
)
from runner.spec.rollout.limits import SETTABLE
from runner.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.run.events import Commanded
    from runner.run.facts import Facts
    from runner.run.waves import WaveFacts

ACTIONS = ("pause", "continue", "abort", "approve", "reject", "set", "exclude", "hold", "release")
SETTINGS = ("rate", "concurrency", *SETTABLE, "deadline")
_MOST_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asked for. `target` is a wave, a group, or servers, by the action; `settings` those of `set`.

    `approve` may have the `plan_hash` that is approved among its settings.
    """

    action: str
    target: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def refusal(state: Facts, command: Command) -> str | None:
    """Why the command makes no sense in this state; None if it does."""
    if state.aborted is not None:
        return f"the run is aborted already: {state.aborted}"
    return _REFUSALS[command.action](state, command)


def _nothing(state: Facts, command: Command) -> str | None:
    del state, command
    return None


def _pause(state: Facts, command: Command) -> str | None:
    del command
    return "the run is paused already" if state.controls.paused else None


def _continue(state: Facts, command: Command) -> str | None:
    del command
    if state.is_waiting_for_person:
        return None
    wave = _awaiting(state)
    hint = f"; wave {wave.plan.name} waits for `approve`" if wave else ""
    return f"the run is neither paused nor held{hint}"


def _awaiting(state: Facts) -> WaveFacts | None:
    wave = state.rollout.wave if state.rollout else None
    return wave if wave is not None and wave.stage is Stage.AWAITING_APPROVAL else None


def _wave(state: Facts, command: Command) -> str | None:
    if state.rollout is None:
        return "the run has no waves: its jobspec has no `rollout`"
    names = [wave.plan.name for wave in state.rollout.waves]
    if command.target not in names:
        return f"there is no wave {command.target}: {did_you_mean(command.target, names)}"
    wanted = command.settings.get("plan_hash")
    if wanted is not None and wanted != state.plan.plan_hash:
        return f"the run is of plan {state.plan.plan_hash}, not {wanted}"
    wave = state.rollout.waves[names.index(command.target)]
    if wave.stage is Stage.AWAITING_APPROVAL:
        return None
    stage = "waiting for its turn" if wave.stage is Stage.WAITING else wave.stage.value
    return f"wave {command.target} does not wait for approval: it is {stage}"


def _set(state: Facts, command: Command) -> str | None:
    if not command.settings:
        return f"nothing to set; expected some of {', '.join(SETTINGS)}, such as rate=5/s"
    problems = (_setting(state, name, value) for name, value in command.settings.items())
    return next((problem for problem in problems if problem), None)


def _setting(state: Facts, name: str, value: str) -> str | None:
    problem = None
    if name not in SETTINGS:
        problem = f"{name} cannot be set: {did_you_mean(name, SETTINGS)}"
    elif name == "rate":
        problem = None if parse_rate(value) else f"{value!r} is no rate; expected {EXPECTED_RATE}"
    elif name == "concurrency":
        fits = value.isdecimal() and 1 <= int(value) <= _MOST_AT_ONCE
        problem = None if fits else f"{value!r} is no concurrency; expected 1 to {_MOST_AT_ONCE}"
    elif state.rollout is None:
        problem = f"{name} is of a rollout, and the run has none"
    elif name == "deadline":
        problem = None if parse_duration(value) else f"{value!r} is no duration; expected {EXPECTED_DURATION}"
    elif parse_share(value) is None:
        problem = f"{value!r} is no limit; expected {EXPECTED_SHARE}"
    elif state.rollout.ledger.cell(name) is None:
        problem = f"the plan has no {name}: a limit can be changed while a run goes on, but not added"
    return problem


def _exclude(state: Facts, command: Command) -> str | None:
    try:
        matching_servers(state.plan, command.target)
    except NoSuchServers as error:
        return str(error)
    return None


def _group(state: Facts, command: Command) -> str | None:
    names = [group.name for group in state.plan.groups]
    if command.target not in names:
        return f"there is no group {command.target}: {did_you_mean(command.target, names)}"
    held = names.index(command.target) in state.controls.held_groups
    if command.action == "hold":
        return f"group {command.target} is held already" if held else None
    return None if held else f"group {command.target} is not held"


_REFUSALS: dict[str, Callable[[Facts, Command], str | None]] = {
    "pause": _pause,
    "continue": _continue,
    "abort": _nothing,
    "approve": _wave,
    "reject": _wave,
    "set": _set,
    "exclude": _exclude,
    "hold": _group,
    "release": _group,
}


def carry_out(state: Facts, event: Commanded) -> None:
    """Change the state as a command asks that was not refused. What `exclude` changes is in events of their own."""
    change = _CHANGES.get(event.action)
    if change is not None:
        change(state, event)


def _pauses(state: Facts, event: Commanded) -> None:
    del event
    state.controls.paused = True


def _continues(state: Facts, event: Commanded) -> None:
    del event
    state.controls.paused = False
    state.controls.held = None


def _aborts(state: Facts, event: Commanded) -> None:
    state.aborted = f"aborted by {event.who}{_because(event)}"


def _approves(state: Facts, event: Commanded) -> None:
    wave = _awaiting(state)
    if wave is not None and state.rollout is not None:
        wave.stage, wave.passed_at = Stage.PASSED, event.at
        state.rollout.current += 1


def _rejects(state: Facts, event: Commanded) -> None:
    wave = _awaiting(state)
    if wave is not None:
        wave.stage = Stage.REJECTED
        state.aborted = f"wave {event.target} was rejected by {event.who}{_because(event)}"


def _because(event: Commanded) -> str:
    return f": {event.why}" if event.why else ""


def _sets(state: Facts, event: Commanded) -> None:
    for name, value in event.settings.items():
        if name == "rate":
            state.controls.rate = parse_rate(value)
        elif name == "concurrency":
            state.controls.concurrency = int(value)
        elif name == "deadline" and state.rollout is not None:
            state.rollout.deadline_at = (state.started_at or event.at) + (parse_duration(value) or 0.0)
        else:
            _set_limit(state, name, value)


def _set_limit(state: Facts, name: str, value: str) -> None:
    cell = state.rollout.ledger.cell(name) if state.rollout else None
    share = parse_share(value)
    if cell is not None and share is not None:
        cell.most = share.of(cell.limit.total)


def _holds(state: Facts, event: Commanded) -> None:
    state.controls.held_groups.add(_group_index(state, event))


def _releases(state: Facts, event: Commanded) -> None:
    group = _group_index(state, event)
    state.controls.held_groups.discard(group)
    unpark_group(state, group)


def _group_index(state: Facts, event: Commanded) -> int:
    return next(index for index, group in enumerate(state.plan.groups) if group.name == event.target)


_CHANGES: dict[str, Callable[[Facts, Commanded], None]] = {
    "pause": _pauses,
    "continue": _continues,
    "abort": _aborts,
    "approve": _approves,
    "reject": _rejects,
    "set": _sets,
    "hold": _holds,
    "release": _releases,
}
