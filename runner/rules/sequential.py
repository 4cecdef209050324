"""Is this change bad? A test that is asked after every outcome, and is still wrong no oftener than was said.

A person names two failure rates and two risks. BAD may come wrongly with probability `false_alarm` at most while the
true rate is `healthy` or less; HEALTHY may come wrongly with probability `miss` at most while it is `bad` or more. Both
hold over all the looks of a whole campaign together, whenever it ends.

**How.** Bet against "the rate is at most `healthy`" at fair odds: after each outcome the stake is multiplied by how much
likelier that outcome is at an alternative rate than at `healthy`. At any true rate up to `healthy` such a bet does not
grow on average, so the chance that it ever reaches 1 / false_alarm is at most false_alarm (Ville 1939). Nothing is asked
of the true rate but that it stays below, whatever came before: it may change from server to server.

**Much worse than `bad`.** Wald's test (1945) bets on the one rate `bad`, which wins slowly when 80 % fail. Here the stake is
spread over a few rates from `bad` to nearly 1; a sum of fair bets is a fair bet (Robbins 1970; Johari, Koomen, Pekelis and
Walsh 2022 for tests looked at all the time; Ramdas, Grünwald, Vovk and Shafer 2023 for the reading as bets). A nat of
boundary costs p / KL(p, healthy) harmed servers at the true rate p; the stakes are in that proportion, which makes the
expected harm that the spreading adds smallest in sum.

**Later waves are other hardware.** A thousand good outcomes would outweigh many bad ones of the next wave. So a part of
the stake is held back, and wave m gets 1 / (m (m + 1)) of the whole, to bet from its own first outcome on: half of it is
bet from the start, and after m waves 1 / (m + 1) is still unspent. The sum is one fair bet still, and so has one boundary;
ten waves get about a hundredth of the stake each, or more. Bets on one rate grow alike, whenever they began, so they are
added up as one: an outcome costs the same in wave 1 and in wave 100.

**HEALTHY** is Wald's likelihood ratio of `healthy` to `bad` over the whole campaign, against 1 / miss, by the same argument.
It never ends the watch: BAD can follow HEALTHY, nothing can follow BAD.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from math import exp, log
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.spec.rollout.model import SequentialRule

_ALTERNATIVES = 6
_WORST = 0.95


class Conclusion(StrEnum):
    """What the outcomes so far say of the change."""

    OPEN = "open"
    HEALTHY = "healthy"
    BAD = "bad"


class _Bet(NamedTuple):
    """A share of the stake on one alternative rate; all in nats. What it gains per abnormal and per normal outcome."""

    log_share: float
    abnormal: float
    normal: float


class Evidence:
    """What the outcomes of one campaign say so far; starts without any, in its first wave."""

    __slots__ = (
        "_bets",
        "_fresh",
        "_healthy_bet",
        "_log_stakes",
        "_waves",
        "abnormal",
        "log_alarm",
        "log_healthy",
        "normal",
        "rule",
        "tripped",
    )

    def __init__(self, rule: SequentialRule) -> None:
        self.rule = rule
        self.normal = 0
        self.abnormal = 0
        self.log_alarm = 0.0
        self.log_healthy = 0.0
        self.tripped = False
        self._bets = _bets(rule)
        self._healthy_bet = _bet(0.0, rule.bad, rule.healthy)
        self._waves = 1
        self._fresh = True
        self._log_stakes = [bet.log_share - log(2) for bet in self._bets]

    @property
    def alarm_boundary(self) -> float:
        """Where `log_alarm` means BAD, nats."""
        return -log(self.rule.false_alarm)

    @property
    def healthy_boundary(self) -> float:
        """Where `log_healthy` means HEALTHY, nats."""
        return -log(self.rule.miss)

    @property
    def conclusion(self) -> Conclusion:
        """BAD once the alarm boundary was reached; else HEALTHY while the other one is."""
        if self.tripped:
            return Conclusion.BAD
        return Conclusion.HEALTHY if self.log_healthy >= self.healthy_boundary else Conclusion.OPEN

    def add(self, abnormal: int, normal: int) -> None:
        """Take in outcomes that came together. Only their counts matter; they are judged as a whole, not one by one."""
        self.abnormal += abnormal
        self.normal += normal
        self._fresh = self._fresh and not (abnormal or normal)
        self._log_stakes = [
            stake + abnormal * lost + normal * gained
            for stake, (_, lost, gained) in zip(self._log_stakes, self._bets, strict=True)
        ]
        self.log_alarm = _log_sum([*self._log_stakes, -log(self._waves + 1)])
        self.log_healthy += abnormal * self._healthy_bet.abnormal + normal * self._healthy_bet.normal
        self.tripped = self.tripped or self.log_alarm >= self.alarm_boundary

    def begin_wave(self) -> None:
        """Bet a part of what was held back on the outcomes from here on. Does nothing while a wave has no outcome yet."""
        if self._fresh:
            return
        self._fresh = True
        self._waves += 1
        log_part = -log(self._waves * (self._waves + 1))
        self._log_stakes = [
            _log_sum([stake, bet.log_share + log_part]) for stake, bet in zip(self._log_stakes, self._bets, strict=True)
        ]

    def describe(self) -> str:
        """The evidence in a sentence for a person."""
        return (
            f"{self.abnormal} of {self.abnormal + self.normal} abnormal: evidence {self.log_alarm:.1f} of "
            f"{self.alarm_boundary:.1f} that the rate is above {100 * self.rule.healthy:g}%"
        )


def fewest_failures(rule: SequentialRule) -> int:
    """How many abnormal outcomes, with no normal one before or between, mean BAD."""
    evidence = Evidence(rule)
    while not evidence.tripped:
        evidence.add(1, 0)
    return evidence.abnormal


@lru_cache(maxsize=64)
def _bets(rule: SequentialRule) -> tuple[_Bet, ...]:
    rates = _alternatives(rule.bad)
    costs = [rate / _divergence(rate, rule.healthy) for rate in rates]
    return tuple(_bet(log(cost / sum(costs)), rule.healthy, rate) for rate, cost in zip(rates, costs, strict=True))


def _bet(log_share: float, null: float, rate: float) -> _Bet:
    """That the rate is `rate`, and not `null`: how much likelier an outcome of each kind is then."""
    return _Bet(log_share, abnormal=log(rate / null), normal=log((1 - rate) / (1 - null)))


def _alternatives(bad: float) -> list[float]:
    """Rates from `bad` to nearly 1, their odds in geometric progression."""
    first, last = log(bad / (1 - bad)), log(1 / (1 - max(_WORST, (1 + bad) / 2)) - 1)
    odds = [exp(first + (last - first) * step / (_ALTERNATIVES - 1)) for step in range(_ALTERNATIVES)]
    return [ratio / (1 + ratio) for ratio in odds]


def _divergence(rate: float, other: float) -> float:
    """What an outcome at `rate` says on average against `other`, nats (Kullback and Leibler)."""
    return rate * log(rate / other) + (1 - rate) * log((1 - rate) / (1 - other))


def _log_sum(logs: list[float]) -> float:
    most = max(logs)
    return most + log(sum(exp(value - most) for value in logs))
