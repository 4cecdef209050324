"""Jinja2 templates in a sandbox: undefined names are errors, and every error says where it stands in the file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runner.errors import Problem
from runner.plain import is_text
from runner.spec.numbers import plain_numbers
from runner.spec.secrets import reference, secret_names
from runner.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.model import Json, JsonMapping
    from runner.spec.campaign import Place, Template

MOST_OUTPUT = 65_536
# Cannot come up in a value: YAML refuses control characters.
_SEPARATOR = "\x1e"
_SINGLE_EXPRESSION = re.compile(r"\{\{(?P<expression>(?:(?!\}\}|\{\{).)*)\}\}", re.DOTALL)
_UNDEFINED = re.compile(r"'([^']+)' is undefined|has no attribute '([^']+)'")


class TemplateProblem(Exception):
    """A template is wrong, or cannot be rendered."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class SecretNames:
    """What `secret` is in a template: each attribute is a reference that renders as text, and nothing else.

    It counts the references that it gave out as text: they must all be whole in what a template renders to, or a filter
    changed one, and something that is no reference would be sent in place of the secret.
    """

    def __init__(self) -> None:
        self._given_out = 0

    def __getattr__(self, name: str) -> SecretText:
        if name.startswith("_"):
            raise AttributeError(name)
        return SecretText(reference(name), self)

    __getitem__ = __getattr__


class SecretText:
    """Text with references to secrets. It has no length, no case, no parts: only whole does it get into a value."""

    def __init__(self, text: str, names: SecretNames) -> None:
        self._text = text
        self._names = names

    def __str__(self) -> str:
        self._names._given_out += len(secret_names(self._text))  # noqa: SLF001  the two are one thing
        return self._text


def guarded_secrets(value: object, names: SecretNames) -> object:
    """A variable's value; text with references to secrets becomes such that only goes whole into other values."""
    return SecretText(value, names) if isinstance(value, str) and secret_names(value) else value


def make_environment() -> ImmutableSandboxedEnvironment:
    """The one sandbox for templates and expressions: no files, no imports, no attributes with an underscore."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, cache_size=0)
    environment.policies["json.dumps_function"] = _json_of
    environment.globals = {name: environment.globals[name] for name in ("range", "dict", "namespace")}
    return environment


def _json_of(value: object, **how: Any) -> str:  # noqa: ANN401  what the filter is called with
    """What `tojson` gives: a number that JSON would write otherwise is its text."""
    return json.dumps(plain_numbers(value), **how)


ENVIRONMENT = make_environment()


def has_template(source: object) -> bool:
    """Whether a value is text with something to render in it."""
    return isinstance(source, str) and ("{{" in source or "{%" in source or "{#" in source)


def check_syntax(template: Template) -> None:
    """Raise TemplateProblem if the template cannot be parsed."""
    _parse(str(template.source), template.place)


def names_used(template: Template) -> frozenset[str]:
    """The top-level names that a template uses; none for one that is no template."""
    if not has_template(template.source):
        return frozenset()
    return frozenset(meta.find_undeclared_variables(_parse(str(template.source), template.place)))


def render_value(template: Template, context: JsonMapping) -> Json:
    """Render a value; text that is one single expression keeps the expression's type.

    Raises:
        TemplateProblem: it uses an undefined name, fails, or grows too large.
    """
    if not has_template(template.source):
        return template.source
    source = str(template.source)
    single = _SINGLE_EXPRESSION.fullmatch(source.strip())
    if single is None:
        return render_text(template, context)
    before = _given_out(context)
    value = _guarded(lambda: _expression(single["expression"], template.place)(**context), template.place, context)
    if isinstance(value, str | SecretText):
        text = str(value)
        _check_text(text, template.place)
        _check_secrets([text], template.place, before, context)
        return text
    return value


def render_text(template: Template, context: JsonMapping) -> str:
    """Render a value to text, as `TextRenderer` does."""
    return TextRenderer([template])(context)[0]


class TextRenderer:
    """Several templates rendered as one, which takes a third of the time of rendering each."""

    def __init__(self, templates: Sequence[Template]) -> None:
        self._templates = tuple(templates)
        self._constant = [None if has_template(t.source) else scalar_text(t.source) for t in templates]
        self._moving = [t for t in templates if has_template(t.source)]
        joined = _SEPARATOR.join(str(template.source) for template in self._moving)
        for template in self._moving:
            _parse(str(template.source), template.place)  # each alone: a mistake must not pair up with the next one
        self._render = ENVIRONMENT.from_string(joined).render if self._moving else None

    @property
    def names_used(self) -> frozenset[str]:
        """The top-level names that any of the templates uses."""
        return frozenset().union(*(names_used(template) for template in self._moving))

    def __call__(self, context: JsonMapping) -> list[str]:
        """The texts, in the order of the templates.

        Raises:
            TemplateProblem: of the first template that cannot be rendered.
        """
        if self._render is None:
            return [text or "" for text in self._constant]
        before = _given_out(context)
        try:
            rendered = iter(self._render(context).split(_SEPARATOR))
        except Exception:  # noqa: BLE001  rendered one by one to find out which it is, and why
            return [self._alone(template, context) for template in self._templates]
        texts = [next(rendered) if text is None else text for text in self._constant]
        for text, template in zip(texts, self._templates, strict=True):
            _check_text(text, template.place)
        _check_secrets(texts, self._moving[0].place, before, context)
        return texts

    def _alone(self, template: Template, context: JsonMapping) -> str:
        if not has_template(template.source):
            return scalar_text(template.source)
        compiled = ENVIRONMENT.from_string(str(template.source))
        return str(_guarded(lambda: compiled.render(context), template.place, context))


def scalar_text(value: object) -> str:
    """A YAML scalar as the text that goes on the wire: `true`, `24.1`, and nothing for null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _parse(source: str, place: Place) -> Any:  # noqa: ANN401  jinja2's own tree
    try:
        return ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        raise TemplateProblem(_problem(place, f"template: {error.message}", lines_down=error.lineno - 1)) from error


