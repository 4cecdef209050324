"""Checks who calls: signatures and tokens, written from api-facts 3.2 and sharing nothing with the client's signer."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote

from runner.simulator.replies import SimulatedReply, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.simulator.behaviour import Auth

_AUTHORIZATION = re.compile(r"SDK-HMAC-SHA256 Access=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})")


class Verifier:
    """Remembers failures and tokens. Header names are lower case; times are epoch seconds."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._failures: dict[str, int] = {}
        self._locked_until: dict[str, float] = {}
        self._tokens: dict[str, float] = {}

    def add_token(self, token: str, expires_at: float) -> None:
        """IAM made a token."""
        self._tokens[token] = expires_at

    def refuses(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now: float
    ) -> SimulatedReply | None:
        """None if the call may pass, else the answer to it. `path` and `query` are as they came over the wire."""
        token = headers.get("x-auth-token")
        if token is not None:
            if self._tokens.get(token, 0.0) > now:
                return None
            return refusal(401, "APIGW.0307", "The token must be updated.")
        match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if match is None:
            return refusal(401, "APIGW.0301", "Incorrect IAM authentication information: x-auth-token not found")
        return self._check(match, method, path, query, headers, body, now)

    def _check(
        self,
        match: re.Match[str],
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        now: float,
    ) -> SimulatedReply | None:
        access, names, signature = match.groups()
        if self._locked_until.get(access, 0.0) > now:
            return refusal(401, "APIGW.0301", "Incorrect IAM authentication information: ak is locked")
        problem = self._problem(access, names.split(";"), signature, method, path, query, headers, body, now)
        if problem is None:
            self._failures.pop(access, None)
            return None
        self._failures[access] = self._failures.get(access, 0) + 1
        if self._failures[access] >= self._auth.locked_after:
            self._locked_until[access] = now + self._auth.lock_s
        return refusal(401, "APIGW.0301", f"Incorrect IAM authentication information: {problem}")

    def _problem(
        self,
        access: str,
        names: list[str],
        signature: str,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        now: float,
    ) -> str | None:
        secret = self._auth.access_keys.get(access)
        if secret is None:
            return "ak not exist"
        date = headers.get("x-sdk-date", "")
        try:
            signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return "x-sdk-date is missing"
        if abs(now - signed_at) > self._auth.skew_s:
            return f"signature expired, signature time:{date}"
        if self._auth.security_token is not None and headers.get("x-security-token") != self._auth.security_token:
            return "decrypt token fail"
        if not {"host", "x-sdk-date"} <= set(names) or any(name not in headers for name in names):
            return "verify aksk signature fail, signed headers are missing"
        expected = sign(secret, method, path, query, {name: headers[name] for name in names}, body)
        return None if hmac.compare_digest(expected, signature) else "verify aksk signature fail"


def sign(secret: str, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> str:
    """The signature that a call must carry; `headers` are the signed ones, with their names in lower case."""
    names = sorted(headers)
    canonical = "\n".join(
        [
            method,
            _canonical_path(path),
            _canonical_query(query),
            "".join(f"{name}:{headers[name].strip()}\n" for name in names),
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    to_sign = "\n".join(["SDK-HMAC-SHA256", headers["x-sdk-date"], hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(unquote(part), safe="~") for part in path.split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in pairs)
