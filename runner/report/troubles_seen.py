"""Troubles of servers as they are seen while a run goes on: how many ended alike, the most frequent first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.rules.outcomes import FINAL_TASK
from runner.rules.signatures import signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.model import Task
    from runner.run import events as e
    from runner.run.facts import Facts

# So many kinds of trouble are told apart, and so many are shown.
_MOST, _SHOWN = 200, 3
_OTHERS = "other reasons"


class TroublesSeen:
    """Counts servers that failed or were skipped, by what was said of them."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._counts: Counter[tuple[Outcome, str]] = Counter()

    def take(self, event: e.JobRead) -> None:
        """A job is over, and this is what the service said of it."""
        if not self._facts.is_main(event.request):
            return
        for task in event.job.tasks:
            outcome = FINAL_TASK.get(task.status)
            if outcome is not None and outcome is not Outcome.SUCCEEDED:
                said = _said(task)
                is_new = (outcome, said) not in self._counts
                self._counts[outcome, _OTHERS if is_new and len(self._counts) >= _MOST else said] += 1

    def lines(self) -> Iterator[str]:
        """The most frequent, a line each."""
        for (outcome, said), count in self._counts.most_common(_SHOWN):
            yield f"{count:,} {outcome.value}: {said}"


def _said(task: Task) -> str:
    return signature(without_own_name(task.message or "the service gives no reason", task.server_id, task.server_name))


def without_own_name(message: str, *own: str | None) -> str:
    """A message about a server without its name and id, which tell nothing apart."""
    for name in filter(None, own):
        message = message.replace(name, "<server>")
    return message
