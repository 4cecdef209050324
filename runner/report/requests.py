"""The story of each request, gathered from the events of a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from runner.model import Outcome
from runner.rules.answers import ServiceError
from runner.rules.outcomes import LETTER
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import Job

_UNKNOWN = LETTER[Outcome.UNKNOWN]
_NOT_STARTED = LETTER[Outcome.NOT_STARTED]


class RequestState(StrEnum):
    """Where a request stands in a report."""

    PLANNED = "planned"  # never sent, or refused and not sent again
    IN_DOUBT = "in_doubt"
    ACCEPTED = "accepted"  # its job is not over, as far as is known
    SETTLED = "settled"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    CONFLICT = "conflict"
    VOID = "void"  # none of its servers got through the step before
    WITHDRAWN = "withdrawn"  # a person excluded its servers

    @property
    def letter(self) -> str:
        """The outcome of its servers where the request itself does not tell."""
        return _NOT_STARTED if self in _NOT_SENT else _UNKNOWN


_NOT_SENT = frozenset({RequestState.PLANNED, RequestState.REFUSED, RequestState.WITHDRAWN})


@dataclass(slots=True)
class RequestStory:
    """What the events say of one request."""

    state: RequestState = RequestState.PLANNED
    attempts: int = 0
    accepted: bool = False
    adopted: bool = False
    job: Job | None = None
    error: ServiceError | None = None
    outcomes: str | None = None

    def tell(self, event: Any) -> None:  # noqa: ANN401  any event with a request
        """Go on with the next event of this request."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)


def _intended(story: RequestStory, event: e.Intended) -> None:
    del event
    story.attempts += 1
    story.state = RequestState.IN_DOUBT  # until an answer is known


def _lapsed(story: RequestStory, event: e.Lapsed) -> None:
    del event
    story.attempts -= 1
    story.state = RequestState.PLANNED


def _throttled(story: RequestStory, event: e.Throttled) -> None:
    story.error = event.error
    story.state = RequestState.PLANNED


def _refused(story: RequestStory, event: e.Refused) -> None:
    story.error = event.error
    story.state = RequestState.PLANNED if event.retry_at is not None else RequestState.REFUSED


def _in_doubt(story: RequestStory, event: e.InDoubt) -> None:
    story.error = event.error
    story.state = RequestState.IN_DOUBT


def _not_found(story: RequestStory, event: e.NotFound) -> None:
    del event
    story.state = RequestState.PLANNED


def _accepted(story: RequestStory, event: e.Accepted) -> None:
    story.accepted = True
    _has_job(story, event)


def _adopted(story: RequestStory, event: e.Adopted) -> None:
    story.adopted = True
    _has_job(story, event)


def _has_job(story: RequestStory, event: e.Accepted | e.Adopted) -> None:
    story.job, story.error = event.job, None
    story.state = RequestState.ACCEPTED


def _conflict(story: RequestStory, event: e.Conflict) -> None:
    story.error = ServiceError(None, "CONFLICT", event.reason, None)
    story.state = RequestState.CONFLICT


def _suspected(story: RequestStory, event: e.Suspected) -> None:
    del event
    story.attempts += 1
    story.state = RequestState.IN_DOUBT


def _doubled(story: RequestStory, event: e.Doubled) -> None:
    what = "more than one job has the request's name" if len(event.job_ids) > 1 else "a job was made after all"
    reason = f"{what}: {', '.join(event.job_ids)}"
    story.error = ServiceError(None, "CONFLICT", reason, None)
    story.state = RequestState.CONFLICT


def _withdrawn(story: RequestStory, event: e.Withdrawn) -> None:
    del event
    story.state = RequestState.WITHDRAWN


def _given_up(story: RequestStory, event: e.GivenUp) -> None:
    before = f"; first: {story.error.message}" if story.error else ""
    story.error = ServiceError(None, "UNKNOWN", event.reason + before, None)
    story.state = RequestState.GIVEN_UP


def _job_read(story: RequestStory, event: e.JobRead) -> None:
    story.job = event.job


def _settled(story: RequestStory, event: e.Settled) -> None:
    story.outcomes = event.outcomes
    story.state = RequestState.SETTLED


_HANDLERS: dict[type, Callable[[RequestStory, Any], None]] = {
    e.Intended: _intended,
    e.Lapsed: _lapsed,
    e.Throttled: _throttled,
    e.Refused: _refused,
    e.InDoubt: _in_doubt,
    e.Suspected: _suspected,
    e.Doubled: _doubled,
    e.NotFound: _not_found,
    e.Accepted: _accepted,
    e.Adopted: _adopted,
    e.Conflict: _conflict,
    e.GivenUp: _given_up,
    e.Withdrawn: _withdrawn,
    e.JobRead: _job_read,
    e.Settled: _settled,
}
