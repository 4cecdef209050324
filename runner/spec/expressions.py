"""`select`, `split_by` and `--limit`: Jinja expressions over one server's `id`, `name` and `labels`, and the variables.

A label that a server lacks is undefined: it equals nothing, so that `labels.ring == "canary"` simply does not select it.
Comparing it by size, or using it in arithmetic, is an error. So is a label that is taken for a number or a boolean
(`runner.spec.label_use`): labels are text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Undefined, nodes

from runner.spec.expression_mistakes import expression_hint
from runner.spec.filters import FoundText
from runner.spec.label_syntax import ALL_LABELS, balanced, by_name, label_of, labels_read
from runner.spec.label_use import LabelUse, label_use
from runner.spec.label_values import LabelMisuse, Labels, LabelText, PlannedLabels
from runner.spec.names import Names
from runner.spec.per_labels import PerLabels, TextOfLabel
from runner.spec.sandbox import OF_PLANS, SELECTORS, NoSuchKey
from runner.spec.suggest import did_you_mean
from runner.spec.syntax import Expression, SyntaxMistake, compiled_expression
from runner.spec.templates import TemplateProblem, as_problem, problem_at
from runner.spec.texts import Guarded

if TYPE_CHECKING:
    from runner.errors import Problem
    from runner.model import Json, JsonMapping, JsonObject, Server
    from runner.spec.campaign import Template

_OF_A_SERVER = frozenset({"id", "name", "labels"})
_KEPT = 4_096


class ServerExpression:
    """A compiled expression. `uses_only_labels`: servers with equal labels give equal values.

    `reads` are the labels that it looks at, None where these are not known before it is evaluated. `label` is the one
    whose text it gives, if it does nothing else.

    `variables` are seen by name and as `vars.NAME`, where there are such (not None); a server's `id`, `name` and `labels`
    come first. `variables_used` are those that it needs. `is_condition`: its value says whether a server is meant.
    `planned`: it stands in a plan, where it means what it meant when that was made. `use` is what it does with labels.
    """

    def __init__(
        self,
        template: Template,
        variables: JsonMapping | None = None,
        *,
        is_condition: bool = False,
        planned: bool = False,
    ) -> None:
        self._template = template
        self._is_condition = is_condition
        self._planned = planned
        compiled, self.use, self.reads, self.label = _compiled(template, is_condition=is_condition, planned=planned)
        self._evaluate = compiled.evaluator()
        fixed = {} if variables is None else {**variables, "vars": Names("vars", variables)}
        if not planned:
            _refuse_mistakes(template, self.use)
        self._refuse_unknown(compiled.names, fixed)
        variables = variables or {}
        used = variables.keys() if compiled.of_vars is None else compiled.names | compiled.of_vars
        self.variables_used = {name: variables[name] for name in sorted(used) if name in variables}
        self._fixed = {name: fixed[name] for name in compiled.names if name in fixed}
        self.uses_only_labels = not {"id", "name"} & compiled.names

    def value(self, server: Server) -> Json:
        """What the expression gives for a server; None where it is undefined.

        Raises:
            TemplateProblem: it cannot be evaluated for this server.
        """
        values = self._seen(server)
        try:
            found = self._evaluate(values)
            if isinstance(found, Undefined):
                return str(found) or None  # raises, where it cannot be there for any server
        except LabelMisuse as error:
            raise TemplateProblem(self._problem(f"for server {server.id}: {error}", error.hint)) from error
        except Exception as error:
            raise self._failed(error, server, values) from error
        if isinstance(found, Guarded):
            raise TemplateProblem(self._problem(found.refusal().message, found.refusal().hint))
        if isinstance(found, str):
            return self._text(found, server)
        return found

    def _seen(self, server: Server) -> JsonObject:
        if self._planned:
            labels = {"labels": PlannedLabels(server.labels), "id": server.id, "name": server.name}
            return {ALL_LABELS: server.labels, **self._fixed, **labels}
        labels = {"labels": Labels(server.labels), "id": LabelText(server.id), "name": LabelText(server.name)}
        return {**self._fixed, **labels}

    def _text(self, found: str, server: Server) -> str:
        """Text that an expression gives. What a pattern found is a condition; no other text is."""
        if self._is_condition and type(found) is not FoundText:
            message = f'for server {server.id}: it gives the text "{found}"; expected true or false'
            raise TemplateProblem(self._problem(message, f'write ... == "{found}"'))
        return str(found)

    def _failed(self, error: Exception, server: Server, values: JsonMapping) -> TemplateProblem:
        if isinstance(error, NoSuchKey) and error.is_label:
            message, hint = f"it has no label `{error.asked}`", "write |default(...) to say what stands for it"
        else:
            problem = as_problem(error, self._template.place, values).problem
            message, hint = problem.message.removeprefix("template: "), problem.hint
        return TemplateProblem(self._problem(f"for server {server.id}: {message}", hint))

    def _refuse_unknown(self, names: frozenset[str], fixed: JsonMapping) -> None:
        known = {*_OF_A_SERVER, *fixed}
        unknown = sorted(names - {*known, *SELECTORS.globals, *([ALL_LABELS] if self._planned else ())})
        if unknown:
            name = unknown[0]
            seen = "a server has id, name and labels" + (", and there are the variables" if fixed else "")
            hint = expression_hint(name) or did_you_mean(name, known)
            raise TemplateProblem(self._problem(f"unknown name `{name}`; {seen}", hint))

    def _problem(self, message: str, hint: str = "") -> Problem:
        return problem_at(self._template.place, message, hint)


def check_expression(template: Template, *, is_condition: bool = False) -> None:
    """Raise TemplateProblem if the expression cannot be compiled, or takes labels for what they are not.

    Which names it may use is known later.
    """
    _refuse_mistakes(template, label_use_of(template, is_condition=is_condition))


def label_use_of(template: Template, *, is_condition: bool = False) -> LabelUse:
    """What an expression does with labels.

    Raises:
        TemplateProblem: it is none.
    """
    return _compiled(template, is_condition=is_condition, planned=False).use


def labels_read_by(template: Template) -> frozenset[str] | None:
    """The labels that an expression looks at, None where these are not known before it is evaluated.

    Raises:
        TemplateProblem: it is none.
    """
    return _compiled(template, is_condition=False, planned=False).reads


class _Compiled(NamedTuple):
    expression: Expression
    use: LabelUse
    reads: frozenset[str] | None
    label: str | None


def _compiled(template: Template, *, is_condition: bool, planned: bool) -> _Compiled:
    source = str(template.source)
    try:
        return _read(source, is_condition, planned)
    except SyntaxMistake as error:
        hint = error.hint or expression_hint(source)
        raise TemplateProblem(problem_at(template.place, f"expression: {error.message}", hint)) from error


@lru_cache(maxsize=_KEPT)
def _read(source: str, is_condition: bool, planned: bool) -> _Compiled:  # noqa: FBT001  a cache's key
    found: list[tuple[LabelUse, frozenset[str] | None, str | None]] = []

    def prepared(parsed: nodes.Expr) -> nodes.Expr:
        expression = balanced(parsed)
        use = label_use(expression, is_condition=is_condition)
        label = label_of(expression) if isinstance(expression, nodes.Getattr | nodes.Getitem) else None
        expression = by_name(expression)
        found.append((use, labels_read(expression), label))
        return expression

    return _Compiled(compiled_expression(OF_PLANS if planned else SELECTORS, source, prepared), *found[0])


def _refuse_mistakes(template: Template, use: LabelUse) -> None:
    if use.mistakes:
        raise TemplateProblem(problem_at(template.place, *use.mistakes[0]))


def text_getter(expression: ServerExpression) -> PerLabels[str | None]:
    """The value of an expression for a server as text, None where there is none."""
    if expression.label is not None:
        return TextOfLabel(expression, expression.label)

    def text(server: Server) -> str | None:
        found = expression.value(server)
        return None if found is None or found == "" else str(found)

    return PerLabels(expression, text)
