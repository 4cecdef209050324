"""The events of a run. Its journal is a list of these, and all that is known of it is a fold over them.

`at` is epoch seconds. `request` is the index of a request in the plan. Every event is a frozen value that JSON can
carry; `kind` is its name in the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runner.model import Job
from runner.rules.answers import Cause, ReadFailures, ServiceError
from runner.run.call_events import CallsFailing, CallsWorking
from runner.run.gate_events import (
    Aborted,
    ApprovalAsked,
    Checked,
    CheckStarted,
    Commanded,
    Crawls,
    Held,
    WavePassed,
    WaveStarted,
)


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run began. `watched` is False for a run that only submits.

    `boot` is a boot of a machine, and `uptime_s` what its clock showed at `at`, so that another process on it can go on
    counting from there; empty and 0 where that is not known.
    """

    kind: ClassVar[str] = "run_started"
    at: float
    campaign: str
    plan_hash: str
    runner_version: str
    simulated: bool
    watched: bool
    boot: str = ""
    uptime_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RunResumed:
    """Another process took the run over: what was sent without an answer is in doubt from here on.

    `boot` and `uptime_s` as in `RunStarted`.
    """

    kind: ClassVar[str] = "run_resumed"
    at: float
    runner_version: str
    boot: str = ""
    uptime_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Intended:
    """The request is about to be sent. Durable before its first byte leaves."""

    kind: ClassVar[str] = "intended"
    at: float
    request: int


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An intent grew too old before it was acted on: certainly nothing was sent, and it may be intended again."""

    kind: ClassVar[str] = "lapsed"
    at: float
    request: int


@dataclass(frozen=True, slots=True)
class Throttled:
    """The service refused because of its rate limit. The lane paused `pause_s` and went on at `rate` per second."""

    kind: ClassVar[str] = "throttled"
    at: float
    request: int
    error: ServiceError
    pause_s: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The service, or the network before it, certainly made nothing.

    `retry_at` says when the request may be sent again, epoch seconds; None: never, it is refused for good.
    """

    kind: ClassVar[str] = "refused"
    at: float
    request: int
    cause: Cause
    error: ServiceError
    retry_at: float | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """The service refused a request because of the servers of this piece of it: the rest is sent without them.

    `cause`, `error` and `retry_at` are as in `Refused`.
    """

    kind: ClassVar[str] = "set_aside"
    at: float
    request: int
    cause: Cause
    error: ServiceError
    retry_at: float | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service made a job of the request."""

    kind: ClassVar[str] = "accepted"
    at: float
    request: int
    job: Job


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The request was sent and got no usable answer.

    `busy`: the service refused it, because its servers are in another operation; but it was in doubt before, so that this
    may be a job of its own.
    """

    kind: ClassVar[str] = "in_doubt"
    at: float
    request: int
    error: ServiceError
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Suspected:
    """The list shows a job under the name of a request that the journal does not tell was sent: its tail was lost."""

    kind: ClassVar[str] = "suspected"
    at: float
    request: int


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The list shows a job under the name that a request would have that is yet to come to be: the tail was lost.

    `number` is that of a request that follows a failure, and so the name tells it (`RequestTable`).
    """

    kind: ClassVar[str] = "foreseen"
    at: float
    number: int


@dataclass(frozen=True, slots=True)
class Doubled:
    """A request was found to have done more than it was to, or may have. `job_ids` are all of its jobs that are known.

    Without a `why` it made more jobs than its own.
    """

    kind: ClassVar[str] = "doubled"
    at: float
    request: int
    job_ids: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The names of all requests of a lane were looked up before a resumed run sent anything on it."""

    kind: ClassVar[str] = "surveyed"
    at: float
    lane: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """A request in doubt was found to have made exactly this job."""

    kind: ClassVar[str] = "adopted"
    at: float
    request: int
    job: Job


