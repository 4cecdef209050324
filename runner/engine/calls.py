"""Calls as one lane makes them with a credential that all lanes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.rules.answers import Created, ReadFailed
from runner.rules.refusals import UNAUTHENTICATED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.credential import Credential
    from runner.model import Job, JobPage, ListedPage
    from runner.rules.answers import Answer, Refusal, ServiceError

    Slot = Callable[[], Awaitable[bool]]


class Call:
    """A call that has begun. It is of the `round` between two refusals; `is_alone` while there is doubt.

    `has_left`: it may have reached the service, once at least. `is_told`: that it was refused is known already. Then it
    `is_counted`, or came together with one that is, and `is_noted` for other processes.
    """

    __slots__ = ("_lane", "has_left", "is_alone", "is_counted", "is_noted", "is_told", "round")

    def __init__(self, lane: LaneCredential, number: int, *, is_alone: bool) -> None:
        self._lane = lane
        self.round = number
        self.is_alone = is_alone
        self.has_left = self.is_told = self.is_counted = self.is_noted = False

    def refused(self) -> None:
        """It was refused, and may come back with another proof: no other one leaves until it is known what comes of it."""
        self._lane.shared.refused(self, self._lane)

    def leave_now(self) -> bool:
        """Whether it leaves for the first time, and may: no call was refused since it began."""
        if self.has_left:
            return False
        self.has_left = self.round == self._lane.shared.round
        return self.has_left

    async def again(self, still: Callable[[], bool] = lambda: True) -> bool:
        """Whether it may leave once more, because it was refused and there is another proof now.

        It waits for its turn then, as long as it is `still` wanted.
        """
        return self.has_left and await self._lane.shared.again(self, self._lane, still)

    async def anew(self, still: Callable[[], bool]) -> bool:
        """Whether it may leave after all, though another call was refused since it was to leave once more."""
        return await self._lane.shared.anew(self, self._lane, still)

    @property
    def is_overtaken(self) -> bool:
        """Whether another call was refused since it began."""
        return self.round != self._lane.shared.round

    async def leave(self) -> bool:
        """Whether it may leave, as far as the credential goes: for the first time, or once more."""
        return self.leave_now() or await self.again()


class LaneCredential:
    """The calls of one lane. So many creates in a row were refused, and so many reads.

    Lanes count apart, and both kinds: what works elsewhere must not hide that these do not. While it `is_doubted`, calls are
    made one at a time.
    """

    def __init__(self, shared: Credential) -> None:
        self.shared = shared
        self.refused_creates = self.refused_reads = self.in_flight = 0
        self.is_doubted = True

    @property
    def is_one_by_one(self) -> bool:
        """Whether calls wait for each other: while there is doubt, and until those that waited then have had their turn."""
        return self.is_doubted or self.shared.is_queue

    @property
    def is_exhausted(self) -> bool:
        """Whether too many calls were refused, in this process or before, for another one to be made soon."""
        return self.shared.is_exhausted

    @property
    def refused_in_a_row(self) -> int:
        """How many calls of a kind in a row were refused; as many as may be where there may be no more calls at all."""
        if self.shared.is_exhausted:
            return UNAUTHENTICATED_LIMIT
        return max(self.refused_creates, self.refused_reads)

    @property
    def refusal(self) -> ReadFailed:
        """The last refused call, as an answer to those who call no more."""
        return self.shared.refusal

    def why(self, error: ServiceError) -> ServiceError:
        """Why the lane stops, after a call with this error."""
        return self.shared.refusal.error if self.shared.is_exhausted else error

    def refuse(self, answer: Refusal | ReadFailed) -> None:
        """A call of the lane was refused."""
        if isinstance(answer, ReadFailed):
            self.refused_reads += 1
        else:
            self.refused_creates += 1

    def work(self, answer: object) -> None:
        """A call of the lane worked."""
        if isinstance(answer, Created):
            self.refused_creates = 0
        else:
            self.refused_reads = 0

    async def enter(self, slot: Slot, still: Callable[[], bool] = lambda: True) -> Call | None:
        """See `Credential.enter`."""
        return await self.shared.enter(self, slot, still)

    def begin(self) -> Call:
        """Begin a call at once: for who has seen that there is no doubt."""
        return self.shared.begin(self)

    def end(self, call: Call, answer: Answer | Job | JobPage | ListedPage | ReadFailed | None) -> None:
        """A call is over; None: it was not made after all, or not waited for."""
        self.shared.end(call, self, answer)
