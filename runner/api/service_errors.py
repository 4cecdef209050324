"""Errors as the service tells them, in every shape it uses (api-facts 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import orjson

from runner.plain import one_line
from runner.rules.answers import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.api.replies import Reply

_PAIRS = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))
_ID_HEADERS = ("X-Request-Id", "X-IAM-Trace-Id")
_HIDDEN_HTML = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_LONGEST_MESSAGE = 16_384
_LONGEST_CODE = 128
_LONGEST_GLIMPSE = 80
_REDIRECTS = range(300, 400)


def read_error(reply: Reply, clean: Callable[[str], str]) -> ServiceError:
    """The error in a reply: flat, nested one deep, camel case, `code` and `message`, or no JSON at all.

    `clean` takes secrets out of what the service says. The message is as the service told it, up to 16,384 characters:
    whoever shows it makes it fit to be shown (`runner.plain`). Of a page only what a browser would show is left.
    """
    content = _object(reply.body)
    code, message = _told(content) if content is not None else ("", "")
    # Secrets first: taking the markup out or cutting could leave the half of one that is no longer recognised.
    said = clean(message) if message else _page(reply.body, clean)
    text = " ".join(filter(None, (said[:_LONGEST_MESSAGE].strip(), _redirect(reply, clean))))
    return ServiceError(
        http_status=reply.status,
        code=one_line(clean(code), _LONGEST_CODE) or None,
        message=text or "no message",
        request_id=request_id(reply.headers) or _body_request_id(content, clean),
    )


def web_page(body: bytes, clean: Callable[[str], str]) -> str | None:
    """What a web page in place of an answer says, in short: that of a login or of a proxy, say; None: it is none."""
    if not body.lstrip().startswith(b"<"):
        return None
    return one_line(_page(body, clean), _LONGEST_GLIMPSE)


def _redirect(reply: Reply, clean: Callable[[str], str]) -> str:
    """Where a redirect goes, without what may be secret: credentials and the query."""
    location = reply.headers.get("Location", "") if reply.status in _REDIRECTS else ""
    if not location:
        return ""
    try:
        parts = urlsplit(clean(location))
        place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return "it redirects to what is no address"
    return f"it redirects to {one_line(place)}"


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id that the service's support asks for, from the headers of any reply."""
    for name in _ID_HEADERS:
        if value := headers.get(name):
            return one_line(value, _LONGEST_CODE) or None
    return None


def _page(body: bytes, clean: Callable[[str], str]) -> str:
    """What a browser would show of it."""
    page = clean(body[:_LONGEST_MESSAGE].decode("utf-8", "replace"))
    text = _TAG.sub(" ", _HIDDEN_HTML.sub(" ", page)) if "<" in page else page
    return " ".join(text.split())


def _object(body: bytes) -> dict[str, object] | None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _told(content: dict[str, object]) -> tuple[str, str]:
    """Code and message, empty where there are none: from the object itself, else from an object within it."""
    for candidate in (content, *(value for value in content.values() if isinstance(value, dict))):
        for code, message in _PAIRS:
            if candidate.get(code) is not None or isinstance(candidate.get(message), str):
                return _string(candidate.get(code)), _string(candidate.get(message))
    return "", ""


def _body_request_id(content: dict[str, object] | None, clean: Callable[[str], str]) -> str | None:
    if content is None:
        return None
    nested = [value for value in content.values() if isinstance(value, dict)]
    for candidate in (content, *nested):
        if isinstance(value := candidate.get("request_id"), str):
            return one_line(clean(value), _LONGEST_CODE) or None
    return None


def _string(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
