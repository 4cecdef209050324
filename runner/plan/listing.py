"""Servers that a person lists by id or name: in a group's `servers`, or for `--limit @FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.model import Server
    from runner.spec.campaign import Template

_SHOWN = 3
_MOST_NEAR = 1000


class ListedServers:
    """A list of ids and names, each with where it was written; it notes which servers it was asked for."""

    def __init__(self, templates: Mapping[str, Template]) -> None:
        self._templates = templates
        self._by_id: set[str] = set()
        self._by_name: dict[str, dict[str, None]] = {}

    def has(self, server: Server) -> bool:
        """Whether a server is listed, by its id or by its name."""
        found = False
        if server.id in self._templates:
            self._by_id.add(server.id)
            found = True
        if server.name != server.id and server.name in self._templates:
            self._by_name.setdefault(server.name, {})[server.id] = None
            found = True
        return found

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the list, once it was asked for every server: entries of no server, and of several."""
        yield from self._absent()
        for name, ids in self._by_name.items():
            if name in self._by_id or len(ids) > 1:
                yield self._ambiguous(name, list(ids))

    def _absent(self) -> Iterator[Problem]:
        seen = self._by_id | self._by_name.keys()
        absent: dict[str, list[str]] = {}
        for name, template in self._templates.items():
            if name not in seen:
                absent.setdefault(template.place.path, []).append(name)
        for names in absent.values():
            more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
            hint = did_you_mean(names[0], sorted(seen)[:_MOST_NEAR]) if seen else "check the inventory"
            yield self._at(names[0], f"no server in the inventory has the id or name {names[0]!r}{more}", hint)

    def _ambiguous(self, name: str, ids: list[str]) -> Problem:
        if name in self._by_id:
            others = f"that of the server with the id {ids[0]}"
            message = f"{name!r} is the id of one server and the name of another: the server {name}, and {others}"
            return self._at(name, message, f'select the first by `id == "{name}"`, list the other by its id {ids[0]}')
        more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
        message = f"{len(ids):,} servers are called {name!r}: those with the ids {', '.join(ids[:_SHOWN])}{more}"
        return self._at(name, message, "list them by their ids")

    def _at(self, name: str, message: str, hint: str) -> Problem:
        place = self._templates[name].place
        return Problem(message, place.file, place.line, place.column, place.path, hint)
