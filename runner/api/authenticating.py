"""How a request proves who sends it: a signature over its bytes, or a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runner.api.signing import DATE_HEADER, RequestSigner, sdk_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.api.credentials import AccessKey
    from runner.api.iam import TokenSource

JSON = "application/json"
JSON_BODY = "application/json;charset=utf-8"
Headers = dict[str, str]


class RequestAuth(Protocol):
    """Gives the headers of requests that differ in body and time only."""

    async def headers(self, body: bytes) -> Headers:
        """All headers to send with exactly this body."""
        ...

    async def renew(self) -> bool:
        """Called after the service refused who we are: whether sending once more with new headers makes sense."""
        ...


class SignedRequests:
    """Signs with an access key. A signature cannot be renewed: a refused key stays refused."""

    def __init__(
        self, key: AccessKey, method: str, host: str, path: str, query: str, fixed: Headers, now: Callable[[], float]
    ) -> None:
        self._now = now
        self._fixed = dict(fixed)
        if key.security_token:
            self._fixed["X-Security-Token"] = key.security_token
        signed = {**self._fixed, "Host": host}
        self._signer = RequestSigner.of(ak=key.ak, sk=key.sk, method=method, path=path, query=query, headers=signed)
        self._second = 0
        self._date = ""

    async def headers(self, body: bytes) -> Headers:
        """The fixed headers, the date and the signature."""
        second = int(self._now())
        if second != self._second:
            self._second, self._date = second, sdk_date(second)
        return {**self._fixed, DATE_HEADER: self._date, "Authorization": self._signer.sign(self._date, body)}

    async def renew(self) -> bool:
        """Nothing to renew."""
        return False


class TokenRequests:
    """Sends a token."""

    def __init__(self, source: TokenSource, fixed: Headers) -> None:
        self._source = source
        self._fixed = fixed

    async def headers(self, body: bytes) -> Headers:
        """The fixed headers and the token."""
        del body
        return {**self._fixed, "X-Auth-Token": await self._source.token()}

    async def renew(self) -> bool:
        """Fetch another token, if it can be fetched."""
        return await self._source.renew()
