"""What can go wrong, one root. The class is the exit code; the text ends with what to do.

`Problem` is one mistake in something a person wrote; `InvalidInput` carries all those of a file at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_PROBLEM = 2_000


class ExitCode(IntEnum):
    """How the command ended, for scripts (README, "Exit codes")."""

    OK = 0
    INTERNAL = 1
    INVALID = 2
    ABNORMAL = 3
    ABORTED = 4
    STOPPED = 5
    REFUSED = 6
    UNUSABLE = 7


class RunnerError(Exception):
    """The root of every error that a user can cause or mend. `hint` says what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: what, where, what was expected, what to do.

    `file` is the path as the person gave it; `line` and `column` count from 1. `path` is the place inside the
    document, such as `steps[0].items[0].spec.version`. `hint` is one sentence of advice ("did you mean `groups`?").
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    path: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        what = f"{self.path}: {self.message}" if self.path else self.message
        text = one_line(f"{place}: {what}" if place else what, _LONGEST_PROBLEM)
        return f"{text}\n  {self.hint}" if self.hint else text


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of one file in the order of its lines, each once."""
    unique = {(problem.file, problem.line, problem.column, problem.message): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: (problem.line or 0, problem.column or 0))


class InvalidInput(RunnerError):
    """The command line, a jobspec, an inventory or a plan is not valid; nothing was sent."""

    exit_code = ExitCode.INVALID

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class RefusedToStart(RunnerError):
    """A lock, a stale plan or a missing approval; nothing was sent."""

    exit_code = ExitCode.REFUSED


class ServiceUnusable(RunnerError):
    """Credentials, permission or endpoint: the service cannot be used at all."""

    exit_code = ExitCode.UNUSABLE


class RunStopped(RunnerError):
    """The run ended before its end and can be resumed."""

    exit_code = ExitCode.STOPPED


class StateFolderError(RunnerError):
    """The state folder or the journal in it cannot be used (unwritable, full, damaged, of another version)."""

    exit_code = ExitCode.REFUSED


class ImpossibleEvent(StateFolderError):
    """A journal tells of something that cannot have happened: it was changed, or two processes wrote it."""
