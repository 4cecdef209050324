"""Runs of the past, written straight into a store: no service, no event loop, no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import apsw

from runner.journal.chain import first_hash, next_hash
from runner.journal.codec import encode_batch
from runner.journal.sqlite import SqliteStore
from runner.journal.store import RunRecord
from runner.journal.tasks import pack
from runner.model import Job, Lane, Server
from runner.plan.codec import hash_plan, plan_to_json
from runner.plan.digests import plan_digests
from runner.plan.plan import Plan, PlannedGroup, PlannedRequest
from runner.run import events as e
from runner.settings import JOURNAL_FILE
from tests.conftest import small_plan

HERE = Lane("r", None, "p")
_BODY = {"name": "job", "type": "HDK_UPGRADE", "items": [{"type": "HDK_UPGRADE"}]}
AT_WORK, NOT_SENT = "?", "n"


def past_plan(
    servers: Sequence[str], *, campaign: str = "c", lane: Lane = HERE, steps: int = 1, parents: Sequence[str] = ()
) -> Plan:
    """A plan with one server in each request, made at a time of its own so that its hash is, too."""
    group = PlannedGroup("all", 0, tuple(Server(name, f"name-{name}", {}) for name in servers))
    requests = [PlannedRequest(step, 0, i, i + 1, _BODY) for step in range(steps) for i in range(len(servers))]
    plan = replace(
        small_plan((len(servers),), (1,) * steps),
        campaign=campaign,
        lanes=(lane,),
        groups=(group,),
        requests=tuple(requests),
        parents=tuple(parents),
    )
    return replace(plan, plan_hash=hash_plan(plan))


class Past:
    """A state folder that runs are added to, oldest first: each by a wall clock that was set back since the one before.

    `now` is what the clock of the store shows, epoch seconds.
    """

    def __init__(self, folder: Path, now: float = 0.0) -> None:
        self.folder = folder
        self.store = SqliteStore(folder / JOURNAL_FILE, now=lambda: now)
        self._db = apsw.Connection(str(folder / JOURNAL_FILE))
        self._made = 0

    def close(self) -> None:
        self._db.close()
        self.store.close()

    def add(
        self, plan: Plan, events: Sequence[e.Event] = (), *, simulated: bool = False, at: float | None = None
    ) -> str:
        """A run of a plan; `events` come after its start."""
        self._made += 1
        at = 1_000_000.0 - self._made if at is None else at
        run_id = f"20260101-000000-{999_999 - self._made:06}"
        plan = replace(plan, created_at=float(self._made))
        plan = replace(plan, plan_hash=hash_plan(plan))
        self.store.save_plan(plan.plan_hash, plan_to_json(plan), plan_digests(plan))
        record = RunRecord(run_id, plan.campaign, plan.plan_hash, at, simulated=simulated, parents=plan.parents)
        self.store.create_run(record)
        started = e.RunStarted(at, plan.campaign, plan.plan_hash, "0", simulated=simulated, watched=True)
        self.append(run_id, [started])
        self.append(run_id, events)
        return run_id

    def append(self, run_id: str, events: Sequence[e.Event]) -> None:
        """More of what happened in a run, in one entry."""
        links = list(self.store.links(run_id))
        before = links[-1].hash if links else first_hash(run_id, self.store.run(run_id).plan_hash)
        batch, seq = encode_batch(events), len(links) + 1
        self._db.execute(
            "INSERT INTO entry (run_id, seq, events, hash, details, tasks) VALUES (?, ?, ?, ?, ?, ?)",
            (
                run_id,
                seq,
                batch.events.decode(),
                next_hash(before, seq, *batch),
                batch.details.decode(),
                pack(batch.tasks),
            ),
        )

    def run(
        self,
        letters: Mapping[str, str],
        *,
        campaign: str = "c",
        lane: Lane = HERE,
        simulated: bool = False,
        parents: Sequence[str] = (),
        state: str = "finished",
        at: float | None = None,
    ) -> str:
        """A run over; `letters` say how each server came out, in each step: s, f, t, ..., AT_WORK or NOT_SENT."""
        steps = max(map(len, letters.values()))
        plan = past_plan(list(letters), campaign=campaign, lane=lane, steps=steps, parents=parents)
        return self.add(plan, [*_story(plan, letters), e.RunEnded(9.0, state, "", 3)], simulated=simulated, at=at)


def _story(plan: Plan, letters: Mapping[str, str]) -> list[e.Event]:
    events: list[e.Event] = []
    for index, request in enumerate(plan.requests):
        (server,) = plan.servers_of(index)
        letter = letters[server.id][request.step : request.step + 1] or NOT_SENT
        if letter == NOT_SENT:
            continue
        job = Job(f"job-{index}", None, None, None, None, None, None, None, None)
        events += [e.Intended(1.0, index), e.Accepted(2.0, index, job)]
        if letter != AT_WORK:
            events.append(e.Settled(3.0, index, letter, 1.0))
    return events
