"""Hidden limits for the rules of `pace_rules`: those that the rule was made with, and any number of others."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.hidden_limits import Both, Bucket, Changing, Fixed, HiddenLimit, Shared, Sliding, Unlimited


class _Span(NamedTuple):
    """The first minutes, and until when, seconds."""

    first_s: float = 120.0
    until_s: float = 420.0


_USUAL, _SHORT, _MEDIUM, _LONG = _Span(), _Span(60.0, 180.0), _Span(600.0, 1800.0), _Span(600.0, 3600.0)


@dataclass(frozen=True)
class Scenario:
    """A limit, and a client that always has something to send. Seconds; rates are calls a second.

    After the first minutes of its `span` the limit is known, if it is ever. `left` is what another client leaves of it.
    """

    name: str
    make: Callable[[], HiddenLimit]
    asked: float
    burst: int = 10
    noise: float = 0.0
    says: bool = False
    retry_after: bool = False
    span: _Span = _USUAL
    rises_at: float | None = None
    rises_to: float = 0.0
    left: Callable[[], HiddenLimit] | None = None


CREATES = [
    Scenario("10/s, sliding, named", lambda: Sliding(10, 1), 200, 20, says=True),
    Scenario("10/s, sliding, named, refused count", lambda: Sliding(10, 1, counts_refused=True), 200, 20, says=True),
    Scenario("10/s, sliding", lambda: Sliding(10, 1), 200, 20),
    Scenario("10/s, sliding, refused count", lambda: Sliding(10, 1, counts_refused=True), 200, 20),
    Scenario("10/s, fixed, Retry-After", lambda: Fixed(10, 1), 50, 10, retry_after=True),
    Scenario(
        "10/min, sliding, named, refused count",
        lambda: Sliding(10, 60, counts_refused=True),
        10,
        10,
        says=True,
        span=_LONG,
    ),
    Scenario("10/min, sliding, refused count", lambda: Sliding(10, 60, counts_refused=True), 10, 10, span=_LONG),
    Scenario("10/min, sliding", lambda: Sliding(10, 60), 10, 10, span=_LONG),
    Scenario("10/min, fixed, Retry-After", lambda: Fixed(10, 60), 10, 10, retry_after=True, span=_LONG),
    Scenario("600/min, fixed, named", lambda: Fixed(600, 60), 50, 10, says=True, span=_MEDIUM),
    Scenario("600/min, fixed", lambda: Fixed(600, 60), 50, 10, span=_MEDIUM),
    Scenario("600/min, sliding", lambda: Sliding(600, 60), 50, 10, span=_MEDIUM),
    Scenario("71/s, bucket of 71", lambda: Bucket(71, 71), 200, 10, span=_SHORT),
    Scenario("20/s, bucket of 20, named", lambda: Bucket(20, 20), 200, 10, says=True),
    Scenario("200/s, bucket of 200; asked 1000", lambda: Bucket(200, 200), 1000, 50, span=_SHORT),
    Scenario("none, chance of 1 %; asked 10", Unlimited, 10, 10, 0.01),
    Scenario("none, chance of 5 %; asked 10", Unlimited, 10, 10, 0.05),
    Scenario("none, chance of 5 %; asked 100", Unlimited, 100, 10, 0.05, span=_SHORT),
    Scenario("20/s, bucket, chance of 2 %", lambda: Bucket(20, 20), 100, 10, 0.02),
    Scenario(
        "10/s, then 50/s", lambda: Changing((0, Sliding(10, 1)), (130, Sliding(50, 1))), 100, rises_at=130, rises_to=50
    ),
    Scenario("50/s, then 5/s", lambda: Changing((0, Sliding(50, 1)), (60, Sliding(5, 1))), 100),
    Scenario(
        "10/s, then 50/s, named",
        lambda: Changing((0, Sliding(10, 1)), (130, Sliding(50, 1))),
        100,
        says=True,
        rises_at=130,
        rises_to=50,
    ),
    Scenario("20/s and 600/min, named", lambda: Both(Sliding(20, 1), Sliding(600, 60)), 50, says=True, span=_MEDIUM),
    Scenario(
        "20/s, named, another takes 10",
        lambda: Shared(Sliding(20, 1), 10.0),
        100,
        says=True,
        left=lambda: Sliding(10, 1),
    ),
    Scenario("20/s, another takes 10", lambda: Shared(Sliding(20, 1), 10.0), 100, left=lambda: Sliding(10, 1)),
]


def held_out(number: int, seed: int = 7) -> list[Scenario]:
    """So many that no constant was chosen by."""
    rng = random.Random(seed)  # noqa: S311  chance that can be repeated is the point
    return [_drawn(rng, index) for index in range(number)]


def _drawn(rng: random.Random, index: int) -> Scenario:
    kind = rng.choice(("sliding", "sliding", "fixed", "bucket", "none"))
    long = kind in {"sliding", "fixed"} and rng.random() < 0.35
    rate = (
        math.exp(rng.uniform(math.log(0.15), math.log(20)))
        if long
        else math.exp(rng.uniform(math.log(3), math.log(100)))
    )
    counts, phase, size = rng.random() < 0.5, rng.random(), rng.choice((1.0, 2.0, 5.0))
    says, retry_after = rng.random() < 0.4, rng.random() < 0.2
    noise = rng.choice((0.0, 0.0, 0.01, 0.02, 0.05))
    period = 60.0 if long else 1.0
    most = max(2, round(rate * period))

    def make(most: int = most) -> HiddenLimit:
        if kind == "sliding":
            return Sliding(most, period, counts_refused=counts)
        if kind == "fixed":
            return Fixed(most, period, phase=phase)
        return Bucket(most / period, max(2.0, size * most)) if kind == "bucket" else Unlimited()

    rate = most / period
    asked = rate if kind == "none" else rate * rng.choice((1.2, 2.0, 5.0, 20.0))
    span = (_LONG if rate < 2 else _MEDIUM) if long else (_SHORT if rate > 40 else _USUAL)
    name = f"{most}/{period:g}s {kind}" + " counts" * counts + " says" * says + " after" * retry_after
    extra = rng.random()
    if kind != "none" and extra < 0.15:
        return Scenario(
            f"{index}: {name}, shared",
            lambda: Shared(make(), rate / 3),
            asked,
            10,
            noise,
            says,
            retry_after,
            left=lambda: make(most - round(most / 3)),
            span=span,
        )
    if kind != "none" and extra < 0.3:
        at = span.first_s + 10
        return Scenario(
            f"{index}: {name}, doubled",
            lambda: Changing((0, make()), (at, make(most * 2))),
            asked * 2,
            10,
            noise,
            says,
            retry_after,
            rises_at=at,
            rises_to=2 * rate,
            span=span,
        )
    return Scenario(f"{index}: {name}, chance {noise}", make, asked, 10, noise, says, retry_after, span=span)
