"""The sandbox of templates and expressions: keys are looked up, and nothing of Python; no files, no imports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, Undefined, UndefinedError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from runner.spec.filters import FILTERS, TESTS, concatenated, printf, put_out
from runner.spec.label_values import Labels, PlannedLabels, number, whole_number
from runner.spec.methods import METHODS, call_of
from runner.spec.names import Names
from runner.spec.secrets import SecretNames
from runner.spec.texts import Guarded, NotRendered, fail_undefined, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2.runtime import Context

# These are put into templates by runner.spec.syntax; nobody can write a filter's name with a blank in it.
OUTPUT, CONCATENATION, METHOD = "put out", "put together", "call "
MOST_OUTPUT = 65_536

_GLOBALS = ("range", "dict", "namespace")
_OF_A_LOOP = "index index0 revindex revindex0 first last length cycle depth depth0 previtem nextitem changed"
_MOST_DIGITS = 4_000
_LOOKED_UP = frozenset({dict, Labels, PlannedLabels})


class NoSuchKey(UndefinedError):
    """Something was `asked` for that is not there; `known` is what is. `is_label`: it is a label that a server lacks."""

    def __init__(self, owner: object, asked: object, message: str) -> None:
        super().__init__(message)
        self.asked = str(asked)
        self.is_label = isinstance(owner, Labels)
        values = owner.values if isinstance(owner, Names) else owner
        self.known = tuple(map(str, values)) if isinstance(values, Mapping) else ()


class Sandbox(ImmutableSandboxedEnvironment):
    """`labels.update` is the label, `version.upper` is nothing: a value is looked up by key, a list by number."""

    intercepted_binops = frozenset({"%", "*", "**"})

    def __init__(self, undefined: type[Undefined], filters: Mapping[str, Callable[..., Any]] | None = None) -> None:
        super().__init__(undefined=undefined, keep_trailing_newline=True, cache_size=0)
        self.globals = {name: self.globals[name] for name in _GLOBALS}
        self.filters = {**FILTERS, **(filters or {}), OUTPUT: put_out, CONCATENATION: concatenated}
        self.filters |= {METHOD + name: call_of(self, name) for name in METHODS}
        self.tests = dict(TESTS)

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401  whatever a template has
        """What `obj.attribute` is: the same as `obj["attribute"]`."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401  likewise
        """What a key gives; undefined where there is none."""
        if type(obj) in _LOOKED_UP and argument in obj:  # most often, and for every server
            return obj[argument]
        if isinstance(obj, SecretNames):
            return obj.named(argument)
        if isinstance(obj, Undefined):
            fail_undefined(obj)
        values: Any = obj.values if isinstance(obj, Names) else obj
        if isinstance(values, Guarded):
            raise values.refusal()
        try:
            return self._found(values, argument)
        except (LookupError, TypeError):
            message = f"{_owner(obj)} has no {argument!r}"
            # What is there for no server is a mistake, and no label that some have and others have not.
            undefined = self.undefined if isinstance(obj, Mapping) else StrictUndefined
            return undefined(message, obj=obj, name=argument, exc=_no_such_key(obj, argument))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401  likewise
        """`%` formats as `format` does; text is not repeated, and numbers do not grow, without end."""
        if operator == "%" and isinstance(left, str):
            return printf(left, right)
        if operator == "*":
            _refuse_long(left, right)
            _refuse_long(right, left)
        if operator == "**" and abs(right) * len(str(left)) > _MOST_DIGITS:
            raise NotRendered(f"{left} ** {right} is too large a number")
        return super().call_binop(context, operator, left, right)

    def _found(self, values: Any, argument: Any) -> Any:  # noqa: ANN401  likewise
        if isinstance(values, Mapping):
            return values[argument]
        if isinstance(values, str | list | tuple | range) and isinstance(argument, int | slice):
            return values[argument]
        if isinstance(values, LoopContext) and argument in _OF_A_LOOP.split():
            return getattr(values, argument)
        if isinstance(values, tuple) and argument in getattr(values, "_fields", ()):  # what `groupby` gives
            return getattr(values, argument)
        if isinstance(values, Namespace) and not str(argument).startswith("_"):
            return getattr(values, argument, None)
        raise LookupError(argument)


def _no_such_key(owner: object, asked: object) -> Any:  # noqa: ANN401  what makes an exception, for want of its class
    return partial(NoSuchKey, owner, asked)


def _refuse_long(value: object, times: object) -> None:
    if isinstance(value, str | list | tuple) and isinstance(times, int) and len(value) * times > MOST_OUTPUT:
        raise NotRendered(f"text or a list repeated {times:,} times is too long")


def _owner(value: object) -> str:
    return f"`{value.called}`" if isinstance(value, Names) else kind_of(value)


TEMPLATES = Sandbox(StrictUndefined)
SELECTORS = Sandbox(Undefined, {"int": whole_number, "float": number})
# What stands in a plan means what it meant when that was made.
OF_PLANS = Sandbox(Undefined, {name: jinja for name, jinja in JINJA_FILTERS.items() if name not in {*FILTERS, "attr"}})
