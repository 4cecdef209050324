"""What a person sees of a run on a terminal, and what they can do there: real terminals, real processes."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Program
from tests.cli.rollouts import given, with_rollout
from tests.cli.screens import shown
from tests.cli.serving import StartSimulator

pytestmark = pytest.mark.process

APPROVED = "waves: [{name: canary, groups: [canary], approve: true}, {name: main, groups: [main]}]"


def test_the_wave_at_work_and_what_a_person_can_do(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        text = screen.until("wave canary waits for a person to approve", "on yes wave main, 6 servers")
        assert "wave 1 of 2 canary" in text
        (command,) = [line for line in screen.lines if line.startswith("runner approve")]
        given(program, "pause", "last")
        screen.until("paused")
        given(program, "approve", "last", "canary")
        given(program, "continue", "last")
        out = screen.ends(0)
    assert command.endswith(" canary")
    assert "waves      canary  passed            2: 2 succeeded\n           main    passed " in out
