"""What cannot have happened is an error of the journal, in one clear message, and never taken in or a traceback."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from runner.app.history import stored_plan
from runner.app.listing import open_store
from runner.errors import ImpossibleEvent
from runner.plan.plan import Plan
from runner.rules.answers import Cause
from runner.run import events as e
from runner.run.evolve import evolve, replay
from runner.run.facts import initial_facts
from runner.run.gate import MakeCheck
from tests.conftest import small_plan
from tests.driving import job_of
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import BROKEN, ByHand

GOLDENS = Path(__file__).parents[1] / "goldens"
JOURNALS = sorted(path.parent.name for path in GOLDENS.glob("*/journal.db.gz"))
# Said twice, these cannot be told from being so twice; nor do they change anything then.
MAY_BE_TWICE = {
    "aborted",
    "check_started",
    "doubled",
    "held",
    "intake_ended",
    "job_read",
    "lane_stopped",
    "run_ended",
    "run_resumed",
    "stop_requested",
    "surveyed",
    "suspected",
    "foreseen",
}
CHECKED_BY_STEP = [{"name": "looked", "step": "look"}, {"name": "well", "command": ["true"]}]


def rollout_by_hand() -> ByHand:
    """Two waves of one request each, a step and a command as checks; nothing is sent yet."""
    rollout = {"waves": [{"name": "w", "sizes": [2, "rest"]}], "checks": CHECKED_BY_STEP, "order": "listed"}
    run = ByHand(rollout_plan(rollout, fleet(4), steps=[step("upgrade"), step("look")]))
    run.pass_gates()
    return run


def soaking() -> ByHand:
    run = rollout_by_hand()
    run.do(0, "ss")
    return run


def checking_by_step() -> ByHand:
    run = soaking()
    run.pass_gates()
    return run


def checking_by_command() -> ByHand:
    run = checking_by_step()
    look = next(request for request, entry in enumerate(run.plan.requests) if entry.step == 1)
    run.do(look, "ss")
    run.pass_gates()
    assert run.gate() == MakeCheck(0, 1)
    run.record(e.CheckStarted(run.now, 0, 1))
    return run


def sent() -> ByHand:
    run = rollout_by_hand()
    run.send(0)
    return run


AT = 2000.0
IMPOSSIBLE: dict[str, tuple[Callable[[], ByHand], e.Event]] = {
    "a wave out of turn": (rollout_by_hand, e.WaveStarted(AT, 1)),
    "a wave that is not there": (rollout_by_hand, e.WaveStarted(AT, 2)),
    "a wave before the first": (soaking, e.CheckStarted(AT, -2, 0)),
    "a wave that is not through its checks": (soaking, e.WavePassed(AT, 0)),
    "approval before the checks": (soaking, e.ApprovalAsked(AT, 0)),
    "a check out of turn": (soaking, e.CheckStarted(AT, 0, 1)),
    "a check that is not there": (soaking, e.CheckStarted(AT, 0, 2)),
    "a check made that was not started": (checking_by_step, e.Checked(AT, 0, 1, True, "", True)),
    "a step begun twice": (checking_by_step, e.CheckStarted(AT, 0, 0)),
    "a step over before its jobs": (checking_by_step, e.Checked(AT, 0, 0, True, "", True)),
    "another check made than started": (checking_by_command, e.Checked(AT, 0, 0, True, "", True)),
    "a check of another wave": (checking_by_command, e.Checked(AT, 1, 1, True, "", True)),
    "a request that is not there": (rollout_by_hand, e.Intended(AT, 99)),
    "a request before the first": (rollout_by_hand, e.Intended(AT, -1)),
    "a double of no request": (rollout_by_hand, e.Doubled(AT, 99, ("a", "b"))),
    "a lane that is not there": (rollout_by_hand, e.Surveyed(AT, 1)),
    "a lane before the first": (rollout_by_hand, e.LaneStopped(AT, -1, BROKEN)),
    "calls that work again and never failed": (rollout_by_hand, e.CallsWorking(AT, 0, AT, 1, given_up=False)),
    "calls of a lane that is not there": (
        rollout_by_hand,
        e.CallsFailing(AT, 1, AT, 1, BROKEN, 1, 0, False, AT, "given_up"),
    ),
    "a request set aside that is on its way": (sent, e.SetAside(AT, 0, Cause.BUSY, BROKEN, None)),
    "a cut at the start": (rollout_by_hand, e.Split(AT, 0, 0)),
    "a cut behind the end": (rollout_by_hand, e.Split(AT, 0, 2)),
    "outcomes of too few servers": (sent, e.Settled(AT, 0, "s", 1.0)),
    "outcomes of too many servers": (sent, e.Settled(AT, 0, "sss", 1.0)),
    "an outcome that nobody knows": (sent, e.Settled(AT, 0, "sz", 1.0)),
    "an end that nobody knows": (rollout_by_hand, e.RunEnded(AT, "vanished", "", 0)),
    "a hold by a rule that nobody knows": (rollout_by_hand, e.Held(AT, "whim", "")),
    "servers of a group that is not there": (rollout_by_hand, e.LeftOut(AT, 1, ("s000",), "run-2")),
    "a run that begins again": (rollout_by_hand, e.RunStarted(AT, "c", "h", "0", simulated=False, watched=True)),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_have_happened_is_refused_in_one_clear_message(what: str) -> None:
    begin, event = IMPOSSIBLE[what]
    run = begin()
    with pytest.raises(ImpossibleEvent) as caught:
        evolve(run.facts, event)
    assert event.kind in caught.value.message
    assert caught.value.hint


def test_a_command_is_done_once() -> None:
    run = ByHand(rollout_plan({"waves": [{"name": "w"}]}, fleet(2)))
    assert run.ask("pause") is None
    assert run.ask("continue") is None
    for event in run.events[-2:]:
        with pytest.raises(ImpossibleEvent):
            evolve(run.facts, event)


def test_a_job_of_a_later_step_has_outcomes_of_those_that_got_there() -> None:
    run = ByHand(small_plan((4,), (4, 4)))
    run.do(0, "sfss")
    run.record(e.Intended(AT, 1), e.Accepted(AT, 1, job_of(1)))
    with pytest.raises(ImpossibleEvent):
        evolve(run.facts, e.Settled(AT, 1, "ssss", 1.0))
    evolve(run.facts, e.Settled(AT, 1, "sss", 1.0))


@pytest.fixture(params=JOURNALS)
def journals(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[tuple[Plan, list[e.Event]]]]:
    (tmp_path / "journal.db").write_bytes(gzip.decompress((GOLDENS / request.param / "journal.db.gz").read_bytes()))
    with open_store(tmp_path) as store:
        yield [(stored_plan(store, row.id), list(store.read_events(row.id))) for row in store.runs()]


def is_refused(plan: Plan, events: Sequence[e.Event]) -> bool:
    try:
        replay(initial_facts(plan), events)
    except ImpossibleEvent:
        return True
    return False


def test_a_journal_with_one_event_gone_doubled_or_out_of_turn_is_read_or_refused_and_nothing_else(
    journals: list[tuple[Plan, list[e.Event]]],
) -> None:
    chance = Random(0)
    for plan, events in journals:
        assert not is_refused(plan, events)
        for place in chance.sample(range(len(events)), min(len(events), 25)):
            before, event, after = events[:place], events[place], events[place + 1 :]
            is_refused(plan, [*before, *after])
            is_refused(plan, [*before, *after[:1], event, *after[1:]])
            assert is_refused(plan, [*before, event, event, *after]) or event.kind in MAY_BE_TWICE, event
