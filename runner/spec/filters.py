"""The filters and tests of templates and selectors. Each takes and gives what docs/expressions.md says, and no Python text.

Of Jinja's own, those are left out that are for HTML, look into Python objects, or give another value each time.
"""

from __future__ import annotations

import base64
import operator
import re
from collections.abc import Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from jinja2 import filters as jinja
from jinja2 import pass_environment
from jinja2.tests import TESTS as JINJA_TESTS

from runner.spec.secrets import SecretText
from runner.spec.texts import Guarded, NotRendered, json_text, kind_of, text_of
from runner.spec.versions import compare_versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

    Function = Callable[..., Any]

_CONVERSION = re.compile(r"%(?:\([^)]*\))?[#0 +-]*[0-9*]*(?:\.[0-9*]*)?[hlL]?(.)", re.DOTALL)
_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _on_text(function: Function) -> Function:
    """A filter of Jinja's that takes text: numbers and booleans come to it as they would be sent."""
    place = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def on_text(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  any filter's
        return function(*arguments[:place], text_of(arguments[place]), *arguments[place + 1 :], **named)

    return on_text


def _on_values(function: Function) -> Function:
    """A filter of Jinja's that takes values, but none of the runner's own, and no secret."""
    place = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def on_values(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  any filter's
        if isinstance(arguments[place], Guarded):
            raise arguments[place].refusal()
        return function(*arguments, **named)

    return on_values


def put_out(value: object, described: str) -> str:
    """What `{{ ... }}` puts into a text."""
    if type(value) is str:
        return value
    if isinstance(value, SecretText):
        return value.put_in()
    try:
        return text_of(value)
    except NotRendered as error:
        what = error.message if isinstance(value, Guarded) else f"{described} is {error.message}"
        raise NotRendered(what, error.hint) from error


def concatenated(values: Iterable[object], between: str = "") -> object:
    """Texts as one; with secrets whole in it, it is a secret."""
    values = list(values)
    secret = next((value for value in values if isinstance(value, SecretText)), None)
    text = between.join(value.text if isinstance(value, SecretText) else text_of(value) for value in values)
    return text if secret is None else secret.joined(text)


@pass_environment
def _join(environment: Environment, value: Iterable[object], between: object = "", attribute: Any = None) -> object:  # noqa: ANN401  Jinja's own
    if isinstance(value, str | Mapping | Guarded) or not isinstance(value, Iterable):
        raise NotRendered(f"`join` is for lists, and this is {kind_of(value)}")
    if attribute is not None:
        value = map(jinja.make_attrgetter(environment, attribute), value)
    return concatenated(value, text_of(between))


class _Keys(dict[str, object]):
    """What `%(key)s` is looked up in; `%s` would write all of it, as Python does."""

    def __str__(self) -> str:
        raise NotRendered("a mapping, where text is wanted", "name one of its keys, such as %(key)s")

    __repr__ = __str__


def printf(template: str, values: object) -> str:
    """Python's `%`, for text and numbers."""
    if not {"r", "a"}.isdisjoint(_CONVERSION.findall(template)):
        raise NotRendered("%r and %a write as Python does", "use %s")
    if isinstance(values, Mapping):
        return template % _Keys({key: for_format(value) for key, value in values.items()})
    return template % tuple(map(for_format, values if isinstance(values, tuple) else (values,)))


def for_format(value: object) -> object:
    """A value as a format takes it: numbers stay numbers."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text_of(value)


def _format(value: object, *arguments: object, **named: object) -> str:
    return printf(text_of(value), named or arguments)


def _replace(value: object, old: object, new: object, count: int = -1) -> str:
    return text_of(value).replace(text_of(old), text_of(new), count)


def _string(value: object) -> object:
    return value if isinstance(value, SecretText) else text_of(value)


def _urlencode(value: object) -> str:
    if isinstance(value, Mapping):
        return "&".join(
            f"{quote(text_of(key), safe='')}={quote(text_of(item), safe='')}" for key, item in value.items()
        )
    return quote(text_of(value), safe="/")


def _b64encode(value: object) -> str:
    return base64.b64encode(text_of(value).encode()).decode()


def _bool(value: object) -> bool:
    text = text_of(value).strip().lower()
    if text not in _YES | _NO:
        raise NotRendered(f"{text!r} is neither true nor false", "expected true, yes, on, 1, false, no, off or 0")
    return text in _YES


class FoundText(str):
    """What a pattern found: text that says, too, that it was found."""

    __slots__ = ()


def _found(match: re.Match[str] | None) -> FoundText | None:
    """What a pattern found: its first group, or all of it."""
    if match is None:
        return None
    found = match[1] if match.re.groups else match[0]
    if found == "":
        raise NotRendered(f"the pattern {match.re.pattern!r} is found in everything: it needs no character")
    return None if found is None else FoundText(found)


def _pattern(pattern: object, ignorecase: object) -> re.Pattern[str]:
    try:
        return re.compile(text_of(pattern), re.IGNORECASE if ignorecase else 0)
    except (re.error, RecursionError, OverflowError) as error:
        raise NotRendered(f"{pattern!r} is no regular expression: {error}") from error


def _regex_match(value: object, pattern: object, ignorecase: object = False) -> FoundText | None:
    return _found(_pattern(pattern, ignorecase).match(text_of(value)))


def _regex_search(value: object, pattern: object, ignorecase: object = False) -> FoundText | None:
    return _found(_pattern(pattern, ignorecase).search(text_of(value)))


def _regex_replace(value: object, pattern: object, new: object, ignorecase: object = False) -> str:
    try:
        return _pattern(pattern, ignorecase).sub(text_of(new), text_of(value))
    except (re.error, IndexError) as error:
        raise NotRendered(f"{new!r} is no replacement: {error}") from error


def _version_compare(value: object, other: object, how: str = "==") -> bool:
    if how not in _OPERATORS:
        raise NotRendered(f"{how!r} is no comparison", f"expected one of {' '.join(_OPERATORS)}")
    return _OPERATORS[how](compare_versions(text_of(value), text_of(other)), 0)


def _is_match(value: object, pattern: object, ignorecase: object = False) -> bool:
    return _pattern(pattern, ignorecase).match(text_of(value)) is not None


def _is_found(value: object, pattern: object, ignorecase: object = False) -> bool:
    return _pattern(pattern, ignorecase).search(text_of(value)) is not None


_TEXT = "capitalize center indent lower title trim truncate upper wordcount wordwrap"
_VALUES = (
    "abs batch count dictsort filesizeformat first float groupby int items last length list map max min reject "
    "rejectattr reverse round select selectattr slice sort sum unique"
)

_OF_PYTHON = ("callable", "escaped", "filter", "test")

FILTERS: dict[str, Function] = {
    **{name: _on_text(jinja.FILTERS[name]) for name in _TEXT.split()},
    **{name: _on_values(jinja.FILTERS[name]) for name in _VALUES.split()},
    "d": jinja.FILTERS["default"],
    "default": jinja.FILTERS["default"],
    "format": _format,
    "join": _join,
    "replace": _replace,
    "safe": text_of,
    "string": _string,
    "urlencode": _urlencode,
    "b64encode": _b64encode,
    "bool": _bool,
    "regex_match": _regex_match,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "tojson": json_text,
    "version_compare": _version_compare,
}

TESTS: dict[str, Function] = {
    **{name: cast("Function", test) for name, test in JINJA_TESTS.items() if name not in _OF_PYTHON},
    "regex_match": _is_match,
    "regex_search": _is_found,
    "version_compare": _version_compare,
}
