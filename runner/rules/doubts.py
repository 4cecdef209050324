"""How a request in doubt is settled: by looking its job up by name, never by simply sending it again (api-facts 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.model import Job

LOOKUPS_BEFORE_SENDING_AGAIN = 2
# How often the settle time may pass without one answered lookup before the request is given up as unknown.
_DEADLINE_SETTLE_TIMES = 40
_MIN_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class LookUpAgain:
    """Not decided yet: look again at `at`, epoch seconds."""

    at: float


@dataclass(frozen=True, slots=True)
class SendAgain:
    """No job is there, after the settle time and at least two lookups."""


@dataclass(frozen=True, slots=True)
class Found:
    """Exactly one job has the name: compare its servers, then adopt it."""

    job_id: str


@dataclass(frozen=True, slots=True)
class FoundMore:
    """More than one job has the name: report all of them."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The lookup cannot settle it."""

    reason: str


Judgement = LookUpAgain | SendAgain | Found | FoundMore | GiveUp


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is known of a request in doubt: since when (epoch seconds), and the answered lookups so far."""

    since: float
    lookups: int = 0

    def looked_up(self) -> Inquiry:
        """The inquiry after one more answered lookup."""
        return Inquiry(self.since, self.lookups + 1)


def first_lookup_at(since: float, settle_s: float) -> float:
    """When to look first: soon, for most doubts are over in a moment, yet not before a list can show the job."""
    return since + min(2.0, settle_s / 4)


def judge(
    inquiry: Inquiry, job_ids: Sequence[str] | None, *, now: float, settle_s: float, may_resend: bool
) -> Judgement:
    """What to make of a lookup. `job_ids` are the jobs of exactly that name; None: the lookup itself failed.

    `inquiry` already counts this lookup if it was answered. `may_resend` is False when no attempt is left.
    """
    if job_ids:
        found = tuple(sorted(set(job_ids)))
        return Found(found[0]) if len(found) == 1 else FoundMore(found)
    if job_ids is None:
        return _unanswered(now, inquiry, settle_s)
    if now - inquiry.since < settle_s or inquiry.lookups < LOOKUPS_BEFORE_SENDING_AGAIN:
        return LookUpAgain(max(inquiry.since + settle_s, now + min(1.0, settle_s / 4)))
    return SendAgain() if may_resend else GiveUp("no job was found, and no attempt is left; it may still appear")


def _unanswered(now: float, inquiry: Inquiry, settle_s: float) -> Judgement:
    waited = now - inquiry.since
    if waited > max(_DEADLINE_SETTLE_TIMES * settle_s, _MIN_DEADLINE_S):
        return GiveUp("the job list could not be read, so what became of the request is not known")
    return LookUpAgain(now + max(1.0, min(60.0, waited / 2)))


def has_other_servers(job: Job, server_ids: Iterable[str]) -> bool:
    """Whether the job works on servers that the request did not name. Tasks not shown yet prove nothing."""
    return not {task.server_id for task in job.tasks} <= set(server_ids)
