"""What a split makes of what waits for the request, is suspected of it, or is checked by it; and what an abort lets go of."""

from __future__ import annotations

import pytest

from runner.rules.sequential import Evidence
from runner.run import events as e
from runner.run.decisions import LeaveOut, Send, SplitUp
from runner.run.gate import Record, Sleep
from runner.run.phases import Phase
from tests.conftest import small_plan
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import ByHand


def test_pieces_of_a_later_step_wait_for_both_pieces_of_the_step_before() -> None:
    run = ByHand(small_plan((4,), (4, 4)))
    run.record(e.Split(run.now, 1, 2), e.Split(run.now, 0, 2))
    later, before = run.facts.requests.pieces[1], run.facts.requests.pieces[0]
    assert [run.facts.phases[request] for request in later] == [Phase.BLOCKED] * 2
    run.do(before[0], "ss")
    assert [run.facts.phases[request] for request in later] == [Phase.BLOCKED] * 2
    run.do(before[1], "ss")
    assert [run.facts.phases[request] for request in later] == [Phase.READY] * 2


def test_what_is_suspected_of_a_request_is_of_its_pieces() -> None:
    run = ByHand(small_plan((4,), (4, 4)))
    run.record(e.RunResumed(run.now, "0"), e.Suspected(run.now, 1), e.Split(run.now, 1, 2), e.Surveyed(run.now, 0))
    assert run.facts.suspected == set(run.facts.requests.pieces[1])
    run.do(0, "ssss")
    assert [run.facts.phases[request] for request in run.facts.requests.pieces[1]] == [Phase.IN_DOUBT] * 2


def test_a_check_is_over_once_all_its_pieces_are() -> None:
    checks = [{"name": "looked", "step": "look"}]
    plan = rollout_plan(
        {"waves": [{"name": "w"}], "order": "listed", "checks": checks},
        fleet(4),
        steps=[step("upgrade", 4), step("look", 4)],
    )
    run = ByHand(plan)
    run.pass_gates()
    run.do(0, "ssss")
    run.pass_gates()
    run.record(e.LeftOut(run.now, 0, ("s003",), "another"))
    made: list[str] = []
    while isinstance(decided := run.decide(), Send | SplitUp | LeaveOut):
        assert not isinstance(run.gate(), Record)
        if isinstance(decided, SplitUp):
            run.record(e.Split(run.now, decided.request, decided.cut))
        elif isinstance(decided, LeaveOut):
            run.record(e.Withdrawn(run.now, decided.request))
        else:
            servers = [server.id for server in run.facts.servers_of(decided.request)]
            run.do(decided.request, "s" * len(servers))
            made += servers
    assert made == ["s000", "s001", "s002"]
    asked = run.gate()
    assert isinstance(asked, Record)
    assert isinstance(asked.event, e.Checked)
    assert asked.event.passed


def test_each_wave_has_a_stake_of_its_own_in_the_evidence() -> None:
    rules = {"waves": [{"name": "w", "sizes": [2, "rest"]}], "order": "listed", "abort": {"sequential": {}}}
    run = ByHand(rollout_plan(rules, fleet(4), steps=[step("upgrade", 2)]))
    run.pass_gates()
    assert run.facts.rollout is not None
    found = run.facts.rollout.evidence
    assert found is not None
    expected = Evidence(found.rule)
    run.do(0, "ss")
    expected.add(0, 2)
    run.pass_gates()
    expected.begin_wave()
    run.do(1, "sf")
    expected.add(1, 1)
    assert found.log_alarm == pytest.approx(expected.log_alarm)


def test_an_abort_lets_go_of_all_that_waited_for_a_person() -> None:
    run = ByHand(rollout_plan({"waves": [{"name": "w"}], "order": "listed"}, fleet(4), steps=[step("upgrade", 2)]))
    run.pass_gates()
    assert run.ask("hold", "all") is None
    assert run.ask("pause") is None
    assert run.ask("abort") is None
    controls = run.facts.controls
    assert (controls.held_groups, controls.paused, controls.held) == ({}, False, None)


def test_a_limit_with_room_for_next_to_nothing_is_told_with_what_is_left() -> None:
    """Of 202 servers 8 failed and two are in flight; the last request is a small one."""
    rules = {"waves": [{"name": "w"}], "order": "listed", "budget": {"max_abnormal": 10}}
    run = ByHand(rollout_plan(rules, fleet(202), steps=[step("upgrade", 4)]))
    run.pass_gates()
    for request in (0, 1):
        run.send(request)
        run.record(e.Settled(run.now, request, "ffff", 600.0))
    decided = run.decide()
    assert isinstance(decided, SplitUp)
    run.record(e.Split(run.now, decided.request, decided.cut))
    decided = run.decide()
    assert isinstance(decided, Send)
    run.send(decided.request)
    asked = run.gate()
    assert isinstance(asked, Record)
    assert isinstance(asked.event, e.Crawls)
    assert (asked.event.limit, asked.event.room, asked.event.left) == ("max_abnormal", 2, 192)
    run.record(asked.event)
    assert run.gate() == Sleep()  # it is said once
