"""Rollouts in virtual time: each story is one thing that a rollout promises."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from runner.errors import ExitCode, InvalidInput
from runner.model import Outcome, Server
from runner.run import events as e
from runner.run.gate import Patience
from tests.engine.conftest import InWorld, World, until_it_dies
from tests.engine.rollout_plans import SUBMIT, fleet, group, rollout_plan, step

THREE_WAVES = [{"name": "w", "sizes": [1, 3, "rest"]}]
ONE_WAVE = [{"name": "w"}]
LISTED = {"order": "listed"}
TASKS = {"tasks": {"duration_s": 60.0}}
LOGS = step("logs", expected_duration="1m")


def failing(*servers: str, **more: Any) -> dict[str, Any]:
    return {"tasks": {"duration_s": 60.0, "failing_servers": list(servers)}, **more}


async def until_held(world: World) -> None:
    """Wait until a person must decide."""
    while world.state.controls.held is None:  # noqa: ASYNC110  time is virtual, and a state tells nobody
        await asyncio.sleep(1.0)


def jobs_on(world: World) -> Counter[str]:
    return Counter(server for job in world.service.jobs.values() for server in job.request["server_ids"])


def test_waves_go_in_order_and_soak_before_the_next(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, 3, "rest"], "soak": "10m"}]}, fleet(9))

    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.OK
        waves = world.state.rollout.waves if world.state.rollout else []
        assert [wave.plan.servers for wave in waves] == [1, 3, 5]
        for one, other in pairwise(waves):
            assert other.started_at is not None
            assert one.over_at is not None
            assert other.started_at >= one.over_at + 600.0

    in_world(plan, story, **TASKS)


def test_a_soak_outlives_the_process(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "soak": "1h"}]}, fleet(2))

    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        await asyncio.sleep(1800.0)
        running.cancel()
        await asyncio.wait([running])
        assert (await world.run()).exit_code is ExitCode.OK
        started = [event.at for event in world.events() if isinstance(event, e.WaveStarted)]
        settled = [event.at for event in world.events() if isinstance(event, e.Settled)]
        assert started[1] - settled[0] == pytest.approx(3600.0, abs=1.0)

    in_world(plan, story, **TASKS)


@pytest.mark.parametrize(("answer", "state"), [("approve", "finished"), ("reject", "aborted")])
def test_a_person_approves_or_rejects(in_world: InWorld, answer: str, state: str) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "approve": True}]}, fleet(3))

    async def story(world: World) -> None:
        async def person() -> None:
            await asyncio.sleep(7200.0)
            assert world.service.calls["create"] == 1
            world.command(answer, "w-1")
            await asyncio.sleep(7200.0)
            # The last wave asks, too, before the run is finished.
            assert world.service.calls["create"] == (2 if answer == "approve" else 1)
            assert answer != "approve" or world.state.ended is None
            world.command("approve", "w-2")

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.state == state

    in_world(plan, story, **TASKS)


@pytest.mark.parametrize("on_breach", ["hold", "abort"])
def test_a_failed_check_is_tried_again_then_holds_or_aborts(in_world: InWorld, on_breach: str) -> None:
    check = {"name": "well", "command": ["true"], "attempts": 3}
    plan = rollout_plan({"waves": THREE_WAVES, "checks": [check], "on_breach": on_breach}, fleet(6))

    async def story(world: World) -> None:
        world.passes = lambda _: len(world.checks) > 3

        async def person() -> None:
            if on_breach == "hold":
                await until_held(world)
                assert len(world.checks) == 3
                world.command("continue")

        _, verdict = await asyncio.gather(person(), world.run())
        times = [at for _, at in world.checks]
        assert all(later - earlier >= 10.0 for earlier, later in pairwise(times[:3]))
        assert verdict.exit_code is (ExitCode.OK if on_breach == "hold" else ExitCode.ABORTED)
        assert len(world.checks) == (6 if on_breach == "hold" else 3)

    in_world(plan, story, **TASKS)


def test_a_full_budget_holds_once_nothing_is_in_flight_and_a_larger_one_goes_on(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": ONE_WAVE, "budget": {"max_abnormal": 2}, **LISTED}, fleet(8))

    async def story(world: World) -> None:
        async def person() -> None:
            await until_held(world)
            assert not any(lane.open for lane in world.state.lanes)
            world.command("set", max_abnormal="6")
            world.command("continue")

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert world.report()["counts"]["succeeded"] == 6

    in_world(plan, story, **failing("s000", "s001"))


def test_a_request_larger_than_the_room_left_is_split_and_no_name_comes_twice(in_world: InWorld) -> None:
    plan = rollout_plan(
        {"waves": ONE_WAVE, "budget": {"max_abnormal": 4}, **LISTED}, fleet(9), steps=[step("upgrade", 4)]
    )

    async def story(world: World) -> None:
        await world.run()
        names = [job.request["name"] for job in world.service.jobs.values()]
        assert len(set(names)) == len(names) > 3
        assert set(jobs_on(world).values()) == {1}
        assert world.report()["requests"]["split"] > 0

    in_world(plan, story, **failing("s000", "s001"))


def test_requests_that_wait_for_their_rack_go_on_when_there_is_room(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": ONE_WAVE, "budget": {"per": {"labels.rack": 1}}, **LISTED}, fleet(12, racks=2))

    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan, story, **TASKS)


def test_whole_units_that_do_not_fit_hold_the_run(in_world: InWorld) -> None:
    """What cannot be split is waited for by a person, not for ever."""
    budget = {"max_abnormal": 3, "per": {"labels.hyper": "whole"}}
    plan = rollout_plan({"waves": ONE_WAVE, "budget": budget, **LISTED}, fleet(6))

    async def story(world: World) -> None:
        async def person() -> None:
            await until_held(world)
            world.command("abort")

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.exit_code is ExitCode.ABORTED
        assert world.service.calls["create"] == 1

    in_world(plan, story, **failing("s000", "s001"))


@pytest.mark.parametrize(
    "abort", [{"sequential": {"healthy": "1%", "bad": "20%"}}, {"after_unknown": 3}], ids=["evidence", "unknown"]
)
def test_evidence_aborts_and_what_is_at_work_is_watched_to_its_end(in_world: InWorld, abort: dict[str, Any]) -> None:
    rollout = {"waves": ONE_WAVE, "abort": abort, "budget": {"max_unavailable": 10}}
    plan = rollout_plan(rollout, fleet(60), watch={"rate": "100/s", "job_timeout": "10m"})
    tasks = {"duration_s": 60.0, "spread": 0.5, "failing": 1.0} if "sequential" in abort else {"never_final": 1.0}

    async def story(world: World) -> None:
        verdict = await world.run()
        assert (verdict.state, verdict.exit_code) == ("aborted", ExitCode.ABORTED)
        assert not any(lane.open or lane.doubts for lane in world.state.lanes)
        aborted_at = next(event.at for event in world.events() if isinstance(event, e.Aborted))
        assert max(world.network.sent_at) <= aborted_at

    in_world(plan, story, tasks=tasks)


def test_servers_that_must_go_together_and_fit_no_rack_are_refused() -> None:
    servers = [Server(f"s{i}", f"s{i}", {"rack": "r", "hyper": f"h{i // 2}"}) for i in range(4)]
    with pytest.raises(InvalidInput, match=r"labels.rack=r comes to 1 of 4 servers: 2 must go together"):
        rollout_plan({"budget": {"per": {"labels.rack": 1, "labels.hyper": "whole"}}}, servers)


def test_too_many_skipped_servers_hold(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": ONE_WAVE, "budget": {"max_skipped": 2}, **LISTED}, fleet(8))

    async def story(world: World) -> None:
        async def person() -> None:
            await until_held(world)
            world.command("abort")

        await asyncio.gather(person(), world.run())
        assert world.report()["counts"]["skipped"] == 2

    in_world(plan, story, tasks={"skipped": 1.0})


def test_without_patience_a_closed_window_ends_the_run(in_world: InWorld) -> None:
    # Virtual time begins at 13:46:40 UTC.
    window = {"allow": ["daily 14:00-14:30"], "timezone": "UTC"}
    plan = rollout_plan(
        {"waves": THREE_WAVES, "window": window}, fleet(6), steps=[step("upgrade", expected_duration="5m")]
    )

    async def story(world: World) -> None:
        world.patience = Patience(for_window=False)
        verdict = await world.run()
        assert (verdict.state, verdict.exit_code) == ("stopped", ExitCode.STOPPED)
        assert not world.network.sent_at
        world.patience = Patience()
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan, story, **TASKS)


def test_no_window_that_is_long_enough_holds(in_world: InWorld) -> None:
    window = {"allow": ["daily 14:00-14:30"], "timezone": "UTC"}
    plan = rollout_plan(
        {"waves": ONE_WAVE, "window": window}, fleet(2), steps=[step("upgrade", expected_duration="1h")]
    )

    async def story(world: World) -> None:
        async def person() -> None:
            await until_held(world)
            world.command("abort")

        await asyncio.gather(person(), world.run())
        assert not world.network.sent_at

    in_world(plan, story, **TASKS)


def test_from_its_deadline_on_a_rollout_sends_nothing(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "soak": "1h"}], "deadline": "30m"}, fleet(3))

    async def story(world: World) -> None:
        verdict = await world.run()
        assert (verdict.exit_code, world.service.calls["create"]) == (ExitCode.STOPPED, 1)
        world.command("set", deadline="2d")
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan, story, **TASKS)


def test_excluded_servers_are_left_out_alone(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "soak": "5m"}], **LISTED}, fleet(6))

    async def story(world: World) -> None:
        async def person() -> None:
            await asyncio.sleep(120.0)
            world.command("exclude", "s002")

        await asyncio.gather(person(), world.run())
        assert sorted(jobs_on(world)) == ["s000", "s001", "s003", "s004", "s005"]
        assert world.report()["counts"]["excluded"] == 1
        assert [job["excluded"] for job in world.report()["jobs"] if job["excluded"]] == [{"who": "someone", "why": ""}]

    in_world(plan, story, **TASKS)


def test_excluded_servers_are_taken_in_again_while_their_wave_is_not_over(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "soak": "5m"}], **LISTED}, fleet(6))

    async def story(world: World) -> None:
        async def person() -> None:
            await asyncio.sleep(120.0)
            world.command("exclude", "true")
            await asyncio.sleep(2.0)
            world.command("exclude", "true")
            world.command("include", "s003")
            world.command("include", "true")
            world.command("include", "s002")

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.exit_code is ExitCode.OK
        refused = [event.refused for event in world.events() if isinstance(event, e.Commanded)]
        assert refused == [
            None,
            "nothing to exclude: 1 is over, 5 are excluded already",
            "s003, s004 were excluded together: name all",
            None,
            "none of these servers is excluded",
        ]
        assert len(jobs_on(world)) == 6

    in_world(plan, story, **TASKS)


def test_a_wave_of_which_nothing_succeeded_never_passes_by_itself(in_world: InWorld) -> None:
    plan = rollout_plan(
        {"waves": [{"name": "w", "sizes": [2, "rest"]}], **LISTED}, fleet(4), steps=[step("upgrade", 1)]
    )

    async def story(world: World) -> None:
        async def person() -> None:
            await asyncio.sleep(7200.0)
            assert world.service.calls["create"] == 2
            assert world.state.controls.held is not None
            assert world.state.controls.held.reason == "no server of wave w-1 succeeded: 2 failed"
            world.command("continue")

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert world.report()["counts"]["succeeded"] == 2

    in_world(plan, story, tasks={"duration_s": 20.0, "failing_servers": ["s000", "s001"]}, listing={"lag_s": 1.0})


def test_a_check_that_failed_is_skipped_by_a_person_on_record(in_world: InWorld) -> None:
    check = {"name": "well", "command": ["true"]}
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"]}], "checks": [check]}, fleet(3))

    async def story(world: World) -> None:
        world.passes = lambda _: False

        async def person() -> None:
            world.command("continue", skip_check="yes")
            for _ in range(2):
                await until_held(world)
                world.command("continue", why="known", skip_check="yes")
                await asyncio.sleep(10.0)

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.exit_code is ExitCode.OK
        assert len(world.checks) == 2
        skipped = [d for d in world.report()["decisions"] if d["what"].startswith("continue")]
        assert [(d["what"], d["why"]) for d in skipped] == [
            ("continue_refused", ""),
            ("continue", "known"),
            ("continue", "known"),
        ]

    in_world(plan, story, **TASKS)


@pytest.mark.parametrize("on_breach", ["hold", "hold_early"])
def test_a_limit_with_room_for_next_to_nothing_is_told_with_the_time_it_takes(
    in_world: InWorld, on_breach: str
) -> None:
    budget = {"max_abnormal": 2}
    upgrade = step("upgrade", 1, expected_duration="30m")
    submit = {**SUBMIT, "concurrency": 20}
    plan = rollout_plan(
        {"waves": [{"name": "w"}], "budget": budget, "on_breach": on_breach, **LISTED},
        fleet(60),
        steps=[upgrade],
        submit=submit,
    )

    async def story(world: World) -> None:
        async def person() -> None:
            await asyncio.sleep(3600.0)
            held = world.state.controls.held
            assert (held is not None) == (on_breach == "hold_early")
            if held is not None:
                assert (held.rule, held.limit) == ("crawl", "max_abnormal")
                world.command("continue", why="it may take that long")

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.exit_code is ExitCode.OK
        told = [d["evidence"] for d in world.report()["decisions"] if d["what"] == "crawl"]
        assert told == ["max_abnormal leaves room for 2 servers at a time: 60 are left, about 15h"]

    in_world(plan, story, tasks={"duration_s": 1800.0}, listing={"lag_s": 1.0})


def test_a_command_that_this_version_does_not_know_is_refused_and_the_run_goes_on(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.command("teleport", "s000")
        assert (await world.run()).exit_code is ExitCode.OK
        (asked,) = [event for event in world.events() if isinstance(event, e.Commanded)]
        assert asked.refused is not None
        assert asked.refused.startswith("this version does not know `teleport`; it knows pause, continue")

    in_world(rollout_plan({"waves": [{"name": "w"}]}, fleet(2)), story, **TASKS)


def test_a_group_is_held_and_released(in_world: InWorld) -> None:
    groups = [group("one", 'id < "s003"'), group("two")]
    plan = rollout_plan({"waves": ONE_WAVE}, fleet(6), groups=groups)

    async def story(world: World) -> None:
        world.command("hold", "two")

        async def person() -> None:
            await asyncio.sleep(3600.0)
            assert sorted(jobs_on(world)) == ["s000", "s001", "s002"]
            world.command("release", "two")

        _, verdict = await asyncio.gather(person(), world.run())
        assert verdict.exit_code is ExitCode.OK

    in_world(plan, story, **TASKS)


def test_what_follows_a_failure_is_done_once_and_first(in_world: InWorld) -> None:
    rollout = {"waves": THREE_WAVES, "on_failure": {"step": "logs"}, **LISTED}
    plan = rollout_plan(rollout, fleet(8), steps=[step("upgrade"), LOGS])

    async def story(world: World) -> None:
        await world.run()
        follow_ups = [job.request for job in world.service.jobs.values() if "logs" in job.request["name"]]
        assert sorted(job["server_ids"] for job in follow_ups) == [["s001"], ["s005"]]

    in_world(plan, story, **failing("s001", "s005"))


def test_a_step_that_is_a_check_is_for_servers_that_succeeded(in_world: InWorld) -> None:
    rollout = {"waves": ONE_WAVE, "checks": [{"name": "look", "step": "look"}], **LISTED}
    plan = rollout_plan(rollout, fleet(4), steps=[step("upgrade"), step("look")])

    async def story(world: World) -> None:
        verdict = await world.run()
        assert verdict.state == "finished"
        looked = [job.request["server_ids"] for job in world.service.jobs.values() if "look" in job.request["name"]]
        assert sorted(server for servers in looked for server in servers) == ["s000", "s002", "s003"]

    in_world(plan, story, **failing("s001"))


def test_a_lane_that_stops_in_a_wave_ends_the_run_and_it_can_be_resumed(in_world: InWorld) -> None:
    groups = [group("one", 'id < "s003"', "region-0"), group("two", region="region-1")]
    plan = rollout_plan({"waves": THREE_WAVES}, fleet(8), groups=groups, submit={"settle": "15s", "outage": "1s"})

    async def story(world: World) -> None:
        world.network.script.extend(["unreachable"] * 3)
        verdict = await world.run()
        assert (verdict.state, verdict.exit_code) == ("unusable", ExitCode.UNUSABLE)
        world.network.script.clear()
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan, story, **TASKS)


def test_a_resumed_run_whose_jobs_are_all_at_work_still_follows_failures(in_world: InWorld) -> None:
    rollout = {"waves": ONE_WAVE, "on_failure": {"step": "logs"}}
    plan = rollout_plan(rollout, fleet(2), steps=[step("upgrade"), LOGS])

    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=4))
        await world.run()
        assert jobs_on(world) == {"s000": 2, "s001": 1}

    in_world(plan, story, **failing("s000"))


@pytest.mark.parametrize("torn", [0, 3, 10])
def test_a_crash_at_any_event_makes_no_second_job(in_world: InWorld, torn: int) -> None:
    rollout = {
        "waves": [{"name": "w", "sizes": [2, "rest"], "soak": "1m"}],
        "budget": {"max_abnormal": 5, "per": {"labels.rack": 3}},
        "checks": [{"name": "well", "command": ["true"]}, {"name": "look", "step": "look"}],
        "on_failure": {"step": "logs"},
        **LISTED,
    }
    steps = [step("upgrade", 4), step("look"), LOGS]

    async def story(world: World, dies_after: int) -> None:
        await until_it_dies(world.run(crash_after=dies_after))
        world.tear(torn)
        verdict = await world.run()
        assert verdict.state == "finished"
        expected = Counter({f"s{i:03}": 2 for i in range(10)})
        assert jobs_on(world) == expected

    plan = rollout_plan(rollout, fleet(10), steps=steps)
    for dies_after in range(1, 60, 2):
        in_world(plan, partial(story, dies_after=dies_after), **failing("s001", "s005"))


def test_an_adaptive_wave_grows_with_what_came_out_well_and_slows_down_after_a_failure(in_world: InWorld) -> None:
    abort = {"sequential": {"healthy": "1%", "bad": "20%", "false_alarm": "1%", "miss": "5%"}}
    rollout = {"waves": [{"name": "w", "sizes": "adaptive"}], "abort": abort, **LISTED}
    plan = rollout_plan(rollout, fleet(40), steps=[step("upgrade", servers_per_job=1)])

    async def story(world: World) -> None:
        await world.run()
        sent_at = world.network.sent_at
        begins = [0, *(n for n in range(1, len(sent_at)) if sent_at[n] - sent_at[n - 1] > 30.0), len(sent_at)]
        sizes = [end - begin for begin, end in pairwise(begins)]
        assert sizes[:3] == [1, 2, 4]
        assert sum(sizes) == 40

    in_world(plan, story, **TASKS)


def test_an_adaptive_wave_stops_a_bad_change_after_a_handful(in_world: InWorld) -> None:
    rollout = {"waves": [{"name": "w", "sizes": {"growth": 3}}], "abort": {"sequential": {}}}
    plan = rollout_plan(rollout, fleet(200), steps=[step("upgrade", servers_per_job=50)])

    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.ABORTED
        assert world.report()["counts"]["failed"] <= 3
        assert len(jobs_on(world)) <= 3

    in_world(plan, story, tasks={"duration_s": 60.0, "failing": 1.0})


def test_a_pause_lets_in_nothing_new_and_watches_on(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [2, "rest"]}]}, fleet(8), steps=[step("upgrade", 1)])

    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        await asyncio.sleep(2.0)
        world.command("pause", why="lunch")
        await asyncio.sleep(3600.0)
        assert len(jobs_on(world)) == 2
        assert world.state.counts[Outcome.SUCCEEDED] == 2
        world.command("pause")
        world.command("continue")
        assert (await running).exit_code is ExitCode.OK
        asked = [(d["what"], d["who"], d["why"]) for d in world.report()["decisions"] if d["who"] != "runner"]
        assert asked == [
            ("pause", "someone", "lunch"), ("pause_refused", "someone", ""), ("continue", "someone", "")
        ]  # fmt: skip

    in_world(plan, story, **TASKS)


def test_a_group_has_a_limit_of_its_own(in_world: InWorld) -> None:
    groups = [group("one", 'labels.rack == "r0"'), group("other")]
    rollout = {"budget": {"max_abnormal_per_group": 1}, "on_breach": "abort", **LISTED}
    plan = rollout_plan(rollout, fleet(8, racks=2), groups=groups, steps=[step("upgrade", 1)])

    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.ABORTED
        counts = {part["name"]: part["counts"] for part in world.report()["groups"]}
        assert (counts["one"]["failed"], counts["one"]["not_started"]) == (1, 3)
        assert counts["other"]["succeeded"] == 4

    in_world(plan, story, **failing("s000"))


def test_jobs_that_cannot_be_read_end_the_run_and_it_can_be_resumed(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [2, "rest"]}]}, fleet(6), steps=[step("upgrade", 1)])

    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        await asyncio.sleep(1.0)
        world.network.refuses_reads = True
        assert (await running).exit_code is ExitCode.UNUSABLE
        world.network.refuses_reads, world.network.key = False, "another key"
        assert (await world.run()).exit_code is ExitCode.OK
        assert set(jobs_on(world).values()) == {1}

    in_world(plan, story, **TASKS)


def test_a_resumed_run_that_cannot_read_the_list_ends(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [2, "rest"]}]}, fleet(6), steps=[step("upgrade", 1)])

    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=6))
        world.network.refuses_reads = True
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        world.network.refuses_reads, world.network.key = False, "another key"
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan, story, **TASKS)


def test_the_deadline_holds_for_what_follows_the_last_failure(in_world: InWorld) -> None:
    rollout = {"deadline": "90s", "on_failure": {"step": "logs"}, "budget": {"max_abnormal": 2}, **LISTED}
    plan = rollout_plan(rollout, fleet(2), steps=[step("upgrade"), LOGS], submit={"rate": "1/m", "burst": 1})

    async def story(world: World) -> None:
        verdict = await world.run()
        assert verdict.exit_code is ExitCode.STOPPED
        assert max(world.network.sent_at) - world.network.sent_at[0] < 90.0

    in_world(plan, story, **failing("s000", "s001"))
