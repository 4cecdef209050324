"""A jobspec's text to a `Campaign`, or all that is wrong with it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from runner.errors import InvalidInput, Problem, in_order
from runner.spec.campaign import (
    Campaign,
    GroupSpec,
    ItemSpec,
    LaneSpec,
    Place,
    ServiceInventory,
    StepSpec,
    Submit,
    Template,
    Watch,
)
from runner.spec.checks import check_structure, check_values
from runner.spec.document import GroupDocument, JobspecDocument, LaneDocument, ServiceInventoryDocument, StepDocument
from runner.spec.hooks import load_hook
from runner.spec.json_source import read_document
from runner.spec.mistakes import shape_problem
from runner.spec.placing import place_of, template_of, tree_of
from runner.spec.quantities import parse_duration, parse_rate
from runner.spec.rollout.loading import load_rollout
from runner.spec.variables import jobspec_name_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import JsonMapping
    from runner.spec.yaml_source import Path, Source


class LoadedJobspec(NamedTuple):
    """What could be made of a jobspec's text, and all that is wrong with it, in the order of its lines.

    `campaign` is None where the file has not the shape of one. `is_sound`: what is wrong, if anything is, are single
    values, so that the campaign can be expanded to find what is wrong beside them. `inventory` is its path as it was
    written, if that is text.
    """

    campaign: Campaign | None
    problems: Sequence[Problem]
    is_sound: bool
    inventory: str | None


NOTHING_LOADED = LoadedJobspec(None, (), is_sound=False, inventory=None)


def load_campaign(text: str, file: str) -> Campaign:
    """Read a jobspec.

    Raises:
        InvalidInput: with every problem of the file, in the order of its lines.
    """
    loaded = read_jobspec(text, file)
    if loaded.campaign is None or loaded.problems:
        raise InvalidInput(*loaded.problems)
    return loaded.campaign


def read_jobspec(text: str, file: str) -> LoadedJobspec:
    """Read a jobspec as far as that goes: whoever looks for more mistakes goes on with what there is of it."""
    try:
        source = read_document(text, file)
    except InvalidInput as error:
        return LoadedJobspec(None, error.problems, is_sound=False, inventory=None)
    if not isinstance(source.data, dict):
        problem = Problem("a jobspec is a mapping of keys such as `name`, `groups` and `steps`", file=file, line=1)
        return LoadedJobspec(None, [problem], is_sound=False, inventory=None)
    path = source.data.get("inventory")
    inventory = path if isinstance(path, str) else None
    try:
        document = JobspecDocument.model_validate(source.data)
    except ValidationError as error:
        problems = in_order(shape_problem(details, source) for details in error.errors())
        return LoadedJobspec(None, problems, is_sound=False, inventory=inventory)
    campaign = _Builder(source).campaign(document)
    unsound = check_structure(campaign)
    problems = in_order([*unsound, *jobspec_name_problems(source), *check_values(campaign)])
    return LoadedJobspec(campaign, problems, not unsound, inventory)


class _Builder:
    """Makes typed values of a checked document, each with its place in the file."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def campaign(self, document: JobspecDocument) -> Campaign:
        submit, watch = document.submit, document.watch
        return Campaign(
            name=document.name,
            file=self._source.file,
            source=self._source.text,
            description=self._maybe(document.description, ("description",)),
            vars=self._variables(document.vars, ("vars",)),
            inventory=self._inventory(document.inventory, ("inventory",)),
            lane=self._lane(document.lane, ("lane",)),
            groups=tuple(self._group(group, ("groups", index)) for index, group in enumerate(document.groups)),
            steps=tuple(self._step(step, ("steps", index)) for index, step in enumerate(document.steps)),
            submit=Submit(
                rate=parse_rate(submit.rate) or 0.0,
                burst=submit.burst,
                concurrency=submit.concurrency,
                timeout_s=parse_duration(submit.timeout) or 0.0,
                attempts=submit.attempts,
                settle_s=parse_duration(submit.settle) or 0.0,
                outage_s=parse_duration(submit.outage) or 0.0,
                longest_pause_s=parse_duration(submit.longest_pause) or 0.0,
            ),
            watch=Watch(rate=parse_rate(watch.rate) or 0.0, job_timeout_s=parse_duration(watch.job_timeout) or 0.0),
            rollout=None if document.rollout is None else load_rollout(document.rollout, self._source),
            hooks=tuple(
                load_hook(hook, self._source, ("on_event", index)) for index, hook in enumerate(document.on_event)
            ),
        )

    def _inventory(
        self, inventory: str | ServiceInventoryDocument | None, path: Path
    ) -> Template | ServiceInventory | None:
        if not isinstance(inventory, ServiceInventoryDocument):
            return self._maybe(inventory, path)
        listed, path = inventory.api, (*path, "api")
        return ServiceInventory(
            listed.scope,
            self._maybe(listed.select, (*path, "select")),
            parse_duration(listed.max_age) or 0.0,
            self._maybe(listed.join, (*path, "join")),
        )

    def _group(self, group: GroupDocument, path: Path) -> GroupSpec:
        servers = group.servers
        return GroupSpec(
            name=group.name,
            place=self._place((*path, "name")),
            select=self._maybe(group.select, (*path, "select")),
            servers=None
            if servers is None
            else tuple(self._template(text, (*path, "servers", index)) for index, text in enumerate(servers)),
            split_by=self._maybe(group.split_by, (*path, "split_by")),
            vars=self._variables(group.vars, (*path, "vars")),
            lane=self._lane(group.lane, (*path, "lane")),
        )

    def _step(self, step: StepDocument, path: Path) -> StepSpec:
        return StepSpec(
            name=step.name,
            place=self._place((*path, "name")),
            type=self._template(step.type, (*path, "type")),
            job_name=self._template(step.job_name, (*path, "job_name")),
            items=tuple(
                ItemSpec(
                    type=self._template(item.type, (*path, "items", index, "type")),
                    spec={
                        key: self._template(value, (*path, "items", index, "spec", key))
                        for key, value in item.spec.items()
                    },
                    place=self._place((*path, "items", index)),
                )
                for index, item in enumerate(step.items)
            ),
            servers_per_job=step.servers_per_job,
            job_description=self._maybe(step.job_description, (*path, "job_description")),
            is_reboot=step.is_reboot,
            expected_duration_s=None if step.expected_duration is None else parse_duration(step.expected_duration),
        )

    def _lane(self, lane: LaneDocument, path: Path) -> LaneSpec:
        return LaneSpec(
            region=self._maybe(lane.region, (*path, "region")),
            endpoint=self._maybe(lane.endpoint, (*path, "endpoint")),
            project_id=self._maybe(lane.project_id, (*path, "project_id")),
        )

    def _variables(self, values: JsonMapping, path: Path) -> dict[str, object]:
        return {key: tree_of(self._source, value, (*path, key)) for key, value in values.items()}

    def _maybe(self, value: str | None, path: Path) -> Template | None:
        return None if value is None else self._template(value, path)

    def _template(self, value: str | float | bool | None, path: Path) -> Template:  # noqa: FBT001  any YAML scalar
        return template_of(self._source, value, path)

    def _place(self, path: Path) -> Place:
        return place_of(self._source, path)
