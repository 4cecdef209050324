"""The one table: which answer to a create is refused, accepted or in doubt, and why a read failed (api-facts 5, 6).

A create is refused only where certainly nothing was made. Whatever is not in the table is in doubt: that costs a lookup,
while a wrong "refused" costs a second job on the same servers.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from runner.api.dates import clock_skew
from runner.api.endpoints import region_advice
from runner.api.replies import Broken, Reply
from runner.api.service_errors import read_error, request_id, web_page
from runner.api.throttling import read_throttle, retry_after
from runner.api.wire import UnreadableAnswer, read_job
from runner.rules.answers import Cause, Created, ReadFailed, Refusal, ServiceError, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.api.proxies import Proxy
    from runner.rules.answers import Answer

T = TypeVar("T")

_ACCEPTING = frozenset({200, 201, 202})
_REDIRECTS = range(300, 400)
_CLIENT_ERRORS = range(400, 500)
_PROXY_WANTS_PASSWORD = 407
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404
# With these, Retry-After says for how long that will be so (RFC 9110, 10.2.3; with 409 nobody promises it).
_SAY_WHEN = frozenset({409, 503})

# Codes that mean the same with whichever 4xx they come. APIG. is written as APIGW.
_BY_CODE: dict[str, Cause] = {
    # another operation is in progress on the instance
    "ModelArts.6306": Cause.BUSY,
    "ModelArts.6308": Cause.BUSY,
    "ModelArts.6355": Cause.BUSY,
    "ModelArts.6357": Cause.BUSY,
    # quota
    "ModelArts.0116": Cause.UNUSABLE,
    "ModelArts.0118": Cause.UNUSABLE,
    # project missing, wrong, or not that of the credentials
    "ModelArts.0204": Cause.UNUSABLE,
    "ModelArts.0210": Cause.UNUSABLE,
    "ModelArts.2786": Cause.UNUSABLE,
    # account frozen or restricted
    "ModelArts.6201": Cause.UNUSABLE,
    "ModelArts.6203": Cause.UNUSABLE,
    # no such instance, or no such job
    "ModelArts.6309": Cause.INVALID,
    "ModelArts.6404": Cause.INVALID,
    # API not published here
    "APIGW.0101": Cause.UNUSABLE,
    "APIGW.0103": Cause.UNUSABLE,
    # who calls is not known, or the signature is wrong: with 403 as with 401
    "ModelArts.0203": Cause.UNAUTHENTICATED,
    "APIGW.0301": Cause.UNAUTHENTICATED,
    "APIGW.0307": Cause.UNAUTHENTICATED,
    "APIGW.0308": Cause.THROTTLED,
}
_BY_STATUS: dict[int, Cause] = {
    307: Cause.UNUSABLE,  # these two redirects say that the method was not performed; the others do not
    308: Cause.UNUSABLE,
    401: Cause.UNAUTHENTICATED,
    402: Cause.UNUSABLE,
    403: Cause.UNUSABLE,
    405: Cause.UNUSABLE,
    407: Cause.UNUSABLE,
    409: Cause.BUSY,
    421: Cause.UNUSABLE,
    423: Cause.BUSY,
    425: Cause.BUSY,
    429: Cause.THROTTLED,
    501: Cause.UNUSABLE,
}
# By which a 403 is about the signature, and not a missing permission, whatever its code (api-facts 5, at 0301).
_OF_SIGNATURES = ("aksk signature", "ak not exist", "ak is locked", "ak access failed", "signature expired")
_MAY_HAVE_RUN = frozenset({408, 499})  # 4xx by which a gateway or proxy says that it gave up waiting
_MISSING = frozenset({(400, "ModelArts.6404"), (400, "ModelArts.6309")})


def create_answer(reply: Reply | Broken, clean: Callable[[str], str], now: float) -> Answer:
    """What became of a create. `now` is epoch seconds, for Retry-After dates."""
    if isinstance(reply, Broken):
        return Unanswered(reply.error) if reply.cause is None else Refusal(reply.cause, reply.error)
    if reply.status in _ACCEPTING:
        return _accepted(reply, clean)
    error = _error_of(reply, clean, now)
    cause = refusal(reply.status, error.code, error.message)
    if cause is None:
        return Unanswered(error, _after_s(reply, now))
    throttle = read_throttle(error.message, reply.headers, now, error.code) if cause is Cause.THROTTLED else None
    return Refusal(cause, error, throttle, _after_s(reply, now))


def read_answer(
    reply: Reply | Broken, read: Callable[[bytes], T], clean: Callable[[str], str], now: float
) -> T | ReadFailed:
    """What a read brought: the body as `read` understands it, or why there is none. A read may always be done again."""
    if isinstance(reply, Broken):
        return ReadFailed(reply.cause or Cause.UNREACHABLE, reply.error)
    if reply.status in _ACCEPTING:
        try:
            return read(reply.body)
        except UnreadableAnswer as exc:
            elsewhere = web_page(reply.body, clean) is not None
            return ReadFailed(Cause.BUSY, _unreadable(reply, exc, clean), elsewhere=elsewhere)
    error = _error_of(reply, clean, now)
    cause = refusal(reply.status, error.code, error.message) or _read_cause(reply.status)
    throttle = read_throttle(error.message, reply.headers, now, error.code) if cause is Cause.THROTTLED else None
    missing, after_s = _is_missing(reply.status, error.code), _after_s(reply, now)
    return ReadFailed(cause, error, missing=missing, throttle=throttle, after_s=after_s)


def is_unauthenticated(reply: Reply | Broken) -> bool:
    """Whether it refuses who calls, so that another proof may do better."""
    if not isinstance(reply, Reply) or reply.status not in {_UNAUTHORIZED, _FORBIDDEN}:
        return False
    error = read_error(reply, str)
    cause = refusal(reply.status, error.code, error.message)
    return reply.status == _UNAUTHORIZED or cause is Cause.UNAUTHENTICATED


def _error_of(reply: Reply, clean: Callable[[str], str], now: float) -> ServiceError:
    """What the service told; of a refused credential also that a clock is wrong, which nobody reads out of the rest."""
    error = read_error(reply, clean)
    skew = clock_skew(reply.headers, now) if reply.status == _UNAUTHORIZED else ""
    return replace(error, message=f"{skew}; the service says: {error.message}") if skew else error


def refusal(status: int, code: str | None, message: str) -> Cause | None:
    """Why this status and code mean that certainly nothing was made; None where that is not certain."""
    if status in _MAY_HAVE_RUN:
        return None
    if status in _CLIENT_ERRORS and (cause := _BY_CODE.get(_one_prefix(code))):
        return cause
    if status == _FORBIDDEN and any(text in message.lower() for text in _OF_SIGNATURES):
        return Cause.UNAUTHENTICATED
    if status == _NOT_FOUND:
        return Cause.INVALID if _is_of_the_service(code) else Cause.UNUSABLE
    return _BY_STATUS.get(status, Cause.INVALID if status in _CLIENT_ERRORS else None)


def _accepted(reply: Reply, clean: Callable[[str], str]) -> Answer:
    try:
        return Created(read_job(reply.body, clean), request_id(reply.headers))
    except UnreadableAnswer as exc:
        return Unanswered(_unreadable(reply, exc, clean))


def _unreadable(reply: Reply, exc: UnreadableAnswer, clean: Callable[[str], str]) -> ServiceError:
    page = web_page(reply.body, clean)
    message = f"the answer cannot be read: {exc}"
    if page is not None:
        message = f"a web page answers in place of the service, as of a login or a proxy: {page or 'without text'}"
    return ServiceError(reply.status, None, message, request_id(reply.headers))


def _after_s(reply: Reply, now: float) -> float:
    """For how long a service that is not there now, or a server in another operation, is to be left alone, seconds."""
    return (retry_after(reply.headers, now) or 0.0) if reply.status in _SAY_WHEN else 0.0


def _read_cause(status: int) -> Cause:
    """A redirect will be there the next time as well; what is left is a service or gateway that may recover."""
    return Cause.UNUSABLE if status in _REDIRECTS else Cause.BUSY


def _is_missing(status: int, code: str | None) -> bool:
    if status == _NOT_FOUND:
        return _is_of_the_service(code) and _one_prefix(code) != "ModelArts.2786"
    return (status, code) in _MISSING


def _is_of_the_service(code: str | None) -> bool:
    """Whether the service itself, and not a gateway or a proxy before it, says so: then the path exists."""
    return code is not None and not _one_prefix(code).startswith("APIGW.")


def _one_prefix(code: str | None) -> str:
    return "" if code is None else code.replace("APIG.", "APIGW.", 1)


class NothingSent(aiohttp.ClientError):
    """There was no connection to send the request on, for this `reason`."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


