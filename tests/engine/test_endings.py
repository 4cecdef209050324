"""Whatever goes on failing ends at the bound that is stated, with its last error in the report, on the screen and in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest

from runner.cli.news import Newsroom
from runner.engine.ports import Clock
from runner.errors import ExitCode
from runner.report.fold import Report
from runner.report.text import summary_text
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies
from tests.engine.signatures import PROBE_AFTER_S

OUTAGE_S = Submit().outage_s
JOB_TIMEOUT_S = 3600.0
TEN_MINUTES = 600.0
# The longest pause between two reads, and the longest that a read of the list lasts: a page is asked for four times.
SLACK_S = 60.0 + 4 * 65.0 + 100.0
SUBMIT = Submit(rate=10.0, burst=10, concurrency=4, settle_s=15.0)
FAST: dict[str, Any] = {"listing": {"lag_s": 0.5}, "tasks": {"duration_s": 7200.0}}
# What a read fails with for ever, and what must be found of it in the report, on the screen and in the log.
FAILING = {
    "throttled": "The throttling threshold has been reached",
    "throttled_by_number": "limit:60,time:1 second",
    "throttled_for_a_minute": "The throttling threshold has been reached",
    "unreachable": "no connection to modelarts.example in time",
    "hang": "no answer from modelarts.example in time",
    "reset": "the connection to modelarts.example broke",
    "status_500": "internal error",
    "status_503": "the backend is down",
    "unreadable": "the answer cannot be read",
    "web_page": "a web page answers in place of the service",
    "redirect": "it redirects to https://login.example/sign-in",
    "wrong_project": "the project of the URL is not that of the token",
    "unauthenticated": "the token has expired",
}
NOT_THE_SERVICE = {"web_page", "redirect", "wrong_project"}
ENDS_THE_LANE_AT_ONCE = {"unauthenticated"}


class Seen(NamedTuple):
    """What came of a story: how long it went on after reads began to fail, seconds, and what is told of it."""

    took_s: float
    code: ExitCode
    report: Report
    screen: list[str]
    summary: str


async def told(world: World, running: Callable[[], Coroutine[Any, Any, Any]], since: Callable[[Clock], float]) -> Seen:
    """Carry it out with somebody looking on."""
    screen: list[str] = []

    def look(event: e.Event) -> None:
        item = Newsroom("r", world.state, world.look).item(event)
        screen.extend([item.line] if item is not None else [])

    world.on_event = look
    code = (await running()).exit_code
    took_s = world.clock.now() - since(world.clock)
    return Seen(took_s, code, world.report(), screen, summary_text(world.report(), world.state))


def check_error(seen: Seen, fault: str) -> None:
    """The last error is told everywhere."""
    text = FAILING[fault]
    assert any(text in line for line in seen.screen), seen.screen
    assert text in seen.summary, seen.summary
    assert text in str(seen.report["jobs"]) + seen.report["run"]["reason"]


async def while_at_work(world: World, after_s: float, happens: Callable[[], None]) -> Any:
    """A run to its end, in which something happens after so long."""
    asyncio.get_running_loop().call_later(after_s, happens)
    return await world.run()


@pytest.mark.parametrize("fault", FAILING)
def test_watching(plan_of: PlanMaker, in_world: InWorld, fault: str) -> None:
    """To the job's time-out."""

    async def story(world: World) -> None:
        async def run() -> Any:
            return await while_at_work(world, 30.0, lambda: setattr(world.network, "breaks_reads", fault))

        seen = await told(world, run, lambda _: 1_000_000.0 + 30.0)
        check_error(seen, fault)
        if fault in ENDS_THE_LANE_AT_ONCE:
            assert (seen.code, seen.took_s < SLACK_S) == (ExitCode.UNUSABLE, True)
            assert "3 servers at work: their lane stopped, so nobody saw how their jobs went on" in seen.summary
            return
        assert seen.code is ExitCode.ABNORMAL
        assert JOB_TIMEOUT_S - 35.0 <= seen.took_s < JOB_TIMEOUT_S + SLACK_S
        assert "3 TIMED OUT: the job could not be read: " in seen.summary
        for job in seen.report["jobs"]:
            assert job["reading"]["unread"]
            assert 0 < job["reading"]["failed"] <= job["reading"]["reads"]
            assert FAILING[fault] in job["reading"]["last_error"]["message"]

    in_world(plan_of((3,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=JOB_TIMEOUT_S)), story, **FAST)


@pytest.mark.parametrize("fault", FAILING)
def test_in_doubt_while_the_list_cannot_be_read(plan_of: PlanMaker, in_world: InWorld, fault: str) -> None:
    """To the end of `submit.outage`; then the lane stops, and the request stays in doubt."""

    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        world.network.breaks_reads = fault
        seen = await told(world, lambda: world.run(watched=False), lambda _: 1_000_000.0)
        check_error(seen, fault)
        assert seen.code is ExitCode.UNUSABLE
        assert [job["state"] for job in seen.report["jobs"]] == ["accepted", "in_doubt"]
        bound_s = 60.0 if fault in NOT_THE_SERVICE else 0.0 if fault in ENDS_THE_LANE_AT_ONCE else OUTAGE_S
        assert bound_s <= seen.took_s < bound_s + SLACK_S

    in_world(plan_of((2,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=JOB_TIMEOUT_S)), story, **FAST)


