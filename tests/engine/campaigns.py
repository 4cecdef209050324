"""The campaigns of one world, and what those of one family promise one another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from runner.journal.store import RunStore
from runner.model import Outcome
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.by_server import by_server
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from tests.engine.promises import Promises

_MADE_NOTHING = (e.Lapsed, e.Refused, e.Throttled, e.NotFound)


class Campaign:
    """A plan, the run that carries it out, and who looks on.

    `report` is where the report of its run is to be. `posted` are commands for a run that has not begun. `last_look` is when it last looked at the job list, monotonic seconds.
    """

    def __init__(self, plan: Plan, promises: Promises) -> None:
        self.plan = plan
        self.promises = promises
        self.run_id: str | None = None
        self.report: Path | None = None
        self.state = initial_facts(plan)
        self.posted: list[tuple[str, str]] = []
        self.last_look = 0.0

    @property
    def servers(self) -> set[str]:
        """The ids of all that the plan has."""
        return {server.id for group in self.plan.groups for server in group.servers}

    def came_out(self, outcome: Outcome) -> set[str]:
        """Those that came out so, as the journal tells."""
        facts = initial_facts(self.plan)
        replay(facts, self.promises.durable)
        return {key.server_id for key, how in by_server(facts).items() if how.outcome is outcome}

    @property
    def touched(self) -> set[str]:
        """Those that a job was asked for, and perhaps made."""
        facts, asked = initial_facts(self.plan), dict[int, set[str]]()
        for event in self.promises.durable:
            if isinstance(event, e.Intended):
                asked[event.request] = {server.id for server in facts.servers_of(event.request)}
            elif isinstance(event, _MADE_NOTHING):
                asked.pop(event.request, None)
            replay(facts, [event])
        return set().union(*asked.values())


def check_left_to_kin(store: RunStore, mine: Campaign, family: Sequence[Campaign], servers: Collection[str]) -> None:
    """A server belongs to one open run of a family at a time: none of these that mine sends is another's."""
    kin = set(store.history.family(mine.run_id)) if len(family) > 1 and mine.run_id is not None else set[str]()
    seqs = {run_id: store.run(run_id).seq for run_id in kin}
    newest_first = sorted((each for each in family if each.run_id in seqs), key=lambda each: -seqs[each.run_id or ""])
    place = newest_first.index(mine) if mine in newest_first else 0
    for later in newest_first[:place]:
        is_over = store.run(later.run_id or "").state.is_over
        theirs = _of_later(mine, later, later.servers.intersection(servers), is_over=is_over)
        assert not theirs, f"{theirs} are those of {later.run_id}"
    untold = set(servers)
    for earlier in newest_first[place + 1 :]:
        told = untold & earlier.servers and untold & earlier.touched
        assert not (told and told & earlier.came_out(Outcome.SUCCEEDED)), f"{told} are done in {earlier.run_id}"
        untold -= told


def _of_later(mine: Campaign, later: Campaign, servers: set[str], *, is_over: bool) -> set[str]:
    """Those that a run that began later has touched, or may still do; it will not do what the other is through with."""
    if not servers:
        return set()
    return servers & later.touched if is_over else servers - (mine.came_out(Outcome.SUCCEEDED) - later.touched)


def check_excluded_stay_out(retry: Plan, family: Sequence[Campaign]) -> None:
    """Whom every run that had it has left out is in no retry, unless those were asked for."""
    begun = [campaign for campaign in family if campaign.run_id is not None]
    kept = {server for each in begun for server in each.servers - each.came_out(Outcome.EXCLUDED)}
    out = {server for each in begun for server in each.servers} - kept
    for group in retry.groups:
        for server in group.servers:
            assert server.id not in out, f"{server.id} was excluded"
