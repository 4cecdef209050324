"""The HTTP session: TLS and connections, from the environment and the command line."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from runner.api.connecting import LONGEST_HEADER, Connector
from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_KEEPALIVE_S = 15.0  # well below what servers keep, so that a create rarely meets a connection that is just closing


@asynccontextmanager
async def open_session(trust: ssl.SSLContext | None) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for all lanes, closed at the end. `trust` is None where no endpoint is https.

    It does not limit connections, because the engine bounds what is in flight and a queue here would eat into the
    timeout of a request. It does not use aiohttp's `trust_env`, which looks for a proxy and reads ~/.netrc in a thread
    for every request, and refuses a signed one when it finds a password there: see `runner.api.proxies`.
    """
    async with aiohttp.ClientSession(
        connector=Connector(trust, _KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
    ) as session:
        yield session


def trust_of(ca_bundle: Path | None, env: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust: the bundle given, else that of the first variable that is set, else the system's. Always verifies.

    A bundle replaces the system's certificates; it may be a folder of hashed ones. Raises ServiceUnusable.
    """
    source, bundle = "the CA bundle", ca_bundle
    for name in _BUNDLE_VARIABLES:
        if bundle is None and env.get(name):
            source, bundle = name, Path(env[name])
    if bundle is None:
        return ssl.create_default_context()
    if bundle.parts[:1] == ("~",) and env.get("HOME"):
        bundle = Path(env["HOME"], *bundle.parts[1:])
    try:
        if bundle.is_dir():
            return ssl.create_default_context(capath=str(bundle))
        return ssl.create_default_context(cafile=str(bundle))
    except OSError as exc:  # ssl.SSLError is one
        why = "it is not a file of certificates in PEM form" if isinstance(exc, ssl.SSLError) else exc.strerror
        raise ServiceUnusable(
            f"{source} {bundle} cannot be used: {why}", hint="Give a PEM file of certificates."
        ) from None
