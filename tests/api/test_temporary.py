"""Keys that are lent for a while: where they come from, and that they are renewed before they expire."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from runner.api.client import LiteServerClient
from runner.api.services import ServiceSettings, open_services
from runner.errors import ServiceUnusable
from runner.model import Lane
from runner.rules.answers import Cause, Created, Refusal
from tests.api.test_client import BODY, NOW, Server, error, listening, reply

MADE = reply(200, b'{"id":"job-1"}')
REFUSED = reply(401, error("APIGW.0301", "verify aksk signature fail"))
TOKEN = reply(200, b"metadata-token")
HOUR = 3600.0


def key(number: int, hours: int = 1, form: str = "credential") -> bytes:
    names = ("access", "secret", "securitytoken", "expires_at")
    if form == "credentials":
        names = ("access_key_id", "secret_access_key", "security_token", "expiration")
    expiry = f"2026-01-01T{hours:02}:00:00.000000Z"
    values = (f"AK{number}", f"hidden-sk{number}", f"hidden-token{number}", expiry)
    return reply(200, orjson.dumps({form: dict(zip(names, values, strict=True))}))


@asynccontextmanager
async def opened(
    env: dict[str, str], source: Server, service: Server, wall: Callable[[], float] = lambda: NOW
) -> AsyncIterator[LiteServerClient]:
    """A client whose keys come from a `source`, under the names in `env` that have no value yet."""
    async with listening(source.handle) as there, listening(service.handle) as port:
        env = {name: value or f"http://127.0.0.1:{there}" for name, value in env.items()}
        lane = Lane(None, f"http://127.0.0.1:{port}", "p")
        around = ServiceSettings(env, Path("/nowhere"), wall, str, timeout_s=5.0, pause_s=0.0)
        async with open_services([lane], around) as lanes:
            yield lanes[lane].service


def keys_of(service: Server) -> list[str]:
    return [head.split("Access=")[1].split(",")[0] for head, _ in service.seen]


@asynccontextmanager
async def metadata(source: Server, service: Server, now: list[float]) -> AsyncIterator[LiteServerClient]:
    async with listening(source.handle) as port:
        env = {"RUNNER_METADATA_ENDPOINT": f"http://127.0.0.1:{port}"}
        async with opened(env, source, service, lambda: now[0]) as client:
            yield client


async def test_the_agency_of_a_cloud_server_signs_and_its_key_is_renewed_ahead() -> None:
    source, service, now = Server(TOKEN, key(1), TOKEN, key(2, 2)), Server(MADE), [NOW]
    async with metadata(source, service, now) as client:
        assert isinstance(await client.create(BODY), Created)
        now[0] += 0.8 * HOUR
        assert isinstance(await client.create(BODY), Created)
        now[0] += 0.15 * HOUR
        assert isinstance(await client.create(BODY), Created)
    assert keys_of(service) == ["AK1", "AK1", "AK2"]
    assert "X-Security-Token: hidden-token2" in service.seen[2][0]
    assert source.seen[0][0].startswith("PUT /meta-data/latest/api/token")
    assert "X-Metadata-Token-Ttl-Seconds: 21600" in source.seen[0][0]
    assert source.seen[1][0].startswith("GET /openstack/latest/securitykey")
    assert "X-Metadata-Token: metadata-token" in source.seen[1][0]


async def test_metadata_that_knows_no_tokens_gives_its_key_without() -> None:
    source, service = Server(reply(404, b""), key(1)), Server(MADE)
    async with metadata(source, service, [NOW]) as client:
        assert isinstance(await client.create(BODY), Created)
    assert "X-Metadata-Token:" not in source.seen[1][0]


async def test_a_key_that_is_refused_early_is_renewed_once_a_minute_at_most() -> None:
    source, service, now = Server(TOKEN, key(1), TOKEN, key(2)), Server(REFUSED, REFUSED, MADE), [NOW]
    async with metadata(source, service, now) as client:
        assert isinstance(await client.create(BODY), Refusal)
        now[0] += 120
        assert isinstance(await client.create(BODY), Created)
    assert keys_of(service) == ["AK1", "AK1", "AK2"]


async def test_a_key_that_cannot_be_renewed_is_used_while_it_lives() -> None:
    source, service, now = Server(TOKEN, key(1), reply(500, b"no")), Server(MADE), [NOW]
    async with metadata(source, service, now) as client:
        now[0] += 0.95 * HOUR
        assert isinstance(await client.create(BODY), Created)
        now[0] += 30
        assert isinstance(await client.create(BODY), Created)
    assert len(source.seen) == 2 + 3  # at once three times, and not again within a minute


async def test_no_cloud_server_says_where_it_looked() -> None:
    async with listening(Server(None).handle) as port:
        pass
    with pytest.raises(ServiceUnusable, match="no credentials") as caught:
        async with opened({"RUNNER_METADATA_ENDPOINT": f"http://127.0.0.1:{port}"}, Server(None), Server(None)):
            pass
    assert "Connection refused" in str(caught.value)
    assert "HUAWEICLOUD_SDK_AK" in caught.value.hint


async def test_an_agency_that_is_not_configured_is_said() -> None:
    source = Server(TOKEN, reply(401, b"Please configure Cloud Service Agency first"))
    with pytest.raises(ServiceUnusable, match="Please configure Cloud Service Agency first"):
        async with metadata(source, Server(None), [NOW]):
            pass


OIDC = {
    "HUAWEICLOUD_OIDC_AGENCY_URN": "agency",
    "HUAWEICLOUD_OIDC_PROVIDER_URN": "provider",
    "HUAWEICLOUD_SDK_STS_ENDPOINT": "",
}


async def test_an_identity_token_takes_on_an_agency_and_is_read_again(tmp_path: Path) -> None:
    file, now = tmp_path / "token", [NOW]
    file.write_text("first-id\n")
    source, service = Server(key(1, form="credentials"), key(2, 2, "credentials")), Server(MADE)
    async with opened({**OIDC, "HUAWEICLOUD_OIDC_TOKEN_FILE": str(file)}, source, service, lambda: now[0]) as client:
        assert isinstance(await client.create(BODY), Created)
        file.write_text("second-id\n")
        now[0] += 0.95 * HOUR
        assert isinstance(await client.create(BODY), Created)
    assert keys_of(service) == ["AK1", "AK2"]
    asked = [orjson.loads(body) for _, body in source.seen]
    assert [each["id_token"] for each in asked] == ["first-id", "second-id"]
    assert {**asked[0], "id_token": ""} == {
        "agency_urn": "agency",
        "provider_urn": "provider",
        "agency_session_name": "oidc-sts-session",
        "duration_seconds": 3600,
        "id_token": "",
    }
    assert source.seen[0][0].startswith("POST /v5/agencies/assume-with-oidc")


async def test_a_user_of_an_identity_provider_gets_a_key(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the-id")
    issued = reply(201, b"{}", "X-Subject-Token: unscoped")
    source, service = Server(issued, key(1)), Server(MADE)
    env = {
        "HUAWEICLOUD_SDK_IDP_ID": "idp",
        "HUAWEICLOUD_SDK_ID_TOKEN_FILE": str(file),
        "HUAWEICLOUD_SDK_IAM_ENDPOINT": "",
    }
    async with opened(env, source, service) as client:
        assert isinstance(await client.create(BODY), Created)
    (first, body), (second, keys) = source.seen
    assert first.startswith("POST /v3.0/OS-AUTH/id-token/tokens")
    assert "X-Idp-Id: idp" in first
    assert orjson.loads(body) == {"auth": {"id_token": {"id": "the-id"}}}
    assert second.startswith("POST /v3.0/OS-CREDENTIAL/securitytokens")
    assert orjson.loads(keys)["auth"]["identity"]["token"] == {"id": "unscoped", "duration_seconds": 21600}


@pytest.mark.parametrize(
    ("text", "says"), [(None, "No such file"), ("hidden one\nhidden two", "and nothing else"), ("", "and nothing else")]
)
async def test_a_file_without_an_identity_token_is_named_and_not_quoted(
    text: str | None, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ServiceUnusable, match=says) as caught:
        async with opened({**OIDC, "HUAWEICLOUD_OIDC_TOKEN_FILE": str(file)}, Server(None), Server(None)):
            pass
    assert str(file) in str(caught.value)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


async def test_an_identity_token_and_keys_stay_out_of_sight() -> None:
    env = {**OIDC, "HUAWEICLOUD_OIDC_ID_TOKEN": "hidden-id"}
    with pytest.raises(ServiceUnusable, match=r"bad \*\*\*") as caught:
        async with opened(env, Server(reply(400, error("STS.1", "bad hidden-id"))), Server(None)):
            pass
    assert "hidden" not in str(caught.value)
    told = reply(400, error("ModelArts.0104", "hidden-sk1 hidden-token1"))
    async with opened(env, Server(key(1)), Server(told)) as client:
        answer = await client.create(BODY)
    assert isinstance(answer, Refusal)
    assert (answer.cause, answer.error.message) == (Cause.INVALID, "*** ***")


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"HUAWEICLOUD_OIDC_AGENCY_URN": "a", "HUAWEICLOUD_OIDC_ID_TOKEN": "t"}, "HUAWEICLOUD_OIDC_PROVIDER_URN"),
        ({"HUAWEICLOUD_OIDC_AGENCY_URN": "a", "HUAWEICLOUD_OIDC_PROVIDER_URN": "p"}, "HUAWEICLOUD_OIDC_TOKEN_FILE"),
        ({**OIDC, "HUAWEICLOUD_OIDC_ID_TOKEN": "t", "HUAWEICLOUD_OIDC_DURATION_SECONDS": "1h"}, "DURATION_SECONDS"),
        ({**OIDC, "HUAWEICLOUD_OIDC_ID_TOKEN": "hidden\nid"}, "HUAWEICLOUD_OIDC_ID_TOKEN"),
        ({"HUAWEICLOUD_SDK_IDP_ID": "idp"}, "HUAWEICLOUD_SDK_ID_TOKEN_FILE"),
    ],
)
async def test_what_lacks_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(ServiceUnusable, match=named) as caught:
        async with opened(env, Server(None), Server(None)):
            pass
    assert "hidden" not in str(caught.value)
