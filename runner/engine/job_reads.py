"""How the reads of one lane's jobs went: each job's own, and those of all since one was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.rules.answers import ReadFailures
from runner.rules.reads import ReadHistory, Unreadable, after_failure

if TYPE_CHECKING:
    from runner.rules.answers import ReadFailed
    from runner.rules.reads import ReadLimits

_NEVER_FAILED = ReadHistory()


class JobReads:
    """Jobs are named by their request. Times are epoch seconds by the run's clock."""

    def __init__(self) -> None:
        self._histories: dict[int, ReadHistory] = {}
        self._made: dict[int, int] = {}
        self._failures: dict[int, ReadFailures] = {}
        self._row = _NEVER_FAILED  # reads of any job that failed since one was read
        self._last: ReadFailed | None = None

    @property
    def is_any_read(self) -> bool:
        """Whether the last read of all showed something."""
        return not self._row.failed

    def of(self, request: int) -> ReadHistory:
        """The job's history."""
        return self._histories.get(request, _NEVER_FAILED)

    def is_pending(self, request: int) -> bool:
        """Whether its last read failed, or was incomplete: the next one comes when the rule for reads says so."""
        return request in self._histories

    def made(self, request: int) -> None:
        """A read of the job is made."""
        self._made[request] = self._made.get(request, 0) + 1

    def worked(self, request: int) -> ReadHistory:
        """It showed the job: what came before."""
        self._row = _NEVER_FAILED
        return self._histories.pop(request, _NEVER_FAILED)

    def incomplete(self, request: int, before: ReadHistory) -> int:
        """It showed the job over, and not all its tasks: for the how many-th time."""
        self._histories[request] = before.after_incomplete()
        return self._histories[request].incomplete

    def failed(self, request: int, failed: ReadFailed, now: float) -> ReadHistory:
        """It failed. The job's history with it."""
        self._row, self._last = _NEVER_FAILED if failed.missing else self._row.after(failed, now), failed
        before = self._failures.get(request)
        self._failures[request] = ReadFailures(1 + (before.failed if before else 0), failed.error, unread=True)
        history = self._histories[request] = self._histories.get(request, _NEVER_FAILED).after(failed, now)
        return history

    def is_hopeless(self, limits: ReadLimits, now: float) -> bool:
        """Whether a job with these limits is given up without a read of its own, for no job at all can be read.

        Where calls are throttled for ever, its own turn might not come for hours.
        """
        if not self._row.failed or self._last is None:
            return False
        return isinstance(after_failure(self._row, self._last, limits, now=now, refused_in_a_row=0), Unreadable)

    def over(self, request: int, *, unread: bool) -> tuple[int, ReadFailures | None]:
        """The job is over, `unread` or not: how many reads were made of it, and what of those that failed."""
        self._histories.pop(request, None)
        failures = self._failures.pop(request, None)
        if unread and failures is None and self._last is not None:
            failures = ReadFailures(0, self._last.error, unread=True)
        elif failures is not None and not unread:
            failures = ReadFailures(failures.failed, failures.error, unread=False)
        return self._made.pop(request, 0), failures
