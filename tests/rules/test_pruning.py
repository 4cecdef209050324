"""Which of the runs that are old are forgotten."""

from __future__ import annotations

import pytest

from runner.model import RunState
from runner.rules.pruning import KeptFor, Needed, PrunedRow, choose, is_open

NOTHING = Needed((), (), ())


def rows(*started_at: float, state: RunState = RunState.FINISHED, campaign: str = "c") -> list[PrunedRow]:
    """The newest first, called by their place."""
    return [PrunedRow(str(place), campaign, at, state, False) for place, at in enumerate(started_at)]


def test_a_run_that_began_at_that_moment_is_not_older() -> None:
    gone, kept = choose(rows(101.0, 100.0, 99.9), 100.0, 0, NOTHING)
    assert [row.id for row in gone] == ["2"]
    assert kept == {}


@pytest.mark.parametrize(("keep", "gone"), [(0, "0123"), (1, "123"), (3, "3"), (4, ""), (9, "")])
def test_the_newest_of_a_campaign_stay_whatever_their_age(keep: int, gone: str) -> None:
    chosen, kept = choose(rows(4.0, 3.0, 2.0, 1.0), 100.0, keep, NOTHING)
    assert "".join(row.id for row in chosen) == gone
    assert kept == ({KeptFor.NEWEST: 4 - len(gone)} if len(gone) < 4 else {})


def test_newer_runs_count_among_the_newest_though_they_are_not_asked_about() -> None:
    gone, _ = choose(rows(200.0, 50.0), 100.0, 1, NOTHING)
    assert [row.id for row in gone] == ["1"]


@pytest.mark.parametrize(
    ("needed", "why"),
    [
        (Needed(["0"], (), ()), KeptFor.LEASES),
        (Needed((), ["0"], ()), KeptFor.SLOT),
        (Needed((), (), ["0"]), KeptFor.FAMILY),
    ],
)
def test_what_is_leaned_on_stays(needed: Needed, why: KeptFor) -> None:
    assert choose(rows(1.0), 100.0, 0, needed) == ([], {why: 1})


@pytest.mark.parametrize(
    ("state", "simulated", "open_"),
    [
        (RunState.RUNNING, False, True), (RunState.RUNNING, True, True), (RunState.STOPPED, False, True),
        (RunState.STOPPED, True, False), (RunState.STOPPED, None, False), (RunState.FINISHED, False, False),
    ],
)  # fmt: skip
def test_what_may_be_gone_on_with_is_open(state: RunState, simulated: bool | None, open_: bool) -> None:
    row = PrunedRow("0", "c", 1.0, state, simulated)
    assert is_open(row) is open_
    assert bool(choose([row], 100.0, 0, NOTHING)[0]) is not open_
