"""What became of one server in every run of a state folder that had it: of many runs only those are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.app.history import plan_of, stored_plan
from runner.app.listing import open_store
from runner.errors import InvalidInput, Problem
from runner.journal.store import shown_ids
from runner.plan.digests import LaneServer, digest, lane_servers, share
from runner.plan.keys import run_token
from runner.report.fold import fold
from runner.report.jobs import job_parts
from runner.report.server_rows import why
from runner.report.times import rfc3339
from runner.run.by_request import RequestState, by_request
from runner.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.journal.history import PastRun
    from runner.journal.store import RunStore
    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.run.by_request import RequestStanding
    from runner.run.facts import Facts

_MOST_NEAR = 1000
_PLACES = {RequestState.ACCEPTED: "at_work", RequestState.PLANNED: "not_reached"}


class ServerInRun(NamedTuple):
    """How a server came out of one run: its outcome there, or `at_work`, or `not_reached`; why, if it did not succeed."""

    run: str
    campaign: str
    started_at: str
    state: str
    server_id: str
    lane: str
    outcome: str
    wave: str | None
    group: str
    step: str
    job_id: str | None
    why: str

    def as_json(self) -> JsonObject:
        """As JSON has it."""
        return self._asdict()


def server_history(state_dir: Path, text: str, server: str) -> Iterator[ServerInRun]:
    """The runs that had a server, newest first; each is read when it is asked for.

    `server` is an id or a name in the run `text`: of the same lane it is the same one in other runs. Real runs and
    rehearsals know nothing of one another.

    Raises:
        InvalidInput: there is no such run, or no such server in it, or several.
    """
    with open_store(state_dir, reading=True) as store:
        row = store.run(store.resolve(text))
        wanted = _named(stored_plan(store, row.id), server, row.id)
        digests = set(map(digest, wanted))
        for past in store.history.later(None, 0, simulated=bool(row.simulated)):
            if past.digests is None or share(past.digests, digests):
                yield from _in_run(store, past, wanted)


def _named(plan: Plan, text: str, run_id: str) -> set[LaneServer]:
    """The server with this id or name; the same id in several lanes is several."""
    lanes = [lane.label for lane in plan.lanes]
    found = {
        LaneServer(lanes[group.lane], server.id)
        for group in plan.groups
        for server in group.servers
        if text in {server.id, server.name}
    }
    ids = {one.server_id for one in found}
    if len(ids) > 1:
        what = f"{text!r} is the id or the name of several servers: {shown_ids(ids)}"
        raise InvalidInput(Problem(what, path="--server", hint="name one by its id"))
    if not found:
        some = [server.name for group in plan.groups for server in group.servers[:_MOST_NEAR]]
        hint = f"name a run that had it; {did_you_mean(text, some)}"
        raise InvalidInput(Problem(f"run {run_id} has no server {text!r}", path="--server", hint=hint))
    return found


def _in_run(store: RunStore, past: PastRun, wanted: set[LaneServer]) -> Iterator[ServerInRun]:
    """Nothing where only the digest of another server is the same."""
    plan = plan_of(store, past.plan_hash, past.id)
    if wanted.isdisjoint(lane_servers(plan)):
        return
    row = store.run(past.id)
    facts, details = fold(plan, store.read_events(past.id))
    for server, standing in _last_steps(facts, wanted).items():
        (job,) = job_parts(facts, run_token(past.id), [standing], details)
        (task,) = (task for task in job["tasks"] if task["server_id"] == server.server_id)
        outcome = _PLACES.get(standing.state, task["outcome"])
        said = "" if outcome in _PLACES.values() else why(job, task)
        place = (job["wave"], job["group"], job["step"], job["job_id"])
        at = rfc3339(row.started_at) or ""
        yield ServerInRun(past.id, row.campaign, at, row.state.value, *server[::-1], outcome, *place, said)


def _last_steps(facts: Facts, wanted: set[LaneServer]) -> dict[LaneServer, RequestStanding]:
    """The request of the step that each server did not get through, or of the last."""
    lanes = [lane.label for lane in facts.plan.lanes]
    found: dict[LaneServer, RequestStanding] = {}
    ids = {server.server_id for server in wanted}
    for standing in by_request(facts):  # earlier steps come first
        if facts.is_main(standing.request) and not ids.isdisjoint(server.id for server in standing.servers):
            lane = lanes[facts.lane_index(standing.request)]
            there = {LaneServer(lane, server.id) for server in standing.servers}
            found |= dict.fromkeys(there & wanted, standing)
    return found
