"""What may be called on a text or a mapping in a template: `name.startswith("gpu-")`, `labels.get("rack")`.

These are written as calls only. A key of a mapping that is called so, such as a label `update` or `get`, is that key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jinja2 import Undefined
from jinja2.sandbox import SandboxedFormatter

from runner.spec.filters import concatenated, for_format
from runner.spec.names import Names
from runner.spec.texts import Guarded, NotRendered, fail_undefined, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

_OF_TEXT = """
    capitalize casefold center count endswith find index isalnum isalpha isdecimal isdigit islower isnumeric isspace
    istitle isupper ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit
    rstrip split splitlines startswith strip swapcase title upper zfill
"""
_OF_BOTH = ("count", "index")
_OF_MAPPINGS = ("get", "items", "keys", "values")
_METHODS_OF_TEXT = frozenset({*_OF_TEXT.split(), "format", "join"})
METHODS = _METHODS_OF_TEXT | {*_OF_MAPPINGS}


def call_of(environment: Environment, name: str) -> Callable[..., Any]:
    """The function that `value.name(...)` is in a template."""

    def call(value: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  whatever a template has
        if isinstance(value, Undefined):
            fail_undefined(value)
        if isinstance(value, str) and name in _METHODS_OF_TEXT:
            return _of_text(environment, str(value), name, arguments, named)
        if name in _OF_BOTH and isinstance(value, list | tuple):
            return getattr(value, name)(*arguments)
        if name == "get" and isinstance(value, Names):
            return _get(value.values, *arguments)
        if name in _OF_MAPPINGS and isinstance(value, Mapping):
            return _get(value, *arguments) if name == "get" else list(getattr(value, name)())
        if isinstance(value, Guarded):
            raise value.refusal()
        raise NotRendered(f".{name}(...) is not for {kind_of(value)}")

    return call


def _get(values: Mapping[str, object], name: str, default: object = None) -> object:
    return values.get(name, default)


def _of_text(
    environment: Environment, value: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> object:
    if name == "format":
        formatter = SandboxedFormatter(environment)
        return formatter.vformat(value, [*map(for_format, arguments)], {key: for_format(named[key]) for key in named})
    if name == "join":
        return concatenated(arguments[0], value)
    return getattr(value, name)(*arguments, **named)
