"""What the gate waits for and until when, and how a limit, a check or a window that is in the way is told."""

from __future__ import annotations

from typing import Any

import pytest

from runner.run import events as e
from runner.run.facts import StopRule
from runner.run.gate import CHECK_PAUSE_S, MakeCheck, Patience, Record, Sleep, after_check
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import ByHand

HOUR = 3600.0
MIDNIGHT = 86_400.0 * 20_000  # of a day in UTC
IMPATIENT = Patience(for_window=False, for_person=False, for_pause=False)
COMMAND = [{"name": "well", "command": ["true"]}]


def rolling(servers: int = 4, now: float = MIDNIGHT, **rollout: Any) -> ByHand:
    """Requests of one server each, in waves of two; the first has begun."""
    rules = {"waves": [{"name": "w", "sizes": [2, "rest"]}], "order": "listed", **rollout}
    return begun(ByHand(rollout_plan(rules, fleet(servers), steps=[step("upgrade", 1)]), now))


def begun(run: ByHand) -> ByHand:
    run.pass_gates()
    return run


def told(run: ByHand, patience: Patience = IMPATIENT) -> e.Event:
    """What the gate makes true now."""
    asked = run.gate(patience)
    assert isinstance(asked, Record), asked
    return asked.event


def test_a_soak_is_over_when_its_last_second_is() -> None:
    run = rolling(waves=[{"name": "w", "sizes": [2, "rest"], "soak": "10m"}])
    run.do(0, "s")
    run.do(1, "s")
    assert run.gate() == Sleep(MIDNIGHT + 600.0)
    run.now += 599.9
    assert run.gate() == Sleep(MIDNIGHT + 600.0)
    run.now = MIDNIGHT + 600.0
    assert told(run) == e.WavePassed(run.now, 0)


def checking() -> ByHand:
    run = rolling(checks=COMMAND)
    run.do(0, "s")
    run.do(1, "s")
    run.pass_gates()
    assert run.gate() == MakeCheck(0, 0)
    run.record(e.CheckStarted(run.now, 0, 0))
    return run


def test_a_check_is_tried_again_after_a_pause() -> None:
    run = checking()
    failed = e.Checked(run.now, 0, 0, passed=False, detail="ill", is_last=False)
    assert after_check(run.facts, failed) is None
    run.record(failed)
    assert run.gate() == Sleep(MIDNIGHT + CHECK_PAUSE_S)
    run.now += CHECK_PAUSE_S
    assert run.gate() == MakeCheck(0, 0)


@pytest.mark.parametrize(("on_breach", "kind"), [("hold", e.Held), ("abort", e.Aborted)])
def test_a_check_that_failed_for_good_is_a_breach(on_breach: str, kind: type[e.Event]) -> None:
    run = rolling(checks=COMMAND, on_breach=on_breach)
    failed = e.Checked(run.now, 0, 0, passed=False, detail="ill", is_last=True)
    follows = after_check(run.facts, failed)
    assert isinstance(follows, kind)
    assert isinstance(follows, e.Held | e.Aborted)
    assert (follows.rule, follows.reason) == (StopRule.CHECK, "check `well` of wave w-1 failed: ill")
    assert after_check(run.facts, e.Checked(run.now, 0, 0, passed=True, detail="", is_last=True)) is None


def test_a_person_is_not_asked_to_come_back_before_all_that_is_in_flight_is_over_and_looked_for() -> None:
    run = rolling()
    run.send(0)
    run.ask("pause")
    assert run.gate(IMPATIENT) == Sleep()
    run.settle(0, "s")
    assert run.gate() == Sleep()
    assert isinstance(told(run), e.StopRequested)
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    assert run.gate(IMPATIENT) == Sleep()
    run.record(e.Surveyed(run.now, 0))
    assert isinstance(told(run), e.StopRequested)


NOBODY_THERE = Patience(for_person=False)


def test_whoever_paused_a_run_is_waited_for_where_no_other_person_is() -> None:
    run = rolling()
    run.ask("pause")
    assert run.gate(NOBODY_THERE) == Sleep()
    assert isinstance(told(run), e.StopRequested)
    run.record(e.Held(run.now, "budget", "no room"))
    assert isinstance(told(run, NOBODY_THERE), e.StopRequested), "a hold that comes while it is paused is no pause"


def test_a_wave_to_approve_is_no_pause_though_the_run_is_paused() -> None:
    run = rolling(waves=[{"name": "w", "sizes": [2, "rest"], "approve": True}])
    run.do(0, "s")
    run.do(1, "s")
    run.pass_gates()
    run.ask("pause")
    assert isinstance(told(run, NOBODY_THERE), e.StopRequested)


def test_a_group_that_is_held_is_waited_for_likewise() -> None:
    run = rolling()
    run.ask("hold", "all")
    assert run.gate(NOBODY_THERE) == Sleep()
    assert isinstance(told(run), e.StopRequested)


def in_the_night(**more: Any) -> ByHand:
    return rolling(window={"allow": ["daily 02:00-06:00"], "timezone": "UTC"}, **more)


def test_a_window_is_waited_for_by_the_clock_on_the_wall() -> None:
    """The run's own time is another one, which nobody sets."""
    run = in_the_night()
    ahead_s = 500.0
    step_ = run.live.next_step(MIDNIGHT + ahead_s, Patience(), MIDNIGHT)
    assert step_ == Sleep(MIDNIGHT + ahead_s + 2 * HOUR)
    stops = run.live.next_step(MIDNIGHT + ahead_s, IMPATIENT, MIDNIGHT)
    assert isinstance(stops, Record)
    assert isinstance(stops.event, e.StopRequested)


def test_a_job_that_no_window_is_long_enough_for_is_told_with_the_longest() -> None:
    run = ByHand(
        rollout_plan(
            {
                "waves": [{"name": "w"}],
                "order": "listed",
                "window": {"allow": ["daily 02:00-06:00"], "timezone": "UTC"},
            },
            fleet(2),
            steps=[step("short", 1), step("long", 1)],
        ),
        MIDNIGHT + 2 * HOUR,
    )
    run.pass_gates()
    run.send(0, 1)
    run.record(e.Settled(run.now, 0, "s", 60.0), e.Settled(run.now, 1, "s", 60.0))
    run.send(2)
    run.record(e.Settled(run.now, 2, "s", 5 * HOUR))
    event = told(run, Patience())
    assert isinstance(event, e.Held)
    assert (event.rule, event.reason) == (
        StopRule.WINDOW,
        "no window is long enough for a job expected to last 18000 s",
    )


def test_a_limit_that_is_reached_is_told_with_what_is_used_of_it() -> None:
    run = rolling(6, waves=[{"name": "w"}], budget={"max_abnormal": 2})
    run.do(0, "f")
    run.send(1)
    assert run.gate() == Sleep()
    run.settle(1, "t")
    event = told(run, Patience())
    assert isinstance(event, e.Held)
    assert (event.rule, event.limit, event.used, event.allowed) == (StopRule.BUDGET, "max_abnormal", 2, 2)


def test_room_that_a_person_makes_is_seen() -> None:
    run = rolling(6, waves=[{"name": "w"}], budget={"max_abnormal": 1})
    run.do(0, "f")
    run.pass_gates()
    assert run.facts.controls.held is not None
    assert run.ask("set", max_abnormal="3") is None
    assert run.ask("continue") is None
    assert run.gate() == Sleep()
    run.send(1)
    run.settle(1, "f")
    run.pass_gates()
    assert run.facts.controls.held is None
