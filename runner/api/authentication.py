"""How a request proves who sends it: signed with an access key, or with a token that is renewed when it ages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

from yarl import URL

from runner import __version__
from runner.api.signing import DATE_HEADER, RequestSigner, sdk_date

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from runner.api.credentials import AccessKey
    from runner.rules.answers import Cause, ServiceError

USER_AGENT = f"lite-server-runner/{__version__}"
TOKEN_HEADER = "X-Auth-Token"  # noqa: S105  the name of a header
_PATIENCE_S = 60.0  # between two logins: accounts are locked after a few wrong ones
_SHARE_OF_LIFE = 0.9  # a token lives for 24 h, but may die up to half an hour before it says (api-facts 3.1)

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


class IssuedToken(NamedTuple):
    """A token of IAM. `expires_at` is epoch seconds, None where IAM did not say."""

    value: str
    expires_at: float | None


class IamFailed(Exception):
    """IAM gave no token; nothing was sent to the service."""

    def __init__(self, cause: Cause, error: ServiceError) -> None:
        super().__init__(error.message)
        self.cause = cause
        self.error = error


class Authenticator(Protocol):
    """A way to prove who sends a request."""

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
    """Signs with an access key. There is nothing to renew."""

    def __init__(self, key: AccessKey) -> None:
        self._key = key

    def seal(self, request: Outgoing) -> Callable[[bytes, float], Headers]:
        """See `Authenticator.seal`."""
        fixed = dict(request.headers)
        if self._key.security_token:
            fixed["X-Security-Token"] = self._key.security_token
        sign = RequestSigner.of(
            ak=self._key.ak,
            sk=self._key.sk,
            method=request.method,
            path=request.url.raw_path,
            query=request.url.raw_query_string,
            headers=fixed,
        ).sign

        def headers(body: bytes, now: float) -> Headers:
            date = sdk_date(now)
            return {**fixed, DATE_HEADER: date, "Authorization": sign(date, body)}

        return headers

    async def freshen(self, now: float) -> None:
        """See `Authenticator.freshen`: a key does not age here."""

    async def renew(self, sent: Mapping[str, str], now: float) -> bool:  # noqa: ARG002  the protocol's arguments
        """See `Authenticator.renew`: no."""
        return False

    def hide(self, text: str) -> str:
        """See `Authenticator.hide`."""
        return blank_out(text, self._key.sk, self._key.security_token)


class TokenAuthenticator:
    """Sends a token. With `login` it is fetched at first use, renewed before it expires, and once after a 401.

    However many requests are in flight, at most one login runs, and at most one a minute: a token that was refused
    just after it was issued is not stale but unwanted, and a login that failed is not tried again at once.
    """

    def __init__(
        self,
        token: str | None,
        login: Callable[[], Awaitable[IssuedToken]] | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._token = token
        self._login = login
        self._secrets = secrets
        self._lock = asyncio.Lock()
        self._obtained_at = float("-inf")
        self._renew_at = float("inf") if token else float("-inf")
        self._failure: tuple[float, Cause, ServiceError] | None = None

    def seal(self, request: Outgoing) -> Callable[[bytes, float], Headers]:
        """See `Authenticator.seal`."""
        return lambda _body, _now: {**request.headers, TOKEN_HEADER: self._token or ""}

    async def freshen(self, now: float) -> None:
        """See `Authenticator.freshen`. While an aging token still lives, IAM may be away."""
        if now < self._renew_at:
            return
        async with self._lock:
            if now < self._renew_at:
                return
            try:
                await self._obtain(now)
            except IamFailed:
                if self._token is None:
                    raise
                self._renew_at = now + _PATIENCE_S

    async def renew(self, sent: Mapping[str, str], now: float) -> bool:
        """See `Authenticator.renew`."""
        if self._login is None:
            return False
        async with self._lock:
            if self._token != sent.get(TOKEN_HEADER):
                return True  # renewed by another request that was refused
            if _is_recent(self._obtained_at, now):
                return False
            await self._obtain(now)
        return True

    def hide(self, text: str) -> str:
        """See `Authenticator.hide`."""
        return blank_out(text, self._token, *self._secrets)

    async def _obtain(self, now: float) -> None:
        if self._login is None:
            return
        if self._failure and _is_recent(self._failure[0], now):
            raise IamFailed(*self._failure[1:])
        try:
            issued = await self._login()
        except IamFailed as exc:
            self._failure = (now, exc.cause, exc.error)
            raise
        self._failure = None
        life_s = (issued.expires_at or now + 3600) - now
        self._token, self._obtained_at = issued.value, now
        self._renew_at = now + max(_PATIENCE_S, _SHARE_OF_LIFE * life_s)


def _is_recent(at: float, now: float) -> bool:
    """Whether a login at a time is too recent for another one; not if the wall clock was set back since."""
    return 0 <= now - at < _PATIENCE_S


def blank_out(text: str, *secrets: str | None) -> str:
    """The text with `***` for each secret in it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
