"""Asking something of a run that goes on, from any shell that shares its state folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.app.history import stored_plan
from runner.app.posted import pending_commands
from runner.errors import RefusedToStart
from runner.model import RunState
from runner.run import events as e
from runner.run.commands import Command, dated, refusal
from runner.run.evolve import evolve, replay
from runner.run.excluding import exclusion_scope, exclusions, inclusions, matching_servers
from runner.run.facts import initial_facts

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.host import Host
    from runner.engine.ports import MachineClock, ReceivedCommand
    from runner.journal.store import RunStore
    from runner.run.facts import Facts

# How long to wait for a run to take a command in, seconds: it looks every half second.
_PATIENCE_S = 5.0
_POLL_S = 0.1


class Left(NamedTuple):
    """A command that lies in the state store: its number there. `is_awaited`: a process is at work that will take it in."""

    run_id: str
    number: int
    is_awaited: bool
    extent: str


def give(host: Host, state_dir: Path, text: str, command: Command, why: str) -> str:
    """Leave a command for a run, and say what came of it.

    It is judged by how the run stands with all that was asked before and not taken in yet.

    Raises:
        InvalidInput: there is no such run.
        RefusedToStart: it makes no sense as the run stands.
    """
    with host.open_store(state_dir) as store:
        left = _left(host, store, text, command, why)
        if not left.is_awaited:
            later = f"it takes effect with `runner resume {left.run_id}`"
            return f"run {left.run_id}: {command.action} noted{left.extent}; {later}"
        host.run_loop(_wait_for(host.clock, store, left))
    return f"run {left.run_id}: {command.action} done{left.extent}"


def note(host: Host, state_dir: Path, text: str, command: Command, why: str) -> Left:
    """Leave a command for a run, and do not wait for what comes of it. Raises as `give` does."""
    with host.open_store(state_dir) as store:
        return _left(host, store, text, command, why)


def _left(host: Host, store: RunStore, text: str, command: Command, why: str) -> Left:
    at = host.clock.wall()
    return leave(store, text, dated(command, at, host.zone), who=host.person(), why=why, at=at)


def leave(store: RunStore, text: str, command: Command, *, who: str, why: str, at: float) -> Left:
    """Leave a command for a run, with its deadline as a moment. `at` is epoch seconds. Raises as `give` does."""
    run_id = store.resolve(text)
    facts = _facts(store, run_id)
    row = store.run(run_id)
    if row.state.is_over:
        raise RefusedToStart(f"run {run_id} is {row.state}", hint=f"see it with `runner show {run_id}`")
    for earlier in pending_commands(store, run_id, facts):
        _take_in(facts, earlier)
    refused = refusal(facts, command)
    if refused is not None:
        raise _refused(run_id, refused)
    is_awaited = row.state is RunState.RUNNING
    if not is_awaited and facts.simulated:
        raise RefusedToStart(f"run {run_id} was against a simulator, which ended with it", hint="start a new one")
    extent = _extent(facts, command)
    body = orjson.dumps({"action": command.action, "target": command.target, "settings": dict(command.settings)})
    return Left(run_id, store.post_command(run_id, at, who, why, body.decode()), is_awaited, extent)


def is_taken_in(store: RunStore, left: Left) -> bool:
    """Whether the run has carried the command out.

    Raises:
        RefusedToStart: it has, and nothing came of it.
    """
    for event in store.read_events(left.run_id, kinds=("commanded",)):
        if isinstance(event, e.Commanded) and event.number == left.number:
            if event.refused is not None:
                raise _refused(left.run_id, event.refused)
            return True
    return False


def _take_in(facts: Facts, earlier: ReceivedCommand) -> None:
    """Let the facts be as they will be once an earlier command is taken in."""
    command, at = earlier.command, facts.started_at or 0.0
    refused = refusal(facts, command)
    if refused is None and command.action == "exclude":
        for event in exclusions(facts, matching_servers(facts.plan, command.target), at, earlier.who, earlier.why):
            evolve(facts, event)
    elif refused is None and command.action == "include":
        for included in inclusions(facts, matching_servers(facts.plan, command.target), at):
            evolve(facts, included)
    settings = dict(command.settings)
    asked = e.Commanded(at, earlier.number, command.action, command.target, settings, earlier.who, earlier.why, refused)
    evolve(facts, asked)


def _facts(store: RunStore, run_id: str) -> Facts:
    facts = initial_facts(stored_plan(store, run_id))
    replay(facts, store.read_events(run_id, lean=True))
    return facts


def _extent(facts: Facts, command: Command) -> str:
    if command.action != "exclude":
        return ""
    scope = exclusion_scope(facts, matching_servers(facts.plan, command.target))
    kept = f"; {scope.kept()}" if scope.kept() else ""
    together = f" and {scope.together:,} that go together with them" if scope.together else ""
    return f", {scope.excluded_now:,} servers{together}{kept}"


async def _wait_for(clock: MachineClock, store: RunStore, left: Left) -> None:
    """Wait until the run has taken the command in."""
    until = clock.monotonic() + _PATIENCE_S
    while not is_taken_in(store, left):
        if clock.monotonic() >= until:
            raise RefusedToStart(
                f"run {left.run_id} has not taken the command in within {_PATIENCE_S:g} s",
                hint="it is kept, and takes effect when the run's process looks again, or is resumed; see `runner show`",
            )
        await clock.sleep(_POLL_S)


def _refused(run_id: str, why: str) -> RefusedToStart:
    return RefusedToStart(f"run {run_id}: {why}", hint=f"how it stands: `runner show {run_id}`")
