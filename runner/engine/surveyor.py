"""Looks at the whole job list: before a resumed run sends anything, and before any run with doubts ends."""

from __future__ import annotations

from contextlib import aclosing
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runner.engine.clock import sleep_until
from runner.engine.listing import Listing, read_listing
from runner.engine.lookups import Lookups
from runner.engine.reading import persist
from runner.plan.keys import KEY_LENGTH, job_name, number_in, request_key
from runner.rules.absence import unproven
from runner.rules.answers import ReadFailed
from runner.rules.names import ShownNames, folded
from runner.rules.outcomes import DELETED
from runner.rules.reads import ReadLimits
from runner.run import events as e
from runner.run.intake import listed_by, nothing_left
from runner.run.phases import UNSENT, Phase
from runner.run.survey import doubles, may_have_been_split, recoveries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runner.engine.lane import LaneContext
    from runner.model import JobRow

# A list that proves nothing is asked for again for ten minutes; the run can be resumed then.
_OF_THE_LIST = ReadLimits()
# At the end of a run nothing is sent any more: what the list does not prove then is not waited for as long.
_AT_THE_END = ReadLimits(reads=3, over_s=0.0)
# Without a rollout only what the service refuses is split, in the order of the plan: a lost end of the journal told of the
# first requests that look unsent. Where one list shows all jobs of the run, it shows those of all pieces.
_MOST_BEYOND = 10_000


class _Rows(NamedTuple):
    """Every row that may be about some requests, and why there may be jobs of theirs beside; or why there are none."""

    rows: Sequence[JobRow]
    unproven: str | None = None
    failed: ReadFailed | None = None


