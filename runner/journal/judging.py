"""What one process makes of the owners of runs that it wants, or wants the servers of: the same in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.journal.ownership import OwnerStanding, Seen, Sign, judge, seems_alive, shown_state, silent_s
from runner.journal.store import Leased, LeaseRow, OwnershipLost, RunIsOpen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.journal.owner import Moment, Owner
    from runner.journal.ownership import Claim, Judgement
    from runner.model import RunState

    IsAlive = Callable[[Owner], bool | None]

# The longest time between two looks, seconds: after a longer one, who looks may itself have been frozen.
_LONGEST_GAP_S = 3.0


class Lookout:
    """What one process has seen of the owners of runs, by its own eyes."""

    def __init__(self) -> None:
        self._looks: dict[str, _Look] = {}

    def look(self, run_id: str, sign: Sign, now: float) -> tuple[float, bool]:
        """Note a look. Return for how long no sign of life was seen, seconds, and whether one was seen before that.

        A long time between two looks begins anew: the one who looks may have been frozen.
        """
        before = self._looks.get(run_id)
        if before is None or now - before.last > _LONGEST_GAP_S or before.sign.token != sign.token:
            look = _Look(sign, now, now, renewed=False)
        elif before.sign != sign:
            look = _Look(sign, now, now, renewed=True)
        else:
            look = before._replace(last=now)
        self._looks[run_id] = look
        return now - look.since, look.renewed


class _Look(NamedTuple):
    sign: Sign
    since: float
    last: float
    renewed: bool


class Judge:
    """Asks the rules about other owners. `moment` and `alive` are those of `owner.py`; `wall` gives epoch seconds.

    `first_seen` is what a store has to keep: when the last sign of life of a run was first seen by this clock.
    """

    def __init__(
        self, moment: Callable[[], Moment], wall: Callable[[], float], alive: IsAlive, takeover_s: float
    ) -> None:
        self._moment = moment
        self._wall = wall
        self._is_alive = alive
        self._takeover_s = takeover_s
        self._lookout = Lookout()
        self.first_seen: dict[str, Seen] = {}

    def refuse_living_owner(self, claim: Claim) -> None:
        """Look at who owns a run.

        Raises:
            RunIsOpen: a process that may be alive.
        """
        judgement = self._judged(claim)
        if claim.owner is not None and judgement.standing.may_live:
            raise RunIsOpen(claim.run_id, claim.owner, look_again=judgement.standing is OwnerStanding.SILENT)

    def refuse_taking(self, claim: Claim, token: str, known: str | None) -> None:
        """Look at who owns a run that is to be owned with a token; `known` is that with which this process made it.

        Raises:
            RunIsOpen: a process that may be alive owns it.
            OwnershipLost: it was made with that token, and has been taken away since.
        """
        if claim.sign.token == token:
            return
        if known == token:
            raise OwnershipLost(claim.run_id)
        self.refuse_living_owner(claim)

    def refuse_kept_servers(self, claim: Claim, servers: Sequence[str]) -> None:
        """Look at a run that these servers are leased to.

        Raises:
            Leased: they are still its own.
        """
        judgement = self._judged(claim)
        if judgement.keeps_servers(claim.lease_s):
            look_again = judgement.is_worth_looking(claim.lease_s)
            raise Leased(claim.run_id, servers, look_again=look_again, until=self._held_until(claim))

    def shown_state(self, claim: Claim, noted: str | None, journal_says: str | None) -> RunState:
        """What to call a run in a list: `noted` is how it ended, as somebody said, `journal_says` how its journal ends."""
        return shown_state(noted, owner_lives=self.seems_alive(claim), journal_says=journal_says)

    def lease_row(self, claim: Claim, servers: int, state: RunState) -> LeaseRow:
        """A run that holds servers, for a list."""
        return LeaseRow(claim.run_id, servers, state, self._held_until(claim))

    def _held_until(self, claim: Claim) -> float | None:
        if self.seems_alive(claim):
            return None
        return self._wall() + claim.lease_s - (silent_s(claim, self._moment()) or 0.0)

    def _judged(self, claim: Claim) -> Judgement:
        now = self._moment()
        looked = self._lookout.look(claim.run_id, claim.sign, now.at)
        judgement = judge(claim, now, looked, alive=self._alive(claim), takeover_s=self._takeover_s)
        if judgement.silent_s is None:
            self.first_seen[claim.run_id] = Seen(now, claim.sign)
        return judgement

    def seems_alive(self, claim: Claim) -> bool:
        """Whether a process has the run open that may be alive."""
        alive = self._alive(claim)
        return seems_alive(claim, self._moment(), self._wall(), alive=alive, takeover_s=self._takeover_s)

    def _alive(self, claim: Claim) -> bool | None:
        return None if claim.owner is None else self._is_alive(claim.owner)
