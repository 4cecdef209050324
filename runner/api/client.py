"""The client of one lane: creates, reads and lists jobs. What an answer means is decided in `answers.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import aiohttp
from yarl import URL

from runner.api.answers import cause_of, connection_failure, is_missing
from runner.api.errors import read_error, request_id
from runner.api.proxies import proxy_for
from runner.api.signing import canonical_query
from runner.api.throttling import read_throttle
from runner.api.wire import UnreadableAnswer, read_job, read_page
from runner.campaign.answers import Accepted, Answer, Cause, InDoubt, ReadFailed, Refused, ServiceError
from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.api.authenticating import RequestAuth
    from runner.model import Job, JobPage

_OK, _UNAUTHENTICATED = 200, 401
# More than any answer that makes sense: a service that lies must not fill the memory.
_LARGEST_ANSWER = 64 * 1024 * 1024


class AuthFactory(Protocol):
    """Makes the authentication of one kind of request."""

    def __call__(self, method: str, endpoint: str, path: str, query: str) -> RequestAuth:
        """For requests of `method` to `path?query`."""
        ...


class _Response:
    """An answer that was read to its end."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class LiteServerClient:
    """The jobs API of one endpoint and project. `now` gives epoch seconds, `clean` takes secrets out of messages."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: str,
        project_id: str,
        auth_of: AuthFactory,
        now: Callable[[], float],
        clean: Callable[[str], str],
    ) -> None:
        self._session = session
        self._endpoint = endpoint
        self._path = f"/v1/{quote(project_id, safe='')}/dev-servers/jobs"
        self._auth_of = auth_of
        self._now = now
        self._clean = clean
        # aiohttp's own trust_env asks the system in a thread for every request, twice: a third of the throughput.
        self._proxy = proxy_for(endpoint)
        self._create_url = URL(endpoint + self._path, encoded=True)
        self._create_auth = auth_of("POST", endpoint, self._path, "")

    async def create(self, body: bytes) -> Answer:
        """Send one create-job request, once (api-facts 1.1)."""
        try:
            response = await self._send("POST", self._create_url, self._create_auth, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._cleaned(connection_failure(error))
        except ServiceUnusable as error:
            return Refused(Cause.UNUSABLE, ServiceError(None, None, self._clean(error.message), None))
        if response.status == _OK:
            try:
                return Accepted(read_job(response.body, self._clean), request_id(response.headers))
            except UnreadableAnswer as error:
                told = ServiceError(_OK, None, f"the answer cannot be read: {error}", request_id(response.headers))
                return InDoubt(told)
        return self._refused(response)

    def _refused(self, response: _Response) -> Refused | InDoubt:
        error = read_error(response.status, response.body, response.headers, self._clean)
        cause = cause_of(response.status, error)
        if cause is None:
            return InDoubt(error)
        throttle = read_throttle(error.message, response.headers, self._now()) if cause is Cause.THROTTLED else None
        return Refused(cause, error, throttle)

    async def get(self, job_id: str) -> Job | ReadFailed:
        """Read one job with its tasks (api-facts 1.2)."""
        response = await self._read(f"{self._path}/{quote(job_id, safe='')}", "")
        if isinstance(response, ReadFailed):
            return response
        try:
            return read_job(response.body, self._clean)
        except UnreadableAnswer as error:
            return self._unreadable(response, error)

    async def list(self, *, name: str | None, offset: int, limit: int) -> JobPage | ReadFailed:
        """Read one page of the job list (api-facts 1.3)."""
        parameters = [("limit", str(limit)), ("offset", str(offset))]
        response = await self._read(self._path, canonical_query([*parameters, *([("name", name)] if name else [])]))
        if isinstance(response, ReadFailed):
            return response
        try:
            return read_page(response.body)
        except UnreadableAnswer as error:
            return self._unreadable(response, error)

    async def _read(self, path: str, query: str) -> _Response | ReadFailed:
        url = URL(f"{self._endpoint}{path}?{query}" if query else self._endpoint + path, encoded=True)
        try:
            response = await self._send("GET", url, self._auth_of("GET", self._endpoint, path, query), b"")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._cleaned(connection_failure(error))
            return ReadFailed(failure.cause if isinstance(failure, Refused) else Cause.UNREACHABLE, failure.error)
        except ServiceUnusable as error:
            return ReadFailed(Cause.UNUSABLE, ServiceError(None, None, self._clean(error.message), None))
        return response if response.status == _OK else self._read_failed(response)

    def _read_failed(self, response: _Response) -> ReadFailed:
        error = read_error(response.status, response.body, response.headers, self._clean)
        cause = cause_of(response.status, error) or Cause.UNREACHABLE
        throttle = read_throttle(error.message, response.headers, self._now()) if cause is Cause.THROTTLED else None
        return ReadFailed(cause, error, is_missing(response.status, error), throttle)

    @staticmethod
    def _unreadable(response: _Response, error: UnreadableAnswer) -> ReadFailed:
        told = ServiceError(_OK, None, f"the answer cannot be read: {error}", request_id(response.headers))
        return ReadFailed(Cause.UNREACHABLE, told)

    async def _send(self, method: str, url: URL, auth: RequestAuth, body: bytes) -> _Response:
        response = await self._send_once(method, url, await auth.headers(body), body)
        # Refused for who we are: certainly nothing was made, so a new token may be tried, once.
        if response.status == _UNAUTHENTICATED and await auth.renew():
            response = await self._send_once(method, url, await auth.headers(body), body)
        return response

    async def _send_once(self, method: str, url: URL, headers: dict[str, str], body: bytes) -> _Response:
        async with self._session.request(
            method, url, data=body or None, headers=headers, proxy=self._proxy, allow_redirects=False
        ) as response:
            if (response.content_length or _LARGEST_ANSWER) >= _LARGEST_ANSWER:
                return _Response(response.status, response.headers, await _read_capped(response))
            return _Response(response.status, response.headers, await response.read())

    def _cleaned(self, failure: Refused | InDoubt) -> Refused | InDoubt:
        error = failure.error
        told = ServiceError(error.http_status, error.code, self._clean(error.message), error.request_id)
        return Refused(failure.cause, told) if isinstance(failure, Refused) else InDoubt(told)


async def _read_capped(response: aiohttp.ClientResponse) -> bytes:
    """The body of an answer that does not say how long it is, or says too much.

    Raises:
        ClientPayloadError: it is too long.
    """
    parts: list[bytes] = []
    length = 0
    async for part in response.content.iter_any():
        parts.append(part)
        length += len(part)
        if length > _LARGEST_ANSWER:
            response.close()
            raise aiohttp.ClientPayloadError(f"the answer is longer than {_LARGEST_ANSWER:,} bytes")
    return b"".join(parts)
