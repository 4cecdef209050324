"""The servers of lanes as the service lists them: read whole, or not at all, and kept in the state folder."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runner.api.credentials import find_credentials
from runner.app.fleet_cache import FleetCache
from runner.app.remembering import credentials_of, memory_of
from runner.engine.clock import RunClock
from runner.engine.list_reader import BRIEF, Reader, read_page, read_whole
from runner.engine.pace import Pace
from runner.errors import ServiceUnusable
from runner.inventory.listed import Surrounding, line_of, parted
from runner.model import ServiceList
from runner.rules.answers import ReadFailed
from runner.settings import NO_STATE_DIR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from io import BufferedRandom
    from pathlib import Path

    from runner.app.fleet_cache import FleetList
    from runner.app.host import Host
    from runner.journal.store import RunStore
    from runner.model import JsonObject, Lane

_BURST = 10
_HOLDER_BYTES = 8
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class FleetAccess:
    """How lists of the service are come by.

    With `is_offline` only those that were kept are used, however old; where nothing is kept that is an error, unless it
    `may_lack` them. `progress` is told how many servers of how many were
    read, of which lane.
    """

    state_dir: Path = NO_STATE_DIR
    ca_bundle: Path | None = None
    is_offline: bool = False
    may_lack: bool = False
    tell: Callable[[str], None] = lambda _: None
    progress: Callable[[str, int, int], None] = lambda _, __, ___: None


class FleetAsked(NamedTuple):
    """Which servers are asked for: `scope` is `mine` or `all`, `rate` the most reads a second on each lane."""

    lanes: Sequence[Lane]
    scope: str = "mine"
    rate: float = 10.0
    timeout_s: float = 30.0
    longest_pause_s: float = 300.0


def cache_of(host: Host, asked: FleetAsked, access: FleetAccess) -> FleetCache:
    """Where the list of these servers is kept."""
    project = None
    if not all(lane.project_id for lane in asked.lanes):
        with suppress(ServiceUnusable):
            project = find_credentials(host.environ, None).project_id
    return FleetCache(access.state_dir, asked.lanes, asked.scope, project)


def read_fleet(host: Host, asked: FleetAsked, access: FleetAccess) -> FleetList:
    """Read the list anew, and keep it.

    Raises:
        InvalidInput: a lane cannot be one.
        ServiceUnusable: the service cannot be used, or its list is not whole: it is never taken short.
        StateFolderError: there is no state folder, or it cannot be used.
    """
    cache = cache_of(host, asked, access)
    with host.open_store(access.state_dir) as store, tempfile.TemporaryFile() as spool:
        look = _Look(host, asked, access, spool)
        host.run_loop(look.at_all(store))
        return cache.keep(
            host.files,
            spool,
            scope=asked.scope,
            lanes=look.labels,
            servers=look.servers,
            warnings=look.warnings,
            now=host.clock.wall(),
        )


class _Look:
    def __init__(self, host: Host, asked: FleetAsked, access: FleetAccess, spool: BufferedRandom) -> None:
        self._host = host
        self._asked = asked
        self._access = access
        self._spool = spool
        self.labels: list[str] = []
        self.warnings: list[str] = []
        self.servers = 0

    async def at_all(self, store: RunStore) -> None:
        """Look at every lane, one after the other."""
        asked, host = self._asked, self._host
        holder, wall = host.chance.randbytes(_HOLDER_BYTES).hex(), host.clock.wall
        memory = memory_of(store, holder, wall, timeout_s=asked.timeout_s)
        async with AsyncExitStack() as stack:
            opened = await host.open_lists(
                stack, asked.lanes, str, ca_bundle=self._access.ca_bundle, timeout_s=asked.timeout_s, memory=memory
            )
            clock = RunClock(host.clock)
            credentials = credentials_of([service for _, service in opened], memory, clock)
            for (lane, service), credential in zip(opened, credentials, strict=True):
                pace = Pace(None if math.isinf(asked.rate) else asked.rate, _BURST, clock)
                await self._at(lane, Reader(service, credential, pace, clock, asked.longest_pause_s))

    async def _at(self, lane: Lane, reader: Reader) -> None:
        of_all = self._asked.scope == "all"
        around, untold = Surrounding(), await self._around(reader, of_all=of_all)
        around.add_hyper_instances(untold.hyper_instances)
        around.add_topology(untold.topology)
        lines = _Lines(self._spool, around, self._lane_labels(lane), self._told(lane))
        which = ServiceList.ALL_SERVERS if of_all else ServiceList.OWN_SERVERS
        flaw = await read_whole(reader, which, "servers", lines, plainly=of_all)
        if flaw is not None:
            raise _not_whole(lane, flaw, lines)
        self.labels.append(lane.label)
        self.servers += lines.count
        if lines.members:
            self.warnings += untold.warnings
        self.warnings += _parted(around, lines.members)

    async def _around(self, reader: Reader, *, of_all: bool) -> _Around:
        """What other lists say. Without them servers lack some labels, and that is said."""
        which = ServiceList.ALL_HYPER_INSTANCES if of_all else ServiceList.OWN_HYPER_INSTANCES
        rows, warnings = _Rows(), []
        flaw = await read_whole(reader, which, "hyper-instances", rows, plainly=of_all, limits=BRIEF)
        if flaw is not None:
            rows.begin()
            warnings.append(f"hyper-instances cannot be listed, so their status and tags are not known: {flaw}")
        topology = await read_page(reader, ServiceList.TOPOLOGY, [], BRIEF)
        return _Around(rows.rows, () if isinstance(topology, ReadFailed) else topology.rows, warnings)

    def _lane_labels(self, lane: Lane) -> Mapping[str, str]:
        if len(self._asked.lanes) == 1:
            return {}
        return {f"lane.{name}": text for name, text in lane._asdict().items() if text}

    def _told(self, lane: Lane) -> Callable[[int, int], None]:
        return lambda shown, total: self._access.progress(lane.label, shown, total)


class _Around(NamedTuple):
    hyper_instances: Sequence[JsonObject]
    topology: Sequence[JsonObject]
    warnings: Sequence[str]


class _Rows:
    """Rows of a list that fits in memory."""

    def __init__(self) -> None:
        self.rows: list[JsonObject] = []

    def begin(self) -> None:
        """See `Sink.begin`."""
        self.rows = []

    def add(self, rows: Sequence[JsonObject], shown: int, total: int) -> None:
        """See `Sink.add`."""
        del shown, total
        self.rows += rows


class _Lines:
    """Servers as lines of a file: a page of them is all that is in memory. `members` counts by hyper-instance."""

    def __init__(
        self, file: BufferedRandom, around: Surrounding, lane: Mapping[str, str], told: Callable[[int, int], None]
    ) -> None:
        self._file = file
        self._begins_at = file.tell()
        self._around = around
        self._lane = lane
        self._told = told
        self.count = self.total = 0
        self.members: Counter[str] = Counter()

    def begin(self) -> None:
        """See `Sink.begin`."""
        self._file.seek(self._begins_at)
        self._file.truncate()
        self.count = 0
        self.members.clear()

    def add(self, rows: Sequence[JsonObject], shown: int, total: int) -> None:
        """See `Sink.add`."""
        self._file.writelines(line_of(row, self._around, self._lane) for row in rows)
        self.count, self.total = shown, total
        self.members.update(hyper for row in rows if (hyper := _hyper_instance(row)))
        self._told(shown, total)


def _hyper_instance(row: JsonObject) -> str | None:
    belongs_to = row.get("server_hps")
    return belongs_to.get("id") if isinstance(belongs_to, dict) else None


def _not_whole(lane: Lane, flaw: str, lines: _Lines) -> ServiceUnusable:
    seen = f"{lines.count:,} of {lines.total:,} were seen" if lines.total else "none was seen"
    return ServiceUnusable(
        f"the servers of {lane.label} cannot be listed whole: {flaw} ({seen})",
        hint="try again, or with the other scope (mine, all), or give a file of servers with -i",
    )


def _parted(around: Surrounding, listed: Mapping[str, int]) -> list[str]:
    found = parted(around.members, listed)
    if not found:
        return []
    first = ", ".join(f"{one} ({listed.get(one, 0)} of {around.members[one]})" for one in found[:_SHOWN])
    more = ", ..." if len(found) > _SHOWN else ""
    return [f"{len(found):,} hyper-instances have members that are not listed: {first}{more}"]
