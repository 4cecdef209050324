"""The different labels of servers, each kept once as long as they repeat."""

from __future__ import annotations

from collections import Counter
from itertools import chain, compress, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from runner.inventory.labels import as_texts
from runner.servers import LabelTable, indices_by

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from runner.model import Json, JsonObject

_Labels = dict[str, str]
_LOOKED_AT = 65_536
# A label of which so many servers mostly have a value of their own groups nothing: it is one more name of the server.
NARROWED_AT = 8_192
_PLAIN = {str, type(None)}


class LabelSets:
    """Gives equal labels one place in `different`.

    `wanted` are the labels that are kept in any case, None: all. Of the others those are dropped of which most servers have
    a value of their own, in a fleet of more than `narrowed_at` servers that mostly differ. Where labels do not repeat all
    the same, looking for equal ones costs more than it saves: then each server gets a place, until they are `merged`. That
    is seen after `looked_at` servers.
    """

    def __init__(
        self, wanted: Collection[str] | None, looked_at: int = _LOOKED_AT, narrowed_at: int = NARROWED_AT
    ) -> None:
        self._looked_at = looked_at
        self._narrowed_at = narrowed_at
        self.different = LabelTable()
        self._wanted = None if wanted is None else frozenset(wanted)
        self._dropped: frozenset[str] = frozenset()
        self._before = 0  # places from before they were dropped
        self._known: dict[tuple[str, ...], dict[Any, int]] = {}  # places by names, and by values as they were read
        self._shared: dict[str, str] = {}
        self._count = 0
        self._repeat = True

    @property
    def keeps_all(self) -> bool:
        """Whether all labels are kept, so far."""
        return not self._dropped

    def known(self, row: JsonObject) -> int | None:
        """The place of the labels of a row that was seen before, just as it is."""
        try:
            return self._known.get(tuple(row), {}).get(tuple(row.values()))
        except TypeError:  # a value that is no key, such as a list
            return None

    def place(self, labels: _Labels, row: JsonObject) -> int:
        """The place of all labels of a row, which will be known again by them, and by the row."""
        place = self._place({name: labels[name] for name in labels if name not in self._dropped})
        # Else found again by text only: 1 and true are equal as keys, and not as labels.
        if self._goes_on(1) and all(value is None or type(value) is str for value in row.values()):
            self._known.setdefault(tuple(row), {})[tuple(row.values())] = place
        return place

    def places_of(self, rows: Sequence[JsonObject], place_of: Callable[[int], int]) -> Sequence[int]:
        """The places of the labels in rows; `place_of` is asked by index for that of a row whose values are not plain."""
        places = [0] * len(rows)
        for names, indices in indices_by(map(tuple, rows)).items():
            kept = tuple(name for name in names if name not in self._dropped)
            some = rows if len(indices) == len(rows) else list(map(rows.__getitem__, indices))
            values = [tuple(row.values()) for row in some] if kept == names else _values(some, kept)
            found = self._places(kept, values, lambda at, indices=indices: place_of(indices[at]))  # type: ignore[misc]
            for index, place in zip(indices, found, strict=True):
                places[index] = place
        return places

    def places_in(
        self, columns: Mapping[str, Sequence[Json]], count: int, place_of: Callable[[int], int]
    ) -> Sequence[int]:
        """The same for `count` servers by columns; nothing, and empty text, is no label."""
        if not all(set(map(type, columns[name])) <= _PLAIN for name in self._dropped & columns.keys()):
            return list(map(place_of, range(count)))  # what is nested there may be in conflict with a label
        names = tuple(name for name in columns if name not in self._dropped)
        values = list(zip(*map(columns.__getitem__, names), strict=True)) if names else [()] * count
        return self._places(names, values, place_of)

    def merged(self, places: Sequence[int]) -> Sequence[int]:
        """The places with equal labels as one: a plan has them, each once."""
        if self._repeat and not self._dropped:
            return places
        first = self.different.first_alike()
        return places if first is None else [first[place] for place in places]

    def _places(
        self, names: tuple[str, ...], values: Sequence[tuple[Json, ...]], place_of: Callable[[int], int]
    ) -> Sequence[int]:
        """The places of labels with these names."""
        found = self._found(names, values)
        places = self._of_each(names, values, place_of) if found is None else found
        self._goes_on(len(values))
        if self._repeat and self._count > self._narrowed_at and self._are_mostly_own and not self._dropped:
            self._narrow()
        return places

    def _of_each(
        self, names: tuple[str, ...], values: Sequence[tuple[Json, ...]], place_of: Callable[[int], int]
    ) -> list[int]:
        """The same where some values are neither text nor nothing."""
        places: list[int] = []
        for is_plain, run in groupby(map(as_texts, values), key=bool):
            rows: list[Any] = list(run)
            first = len(places)
            places += (self._found(names, rows) or ()) if is_plain else map(place_of, range(first, first + len(rows)))
        return places

    def _found(self, names: tuple[str, ...], values: Sequence[tuple[Any, ...]]) -> Sequence[int] | None:
        """The places of labels with these names; None where a value is neither text nor nothing."""
        if not self._repeat:
            return self._added(names, values)
        known = self._known.setdefault(names, {})
        try:
            # Not where the last one is new, as where labels stand together: then most are.
            places: list[Any] = list(map(known.get, values)) if values[-1] in known else [None]
            new = [labels for labels in dict.fromkeys(values) if labels not in known] if None in places else []
        except TypeError:  # a value that is no key
            return None
        if not new:
            return places
        added = self._added(names, new)
        if added is None:
            return None
        known.update(zip(new, added, strict=True))
        return list(map(known.__getitem__, values))

    def _added(self, names: tuple[str, ...], values: Sequence[tuple[Any, ...]]) -> Sequence[int] | None:
        """The same for labels that were not seen so far."""
        columns = list(zip(*values, strict=True))
        kinds = set(chain.from_iterable(set(map(type, column)) for column in columns))
        if not kinds <= _PLAIN:
            return None
        if all(map(all, columns)):
            return self.different.add(names, list(map(self._sharing, columns)), len(values))
        places = [0] * len(values)
        for held, indices in indices_by(tuple(map(bool, one)) for one in values).items():
            texts = [tuple(compress(values[index], held)) for index in indices]
            for index, place in zip(indices, self._found(tuple(compress(names, held)), texts) or (), strict=True):
                places[index] = place
        return places

    def _place(self, labels: _Labels) -> int:
        names, texts = tuple(labels), tuple(labels.values())
        known = self._known.setdefault(names, {}) if self._repeat else {}
        if texts not in known:
            (known[texts],) = self.different.add(names, [self._sharing([text]) for text in texts], 1)
        return known[texts]

    def _sharing(self, texts: Sequence[str]) -> list[str]:
        """The same texts, those that many servers have as one object: a quarter of the memory of such a fleet."""
        return list(map(self._shared.setdefault if self._repeat else self._shared.get, texts, texts))

    def _goes_on(self, count: int) -> bool:
        """Whether labels repeat, as far as it was seen with so many more servers."""
        self._count += count
        if self._repeat and self._count > self._looked_at and self._are_mostly_own:
            self._repeat = False
            counts = Counter(chain.from_iterable(map(self.different.column, self.different.names)))
            self._shared = {text: text for text, count in counts.items() if text is not None and count > 1}
            self._known.clear()
        return self._repeat

    @property
    def _are_mostly_own(self) -> bool:
        return (len(self.different) - self._before) * 2 > self._count

    def _narrow(self) -> None:
        """Drop the labels that group nothing, where nobody asks for them."""
        if self._wanted is None:
            return
        table = self.different
        own = [name for name in table.names if len(set(table.column(name))) * 2 > len(table)]
        self._dropped = frozenset(own) - self._wanted
        if self._dropped:
            table.drop(self._dropped)
            self._known.clear()
            self._before, self._count = len(table), 0


def _values(rows: Sequence[JsonObject], names: tuple[str, ...]) -> Sequence[tuple[Any, ...]]:
    """The values of these labels in each row, which have all of them."""
    if len(names) < 2:  # noqa: PLR2004  of one, what gets items gives no tuples
        return [tuple(map(row.__getitem__, names)) for row in rows]
    return list(map(itemgetter(*names), rows))
