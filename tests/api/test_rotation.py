"""Credentials that change while a run goes on, clocks that are wrong, and IAM that answers badly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from runner.api.renewing import Issued, Renewed
from runner.api.services import ServiceSettings, open_services
from runner.errors import ServiceUnusable
from runner.model import Lane
from runner.rules.answers import Cause, Created, Refusal
from tests.api.test_client import BODY, NOW, Server, error, listening, reply

REFUSED = reply(401, error("APIGW.0301", "verify aksk signature fail"))
MADE = reply(200, b'{"id":"job-1"}')
ISSUED = reply(201, b'{"token":{"expires_at":"2026-01-02T00:00:00Z"}}', "X-Subject-Token: token-1")
PROJECTS = reply(200, b'{"projects":[{"id":"p","name":"cn-north-9"}]}')
BAD = reply(503, b"<html>no backend</html>")
USER = {"HW_USER_NAME": "user", "HW_USER_PASSWORD": "hidden-secret", "HW_DOMAIN_NAME": "account"}


def settings(home: Path, env: dict[str, str], wall: Callable[[], float] = lambda: NOW) -> ServiceSettings:
    return ServiceSettings(env, home, wall, str, timeout_s=5.0, pause_s=0.0)


def write_key(home: Path, ak: str, sk: str, token: str = "") -> None:
    path = home / ".huaweicloud" / "credentials"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[basic]\nak = {ak}\nsk = {sk}\n" + (f"security_token = {token}\n" if token else ""))


class Rotating(Server):
    """A service that refuses the first call, just after what `rotate` does."""

    def __init__(self, rotate: Callable[[], object], *replies: bytes) -> None:
        super().__init__(*replies)
        self._rotate = rotate

    async def _next(self, reader: asyncio.StreamReader) -> bytes | None:
        answer = await super()._next(reader)
        if len(self.seen) == 1:
            self._rotate()
        return answer


async def created(home: Path, service: Server, env: dict[str, str] | None = None) -> list[object]:
    """What two creates come to."""
    async with listening(service.handle) as port:
        lane = Lane(None, f"http://127.0.0.1:{port}", "p")
        async with open_services([lane], settings(home, env or {})) as lanes:
            client = lanes[lane].service
            return [await client.create(BODY), await client.create(BODY)]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_was_rotated_is_read_again_and_used_from_then_on(tmp_path: Path, status: int) -> None:
    write_key(tmp_path, "OLD", "old-secret")
    refused = reply(status, error("APIGW.0301", "verify aksk signature fail"))
    service = Rotating(lambda: write_key(tmp_path, "NEW", "new-secret", "new-token"), refused, MADE)
    first, second = await created(tmp_path, service)
    assert isinstance(first, Created)
    assert isinstance(second, Created)
    assert [head.split("Access=")[1].split(",")[0] for head, _ in service.seen] == ["OLD", "NEW", "NEW"]
    assert "X-Security-Token: new-token" in service.seen[1][0]
    assert "x-security-token" in service.seen[1][0].split("SignedHeaders=")[1]


async def test_a_key_that_is_the_same_is_not_tried_twice(tmp_path: Path) -> None:
    write_key(tmp_path, "OLD", "old-secret")
    service = Rotating(lambda: None, REFUSED)
    answers = await created(tmp_path, service)
    assert all(isinstance(answer, Refusal) and answer.cause is Cause.UNAUTHENTICATED for answer in answers)
    assert len(service.seen) == 2


@pytest.mark.parametrize("left", ["[basic]\nak = NEW\n", "", None])
async def test_a_file_that_is_being_written_is_not_taken_and_nobody_else_s_is(left: str | None, tmp_path: Path) -> None:
    write_key(tmp_path, "OLD", "old-secret")
    path = tmp_path / ".huaweicloud" / "credentials"
    koocli = tmp_path / ".hcloud" / "config.json"
    koocli.parent.mkdir()
    profile = {"name": "a", "accessKeyId": "OTHER", "secretAccessKey": "x"}
    koocli.write_bytes(orjson.dumps({"current": "a", "profiles": [profile]}))
    service = Rotating(lambda: path.unlink() if left is None else path.write_text(left), REFUSED, MADE)
    first, second = await created(tmp_path, service)
    assert isinstance(first, Refusal)
    assert isinstance(second, Created)
    assert [head.split("Access=")[1].split(",")[0] for head, _ in service.seen] == ["OLD", "OLD"]


async def test_both_keys_stay_out_of_sight(tmp_path: Path) -> None:
    write_key(tmp_path, "OLD", "old-secret")
    told = reply(400, error("ModelArts.0104", "old-secret new-secret"))
    service = Rotating(lambda: write_key(tmp_path, "NEW", "new-secret"), REFUSED, told)
    first, _ = await created(tmp_path, service)
    assert isinstance(first, Refusal)
    assert first.error.message == "*** ***"


@pytest.mark.parametrize(
    ("date", "says"),
    [
        ("Thu, 01 Jan 2026 00:20:00 GMT", "the clock of this machine is 20 minutes behind that of the service"),
        ("Wed, 31 Dec 2025 16:00:00 GMT", "the clock of this machine is 8 hours ahead of that of the service"),
        ("Thu, 01 Jan 2026 00:01:00 GMT", ""),
        ("yesterday", ""),
    ],
)
async def test_a_clock_that_is_wrong_is_named(date: str, says: str, tmp_path: Path) -> None:
    write_key(tmp_path, "AK", "secret")
    refused = reply(401, error("APIGW.0301", "signature expired"), f"Date: {date}")
    first, _ = await created(tmp_path, Server(refused))
    assert isinstance(first, Refusal)
    assert first.error.message.startswith(says)
    assert first.error.message.endswith("signature expired")
    assert ("clock" in first.error.message) is bool(says)


async def opened_with(iam: Server, home: Path, env: dict[str, str]) -> str | None:
    """The project that a lane gets from IAM."""
    async with listening(iam.handle) as port:
        lane = Lane("cn-north-9", "http://127.0.0.1:9", None)
        env = {**env, "HUAWEICLOUD_SDK_IAM_ENDPOINT": f"http://127.0.0.1:{port}"}
        async with open_services([lane], settings(home, env)) as lanes:
            return lanes[lane].lane.project_id


# An answer, none, one that is no JSON, one without a token, one refusal.
@pytest.mark.parametrize("bad", [BAD, None, reply(201, b"<html>"), reply(201, b"{}"), REFUSED])
async def test_one_bad_answer_of_iam_to_a_login_is_not_the_end(bad: bytes | None, tmp_path: Path) -> None:
    iam = Server(bad, ISSUED, PROJECTS, keep=False)
    assert await opened_with(iam, tmp_path, USER) == "p"
    assert len(iam.seen) == 3


@pytest.mark.parametrize("bad", [BAD, None, reply(200, b"<html>"), REFUSED])
async def test_one_bad_answer_of_iam_on_a_project_is_not_the_end(bad: bytes | None, tmp_path: Path) -> None:
    write_key(tmp_path, "AK", "secret")
    iam = Server(bad, PROJECTS, keep=False)
    assert await opened_with(iam, tmp_path, {}) == "p"


async def test_a_wrong_password_is_tried_twice_at_most(tmp_path: Path) -> None:
    iam = Server(reply(401, error("IAM.0001", "wrong password hidden-secret")), keep=False)
    with pytest.raises(ServiceUnusable, match=r"wrong password \*\*\*"):
        await opened_with(iam, tmp_path, USER)
    assert len(iam.seen) == 2


async def test_iam_that_stays_away_is_said(tmp_path: Path) -> None:
    iam = Server(BAD, keep=False)
    with pytest.raises(ServiceUnusable, match="503"):
        await opened_with(iam, tmp_path, USER)
    assert len(iam.seen) == 3


async def test_a_login_that_is_broken_off_leaves_the_next_one_its_turn() -> None:
    """A stop cancels creates that wait for a login; another lane may have the same credential."""
    hangs = asyncio.Event()
    calls: list[int] = []

    async def fetch() -> Issued[str]:
        calls.append(len(calls))
        if len(calls) == 1:
            await hangs.wait()
        return Issued("token", None)

    token = Renewed[str](None, fetch)
    first, second = asyncio.ensure_future(token.freshen(0.0)), asyncio.ensure_future(token.freshen(0.0))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert (token.value, len(calls)) == ("token", 2)
