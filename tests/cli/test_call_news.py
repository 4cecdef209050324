"""What a terminal and a log show of calls that fail: one line for as long as they do, and none for each try."""

from __future__ import annotations

import logging

from runner.cli.live import LiveProgress
from runner.cli.news import Newsroom
from runner.report.outages import failing_lines
from runner.rules.answers import Cause, ServiceError
from runner.run import events as e
from runner.run.commands import Command
from runner.run.evolve import evolve
from runner.run.facts import Facts, initial_facts
from runner.run.standing import standing
from runner.screen.cells import text_of
from tests.conftest import small_plan

DOWN = ServiceError(503, "ModelArts.4302", "the backend is down", None)
FAILING = e.CallsFailing(71.0, 0, 0.0, 41, DOWN, jobs=6, doubts=1, creates=True, until=1800.0, then="lane_stops")
LINE = (
    "calls fail: since 00:00:00 UTC, for 1m 11s, 41 failed; 6 jobs cannot be read, 1 request in doubt cannot be looked up, "
    "no request gets through: HTTP 503 ModelArts.4302: the backend is down; tried until 00:30:00 UTC, then the lane stops, and "
    "the run can be resumed"
)


async def nothing(run_id: str, command: Command, why: str) -> int:
    raise AssertionError((run_id, command, why))


def shown(live: LiveProgress, facts: Facts) -> str:
    """All that stands there, over however many rows."""
    return " ".join(" ".join(map(text_of, live.picture(facts, 110, 24))).split())


def test_the_table_has_the_line_for_as_long_as_calls_fail() -> None:
    facts = initial_facts(small_plan((2,), (1,)))
    live = LiveProgress({}, nothing, color=False)
    live.begin("r", facts, lambda: standing(facts, 72.0))
    for event, stands in (
        (FAILING, True),
        (e.Intended(72.0, 0), True),
        (e.CallsWorking(90.0, 0, 0.0, 50, given_up=False), False),
    ):
        evolve(facts, event)
        live.observe(event)
        assert (LINE in shown(live, facts)) is stands
    assert "calls work again: 50 failed since 00:00:00 UTC, for 1m 30s" in " ".join(
        map(text_of, live.picture(facts, 200, 24))
    )


def test_of_several_lanes_each_has_its_name() -> None:
    facts = initial_facts(small_plan((2, 2), (1,), lanes=2))
    evolve(facts, FAILING)
    (line,) = failing_lines(facts)
    assert line.startswith(f"calls fail ({facts.plan.lanes[0].label}): since ")


def test_that_the_service_cannot_be_reached_is_told_for_the_lane_and_not_for_each_try() -> None:
    facts = initial_facts(small_plan((2,), (1,)))
    room = Newsroom("r", facts, lambda: standing(facts, 1800.0))
    again = room.item(e.Refused(1.0, 0, Cause.UNREACHABLE, DOWN, 2.0))
    busy = room.item(e.Refused(1.0, 0, Cause.BUSY, DOWN, 2.0))
    assert again is not None
    assert busy is not None
    assert (again.level, busy.level) == (logging.DEBUG, logging.WARNING)


def test_a_lane_that_stops_says_for_how_long_its_calls_failed() -> None:
    facts = initial_facts(small_plan((2,), (1,)))
    evolve(facts, FAILING)
    stopped = e.LaneStopped(1800.0, 0, DOWN)
    evolve(facts, stopped)
    item = Newsroom("r", facts, lambda: standing(facts, 1800.0)).item(stopped)
    assert item is not None
    assert item.line == "lane stopped: calls failed since 00:00:00 UTC, for 30m: the backend is down"
