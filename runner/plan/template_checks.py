"""A plan held against the job templates of the service: type, parameters, patterns and flavors, each at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from runner.errors import Problem
from runner.spec.job_templates import (
    is_for,
    missing_parameters,
    nearest_type,
    of_type,
    unfit_values,
)
from runner.spec.secrets import secret_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.model import JsonMapping
    from runner.plan.plan import Plan, PlannedGroup
    from runner.spec.campaign import Campaign, ItemSpec, Place, StepSpec
    from runner.spec.job_templates import JobTemplate

FLAVOR = "flavor"
"""The label by which servers are held against templates."""


def template_problems(
    campaign: Campaign, plan: Plan, templates: Mapping[int, Sequence[JobTemplate]]
) -> Iterator[Problem]:
    """What the service would not take, by the templates of each lane that are known. Equal bodies are looked at once."""
    steps = {step.name: step for step in campaign.steps}
    seen: set[tuple[str, int, bytes]] = set()
    for request in plan.requests:
        group = plan.groups[request.group]
        known = templates.get(group.lane)
        step = steps.get(plan.steps[request.step])
        if known is None or step is None:
            continue
        key = (step.name, request.group, orjson.dumps([request.body["type"], request.body["items"]]))
        if key not in seen:
            seen.add(key)
            yield from _of_body(step, request.body, known, group)


def _of_body(step: StepSpec, body: JsonMapping, known: Sequence[JobTemplate], group: PlannedGroup) -> Iterator[Problem]:
    kind = str(body["type"])
    candidates = of_type(known, kind)
    if not candidates:
        hint = nearest_type(known, kind)
        yield _at(step.type.place, f"the service has no template of the type {kind}", hint)
        return
    # Of several it is not known which the service takes: the one that fits best is the one that was meant.
    found = (list(_of_template(step, body, template, known, group)) for template in candidates)
    yield from min(found, key=len)


def _of_template(
    step: StepSpec, body: JsonMapping, template: JobTemplate, known: Sequence[JobTemplate], group: PlannedGroup
) -> Iterator[Problem]:
    items: Sequence[Any] = body["items"]
    given = [key for item in items for key in item["spec"]]
    for item, spec in zip(items, step.items, strict=True):
        open_values = {key: value for key, value in item["spec"].items() if not secret_names(value)}
        hidden = dict.fromkeys(item["spec"].keys() - open_values.keys() - template.by_name.keys(), "")
        for unfit in unfit_values(template, open_values | hidden):
            yield _at(_place(spec, unfit.key), unfit.message, unfit.hint)
    for unfit in missing_parameters(template, given):
        yield _at(step.items[0].place, unfit.message, unfit.hint)
    yield from _flavors(step, template, known, group)


def _flavors(
    step: StepSpec, template: JobTemplate, known: Sequence[JobTemplate], group: PlannedGroup
) -> Iterator[Problem]:
    flavors = {server.labels.get(FLAVOR) for server in group.servers} - {None}
    for flavor in sorted(filter(None, flavors)):
        if not is_for(template, flavor, known):
            what = f"the template {template.name} is for {template.flavor}, and group `{group.name}` has servers of {flavor}"
            yield _at(step.type.place, what, "part the group: split_by: labels.flavor")


def _place(item: ItemSpec, key: str) -> Place:
    return item.spec[key].place if key in item.spec else item.place


def _at(place: Place, message: str, hint: str = "") -> Problem:
    return Problem(message, place.file, place.line, place.column, place.path, hint)
