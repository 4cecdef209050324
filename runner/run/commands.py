"""What people may ask of a run while it goes on: whether it makes sense now, and what it changes. One table: `KINDS`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from runner.run.due import exclude_later, include_again
from runner.run.excluding import NoSuchServers, exclusion_scope, inclusion_refused, matching_servers
from runner.run.facts import StopRule
from runner.run.pacing import Stretch
from runner.run.waves import RolloutDeadline, Stage
from runner.spec.moments import EXPECTED_MOMENT, parse_deadline
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
    from datetime import tzinfo

    from runner.run.events import Commanded
    from runner.run.facts import Facts
    from runner.run.waves import WaveFacts

SETTINGS = ("rate", "concurrency", *SETTABLE, "deadline")
SKIP_CHECK = "skip_check"
# The moment that `set deadline=...` came to when it was given, epoch seconds, beside how it was written: by the wall clock,
# and from when it is carried out, by the run's time if it was given as a span.
_DEADLINE_AT = "deadline_at"
_MOST_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asked for. `target` is a wave, a group, or servers, by the action.

    `settings` are those of `set`; the `plan_hash` that is approved; or `skip_check` of `continue`.
    """

    action: str
    target: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> str:
        """What it was asked with, in a line."""
        settings = (f"{name}={value}" for name, value in self.settings.items() if name != _DEADLINE_AT)
        return " ".join(part for part in (self.target, *settings) if part)


def dated(command: Command, now: float, zone: Callable[[], tzinfo | None]) -> Command:
    """The command with its deadline as a moment: a span counts from `now`, when it is given (epoch seconds).

    `zone` gives the zone of a time of day, None: the machine's own. What is no deadline stays as it is, to be refused.
    """
    if "deadline" not in command.settings:
        return command
    settings = {name: value for name, value in command.settings.items() if name != _DEADLINE_AT}
    at = parse_deadline(settings["deadline"], now, zone())
    return replace(command, settings=settings if at is None else {**settings, _DEADLINE_AT: repr(at)})


def in_run_time(command: Command, ahead_s: float) -> Command:
    """A dated command for a run whose time is so far ahead of the wall clock: a span counts by the run's time."""
    at = _moment(command.settings)
    if at is None or not _is_span(command.settings.get("deadline", "")):
        return command
    return replace(command, settings={**command.settings, _DEADLINE_AT: repr(at + ahead_s)})


def refusal(facts: Facts, command: Command) -> str | None:
    """Why the command makes no sense as things stand; None if it does."""
    if facts.aborted is not None:
        return f"the run is aborted already: {facts.aborted}"
    kind = KINDS.get(command.action)
    if kind is None:
        return f"this version does not know `{command.action}`; it knows {', '.join(KINDS)}"
    return kind.refusal(facts, command)


def carry_out(facts: Facts, event: Commanded) -> None:
    """Change the facts as a command asks that was not refused. What `exclude` changes at once is in events of their own."""
    kind = KINDS.get(event.action)
    if kind is not None:
        kind.change(facts, event)


def _nothing(facts: Facts, asked: Command | Commanded) -> None:
    del facts, asked


def _pause(facts: Facts, command: Command) -> str | None:
    del command
    return "the run is paused already" if facts.controls.paused else None


def _pauses(facts: Facts, event: Commanded) -> None:
    facts.controls.paused, facts.controls.paused_since = True, event.at


def _continue(facts: Facts, command: Command) -> str | None:
    held = facts.controls.held
    if SKIP_CHECK in command.settings and (held is None or held.rule != StopRule.CHECK):
        return "the run is not held on a check that failed, so there is none to skip"
    if facts.is_waiting_for_person:
        return None
    wave = _awaiting(facts)
    hint = f"; wave {wave.plan.name} waits for `approve`" if wave else ""
    return f"the run is neither paused nor held{hint}"


def _continues(facts: Facts, event: Commanded) -> None:
    held = facts.controls.held
    facts.controls.paused, facts.controls.held = False, None
    facts.stretch = Stretch(event.at, facts.started)
    wave = facts.rollout.wave if facts.rollout else None
    if wave is None or held is None:
        return
    if held.rule == StopRule.CRAWL and facts.rollout is not None and facts.rollout.crawl is not None:
        facts.rollout.crawl = facts.rollout.crawl._replace(is_answered=True)
    elif held.rule == StopRule.NOTHING_SUCCEEDED:
        wave.waived = True
    elif held.rule == StopRule.CHECK and SKIP_CHECK in event.settings and wave.check_to_repeat:
        wave.check, wave.check_to_repeat = wave.check + 1, False


def _awaiting(facts: Facts) -> WaveFacts | None:
    wave = facts.rollout.wave if facts.rollout else None
    return wave if wave is not None and wave.stage is Stage.AWAITING_APPROVAL else None


def _aborts(facts: Facts, event: Commanded) -> None:
    facts.aborted = f"aborted by {event.who}{_because(event)}"


def _because(event: Commanded) -> str:
    return f": {event.why}" if event.why else ""


def _wave(facts: Facts, command: Command) -> str | None:
    if facts.rollout is None:
        return "the run has no waves: its jobspec has no `rollout`"
    names = [wave.plan.name for wave in facts.rollout.waves]
    if command.target not in names:
        return f"there is no wave {command.target}: {did_you_mean(command.target, names)}"
    wanted = command.settings.get("plan_hash")
    if wanted is not None and wanted != facts.plan.plan_hash:
        return f"the run is of plan {facts.plan.plan_hash}, not {wanted}"
    wave = facts.rollout.waves[names.index(command.target)]
    if wave.stage is Stage.AWAITING_APPROVAL:
        return None
    stage = "waiting for its turn" if wave.stage is Stage.WAITING else wave.stage.value
    return f"wave {command.target} does not wait for approval: it is {stage}"


