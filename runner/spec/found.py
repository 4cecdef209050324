"""What stands in a file in place of what was wanted, in words; and what to write, where that can be told."""

from __future__ import annotations

EXPECTED_SCALAR = "text, a number or a boolean"


def found(value: object) -> str:
    """A value of YAML or JSON in words."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {value!r}"
        case _:
            return f"the number {value}"


def is_number(value: object) -> bool:
    """Whether it is a number, and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def in_quotes(value: object) -> str:
    """Advice where text is wanted, and a number or a boolean stands."""
    if is_number(value):
        return f'put it in quotes: "{value}"'
    return f'put it in quotes: "{"true" if value else "false"}"' if isinstance(value, bool) else ""


def in_percent(value: object) -> str | None:
    """`2%` for 0.02; None where it is no share."""
    if isinstance(value, float) and 0 < value < 1:
        return f"{value * 100:.10g}%"
    return None


def mistaken(value: object, what: str, expected: str, advice: str = "") -> ValueError:
    """The error of a value that is none of what is wanted: text that cannot be read, or no text at all."""
    end = f"; {advice}" if advice else ""
    if isinstance(value, str):
        return ValueError(f"{value!r} is no {what}; expected {expected}")
    return ValueError(f"expected {expected}, found {found(value)}{end}")
