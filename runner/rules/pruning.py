"""Which runs of the past may be forgotten: those that are old, over, and that nothing which goes on leans on."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.model import RunState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class KeptFor(StrEnum):
    """Why an old run stays, in words."""

    OPEN = "not over"
    LEASES = "holds servers"
    SLOT = "has the newest slot of its campaign"
    FAMILY = "of the family of a run that is not over"
    NEWEST = "among the newest of its campaign"


class PrunedRow(NamedTuple):
    """What is asked of a run. `started_at` is epoch seconds; `simulated` is None where that is not known."""

    id: str
    campaign: str
    started_at: float
    state: RunState
    simulated: bool | None


class Needed(NamedTuple):
    """Runs that stay whatever their age: those that hold servers, have a slot that is current, or are kin of an open one."""

    leases: Collection[str]
    slots: Collection[str]
    families: Collection[str]


def is_open(row: PrunedRow) -> bool:
    """Whether the run goes on, or may be gone on with. A rehearsal cannot be, once its process has ended."""
    if row.state is RunState.RUNNING:
        return True
    return not row.state.is_over and row.simulated is False


def choose(
    rows: Sequence[PrunedRow], before: float, keep: int, needed: Needed
) -> tuple[list[PrunedRow], dict[KeptFor, int]]:
    """The runs to forget of those that started before a time (epoch seconds); and of the others of those, how many stay why.

    `rows` are all runs, newest first. The newest `keep` of each campaign stay.
    """
    seen: Counter[str] = Counter()
    gone: list[PrunedRow] = []
    kept: Counter[KeptFor] = Counter()
    for row in rows:
        seen[row.campaign] += 1
        if row.started_at >= before:
            continue
        why = _why_kept(row, needed, is_among_newest=seen[row.campaign] <= keep)
        if why is None:
            gone.append(row)
        else:
            kept[why] += 1
    return gone, dict(kept)


def _why_kept(row: PrunedRow, needed: Needed, *, is_among_newest: bool) -> KeptFor | None:
    if is_open(row):
        return KeptFor.OPEN
    reasons = {
        KeptFor.LEASES: row.id in needed.leases,
        KeptFor.SLOT: row.id in needed.slots,
        KeptFor.FAMILY: row.id in needed.families,
        KeptFor.NEWEST: is_among_newest,
    }
    return next((why for why, holds in reasons.items() if holds), None)
