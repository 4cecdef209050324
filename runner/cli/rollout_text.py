"""A plan's rollout for a person: its waves, its limits in servers, and what they mean should servers fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.cli.table import table
from runner.plan.estimate import duration_text
from runner.plan.rollout.limits import campaign_limits, domain_tables, part_limits
from runner.rules.sequential import fewest_failures
from runner.spec.rollout.limits import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.plan.rollout.limits import Limit
    from runner.plan.rollout.model import PlannedWave, Rollout

_SHOWN = 3


def rollout_text(plan: Plan, forecast: Sequence[JsonObject]) -> list[str]:
    """The parts of the text; none for a plan without a rollout."""
    if plan.rollout is None:
        return []
    parts = [_waves(plan, plan.rollout), _rules(plan, plan.rollout)]
    return [*parts, _forecast(forecast)] if forecast else parts


def _waves(plan: Plan, rollout: Rollout) -> str:
    requests = [0] * len(rollout.waves)
    for request in plan.requests:
        requests[request.wave] += request.step < plan.main_steps
    rows = [
        (wave.name, f"{wave.servers:,}", f"{requests[index]:,}", _gate(wave))
        for index, wave in enumerate(rollout.waves)
    ]
    return table(("wave", "servers", "requests", "gate after it"), rows)


def _gate(wave: PlannedWave) -> str:
    parts = [f"adaptive size, growth {wave.growth:g}"] if wave.growth else []
    parts += [f"soak {duration_text(wave.soak_s)}"] if wave.soak_s else []
    parts += [f"check {check.name}" for check in wave.checks]
    return ", ".join([*parts, "approval"] if wave.approve else parts) or "open"


def _rules(plan: Plan, rollout: Rollout) -> str:
    lines = [f"limits     {line}" for line in _limits(plan, rollout)]
    test = rollout.abort.sequential
    if test is not None:
        lines.append(
            f"abort      once outcomes prove that more than {_percent(test.healthy)} of the servers fail "
            f"(wrong in at most {_percent(test.false_alarm)} of healthy campaigns); "
            f"{fewest_failures(test)} failures at the start are enough"
        )
    if rollout.abort.after_unknown is not None:
        lines.append(f"abort      at {rollout.abort.after_unknown:,} unknown or timed-out servers")
    if rollout.window is not None:
        when = ", ".join(rollout.window.allow) or "always"
        but = f", but not {', '.join(rollout.window.deny)}" if rollout.window.deny else ""
        lines.append(f"window     {when}{but} ({rollout.window.timezone})")
    if rollout.deadline_s is not None:
        lines.append(f"deadline   {duration_text(rollout.deadline_s)} after the start")
    lines.append(f"on breach  {rollout.on_breach}")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _limits(plan: Plan, rollout: Rollout) -> Iterator[str]:
    total = sum(len(group.servers) for group in plan.groups)
    budget = rollout.budget
    waves = [(wave.name, wave.servers) for wave in rollout.waves]
    groups = [(group.name, len(group.servers)) for group in plan.groups]
    for limit in campaign_limits(budget, total):
        yield f"{limit.name}: {limit.most:,} of {limit.total:,} servers"
    for limits in (*part_limits(budget, Scope.WAVE, waves), *part_limits(budget, Scope.GROUP, groups)):
        yield f"{limits[0].name}: {_examples(limits)}"
    for domains in domain_tables(plan):
        yield f"per {_examples(domains.limits)}"
    for rule in budget.per:
        if rule.most is None:
            yield f"servers of one {rule.expression} go together"


def _examples(limits: Sequence[Limit]) -> str:
    shown = ", ".join(f"{limit.scope} {limit.most:,} of {limit.total:,}" for limit in limits[:_SHOWN])
    return shown + (f" and {len(limits) - _SHOWN:,} more" if len(limits) > _SHOWN else "")


def _forecast(forecast: Sequence[JsonObject]) -> str:
    rows = [
        (f"{row['rate']:.1%}", f"{row['harmed']:,.1f}", f"{row['stopped']:.0%}", f"{row['duration']:,.0f}")
        for row in forecast
    ]
    header = ("if so many fail", "servers harmed", "held or aborted", "takes so many jobs' time")
    return "what the rules mean for this fleet (simulated, coarse):\n" + table(header, rows)