def _approves(facts: Facts, event: Commanded) -> None:
    wave = _awaiting(facts)
    if wave is not None and facts.rollout is not None:
        wave.stage, wave.passed_at = Stage.PASSED, event.at
        facts.rollout.current += 1


def _rejects(facts: Facts, event: Commanded) -> None:
    wave = _awaiting(facts)
    if wave is not None:
        wave.stage = Stage.REJECTED
        facts.aborted = f"wave {event.target} was rejected by {event.who}{_because(event)}"


def _set(facts: Facts, command: Command) -> str | None:
    is_dated = "deadline" in command.settings
    settings = {name: value for name, value in command.settings.items() if name != _DEADLINE_AT or not is_dated}
    if not settings:
        return f"nothing to set; expected some of {', '.join(SETTINGS)}, such as rate=5/s"
    problems = (_setting(facts, command, name, value) for name, value in settings.items())
    return next((problem for problem in problems if problem), None)


def _setting(facts: Facts, command: Command, name: str, value: str) -> str | None:
    problem = None
    if name not in SETTINGS:
        problem = f"{name} cannot be set: {did_you_mean(name, SETTINGS)}"
    elif name == "rate":
        problem = None if parse_rate(value) else f"{value!r} is no rate; expected {EXPECTED_RATE}"
    elif name == "concurrency":
        fits = value.isdecimal() and 1 <= int(value) <= _MOST_AT_ONCE
        problem = None if fits else f"{value!r} is no concurrency; expected 1 to {_MOST_AT_ONCE}"
    elif facts.rollout is None:
        problem = f"{name} is of a rollout, and the run has none"
    elif name == "deadline":
        known = _moment(command.settings) if _DEADLINE_AT in command.settings else parse_duration(value)
        problem = None if known else f"{value!r}: expected {EXPECTED_DURATION}, or {EXPECTED_MOMENT}"
    elif parse_share(value) is None:
        problem = f"{value!r} is no limit; expected {EXPECTED_SHARE}"
    elif facts.rollout.ledger.cell(name) is None:
        problem = f"the plan has no {name}: a limit can be changed while a run goes on, but not added"
    return problem


def _moment(settings: Mapping[str, str]) -> float | None:
    """The moment that a deadline came to; None if that is none."""
    try:
        at = float(settings[_DEADLINE_AT])
    except (KeyError, ValueError):
        return None
    return at if math.isfinite(at) else None


def _is_span(deadline: str) -> bool:
    return parse_duration(deadline) is not None


def _sets(facts: Facts, event: Commanded) -> None:
    for name, value in event.settings.items():
        if name == "rate":
            facts.controls.rate = parse_rate(value)
        elif name == "concurrency":
            facts.controls.concurrency = int(value)
        elif name == "deadline":
            _set_deadline(facts, event, value)
        elif name != _DEADLINE_AT:
            _set_limit(facts, name, value)


def _set_deadline(facts: Facts, event: Commanded, value: str) -> None:
    """Versions before gave no moment, and counted from the start of the run."""
    if facts.rollout is None:
        return
    from_start = (facts.started_at or event.at) + (parse_duration(value) or 0.0)
    given = _moment(event.settings)
    facts.rollout.deadline = RolloutDeadline(from_start if given is None else given, by_wall=not _is_span(value))


def _set_limit(facts: Facts, name: str, value: str) -> None:
    cell = facts.rollout.ledger.cell(name) if facts.rollout else None
    share = parse_share(value)
    if cell is not None and share is not None:
        cell.most = share.of(cell.limit.total)


def _exclude(facts: Facts, command: Command) -> str | None:
    try:
        scope = exclusion_scope(facts, matching_servers(facts.plan, command.target))
    except NoSuchServers as error:
        return str(error)
    return None if scope.excluded_now else f"nothing to exclude: {scope.kept()}"


def _include(facts: Facts, command: Command) -> str | None:
    try:
        return inclusion_refused(facts, matching_servers(facts.plan, command.target))
    except NoSuchServers as error:
        return str(error)


def _group(facts: Facts, command: Command) -> str | None:
    names = [group.name for group in facts.plan.groups]
    if command.target not in names:
        return f"there is no group {command.target}: {did_you_mean(command.target, names)}"
    held = names.index(command.target) in facts.controls.held_groups
    if command.action == "hold":
        return f"group {command.target} is held already" if held else None
    return None if held else f"group {command.target} is not held"


def _holds(facts: Facts, event: Commanded) -> None:
    facts.controls.held_groups[_group_index(facts, event)] = event.at


def _releases(facts: Facts, event: Commanded) -> None:
    facts.controls.held_groups.pop(_group_index(facts, event), None)


def _group_index(facts: Facts, event: Commanded) -> int:
    return next(index for index, group in enumerate(facts.plan.groups) if group.name == event.target)


class CommandKind(NamedTuple):
    """One thing that may be asked: why it makes no sense now (None: it does), and what it changes."""

    refusal: Callable[[Facts, Command], str | None]
    change: Callable[[Facts, Commanded], None]


KINDS: dict[str, CommandKind] = {
    "pause": CommandKind(_pause, _pauses),
    "continue": CommandKind(_continue, _continues),
    "abort": CommandKind(_nothing, _aborts),
    "approve": CommandKind(_wave, _approves),
    "reject": CommandKind(_wave, _rejects),
    "set": CommandKind(_set, _sets),
    "exclude": CommandKind(_exclude, exclude_later),
    "include": CommandKind(_include, include_again),
    "hold": CommandKind(_group, _holds),
    "release": CommandKind(_group, _releases),
}
