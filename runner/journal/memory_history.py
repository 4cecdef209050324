"""The past of runs in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.journal.history import PastRun, SlotRow
from runner.model import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runner.journal.store import RunRecord, RunRow

    Records = Mapping[str, RunRecord]


class SavedPlan:
    """A plan as it is kept."""

    def __init__(self, body: bytes, digests: bytes | None, saved_at: float) -> None:
        self.body = body
        self.digests = digests
        self.saved_at = saved_at


class MemoryHistory:
    """The past of a memory store, whose own `plans` and `slots` are.

    `row_of` tells of a run, `sent` whether it sent anything, `forget` drops one.
    """

    def __init__(
        self,
        plans: dict[str, SavedPlan],
        slots: Mapping[str, str],
        records: Callable[[], list[RunRecord]],
        row_of: Callable[[str], RunRow],
        sent: Callable[[str], bool],
        forget: Callable[[str], None],
    ) -> None:
        self._plans = plans
        self._slots = slots
        self._records = records
        self._row_of = row_of
        self._sent = sent
        self._forget = forget
        self._pruned: dict[str, SlotRow] = {}

    def family(self, run_id: str) -> list[str]:
        """The ids of all runs that were retried from one another."""
        family: set[str] = {run_id}
        while True:
            kin = {r.id for r in self._records() if r.id in family or family & set(r.parents)}
            kin |= {parent for r in self._records() if r.id in kin for parent in r.parents}
            if kin <= family:
                return [r.id for r in self._records() if r.id in family]
            family |= kin

    def parents(self, run_id: str) -> tuple[str, ...]:
        """The runs that a run does again in part."""
        return next((tuple(r.parents) for r in self._records() if r.id == run_id), ())

    def later(self, campaign: str | None, after: int, *, simulated: bool) -> Iterator[PastRun]:
        """The later runs of a campaign, or of all, the newest first."""
        for record in reversed(self._records()):
            seq = self._row_of(record.id).seq
            if campaign in {None, record.campaign} and record.simulated == simulated and seq > after:
                plan = self._plans.get(record.plan_hash)
                yield PastRun(record.id, seq, record.plan_hash, plan.digests if plan else None, self._sent(record.id))

    def slot(self, once_key: str) -> SlotRow | None:
        """The run that has a slot."""
        run_id = self._slots.get(once_key, "")
        if run_id not in {record.id for record in self._records()}:
            return self._pruned.get(once_key)
        row = self._row_of(run_id)
        return SlotRow(run_id, row.campaign, row.state, row.counts)

    def slot_keepers(self) -> set[str]:
        """The runs that have the newest slot of their campaign."""
        return set({r.campaign: r.id for r in self._records() if r.once_key is not None}.values())

    def delete(self, run_ids: Sequence[str]) -> None:
        """Forget runs; their slots stay taken."""
        for run_id in run_ids:
            row = self._row_of(run_id)
            taken = [once_key for once_key, holder in self._slots.items() if holder == run_id]
            self._pruned |= dict.fromkeys(taken, SlotRow(run_id, row.campaign, RunState(row.state), None))
            self._forget(run_id)
            self.delete_plan(row.plan_hash)

    def plans_without_run(self, before: float) -> list[str]:
        """The hashes of plans that no run has."""
        used = {record.plan_hash for record in self._records()}
        return [name for name, plan in self._plans.items() if name not in used and plan.saved_at < before]

    def delete_plan(self, plan_hash: str) -> None:
        """Forget a plan, if no run has it."""
        if plan_hash not in {record.plan_hash for record in self._records()}:
            self._plans.pop(plan_hash, None)

    def size(self) -> int:
        """The bytes of all plans."""
        return sum(len(plan.body) for plan in self._plans.values())

    def shrink(self) -> None:
        """Nothing is kept longer than it has to be."""
