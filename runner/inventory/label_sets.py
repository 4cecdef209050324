"""The different labels of servers, each kept once as long as they repeat."""

from __future__ import annotations

from collections import Counter
from itertools import chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from runner.model import Json, JsonObject

_Labels = dict[str, str]
_LOOKED_AT = 65_536


class LabelSets:
    """Gives equal labels one place in `different`.

    `wanted` are the labels that are kept, None: all. Where most servers have labels of their own, looking for equal ones
    costs more than it saves: then each gets a place, until they are `merged`. That is seen after so many servers.
    """

    def __init__(self, wanted: Collection[str] | None, looked_at: int = _LOOKED_AT) -> None:
        self._looked_at = looked_at
        self.different: list[_Labels] = []
        self._wanted = None if wanted is None else sorted(wanted)
        self._places: dict[Any, int] = {}  # by names and values
        self._by_values: dict[Any, int] = {}  # by the values of labels whose names are always the same
        self._shared: dict[str, str] = {}
        self._count = 0
        self._repeat = True

    @property
    def keeps_all(self) -> bool:
        """Whether all labels are kept."""
        return self._wanted is None

    def known(self, row: JsonObject) -> int | None:
        """The place of the labels of a row that was seen before, just as it is."""
        try:
            return self._places.get((*row, *row.values()))
        except TypeError:  # a value that is no key, such as a list
            return None

    def place(self, labels: _Labels, row: JsonObject) -> int:
        """The place of all labels of a row, which will be known again by them, and by the row."""
        place = self._place(labels if self._wanted is None else self._kept(labels))
        # Else found again by text only: 1 and true are equal as keys, and not as labels.
        if self._goes_on(1) and all(value is None or type(value) is str for value in row.values()):
            self._places[(*row, *row.values())] = place
        return place

    def places_of(self, rows: Sequence[JsonObject], place_of: Callable[[int], int]) -> Sequence[int]:
        """The places of the labels in rows; `place_of` is asked by index for that of a row whose values are not all text."""
        repeats = self._goes_on(len(rows))
        if not repeats:
            kept = rows if self._wanted is None else list(map(self._written, rows))
            texts = are_texts(chain.from_iterable(map(dict.values, kept)))
            return self._each_its_own(map(self._sharing, kept)) if texts else list(map(place_of, range(len(rows))))
        try:
            if self._wanted is None:
                return self._found(self._places, [(*row, *row.values()) for row in rows], rows.__getitem__, place_of)
            keys = _values(rows, self._wanted)
            return self._found(self._by_values, keys, lambda at: self._written(rows[at]), place_of)
        except TypeError:  # a value that is no key
            return list(map(place_of, range(len(rows))))

    def places_in(self, columns: Mapping[str, Sequence[str]], count: int) -> Sequence[int]:
        """The places of `count` servers by columns of text, which are the same each time; empty text is no label."""
        names = [name for name in columns if self._wanted is None or name in self._wanted]
        keys = list(zip(*map(columns.__getitem__, names), strict=True)) if names else [()] * count

        def labels_at(at: int) -> _Labels:
            return {name: value for name, value in zip(names, keys[at], strict=True) if value}

        if self._goes_on(count):
            return self._found(self._by_values, keys, labels_at, lambda at: self._place(labels_at(at)))
        return self._each_its_own(list(map(labels_at, range(count))))

    def merged(self, places: list[int]) -> list[int]:
        """The places with equal labels as one, where all labels are kept: a plan may have them, each once."""
        if self._repeat or self._wanted is not None:
            return places
        hashes = [hash((*labels, *labels.values())) for labels in self.different]
        if len(set(hashes)) == len(hashes):
            return places
        first: dict[tuple[str, ...], int] = {}
        same = [first.setdefault((*one, *one.values()), place) for place, one in enumerate(self.different)]
        return [same[place] for place in places]

    def _found(
        self,
        known: dict[Any, int],
        keys: Sequence[Any],
        labels_at: Callable[[int], JsonObject],
        place_of: Callable[[int], int],
    ) -> list[int]:
        places: list[Any] = list(map(known.get, keys))
        if None in places:
            for at, key in enumerate(keys):
                if key in known:
                    places[at] = known[key]
                elif are_texts((labels := labels_at(at)).values()):
                    places[at] = known[key] = self._place(labels)
                else:
                    places[at] = place_of(at)
        return places

    def _place(self, labels: _Labels) -> int:
        if not self._repeat:
            return self._each_its_own([labels])[0]
        place = self._places.setdefault((*labels, *labels.values()), len(self.different))
        if place == len(self.different):
            self.different.append(labels)
        return place

    def _sharing(self, labels: _Labels) -> _Labels:
        """The same labels, with texts that many servers have as one object: a quarter of the memory of such a fleet."""
        shared = self._shared
        return {name: shared.get(text, text) for name, text in labels.items()}

    def _each_its_own(self, different: Iterable[_Labels]) -> range:
        start = len(self.different)
        self.different += different
        return range(start, len(self.different))

    def _goes_on(self, count: int) -> bool:
        """Whether labels repeat, as far as it was seen with so many more servers."""
        self._count += count
        if self._repeat and self._count > self._looked_at and len(self.different) * 2 > self._count:
            self._repeat = False
            counts = Counter(chain.from_iterable(map(dict.values, self.different)))
            self._shared = {text: text for text, count in counts.items() if count > 1}
            self._places.clear()
            self._by_values.clear()
        return self._repeat

    def _kept(self, labels: _Labels) -> _Labels:
        return {name: labels[name] for name in self._wanted or () if name in labels}

    def _written(self, row: JsonObject) -> JsonObject:
        """What a row has for the labels that are kept; nothing, and empty text, is no label."""
        return {name: row[name] for name in self._wanted or () if row.get(name) not in {None, ""}}


def are_texts(values: Iterable[Json]) -> bool:
    """Whether all values are text, and none is empty."""
    values = list(values)
    return set(map(type, values)) <= {str} and all(values)


def _values(rows: Sequence[JsonObject], names: Sequence[str]) -> Sequence[Any]:
    """The values of these labels in each row, as keys; None where there is none."""
    if not names:
        return [()] * len(rows)
    try:
        return list(map(itemgetter(*names), rows))
    except KeyError:  # some lack one
        columns = [map(dict.get, rows, repeat(name)) for name in names]
        return list(columns[0] if len(names) == 1 else zip(*columns, strict=True))
