"""When the waves of a plan begin at the earliest, by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from runner.rules.earliest import earliest_starts
from tests.conftest import small_plan
from tests.engine.rollout_plans import Spec, fleet, rollout_plan, step

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC).timestamp()
SLOW: Spec = {"rate": "1/s", "burst": 1, "concurrency": 8}
WAVES = [{"name": "w", "sizes": [2, 4, "rest"], "soak": "1m"}]
UPGRADE = step("upgrade", 1)


def starts(rollout: Spec) -> list[float]:
    return [at - AT for at in earliest_starts(rollout_plan({"waves": WAVES, **rollout}, fleet(10), steps=[UPGRADE], submit=SLOW), AT)]  # fmt: skip


def test_a_wave_begins_after_the_creates_the_jobs_and_the_soak_of_the_one_before() -> None:
    assert starts({}) == [0.0, 1 + 1800 + 60, 1 + 1800 + 60 + 3 + 1800 + 60]


def test_it_waits_for_a_window_in_which_a_job_fits() -> None:
    opens = starts({"window": {"allow": ["daily 14:00-15:00"], "timezone": "UTC"}})
    assert opens == [2 * 3600.0, 26 * 3600.0, 50 * 3600.0]


def test_what_no_window_lets_begin_never_does() -> None:
    assert starts({"window": {"allow": ["daily 14:00-14:10"], "timezone": "UTC"}}) == [math.inf] * 3


def test_without_a_rollout_there_is_no_wave() -> None:
    assert earliest_starts(small_plan(), AT) == []
