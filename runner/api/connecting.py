"""Connections that are told apart: what fails before there is one has sent nothing of the request."""

from __future__ import annotations

import re
import select
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from runner.api.answers import NothingSent

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

LONGEST_HEADER = 64 * 1024
_FIT = re.compile(r"[^\r\n\0]*")


def unfit_header(headers: Mapping[str, str]) -> str | None:
    """The name of a header whose value cannot be sent, for which aiohttp refuses to write any; None: there is none."""
    return next((name for name, value in headers.items() if not _FIT.fullmatch(value)), None)


class _Protocol(ResponseHandler):
    """Reads long headers, of the answer to a CONNECT too, for which a session's limits do not hold."""

    was_used = False

    def set_response_params(self, **params: Any) -> None:
        """See aiohttp."""
        params["max_line_size"] = params["max_field_size"] = LONGEST_HEADER
        super().set_response_params(**params)


class Connector(aiohttp.TCPConnector):
    """Raises NothingSent for whatever keeps a connection from being made: names, TCP, TLS, a proxy.

    But for time-outs, which aiohttp tells apart by itself.
    """

    def __init__(self, trust: ssl.SSLContext | None, keepalive_s: float) -> None:
        super().__init__(
            limit=0,
            ssl=True if trust is None else trust,
            resolver=aiohttp.ThreadedResolver(),
            keepalive_timeout=keepalive_s,
        )
        self._factory = partial(_Protocol, loop=self._loop)  # type: ignore[assignment]

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  so it is called
    ) -> Connection:
        """A connection that waits for use, or a new one.

        What lies to be read on one that waits is its end, or an answer to no request: a second one to the last, or that of a
        server that waited too long. aiohttp would take it for the answer to the next request.
        """
        try:
            while True:
                connection = await super().connect(req, traces, timeout)
                if not _has_something_to_read(connection.protocol):
                    return connection
                connection.close()
        except TimeoutError:
            raise
        except Exception as exc:
            raise NothingSent(exc) from exc

    def drop_idle(self) -> None:
        """Close the connections that wait for use: where one was closed by the other side, others may be as well."""
        for waiting in self._conns.values():
            for protocol, _ in waiting:
                protocol.close()
        self._conns.clear()


def _has_something_to_read(protocol: ResponseHandler | None) -> bool:
    """Whether something came on a connection that was used before, or waits in the system."""
    if not isinstance(protocol, _Protocol):
        return False
    if not protocol.was_used:
        protocol.was_used = True
        return False
    transport = protocol.transport
    if protocol.should_close or transport is None:
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
