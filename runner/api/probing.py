"""One HTTP GET to something that knows whether the fleet is well: a check of a rollout. Not the service, and not signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from runner.api.answers import broken
from runner.api.proxies import proxy_for
from runner.api.session import open_session, trust_of
from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_READ = 64 * 1024
_WELL = range(200, 300)


async def probe(url: str, timeout_s: float, env: Mapping[str, str], ca_bundle: Path | None) -> tuple[bool, str]:
    """Whether it answers 2xx within the time, and the beginning of what it said. Redirects are not followed.

    Certificates and the proxy are those of the calls to the service.
    """
    host, proxy = "", None
    try:
        target = URL(url)
        host = target.host_port_subcomponent or ""
        proxy = proxy_for(url, env)
        trust = trust_of(ca_bundle, env) if target.scheme == "https" else None
        # Through a proxy, plain http is the proxy's own request; else aiohttp makes a tunnel with these.
        own = proxy.headers if proxy and target.scheme == "http" else {}
        async with (
            open_session(trust) as session,
            session.get(
                target,
                allow_redirects=False,
                headers=own,
                proxy=proxy.url if proxy else None,
                proxy_headers=proxy.headers if proxy else None,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as response,
        ):
            said = (await _beginning(response.content)).decode(errors="replace").strip()
            return response.status in _WELL, f"HTTP {response.status} {said}".strip()
    except TimeoutError:
        return False, f"no answer within {timeout_s:g} s"
    except ServiceUnusable as error:
        return False, error.message
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return False, broken(error, host, proxy).error.message


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """So much that nothing which must not be shown is cut in two where the caller cuts."""
    said = b""
    while len(said) < _READ and (chunk := await content.read(_READ - len(said))):
        said += chunk
    return said
