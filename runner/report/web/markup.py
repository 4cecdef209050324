"""Elements of HTML and SVG. Text becomes markup here and nowhere else, so that nobody's text can be taken for an element."""

from __future__ import annotations

from html import escape

from runner.plain import one_line


class Markup(str):
    """What may stand in a document as it is."""

    __slots__ = ()


_EMPTY = frozenset({"meta", "input", "col", "rect", "line", "path", "polygon", "polyline", "circle"})


def text(words: str) -> Markup:
    """Words of anybody, as text in one line."""
    return Markup(escape(one_line(words)))


def element(tag: str, *children: Markup, **attributes: str | float | None) -> Markup:
    """An element. `class_` is `class`, and `aria_label` `aria-label`; an attribute that is None is left out."""
    given = "".join(
        f' {name.strip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY and not children:
        return Markup(f"<{tag}{given}/>")  # an element of SVG that is not closed would have all others in it
    return Markup(f"<{tag}{given}>{''.join(children)}</{tag}>")


def _value(value: str | float) -> str:
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return escape(one_line(value))
    return f"{value:.2f}".rstrip("0").rstrip(".")


def joined(*parts: Markup) -> Markup:
    """One after the other."""
    return Markup("\n".join(parts))
