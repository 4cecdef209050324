"""The servers that a run holds, so that no other run touches them: taken before it begins, given free when it ends."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from runner.app import families
from runner.app.freeing import Freeing
from runner.app.looking_back import LookingBack
from runner.app.owning import LOOK_EVERY_S, Looking, patiently
from runner.app.reporting import places_to_text
from runner.journal.store import RunRecord, StateFolderBusy
from runner.plan.codec import plan_to_json
from runner.plan.digests import plan_digests
from runner.run.by_request import by_request, counts_by_name, tally
from runner.run.excluding import is_to_do
from runner.run.unsure import unsure_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.app.carrying import Work
    from runner.app.host import Host
    from runner.app.reporting import NamedReport
    from runner.app.running import RunOptions
    from runner.journal.owner import Owner
    from runner.journal.store import OwnedJournal, RunStore
    from runner.run.events import LeftOut
    from runner.run.facts import Facts

_TOKEN_BYTES = 16


async def open_journal(host: Host, store: RunStore, work: Work, options: RunOptions) -> OwnedJournal:
    """Take the servers of a run for this process, and a new run itself.

    Of a run that no process carries out, those are taken that nothing of it works on any more, as the service shows.

    Raises:
        Leased: another run holds some of them, and went on holding them for `options.wait_for_lock_s`.
        SlotTaken: another run has the slot of a new one.
    """
    looking = _looking(host, options, options.wait_for_lock_s)
    looking_back = LookingBack(host, store, options.ca_bundle, options.try_credential)
    give_free = Freeing(looking_back, partial(_say, options)).give_free
    if work.journal is not None:
        await patiently(host.clock, looking, partial(_lease_the_rest, store, work, options.report.kept), give_free)
        return work.journal
    owner = _owner(host)
    await patiently(host.clock, looking, _creation(store, work, _record(work, options, owner)), give_free)
    return store.open_run(work.run_id, owner)


async def own(host: Host, store: RunStore, run_id: str, options: RunOptions) -> OwnedJournal:
    """Take a run that is to go on, before it is read: what is read then is all there is, and nobody adds to it.

    Raises:
        RunIsOpen: another process carries the run out.
    """
    owner = _owner(host)
    return await patiently(host.clock, _looking(host, options, 0.0), lambda: store.open_run(run_id, owner))


def _owner(host: Host) -> Owner:
    return host.identity(host.chance.randbytes(_TOKEN_BYTES).hex())


def _creation(store: RunStore, work: Work, record: RunRecord) -> Callable[[], None]:
    """Make the run, with its plan anew each time: a plan that has no run may be pruned while servers are waited for."""
    body, digests = plan_to_json(work.plan), plan_digests(work.plan)

    def create() -> None:
        store.save_plan(work.plan.plan_hash, body, digests)
        store.create_run(record)

    return create


def _lease_the_rest(store: RunStore, work: Work, reports: Sequence[NamedReport]) -> None:
    """Lease what other runs of the family have not taken or done; from then on reports have the places they were given."""
    kept = {server for event in left_to_family(store, work) for server in event.servers}
    store.lease(work.run_id, [server for server in _servers_to_do(work.state) if server not in kept])
    text = places_to_text(reports)
    if text is not None:
        store.keep_report(work.run_id, text)


def left_to_family(store: RunStore, work: Work) -> list[LeftOut]:
    """The servers that the run must leave to other runs of its family. Certain only once its own are leased to it."""
    return families.left_out(store, work.run_id, work.state, work.clock.now())


def let_go(store: RunStore, work: Work) -> None:
    """Give the servers of a run free, and note how it ended.

    Those are kept that its jobs may be working on, as far as is known: also those of requests given up, and of jobs
    that were not seen to end. Where a second job was found of servers that were given free before, they are taken again, if
    nobody else has them. A process that is ended at once leaves no end in the journal, and so none in the list.
    """
    state, every = work.state, list(by_request(work.state))
    kept, doubled = set[str](), set[str]()
    for request, servers in unsure_requests(state, every):
        (doubled if request in state.conflict_jobs else kept).update(server.id for server in servers)
    take = () if state.simulated else doubled
    store.release(work.run_id, keep=kept | doubled, take=take)
    if state.ended is not None:
        store.finish(work.run_id, state.ended, counts_by_name(tally(state, every).counts))


async def let_go_patiently(host: Host, store: RunStore, work: Work) -> None:
    """The same; a store that somebody holds is waited for."""
    while True:
        try:
            return let_go(store, work)
        except StateFolderBusy:
            await host.clock.sleep(LOOK_EVERY_S)


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
        simulated=options.behaviour is not None,
        parents=plan.parents,
        report=places_to_text(options.report.kept),
    )


def _looking(host: Host, options: RunOptions, wait_s: float) -> Looking:
    return Looking(wait_s, host.clock.monotonic, partial(_say, options))


def _say(options: RunOptions, text: str) -> None:
    with suppress(Exception):  # whoever cannot hear it misses no more than that
        options.progress.notice(text)


def _servers_to_do(state: Facts) -> list[str]:
    """Those of every request that is not over, and those that may be taken in again."""
    return _servers_in(state, lambda request: is_to_do(state, request))


def _servers_in(state: Facts, chosen: Callable[[int], bool]) -> list[str]:
    requests = filter(chosen, range(len(state.phases)))
    return list(dict.fromkeys(server.id for request in requests for server in state.requests.servers_of(request)))
