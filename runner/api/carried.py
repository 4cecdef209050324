"""Errors in answers whose status is that of success (api-facts 5): in any spelling, however deep."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Collection

# Without case and punctuation.
_ERROR_CODES = frozenset({"errorcode", "errcode", "errorno", "errno", "retcode", "returncode", "resultcode"})
_ERROR_KEYS = _ERROR_CODES | {
    "error",
    "err",
    "errors",
    "errs",
    "errormsg",
    "errormessage",
    "errmsg",
    "exception",
    "fault",
}
_SUCCESS_KEYS = frozenset({"success", "issuccess", "succeeded", "ok"})
_SAYS_SUCCESS = frozenset({"", "0", "00", "200", "ok", "success", "succeeded", "true"})
_LONGEST = 128
_NESTED = (dict, list)
# What nearly every answer is made of, and what says nothing of errors.
_OF_JOBS = frozenset(
    {
        "id",
        "name",
        "type",
        "status",
        "abnormal_count",
        "template_id",
        "user_name",
        "create_at",
        "update_at",
        "server_id",
    }
)
# What the envelope of an empty list may tell beside its five documented fields: where it stands, and which answer it is.
_HARMLESS = re.compile(
    r"data|current|(has|is)?(next|prev|previous|last|first|more)?"
    r"(page|pages|pageno|pagenum|pagesize|size|total|totalcount|count|limit|offset|marker|cursor|links|self)?"
    r"|(request|trace|span|log)id|time|timestamp|apiversion|version"
)


def carried_error(value: object, apart: Collection[str] = ()) -> str | None:
    """The error in an answer; None: there is none.

    A `code` of success is none. Something that is empty says that there is no error. What stands under the keys `apart` of
    the answer itself is not looked at.
    """
    # Not by recursion: an answer may be nested deeper than calls may be. With each, whether it is all about an error.
    waiting = [(value, False)]
    while waiting:
        part, is_error = waiting.pop()
        if isinstance(part, list):
            waiting += [(inner, is_error) for inner in part]
        elif isinstance(part, dict):
            for key, inner in part.items():
                is_nested = isinstance(inner, _NESTED)
                if (key in _OF_JOBS and not is_nested and not is_error) or (part is value and key in apart):
                    continue
                letters = _letters(key)
                if is_nested:
                    waiting.append((inner, is_error or letters in _ERROR_KEYS))
                elif (error := _error_in(letters, inner, is_error=is_error)) is not None:
                    return error
        elif is_error and part and not _is_success(part):
            return _shown(part)
    return None


def said_instead(value: dict[str, object]) -> str | None:
    """What an answer tells instead of the rows that it does not show, and that may be an error in yet another spelling."""
    for key, inner in value.items():
        letters = _letters(key)
        if letters in _ERROR_KEYS:
            continue  # of these `carried_error` says whether they say anything
        is_harmless = letters and _HARMLESS.fullmatch(letters)
        if inner and not _is_success(inner) and not is_harmless:
            return f"{_shown(key)}: {_shown(inner)}"
    return None


# The same few keys come with every answer.
@lru_cache(maxsize=1024)
def _letters(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())


def _error_in(key: str, value: object, *, is_error: bool) -> str | None:
    if key in _SUCCESS_KEYS:
        return f"{key}: false" if value is False or str(value).lower() == "false" else None
    is_code = key == "code" and isinstance(value, str | int)
    if not value or not (is_error or is_code or key in _ERROR_KEYS):
        return None
    return None if _is_success(value) else _shown(value)


def _is_success(value: object) -> bool:
    return str(value).strip().lower() in _SAYS_SUCCESS


def _shown(value: object) -> str:
    return one_line(str(value), _LONGEST)
