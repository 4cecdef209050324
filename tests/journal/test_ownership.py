"""Who owns a run, who may take it, and whose servers they are: one contract over both stores, and the rules beneath."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.journal.judging import Judge
from runner.journal.owner import Moment, Owner, is_alive, this_process
from runner.journal.ownership import HEARTBEAT_S, LEASE_S, LOOK_S, TAKEOVER_S, Claim, Seen, Sign
from runner.journal.store import (
    JournalChanged,
    Leased,
    OwnedJournal,
    OwnershipLost,
    RunIsOpen,
    RunRecord,
    RunStore,
)
from runner.run import events as e
from tests.cli.processes import works
from tests.journal.conftest import PLAN, HandClock, Machine, unknown

HERE = Owner("pod", 7, 70, "token-1", "boot-1 pid:1")
THERE = Owner("pod", 7, 71, "token-2", "boot-1 pid:2")
ROOT = Path(__file__).parents[2]
WITH_THE_PROC_OF_OTHERS = ("unshare", "--pid", "--fork")


def intended(request: int = 0) -> list[e.Event]:
    return [e.Intended(1.0, request)]


def begun(store: RunStore, run_id: str = "run-1", servers: tuple[str, ...] = ("a", "b"), lease_s: float = 60.0) -> None:
    store.save_plan(PLAN, b"{}")
    store.create_run(RunRecord(run_id, "campaign", PLAN, 1.0, HERE, servers, lease_s))


def looked_at(machine: Machine, take: Callable[[], object], seconds: float) -> None:
    """Try again and again for so long, as a command does, and get nothing."""
    for _ in range(round(seconds)):
        with pytest.raises((RunIsOpen, Leased)):
            take()
        machine.pass_time(1.0)


def taken_after(machine: Machine, take: Callable[[], object]) -> float:
    """For how long a command has to try until it has what it wants, seconds."""
    for tried in range(100):
        try:
            take()
        except (RunIsOpen, Leased) as refused:
            if not refused.look_again:
                raise
            machine.pass_time(1.0)
        else:
            return float(tried)
    raise AssertionError("never")


def open_by(store: RunStore, owner: Owner = THERE) -> Callable[[], OwnedJournal]:
    return lambda: store.open_run("run-1", owner)


async def test_an_owner_that_renewed_a_moment_ago_is_refused_at_once(machine: Machine) -> None:
    mine, other = machine.process(), machine.process()
    begun(mine)
    mine.open_run("run-1", HERE)
    machine.pass_time(9.0)
    with pytest.raises(RunIsOpen, match="process 7 on pod") as refused:
        other.open_run("run-1", THERE)
    assert not refused.value.look_again


@pytest.mark.parametrize("alive", [True, None])
async def test_an_owner_is_not_replaced_for_its_silence_before_one_has_looked_on(
    machine: Machine, alive: bool | None
) -> None:
    """Whether its process is there, or in a pid namespace that nobody here can see: it may have been unable to write."""
    mine, other = machine.frozen(), machine.process(lambda owner: alive)
    begun(mine)
    mine.open_run("run-1", HERE)
    machine.pass_time(3600.0)
    looked_at(machine, open_by(other), LOOK_S)
    other.open_run("run-1", THERE)


@pytest.mark.parametrize("alive", [True, None])
async def test_a_frozen_owner_is_replaced_once_it_was_silent_for_the_takeover_time(
    machine: Machine, alive: bool | None
) -> None:
    mine, other = machine.frozen(), machine.process(lambda owner: alive)
    begun(mine)
    mine.open_run("run-1", HERE)
    looked_at(machine, open_by(other), TAKEOVER_S)
    other.open_run("run-1", THERE)


async def test_an_owner_that_appends_while_one_looks_on_is_alive(machine: Machine) -> None:
    mine, other = machine.process(), machine.process()
    begun(mine)
    journal = mine.open_run("run-1", HERE)
    machine.pass_time(3600.0)
    looked_at(machine, open_by(other), 6.0)
    await journal.append(intended())
    looked_at(machine, open_by(other), LOOK_S - 1)
    with pytest.raises(RunIsOpen):
        other.open_run("run-1", THERE)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 1e9])
async def test_a_wall_clock_that_is_set_makes_nobody_look_dead_or_alive(machine: Machine, jump: float) -> None:
    mine, other = machine.frozen(), machine.process()
    begun(mine, lease_s=600.0)
    mine.open_run("run-1", HERE)
    machine.wall += jump
    with pytest.raises(RunIsOpen) as refused:
        other.open_run("run-1", THERE)
    assert not refused.value.look_again
    assert other.runs()[0].state == "running"
    assert other.leases()[0].until is None
    looked_at(machine, open_by(other), TAKEOVER_S)
    assert other.runs()[0].state == "running"
    machine.pass_time(1.0)
    assert other.runs()[0].state == "interrupted"
    other.open_run("run-1", THERE)


async def test_an_owner_whose_process_is_gone_is_replaced_at_once(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine)
    mine.open_run("run-1", HERE)
    other.open_run("run-1", THERE)


async def test_after_a_reboot_silence_counts_from_the_first_look_whoever_took_it(machine: Machine) -> None:
    mine = machine.process()
    begun(mine)
    mine.open_run("run-1", HERE)
    after = HandClock("boot-2", 5.0)
    looked_at_once = machine.process(clock=after)
    with pytest.raises(RunIsOpen) as refused:
        looked_at_once.open_run("run-1", THERE)
    assert refused.value.look_again
    after.at += 25.0
    later = machine.process(clock=after)
    for _ in range(round(LOOK_S)):
        with pytest.raises(RunIsOpen):
            later.open_run("run-1", THERE)
        after.at += 1.0
    later.open_run("run-1", THERE)


async def test_an_owner_with_another_clock_that_renews_is_never_replaced(machine: Machine) -> None:
    mine = machine.process()
    begun(mine)
    journal = mine.open_run("run-1", HERE)
    elsewhere = HandClock("boot-2", 5.0)
    other = machine.process(clock=elsewhere)
    for second in range(120):
        if second % 5 == 0:
            await journal.append(intended())
        with pytest.raises(RunIsOpen) as refused:
            other.open_run("run-1", THERE)
        assert refused.value.look_again == (second < 5)  # from then on it has been seen to live
        elsewhere.at += 1.0


async def test_a_renewal_from_the_future_is_not_believed(machine: Machine) -> None:
    """Two machines made from one image while it ran say that they have one clock, and do not."""
    mine = machine.process()
    begun(mine, lease_s=60.0)
    mine.open_run("run-1", HERE)
    behind = HandClock(machine.clock.name, machine.clock.at - 500.0)
    other = machine.process(lambda owner: False, behind)
    for _ in range(6):
        with pytest.raises(Leased):
            other.create_run(RunRecord("run-2", "other", PLAN, 2.0, THERE, ("a",)))
        behind.at += 10.0
    other.create_run(RunRecord("run-2", "other", PLAN, 2.0, THERE, ("a",)))


async def test_one_who_was_frozen_between_two_looks_begins_to_look_anew(machine: Machine) -> None:
    mine, other = machine.frozen(), machine.process()
    begun(mine)
    mine.open_run("run-1", HERE)
    looked_at(machine, open_by(other), TAKEOVER_S - 1)
    machine.pass_time(600.0)
    looked_at(machine, open_by(other), LOOK_S)
    other.open_run("run-1", THERE)


async def test_a_replaced_owner_cannot_append_and_does_not_own_any_more(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine)
    old = mine.open_run("run-1", HERE)
    failures: list[Exception] = []
    old.on_failure(failures.append)
    await old.append(intended(0))
    assert old.owned_until > machine.clock.at
    new = other.open_run("run-1", THERE)
    for _ in range(2):
        with pytest.raises(OwnershipLost):
            await old.append(intended(1))
    assert old.owned_until == -math.inf
    await new.append(intended(2))
    assert [event.request for event in other.read_events("run-1") if isinstance(event, e.Intended)] == [0, 2]
    assert len(failures) == 1


async def test_servers_of_a_dead_run_stay_its_own_for_the_time_of_its_lease(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine, lease_s=600.0)
    machine.wall += 86_400.0
    other.create_run(RunRecord("run-2", "other", PLAN, 2.0, THERE, ("c",)))
    for _ in range(6):
        with pytest.raises(Leased, match="run-1 is at work on a") as refused:
            other.lease("run-2", ["a"])
        assert not refused.value.look_again
        machine.pass_time(100.0)
    other.lease("run-2", ["a"])


async def test_servers_of_a_silent_run_are_had_only_after_looking_on(machine: Machine) -> None:
    mine, other = machine.frozen(), machine.process()
    begun(mine, lease_s=60.0)
    journal = mine.open_run("run-1", HERE)
    other.create_run(RunRecord("run-2", "other", PLAN, 2.0, THERE, ("c",)))
    machine.pass_time(3600.0)
    assert taken_after(machine, lambda: other.lease("run-2", ["a"])) == LOOK_S
    with pytest.raises(OwnershipLost):
        await journal.append(intended())
    assert {row.run_id: row.servers for row in other.leases()} == {"run-1": 1, "run-2": 2}


@pytest.mark.parametrize("uptime_s", [0.0, 50_000.0])
async def test_after_a_reboot_a_lease_is_not_over_early(machine: Machine, uptime_s: float) -> None:
    """The wall clock was wrong, or was set: what is certain is only how long ago somebody first saw the dead run."""
    mine = machine.process()
    begun(mine, lease_s=600.0)
    after = HandClock("boot-2", uptime_s)
    machine.wall += 86_400.0
    first = machine.process(lambda owner: False, after)
    for _ in range(6):
        with pytest.raises(Leased):
            first.create_run(RunRecord("run-2", "other", PLAN, 2.0, THERE, ("a",)))
        assert first.leases()[0].until == machine.wall + 600.0 - (after.at - uptime_s)
        after.at += 100.0
    machine.process(lambda owner: False, after).create_run(RunRecord("run-2", "other", PLAN, 2.0, THERE, ("a",)))


async def test_releasing_takes_the_run_out_of_its_owners_hands(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine)
    journal = mine.open_run("run-1", HERE)
    other.fence("run-1")
    assert other.leases() == []
    assert other.runs()[0].owner is None
    with pytest.raises(OwnershipLost):
        await journal.append(intended())


async def test_the_servers_of_a_living_run_are_not_released(machine: Machine) -> None:
    mine, other = machine.process(), machine.process()
    begun(mine)
    journal = mine.open_run("run-1", HERE)
    with pytest.raises(RunIsOpen):
        other.fence("run-1")
    await journal.append(intended())
    assert [row.servers for row in other.leases()] == [2]


async def test_servers_on_which_nothing_works_are_given_free_one_by_one(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine)
    journal = mine.open_run("run-1", HERE)
    await journal.append(intended(0))
    before = other.head("run-1")
    await journal.append(intended(1))
    assert other.give_free("run-1", ["a"], before) == 0, "the run went on since that was found out"
    assert other.give_free("run-1", ["a", "z"], other.head("run-1")) == 1
    assert [row.servers for row in other.leases()] == [1]
    with pytest.raises(OwnershipLost):
        await journal.append(intended(2))


async def test_no_server_of_a_living_run_is_given_free(machine: Machine) -> None:
    mine, other = machine.process(), machine.process()
    begun(mine)
    mine.open_run("run-1", HERE)
    with pytest.raises(RunIsOpen):
        other.give_free("run-1", ["a"], other.head("run-1"))
    assert [row.servers for row in other.leases()] == [2]


async def test_who_wants_servers_of_a_dead_run_is_told_which_until_when_and_what_to_type(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine, lease_s=600.0)
    with pytest.raises(Leased) as refused:
        other.create_run(RunRecord("run-2", "other", PLAN, 2.0, THERE, ("a", "b", "c")))
    assert sorted(refused.value.servers) == ["a", "b"]
    assert refused.value.until == machine.wall + 600.0
    told = str(refused.value.because("as was seen"))
    assert "run-1 is at work on a, b, as far as is known; it holds them until 2023-11-14 22:23:20 UTC" in told
    assert "at the latest: as was seen" in told
    assert "runner locks --release run-1" in told


async def test_one_who_lost_a_run_neither_leases_nor_releases_nor_ends_it(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine)
    mine.open_run("run-1", HERE)
    other.open_run("run-1", THERE)
    acts: list[Callable[[], None]] = [
        lambda: mine.lease("run-1", ["c"]),
        lambda: mine.release("run-1"),
        lambda: mine.finish("run-1", "finished", {}),
        lambda: mine.keep_report("run-1", "/elsewhere.json"),
    ]
    for act in acts:
        with pytest.raises(OwnershipLost):
            act()
    assert [(row.run_id, row.servers) for row in other.leases()] == [("run-1", 2)]
    assert other.run("run-1").report is None
    other.release("run-1")
    other.finish("run-1", "stopped", {})
    assert other.leases() == []


async def test_a_run_that_was_taken_away_before_its_maker_opened_it_is_not_opened(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine)
    other.fence("run-1")
    with pytest.raises(OwnershipLost):
        mine.open_run("run-1", HERE)


async def test_an_entry_is_never_appended_after_one_that_its_owner_has_not_seen(machine: Machine) -> None:
    mine = machine.process()
    begun(mine)
    journal = mine.open_run("run-1", HERE)
    await journal.append(intended(0))
    await journal.append(intended(1))
    machine.lose_last_entry("run-1")
    with pytest.raises(JournalChanged, match="does not end as this process left it"):
        await journal.append(intended(2))
    assert [event.request for event in mine.read_events("run-1") if isinstance(event, e.Intended)] == [0]


async def test_how_a_run_ended_is_kept_until_it_goes_on(machine: Machine) -> None:
    mine, other = machine.process(), machine.process(lambda owner: False)
    begun(mine)
    mine.finish("run-1", "stopped", {"servers": 3})
    other.open_run("run-1", THERE).close()
    assert (other.runs()[0].state, other.runs()[0].counts) == ("stopped", {"servers": 3})
    journal = other.open_run("run-1", THERE)
    await journal.append(intended())
    journal.close()
    assert (other.runs()[0].state, other.runs()[0].counts) == ("interrupted", None)
    other.finish("run-1", "finished", {"servers": 3})
    other.open_run("run-1", THERE)
    assert other.runs()[0].state == "finished"


def test_this_process_is_alive_and_one_that_never_was_is_not() -> None:
    me = this_process("t")
    assert me.machine
    assert is_alive(me) is True
    assert is_alive(me._replace(process_start=me.process_start + 1)) is False
    assert is_alive(me._replace(pid=2**22 + 1)) is False


def test_of_a_process_of_another_machine_nothing_is_known() -> None:
    me = this_process("t")
    assert is_alive(me._replace(host="elsewhere")) is None
    boot, namespace = me.machine.split()
    assert is_alive(me._replace(machine=f"another-boot {namespace}", pid=2**22 + 1)) is None
    assert is_alive(me._replace(machine=f"{boot} pid:1", pid=2**22 + 1)) is None
    assert is_alive(me._replace(machine="", pid=2**22 + 1)) is None  # a version before told only the host


@pytest.mark.process
@pytest.mark.skipif(not works(*WITH_THE_PROC_OF_OTHERS), reason="no pid namespaces here")
def test_a_proc_that_is_of_another_namespace_tells_nothing() -> None:
    asked = "from runner.journal.owner import is_alive, this_process as me; print(is_alive(me('t')._replace(process_start=1)))"
    said = subprocess.check_output([*WITH_THE_PROC_OF_OTHERS, sys.executable, "-c", asked], cwd=ROOT, text=True)
    assert said == "None\n"


def test_of_a_process_whose_start_is_not_known_only_its_end_is() -> None:
    me = this_process("t")
    assert is_alive(me._replace(process_start=0)) is None
    assert is_alive(me._replace(process_start=0, pid=2**22 + 1)) is False


def test_a_process_that_has_ended_is_gone_though_nobody_has_asked_for_its_exit_code() -> None:
    with subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        owner = this_process("t")._replace(pid=process.pid, process_start=int(stat.read_text().split()[21]))
        assert process.stdout is not None
        process.stdout.read()
        while stat.read_text().split()[2] != "Z":
            pass
        assert is_alive(owner) is False


class Step(NamedTuple):
    """What happens next in a drawn history, and how much time passes after it."""

    what: str
    pause_s: float


PAUSES = st.sampled_from([0.1, 0.5, 1.0, 2.0, 4.0, 9.0, 40.0])
HISTORIES = st.lists(
    st.builds(Step, st.sampled_from(["look", "look", "look", "freeze", "wake", "lock", "unlock"]), PAUSES), max_size=60
)


class History:
    """An owner that renews as the writer does, unless it is frozen or the store is locked; and one who wants its run.

    They share a clock or not.
    """

    def __init__(self, *, shared: bool) -> None:
        self.now, self.offset = 1000.0, 0.0 if shared else 77.0
        self.clock = "boot-1" if shared else "boot-2"
        self.frozen = self.locked = False
        self.renewals, self.renewed_at = 0, self.now
        self.seen: Seen | None = None
        self.judge = Judge(lambda: Moment(self.clock, self.now - self.offset), lambda: 0.0, unknown, TAKEOVER_S)

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.1)
            if not self.frozen and not self.locked and self.now - self.renewed_at >= HEARTBEAT_S:
                self.renewals, self.renewed_at, self.seen = self.renewals + 1, self.now, None

    def may_take(self) -> bool:
        sign = Sign(HERE.token, self.renewals, 0.0, 0)
        claim = Claim("run-1", HERE, sign, Moment("boot-1", self.renewed_at), self.seen, 60.0)
        try:
            self.judge.refuse_living_owner(claim)
        except RunIsOpen:
            return False
        finally:
            self.seen = self.judge.first_seen.pop("run-1", self.seen)
        return True


@given(HISTORIES, st.booleans())
def test_who_is_replaced_had_stopped_sending_long_before(steps: list[Step], shared: bool) -> None:
    history = History(shared=shared)
    for what, pause_s in steps:
        if what == "look" and not history.locked and history.may_take():
            assert history.now >= history.renewed_at + LEASE_S + LOOK_S - 1e-6
            return
        history.frozen = what == "freeze" or (history.frozen and what != "wake")
        history.locked = what == "lock" or (history.locked and what != "unlock")
        history.pass_time(pause_s)


@given(HISTORIES, st.booleans())
def test_who_is_not_frozen_is_never_replaced_however_long_the_store_was_locked(steps: list[Step], shared: bool) -> None:
    history = History(shared=shared)
    for what, pause_s in steps:
        if what == "look" and not history.locked:
            assert not history.may_take()
        history.locked = what == "lock" or (history.locked and what != "unlock")
        history.pass_time(pause_s)


@given(st.booleans(), st.floats(0.2, 2.5), st.floats(0.0, 100.0))
def test_who_is_frozen_for_good_is_replaced_in_time(shared: bool, every_s: float, before_s: float) -> None:
    history = History(shared=shared)
    history.frozen = True
    history.pass_time(before_s)
    looked_s = 0.0
    while not history.may_take():
        history.pass_time(every_s)
        looked_s += every_s
    assert looked_s <= TAKEOVER_S + 2 * every_s
    if shared and before_s >= TAKEOVER_S:
        assert looked_s <= LOOK_S + 2 * every_s
