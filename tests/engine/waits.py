"""What is promised of servers that are refused: only those that are in the way, and not before they were waited for."""

from __future__ import annotations

from collections.abc import Callable

from runner.rules.answers import Cause
from runner.run import events as e
from runner.run.facts import Facts


class Waits:
    """Looks on while the requests of a run are refused. `is_known` says whether the service knows a server."""

    def __init__(self, state: Facts, is_known: Callable[[str], bool], job_timeout_s: float) -> None:
        self._state = state
        self._is_known = is_known
        self._job_timeout_s = job_timeout_s
        self._busy_since: dict[int, float] = {}
        self._longest: dict[int, float] = {}

    def tell(self, event: e.Event, *, live: bool) -> None:
        """The event has changed the state."""
        if isinstance(event, e.Settled) and event.duration_s is not None and set(event.outcomes) & {"s", "f"}:
            step = self._state.requests[event.request].step
            self._longest[step] = max(self._longest.get(step, 0.0), event.duration_s)
        elif isinstance(event, e.Settled) and not set(event.outcomes) & {"u", "t"}:
            self._longest.setdefault(self._state.requests[event.request].step, 0.0)  # how long it took is not told
        elif isinstance(event, e.RunResumed):
            self._busy_since.clear()
        elif isinstance(event, e.InDoubt) and event.busy:
            self._busy_since.setdefault(event.request, event.at)
        elif isinstance(event, e.Refused | e.SetAside):
            self._refused(event, live=live)

    def _refused(self, event: e.Refused | e.SetAside, *, live: bool) -> None:
        if event.cause is Cause.BUSY:
            since = self._busy_since.setdefault(event.request, event.at)
            longest = self._longest.get(self._state.requests[event.request].step, self._job_timeout_s)
            waited = event.at - since >= min(longest, self._job_timeout_s)
            assert event.retry_at is not None or waited or self._may_be_its_own(event.request), "not waited for"
        elif event.error.code == "ModelArts.6404" and event.retry_at is None and live:
            for unit in self._state.requests.units_of(event.request):
                ids = {server.id for server in unit} & {s.id for s in self._state.servers_of(event.request)}
                assert not ids or not all(map(self._is_known, ids)), f"{ids} were left out for another"

    def _may_be_its_own(self, request: int) -> bool:
        """Whether a job of a request that this is a piece of may be at work: that was in doubt."""
        state, mine = self._state, self._state.requests[request]
        return any(
            state.requests[other]._replace(body={}, start=mine.start, stop=mine.stop) == mine._replace(body={})
            and state.requests[other].start <= mine.start
            and mine.stop <= state.requests[other].stop
            for other in state.lane_of(request).ever_in_doubt - {request}
        )
