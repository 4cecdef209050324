"""One HTTP exchange over a shared session: sends exactly the given bytes and headers, once, and follows no redirect."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from runner.api.answers import AnswerTooLarge, UnfitHeader, broken
from runner.api.connecting import Connector, unfit_header
from runner.api.direct import DirectPost
from runner.api.replies import Broken, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from runner.api.proxies import Proxy

LARGEST_ANSWER = 64 * 1024 * 1024
MOST_READS = 64
_LONGEST_CONNECT_S = 10.0
_DROPPED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)
_LARGEST_PLAIN_BODY = 1024 * 1024  # aiohttp warns of larger bytes; from a file object it sends them in pieces
# All that may end an exchange, but for mistakes of ours.
_BREAKS = (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, ValueError, AnswerTooLarge)


class Transport:
    """Requests to one host. `timeout_s` is for a whole exchange; connecting may take at most half of it.

    More than `most_reads` GETs wait for their turn, which is not in that time. Creates do not: how many there are at once is
    the engine's business, and one that waits here might grow old.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        host: str,
        *,
        proxy: Proxy | None,
        timeout_s: float,
        largest: int = LARGEST_ANSWER,
        most_reads: int = MOST_READS,
    ) -> None:
        connect_s = min(_LONGEST_CONNECT_S, timeout_s / 2)
        self._session = session
        self._host = host
        self._proxy = proxy
        self._proxy_url = proxy.url if proxy else None
        self._proxy_headers = proxy.headers if proxy else None
        # Connecting has to time out on its own: when only the whole does, nobody knows whether anything was sent.
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=connect_s, sock_connect=connect_s)
        self._direct = DirectPost(session, self._timeout) if proxy is None else None
        self._largest = largest
        self._reads = asyncio.Semaphore(most_reads)

    async def exchange(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> Reply | Broken:
        """Send, and read the whole answer.

        aiohttp sends a POST once; a GET again on a fresh connection where the kept one was closed.
        """
        if method != "GET":
            return await self._exchange(method, url, headers, body)
        async with self._reads:
            return await self._exchange(method, url, headers, body)

    async def _exchange(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> Reply | Broken:
        try:
            if method == "POST" and self._direct is not None and DirectPost.is_usable:
                return await self._direct.exchange(url, headers, body, self._read)
            data = body if len(body) < _LARGEST_PLAIN_BODY else io.BytesIO(body)
            async with self._session.request(
                method,
                url,
                data=data or None,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy_url,
                proxy_headers=self._proxy_headers,
                timeout=self._timeout,
            ) as response:
                return Reply(response.status, response.headers, await self._read(response.content))
        except _BREAKS as exc:
            return broken(self._looked_into(exc, headers), self._host, self._proxy)

    def _looked_into(self, exc: Exception, headers: Mapping[str, str]) -> Exception:
        """The error, or what is behind it.

        After a connection was dropped, what is sent next goes on a fresh one: whoever closed it while it waited for use may
        have closed others.
        """
        connector = self._session.connector
        if isinstance(exc, _DROPPED) and isinstance(connector, Connector):
            connector.drop_idle()
        unfit = unfit_header(headers) if isinstance(exc, ValueError) else None
        return exc if unfit is None else UnfitHeader(unfit)

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        """The body, unless it is larger than any honest one (counted after decompression)."""
        body = await content.readany()
        while not content.at_eof():
            body += await content.readany()
            if len(body) > self._largest:
                raise AnswerTooLarge
        return body
