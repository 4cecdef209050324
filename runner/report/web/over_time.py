"""How a run went, drawn over time: servers by outcome with what was decided, the waves, the use of its limits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.plain import one_line
from runner.report.run_page import is_of_person
from runner.report.web.axes import LEFT, Scale, label, picture, points, time_axis, time_scale, value_axis
from runner.report.web.markup import Markup, element, joined, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import JsonObject
    from runner.report.course import Course, CoursePoint

_TOP, _BOTTOM, _HEIGHT = 60.0, 290.0, 312.0
_STACKED = (*Outcome,)
AT_WORK = "at_work"
_MARKED = frozenset({"hold", "abort", "end_intake"})
_MOST_MARKS, _MOST_WAVES = 60, 60
_ROW = 22.0
_LIMIT_HEIGHT, _LIMIT_TOP = 160.0, 26.0
_LETTER, _MARK_GAP, _MARK_ROW, _LONGEST_NAME = 8.0, 18.0, 17.0, 13


def epoch(at: str) -> float:
    """A time of a report, epoch seconds."""
    return datetime.fromisoformat(at).timestamp()


def span(course: Course) -> Scale | None:
    """The time of the run, across a picture; None where nothing has happened."""
    moments = course.moments()
    return time_scale(moments[0].at, moments[-1].at) if moments else None


def outcomes_over_time(head: JsonObject, course: Course, time: Scale) -> Markup:
    """Servers by outcome, those at work above them, and when waves began, who decided and what held the run."""
    moments, total = course.moments(), max(1, head["counts"]["servers"])
    servers = Scale(0, total, _BOTTOM, _TOP)
    counts = ", ".join(f"{moments[-1].counts[place]:,} {_words(one)}" for place, one in enumerate(_STACKED))
    return picture(
        "Servers over time",
        f"At the end of {total:,}: {counts}. The decisions below have the numbers of the marks.",
        _HEIGHT,
        *value_axis(servers, [total * share / 4 for share in range(5)]),
        *time_axis(time, _TOP, _BOTTOM),
        *_areas(moments, time, servers),
        *_wave_starts(head, time),
        *_marks(head, time),
    )


def _areas(moments: Sequence[CoursePoint], time: Scale, servers: Scale) -> Iterator[Markup]:
    base = [0] * len(moments)
    names = [outcome.value for outcome in _STACKED if outcome is not Outcome.NOT_STARTED]
    places = [place for place, outcome in enumerate(_STACKED) if outcome is not Outcome.NOT_STARTED]
    for name, place in [*zip(names, places, strict=True), (AT_WORK, -1)]:
        values = [moment.at_work if place < 0 else moment.counts[place] for moment in moments]
        if any(values):
            upper = [low + value for low, value in zip(base, values, strict=True)]
            xs = [time.at(moment.at) for moment in moments]
            edge = [(x, servers.at(value)) for x, value in zip(xs, upper, strict=True)]
            edge += [(x, servers.at(value)) for x, value in zip(reversed(xs), reversed(base), strict=True)]
            yield element("polygon", points=points(edge), class_=f"o {name}")
            base = upper


def _wave_starts(head: JsonObject, time: Scale) -> Iterator[Markup]:
    free = 0.0
    for wave in head["waves"]:
        if wave["started_at"]:
            x = time.at(epoch(wave["started_at"]))
            yield element("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="start")
            name = shortened(wave["name"])
            width = _LETTER * len(name)
            if free <= x <= time.end - width:
                yield label(name, x + 3, _BOTTOM - 5, "start", "name")
                free = x + width


def _marks(head: JsonObject, time: Scale) -> Iterator[Markup]:
    """Numbered as the decisions are; what stood in the way is a square, what a person did a circle."""
    marked = [
        (place, one) for place, one in enumerate(head["decisions"], 1) if is_of_person(one) or one["what"] in _MARKED
    ]
    last, row = -100.0, 0
    for place, decision in marked[:_MOST_MARKS]:
        x = time.at(epoch(decision["at"]))
        row = (row + 1) % 3 if x - last < _MARK_GAP else 0
        last, y = x, 9.0 + _MARK_ROW * row
        yield element("line", x1=x, x2=x, y1=y, y2=_BOTTOM, class_="mark")
        person = is_of_person(decision)
        shape = (
            ("circle", {"cx": x, "cy": y, "r": 8.0})
            if person
            else ("rect", {"x": x - 8, "y": y - 8, "width": 16.0, "height": 16.0})
        )
        name = element(
            "title", text(f"{decision['what']} {decision['evidence']} by {decision['who']}: {decision['why']}")
        )
        yield element(shape[0], name, class_="person" if person else "stop", **shape[1])
        yield label(str(place), x, y + 3.5, class_="number")


def waves_over_time(head: JsonObject, time: Scale) -> Markup:
    """Each wave: how long its servers took, and then its soak, its checks and a person."""
    waves = [wave for wave in head["waves"] if wave["started_at"]][:_MOST_WAVES]
    bottom = 6 + _ROW * len(waves)
    rows = [mark for place, wave in enumerate(waves) for mark in _wave_bar(wave, time, 6 + _ROW * place)]
    about = "The table below has the same in words. A full bar is servers at work, a framed one the gate after them."
    return picture("Waves over time", about, bottom + 22, *time_axis(time, 4, bottom), *rows)


def _wave_bar(wave: JsonObject, time: Scale, y: float) -> Iterator[Markup]:
    started = time.at(epoch(wave["started_at"]))
    over = time.at(epoch(wave["finished_at"])) if wave["finished_at"] else time.end
    passed = time.at(epoch(wave["passed_at"])) if wave["passed_at"] else time.end
    yield label(shortened(wave["name"]), LEFT - 6, y + 14, "end")
    yield element("rect", x=started, y=y + 3, width=max(2.0, over - started), height=_ROW - 6, class_="bar")
    if wave["finished_at"]:
        yield element("rect", x=over, y=y + 3, width=max(1.0, passed - over), height=_ROW - 6, class_="gate")


def limits_over_time(course: Course, time: Scale) -> Markup:
    """A picture for each limit of the campaign: what was spent and in flight, and the most that may be."""
    moments = course.moments()
    drawn = []
    for place, cell in enumerate(course.limits):
        most, peak = cell.most, max(cell.peak, cell.most, 1)
        used = Scale(0, peak, _LIMIT_HEIGHT - 24, _LIMIT_TOP)
        line = [(time.at(moment.at), used.at(moment.used[place])) for moment in moments]
        drawn.append(
            picture(
                f"Use of {cell.limit.name}",
                f"At most {most:,} of {cell.limit.total:,} servers; {cell.spent:,} spent in the end, {cell.peak:,} at most.",
                _LIMIT_HEIGHT,
                *value_axis(used, [0, cell.peak] if 0 < cell.peak < most * 0.9 else [0]),
                *time_axis(time, _LIMIT_TOP, _LIMIT_HEIGHT - 24),
                element("line", x1=LEFT, x2=time.end, y1=used.at(most), y2=used.at(most), class_="boundary"),
                label(f"most {most:,}", LEFT - 6, used.at(most) + 4, "end"),
                element("polyline", points=points(line), class_="curve"),
                label(cell.limit.name, LEFT, 14, "start", "name"),
            )
        )
    return joined(*drawn)


def shortened(name: str) -> str:
    """A name that fits beside a picture: waves of one entry differ at the end."""
    line = one_line(name)
    return line if len(line) <= _LONGEST_NAME else f"{line[:5]}\u2026{line[-7:]}"


def _words(name: str) -> str:
    return name.replace("_", " ")
