"""Many servers as columns: ids, names, and for each the place of its labels among the different ones.

A fleet of a million is read, selected from and planned by column; a `Server` is made where one is looked at. Most fleets
have few different labels, so that what depends on labels alone is asked once for each of these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import chain, repeat
from operator import setitem
from typing import TYPE_CHECKING, Any, TypeVar, overload

from runner.model import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

T = TypeVar("T")

_AT_ONCE = 500

_NO_LABELS: Mapping[str, str] = {}
# Not Server._make, which is Python: a call less per server of a million.
_make_server = partial(tuple.__new__, Server)


class LabelTable(Sequence["Mapping[str, str]"]):
    """Different labels by column; a mapping is made where one is looked at, and kept, so that it stays the same object.

    Half the memory of a mapping for each server, where each has labels of its own.
    """

    __slots__ = ("_columns", "_kind_of", "_kinds", "_made")

    def __init__(self) -> None:
        self._columns: dict[str, list[str | None]] = {}
        self._kinds: dict[tuple[str, ...], int] = {}  # names of labels, in their order
        self._kind_of: list[int] = []  # of each place
        self._made: dict[int, dict[str, str]] = {}

    @property
    def names(self) -> Collection[str]:
        """The names of all labels."""
        return self._columns.keys()

    def add(self, names: tuple[str, ...], columns: Sequence[Sequence[str]], count: int) -> range:
        """Add the texts of labels with these names; return their places."""
        start = len(self)
        for name, texts in zip(names, columns, strict=True):
            self._columns.setdefault(name, [])
            column = self.column(name)
            column += texts
        self._kind_of += [self._kinds.setdefault(names, len(self._kinds))] * count
        return range(start, start + count)

    def column(self, name: str) -> list[str | None]:
        """The texts of a label by place; None: there is no such label."""
        column = self._columns.get(name, [])
        column += [None] * (len(self) - len(column))
        return column

    def drop(self, names: Collection[str]) -> None:
        """Forget labels. What was told apart by them alone is now the same at several places."""
        for name in names:
            del self._columns[name]
        before, self._kinds = list(self._kinds), {}
        kept = (tuple(name for name in kind if name not in names) for kind in before)
        numbers = [self._kinds.setdefault(kind, len(self._kinds)) for kind in kept]
        self._kind_of = list(map(numbers.__getitem__, self._kind_of))
        self._made.clear()

    def first_alike(self) -> list[int] | None:
        """For each place the first one with the same labels; None where all differ."""
        columns = list(map(self.column, self._columns))
        if any(len(set(column)) == len(self) for column in columns):
            return None
        every = [self._kind_of, *columns]
        first: dict[tuple[object, ...], int] = {}
        return [first.setdefault(labels, place) for place, labels in enumerate(zip(*every, strict=True))]

    def rows(self, places: Sequence[int]) -> list[dict[str, str]]:
        """What is at these places, for one use: nothing is kept of it."""
        kinds = list(self._kinds)
        found = set(map(self._kind_of.__getitem__, places))
        if len(found) != 1 or not (names := kinds[found.pop()]):
            return list(map(self._row, places))
        blank: dict[str, Any] = dict.fromkeys(names, "")
        made = [blank.copy() for _ in places]
        for name in names:  # a column at a time: half as long as a row at a time
            deque(map(setitem, made, repeat(name), map(self._columns[name].__getitem__, places)), maxlen=0)
        return made

    def __len__(self) -> int:
        return len(self._kind_of)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Mapping[str, str]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, str] | list[Mapping[str, str]]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        made = self._made.get(index)
        if made is None:
            place = range(len(self))[index]
            made = self._made.setdefault(place, self._row(place))
        return made

    def _row(self, place: int) -> dict[str, str]:
        names = list(self._kinds)[self._kind_of[place]]
        return {name: str(self._columns[name][place]) for name in names}


class ServerColumns(Sequence[Server]):
    """Servers that are made when they are looked at; treat the columns as read-only.

    The labels of server i are `different[places[i]]`; servers with one place have one labels object. Without `places` no
    labels are known. Servers that were taken out of others know their indices there, and make a column when it is asked
    for: most are taken again, into parts and waves, before anybody looks at them.

    Raises:
        ValueError: there are not as many ids as names, or places.
    """

    __slots__ = ("_columns", "_ids", "_indices", "_names", "_places", "_whole", "different")

    def __init__(
        self,
        ids: Sequence[str],
        names: Sequence[str],
        different: Sequence[Mapping[str, str]] = (_NO_LABELS,),
        places: Sequence[int] | None = None,
    ) -> None:
        if len(ids) != len(names) or (places is not None and len(ids) != len(places)):
            raise ValueError(f"{len(ids)} server ids, and not as many names and labels")
        self._ids: Sequence[str] | None = ids
        self._names: Sequence[str] | None = names
        self.different = (_NO_LABELS,) if places is None else different
        # Without labels: zeros, a byte each.
        self._places: Sequence[int] | None = bytes(len(ids)) if places is None else places
        self._columns: dict[tuple[str, str], Sequence[str | None]] = {}
        self._whole = self
        self._indices: Sequence[int] = range(len(ids))

    @property
    def ids(self) -> Sequence[str]:
        """The ids."""
        if self._ids is None:
            self._ids = picked(self._whole.ids, self._indices)
        return self._ids

    @property
    def names(self) -> Sequence[str]:
        """The names."""
        if self._names is None:
            self._names = picked(self._whole.names, self._indices)
        return self._names

    @property
    def places(self) -> Sequence[int]:
        """Which of the different labels each has."""
        if self._places is None:
            of_all = self._whole.places
            each_its_own = of_all == range(len(of_all))
            self._places = self._indices if each_its_own else picked(of_all, self._indices)
        return self._places

    def label(self, name: str) -> Sequence[str | None]:
        """A label by the places of `different`, None where there is no such label; looked up once for all that are taken."""
        if isinstance(self.different, LabelTable):
            return self.different.column(name)
        return self._once(("label", name), lambda: [labels.get(name) for labels in self.different])

    def texts(self, name: str) -> Sequence[str | None]:
        """The text of a label of each server, None where there is none; looked up once for all that are taken."""
        whole = self._whole

        def of_all() -> Sequence[str | None]:
            texts = self.label(name)
            if "" in texts:  # as in plans that were made when empty text was a label
                texts = [text or None for text in texts]
            return picked(texts, whole.places)

        return picked(self._once(("texts", name), of_all), self._indices)

    def _once(self, key: tuple[str, str], column: Callable[[], Sequence[str | None]]) -> Sequence[str | None]:
        columns = self._whole._columns  # noqa: SLF001  its own kind
        if key not in columns:
            columns[key] = column()
        return columns[key]

    def labels_at(self, places: Sequence[int]) -> Iterator[dict[str, str]]:
        """The labels at these places of `different`, each for one use."""
        if isinstance(self.different, LabelTable):
            return chain.from_iterable(map(self.different.rows, in_pieces(places)))
        return map(dict, map(self.different.__getitem__, places))

    def label_names(self) -> Collection[str]:
        """The names of all labels, in the order in which they come up."""
        if isinstance(self.different, LabelTable):
            return self.different.names
        return dict.fromkeys(chain.from_iterable(self.different))

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Server: ...
    @overload
    def __getitem__(self, index: slice) -> ServerColumns: ...
    def __getitem__(self, index: int | slice) -> Server | ServerColumns:
        ids, names, places = self._ids, self._names, self._places
        if ids is None or names is None or places is None:
            whole = self._whole
            return self._taken(self._indices[index]) if isinstance(index, slice) else whole[self._indices[index]]
        if isinstance(index, slice):  # of a few, mostly
            return ServerColumns(ids[index], names[index], self.different, places[index])
        return Server(ids[index], names[index], self.different[places[index]])

    def __iter__(self) -> Iterator[Server]:
        labels = map(self.different.__getitem__, self.places)
        return map(_make_server, zip(self.ids, self.names, labels, strict=True))

    def take(self, indices: Sequence[int]) -> ServerColumns:
        """The servers at these indices, in their order."""
        return self._taken(indices if self._whole is self else list(map(self._indices.__getitem__, indices)))

    def then(self, others: Sequence[ServerColumns]) -> ServerColumns:
        """These servers, and then others that were taken out of the same ones.

        Raises:
            ValueError: some were not.
        """
        if any(other._whole is not self._whole for other in others):  # noqa: SLF001  its own kind
            raise ValueError("servers of several fleets cannot be joined")
        indices = chain(self._indices, *(other._indices for other in others))  # noqa: SLF001  likewise
        return self._taken(list(indices)) if others else self

    def _taken(self, indices: Sequence[int]) -> ServerColumns:
        taken = ServerColumns.__new__(ServerColumns)
        taken.different = self.different
        taken._whole, taken._indices = self._whole, indices  # noqa: SLF001  its own kind
        taken._ids = taken._names = taken._places = None  # noqa: SLF001  likewise
        return taken


def in_pieces(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, some at a time: what is made of more would leave the cache of a core, or be memory not used before."""
    return (values[first : first + _AT_ONCE] for first in range(0, len(values), _AT_ONCE))


