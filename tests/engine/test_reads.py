"""Reads that fail: whatever goes on failing ends at a bound, and a refused credential is not tried again and again."""

from __future__ import annotations

import asyncio
import math
from itertools import chain, groupby
from typing import Any

import pytest

from runner.engine.refusals import CredentialMemory
from runner.errors import ExitCode
from runner.model import RunState
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies

FAST: dict[str, Any] = {"listing": {"lag_s": 0.5}, "tasks": {"duration_s": 60.0}}
TEN_A_SECOND = Submit(rate=10.0, burst=10, concurrency=4, settle_s=15.0)
HALF_AN_HOUR = Watch(rate=10.0, job_timeout_s=1800.0)
OUTAGE_S = Submit().outage_s
TEN_MINUTES = 600.0


def delete_the_job_of(world: World, doubt: int) -> None:
    """Somebody deletes the job of the `doubt`-th request in doubt, as soon as the request is."""
    doubts: list[int] = []

    def delete(event: e.Event) -> None:
        if isinstance(event, e.InDoubt):
            doubts.append(event.request)
            if len(doubts) == doubt:
                next(reversed(world.service.jobs.values())).deleted = True

    world.on_event = delete


def reasons(world: World) -> list[str]:
    return [event.reason for event in world.events() if isinstance(event, e.GivenUp)]


def most_refused_in_a_row(world: World) -> int:
    return max((len(list(calls)) for refused, calls in groupby(world.network.refused) if refused), default=0)


def at_event(world: World, kind: type[e.Event], number: int, act: Any) -> None:
    """Do something at the `number`-th event of a kind."""
    seen = [0]

    def look(event: e.Event) -> None:
        seen[0] += isinstance(event, kind)
        if isinstance(event, kind) and seen[0] == number:
            act(event)

    world.on_event = look


# --- in doubt -------------------------------------------------------------------------------------------------------


