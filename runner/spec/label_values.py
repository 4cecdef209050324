"""Labels as expressions see them: by their names only, and each is text that refuses to be taken for something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

from jinja2 import Undefined
from jinja2.filters import do_float, do_int

from runner.spec.numbers import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Number = TypeVar("_Number", int, float)
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*")


class LabelMisuse(TypeError):
    """A label was taken for what it is not; `hint` says what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class LabelText(str):
    """The text of a label, an id or a name. What the syntax of an expression does not show is refused here."""

    __slots__ = ()
    __hash__: ClassVar[Callable[[str], int]] = str.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Written):  # what a variable has as a number is compared as it was written
            return str.__eq__(self, str(other))
        if isinstance(other, Undefined):  # it says itself what it is equal to, or that it must not be asked
            return NotImplemented
        return str.__eq__(self, other) if isinstance(other, str) else self._unlike(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: object) -> bool:
        return self._ordered(other, str.__lt__, tuple.__lt__)

    def __le__(self, other: object) -> bool:
        return self._ordered(other, str.__le__, tuple.__le__)

    def __gt__(self, other: object) -> bool:
        return self._ordered(other, str.__gt__, tuple.__gt__)

    def __ge__(self, other: object) -> bool:
        return self._ordered(other, str.__ge__, tuple.__ge__)

    def _unlike(self, other: object) -> bool:
        if isinstance(other, bool | int | float):
            value = str(other).lower()
            message = f'the text "{self}" is compared with {value}, and text is never equal to that'
            raise LabelMisuse(message, f'write == "{value}"')
        return False

    def _ordered(
        self,
        other: object,
        as_text: Callable[[str, str], bool],
        as_numbers: Callable[[tuple[int, ...], tuple[int, ...]], bool],
    ) -> bool:
        if not isinstance(other, str):
            if isinstance(other, int | float):
                raise LabelMisuse(
                    f'the text "{self}" is compared by size with {other}', "write |int to compare numbers"
                )
            raise LabelMisuse(
                f'the text "{self}" is compared by size with no text', "write |default(...) where it may lack"
            )
        answer = as_text(str(self), str(other))
        if _NUMBERS.fullmatch(self) and _NUMBERS.fullmatch(other) and as_numbers(_parts(self), _parts(other)) != answer:
            message = f'"{self}" and "{other}" are compared letter by letter, which puts them out of order as numbers'
            raise LabelMisuse(message, "write |int to compare numbers")
        return answer


def whole_number(value: object, default: int | None = None, base: int = 10) -> int:
    """The filter `int`; without a default, what is no number is an error, and not 0.

    Raises:
        LabelMisuse: it is none.
    """
    if isinstance(value, Undefined):
        return _instead(value, default)
    if default is None and do_int(value, 0, base) != do_int(value, 1, base):
        raise _no_number(value)
    return do_int(value, default or 0, base)


def number(value: object, default: float | None = None) -> float:
    """The filter `float`, likewise."""
    if isinstance(value, Undefined):
        return _instead(value, default)
    if default is None and do_float(value, 0.0) != do_float(value, 1.0):
        raise _no_number(value)
    return do_float(value, default or 0.0)


def _instead(value: Undefined, default: _Number | None) -> _Number:
    if default is None:
        raise _no_number(value)
    return default


def _no_number(value: object) -> LabelMisuse:
    what = "a label that the server lacks" if isinstance(value, Undefined) else f'"{value}"'
    return LabelMisuse(f"{what} is no number", "write |int(0) to say what stands for it")


def _parts(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


class Labels:
    """The labels of one server. Nothing of it is reached but by the name of a label."""

    __slots__ = ("_labels",)

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def __getitem__(self, name: str) -> str:
        return LabelText(self._labels[name])

    def __contains__(self, name: object) -> bool:
        return name in self._labels

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)


Mapping.register(Labels)  # by its names; it has no functions that a label might be called as


class PlannedLabels(Labels):
    """The labels of a server of a plan, for expressions that were written into it: they were looked at when it was made."""

    __slots__ = ()

    def __getitem__(self, name: str) -> str:
        return self._labels[name]
