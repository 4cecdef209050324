"""What depends on labels alone is asked once for all servers that are alike in those that it reads.

Where each server has labels of its own, such as a serial number, a selector that reads the ring alone is still evaluated
once a ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from runner.model import Server
from runner.servers import picked
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runner.servers import ServerColumns
    from runner.spec.expressions import ServerExpression

_T = TypeVar("_T")


class LooksAt(NamedTuple):
    """What a function of a server looks at: at labels alone or not, and at which labels; None: at any."""

    uses_only_labels: bool
    reads: frozenset[str] | None


def at_all_of(looks: Sequence[LooksAt]) -> LooksAt:
    """What something looks at that follows from several others."""
    reads = [labels for _, labels in looks if labels is not None]
    together = frozenset[str]().union(*reads) if len(reads) == len(looks) else None
    return LooksAt(all(alone for alone, _ in looks), together)


class PerLabels(Generic[_T]):
    """A function of a server that follows from an expression, or from several."""

    def __init__(self, of: ServerExpression | LooksAt, function: Callable[[Server], _T]) -> None:
        self.looks_at = LooksAt(of.uses_only_labels, of.reads)
        self._function = function
        self._reads = None if of.reads is None else sorted(of.reads)
        self._known: dict[Any, _T] = {}
        self._alive: list[
            Mapping[str, str]
        ] = []  # those known by which object they are: another must not take its place

    def __call__(self, server: Server) -> _T:
        """What the function gives for a server, or raises."""
        if not self.looks_at.uses_only_labels:
            return self._function(server)
        key = self._key(server.labels)
        if key not in self._known:
            self._known[key] = self._function(server)
            if self._reads is None:
                self._alive.append(server.labels)
        return self._known[key]

    def of(self, servers: ServerColumns) -> list[_T]:
        """What the function gives for each server, or raises for the first of them for which it does."""
        if not self.looks_at.uses_only_labels:
            return list(map(self._function, servers))
        places, different = servers.places, len(servers.different)
        used = places if different > len(places) // 2 else list(dict.fromkeys(places))
        try:
            values = self.at(servers, used)
        except TemplateProblem:
            return list(map(self, servers))  # server by server, so that the first is named for which it fails
        if used is places:
            return values
        value_at: list[Any] = [None] * different
        for place, value in zip(used, values, strict=True):
            value_at[place] = value
        return list(map(value_at.__getitem__, places))

    def at(self, servers: ServerColumns, places: Sequence[int]) -> list[_T]:
        """The same for servers with the labels at these places of `different`; for a function of labels alone.

        Raises:
            TemplateProblem: it cannot be evaluated for some; a message does not name the server.
        """
        known = self._known
        if not known.keys() >= set(self._keys_at(servers, places)):
            place_of = {k: p for k, p in zip(self._keys_at(servers, places), places, strict=True) if k not in known}
            for key, labels in zip(place_of, self._labels_at(servers, list(place_of.values())), strict=True):
                known[key] = self._function(Server("", "", labels))
        return list(map(known.__getitem__, self._keys_at(servers, places)))

    def _labels_at(self, servers: ServerColumns, places: Sequence[int]) -> Iterable[Mapping[str, str]]:
        if self._reads is not None:
            return servers.labels_at(places)
        labels = [servers.different[place] for place in places]
        self._alive += labels
        return labels

    def _key(self, labels: Mapping[str, str]) -> object:
        """What tells labels apart, as far as the function looks at them."""
        if self._reads is None:
            return id(labels)
        return tuple(labels.get(name) for name in self._reads) if len(self._reads) != 1 else labels.get(self._reads[0])

    def _keys_at(self, servers: ServerColumns, places: Sequence[int]) -> Iterable[object]:
        """The keys of the labels at these places; not kept, for a million tuples would be looked through as garbage."""
        if self._reads is None:
            return (id(servers.different[place]) for place in places)
        columns = [picked(servers.label(name), places) for name in self._reads]
        if len(columns) == 1:
            return columns[0]
        return zip(*columns, strict=True) if columns else [()] * len(places)


class TextOfLabel(PerLabels[str | None]):
    """The text of one label, as most limits and strata are: there is nothing to evaluate, and nothing fails."""

    def __init__(self, expression: ServerExpression, label: str) -> None:
        super().__init__(expression, lambda server: server.labels.get(label) or None)
        self._label = label

    def of(self, servers: ServerColumns) -> list[str | None]:
        """The text for each server, None where it has no such label."""
        return list(servers.texts(self._label))
