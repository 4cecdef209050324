"""Where the servers of a plan come from, as the jobspec or the command line says: a file, or the service."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from runner.app.fleet_access import FleetAsked, cache_of
from runner.app.fleet_cache import NoList
from runner.errors import InvalidInput, Problem
from runner.inventory.files import InventoryFile
from runner.inventory.joined import Joined, JoinedList
from runner.inventory.source import Inventory
from runner.plan.choosing import chosen
from runner.plan.estimate import duration_text
from runner.plan.expansion import PlanOptions, campaign_context, lanes_asked
from runner.spec.campaign import ServiceInventory
from runner.spec.expressions import labels_read_by
from runner.spec.templates import TemplateProblem, render_text

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from runner.app.fleet_access import FleetAccess
    from runner.app.fleet_cache import FleetList
    from runner.app.host import Host
    from runner.spec.campaign import Campaign, Template

FROM_SERVICE = "api:"
_SCOPES = ("mine", "all")


class FoundServers(NamedTuple):
    """The servers of a source, and what a person should know of it."""

    inventory: Inventory
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSource:
    """The servers of a file."""

    file: InventoryFile

    @property
    def name(self) -> str:
        """What it is called."""
        return self.file.name

    @property
    def can_be_read_again(self) -> bool:
        """Whether reading takes nothing away."""
        return self.file.can_be_read_again

    def read(self, wanted: Collection[str] | None = None) -> FoundServers:
        """Read them, with the labels that are wanted; None: all.

        Raises:
            InvalidInput: the file is wrong.
        """
        return FoundServers(replace(self.file, wanted=wanted).read())


@dataclass(frozen=True, slots=True)
class ListSource:
    """The servers of a list that the service gave: at `path`, those for which `select` holds, joined to a file."""

    listed: FleetList
    path: Path
    select: Template | None
    join: InventoryFile | None

    can_be_read_again = True

    @property
    def name(self) -> str:
        """What it is called."""
        return f"the service's list of servers ({self.listed.scope})"

    def read(self, wanted: Collection[str] | None = None) -> FoundServers:
        """See `FileSource.read`."""
        needed = wanted
        if wanted is not None and self.select is not None:
            read = labels_read_by(self.select)
            needed = None if read is None else {*wanted, *read}
        found = self._all(needed)
        inventory = found.inventory
        if self.select is not None:
            servers = chosen(inventory.servers, self.select)
            both = hashlib.sha256(f"{inventory.fingerprint} {self.select.source}".encode()).hexdigest()
            inventory = Inventory(servers, f"sha256:{both}")
        return FoundServers(inventory, (*self.listed.warnings, *found.remarks))

    def _all(self, wanted: Collection[str] | None) -> Joined:
        if self.join is None:
            return Joined(InventoryFile(self.path, wanted=wanted).read(), ())
        return JoinedList(self.path, self.name, self.join, wanted).read()


def service_inventory(text: str) -> ServiceInventory | None:
    """What `api:`, `api:mine` and `api:all` stand for where a file is named; None: it is a file.

    Raises:
        InvalidInput: another word follows.
    """
    if not text.startswith(FROM_SERVICE):
        return None
    scope = text.removeprefix(FROM_SERVICE) or _SCOPES[0]
    if scope not in _SCOPES:
        what = f"{text}: expected api:, api:mine or api:all"
        raise InvalidInput(
            Problem(what, "command line", path="-i", hint="a file of that name is given by its whole path")
        )
    return ServiceInventory(scope)


def inventory_source(
    host: Host, campaign: Campaign, given: InventoryFile | ServiceInventory | None, options: PlanOptions, where: Sources
) -> FileSource | ListSource | None:
    """Where the servers come from: as `given` on the command line, or as the jobspec says; None: groups list them.

    Raises:
        InvalidInput: a path or a lane cannot be told.
        ServiceUnusable: the service has to be asked, and cannot be.
        StateFolderError: it must not be asked, and nothing is kept.
    """
    source = given or campaign.inventory
    try:
        if source is None or isinstance(source, InventoryFile):
            return None if source is None else FileSource(source)
        if isinstance(source, ServiceInventory):
            return list_source(host, campaign, source, options, where)
        path = render_text(source, campaign_context(campaign.vars, options))
        return FileSource(InventoryFile(where.folder / path))
    except TemplateProblem as error:
        raise InvalidInput(error.problem) from error


class Sources(NamedTuple):
    """Where sources are looked for: files in a `folder`, lists by `access`."""

    folder: Path
    access: FleetAccess


def list_source(
    host: Host, campaign: Campaign, source: ServiceInventory, options: PlanOptions, where: Sources
) -> ListSource:
    """The list of the service that is meant: a kept one that is not too old, or one that is read now."""
    join = None
    if source.join is not None:
        join = InventoryFile(where.folder / render_text(source.join, campaign_context(campaign.vars, options)))
    submit = campaign.submit
    asked = FleetAsked(
        lanes_asked(campaign, options), source.scope, campaign.watch.rate, submit.timeout_s, submit.longest_pause_s
    )
    cache = cache_of(host, asked, where.access)
    listed = kept_or_read(host, asked, where.access, source.max_age_s)
    return ListSource(listed, cache.path_of(listed.file), source.select, join)


def kept_or_read(host: Host, asked: FleetAsked, access: FleetAccess, max_age_s: float) -> FleetList:
    """The list that is kept, if it is not older than that or no other may be read; else a new one. Its age is told."""
    kept = cache_of(host, asked, access).last()
    age_s = None if kept is None else host.clock.wall() - kept.read_at
    # One from the future was made by another clock: nobody knows how old it is.
    if kept is not None and age_s is not None and (access.is_offline or 0 <= age_s <= max_age_s):
        access.tell(f"{kept.servers:,} servers, listed {duration_text(max(0.0, age_s))} ago")
        return kept
    if access.is_offline:
        raise NoList(", ".join(lane.label for lane in asked.lanes))
    from runner.app.fleet import read_fleet  # noqa: PLC0415  brings what calls are made with, which takes long to import

    listed = read_fleet(host, asked, access)
    access.tell(f"{listed.servers:,} servers, listed now")
    return listed
