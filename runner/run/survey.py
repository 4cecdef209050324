"""What a look at the whole job list says of a resumed run.

Names are unique to a request, so the list tells what the journal may have lost: jobs of requests that were sent in the
transactions that a power cut took away, and second jobs of requests that were sent twice (api-facts 6). That a request
was split may have been lost, too: the name of a piece tells where it was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.run import events as e
from runner.run.phases import UNSENT, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.run.facts import Facts
    from runner.run.requests import Piece

    JobsByNumber = Mapping[int, set[str]]


_WITHOUT_JOB = UNSENT | {Phase.SPLIT, Phase.VOID, Phase.REFUSED, Phase.EXCLUDED, Phase.GIVEN_UP}


class Finding(NamedTuple):
    """A request of which the list shows more than the journal. `job_ids` are all its jobs, sorted."""

    request: int
    job_ids: tuple[str, ...]


def recoveries(
    state: Facts, numbers: Iterable[int], at: float
) -> Iterator[e.NotFound | e.Split | e.Suspected | e.Foreseen]:
    """What follows from there being jobs of requests with these numbers. Each must be true before the next is asked for.

    Requests that look unsent and have a job are in doubt; where a piece of one has, it is split as it was before.
    """
    for number in numbers:
        place = state.requests.place_of(number)
        while place is None:
            piece = state.requests.piece(number)
            holder = None if piece is None or piece.is_follow_up else _holder(state, piece)
            cut = None if holder is None else state.requests.cut_of(holder)
            if holder is None or cut is None:
                break
            if state.phases[holder] is Phase.IN_DOUBT:
                yield e.NotFound(at, holder)
            yield e.Split(at, holder, cut)
            place = state.requests.place_of(number)
        if place is not None and state.phases[place] in UNSENT and place not in state.suspected:
            yield e.Suspected(at, place)
        elif place is None and (piece := state.requests.piece(number)) is not None and piece.is_follow_up:
            yield e.Foreseen(at, number)


def _holder(state: Facts, piece: Piece) -> int | None:
    """The request that has to be split to come to the piece: see `may_have_been_split`."""
    for request, entry in enumerate(state.requests.entries):
        inside = (entry.step, entry.group) == (piece.step, piece.group) and entry.start < piece.position < entry.stop
        if inside and may_have_been_split(state, request):
            return request
    return None


def may_have_been_split(state: Facts, request: int) -> bool:
    """Whether the lost end of a journal may tell that the request was split: an unsent one, or one in doubt.

    It is split only when it is certain that it made no job; so it was certain once of one that is in doubt again. One that
    was excluded may have been taken in again.
    """
    phase = state.phases[request]
    is_hidden = phase is Phase.EXCLUDED and not state.is_surely_unsent(request)
    return phase in UNSENT or phase is Phase.IN_DOUBT or is_hidden


def doubles(state: Facts, jobs: JobsByNumber) -> list[Finding]:
    """The requests with another job than those that are known of them, and all jobs of each.

    One of which no job was found, and that was split, refused, withdrawn, given up or left since, may have one that came
    late.
    """
    doubled: list[Finding] = []
    for number, job_ids in sorted(jobs.items()):
        request = state.requests.place_of(number)
        if request is None:
            continue
        known = set(state.conflict_jobs.get(request, ()))
        if request in state.job_ids:
            known.add(state.job_ids[request])
        is_late = not known and state.phases[request] in _WITHOUT_JOB
        if (known or is_late) and not known.issuperset(job_ids):
            doubled.append(Finding(request, tuple(sorted(known.union(job_ids)))))
    return doubled
