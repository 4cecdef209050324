"""IAM: tokens for a user and password, and the project of a region (api-facts 3.1 and 3.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from yarl import URL

from runner.api.errors import read_error
from runner.api.proxies import proxy_for
from runner.api.signing import canonical_query
from runner.api.wire import read_time
from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.api.authenticating import RequestAuth
    from runner.api.credentials import PasswordLogin

# Fetch a new token while the old one is still good for this long, seconds.
_RENEW_BEFORE_S = 600.0
_CREATED, _OK = 201, 200


class TokenSource:
    """A token: given, or fetched and renewed. One fetch at a time, whoever asks."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: str,
        login: PasswordLogin | str,
        scope: dict[str, str],
        now: Callable[[], float],
    ) -> None:
        self._session = session
        self._url = URL(f"{endpoint}/v3/auth/tokens?nocatalog=true", encoded=True)
        self._login = None if isinstance(login, str) else login
        self._scope = scope
        self._now = now
        self._token = login if isinstance(login, str) else ""
        self._good_until = float("inf") if self._token else 0.0
        self._fetching = asyncio.Lock()

    async def token(self) -> str:
        """A token that is still good.

        Raises:
            ServiceUnusable: IAM gives none.
        """
        if self._now() >= self._good_until:
            async with self._fetching:
                if self._now() >= self._good_until:
                    await self._fetch()
        return self._token

    async def renew(self) -> bool:
        """The service no longer takes the token: whether there will be another."""
        if self._login is None:
            return False
        self._good_until = 0.0
        return True

    async def _fetch(self) -> None:
        login = self._login
        if login is None:
            raise ServiceUnusable("the given token is no longer good", hint="fetch another and set HW_AUTH_TOKEN")
        domain = {"name": login.domain_name} if login.domain_name else {"id": login.domain_id}
        user = {"name": login.user_name, "password": login.password, "domain": domain}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": self._scope}}}
        status, headers, answer = await call_iam(self._session, "POST", self._url, {}, orjson.dumps(body))
        token = headers.get("X-Subject-Token")
        if status != _CREATED or not token:
            error = read_error(status, answer, headers, lambda text: text.replace(login.password, "***"))
            raise ServiceUnusable(
                f"IAM gives no token: HTTP {status} {error.code or ''} {error.message}",
                hint="check HW_USER_NAME, HW_USER_PASSWORD, HW_DOMAIN_NAME and the region",
            )
        self._token = token
        self._good_until = _expiry(answer, self._now()) - _RENEW_BEFORE_S


def _expiry(answer: bytes, now: float) -> float:
    try:
        expires_at = read_time(orjson.loads(answer)["token"]["expires_at"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        expires_at = None
    # A token lives for a day; without its word, an hour is taken.
    return expires_at if expires_at is not None else now + 3600.0


async def find_project(
    session: aiohttp.ClientSession, endpoint: str, region: str, auth_of: Callable[..., RequestAuth]
) -> str:
    """The one project of a region.

    Raises:
        ServiceUnusable: there is none, more than one, or IAM does not say.
    """
    query = canonical_query([("name", region)])
    auth = auth_of("GET", endpoint, "/v3/projects", query)
    url = URL(f"{endpoint}/v3/projects?{query}", encoded=True)
    status, headers, answer = await call_iam(session, "GET", url, await auth.headers(b""), None)
    if status != _OK:
        error = read_error(status, answer, headers, str)
        raise ServiceUnusable(
            f"IAM does not tell the project of {region}: HTTP {status} {error.code or ''} {error.message}",
            hint="check the credentials, or give --project-id",
        )
    ids = [str(project["id"]) for project in _projects(answer)]
    if len(ids) == 1:
        return ids[0]
    found = f"{len(ids)} projects: {', '.join(ids)}" if ids else "no project"
    raise ServiceUnusable(f"{region} has {found}", hint="give --project-id, or lane.project_id in the jobspec")


def _projects(answer: bytes) -> list[dict[str, Any]]:
    try:
        projects = orjson.loads(answer)["projects"]
        return [project for project in projects if project.get("id")]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ServiceUnusable("IAM's list of projects cannot be read", hint="give --project-id") from error


async def call_iam(
    session: aiohttp.ClientSession, method: str, url: URL, headers: dict[str, str], body: bytes | None
) -> tuple[int, Any, bytes]:
    """Status, headers and body of one call.

    Raises:
        ServiceUnusable: IAM cannot be reached.
    """
    content = {"Content-Type": "application/json"} if body is not None else {}
    try:
        async with session.request(
            method, url, data=body, headers={**content, **headers}, proxy=proxy_for(str(url)), allow_redirects=False
        ) as response:
            return response.status, response.headers, await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ServiceUnusable(
            f"IAM at {url.origin()} cannot be reached: {str(error) or 'no answer in time'}"
        ) from error
