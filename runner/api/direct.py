"""A POST written straight to one of aiohttp's connections.

aiohttp connects, pools and parses; only the head of the request is made here. A session's own `request` costs as much as
all else of a create together: cookies, redirects, payloads and a writer for what is one write.

`connect` of a connector is documented, `read` and `set_response_params` of its protocol are not: where they are missing,
`is_usable` is false, and the session sends.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from runner.api.answers import NothingSent
from runner.api.deadlines import Deadlines
from runner.api.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from yarl import URL

_INTERIM = range(100, 200)
_SWITCHING_PROTOCOLS = 101
_FOREVER_S = 1e6  # where a timeout has no end
# As the session sends them.
_ACCEPTED = "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n"


class DirectPost:
    """POSTs to one host without a proxy, over the connections of a session. `timeout` is for a whole exchange."""

    is_usable = hasattr(ResponseHandler, "set_response_params") and hasattr(ResponseHandler, "read")

    def __init__(self, session: aiohttp.ClientSession, timeout: aiohttp.ClientTimeout) -> None:
        self._session = session
        self._timeout = timeout
        self._deadlines = Deadlines(timeout.total or _FOREVER_S)
        self._to: _Destination | None = None

    async def exchange(
        self,
        url: URL,
        headers: Mapping[str, str],
        body: bytes,
        read: Callable[[aiohttp.StreamReader], Awaitable[bytes]],
    ) -> Reply:
        """Send once, and `read` the body of the answer.

        Raises:
            aiohttp.ClientError, OSError, HttpProcessingError: as the session does; the last where it is no HTTP.
            NothingSent: there was no connection, or it was gone before anything was sent.
            ValueError: a header has a line end in it.
        """
        head = _head(url, headers, len(body))
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("exchanges are made by tasks")
        self._deadlines.begin(task)
        try:
            connection = await self._connect(url)
            try:
                reply = await self._over(connection.protocol, head + body, read)
            except BaseException:
                connection.close()
                raise
        except asyncio.CancelledError:
            if self._deadlines.was_late(task):
                raise TimeoutError from None
            raise
        finally:
            self._deadlines.end(task)
        connection.release()
        return reply

    async def _connect(self, url: URL) -> Any:  # noqa: ANN401  a type of aiohttp that it does not export
        if self._to is None:
            self._to = _Destination("POST", url.origin(), loop=asyncio.get_running_loop())
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        try:
            return await connector.connect(self._to, [], self._timeout)
        except TimeoutError as exc:
            raise aiohttp.ConnectionTimeoutError from exc

    async def _over(
        self,
        protocol: Any,  # noqa: ANN401  likewise
        request: bytes,
        read: Callable[[aiohttp.StreamReader], Awaitable[bytes]],
    ) -> Reply:
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise NothingSent(aiohttp.ServerDisconnectedError())
        protocol.set_response_params(read_until_eof=True)
        transport.write(request)
        while True:
            message, content = await protocol.read()
            if message.code not in _INTERIM or message.code == _SWITCHING_PROTOCOLS:
                break
        return Reply(message.code, message.headers, await read(content))


class _Destination(aiohttp.ClientRequest):
    """Where to connect to: all that a connector wants to know of a request."""

    @cached_property
    def connection_key(self) -> Any:  # noqa: ANN401
        """See aiohttp; worked out once."""
        return super().connection_key


def _head(url: URL, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    text = "".join((f"POST {url.raw_path_qs} HTTP/1.1\r\n", *lines, _ACCEPTED, f"Content-Length: {length}\r\n\r\n"))
    if text.count("\n") != len(lines) + 5 or text.count("\r") != len(lines) + 5 or "\0" in text:
        raise ValueError("a header of the request has a line end in it")
    return text.encode()
