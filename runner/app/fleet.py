"""The servers of lanes as the service lists them: read whole, or not at all, and kept in the state folder."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from runner.app.fleet_access import cache_of
from runner.app.remembering import credentials_of, memory_of
from runner.engine.clock import RunClock
from runner.engine.list_reader import BRIEF, Reader, read_page, read_whole
from runner.engine.pace import Pace
from runner.errors import ServiceUnusable
from runner.inventory.listed import Surrounding, line_of, parted
from runner.model import ServiceList
from runner.rules.answers import ReadFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from io import BufferedRandom

    from runner.app.fleet_access import FleetAccess, FleetAsked
    from runner.app.fleet_cache import FleetList
    from runner.app.host import Host
    from runner.journal.store import RunStore
    from runner.model import JsonObject, Lane

_BURST = 10
_HOLDER_BYTES = 8
_SHOWN = 3


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


@asynccontextmanager
async def opened_readers(
    host: Host, asked: FleetAsked, access: FleetAccess, store: RunStore
) -> AsyncIterator[list[tuple[Lane, Reader]]]:
    """What reads of each lane are made with, until the end; the lanes with their endpoints and projects known.

    Raises:
        InvalidInput: a lane cannot be one.
        ServiceUnusable: no credentials, no project, or no TLS.
    """
    holder, clock = host.chance.randbytes(_HOLDER_BYTES).hex(), RunClock(host.clock)
    memory = memory_of(store, holder, host.clock.wall, timeout_s=asked.timeout_s, insists=access.try_credential)
    rate = None if math.isinf(asked.rate) else asked.rate
    async with AsyncExitStack() as stack:
        opened = await host.open_lists(
            stack, asked.lanes, str, ca_bundle=access.ca_bundle, timeout_s=asked.timeout_s, memory=memory
        )
        credentials = credentials_of([service for _, service in opened], memory, clock)
        yield [
            (lane, Reader(service, credential, Pace(rate, _BURST, clock), clock, asked.longest_pause_s))
            for (lane, service), credential in zip(opened, credentials, strict=True)
        ]


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
        async with opened_readers(self._host, self._asked, self._access, store) as readers:
            for lane, reader in readers:
                await self._at(lane, reader)

    async def _at(self, lane: Lane, reader: Reader) -> None:
        of_all = self._asked.scope == "all"
        around, untold = Surrounding(), await self._around(reader, of_all=of_all)
        around.add_hyper_instances(untold.hyper_instances)
        around.add_topology(untold.topology)
        lines = _Lines(self._spool, around, self._lane_labels(lane), self._told(lane))
        which = ServiceList.ALL_SERVERS if of_all else ServiceList.OWN_SERVERS
        flaw = await read_whole(reader, which, "servers", lines, plainly=of_all, is_sorted=not of_all)
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
        rows, warnings = ListedRows(), []
        flaw = await read_whole(
            reader, which, "hyper-instances", rows, plainly=of_all, is_sorted=not of_all, limits=BRIEF
        )
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


class ListedRows:
    """ListedRows of a list that fits in memory."""

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
