"""What can be said of a jobspec before any value is rendered, beyond the shape of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.spec.campaign import ServiceInventory, Template
from runner.spec.expression_mistakes import ALL_SERVERS
from runner.spec.expressions import check_expression
from runner.spec.hooks import private_templates
from runner.spec.ranges import RangeError, expand_ranges
from runner.spec.rollout.checks import check_rollout, public_templates
from runner.spec.rules import DESCRIPTION, NAME, TYPE
from runner.spec.templates import TemplateProblem, check_syntax, has_template, names_used

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.spec.campaign import Campaign, GroupSpec, Place, StepSpec
    from runner.spec.rules import Rule


def check_structure(campaign: Campaign) -> list[Problem]:
    """What is wrong with how parts go together: with such a problem it cannot be expanded."""
    return [
        *_duplicates("group", ((group.name, group.place) for group in campaign.groups)),
        *_duplicates("step", ((step.name, step.place) for step in campaign.steps)),
        *(problem for group in campaign.groups for problem in _check_group(group)),
        *_check_inventory(campaign.inventory),
        *check_rollout(campaign),
    ]


def check_values(campaign: Campaign) -> list[Problem]:
    """What is wrong with single values, each by itself."""
    return [
        *(problem for step in campaign.steps for problem in _check_step(step)),
        *_no_secrets(_public_templates(campaign)),
        *(problem for template in all_templates(campaign) for problem in _syntax(template)),
    ]


def _duplicates(kind: str, named: Iterable[tuple[str, Place]]) -> Iterator[Problem]:
    first: dict[str, Place] = {}
    for name, place in named:
        if name in first:
            yield _at(place, f"a second {kind} called `{name}`; the first is on line {first[name].line}")
        first.setdefault(name, place)


def _check_group(group: GroupSpec) -> Iterator[Problem]:
    if (group.select is None) == (group.servers is None):
        found = "neither" if group.select is None else "both"
        hint = ALL_SERVERS if group.select is None else ""
        yield _at(
            group.place, f"group `{group.name}` has {found} of `select` and `servers`; expected exactly one", hint
        )
    if group.select is not None:
        yield from _expression(group.select, is_condition=True)
    if group.split_by is not None:
        yield from _expression(group.split_by)
    for entry in group.servers or ():
        if not has_template(entry.source):
            try:
                expand_ranges(str(entry.source))
            except RangeError as error:
                yield _at(entry.place, str(error))


def _check_inventory(inventory: Template | ServiceInventory | None) -> Iterator[Problem]:
    if isinstance(inventory, ServiceInventory) and inventory.select is not None:
        yield from _expression(inventory.select, is_condition=True)


def _expression(template: Template, *, is_condition: bool = False) -> Iterator[Problem]:
    try:
        check_expression(template, is_condition=is_condition)
    except TemplateProblem as error:
        yield error.problem


def _check_step(step: StepSpec) -> Iterator[Problem]:
    yield from _literal(step.type, TYPE)
    yield from _literal(step.job_name, NAME)
    if step.job_description is not None:
        yield from _literal(step.job_description, DESCRIPTION)
    for item in step.items:
        yield from _literal(item.type, TYPE)


def _literal(template: Template, rule: Rule) -> Iterator[Problem]:
    if not has_template(template.source) and not rule.accepts(str(template.source)):
        yield _at(template.place, f"{template.source!r} is refused by the service; expected {rule.expected}")


def _no_secrets(templates: Iterable[Template]) -> Iterator[Problem]:
    for template in templates:
        try:
            if "secret" in names_used(template):
                yield _at(
                    template.place,
                    "a secret must not stand here: this is listed by the service and written to reports",
                    "secrets are for the values of items[].spec, and for the URL, headers and body of on_event[]",
                )
        except TemplateProblem:
            continue  # said once, with the syntax


def _syntax(template: Template) -> Iterator[Problem]:
    if has_template(template.source):
        try:
            check_syntax(template)
        except TemplateProblem as error:
            yield error.problem


def _public_templates(campaign: Campaign) -> Iterator[Template]:
    for group in campaign.groups:
        yield from group.servers or ()
    for step in campaign.steps:
        yield from (step.type, step.job_name, *(item.type for item in step.items))
        if step.job_description is not None:
            yield step.job_description
    for lane in (campaign.lane, *(group.lane for group in campaign.groups)):
        yield from (value for value in (lane.region, lane.endpoint, lane.project_id) if value is not None)
    if campaign.description is not None:
        yield campaign.description
    file = campaign.inventory.join if isinstance(campaign.inventory, ServiceInventory) else campaign.inventory
    if file is not None:
        yield file
    if campaign.rollout is not None:
        yield from public_templates(campaign.rollout)
    for hook in campaign.hooks:
        yield from hook.command or ()


def expressions(campaign: Campaign) -> Iterator[Template]:
    """Every expression over servers."""
    for group in campaign.groups:
        yield from (template for template in (group.select, group.split_by) if template is not None)
    if campaign.rollout is not None:
        yield from (limit.expression for limit in campaign.rollout.budget.per)
        yield from campaign.rollout.strata or ()


def all_templates(campaign: Campaign) -> Iterator[Template]:
    """Every template."""
    yield from _public_templates(campaign)
    for step in campaign.steps:
        for item in step.items:
            yield from item.spec.values()
    for hook in campaign.hooks:
        yield from private_templates(hook)
        yield from templates_in(hook.body)
    for variables in (campaign.vars, *(group.vars for group in campaign.groups)):
        yield from templates_in(variables)


def templates_in(value: object) -> Iterator[Template]:
    """Every template in a variable's value, at any depth."""
    if isinstance(value, Template):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from templates_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from templates_in(item)


def _at(place: Place, message: str, hint: str = "") -> Problem:
    return Problem(message, place.file, place.line, place.column, place.path, hint)
