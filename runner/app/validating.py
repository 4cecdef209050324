"""`runner validate`: all that can be said of a jobspec or a plan without the network, and what that leaves out.

With `--online` it may ask for the service's lists. By templates that are saved it needs no network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runner.app.bodies import secrets_of
from runner.app.job_templates import OFFLINE, Against, templates_for
from runner.app.kinds import file_name, is_plan
from runner.app.planning import read_plan, rehearsed, try_plan
from runner.app.programs import refuse_unready
from runner.app.stages import Findings, Validation
from runner.plan.estimate import duration_text
from runner.plan.template_checks import FLAVOR, template_problems
from runner.spec.loading import load_campaign
from runner.spec.yaml_source import decode

if TYPE_CHECKING:
    from runner.app.host import Host
    from runner.app.planning import PlanInputs
    from runner.plan.plan import Plan

_SERVICE = "the service: credentials, endpoint, project, and whether it knows the servers (no network)"
_ASKED = "the service: whether it knows the servers, and would take a job for them (nothing is sent)"
_TEMPLATES = "types and parameters: no templates of the service are saved (runner templates --save, or --online)"
_VARIABLES = "other values of variables: none are given with -e or --vars-file"
_INVENTORY = "whether the servers of the plan are still there: no inventory is given with -i"


def validate(host: Host, inputs: PlanInputs, against: Against = OFFLINE) -> Validation:
    """Look at a jobspec with all that it names, or at a plan; at a jobspec also by the service's templates.

    Raises:
        RefusedToStart: the plan, or a program of its checks, was changed after it was made; servers of it are gone.
    """
    return _plan(host, inputs) if is_plan(inputs.jobspec, inputs.read) else _jobspec(host, inputs, against)


def _jobspec(host: Host, inputs: PlanInputs, against: Against) -> Validation:
    found = try_plan(host, replace(inputs, also_wanted=frozenset({FLAVOR})))
    by_templates = Findings()
    beside = [] if found.plan is None else _by_templates(host, inputs, found.plan, against, by_templates)
    unchecked = [*found.unchecked, *by_templates.unchecked, _ASKED if against.is_online else _SERVICE]
    if not inputs.variables and inputs.vars_file is None:
        unchecked.append(_VARIABLES)
    problems = [*found.problems, *by_templates.problems]
    return Validation(found.plan, problems, [*unchecked, *_absent_secrets(host, found.plan)], beside)


def _by_templates(host: Host, inputs: PlanInputs, plan: Plan, against: Against, findings: Findings) -> list[str]:
    """Hold a plan against the templates that are known of each lane. Return which these are."""
    known = templates_for(host, plan, against, inputs.access)
    file = file_name(inputs.jobspec)
    campaign = load_campaign(decode(inputs.content(inputs.jobspec), file), file)
    of_lanes = {lane: saved.templates for lane, saved in known.items()}
    findings.problems += dict.fromkeys(template_problems(campaign, plan, of_lanes))
    if len(known) < len(plan.lanes):
        findings.unchecked.append(_TEMPLATES)
    now = host.clock.wall()
    return [
        f"{len(saved.templates):,} templates of {saved.lane}, {duration_text(max(0.0, now - saved.read_at))} old"
        for saved in known.values()
    ]


def _plan(host: Host, inputs: PlanInputs) -> Validation:
    findings = Findings()
    plan = findings.of(lambda: rehearsed(read_plan(inputs), inputs))
    if plan is not None:
        findings.of(lambda: refuse_unready(plan, host.environ))
    unchecked = [_SERVICE] if inputs.inventory is not None else [_SERVICE, _INVENTORY]
    return Validation(plan, findings.problems, [*unchecked, *_absent_secrets(host, plan)])


def _absent_secrets(host: Host, plan: Plan | None) -> list[str]:
    """A jobspec may be looked at where its secrets are not."""
    named = set() if plan is None else secrets_of(plan).union(*(hook.secrets for hook in plan.hooks))
    absent = sorted(named - host.environ.keys())
    return [f"secrets: {', '.join(absent)} not in this environment"] if absent else []
