"""A plan's rollout for a person: its waves, its limits in servers, and what they mean should servers fail."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from runner.plan.estimate import duration_text
from runner.plan.rollout.composition import compositions
from runner.plan.rollout.limits import campaign_limits, domain_tables, part_limits
from runner.report.page import Rows, Terms
from runner.rules.earliest import earliest_starts
from runner.rules.sequential import fewest_failures
from runner.spec.rollout.limits import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.plan.rollout.composition import Composition
    from runner.plan.rollout.limits import DomainTable, Limit
    from runner.plan.rollout.model import PlannedCheck, PlannedWave, Rollout
    from runner.report.page import Part

_SHOWN = 3
_SENTENCES = (0.01, 0.05, 0.10, 0.30)
# Above this it is every campaign, below that it is none.
_CERTAIN, _NEVER = 0.995, 0.05


def rollout_parts(plan: Plan, forecast: Sequence[JsonObject], now: float, zone: tzinfo | None) -> list[Part]:
    """None for a plan without a rollout. `now` is epoch seconds: what is earliest depends on it where there is a window."""
    if plan.rollout is None:
        return []
    tables = domain_tables(plan)
    waves = _waves(plan, plan.rollout, compositions(plan, tables), _Clock(now, zone))
    parts: list[Part] = [waves, Terms("", [*_rules(plan, plan.rollout, tables)])]
    checks = dict.fromkeys(check for wave in plan.rollout.waves for check in wave.checks)
    if checks:
        parts.append(Terms("checks", [(check.name, _check(plan, check)) for check in checks]))
    return [*parts, _forecast(forecast)] if forecast else parts


class _Clock(NamedTuple):
    now: float
    zone: tzinfo | None


def _waves(plan: Plan, rollout: Rollout, made_of: Sequence[Composition], clock: _Clock) -> Rows:
    requests = [0] * len(rollout.waves)
    for request in plan.requests:
        requests[request.wave] += request.step < plan.main_steps
    starts = earliest_starts(plan, clock.now)
    rows = [
        (
            wave.name,
            f"{wave.servers:,}",
            f"{requests[index]:,}",
            *(_composed(one, index) for one in made_of),
            _moment(starts[index], clock, dated=rollout.window is not None),
            _gate(wave),
        )
        for index, wave in enumerate(rollout.waves)
    ]
    columns = [one.called.removeprefix("labels.") for one in made_of]
    return Rows("", ("wave", "servers", "requests", *columns, "earliest", "gate after it"), rows)


def _composed(composition: Composition, wave: int) -> str:
    counts = composition.counts[wave]
    if composition.is_limited:
        return f"{len(counts):,}"
    return ", ".join(f"{value} {count:,}" for value, count in sorted(counts.items()))


def _moment(start: float, clock: _Clock, *, dated: bool) -> str:
    if math.isinf(start):
        return "never: no window"
    if not dated:
        return f"+{duration_text(start - clock.now)}"
    moment = datetime.fromtimestamp(start, UTC).astimezone(clock.zone)
    return f"{moment:%a %d %b %H:%M}"


def _gate(wave: PlannedWave) -> str:
    parts = [f"adaptive size, growth {wave.growth:g}"] if wave.growth else []
    parts += [f"soak {duration_text(wave.soak_s)}"] if wave.soak_s else []
    parts += [f"check {check.name}" for check in wave.checks]
    return ", ".join([*parts, "approval"] if wave.approve else parts) or "open"


def _check(plan: Plan, check: PlannedCheck) -> str:
    if check.step is not None:
        what = f"step {plan.steps[check.step]}"
    else:
        what = f"GET {check.url}" if check.url is not None else " ".join(check.command or ())
    times = f", up to {check.attempts} times" if check.attempts > 1 else ""
    return f"{what}; {duration_text(check.timeout_s)} each time at most{times}"


def _rules(plan: Plan, rollout: Rollout, tables: Sequence[DomainTable]) -> Iterator[tuple[str, str]]:
    for line in _limits(plan, rollout, tables):
        yield "limits", line
    test = rollout.abort.sequential
    if test is not None:
        proof = f"once outcomes prove that more than {_percent(test.healthy)} of the servers fail"
        wrong = f"(wrong in at most {_percent(test.false_alarm)} of healthy campaigns)"
        yield "abort", f"{proof} {wrong}; {fewest_failures(test)} failures at the start are enough"
    if rollout.abort.after_unknown is not None:
        yield "abort", f"at {rollout.abort.after_unknown:,} unknown or timed-out servers"
    if rollout.window is not None:
        when = ", ".join(rollout.window.allow) or "always"
        but = f", but not {', '.join(rollout.window.deny)}" if rollout.window.deny else ""
        yield "window", f"{when}{but} ({rollout.window.timezone})"
    if rollout.deadline_s is not None:
        yield "deadline", f"{duration_text(rollout.deadline_s)} after the start"
    if rollout.on_failure is not None:
        yield "on failure", f"step {plan.steps[rollout.on_failure]} on the servers that failed"
    yield "on breach", rollout.on_breach


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _limits(plan: Plan, rollout: Rollout, tables: Sequence[DomainTable]) -> Iterator[str]:
    total = sum(len(group.servers) for group in plan.groups)
    budget = rollout.budget
    waves = [(wave.name, wave.servers) for wave in rollout.waves]
    groups = [(group.name, len(group.servers)) for group in plan.groups]
    for limit in campaign_limits(budget, total):
        yield f"{limit.name}: {limit.most:,} of {limit.total:,} servers"
    for limits in (*part_limits(budget, Scope.WAVE, waves), *part_limits(budget, Scope.GROUP, groups)):
        yield f"{limits[0].name}: {_examples(limits)}"
    for domains in tables:
        yield f"per {_examples(domains.limits)}"
    for rule in budget.per:
        if rule.most is None:
            yield f"servers of one {rule.expression} go together"


def _examples(limits: Sequence[Limit]) -> str:
    shown = ", ".join(f"{limit.scope} {limit.most:,} of {limit.total:,}" for limit in limits[:_SHOWN])
    return shown + (f" and {len(limits) - _SHOWN:,} more" if len(limits) > _SHOWN else "")


def _forecast(forecast: Sequence[JsonObject]) -> Terms:
    told = [row for row in forecast if row["rate"] in _SENTENCES]
    return Terms(
        "what the rules mean for this fleet (simulated, coarse)",
        [(f"{row['rate']:.0%} fail", _sentence(row)) for row in told],
    )


def _sentence(row: JsonObject) -> str:
    """What becomes of a campaign whose change breaks such a share of the servers."""
    harmed = f"about {row['harmed']:,.0f} servers fail"
    if row["stopped"] < _NEVER:
        return f"hardly ever stopped: {harmed}"
    often = "stopped" if row["stopped"] >= _CERTAIN else f"stopped in {row['stopped']:.0%} of campaigns"
    return f"{often}, after about {row['touched']:,.0f} servers; {harmed}"
