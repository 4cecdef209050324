"""What is sent, and in which order: the queues against a slow model that looks at every request anew, each time.

The model takes the first request in the order of the plan that every limit has room for, counted server by server. Queues
that were made of the facts just now must say the same. Those of a run at work may let a request wait a while that could go;
but what they send the model must allow, they lose nothing, and nothing waits for ever.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from runner.model import Outcome, Server
from runner.plan.plan import Plan
from runner.plan.rollout.limits import value_getter
from runner.rules.answers import Cause
from runner.run import events as e
from runner.run.admission import OpeningsSeen
from runner.run.blaming import parted
from runner.run.by_request import by_request, tally
from runner.run.decisions import AllSubmitted, Decision, LeaveOut, Move, Send, SplitUp, WaitForEvent, WaitUntil
from runner.run.dispatch import Dispatcher
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from runner.run.gate import GateOver, MakeCheck, Record, Sleep, after_check
from runner.run.live import LiveRun
from runner.run.phases import IN_FLIGHT, UNSENT, Phase
from runner.run.waves import Stage
from runner.spec.rollout.model import Share
from tests.conftest import small_plan
from tests.driving import assert_same, assert_same_queues, job_of
from tests.engine.rollout_plans import fleet, group, rollout_plan, step
from tests.engine.rollout_stories import drawn_plan
from tests.run.by_hand import BROKEN, ByHand

SEEDS = 40
_MOST_TURNS = 5000
_ANSWERS = 8
_NONE_LEFT = "all its servers were left behind in an earlier step"
_FINAL = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SKIPPED, Outcome.TIMED_OUT, Outcome.EXCLUDED)
_LOOKS = 0.25  # how often the model is asked: it is slow


class Limit:
    """At most `share` of `members`; `counts` are the letters of servers that are spent. One `for_all` bars the way."""

    def __init__(self, name: str, share: Share, members: set[str], counts: str = "ftu", *, for_all: bool) -> None:
        self.name = name
        self.most = share.of(len(members))
        self.members = members
        self.counts = counts
        self.for_all = for_all


def limits_of(run: ByHand) -> list[Limit]:
    """The limits of the plan in the order in which they are told, from the plan's own words."""
    plan, rollout = run.plan, run.plan.rollout
    assert rollout is not None
    budget = rollout.budget
    everyone = {server.id for group in plan.groups for server in group.servers}
    given = budget.limits
    named = [("max_abnormal", "ftu"), ("max_unavailable", "ftu"), ("max_skipped", "k")]
    found = [Limit(name, given[name], everyone, counts, for_all=True) for name, counts in named if name in given]
    for index in range(len(rollout.waves)) if "max_abnormal_per_wave" in given else ():
        inside = {s.id for r, entry in enumerate(plan.requests) if entry.wave == index for s in plan.servers_of(r)}
        found.append(Limit("wave", given["max_abnormal_per_wave"], inside, for_all=True))
    for each in plan.groups if "max_abnormal_per_group" in given else ():
        inside = {server.id for server in each.servers}
        found.append(Limit("group", given["max_abnormal_per_group"], inside, for_all=False))
    for rule in budget.per:
        value_of = value_getter(rule.expression)
        values = dict.fromkeys(value_of(server) for group in plan.groups for server in group.servers)
        values.pop(None, None)
        for value in values if rule.most else ():
            inside = {server.id for group in plan.groups for server in group.servers if value_of(server) == value}
            found.append(Limit(f"{rule.expression}={value}", rule.most or Share(""), inside, for_all=False))
    return found


