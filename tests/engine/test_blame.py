"""One server that is unknown or busy does not hold up the others, whether the service names it or not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runner.errors import ExitCode
from runner.model import Outcome
from runner.run import events as e
from runner.run.phases import Phase
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies
from tests.engine.rollout_plans import fleet, rollout_plan, step

SUBMIT = Submit(1000.0, 100, concurrency=4, attempts=1, settle_s=15.0)
SUBMIT_TWICE = Submit(1000.0, 100, concurrency=4, attempts=5, settle_s=15.0)
WATCH = Watch(rate=100.0, job_timeout_s=3600.0)
TAKES_S = 100.0
EACH_WAY = pytest.mark.parametrize("says_which", [True, False])


def switches(says_which: bool, **servers: Any) -> dict[str, Any]:
    return {"servers": {"says_which": says_which, **servers}, "tasks": {"duration_s": TAKES_S}}


def servers_of_jobs(world: World) -> Counter[str]:
    return Counter(server for job in world.service.jobs.values() for server in job.request["server_ids"])


def told(world: World, state: str) -> dict[str, str]:
    """The servers of requests that ended so, and what is said of them."""
    jobs = [job for job in world.report()["jobs"] if job["state"] == state]
    return {task["server_id"]: (job["error"] or {}).get("message", "") for job in jobs for task in job["tasks"]}


def creates(world: World) -> int:
    return len(world.network.sent_at)


@EACH_WAY
@pytest.mark.parametrize("unknown", [{5}, {0, 63}, {7, 8, 9, 40}, {40, 90, 91}])
def test_servers_that_the_service_does_not_know_do_not_hold_up_their_batch(
    plan_of: PlanMaker, in_world: InWorld, unknown: set[int], says_which: bool
) -> None:
    async def story(world: World) -> None:
        ids = {f"g0-s{number}" for number in unknown}
        verdict = await world.run()
        assert verdict.exit_code is ExitCode.ABNORMAL
        refused = told(world, "refused")
        assert set(refused) == ids
        assert all("not found" in message for message in refused.values())
        assert servers_of_jobs(world) == Counter(f"g0-s{number}" for number in set(range(128)) - unknown)
        counts = world.report()["counts"]
        assert (counts["succeeded"], counts["not_started"]) == (128 - len(ids), len(ids))
        # A batch of 64 is cut six times, to single out one: six more creates where it is named, twice as many where not.
        assert creates(world) <= 2 + len(ids) * (7 if says_which else 13)

    in_world(
        plan_of((128,), (64,), SUBMIT, WATCH), story, **switches(says_which, not_known=[f"g0-s{n}" for n in unknown])
    )


@EACH_WAY
def test_a_fleet_that_the_service_does_not_know_is_not_asked_for_one_by_one(
    plan_of: PlanMaker, in_world: InWorld, says_which: bool
) -> None:
    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.ABNORMAL
        assert len(told(world, "refused")) == 1280
        assert creates(world) < 100

    in_world(plan_of((1280,), (64,), SUBMIT, WATCH), story, **switches(says_which, not_known=["*"]))


@EACH_WAY
def test_a_busy_server_is_waited_for_alone_as_long_as_jobs_take(
    plan_of: PlanMaker, in_world: InWorld, says_which: bool
) -> None:
    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.OK
        assert servers_of_jobs(world) == Counter(f"g0-s{number}" for number in range(16))
        late = [job for job in world.service.jobs.values() if "g0-s3" in job.request["server_ids"]]
        assert [job.request["server_ids"] for job in late] == [["g0-s3"]]
        assert late[0].created_at >= 190.0
        others = [job.created_at for job in world.service.jobs.values() if job not in late]
        assert max(others) - min(others) < (1.0 if says_which else 60.0)
        assert max(world.state.attempts) <= 1

    in_world(plan_of((16,), (8,), SUBMIT, WATCH), story, **switches(says_which, occupied={"g0-s3": 190.0}))


@EACH_WAY
def test_a_server_that_stays_busy_is_reported_with_what_was_seen(
    plan_of: PlanMaker, in_world: InWorld, says_which: bool
) -> None:
    async def story(world: World) -> None:
        verdict = await world.run()
        assert (verdict.state, verdict.exit_code) == ("finished", ExitCode.ABNORMAL)
        assert (refused := told(world, "refused")).keys() == {"g0-s3"}
        assert refused["g0-s3"].startswith("busy for 200 s, asked ")
        assert "Another operation is in progress" in refused["g0-s3"]
        assert world.report()["counts"]["succeeded"] == 15
        assert creates(world) < 40

    in_world(plan_of((16,), (8,), SUBMIT, WATCH), story, **switches(says_which, occupied={"g0-s3": 1e9}))


def test_a_server_that_is_busy_before_any_job_was_seen_is_waited_for_as_long_as_a_job_may_take(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await world.run()
        assert told(world, "refused")["g0-s0"].startswith("busy for 3600 s")

    in_world(plan_of((1,), (1,), SUBMIT, WATCH), story, **switches(says_which=True, occupied={"g0-s0": 1e9}))


def test_a_service_that_is_busy_as_a_whole_is_not_sent_every_server_alone(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.OK
        assert len(world.service.jobs) < 60
        assert servers_of_jobs(world) == Counter(f"g0-s{number}" for number in range(640))

    in_world(plan_of((640,), (64,), SUBMIT, WATCH), story, **switches(says_which=False, occupied={"*": 600.0}))


@EACH_WAY
@pytest.mark.parametrize("trouble", [{"not_known": ["s002"]}, {"occupied": {"s002": 1e9}}])
def test_those_that_must_go_together_are_not_parted_from_one(
    in_world: InWorld, trouble: dict[str, Any], says_which: bool
) -> None:
    servers = [server._replace(labels={"hyper": f"h{place // 2}"}) for place, server in enumerate(fleet(6))]
    plan = rollout_plan(
        {"waves": [{"name": "w"}], "budget": {"per": {"labels.hyper": "whole"}}}, servers, steps=(step("upgrade", 6),)
    )

    async def story(world: World) -> None:
        await world.run()
        assert set(servers_of_jobs(world)) == {"s000", "s001", "s004", "s005"}
        assert set(told(world, "refused")) == {"s002", "s003"}

    in_world(plan, story, **switches(says_which, **trouble))


def test_a_request_that_cannot_be_parted_is_refused_whole_and_named(in_world: InWorld) -> None:
    servers = [server._replace(labels={"hyper": f"h{place // 2}"}) for place, server in enumerate(fleet(4))]
    plan = rollout_plan(
        {"waves": [{"name": "w"}], "budget": {"per": {"labels.hyper": "whole"}}}, servers, steps=(step("upgrade", 2),)
    )

    async def story(world: World) -> None:
        await world.run()
        assert set(told(world, "refused")) == {"s000", "s001"}
        assert creates(world) == 2

    in_world(plan, story, **switches(says_which=True, not_known=["s001"]))


def test_what_is_wrong_with_a_request_as_a_whole_is_not_asked_for_in_parts(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await world.run()
        assert creates(world) == 1
        assert len(told(world, "refused")) == 8

    in_world(plan_of((8,), (8,), SUBMIT, WATCH), story, jobs={"most_servers": 2})


@EACH_WAY
def test_the_steps_after_go_on_without_the_one(plan_of: PlanMaker, in_world: InWorld, says_which: bool) -> None:
    async def story(world: World) -> None:
        await world.run()
        jobs = servers_of_jobs(world)
        assert jobs == Counter({f"g0-s{number}": 2 for number in range(8) if number != 3})
        assert set(told(world, "refused")) == {"g0-s3"}

    in_world(plan_of((8,), (4, 8), SUBMIT, WATCH), story, **switches(says_which, not_known=["g0-s3"]))


@EACH_WAY
@pytest.mark.parametrize("lost", [0, 1, 1000])
def test_wherever_the_process_dies_no_server_gets_a_second_job(
    plan_of: PlanMaker, in_world: InWorld, lost: int, says_which: bool
) -> None:
    """Also where the end of the journal is lost that told of the split."""
    trouble = switches(says_which, not_known=["g0-s2"], occupied={"g0-s5": 150.0}, busy="queue")

    for after in range(1, 150):

        async def story(world: World, after: int = after) -> bool:
            await until_it_dies(world.run(crash_after=after))
            ended = world.state.ended is not None
            if not ended:
                world.tear(lost)
                assert (await world.run()).exit_code is ExitCode.ABNORMAL
            assert servers_of_jobs(world) == Counter(f"g0-s{number}" for number in range(8) if number != 2)
            assert set(told(world, "refused")) == {"g0-s2"}
            return ended

        if in_world(plan_of((8,), (8,), SUBMIT_TWICE, WATCH), story, **trouble):
            break
    else:
        raise AssertionError("the run never came to its end")


def test_a_busy_answer_after_a_doubt_may_be_about_the_requests_own_job(plan_of: PlanMaker, in_world: InWorld) -> None:
    """A job that is listed later than allowed for: it is looked for before its servers are asked for again."""

    async def story(world: World) -> None:
        world.network.script += ["late"]
        assert (await world.run()).exit_code is ExitCode.OK
        assert servers_of_jobs(world) == Counter({"g0-s0": 1, "g0-s1": 1})
        assert [event.busy for event in world.events() if isinstance(event, e.InDoubt)] == [False, True]
        assert world.report()["requests"]["adopted"] == 1

    in_world(plan_of((2,), (2,), SUBMIT_TWICE, WATCH), story, listing={"lag_s": 20.0}, **switches(says_which=True))


def test_a_job_that_was_made_of_a_create_that_was_answered_busy_is_told_of(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        world.network.script += ["twice_and_busy"]
        world.promises.may_double = True
        verdict = await world.run()
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert "conflict" in {job["state"] for job in world.report()["jobs"]}

    in_world(plan_of((1,), (1,), SUBMIT_TWICE, WATCH), story, **switches(says_which=True))


def test_a_busy_server_counts_once_in_a_wave_and_its_limits(in_world: InWorld) -> None:
    plan = rollout_plan(
        {"waves": [{"name": "w", "sizes": [4, "rest"]}], "budget": {"max_unavailable": 4, "max_abnormal": 1}},
        fleet(12),
        steps=(step("upgrade", 4),),
    )

    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.ABNORMAL
        assert world.state.counts[Outcome.SUCCEEDED] == 11
        assert world.state.counts[Outcome.NOT_STARTED] == 1
        waves = world.state.rollout.waves if world.state.rollout else []
        assert [(wave.left, wave.counts.total()) for wave in waves] == [(0, 4), (0, 8)]
        assert world.state.phases.count(Phase.REFUSED) == 1

    in_world(plan, story, **switches(says_which=True, not_known=["s001"], occupied={"s006": 150.0}))
