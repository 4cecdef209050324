"""Which variables the templates of a jobspec use, and whether they can do without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, nodes

from runner.spec.checks import all_templates, expressions
from runner.spec.sandbox import TEMPLATES
from runner.spec.templates import has_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.spec.campaign import Campaign, Place, Template


_OF_SERVERS = frozenset({"id", "name", "labels"})


@dataclass
class VariableUse:
    """The names that are used. `plain` are those used without `default`, each with the place of one such use.

    `any_name`: a template looks variables up by a name that it makes itself.
    """

    names: set[str] = field(default_factory=set)
    plain: dict[str, Place] = field(default_factory=dict)
    any_name: bool = False

    def __or__(self, other: VariableUse) -> VariableUse:
        any_name = self.any_name or other.any_name
        return VariableUse(self.names | other.names, {**other.plain, **self.plain}, any_name)


def variables_of(templates: Iterable[Template]) -> VariableUse:
    """What templates use."""
    found = VariableUse()
    for template in templates:
        if has_template(template.source):
            _look(str(template.source), template, found)
    return found


def variables_of_campaign(campaign: Campaign) -> VariableUse:
    """What the templates of a campaign use, and its expressions over servers."""
    of_expressions = VariableUse()
    for template in expressions(campaign):
        _look("{{ " + str(template.source) + " }}", template, of_expressions)
    of_expressions.names -= _OF_SERVERS
    return variables_of(all_templates(campaign)) | of_expressions


def _look(source: str, template: Template, found: VariableUse) -> None:
    try:
        _read(TEMPLATES.parse(source), template.place, found)
    except (TemplateSyntaxError, RecursionError):
        return  # said elsewhere


def _read(node: nodes.Node, place: Place, found: VariableUse) -> None:
    """Look at a node and all in it."""
    name = _variable(node)
    if name is not None:
        found.names.add(name)
        found.plain.setdefault(name, place)
        return
    if isinstance(node, nodes.Name) and node.name == "vars":
        found.any_name = True
    inner = node.node if isinstance(node, nodes.Filter | nodes.Test) and _can_do_without(node) else None
    if inner is not None and (optional := _variable(inner)) is not None:
        found.names.add(optional)
        children = node.iter_child_nodes(exclude=("node",))
    else:
        children = node.iter_child_nodes()
    for child in children:
        _read(child, place, found)


def _can_do_without(node: nodes.Filter | nodes.Test) -> bool:
    return node.name in {"default", "d"} or (isinstance(node, nodes.Test) and node.name in {"defined", "undefined"})


def _variable(node: nodes.Node) -> str | None:
    """The variable that a node is: `NAME`, `vars.NAME` or `vars["NAME"]`."""
    match node:
        case nodes.Name(name=str() as name, ctx="load") if name != "vars":
            return name
        case nodes.Getattr(node=nodes.Name(name="vars"), attr=str() as name):
            return name
        case nodes.Getitem(node=nodes.Name(name="vars"), arg=nodes.Const(value=str() as name)):
            return name
        case _:
            return None
