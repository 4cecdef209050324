"""What a person can type next: the exact commands, for a run as it stands or ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.run.gate import DEADLINE_PASSED
from runner.run.person_waits import person_waits
from runner.run.waits import Typed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import RunState
    from runner.run.facts import Facts
    from runner.run.waits import Wait

_BAD = tuple(outcome.value for outcome in Outcome if outcome.is_abnormal)


def commands_of(waits: Sequence[Wait], run_id: str) -> str:
    """All that may be typed for these waits."""
    return "; ".join(filter(None, (wait.commands(run_id) for wait in waits)))


def next_command(facts: Facts, run_id: str, state: RunState, counts: Mapping[str, int]) -> str:
    """What to type next, for a run that stands so; empty where nothing is left to do, or no person is needed.

    `counts` are its servers by outcome.
    """
    if facts.simulated and (state.is_resumable or state.is_over):
        return ""  # its simulator ended with it
    if state.is_over:
        return "; ".join(_retries(run_id, counts))
    commands = commands_of(person_waits(facts), run_id)
    if facts.intake_ended == DEADLINE_PASSED and state.is_resumable:
        commands = Typed("set", "deadline=DURATION").text(run_id)
    resume = Typed("resume").text(run_id) if state.is_resumable else ""
    return "; then ".join(filter(None, (commands, resume)))


def _retries(run_id: str, counts: Mapping[str, int]) -> list[str]:
    """To do again what did not come out well, and to do what was never begun."""
    bad, left = sum(counts[name] for name in _BAD), counts[Outcome.NOT_STARTED]
    again = Typed("retry")
    some = [f"{again.text(run_id)} ({bad:,} servers)"] if bad else []
    rest = again._replace(rest="--only not_started").text(run_id)
    return [*some, *([f"{rest} ({left:,} servers)"] if left else [])]
