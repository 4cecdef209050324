"""Errors of the service as values, in every shape that is known (api-facts 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from runner.campaign.answers import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REQUEST_ID_HEADERS = ("X-Request-Id", "X-IAM-Trace-Id")
_SHAPES = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))
_LONGEST_MESSAGE = 1000


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id under which the service's operators find the request."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None)


def read_error(status: int, body: bytes, headers: Mapping[str, str], clean: Callable[[str], str]) -> ServiceError:
    """The error that an answer tells. `clean` takes secrets out of the message."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        value = {}
    code, message = _code_and_message(value)
    if message is None:
        message = body[:_LONGEST_MESSAGE].decode("utf-8", "replace").strip() or "no message"
    found = request_id(headers) or _text(value.get("request_id"))
    return ServiceError(status, code, clean(message[:_LONGEST_MESSAGE]), found)


def _code_and_message(value: dict[str, Any]) -> tuple[str | None, str | None]:
    for part in (value, *(inner for inner in value.values() if isinstance(inner, dict))):
        for code_key, message_key in _SHAPES:
            if code_key in part or message_key in part:
                return _text(part.get(code_key)), _text(part.get(message_key)) or ""
    return None, None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
