"""A request was refused for what it asks: one server that is unknown, or busy, does not hold up the others.

A refusal is proof that no job was made, so the rest may be sent. It is cut as limits cut it (`runner.run.requests`), until
the servers that the service names stand alone; where it names none, in halves. What must go together is never parted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runner.rules.answers import Cause, Refusal, ServiceError
from runner.rules.blame import UNKNOWN_SERVER, named_in
from runner.rules.busy import busy_again_at, busy_patience_s
from runner.run import events as e
from runner.run.facts import Busy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from runner.run.facts import Facts

# So many refusals in a row, and two for each that may be on its way at once, are about more than single servers: another
# region's list, say. From there on requests are refused whole, until one is taken.
_MOST_IN_A_ROW = 20
_PER_SLOT = 2

_AfterRefusal = e.Refused | e.InDoubt | e.Split | e.SetAside


def after_refusal(facts: Facts, request: int, refused: Refusal, at: float, jitter: float) -> Iterator[_AfterRefusal]:
    """The events that follow from a refusal that is INVALID or BUSY. Each must be true before the next is asked for.

    `at` is epoch seconds, `jitter` random, from 0 to 1.
    """
    cause, error = refused.cause, refused.error
    if cause is Cause.BUSY and _may_be_of_its_own(facts, request):
        yield e.InDoubt(at, request, error, busy=True)
        return
    again_at = _again_at(facts, request, at, jitter) if cause is Cause.BUSY else None
    if again_at is not None:
        again_at = max(again_at, at + min(refused.after_s, facts.plan.submit.longest_pause_s))
    named = _in_the_way(facts, request, cause, error)
    if named is None:
        is_over = cause is Cause.BUSY and again_at is None
        yield e.Refused(at, request, cause, _waited(facts, request, error, at) if is_over else error, again_at)
        return
    yield e.Refused(at, request, cause, error, at)
    if named:
        yield from parted(facts, named, e.SetAside(at, request, cause, error, again_at))
    elif (cut := facts.requests.cut_of(request)) is not None:
        yield e.Split(at, request, cut)


def _in_the_way(facts: Facts, request: int, cause: Cause, error: ServiceError) -> Collection[str] | None:
    """The servers that keep the others from being sent; empty: it is not said which; None: it is about all of them.

    What may be about the service as a whole, and names no server, is first tried once more.
    """
    servers = facts.servers_of(request)
    too_many = _MOST_IN_A_ROW + _PER_SLOT * facts.concurrency
    if len(servers) < 2 or facts.lane_of(request).refused_in_a_row >= too_many:  # noqa: PLR2004  one cannot be parted
        return None
    if facts.requests.cut_of(request) is None:
        return None
    named = named_in(error.message, (server.id for server in servers))
    if 0 < len(named) < len(servers):
        return named
    may_be_of_one = request in facts.busy if cause is Cause.BUSY else error.code in UNKNOWN_SERVER
    return frozenset() if may_be_of_one else None


def parted(facts: Facts, named: Collection[str], aside: e.SetAside) -> Iterator[e.Split | e.SetAside]:
    """Cut a request that is ready until these servers stand alone, or with those that they are never parted from.

    `aside` is what is said of them. Each event must be true before the next is asked for.
    """
    pieces = [aside.request]
    while pieces:
        piece = pieces.pop()
        servers = facts.servers_of(piece)
        hits = sum(server.id in named for server in servers)
        cut = facts.requests.cut_of(piece) if 0 < hits < len(servers) else None
        if cut is not None:
            yield e.Split(aside.at, piece, cut)
            pieces += facts.requests.pieces[piece]
        elif hits:
            yield replace(aside, request=piece)


def _again_at(facts: Facts, request: int, at: float, jitter: float) -> float | None:
    """When a busy server is asked for again; None: never.

    Nor where it may be at work for this very request: whole, before it was split, it was in doubt once. That is looked up
    once more before the run ends.
    """
    if _was_doubted_whole(facts, request):
        return None
    busy = facts.busy.get(request, Busy(at, 0))
    patience_s = busy_patience_s(facts.longest_s[facts.requests.entries[request].step], facts.plan.watch.job_timeout_s)
    since = min(busy.since, at)
    return busy_again_at(since, at, answers=busy.answers + 1, patience_s=patience_s, jitter=jitter)


def _waited(facts: Facts, request: int, error: ServiceError, at: float) -> ServiceError:
    """What was seen of a server that was waited for in vain."""
    busy = facts.busy.get(request)
    if busy is None or busy.answers < 1:
        return error
    told = f"busy for {at - busy.since:.0f} s, asked {busy.answers + 1} times; the service says: {error.message}"
    return replace(error, message=told)


def _may_be_of_its_own(facts: Facts, request: int) -> bool:
    """Whether the request may be what keeps its servers busy: it was in doubt, and was not looked up since."""
    busy = facts.busy.get(request)
    return request in facts.lane_of(request).ever_in_doubt and not (busy is not None and busy.looked_up)


def _was_doubted_whole(facts: Facts, request: int) -> bool:
    """Whether a request that this is a piece of was in doubt, and it was not proven since that it made no job."""
    entries = facts.requests.entries
    mine = entries[request]
    return not facts.requests.is_planned(request) and any(
        other != request
        and (entries[other].step, entries[other].group) == (mine.step, mine.group)
        and entries[other].start <= mine.start
        and mine.stop <= entries[other].stop
        and not _made_none(facts, other)
        for other in facts.lane_of(request).ever_in_doubt
    )


def _made_none(facts: Facts, request: int) -> bool:
    """Whether a request that was in doubt made no job: one of its servers is unknown, or it was looked up since."""
    busy, error = facts.busy.get(request), facts.errors.get(request)
    return (busy is not None and busy.looked_up) or (error is not None and error.code in UNKNOWN_SERVER)
