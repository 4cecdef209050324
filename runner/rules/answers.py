"""The three kinds of answer to a create, as types. Which HTTP answer is which is decided in `runner/api/answers.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.model import Job


class Cause(StrEnum):
    """Why a request was refused, as far as it changes what to do next."""

    THROTTLED = "throttled"  # send again, slower; not a failure
    BUSY = "busy"  # the service or a server cannot take it now: send again later
    UNREACHABLE = "unreachable"  # not connected, so nothing was sent: send again later
    UNAUTHENTICATED = "unauthenticated"  # the lane stops after a few: accounts get locked
    UNUSABLE = "unusable"  # permission, project, endpoint, TLS: no request of this lane can succeed
    INVALID = "invalid"  # this request can never succeed


@dataclass(frozen=True, slots=True)
class ServiceError:
    """An error as the service, or the connection, told it (api-facts 5). `http_status` is None without an answer."""

    http_status: int | None
    code: str | None
    message: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Throttle:
    """What a throttled answer says; None where it is silent.

    `limit` requests in `period_s` seconds, and/or wait `retry_after_s` seconds. `quota`: not the rate was too high, but all
    that may be asked for in a day was.
    """

    limit: int | None = None
    period_s: float | None = None
    retry_after_s: float | None = None
    quota: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The service made a job of the request."""

    job: Job
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Certainly nothing was made. `throttle` is there when the cause is THROTTLED.

    `after_s`: for so long the service wants to be left alone with it, seconds; 0 where it does not say.
    """

    cause: Cause
    error: ServiceError
    throttle: Throttle | None = None
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request was sent and got no usable answer: it may or may not have made a job. `after_s` is as in `Refusal`."""

    error: ServiceError
    after_s: float = 0.0


Answer = Created | Refusal | Unanswered


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """A read got no usable answer. `missing` says the service knows no such job (HTTP 404, or 400 ModelArts.6404).

    `answered`: the service is there, but what it shows proves nothing. `elsewhere`: a web page came in place of its answer.
    `after_s` is as in `Refusal`.
    """

    cause: Cause
    error: ServiceError
    missing: bool = False
    throttle: Throttle | None = None
    answered: bool = False
    elsewhere: bool = False
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadFailures:
    """The reads of one job, or of one request in doubt, that failed: how many, and what the last one failed with.

    `unread`: so did the last read of all, and how the job stands was not seen.
    """

    failed: int
    error: ServiceError
    unread: bool
