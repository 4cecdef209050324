"""What the end of a request makes of its servers, its wave and its limits; and what is let in by what is known by then."""

from __future__ import annotations

from typing import Any

import pytest

from runner.model import Outcome
from runner.run import events as e
from runner.run.decisions import Send, SplitUp, WaitForEvent
from runner.run.facts import StopRule
from runner.run.gate import Record
from runner.run.phases import Phase
from tests.engine.rollout_plans import fleet, group, rollout_plan, step
from tests.run.by_hand import ByHand

LOOK = step("look")


def rolling(servers: int = 4, per_job: int = 2, steps: tuple[Any, ...] = (), **rollout: Any) -> ByHand:
    """A rollout of one wave, if none is told of, which has begun."""
    rules = {"waves": [{"name": "w"}], "order": "listed", **rollout}
    run = ByHand(rollout_plan(rules, fleet(servers), steps=[step("upgrade", per_job), *steps]))
    run.pass_gates()
    return run


def budget_used(run: ByHand, name: str) -> tuple[int, int]:
    """How many servers a limit has spent, and how many of its are in flight."""
    assert run.facts.rollout is not None
    cell = run.facts.rollout.ledger.cell(name)
    assert cell is not None
    return cell.spent, cell.in_flight


def sent_next(run: ByHand) -> int:
    decided = run.decide()
    assert isinstance(decided, Send), decided
    return decided.request


def test_checks_and_what_follows_a_failure_need_no_room_at_a_limit() -> None:
    """A limit is about servers that may be lost: these were touched already."""
    run = rolling(
        4, 2, (LOOK, step("logs")), waves=[{"name": "w", "sizes": [2, "rest"]}], budget={"max_abnormal": 2},
        checks=[{"name": "looked", "step": "look"}], on_failure={"step": "logs"},
    )  # fmt: skip
    run.do(0, "ff")
    assert budget_used(run, "max_abnormal") == (2, 0)
    follow_ups = [sent_next(run)]
    run.do(follow_ups[0], "s")
    follow_ups.append(sent_next(run))
    assert all(run.facts.requests.is_follow_up(request) for request in follow_ups)


def test_a_check_is_made_though_the_limit_is_reached() -> None:
    sizes, checks = [{"name": "w", "sizes": [2, "rest"]}], [{"name": "looked", "step": "look"}]
    run = rolling(4, 1, (LOOK,), waves=sizes, checks=checks, budget={"max_abnormal": 1})
    run.do(0, "s")
    run.do(1, "f")
    run.pass_gates()
    assert run.facts.requests.entries[sent_next(run)].step == 1


@pytest.mark.parametrize(
    ("outcomes", "unknown"), [("ss", 0), ("ff", 0), ("kk", 0), ("uu", 2), ("tt", 2), ("ut", 2), ("fs", 0)]
)
def test_servers_that_were_not_seen_to_end_are_unsure(outcomes: str, unknown: int) -> None:
    run = rolling(6, 2, abort={"after_unknown": 2})
    run.do(0, outcomes)
    assert run.facts.rollout is not None
    assert run.facts.rollout.unknown == unknown
    asked = run.gate()
    aborts = isinstance(asked, Record) and isinstance(asked.event, e.Aborted) and asked.event.rule is StopRule.UNSURE
    assert aborts is (unknown >= 2)


def test_a_server_counts_as_well_once_it_is_through_the_last_step() -> None:
    run = rolling(2, 2, (step("second"),), abort={"sequential": {}})
    assert run.facts.rollout is not None
    evidence = run.facts.rollout.evidence
    assert evidence is not None
    run.do(0, "sf")
    assert (evidence.normal, evidence.abnormal) == (0, 1)
    run.do(1, "s")
    assert (evidence.normal, evidence.abnormal) == (1, 1)
    assert run.facts.counts == {Outcome.SUCCEEDED: 1, Outcome.FAILED: 1}


def test_what_was_excluded_and_is_taken_in_again_is_as_if_nothing_had_been() -> None:
    run = rolling(4, 2, (LOOK,), checks=[{"name": "looked", "step": "look"}])
    assert run.ask("exclude", "s000") is None
    excluded = next(iter(run.facts.exclusions))
    assert run.facts.counts == {Outcome.EXCLUDED: 1}
    assert run.facts.left_behind == [{"s000"}]
    assert run.ask("include", "s000") is None
    assert run.facts.phases[excluded] is Phase.READY
    assert run.facts.counts.total() == 0
    assert run.facts.left_behind == [set()]
    while isinstance(decided := run.decide(), Send):
        run.do(decided.request, "s" * len(run.facts.servers_of(decided.request)))
    assert run.facts.rollout is not None
    assert run.facts.rollout.waves[0].left == 0
    assert +run.facts.counts == {Outcome.SUCCEEDED: 4}


