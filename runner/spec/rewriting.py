"""What becomes of a parsed template before it is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes
from jinja2.visitor import NodeTransformer, NodeVisitor

from runner.spec.methods import METHODS
from runner.spec.sandbox import CONCATENATION, METHOD, OUTPUT
from runner.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.spec.sandbox import Sandbox

# How people call filters elsewhere, and what they are called here.
_ELSEWHERE = {"to_json": "tojson", "match": "regex_match", "search": "regex_search", "version": "version_compare"}


class MistakenName(Exception):
    """A filter or a test that there is not, or something that a template cannot do here."""

    def __init__(self, message: str, hint: str, lineno: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.lineno = lineno


class Rewriter(NodeTransformer):
    """Replaces what would write as Python does, or look into Python; names that are not known are mistakes."""

    def __init__(self, environment: Sandbox) -> None:
        self._environment = environment

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        """Each value that is put out goes through `put_out`, with how it is called."""
        described = [None if isinstance(part, nodes.TemplateData) else _described(part) for part in node.nodes]
        self.generic_visit(node)
        node.nodes = [
            part
            if name is None
            else self._filter(part, OUTPUT, [nodes.Const(name, lineno=part.lineno, environment=self._environment)])
            for part, name in zip(node.nodes, described, strict=True)
        ]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """`~`."""
        self.generic_visit(node)
        return self._filter(
            nodes.List(node.nodes, lineno=node.lineno, environment=self._environment), CONCATENATION, []
        )

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        """`value.method(...)`."""
        self.generic_visit(node)
        called = node.node
        if not isinstance(called, nodes.Getattr) or called.attr not in METHODS:
            return node
        parts = (METHOD + called.attr, node.args, node.kwargs, node.dyn_args, node.dyn_kwargs)
        return nodes.Filter(called.node, *parts, lineno=node.lineno, environment=self._environment)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        """A filter that is known."""
        self._known("filter", node, self._environment.filters)
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        """A test that is known."""
        self._known("test", node, self._environment.tests)
        return self.generic_visit(node)

    def visit_Or(self, node: nodes.Or) -> nodes.Node:
        """Hundreds of clauses are as deep as a few."""
        return self._balanced(nodes.Or, self._operands(node, nodes.Or))

    def visit_And(self, node: nodes.And) -> nodes.Node:
        """Likewise."""
        return self._balanced(nodes.And, self._operands(node, nodes.And))

    def _no_files(self, node: nodes.Node) -> nodes.Node:
        raise MistakenName("other files cannot be named here", "write it out, or make a variable of it", node.lineno)

    visit_Include = visit_Import = visit_FromImport = visit_Extends = _no_files

    def _known(self, kind: str, node: nodes.Filter | nodes.Test, known: Mapping[str, object]) -> None:
        if node.name not in known:
            hint = f"did you mean `{_ELSEWHERE[node.name]}`?" if node.name in _ELSEWHERE else None
            names = (name for name in known if " " not in name)
            raise MistakenName(f"no {kind} `{node.name}`", hint or did_you_mean(node.name, names), node.lineno)

    def _filter(self, node: nodes.Expr, name: str, arguments: Sequence[nodes.Expr]) -> nodes.Filter:
        return nodes.Filter(
            node, name, list(arguments), [], None, None, lineno=node.lineno, environment=self._environment
        )

    def _operands(self, node: nodes.BinExpr, kind: type[nodes.BinExpr]) -> list[nodes.Expr]:
        found: list[nodes.Expr] = []
        left: nodes.Expr = node
        while isinstance(left, kind):
            found.append(self.visit(left.right))
            left = left.left
        return [self.visit(left), *reversed(found)]

    def _balanced(self, kind: type[nodes.BinExpr], operands: Sequence[nodes.Expr]) -> nodes.Expr:
        if len(operands) == 1:
            return operands[0]
        half = len(operands) // 2
        left, right = self._balanced(kind, operands[:half]), self._balanced(kind, operands[half:])
        return kind(left, right, lineno=left.lineno, environment=self._environment)


class VariablesUsed(NodeVisitor):
    """Which variables a template looks up as `vars.NAME`."""

    def __init__(self) -> None:
        self._found: set[str] = set()
        self._others = False

    @classmethod
    def in_tree(cls, tree: nodes.Template) -> frozenset[str] | None:
        """Their names; None: they are not known before it is rendered."""
        visitor = cls()
        visitor.visit(tree)
        return None if visitor._others else frozenset(visitor._found)

    def visit_Getattr(self, node: nodes.Getattr) -> None:
        """`vars.NAME`."""
        if _is_vars(node.node):
            self._found.add(node.attr)
        else:
            self.generic_visit(node)

    def visit_Getitem(self, node: nodes.Getitem) -> None:
        """`vars["NAME"]`."""
        if _is_vars(node.node) and isinstance(node.arg, nodes.Const):
            self._found.add(str(node.arg.value))
        else:
            self.generic_visit(node)

    def visit_Name(self, node: nodes.Name) -> None:
        """`vars` used otherwise."""
        self._others = self._others or _is_vars(node)


def _is_vars(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "vars"


def _described(node: nodes.Node) -> str:
    """How a value is called in a message: as it is written, if that is short."""
    match node:
        case nodes.Name():
            return f"`{node.name}`"
        case nodes.Getattr():
            return f"{_described(node.node)[:-1]}.{node.attr}`"
        case nodes.Getitem() if isinstance(node.arg, nodes.Const):
            return f"{_described(node.node)[:-1]}[{node.arg.value!r}]`"
        case nodes.Filter() if node.node is not None:
            return f"{_described(node.node)[:-1]} | {node.name}`"
        case _:
            return "`...`"
