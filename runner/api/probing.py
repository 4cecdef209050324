"""One HTTP GET to something that knows whether the fleet is well: a check of a rollout. Not the service, and not signed."""

from __future__ import annotations

import aiohttp

_READ = 64 * 1024
_WELL = range(200, 300)


async def probe(url: str, timeout_s: float) -> tuple[bool, str]:
    """Whether it answers 2xx within the time, and the beginning of what it said. Redirects are not followed."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            said = (await _beginning(response.content)).decode(errors="replace").strip()
            return response.status in _WELL, f"HTTP {response.status} {said}".strip()
    except TimeoutError:
        return False, f"no answer within {timeout_s:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return False, str(error) or type(error).__name__


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """So much that nothing which must not be shown is cut in two where the caller cuts."""
    said = b""
    while len(said) < _READ and (chunk := await content.read(_READ - len(said))):
        said += chunk
    return said
