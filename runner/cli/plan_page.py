"""A plan for a person who is to approve it: what is sent to whom, in which waves, within which limits."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

import orjson

from runner.cli.rollout_text import rollout_parts
from runner.plain import plain_json
from runner.plan.codec import request_body
from runner.plan.estimate import estimate_text
from runner.plan.parameters import step_parameters
from runner.report.page import Page, Rows, Terms, Verbatim
from runner.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from runner.model import JsonObject
    from runner.plan.hooks import PlannedHook
    from runner.plan.parameters import Parameter, StepParameters
    from runner.plan.plan import Plan
    from runner.report.page import Part

_PREVIEWED_SERVERS = 3
_SHOWN_GROUPS = 6
_SHOWN_VALUES = 4
_LONGEST_VALUE = 60


def plan_page(plan: Plan, forecast: Sequence[JsonObject], *, now: float, zone: tzinfo | None, file: str | None) -> Page:
    """All there is to say of it. `file` is where the plan stands, for the command that carries it out."""
    summary = plan.summary
    pairs = [
        ("campaign", f"{plan.campaign}: {plan.description}" if plan.description else plan.campaign),
        ("servers", f"{summary.selected:,} of {summary.inventory_servers:,}; {summary.unselected:,} are not touched"),
        ("requests", f"{summary.requests:,}"),
        ("submitting", estimate_text(plan)),
        ("plan hash", plan.plan_hash),
    ]
    title = f"Plan of {plan.campaign}"
    if not plan.requests:
        return Page(title, [Terms("", pairs), Terms("", [("nothing to do", "no server is selected")])])
    parts: list[Part] = [Terms("", pairs), _groups(plan)]
    parts += [_sent(plan, step) for step in step_parameters(plan)]
    parts += rollout_parts(plan, forecast, now, zone)
    if plan.hooks:
        parts.append(Terms("who is told", [(", ".join(hook.on), _told(hook)) for hook in plan.hooks]))
    return Page(title, [*parts, *_first_requests(plan), _exactly_this(plan, file)])


def _groups(plan: Plan) -> Rows:
    requests = [0] * len(plan.groups)
    for request in plan.requests:
        requests[request.group] += 1
    rows = [
        (group.name, f"{len(group.servers):,}", f"{requests[index]:,}", plan.lanes[group.lane].label)
        for index, group in enumerate(plan.groups)
    ]
    return Rows("", ("group", "servers", "requests", "lane"), rows)


def _sent(plan: Plan, step: StepParameters) -> Terms:
    pairs = [(parameter.path, _values(parameter)) for parameter in step.parameters]
    if step.unread:
        pairs.append(("not read", f"the jobs of {step.unread:,} servers: there are too many groups"))
    # What a check or a failure asks for is not sent to all.
    when = "" if plan.steps.index(step.step) < plan.main_steps else ", where a check or a failure asks for it"
    return Terms(f"step {step.step} sends to {step.servers:,} servers{when}", pairs)


def _values(parameter: Parameter) -> str:
    if parameter.is_same:
        return _shown(next(iter(next(iter(parameter.values.values())))))
    if len(parameter.values) > _SHOWN_GROUPS:
        return _counted(sum(parameter.values.values(), Counter()))
    return ", ".join(f"{group} {_counted(values)}" for group, values in parameter.values.items())


def _counted(values: Counter[str]) -> str:
    shown = ", ".join(f"{_shown(value)} ({count:,})" for value, count in values.most_common(_SHOWN_VALUES))
    more = len(values) - _SHOWN_VALUES
    return f"{shown} and {more:,} other values" if more > 0 else shown


def _shown(value: str) -> str:
    """A value as JSON; a text without its quotes, where that cannot be taken for another value."""
    read = orjson.loads(value)
    text = read if isinstance(read, str) and read and not _reads_otherwise(read) else value
    text = mask(text)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _reads_otherwise(text: str) -> bool:
    """Whether a text without its quotes would be a number, a truth value or nothing at all."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return text != text.strip()
    return True


def _told(hook: PlannedHook) -> str:
    tries = f", up to {hook.attempts} times" if hook.attempts > 1 else ""
    how = shlex.join(hook.command) if hook.command is not None else f"POST to {mask(hook.post or '')}"
    return f"{how}, within {hook.timeout_s:g} s{tries}"


def _first_requests(plan: Plan) -> Iterator[Verbatim]:
    for step, index in first_of_steps(plan).items():
        title = f"first request of step {plan.steps[step]} (its name gets the request's key at the end)"
        yield Verbatim(title, _body(plan, index))


def first_of_steps(plan: Plan) -> dict[int, int]:
    """The first request of each step that has some."""
    first: dict[int, int] = {}
    for index, request in enumerate(plan.requests):
        first.setdefault(request.step, index)
    return dict(sorted(first.items()))


def _body(plan: Plan, index: int) -> str:
    ids = [server.id for server in plan.servers_of(index)]
    shown = ids[:_PREVIEWED_SERVERS]
    if len(ids) > len(shown):
        shown.append(f"... and {len(ids) - len(shown):,} more")
    body = request_body(plan.requests[index].body, shown, str(plan.requests[index].body["name"]))
    return mask(plain_json(orjson.dumps(body, option=orjson.OPT_INDENT_2)).decode())


def _exactly_this(plan: Plan, file: str | None) -> Verbatim:
    run = f"runner run {file or 'plan.json'} --require-hash {plan.plan_hash}"
    title = "to do exactly this" if file else "to do exactly this, write it with `-o plan.json`; then"
    return Verbatim(title, run)
