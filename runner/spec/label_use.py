"""What an expression over servers does with their labels: which it names, and where it takes one for what it is not.

This is read from its syntax, before there are servers. Labels are text, as are id and name. Comparing one with a number,
or taking one for true or false, would give some answer, and mostly not the one that was meant: `not labels.maint` is
false for `maint: false`, whose text is "false".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from jinja2 import nodes

from runner.spec.label_syntax import given_to_get, is_labels, label_of, variable_of_label, written

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT, _NUMBER, _TRUTH, _NONE = "text", "a number", "true or false", "none"
_UNKNOWN = ""

_GIVES_TEXT = frozenset(
    (
        *("b64encode", "capitalize", "center", "format", "indent", "join", "lower", "regex_replace", "replace", "safe"),
        *("string", "title", "tojson", "trim", "truncate", "upper", "urlencode", "wordwrap"),
    )
)
_GIVES_TRUTH = frozenset({"bool", "version_compare"})
_COUNTS = frozenset({"int", "float", "length", "count", "wordcount"})
_COMPARING_TESTS = {
    **dict.fromkeys(("eq", "equalto", "==", "ne", "!=", "sameas"), "eq"),
    **dict.fromkeys(("lt", "lessthan", "<", "le", "<=", "gt", "greaterthan", ">", "ge", ">="), "lt"),
    "in": "in",
}
_NEVER_TRUE = frozenset(
    {"none", "boolean", "true", "false", "number", "integer", "float", "odd", "even", "divisibleby", "mapping"}
)


class LabelUse(NamedTuple):
    """`named` are the labels that it looks at; `missed` those of them that servers may lack on purpose, because it asks.

    `by_variable` are the variables that name labels, but for those that are missed on purpose. `mistakes` are pairs of what
    is wrong and what to write.
    """

    named: frozenset[str]
    missed: frozenset[str]
    by_variable: frozenset[str]
    mistakes: tuple[tuple[str, str], ...]


def label_use(expression: nodes.Expr, *, is_condition: bool) -> LabelUse:
    """How an expression uses labels. `is_condition`: it selects, so that its value is taken for true or false."""
    found = _Reading()
    found.mistakes += _truth(expression) if is_condition else ()
    found.read(expression)
    by_variable = frozenset(found.by_variable - found.missed_by_variable)
    return LabelUse(frozenset(found.named), frozenset(found.missed), by_variable, tuple(dict.fromkeys(found.mistakes)))


class _Reading:
    def __init__(self) -> None:
        self.named: set[str] = set()
        self.missed: set[str] = set()
        self.by_variable: set[str] = set()
        self.missed_by_variable: set[str] = set()
        self.mistakes: list[tuple[str, str]] = []

    def read(self, node: nodes.Node) -> None:
        self.missed |= set(_asked_for(node))
        if (variable := variable_of_label(node)) is not None:
            self.by_variable.add(variable)
        if _asks(node) and (variable := variable_of_label(node.node)) is not None:
            self.missed_by_variable.add(variable)
        if isinstance(node, nodes.Expr):
            self.mistakes += _mistakes(node)
            if (name := label_of(node)) is not None:
                self.named.add(name)
                return
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            self.read(node.node.node)  # what is called is no label
            children = node.iter_child_nodes(exclude=("node",))
        else:
            children = node.iter_child_nodes()
        for child in children:
            self.read(child)


def _asks(node: nodes.Node) -> TypeGuard[nodes.Test | nodes.Filter]:
    """Whether a node asks if what it is about is there."""
    match node:
        case nodes.Test(name="defined" | "undefined") | nodes.Filter(name="default" | "d"):
            return True
        case _:
            return False


def _asked_for(node: nodes.Node) -> Iterator[str]:
    """The labels of which a node asks whether they are there."""
    name: str | None = None
    match node:
        case nodes.Test() | nodes.Filter() if _asks(node):
            name = label_of(node.node)
        case nodes.Call():
            name = label_of(node)
        case nodes.Compare(expr=nodes.Const(value=str() as asked)) if any(is_labels(part.expr) for part in node.ops):
            name = asked
        case _:
            pass
    if name is not None:
        yield name


def _mistakes(node: nodes.Expr) -> Iterator[tuple[str, str]]:
    """What is wrong with a node itself; those in it are looked at in their turn."""
    if isinstance(node, nodes.Compare):
        left = node.expr
        for operand in node.ops:
            yield from _compared(left, operand.op, operand.expr)
            left = operand.expr
    elif isinstance(node, nodes.Not):
        yield from _truth(node.node)
    elif isinstance(node, nodes.And | nodes.Or):
        yield from _truth(node.left)
    elif isinstance(node, nodes.CondExpr):
        yield from _truth(node.test)
    elif isinstance(node, nodes.Test):
        yield from _tested(node)
    elif isinstance(node, nodes.Call):
        yield from _called(node)


def _called(node: nodes.Call) -> Iterator[tuple[str, str]]:
    if isinstance(node.node, nodes.Getattr) and is_labels(node.node.node) and label_of(node) is None:
        yield f"labels.{node.node.attr}(...): labels are looked up by name", 'write labels.NAME or labels["NAME"]'


def _truth(node: nodes.Expr) -> Iterator[tuple[str, str]]:
    """A node whose value is taken for true or false. What is left of `and`, and in `not`, says so in its own turn."""
    if isinstance(node, nodes.And | nodes.Or):
        yield from _truth(node.right)
    elif is_labels(node):
        yield "labels are used as true or false", 'name one: labels.ring == "canary"'
    elif _kind(node) in {_TEXT, _NUMBER, _NONE}:
        yield f"{written(node)} is {_kind(node)}, and is used as true or false", _as_condition(node)


def _as_condition(node: nodes.Expr) -> str:
    text = written(node)
    if isinstance(node, nodes.Const):
        return 'write true, without more quotes, for all servers; or compare something: labels.ring == "canary"'
    if _kind(node) == _NUMBER:
        return f"write {text} > 0"
    also = f", or {text} is defined" if label_of(node) is not None and given_to_get(node) is None else ""
    return f'write {text} == "..."{also}'


def _compared(left: nodes.Expr, op: str, right: nodes.Expr) -> Iterator[tuple[str, str]]:
    if op in {"in", "notin"}:
        if isinstance(right, nodes.List | nodes.Tuple):
            for item in right.items:
                yield from _unlike(left, "eq", item)
        elif _kind(right) == _TEXT and _kind(left) in {_NUMBER, _TRUTH, _NONE}:
            yield from _unlike(left, "eq", right)
        return
    yield from _unlike(left, op, right)
    if op in {"eq", "ne"} and any(isinstance(side, nodes.Const) and side.value == "" for side in (left, right)):
        other = right if isinstance(left, nodes.Const) else left
        if label_of(other) is not None and given_to_get(other) is None:
            text = written(other)
            yield f"{text} is never empty: an empty value is a label that a server lacks", f"write {text} is defined"


def _unlike(left: nodes.Expr, op: str, right: nodes.Expr) -> Iterator[tuple[str, str]]:
    """Two sides that are never equal, and cannot be ordered, because they are of different kinds."""
    kinds = {_kind(left), _kind(right)}
    if _TEXT not in kinds or len(kinds) == 1 or _UNKNOWN in kinds:
        return
    text, other = (left, right) if _kind(left) == _TEXT else (right, left)
    if _kind(other) == _NONE and given_to_get(text) is not None:
        return
    kind, value = _kind(other), written(other)
    said = {_TRUTH: "", _NONE: ""}.get(kind, f"the number {value}" if isinstance(other, nodes.Const) else kind) or value
    yield f"{written(text)} is text, and is compared with {said}", _instead(text, op, other)


def _instead(text: nodes.Expr, op: str, other: nodes.Expr) -> str:
    source = written(text)
    if _kind(other) == _NONE:
        return f"write {source} is defined, or is undefined"
    if not isinstance(other, nodes.Const):
        return "compare it with true" if _kind(other) == _TRUTH else f"write {source}|int to compare numbers"
    if op in {"eq", "ne"}:
        sign = "==" if op == "eq" else "!="
        also = "" if _kind(other) == _TRUTH else f", or {source}|int {sign} {written(other)}"
        return f'write {sign} "{written(other)}"{also}'
    return f"write {source}|int to compare numbers"


def _tested(node: nodes.Test) -> Iterator[tuple[str, str]]:
    op = _COMPARING_TESTS.get(node.name)
    if op is not None and node.args:
        yield from _compared(node.node, op, node.args[0])
    if _kind(node.node) != _TEXT or (node.name == "none" and given_to_get(node.node) is not None):
        return
    source = written(node.node)
    if node.name == "none":
        yield f"{source} is text and never none", f"write {source} is undefined, or is defined"
    elif node.name in _NEVER_TRUE:
        yield f"{source} is text and never {node.name}", f'write == "...", or {source}|int'
    elif node.name == "sameas":
        yield "sameas asks for one and the same object", f'write {source} == "..."'


def _kind(node: nodes.Node | None) -> str:  # noqa: PLR0911  one row for each kind of node
    """What kind of value a node gives, as far as its syntax tells."""
    if label_of(node) is not None or (isinstance(node, nodes.Name) and node.name in {"id", "name"}):
        return _TEXT
    match node:
        case nodes.Const():
            return _of_constant(node.value)
        case nodes.Concat() | nodes.TemplateData():
            return _TEXT
        case nodes.Compare() | nodes.Not() | nodes.Test():
            return _TRUTH
        case nodes.Filter():
            return _of_filter(node)
        case nodes.And() | nodes.Or():
            return _same(_kind(node.left), _kind(node.right))
        case nodes.CondExpr():
            return _same(_kind(node.expr1), _kind(node.expr2))
        case nodes.Getitem():
            return _TEXT if is_labels(node.node) or _kind(node.node) == _TEXT else _UNKNOWN
        case _:
            return _UNKNOWN


def _of_constant(value: object) -> str:
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return _TRUTH
    return _NUMBER if isinstance(value, int | float) else _TEXT


def _of_filter(node: nodes.Filter) -> str:
    if node.name in _COUNTS:
        return _NUMBER
    if node.name in _GIVES_TEXT:
        return _TEXT
    if node.name in _GIVES_TRUTH:
        return _TRUTH
    if node.name in {"default", "d"}:
        return _same(_kind(node.node), _kind(node.args[0]) if node.args else _TEXT)
    return _UNKNOWN


def _same(one: str, other: str) -> str:
    return one if one == other else _UNKNOWN
