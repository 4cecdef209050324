"""Where nothing was sent, nothing is in doubt: whatever breaks before there is a connection is a refusal."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from yarl import URL

from runner.api.replies import Broken, Reply
from runner.api.session import open_session
from runner.api.transport import Transport
from runner.rules.answers import Cause, Created, Refusal, Unanswered
from tests.api.test_client import BODY, KEY, Server, listening, opened, reply
from tests.api.test_proxies import passed_on

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def create(port: int, endpoint: str = "https://service.test", **env: str) -> object:
    proxy = {"HTTPS_PROXY": f"http://user:secret@127.0.0.1:{port}"}
    async with opened(endpoint, {**KEY, **proxy, **env}, timeout_s=2.0) as client:
        return await client.create(BODY)


def answering(said: bytes, *, keep: bool = False) -> Handle:
    """A proxy that says this when it is asked for the way on, and closes the connection, unless it keeps it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            await writer.drain()
            if keep:
                await reader.read()
        writer.close()

    return handle


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


@pytest.mark.parametrize(
    "handle",
    [
        answering(b""),
        answering(b"SSH-2.0-OpenSSH_9.6\r\n"),
        answering(b"\x16\x03\x01\x00garbage\r\n\r\n"),
        answering(b"HTTP/1.1 2"),
        answering(b"HTTP/9.9 abc def\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz"),
        answering(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
        answering(b"HTTP/1.1 302 Found\r\nLocation: https://login.test/\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\n\r\nnot TLS at all\r\n"),
        answering(b"HTTP/1.1 200 OK\r\n\r\n"),
        answering(b"", keep=True),
        answering(b"HTTP/1.1 200 OK\r\n\r\n", keep=True),
        resetting,
    ],
    ids=[
        "closes", "another protocol", "TLS", "cut off", "no status", "no header", "too long a header", "two lengths",
        "502", "302", "no TLS behind it", "closes behind it", "silence", "silence behind it", "reset",
    ],
)  # fmt: skip
async def test_a_proxy_that_opens_no_way_leaves_nothing_in_doubt(handle: Handle) -> None:
    async with listening(handle) as port:
        answer = await create(port)
    assert isinstance(answer, Refusal), answer
    assert answer.cause is Cause.UNREACHABLE
    assert f"127.0.0.1:{port} (HTTPS_PROXY)" in answer.error.message or "in time" in answer.error.message
    assert "secret" not in answer.error.message


@pytest.mark.process
async def test_the_answer_of_a_proxy_may_have_headers_of_64_kib(certificate: Path) -> None:
    service, tls = Server(reply(200, b'{"id":"job-1"}')), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with listening(service.handle, tls) as target:

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 Established\r\nX-Long: " + b"x" * 64_000 + b"\r\n\r\n")
                there, back = await asyncio.open_connection("127.0.0.1", target)
                await asyncio.gather(passed_on(reader, back), passed_on(there, writer))

        async with listening(proxy) as port:
            assert isinstance(await create(port, SSL_CERT_FILE=str(certificate)), Created)


@pytest.mark.parametrize("host", [f"{'a' * 64}.test", "a..test"])
async def test_a_host_that_is_no_name_leaves_nothing_in_doubt(host: str) -> None:
    async with opened(f"https://{host}", timeout_s=2.0) as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Refusal)
    assert answer.cause in {Cause.UNREACHABLE, Cause.UNUSABLE}


async def not_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.close()


@pytest.mark.parametrize("handle", [not_tls, closes])
async def test_a_server_without_tls_leaves_nothing_in_doubt(handle: Handle) -> None:
    async with listening(handle) as port, opened(f"https://127.0.0.1:{port}", timeout_s=2.0) as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Refusal)
    assert answer.cause is Cause.UNREACHABLE


@pytest.mark.parametrize("value", ["t\r\nX-Other: 1", "t\n", "t\0"])
async def test_a_header_that_cannot_be_sent_is_named_and_leaves_nothing_in_doubt(value: str) -> None:
    """One that a temporary key brought, say: those of people are looked at before."""
    server = Server(reply(200, b"{}"))
    async with listening(server.handle) as port, open_session(None) as session:
        transport = Transport(session, "service.test", proxy=None, timeout_s=2.0)
        url = URL(f"http://127.0.0.1:{port}/")
        answer = await transport.exchange("POST", url, {"X-Security-Token": value}, BODY)
        assert isinstance(answer, Broken)
        assert answer.cause is Cause.UNUSABLE
        assert "service.test can be made: its header X-Security-Token has" in answer.error.message
        assert "t\n" not in answer.error.message
        assert isinstance(await transport.exchange("POST", url, {"X-Security-Token": "t"}, BODY), Reply)
    assert len(server.seen) == 1


async def test_after_a_connection_was_dropped_the_others_that_wait_are_not_used() -> None:
    """All are closed at once, as by a balancer that forgot them: one create is in doubt, and not one for each."""
    drops = False
    connections = 0
    all_there = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        may_drop = connections <= 4
        if connections == 4:
            all_there.set()
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(BODY) if b"POST" in head else 0)
                if drops and may_drop:
                    break
                await all_there.wait()
                writer.write(reply(200, b'{"id":"job-1"}'))
        writer.close()

    async with listening(handle) as port, opened(f"http://127.0.0.1:{port}") as client:
        first = await asyncio.gather(*(client.create(BODY) for _ in range(4)))
        assert all(isinstance(answer, Created) for answer in first)
        drops = True
        assert isinstance(await client.create(BODY), Unanswered)
        assert isinstance(await client.create(BODY), Created)
    assert connections == 5
