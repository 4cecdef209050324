"""How a strict service counts signatures that it refuses, whichever lane, kind of call or process they come from.

What left before a refusal was known of came together with it. After one a call goes alone; after three in a row there is none
with this credential, but for one after a quarter of an hour, another after twice that, and so on.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.model import Job, JobPage
from runner.rules.answers import Created, ReadFailed

LIMIT = 3
PROBE_AFTER_S = 900.0


class Signatures:
    """The calls of one credential. `now` is epoch seconds, by the wall clock. `may` be refused in a row."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.refused_in_a_row = self.most_in_a_row = self._noted = 0
        self._is_doubted = False
        self.in_flight = 0
        self._now = now
        self._refusals = 0
        self._last_at = 0.0

    def left(self) -> int:
        """A call leaves. Return how many refusals were known."""
        if self._is_doubted:
            assert not self.in_flight, "after a refused signature a call does not go alone"
            waited_s = self._now() - self._last_at
            wait_s = PROBE_AFTER_S * 2 ** max(0, self.refused_in_a_row - LIMIT)
            is_due = self.refused_in_a_row < LIMIT or not 0 <= waited_s < wait_s
            assert is_due, f"{self.refused_in_a_row} signatures in a row were refused, and one more is tried"
        self.in_flight += 1
        return self._refusals

    def store_locked(self) -> None:
        """From now on nothing can be noted, until somebody lets the store go."""
        self._noted = self.refused_in_a_row

    def died(self, *, store_locked: bool) -> None:
        """A process died: of what is on its way nobody hears, nor of what was refused while it could not be noted."""
        self._refusals += 1
        if store_locked:
            self.refused_in_a_row = min(self.refused_in_a_row, self._noted)

    def answered(self, known: int, *, refused: bool, worked: bool, is_old: bool = False) -> None:
        """A call is over that left when so many refusals were known; one `is_old` whose proof had expired."""
        self.in_flight -= 1
        if known != self._refusals:
            return
        if refused:
            self._refusals += 1
            self._is_doubted = True
        if refused and not is_old:
            self.refused_in_a_row += 1
            self.most_in_a_row = max(self.most_in_a_row, self.refused_in_a_row)
            self._last_at = self._now()
        elif worked:
            self.refused_in_a_row, self._is_doubted = 0, False


def has_worked(answer: object) -> bool:
    """Whether the answer shows that the service took the signature."""
    return isinstance(answer, Created | Job | JobPage) or (isinstance(answer, ReadFailed) and answer.missing)
