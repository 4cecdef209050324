"""The job templates of lanes, asked of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.app.fleet import ListedRows, opened_readers
from runner.app.fleet_access import FleetAsked
from runner.app.fleet_view import campaign_of, lane_of, plan_options
from runner.app.job_templates import SavedTemplates
from runner.engine.list_reader import read_whole
from runner.errors import ServiceUnusable
from runner.model import ServiceList
from runner.plan.expansion import lanes_asked
from runner.spec.job_templates import read_template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.app.fleet_access import FleetAccess
    from runner.app.host import Host
    from runner.journal.store import RunStore
    from runner.model import Lane


def asked_of(host: Host, lane: Lane, jobspec: Path | None, variables: Mapping[str, object]) -> FleetAsked:
    """The lanes of a jobspec, with the parts that `lane` gives, or that lane alone; `variables` are those of `-e`.

    Raises:
        InvalidInput: the jobspec is wrong, or no lane is given.
    """
    if jobspec is None:
        return FleetAsked([lane_of(lane)])
    campaign = campaign_of(jobspec)
    return FleetAsked(lanes_asked(campaign, plan_options(host, lane, variables)), rate=campaign.watch.rate)


def read_templates(host: Host, asked: FleetAsked, access: FleetAccess) -> list[SavedTemplates]:
    """Ask the service of each lane.

    Raises:
        InvalidInput: a lane cannot be one.
        ServiceUnusable: the service cannot be used, or what it lists is not whole.
    """
    found: list[SavedTemplates] = []
    with host.open_store(access.state_dir) as store:
        host.run_loop(_read(host, asked, access, store, found))
    return found


async def _read(
    host: Host, asked: FleetAsked, access: FleetAccess, store: RunStore, found: list[SavedTemplates]
) -> None:
    async with opened_readers(host, asked, access, store) as readers:
        for lane, reader in readers:
            rows = ListedRows()
            flaw = await read_whole(
                reader, ServiceList.TEMPLATES, "templates", rows, plainly=True, is_sorted=False, believed=True
            )
            if flaw is not None:
                raise ServiceUnusable(f"the templates of {lane.label} cannot be listed whole: {flaw}", hint="try again")
            found.append(SavedTemplates(lane.label, host.clock.wall(), tuple(map(read_template, rows.rows))))
