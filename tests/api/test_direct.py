"""What is sent straight to a connection comes to the same as what a session sends: of each answer, and of each break."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from runner.api.direct import DirectPost
from runner.api.replies import Broken, Reply
from runner.api.session import open_session
from runner.api.transport import Transport
from runner.rules.answers import Cause
from tests.api.test_client import Server, listening, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HEADERS = {"Host": "h", "User-Agent": "runner", "Content-Type": "text/plain", "X-Text": "käse"}
BODY = b'{"name":"a"}'
HUGE = "X-Long: " + "x" * 60_000

# A PUT goes by the session.
WAYS = ("POST", "PUT")


@asynccontextmanager
async def transport(
    port: int, timeout_s: float = 5.0, largest: int = 1_000_000
) -> AsyncIterator[tuple[Transport, URL]]:
    async with open_session(None) as session:
        place = URL(f"http://127.0.0.1:{port}/a%20path?x=%20y", encoded=True)
        yield Transport(session, "here", proxy=None, timeout_s=timeout_s, largest=largest), place


async def answers(server: Server, method: str, body: bytes = BODY, count: int = 1) -> list[object]:
    async with listening(server.handle) as port, transport(port) as (to, url):
        got = [await to.exchange(method, url, HEADERS, body) for _ in range(count)]
    return [(one.status, one.body, one.headers.get("x-long")) if isinstance(one, Reply) else one for one in got]


def test_this_version_of_the_library_has_what_is_needed() -> None:
    assert DirectPost.is_usable


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(200, b"{}"), id="plain"),
        pytest.param(reply(200, gzip.compress(b"{}"), "Content-Encoding: gzip"), id="compressed"),
        pytest.param(reply(200, b"no gzip", "Content-Encoding: gzip"), id="not what it says"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + reply(200, b"{}"), id="continue"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + reply(200, b"{}"), id="early hints"),
        pytest.param(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", id="chunked"),
        pytest.param(b"HTTP/1.1 204 None\r\n\r\n", id="without a body"),
        pytest.param(reply(200, b"{}", HUGE), id="a long header"),
        pytest.param(reply(200, b"{}", HUGE + "x" * 10_000), id="a header that is too long"),
        pytest.param(reply(200, b"x" * 2_000_000), id="too large"),
        pytest.param(reply(302, b"", "Location: /b"), id="redirect"),
        pytest.param(b"HTTP/1.1 200 Fine\r\nContent-Length: 99\r\n\r\n{", id="cut off"),
        pytest.param(b"HTTP/1.0 200 Fine\r\n\r\n{}", id="to the end of the connection"),
        pytest.param(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", id="chunks without an end"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="another protocol"),
        pytest.param(b"not HTTP at all\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 Fine\r\nX-A: \0\r\n\r\n", id="a bad header"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_both_ways_read_an_answer_alike(answer: bytes) -> None:
    direct, session = [await answers(Server(answer, keep=False), method) for method in WAYS]
    assert direct == session


async def test_a_request_is_sent_as_the_session_sends_it() -> None:
    heads = []
    for method in WAYS:
        server = Server(reply(200, b"{}"))
        await answers(server, method)
        ((head, body),) = server.seen
        assert body == BODY
        heads.append({line for line in head.replace(method, "POST").split("\r\n") if line})
    assert heads[0] ^ heads[1] <= {line for head in heads for line in head if line.startswith("Accept-Encoding:")}


async def test_an_empty_body_and_a_large_one_arrive_whole() -> None:
    for size in (0, 3_000_000):
        server = Server(reply(200, b"{}"))
        await answers(server, "POST", b"x" * size)
        assert [len(body) for _, body in server.seen] == [size]


@pytest.mark.parametrize(("header", "connections"), [("X-A: b", 1), ("Connection: close", 3)])
async def test_a_connection_is_used_again_unless_it_is_closed(header: str, connections: int) -> None:
    server, seen = Server(reply(200, b"{}", header)), []

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername"))
        await server.handle(reader, writer)

    async with listening(counted) as port, transport(port) as (to, url):
        for _ in range(3):
            assert isinstance(await to.exchange("POST", url, HEADERS, BODY), Reply)
    assert len(set(seen)) == connections


async def test_a_create_that_is_cancelled_leaves_no_connection_to_read_its_answer_from() -> None:
    late = asyncio.Event()
    peers: list[object] = []

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername"))
        head = await reader.readuntil(b"\r\n\r\n")
        late.set()
        if b"wait" in head:
            await reader.read()  # until the other side hangs up
        else:
            writer.write(reply(200, b"second"))
        writer.close()

    async with listening(slow) as port, transport(port) as (to, url):
        first = asyncio.create_task(to.exchange("POST", url, HEADERS | {"X-A": "wait"}, b""))
        await late.wait()
        first.cancel()
        second = await to.exchange("POST", url, HEADERS, b"")
    assert isinstance(second, Reply)
    assert second.body == b"second"
    assert len(peers) == 2


async def test_an_answer_that_never_comes_is_waited_for_no_longer_than_was_asked() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(silent) as port, transport(port, timeout_s=1.0) as (to, url):
        broken = [await to.exchange(method, url, HEADERS, BODY) for method in WAYS]
    assert broken[0] == broken[1]


@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\nb", "a\rb", "a\0b"])
async def test_a_header_cannot_bring_another_one_along(value: str) -> None:
    server = Server(reply(200, b"{}"))
    async with listening(server.handle) as port, transport(port) as (to, url):
        broken = [await to.exchange(method, url, HEADERS | {"X-A": value}, BODY) for method in WAYS]
    assert not server.seen
    assert isinstance(broken[0], Broken)
    assert broken[0].cause is Cause.UNUSABLE
    assert broken[0] == broken[1]