class UnfitHeader(ValueError):
    """The header of this name cannot be sent: its value has a line end, or a null character. Nothing was."""


class AnswerTooLarge(Exception):
    """The body is longer than any honest answer; the rest of it was not read."""


# What can break an exchange, first match wins. A cause: it broke before a byte of the request could leave. TLS that fails
# is not the end of a lane at once: it may be one node of many behind an address, and nothing was sent to it.
# ServerDisconnectedError on a kept-alive connection may mean either, so it is in doubt. Without a cause it is not where
# there was no connection yet (`NothingSent`): a proxy that answers anything but HTTP, say.
_BREAKS: tuple[tuple[type[BaseException], Cause | None, str], ...] = (
    (
        aiohttp.ClientConnectorCertificateError,
        Cause.UNREACHABLE,
        "the TLS certificate of {host} does not verify: {why}",
    ),
    (
        aiohttp.ServerFingerprintMismatch,
        Cause.UNREACHABLE,
        "the TLS certificate of {host} is another one than expected",
    ),
    (aiohttp.ClientConnectorSSLError, Cause.UNREACHABLE, "no TLS connection to {host}: {why}"),
    (aiohttp.ClientConnectorDNSError, Cause.UNREACHABLE, "{host} is not found by its name{advice}"),
    (aiohttp.ClientProxyConnectionError, Cause.UNREACHABLE, "no connection to {host}: {why}"),
    (aiohttp.ClientHttpProxyError, Cause.UNREACHABLE, "no way to {host}, which answers HTTP {why} to that"),
    (aiohttp.ClientConnectorError, Cause.UNREACHABLE, "no connection to {host}: {why}"),
    (aiohttp.ConnectionTimeoutError, Cause.UNREACHABLE, "no connection to {host} in time"),
    (aiohttp.InvalidURL, Cause.UNUSABLE, "the endpoint {host} is not a usable address"),
    (UnfitHeader, Cause.UNUSABLE, "no request to {host} can be made: its header {why} has a line end in it"),
    (UnicodeError, None, "{host} is no name that can be looked up"),
    (TimeoutError, None, "no answer from {host} in time"),
    (AnswerTooLarge, None, "the answer of {host} is too large"),
    (aiohttp.ServerDisconnectedError, None, "{host} closed the connection without an answer"),
    (aiohttp.ClientPayloadError, None, "the answer of {host} was cut off or is garbled"),
    (aiohttp.ClientResponseError, None, "the answer of {host} is not HTTP"),
    (HttpProcessingError, None, "the answer of {host} is not HTTP"),
    (OSError, None, "the connection to {host} broke: {why}"),
    (Exception, None, "the connection to {host} broke"),
)