class Surveyor:
    """Finds jobs of one lane that the journal does not tell of."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        self._lookups = Lookups(lane, self._list)
        self._is_resumed = lane.state.unsurveyed_since is not None

    @property
    def _requests(self) -> list[int]:
        run = self._lane.run
        return [request for request in range(len(run.requests)) if run.lane_index(request) == self._lane.index]

    async def before_sending(self) -> None:
        """After a crash: let the lane send only when every job that its requests may have made is known of.

        The end of the journal may be lost with the machine, so a request that looks unsent may have a job. A new job
        may take as long as the settle time to be listed.
        """
        lane = self._lane
        since = lane.state.unsurveyed_since
        if since is None or nothing_left(lane.run, lane.state) or lane.over:
            return
        await sleep_until(lane.clock, since + lane.run.plan.submit.settle_s)
        unsent = [index for index in self._requests if lane.run.phases[index] in UNSENT] + self._hidden
        beyond = list(islice(self._names_beyond(self._requests), None if lane.run.rollout else _MOST_BEYOND))
        listed = await self._proven_rows(unsent, beyond, since)
        now = lane.clock.now()
        if isinstance(listed, ReadFailed):
            lane.stop(listed.error, watched=True)
        else:
            self._recover(self._rows_by_number(listed), now)
            lane.recorder.record(e.Surveyed(now, lane.index))
            lane.leave_out_due()
        lane.tell_all()

    @property
    def _hidden(self) -> list[int]:
        """Requests of the lane that look as if they were over without being sent, and may have been."""
        return [index for index in self._requests if not self._lane.run.is_surely_unsent(index)]

    def _recover(self, rows: Mapping[int, Mapping[str, JobRow]], now: float) -> None:
        """Tell of the jobs that the journal lost."""
        lane = self._lane
        for event in recoveries(lane.run, sorted(rows), now):
            lane.recorder.record(event)
            if isinstance(event, e.Suspected):
                self._sighted(rows[lane.run.requests.number_of(event.request)])
            elif isinstance(event, e.Foreseen):
                self._sighted(rows[event.number])
        self._tell_of_doubles(self._hidden, rows)

    async def before_the_end(self) -> None:
        """Look once more for second jobs of requests that were ever in doubt: a lost create may have arrived late.

        So may one that was refused, or throttled, by whoever sent it on a second time. After a crash it may be any request:
        the doubt itself may have been lost with the end of the journal. A new job may take as long as above to be listed.
        """
        lane = self._lane
        doubted = self._requests if self._is_resumed else list(filter(self._may_have_more, self._requests))
        if not doubted or lane.over:
            return
        await sleep_until(lane.clock, listed_by(lane.run, lane.state))
        listed = _Rows(())

        async def rows() -> _Rows | ReadFailed:
            nonlocal listed
            answer = await self._rows(doubted, is_last=True)
            if isinstance(answer, ReadFailed):
                return _Rows((), None, answer)  # it was waited for already
            listed = answer
            return listed if listed.unproven is None else unproven(listed.unproven)

        answer = await persist(lane, rows, _AT_THE_END)
        self._tell_of_doubles(doubted, self._rows_by_number(listed.rows))
        if isinstance(answer, ReadFailed):
            self._tell_of_unproven(answer)
        elif answer.failed is not None and lane.state.not_found:
            lane.stop(answer.failed.error, watched=True)

    def _may_have_more(self, request: int) -> bool:
        """Whether the request may have another job than is known of it."""
        run, lane = self._lane.run, self._lane.state
        was_refused = run.sent[request] > 1 or run.phases[request] is Phase.REFUSED or request in lane.ever_busy
        return was_refused or request in lane.ever_in_doubt

    def _tell_of_unproven(self, failed: ReadFailed) -> None:
        """Of requests that were taken to have made no job by a list that proves nothing: by now it may be known to lie."""
        lane = self._lane
        why = f"the job list showed no job of it, and proves nothing ({failed.error.message}): it may have made another job"
        for request in sorted(lane.state.not_found - lane.run.conflict_jobs.keys()):
            if lane.run.phases[request] is not Phase.GIVEN_UP:
                job_ids = filter(None, [lane.run.job_ids.get(request)])
                lane.recorder.record(e.Doubled(lane.clock.now(), request, tuple(job_ids), why))

    def _tell_of_doubles(self, requests: Iterable[int], rows: Mapping[int, Mapping[str, JobRow]]) -> None:
        """Of those of these requests that have another job than the journal knows."""
        lane = self._lane
        jobs = {
            number: {job_id for job_id, row in rows[number].items() if not self._was_given_up_as_deleted(request, row)}
            for request in requests
            if (number := lane.run.requests.number_of(request)) in rows
        }
        for found in doubles(lane.run, jobs):
            lane.recorder.record(e.Doubled(lane.clock.now(), found.request, found.job_ids))

    def _was_given_up_as_deleted(self, request: int, row: JobRow) -> bool:
        """The request was given up because of just this job: that is told already."""
        return row.status == DELETED and self._lane.run.phases[request] is Phase.GIVEN_UP

    def _sighted(self, rows: Mapping[str, JobRow]) -> None:
        """Keep the one job of a request in mind, were it not listed any more when the request is looked up."""
        if len(rows) == 1:
            (row,) = rows.values()
            self._lane.sighted[folded(row.name or "")] = row

    def _rows_by_number(self, rows: Iterable[JobRow]) -> dict[int, dict[str, JobRow]]:
        """The jobs of this lane's requests, by the number in their names: also of requests that are yet to come to be."""
        jobs: dict[int, dict[str, JobRow]] = {}
        for row in rows:
            name = folded(row.name or "")
            number = number_in(name, self._lane.run_token)
            if number is not None and self._is_of_the_lane(number, name):
                jobs.setdefault(number, {})[row.job_id] = row
        return jobs

    def _is_of_the_lane(self, number: int, name: str) -> bool:
        run = self._lane.run
        request = run.requests.place_of(number)
        if request is not None:
            return run.lane_index(request) == self._lane.index and folded(self._lane.job_name_of(request)) == name
        piece = run.requests.piece(number)
        return piece is not None and run.plan.groups[piece.group].lane == self._lane.index

    def _names_beyond(self, requests: Iterable[int]) -> Iterator[str]:
        """The names that jobs may have of requests that are yet to come to be: pieces of these, or what follows failures."""
        run, token = self._lane.run, self._lane.run_token
        rules = run.rollout.rules if run.rollout else None
        for request in requests:
            # One in doubt may have been refused and split since, if the end of the journal is lost.
            if may_have_been_split(run, request):
                start = self._lane.job_name_of(request)[:-KEY_LENGTH]
                yield from (start + request_key(token, number) for number in run.requests.numbers_of_pieces(request))
            is_known = run.phases[request].is_over and run.phases[request] is not Phase.EXCLUDED
            if rules is not None and rules.on_failure is not None and run.is_main(request) and not is_known:
                name = str(rules.failure_bodies[run.requests[request].group]["name"])
                numbers = run.requests.numbers_of_follow_ups(request)
                yield from (job_name(name, request_key(token, number)) for number in numbers)

    async def _proven_rows(
        self, requests: Sequence[int], names: Sequence[str], since: float
    ) -> Sequence[JobRow] | ReadFailed:
        """Every row about these requests, or of one of these names, from lists that prove that there are no more.

        None of them can have been sent after `since`. A list that cannot be read was waited for already.
        """

        async def proven() -> _Rows | ReadFailed:
            asked_at = self._lane.clock.now()
            listed = await self._rows(requests, names)
            if isinstance(listed, ReadFailed):
                return _Rows((), None, listed)
            why = listed.unproven or self._cut_name(listed.rows, requests, names)
            if why is None and asked_at < since + self._lane.known.settle_s:
                why = "jobs are listed later than submit.settle says"
            return listed if why is None else unproven(why)

        answer = await persist(self._lane, proven, _OF_THE_LIST)
        return answer if isinstance(answer, ReadFailed) else answer.failed or answer.rows

    def _cut_name(self, rows: Sequence[JobRow], requests: Sequence[int], names: Sequence[str]) -> str | None:
        """Why one of the rows may be about one of the requests, or of one of the names, though it was cut."""
        lane, shown = self._lane, ShownNames(rows)
        known = lane.known
        wanted = (name for name in (*map(lane.job_name_of, requests), *names) if not shown.of(name))
        return next((why for name in wanted if (why := shown.cut(name, known.manner, known.is_known))), None)

    async def _rows(
        self, requests: Sequence[int], names: Sequence[str] = (), *, is_last: bool = False
    ) -> _Rows | ReadFailed:
        """Every row that may be about these requests, or have one of these names. `is_last`: a second job matters, too."""
        rows: list[JobRow] = []
        why: str | None = None
        async with aclosing(self._lookups.of(requests, names)) as lookups:
            async for looked_up in lookups:
                if isinstance(looked_up.rows, ReadFailed):
                    return looked_up.rows
                rows += looked_up.rows
                why = why or looked_up.unproven or (looked_up.flaw if is_last else None)
        return _Rows(rows, why)

    async def _list(self, name: str | None, most_pages: int) -> Listing | ReadFailed:
        """Read the list, again and again if need be."""
        limits = ReadLimits(reads=2, over_s=self._lane.run.plan.submit.outage_s)
        return await persist(self._lane, lambda: read_listing(self._lane, name, most_pages), limits)
