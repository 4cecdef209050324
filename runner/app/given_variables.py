"""Variables that a person gave with `-e`, held against the jobspec: a name that it does not know is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.spec.campaign import Place, Template
from runner.spec.checks import templates_in
from runner.spec.suggest import did_you_mean
from runner.spec.variable_use import VariableUse, variables_of, variables_of_campaign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.app.planning import PlanInputs
    from runner.spec.campaign import Campaign

_NEW = "with --allow-new-vars it is set all the same"


def refuse_unfitting_variables(campaign: Campaign, inputs: PlanInputs, vars_file: Mapping[str, object]) -> None:
    """Check the names of `-e`, and that what is given empty may be empty.

    Raises:
        InvalidInput: a name is unknown, or a variable is given empty and used without `default`.
    """
    if not inputs.variables:
        return
    beside = [Template(inputs.once_key, Place("--once-key", 1, 1, ""))] if inputs.once_key is not None else []
    uses = variables_of_campaign(campaign) | variables_of([*beside, *templates_in(dict(vars_file))])
    uses.names |= vars_file.keys()
    problems = list(_unknown(campaign, inputs, uses)) + list(_empty(inputs, uses))
    if problems:
        raise InvalidInput(*problems)


def _unknown(campaign: Campaign, inputs: PlanInputs, uses: VariableUse) -> Iterator[Problem]:
    if inputs.allow_new_vars or uses.any_name:
        return
    known = campaign.vars.keys() | uses.names | {name for group in campaign.groups for name in group.vars}
    for name in inputs.variables:
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"{near}\n  {_NEW}" if near else _NEW
            yield Problem(f"-e {name}=...: the jobspec has no variable `{name}`, and uses none", hint=hint)


def _empty(inputs: PlanInputs, uses: VariableUse) -> Iterator[Problem]:
    for name, value in inputs.variables.items():
        place = uses.plain.get(name) if value is None else None
        if place is not None:
            where = f"{place.file}:{place.line}"
            message = f"-e {name}=: it is empty, and {where} uses it without `default`"
            hint = f"give it a value, or write {{{{ {name} | default(...) }}}}; -e {name}:='\"\"' gives an empty text"
            yield Problem(message, hint=hint)
