"""The HTTP session: TLS, proxies and connections, from the environment and the command line."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # there, and not in typeshed

import aiohttp

from runner.api.endpoints import is_loopback
from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_KEEPALIVE_S = 15.0  # well below what servers keep, so that a create rarely meets a connection that is just closing


@asynccontextmanager
async def open_session(trust: ssl.SSLContext | None) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for all lanes, closed at the end. `trust` is None where no endpoint is https.

    It does not limit connections, because the engine bounds what is in flight and a queue here would eat into the
    timeout of a request. It does not use aiohttp's `trust_env`, which looks for a proxy and reads ~/.netrc in a thread
    for every request, and refuses a signed one when it finds a password there: see `proxy_for`.
    """
    connector = aiohttp.TCPConnector(
        limit=0,
        ssl=True if trust is None else trust,
        resolver=aiohttp.ThreadedResolver(),
        keepalive_timeout=_KEEPALIVE_S,
    )
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def trust_of(ca_bundle: Path | None, env: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust: the bundle given, else SSL_CERT_FILE, else REQUESTS_CA_BUNDLE, else the system's. Always verifies.

    A bundle replaces the system's certificates; it may be a folder of hashed ones. Raises ServiceUnusable.
    """
    source, bundle = "the CA bundle", ca_bundle
    for name in _BUNDLE_VARIABLES:
        if bundle is None and env.get(name):
            source, bundle = name, Path(env[name])
    if bundle is None:
        return ssl.create_default_context()
    try:
        if bundle.is_dir():
            return ssl.create_default_context(capath=str(bundle))
        return ssl.create_default_context(cafile=str(bundle))
    except OSError as exc:  # ssl.SSLError is one
        why = "it is not a file of certificates in PEM form" if isinstance(exc, ssl.SSLError) else exc.strerror
        raise ServiceUnusable(
            f"{source} {bundle} cannot be used: {why}", hint="Give a PEM file of certificates."
        ) from None


def proxy_for(endpoint: str, env: Mapping[str, str]) -> str | None:
    """The proxy for an endpoint: HTTPS_PROXY, else ALL_PROXY, small letters first, unless NO_PROXY names the host.

    Never one for this machine, so that plain http never goes through a proxy. Raises ServiceUnusable for a kind of
    proxy that is not HTTP.
    """
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if is_loopback(host) or _bypassed(parts.netloc, env):
        return None
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        if value := env.get(name, "").strip():
            proxy = value if "://" in value else f"http://{value}"
            if urlsplit(proxy).scheme not in {"http", "https"}:
                raise ServiceUnusable(
                    f"{name} is not an HTTP proxy", hint=f"Set {name} to http://host:port, or unset it."
                )
            return proxy
    return None


def _bypassed(netloc: str, env: Mapping[str, str]) -> bool:
    excluded = env.get("no_proxy") or env.get("NO_PROXY")
    return bool(excluded and proxy_bypass_environment(netloc, {"no": excluded}))
