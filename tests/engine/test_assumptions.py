"""What the simulator assumes and the runner does not need: whichever way the service has it, a run comes to the same end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runner.errors import ExitCode
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World

DOES_NOT_MATTER: dict[str, dict[str, Any]] = {
    "jobs.times: text": {"jobs": {"times": "text"}},
    "jobs.times: iso": {"jobs": {"times": "iso"}},
    "jobs.extra_fields": {"jobs": {"extra_fields": True}},
    "jobs.nulls": {"jobs": {"nulls": True}},
    "jobs.rewritten_types: none": {"jobs": {"rewritten_types": {}}},
    "jobs.status_at_create: PROCESSING": {"jobs": {"status_at_create": "PROCESSING"}},
    "jobs.tasks_at_create: all": {"jobs": {"tasks_at_create": "all"}},
    "jobs.skipped_is_abnormal": {"jobs": {"skipped_is_abnormal": True}},
    "jobs.missing_is_404": {"jobs": {"missing_is_404": True}},
    "jobs.unique_names": {"jobs": {"unique_names": True}},
    "tasks.final_lag_s": {"tasks": {"duration_s": 20.0, "final_lag_s": 5.0}},
    "tasks.unknown_status": {"tasks": {"duration_s": 20.0, "unknown_status": 1.0}},
    "tasks.spread": {"tasks": {"duration_s": 20.0, "spread": 1.0}},
    "listing.name_filter: exact": {"listing": {"name_filter": "exact"}},
    "listing.order: random": {"listing": {"order": "random", "most": 5, "foreign_jobs": 30}},
    "listing.paging: ignored": {"listing": {"paging": "ignored", "foreign_jobs": 5}},
    "listing.lag_s": {"listing": {"lag_s": 10.0}},
    "throttle.says_limit: false": {"throttle": {"creates": 2, "create_period_s": 5.0, "says_limit": False}},
    "throttle.retry_after": {"throttle": {"creates": 2, "create_period_s": 5.0, "retry_after": True}},
}


@pytest.mark.parametrize("switch", DOES_NOT_MATTER)
def test_it_does_not_matter(plan_of: PlanMaker, in_world: InWorld, switch: str) -> None:
    """One answer is lost on the way, so that the list is needed, too."""
    behaviour = {"tasks": {"duration_s": 20.0}, "servers": {"busy": "queue"}} | DOES_NOT_MATTER[switch]

    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        assert (await world.run()).exit_code is ExitCode.OK
        report = world.report()
        assert report["counts"]["succeeded"] == 8
        assert report["requests"]["adopted"] == 1
        per_server = Counter(
            server for job in world.service.jobs.values() for server in job.request["server_ids"] if server[0] == "g"
        )
        assert set(per_server.values()) == {1}

    one_by_one = Submit(rate=10.0, burst=10, concurrency=1, settle_s=15.0)
    in_world(plan_of((8,), (2,), one_by_one, Watch(rate=10.0, job_timeout_s=1800.0)), story, **behaviour)
