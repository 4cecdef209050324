"""How a request in doubt is settled: by looking its job up by name, never by simply sending it again (api-facts 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.rules.reads import ReadHistory, ReadLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.model import Job, JobRow
    from runner.rules.answers import ReadFailed
    from runner.rules.names import NameManner

LOOKUPS_BEFORE_SENDING_AGAIN = 2


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
    """What is known of a request in doubt: since when (epoch seconds), and the answered lookups so far.

    `row` is the one job that the list showed, from then on only that is read: were it deleted, the list might show it no
    more, and the request must not be sent again. `reads` is of the list until then, and of that job after.
    """

    since: float
    lookups: int = 0
    row: JobRow | None = None
    reads: ReadHistory = ReadHistory()  # noqa: RUF009  it cannot be changed

    def looked_up(self) -> Inquiry:
        """The inquiry after one more answered lookup."""
        return replace(self, lookups=self.lookups + 1, reads=ReadHistory())

    def read_failed(self, failed: ReadFailed, now: float) -> Inquiry:
        """The inquiry after a read that failed."""
        return replace(self, reads=self.reads.after(failed, now))


def first_lookup_at(since: float, settle_s: float) -> float:
    """When to look first: soon, for most doubts are over in a moment, yet not before a list can show the job."""
    return since + min(2.0, settle_s / 4)


def judge(inquiry: Inquiry, job_ids: Sequence[str], *, now: float, settle_s: float, may_resend: bool) -> Judgement:
    """What to make of an answered lookup, which `inquiry` counts already. `job_ids` are the jobs of exactly that name.

    `may_resend` is False when no attempt is left.
    """
    if job_ids:
        found = tuple(sorted(set(job_ids)))
        return Found(found[0]) if len(found) == 1 else FoundMore(found)
    if now - inquiry.since < settle_s or inquiry.lookups < LOOKUPS_BEFORE_SENDING_AGAIN:
        return LookUpAgain(max(inquiry.since + settle_s, now + min(1.0, settle_s / 4)))
    return SendAgain() if may_resend else GiveUp("no job was found, and no attempt is left; it may still appear")


def read_limits(settle_s: float, outage_s: float) -> ReadLimits:
    """How long a request in doubt may wait for a read that does not fail."""
    return ReadLimits(reads=2, over_s=outage_s, settle_s=settle_s)


def give_up(inquiry: Inquiry, failed: ReadFailed, now: float) -> GiveUp:
    """The end of an inquiry whose reads all failed, with what was seen."""
    reads, row = inquiry.reads, inquiry.row
    if row is None:
        return GiveUp(
            f"the job list proves nothing ({_tries(reads.failed, now - reads.since)}): {failed.error.message}"
        )
    seen = f"job {row.job_id} has the request's name, listed {f'as {row.status}' if row.status else 'without a status'}"
    if reads.missing and failed.missing:
        tries = _tries(reads.missing, now - reads.missing_since)
        return GiveUp(f"{seen}, but the service does not know it ({tries}): {failed.error.message}")
    return GiveUp(f"{seen}, but could not be read ({_tries(reads.failed, now - reads.since)}): {failed.error.message}")


def _tries(reads: int, over_s: float) -> str:
    return f"{reads} reads in {over_s:.0f} s"


def about_another(
    job: Job, *, sent: str, server_ids: Iterable[str], manner: NameManner, is_known: Callable[[str], bool]
) -> str | None:
    """Why a job that was shown as the request's, which was given the name `sent`, may be another one; None if it is not.

    Tasks that it does not show prove nothing. Without a name nothing says whose it is.
    """
    if job.name is None:
        return f"job {job.job_id} shows no name"
    if is_known(job.job_id):
        return f"job {job.job_id} is that of an earlier request"
    if not manner.is_of(sent, job.name):
        return f"job {job.job_id} has the name {job.name!r}, not {sent}"
    if has_other_servers(job, server_ids):
        return f"job {job.job_id} works on servers that the request did not name"
    return None


def has_other_servers(job: Job, server_ids: Iterable[str]) -> bool:
    """Whether the job works on servers that the request did not name. Tasks not shown yet prove nothing."""
    return bool(job.tasks) and not {task.server_id for task in job.tasks} <= set(server_ids)
