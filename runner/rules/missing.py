"""What to make of a job that was accepted, and that the service does not know when it is asked for: the list may show it.

A job may take a while to be known everywhere, and one that is listed is at work, whatever a read of it says. So it is lost
only if it was missing for long enough, and a list does not show it either, or shows it as deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.rules.outcomes import DELETED
from runner.rules.reads import UNREADABLE_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.model import JobRow
    from runner.rules.reads import ReadHistory


@dataclass(frozen=True, slots=True)
class NotLost:
    """It is not known that the job is gone: it is read again."""

    seen: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The service neither knows the job nor lists it, or lists it as deleted."""

    seen: str


def judge_missing(
    job_id: str, rows: Iterable[JobRow], unproven: str | None, history: ReadHistory, now: float
) -> NotLost | Lost:
    """What a look in the list says of a job that was missing in the reads of `history`.

    `rows` are those that may be about it; `unproven` is why the list proves nothing of a job that it does not show. What is
    not proven for ten minutes never is.
    """
    missing_s = now - history.missing_since
    seen = f"the service does not know job {job_id} ({history.missing} reads in {missing_s:.0f} s)"
    row = next((row for row in rows if row.job_id == job_id), None)
    if row is not None and row.status == DELETED:
        return Lost(f"job {job_id} was deleted: it is listed as {DELETED}")
    if row is not None:
        return NotLost(f"{seen}, but lists it {f'as {row.status}' if row.status else 'without a status'}")
    if unproven is None:
        return Lost(f"{seen}, nor lists it")
    seen = f"{seen}, nor lists it, which proves nothing: {unproven}"
    return NotLost(seen) if missing_s < UNREADABLE_S else Lost(seen)
