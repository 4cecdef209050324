"""Connections that are kept for the next request: only those on which nothing came since the last answer."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiohttp

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class FreshConnector(aiohttp.TCPConnector):
    """Takes a kept connection for a request only if nothing lies there to be read.

    What lies there is the end of the connection, or an answer to no request: a second one to the last request, or that of a
    server that waited too long for the next. aiohttp would take it for the answer to the next request.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109  aiohttp's
        """As that of aiohttp."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used or not _has_something_to_read(protocol):
                break
            connection.close()
        if protocol is not None:
            self._used.add(protocol)
        return connection


def _has_something_to_read(protocol: ResponseHandler) -> bool:
    """Whether something came already, or waits in the system."""
    if protocol.should_close:
        return True
    transport = protocol.transport
    if transport is None:
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
