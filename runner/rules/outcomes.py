"""What a job's tasks say of its servers. Counts come from tasks, never from the service's arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from runner.model import Outcome

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runner.model import Job

# Task statuses that are final (api-facts 1.4). Any other string, known or not, is not.
FINAL_TASK: dict[str | None, Outcome] = {
    "SUCCESS": Outcome.SUCCEEDED,
    "FAILED": Outcome.FAILED,
    "SKIPPED": Outcome.SKIPPED,
}
FINISHED = "FINISHED"
DELETED = "DELETED"

_LETTER: dict[Outcome, str] = {
    Outcome.SUCCEEDED: "s",
    Outcome.FAILED: "f",
    Outcome.SKIPPED: "k",
    Outcome.TIMED_OUT: "t",
    Outcome.UNKNOWN: "u",
    Outcome.NOT_STARTED: "n",
    Outcome.EXCLUDED: "x",
}
_OUTCOME: dict[str, Outcome] = {letter: outcome for outcome, letter in _LETTER.items()}
_ABNORMAL = "".join(_LETTER[outcome] for outcome in Outcome if outcome.is_abnormal)

# Where a server has several tasks, the worst one counts: a success must not hide a failure.
_WORST_FIRST = (Outcome.FAILED, Outcome.SKIPPED, Outcome.SUCCEEDED)


class JobEnding(StrEnum):
    """Why a job is settled, which decides what its servers without a final task are."""

    FINISHED = "finished"  # every server has a final task
    TIMED_OUT = "timed_out"  # the job timeout passed
    LOST = "lost"  # deleted, or no longer known to the service

    @property
    def open_outcome(self) -> Outcome:
        """The outcome of a server whose task is missing or not final."""
        return Outcome.TIMED_OUT if self is JobEnding.TIMED_OUT else Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the servers of a request ended: one outcome each, in the order of the request. `outcomes_of` makes them.

    `letters` is how events write it: s succeeded, f failed, k skipped, t timed out, u unknown, n not started, x excluded.
    `counts` are servers by outcome, only what there is; `abnormal` is how many servers are.
    """

    letters: str
    counts: Mapping[Outcome, int] = field(compare=False)
    abnormal: int = field(compare=False)

    @classmethod
    def all(cls, outcome: Outcome, count: int) -> Outcomes:
        """So many servers that all ended alike."""
        return outcomes_of(_LETTER[outcome] * count)

    @classmethod
    def of_job(cls, server_ids: Sequence[str], job: Job | None, ending: JobEnding) -> Outcomes:
        """What a job's last reading says of servers; `job` is None where there was none."""
        known = known_outcomes(job) if job else {}
        rest = ending.open_outcome
        return outcomes_of("".join(_LETTER[known.get(server_id) or rest] for server_id in server_ids))

    def __len__(self) -> int:
        return len(self.letters)

    def __iter__(self) -> Iterator[Outcome]:
        return map(_OUTCOME.__getitem__, self.letters)

    def count(self, outcome: Outcome) -> int:
        """How many servers ended so."""
        return self.counts.get(outcome, 0)

    def add_to(self, counts: Counter[Outcome], *, is_last_step: bool) -> None:
        """Count the servers that are over: one that succeeded goes on to the next step, if there is one."""
        for outcome, count in self.counts.items():
            if is_last_step or outcome is not Outcome.SUCCEEDED:
                counts[outcome] += count


# Most jobs end like others of the same size.
@lru_cache(maxsize=1024)
def outcomes_of(letters: str) -> Outcomes:
    """Outcomes as events write them.

    Raises:
        ValueError: there are letters that mean none.
    """
    if letters.strip("".join(_OUTCOME)):
        raise ValueError(f"no outcomes: {letters!r}")
    counts = {_OUTCOME[letter]: letters.count(letter) for letter in sorted(set(letters))}
    return Outcomes(letters, MappingProxyType(counts), sum(map(letters.count, _ABNORMAL)))


def known_outcomes(job: Job) -> dict[str, Outcome | None]:
    """The outcome of each server that the job has a task for; None where a task of it is not final."""
    found: dict[str, Outcome | None] = {}
    for task in job.tasks:
        outcome = FINAL_TASK.get(task.status)
        if task.server_id in found:
            outcome = _worse(found[task.server_id], outcome)
        found[task.server_id] = outcome
    return found


def _worse(one: Outcome | None, other: Outcome | None) -> Outcome | None:
    if one is None or other is None:
        return None
    return min(one, other, key=_WORST_FIRST.index)


def worst_of(several: Sequence[Outcomes]) -> Outcomes:
    """How servers came out that were in several jobs, which are all over: a success must not hide a failure."""
    columns = zip(*(outcomes.letters for outcomes in several), strict=True)
    order = [_LETTER[outcome] for outcome in _WORST_FIRST]
    return outcomes_of("".join(min(letters, key=order.index) for letters in columns))


def is_finished(job: Job, server_ids: Iterable[str]) -> bool:
    """Whether the job is over: it says so, and every server has a final task.

    FINISHED may show before the last task row is final (api-facts 8.13), and does not mean success (api-facts 1.4).
    """
    if job.status != FINISHED:
        return False
    known = known_outcomes(job)
    return all(known.get(server_id) is not None for server_id in server_ids)
