"""Asking something of a run that goes on, from any shell that shares its state folder."""

from __future__ import annotations

import getpass
import os
import socket
import time
from typing import TYPE_CHECKING

import orjson

from runner.app.history import open_store, stored_plan
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

    from runner.engine.ports import ReceivedCommand
    from runner.journal.store import RunStore
    from runner.run.facts import Facts

# How long to wait for a run to take a command in, seconds: it looks every half second.
_PATIENCE_S = 5.0
_POLL_S = 0.1


def give(state_dir: Path, text: str, command: Command, why: str) -> str:
    """Leave a command for a run, and say what came of it.

    It is judged by how the run stands with all that was asked before and not taken in yet.

    Raises:
        InvalidInput: there is no such run.
        RefusedToStart: it makes no sense as the run stands.
    """
    with open_store(state_dir) as store:
        run_id = store.resolve(text)
        facts = _facts(store, run_id)
        row = store.run(run_id)
        if row.state.is_over:
            raise RefusedToStart(f"run {run_id} is {row.state}", hint=f"see it with `runner show {run_id}`")
        for earlier in pending_commands(store, run_id, facts):
            _take_in(facts, earlier)
        now = time.time()
        command = dated(command, now)
        refused = refusal(facts, command)
        if refused is not None:
            raise _refused(run_id, refused)
        lives = row.state is RunState.RUNNING
        if not lives and facts.simulated:
            raise RefusedToStart(f"run {run_id} was against a simulator, which ended with it", hint="start a new one")
        body = orjson.dumps({"action": command.action, "target": command.target, "settings": dict(command.settings)})
        extent = _extent(facts, command)
        number = store.post_command(run_id, now, _who(), why, body.decode())
        if not lives:
            return f"run {run_id}: {command.action} noted{extent}; it takes effect with `runner resume {run_id}`"
        _wait_for(store, run_id, number)
    return f"run {run_id}: {command.action} done{extent}"


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
    replay(facts, store.read_events(run_id, without=("job_read",)))
    return facts


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _extent(facts: Facts, command: Command) -> str:
    if command.action != "exclude":
        return ""
    scope = exclusion_scope(facts, matching_servers(facts.plan, command.target))
    kept = f"; {scope.kept()}" if scope.kept() else ""
    return f", {scope.excluded_now:,} servers{kept}"


def _wait_for(store: RunStore, run_id: str, number: int) -> None:
    """Wait until the run has taken the command in."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        for event in store.read_events(run_id, kinds=("commanded",)):
            if isinstance(event, e.Commanded) and event.number == number:
                if event.refused is not None:
                    raise _refused(run_id, event.refused)
                return
        time.sleep(_POLL_S)
    raise RefusedToStart(
        f"run {run_id} has not taken the command in within {_PATIENCE_S:g} s",
        hint="it is kept, and takes effect when the run's process looks again, or is resumed; see `runner show`",
    )


def _refused(run_id: str, why: str) -> RefusedToStart:
    return RefusedToStart(f"run {run_id}: {why}", hint=f"how it stands: `runner show {run_id}`")
