"""The one table that says what an answer means: refused, and why, or in doubt (api-facts 5).

A refusal is certain: nothing was made. What is not certain is in doubt; where the facts leave it open, so is that.
"""

from __future__ import annotations

import aiohttp

from runner.campaign.answers import Cause, InDoubt, Refused, ServiceError

# Another operation is in progress on the instance, or its state changed: it may pass.
_BUSY_CODES = frozenset({"ModelArts.6306", "ModelArts.6308", "ModelArts.6355", "ModelArts.6357"})
_BUSY_CODES |= {"ModelArts.2878", "ModelArts.5044"}
# The project or the quota, not this request: the next one would be refused, too.
_UNUSABLE_CODES = frozenset(
    {"ModelArts.0204", "ModelArts.0210", "ModelArts.0118", "ModelArts.0116", "ModelArts.2786"}
    | {f"{prefix}.{code}" for prefix in ("APIGW", "APIG") for code in ("0101", "0103")}
)
# The account is frozen or restricted: no other credentials of it would do.
_FROZEN_CODES = frozenset({"ModelArts.6201", "ModelArts.6203"})
_MISSING_CODES = frozenset({"ModelArts.6404", "ModelArts.6309"})

_BY_STATUS = {
    401: Cause.UNAUTHENTICATED,
    403: Cause.UNUSABLE,
    405: Cause.UNUSABLE,
    409: Cause.BUSY,
    429: Cause.THROTTLED,
    501: Cause.UNUSABLE,
}
_DOUBTFUL = 408
_DAILY_QUOTA = "daily quota"


def cause_of(status: int, error: ServiceError) -> Cause | None:
    """Why an answer refuses; None: it does not tell, so the request is in doubt."""
    code = error.code or ""
    if status == _DOUBTFUL or not (400 <= status < 500 or status == 501):  # noqa: PLR2004  the classes of HTTP
        return None
    if code in _UNUSABLE_CODES or code in _FROZEN_CODES:
        return Cause.UNUSABLE
    if code in _BUSY_CODES:
        return Cause.BUSY
    if status == 429 and _DAILY_QUOTA in error.message.lower():  # noqa: PLR2004  the status is the name
        return Cause.UNUSABLE
    return _BY_STATUS.get(status, Cause.INVALID)


def is_missing(status: int, error: ServiceError) -> bool:
    """Whether a read says that there is no such job: HTTP 404, or 400 with the service's own code."""
    if error.code in _UNUSABLE_CODES:
        return False
    return status == 404 or error.code in _MISSING_CODES  # noqa: PLR2004  likewise


def connection_failure(error: Exception) -> Refused | InDoubt:
    """What a request that got no answer is: refused where it certainly was not sent, else in doubt."""
    told = ServiceError(None, type(error).__name__, _text(error), None)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Refused(Cause.UNUSABLE, told)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.ClientProxyConnectionError):
        return Refused(Cause.UNUSABLE, told)
    # All of these are raised before a byte of the request is written.
    if isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectionResetError
    ):
        return Refused(Cause.UNREACHABLE, told) if not _may_be_written(error) else InDoubt(told)
    return InDoubt(told)


def _may_be_written(error: Exception) -> bool:
    """A reset while writing says nothing of what had arrived by then."""
    return isinstance(error, aiohttp.ClientConnectionResetError)


def _text(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {error.host} does not verify: {error.certificate_error}; see --ca-bundle"
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error.strerror or str(error.os_error)
        return f"cannot connect to {error.host}:{error.port}: {reason}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
