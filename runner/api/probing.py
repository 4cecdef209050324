"""One HTTP call to something other than the service, not signed: a check of a rollout, or one who is told of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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


class OutsideCall(NamedTuple):
    """A call to make within `timeout_s` seconds, with a body if there is one. `place` is for messages; None: its host."""

    method: str
    url: str
    timeout_s: float
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    place: str | None = None


class Told(NamedTuple):
    """What came of a call: a `status` with the beginning of what was said, or, where it is None, why there is none."""

    status: int | None
    said: bytes
    trouble: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it was answered with 2xx."""
        return self.status in _WELL


async def probe(url: str, timeout_s: float, env: Mapping[str, str], ca_bundle: Path | None) -> tuple[bool, str]:
    """Whether a GET is answered with 2xx within the time, and the beginning of what was said."""
    told = await make_call(OutsideCall("GET", url, timeout_s), env, ca_bundle)
    if told.status is None:
        return False, told.trouble
    return told.is_well, f"HTTP {told.status} {told.said.decode(errors='replace').strip()}".strip()


async def make_call(call: OutsideCall, env: Mapping[str, str], ca_bundle: Path | None) -> Told:
    """Make a call, once. Redirects are not followed. Certificates and the proxy are those of the calls to the service."""
    host, proxy = call.place or "", None
    try:
        target = URL(call.url)
        host = call.place or target.host_port_subcomponent or ""
        proxy = proxy_for(call.url, env)
        trust = trust_of(ca_bundle, env) if target.scheme == "https" else None
        # Through a proxy, plain http is the proxy's own request; else aiohttp makes a tunnel with these.
        own = proxy.headers if proxy and target.scheme == "http" else {}
        async with (
            open_session(trust) as session,
            session.request(
                call.method,
                target,
                data=call.body,
                allow_redirects=False,
                headers={**call.headers, **own},
                proxy=proxy.url if proxy else None,
                proxy_headers=proxy.headers if proxy else None,
                timeout=aiohttp.ClientTimeout(total=call.timeout_s),
            ) as response,
        ):
            return Told(response.status, await _beginning(response.content))
    except TimeoutError:
        return Told(None, b"", f"no answer within {call.timeout_s:g} s")
    except ServiceUnusable as error:
        return Told(None, b"", error.message)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Told(None, b"", broken(error, host, proxy).error.message)


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """So much that nothing which must not be shown is cut in two where the caller cuts."""
    said = b""
    while len(said) < _READ and (chunk := await content.read(_READ - len(said))):
        said += chunk
    return said
