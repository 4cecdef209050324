"""The text of a template or of an expression, compiled: what cannot be compiled is a mistake of the file, said as one.

Compiled text is kept, for the same one is asked for by every group. What Python would write its own way is replaced on the
way: what `{{ }}` puts out, what `~` puts together, and calls of methods.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.parser import Parser

from runner.spec.rewriting import MistakenName, Rewriter, VariablesUsed
from runner.spec.sandbox import TEMPLATES
from runner.spec.texts import NotRendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template as Compiled

    from runner.model import Json, JsonMapping
    from runner.spec.sandbox import Sandbox

MOST_SOURCE = 262_144
_KEPT = 4_096
_DEEPEST = 100
_TOO_DEEP = ("nested too deep, or too long", "write it in parts")
_RESULT = "result"
_AS_IT_STANDS = "to have it sent as it stands, write {% raw %}...{% endraw %} around it"


class SyntaxMistake(Exception):
    """It cannot be compiled. `lines_down` is how far below its beginning the mistake is."""

    def __init__(self, message: str, hint: str = "", lines_down: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.lines_down = lines_down


class Text(NamedTuple):
    """A compiled template, and the top-level names that it uses.

    `of_vars` are the keys that it looks up in `vars`; None: those are not known before it is rendered.
    """

    render: Callable[[JsonMapping], str]
    names: frozenset[str]
    of_vars: frozenset[str] | None


class Expression(NamedTuple):
    """A compiled expression, and the top-level names that it uses; `of_vars` as for a text.

    `evaluator` makes a function that evaluates it many times, though never while it is evaluating.
    """

    evaluator: Callable[[], Callable[[JsonMapping], Json]]
    names: frozenset[str]
    of_vars: frozenset[str] | None


@lru_cache(maxsize=_KEPT)
def compiled_text(source: str) -> Text:
    """A template.

    Raises:
        SyntaxMistake: it is none.
    """
    if "{#" in source or "raw" in source:
        _refuse_cut_text(source)
    with _mistakes_said(_AS_IT_STANDS):
        _refuse_long(source)
        tree = Rewriter(TEMPLATES).visit(_parsed(source))
        names = frozenset(meta.find_undeclared_variables(tree))
        return Text(TEMPLATES.from_string(tree).render, names, VariablesUsed.in_tree(tree))


@lru_cache(maxsize=_KEPT)
def single_expression(source: str) -> Expression | None:
    """What a template is, if that is one `{{ }}` and nothing else; its value keeps its type then.

    Raises:
        SyntaxMistake: it is no template.
    """
    with _mistakes_said(_AS_IT_STANDS):
        body = _parsed(source.strip()).body
        if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
            return None
        (expression,) = body[0].nodes
        return None if isinstance(expression, nodes.TemplateData) else _expression(TEMPLATES, expression)


def compiled_expression(environment: Sandbox, source: str, prepared: Callable[[nodes.Expr], nodes.Expr]) -> Expression:
    """An expression. `prepared` is given what was read, and gives what is to be compiled in its place.

    Raises:
        SyntaxMistake: it is none.
    """
    with _mistakes_said(""):
        _refuse_long(source)
        parser = Parser(environment, source, state="variable")
        expression = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError(f"unexpected {parser.stream.current.value!r}", parser.stream.current.lineno)
        _refuse_deep(expression)
        expression = prepared(expression)
        expression.set_environment(environment)
        return _expression(environment, expression)


def _expression(environment: Sandbox, expression: nodes.Expr) -> Expression:
    rewritten = Rewriter(environment).visit(expression)
    result = nodes.Assign(nodes.Name(_RESULT, "store"), rewritten, lineno=1)
    tree = nodes.Template([result], lineno=1)
    tree.set_environment(environment)
    compiled = environment.from_string(tree)
    names = frozenset(meta.find_undeclared_variables(tree))
    return Expression(partial(_evaluator, compiled), names, VariablesUsed.in_tree(tree))


def _evaluator(compiled: Compiled) -> Callable[[JsonMapping], Json]:
    root = compiled.root_render_func
    # One context for all: to make one takes several times as long as a comparison of labels.
    context = compiled.new_context()
    always = context.parent

    def evaluate(values: JsonMapping) -> Json:
        context.parent = {**always, **values}
        context.vars.clear()
        for _ in root(context):
            pass
        return context.vars[_RESULT]

    return evaluate


class _mistakes_said:  # noqa: N801  a context manager, named as one
    """Whatever reading and compiling fails with is a mistake of the text."""

    def __init__(self, hint: str) -> None:
        self._hint = hint

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case MistakenName():
                raise SyntaxMistake(error.message, error.hint, error.lineno - 1) from error
            case TemplateSyntaxError():
                raise SyntaxMistake(error.message or "not valid", self._hint, error.lineno - 1) from error
            case RecursionError() | MemoryError() | SyntaxError() | OverflowError():
                raise SyntaxMistake(*_TOO_DEEP) from error
            case SyntaxMistake() | None:
                return
            case NotRendered():  # constants are computed when they are compiled
                raise SyntaxMistake(error.message, error.hint) from error
            case Exception():
                raise SyntaxMistake(str(error) or type(error).__name__, self._hint) from error


def _parsed(source: str) -> nodes.Template:
    tree = TEMPLATES.parse(source)
    _refuse_deep(tree)
    return tree


def _refuse_deep(tree: nodes.Node) -> None:
    """Before anything goes down it by recursion: what breaks off in the middle leaves generators that complain later.

    A chain of `and` or of `or` is as deep as its parts.
    """
    left = [(tree, 0)]
    while left:
        node, depth = left.pop()
        if depth > _DEEPEST:
            raise SyntaxMistake(*_TOO_DEEP)
        chain = type(node) if isinstance(node, nodes.And | nodes.Or) else None
        left += [(part, depth if type(part) is chain else depth + 1) for part in node.iter_child_nodes()]


def _refuse_long(source: str) -> None:
    if len(source) > MOST_SOURCE:
        raise SyntaxMistake(f"{len(source):,} characters, at most {MOST_SOURCE:,} are allowed")


def _refuse_cut_text(source: str) -> None:
    """What would be cut out silently: a comment that has no end, or is the length of something in a shell: `${#a[@]}`."""
    before, kind = "", ""
    with _mistakes_said(_AS_IT_STANDS):
        for line, kind, text in TEMPLATES.lex(source):
            if kind == "comment_begin" and before.endswith("$"):
                raise SyntaxMistake("`${#` begins a comment here", _AS_IT_STANDS, line - 1)
            before = text
        if kind in {"comment_begin", "raw_begin"}:
            raise SyntaxMistake(f"`{before}` has no end", _AS_IT_STANDS)
