"""Which lane each group's requests go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.model import JsonMapping, Lane
from runner.spec.campaign import Place
from runner.spec.names import Names
from runner.spec.templates import TemplateProblem, render_text

if TYPE_CHECKING:
    from runner.spec.campaign import LaneSpec, Template

_FIELDS = ("region", "endpoint", "project_id")
_GIVEN = Place("command line", 1, 1, "--endpoint")


class LaneTable:
    """The distinct lanes of a plan, in the order they come up.

    Given fields replace those of the jobspec, which are then not even rendered: a template may need what is not there.
    """

    def __init__(self, default: LaneSpec, given: Lane) -> None:
        self._default = default
        self._given = given
        self._index: dict[Lane, int] = {}

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes."""
        return tuple(self._index)

    def index_of(self, spec: LaneSpec, context: JsonMapping, problems: list[Problem]) -> int:
        """The index of a group's lane; what is wrong goes to `problems`."""
        lane = Lane(*(self._field(name, spec, context, problems) for name in _FIELDS))
        if not lane.endpoint and not lane.region:
            problem = Problem(
                "neither a region nor an endpoint is given",
                hint="set lane.region in the jobspec, or use --region or --endpoint",
            )
            problems.append(problem)
        return self._index.setdefault(lane, len(self._index))

    def context_of(self, index: int) -> Names:
        """The lane as templates see it."""
        return Names("lane", self.lanes[index]._asdict())

    def _field(self, name: str, spec: LaneSpec, context: JsonMapping, problems: list[Problem]) -> str | None:
        given: str | None = getattr(self._given, name)
        # A given endpoint speaks for itself: the region would only be looked up to find another.
        if given is not None:
            return _endpoint(given, _GIVEN, problems) if name == "endpoint" else given
        template: Template | None = getattr(spec, name) or getattr(self._default, name)
        if template is None:
            return None
        try:
            text = render_text(template, context).strip()
        except TemplateProblem as error:
            problems.append(error.problem)
            return None
        return (_endpoint(text, template.place, problems) if name == "endpoint" else text) or None


def _endpoint(text: str, place: Place, problems: list[Problem]) -> str:
    """The endpoint without a trailing slash. One with a user in it, and perhaps a password, is neither shown nor kept."""
    if "@" in text:
        hint = "leave it out: credentials have places of their own"
        problems.append(
            Problem("the endpoint has a user in it", place.file, place.line, place.column, place.path, hint)
        )
    return text.rstrip("/")
