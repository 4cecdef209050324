"""Jinja2 templates: each value of the file is one of its own, and every error says where it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import Undefined, UndefinedError

from runner.errors import Problem
from runner.plain import is_text
from runner.spec.names import RUNNERS_OWN
from runner.spec.sandbox import MOST_OUTPUT, NoSuchKey
from runner.spec.secrets import SecretNames, SecretText, secret_names
from runner.spec.suggest import did_you_mean
from runner.spec.syntax import SyntaxMistake, compiled_text, single_expression
from runner.spec.texts import NotRendered, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import Json, JsonMapping
    from runner.spec.campaign import Place, Template
    from runner.spec.syntax import Text

_UNDEFINED = re.compile(r"'([^']+)' is undefined")
_NO_SECRET = "a secret must not stand here: this is listed by the service, shown, or written to reports"  # noqa: S105  a message


class TemplateProblem(Exception):
    """A template is wrong, or cannot be rendered."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def has_template(source: object) -> bool:
    """Whether a value is text with something to render in it."""
    return isinstance(source, str) and ("{{" in source or "{%" in source or "{#" in source)


def check_syntax(template: Template) -> None:
    """Raise TemplateProblem if the template cannot be compiled."""
    if has_template(template.source):
        _compiled(template)


def names_used(template: Template) -> frozenset[str]:
    """The top-level names that a template uses; none for one that is no template."""
    return _compiled(template).names if has_template(template.source) else frozenset()


def variables_used(template: Template) -> frozenset[str]:
    """The names of variables that a template may use, as far as they are known before it is rendered."""
    if not has_template(template.source):
        return frozenset()
    compiled = _compiled(template)
    return compiled.names | (compiled.of_vars or frozenset())


def render_value(template: Template, context: JsonMapping) -> Json:
    """Render a variable's value; text that is one single expression keeps the expression's type.

    Raises:
        TemplateProblem: it uses an undefined name, fails, or grows too large.
    """
    if not has_template(template.source):
        return template.source
    _compiled(template)  # a mistake is said here, with its place
    single = single_expression(str(template.source))
    if single is not None:
        value = guarded(lambda: _defined(single.evaluator()(context)), template.place, context)
        if isinstance(value, str):
            _check_text(value, template.place)
            if secret_names(value):  # a secret would be no plain text
                raise TemplateProblem(_changed_secret(template.place, value))
        return value
    text = TextRenderer(template)(context)
    return SecretText(text, context["secret"]) if secret_names(text) else text


def render_text(template: Template, context: JsonMapping) -> str:
    """Render a value that people, the service or other programs get to see: no secret may be in it.

    Raises:
        TemplateProblem: there is one, or it cannot be rendered.
    """
    text = TextRenderer(template)(context)
    if secret_names(text):
        raise TemplateProblem(problem_at(template.place, _NO_SECRET))
    return text


class TextRenderer:
    """One value of the file, to be rendered to text many times. `names_used` are the top-level names that it uses."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._compiled = _compiled(template) if has_template(template.source) else None
        self.names_used = self._compiled.names if self._compiled else frozenset[str]()

    def __call__(self, context: JsonMapping) -> str:
        """The text; secrets in it are references.

        Raises:
            TemplateProblem: it cannot be rendered, or a secret would not be whole in it.
        """
        place = self._template.place
        names = context["secret"] if "secret" in context else SecretNames()
        before = names.begin()
        try:
            text: str = guarded(lambda: self._text(context), place, context)
            if not names.is_whole(text):
                raise TemplateProblem(_changed_secret(place, text))
        finally:
            names.go_on(before)
        _check_text(text, place)
        return text

    def _text(self, context: JsonMapping) -> str:
        return text_of(self._template.source) if self._compiled is None else self._compiled.render(context)


def guarded(render: Callable[[], Json], place: Place, context: JsonMapping) -> Json:
    """What a function of a template gives; whatever it fails with is a problem of that place.

    Raises:
        TemplateProblem: it fails.
    """
    try:
        return render()
    except Exception as error:
        raise as_problem(error, place, context) from error


def as_problem(error: Exception, place: Place, context: JsonMapping) -> TemplateProblem:
    """What a template failed with, as a problem of its place."""
    match error:
        case TemplateProblem():
            return error
        case NotRendered():
            return TemplateProblem(problem_at(place, f"template: {error.message}", error.hint))
        case UndefinedError():
            return TemplateProblem(_undefined(place, error, context))
        case RecursionError():
            return TemplateProblem(problem_at(place, "template: it calls itself without an end"))
        case _:
            return TemplateProblem(problem_at(place, f"template: {str(error) or type(error).__name__}"))


def problem_at(place: Place, message: str, hint: str = "", *, lines_down: int = 0) -> Problem:
    """A mistake in the value at a place."""
    return Problem(message, place.file, place.line + lines_down, place.column, place.path, hint)


def _compiled(template: Template) -> Text:
    try:
        return compiled_text(str(template.source))
    except SyntaxMistake as error:
        problem = problem_at(template.place, f"template: {error.message}", error.hint, lines_down=error.lines_down)
        raise TemplateProblem(problem) from error


def _defined(value: Json) -> Json:
    """A value; what is undefined is an error that names it, and an `if` without an `else` is empty text."""
    return str(value) if isinstance(value, Undefined) else value


def _check_text(text: str, place: Place) -> None:
    if not is_text(text):
        message = "renders to what is no text: bytes of the environment that are not UTF-8, or half of a character"
        raise TemplateProblem(problem_at(place, message))
    if len(text) > MOST_OUTPUT:
        raise TemplateProblem(
            problem_at(place, f"renders to {len(text):,} characters, at most {MOST_OUTPUT:,} are allowed")
        )


def _changed_secret(place: Place, text: str) -> Problem:
    hint = "a secret can only be put in whole: {{ secret.NAME }}"
    found = secret_names(text)
    what = f"the text that stands for the secret {found[0]} is written out" if found else "a filter changes a secret"
    return problem_at(place, what, hint)


def _undefined(place: Place, error: UndefinedError, context: JsonMapping) -> Problem:
    if isinstance(error, NoSuchKey):
        return problem_at(place, f"template: {error}", did_you_mean(error.asked, error.known))
    match = _UNDEFINED.search(str(error))
    name = match[1] if match else ""
    if name in RUNNERS_OWN:
        hint = f"{RUNNERS_OWN[name]} cannot be seen here: docs/expressions.md says what can"
    else:
        variables = context["vars"].values if "vars" in context else ()
        hint = did_you_mean(name, {*context, *variables}) if name else ""
    return problem_at(place, f"template: {error}", hint)
