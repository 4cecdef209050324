"""Which calls go by which proxy, and that it is named when it is the proxy that fails."""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from runner.api.probing import probe
from runner.api.proxies import is_excepted, proxy_for
from runner.api.session import trust_of
from runner.errors import ServiceUnusable
from runner.rules.answers import Cause, Created, Refusal
from tests.api.test_client import BODY, KEY, NOW, Server, listening, opened, reply

URL = "https://modelarts.cn-north-9.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("host", "port", "exceptions", "excepted"),
    [
        ("a.test", 443, "", False),
        ("a.test", 443, "*", True),
        ("a.test", 443, "b.test, a.test", True),
        ("a.test", 443, "b.test a.test", True),
        ("a.test", 443, "test", True),
        ("a.test", 443, ".test", True),
        ("a.test", 443, "*.test", True),
        ("test", 443, "*.test", False),
        ("a.test", 443, ".a.test", True),
        ("ba.test", 443, "a.test", False),
        ("A.Test.", 443, "a.TEST.", True),
        ("a.test", 443, "a.test:443", True),
        ("a.test", 443, "a.test:80", False),
        ("a.b.test", 8443, ".test:8443", True),
        ("10.1.2.3", 443, "10.1.2.3", True),
        ("10.1.2.3", 443, "10.0.0.0/8", True),
        ("10.1.2.3", 443, "10.1.2.9/24", True),
        ("11.1.2.3", 443, "10.0.0.0/8", False),
        ("10.1.2.3", 443, "2.3", False),
        ("10.1.2.3", 8443, "10.1.2.3:8443", True),
        ("10.1.2.3", 443, "10.1.2.3:8443", False),
        ("a.test", 443, "10.0.0.0/8", False),
        ("fd00::1", 443, "fd00::1", True),
        ("fd00::1", 443, "[FD00:0::1]", True),
        ("fd00::1", 443, "[fd00::1]:443", True),
        ("fd00::1", 443, "[fd00::1]:80", False),
        ("fd00::1", 443, "fd00::/8", True),
        ("fe80::1", 443, "fd00::/8", False),
        ("::ffff:10.1.2.3", 443, "10.0.0.0/8", True),
        ("a.test", 443, ",, /8 [ ]: :: :443 a.test:port", False),
    ],
)
def test_what_no_proxy_names(host: str, port: int, exceptions: str, excepted: bool) -> None:
    assert is_excepted(host, port, exceptions) is excepted


@pytest.mark.parametrize(
    ("env", "place"),
    [
        ({"HTTPS_PROXY": "http://p.test:3128"}, "http://p.test:3128"),
        ({"HTTPS_PROXY": "P.test:3128/"}, "http://p.test:3128"),
        ({"HTTPS_PROXY": "https://p.test"}, "https://p.test"),
        ({"HTTPS_PROXY": "http://[fd00::1]:3128"}, "http://[fd00::1]:3128"),
        ({"https_proxy": "http://small.test:1", "HTTPS_PROXY": "http://p.test"}, "http://small.test:1"),
        ({"ALL_PROXY": "http://all.test:1"}, "http://all.test:1"),
        ({"HTTP_PROXY": "http://plain.test:1"}, None),
        ({"HTTPS_PROXY": "http://p.test:1", "NO_PROXY": ".myhuaweicloud.com"}, None),
        ({"HTTPS_PROXY": "http://p.test:1", "NO_PROXY": "*", "no_proxy": "other.test"}, "http://p.test:1"),
        ({}, None),
    ],
)
def test_the_proxy_of_a_call(env: dict[str, str], place: str | None) -> None:
    found = proxy_for(URL, env)
    assert (str(found.url).rstrip("/") if found else None) == place


def test_the_proxy_of_plain_http_is_another_one_and_none_that_a_caller_gave() -> None:
    env = {"HTTP_PROXY": "http://p.test:1", "HTTPS_PROXY": "http://s.test:1"}
    assert str(getattr(proxy_for("http://health.test/", env), "url", "")) == "http://p.test:1"
    assert proxy_for("http://health.test/", {**env, "REQUEST_METHOD": "GET"}) is None


@pytest.mark.parametrize(
    ("person", "sent"),
    [
        ("user:secret", "user:secret"),
        ("user:s@e:c/r?e#t%", "user:s@e:c/r?e#t%"),
        ("user:s%40cret%20%F0%9F%94%91", "user:s@cret \U0001f511"),
        ("us\u00e9r:sécret", "us\u00e9r:sécret"),
        ("DOMAIN\\user:secret", "DOMAIN\\user:secret"),
        ("user:", "user:"),
        ("user", "user:"),
    ],
)
def test_a_proxy_s_user_and_password_may_have_any_character(person: str, sent: str) -> None:
    found = proxy_for(URL, {"HTTPS_PROXY": f"http://{person}@p.test:3128"})
    assert found is not None
    assert found.url.host == "p.test"
    assert base64.b64decode(found.headers["Proxy-Authorization"].split()[1]).decode() == sent
    assert "cret" not in f"{found} {found!r} {found.name}"


