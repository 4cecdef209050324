"""Every wait of a run has a reason that is told: a view that leaves one out does not get through the stories."""

from __future__ import annotations

import pytest

from runner.run.waits import WaitKind
from tests.engine.simulation import innermost, story_of

# Of each kind of wait a story in which nothing else keeps the run from going on.
NEEDED = {
    WaitKind.PAUSE: 53,
    WaitKind.HOLD: 2,
    WaitKind.GROUP: 16,
    WaitKind.APPROVAL: 5,
    WaitKind.SOAK: 2,
    WaitKind.CHECK: 5,
    WaitKind.WINDOW: 7,
    WaitKind.BUDGET: 2,
    WaitKind.THROTTLED: 4,
    WaitKind.PACE: 1,
    WaitKind.BUSY: 6,
    WaitKind.DOUBT: 1,
    WaitKind.SURVEY: 1,
    WaitKind.ANSWERS: 4,
    WaitKind.LOCK: 36,
    WaitKind.LANE: 4,
}


@pytest.mark.parametrize("kind", NEEDED)
def test_a_view_that_does_not_tell_of_a_wait_is_found_out(kind: WaitKind) -> None:
    story = story_of(NEEDED[kind])
    story.hidden = {kind}
    with pytest.raises(Exception) as failed:  # noqa: PT011  a group of groups, as tasks end
        story.run()
    found = innermost(failed.value)
    assert isinstance(found, AssertionError), found
