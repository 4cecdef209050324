"""The body of a step's requests, rendered and checked against the service's rules (api-facts 1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.errors import Problem
from runner.model import JsonMapping, JsonObject
from runner.spec.names import Names
from runner.spec.rules import DESCRIPTION, NAME, TYPE, Rule
from runner.spec.secrets import secret_names
from runner.spec.templates import TemplateProblem, TextRenderer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.spec.campaign import StepSpec, Template

Body = JsonObject


class _Field(NamedTuple):
    """A value of the body, where it comes from, and the rule it must keep; None: any text, a spec value."""

    template: Template
    rule: Rule | None


class BodyTemplate:
    """Renders the body of one step. What does not depend on the batch is rendered once."""

    def __init__(self, step: StepSpec) -> None:
        self._step = step
        self._fields = list(_fields(step))
        self._renderers = [TextRenderer(field.template) for field in self._fields]
        self._per_batch = [place for place, text in enumerate(self._renderers) if "batch" in text.names_used]
        self._texts = [""] * len(self._fields)
        self._rendered: Body | None = None
        self._failed = False

    def render(self, context: JsonMapping, index: int, count: int, problems: list[Problem]) -> Body:
        """The body of one batch, without `server_ids`; `index` counts from 1. What is wrong goes to `problems`."""
        if self._rendered is not None and (self._failed or not self._per_batch):
            return self._rendered
        batch = Names("batch", {"index": index, "count": count})
        full = {**context, "step": Names("step", {"name": self._step.name}), "batch": batch}
        before = len(problems)
        for place in range(len(self._fields)) if self._rendered is None else self._per_batch:
            self._texts[place] = self._text(place, full, problems)
        self._failed = len(problems) > before  # one batch is enough to say it
        self._rendered = self._body(self._texts)
        return self._rendered

    def render_all(self, context: JsonMapping, count: int, problems: list[Problem]) -> list[Body]:
        """The bodies of all batches, in order."""
        if self._per_batch:
            return [self.render(context, index, count, problems) for index in range(1, count + 1)]
        return [self.render(context, 1, count, problems)] * count if count else []

    def _text(self, place: int, context: JsonMapping, problems: list[Problem]) -> str:
        field = self._fields[place]
        try:
            text = self._renderers[place](context)
        except TemplateProblem as error:
            problems.append(error.problem)
            return ""
        problems += _problems(field, text)
        return text

    def _body(self, texts: Sequence[str]) -> Body:
        values = iter(texts)
        step = self._step
        kind, name = next(values), next(values)
        body: Body = {"name": name}
        if step.job_description is not None:
            body["description"] = next(values)
        body["type"] = kind
        if step.is_reboot is not None:
            body["is_reboot"] = step.is_reboot
        body["items"] = [
            {"type": next(values), "spec": {key: next(values) for key in item.spec}} for item in step.items
        ]
        return body


def _fields(step: StepSpec) -> list[_Field]:
    fields = [_Field(step.type, TYPE), _Field(step.job_name, NAME)]
    if step.job_description is not None:
        fields.append(_Field(step.job_description, DESCRIPTION))
    for item in step.items:
        fields.append(_Field(item.type, TYPE))
        fields += [_Field(value, None) for value in item.spec.values()]
    return fields


def _problems(field: _Field, text: str) -> list[Problem]:
    place = field.template.place
    if field.rule is None:
        return []
    if secret_names(text):
        message = "a secret must not stand here: this is listed by the service and written to reports"
    elif not field.rule.accepts(text):
        message = f"{text!r} is refused by the service; expected {field.rule.expected}"
    else:
        return []
    return [Problem(message, place.file, place.line, place.column, place.path)]
