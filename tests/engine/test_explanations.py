"""Every wait of a run has a reason that is told: a view that leaves one out does not get through the stories."""

from __future__ import annotations

import pytest

from runner.run.waits import WaitKind
from tests.engine.simulation import innermost, story_of

# Of each of these there are stories in which nothing else keeps the run from going on.
NEEDED = (
    WaitKind.PAUSE,
    WaitKind.HOLD,
    WaitKind.APPROVAL,
    WaitKind.SOAK,
    WaitKind.CHECK,
    WaitKind.WINDOW,
    WaitKind.BUDGET,
    WaitKind.THROTTLED,
    WaitKind.PACE,
    WaitKind.BUSY,
    WaitKind.DOUBT,
    WaitKind.SURVEY,
    WaitKind.ANSWERS,
    WaitKind.LOCK,
    WaitKind.LANE,
)
SEEDS, WITH_ROLLOUT = range(200), range(2, 300, 3)


@pytest.mark.parametrize("kind", NEEDED)
def test_a_view_that_does_not_tell_of_a_wait_is_found_out(kind: WaitKind) -> None:
    seeds = WITH_ROLLOUT if kind is WaitKind.PAUSE else SEEDS
    assert any(_fails(seed, kind) for seed in seeds), f"no story needs {kind} to be told"


def _fails(seed: int, hidden: WaitKind) -> bool:
    story = story_of(seed)
    story.hidden = {hidden}
    try:
        story.run()
    except Exception as failed:  # noqa: BLE001  a group of groups, as tasks end
        found = innermost(failed)
        assert isinstance(found, AssertionError), found
        return True
    return False
