"""What `runner show` asks of a run that a state folder holds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.app.following import FollowedRun
from runner.app.history import stored_plan, stored_run
from runner.app.listing import open_store, run_object
from runner.model import JsonObject, RunState
from runner.report.next_steps import next_steps
from runner.report.standing_text import left_text, told_waits, upcoming_text
from runner.report.times import rfc3339
from runner.run.evolve import evolve, replay
from runner.run.facts import initial_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.app.host import Host
    from runner.journal.store import RunRow, RunStore
    from runner.run.events import Event
    from runner.run.facts import Facts
    from runner.run.standing import Standing
    from runner.run.waits import Wait

_OF_THE_REPORT = ("at_work", "not_reached", "groups", "waves", "decisions", "outages", "causes")


def run_json(host: Host, state_dir: Path, text: str) -> JsonObject:
    """A run as JSON: its row in the list, what the report says of it but for its jobs, how it stands, what to type."""
    with open_store(state_dir, reading=True) as store:
        row = store.run(store.resolve(text))
        stored = stored_run(store, row.id, state_dir)
        parents = list(store.history.parents(row.id))
        found = _standing(host, store, row)
    head = stored.report.head
    steps = next_steps(stored.report.facts, row.id, RunState(head["run"]["state"]), head["counts"])
    return {
        **run_object(row),
        **{name: head["run"][name] for name in ("reason", "exit_code", "finished_at", "duration_s", "simulated")},
        "servers": head["counts"],
        **{name: head[name] for name in _OF_THE_REPORT},
        "retry_of": parents,
        "carrier": stored.carrier or None,
        "pending": list(stored.pending),
        "standing": None if found is None else _standing_part(found, row.id),
        "next": [step._asdict() for step in steps],
    }


def _standing(host: Host, store: RunStore, row: RunRow) -> Standing | None:
    if row.state is not RunState.RUNNING:
        return None
    run = FollowedRun(host, store, row.id)
    run.take()
    return run.standing()


def _standing_part(found: Standing, run_id: str) -> JsonObject:
    upcoming, left = found.upcoming, found.left
    return {
        "at": rfc3339(found.at),
        "phase": found.phase.value,
        "waits": [_wait_part(wait, run_id) for wait in told_waits(found)],
        "upcoming": None if upcoming is None else upcoming_text(upcoming),
        "left": None if left is None else left_text(left),
    }


def _wait_part(wait: Wait, run_id: str) -> JsonObject:
    """Times are RFC 3339; `commands` are choices, each of commands to type one after the other."""
    return {
        "kind": wait.kind.value,
        "what": wait.what,
        "since": rfc3339(wait.since),
        "until": rfc3339(wait.until),
        "ends": wait.ends,
        "commands": [[typed.text(run_id) for typed in choice] for choice in wait.choices],
    }


def read_facts(state_dir: Path, text: str) -> Facts:
    """The facts of a run, without what only a report needs."""
    with open_store(state_dir, reading=True) as store:
        run_id = store.resolve(text)
        facts = initial_facts(stored_plan(store, run_id))
        replay(facts, store.read_events(run_id, lean=True))
        return facts


@contextmanager
def told_events(state_dir: Path, text: str) -> Iterator[tuple[str, Iterator[tuple[Event, Facts]]]]:
    """The id of a run, and its events in order, each with the facts once it has become true."""
    with open_store(state_dir, reading=True) as store:
        run_id = store.resolve(text)
        yield run_id, _told(store, run_id, initial_facts(stored_plan(store, run_id)))


def _told(store: RunStore, run_id: str, facts: Facts) -> Iterator[tuple[Event, Facts]]:
    for event in store.read_events(run_id, lean=True):
        evolve(facts, event)
        yield event, facts
