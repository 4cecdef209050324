"""From files to a plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner import __version__
from runner.app.approving import refuse_unfitting, refuse_vanished
from runner.app.programs import with_programs
from runner.errors import InvalidInput, Problem
from runner.inventory.files import InventoryFile
from runner.model import JsonObject, Lane
from runner.plan.codec import plan_from_json, plan_to_json
from runner.plan.expansion import PlanOptions, campaign_context, expand
from runner.report.files import write_whole
from runner.spec.loading import load_campaign
from runner.spec.templates import TemplateProblem, render_text
from runner.spec.variables import jobspec_variables, load_variables, refuse_names, variables_of_plan
from runner.spec.yaml_source import decode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.app.host import Host
    from runner.inventory.source import InventorySource
    from runner.plan.plan import Plan
    from runner.spec.campaign import Campaign

# What a plan for a simulator has for every lane; the simulator's port is not known before it runs.
SIMULATED_LANE = Lane(region=None, endpoint="http://127.0.0.1", project_id="0123456789abcdef0123456789abcdef")


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """All that a plan is made from, as a person gave it (`PlanOptions`). `jobspec` may be a plan file (`.json`) to run."""

    jobspec: Path
    inventory: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    vars_file: Path | None = None
    groups: tuple[str, ...] = ()
    limit: str | None = None
    endpoint: str | None = None
    region: str | None = None
    project_id: str | None = None
    strict: bool = False
    allow_empty_wave: bool = False


def make_plan(host: Host, inputs: PlanInputs, *, simulated: bool = False) -> Plan:
    """Load a jobspec and its inventory and expand them.

    Raises:
        InvalidInput: with every problem of the file that has some.
    """
    file = str(inputs.jobspec)
    campaign = load_campaign(decode(_read(inputs.jobspec), file), file)
    options = _plan_options(inputs, host.environ, host.clock.wall(), simulated=simulated)
    source = _inventory_source(campaign, inputs, options)
    if source is None:
        plan = expand(campaign, None, options)
    else:
        inventory = source.read()
        plan = expand(campaign, inventory.servers, replace(options, inventory_fingerprint=inventory.fingerprint))
    refuse_unfitting(plan)
    return with_programs(plan, campaign, inputs.jobspec.parent, host.environ)


def once_context(
    inputs: PlanInputs, environ: Mapping[str, str], now: float, *, simulated: bool
) -> tuple[str, JsonObject]:
    """The campaign's name, and what the template of a once key sees. `now` is epoch seconds: `run.date` is its day.

    Raises:
        InvalidInput: the jobspec or plan cannot be read.
    """
    file = str(inputs.jobspec)
    options = _plan_options(inputs, environ, now, simulated=simulated)
    if inputs.jobspec.suffix == ".json":
        plan = plan_from_json(_read(inputs.jobspec), file)
        options = replace(options, variables=variables_of_plan(plan.variables, file))
        return plan.campaign, campaign_context(jobspec_variables(plan.jobspec, file), options)
    campaign = load_campaign(decode(_read(inputs.jobspec), file), file)
    return campaign.name, campaign_context(campaign.vars, options)


def _plan_options(inputs: PlanInputs, environ: Mapping[str, str], created_at: float, *, simulated: bool) -> PlanOptions:
    refuse_names(inputs.variables, "-e")
    return PlanOptions(
        env=environ,
        run_date=datetime.fromtimestamp(created_at, UTC).date().isoformat(),
        created_at=created_at,
        runner_version=__version__,
        inventory_fingerprint="",
        variables=inputs.variables,
        vars_file=_read_variables(inputs.vars_file),
        groups=inputs.groups,
        limit=inputs.limit,
        strict=inputs.strict,
        allow_empty_waves=inputs.allow_empty_wave,
        lane=SIMULATED_LANE if simulated else Lane(inputs.region, inputs.endpoint, inputs.project_id),
    )


def read_or_make_plan(host: Host, inputs: PlanInputs, *, simulated: bool = False) -> Plan:
    """The plan in a `.json` file, exactly as it was written; or the plan that a jobspec makes now."""
    return read_plan(inputs) if inputs.jobspec.suffix == ".json" else make_plan(host, inputs, simulated=simulated)


def read_plan(inputs: PlanInputs) -> Plan:
    """The plan in a file. An inventory given beside it is what its servers are checked against."""
    file = inputs.jobspec
    if replace(inputs, inventory=None) != PlanInputs(jobspec=file):
        raise InvalidInput(
            Problem("a plan is carried out exactly as it is", str(file), hint="give these options to `runner plan`")
        )
    plan = plan_from_json(_read(file), str(file))
    if inputs.inventory is not None:
        source = InventoryFile(inputs.inventory)
        refuse_vanished(plan, (server.id for server in source.read().servers), source.name)
    return plan


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan file, whole or not at all."""
    write_whole(path, plan_to_json(plan, readable=True))


def _inventory_source(campaign: Campaign, inputs: PlanInputs, options: PlanOptions) -> InventorySource | None:
    """Where the servers come from; None where the groups list them."""
    if inputs.inventory is not None:
        return InventoryFile(inputs.inventory)
    if campaign.inventory is None:
        return None
    try:
        path = render_text(campaign.inventory, campaign_context(campaign.vars, options))
        return InventoryFile(inputs.jobspec.parent / path)
    except TemplateProblem as error:
        raise InvalidInput(error.problem) from error


def _read_variables(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    return load_variables(decode(_read(path), str(path)), str(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", str(path))) from error
