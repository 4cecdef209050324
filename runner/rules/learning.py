"""What a lane learns of the service's limit from its answers, and the rate that follows from it.

Refusals are evidence, and few of them are (api-facts 5): a limit may be named or not, counted by any window, shared with
others, and change; single calls are refused by chance. So isolated refusals slow nothing down (`noise`), those that stand
together do: then the answers of one round trip tell how much gets through, which is the new rate (AIMD by what passed and not
by a fixed part: S. Floyd et al., RFC 5348; client-side throttling: Google, Site Reliability Engineering, ch. 21). From there it
is kept, and tried now and then whether there is more, slowly at first and then ever faster (the plateau of CUBIC, RFC 9438); as
often as the refusals that this costs stay a small share of what passes. Where nothing at all gets through, single calls at
growing distances look when something does again, and what passed since it last did is the rate.

No clock and no I/O: times are monotonic seconds and given; rates are calls per second. What an answer costs does not depend on
anything but, once a call was refused, on some hundred numbers.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import TYPE_CHECKING

from runner.rules.allowance import Allowance
from runner.rules.flow import Flow
from runner.rules.noise import MOST, Experiment, Noise
from runner.rules.told import TimesTold

if TYPE_CHECKING:
    from runner.rules.answers import Throttle

LONGEST_PAUSE_S = 300.0
"""For how long a lane waits where it is not told otherwise, seconds."""
_GATEWAY_RATE = 200.0
# What a lane without a limit of its own keeps below once it was refused a call: the gateway's default (api-facts 5), or this
# many times what passed.
_UNLIMITED = 2.0
_LOWEST = 1 / 60
# A rate is kept by so much below what got through, for the network moves calls about.
_BELOW = 0.98
# What may be spent on trying for more: refusals per call that passed; where the limit is named, more is known.
_EARNS, _EARNS_NAMED = 0.012, 0.008
_DEAREST = 15.0
# A call that is paused for costs as much as this share of the calls that could have been made meanwhile.
_PAUSED = 0.7
# Growth while trying, e-folds per second: at the start, more of it each second, at most; a call counts as so many seconds at
# most, so that a slow lane grows by calls.
_STARTS, _STARTS_FAST, _FASTER, _FASTEST, _CALL_S = 0.02, 0.15, 0.03, 0.5, 0.1
_CALLS_BEFORE = 12
_NEAR = 1.08
# When nothing gets through: looks after so long, and at the end of usual periods, then once a minute, seconds.
_LOOKS_S = (1.05, 2.5, 6.0, 15.0, 30.0, 45.0, 61.0)
_PERIODS_S = (1.03, 60.5)
_APART_S, _LONGEST_APART_S = 0.3, 60.0
# Nothing for longer than this, and what passed in a minute is the limit of a minute, seconds.
_LONG_S, _MINUTE_S = 3.0, 60.0
# A named limit of a period up to this is also kept to evenly, seconds.
_EVEN_S = 2.0
_ALIKE = 2
_FORGETS = 300
_CAUTIOUS = 150


class _State(Enum):
    KEEPING = auto()
    TRYING = auto()  # whether there is more
    WAITING = auto()  # for the answers to what is on its way
    SHUT = auto()  # nothing gets through


class Learner:
    """`asked` is the configured rate, which is never exceeded; infinity: none. `rate` is what to keep to now.

    It `is_active` once a call was refused: until then only `note` is needed of what passed.
    """

    def __init__(
        self, asked: float, longest_pause_s: float = LONGEST_PAUSE_S, begins_at: float | None = None
    ) -> None:
        self.asked = self.rate = self._ceiling = asked
        self.is_active = begins_at is not None
        self._longest_pause_s = longest_pause_s
        self._level = math.inf  # what is known to get through; infinity: whatever is asked for
        self._state = _State.KEEPING
        self._flow, self._noise, self._told = Flow(), Noise(), TimesTold()
        self._experiment: Experiment | None = None
        self._allowances: dict[float, Allowance] = {}
        self._inferred: Allowance | None = None
        self._told_until = self._held_until = 0.0
        self._cut_at = self._last = self._sent_at = -math.inf
        self._passed_since_cut = self._fruitless = 0
        self._credit, self._cost, self._spent = 0.0, 1.0, 0.0
        self._grown, self._tried_s, self._tried, self._tries = 1.0, 0.0, 0, 0
        self._is_fast = self._is_tolerant = self._was_trying = self._counts_refused = False
        self._good = self._reached = self._at_rate = self._trip_s = self._shut_at = 0.0
        self._may_be_too_high = False
        self._chance_at = self._passed_before = 0
        if begins_at is not None:
            self._begin_at(begins_at)

    # --- what the pace asks -----------------------------------------------------------------------------------------

    @property
    def learned(self) -> float | None:
        """The rate to begin with another time; None: no limit is known."""
        known = min([self._level, *(allowance.rate for allowance in self._allowances.values())])
        return known if self.is_active and known < self.asked else None

    def opens_at(self, others: int) -> float:
        """From when on one more call may leave after `others` more; a time that is over: at once."""
        at = max(self._told_until, self._held_until)
        if self._state is _State.KEEPING:
            for allowance in self._allowances.values():
                at = max(at, min(allowance.opens_at(others), self._sent_at + self._longest_pause_s))
        return at

    def set_asked(self, rate: float) -> None:
        """Another rate is asked for."""
        self.asked = rate
        self._ceiling = rate if not math.isinf(rate) or not self.is_active else self._unlimited(self._sent_at)
        self._set_rate()

    # --- what happens -----------------------------------------------------------------------------------------------

    def sent(self, now: float) -> None:
        """A call leaves."""
        self._sent_at = now
        for allowance in self._allowances.values():
            allowance.sent(now)
        if self._state is _State.WAITING:
            self._decide(now)
        if self._state is _State.SHUT:
            self._held_until = self._next_look(now)

    def note(self, sent_at: float) -> None:
        """A call passed, and none was refused so far."""
        self._flow.passed(sent_at)

    def passed(self, sent_at: float, now: float) -> None:
        """A call passed that was sent at `sent_at`: it was not refused for the rate."""
        self._flow.passed(sent_at)
        for allowance in self._allowances.values():
            allowance.answered(sent_at)
        if sent_at <= self._cut_at:
            return
        if self._state is _State.SHUT:
            self._open(sent_at, now)
            return
        self._passed_since_cut += 1
        self._was_trying, self._fruitless = False, 0
        apart_s, self._last = max(0.0, sent_at - self._last), max(sent_at, self._last)
        cleared = self._noise.passed(counts=self._state is _State.KEEPING)
        if cleared:
            self._chance_at = self._flow.calls
        if self._state is _State.TRYING:
            self._grow(min(apart_s, _CALL_S))
        elif self._state is _State.KEEPING:
            self._keep(cleared, now)

    def refused(self, throttle: Throttle, sent_at: float, now: float) -> float:
        """A call was refused that was sent at `sent_at`. Return for how long no call leaves, seconds."""
        self._wake(sent_at)
        if throttle.retry_after_s:
            self._told_until = max(self._told_until, now + min(throttle.retry_after_s, self._longest_pause_s))
        is_news = self._take_in(throttle, now)
        for allowance in self._allowances.values():
            allowance.answered(sent_at)
        if sent_at <= self._cut_at:
            self._refused_beside(sent_at)
        elif is_news:
            self._cut(now)
            self._state = _State.KEEPING
            self._new_rate()
        elif self._state is not _State.SHUT:
            self._weigh(throttle, sent_at, now)
        return max(0.0, self.opens_at(0) - now)

    # --- one refused call -------------------------------------------------------------------------------------------

    def _wake(self, sent_at: float) -> None:
        if not self.is_active:
            self.is_active = True
            if math.isinf(self._ceiling):
                self._ceiling = self.rate = self._unlimited(sent_at)
        if math.isinf(self._flow.cycle_at):
            self._flow.cycle_at = min(self._flow.of_cycle(1 << 30) or [sent_at])

    def _unlimited(self, now: float) -> float:
        return max(_GATEWAY_RATE, _UNLIMITED * self._flow.rate_until(now))

    def _refused_beside(self, sent_at: float) -> None:
        """It was on its way already when the rate was lowered: it tells how much gets through at the rate of before."""
        if self._state is _State.WAITING and sent_at >= self._noise.since:
            self._noise.suspects += 1
            self._hold()
            self._credit -= self._was_trying

    def _weigh(self, throttle: Throttle, sent_at: float, now: float) -> None:
        is_trying = self._state is _State.TRYING
        if is_trying:
            self._spent += 1 + _PAUSED * max(0.0, self._told_until - now) * self.rate
        if self._was_trying and self._passed_since_cut == 0:
            # Refused calls count themselves, or the first after the last try would have passed.
            self._counts_refused = True
            self._noise.refused(sent_at, is_new=True)
            self._wait(sent_at, now, was_trying=True)
            return
        is_told = bool(throttle.retry_after_s) and not (self._is_long_known or self._told.is_chance(self._flow.calls))
        if is_told and self._state is _State.KEEPING:
            self._lower_as_told(now)
            return
        is_cautious = self._flow.calls - self._chance_at > _CAUTIOUS and self._noise.share < 0.01  # noqa: PLR2004
        is_new = is_trying and not (self._is_tolerant or self.rate <= self._good or (self._is_fast and not is_cautious))
        is_limit = self._noise.refused(sent_at, is_new=is_new)
        if is_limit or (is_trying and (is_told or self._explains(throttle))):
            self._wait(sent_at, now, was_trying=is_trying)

    def _lower_as_told(self, now: float) -> None:
        before = self._passed_before
        if self._told_until - now > _LONG_S:
            passed, self._passed_before = self._flow.cycle, self._flow.cycle
            if 0 < passed <= _ALIKE * before:  # not once only, by chance
                self._infer(now)
            self._flow.begin_cycle(self._told_until)
        else:
            level, mean = min(self._level, self._ceiling), self._flow.mean_rate(40, now)
            self._level = self._told.lowered(level, mean, self._flow.calls)
        self._experiment = None
        self._noise.forget()
        self._cut(now)
        self._new_rate()

    def _explains(self, throttle: Throttle) -> bool:
        """Whether the limit that is named is one that was tried to exceed."""
        named = min((allowance.rate for allowance in self._allowances.values()), default=math.inf)
        return bool(throttle.limit) and self.rate >= 0.97 * named

    def _wait(self, sent_at: float, now: float, *, was_trying: bool) -> None:
        """It is a limit: nothing leaves until the answers to what is on its way are there, which takes a round trip."""
        self._reached = min(self._flow.rate_until(sent_at), self.rate)
        self._at_rate = min(self.rate, max(self._flow.rate_until(self._noise.since), self._reached))
        if self._state is _State.TRYING:
            self._cost = max(1.0, 0.6 * self._cost + 0.4 * min(self._spent, _DEAREST))
            self._credit = max(min(self._credit, self._cost) - self._spent, -_DEAREST)
        self._was_trying = was_trying
        self._experiment = None
        self._state = _State.WAITING
        self._trip_s = now - sent_at
        self._cut(now)
        self._hold()

    def _hold(self) -> None:
        """As many slots are left out as calls were refused, where those count, too."""
        slots = (self._noise.suspects + 1) / self.rate
        counted = self._counts_refused or not self._was_trying
        self._held_until = max(self._cut_at + self._trip_s, self._noise.since + slots if counted else 0.0)

    def _cut(self, now: float) -> None:
        """What was sent until now was sent at another rate."""
        self._cut_at = now
        self._passed_since_cut = 0

    def _decide(self, now: float) -> None:
        """The round trip is over."""
        passed, refused = self._flow.since(self._noise.since), self._noise.suspects
        answered = passed + refused
        through = (passed + 2) / (answered + 2) if passed and answered >= 4 else 1.0  # noqa: PLR2004
        if self._was_trying:
            self._level = self._after_trying(through, answered, passed)
        else:
            known = min(self._level, self._ceiling)
            self._good = known if not self._is_fast and (self._level < math.inf or self._flow.cycle > _FORGETS) else 0.0
            lowered = self._at_rate * max(0.5, through) if answered >= 4 else self._reached  # noqa: PLR2004
            self._level = _BELOW * min(lowered, self._even_rate / _BELOW)
            self._credit = max(self._credit, self._cost)
        self._is_fast, self._may_be_too_high = not self._was_trying, self._was_trying
        self._noise.forget()
        self._fruitless = 0 if passed else self._fruitless + 1
        is_shut = passed == 0 and (answered >= 4 or self._fruitless > 1 + self._was_trying)  # noqa: PLR2004
        self._state = _State.SHUT if is_shut else _State.KEEPING
        self._shut_at = self._cut_at
        self._cut_at = max(self._cut_at, math.nextafter(now, -math.inf))
        self._new_rate()

    def _after_trying(self, through: float, answered: int, passed: int) -> float:
        before = min(self._level, self._even_rate)
        if answered >= 4 and 2 * passed <= answered:  # noqa: PLR2004
            before *= 0.97
        if self._grown <= _NEAR and answered < 4 and not self._is_tolerant:  # noqa: PLR2004
            return min(before * (1 + 0.15 * (self._grown - 1)), self._even_rate)
        return min(max(before, _BELOW * self._reached * max(through, 0.85)), self._even_rate)

    # --- keeping a rate, and trying for more ------------------------------------------------------------------------

    def _keep(self, cleared: int, now: float) -> None:
        noise = self._noise
        if self._experiment is not None:
            self._experimented(self._experiment, cleared, now)
        elif cleared and self._may_be_too_high and noise.share < 0.01:  # noqa: PLR2004
            self._may_be_too_high = False
            self._level *= 0.985
            self._set_rate()
        elif noise.is_more_than_chance:
            self._experiment = Experiment(self._level, self._flow.mean_rate(40, now), noise)
            self._level = min(self._level, self._ceiling) * (1 - min(0.3, noise.ratio - noise.share + 0.05))
            self._new_rate()
        elif self._level < math.inf or self._allowances:
            self._credit += _EARNS_NAMED if self._allowances else _EARNS
            if self._credit >= self._cost and self._passed_since_cut >= _CALLS_BEFORE:
                self._try()
        elif noise.calls >= _FORGETS:
            if noise.ratio < noise.share:
                noise.learn((noise.ratio + noise.share) / 2)
            noise.count_anew()

    def _experimented(self, experiment: Experiment, cleared: int, now: float) -> None:
        is_chance = experiment.is_chance(cleared)
        if is_chance is None:
            return
        self._experiment = None
        before = min(experiment.level, self._ceiling)
        if not is_chance:
            self._level = max(self._level, before * (1 - experiment.ratio))
        elif experiment.mean_rate < 0.6 * before:  # what is paused for was most of the time
            self._level, self._is_fast = 0.95 * experiment.mean_rate, True
        elif experiment.ratio > MOST:
            self._level *= 1 - experiment.ratio
        else:
            self._noise.learn(experiment.ratio)
            self._level, self._is_fast = experiment.level, True
        self._credit = max(self._credit, self._cost if self._is_fast else 0.0)
        self._new_rate()

    def _try(self) -> None:
        """Begin to try for more."""
        if not self._is_fast:
            self._good = self._level
        self._tries += 1
        self._is_tolerant = self._noise.by_chance >= 2 and self._tries % 2 == 0  # noqa: PLR2004
        self._state = _State.TRYING
        self._grown, self._tried_s, self._spent, self._tried = 1.0, 0.0, 0.0, 0
        self._noise.forget()
        self._set_rate()

    def _grow(self, by_s: float) -> None:
        """A call passed while more was tried."""
        self._spent = max(0.0, self._spent - self._noise.share)
        self._tried += 1
        self._tried_s += by_s
        if self._inferred is not None and self._grown > 1.15:  # noqa: PLR2004
            by_s = self._doubt_the_inferred(self._inferred, by_s)
        starts = _STARTS_FAST if self._is_fast or self._allowances else _STARTS
        self._grown *= math.exp(by_s * min(_FASTEST, starts + _FASTER * self._tried_s))
        self._set_rate()
        if self.rate >= self._ceiling and not self._allowances:
            self._level, self._state, self._credit = math.inf, _State.KEEPING, 0.0

    def _doubt_the_inferred(self, inferred: Allowance, by_s: float) -> float:
        """As many passed at a higher rate as it allows in its period: there is no such limit."""
        if self._tried < inferred.limit:
            return 0.0
        self._level, self._grown, self._inferred = self.rate, 1.0, None
        del self._allowances[inferred.period_s]
        return by_s

    # --- nothing gets through ---------------------------------------------------------------------------------------

    def _next_look(self, now: float) -> float:
        looks = [self._shut_at + after_s for after_s in _LOOKS_S]
        looks += [self._flow.cycle_at + period_s for period_s in _PERIODS_S]
        apart_s = min(max(_APART_S, 1 / self.rate), _LONGEST_APART_S)
        return min((at for at in looks if at > now + apart_s), default=now + _LONGEST_APART_S)

    def _open(self, sent_at: float, now: float) -> None:
        """Something got through again: what passed since it last did, and the time that took, is the rate."""
        shut_s, flow = sent_at - self._shut_at, self._flow
        self._state, self._held_until = _State.KEEPING, 0.0
        if shut_s > max(0.6, 4 / self.rate):
            took_s = max(sent_at - flow.cycle_at, 1e-3)
            mean = max(1, flow.cycle - 1) / took_s
            self._level = max(min(self._level, _BELOW * mean), min(_LOWEST, self._ceiling))
            self._is_fast = self._may_be_too_high = True
            if shut_s > _LONG_S and not self._is_long_known:
                flow.cycle -= 1
                self._infer(sent_at)
            flow.begin_cycle(sent_at)
            self._credit = max(self._credit, self._cost)
        self._cut(now)
        self._last = sent_at
        self._new_rate()

    @property
    def _is_long_known(self) -> bool:
        return any(period_s > _EVEN_S for period_s in self._allowances)

    def _infer(self, now: float) -> None:
        """Take what passed in a minute for the limit of a minute."""
        took_s = now - self._flow.cycle_at
        limit = max(1, round(self._flow.cycle * min(1.0, _MINUTE_S / max(took_s - 2, 1.0))))
        self._inferred = Allowance(limit, _MINUTE_S, self._flow.of_cycle(limit), now)
        self._allowances[_MINUTE_S] = self._inferred
        self._level, self._is_fast = self._inferred.rate, False

    # --- limits that are named --------------------------------------------------------------------------------------

    @property
    def _even_rate(self) -> float:
        return min((a.rate for a in self._allowances.values() if a.period_s <= _EVEN_S), default=math.inf)

    def _take_in(self, throttle: Throttle, now: float) -> bool:
        """Whether a limit is named that was not known."""
        limit, period_s = throttle.limit or 0, throttle.period_s or 0.0
        known = self._allowances.get(period_s)
        if limit <= 0 or period_s <= 0 or (known is not None and known.limit == limit and known is not self._inferred):
            return False
        if self._inferred is not None:
            del self._allowances[self._inferred.period_s]
            self._inferred = None
        self._allowances[period_s] = Allowance(limit, period_s, self._flow.of_cycle(limit), now)
        self._level = self._even_rate
        return True

    # --- rates ------------------------------------------------------------------------------------------------------

    def _begin_at(self, rate: float) -> None:
        if math.isinf(self._ceiling):
            self._ceiling = self._unlimited(0.0)
        self._level = rate
        self._set_rate()

    def _new_rate(self) -> None:
        self._noise.count_anew()
        self._set_rate()

    def _set_rate(self) -> None:
        rate = self._level
        if self._state is _State.TRYING:
            rate = min([rate, *(allowance.rate for allowance in self._allowances.values())]) * self._grown
        self.rate = max(min(rate, self._ceiling), min(_LOWEST, self._ceiling))