def broken(exc: BaseException, host: str, proxy: Proxy | None = None) -> Broken:
    """What an exception of the HTTP library means for the request, and whether the host or the proxy is to blame.

    Its own text is not used: it may quote a proxy's password.
    """
    is_unsent = isinstance(exc, NothingSent)
    exc = exc.reason if isinstance(exc, NothingSent) else exc
    cause, text = next((cause, text) for kind, cause, text in _BREAKS if isinstance(exc, kind))
    if is_unsent and cause is None:
        cause = Cause.UNREACHABLE
    if isinstance(exc, aiohttp.ClientHttpProxyError) and exc.status == _PROXY_WANTS_PASSWORD:
        cause = Cause.UNUSABLE
    place = host if proxy is None else f"{host} through the proxy {proxy.name}"
    if proxy is not None and _is_of_proxy(exc, proxy, is_unsent=is_unsent):
        place = f"the proxy {proxy.name}"
    message = text.format(host=place, why=_why(exc), advice=region_advice(host) if place == host else "")
    return Broken(cause, ServiceError(None, None, message, None))


def _is_of_proxy(exc: BaseException, proxy: Proxy, *, is_unsent: bool) -> bool:
    """Whether it broke on the way to the proxy, or at its answer when it was asked for the way on."""
    if isinstance(exc, aiohttp.ClientProxyConnectionError):
        return True
    if is_unsent and not isinstance(exc, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError):
        return True
    return isinstance(exc, aiohttp.ClientConnectorError) and (exc.host, exc.port) == (proxy.url.host, proxy.url.port)


def _why(exc: BaseException) -> str:
    if isinstance(exc, UnfitHeader):
        return str(exc)
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return str(getattr(exc.certificate_error, "verify_message", "") or "it is not for this host")
    if isinstance(exc, aiohttp.ClientResponseError):
        wants = " (it wants another user and password)" if exc.status == _PROXY_WANTS_PASSWORD else ""
        return f"{exc.status}{wants}"
    inner = getattr(exc, "os_error", exc)
    reason = getattr(inner, "reason", None)
    if isinstance(inner, OSError) and (inner.errno or 0) > 0 and not reason:
        return os.strerror(inner.errno or 0)  # its own text is that of a system call
    return str(reason or getattr(inner, "strerror", None) or type(inner).__name__)
