"""SDK-HMAC-SHA256, the signature of requests by access key (api-facts 3.2). Pure: the time is an argument.

What stays the same from one create to the next is worked out once, in `RequestSigner.of`; what is left for a request
is two hashes and one HMAC. The bytes signed must be the bytes sent, and every attempt is signed anew, because the
service refuses a date more than about 15 minutes off.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from time import gmtime, strftime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "X-Sdk-Date"


def sdk_date(now: float) -> str:
    """Epoch seconds as the service wants its dates: UTC, `20260101T000000Z`."""
    return _date_of_second(int(now))


@lru_cache(maxsize=4)
def _date_of_second(second: int) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(second))


def canonical_path(path: str) -> str:
    """The path as it is signed: each segment percent-encoded, always with a `/` at its end (which is never sent)."""
    encoded = "/".join(quote(part, safe="~") for part in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """The query as it is signed and as it must be sent: sorted, RFC 3986 encoded, no `+` for a space."""
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in sorted(parameters))


@dataclass(frozen=True, slots=True)
class RequestSigner:
    """All that is constant in the signature of requests which differ in body and time only."""

    head: str = field(repr=False)
    tail: str = field(repr=False)
    authorization: str = field(repr=False)
    keyed: hmac.HMAC = field(repr=False)

    @classmethod
    def of(cls, *, ak: str, sk: str, method: str, path: str, query: str, headers: Mapping[str, str]) -> RequestSigner:
        """Prepare to sign `method path?query` sent with `headers`.

        `headers` are all those to be signed, `Host` among them, without `X-Sdk-Date`; `query` is already canonical.
        The content must be JSON: for other kinds the official signer leaves the payload out, which is not done here.
        Header names with an underscore are sent unsigned, as gateways drop them.
        """
        values = {name.lower(): value.strip() for name, value in headers.items() if "_" not in name}
        date = DATE_HEADER.lower()
        names = sorted({*values, date})
        before = "".join(f"{name}:{values[name]}\n" for name in names if name < date)
        after = "".join(f"{name}:{values[name]}\n" for name in names if name > date)
        signed = ";".join(names)
        return cls(
            head=f"{method.upper()}\n{canonical_path(path)}\n{query}\n{before}{date}:",
            tail=f"\n{after}\n{signed}\n",
            authorization=f"{ALGORITHM} Access={ak}, SignedHeaders={signed}, Signature=",
            keyed=hmac.new(sk.encode(), digestmod="sha256"),
        )

    def sign(self, date: str, body: bytes) -> str:
        """The value of `Authorization` for exactly this body, sent with `X-Sdk-Date: date` (see `sdk_date`)."""
        request = f"{self.head}{date}{self.tail}{hashlib.sha256(body).hexdigest()}"
        text = f"{ALGORITHM}\n{date}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = self.keyed.copy()
        signature.update(text.encode())
        return self.authorization + signature.hexdigest()
