"""Kinds of trouble counted as they are seen, with where each is most frequent: a count more costs the same for any fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Outcome

T = TypeVar("T")

# So many kinds are told apart; the most frequent are kept at hand, each with its most frequent places.
_MOST, _AT_HAND, _PLACES = 200, 20, 3
_OTHERS = "other reasons"


class Trouble:
    """Servers that ended alike: how many, and in which domains most of them are, the first ones first."""

    def __init__(self, outcome: Outcome, said: str) -> None:
        self.outcome = outcome
        self.said = said
        self.count = 0
        self._places: dict[str, int] = {}
        self._most: list[str] = []

    def add(self, place: str) -> None:
        """One server more; `place` may be empty."""
        self.count += 1
        if place:
            self._places[place] = self._places.get(place, 0) + 1
            if place not in self._most:
                _let_in(self._most, place, _PLACES, self._places)

    @property
    def most(self) -> Sequence[tuple[str, int]]:
        """The domains with the most of them."""
        return sorted(((place, self._places[place]) for place in self._most), key=lambda one: -one[1])

    @property
    def places(self) -> int:
        """In how many domains they are."""
        return len(self._places)


class Troubles:
    """All kinds of trouble seen so far."""

    def __init__(self) -> None:
        self._all: dict[tuple[Outcome, str], Trouble] = {}
        self._counts: dict[tuple[Outcome, str], int] = {}
        self._most: list[tuple[Outcome, str]] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, outcome: Outcome, said: str, place: str) -> None:
        """One server more that ended so."""
        key = (outcome, said)
        if key not in self._all and len(self._all) >= _MOST:
            key = (outcome, _OTHERS)
        trouble = self._all.setdefault(key, Trouble(*key))
        trouble.add(place)
        self._counts[key] = trouble.count
        if key not in self._most:
            _let_in(self._most, key, _AT_HAND, self._counts)

    def most(self, count: int) -> list[Trouble]:
        """The most frequent, in the order in which they came up: a line does not jump when its number grows."""
        chosen = set(sorted(self._most, key=lambda key: -self._counts[key])[:count])
        return [self._all[key] for key in self._most if key in chosen]


def _let_in(few: list[T], one: T, most: int, counts: dict[T, int]) -> None:
    """Have it among the few most frequent ones, in place of the rarest if it is rarer."""
    if len(few) < most:
        few.append(one)
        return
    rarest = min(range(len(few)), key=lambda place: counts[few[place]])
    if counts[few[rarest]] < counts[one]:
        few[rarest] = one
