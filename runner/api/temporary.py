"""Temporary access keys: of a cloud server's metadata, and of IAM for a token of somebody else (api-facts 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from runner.api.answers import read_answer
from runner.api.asking import MORE_TRIES, asked
from runner.api.authentication import blank_out, outgoing
from runner.api.proofs import AccessKey, FederatedUser, MetadataAgency, OidcAgency, login_identity
from runner.api.renewing import IamFailed, Issued
from runner.api.replies import Broken, Reply
from runner.api.wire import UnreadableAnswer, read_object, read_time
from runner.rules.answers import Cause, ReadFailed, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.api.authentication import Headers
    from runner.api.transport import Transport
    from runner.engine.refusals import CredentialMemory

_JSON = "application/json;charset=UTF-8"
_NAMES = {
    "ak": ("access", "accessKeyId", "access_key_id"),
    "sk": ("secret", "secretAccessKey", "secret_access_key"),
    "token": ("securitytoken", "securityToken", "security_token"),
    "expiry": ("expires_at", "expiration"),
}
_TOKEN_LIFE_S = 6 * 3600
_NO_METADATA_TOKENS = frozenset({404, 405, 503})  # of servers that know none, and give keys without


@dataclass(frozen=True, slots=True)
class TemporaryKeys:
    """Fetches keys. `clean` takes secrets out of what is said; `pause_s` is how long to wait after a bad answer.

    `memory` is of those who were given none.
    """

    transport: Transport
    endpoint: str
    clean: Callable[[str], str]
    wall: Callable[[], float]
    pause_s: float
    memory: CredentialMemory

    async def of(self, proof: MetadataAgency | OidcAgency | FederatedUser) -> Issued[AccessKey]:
        """A key of the moment.

        Raises:
            IamFailed: there is none.
        """
        # Metadata that cannot be reached is where there is none: nobody should wait long to be told.
        again = MORE_TRIES.keys() - ({Cause.UNREACHABLE} if isinstance(proof, MetadataAgency) else set())
        identity = login_identity(proof)
        answer = await asked(lambda: self._key(proof), self.pause_s, self.memory.of(lambda: identity), again)
        if isinstance(answer, ReadFailed):
            raise IamFailed(answer.cause, answer.error)
        return answer

    async def _key(self, proof: MetadataAgency | OidcAgency | FederatedUser) -> Issued[AccessKey] | ReadFailed:
        if isinstance(proof, MetadataAgency):
            return await self._of_metadata()
        token = _id_token(proof)
        if isinstance(proof, OidcAgency):
            body = {**proof.asked, "id_token": token}
            return self._read(await self._sent("POST", "/v5/agencies/assume-with-oidc", body), token)
        return await self._of_federation(proof, token)

    async def _of_metadata(self) -> Issued[AccessKey] | ReadFailed:
        lifetime = {"X-Metadata-Token-Ttl-Seconds": str(_TOKEN_LIFE_S)}
        reply = await self._sent("PUT", "/meta-data/latest/api/token", headers=lifetime)
        if isinstance(reply, Reply) and reply.status in _NO_METADATA_TOKENS:
            headers: Headers = {}
        else:
            token = read_answer(reply, _line, self.clean, self.wall())
            if isinstance(token, ReadFailed):
                return token
            headers = {"X-Metadata-Token": token}
        return self._read(await self._sent("GET", "/openstack/latest/securitykey", headers=headers))

    async def _of_federation(self, proof: FederatedUser, id_token: str) -> Issued[AccessKey] | ReadFailed:
        body: dict[str, object] = {"auth": {"id_token": {"id": id_token}}}
        headers = {"X-Idp-Id": proof.idp_id}
        reply = await self._sent("POST", "/v3.0/OS-AUTH/id-token/tokens", body, headers)
        said = read_answer(reply, read_object, lambda text: blank_out(self.clean(text), id_token), self.wall())
        if isinstance(said, ReadFailed):
            return said
        token = reply.headers.get("X-Subject-Token") if isinstance(reply, Reply) else None
        if not token:
            return ReadFailed(Cause.BUSY, ServiceError(None, None, "the answer of IAM has no token in it", None))
        identity = {"methods": ["token"], "token": {"id": token, "duration_seconds": _TOKEN_LIFE_S}}
        made = await self._sent("POST", "/v3.0/OS-CREDENTIAL/securitytokens", {"auth": {"identity": identity}})
        return self._read(made, id_token, token)

    async def _sent(
        self, method: str, path: str, body: dict[str, object] | None = None, headers: Headers | None = None
    ) -> Reply | Broken:
        request = outgoing(method, self.endpoint, path, content_type=_JSON)
        data = b"" if body is None else orjson.dumps(body)
        return await self.transport.exchange(method, request.url, {**request.headers, **(headers or {})}, data)

    def _read(self, reply: Reply | Broken, *secrets: str) -> Issued[AccessKey] | ReadFailed:
        return read_answer(reply, _issued_key, lambda text: blank_out(self.clean(text), *secrets), self.wall())


def _id_token(proof: OidcAgency | FederatedUser) -> str:
    """The token, read anew each time: whoever issues it writes its file again before it expires."""
    if proof.id_token:
        return proof.id_token
    path = Path(proof.id_token_file or "")
    try:
        token = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise _no_token(f"the identity token {path} cannot be read: {why}") from None
    if not token or any(char.isspace() or not char.isprintable() for char in token):
        raise _no_token(f"{path} does not hold one identity token and nothing else")
    return token


def _no_token(message: str) -> IamFailed:
    return IamFailed(Cause.UNUSABLE, ServiceError(None, None, message, None))


def _line(body: bytes) -> str:
    token = body.decode("latin-1").strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise UnreadableAnswer("it is not a token")
    return token


def _issued_key(body: bytes) -> Issued[AccessKey]:
    answer = read_object(body)
    part = answer.get("credential") or answer.get("credentials") or answer
    values = part if isinstance(part, dict) else {}
    ak, sk, token = (_first(values, name) for name in ("ak", "sk", "token"))
    if not (ak and sk and token) or any(not (value.isascii() and value.isprintable()) for value in (ak, sk, token)):
        raise UnreadableAnswer("there is no temporary access key in it")
    return Issued(AccessKey(ak, sk, token), read_time(_first(values, "expiry")))


def _first(values: dict[str, object], name: str) -> str:
    return next((value for key in _NAMES[name] if isinstance(value := values.get(key), str) and value), "")