@pytest.mark.parametrize("fault", FAILING)
def test_in_doubt_while_the_job_that_was_found_cannot_be_read(
    plan_of: PlanMaker, in_world: InWorld, fault: str
) -> None:
    """To the end of `submit.outage`; then the request is given up, with what was seen."""

    async def story(world: World) -> None:
        world.network.script += ["", "lost_after"]
        world.network.breaks_gets = fault
        seen = await told(world, lambda: world.run(watched=False), lambda _: 1_000_000.0)
        check_error(seen, fault)
        if fault in ENDS_THE_LANE_AT_ONCE:
            assert (seen.code, seen.took_s < SLACK_S) == (ExitCode.UNUSABLE, True)
            return
        assert [job["state"] for job in seen.report["jobs"]] == ["accepted", "given_up"]
        bound_s = 60.0 if fault in NOT_THE_SERVICE else OUTAGE_S
        assert bound_s <= seen.took_s < bound_s + SLACK_S
        assert seen.report["jobs"][1]["reading"]["failed"] >= 3
        assert FAILING[fault] in seen.report["jobs"][1]["reading"]["last_error"]["message"]

    in_world(plan_of((2,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=JOB_TIMEOUT_S)), story, **FAST)


@pytest.mark.parametrize("fault", FAILING)
def test_surveying(plan_of: PlanMaker, in_world: InWorld, fault: str) -> None:
    """A resumed run sends nothing before it has seen the list; it ends after `submit.outage`, and can be resumed."""

    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=12))
        world.network.breaks_reads = fault
        began = world.clock.now()
        seen = await told(world, lambda: world.run(watched=False), lambda _: began)
        check_error(seen, fault)
        assert seen.code is ExitCode.UNUSABLE
        bound_s = 60.0 if fault in NOT_THE_SERVICE else 0.0 if fault in ENDS_THE_LANE_AT_ONCE else OUTAGE_S
        stopped = next(event for event in world.events() if isinstance(event, e.LaneStopped))
        # One call a minute, of which every fifth is of the list: four watch jobs beside.
        slack_s = 5 * 4 * 60.0 if fault == "throttled_for_a_minute" else SLACK_S
        assert bound_s <= stopped.at - began < bound_s + 15.0 + slack_s
        assert seen.took_s < JOB_TIMEOUT_S + SLACK_S  # of the jobs that are known
        assert len(world.service.jobs) < 8
        world.network.breaks_reads = ""
        await world.clock.sleep(PROBE_AFTER_S)  # a credential that was refused is left alone for so long
        await world.run()
        assert len(world.service.jobs) == 8

    in_world(
        plan_of((8,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=JOB_TIMEOUT_S)),
        story,
        servers={"busy": "queue"},
        **FAST,
    )


@pytest.mark.parametrize("fault", FAILING)
def test_listing(plan_of: PlanMaker, in_world: InWorld, fault: str) -> None:
    """Where only the list cannot be read, jobs are: one by one, to their end; nothing is decided on the list."""

    async def story(world: World) -> None:
        world.network.breaks_lists = fault
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.clock.now() - 1_000_000.0 < 600.0 + SLACK_S

    switches = {"listing": {"lag_s": 0.5}, "tasks": {"duration_s": 300.0}}
    in_world(plan_of((200,), (1,), SUBMIT, Watch(rate=10.0)), story, **switches)


def test_a_job_that_is_deleted_for_ever_ends_after_the_settle_time(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        def delete_all() -> None:
            for job in world.service.jobs.values():
                job.deleted = True

        async def run() -> Any:
            return await while_at_work(world, 30.0, delete_all)

        seen = await told(world, run, lambda _: 1_000_000.0 + 30.0)
        assert seen.took_s < 15.0 + SLACK_S
        assert all(job["reading"]["unread"] for job in seen.report["jobs"])
        assert "UNKNOWN: the job could not be read: HTTP 400 ModelArts.6404 Job " in seen.summary
        assert seen.screen[-1].startswith("job over, not every server succeeded: its job could not be read, ")

    in_world(plan_of((3,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=JOB_TIMEOUT_S)), story, **FAST)


@pytest.mark.parametrize(("shown_s", "reason"), [(1e9, "somebody deleted the job")])
def test_a_job_that_is_shown_as_deleted_ends_at_once(
    plan_of: PlanMaker, in_world: InWorld, shown_s: float, reason: str
) -> None:
    async def story(world: World) -> None:
        world.network.deleted_is_shown_s = shown_s

        async def run() -> Any:
            return await while_at_work(world, 30.0, world.network.delete_one)

        seen = await told(world, run, lambda _: 1_000_000.0 + 30.0)
        assert f"1 UNKNOWN: {reason} (" in seen.summary

    in_world(plan_of((1,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=JOB_TIMEOUT_S)), story, **FAST)


@pytest.mark.parametrize("fault", ["throttled", "throttled_by_number", "throttled_for_a_minute", "hang", "status_503"])
def test_a_large_fleet_of_which_nothing_can_be_read_ends_no_later(
    plan_of: PlanMaker, in_world: InWorld, fault: str
) -> None:
    """Where reads are let through once a minute, the turn of most jobs would not come for a day."""

    async def story(world: World) -> None:
        async def run() -> Any:
            return await while_at_work(world, 100.0, lambda: setattr(world.network, "breaks_reads", fault))

        seen = await told(world, run, lambda _: 1_000_000.0 + 100.0)
        assert seen.code is ExitCode.ABNORMAL
        assert JOB_TIMEOUT_S - 105.0 <= seen.took_s < JOB_TIMEOUT_S + 2 * SLACK_S
        assert seen.report["counts"]["timed_out"] == 300
        check_error(seen, fault)
        assert all(job["reading"]["unread"] for job in seen.report["jobs"])

    submit = Submit(rate=100.0, burst=10, concurrency=16, settle_s=15.0)
    in_world(plan_of((300,), (1,), submit, Watch(rate=100.0, job_timeout_s=JOB_TIMEOUT_S)), story, **FAST)
