"""The evidence against the change, drawn over the servers that were tried, with the boundary where it is proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.web.axes import LEFT, RIGHT, WIDTH, Scale, label, picture, points, value_axis
from runner.report.web.markup import Markup, element

if TYPE_CHECKING:
    from runner.model import JsonObject

_HEIGHT, _TOP, _BOTTOM = 190.0, 12.0, 160.0
_MOST_POINTS = 800
_LOWEST = -1.5
"""Times the boundary: what is below it is far from proof, however far."""


def evidence_curve(evidence: JsonObject) -> Markup:
    """The curve of a sequential test; it is known at each abnormal server, and now."""
    tried = evidence["abnormal"] + evidence["normal"]
    curve = [(point["servers"], point["evidence"]) for point in evidence["curve"]]
    curve = [(0, 0.0), *curve[:: -(-len(curve) // _MOST_POINTS) or 1], (tried, evidence["evidence"])]
    boundary = evidence["boundary"]
    low = max(_LOWEST * boundary, min(value for _, value in curve), -10 * boundary)
    high = max(boundary * 1.2, *(value for _, value in curve))
    across, up = Scale(0, max(1, tried), LEFT, WIDTH - RIGHT), Scale(low, high, _BOTTOM, _TOP)
    y = up.at(boundary)
    return picture(
        "Evidence against the change",
        sentence(evidence),
        _HEIGHT,
        *value_axis(up, [0.0]),
        element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="boundary"),
        label(f"proof {boundary:.2f}", LEFT - 6, y + 4, "end"),
        element("polyline", points=points([(across.at(x), up.at(value)) for x, value in curve]), class_="curve"),
        *(label(f"{share * tried / 4:,.0f}", across.at(share * tried / 4), _BOTTOM + 16) for share in range(5)),
        label("servers tried", WIDTH - RIGHT, _BOTTOM + 29, "end"),
    )


_VERDICTS = {
    "open": "It shows neither that the change is bad nor that it is not",
    "healthy": "The change is not bad",
    "bad": "The change is bad",
}


def sentence(evidence: JsonObject) -> str:
    """What the test says, in words."""
    tried, bad = evidence["abnormal"] + evidence["normal"], evidence["abnormal"]
    measured = f"evidence {evidence['evidence']:.2f} nats, proof from {evidence['boundary']:.2f} on"
    return f"{_VERDICTS[evidence['verdict']]}: {bad:,} of {tried:,} servers abnormal, {measured}."