class Model:
    """What may be sent, by looking at everything anew. It is told of events, and asks the facts only where requests stand."""

    def __init__(self, run: ByHand) -> None:
        self._run = run
        self.limits = limits_of(run)
        self._servers: dict[int, list[str]] = {}
        self._letters: dict[str, str] = {}

    def tell(self, event: e.Event) -> None:
        """Before it is true."""
        facts = self._run.facts
        if isinstance(event, e.Settled | e.Conflict | e.GivenUp) and facts.is_main(event.request):
            servers = [server.id for server in facts.servers_of(event.request)]
            letters = event.outcomes if isinstance(event, e.Settled) else "u" * len(servers)
            self._letters.update(zip(servers, letters, strict=True))
        if isinstance(event, e.Commanded) and event.refused is None:
            for limit in self.limits:
                if limit.name in event.settings:
                    limit.most = parse(event.settings[limit.name]).of(len(limit.members))

    def in_order(self, lane: int) -> list[int]:
        """The requests of a lane that are ready, as they are to be sent."""
        facts, now = self._run.facts, self._run.now
        ready = [
            request
            for request, phase in enumerate(facts.phases)
            if facts.lane_index(request) == lane
            and (phase is Phase.READY or (phase is Phase.RETRY and facts.retry_at[request] <= now))
        ]
        return sorted(ready, key=self._place)

    def _place(self, request: int) -> tuple[int, int, int]:
        plan, entry = self._run.plan, self._run.facts.requests.entries[request]
        if request >= len(plan.requests) and entry.step >= plan.main_steps:
            return (-1, 0, request)  # it follows a failure
        planned = next(
            index
            for index, whole in enumerate(plan.requests)
            if (whole.step, whole.group) == (entry.step, entry.group) and whole.start <= entry.start < whole.stop
        )
        return (planned, entry.start, request)

    def next(self, lane: int) -> Move | None:
        """What an attentive person would send next on the lane, were there a slot; None: nothing now."""
        for request in self.in_order(lane):
            if not self._run.facts.servers_of(request):
                return LeaveOut(request, _NONE_LEFT)
            judged = self.judge(request)
            if judged == "go":
                return Send(request)
            if judged == "split":
                return SplitUp(request, self._run.facts.requests.cut_of(request) or 0)
            if judged == "stop":
                return None
        return None

    def judge(self, request: int) -> str:
        """`go`, `split`, `pass`: the next may go before it, or `stop`: none behind it may."""
        facts = self._run.facts
        entry = facts.requests.entries[request]
        if entry.group in facts.controls.held_groups:
            return "pass"
        rollout = facts.rollout
        assert rollout is not None
        if rollout.window is not None:
            need = rollout.expected_s(entry.step)
            if OpeningsSeen().closed(rollout.window, need, self._run.now) is not None:
                return "stop"
        return self._room(request) if facts.is_main(request) else "go"

    def _room(self, request: int) -> str:
        servers = {server.id for server in self._run.facts.servers_of(request)}
        flying = self._in_flight()
        full: Limit | None = None
        for limit in self.limits:
            asked = len(servers & limit.members)
            left = limit.most - sum(self._letters.get(server, "-") in limit.counts for server in limit.members)
            if asked and asked > left:
                may_part = (left > 0 or asked < len(servers)) and self._run.facts.requests.cut_of(request) is not None
                return "split" if may_part else "stop" if limit.for_all else "pass"
            if asked and full is None and asked > left - len(flying & limit.members):
                full = limit
        return "go" if full is None else "stop" if full.for_all else "pass"

    def _in_flight(self) -> set[str]:
        facts = self._run.facts
        return {
            server.id
            for request, phase in enumerate(facts.phases)
            if phase in IN_FLIGHT and facts.is_main(request)
            for server in facts.servers_of(request)
        }


def parse(text: str) -> Share:
    return Share(text, percent=float(text[:-1])) if text.endswith("%") else Share(text, count=int(text))


