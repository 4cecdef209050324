"""From files to a plan in stages, each as far as it does not need what is wrong with another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from runner.errors import InvalidInput, Problem, in_order
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.plan.plan import Plan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Validation:
    """What came of looking at files: a plan, or what is wrong; and what was not looked at, each in one line.

    `beside` is what it was held against besides, likewise.
    """

    plan: Plan | None
    problems: Sequence[Problem]
    unchecked: Sequence[str]
    beside: Sequence[str] = ()

    def valid(self) -> Plan:
        """The plan.

        Raises:
            InvalidInput: something is wrong.
        """
        if self.plan is None or self.problems:
            raise InvalidInput(*self._by_file())
        return self.plan

    def _by_file(self) -> list[Problem]:
        """Those of one file together, in the order of its lines."""
        files = list(dict.fromkeys(problem.file for problem in self.problems))
        return [problem for file in files for problem in in_order(p for p in self.problems if p.file == file)]


@dataclass(slots=True)
class Findings:
    """Collects what is wrong in the stages."""

    problems: list[Problem] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def of(self, stage: Callable[[], T]) -> T | None:
        """What a stage gives; None, and its problems noted, where something is wrong."""
        try:
            return stage()
        except InvalidInput as error:
            self.problems += error.problems
        except TemplateProblem as error:
            self.problems.append(error.problem)
        return None

    def none_in(self, stage: Callable[[], object]) -> bool:
        """Whether a stage finds nothing wrong; what it finds is noted."""
        before = len(self.problems)
        self.of(stage)
        return len(self.problems) == before
