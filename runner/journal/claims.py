"""Claims on runs as SQLite keeps them: columns in, columns out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from runner.journal.owner import Moment, Owner
from runner.journal.ownership import Claim, Seen, Sign

if TYPE_CHECKING:
    from collections.abc import Sequence


def claim_of(row: Sequence[Any]) -> Claim:
    """The claim that a row of the query `claims` tells of."""
    run_id, host, pid, start, token, machine, renewals, heartbeat_at, clock, at, seen, lease_s, last_seq = row
    owner = None if token is None else Owner(host, pid, start, token, machine or "")
    sign = Sign(token, renewals, heartbeat_at, last_seq)
    return Claim(run_id, owner, sign, Moment(clock, at), _seen(seen), lease_s)


def owner_columns(owner: Owner | None) -> dict[str, Any]:
    """The values for an owner; all NULL for none."""
    if owner is None:
        return dict.fromkeys(("host", "pid", "start", "token", "machine"))
    start = owner.process_start
    return {"host": owner.host, "pid": owner.pid, "start": start, "token": owner.token, "machine": owner.machine}


def renewal_columns(moment: Moment, wall: float) -> dict[str, Any]:
    """The values for a renewal; `wall` is epoch seconds."""
    return {"clock": moment.clock, "at": moment.at, "wall": wall}


def seen_text(seen: Seen) -> str:
    """The value of the column `seen`."""
    return orjson.dumps([*seen.moment, *seen.sign]).decode()


def _seen(text: str | None) -> Seen | None:
    if text is None:
        return None
    clock, at, *sign = orjson.loads(text)
    return Seen(Moment(clock, at), Sign(*sign))