def test_a_request_in_doubt_whose_job_was_deleted_is_given_up_with_what_was_seen(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        delete_the_job_of(world, 1)
        assert (await world.run()).exit_code is ExitCode.ABNORMAL
        job = world.report()["jobs"][1]
        assert job["state"] == "given_up"
        (reason,) = reasons(world)
        deleted = next(job_id for job_id, job in world.service.jobs.items() if job.deleted)
        assert deleted in reason
        assert "DELETED" in reason
        assert "reads" in reason
        assert world.report()["counts"]["unknown"] == 2
        given_up_at = next(event.at for event in world.events() if isinstance(event, e.GivenUp))
        doubted_at = next(event.at for event in world.events() if isinstance(event, e.InDoubt))
        assert 15.0 <= given_up_at - doubted_at < 60.0
        assert sum(at <= given_up_at for at in world.network.list_calls_at) < 10
        assert len(world.service.jobs) == 4

    one_by_one = Submit(rate=10.0, burst=10, concurrency=1, settle_s=15.0)
    in_world(plan_of((8,), (2,), one_by_one, HALF_AN_HOUR), story, servers={"busy": "queue"}, **FAST)


def test_a_request_whose_job_was_seen_in_the_list_is_never_sent_again(plan_of: PlanMaker, in_world: InWorld) -> None:
    """Deleted after it was seen, the job is in the list no more: that does not make it one that never was."""

    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        world.network.breaks_gets = "status_503"
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(6.0)
        next(reversed(world.service.jobs.values())).deleted = True
        world.network.breaks_gets = ""
        await running
        made = [job.request["name"] for job in world.service.jobs.values()]
        assert len(made) == len(set(made)) == 2
        assert len(reasons(world)) == 1

    switches = {"servers": {"busy": "queue"}, "delete": {"listed": False}, **FAST}
    in_world(plan_of((2,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **switches)


def test_nor_is_one_whose_job_was_seen_in_the_survey(plan_of: PlanMaker, in_world: InWorld) -> None:
    """The journal lost that it was sent, and the list showed its job once."""

    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=5))
        assert len(world.service.jobs) == 2
        world.tear(2)

        def delete(event: e.Event) -> None:
            if isinstance(event, e.Suspected):
                next(reversed(world.service.jobs.values())).deleted = True

        world.on_event = delete
        await world.run()
        assert any(isinstance(event, e.Suspected) for event in world.events())
        made = [job.request["name"] for job in world.service.jobs.values()]
        assert len(made) == len(set(made)) == 3
        assert len(reasons(world)) == 1

    one_by_one = Submit(rate=10.0, burst=10, concurrency=1, settle_s=15.0)
    switches = {"servers": {"busy": "queue"}, "delete": {"listed": False}, **FAST}
    in_world(plan_of((3,), (1,), one_by_one, HALF_AN_HOUR), story, **switches)


@pytest.mark.parametrize("fault", ["status_503", "unreachable", "unreadable", "throttled", "throttled_by_number"])
def test_a_job_that_was_found_and_cannot_be_read_is_given_up(plan_of: PlanMaker, in_world: InWorld, fault: str) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        world.network.breaks_gets = fault
        await world.run(watched=False)
        (reason,) = reasons(world)
        assert any(job_id in reason for job_id in world.service.jobs)
        ended, doubted = (
            next(event.at for event in world.events() if isinstance(event, kind)) for kind in (e.GivenUp, e.InDoubt)
        )
        assert OUTAGE_S <= ended - doubted < OUTAGE_S + TEN_MINUTES
        assert world.service.calls["list"] < 10

    in_world(plan_of((2,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


@pytest.mark.parametrize("fault", ["status_503", "unreachable", "unreadable", "throttled", "throttled_by_number"])
def test_a_list_that_cannot_be_read_decides_nothing_and_stops_the_lane(
    plan_of: PlanMaker, in_world: InWorld, fault: str
) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        world.network.breaks_reads = fault
        began = world.clock.now()
        assert (await world.run(watched=False)).state is RunState.UNUSABLE
        assert OUTAGE_S <= world.clock.now() - began < OUTAGE_S + TEN_MINUTES
        assert [job["state"] for job in world.report()["jobs"]] == ["accepted", "in_doubt"]
        world.network.breaks_reads = ""
        await world.run(watched=False)
        assert [job["state"] for job in world.report()["jobs"]] == ["settled", "settled"]
        assert len(world.service.jobs) == 2

    in_world(plan_of((2,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


def test_a_job_that_can_be_read_after_a_while_is_adopted(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        world.network.breaks_gets = "status_503"
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(300.0)
        world.network.breaks_gets = ""
        assert (await running).exit_code is ExitCode.OK
        assert world.report()["requests"]["adopted"] == 1

    in_world(plan_of((2,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


# --- watched --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["status_503", "unreachable", "unreadable", "throttled", "throttled_by_number"])
def test_a_job_that_cannot_be_read_is_timed_out(plan_of: PlanMaker, in_world: InWorld, fault: str) -> None:
    async def story(world: World) -> None:
        at_event(world, e.Accepted, 3, lambda _: setattr(world.network, "breaks_reads", fault))
        began = world.clock.now()
        assert (await world.run()).exit_code is ExitCode.ABNORMAL
        assert world.report()["counts"]["timed_out"] == 3
        assert 1800.0 <= world.clock.now() - began < 1800.0 + TEN_MINUTES

    in_world(plan_of((3,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


def test_a_job_whose_tasks_never_show_is_timed_out(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        began = world.clock.now()
        await world.run()
        assert world.report()["counts"]["timed_out"] == 3
        assert world.clock.now() - began < 1800.0 + TEN_MINUTES

    switches = {"listing": {"lag_s": 0.5}, "tasks": {"missing": 1.0, "duration_s": 60.0}}
    in_world(plan_of((3,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **switches)


def test_a_job_that_somebody_deleted_is_unknown_after_the_settle_time(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        at_event(world, e.Accepted, 3, lambda event: setattr(world.service.jobs[event.job.job_id], "deleted", True))
        began = world.clock.now()
        await world.run()
        assert world.report()["counts"]["unknown"] == 1
        assert world.report()["counts"]["succeeded"] == 2
        settled = [event.at for event in world.events() if isinstance(event, e.Settled) and event.outcomes == "u"]
        assert 15.0 <= settled[0] - began < 90.0

    in_world(plan_of((3,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


def test_a_job_that_is_missing_for_a_moment_is_not_lost(plan_of: PlanMaker, in_world: InWorld) -> None:
    """The list may lag (api-facts 8.6); a service whose reads of jobs do so too is no reason to give a job up."""

    async def story(world: World) -> None:
        def hide(event: e.Event) -> None:
            job = world.service.jobs[event.job.job_id]  # type: ignore[union-attr]
            job.deleted = True
            asyncio.get_running_loop().call_later(12.0, setattr, job, "deleted", False)

        at_event(world, e.Accepted, 3, hide)
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan_of((3,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


def test_a_run_resumed_long_after_its_jobs_ended_waits_for_the_network_to_come_back(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await world.run(stop_after=8)
        await asyncio.sleep(3 * 1800.0)
        world.network.breaks_reads = "unreachable"
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(120.0)
        world.network.breaks_reads = ""
        assert (await running).exit_code is ExitCode.OK

    in_world(plan_of((3,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


# --- surveying ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["status_503", "unreachable", "throttled", "throttled_by_number"])
def test_a_resumed_run_whose_list_cannot_be_read_ends_and_can_be_resumed(
    plan_of: PlanMaker, in_world: InWorld, fault: str
) -> None:
    async def story(world: World) -> None:
        await world.run(stop_after=10)
        world.network.breaks_reads = fault
        began = world.clock.now()
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        stopped_at = next(event.at for event in world.events() if isinstance(event, e.LaneStopped))
        assert TEN_MINUTES <= stopped_at - began < 4 * TEN_MINUTES
        assert world.report()["counts"]["not_started"] > 0
        world.network.breaks_reads = ""
        assert (await world.run()).state == "finished"
        assert world.report()["counts"]["not_started"] == 0

    in_world(plan_of((8,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, servers={"busy": "queue"}, **FAST)


# --- the credential -------------------------------------------------------------------------------------------------


def revoke(world: World, *, creates: bool = True, reads: bool = True) -> None:
    world.network.refuses_creates, world.network.refuses_reads = creates, reads


async def goes_on_with_another_credential(world: World) -> None:
    revoke(world, creates=False, reads=False)
    world.network.key = "another key"
    assert (await world.run()).exit_code is ExitCode.OK


@pytest.mark.parametrize("creates", [True, False], ids=["all calls", "reads"])
def test_with_a_doubt_open_no_more_than_three_refused_calls_follow(
    plan_of: PlanMaker, in_world: InWorld, *, creates: bool
) -> None:
    """The list is read for the request in doubt while jobs are watched, and nothing else is under way."""

    async def story(world: World) -> None:
        world.network.script += ["", "", "", "lost_before"]
        at_event(world, e.InDoubt, 1, lambda _: revoke(world, creates=creates))
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        assert most_refused_in_a_row(world) == sum(world.network.refused) == 3
        stopped = [event for event in world.events() if isinstance(event, e.LaneStopped)]
        assert len(stopped) == 1
        assert not stopped[0].watched
        await goes_on_with_another_credential(world)

    in_world(plan_of((4,), (1,), Submit(rate=1.0, burst=1, concurrency=1, settle_s=15.0), HALF_AN_HOUR), story, **FAST)


@pytest.mark.parametrize("seed", range(12))
def test_a_credential_that_is_revoked_at_any_moment_stops_the_lane(
    plan_of: PlanMaker, in_world: InWorld, seed: int
) -> None:
    """What is on its way when it is revoked is refused, too; then three calls at most, one at a time."""

    async def story(world: World) -> None:
        world.network.faults, world.network.fault_chance = ("lost_after", "lost_before"), 0.2
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(1.0 + 5.0 * seed)
        revoke(world)
        verdict = await running
        assert verdict.exit_code in {ExitCode.UNUSABLE, ExitCode.OK}
        assert (sum(world.network.refused) > 0) == (verdict.exit_code is ExitCode.UNUSABLE)
        assert world.network.signatures.most_in_a_row == (3 if verdict.exit_code is ExitCode.UNUSABLE else 0)
        world.network.fault_chance = 0.0
        if verdict.exit_code is ExitCode.UNUSABLE:
            await goes_on_with_another_credential(world)

    plan = plan_of((60,), (1,), Submit(rate=10.0, burst=10, concurrency=8, settle_s=15.0), HALF_AN_HOUR)
    in_world(plan, story, seed=seed, servers={"busy": "queue"}, **FAST)


def test_reads_that_are_refused_while_creates_are_not_stop_the_lane_too(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        at_event(world, e.Accepted, 10, lambda _: revoke(world, creates=False))
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        assert len(world.network.sent_at) < 60
        await goes_on_with_another_credential(world)

    plan = plan_of((100,), (1,), Submit(rate=2.0, burst=1, concurrency=4, settle_s=15.0), Watch(rate=1.0))
    in_world(plan, story, listing={"lag_s": 0.5}, tasks={"duration_s": 10.0})


def test_creates_that_are_refused_while_reads_are_not_stop_the_lane_too(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        at_event(world, e.Accepted, 10, lambda _: revoke(world, reads=False))
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        assert sum(world.network.refused) <= 3 + 4
        await goes_on_with_another_credential(world)

    plan = plan_of((100,), (1,), Submit(rate=2.0, burst=1, concurrency=4, settle_s=15.0), Watch(rate=10.0))
    in_world(plan, story, listing={"lag_s": 0.5}, tasks={"duration_s": 10.0})


@pytest.mark.parametrize("crash_after", [20, 100, 150])
def test_a_run_resumed_with_a_revoked_credential_makes_three_calls(
    plan_of: PlanMaker, in_world: InWorld, crash_after: int
) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=crash_after))
        await asyncio.sleep(100.0)
        before = len(world.network.refused)
        revoke(world)
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        assert world.network.refused[before:] == [True] * 3
        await goes_on_with_another_credential(world)

    plan = plan_of((100,), (1,), Submit(rate=math.inf, concurrency=16, settle_s=15.0), HALF_AN_HOUR)
    in_world(plan, story, servers={"busy": "queue"}, **FAST)


@pytest.mark.parametrize("seed", range(5))
def test_a_call_that_is_refused_now_and_then_stops_nothing(plan_of: PlanMaker, in_world: InWorld, seed: int) -> None:
    async def story(world: World) -> None:
        world.network.script += [*[""] * 9, "unauthenticated", *[""] * 10] * 3
        world.network.read_script += [*[""] * 9, "unauthenticated", *[""] * 10] * 3
        assert (await world.run()).exit_code is ExitCode.OK
        assert sum(world.network.refused) == 6

    plan = plan_of((60,), (1,), Submit(rate=2.0, burst=1, concurrency=8, settle_s=15.0), HALF_AN_HOUR)
    in_world(plan, story, seed=seed, **FAST)


def test_the_last_call_that_an_account_bears_is_not_made_with_others(plan_of: PlanMaker, in_world: InWorld) -> None:
    """Refused while many calls are on their way: those count, and until one works the others follow one at a time."""

    async def story(world: World) -> None:
        at_event(world, e.Accepted, 20, lambda _: revoke(world))
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        refused = len(world.network.refused) - world.network.refused.index(True)
        assert refused <= 8 + 2  # those that were on their way, and two alone
        await goes_on_with_another_credential(world)

    plan = plan_of((100,), (1,), Submit(rate=math.inf, burst=1, concurrency=8, settle_s=15.0), HALF_AN_HOUR)
    in_world(plan, story, **FAST)


def test_a_key_that_is_revoked_while_64_requests_are_on_their_way_over_two_lanes(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    """Those 64 are refused together; then two calls, each alone, whichever lane they are of."""

    async def story(world: World) -> None:
        loop = asyncio.get_running_loop()
        at_event(world, e.Accepted, 128, lambda _: loop.call_later(0.02, revoke, world))
        assert (await world.run()).exit_code is ExitCode.UNUSABLE
        refused = sum(world.network.refused)
        assert world.network.most_in_flight == 64
        assert 60 <= refused <= 64 + 2
        assert world.network.signatures.most_in_a_row == 3
        stopped = [event for event in world.events() if isinstance(event, e.LaneStopped)]
        assert sorted(event.lane for event in stopped) == [0, 1]
        assert all(
            "the service refused the access key 3 times in a row (66 calls" in at.error.message for at in stopped
        )
        for _ in range(5):
            assert (await world.run()).exit_code is ExitCode.UNUSABLE
        assert sum(world.network.refused) == refused
        await goes_on_with_another_credential(world)

    submit = Submit(rate=math.inf, concurrency=32, settle_s=15.0)
    plan = plan_of((300, 300), (1,), submit, HALF_AN_HOUR, lanes=2)
    in_world(plan, story, servers={"busy": "queue"}, **FAST)


def test_a_stop_is_obeyed_while_another_process_tries_the_credential(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        calls = CredentialMemory(world.store.credentials, world.clock.wall, "other run", turn_s=600.0).of(
            lambda: world.network.identity
        )
        assert calls.begin() == 0.0
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(5.0)
        assert not world.network.sent_at
        assert world.engine is not None
        world.engine.stop("SIGTERM received")
        stopped_at = world.clock.monotonic()
        assert (await running).exit_code is ExitCode.STOPPED
        assert world.clock.monotonic() - stopped_at < 2.0
        calls.worked()
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan_of((30,), (1,), TEN_A_SECOND, HALF_AN_HOUR), story, **FAST)


def test_a_create_that_waits_for_another_slot_after_a_login_does_not_leave_once_a_call_was_refused(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    """A slot each five seconds, of which one passes with the login; a read is refused while it waits for the next."""

    async def story(world: World) -> None:
        network = world.network
        network.login_chance, network.renew_chance, network.logins_s = 1.0, 1e-9, (3.0,)
        loop = asyncio.get_running_loop()
        loop.call_later(13.1, setattr, network, "refuses_reads", True)
        loop.call_later(14.9, setattr, network, "refuses_reads", False)
        await world.run()
        began_at = world.events()[0].at
        lapsed = [event.at - began_at for event in world.events() if isinstance(event, e.Lapsed)]
        assert lapsed == [pytest.approx(15.0)]
        assert world.report()["counts"]["succeeded"] == 2

    plan = plan_of((2,), (1,), Submit(rate=0.2, burst=1, concurrency=2, settle_s=15.0))
    in_world(plan, story, tasks={"duration_s": 60.0})


def test_a_create_that_waits_for_another_slot_once_it_has_another_proof_begins_anew_if_a_call_was_refused(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    """It is not the first to leave then, but one more in doubt: alone, and a second after the refused one."""

    async def story(world: World) -> None:
        network, loop = world.network, asyncio.get_running_loop()
        network.logins_s = (3.0,)
        for after_s, name, value in (
            (4.0, "renew_chance", 1.0), (6.0, "renew_chance", 0.0), (9.0, "refuses_reads", True), (9.9, "refuses_reads", False),
        ):  # fmt: skip
            loop.call_later(after_s, setattr, network, name, value)
        assert (await world.run()).exit_code is ExitCode.OK
        began_at = world.events()[0].at
        read_at = [at - began_at for at in sorted(chain(*network.gets_at.values(), network.list_calls_at))]
        refused_at = next(at for at in read_at if at >= 9.0)
        assert 9.0 <= refused_at < 9.9
        assert network.sent_at[1] - began_at >= refused_at + 1.0

    plan = plan_of((2,), (1,), Submit(rate=0.2, burst=1, concurrency=2, settle_s=15.0))
    in_world(plan, story, tasks={"duration_s": 60.0})