def test_what_is_taken_in_again_before_its_wave_waits_for_it() -> None:
    run = rolling(4, 2, waves=[{"name": "w", "sizes": [2, "rest"]}])
    assert run.ask("exclude", "s003") is None
    excluded = next(iter(run.facts.exclusions))
    assert run.ask("include", "s003") is None
    assert run.facts.phases[excluded] is Phase.BLOCKED
    run.do(0, "ss")
    run.pass_gates()
    assert run.facts.phases[excluded] is Phase.READY


def test_a_check_fails_with_each_server_that_did_not_succeed_abnormal_or_not() -> None:
    for outcomes, failed in (("ss", 0), ("sk", 1), ("fk", 2), ("uf", 2)):
        run = rolling(2, 2, (LOOK,), checks=[{"name": "looked", "step": "look"}])
        run.do(0, "ss")
        run.pass_gates()
        run.do(1, outcomes)
        asked = run.gate()
        assert isinstance(asked, Record)
        assert isinstance(asked.event, e.Checked)
        assert (asked.event.passed, asked.event.is_last) == (failed == 0, True)
        assert asked.event.detail == (f"{failed} servers did not succeed" if failed else "")


def test_only_what_failed_is_followed() -> None:
    for outcomes, follows in (("ss", 0), ("kk", 0), ("tu", 0), ("fu", 1), ("ff", 2)):
        run = rolling(2, 2, (step("logs"),), on_failure={"step": "logs"})
        run.do(0, outcomes)
        made = [request for request in range(len(run.facts.phases)) if run.facts.requests.is_follow_up(request)]
        assert len(made) == follows
        assert [run.facts.phases[request] for request in made] == [Phase.READY] * follows


def in_flight_at_most(run: ByHand) -> int:
    """Let in what may be, and return how many servers are in flight then."""
    while isinstance(decided := run.decide(), Send | SplitUp):
        if isinstance(decided, SplitUp):
            run.record(e.Split(run.now, decided.request, decided.cut))
        else:
            run.send(decided.request)
    assert isinstance(decided, WaitForEvent)
    assert run.facts.rollout is not None
    return run.facts.rollout.ledger.in_flight


@pytest.mark.parametrize(("per_job", "at_once"), [(1, [1, 2, 4]), (4, [1, 1, 2])])
def test_an_adaptive_wave_lets_in_as_much_as_came_out_well_and_one_and_parts_no_more_than_it_must(
    per_job: int, at_once: list[int]
) -> None:
    run = rolling(12, per_job, waves=[{"name": "w", "sizes": "adaptive"}], abort={"sequential": {}})
    seen = []
    for _ in range(3):
        seen.append(in_flight_at_most(run))
        for request in [*run.facts.lanes[0].open]:
            run.settle(request, "s" * len(run.facts.servers_of(request)))
    assert seen == at_once


def test_with_nothing_in_flight_an_adaptive_wave_lets_in_what_cannot_be_parted() -> None:
    budget, adaptive = {"per": {"labels.hyper": "whole"}}, [{"name": "w", "sizes": "adaptive"}]
    run = rolling(8, 4, waves=adaptive, budget=budget, abort={"sequential": {}})
    together = [len(unit) for unit in run.facts.requests.units_of(0)]
    assert in_flight_at_most(run) == together[0] > 1


def test_all_that_fit_into_the_room_that_a_request_leaves_may_go() -> None:
    """The limit is of one rack, which all the servers are in: two small requests wait for a larger one."""
    groups = [group("large", 'id in ["s000", "s001"]'), group("one", 'id == "s002"'), group("two", 'id == "s003"')]
    rules = {"waves": [{"name": "w"}], "order": "listed", "budget": {"per": {"labels.rack": 2}}}
    run = ByHand(rollout_plan(rules, fleet(4, racks=1), steps=[step("upgrade", 2)], groups=groups))
    run.pass_gates()
    run.send(sent_next(run))
    assert isinstance(run.decide(), WaitForEvent)
    run.settle(0, "ss")
    run.send(sent_next(run))
    assert run.decide() == Send(2)
