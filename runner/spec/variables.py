"""The variables of a file: templates at any depth, each with its place; and the names that they must not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.errors import InvalidInput, Problem, in_order
from runner.spec.campaign import Place, Template
from runner.spec.checks import templates_in
from runner.spec.json_source import read_document
from runner.spec.names import refused_name
from runner.spec.placing import tree_of
from runner.spec.templates import TemplateProblem, check_syntax, has_template
from runner.spec.yaml_source import path_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.model import Json
    from runner.spec.yaml_source import Path, Source

_WHERE_VARIABLES_ARE = "name the variable and give it a value: version: 24.1.rc3.10"


def load_variables(text: str, file: str) -> dict[str, object]:
    """The variables of a file that has nothing else. Their text may be a template, as in a jobspec.

    Raises:
        InvalidInput: with everything that is wrong.
    """
    source = read_document(text, file)
    if not isinstance(source.data, dict):
        raise InvalidInput(Problem("expected a mapping of variables to values", file, 1, hint=_WHERE_VARIABLES_ARE))
    variables = {name: tree_of(source, value, (name,)) for name, value in source.data.items()}
    problems = [*name_problems(source, source.data, ()), *_syntax(variables)]
    if problems:
        raise InvalidInput(*in_order(problems))
    return variables


def jobspec_variables(text: str, file: str) -> dict[str, object]:
    """The variables of a jobspec that a plan was made of, by whichever version: nothing else of it is judged again."""
    source = read_document(text, file)
    found = source.data.get("vars") or {} if isinstance(source.data, dict) else {}
    return {name: tree_of(source, value, ("vars", name)) for name, value in found.items()}


def variables_of_plan(value: Json, file: str, path: str = "variables") -> Any:  # noqa: ANN401  a value of any kind
    """What a plan was given, as it was written: text with something to render in it is a template."""
    if isinstance(value, dict):
        return {key: variables_of_plan(item, file, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [variables_of_plan(item, file, path) for item in value]
    return Template(value, Place(file, 1, 1, path)) if has_template(value) else value


def name_problems(source: Source, names: Iterable[str], path: Path) -> Iterator[Problem]:
    """The variables at a path of a file that have a name which templates have for something else."""
    for name in names:
        if refused := refused_name(name):
            line, column = source.key_positions.get((*path, name), source.position(path))
            yield Problem(refused[0], source.file, line, column, path_text((*path, name)), refused[1])


def jobspec_name_problems(source: Source) -> Iterator[Problem]:
    """Likewise of a jobspec that has the right shape: its own variables, and those of its groups."""
    groups: list[Json] = source.data["groups"]
    places: list[Path] = [("vars",), *(("groups", index, "vars") for index in range(len(groups)))]
    for path, holder in zip(places, [source.data, *groups], strict=True):
        yield from name_problems(source, holder.get("vars") or (), path)


def refuse_names(variables: Mapping[str, object], path: str) -> None:
    """Refuse variables of the command line that have such a name. `path` is how they are given, such as `-e`.

    Raises:
        InvalidInput: with all of them.
    """
    refused = [(name, found) for name in variables if (found := refused_name(name)) is not None]
    if refused:
        raise InvalidInput(*(Problem(message, path=f"{path} {name}", hint=hint) for name, (message, hint) in refused))


def _syntax(variables: Mapping[str, object]) -> Iterator[Problem]:
    for template in templates_in(dict(variables)):
        try:
            check_syntax(template)
        except TemplateProblem as error:
            yield error.problem
