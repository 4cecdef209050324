"""`runner validate`: all that can be said of a jobspec or a plan without the network, and what that leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.app.bodies import secrets_of
from runner.app.kinds import is_plan
from runner.app.planning import read_plan, rehearsed, try_plan
from runner.app.programs import refuse_unready
from runner.app.stages import Findings, Validation

if TYPE_CHECKING:
    from runner.app.host import Host
    from runner.app.planning import PlanInputs
    from runner.plan.plan import Plan

_SERVICE = "the service: credentials, endpoint, project, and whether it knows the servers (no network)"
_VARIABLES = "other values of variables: none are given with -e or --vars-file"
_INVENTORY = "whether the servers of the plan are still there: no inventory is given with -i"


def validate(host: Host, inputs: PlanInputs) -> Validation:
    """Look at a jobspec with all that it names, or at a plan.

    Raises:
        RefusedToStart: the plan, or a program of its checks, was changed after it was made; servers of it are gone.
    """
    return _plan(host, inputs) if is_plan(inputs.jobspec, inputs.read) else _jobspec(host, inputs)


def _jobspec(host: Host, inputs: PlanInputs) -> Validation:
    found = try_plan(host, inputs)
    unchecked = [*found.unchecked, _SERVICE]
    if not inputs.variables and inputs.vars_file is None:
        unchecked.append(_VARIABLES)
    return Validation(found.plan, found.problems, [*unchecked, *_absent_secrets(host, found.plan)])


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
