"""Many servers as columns: ids, names, and for each the place of its labels among the different ones.

A fleet of a million is read, selected from and planned by column; a `Server` is made where one is looked at. Most fleets
have few different labels, so that what depends on labels alone is asked once for each of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeVar, overload

from runner.model import Server

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

T = TypeVar("T", bound="Hashable")

_NO_LABELS: Mapping[str, str] = {}
# Not Server._make, which is Python: a call less per server of a million.
_make_server = partial(tuple.__new__, Server)


class ServerColumns(Sequence[Server]):
    """Servers that are made when they are looked at; treat the columns as read-only.

    The labels of server i are `different[places[i]]`; servers with one place have one labels object. Without `places` no
    labels are known.

    Raises:
        ValueError: there are not as many ids as names, or places.
    """

    __slots__ = ("different", "ids", "names", "places")

    def __init__(
        self,
        ids: Sequence[str],
        names: Sequence[str],
        different: Sequence[Mapping[str, str]] = (_NO_LABELS,),
        places: Sequence[int] | None = None,
    ) -> None:
        if len(ids) != len(names) or (places is not None and len(ids) != len(places)):
            raise ValueError(f"{len(ids)} server ids, and not as many names and labels")
        self.ids = ids
        self.names = names
        self.different = (_NO_LABELS,) if places is None else different
        self.places: Sequence[int] = bytes(len(ids)) if places is None else places  # zeros, a byte each

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Server: ...
    @overload
    def __getitem__(self, index: slice) -> ServerColumns: ...
    def __getitem__(self, index: int | slice) -> Server | ServerColumns:
        if isinstance(index, slice):
            return ServerColumns(self.ids[index], self.names[index], self.different, self.places[index])
        return Server(self.ids[index], self.names[index], self.different[self.places[index]])

    def __iter__(self) -> Iterator[Server]:
        labels = map(self.different.__getitem__, self.places)
        return map(_make_server, zip(self.ids, self.names, labels, strict=True))

    def take(self, indices: Sequence[int]) -> ServerColumns:
        """The servers at these indices, in their order."""
        return ServerColumns(
            list(map(self.ids.__getitem__, indices)),
            list(map(self.names.__getitem__, indices)),
            self.different,
            list(map(self.places.__getitem__, indices)),
        )


def columns_of(servers: Iterable[Server]) -> ServerColumns:
    """The same servers as columns; servers that share one labels object share a place."""
    if isinstance(servers, ServerColumns):
        return servers
    servers = list(servers)
    different = {id(server.labels): server.labels for server in servers}
    place = {key: number for number, key in enumerate(different)}
    places = [place[id(server.labels)] for server in servers]
    return ServerColumns([one.id for one in servers], [one.name for one in servers], [*different.values()], places)


def joined(parts: Sequence[ServerColumns]) -> ServerColumns:
    """Parts of one fleet one after the other.

    Raises:
        ValueError: they are of several.
    """
    if len(parts) == 1:
        return parts[0]
    different = parts[0].different if parts else ()
    if any(part.different is not different for part in parts):
        raise ValueError("servers of several fleets cannot be joined")
    return ServerColumns(
        list(chain.from_iterable(part.ids for part in parts)),
        list(chain.from_iterable(part.names for part in parts)),
        different,
        list(chain.from_iterable(part.places for part in parts)),
    )


def indices_by(values: Iterable[T]) -> dict[T, list[int]]:
    """The indices at which each value stands, by value in the order in which these come up."""
    found: dict[T, list[int]] = {}
    for index, value in enumerate(values):
        try:
            found[value].append(index)
        except KeyError:  # once a value; to ask first would be asked a million times
            found[value] = [index]
    return found
