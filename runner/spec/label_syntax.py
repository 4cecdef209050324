"""The syntax of labels in expressions: `labels.rack`, `labels["rack"]`, `labels.get("rack")`, `labels.location.rack`.

Labels are looked up by their whole name only; so a label may be called `items`, and one that came from a nested value
has dots in its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jinja2 import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Node = TypeVar("_Node", bound=nodes.Node)

ALL_LABELS = "all_labels"
"""What stands in a compiled expression for labels of which a method is called; plans were made with some that do."""
_LONGEST = 60
_OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in"}


def label_of(node: nodes.Node | None) -> str | None:
    """The name of the label that a node stands for; None where it stands for something else."""
    if isinstance(node, nodes.Call):
        return _asked_by_get(node)
    if isinstance(node, nodes.Getattr):
        return _joined(node.node, node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return _joined(node.node, node.arg.value)
    return None


def _joined(inner: nodes.Expr, name: str) -> str | None:
    if is_labels(inner):
        return name
    before = None if isinstance(inner, nodes.Call) else label_of(inner)
    return None if before is None else f"{before}.{name}"


def _asked_by_get(node: nodes.Call) -> str | None:
    called = node.node
    if not isinstance(called, nodes.Getattr) or called.attr != "get" or not is_labels(called.node) or node.kwargs:
        return None
    names = [argument.value for argument in node.args[:1] if isinstance(argument, nodes.Const)]
    return str(names[0]) if names and len(node.args) <= 2 else None  # noqa: PLR2004  a name, and what stands for it


def variable_of_label(node: nodes.Node | None) -> str | None:
    """The variable that names the label: `labels[NAME]`, `labels[vars.NAME]`; None for any other node."""
    if not isinstance(node, nodes.Getitem) or not is_labels(node.node):
        return None
    match node.arg:
        case nodes.Name(name=str() as name) if name not in {"id", "name", "labels"}:
            return name
        case nodes.Getattr(node=nodes.Name(name="vars"), attr=str() as name):
            return name
        case _:
            return None


def given_to_get(node: nodes.Node) -> nodes.Expr | None:
    """What `labels.get` gives where there is no such label; None for any other node."""
    if isinstance(node, nodes.Call) and label_of(node) is not None:
        return node.args[1] if len(node.args) > 1 else nodes.Const(None)
    return None


def balanced(node: nodes.Expr) -> nodes.Expr:
    """The same expression with long chains of `and` and `or` as trees.

    Python reads a chain of hundreds, and not the nested parentheses that it is compiled to.
    """
    if isinstance(node, nodes.Or | nodes.And):
        kind = type(node)
        return _tree(kind, [balanced(part) for part in _chained(kind, node)])
    _replace(node, balanced)
    return node


def by_name(node: nodes.Expr) -> nodes.Expr:
    """The same expression with every label looked up by its name."""
    name = label_of(node)
    if name is not None:
        return _looked_up(node, name)
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        # What is called is no label, but a function of what stands before the last dot.
        of = node.node.node
        node.node.node = nodes.Name(ALL_LABELS, "load") if is_labels(of) else by_name(of)
        _replace(node, by_name, among=("args", "kwargs"))
        return node
    _replace(node, by_name)
    return node


def is_labels(node: nodes.Node) -> bool:
    """Whether a node is all labels of the server."""
    return isinstance(node, nodes.Name) and node.name == "labels"


def labels_read(node: nodes.Expr) -> frozenset[str] | None:
    """The labels that an expression of `by_name` looks at; None where it may look at others.

    `labels["x"]` and `"x" in labels` read one; all else that is done with labels, such as counting them, may read any.
    """
    uses = sum(name.name in {"labels", ALL_LABELS} for name in _with_itself(node, nodes.Name))
    read = [name for part in _with_itself(node, (nodes.Getitem, nodes.Compare)) if (name := _read_by(part)) is not None]
    return frozenset(read) if len(read) == uses else None


def _with_itself(node: nodes.Node, kind: type[_Node] | tuple[type[_Node], ...]) -> Iterator[_Node]:
    """All nodes of these kinds in a tree."""
    if isinstance(node, kind):
        yield node
    yield from node.find_all(kind)


def _read_by(node: nodes.Node) -> str | None:
    match node:
        case nodes.Getitem(arg=nodes.Const(value=str() as name)) if is_labels(node.node):
            return name
        case nodes.Compare(expr=nodes.Const(value=str() as name), ops=[nodes.Operand(op="in" | "notin") as operand]):
            return name if is_labels(operand.expr) else None
        case _:
            return None


def _looked_up(node: nodes.Node, name: str) -> nodes.Expr:
    labels = nodes.Name("labels", "load")
    value = nodes.Getitem(labels, nodes.Const(name), "load")
    otherwise = given_to_get(node)
    if otherwise is None:
        return value
    is_there = nodes.Compare(nodes.Const(name), [nodes.Operand("in", labels)])
    return nodes.CondExpr(is_there, value, by_name(otherwise))


def _replace(
    node: nodes.Node, function: Callable[[nodes.Expr], nodes.Expr], among: tuple[str, ...] | None = None
) -> None:
    for field, value in node.iter_fields(only=among):
        if isinstance(value, list):
            value[:] = [_replaced(item, function) for item in value]
        else:
            setattr(node, field, _replaced(value, function))


def _replaced(value: object, function: Callable[[nodes.Expr], nodes.Expr]) -> object:
    if isinstance(value, nodes.Expr):
        return function(value)
    if isinstance(value, nodes.Node):  # such as an operand, or a pair of a mapping: what is in it is an expression
        _replace(value, function)
    return value


def _chained(kind: type[nodes.BinExpr], node: nodes.Expr) -> list[nodes.Expr]:
    """The parts of a chain in order, found without recursion."""
    parts: list[nodes.Expr] = []
    open_nodes = [node]
    while open_nodes:
        part = open_nodes.pop()
        if type(part) is kind:
            open_nodes += [part.right, part.left]
        else:
            parts.append(part)
    return parts


def _tree(kind: type[nodes.BinExpr], parts: list[nodes.Expr]) -> nodes.Expr:
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return kind(_tree(kind, parts[:middle]), _tree(kind, parts[middle:]))


def written(node: nodes.Node | None) -> str:
    """A node much as it was written, for messages."""
    text = _text(node)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _text(node: nodes.Node | None) -> str:  # noqa: PLR0911  one row for each kind of node
    name = label_of(node)
    if name is not None:
        if isinstance(node, nodes.Call):
            return f'labels.get("{name}")'
        return f"labels.{name}" if all(map(str.isidentifier, name.split("."))) else f'labels["{name}"]'
    match node:
        case nodes.Name():
            return node.name
        case nodes.Const():
            return _constant(node.value)
        case nodes.Getitem() if (variable := variable_of_label(node)) is not None:
            return f"labels[{variable}]"
        case nodes.Filter() if node.node is not None:
            return f"{_text(node.node)}|{node.name}"
        case nodes.Compare():
            return _text(node.expr) + "".join(f" {_OPERATORS[op.op]} {_text(op.expr)}" for op in node.ops)
        case nodes.Concat():
            return " ~ ".join(map(_text, node.nodes))
        case _:
            return "this"


def _constant(value: object) -> str:
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "none"}[value]
    return f'"{value}"' if isinstance(value, str) else str(value)
