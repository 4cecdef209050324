"""Opens the clients of a run's lanes over one session: endpoints, projects and credentials found and put together."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from runner import __version__
from runner.api.authenticating import JSON, JSON_BODY, RequestAuth, SignedRequests, TokenRequests
from runner.api.client import LiteServerClient
from runner.api.credentials import AccessKey, Credentials, GivenToken, PasswordLogin
from runner.api.endpoints import checked_project, iam_endpoint, lane_endpoint
from runner.api.iam import TokenSource, find_project
from runner.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from runner.api.client import AuthFactory
    from runner.model import Lane

USER_AGENT = f"lite-server-runner/{__version__}"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to connect. `timeout_s` is for one whole request; `now` gives epoch seconds; `clean` hides secrets."""

    env: Mapping[str, str]
    timeout_s: float
    most_at_once: int
    now: Callable[[], float]
    clean: Callable[[str], str]
    ca_bundle: Path | None = None


@asynccontextmanager
async def open_services(
    lanes: Sequence[Lane], credentials: Credentials, how: Connection
) -> AsyncIterator[list[LiteServerClient]]:
    """One client per lane.

    Raises:
        InvalidInput: an endpoint, a project id or the CA bundle cannot be used.
        ServiceUnusable: IAM tells no project.
    """
    async with _session(how) as session:
        yield [await _client(session, lane, credentials, how) for lane in lanes]


def _session(how: Connection) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        # Named, because aiohttp would take another resolver merely because its package is installed.
        resolver=aiohttp.ThreadedResolver(),
        limit=how.most_at_once,
        ssl=_ssl_context(how.ca_bundle),
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=how.timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _ssl_context(ca_bundle: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "no PEM file of certificates"
        raise InvalidInput(Problem(f"the CA bundle cannot be used: {reason}", str(ca_bundle))) from error


async def _client(
    session: aiohttp.ClientSession, lane: Lane, credentials: Credentials, how: Connection
) -> LiteServerClient:
    endpoint = lane_endpoint(lane.region, lane.endpoint, how.env)
    iam = iam_endpoint(lane.region, credentials.iam_endpoint)
    project_id = lane.project_id or credentials.project_id
    if not project_id:
        if not lane.region:
            raise InvalidInput(Problem("no project id", hint="give --project-id, or a region to find it by"))
        auth_of = _auth_factory(session, iam, credentials.proof, {"name": lane.region}, None, how)
        project_id = await find_project(session, iam, lane.region, auth_of)
    project_id = checked_project(project_id)
    auth_of = _auth_factory(session, iam, credentials.proof, {"id": project_id}, project_id, how)
    return LiteServerClient(session, endpoint, project_id, auth_of, how.now, how.clean)


def _auth_factory(
    session: aiohttp.ClientSession,
    iam: str,
    proof: AccessKey | GivenToken | PasswordLogin,
    scope: dict[str, str],
    project_id: str | None,
    how: Connection,
) -> AuthFactory:
    if isinstance(proof, AccessKey):

        def signed(method: str, endpoint: str, path: str, query: str) -> RequestAuth:
            parts = urlsplit(endpoint)
            fixed = _fixed_headers(method) | ({"X-Project-Id": project_id} if project_id else {})
            return SignedRequests(proof, method, parts.netloc, parts.path + path, query, fixed, how.now)

        return signed
    source = TokenSource(session, iam, proof.token if isinstance(proof, GivenToken) else proof, scope, how.now)

    def with_token(method: str, endpoint: str, path: str, query: str) -> RequestAuth:
        del endpoint, path, query
        return TokenRequests(source, _fixed_headers(method))

    return with_token


def _fixed_headers(method: str) -> dict[str, str]:
    return {"Content-Type": JSON_BODY if method == "POST" else JSON, "User-Agent": USER_AGENT}
