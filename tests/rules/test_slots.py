"""What a command does for its slot, in every situation."""

from __future__ import annotations

import pytest

from runner.model import RunState
from runner.rules.slots import Attempt, CatchUp, Holder, Leave, Refuse, Resume, Start, Step, next_step

ATTEMPT = Attempt("nightly-1", "night", simulated=False, closed=None, catch_up=CatchUp.SKIP)
HOLDER = Holder("run-1", "night", RunState.FINISHED, {"servers": 8, "succeeded": 7})
RESUMABLE = ("stopped", "unusable", "interrupted")


def late(catch_up: CatchUp) -> Attempt:
    return ATTEMPT._replace(closed="it is 05:12:00, and 05:00 is the latest start", catch_up=catch_up)


@pytest.mark.parametrize("catch_up", CatchUp)
def test_a_free_slot_gets_a_run(catch_up: CatchUp) -> None:
    assert next_step(ATTEMPT._replace(catch_up=catch_up), None) == Start()


@pytest.mark.parametrize("state", RESUMABLE)
def test_a_run_that_did_not_get_to_its_end_goes_on(state: str) -> None:
    assert next_step(ATTEMPT, HOLDER._replace(state=RunState(state))) == Resume("run-1")


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        (HOLDER, "run run-1 already did nightly-1: finished, 7 of 8 servers succeeded"),
        (HOLDER._replace(state=RunState.SUBMITTED, counts=None), "run run-1 already did nightly-1: submitted"),
        (HOLDER._replace(state=RunState.ABORTED, counts=None), "run run-1 already did nightly-1: aborted"),
        (HOLDER._replace(state=RunState.RUNNING, counts=None), "run run-1 is doing nightly-1"),
    ],
)
@pytest.mark.parametrize("attempt", [ATTEMPT, *map(late, CatchUp)])
def test_what_is_done_or_being_done_is_left_alone_late_or_not(attempt: Attempt, holder: Holder, says: str) -> None:
    assert next_step(attempt, holder) == Leave(says)


MISSED = "missed nightly-1: it is 05:12:00, and 05:00 is the latest start"


@pytest.mark.parametrize(
    ("catch_up", "holder", "step"),
    [
        (CatchUp.SKIP, None, Leave(f"{MISSED}; nothing is sent")),
        (CatchUp.RUN, None, Start()),
        (CatchUp.FAIL, None, Refuse(f"{MISSED}; nothing is sent", "do it late with --catch-up run")),
        (CatchUp.SKIP, HOLDER._replace(state=RunState.STOPPED), Leave(f"{MISSED}; run run-1 stays stopped")),
        (CatchUp.RUN, HOLDER._replace(state=RunState.STOPPED), Resume("run-1")),
        (
            CatchUp.FAIL,
            HOLDER._replace(state=RunState.INTERRUPTED),
            Refuse(
                f"{MISSED}; run run-1 stays interrupted",
                "do it late with --catch-up run, or with `runner resume run-1`",
            ),
        ),
    ],
)
def test_a_missed_slot(catch_up: CatchUp, holder: Holder | None, step: Step) -> None:
    assert next_step(late(catch_up), holder) == step


def test_a_missed_start_without_a_key() -> None:
    assert next_step(late(CatchUp.SKIP)._replace(key=None), None) == Leave(
        "missed: it is 05:12:00, and 05:00 is the latest start; nothing is sent"
    )


@pytest.mark.parametrize("state", [*RESUMABLE, "running", "finished"])
def test_a_key_of_another_campaign_is_never_taken_for_ones_own(state: str) -> None:
    step = next_step(ATTEMPT, HOLDER._replace(state=RunState(state), campaign="day"))
    assert isinstance(step, Refuse)
    assert step.reason == "nightly-1 is taken by run run-1 of day, and this is night"


@pytest.mark.parametrize("state", RESUMABLE)
def test_a_simulated_run_cannot_go_on(state: str) -> None:
    step = next_step(ATTEMPT._replace(simulated=True), HOLDER._replace(state=RunState(state)))
    assert isinstance(step, Refuse)
    assert "whose simulator ended with it" in step.reason