def _expression(source: str, place: Place) -> Callable[..., Any]:
    try:
        return ENVIRONMENT.compile_expression(source, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise TemplateProblem(_problem(place, f"expression: {error.message}")) from error


def _guarded(render: Callable[[], Any], place: Place, context: JsonMapping) -> Json:
    try:
        value = render()
        if isinstance(value, StrictUndefined):
            str(value)  # raises, and names what is undefined
    except UndefinedError as error:
        raise TemplateProblem(_undefined(place, str(error), context)) from error
    except Exception as error:
        raise TemplateProblem(_problem(place, f"template: {error}")) from error
    return value


def _check_text(text: str, place: Place) -> None:
    if not is_text(text):
        message = "renders to what is no text: bytes of the environment that are not UTF-8, or half of a character"
        raise TemplateProblem(_problem(place, message))
    if len(text) > MOST_OUTPUT:
        raise TemplateProblem(
            _problem(place, f"renders to {len(text):,} characters, at most {MOST_OUTPUT:,} are allowed")
        )


def _given_out(context: JsonMapping) -> int:
    names = context.get("secret")
    return names._given_out if isinstance(names, SecretNames) else 0  # noqa: SLF001  likewise


def _check_secrets(texts: Sequence[str], place: Place, before: int, context: JsonMapping) -> None:
    given_out = _given_out(context) - before
    if given_out and sum(len(secret_names(text)) for text in texts) != given_out:
        raise TemplateProblem(
            _problem(place, "a filter changes a secret", hint="a secret can only be put in whole: {{ secret.NAME }}")
        )


def _undefined(place: Place, message: str, context: JsonMapping) -> Problem:
    match = _UNDEFINED.search(message)
    name = (match[1] or match[2]) if match else ""
    known = set(context)
    if match and match[2]:
        known = {key for value in context.values() if isinstance(value, dict) for key in value}
    return _problem(place, f"template: {message}", hint=did_you_mean(name, known) if name else "")


def _problem(place: Place, message: str, *, hint: str = "", lines_down: int = 0) -> Problem:
    return Problem(message, place.file, place.line + lines_down, place.column, place.path, hint)