@pytest.mark.parametrize(
    "value",
    ["socks5://user:secret@p.test", "http://", "http://user:secret@", "http://user:secret@p test", "http://user:secret@p:0",
     "http://user:secret@p:99999", "http://user:secret@[::1", "http://us%3Aer:secret@p"],
)  # fmt: skip
def test_what_is_no_proxy_is_named_without_its_value(value: str) -> None:
    with pytest.raises(ServiceUnusable, match="HTTPS_PROXY") as caught:
        proxy_for(URL, {"HTTPS_PROXY": value})
    assert "secret" not in f"{caught.value} {caught.value!r}"


async def sent_by(proxy: Server, user: str = "user:se@cret") -> tuple[object, int]:
    async with listening(proxy.handle) as port:
        env = {**KEY, "HTTPS_PROXY": f"http://{user}@127.0.0.1:{port}"}
        async with opened("https://service.test", env) as client:
            return await client.create(BODY), port


@pytest.mark.parametrize(
    ("status", "cause"), [(407, Cause.UNUSABLE), (403, Cause.UNREACHABLE), (502, Cause.UNREACHABLE)]
)
async def test_a_proxy_that_does_not_let_through_is_named(status: int, cause: Cause) -> None:
    proxy = Server(reply(status, b""))
    answer, port = await sent_by(proxy)
    assert isinstance(answer, Refusal)
    assert answer.cause is cause
    assert f"through the proxy 127.0.0.1:{port} (HTTPS_PROXY), which answers HTTP {status}" in answer.error.message
    assert "cret" not in answer.error.message
    head = proxy.seen[0][0]
    assert head.startswith("CONNECT service.test:443")
    assert base64.b64encode(b"user:se@cret").decode() in head
    assert "X-Sdk-Date" not in head


async def test_a_proxy_that_is_not_there_is_named() -> None:
    async with listening(Server(None).handle) as port:
        pass
    env = {**KEY, "HTTPS_PROXY": f"http://user:secret@127.0.0.1:{port}"}
    async with opened("https://service.test", env) as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Refusal)
    assert answer.error.message == f"no connection to the proxy 127.0.0.1:{port} (HTTPS_PROXY): Connection refused"


async def tunnelled(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a connection through to a port of this machine, whatever it asks for."""
    with suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Established\r\n\r\n")
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(passed_on(reader, back), passed_on(there, writer))


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.mark.process
async def test_calls_and_checks_go_through_the_proxy_and_trust_the_bundle(certificate: Path) -> None:
    made = reply(200, b'{"id":"job-1"}', f"X-Long: {'x' * 60_000}")
    service, tls = Server(made), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    connects = []

    async with listening(service.handle, tls) as target:

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connects.append(1)
            await tunnelled(target, reader, writer)

        async with listening(proxy) as port:
            env = {**KEY, "https_proxy": f"http://u:p@127.0.0.1:{port}", "CURL_CA_BUNDLE": str(certificate)}
            async with opened("https://service.test", env) as client:
                assert isinstance(await client.create(BODY), Created)
                assert isinstance(await client.create(BODY), Created)
            assert len(connects) == 1
            assert (await probe("https://service.test/health", 5.0, env, None))[0]
            passed, said = await probe("https://service.test/health", 5.0, {**env, "CURL_CA_BUNDLE": ""}, None)
    assert not passed
    assert said.startswith("the TLS certificate of service.test through the proxy 127.0.0.1")
    assert len(service.seen) == 3


async def test_a_plain_check_through_a_proxy_shows_who_it_is() -> None:
    proxy = Server(reply(200, b"well"))
    async with listening(proxy.handle) as port:
        said = await probe("http://health.test/x", 5.0, {"http_proxy": f"http://u:secret@127.0.0.1:{port}"}, None)
    assert said == (True, "HTTP 200 well")
    head = proxy.seen[0][0]
    assert head.startswith("GET http://health.test/x HTTP/1.1")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'u:secret').decode()}" in head


@pytest.mark.parametrize("env", [{"HTTP_PROXY": "http://u:secret@"}, {"http_proxy": "http://u:secret@127.0.0.1:1"}])
async def test_a_check_names_the_proxy_and_not_its_password(env: dict[str, str]) -> None:
    passed, said = await probe("http://u:hidden@health.test/x", 5.0, env, None)
    assert not passed
    assert next(iter(env)) in said
    assert "secret" not in said
    assert "hidden" not in said


@pytest.mark.process
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_bundle_that_a_variable_names_may_begin_with_home(name: str, certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(certificate.read_bytes())
    assert len(trust_of(None, {name: "~/ca.pem", "HOME": str(tmp_path)}).get_ca_certs()) == 1
    with pytest.raises(ServiceUnusable, match=name):
        trust_of(None, {name: "~/none.pem", "HOME": str(tmp_path)})


async def test_headers_may_be_64_kib_long() -> None:
    server = Server(reply(200, b'{"id":"job-1"}', f"X-Long: {'x' * 64_000}", "X-Request-Id: r1"))
    async with server.client(wall=lambda: NOW) as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Created)
    assert answer.request_id == "r1"
