"""The Lite Server jobs API of one lane, over a session shared by all lanes (api-facts 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.api.answers import create_answer, is_unauthenticated, read_answer
from runner.api.authentication import Outgoing, outgoing
from runner.api.renewing import IamFailed
from runner.api.replies import Broken, Reply
from runner.api.signing import canonical_query
from runner.api.wire import UnreadableAnswer, read_job, read_listed, read_page
from runner.model import ServiceList

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.api.authentication import Authenticator, Headers
    from runner.api.transport import Transport
    from runner.engine.ports import Departure
    from runner.model import Job, JobPage, ListedPage
    from runner.rules.answers import Answer, ReadFailed
    from runner.rules.refused_calls import Identity

# As the official SDK sends them (api-facts 1).
_WITH_BODY = "application/json;charset=utf-8"
_WITHOUT_BODY = "application/json"


# What each list is of, and the field by which a row of it is known.
_ROWS = {
    ServiceList.OWN_SERVERS: ("servers", "id"),
    ServiceList.ALL_SERVERS: ("servers", "id"),
    ServiceList.OWN_HYPER_INSTANCES: ("hyper-instances", "id"),
    ServiceList.ALL_HYPER_INSTANCES: ("hyper-instances", "id"),
    ServiceList.TOPOLOGY: ("switches", "resource_id"),
    ServiceList.TEMPLATES: ("templates", "id"),
}


class _NotSent(Exception):
    """By the time there was a proof to send with a request, it might not leave any more; nothing was made of it."""


class AtOnce:
    """The departure of calls that nothing keeps."""

    async def leave(self) -> bool:
        """See `Departure.leave`."""
        return True

    def refused(self) -> None:
        """See `Departure.refused`."""


_AT_ONCE = AtOnce()


class LiteServerClient:
    """Implements `runner.engine.ports.JobService` for one lane.

    `endpoint` has no trailing slash; `redact` is applied to all that the service says and that a person may read;
    `wall` gives epoch seconds. A create is sent once, but for one 401 with a token or a key that could be renewed: that one
    was refused before anything was made.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        endpoint: str,
        project_id: str,
        authenticator: Authenticator,
        wall: Callable[[], float],
        redact: Callable[[str], str],
    ) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._project_id = project_id
        self._project_path = f"/v1/{quote(project_id, safe='')}"
        self._path = f"{self._project_path}/dev-servers/jobs"
        self._authenticator = authenticator
        self._wall = wall
        self._redact = redact
        self._create = outgoing("POST", endpoint, self._path, content_type=_WITH_BODY, project=project_id)
        self._create_headers = authenticator.seal(self._create)

    async def create(self, body: bytes, departure: Departure = _AT_ONCE) -> Answer | None:
        """Send one create-job request, if it may leave when it would. `body` is the exact JSON to sign and send."""
        try:
            reply = await self._send(self._create, self._create_headers, body, departure)
        except _NotSent:
            return None
        return create_answer(reply, self._clean, self._wall())

    @property
    def identity(self) -> Identity:
        """Who calls are made as now."""
        return self._authenticator.identity

    async def get(self, job_id: str, departure: Departure = _AT_ONCE) -> Job | ReadFailed | None:
        """Read one job with its tasks."""

        def read(body: bytes) -> Job:
            job = read_job(body, self._clean)
            if job.job_id.lower() != job_id.lower():
                raise UnreadableAnswer("it is about another job")
            return job

        reply = await self._read(f"{self._path}/{quote(job_id, safe='')}", "", departure)
        return None if reply is None else read_answer(reply, read, self._clean, self._wall())

    async def list(
        self, *, name: str | None, offset: int, limit: int, departure: Departure = _AT_ONCE
    ) -> JobPage | ReadFailed | None:
        """Read one page of the job list."""
        paging = [("limit", str(limit)), ("offset", str(offset))]
        query = canonical_query([*paging, ("name", name)] if name else paging)
        reply = await self._read(self._path, query, departure)
        return None if reply is None else read_answer(reply, read_page, self._clean, self._wall())

    async def rows(
        self, which: ServiceList, query: Sequence[tuple[str, str]], departure: Departure = _AT_ONCE
    ) -> ListedPage | ReadFailed | None:
        """Read one page of another list than that of jobs."""
        what, key = _ROWS[which]
        reply = await self._read(f"{self._project_path}/{which.value}", canonical_query([*query]), departure)
        return (
            None
            if reply is None
            else read_answer(reply, lambda body: read_listed(body, what, key), self._clean, self._wall())
        )

    async def _read(self, path: str, query: str, departure: Departure) -> Reply | Broken | None:
        request = outgoing(
            "GET", self._endpoint, path, query=query, content_type=_WITHOUT_BODY, project=self._project_id
        )
        try:
            return await self._send(request, self._authenticator.seal(request), b"", departure)
        except _NotSent:
            return None

    async def _send(
        self,
        request: Outgoing,
        seal: Callable[[bytes, float], Headers],
        body: bytes,
        departure: Departure,
    ) -> Reply | Broken:
        try:
            await self._authenticator.freshen(self._wall())
            headers, reply = await self._exchanged(request, seal, body, departure)
            if is_unauthenticated(reply):
                departure.refused()
                if await self._authenticator.renew(headers, self._wall()):
                    _, reply = await self._exchanged(request, seal, body, departure)
        except IamFailed as exc:
            return Broken(exc.cause, exc.error)
        return reply

    async def _exchanged(
        self,
        request: Outgoing,
        seal: Callable[[bytes, float], Headers],
        body: bytes,
        departure: Departure,
    ) -> tuple[Headers, Reply | Broken]:
        if not await departure.leave():
            raise _NotSent
        headers = seal(body, self._wall())
        return headers, await self._transport.exchange(request.method, request.url, headers, body)

    def _clean(self, text: str) -> str:
        return self._redact(self._authenticator.hide(text))
