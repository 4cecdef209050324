"""What a lane learns of the service's limit from its answers, and the rate that follows from it.

Refusals are evidence, and few of them are (api-facts 5): a limit may be named or not, counted by any window, shared with
others, and change; single calls are refused by chance. So refusals one by one slow nothing down (`noise`), those that stand
together do: then the answers of one round trip tell how much gets through, which is the new rate (as TCP's equation does by
what was lost and not by a fixed part, RFC 5348; and as clients throttle themselves in Google's Site Reliability Engineering,
ch. 21). It is kept, and tried now and then whether there is more (`trying`). Where nothing at all gets through, single calls
at growing distances look when something does again, and what passed since it last did is the rate.

No clock and no I/O: times are monotonic seconds and given; rates are calls per second. An answer costs the same whatever
came before; once a call was refused, some hundred numbers are looked through at times.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import TYPE_CHECKING

from runner.rules.allowance import Allowances
from runner.rules.flow import Flow
from runner.rules.noise import MOST, Experiment, Noise
from runner.rules.told import TimesTold
from runner.rules.trying import Budget, Growth, next_look

if TYPE_CHECKING:
    from runner.rules.answers import Throttle

LONGEST_PAUSE_S = 300.0
"""For how long a lane waits where it is not told otherwise, seconds."""
# What a lane without a limit of its own keeps below once it was refused a call: the gateway's default (api-facts 5), or this
# many times what passed.
_GATEWAY_RATE, _UNLIMITED = 200.0, 2.0
_LOWEST = 1 / 60
# A rate is kept by so much below what got through, for the network moves calls about; and by one such step more if calls are
# refused at it.
_BELOW, _STEP = 0.98, 0.985
# A call that is paused for costs as much as this share of the calls that could have been made meanwhile.
_PAUSED = 0.7
# So few answers tell nothing of how much gets through.
_FEW = 4
# A limit that was met within so much of the known rate is the known one: it is raised by a share of that only.
_NEAR, _OF_NEAR = 1.08, 0.15
_LEAST_THROUGH, _LEAST_TRIED, _LESS = 0.5, 0.85, 0.97
# An experiment goes below what gets through by so much, at most to so much.
_DEEPER, _DEEPEST = 0.05, 0.3
# Nothing for longer than this, and what passed in a minute is the limit of a minute, seconds; nor for less is it a rate.
_LONG_S, _SHORT_S, _SHORT_CALLS = 3.0, 0.6, 4
_ALIKE = 2
# Calls: before a try; to be sure that chance refuses none; after which chance is thought over.
_SETTLED, _QUIET, _THOUGHT_OVER = 12, 150, 300
_NO_CHANCE = 0.01
_MEAN_OF = 40
_PAUSED_MOSTLY = 0.6


class _State(Enum):
    KEEPING = auto()
    TRYING = auto()  # whether there is more
    WAITING = auto()  # for the answers to what is on its way
    SHUT = auto()  # nothing gets through


class Learner:
    """`asked` is the configured rate, which is never exceeded; infinity: none. `rate` is what to keep to now.

    It `is_active` once a call was refused: until then only `note` is needed of what passed.
    """

    def __init__(self, asked: float, longest_pause_s: float = LONGEST_PAUSE_S, begins_at: float | None = None) -> None:
        self.asked = self.rate = self._ceiling = asked
        self.is_active = begins_at is not None
        self._longest_pause_s = longest_pause_s
        self._level = math.inf  # what is known to get through; infinity: whatever is asked for
        self._state = _State.KEEPING
        self._flow, self._noise, self._told = Flow(), Noise(), TimesTold()
        self._allowances, self._budget = Allowances(), Budget()
        self._growth = Growth(is_fast=False)
        self._experiment: Experiment | None = None
        self._told_until = self._held_until = 0.0
        self._cut_at = self._last = self._sent_at = -math.inf
        self._tries = self._settled = self._fruitless = self._chance_at = self._passed_before = 0
        self._is_fast = self._is_tolerant = self._was_trying = self._counts_refused = self._may_be_too_high = False
        self._good = self._reached = self._rate_then = self._trip_s = self._shut_at = 0.0
        if begins_at is not None:
            self._ceiling = _GATEWAY_RATE if math.isinf(asked) else asked
            self._level = begins_at
            self._set_rate()

    # --- what the pace asks -----------------------------------------------------------------------------------------

    @property
    def learned(self) -> float | None:
        """The rate to begin with another time; None: no limit is known."""
        known = min(self._level, self._allowances.rate)
        return known if self.is_active and known < self.asked else None

    def opens_at(self, others: int) -> float:
        """From when on one more call may leave after `others` more; a time that is over: at once."""
        at = max(self._told_until, self._held_until)
        if self._state is _State.KEEPING and self._allowances:
            at = max(at, min(self._allowances.opens_at(others), self._sent_at + self._longest_pause_s))
        return at

    def set_asked(self, rate: float) -> None:
        """Another rate is asked for."""
        self.asked = rate
        self._ceiling = self._unlimited(self._sent_at) if math.isinf(rate) and self.is_active else rate
        self._set_rate()

    # --- what happens -----------------------------------------------------------------------------------------------

    def sent(self, now: float) -> None:
        """A call leaves."""
        self._sent_at = now
        self._allowances.sent(now)
        if self._state is _State.WAITING:
            self._decide(now)
        if self._state is _State.SHUT:
            self._held_until = next_look(self._shut_at, self._flow.cycle_at, self.rate, now)

    def note(self, sent_at: float) -> None:
        """A call passed, and none was refused so far."""
        self._flow.passed(sent_at)

    def passed(self, sent_at: float, now: float) -> None:
        """A call passed that was sent at `sent_at`: it was not refused for the rate."""
        self._flow.passed(sent_at)
        self._allowances.answered(sent_at)
        if sent_at <= self._cut_at:
            return
        if self._state is _State.SHUT:
            self._open(sent_at, now)
            return
        self._settled += 1
        self._was_trying, self._fruitless = False, 0
        apart_s, self._last = max(0.0, sent_at - self._last), max(sent_at, self._last)
        cleared = self._noise.passed(counts=self._state is _State.KEEPING)
        if cleared:
            self._chance_at = self._flow.calls
        if self._state is _State.TRYING:
            self._grow(apart_s)
        elif self._state is _State.KEEPING:
            self._keep(cleared, now)

    def refused(self, throttle: Throttle, sent_at: float, now: float) -> float:
        """A call was refused that was sent at `sent_at`. Return for how long no call leaves, seconds."""
        self._wake(sent_at)
        if throttle.retry_after_s:
            self._told_until = max(self._told_until, now + min(throttle.retry_after_s, self._longest_pause_s))
        is_news = self._allowances.take_in(throttle, self._flow, now)
        self._allowances.answered(sent_at)
        if is_news:
            self._level = self._allowances.even_rate
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
        self._flow.begin(sent_at)

    def _unlimited(self, now: float) -> float:
        return max(_GATEWAY_RATE, _UNLIMITED * self._flow.rate_until(now))

    def _refused_beside(self, sent_at: float) -> None:
        """It was on its way already when the rate was lowered: it tells how much gets through at the rate of before."""
        if self._state is _State.WAITING and sent_at >= self._noise.since:
            self._noise.suspects += 1
            self._hold()
            self._budget.owe(int(self._was_trying and not self._is_fast))

    def _weigh(self, throttle: Throttle, sent_at: float, now: float) -> None:
        is_trying, calls = self._state is _State.TRYING, self._flow.calls
        if is_trying:
            self._budget.spend(1 + _PAUSED * max(0.0, self._told_until - now) * self.rate)
        if self._was_trying and self._settled == 0:
            # Refused calls count themselves, or the first after the last try would have passed.
            self._counts_refused = True
            self._noise.refused(sent_at, is_new=True)
            self._wait(sent_at, now, was_trying=True)
            return
        is_told = bool(throttle.retry_after_s) and not (self._allowances.has_long or self._told.is_chance(calls))
        if is_told and self._state is _State.KEEPING:
            self._lower_as_told(now)
            return
        is_quiet = calls - self._chance_at > _QUIET and self._noise.share < _NO_CHANCE
        is_new = is_trying and not (self._is_tolerant or self.rate <= self._good or (self._is_fast and not is_quiet))
        is_limit = self._noise.refused(sent_at, is_new=is_new)
        if is_limit or (is_trying and (is_told or self._allowances.explain(throttle, self.rate))):
            self._wait(sent_at, now, was_trying=is_trying)

    def _lower_as_told(self, now: float) -> None:
        before, passed = self._passed_before, self._flow.cycle
        if self._told_until - now > _LONG_S:
            if before / _ALIKE <= passed <= _ALIKE * before:  # not once only, by chance
                self._infer(now)
            self._passed_before = max(passed, before // _ALIKE)
            self._flow.begin_cycle(self._told_until, passed=0)
        else:
            level, mean = min(self._level, self._ceiling), self._flow.mean_rate(_MEAN_OF, now)
            self._level = self._told.lowered(level, mean, self._flow.calls)
        self._experiment = None
        self._noise.forget()
        self._cut(now)
        self._new_rate()

    def _wait(self, sent_at: float, now: float, *, was_trying: bool) -> None:
        """It is a limit: nothing leaves until the answers to what is on its way are there, which takes a round trip."""
        self._reached = min(self._flow.rate_until(sent_at) or self.rate, self.rate)
        self._rate_then = min(self.rate, max(self._flow.rate_until(self._noise.since), self._reached))
        if self._state is _State.TRYING:
            self._budget.end(is_free=self._is_fast)
        self._was_trying = was_trying
        self._experiment = None
        self._state = _State.WAITING
        self._trip_s = now - sent_at
        self._cut(now)
        self._hold()

    def _hold(self) -> None:
        """As many slots are left out as calls were refused, where those count, too."""
        slots_s = (self._noise.suspects + 1) / self.rate
        counted = self._counts_refused or not self._was_trying
        self._held_until = max(self._cut_at + self._trip_s, self._noise.since + slots_s if counted else 0.0)

    def _cut(self, now: float) -> None:
        """What was sent until now was sent at another rate."""
        self._cut_at = now
        self._settled = 0

    def _decide(self, now: float) -> None:
        """The round trip is over."""
        passed = self._flow.since(self._noise.since)
        answered = passed + self._noise.suspects
        through = (passed + 2) / (answered + 2) if passed and answered >= _FEW else 1.0
        if self._was_trying:
            self._level = self._after_trying(through, answered, passed)
        else:
            known = min(self._level, self._ceiling)
            is_proven = self._level < math.inf or self._flow.cycle > _THOUGHT_OVER
            self._good = known if is_proven and not self._is_fast else 0.0
            lowered = self._rate_then * max(_LEAST_THROUGH, through) if answered >= _FEW else self._reached
            self._level = min(_BELOW * lowered, self._allowances.even_rate)
            self._budget.grant()
        self._is_fast, self._may_be_too_high = not self._was_trying, self._was_trying
        self._noise.forget()
        self._fruitless = 0 if passed else self._fruitless + 1
        is_shut = passed == 0 and (answered >= _FEW or self._fruitless > 1 + self._was_trying)
        self._state = _State.SHUT if is_shut else _State.KEEPING
        self._shut_at = self._cut_at
        self._cut_at = max(self._cut_at, math.nextafter(now, -math.inf))
        self._new_rate()

    def _after_trying(self, through: float, answered: int, passed: int) -> float:
        even_rate = self._allowances.even_rate
        before = min(self._level, even_rate)
        if answered >= _FEW and 2 * passed <= answered:
            before *= _LESS
        if self._growth.factor <= _NEAR and answered < _FEW and not self._is_tolerant:
            return min(before * (1 + _OF_NEAR * (self._growth.factor - 1)), even_rate)
        return min(max(before, _BELOW * self._reached * max(through, _LEAST_TRIED)), even_rate)

    # --- keeping a rate, and trying for more ------------------------------------------------------------------------

    def _keep(self, cleared: int, now: float) -> None:
        noise = self._noise
        if self._experiment is not None:
            self._experimented(self._experiment, cleared)
        elif cleared and self._may_be_too_high and noise.share < _NO_CHANCE:
            self._may_be_too_high = False
            self._level *= _STEP
            self._set_rate()
        elif noise.is_more_than_chance:
            self._experiment = Experiment(self._level, self._flow.mean_rate(_MEAN_OF, now), noise)
            lower = min(_DEEPEST, noise.ratio - noise.share + _DEEPER)
            self._level = min(self._level, self._ceiling) * (1 - lower)
            self._new_rate()
        elif self._level < math.inf or self._allowances:
            self._budget.earn(is_named=bool(self._allowances))
            if self._budget.is_enough and self._settled >= _SETTLED:
                self._try()
        elif noise.calls >= _THOUGHT_OVER:
            if noise.ratio < noise.share:
                noise.learn((noise.ratio + noise.share) / 2)
            noise.count_anew()

    def _experimented(self, experiment: Experiment, cleared: int) -> None:
        is_chance = experiment.is_chance(cleared)
        if is_chance is None:
            return
        self._experiment = None
        before = min(experiment.level, self._ceiling)
        if not is_chance:
            self._level = max(self._level, before * (1 - experiment.ratio))
        elif experiment.mean_rate < _PAUSED_MOSTLY * before:
            self._level, self._is_fast = _BELOW * experiment.mean_rate, True
        elif experiment.ratio > MOST:
            self._level *= 1 - experiment.ratio
        else:
            self._noise.learn(experiment.ratio)
            self._level, self._is_fast = experiment.level, True
        if self._is_fast:
            self._budget.grant()
        self._new_rate()

    def _try(self) -> None:
        """Begin to try for more."""
        if not self._is_fast:
            self._good = self._level
        self._tries += 1
        self._is_tolerant = self._noise.by_chance > 1 and self._tries % 2 == 0
        self._state = _State.TRYING
        self._growth = Growth(is_fast=self._is_fast or bool(self._allowances))
        self._budget.begin()
        self._noise.forget()
        self._set_rate()

    def _grow(self, apart_s: float) -> None:
        """A call passed while more was tried. What was inferred holds until as many passed at a higher rate."""
        growth, inferred = self._growth, self._allowances.inferred
        self._budget.spend(-self._noise.share)
        in_doubt = inferred is not None and growth.factor > 1 + _OF_NEAR
        is_none = inferred is not None and in_doubt and growth.calls >= inferred.limit
        growth.passed(apart_s, holds=(in_doubt and not is_none) or self.rate >= self._ceiling)
        if is_none:
            self._allowances.forget_inferred()
            self._level, self._growth = self.rate, Growth(is_fast=True)
        self._set_rate()
        if self.rate >= self._ceiling and not self._allowances:
            self._level, self._state = math.inf, _State.KEEPING
            self._budget.forget()

    # --- something gets through again -------------------------------------------------------------------------------

    def _open(self, sent_at: float, now: float) -> None:
        """What passed since something last got through again, and the time that took, is the rate."""
        shut_s, flow = sent_at - self._shut_at, self._flow
        self._state, self._held_until = _State.KEEPING, 0.0
        if shut_s > max(_SHORT_S, _SHORT_CALLS / self.rate):
            flow.cycle = max(1, flow.cycle - 1)
            mean = flow.mean_of_cycle(sent_at)
            if flow.cycle < _FEW:  # too few to be a rate
                mean = max(mean, min(self._level, self._ceiling) / _FEW)
            self._level = min(self._level, _BELOW * mean)
            self._is_fast = self._may_be_too_high = True
            if shut_s > _LONG_S and not self._allowances.has_long:
                self._infer(sent_at)
            flow.begin_cycle(sent_at)
            self._budget.grant()
        self._cut(now)
        self._last = sent_at
        self._new_rate()

    def _infer(self, now: float) -> None:
        self._level, self._is_fast = self._allowances.infer(self._flow, now), False

    def _new_rate(self) -> None:
        self._noise.count_anew()
        self._set_rate()

    def _set_rate(self) -> None:
        lowest = min(_LOWEST, self._ceiling)
        rate = self._level = max(self._level, lowest)
        if self._state is _State.TRYING:
            rate = min(rate, self._allowances.rate) * self._growth.factor
        self.rate = max(min(rate, self._ceiling), lowest)
