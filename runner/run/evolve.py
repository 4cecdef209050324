"""How each event changes the facts. No decisions here: what was decided is in the events.

An event that this version does not know, or that tells of a request in a phase where it cannot be, is an error of the
journal. To take it in silently would be to act on facts that are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runner.model import Outcome
from runner.rules.answers import ServiceError
from runner.rules.outcomes import Outcomes, outcomes_of
from runner.run import events as e
from runner.run.closing import close, foresee, reopen
from runner.run.evolve_refused import busy_in_doubt, refused, set_aside
from runner.run.evolve_rollout import HANDLERS as ROLLOUT_HANDLERS
from runner.run.evolve_run import HANDLERS as RUN_HANDLERS
from runner.run.evolve_split import split
from runner.run.facts import Exclusion, Facts, LaneFacts, OpenJob, set_phase
from runner.run.impossible import impossible
from runner.run.pacing import Slowed
from runner.run.phases import UNSENT, Phase
from runner.run.unblocking import doubt, void

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

# Without a rollout durations are for a person to know how long it takes: of the first jobs all, then of one in some.
_FEW, _SOME = 200, 16
_AT_WORK = {Outcome.SUCCEEDED, Outcome.FAILED}
_NOT_SEEN = {Outcome.UNKNOWN, Outcome.TIMED_OUT}


class _Step(NamedTuple):
    """What an event does, and in which phases its request may be; None: it is of no one request, or of any."""

    change: Callable[[Facts, Any], None]
    legal: Collection[Phase] | None = None


def evolve(facts: Facts, event: e.Event) -> None:
    """Make `facts` what they are after `event`. What it moved is in `facts.moved` and `facts.freed` until the next one.

    Raises:
        ImpossibleEvent: it cannot have happened as things stand.
    """
    step = _STEPS.get(type(event))
    if step is None:
        raise impossible(event, "this version does not know it")
    change, legal = step
    facts.moved.clear()
    if facts.freed:
        facts.freed.clear()
    if legal is not None:
        request = event.request  # type: ignore[union-attr]
        if not 0 <= request < len(facts.phases) or facts.phases[request] not in legal:
            raise impossible(event, _why_not(facts, request))
    change(facts, event)


def _why_not(facts: Facts, request: int) -> str:
    known = 0 <= request < len(facts.phases)
    return f"request {request} is {facts.phases[request].name}" if known else f"there is no request {request}"


def replay(facts: Facts, events: Iterable[e.Event]) -> None:
    """Make `facts` what they are after all `events`.

    Raises:
        ImpossibleEvent: one of them cannot have happened.
    """
    for event in events:
        evolve(facts, event)


def _intended(facts: Facts, event: e.Intended) -> None:
    request = event.request
    if facts.retry_at:
        facts.retry_at.pop(request, None)
    set_phase(facts, request, Phase.SENT)
    facts.attempts[request] += 1
    facts.sent[request] += 1
    facts.lane_of(request).in_flight += 1
    facts.last_intent_at = event.at


def _lapsed(facts: Facts, event: e.Lapsed) -> None:
    facts.sent[event.request] -= 1
    _unsent(facts, event.request)


def _throttled(facts: Facts, event: e.Throttled) -> None:
    facts.errors[event.request] = event.error
    lane = facts.lane_of(event.request)
    lane.unreachable_since = None
    lane.slowed = Slowed(event.at, event.at + event.pause_s, event.rate, event.error)
    _unsent(facts, event.request)


def _unsent(facts: Facts, request: int) -> None:
    """To be told to slow down is no failed attempt, nor is one that was not made."""
    facts.attempts[request] -= 1
    facts.lane_of(request).in_flight -= 1
    set_phase(facts, request, Phase.READY)


def _accepted(facts: Facts, event: e.Accepted) -> None:
    lane = facts.lane_of(event.request)
    lane.in_flight -= 1
    lane.proven = True
    lane.unauthenticated_in_a_row = lane.refused_in_a_row = 0
    lane.unreachable_since = None
    _open(facts, lane, event)


def _adopted(facts: Facts, event: e.Adopted) -> None:
    lane = facts.lane_of(event.request)
    del lane.doubts[event.request]
    facts.adopted += 1
    _open(facts, lane, event)


def _open(facts: Facts, lane: LaneFacts, event: e.Accepted | e.Adopted) -> None:
    set_phase(facts, event.request, Phase.OPEN)
    if facts.errors:
        facts.errors.pop(event.request, None)
    if facts.busy:
        facts.busy.pop(event.request, None)
    facts.accepted += 1
    lane.unsubmitted -= 1
    lane.accepted += 1
    step, _, start, stop, *_ = facts.requests.entries[event.request]
    servers = stop - start if not step else _server_count(facts, event.request) if step < facts.plan.main_steps else 0
    lane.open[event.request] = OpenJob(event.job.job_id, event.at, servers)
    facts.at_work += servers
    facts.job_ids[event.request] = event.job.job_id


def _in_doubt(facts: Facts, event: e.InDoubt) -> None:
    facts.errors[event.request] = event.error
    lane = facts.lane_of(event.request)
    lane.in_flight -= 1
    lane.doubted_at = event.at
    doubt(facts, event.request, event.at)
    if event.busy:
        busy_in_doubt(facts, event)
    if event.request in facts.busy:
        facts.busy[event.request] = facts.busy[event.request]._replace(looked_up=event.busy)


def _suspected(facts: Facts, event: e.Suspected) -> None:
    facts.sent[event.request] += 1
    if facts.waits_for_step(event.request):
        facts.suspected.add(event.request)  # which servers it is for is known once the step before is over
    else:
        doubt(facts, event.request, event.at)


def _foreseen(facts: Facts, event: e.Foreseen) -> None:
    foresee(facts, event.number, event.at)


def _doubled(facts: Facts, event: e.Doubled) -> None:
    facts.conflict_jobs[event.request] = event.job_ids
    what = "more than one job has the request's name" if len(event.job_ids) > 1 else "a job was made after all"
    facts.errors[event.request] = _found(event.why or f"{what}: {', '.join(event.job_ids)}")


def _found(reason: str) -> ServiceError:
    return ServiceError(None, "CONFLICT", reason, None)


def _not_found(facts: Facts, event: e.NotFound) -> None:
    del facts.lane_of(event.request).doubts[event.request]
    facts.lane_of(event.request).not_found.add(event.request)
    if facts.blocked_by[event.request]:
        set_phase(facts, event.request, Phase.BLOCKED)  # the list showed a job of it, and its wave has not begun
    elif event.request in facts.unasked:
        facts.lane_of(event.request).unsubmitted -= 1
        set_phase(facts, event.request, Phase.VOID)
    else:
        set_phase(facts, event.request, Phase.READY)


def _conflict(facts: Facts, event: e.Conflict) -> None:
    facts.conflict_jobs[event.request] = event.job_ids
    facts.errors[event.request] = _found(event.reason)
    _abandon(facts, event, Phase.CONFLICT)


def _given_up(facts: Facts, event: e.GivenUp) -> None:
    first = facts.errors.get(event.request)
    before = f"; first: {first.message}" if first else ""
    facts.errors[event.request] = ServiceError(None, "UNKNOWN", event.reason + before, None)
    _abandon(facts, event, Phase.GIVEN_UP)


def _abandon(facts: Facts, event: e.Conflict | e.GivenUp, phase: Phase) -> None:
    lane = facts.lane_of(event.request)
    del lane.doubts[event.request]
    lane.unsubmitted -= 1
    close(facts, event.request, phase, _all(facts, event.request, Outcome.UNKNOWN), event.at)


def _job_read(facts: Facts, event: e.JobRead) -> None:
    """What it says of servers is in `Settled`; the rest is for a report."""


def _settled(facts: Facts, event: e.Settled) -> None:
    entry = facts.requests.entries[event.request]
    count = entry.stop - entry.start if not entry.step else _server_count(facts, event.request)
    try:
        outcomes = outcomes_of(event.outcomes)
    except ValueError as error:
        raise impossible(event, str(error)) from error
    if len(outcomes) != count:
        raise impossible(event, f"outcomes {event.outcomes} for {count} servers")
    job = facts.lanes[facts.plan.groups[entry.group].lane].open.pop(event.request)
    facts.settled += 1
    facts.at_work -= job.servers
    took = event.at - job.accepted_at if event.duration_s is None else event.duration_s
    is_sample = facts.rollout is not None or facts.settled < _FEW or not facts.settled % _SOME
    if (is_sample or took > facts.longest_s[entry.step]) and _took_its_time(event, outcomes):
        facts.longest_s[entry.step] = max(took, facts.longest_s[entry.step])
        facts.durations[entry.step].add(took)
    if entry.step >= facts.plan.main_steps:
        facts.checked[event.request] = tuple(facts.servers_of(event.request))
    close(facts, event.request, Phase.SETTLED, outcomes, event.at)


def _server_count(facts: Facts, request: int) -> int:
    entry = facts.requests.entries[request]
    is_whole = not entry.step or not facts.left_behind[entry.group]
    return entry.stop - entry.start if is_whole else len(facts.servers_of(request))


def _took_its_time(event: e.Settled, outcomes: Outcomes) -> bool:
    """Whether the job tells how long jobs take. One that skipped all its servers took no time.

    Of one that was not seen to end it is not known, and a time-out must not close every window.
    """
    seen = outcomes.counts.keys()
    return bool(seen & _AT_WORK) and (event.duration_s is not None or not seen & _NOT_SEEN)


def _withdrawn(facts: Facts, event: e.Withdrawn) -> None:
    request = event.request
    facts.retry_at.pop(request, None)
    facts.busy.pop(request, None)
    if not facts.is_main(request) or not facts.servers_of(request):
        void(facts, request, event.at)
        return
    _move_excluded(facts, request, 1)
    ids = frozenset(server.id for server in facts.servers_of(request))
    facts.exclusions[request] = Exclusion(event.who, event.why, ids, facts.lane_of(request).unsurveyed_since is None)
    outcome = Outcome.EXCLUDED if event.who else Outcome.NOT_STARTED
    close(facts, request, Phase.EXCLUDED, _all(facts, request, outcome), event.at)


def _left_out(facts: Facts, event: e.LeftOut) -> None:
    if not 0 <= event.group < len(facts.left_out):
        raise impossible(event, f"there is no group {event.group}")
    facts.left_out[event.group] |= dict.fromkeys(event.servers, event.run_id)


def _included(facts: Facts, event: e.Included) -> None:
    del facts.exclusions[event.request]
    _move_excluded(facts, event.request, -1)
    reopen(facts, event.request)


def _move_excluded(facts: Facts, request: int, count: int) -> None:
    lane = facts.lane_of(request)
    lane.unsubmitted -= count
    lane.excluded += count
    if facts.rollout is not None:
        facts.rollout.waves[facts.requests.entries[request].wave].excluded += count


def _all(facts: Facts, request: int, outcome: Outcome) -> Outcomes:
    return Outcomes.all(outcome, len(facts.servers_of(request)))


_SENT, _IN_DOUBT, _OPEN = frozenset({Phase.SENT}), frozenset({Phase.IN_DOUBT}), frozenset({Phase.OPEN})
_STEPS: dict[type, _Step] = {
    e.Intended: _Step(_intended, frozenset({Phase.READY, Phase.RETRY})),
    e.Lapsed: _Step(_lapsed, _SENT),
    e.Throttled: _Step(_throttled, _SENT),
    e.Refused: _Step(refused, _SENT),
    e.SetAside: _Step(set_aside, frozenset({Phase.READY, Phase.RETRY})),
    e.Accepted: _Step(_accepted, _SENT),
    e.InDoubt: _Step(_in_doubt, _SENT),
    e.Suspected: _Step(_suspected, UNSENT),
    e.Foreseen: _Step(_foreseen),
    e.Doubled: _Step(_doubled, frozenset(Phase)),
    e.Adopted: _Step(_adopted, _IN_DOUBT),
    e.NotFound: _Step(_not_found, _IN_DOUBT),
    e.Conflict: _Step(_conflict, _IN_DOUBT),
    e.GivenUp: _Step(_given_up, _IN_DOUBT),
    e.JobRead: _Step(_job_read, _OPEN),
    e.Settled: _Step(_settled, _OPEN),
    e.Withdrawn: _Step(_withdrawn, UNSENT),
    e.LeftOut: _Step(_left_out),
    e.Included: _Step(_included, frozenset({Phase.EXCLUDED})),
    e.Split: _Step(split, UNSENT | {Phase.EXCLUDED}),
    **{kind: _Step(change) for kind, change in ROLLOUT_HANDLERS.items()},
    **{kind: _Step(change) for kind, change in RUN_HANDLERS.items()},
}