def picked(column: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """What stands at these places of a column."""
    return column if places == range(len(column)) else list(map(column.__getitem__, places))


def columns_of(servers: Iterable[Server]) -> ServerColumns:
    """The same servers as columns; servers that share one labels object share a place."""
    if isinstance(servers, ServerColumns):
        return servers
    servers = list(servers)
    different = {id(server.labels): server.labels for server in servers}
    place = {key: number for number, key in enumerate(different)}
    places = [place[id(server.labels)] for server in servers]
    return ServerColumns([one.id for one in servers], [one.name for one in servers], [*different.values()], places)


def ids_of(servers: Sequence[Server]) -> Sequence[str]:
    """The ids of servers."""
    return servers.ids if isinstance(servers, ServerColumns) else [server.id for server in servers]


def names_of(servers: Sequence[Server]) -> Sequence[str]:
    """Their names."""
    return servers.names if isinstance(servers, ServerColumns) else [server.name for server in servers]


def indices_by(values: Iterable[T]) -> dict[T, list[int]]:
    """The indices at which each value stands, by value in the order in which these come up."""
    found: dict[T, list[int]] = {}
    for index, value in enumerate(values):
        try:
            found[value].append(index)
        except KeyError:  # once a value; to ask first would be asked a million times
            found[value] = [index]
    return found
