"""How a request proves who sends it: signed with an access key, or with a token that is renewed when it ages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from yarl import URL

from runner import __version__
from runner.api.proofs import key_identity
from runner.api.signing import DATE_HEADER, RequestSigner, sdk_date
from runner.rules.refused_calls import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.api.proofs import AccessKey
    from runner.api.renewing import Renewed

USER_AGENT = f"lite-server-runner/{__version__}"
TOKEN_HEADER = "X-Auth-Token"  # noqa: S105  the name of a header
_SECURITY_TOKEN_HEADER = "X-Security-Token"  # noqa: S105  likewise

Headers = dict[str, str]


class Outgoing(NamedTuple):
    """A request but for its body and its proof. `url` is encoded as it is signed and sent."""

    method: str
    url: URL
    headers: Headers


def outgoing(
    method: str, endpoint: str, path: str, *, query: str = "", content_type: str, project: str = ""
) -> Outgoing:
    """The request `method endpoint+path?query`, with the headers that the official SDK sends (api-facts 3.2)."""
    url = URL(f"{endpoint}{path}?{query}" if query else f"{endpoint}{path}", encoded=True)
    headers = {"Host": url.host_port_subcomponent or "", "User-Agent": USER_AGENT, "Content-Type": content_type}
    if project:
        headers["X-Project-Id"] = project
    return Outgoing(method, url, headers)


class Authenticator(Protocol):
    """A way to prove who sends a request."""

    @property
    def identity(self) -> Identity:
        """Who that is now."""
        ...

    def seal(self, request: Outgoing) -> Callable[[bytes, float], Headers]:
        """Prepare once for requests that differ in body and time only: gives their headers at epoch seconds `now`."""
        ...

    async def freshen(self, now: float) -> None:
        """Before a request: replace a proof that is about to expire. Raises IamFailed where there is none to send."""
        ...

    async def renew(self, sent: Mapping[str, str], now: float) -> bool:
        """After a 401 to a request with the headers `sent`: whether another proof may do better. Raises IamFailed."""
        ...

    def hide(self, text: str) -> str:
        """The text with every secret of this proof blanked out."""
        ...


class KeyAuthenticator:
    """Signs with an access key, and with another one once that is there. `holder` has keys that come and go."""

    def __init__(self, key: Renewed[AccessKey], holder: Identity | None = None) -> None:
        self._key = key
        self._holder = holder

    @property
    def identity(self) -> Identity:
        """See `Authenticator.identity`."""
        key = self._key.value
        return self._holder or (Identity("no key") if key is None else key_identity(key))

    def seal(self, request: Outgoing) -> Callable[[bytes, float], Headers]:
        """See `Authenticator.seal`."""
        sealed: tuple[AccessKey, Headers, Callable[[str, bytes], str]] | None = None

        def headers(body: bytes, now: float) -> Headers:
            nonlocal sealed
            key = self._key.value
            if key is None:
                return dict(request.headers)
            if sealed is None or sealed[0] is not key:
                sealed = (key, *_signer(key, request))
            _, fixed, sign = sealed
            date = sdk_date(now)
            return {**fixed, DATE_HEADER: date, "Authorization": sign(date, body)}

        return headers

    async def freshen(self, now: float) -> None:
        """See `Authenticator.freshen`."""
        await self._key.freshen(now)

    async def renew(self, sent: Mapping[str, str], now: float) -> bool:
        """See `Authenticator.renew`."""
        return await self._key.renew(lambda key: _was_signed_with(key, sent), now)

    def hide(self, text: str) -> str:
        """See `Authenticator.hide`."""
        for key in self._key.seen:
            text = blank_out(text, key.sk, key.security_token)
        return text


def _signer(key: AccessKey, request: Outgoing) -> tuple[Headers, Callable[[str, bytes], str]]:
    """The headers that are always the same, and what makes the signature."""
    fixed = dict(request.headers)
    if key.security_token:
        fixed[_SECURITY_TOKEN_HEADER] = key.security_token
    signer = RequestSigner.of(
        ak=key.ak,
        sk=key.sk,
        method=request.method,
        path=request.url.raw_path,
        query=request.url.raw_query_string,
        headers=fixed,
    )
    return fixed, signer.sign


def _was_signed_with(key: AccessKey, sent: Mapping[str, str]) -> bool:
    is_ours = f"Access={key.ak}," in sent.get("Authorization", "")
    return is_ours and sent.get(_SECURITY_TOKEN_HEADER) == key.security_token


class TokenAuthenticator:
    """Sends a token of its `identity`. `secrets` are blanked out as tokens are."""

    def __init__(self, token: Renewed[str], identity: Identity, secrets: tuple[str, ...] = ()) -> None:
        self._token = token
        self._secrets = secrets
        self.identity = identity

    def seal(self, request: Outgoing) -> Callable[[bytes, float], Headers]:
        """See `Authenticator.seal`."""
        return lambda _body, _now: {**request.headers, TOKEN_HEADER: self._token.value or ""}

    async def freshen(self, now: float) -> None:
        """See `Authenticator.freshen`."""
        await self._token.freshen(now)

    async def renew(self, sent: Mapping[str, str], now: float) -> bool:
        """See `Authenticator.renew`."""
        return await self._token.renew(lambda token: token == sent.get(TOKEN_HEADER), now)

    def hide(self, text: str) -> str:
        """See `Authenticator.hide`."""
        return blank_out(text, *self._token.seen, *self._secrets)


def blank_out(text: str, *secrets: str | None) -> str:
    """The text with `***` for each secret in it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
