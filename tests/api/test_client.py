"""The client over real sockets, against servers that answer, lie, cut and hang."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from runner.api.services import ServiceSettings, open_services
from runner.model import Lane
from runner.rules.answers import Cause, Created, ReadFailed, Refusal, Unanswered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from runner.api.client import LiteServerClient

BODY = b'{"name":"a"}'
NOW = 1767225600.0
KEY = {"HUAWEICLOUD_SDK_AK": "AK", "HUAWEICLOUD_SDK_SK": "hidden-secret"}


@asynccontextmanager
async def opened(
    endpoint: str,
    env: Mapping[str, str] = KEY,
    project: str = "p",
    timeout_s: float = 5.0,
    clean: Callable[[str], str] = str,
    ca_bundle: Path | None = None,
    wall: Callable[[], float] = lambda: NOW,
) -> AsyncIterator[LiteServerClient]:
    lane = Lane(None, endpoint, project)
    around = ServiceSettings(env, Path("/nowhere"), wall, clean, ca_bundle=ca_bundle, timeout_s=timeout_s)
    async with open_services([lane], around) as lanes:
        yield lanes[lane].service


class Server:
    """Raw HTTP on 127.0.0.1: gives each request the next of `replies` (the last one again), then closes on None."""

    def __init__(self, *replies: bytes | None, keep: bool = True) -> None:
        self.replies = replies
        self.keep = keep
        self.seen: list[tuple[str, bytes]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while (reply := await self._next(reader)) is not None:
                writer.write(reply)
                await writer.drain()
                if not self.keep:
                    break
        writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> bytes | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.split(":")[1] for line in head.lower().splitlines() if line.startswith("content-length:")]
        self.seen.append((head, await reader.readexactly(int(lengths[0]) if lengths else 0)))
        return self.replies[min(len(self.seen), len(self.replies)) - 1]

    @asynccontextmanager
    async def client(
        self,
        env: Mapping[str, str] = KEY,
        project: str = "p",
        timeout_s: float = 5.0,
        clean: Callable[[str], str] = str,
        wall: Callable[[], float] = lambda: NOW,
    ) -> AsyncIterator[LiteServerClient]:
        async with (
            listening(self.handle) as port,
            opened(f"http://127.0.0.1:{port}", env, project, timeout_s, clean, wall=wall) as client,
        ):
            yield client


@asynccontextmanager
async def listening(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    handling: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            handling.add(task)
        await handle(reader, writer)
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # Connections outlive their listener: without this they would be left to the next test's collector.
        await asyncio.gather(*handling)


def reply(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def error(code: str, message: str) -> bytes:
    return orjson.dumps({"error_code": code, "error_msg": message})


async def test_a_create_is_sent_signed_as_it_is_and_accepted() -> None:
    server = Server(reply(200, b'{"id":"job-1"}', "X-Request-Id: r1"))
    async with server.client() as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Created)
    assert (answer.job.job_id, answer.request_id) == ("job-1", "r1")
    ((head, body),) = server.seen
    assert head.startswith("POST /v1/p/dev-servers/jobs HTTP/1.1")
    assert "Content-Type: application/json;charset=utf-8" in head
    assert "X-Sdk-Date: 20260101T000000Z" in head
    assert body == BODY


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b""),
        reply(200, b'{"id":"job'),
        reply(200, b"<html>fine</html>"),
        reply(200, b'{"name":"no id"}'),
        b"HTTP/1.1 204 None\r\n\r\n",
        b"HTTP/1.1 200 Fine\r\nContent-Length: 99\r\n\r\n{",
        b"this is not HTTP\r\n\r\n",
        reply(302, b"", "Location: /elsewhere"),
        reply(500, error("ModelArts.6102", "internal")),
        reply(504, b"<html>Gateway Timeout</html>"),
        None,
    ],
)
async def test_a_create_without_a_usable_answer_is_in_doubt_and_sent_once(answer: bytes | None) -> None:
    server = Server(answer, keep=False)
    async with server.client() as client:
        assert isinstance(await client.create(BODY), Unanswered)
    assert len(server.seen) == 1


async def test_a_create_on_a_kept_connection_that_is_cut_is_not_sent_again() -> None:
    server = Server(reply(200, b'{"id":"job-1"}'), None)
    async with server.client() as client:
        assert isinstance(await client.create(BODY), Created)
        assert isinstance(await client.create(BODY), Unanswered)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "late", [reply(400, error("ModelArts.0101", "waited too long")), b"HTTP/1.1 408 Late\r\n\r\n", b"\0", None]
)
async def test_what_comes_on_a_kept_connection_before_the_next_create_is_not_its_answer(late: bytes | None) -> None:
    """None: the connection is closed meanwhile, which is seen before anything is sent."""
    answered, lies_there, connections = asyncio.Event(), asyncio.Event(), 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await reader.readuntil(BODY):
                writer.write(reply(200, b'{"id":"job-%d"}' % connections))
                await answered.wait()
                if late is None or connections > 1:
                    break
                writer.write(late)
                lies_there.set()
        writer.close()
        lies_there.set()

    async with listening(handle) as port, opened(f"http://127.0.0.1:{port}") as client:
        answers = []
        for _ in range(2):
            answers.append(await client.create(BODY))
            answered.set()
            await lies_there.wait()
    assert [answer.job.job_id for answer in answers if isinstance(answer, Created)] == ["job-1", "job-2"]
    assert connections == 2


async def test_a_create_that_hangs_is_in_doubt() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(hang) as port, opened(f"http://127.0.0.1:{port}", timeout_s=1.0) as client:
        assert isinstance(await client.create(BODY), Unanswered)


async def test_a_refused_connection_is_a_refusal_that_can_pass() -> None:
    server = Server(None)
    async with server.client() as client:
        pass
    async with listening(server.handle) as port:
        endpoint = f"http://127.0.0.1:{port}"
    async with opened(endpoint) as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Refusal)
    assert answer.cause is Cause.UNREACHABLE


@pytest.mark.parametrize(
    "body",
    [
        error("APIGW.0308", "limit:10,time:1 minute"),
        b'{"errorCode":"APIGW.0308","errorMsg":"limit:10,time:1 minute"}',
        b'{"error":{"code":"APIGW.0308","message":"limit:10,time:1 minute"}}',
    ],
)
async def test_a_throttled_create_says_the_limit(body: bytes) -> None:
    server = Server(reply(429, body, "Retry-After: 7", "X-Request-Id: r2"))
    async with server.client() as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Refusal)
    assert (answer.cause, answer.error.code, answer.error.request_id) == (Cause.THROTTLED, "APIGW.0308", "r2")
    assert answer.throttle is not None
    assert (answer.throttle.limit, answer.throttle.period_s, answer.throttle.retry_after_s) == (10, 60.0, 7.0)


async def test_messages_of_the_service_lose_their_secrets() -> None:
    task = {"server_id": "s", "message": "used pass-1"}
    replies = (
        reply(400, error("ModelArts.0104", "bad pass-1")),
        reply(200, orjson.dumps({"id": "j", "tasks": [task]})),
    )
    async with Server(*replies).client(clean=lambda text: text.replace("pass-1", "***")) as client:
        answers = (await client.create(BODY), await client.get("j"))
    assert "pass-1" not in repr(answers)
    assert "hidden-secret" not in repr(answers)


async def test_a_message_is_kept_as_the_service_told_it_and_a_page_as_a_browser_shows_it() -> None:
    said = "first\x1b[2J\nsecond " + "x" * 1_000
    page = b"<html><style>p {}</style><p>Bad\n <b>Gateway</b></p></html>"
    async with Server(reply(400, error("ModelArts.0104", said)), reply(502, page)).client() as client:
        refused, unanswered = await client.create(BODY), await client.create(BODY)
    assert isinstance(refused, Refusal)
    assert refused.error.message == said
    assert isinstance(unanswered, Unanswered)
    assert unanswered.error.message == "Bad Gateway"


async def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    server = Server(reply(400, error("ModelArts.6404", "not found")))
    async with server.client() as client:
        answer = await client.get("../a?b#c")
    assert isinstance(answer, ReadFailed)
    assert answer.missing
    assert server.seen[0][0].startswith("GET /v1/p/dev-servers/jobs/..%2Fa%3Fb%23c HTTP/1.1")


async def test_a_list_sends_the_query_that_was_signed() -> None:
    server = Server(reply(200, b'{"total":0,"data":[]}'))
    async with server.client() as client:
        await client.list(name="a b", offset=10, limit=50)
    assert server.seen[0][0].startswith("GET /v1/p/dev-servers/jobs?limit=50&name=a%20b&offset=10 HTTP/1.1")


async def test_a_create_that_may_not_leave_any_more_is_not_sent() -> None:
    server = Server(reply(200, b'{"id":"job-1"}'))
    async with server.client() as client:
        assert await client.create(BODY, Looks(False)) is None
        assert await client.get("job-1", Looks(False)) is None
        assert await client.list(name=None, offset=0, limit=1, departure=Looks(False)) is None
    assert not server.seen


class Looks:
    """The departure of a call that is asked for several times."""

    def __init__(self, *may_leave: bool) -> None:
        self.may_leave = list(may_leave)
        self.refusals: list[int] = []

    async def leave(self) -> bool:
        return self.may_leave.pop(0)

    def refused(self) -> None:
        self.refusals.append(len(self.may_leave))


@pytest.mark.parametrize("may_leave", [True, False])
async def test_a_create_with_a_renewed_token_leaves_only_if_it_still_may(may_leave: bool) -> None:
    looks = Looks(True, may_leave)
    now = [NOW]
    async with renewing(now) as (client, service):
        now[0] += 120
        answer = await client.create(BODY, looks)
    assert looks.refusals == [1]  # told before another token is fetched
    assert len(service.seen) == (2 if may_leave else 1)
    assert isinstance(answer, Created) is may_leave
    assert (answer is None) is not may_leave


# The wall clock may have been set back since the token came.
@pytest.mark.parametrize("later_s", [120.0, -3600.0])
async def test_a_token_that_must_be_updated_is_renewed_and_the_create_sent_again(later_s: float) -> None:
    now = [NOW]  # a token is renewed once a minute at most: a wrong password would lock the account
    async with renewing(now) as (client, service):
        now[0] += later_s
        answer = await client.create(BODY)
    assert isinstance(answer, Created)
    assert [head.split("X-Auth-Token: ")[1].split("\r\n")[0] for head, _ in service.seen] == ["one", "two"]


@asynccontextmanager
async def renewing(now: list[float]) -> AsyncIterator[tuple[LiteServerClient, Server]]:
    """A client whose token the service does not take any more, and the service."""
    issued = b'{"token":{"expires_at":"2026-01-02T00:00:00.000000Z"}}'
    iam = Server(reply(201, issued, "X-Subject-Token: one"), reply(201, issued, "X-Subject-Token: two"))
    refused = reply(401, error("APIGW.0307", "The token must be updated"))
    service = Server(refused, reply(200, b'{"id":"job-1"}'))
    async with listening(iam.handle) as port:
        env = {
            "HW_USER_NAME": "user",
            "HW_USER_PASSWORD": "hidden-secret",
            "HW_DOMAIN_NAME": "account",
            "HUAWEICLOUD_SDK_IAM_ENDPOINT": f"http://127.0.0.1:{port}",
        }
        async with service.client(env, wall=lambda: now[0]) as client:
            yield client, service
    assert orjson.loads(iam.seen[0][1])["auth"]["scope"] == {"project": {"id": "p"}}


@pytest.mark.process
@pytest.mark.parametrize("trusted", [True, False])
async def test_only_a_trusted_certificate_will_do(trusted: bool, certificate: Path) -> None:
    server = Server(reply(200, b'{"id":"job-1"}'))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    bundle = certificate if trusted else None
    async with (
        listening(server.handle, tls) as port,
        opened(f"https://127.0.0.1:{port}", ca_bundle=bundle) as client,
    ):
        answer = await client.create(BODY)
    if trusted:
        assert isinstance(answer, Created)
    else:
        assert isinstance(answer, Refusal)
        assert answer.cause is Cause.UNREACHABLE  # another node may have a better one
        assert "certificate of 127.0.0.1 does not verify" in answer.error.message
        assert server.seen == []


@pytest.mark.process
async def test_one_node_of_many_without_tls_does_not_stop_the_lane(certificate: Path) -> None:
    server = Server(reply(200, b'{"id":"job-1"}'))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    nodes = iter([False, True])

    async def balanced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if next(nodes):
            await writer.start_tls(tls)
            await server.handle(reader, writer)
        else:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

    async with listening(balanced) as port, opened(f"https://127.0.0.1:{port}", ca_bundle=certificate) as client:
        refused = await client.create(BODY)
        assert isinstance(refused, Refusal)
        assert refused.cause is Cause.UNREACHABLE
        assert isinstance(await client.create(BODY), Created)
