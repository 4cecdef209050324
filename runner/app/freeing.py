"""Servers that a run holds which no process carries out: given free once nothing of it works on them any more."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from runner.app.looking_back import look_back
from runner.app.replaying import replayed
from runner.journal.store import HeldByAnother, Leased, shown_ids
from runner.rules.sightings import AtWork, NotProven
from runner.run.unsure import unsure_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from runner.app.looking_back import LookingBack
    from runner.app.replaying import Replayed
    from runner.rules.sightings import Sighting

# Who waits for servers has the service asked so often, seconds.
_LOOK_AGAIN_S = 30.0


class _Found(NamedTuple):
    """The servers that nothing works on, and why others may not be touched."""

    free: Collection[str]
    why: str


class Freeing:
    """Looks at the service for those who want servers that a run holds. `say` is told which were given free."""

    def __init__(self, looking: LookingBack, say: Callable[[str], None]) -> None:
        self._looking = looking
        self._host = looking.host
        self._store = looking.store
        self._say = say
        self._looked: dict[str, tuple[float, str]] = {}

    async def give_free(self, refused: HeldByAnother) -> HeldByAnother | None:
        """Give those of the servers free that nothing works on. None: some were; else what to tell who wants them."""
        if not isinstance(refused, Leased) or refused.until is None:
            return refused
        now = self._host.clock.monotonic()
        looked_at, why = self._looked.get(refused.run_id, (None, ""))
        if looked_at is not None and now < looked_at + _LOOK_AGAIN_S:
            return refused.because(why)
        head = self._store.head(refused.run_id)
        found = await self._find(refused.run_id, set(refused.servers))
        self._looked[refused.run_id] = now, found.why
        if found.free and self._give_free(refused.run_id, found.free, head):
            self._say(f"nothing of run {refused.run_id} works on {shown_ids(found.free)} any more: taken over")
            return None
        return refused.because(found.why)

    def _give_free(self, run_id: str, servers: Collection[str], head: str | None) -> int:
        with suppress(HeldByAnother):  # somebody goes on with it now
            return self._store.give_free(run_id, servers, head)
        return 0

    async def _find(self, run_id: str, wanted: set[str]) -> _Found:
        run = replayed(self._host, self._store, run_id)
        if run.facts.ending is None:
            return _Found((), f"its process broke off: go on with it (runner resume {run_id})")
        requests = _requests(run, wanted)
        sightings = await look_back(self._looking, run_id, run, requests) if requests else {}
        return _found(requests, sightings, wanted)


def _requests(run: Replayed, wanted: set[str]) -> dict[int, list[str]]:
    """Those that may be at work on wanted servers, each with these."""
    requests: dict[int, list[str]] = {}
    for request, servers in unsure_requests(run.facts):
        ids = [server.id for server in servers if server.id in wanted]
        if ids:
            requests[request] = ids
    return requests


def _found(requests: Mapping[int, Collection[str]], sightings: Mapping[int, Sighting], wanted: set[str]) -> _Found:
    kept: set[str] = set()
    reasons: dict[str, None] = {}
    for request, servers in requests.items():
        seen = sightings[request]
        if isinstance(seen, AtWork | NotProven):
            kept.update(servers)
            reasons[seen.seen if isinstance(seen, AtWork) else seen.why] = None
    return _Found(wanted - kept, "; ".join(list(reasons)[:2]))
