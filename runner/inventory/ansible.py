"""The hosts of an Ansible inventory in YAML, or as `ansible-inventory --list` gives it in JSON.

A host's name is its key; its id is its variable `id`, or else the name. Its variables, and those of its groups, are labels:
the host's own first, then those of the innermost group. Each group is a label `group_NAME`, true or false. Variables called
`ansible_...` say how to connect, perhaps with a password, and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from runner.spec.ranges import RangeError, expand_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.inventory.rows import RowReader
    from runner.model import Json, JsonObject

_KEYS = frozenset({"hosts", "children", "vars"})
_OF_ALL = frozenset({"all", "ungrouped"})
_CONNECTION = "ansible_"
_DEEPEST = 40
Path = tuple[str | int, ...]


class AnsibleHost(NamedTuple):
    """One host as the row of a server, and where it stands."""

    row: JsonObject
    path: Path


@dataclass
class _Found:
    """What is known of a host: its own variables, and those of each group by the depth of the group."""

    path: Path
    own: JsonObject = field(default_factory=dict)
    groups: dict[str, tuple[int, Mapping[str, Json]]] = field(default_factory=dict)


def is_ansible(document: Json) -> bool:
    """Whether a document has groups of hosts, or is one."""
    if not isinstance(document, dict):
        return False
    return _is_group(document) or any(map(_is_group, document.values()))


def _is_group(value: Json) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"hosts", "children"})


def hosts_in(document: JsonObject, rows: RowReader) -> Iterator[AnsibleHost]:
    """Every host. What is wrong goes to `rows`."""
    walk = _Walk(document, rows)
    names = sorted(walk.groups - _OF_ALL)
    for name, found in walk.hosts.items():
        labels = {f"group_{group}": group in found.groups for group in names}
        variables = walk.variables(name, found)
        labels |= {key: value for key, value in variables.items() if not key.startswith(_CONNECTION)}
        server_id = labels.pop("id", name)
        yield AnsibleHost({"id": server_id, "name": name, "labels": labels}, found.path)


class _Walk:
    def __init__(self, document: JsonObject, rows: RowReader) -> None:
        self._rows = rows
        self._document = document
        self.hosts: dict[str, _Found] = {}
        self.groups: set[str] = set()
        if _is_group(document):
            self._group("all", document, (), ())
            return
        groups = {name: group for name, group in document.items() if name != "_meta"}
        listed = {name for group in groups.values() if _is_group(group) for name in _names_in(group.get("children"))}
        for name, group in groups.items():
            if name not in listed:
                self._group(name, group, (name,), ())
        for name in sorted(groups.keys() - self.groups):
            if name in listed:
                rows.problem(f"group `{name}` is in no group but those that are in it", 1)
        self._kept_apart(document.get("_meta"))

    def _group(self, name: str, group: Json, path: Path, above: tuple[tuple[str, Mapping[str, Json]], ...]) -> None:
        if group is None:
            group = {}
        if not isinstance(group, dict) or group.keys() - _KEYS or len(above) > _DEEPEST:
            self._rows.problem(f"group `{name}`: expected a mapping of some of hosts, children and vars", 1)
            return
        variables, children = group.get("vars") or {}, group.get("children") or {}
        if not isinstance(variables, dict):
            self._rows.problem(f"group `{name}`: `vars` must be a mapping", 1)
            return
        for key in ("hosts", "children"):
            if not _is_named(group.get(key)):
                self._rows.problem(f"group `{name}`: `{key}` must be a mapping, or a list of names", 1)
                return
        self.groups.add(name)
        above = (*above, (name, variables))
        for host, own, place in _hosts_of(group, path):
            self._host(host, own, place, above)
        for child in children:
            inner = children[child] if isinstance(children, dict) else self._beside(name, child)
            self._group(child, inner, (*path, "children", child), above)

    def _beside(self, name: str, child: str) -> Json:
        """A group that another one names, and that stands beside it."""
        if child not in self._document and child not in _OF_ALL:
            self._rows.problem(f"group `{name}` has a child `{child}`, which is not there", 1)
        return self._document.get(child)

    def _host(self, text: str, own: Json, path: Path, above: tuple[tuple[str, Mapping[str, Json]], ...]) -> None:
        try:
            names = expand_ranges(text.replace(":", "-")) if "[" in text else [text]
        except RangeError as error:
            self._rows.problem(str(error), 1)
            return
        for name in names:
            found = self.hosts.setdefault(name, _Found(path))
            for depth, (group, variables) in enumerate(above):
                found.groups[group] = (depth, variables)
            if isinstance(own, dict):
                self._merge(name, found.own, own, "in another place")
            elif own is not None:
                self._rows.problem(f"host `{name}`: expected a mapping of its variables", 1)

    def _kept_apart(self, meta: Json) -> None:
        """Variables of hosts as `ansible-inventory --list` gives them."""
        variables = meta.get("hostvars") if isinstance(meta, dict) else None
        for name, own in variables.items() if isinstance(variables, dict) else ():
            if name in self.hosts and isinstance(own, dict):
                self._merge(name, self.hosts[name].own, own, "in another place")

    def variables(self, name: str, found: _Found) -> JsonObject:
        """The variables of a host: its own, else those of the innermost group."""
        merged: JsonObject = {}
        depths = sorted({depth for depth, _ in found.groups.values()})
        for depth in depths:
            beside: JsonObject = {}
            for group, (at, variables) in found.groups.items():
                if at == depth:
                    self._merge(name, beside, variables, f"from group `{group}`", unless=found.own)
            merged |= beside
        merged |= found.own
        for key, value in merged.items():
            if isinstance(value, str) and "{{" in value and not key.startswith(_CONNECTION):
                self._rows.problem(f"host `{name}`: `{key}` is a template of Ansible, which is not rendered here", 1)
        return merged

    def _merge(
        self,
        name: str,
        into: JsonObject,
        more: Mapping[str, Json],
        where: str,
        unless: Mapping[str, Json] | None = None,
    ) -> None:
        for key, value in more.items():
            if key in into and into[key] != value and key not in (unless or ()):
                self._rows.problem(f"host `{name}`: `{key}` is {into[key]!r}, and {value!r} {where}", 1)
            into[key] = value


def _hosts_of(group: JsonObject, path: Path) -> Iterator[tuple[str, Json, Path]]:
    hosts = group.get("hosts") or {}
    if isinstance(hosts, dict):
        yield from ((host, own, (*path, "hosts", host)) for host, own in hosts.items())
    else:
        yield from ((host, None, (*path, "hosts", place)) for place, host in enumerate(hosts))


def _is_named(value: Json) -> bool:
    return value is None or (isinstance(value, dict | list) and len(_names_in(value)) == len(value))


def _names_in(value: Json) -> list[str]:
    """The names in a mapping, or a list of names."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, dict | list) else []
