"""What a rollout promises, checked at every event: its own count of servers, limits, waves and what people asked for.

Nothing of the runner's ledger or gate is asked: only the plan, the events and the phases of requests.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from runner.model import Server
from runner.plan.plan import Plan
from runner.plan.rollout.model import Rollout
from runner.report.fold import Report
from runner.run import events as e
from runner.run.facts import Facts
from runner.run.phases import Phase
from runner.spec.rollout.model import Share, WindowRules
from runner.spec.rollout.windows import Window, parse_allow
from tests.engine.virtual import VirtualClock
from tests.wall_clocks import open_minutes

_IN_FLIGHT = frozenset({Phase.SENT, Phase.IN_DOUBT, Phase.OPEN})
_READY = frozenset({Phase.READY, Phase.RETRY})
_ABNORMAL, _SKIPPED = frozenset("ftu"), frozenset("k")
_RULE = re.compile(r"daily (\d\d):(\d\d)-(\d\d):(\d\d)")
_SETTABLE = {"max_abnormal", "max_unavailable", "max_skipped"}
_DECISIONS: dict[type, str] = {
    e.WaveStarted: "start",
    e.WavePassed: "pass",
    e.ApprovalAsked: "ask_approval",
    e.Held: "hold",
    e.Crawls: "crawl",
    e.Aborted: "abort",
    e.IntakeEnded: "end_intake",
    e.LeftOut: "leave_out",
}


class _Limit(NamedTuple):
    name: str
    share: Share
    members: frozenset[str]
    counted: frozenset[str]

    def most(self, share: Share) -> int:
        if share.count is not None:
            return share.count
        return int((share.percent or 0.0) * len(self.members) / 100 + 1e-9)


def values_of(server: Server, expression: str) -> str:
    """What an expression of the stories, `labels.NAME`, is for a server."""
    return server.labels[expression.removeprefix("labels.")]


class RolloutPromises:
    """Looks on beside `Promises`, which tells it of events, and of servers whose outcome is final."""

    def __init__(self, plan: Plan, rollout: Rollout, clock: VirtualClock) -> None:
        self.set_forward = False
        self._closed_at: dict[int, float] = {}
        self._clock = clock
        self._plan = plan
        self._rules = rollout
        self._servers = {server.id: server for group in plan.groups for server in group.servers}
        self._limits = list(_limits(plan, rollout, list(self._servers.values())))
        self._banned_by: dict[int, set[str]] = {}
        self._first_steps = _first_steps(plan)
        self._windows = None if rollout.window is None else _minutes_allowed(rollout.window.allow)
        self._parsed = Window() if rollout.window is None else _parsed(rollout.window)
        _check_waves(plan, rollout)

    def process_began(self, state: Facts) -> None:
        """Another process goes on: what follows is its journal, then what it does."""
        self._state = state
        self._shares = {name: limit.share for limit in self._limits if (name := limit.name) in _SETTABLE}
        self._letters: dict[str, str] = {}
        self._through: set[tuple[str, int]] = set()
        self._begun: set[str] = set()
        self._banned: set[str] = set()
        self._foreseen: set[str] = set()
        self._left_out: set[str] = set()
        self._held_groups: set[str] = set()
        self._may_not_send: set[str] = set()
        self._waves_begun: list[int] = []
        self._waves_passed: list[int] = []
        self._checks_passed: Counter[int] = Counter()
        self._checking: tuple[int, int] | None = None
        self._asked: int | None = None
        self._held_by = ""
        self._waived: set[int] = set()
        self._accepted_at: dict[int, float] = {}
        self._longest: dict[int, float] = {}

    def closed(self, request: int, servers: Sequence[str], letters: str, really_at: float | None) -> None:
        """A request of a main step is over; its servers ended so. `really_at`: just now, or by memory (None)."""
        entry = self._state.requests[request]
        if really_at is not None:
            self._closed_at[entry.wave] = really_at
        for server, letter in zip(servers, letters, strict=True):
            if letter == "s":
                self._through.add((server, entry.step))
            if letter != "s" or entry.step == self._plan.main_steps - 1:
                self._letters[server] = letter

    def tell(self, event: e.Event, *, live: bool) -> None:
        """Take the event in; where it has just happened, and is no memory, hold it against the rules."""
        if isinstance(event, e.Intended):
            if live:
                self._check_intent(event.request)
            self._begun.update(self._ids(event.request))
        elif isinstance(event, e.Suspected | e.Adopted):
            self._begun.update(self._ids(event.request))
        handler = getattr(self, f"_on_{event.kind}", None)
        if handler is not None:
            handler(event, live)

    def kept_by(self, report: Report, events: Sequence[e.Event], *, finished: bool) -> None:
        """Counts add up to the plan, wave by wave, and every decision is told of."""
        waves = report["waves"]
        assert [wave["counts"]["servers"] for wave in waves] == [wave.servers for wave in self._rules.waves]
        total = Counter[str]()
        for wave in waves:
            total.update(wave["counts"])
        assert {name: count for name, count in total.items() if count} == {
            name: count for name, count in report["counts"].items() if count
        }
        told = Counter(decision["what"] for decision in report["decisions"])
        happened = Counter(what for event in events if (what := _DECISIONS.get(type(event))))
        for event in events:
            if isinstance(event, e.Checked):
                happened["check_passed" if event.passed else "check_failed"] += 1
            elif isinstance(event, e.Commanded):
                happened[event.action + ("" if event.refused is None else "_refused")] += 1
        assert told == happened
        if finished:
            # At the end of intake nothing may have been left to do: neither a request to send nor a check to make.
            left = list(enumerate(self._rules.waves))[len(self._waves_passed) :]
            unmade = [wave.name for at, wave in left if wave.approve or self._checks_passed[at] < len(wave.checks)]
            assert not left or (happened["end_intake"] and not unmade)
            self._check_follow_ups(report)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _on_wave_started(self, event: e.WaveStarted, _: bool) -> None:
        assert self._waves_passed == list(range(event.wave)), "a wave began before the one before was passed"
        self._waves_begun.append(event.wave)

    def _on_wave_passed(self, event: e.WavePassed, live: bool) -> None:
        wave = self._rules.waves[event.wave]
        assert not wave.approve, "nobody approved"
        self._passed(event.wave, live=live)

    def _passed(self, wave: int, *, live: bool) -> None:
        assert self._waves_begun == list(range(wave + 1))
        self._waves_passed.append(wave)
        self._check_something_succeeded(wave)
        assert self._checks_passed[wave] == len(self._rules.waves[wave].checks), "not every check was passed"
        if live:
            mine = [r for r, entry in enumerate(self._state.requests.entries) if entry.wave == wave]
            open_ones = [r for r in mine if self._state.is_main(r) and not self._state.phases[r].is_over]
            assert not open_ones, f"requests {open_ones} of a wave that was passed are not over"
            soaked_s = self._clock.monotonic() - self._closed_at.get(wave, -math.inf)
            # After a boot only the wall clock tells how long the machine was away, and somebody may have set it forward.
            lost = self.set_forward and self._clock.boots > 1
            assert lost or soaked_s >= self._rules.waves[wave].soak_s - 1e-3, "no soak"

    def _check_something_succeeded(self, wave: int) -> None:
        mine = {s for r, entry in enumerate(self._plan.requests) if entry.wave == wave for s in self._ids(r)}
        letters = {self._letters.get(server, "-") for server in mine}
        assert "s" in letters or letters <= {"x", "-"} or wave in self._waived, "nothing succeeded, and nobody cared"

    def _on_check_started(self, event: e.CheckStarted, _: bool) -> None:
        self._checking = (event.wave, event.check)

    def _on_checked(self, event: e.Checked, _: bool) -> None:
        self._checking = None
        # A step is made once: where it failed, the run is held, and a person who goes on has passed it.
        is_step = self._rules.waves[event.wave].checks[event.check].step is not None
        self._checks_passed[event.wave] += event.passed or is_step

    def _on_approval_asked(self, event: e.ApprovalAsked, _: bool) -> None:
        self._asked = event.wave

    def _on_held(self, event: e.Held, _: bool) -> None:
        self._held_by = event.rule
        self._may_not_send.add("held")

    def _on_aborted(self, _: e.Aborted, __: bool) -> None:
        assert "aborted" not in self._may_not_send, "aborted twice"
        self._may_not_send.add("aborted")

    def _on_accepted(self, event: e.Accepted | e.Adopted, _: bool) -> None:
        self._accepted_at[event.request] = event.at

    _on_adopted = _on_accepted

    def _on_settled(self, event: e.Settled, _: bool) -> None:
        step = self._state.requests[event.request].step
        if not set(event.outcomes) & {"s", "f"} or (event.duration_s is None and set(event.outcomes) & {"t", "u"}):
            return
        took = event.duration_s
        if took is None:
            took = event.at - self._accepted_at.get(event.request, event.at)
        self._longest[step] = max(self._longest.get(step, took), took)

    def _on_withdrawn(self, event: e.Withdrawn, _: bool) -> None:
        self._banned.update(server for server in self._ids(event.request) if self._letters.get(server) in {"n", "x"})

    def _on_foreseen(self, event: e.Foreseen, _: bool) -> None:
        piece = self._state.requests.piece(event.number)
        assert piece is not None
        self._foreseen.add(self._plan.groups[piece.group].servers[piece.position].id)

    def _on_left_out(self, event: e.LeftOut, _: bool) -> None:
        self._left_out.update(event.servers)

    def _on_included(self, event: e.Included, _: bool) -> None:
        for server in self._ids(event.request):
            assert self._letters.pop(server) in {"n", "x"}
            self._banned.discard(server)

    def _on_commanded(self, event: e.Commanded, live: bool) -> None:
        if event.refused is not None:
            return
        match event.action:
            case "pause":
                self._may_not_send.add("paused")
            case "continue":
                self._may_not_send -= {"paused", "held"}
                self._goes_on(event)
            case "include":  # also those that were yet to be left out
                meant = {server.id for server in self._servers.values() if _is_meant(event.target, server)}
                self._banned -= meant - self._letters.keys()
            case "abort" | "reject":
                self._may_not_send.add("aborted")
            case "approve":
                assert self._asked is not None
                assert self._rules.waves[self._asked].name == event.target
                self._passed(self._asked, live=live)
                self._asked = None
            case "hold":
                self._held_groups.add(event.target)
            case "release":
                self._held_groups.remove(event.target)
            case "set":
                self._set(event.settings)
            case _:
                self._exclude(event, live=live)

    def _goes_on(self, event: e.Commanded) -> None:
        if self._held_by == "nothing_succeeded":
            self._waived.add(self._waves_begun[-1])
        elif self._held_by == "check" and "skip_check" in event.settings:
            self._checks_passed[self._waves_begun[-1]] += 1
        self._held_by = ""

    def _set(self, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            if name in self._shares:
                percent = value.endswith("%")
                number = float(value.removesuffix("%"))
                self._shares[name] = Share(value, None if percent else int(number), number if percent else None)

    def _exclude(self, event: e.Commanded, *, live: bool) -> None:
        """Servers that no job was asked for yet are out from here on."""
        if live:
            wanted = {server.id for server in self._servers.values() if _is_meant(event.target, server)}
            self._banned_by[event.number] = wanted - self._begun
        self._banned |= self._banned_by[event.number]

    # --- what it waits for ---------------------------------------------------------------------------------------

    def waits_for_person(self, kind: str) -> bool:
        """Whether a person must say something, as far as this knows."""
        match kind:
            case "pause":
                return "paused" in self._may_not_send
            case "hold":
                return "held" in self._may_not_send
            case "group":
                return bool(self._held_groups)
            case _:
                return self._asked is not None

    def keeps_back(self, kind: str, lane: int) -> bool:
        """Whether a window, or a limit, is in the way of a request of a lane that could be sent else."""
        state = self._state
        ready = [r for r, phase in enumerate(state.phases) if phase in _READY]
        if kind == "budget":
            return any(map(self._has_no_room, ready))
        mine = (request for request in ready if state.lane_index(request) == lane)
        return any(self._outside_window(state.requests[request].step, self._clock.wall()) for request in mine)

    def _has_no_room(self, request: int) -> bool:
        if not self._state.is_main(request):
            return False
        try:
            self._check_limits([server.id for server in self._state.servers_of(request)], more=request)
        except AssertionError:
            return True
        return False

    # --- rules ------------------------------------------------------------------------------------------------------

    def sent(self, request: int, age_s: float) -> None:
        """A create leaves, so long after it was intended.

        It may have been too late by now when the last look was. A window that had not begun by the clock as it was set
        meanwhile may have begun by then.
        """
        step, now = self._state.requests[request].step, self._clock.wall()
        outside = self._outside_window(step, now - age_s) and self._outside_window(step, now)
        assert not outside, outside

    def _check_intent(self, request: int) -> None:
        state, entry = self._state, self._state.requests[request]
        assert not self._may_not_send, f"sent although {self._may_not_send}"
        assert self._plan.groups[entry.group].name not in self._held_groups, "sent although its group is held"
        outside = self._outside_window(entry.step, self._clock.wall())
        assert not outside, outside
        if state.requests.is_follow_up(request):
            assert [self._letters.get(server) for server in self._ids(request)] == ["f"]
            return
        self._check_urgent_first(request)
        if not state.is_main(request):
            assert self._checking is not None
            wave, check = self._checking
            assert (entry.wave, entry.step) == (wave, self._rules.waves[wave].checks[check].step)
            return
        assert self._waves_begun[-1:] == [entry.wave], "sent before its wave began"
        assert entry.wave not in self._waves_passed
        servers = [server.id for server in state.servers_of(request)]
        assert not self._banned.intersection(servers), "sent although excluded"
        is_first = entry.step == self._first_steps[entry.group]
        assert is_first or all((server, entry.step - 1) in self._through for server in servers)
        self._check_whole(request)
        self._check_limits(servers)

    def _check_limits(self, servers: Sequence[str], more: int | None = None) -> None:
        """Were everything in flight lost, no limit that is about these servers would be exceeded.

        Others may be: jobs that a torn journal forgot and the network made twice are in conflict when they are found.
        """
        state = self._state
        in_flight = {
            server.id
            for request, phase in enumerate(state.phases)
            if (phase in _IN_FLIGHT or request == more) and state.is_main(request)
            for server in state.servers_of(request)
        }
        for limit in self._limits:
            if limit.members.isdisjoint(servers):
                continue
            most = limit.most(self._shares.get(limit.name, limit.share))
            spent = {server for server in limit.members if self._letters.get(server, "-") in limit.counted}
            used = len(spent | (in_flight & limit.members))
            assert used <= most, f"{limit.name}: {used} of {len(limit.members)}, and at most {most}"

    def _check_whole(self, request: int) -> None:
        servers = self._state.requests.servers_of(request)
        ids = {server.id for server in servers}
        # In one group before any retry; there, those that go on at different steps go apart.
        group = self._plan.groups[self._state.requests[request].group]
        outside = [server for server in group.servers if server.id not in ids]
        for rule in self._rules.budget.per:
            if rule.most is None:
                inside = {values_of(server, rule.expression) for server in servers}
                assert not inside.intersection(values_of(server, rule.expression) for server in outside), "parted"

    def _outside_window(self, step: int, at: float) -> str:
        """Why a job that begins now would not be over while a window is open; empty where it would."""
        if self._rules.window is None or self._windows is None:
            return ""
        zone = ZoneInfo(self._rules.window.timezone)
        need_s = self._longest.get(step, self._rules.expected_s[step])
        moments = [at, *(at + 30.0 * half for half in range(1, int(need_s // 30) + 1)), max(at, at + need_s - 1e-3)]
        offsets = {
            datetime.fromtimestamp(moment, zone).utcoffset() for moment in (at - 43_200.0, at + need_s + 43_200.0)
        }
        if len(offsets) > 1:  # clocks are set then
            first, last = int(at // 60), int(moments[-1] // 60)
            found = open_minutes(self._parsed, first - 2 * 1440, last + 2 * 1440)
            return "" if found.issuperset(range(first, last + 1)) else "not over by the end of the window"
        for moment in moments:
            wall = datetime.fromtimestamp(moment, zone)
            if wall.hour * 60 + wall.minute not in self._windows:
                return f"not over by the end of the window: {wall}"
        return ""

    def _check_urgent_first(self, request: int) -> None:
        """What follows a failure goes before anything else of its lane."""
        state = self._state
        for other in range(len(self._plan.requests), len(state.requests)):
            if state.requests.is_follow_up(other) and state.phases[other] is Phase.READY:
                same_lane = state.lane_index(other) == state.lane_index(request)
                held = self._plan.groups[state.requests[other].group].name in self._held_groups
                assert held or not same_lane, "something else was sent before what follows a failure"

    def _check_follow_ups(self, report: Report) -> None:
        if self._rules.on_failure is None:
            return
        followed = Counter(
            task["server_id"] for job in report["jobs"] if job["purpose"] == "after_failure" for task in job["tasks"]
        )
        failed = {server for server, letter in self._letters.items() if letter == "f"}
        assert Counter(failed - self._left_out) <= followed
        # Others only where it was done for them, and what told why is lost.
        assert followed.keys() <= failed | self._foreseen

    def _ids(self, request: int) -> list[str]:
        return [server.id for server in self._state.requests.servers_of(request)]


def _is_meant(target: str, server: Server) -> bool:
    match = re.fullmatch(r'labels\.(\w+) == "(\w+)"', target)
    if match:
        return server.labels[match[1]] == match[2]
    return target in {"true", server.id, server.name}


def _limits(plan: Plan, rollout: Rollout, servers: Sequence[Server]) -> Iterable[_Limit]:
    budget = rollout.budget
    everyone = frozenset(server.id for server in servers)
    for name, share, counted in (
        ("max_abnormal", budget.limits.get("max_abnormal"), _ABNORMAL),
        ("max_unavailable", budget.limits.get("max_unavailable"), _ABNORMAL),
        ("max_skipped", budget.limits.get("max_skipped"), _SKIPPED),
    ):
        if share is not None:
            yield _Limit(name, share, everyone, counted)
    per_wave, per_group = (budget.limits.get(f"max_abnormal_per_{part}") for part in ("wave", "group"))
    if per_wave is not None:
        for wave in range(len(rollout.waves)):
            yield _Limit("per_wave", per_wave, frozenset(_servers_of_wave(plan, wave)), _ABNORMAL)
    if per_group is not None:
        for group in plan.groups:
            members = frozenset(server.id for server in group.servers)
            yield _Limit("per_group", per_group, members, _ABNORMAL)
    for rule in budget.per:
        if rule.most is not None:
            for value in {values_of(server, rule.expression) for server in servers}:
                members = frozenset(s.id for s in servers if values_of(s, rule.expression) == value)
                yield _Limit(f"{rule.expression}={value}", rule.most, members, _ABNORMAL)


def _servers_of_wave(plan: Plan, wave: int) -> list[str]:
    """Those of the first step that each group has in it: a retry may go on at a later one."""
    return [
        server.id
        for index, request in enumerate(plan.requests)
        if request.wave == wave and request.step == _first_steps(plan)[request.group]
        for server in plan.servers_of(index)
    ]


def _first_steps(plan: Plan) -> dict[int, int]:
    steps: dict[int, int] = {}
    for request in plan.requests:
        steps[request.group] = min(request.step, steps.get(request.group, request.step))
    return steps


def _check_waves(plan: Plan, rollout: Rollout) -> None:
    """Every server is in exactly one wave."""
    waves = [_servers_of_wave(plan, wave) for wave in range(len(rollout.waves))]
    assert [len(wave) for wave in waves] == [wave.servers for wave in rollout.waves]
    placed = Counter(server for wave in waves for server in wave)
    assert placed == Counter(server.id for group in plan.groups for server in group.servers)
    assert not placed or max(placed.values()) == 1


def _parsed(window: WindowRules) -> Window:
    return Window(tuple(filter(None, map(parse_allow, window.allow))), (), window.timezone)


def _minutes_allowed(rules: Sequence[Any]) -> set[int]:
    """The minutes of the day in which the stories' windows are open."""
    minutes: set[int] = set()
    for rule in rules:
        match = _RULE.fullmatch(rule)
        assert match is not None
        start, end = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
        minutes.update(minute % 1440 for minute in range(start, end if end > start else end + 1440))
    return minutes
