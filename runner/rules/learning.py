"""draft 2"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.rules.allowance import Allowance
from runner.rules.noise import Noise

if TYPE_CHECKING:
    from runner.rules.answers import Throttle

LONGEST_PAUSE_S = 300.0
_LOWEST = 1 / 60
_KEPT = 256
_LOOKS_S = (1.05, 2.5, 6.0, 15.0, 30.0, 45.0, 61.0)
_PERIODS_S = (1.03, 60.5)
_MOST_BY_CHANCE = 0.07
_DEAREST = 15.0
_EARNS = 0.012
_EARNS_NAMED = 0.008
_BELOW = 0.98
_STARTS = 0.02
_STARTS_SEARCH = 0.15
_FASTER = 0.03
_FASTEST = 0.5
_SHORT_S = 2.0

PLATEAU, PROBE, WAIT, BLOCKED = range(4)


class Learner:
    def __init__(self, asked: float, longest_pause_s: float = LONGEST_PAUSE_S) -> None:
        self.asked = asked
        self.rate = asked
        self.level = math.inf
        self.active = False
        self.mode = PLATEAU
        self.longest_pause_s = longest_pause_s
        self._times = [0.0] * _KEPT
        self._n = 0
        self._last = 0.0
        self._x = 0.0
        self._credit = 0.0
        self._cost = 1.0
        self._spent = 0.0
        self._noise = Noise()
        self._cut_at = -math.inf
        self._until = 0.0
        self._hold = 0.0
        self._blocked_at = 0.0
        self._was_probe = False
        self._cycle_at = None
        self._cycle_n = 0
        self._fresh = 0
        self._search = False
        self._trials = 0
        self._counts = False
        self._fails = 0
        self._grown = 1.0
        self._dear = False
        self._strong = False
        self._immune_until = self._told_at = self._waits = self._first_gap = 0
        self._probe_n = 0
        self._probes = 0
        self._noisy_at = 0
        self._inferred = None
        self._good = 0.0
        self._dip = None
        self._floor = 0.0
        self._names = {}
        self.named = math.inf

    # ---- what the pace asks
    def opens_at(self, others: int) -> float:
        at = max(self._until, self._hold)
        if self.mode == PLATEAU:
            for name in self._names.values():
                at = max(at, min(name.opens_at(others), self._last_sent + self.longest_pause_s))
        return at

    def sent(self, now: float) -> None:
        self._last_sent = now
        if self._cycle_at is None:
            self._cycle_at = now
        for name in self._names.values():
            name.sent(now)
        if self.mode == WAIT:
            self._decide(now)
        if self.mode == BLOCKED:
            looks = [self._blocked_at + after for after in _LOOKS_S]
            looks += [self._cycle_at + period for period in _PERIODS_S]
            self._hold = min((at for at in looks if at > now + max(0.3, 1 / self.rate)), default=now + 60.0)

    # ---- what came of calls
    def accepted(self, sent_at: float, now: float) -> None:
        self._times[self._n & (_KEPT - 1)] = sent_at
        self._n += 1
        self._cycle_n += 1
        if self.active:
            self._passed(sent_at, now)

    def _passed(self, sent_at: float, now: float) -> None:
        for name in self._names.values():
            name.answered(sent_at)
        if sent_at <= self._cut_at:
            return
        if self.mode == BLOCKED:
            self._unblock(sent_at, now)
            return
        self._fresh += 1
        self._was_probe = False
        self._fails = 0
        gap, self._last = max(0.0, sent_at - self._last), max(sent_at, self._last)
        by_chance = self._noise.passed(counts=self.mode == PLATEAU)
        if by_chance:
            self._noisy_at = self._n
        if self.mode == PROBE:
            step = min(gap, 0.1)
            self._spent = max(0.0, self._spent - self._noise.share)
            self._x += step
            slow = _STARTS_SEARCH if self._search or self._names else _STARTS
            self._probe_n += 1
            if self._inferred is not None and self._grown > 1.15:
                if self._probe_n < self._inferred.limit:
                    step = 0.0
                else:
                    self.level = self.rate
                    self._grown = 1.0
                    del self._names[60.0]
                    self._inferred = None
            self._grown *= math.exp(step * min(_FASTEST, slow + _FASTER * self._x))
            self._set_rate()
            if self.rate >= self.asked and not self._names:
                self.level, self.mode, self._x, self._credit = math.inf, PLATEAU, 0.0, 0.0
                self._set_rate()
        elif self.mode == PLATEAU:
            self._settled(by_chance)

    def _settled(self, by_chance: int) -> None:
        noise = self._noise
        if self._dip is not None:
            self._dipped(by_chance)
        elif by_chance and self._trials and noise.share < 0.01:
            self._trials -= 1
            self.level *= 0.9 if self._dear else 0.985
            self._set_rate()
        elif noise.is_more:
            ratio = noise.ratio
            self._dip = (self.level, ratio, self._seen_rate(), 0, 0.0)
            self._dip_n, self._dip_r = noise.calls, noise.by_chance
            self.level = min(self.level, self.asked) * (1 - min(0.3, ratio - noise.share + 0.03))
            self._new_epoch()
        elif self.level < math.inf or self._names:
            self._credit += _EARNS_NAMED if self._names else _EARNS
            if self._credit >= self._cost and self._fresh >= 12:
                if not self._search:
                    self._good = self.level
                self._probes += 1
                self._strong = noise.by_chance >= 2 and self._probes % 2 == 0
                self._probe_n = 0
                self.mode, self._x, self._spent, self._grown = PROBE, 0.0, 0.0, 1.0
                noise.forget()
                self._set_rate()
        if noise.calls >= 300 and self._dip is None:
            if noise.ratio < noise.share:
                noise.learned((noise.ratio + noise.share) / 2)
            noise.new_epoch()

    def _dipped(self, by_chance: int) -> None:
        level, ratio, seen, step, score = self._dip
        score += math.log((1 - ratio) / (1 - 0.2 * ratio)) + by_chance * math.log(5)
        self._dip = (level, ratio, seen, step, score)
        if score <= -3.5:
            self._dip = None
            if step == 0:
                self.level = max(self.level, min(level, self.asked) * (1 - ratio))
            self._search, self._credit = step == 1, max(self._credit, self._cost * step)
            self._new_epoch()
        elif score >= 3 and step == 0 and seen < 0.6 * min(level, self.asked):
            self._dip = (level, ratio, seen, 1, 0.0)
            self.level = 0.95 * seen
            self._new_epoch()
        elif score >= 3:
            pooled = (self._dip_r + self._noise.by_chance) / (self._dip_n + self._noise.calls)
            if pooled > _MOST_BY_CHANCE:
                self._dip = None
                self.level *= 1 - pooled
            else:
                self._noise.learned(pooled)
                self.level, self._dip = level, None
                self._search, self._credit = True, max(self._credit, self._cost)
            self._new_epoch()

    def _seen_rate(self) -> float:
        """throughput of late, pauses and all"""
        count = min(self._n, 40)
        oldest = self._times[(self._n - count) & (_KEPT - 1)]
        return count / max(self._last - oldest, 1e-3)

    def _new_epoch(self) -> None:
        self._noise.new_epoch()
        self._set_rate()

    def refused(self, throttle: Throttle, sent_at: float, now: float) -> float:
        self.active = True
        if throttle.retry_after_s:
            self._until = max(self._until, now + min(throttle.retry_after_s, self.longest_pause_s))
        news = self._name(throttle, now)
        for name in self._names.values():
            name.answered(sent_at)
        if sent_at <= self._cut_at:
            if sent_at >= self._noise.since and self.mode == WAIT:
                self._noise.refused_in += 1
                self._wait(now)
                if self._was_probe:
                    self._credit -= 1
            return self._pause(now)
        if self.mode == BLOCKED:
            return self._pause(now)
        if news:
            self._cut(now)
            self._new_epoch()
            self.mode = PLATEAU
            return self._pause(now)
        if self.mode == PLATEAU and self._was_probe and self._fresh == 0:
            self._counts = True
            self._noise.refused(sent_at, suspected=True)
            self._suspect(sent_at, now, again=True)
            return self._pause(now)
        told = bool(throttle.limit and throttle.period_s)
        probing = self.mode == PROBE
        if probing:
            self._spent += 1 + 0.7 * max(0.0, self._until - now) * self.rate
        self._dear = (self._until - now) * self.rate > 3
        quiet = self._n - self._noisy_at > 150 and self._noise.share < 0.01
        tolerant = self._strong or (self._search and not quiet) or self.rate <= self._good
        above = probing and not tolerant
        if self._told_to_wait(throttle, sent_at, now):
            return self._pause(now)
        told = told and probing and self.rate >= 0.97 * min(name.rate for name in self._names.values())
        if self._noise.refused(sent_at, suspected=above) or told:
            self._suspect(sent_at, now)
        return self._pause(now)

    def _told_to_wait(self, throttle: Throttle, sent_at: float, now: float) -> bool:
        """A plateau refusal with Retry-After: the limiter itself speaks."""
        if not throttle.retry_after_s or self.mode != PLATEAU or self._n < self._immune_until:
            return False
        gap, self._told_at = self._n - self._told_at, self._n
        if self._waits == 0 or gap > 3 * self._first_gap:
            self._waits, self._first_gap, self._top = 0, gap, min(self.level, self.asked)
        self._waits += 1
        if self._waits > 4:
            self.level, self._waits, self._immune_until = self._top, 0, self._n + 300
            self._cut(now)
            self._new_epoch()
            return True
        seen = self._seen_rate()
        level = min(self.level, self.asked)
        self.level = max(level * 0.92, min(level, 0.97 * seen))
        if seen < 0.3 * level:
            self.level = 0.97 * seen
        self._dip = None
        self._noise.forget()
        self._cut(now)
        self._new_epoch()
        return True

    def _pause(self, now: float) -> float:
        return max(0.0, self.opens_at(0) - now)

    def _cut(self, now: float) -> None:
        self._cut_at = now
        self._fresh = 0
        self._x = 0.0

    def _suspect(self, sent_at: float, now: float, again: bool = False) -> None:
        self._was_probe = self.mode == PROBE or again
        self._crossed_at = self._grown
        self._reached = min(self._measured(sent_at), self.rate)
        self._at_rate = min(self.rate, max(self._measured(self._noise.since), self._reached))
        if self.mode == PROBE:
            self._cost = max(1.0, 0.6 * self._cost + 0.4 * min(self._spent, _DEAREST))
            self._credit = max(min(self._credit, self._cost) - self._spent, -_DEAREST)
        self._before = self._dip[0] if self._dip and not self._was_probe else self.level
        self._dip = None
        self.mode = WAIT
        self._trip_s = now - sent_at
        self._hold = 0.0
        self._cut(now)
        self._wait(now)

    def _wait(self, now: float) -> None:
        refused = self._noise.refused_in
        slots = self._noise.since + (refused + 1) / self.rate if self._counts or not self._was_probe else 0.0
        self._hold = max(self._cut_at + self._trip_s, slots)

    def _decide(self, now: float) -> None:
        since, refused = self._noise.since, self._noise.refused_in
        passed = sum(at >= since for at in self._times[: self._n])
        answered = passed + refused
        level = _BELOW * self._reached
        if self.level == math.inf and not self.named < math.inf:
            self._good = self.asked if self._cycle_n > 300 else 0.0
        elif self._search or self._was_probe:
            self._good = 0.0
        through = 1.0
        if answered >= 4:
            through = (passed + 2) / (answered + 2) if passed else 1.0
            if self._was_probe:
                level *= max(through, 0.85)
            else:
                level = _BELOW * self._at_rate * max(0.5, through)
        self._search = not self._was_probe
        if self._was_probe:
            before = min(self.level, self.named)
            if answered >= 4 and 2 * passed <= answered:
                before *= 0.97
            near = self._crossed_at <= 1.08 and answered < 4 and not self._strong
            level = before * (1 + 0.15 * (self._crossed_at - 1)) if near else max(level, before)
            self._trials = 1
        else:
            self._credit = max(self._credit, self._cost)
            self._trials = 0
        self.level = max(min(level, self.named), min(_LOWEST, self.asked))
        self._noise.forget()
        self._fails = 0 if passed else self._fails + 1
        if passed == 0 and (answered >= 4 or self._fails > 1 + self._was_probe):
            self._blocked_at = self._cut_at
            self.mode = BLOCKED
        else:
            self.mode = PLATEAU
        self._cut_at = max(self._cut_at, math.nextafter(now, -math.inf))
        if not (self._was_probe and self._crossed_at <= 1.08):
            self._new_epoch()
        self._set_rate()

    def _unblock(self, sent_at: float, now: float) -> None:
        whole = sent_at - self._cycle_at
        self.mode = PLATEAU
        self._hold = 0.0
        blocked = sent_at - self._blocked_at
        if blocked > max(0.6, 4 / self.rate):
            seen = max(1, self._cycle_n - 1) / whole
            self.level = max(min(self.level, _BELOW * seen, self.asked), min(_LOWEST, self.asked))
            self._search = True
            self._trials = 1
            if blocked > 3 and not any(name.period_s > _SHORT_S for name in self._names.values()):
                count = max(1, self._cycle_n - 1 if whole < 62 else round(seen * 60))
                self._inferred = self._names[60.0] = Allowance(count, 60.0, self._past(count), now)
                self.level = min(self.asked, self._inferred.rate)
                self._search = False
            self._cycle_at, self._cycle_n = sent_at, 1
            self._credit = max(self._credit, self._cost)
        self._cut(now)
        self._new_epoch()
        self._last = sent_at

    def _measured(self, until: float) -> float:
        count = min(self._n, _KEPT)
        seen, oldest = 0, until
        for back in range(1, count + 1):
            at = self._times[(self._n - back) & (_KEPT - 1)]
            if at > until:
                continue
            if until - at > 1.0 and seen >= 10:
                break
            seen, oldest = seen + 1, at
        span = max(until - oldest, 1e-3)
        return seen / span if seen else self.rate

    def _name(self, throttle: Throttle, now: float) -> bool:
        if not throttle.limit or not throttle.period_s or throttle.limit < 0 or throttle.period_s < 0:
            return False
        limit, period = throttle.limit, throttle.period_s
        known = self._names.get(period)
        if known is not None and known.limit == limit:
            return False
        if self._inferred is not None:
            del self._names[60.0]
            self._inferred = None
        name = self._names[period] = Allowance(limit, period, self._past(limit), now)
        self.named = min((n.rate for n in self._names.values() if n.period_s <= _SHORT_S), default=math.inf)
        self.level = self.named
        return True

    def _past(self, limit: int) -> list[float]:
        count = min(self._n, _KEPT)
        known = sorted(self._times[(self._n - back) & (_KEPT - 1)] for back in range(count, 0, -1))
        missing = min(limit, self._cycle_n) - len(known)
        if missing > 0 and known:
            start = self._cycle_at
            step = (known[0] - start) / (self._cycle_n - len(known) + 1)
            known = [known[0] - step * back for back in range(missing, 0, -1)] + known
        return known[-limit:]

    def _set_rate(self) -> None:
        base = self.level
        if self.mode == PROBE:
            known = min([self.level, *(name.rate for name in self._names.values())])
            base = min(base, known) * self._grown
        self.rate = max(min(base, self.asked), min(_LOWEST, self.asked))
