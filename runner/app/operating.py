"""Asking something of a run that goes on, from any shell that shares its state folder."""

from __future__ import annotations

import getpass
import os
import socket
import time
from typing import TYPE_CHECKING

import orjson

from runner.app.history import open_store, stored_plan
from runner.engine.ports import ReceivedCommand
from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.model import RunState
from runner.run import events as e
from runner.run.commands import Command, refusal
from runner.run.evolve import replay
from runner.run.excluding import NoSuchServers, matching_servers
from runner.run.facts import initial_facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.journal.store import RunStore
    from runner.run.facts import Facts

# How long to wait for a run to take a command in, seconds: it looks every half second.
_PATIENCE_S = 5.0
_POLL_S = 0.1


class StoredCommands:
    """The commands for a run, in its state store."""

    def __init__(self, store: RunStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id

    def read(self, after: int) -> Sequence[ReceivedCommand]:
        """The commands with a number above `after`, in order."""
        rows = self._store.read_commands(self._run_id, after)
        return [ReceivedCommand(row.id, row.who, row.why, Command(**orjson.loads(row.body))) for row in rows]


def give(state_dir: Path, text: str, command: Command, why: str) -> str:
    """Leave a command for a run, and say what came of it.

    Raises:
        InvalidInput: there is no such run, or the command's target or settings are none.
        RefusedToStart: it makes no sense as the run stands.
    """
    with open_store(state_dir) as store:
        run_id = store.resolve(text)
        state = _state(store, run_id)
        row = next(row for row in store.runs() if row.id == run_id)
        if row.state in {RunState.FINISHED, RunState.ABORTED}:
            raise RefusedToStart(f"run {run_id} is {row.state}", hint=f"see it with `runner show {run_id}`")
        refused = refusal(state, command)
        if refused is not None:
            raise _refused(run_id, refused)
        lives = row.state == RunState.RUNNING
        if not lives and state.simulated:
            raise RefusedToStart(f"run {run_id} was against a simulator, which ended with it", hint="start a new one")
        body = orjson.dumps({"action": command.action, "target": command.target, "settings": dict(command.settings)})
        number = store.post_command(run_id, time.time(), _who(), why, body.decode())
        extent = _extent(state, command)
        if not lives:
            return f"run {run_id}: {command.action} noted{extent}; it takes effect with `runner resume {run_id}`"
        _wait_for(store, run_id, number)
    return f"run {run_id}: {command.action} done{extent}"


def _state(store: RunStore, run_id: str) -> Facts:
    state = initial_facts(stored_plan(store, run_id))
    replay(state, store.read_events(run_id, without=("job_read",)))
    return state


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _extent(state: Facts, command: Command) -> str:
    if command.action != "exclude":
        return ""
    try:
        count = len(matching_servers(state.plan, command.target))
    except NoSuchServers as error:
        raise InvalidInput(Problem(str(error))) from error
    return f", {count:,} servers (those in flight or over stay as they are)"


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
