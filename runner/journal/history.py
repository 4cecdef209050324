"""What a store tells of runs that are over: families, later runs, slots; and how they are pruned.

`sqlite_history.py` and `memory_history.py` implement it. What it costs grows with the runs that are asked for, and not
with their plans and journals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.model import RunState


class PastRun(NamedTuple):
    """A run that may tell of servers. `digests` are those of its plan (`runner.plan.digests`); None: they are not known.

    `seq` grows from run to run, in the order in which they were made. `sent` is False where the journal shows that no
    server can have been touched.
    """

    id: str
    seq: int
    plan_hash: str
    digests: bytes | None
    sent: bool


class SlotRow(NamedTuple):
    """The run that has a slot. Of one that was pruned this is all that is left: `counts` is None then."""

    run_id: str
    campaign: str
    state: RunState
    counts: Mapping[str, int] | None


class RunHistory(Protocol):
    """The past of a store."""

    def family(self, run_id: str) -> list[str]:
        """The ids of all runs that were retried from one another, this one among them, in the order they were made."""
        ...

    def parents(self, run_id: str) -> tuple[str, ...]:
        """The runs that a run does again in part."""
        ...

    def later(self, campaign: str | None, after: int, *, simulated: bool) -> Iterator[PastRun]:
        """The runs of a campaign (None: of all) that were made after the one with `seq` `after`, the newest first.

        Either only rehearsals, or none; a run of which that is not known has no events, and is left out.
        """
        ...

    def slot(self, once_key: str) -> SlotRow | None:
        """The run that has a slot, or had it when it was pruned; None: nobody ever had it."""
        ...

    def slot_keepers(self) -> set[str]:
        """The runs that have the newest slot of their campaign."""
        ...

    def delete(self, run_ids: Sequence[str]) -> None:
        """Forget runs, their journals, their commands, and plans that no other run has. Their slots stay taken."""
        ...

    def plans_without_run(self, before: float) -> list[str]:
        """The hashes of plans that no run has, and that were last saved before `before`, epoch seconds."""
        ...

    def delete_plan(self, plan_hash: str) -> None:
        """Forget a plan, if no run has it."""
        ...

    def size(self) -> int:
        """The bytes of the store, with those that are free inside it."""
        ...

    def shrink(self) -> None:
        """Give the space inside the store back to the system. Nobody can write meanwhile."""
        ...