def contended_plan(chance: Random) -> Plan:
    """Many small requests on two lanes that wait for each other at limits of three kinds."""
    count = chance.randint(20, 50)
    servers = [
        Server(
            f"s{place:03}",
            f"name-{place:03}",
            {"rack": f"r{chance.randrange(6)}", "flavor": f"f{chance.randrange(3)}", "hyper": f"h{place // 2}"},
        )
        for place in range(count)
    ]
    groups = [group("one", 'labels.flavor == "f0"', "region-0"), group("two", "true", "region-1")]
    steps = [step(f"step-{number}", chance.randint(1, 4)) for number in range(chance.choice((1, 1, 2)))]
    budget: dict[str, Any] = {"per": {"labels.rack": chance.randint(2, 4), "labels.flavor": chance.randint(3, 6)}}
    if chance.random() < 0.5:
        budget["max_unavailable"] = chance.randint(6, 12)
    if chance.random() < 0.5:
        budget["max_abnormal_per_group"] = "40%"
    submit = {"rate": "unlimited", "concurrency": chance.randint(2, 8), "attempts": 50}
    rollout = {"waves": [{"name": "w"}], "order": chance.choice(("listed", "shuffled")), "budget": budget}
    return rollout_plan(rollout, servers, steps=steps, groups=groups, submit=submit)


