"""Sizes of waves as people write them: `5`, `5%`, `rest`, a ramp, or adaptive.

They are on the floor of jobspecs, so that the loader can read them; `runner.plan.rollout.sizing` cuts by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

_REST = "rest"
_SERVERS = re.compile(r"[0-9]{1,9}")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_ALL = 100

EXPECTED_SIZE = "a number of servers such as 5, a share of what is left such as 5%, or rest"
EXPECTED_MOST = "a number of servers such as 5, or percent of the entry's servers such as 25%"


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of servers. `value` is above 0 and at most 100."""

    value: float

    def of(self, servers: int) -> int:
        """That share of a number of servers, rounded up, at least 1."""
        # By decimals as they were written: 7% of 100 is 7, which binary fractions round up to 8.
        share = Decimal(str(self.value)) * servers / _ALL
        return max(1, ceil(share))


@dataclass(frozen=True, slots=True)
class Rest:
    """All that is left."""


Size: TypeAlias = int | Percent | Rest
"""The size of one wave; a number is one of servers, at least 1."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """Waves of `first`, `first * factor`, `first * factor * factor`, ... servers, rounded up, until all are taken.

    `first` is at least 1, `factor` above 0. No wave has more than `most`; a percentage there is one of all servers of
    the entry.
    """

    first: int
    factor: float
    most: int | Percent | None = None


@dataclass(frozen=True, slots=True)
class Adaptive:
    """One wave for all, sized while it runs: what is in flight may be `growth` - 1 times what is known to be well."""

    growth: float = 2.0


Sizes: TypeAlias = "Sequence[Size] | Ramp | Adaptive"
"""How all servers of a wave entry are cut."""


def takes_all(size: Size) -> bool:
    """Whether nothing is left after a wave of this size, however many servers there are."""
    return isinstance(size, Rest) or (isinstance(size, Percent) and size.value == _ALL)


def parse_size(text: object) -> Size | None:
    """The size that a YAML scalar means; None when it is none, or is zero, or more than 100%."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text if text > 0 else None
    return _parse_text(text.strip()) if isinstance(text, str) else None


def _parse_text(text: str) -> Size | None:
    if text == _REST:
        return Rest()
    if _SERVERS.fullmatch(text):
        return int(text) or None
    share = _PERCENT.fullmatch(text)
    return Percent(float(share[1])) if share and 0 < float(share[1]) <= _ALL else None
