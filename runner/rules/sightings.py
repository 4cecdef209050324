"""What a look at the service tells of a request of a run that no process carries out any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.rules.outcomes import FINISHED, JobEnding, Outcomes, is_finished, worst_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Job


@dataclass(frozen=True, slots=True)
class AtWork:
    """A job of it is not over."""

    seen: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Its jobs are all over, and so its servers came out."""

    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class NoJob:
    """It made no job: a list proves it."""


@dataclass(frozen=True, slots=True)
class NotProven:
    """None of these is known."""

    why: str


Sighting = AtWork | Ended | NoJob | NotProven


def judge_jobs(jobs: Sequence[Job], server_ids: Sequence[str]) -> AtWork | Ended | NotProven:
    """What all the jobs of one request say of its servers, or of some of them. A second job must not hide the first."""
    for job in jobs:
        if not is_finished(job, server_ids):
            shown = "no final task of all its servers" if job.status == FINISHED else job.status or "no status"
            return AtWork(f"job {job.job_id} shows {shown}")
    return Ended(worst_of([Outcomes.of_job(server_ids, job, JobEnding.FINISHED) for job in jobs]))
