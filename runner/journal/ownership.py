"""Who lives, who may be replaced, and for how long servers stay leased: the rules of every store.

An owner is what it proves. It renews its ownership every `HEARTBEAT_S`, and sends nothing once its last renewal is older
than `LEASE_S`; it may be replaced when it has not renewed for `TAKEOVER_S`. That its process is certainly gone is a
proof as well. That a process is there proves nothing: it may be frozen.

Silence is measured by clocks that nobody can set. Where the owner and the one who wants its run read one clock (one boot
of one machine), a renewal carries its time. Elsewhere silence counts from when somebody of this clock first saw the last
sign of life. In either case the one who takes must itself have looked on for `LOOK_S` and have seen no sign: a store that
was locked until a moment ago, or a machine that was asleep, makes everybody look silent.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from runner.model import RunState

if TYPE_CHECKING:
    from runner.journal.owner import Moment, Owner

HEARTBEAT_S = 5.0
"""How often an open journal renews its ownership, seconds."""

LEASE_S = 20.0
"""For how long after a renewal its owner may send, seconds; what is left until `TAKEOVER_S` is for a send to get out."""

TAKEOVER_S = 30.0
"""An owner that has not renewed for so long, seconds, may be replaced."""

LOOK_S = 2 * HEARTBEAT_S
"""For how long the one who replaces an owner must have looked on itself, seconds: a living one renews meanwhile."""


class Sign(NamedTuple):
    """What changes with every sign of life of an owner.

    Versions before 5 do not count renewals: they set `heartbeat_at` (epoch seconds) while idle, and append while busy.
    """

    token: str | None
    renewals: int
    heartbeat_at: float
    last_seq: int


class Seen(NamedTuple):
    """When a sign was first seen by the clock of somebody who does not share the owner's."""

    moment: Moment
    sign: Sign


class Claim(NamedTuple):
    """What a store knows of a run's ownership.

    `renewed` is when it last was renewed, or given up, by that process's clock. `lease_s` is for how long after that the
    run's servers stay its own.
    """

    run_id: str
    owner: Owner | None
    sign: Sign
    renewed: Moment
    seen: Seen | None
    lease_s: float


class OwnerStanding(Enum):
    """How the owner of a run stands."""

    NOBODY = "nobody has it open"
    GONE = "its process is certainly gone"
    ALIVE = "it renews"
    SILENT = "it has not renewed for a while, or not been seen to: more looking will tell"
    REPLACEABLE = "it did not renew while it should have"

    @property
    def may_live(self) -> bool:
        """Whether the owner must be reckoned with."""
        return self in {OwnerStanding.ALIVE, OwnerStanding.SILENT}


class Judgement(NamedTuple):
    """A standing, and for how long there certainly was no sign of life, seconds; None: that is not known."""

    standing: OwnerStanding
    silent_s: float | None

    def keeps_servers(self, lease_s: float) -> bool:
        """Whether servers leased to the run are still its own."""
        return self.standing.may_live or self.silent_s is None or self.silent_s < lease_s

    def is_worth_looking(self, lease_s: float = 0.0) -> bool:
        """Whether a little more looking may show that the run, or its servers, can be had."""
        return self.standing is OwnerStanding.SILENT and (not lease_s or (self.silent_s or 0.0) >= lease_s)


def silent_s(claim: Claim, now: Moment) -> float | None:
    """For how long there certainly was no sign of life, seconds; None: no clock tells."""
    moments = [claim.renewed]
    if claim.seen is not None and claim.seen.sign == claim.sign:
        moments.append(claim.seen.moment)
    known = [now.at - moment.at for moment in moments if moment.clock == now.clock and now.clock]
    return max((silent for silent in known if silent >= 0), default=None)


def judge(claim: Claim, now: Moment, looked: tuple[float, bool], *, alive: bool | None, takeover_s: float) -> Judgement:
    """How the owner of a run stands, for one who wants it. `looked` is what `Lookout.look` says."""
    silent = silent_s(claim, now)
    if claim.owner is None or alive is False:
        return Judgement(OwnerStanding.NOBODY if claim.owner is None else OwnerStanding.GONE, silent)
    looked_s, renewed = looked
    quiet_s = max(silent or 0.0, looked_s)
    renewed_lately = silent is not None and claim.renewed.clock == now.clock and quiet_s <= LOOK_S
    if renewed_lately or (renewed and looked_s <= LOOK_S):
        return Judgement(OwnerStanding.ALIVE, silent)
    taken = quiet_s >= takeover_s and looked_s >= LOOK_S
    return Judgement(OwnerStanding.REPLACEABLE if taken else OwnerStanding.SILENT, silent)


def seems_alive(claim: Claim, now: Moment, wall: float, *, alive: bool | None, takeover_s: float) -> bool:
    """Whether to show a run as running: a guess from one look, by the wall clock (epoch seconds) where no other tells."""
    if claim.owner is None or alive is False:
        return False
    silent = silent_s(claim, now)
    return (abs(wall - claim.sign.heartbeat_at) if silent is None else silent) <= takeover_s


def shown_state(noted: str | None, *, owner_lives: bool, journal_says: str | None) -> RunState:
    """What to call a run in a list: as its end was noted, or its journal ends; else by whether its process lives.

    One that has just been taken up again ends as its process before left it, and that is what a report says, too: whether
    a process has the run is another question (`RunRow.is_open`).
    """
    return RunState(noted or journal_says or (RunState.RUNNING if owner_lives else RunState.INTERRUPTED))
