"""Looks at the service for what is not known of runs of the past: their names given up are not forgotten."""

from __future__ import annotations

import asyncio
import math
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from runner.app.bodies import job_names_of
from runner.app.remembering import credentials_of, memory_of
from runner.engine.lane import LaneContext
from runner.engine.lookback import LookBack
from runner.engine.pace import Pace
from runner.engine.recorder import Recorder
from runner.errors import InvalidInput, ServiceUnusable
from runner.plan.keys import run_token
from runner.rules.sightings import NotProven

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.app.replaying import Replayed
    from runner.engine.calls import LaneCredential
    from runner.engine.ports import JobService
    from runner.journal.store import RunStore
    from runner.rules.sightings import Sighting
    from runner.run.events import Event

_MOST_READS = 16
_READS_BURST = 10
_HOLDER_BYTES = 8


class LookingBack(NamedTuple):
    """How the service is looked at.

    `try_credential`: also by a credential that it refused, though it is too soon for that.
    """

    host: Host
    store: RunStore
    ca_bundle: Path | None
    try_credential: bool = False


async def look_back(
    looking: LookingBack, run_id: str, run: Replayed, requests: Mapping[int, Sequence[str]]
) -> dict[int, Sighting]:
    """What the service shows of these requests of a run that no process carries out, and of these servers of each."""
    host = looking.host
    memory = memory_of(
        looking.store,
        host.chance.randbytes(_HOLDER_BYTES).hex(),
        host.clock.wall,
        timeout_s=run.plan.submit.timeout_s,
        insists=looking.try_credential,
    )
    by_lane: dict[int, dict[int, Sequence[str]]] = {}
    for request, servers in requests.items():
        by_lane.setdefault(run.facts.lane_index(request), {})[request] = servers
    sightings: dict[int, Sighting] = {}
    async with AsyncExitStack() as stack:
        try:
            services = await host.open_services(
                stack,
                run.plan,
                str,
                behaviour=None,
                ca_bundle=looking.ca_bundle,
                most_reads=_MOST_READS,
                notice=_untold,
                memory=memory,
            )
        except (InvalidInput, ServiceUnusable) as error:
            return dict.fromkeys(requests, NotProven(error.message))
        credentials = credentials_of(services, memory, run.clock)
        for index, asked in by_lane.items():
            lane = _lane(host, run_id, run, index, services[index], credentials[index])
            sightings |= await LookBack(lane, run.since).at(asked)
    return sightings


def _untold(_: str) -> None:
    """What a person should know of a run is told when it begins."""


def _lane(
    host: Host, run_id: str, run: Replayed, index: int, service: JobService, credential: LaneCredential
) -> LaneContext:
    rate = run.plan.watch.rate
    return LaneContext(
        index=index,
        service=service,
        recorder=Recorder(run.facts, _NotWritten(), lambda _: None),
        clock=run.clock,
        creates=Pace(None, 1, run.clock),
        reads=Pace(None if math.isinf(rate) else rate, _READS_BURST, run.clock),
        credential=credential,
        body_of=_sends_nothing,
        job_name_of=job_names_of(run.facts, run_id),
        run_token=run_token(run_id),
        jitter=host.chance.random,
        most_reads=_MOST_READS,
    )


def _sends_nothing(request: int) -> bytes:
    raise AssertionError(f"request {request} of a run that is only looked at")


class _NotWritten:
    """The journal of a run that is only looked at: nothing that is found out now is its business."""

    is_owned = False
    is_blocked = False

    def append(self, events: Sequence[Event]) -> asyncio.Future[None]:
        """Keep nothing."""
        del events
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        kept.set_result(None)
        return kept
