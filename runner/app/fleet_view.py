"""`runner servers`: the servers that the service lists, chosen and counted, and what differs from the last look."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from runner import __version__
from runner.app.fleet_access import FleetAsked, cache_of
from runner.app.fleet_changes import fleet_change
from runner.app.inventories import ListSource, Sources, kept_or_read, list_source
from runner.app.kinds import file_name, read_file
from runner.errors import InvalidInput
from runner.plan.choosing import chosen, texts_of
from runner.plan.expansion import PlanOptions
from runner.plan.lanes import LaneTable
from runner.spec.campaign import LaneSpec, Place, ServiceInventory, Template
from runner.spec.loading import load_campaign
from runner.spec.yaml_source import decode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.app.fleet_access import FleetAccess
    from runner.app.fleet_cache import FleetList
    from runner.app.fleet_changes import FleetChange
    from runner.app.host import Host
    from runner.errors import Problem
    from runner.model import Lane
    from runner.servers import ServerColumns
    from runner.spec.campaign import Campaign

_COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class FleetQuestion:
    """What a person asks: of the lanes of a `jobspec`, or of the one given. `scope` None: as the jobspec says, or `mine`.

    `lane` replaces parts of every lane. `select` and `by` are expressions over servers; `variables` are those of `-e`.
    """

    lane: Lane
    jobspec: Path | None = None
    scope: str | None = None
    select: str | None = None
    by: str | None = None
    variables: Mapping[str, object] = field(default_factory=dict)


class FleetView(NamedTuple):
    """What is shown. `counts` are by the value of the question's `by`; None stands for servers without one."""

    listed: FleetList
    servers: ServerColumns
    counts: Mapping[str | None, int] | None
    change: FleetChange | None
    remarks: tuple[str, ...]


def view(host: Host, question: FleetQuestion, access: FleetAccess) -> FleetView:
    """Look at the service now, or, offline, at what is kept.

    Raises:
        InvalidInput: the jobspec or an expression is wrong, or no lane is given.
        ServiceUnusable: the service cannot be used, or its list is not whole.
        StateFolderError: nothing is kept, and it is to be used.
    """
    source = _source(host, question, access)
    inventory, remarks = source.read()
    servers = inventory.servers
    if question.select is not None:
        servers = chosen(servers, _given(question.select, "--select"))
    counts = None if question.by is None else Counter(texts_of(servers, _given(question.by, "--by")))
    return FleetView(source.listed, servers, counts, _change(source), remarks)


def _given(expression: str, option: str) -> Template:
    return Template(expression, Place(_COMMAND_LINE, 1, 1, option))


def _source(host: Host, question: FleetQuestion, access: FleetAccess) -> ListSource:
    if question.jobspec is None:
        asked = FleetAsked([lane_of(question.lane)], question.scope or "mine")
        listed = kept_or_read(host, asked, access, 0.0)
        return ListSource(listed, cache_of(host, asked, access).path_of(listed.file), None, None)
    campaign = campaign_of(question.jobspec)
    given = campaign.inventory if isinstance(campaign.inventory, ServiceInventory) else ServiceInventory()
    wanted = replace(given, scope=question.scope or given.scope, max_age_s=0.0)
    options = plan_options(host, question.lane, question.variables)
    return list_source(host, campaign, wanted, options, Sources(question.jobspec.parent, access))


def campaign_of(jobspec: Path) -> Campaign:
    """The jobspec of a file.

    Raises:
        InvalidInput: it cannot be read, or is wrong.
    """
    file = file_name(jobspec)
    return load_campaign(decode(read_file(jobspec, {}), file), file)


def lane_of(given: Lane) -> Lane:
    """The lane that the command line gives.

    Raises:
        InvalidInput: it gives none.
    """
    problems: list[Problem] = []
    lanes = LaneTable(LaneSpec(), given)
    lanes.index_of(LaneSpec(), {}, problems)
    if problems:
        raise InvalidInput(
            *(replace(problem, hint="name a jobspec, or use --region or --endpoint") for problem in problems)
        )
    return lanes.lanes[0]


def plan_options(host: Host, lane: Lane, variables: Mapping[str, object]) -> PlanOptions:
    """What templates of lanes see, where no plan is made."""
    now = host.clock.wall()
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    return PlanOptions(host.environ, day, now, __version__, inventory_fingerprint="", variables=variables, lane=lane)


def _change(source: ListSource) -> FleetChange | None:
    listed = source.listed
    if listed.previous is None or listed.previous_at is None:
        return None
    try:
        return fleet_change(source.path.with_name(listed.previous), source.path, listed.previous_at)
    except (OSError, ValueError, KeyError):
        return None  # somebody removed it
