"""A jobspec's `on_event` rendered for a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.plan.hooks import PlannedHook, header_trouble, url_trouble
from runner.spec.campaign import Template
from runner.spec.numbers import plain_numbers
from runner.spec.secrets import secret_names
from runner.spec.signal_names import signal_names
from runner.spec.templates import TemplateProblem, TextRenderer, problem_at, render_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.errors import Problem
    from runner.model import Json, JsonMapping
    from runner.spec.hooks import HookSpec


def planned_hooks(hooks: Sequence[HookSpec], context: JsonMapping, problems: list[Problem]) -> tuple[PlannedHook, ...]:
    """The hooks of a jobspec. What is wrong goes to `problems`."""
    found = []
    for hook in hooks:
        try:
            found.append(_planned(hook, context))
        except TemplateProblem as error:
            problems.append(error.problem)
    return tuple(found)


def _planned(hook: HookSpec, context: JsonMapping) -> PlannedHook:
    url = None if hook.post is None else TextRenderer(hook.post)(context)
    if hook.post is not None and url is not None and not secret_names(url) and (trouble := url_trouble(url)):
        raise TemplateProblem(problem_at(hook.post.place, f"{url!r} {trouble}"))
    headers = {name: TextRenderer(template)(context) for name, template in hook.headers.items()}
    for name, template in hook.headers.items():
        if trouble := header_trouble(headers[name]):
            raise TemplateProblem(problem_at(template.place, f"the header {name} {trouble}"))
    return PlannedHook(
        on=hook.on,
        command=None if hook.command is None else tuple(render_text(part, context) for part in hook.command),
        env=hook.env,
        post=url,
        headers=headers,
        body=plain_numbers(_rendered(hook.body, {**context, "signal": signal_names(context["secret"])})),
        answer=hook.answer,
        timeout_s=hook.timeout_s,
        attempts=hook.attempts,
    )


def _rendered(value: object, context: JsonMapping) -> Json:
    if isinstance(value, Template):
        return TextRenderer(value)(context)
    if isinstance(value, dict):
        return {key: _rendered(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [_rendered(item, context) for item in value]
    return value