@dataclass(frozen=True, slots=True)
class NotFound:
    """A request in doubt made no job, as far as the list tells after the settle time: it may be sent again."""

    kind: ClassVar[str] = "not_found"
    at: float
    request: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Jobs were found under the request's name that cannot all be its own: two of them, or one on other servers."""

    kind: ClassVar[str] = "conflict"
    at: float
    request: int
    job_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A request in doubt could not be settled: its servers stay unknown. `failures`: of the reads at the end, if any."""

    kind: ClassVar[str] = "given_up"
    at: float
    request: int
    reason: str
    failures: ReadFailures | None = None


@dataclass(frozen=True, slots=True)
class JobRead:
    """What the service last said of a job, with its tasks: for the report. Nothing is decided on it."""

    kind: ClassVar[str] = "job_read"
    at: float
    request: int
    job: Job


@dataclass(frozen=True, slots=True)
class Settled:
    """Every server of the request has its outcome.

    `outcomes` has one letter a server, in the order of the request (`runner.rules.outcomes.Outcomes`). `duration_s` is how
    long the job took by the service's own times, None where it did not tell. `reason` is what was seen of a job that was not
    seen to end; empty for one that was. `reads` is how often this process read the job, 0 where that is not known;
    `failures` are of those reads, None where none failed.
    """

    kind: ClassVar[str] = "settled"
    at: float
    request: int
    outcomes: str
    duration_s: float | None
    reason: str = ""
    reads: int = 0
    failures: ReadFailures | None = None


@dataclass(frozen=True, slots=True)
class LaneStopped:
    """Nothing more is sent on the lane: the service cannot be used there. Nor are its jobs `watched`, if that says so."""

    kind: ClassVar[str] = "lane_stopped"
    at: float
    lane: int
    error: ServiceError
    watched: bool = True


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A person or a signal asked the run to stop: nothing new is sent."""

    kind: ClassVar[str] = "stop_requested"
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class IntakeEnded:
    """Nothing new is sent from here on. Requests on their way and jobs at work are followed to their end."""

    kind: ClassVar[str] = "intake_ended"
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """A limit has no room for the whole request, or some of its servers are in the way: two pieces take its place.

    The second one begins at position `cut`.

    The pieces are the next two requests, counted on from the plan's. A position is one in the group's servers.
    """

    kind: ClassVar[str] = "split"
    at: float
    request: int
    cut: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The request will not be sent: its servers were excluded, by `who` and `why`, or none of them is left.

    Empty where versions before wrote it; then its servers count as not started.
    """

    kind: ClassVar[str] = "withdrawn"
    at: float
    request: int
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Another run of the family, `run_id`, has taken or done these servers of a group: this process sends nothing to them.

    It holds until the run is resumed, when it is found out anew.
    """

    kind: ClassVar[str] = "left_out"
    at: float
    group: int
    servers: tuple[str, ...]
    run_id: str


@dataclass(frozen=True, slots=True)
class Included:
    """Servers that were excluded are taken in again: the request may be sent."""

    kind: ClassVar[str] = "included"
    at: float
    request: int


@dataclass(frozen=True, slots=True)
class DisplayLost:
    """The run could not be shown any more, and went on without: a terminal was closed, or the log's disk is full."""

    kind: ClassVar[str] = "display_lost"
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class SignalLost:
    """Nobody could be told of a moment of the run, an `event` of `on_event`: `hook` is the index of one in the plan.

    One may follow the end of a run, of which somebody could not be told: then the end is recorded once more after it.
    """

    kind: ClassVar[str] = "signal_lost"
    at: float
    hook: int
    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The process that owned the run ended it. `state` is a `runner.model.RunState`."""

    kind: ClassVar[str] = "run_ended"
    at: float
    state: str
    reason: str
    exit_code: int


Event = (
    RunStarted
    | RunResumed
    | Intended
    | Lapsed
    | Throttled
    | Refused
    | SetAside
    | Accepted
    | InDoubt
    | Suspected
    | Foreseen
    | Doubled
    | Surveyed
    | Adopted
    | NotFound
    | Conflict
    | GivenUp
    | JobRead
    | Settled
    | CallsFailing
    | CallsWorking
    | LaneStopped
    | StopRequested
    | IntakeEnded
    | Split
    | Withdrawn
    | Included
    | LeftOut
    | WaveStarted
    | CheckStarted
    | Checked
    | ApprovalAsked
    | WavePassed
    | Held
    | Crawls
    | Aborted
    | Commanded
    | DisplayLost
    | SignalLost
    | RunEnded
)
