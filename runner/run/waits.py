"""Why a run waits, as values: what for, since and until when, what ends it, and what a person may type."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class WaitKind(StrEnum):
    """What is waited for."""

    PAUSE = "pause"  # a person paused the run
    HOLD = "hold"  # a rule holds it
    GROUP = "group"  # a person holds a group
    APPROVAL = "approval"
    SOAK = "soak"
    CHECK = "check"
    WINDOW = "window"
    BUDGET = "budget"  # room at a limit
    EVIDENCE = "evidence"  # an adaptive wave waits for outcomes
    THROTTLED = "throttled"  # by the service
    PACE = "pace"  # the rate that was asked for
    RETRY = "retry"  # a request that was refused is sent again later
    BUSY = "busy"  # servers in another operation
    OUTAGE = "outage"  # calls fail
    DOUBT = "doubt"  # requests that may or may not have made a job
    SURVEY = "survey"  # what a process before sent is looked up
    ANSWERS = "answers"  # as many requests are on their way as may be
    CREDENTIAL = "credential"  # one call at a time, until one worked
    LOCK = "lock"  # another process has the state folder
    LANE = "lane"  # it stopped: the service cannot be used there


class Typed(NamedTuple):
    """A command of this program about a run: `runner ACTION RUN REST`."""

    action: str
    rest: str = ""

    def text(self, run_id: str) -> str:
        """As it is typed."""
        return f"runner {self.action} {run_id} {self.rest}".rstrip()


Choice = tuple[Typed, ...]
"""Commands to type one after the other."""


class Wait(NamedTuple):
    """One thing that is waited for, and what it is in words. Times are epoch seconds of the run, None where not known.

    `ends` is what ends the wait, where that is no moment; `choices` are what a person may type for it. `lane` is the only
    lane that waits so; None: all do.
    """

    kind: WaitKind
    what: str
    since: float | None = None
    until: float | None = None
    ends: str = ""
    choices: tuple[Choice, ...] = ()
    lane: int | None = None

    def commands(self, run_id: str) -> str:
        """What to type, one choice after the other; empty where nothing is needed."""
        return ", or ".join(" and ".join(typed.text(run_id) for typed in choice) for choice in self.choices)
