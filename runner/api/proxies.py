"""The proxy that the environment names.

Asked once per endpoint: aiohttp's own `trust_env` asks the system in a thread for every request, twice, which takes a
third of the throughput.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from runner.api.endpoints import is_loopback


def proxy_for(endpoint: str) -> str | None:
    """The proxy for an endpoint (HTTPS_PROXY, HTTP_PROXY, NO_PROXY); None for loopback, or where none is named."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