class Story:
    """A rollout to which everything happens, in an order that is drawn; checked after every event."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        submit = {"rate": "unlimited", "concurrency": self.chance.randint(1, 5), "attempts": 50, "settle": "15s"}
        plan = contended_plan(self.chance) if seed % 2 else drawn_plan(self.chance, submit, {"rate": "100/s"})
        self.run = ByHand(plan, now=1_000_000.0)
        self.model = Model(self.run)
        self.passed_over = 0
        self.sent: list[int] = []
        self._answers = 0
        self._trouble = self.chance.choice((0.0, 0.2, 0.5))
        self._failing = self.chance.choice((0.0, 0.1, 0.4))

    @property
    def facts(self) -> Any:
        return self.run.facts

    def tell(self) -> None:
        """To its end.

        Raises:
            AssertionError: something is sent that must not be, is lost, or is waited for by nobody.
        """
        for _ in range(_MOST_TURNS):
            if not self._turn():
                break
        else:
            raise AssertionError("it does not end")
        assert self.facts.aborted is not None or all(phase.is_over for phase in self._main_phases())

    def _main_phases(self) -> list[Phase]:
        return [phase for request, phase in enumerate(self.facts.phases) if self.facts.is_main(request)]

    def record(self, *events: e.Event) -> None:
        for event in events:
            self.model.tell(event)
            self.run.record(event)

    def _turn(self) -> bool:
        """Something happens; False: nothing will any more."""
        self.run.now += self.chance.choice((0.1, 1.0, 20.0))
        steps = [self._answer, self._settle, self._gate, *([self._lanes] * 3)]
        if self.chance.random() < 0.04:
            steps = [self._disturb, self._crash]
        self.chance.shuffle(steps)
        if any(step() for step in steps):
            self._check_queues()
            return True
        return self._nothing_happened()

    def _check_queues(self) -> None:
        again = LiveRun(initial_facts(self.run.plan))
        if self.chance.random() < _LOOKS:
            self._check_counts()
        if self.chance.random() < 0.1:
            replay(again.facts, self.run.events)
            assert_same(self.facts, again.facts)
            assert_same_queues(self.run.live, LiveRun(again.facts))
        for lane in range(len(self.facts.lanes)) if self.chance.random() < _LOOKS else ():
            fresh: Decision | None = Dispatcher(self.facts).next(lane, self.run.now, self.run.now)
            assert (fresh if isinstance(fresh, Move) else None) == self.model.next(lane)

    def _check_counts(self) -> None:
        """What a live view shows of servers that are over is what a report counts; all servers are counted once."""
        facts, waves = self.facts, self.facts.rollout.waves
        tallied = tally(facts, by_request(facts))
        assert tallied.counts.total() == sum(len(group.servers) for group in self.run.plan.groups)
        assert [sum(counts.values()) for counts in tallied.waves] == [wave.plan.servers for wave in waves]
        for outcome in _FINAL:
            assert facts.counts[outcome] == tallied.counts[outcome]
            assert [wave.counts[outcome] for wave in waves] == [counts[outcome] for counts in tallied.waves]
        at_work = sum(len(facts.servers_of(r)) for lane in facts.lanes for r in lane.open if facts.is_main(r))
        assert tallied.at_work == sum(tallied.waves_at_work) == at_work

    def _lanes(self) -> bool:
        lanes = list(range(len(self.facts.lanes)))
        self.chance.shuffle(lanes)
        return any(self._lane(lane) for lane in lanes)

    def _lane(self, lane: int) -> bool:
        decided = self.run.decide(lane)
        if isinstance(decided, LeaveOut):
            assert not self.facts.servers_of(decided.request)
            self.record(e.Withdrawn(self.run.now, decided.request))
            return True
        if not isinstance(decided, Send | SplitUp):
            return False
        assert self.model.judge(decided.request) == ("go" if isinstance(decided, Send) else "split")
        if decided != self.model.next(lane):
            self._check_that_it_waits(lane, decided.request)
            self.passed_over += 1
        if isinstance(decided, SplitUp):
            self.record(e.Split(self.run.now, decided.request, decided.cut))
        else:
            assert self.facts.servers_of(decided.request), "nothing to send"
            self.record(e.Intended(self.run.now, decided.request))
            self.sent.append(decided.request)
        return True

    def _check_that_it_waits(self, lane: int, sent: int) -> None:
        """What stands before a request that is sent, and could go or bars the way, was let try before: it waits its turn."""
        before = self.model.in_order(lane)
        waiting = list(self.run.live.dispatcher.waiting())
        for request in before[: before.index(sent)]:
            assert self.model.judge(request) == "pass" or waiting.count(request) == 1

    def _answer(self) -> bool:
        now, chance = self.run.now, self.chance
        waiting = [r for r, phase in enumerate(self.facts.phases) if phase in {Phase.SENT, Phase.IN_DOUBT}]
        if not waiting or chance.random() < 0.5:
            return bool(waiting)
        request = chance.choice(waiting)
        if self.facts.phases[request] is Phase.IN_DOUBT:
            bad: list[e.Event] = [
                e.NotFound(now, request),
                e.GivenUp(now, request, "x"),
                e.Conflict(now, request, ("a", "b"), "x"),
            ]
            good: e.Event = e.Adopted(now, request, job_of(request))
        else:
            bad = [
                e.Lapsed(now, request),
                e.Throttled(now, request, BROKEN, 1.0, None),
                e.Refused(now, request, Cause.BUSY, BROKEN, now + chance.choice((0.0, 5.0, 5.0, 60.0))),
                e.Refused(now, request, Cause.INVALID, BROKEN, None),
                e.InDoubt(now, request, BROKEN, busy=True),
                e.InDoubt(now, request, BROKEN),
            ]
            good = e.Accepted(now, request, job_of(request))
        event = chance.choice(bad) if chance.random() < self._trouble else good
        self.record(event)
        if isinstance(event, e.Refused) and event.retry_at is not None and chance.random() < 0.5:
            self._set_aside(event)
        return True

    def _set_aside(self, refused: e.Refused) -> None:
        """Some of its servers are why."""
        servers = self.facts.servers_of(refused.request)
        again = self.chance.choice((None, refused.at, refused.at + 20.0))
        named = {server.id for server in self.chance.sample(list(servers), self.chance.randint(0, len(servers)))}
        for event in parted(self.facts, named, e.SetAside(refused.at, refused.request, refused.cause, BROKEN, again)):
            self.record(event)

    def _settle(self) -> bool:
        at_work = [request for lane in self.facts.lanes for request in lane.open]
        if not at_work or self.chance.random() < 0.5:
            return bool(at_work)
        request = self.chance.choice(at_work)
        count = len(self.facts.servers_of(request))
        letters = [self.chance.choice("ftuk") if self.chance.random() < self._failing else "s" for _ in range(count)]
        self.record(e.Settled(self.run.now, request, "".join(letters), 20.0))
        return True

    def _gate(self) -> bool:
        asked = self.run.gate()
        if isinstance(asked, MakeCheck):
            passed = self.chance.random() >= self._failing
            self.record(e.CheckStarted(self.run.now, asked.wave, asked.check))
            wave = self.facts.rollout.waves[asked.wave]
            is_last = passed or wave.attempts >= wave.plan.checks[asked.check].attempts
            asked = Record(e.Checked(self.run.now, asked.wave, asked.check, passed, "", is_last))
        if not isinstance(asked, Record):
            return False
        self.record(asked.event)
        if isinstance(asked.event, e.Checked) and (follows := after_check(self.facts, asked.event)) is not None:
            self.record(follows)
        return True

    def _disturb(self) -> bool:
        servers = [server for group in self.run.plan.groups for server in group.servers]
        server = self.chance.choice(servers)
        groups = [group.name for group in self.run.plan.groups]
        asked = self.chance.choice(
            [
                ("pause", "", {}),
                ("hold", self.chance.choice(groups), {}),
                ("release", self.chance.choice(groups), {}),
                ("exclude", server.id, {}),
                ("exclude", f'labels.rack == "{server.labels["rack"]}"', {}),
                ("include", "true", {}),
                ("set", "", {"max_abnormal": self.chance.choice(("1", "50%"))}),
                ("set", "", {"max_unavailable": self.chance.choice(("2", "100%"))}),
                ("set", "", {"concurrency": str(self.chance.randint(1, 8))}),
            ]
        )
        return self._ask(*asked)

    def _ask(self, action: str, target: str = "", settings: Any = None) -> bool:
        before = len(self.run.events)
        refused = self.run.ask(action, target, **(settings or {}))
        for event in self.run.events[before:]:
            if isinstance(event, e.Commanded):
                self.model.tell(event)
        return refused is None

    def _crash(self) -> bool:
        """Another process takes the run over: some of what looks unsent was sent."""
        self.run.live = LiveRun(self.facts)
        self.record(e.RunResumed(self.run.now, "0"))
        for request, phase in enumerate(list(self.facts.phases)):
            if phase in UNSENT and request not in self.facts.suspected and self.chance.random() < 0.05:
                self.record(e.Suspected(self.run.now, request))
        for lane in range(len(self.facts.lanes)):
            self.record(e.Surveyed(self.run.now, lane))
        return True

    def _nothing_happened(self) -> bool:
        """Time passes, a person answers, or all is over. What else would be waited for?"""
        if self._person():
            return True
        lanes = range(len(self.facts.lanes))
        gate = self.run.gate()
        if isinstance(gate, GateOver) and all(isinstance(self.run.decide(lane), AllSubmitted) for lane in lanes):
            return self.facts.aborted is None and self.facts.over and self._set_deadline_and_resume()
        times = [self.facts.retry_at[r] for r, phase in enumerate(self.facts.phases) if phase is Phase.RETRY]
        times += [gate.until] if isinstance(gate, Sleep) and gate.until is not None else []
        assert times, "it waits for nobody"
        assert not math.isinf(min(times))
        self.run.now = max(self.run.now, min(times))
        return True

    def _set_deadline_and_resume(self) -> bool:
        self._ask("set", settings={"deadline": "100d", "deadline_at": str(self.run.now + 8_640_000.0)})
        return self._crash()

    def _answer_hold(self) -> bool:
        self._answers += 1
        if self._answers > _ANSWERS:
            return self._ask("exclude", "true") or self._ask("abort")
        for name in ("max_abnormal", "max_unavailable", "max_skipped"):
            self._ask("set", settings={name: self.chance.choice(("100%", "60%"))})
        return self._ask("continue")

    def _person(self) -> bool:
        controls, wave = self.facts.controls, self.facts.rollout.wave
        if self.facts.over:
            return False
        if controls.held is not None:
            return self._answer_hold()
        if wave is not None and wave.stage is Stage.AWAITING_APPROVAL:
            return self._ask("approve", wave.plan.name)
        if controls.paused:
            return self._ask("continue")
        if controls.held_groups:
            return self._ask("release", self.run.plan.groups[min(controls.held_groups)].name)
        return False


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_what_is_sent_is_what_an_attentive_person_would_send_and_nothing_is_lost(first: int) -> None:
    passed_over = sent = 0
    for seed in range(first, first + 10):
        story = Story(seed)
        story.tell()
        passed_over += story.passed_over
        sent += len(story.sent)
    assert sent > 50
    assert passed_over <= sent // 20  # a turn that is kept is the exception


def test_a_piece_whose_servers_are_all_left_behind_is_not_sent() -> None:
    rollout = {"waves": [{"name": "w"}], "order": "listed", "budget": {"max_abnormal": 4}}
    run = ByHand(rollout_plan(rollout, fleet(8), steps=[step("one", 1), step("two", 4)]))
    run.pass_gates()
    for request, letter in enumerate("ffssfsss"):
        run.do(request, letter)
    whole = run.decide()
    assert isinstance(whole, SplitUp)
    run.record(e.Split(run.now, whole.request, whole.cut))
    empty = run.facts.requests.pieces[whole.request][0]
    assert run.decide() == LeaveOut(empty, _NONE_LEFT)
    run.record(e.Withdrawn(run.now, empty))
    assert run.facts.phases[empty] is Phase.VOID
    second = run.decide()
    assert isinstance(second, SplitUp)
    run.record(e.Split(run.now, second.request, second.cut))
    sent = run.decide()
    assert isinstance(sent, Send)
    assert [server.id for server in run.facts.servers_of(sent.request)] == ["s002"]


def test_a_later_step_that_was_suspected_and_has_no_servers_left_is_not_sent() -> None:
    run = ByHand(small_plan((1,), (1, 1)))
    run.record(e.RunResumed(run.now, "0"), e.Suspected(run.now, 1), e.Surveyed(run.now, 0))
    run.do(0, "f")
    run.record(e.NotFound(run.now, 1))
    assert run.decide() == LeaveOut(1, _NONE_LEFT)
    run.record(e.Withdrawn(run.now, 1))
    assert run.decide() == AllSubmitted()
    assert run.facts.phases[1] is Phase.VOID


def test_what_waits_for_room_does_not_keep_what_follows_a_failure_from_being_sent_again() -> None:
    """It needs no room; and nothing else may happen until it is due."""
    rollout = {
        "waves": [{"name": "w"}],
        "order": "listed",
        "on_failure": {"step": "logs"},
        "budget": {"max_unavailable": 1, "max_abnormal": 3},
    }
    run = ByHand(rollout_plan(rollout, fleet(3), steps=[step("one", 1), step("logs", 1)]))
    run.pass_gates()
    run.do(0, "f")
    follow_up = run.decide()
    assert isinstance(follow_up, Send)
    assert run.facts.requests.is_follow_up(follow_up.request)
    run.record(
        e.Intended(run.now, follow_up.request),
        e.Refused(run.now, follow_up.request, Cause.BUSY, BROKEN, run.now + 60.0),
    )
    assert run.decide() == WaitUntil(run.now + 60.0)
    run.now += 60.0
    assert run.decide() == follow_up


def test_after_the_deadline_a_lane_sends_nothing_though_another_is_still_looked_up() -> None:
    """Intake ends by it only then, for a command may move it. What is intended meanwhile would lapse, again and again."""
    rollout = {"waves": [{"name": "w"}], "order": "listed", "deadline": "90s"}
    groups = [group("one", 'id < "s002"'), group("two", "true", "region-1")]
    run = ByHand(rollout_plan(rollout, fleet(4), groups=groups, steps=[step("one", 1)]))
    run.pass_gates()
    run.send(0)
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"), e.Surveyed(run.now, 0))
    assert isinstance(run.decide(0), Send)
    run.now += 90.0
    assert run.decide(0) == WaitForEvent()
    assert any(wait.lane == 0 for wait in run.look().waits)
    run.record(e.Surveyed(run.now, 1))
    run.pass_gates()
    assert run.decide(0) == AllSubmitted()
