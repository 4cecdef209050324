"""How a run stands, state by state: why it waits, since and until when, what comes next, and what to type."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from runner.report.standing_text import standing_lines
from runner.rules.answers import Cause, ServiceError
from runner.run import events as e
from runner.run.sight import LaneSight
from runner.run.standing import RunPhase, standing
from runner.run.waits import WaitKind
from tests.conftest import small_plan
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import BROKEN, ByHand

THROTTLED = ServiceError(429, "APIGW.0308", "too many", None)
CHECK = {"name": "healthy", "command": ["true"], "attempts": 3}


class State(NamedTuple):
    """A state, what it is reached by, and what is told of it."""

    reach: Callable[[], ByHand]
    phase: RunPhase
    lines: list[str]


def plain(*, each: int = 1) -> ByHand:
    return ByHand(small_plan((4,), (each,)))


def rolling(*, servers: int = 4, racks: int = 2, **rollout: Any) -> ByHand:
    """Two waves of two servers, each in a request of its own, unless said otherwise."""
    rules = {"waves": [{"name": "w", "sizes": [2, "rest"]}], "order": "listed", **rollout}
    run = ByHand(rollout_plan(rules, fleet(servers, racks=racks), steps=[step("upgrade", 1)]))
    run.pass_gates()
    return run


def waves(**more: Any) -> dict[str, Any]:
    return {"waves": [{"name": "w", "sizes": [2, "rest"], **more}]}


def first_wave_done(**more: Any) -> ByHand:
    run = rolling(**more)
    run.do(0, "s")
    run.do(1, "s")
    run.pass_gates()
    return run


def after(run: ByHand, *events: e.Event) -> ByHand:
    run.record(*events)
    return run


def asked(run: ByHand, action: str, target: str = "", **settings: str) -> ByHand:
    assert run.ask(action, target, **settings) is None
    return run


def checking() -> ByHand:
    run = first_wave_done(checks=[CHECK])
    run.record(e.CheckStarted(run.now, 0, 0))
    return run


def held_on_check() -> ByHand:
    run = checking()
    run.record(e.Checked(run.now, 0, 0, passed=False, detail="no", is_last=True))
    run.record(e.Held(run.now, "check", "check `healthy` of wave w-1 failed: no"))
    return run


def full() -> ByHand:
    run = rolling(budget={"max_unavailable": 1})
    run.send(0)
    return run


def full_rack() -> ByHand:
    run = rolling(servers=4, racks=1, budget={"per": {"labels.rack": 1}})
    run.send(0)
    return run


def throttled() -> ByHand:
    run = plain()
    return after(run, e.Intended(run.now, 0), e.Throttled(run.now, 0, THROTTLED, 30.0, 2.0))


def unreachable() -> ByHand:
    run = plain()
    return after(run, e.Intended(run.now, 0), e.Refused(run.now, 0, Cause.UNREACHABLE, BROKEN, run.now + 8.0))


def in_doubt() -> ByHand:
    run = plain()
    return after(run, e.Intended(run.now, 0), e.InDoubt(run.now, 0, BROKEN))


def resumed() -> ByHand:
    run = plain()
    return after(run, e.RunResumed(run.now, "0"))


def stopped_lane() -> ByHand:
    run = ByHand(small_plan((2, 2), (1,), lanes=2))
    run.stop_lane(0)
    return run


def outside_window() -> ByHand:
    window = {"allow": ["daily 01:00-02:00"], "timezone": "UTC"}
    return rolling(window=window)


SKIP = "runner continue R, or runner continue R --skip-check"
CHAIN = "check `healthy`, approval by a person, then wave w-2"
ENDS = "next: the end of the run, when all servers are over"
REST = "next: wave w-2, when all servers of wave w-1 are over"
STATES = {
    "nothing yet": State(plain, RunPhase.WAITING, [ENDS]),
    "at work": State(lambda: after_send(plain()), RunPhase.AT_WORK, [ENDS]),
    "paused": State(
        lambda: asked(rolling(), "pause"),
        RunPhase.WAITING,
        ["paused: runner continue R (since 00:16:40 UTC)", "next: wave w-2, when a person says so"],
    ),
    "a group is held": State(
        lambda: asked(rolling(), "hold", "all"),
        RunPhase.WAITING,
        ["group all is held: runner release R all (since 00:16:40 UTC)", REST],
    ),
    "a limit holds": State(
        lambda: after(rolling(), e.Held(1000.0, "budget", "too many", "max_abnormal")),
        RunPhase.WAITING,
        [
            "held: too many: runner set R max_abnormal=N and runner continue R, or runner abort R (since 00:16:40 UTC)",
            "next: wave w-2, when a person says so",
        ],
    ),
    "a check holds": State(
        held_on_check,
        RunPhase.WAITING,
        [
            f"held: check `healthy` of wave w-1 failed: no: {SKIP}, or runner abort R (since 00:16:40 UTC)",
            "next: wave w-2, when a person says so; about 1m left",
        ],
    ),
    "approval": State(
        lambda: first_wave_done(**waves(approve=True)),
        RunPhase.WAITING,
        [
            "wave w-1 waits: runner approve R w-1, or runner reject R w-1 (since 00:16:40 UTC)",
            "next: wave w-2, when a person says so; about 1m left",
        ],
    ),
    "soak": State(
        lambda: first_wave_done(**waves(soak="10m", approve=True), checks=[CHECK]),
        RunPhase.WAITING,
        [
            "wave w-1 soaks (since 00:16:40 UTC, until 00:26:40 UTC)",
            f"next: {CHAIN}, when the soak is over at 00:26:40 UTC; about 21m left",
        ],
    ),
    "check": State(
        checking,
        RunPhase.WAITING,
        [
            "wave w-1 is checked by `healthy`, attempt 1 of 3 (since 00:16:40 UTC, until it passed)",
            "next: wave w-2, when check `healthy` passed; about 1m left",
        ],
    ),
    "no room": State(
        full,
        RunPhase.AT_WORK,
        ["no room: max_unavailable 1/1: runner set R max_unavailable=N (until servers at work are over)", REST],
    ),
    "no room in a rack": State(
        full_rack,
        RunPhase.AT_WORK,
        ["no room: labels.rack=r0 1/1 (until servers at work are over)", REST],
    ),
    "outside of windows": State(outside_window, RunPhase.WAITING, ["no window is open (until 01:00:00 UTC)", REST]),
    "throttled": State(
        throttled,
        RunPhase.WAITING,
        ["throttled by the service, at 2/s from then on (since 00:16:40 UTC, until 00:17:10 UTC)", ENDS],
    ),
    "unreachable": State(
        unreachable,
        RunPhase.WAITING,
        [
            "the service cannot be reached (since 00:16:40 UTC, until 00:16:48 UTC)",
            "requests that were refused are sent again (until 00:16:48 UTC)",
            ENDS,
        ],
    ),
    "in doubt": State(
        in_doubt,
        RunPhase.AT_WORK,
        ["1 request is in doubt, looked up (since 00:16:40 UTC, until 00:16:55 UTC)", ENDS],
    ),
    "resumed": State(
        resumed,
        RunPhase.WAITING,
        [
            "what was sent before the run was resumed is looked up (since 00:16:40 UTC, until the job list was read)",
            ENDS,
        ],
    ),
    "a lane stopped": State(
        stopped_lane,
        RunPhase.WAITING,
        ["lane http://127.0.0.1:1/p stopped: made up (since 00:16:40 UTC, until the run is resumed)", ENDS],
    ),
    "intake ended": State(
        lambda: after(after_send(plain()), e.IntakeEnded(1000.0, "enough")),
        RunPhase.WATCHING,
        ["next: the end of the run, when what is at work is over"],
    ),
    "stopping": State(
        lambda: after(plain(), e.Intended(1000.0, 0), e.StopRequested(1000.0, "SIGTERM")),
        RunPhase.STOPPING,
        ["next: the end of the process, when the requests that are on their way are answered"],
    ),
    "ended": State(lambda: after(plain(), e.RunEnded(1000.0, "finished", "", 0)), RunPhase.ENDED, []),
}


def after_send(run: ByHand) -> ByHand:
    run.send(0)
    return run


@pytest.mark.parametrize("name", STATES)
def test_every_state_says_why_it_waits_and_what_comes_next(name: str) -> None:
    state = STATES[name]
    found = state.reach().look()
    assert (found.phase, standing_lines(found, "R")) == (state.phase, state.lines)


@pytest.mark.parametrize(
    ("seen", "blocked", "kinds"),
    [
        (LaneSight(0.5, 120.0), False, [WaitKind.PACE]),
        (LaneSight(0.5, 0.0, is_doubted=True, refused=2), False, [WaitKind.CREDENTIAL]),
        (LaneSight(0.5, 0.0), True, [WaitKind.LOCK]),
        (LaneSight(0.5, 0.0), False, []),
    ],
)
def test_what_only_the_process_at_work_sees_is_said_too(seen: LaneSight, blocked: bool, kinds: list[WaitKind]) -> None:
    run = plain()
    sight = run.live.sight(run.now)._replace(lanes=(seen,), is_blocked=blocked)
    assert [wait.kind for wait in standing(run.facts, run.now, sight).waits] == kinds


def test_a_rate_that_was_learned_is_told_as_throttling_until_the_next_slot() -> None:
    run = throttled()
    run.now += 60.0
    sight = run.live.sight(run.now)._replace(lanes=(LaneSight(0.1, 9.0),))
    (wait,) = standing(run.facts, run.now, sight).waits
    assert (wait.kind, wait.until) == (WaitKind.THROTTLED, run.now + 9.0)


def test_every_server_is_over_at_work_unanswered_or_not_reached() -> None:
    run = ByHand(small_plan((10,), (2,)))
    run.do(0, "sf")
    run.send(1)
    run.record(e.Intended(run.now, 2))
    assert run.look().servers == (10, 2, 2, 2, 4)


def test_the_time_left_is_from_durations_and_pace_seen() -> None:
    run = ByHand(small_plan((20,), (2,)))
    for request in range(4):
        run.do(request, "ss")
        run.now += 10.0
    found = run.look()
    assert found.left is not None
    # 12 servers at 8 in 30 s, and one more job of 60 s.
    assert found.left == pytest.approx((105.0, 105.0, 105.0))


def test_what_is_told_costs_the_same_for_a_fleet_a_hundred_times_as_large() -> None:
    """Counted in lines of code run, which no other process on the machine changes."""
    costs = [_lines_run(servers) for servers in (100, 10_000)]
    assert costs[1] <= costs[0] * 1.2


def _lines_run(servers: int) -> int:
    run = rolling(servers=servers, waves=[{"name": "w", "sizes": ["10%", "rest"]}], budget={"max_unavailable": 1})
    run.send(0)
    sight = run.live.sight(run.now)
    count = 0

    def count_lines(*_: Any) -> Any:
        nonlocal count
        count += 1
        return count_lines

    before = sys.gettrace()
    sys.settrace(count_lines)
    try:
        standing(run.facts, run.now, sight)
    finally:
        sys.settrace(before)
    return count
