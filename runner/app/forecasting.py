"""What a plan's rules mean for its fleet: servers harmed, and the chance of a stop, should a share of the servers fail."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from runner.plan.rollout.limits import campaign_limits
from runner.rules.forecast import ForecastRules, forecast
from runner.spec.rollout.limits import Counted

if TYPE_CHECKING:
    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.plan.rollout.model import Rollout

RATES = (0.005, 0.01, 0.02, 0.05, 0.10, 0.30, 0.80)
_CAMPAIGNS = 300
# The same plan is to say the same each time.
_SEED = 1


def forecast_plan(plan: Plan) -> list[JsonObject]:
    """For each of `RATES`: {rate, harmed, touched, stopped, duration}, means over many simulated campaigns.

    None without a rollout. `touched` is how many servers a campaign had touched by the time it was stopped, `stopped` the
    chance that the rules end or hold it; `duration` is in durations of a job. Coarse: all jobs take as long; limits of
    failure domains, windows, soaks and checks are left out.
    """
    if plan.rollout is None or not plan.requests:
        return []
    rules, chance = _rules(plan, plan.rollout), random.Random(_SEED)  # noqa: S311  a forecast is no secret
    told = [(rate, forecast(rules, rate, _CAMPAIGNS, chance)) for rate in RATES]
    return [
        {
            "rate": rate,
            "harmed": round(means.mean_harmed, 1),
            "touched": round(means.touched_when_stopped, 1),
            "stopped": round(means.stop_chance, 3),
            "duration": round(means.mean_duration, 1),
        }
        for rate, means in told
    ]


def _rules(plan: Plan, rollout: Rollout) -> ForecastRules:
    total = sum(len(group.servers) for group in plan.groups)
    most = [limit.most for limit in campaign_limits(rollout.budget, total) if limit.counts is Counted.ABNORMAL]
    growth = min((wave.growth for wave in rollout.waves if wave.growth is not None), default=None)
    return ForecastRules(
        waves=tuple(wave.servers for wave in rollout.waves),
        servers_per_request=max(request.stop - request.start for request in plan.requests),
        concurrency=plan.submit.concurrency * len(plan.lanes),
        max_abnormal=min(most, default=None),
        sequential=rollout.abort.sequential,
        growth=growth,
    )
