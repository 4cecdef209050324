"""The events of a rollout's gates and of people's commands; `runner.run.events` has the others, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WaveStarted:
    """The gate before the wave said go: its requests may be sent."""

    kind: ClassVar[str] = "wave_started"
    at: float
    wave: int


@dataclass(frozen=True, slots=True)
class CheckStarted:
    """The next check of the wave is made."""

    kind: ClassVar[str] = "check_started"
    at: float
    wave: int
    check: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of the wave was made. `detail` is the end of what it said; `is_last` that it is not tried again."""

    kind: ClassVar[str] = "checked"
    at: float
    wave: int
    check: int
    passed: bool
    detail: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """The wave is through its soak and its checks; a person must approve before the next one."""

    kind: ClassVar[str] = "approval_asked"
    at: float
    wave: int


@dataclass(frozen=True, slots=True)
class WavePassed:
    """The wave is over and its gate is open."""

    kind: ClassVar[str] = "wave_passed"
    at: float
    wave: int


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing new is sent before a person decides. `rule` is one of `runner.run.gate`; `reason` is the evidence.

    Where a limit is reached: `used` of `allowed` servers of the `limit`, of a `scope` such as `labels.rack=r01`.
    """

    kind: ClassVar[str] = "held"
    at: float
    rule: str
    reason: str
    limit: str | None = None
    scope: str | None = None
    used: int | None = None
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Aborted:
    """The campaign is over: nothing new is sent, and what is in flight is watched to its end. As in `Held`."""

    kind: ClassVar[str] = "aborted"
    at: float
    rule: str
    reason: str
    limit: str | None = None
    scope: str | None = None
    used: int | None = None
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Commanded:
    """A person asked for something (`runner.run.commands`). `number` is the command's place in the state store.

    `refused` says why nothing came of it; None: it was done.
    """

    kind: ClassVar[str] = "commanded"
    at: float
    number: int
    action: str
    target: str
    settings: dict[str, str]
    who: str
    why: str
    refused: str | None


@dataclass(frozen=True, slots=True)
class Crawls:
    """A limit leaves room for so few servers at a time that those which are `left` will take long, seconds."""

    kind: ClassVar[str] = "crawls"
    at: float
    limit: str
    scope: str
    room: int
    left: int
    takes_s: float
