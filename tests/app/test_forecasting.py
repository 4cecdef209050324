"""What a plan's limits mean for its fleet: which of them the forecast looks at."""

from __future__ import annotations

from typing import Any

from runner.app.forecasting import forecast_plan
from tests.rolling import Case, everyone, fleet, jobspec


def harmed(budget: dict[str, Any]) -> list[float]:
    """For each rate, how many servers are harmed."""
    plan = Case(jobspec(everyone, [2], {"budget": budget}), fleet([{}] * 40)).plan()
    return [row["harmed"] for row in forecast_plan(plan)]


def test_the_smallest_limit_on_abnormal_servers_counts() -> None:
    unlimited, ten, four = harmed({}), harmed({"max_abnormal": 10}), harmed({"max_unavailable": 4})
    assert max(unlimited) > 10 >= max(ten) > 4 >= max(four)
    assert harmed({"max_abnormal": 10, "max_unavailable": 4}) == four
    assert harmed({"max_abnormal": 4, "max_unavailable": 10}) == four


def test_servers_that_the_service_skips_are_not_harmed() -> None:
    assert harmed({"max_skipped": 2}) == harmed({})


def test_a_plan_without_a_rollout_has_no_forecast() -> None:
    assert forecast_plan(Case(jobspec(everyone, [2], None), fleet([{}] * 40)).plan()) == []
