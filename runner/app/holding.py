"""The servers that a run holds, so that no other run touches them: taken before it begins, given free when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.journal.store import Leased, RunRecord
from runner.plan.codec import plan_to_json
from runner.run.phases import IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.app.carrying import Work
    from runner.app.host import Host
    from runner.app.running import RunOptions
    from runner.journal.owner import Owner
    from runner.journal.store import OwnedJournal, RunStore
    from runner.run.facts import Facts
    from runner.run.phases import Phase

_LOCK_POLL_S = 0.5
_TOKEN_BYTES = 16


async def open_journal(host: Host, store: RunStore, work: Work, options: RunOptions) -> OwnedJournal:
    """Take a run and its servers for this process.

    Raises:
        Leased: another run holds some of them, and went on holding them for `options.wait_for_lock_s`.
        SlotTaken: another run has the slot of a new one.
        RunIsOpen: another process carries the run out.
    """
    owner = host.identity(host.chance.randbytes(_TOKEN_BYTES).hex())
    if work.is_new:
        store.save_plan(work.plan.plan_hash, plan_to_json(work.plan))
        record = _record(work, options, owner)
        await _patiently(host, options, lambda: store.create_run(record))
    else:
        servers = _servers_to_do(work.state)
        await _patiently(host, options, lambda: store.lease(work.run_id, servers))
    return store.open_run(work.run_id, owner)


def let_go(store: RunStore, work: Work) -> None:
    """Give the servers of a run free; of one that is not over, all but those that its jobs may be working on."""
    state = work.state
    is_over = state.ended is not None and state.ended.is_over
    store.release(work.run_id, keep=() if is_over else _servers_at_work(state))


def _record(work: Work, options: RunOptions, owner: Owner) -> RunRecord:
    plan = work.plan
    return RunRecord(
        id=work.run_id,
        campaign=plan.campaign,
        plan_hash=plan.plan_hash,
        created_at=work.clock.now(),
        owner=owner,
        servers=_servers_to_do(work.state) if options.behaviour is None else [],
        lease_s=plan.watch.job_timeout_s,
        once_key=options.once_key,
    )


async def _patiently(host: Host, options: RunOptions, lease: Callable[[], None]) -> None:
    """Lease servers; where another run holds some, for as long as the user is ready to wait."""
    until = host.clock.monotonic() + options.wait_for_lock_s
    while True:
        try:
            return lease()
        except Leased:
            if host.clock.monotonic() >= until:
                raise
        await host.clock.sleep(_LOCK_POLL_S)


def _servers_to_do(state: Facts) -> list[str]:
    """Those of every request that is not over."""
    return _servers_in(state, lambda phase: not phase.is_over)


def _servers_at_work(state: Facts) -> list[str]:
    """Those that a job of ours may be working on."""
    return _servers_in(state, IN_FLIGHT.__contains__)


def _servers_in(state: Facts, chosen: Callable[[Phase], bool]) -> list[str]:
    requests = (request for request, phase in enumerate(state.phases) if chosen(phase))
    return list(dict.fromkeys(server.id for request in requests for server in state.requests.servers_of(request)))
