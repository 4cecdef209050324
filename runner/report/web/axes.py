"""Scales of pictures: where a value stands, and which values are named beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from runner.report.web.markup import Markup, element, text

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, LEFT, RIGHT = 1080.0, 104.0, 14.0
"""Of every picture, and its margins, in units of its own."""

_MOST_TICKS = 9
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_DAY_S, _MINUTE_S = 86400, 60


class Scale(NamedTuple):
    """From values between `low` and `high` to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value; those outside are at the edge."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def time_scale(begin: float, end: float) -> Scale:
    """Times, epoch seconds, across a picture."""
    return Scale(begin, max(end, begin + 1.0), LEFT, WIDTH - RIGHT)


def time_axis(scale: Scale, top: float, bottom: float) -> Iterator[Markup]:
    """Lines at round times (UTC), which are named below."""
    length = scale.high - scale.low
    days = _DAY_S * -(-int(length) // (_DAY_S * _MOST_TICKS))
    step = next((step for step in _STEPS_S if length / step <= _MOST_TICKS), days)
    first = -(-scale.low // step) * step
    form = "%m-%d %H:%M" if length > _DAY_S else "%H:%M" if step >= _MINUTE_S else "%H:%M:%S"
    for tick in takewhile(lambda at: at <= scale.high, (first + place * step for place in range(_MOST_TICKS + 2))):
        x = scale.at(tick)
        yield element("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid")
        yield label(f"{datetime.fromtimestamp(tick, UTC):{form}}", x, bottom + 15)


def value_axis(scale: Scale, values: Iterator[float] | list[float]) -> Iterator[Markup]:
    """Lines at these values, which are named at the left."""
    for value in values:
        y = scale.at(value)
        yield element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
        yield label(f"{value:,.4g}" if value != round(value) else f"{value:,.0f}", LEFT - 6, y + 4, "end")


def label(words: str, x: float, y: float, anchor: str = "middle", class_: str | None = None) -> Markup:
    """Words in a picture."""
    return element("text", text(words), x=x, y=y, text_anchor=anchor, class_=class_)


def picture(title: str, about: str, height: float, *children: Markup) -> Markup:
    """A picture with words for who does not see it. On a narrow screen it is scrolled."""
    drawn = element(
        "svg",
        element("title", text(title)),
        element("desc", text(about)),
        *children,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        aria_label=f"{title}. {about}",
    )
    return element("div", drawn, class_="picture", tabindex="0", role="group", aria_label=title)


def points(places: list[tuple[float, float]]) -> Markup:
    """Places as lines and areas have them."""
    return Markup(" ".join(f"{x:.1f},{y:.1f}" for x, y in places))
