"""What is asked of a run, and what comes of it: said to the person who asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.app.operating import is_taken_in, leave
from runner.errors import RefusedToStart
from runner.run import events as e
from runner.run.commands import Command
from tests.app.past import Past, past_plan


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path)
    yield made
    made.close()


def test_what_a_run_refuses_when_it_takes_it_in_is_refused_to_the_one_who_asked(past: Past) -> None:
    run_id = past.add(past_plan("ab"))
    left = leave(past.store, run_id, Command("pause"), who="me", why="", at=1.0)
    assert not is_taken_in(past.store, left)
    past.append(run_id, [e.Commanded(2.0, left.number, "pause", "", {}, "me", "", "it is too late")])
    with pytest.raises(RefusedToStart, match="it is too late"):
        is_taken_in(past.store, left)
