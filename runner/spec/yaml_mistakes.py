"""What is wrong with a text that is no YAML, or none that is read here, in words that say what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from runner.errors import Problem

if TYPE_CHECKING:
    from ruamel.yaml.error import YAMLError

_READ_HERE = re.compile(r"%YAML[ \t]+1\.2[ \t]*(#.*)?")
_STARTS_WITH_BRACES = re.compile(r"(?:^|[:\[,-])\s*(\{[{%#].*)")
QUOTE_TEMPLATES = "a value that begins with a template must be in quotes"


def directive_problem(text: str, file: str) -> Problem | None:
    """The first directive (`%...`) before the document that means another YAML than 1.2; None: there is none."""
    for number, line in enumerate(map(str.rstrip, text.split("\n")), 1):
        if line.startswith("%"):
            if not _READ_HERE.fullmatch(line):
                return _directive(line, file, number)
        elif line and not line.lstrip().startswith("#"):
            return None
    return None


def _directive(line: str, file: str, number: int) -> Problem:
    what = "a directive that is not known here"
    if line.startswith("%YAML"):
        what = "another version of YAML, where values such as `no` and `012` mean something else"
    return Problem(f"`{line.strip()}`: {what}", file, number, 1, hint="YAML 1.2 is read here: take the line out")


def version_problem(text: str, file: str) -> Problem:
    """The last directive, of which the parser does not know the version."""
    lines = list(enumerate(text.split("\n"), 1))
    number, line = next((pair for pair in reversed(lines) if pair[1].startswith("%")), lines[-1])
    return _directive(line, file, number)


def syntax_problem(error: YAMLError | ValueError | RecursionError, text: str, file: str) -> Problem:
    """What a parser found wrong, with its place if it told one."""
    if isinstance(error, ReaderError):
        return _character(error, text, file)
    if not isinstance(error, MarkedYAMLError):
        return Problem(f"not valid YAML: {str(error).strip() or 'nested too deep'}", file)
    mark = error.problem_mark or error.context_mark
    what = " ".join(str(part).strip() for part in (error.context, error.problem) if part)
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    return Problem(f"not valid YAML: {what}", file, line, column, hint=_hint(what, text, line))


def _character(error: ReaderError, text: str, file: str) -> Problem:
    place = error.position if isinstance(error.position, int) else 0
    line = text.count("\n", 0, place) + 1
    message = f"not valid YAML: the control character {text[place : place + 1]!r}"
    return Problem(message, file, line, place - text.rfind("\n", 0, place), hint='write it as an escape in "..."')


def _hint(what: str, text: str, line: int | None) -> str:
    written = text.split("\n")[line - 1] if line else ""
    template = _STARTS_WITH_BRACES.search(written)
    if template:
        return f"{QUOTE_TEMPLATES}: {quoted(template[1].strip())}"
    return "indent with spaces, not tabs" if "\\t" in what else ""


def quoted(text: str) -> str:
    """A value in the quotes that it can stand in."""
    return f'"{text}"' if '"' not in text else "'" + text.replace("'", "''") + "'"
