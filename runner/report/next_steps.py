"""What a person can type next: the exact commands, for a run as it stands or ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.plain import one_line
from runner.run.gate import DEADLINE_PASSED
from runner.run.person_waits import person_waits
from runner.run.waits import Typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.model import RunState
    from runner.run.facts import Facts
    from runner.run.waits import Wait

_BAD = tuple(outcome for outcome in Outcome if outcome.is_abnormal)
# A shell that is typed into may take no remarks, and obey what others say in one: only what means nothing to it stays.
_ACTING = re.compile(r"[^\w ,.:%/+-]+")
_LONGEST_NOTE = 100
_APART = (Outcome.SKIPPED, Outcome.NOT_STARTED)


class NextStep(NamedTuple):
    """A line to type, and what it is for."""

    command: str
    note: str = ""

    @property
    def line(self) -> str:
        """One line that may be copied whole: to a shell the note is a remark."""
        return f"{self.command}   # {self.note}" if self.note else self.command


def commands_of(waits: Sequence[Wait], run_id: str) -> str:
    """All that may be typed for these waits."""
    return "; ".join(filter(None, (wait.commands(run_id) for wait in waits)))


def next_command(facts: Facts, run_id: str, state: RunState, counts: Mapping[str, int]) -> str:
    """What to type next, for a run that stands so; empty where nothing is left to do, or no person is needed.

    `counts` are its servers by outcome.
    """
    if state.is_over:
        return "; ".join(f"{command} ({servers:,} servers)" for command, servers, _ in _retries(run_id, counts))
    if _is_gone(facts, state):
        return ""
    commands = commands_of(person_waits(facts), run_id)
    if facts.intake_ended == DEADLINE_PASSED and state.is_resumable:
        commands = _new_deadline(run_id)
    resume = Typed("resume").text(run_id) if state.is_resumable else ""
    return "; then ".join(filter(None, (commands, resume)))


def next_steps(facts: Facts, run_id: str, state: RunState, counts: Mapping[str, int]) -> list[NextStep]:
    """The same, one step a line: those of one wait are choices, and `resume` comes after them."""
    if state.is_over:
        return [NextStep(command, note) for command, _, note in _retries(run_id, counts)]
    if _is_gone(facts, state):
        return []
    if facts.intake_ended == DEADLINE_PASSED and state.is_resumable:
        steps = [NextStep(_new_deadline(run_id), "its deadline has passed")]
    else:
        steps = [step for wait in person_waits(facts) for step in _choices(wait, run_id)]
    return steps + (
        [NextStep(Typed("resume").text(run_id), "after that" if steps else "")] if state.is_resumable else []
    )


def _is_gone(facts: Facts, state: RunState) -> bool:
    """Whether its simulator ended with it, so that nobody can go on."""
    return facts.simulated and state.is_resumable


def _new_deadline(run_id: str) -> str:
    return Typed("set", "deadline=DURATION").text(run_id)


def _choices(wait: Wait, run_id: str) -> Iterator[NextStep]:
    note = one_line(_ACTING.sub(" ", one_line(wait.what)), _LONGEST_NOTE)
    for choice in wait.choices:
        yield NextStep(" && ".join(typed.text(run_id) for typed in choice), note)


def _retries(run_id: str, counts: Mapping[str, int]) -> Iterator[tuple[str, int, str]]:
    """To do again what did not come out well, and to do what was never begun: each with its servers, and in words."""
    bad = [outcome for outcome in _BAD if counts[outcome]]
    if bad:
        note = ", ".join(f"{counts[outcome]:,} {_word(outcome)}" for outcome in bad)
        yield Typed("retry").text(run_id), sum(counts[outcome] for outcome in bad), note
    for outcome in _APART:
        if counts[outcome]:
            command = Typed("retry", f"--only {outcome}").text(run_id)
            yield command, counts[outcome], f"{counts[outcome]:,} {_word(outcome)}"


def _word(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")
