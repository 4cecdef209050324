"""From files to a plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner import __version__
from runner.api.endpoints import is_on_this_machine
from runner.app.approving import refuse_unfitting, refuse_vanished
from runner.app.fleet_access import FleetAccess
from runner.app.fleet_cache import NoList
from runner.app.given_variables import refuse_unfitting_variables
from runner.app.inventories import FileSource, Sources, inventory_source, service_inventory
from runner.app.kinds import file_name, is_plan, read_file
from runner.app.programs import with_programs
from runner.app.server_lists import server_names
from runner.app.stages import Findings, Validation
from runner.errors import InvalidInput, Problem
from runner.files.writing import write
from runner.inventory.files import InventoryFile
from runner.model import JsonObject, Lane
from runner.plain import plain_json
from runner.plan.codec import hash_plan, plan_from_json, plan_to_json
from runner.plan.expansion import PlanOptions, campaign_context, expand
from runner.plan.limiting import limit_template
from runner.plan.wanted_labels import wanted_labels
from runner.spec.campaign import ServiceInventory
from runner.spec.loading import NOTHING_LOADED, load_campaign, read_jobspec
from runner.spec.templates import has_template
from runner.spec.variables import jobspec_variables, load_variables, refuse_names, variables_of_plan
from runner.spec.yaml_source import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.app.host import Host
    from runner.app.inventories import ListSource
    from runner.plan.plan import Plan
    from runner.servers import ServerColumns
    from runner.spec.campaign import Campaign, Template
    from runner.spec.loading import LoadedJobspec

# What a plan for a simulator has for every lane; the simulator's port is not known before it runs.
SIMULATED_LANE = Lane(region=None, endpoint="http://127.0.0.1", project_id="0123456789abcdef0123456789abcdef")


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """All that a plan is made from, as a person gave it (`PlanOptions`). `jobspec` may be a plan file to run.

    A path `-` is standard input. `read` has all there was of those paths that can be read only once. `limit` is an
    expression, or `@FILE`. `variables` are those of `-e`, None where one was given empty; `once_key` is a template that
    may use them. `inventory` may be `api:`; `access` says how lists of the service are come by then.
    `also_wanted` are labels that are looked at besides those that the plan looks at.
    """

    jobspec: Path
    inventory: Path | None = None
    variables: Mapping[str, object] = field(default_factory=dict)
    vars_file: Path | None = None
    groups: tuple[str, ...] = ()
    limit: str | None = None
    endpoint: str | None = None
    region: str | None = None
    project_id: str | None = None
    strict: bool = False
    allow_empty_wave: bool = False
    allow_new_vars: bool = False
    read: Mapping[Path, bytes] = field(default_factory=dict)
    once_key: str | None = None
    access: FleetAccess = field(default_factory=FleetAccess, compare=False)
    also_wanted: frozenset[str] = field(default=frozenset(), compare=False)

    def content(self, path: Path) -> bytes:
        """All of a file that a person named.

        Raises:
            InvalidInput: it cannot be read.
        """
        return read_file(path, self.read)


def make_plan(host: Host, inputs: PlanInputs, *, simulated: bool = False) -> Plan:
    """Load a jobspec and its inventory and expand them.

    Raises:
        InvalidInput: with every problem of all files that can be found without mending another one first.
    """
    return try_plan(host, inputs, simulated=simulated).valid()


def try_plan(host: Host, inputs: PlanInputs, *, simulated: bool = False) -> Validation:
    """The same, with what is wrong in place of an error, and with what was not looked at."""
    findings = Findings()
    loaded = findings.of(lambda: _load(inputs)) or NOTHING_LOADED
    findings.problems += loaded.problems
    variables = findings.of(lambda: _read_variables(inputs))
    fitting = variables is not None and _are_fitting(loaded, inputs, variables, findings)
    options = _plan_options(inputs, host.environ, host.clock.wall(), variables or {}, simulated=simulated)
    limited = findings.of(lambda: _limited(inputs, options))
    found = findings.of(lambda: _servers_if_kept(host, loaded, inputs, options, findings))
    plan = None
    if loaded.campaign is None or not loaded.is_sound or not fitting or limited is None or found is None:
        findings.unchecked.append(_FOLLOWS)
    else:
        plan = _expanded(loaded.campaign, found, limited, host, inputs, findings)
    return Validation(plan, findings.problems, findings.unchecked)


_FOLLOWS = "which servers the groups have, the requests, and the programs of checks: they follow from what is wrong"


def _are_fitting(
    loaded: LoadedJobspec, inputs: PlanInputs, variables: Mapping[str, object], findings: Findings
) -> bool:
    """Whether the variables that were given may have their names, and the jobspec, if it is one, uses them."""
    campaign = loaded.campaign
    if not findings.none_in(lambda: refuse_names(inputs.variables, "-e")):
        return False
    return campaign is None or findings.none_in(lambda: refuse_unfitting_variables(campaign, inputs, variables))


def _expanded(
    campaign: Campaign, found: _Found, options: PlanOptions, host: Host, inputs: PlanInputs, findings: Findings
) -> Plan | None:
    plan = findings.of(lambda: _plan_of(campaign, found, options))
    if plan is None:
        findings.unchecked.append(_FOLLOWS)
        return None
    findings.of(lambda: refuse_unfitting(plan))
    return findings.of(lambda: with_programs(plan, campaign, inputs.jobspec.parent, host.environ))


class _Found(NamedTuple):
    """What an inventory has (`FoundServers`); None: there is no inventory.

    `whole` is where to read it with all labels, if it has only those that a plan looks at.
    """

    servers: ServerColumns | None
    fingerprint: str
    remarks: tuple[str, ...] = ()
    whole: FileSource | ListSource | None = None


def _plan_of(campaign: Campaign, found: _Found, options: PlanOptions) -> Plan:
    """The plan. What is wrong with one is said by all the labels that there are."""
    options = replace(options, inventory_fingerprint=found.fingerprint, warnings=(*options.warnings, *found.remarks))
    try:
        return expand(campaign, found.servers, options)
    except InvalidInput:
        if found.whole is None:
            raise
    return expand(campaign, found.whole.read().inventory.servers, options)


def _servers_if_kept(
    host: Host, loaded: LoadedJobspec, inputs: PlanInputs, options: PlanOptions, findings: Findings
) -> _Found | None:
    try:
        return _read_servers(host, loaded, inputs, options)
    except NoList as error:
        if not inputs.access.may_lack:
            raise
        findings.unchecked.append(f"the servers: {error.message} ({error.hint})")
        return None


def _read_servers(host: Host, loaded: LoadedJobspec, inputs: PlanInputs, options: PlanOptions) -> _Found | None:
    """The servers, also for a jobspec that is wrong, as far as it tells where they are; None where it does not."""
    given = _given_inventory(inputs)
    source: FileSource | ListSource | None
    if loaded.campaign is not None:
        # A rehearsal is of the servers that there are: the simulator's lanes are for what is sent.
        asked = replace(options, lane=Lane(inputs.region, inputs.endpoint, inputs.project_id))
        source = inventory_source(host, loaded.campaign, given, asked, Sources(inputs.jobspec.parent, inputs.access))
    elif given is not None:
        source = FileSource(given) if isinstance(given, InventoryFile) else None
    elif loaded.inventory is None or has_template(loaded.inventory):
        return None
    else:
        source = FileSource(InventoryFile(inputs.jobspec.parent / loaded.inventory))
    if source is None:
        return _Found(None, "")
    wanted = None if loaded.campaign is None else wanted_labels(loaded.campaign, _limit_expression(inputs))
    wanted = None if wanted is None or not source.can_be_read_again else wanted | inputs.also_wanted
    inventory, remarks = source.read(wanted)
    return _Found(inventory.servers, inventory.fingerprint, remarks, None if wanted is None else source)


def _limit_expression(inputs: PlanInputs) -> Template | None:
    return limit_template(None if inputs.limit is None or inputs.limit.startswith("@") else inputs.limit)


def once_context(
    inputs: PlanInputs, environ: Mapping[str, str], now: float, *, simulated: bool
) -> tuple[str, JsonObject]:
    """The campaign's name, and what the template of a once key sees. `now` is epoch seconds: `run.date` is its day.

    Raises:
        InvalidInput: the jobspec or plan cannot be read.
    """
    refuse_names(inputs.variables, "-e")
    file, data = file_name(inputs.jobspec), inputs.content(inputs.jobspec)
    options = _plan_options(inputs, environ, now, _read_variables(inputs), simulated=simulated)
    if is_plan(inputs.jobspec, inputs.read):
        plan = plan_from_json(data, file)
        options = replace(options, variables=variables_of_plan(plan.variables, file))
        jobspec = jobspec_variables(plan.jobspec, f"the jobspec in {file}")
        return plan.campaign, campaign_context(jobspec, options)
    campaign = load_campaign(decode(data, file), file)
    return campaign.name, campaign_context(campaign.vars, options)


def _load(inputs: PlanInputs) -> LoadedJobspec:
    file = file_name(inputs.jobspec)
    return read_jobspec(decode(inputs.content(inputs.jobspec), file), file)


def _limited(inputs: PlanInputs, options: PlanOptions) -> PlanOptions:
    """With the servers that the file of `--limit @FILE` lists."""
    if inputs.limit is None or not inputs.limit.startswith("@"):
        return options
    path = Path(inputs.limit[1:])
    listed = server_names(inputs.content(path), file_name(path))
    warnings = (listed.warning,) if listed.warning else ()
    return replace(options, limit=None, limit_list=listed.names, warnings=warnings)


def _plan_options(
    inputs: PlanInputs,
    environ: Mapping[str, str],
    created_at: float,
    vars_file: Mapping[str, object],
    *,
    simulated: bool,
) -> PlanOptions:
    return PlanOptions(
        env=environ,
        run_date=datetime.fromtimestamp(created_at, UTC).date().isoformat(),
        created_at=created_at,
        runner_version=__version__,
        inventory_fingerprint="",
        variables=inputs.variables,
        vars_file=vars_file,
        groups=inputs.groups,
        limit=inputs.limit,
        strict=inputs.strict,
        allow_empty_waves=inputs.allow_empty_wave,
        lane=SIMULATED_LANE if simulated else Lane(inputs.region, inputs.endpoint, inputs.project_id),
    )


def read_or_make_plan(host: Host, inputs: PlanInputs, *, simulated: bool = False) -> Plan:
    """The plan in a file, exactly as it was written; or the plan that a jobspec makes now."""
    if is_plan(inputs.jobspec, inputs.read):
        return read_plan(inputs)
    return make_plan(host, inputs, simulated=simulated)


def read_plan(inputs: PlanInputs) -> Plan:
    """The plan in a file. An inventory given beside it is what its servers are checked against.

    An endpoint given beside it is where the plan is to be rehearsed (`rehearsed`), and says nothing of what is in it.
    """
    path, file = inputs.jobspec, file_name(inputs.jobspec)
    if replace(inputs, inventory=None, endpoint=None, read={}, once_key=None) != PlanInputs(jobspec=path):
        raise InvalidInput(
            Problem("a plan is carried out exactly as it is", file, hint="give these options to `runner plan`")
        )
    plan = plan_from_json(inputs.content(path), file)
    source = _given_inventory(inputs)
    if isinstance(source, ServiceInventory):
        raise InvalidInput(
            Problem("a plan is checked against a file of servers", file, hint="runner servers --format ids | ... -i -")
        )
    if source is not None:
        refuse_vanished(plan, (server.id for server in source.read().servers), source.name)
    return plan


def rehearsed(plan: Plan, inputs: PlanInputs) -> Plan:
    """A plan of a file as it is rehearsed against a simulator on this machine, if an endpoint is given; it has another hash.

    Raises:
        InvalidInput: the endpoint is elsewhere: a plan is carried out for real where it was made for, and nowhere else.
    """
    if inputs.endpoint is None or not is_plan(inputs.jobspec, inputs.read):
        return plan
    if not is_on_this_machine(inputs.endpoint):
        raise InvalidInput(
            Problem(
                f"a plan is carried out exactly as it is, or rehearsed on this machine, and not at {inputs.endpoint}",
                file_name(inputs.jobspec),
                hint="make a plan for that endpoint: `runner plan --endpoint`",
            )
        )
    project = SIMULATED_LANE.project_id
    lanes = (Lane(None, inputs.endpoint.rstrip("/"), lane.project_id or project) for lane in plan.lanes)
    moved = replace(plan, lanes=tuple(lanes))
    return replace(moved, plan_hash=hash_plan(moved))


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan file, whole or not at all; or into a stream."""
    write(path, plain_json(plan_to_json(plan, readable=True)))


def _given_inventory(inputs: PlanInputs) -> InventoryFile | ServiceInventory | None:
    """The inventory that the command line names."""
    path = inputs.inventory
    if path is None:
        return None
    return service_inventory(str(path)) or InventoryFile(path, inputs.read.get(path))


def _read_variables(inputs: PlanInputs) -> dict[str, object]:
    path = inputs.vars_file
    if path is None:
        return {}
    file = file_name(path)
    return load_variables(decode(inputs.content(path), file), file)
