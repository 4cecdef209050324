"""Budgets are kept before the fact, whatever happens; what they let in gets done; nothing waits for ever."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.model import Server
from runner.plan.plan import Plan, PlannedRequest
from runner.plan.rollout.limits import unit_starts
from runner.rules.budget import Ledger
from runner.run import events as e
from runner.run.decisions import Send, SplitUp, WaitForEvent
from runner.run.facts import Facts, StopRule, initial_facts
from runner.run.gate import Patience, Record
from runner.run.live import LiveRun
from runner.run.phases import Phase
from runner.run.requests import RequestTable
from tests.driving import Drive, job_of
from tests.rolling import Case, everyone, feasible, fleet, jobspec

some = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
seeds = st.integers(0, 2**32)


def could_go(state: Facts) -> bool:
    """Whether a unit of some ready request has room at every limit, once nothing is in flight.

    What is next in line and has no room at a limit for all bars the way: those behind it do not pass.
    """
    assert state.rollout is not None
    starts, found = unit_starts(state.plan), False
    for request, phase in enumerate(state.phases):
        entry = state.requests.entries[request]
        if phase is not Phase.READY:
            continue
        begins = [p for p in range(entry.start, entry.stop) if starts is None or starts[entry.group][p]]
        positions = set(state.positions_of(request))
        for begin, stop in zip(begins, [*begins[1:], entry.stop], strict=True):
            unit = [place for place in range(begin, stop) if place in positions]
            blocked = state.rollout.ledger.no_room(entry, unit) if unit else None
            if blocked is not None and blocked.for_all:
                return False
            found = found or (bool(unit) and blocked is None)
    return found


@some
@given(feasible(), seeds)
def test_a_healthy_campaign_ends_and_is_never_held(pair: tuple[Case, Plan], seed: int) -> None:
    case, plan = pair
    drive = Drive(plan, seed)
    assert drive.run() is None
    assert drive.ends == {server.id: "s" for server in case.servers}
    assert not drive.stalled


def test_a_healthy_campaign_splits_only_for_the_ramp() -> None:
    plan = Case(jobspec(everyone, [6], {"budget": {"max_unavailable": 4}}), fleet([{}] * 20)).plan()
    drive = Drive(plan, 0)
    drive.run()
    assert not [event for event in drive.events if isinstance(event, e.Split)]


def unlucky(seed: int, rate: float) -> Any:
    chance = Random(seed)
    return lambda _: chance.choice("ftuk") if chance.random() < rate else "s"


def drive_to_the_end(drive: Drive, *, meddle: bool = False) -> e.Held | e.Aborted | None:
    """Stop and go: a person raises what can be raised, once; the process dies now and then."""
    raised = False
    while True:
        end = drive.run()
        assert not drive.in_flight or isinstance(end, e.Aborted)
        assert not drive.stalled or isinstance(end, e.Held)
        if not isinstance(end, e.Held):
            return end
        if end.rule == StopRule.NOTHING_SUCCEEDED:
            drive.command("continue")
            continue
        assert end.rule == StopRule.BUDGET
        assert not could_go(drive.state)
        if meddle:
            drive.forget()
        if raised:
            return end
        raised = True
        assert drive.state.rollout is not None
        limits = ("max_abnormal", "max_unavailable", "max_skipped")
        known = [name for name in limits if drive.state.rollout.ledger.cell(name) is not None]
        if known:
            drive.command("set", **dict.fromkeys(known, "100%"))
        went_on = could_go(drive.state)
        drive.command("continue")
        before = len(drive.events)
        if went_on:
            step = drive.live.next_step(drive.now, Patience())
            assert not (isinstance(step, Record) and isinstance(step.event, e.Held))
            end = drive.run()
            assert any(isinstance(event, e.Intended) for event in drive.events[before:])
            if not isinstance(end, e.Held):
                return end
            drive.command("continue")


@some
@given(feasible(), seeds, st.sampled_from([0.05, 0.3, 1.0]))
def test_with_failures_every_server_ends_or_the_campaign_is_held(
    pair: tuple[Case, Plan], seed: int, rate: float
) -> None:
    case, plan = pair
    drive = Drive(plan, seed, unlucky(seed, rate))
    if drive_to_the_end(drive) is None:
        assert set(drive.ends) == {server.id for server in case.servers}
    assert sum(drive.state.counts.values()) == len(drive.ends)


class Restless(Drive):
    """A run whose process dies now and then, and whose person leaves servers out."""

    def record(self, event: e.Event) -> None:
        super().record(event)
        # What excludes servers looks at one state all along.
        if not isinstance(event, e.Split | e.Withdrawn) and self.chance.random() < 0.1:
            self.forget()
            self._watch.check(self.state)
        if isinstance(event, e.Intended) and self.chance.random() < 0.1:
            server = self.chance.choice([server for group in self.plan.groups for server in group.servers])
            self.exclude({server.id})


@some
@given(feasible(), seeds, st.sampled_from([0.0, 0.05, 0.3]))
def test_the_events_alone_tell_the_state_and_no_request_is_lost(
    pair: tuple[Case, Plan], seed: int, rate: float
) -> None:
    case, plan = pair
    drive = Restless(plan, seed, unlucky(seed, rate))
    if drive_to_the_end(drive, meddle=True) is None:
        assert set(drive.ends) == {server.id for server in case.servers}


@some
@given(feasible(), st.data())
def test_what_is_for_good_is_told_before_what_will_pass(pair: tuple[Case, Plan], data: st.DataObject) -> None:
    _, plan = pair
    ledger = Ledger(plan)
    some_requests = st.sampled_from(plan.requests)
    for request in data.draw(st.lists(some_requests, max_size=6)):
        positions = range(request.start, request.stop)
        if ledger.no_room(request, positions) is None:
            ledger.reserve(request, positions)
            if data.draw(st.booleans()):
                ledger.give_back(request, positions)
                ledger.spend(request, [place for place in positions if data.draw(st.booleans())], [])
    cells = list(ledger.cells())
    for request in plan.requests:
        positions = range(request.start, request.stop)
        blocked = ledger.no_room(request, positions)
        before = [cell.in_flight for cell in cells]
        ledger.reserve(request, positions)
        above = [cell for cell in cells if cell.in_flight + cell.spent > cell.most]
        needs = [cell.in_flight - earlier for cell, earlier in zip(cells, before, strict=True)]
        never = [cell for cell, need in zip(cells, needs, strict=True) if need and cell.spent + need > cell.most]
        ledger.give_back(request, positions)
        assert (blocked is None) == (not above)
        assert blocked is None or blocked.for_good == bool(never)
        assert blocked is None or blocked.cell in (never or above)


@some
@given(feasible())
def test_numbers_tell_pieces_and_follow_ups_from_each_other(pair: tuple[Case, Plan]) -> None:
    _, plan = pair
    table, seen = RequestTable(plan), set(range(len(plan.requests)))
    for request, entry in enumerate(plan.requests):
        for number in table.numbers_of_pieces(request):
            assert number not in seen
            seen.add(number)
            piece = table.piece(number)
            assert piece is not None
            assert (piece.step, piece.group, piece.is_follow_up) == (entry.step, entry.group, False)
            assert entry.start < piece.position < entry.stop
    for request, entry in enumerate(plan.requests):
        if entry.step == 0:
            for place, number in enumerate(table.numbers_of_follow_ups(request), entry.start):
                assert number not in seen
                seen.add(number)
                assert table.piece(number) == (0, entry.group, place, True)
    assert table.piece(max(seen) + 1) is None
    assert table.piece(len(plan.requests) - 1) is None


@some
@given(feasible())
def test_a_request_is_halved_at_the_start_of_a_unit_until_single_units_are_left(pair: tuple[Case, Plan]) -> None:
    _, plan = pair
    table, starts = RequestTable(plan), unit_starts(plan)

    def is_start(entry: PlannedRequest, place: int) -> bool:
        return starts is None or bool(starts[entry.group][place])

    numbers = list(range(len(plan.requests)))
    left = list(numbers)
    while left:
        request = left.pop()
        entry, cut = table.entries[request], table.cut_of(request)
        cuts = [place for place in range(entry.start + 1, entry.stop) if is_start(entry, place)]
        if cut is None:
            assert not cuts
            continue
        middle = (entry.start + entry.stop) // 2
        assert abs(cut - middle) == min(abs(place - middle) for place in cuts)
        allowed = table.numbers_of_pieces(request)
        pieces = table.split(request, cut)
        assert [(table[piece].start, table[piece].stop) for piece in pieces] == [(entry.start, cut), (cut, entry.stop)]
        for piece in pieces:
            assert table.number_of(piece) in allowed
            assert table.place_of(table.number_of(piece)) == piece
        numbers += [table.number_of(piece) for piece in pieces]
        left += pieces
    assert len(set(numbers)) == len(numbers)


def started(budget: dict[str, Any], servers: list[Server], per_job: int, **rollout: Any) -> LiveRun:
    plan = Case(jobspec(everyone, [per_job], {"budget": budget, "order": "listed", **rollout}), servers).plan()
    run = LiveRun(initial_facts(plan))
    run.apply(e.RunStarted(0.0, "c", plan.plan_hash, "0", simulated=True, watched=True))
    run.apply(e.WaveStarted(0.0, 0))
    return run


def fail(run: LiveRun, request: int, letters: str) -> None:
    run.apply(e.Intended(1.0, request))
    run.apply(e.Accepted(2.0, request, job_of(request)))
    run.apply(e.Settled(3.0, request, letters, 1.0))


def test_a_unit_that_a_limit_has_too_little_room_for_is_no_silent_wait() -> None:
    run = started(
        {"max_abnormal": 3, "per": {"labels.hyper": "whole"}}, fleet([{"hyper": "a"}] * 2 + [{"hyper": "b"}] * 3), 3
    )
    fail(run, 0, "fs")
    step = run.next_step(9.0, Patience())
    assert isinstance(step, Record)
    assert isinstance(step.event, e.Held)
    assert "max_abnormal: 1 abnormal, at most 3 of 5 servers" in step.event.reason


def test_nothing_is_split_that_no_piece_would_gain_from() -> None:
    run = started({"max_abnormal_per_group": 4}, fleet([{}] * 12), 4)
    fail(run, 0, "ffff")
    assert not isinstance(run.decide(0, 9.0), SplitUp)


def test_those_that_wait_at_a_limit_are_woken_though_the_first_can_never_go() -> None:
    """A rack has room again; the first that waits there finds its zone spent; the second must not wait for ever."""
    labels = [("p", "b"), ("q", "b"), ("r", "a"), ("r", "b"), ("r", "a")]
    servers = fleet([{"rack": rack, "az": az, "n": str(place)} for place, (rack, az) in enumerate(labels)])
    run = started({"per": {"labels.rack": 1, "labels.az": 2}}, servers, 1)
    for request in (0, 2):
        run.apply(e.Intended(1.0, request))
        run.apply(e.Accepted(1.0, request, job_of(request)))
    run.apply(e.Intended(1.0, 1))
    run.apply(e.Accepted(1.0, 1, job_of(1)))
    assert run.decide(0, 2.0) == WaitForEvent()
    run.apply(e.Settled(3.0, 0, "f", 1.0))
    run.apply(e.Settled(3.0, 1, "f", 1.0))
    run.apply(e.Settled(3.0, 2, "s", 1.0))
    assert run.decide(0, 4.0) == Send(4)


def test_a_request_that_is_withdrawn_while_it_waits_wakes_the_next() -> None:
    servers = fleet([{"rack": "r", "n": str(place)} for place in range(3)])
    run = started({"per": {"labels.rack": 1}}, servers, 1)
    run.apply(e.Intended(1.0, 0))
    run.apply(e.Accepted(1.0, 0, job_of(0)))
    assert run.decide(0, 2.0) == WaitForEvent()
    run.apply(e.Withdrawn(2.0, 1))
    run.apply(e.Settled(3.0, 0, "s", 1.0))
    assert run.decide(0, 4.0) == Send(2)
