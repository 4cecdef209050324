"""What stores tell of the past: one contract over both."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from runner.errors import InvalidInput, StateFolderError
from runner.journal.history import SlotRow
from runner.journal.owner import Owner
from runner.journal.sqlite import SqliteStore
from runner.journal.store import RunRecord, RunStore, SlotTaken
from runner.model import RunState
from runner.plan.codec import hash_plan, plan_to_json
from runner.plan.digests import plan_digests
from runner.run import events as e
from tests.conftest import small_plan
from tests.journal.conftest import MakeStore
from tests.journal.test_stores import BACK_TO_4

HERE = Owner("here", 1, 1, "token-1")


def add(
    store: RunStore,
    run_id: str,
    *parents: str,
    campaign: str = "c",
    plan: str = "sha256:p",
    simulated: bool = False,
    once_key: str | None = None,
) -> None:
    store.save_plan(plan, b"{}", plan.encode())
    store.create_run(RunRecord(run_id, campaign, plan, 1.0, once_key=once_key, simulated=simulated, parents=parents))


async def end(store: RunStore, run_id: str, state: str = "finished") -> None:
    journal = store.open_run(run_id, HERE)
    await journal.append([e.RunStarted(1.0, "c", "sha256:p", "0", simulated=False, watched=True)])
    await journal.append([e.RunEnded(2.0, state, "", 0)])
    journal.close()


def test_one_run_is_found_by_its_id(make_store: MakeStore) -> None:
    store = make_store()
    add(store, "one")
    add(store, "two", simulated=True)
    assert (store.run("one").seq, store.run("one").simulated) < (store.run("two").seq, True)
    with pytest.raises(InvalidInput, match="three: no such run"):
        store.run("three")
    store.close()


def test_lists_are_of_one_campaign_in_one_state_and_so_many(make_store: MakeStore) -> None:
    store = make_store(alive=lambda owner: False)
    for number in range(6):
        add(store, f"run-{number}", campaign="even" if number % 2 == 0 else "odd")
    store.finish("run-2", "finished", {"servers": 1})
    assert [row.id for row in store.runs(limit=2)] == ["run-5", "run-4"]
    assert [row.id for row in store.runs(campaign="even")] == ["run-4", "run-2", "run-0"]
    assert [row.id for row in store.runs(state=RunState.FINISHED)] == ["run-2"]
    assert [row.id for row in store.runs(campaign="even", state=RunState.INTERRUPTED, limit=1)] == ["run-4"]
    store.close()


async def test_what_the_journal_says_last_is_the_state_where_nobody_noted_one(make_store: MakeStore) -> None:
    store = make_store(alive=lambda owner: False)
    for run_id in ("ended", "resumed", "silent"):
        add(store, run_id)
    await end(store, "ended")
    await end(store, "resumed", "stopped")
    assert store.run("resumed").state == "stopped"
    journal = store.open_run("resumed", HERE)
    await journal.append([e.RunResumed(3.0, "0")])
    states = {row.id: (row.state, row.counts) for row in store.runs()}
    assert states == {"ended": ("finished", None), "resumed": ("interrupted", None), "silent": ("interrupted", None)}
    journal.close()
    store.close()


async def test_a_run_is_open_before_the_first_event_of_its_process_and_after_the_last(make_store: MakeStore) -> None:
    store = make_store(alive=lambda owner: True)
    add(store, "run")
    assert not store.run("run").is_open
    await end(store, "run", "stopped")
    journal = store.open_run("run", HERE)
    assert (store.run("run").state, store.run("run").is_open) == ("stopped", True)
    await journal.append([e.RunResumed(3.0, "0"), e.RunEnded(4.0, "finished", "", 0)])
    assert (store.run("run").state, store.run("run").is_open) == ("finished", True)
    journal.close()
    assert not store.run("run").is_open
    store.close()


def test_a_family_is_all_that_were_retried_from_one_another(make_store: MakeStore) -> None:
    store = make_store()
    add(store, "alone")
    add(store, "first")
    add(store, "other")
    add(store, "child", "first")
    add(store, "of-both", "child", "other")
    add(store, "orphan", "elsewhere")
    add(store, "twin", "elsewhere")
    for kin in ("first", "other", "child", "of-both"):
        assert store.history.family(kin) == ["first", "other", "child", "of-both"]
    assert store.history.family("alone") == ["alone"]
    assert store.history.family("twin") == ["orphan", "twin"]
    assert store.history.parents("of-both") == ("child", "other")
    assert store.history.parents("first") == ()
    store.close()


def test_later_runs_are_those_of_the_campaign_and_kind_the_newest_first(make_store: MakeStore) -> None:
    store = make_store()
    add(store, "before", plan="sha256:0")
    add(store, "run", plan="sha256:1")
    add(store, "rehearsal", simulated=True)
    add(store, "elsewhere", campaign="other")
    add(store, "second", plan="sha256:2")
    add(store, "third", plan="sha256:3")
    later = list(store.history.later("c", store.run("run").seq, simulated=False))
    assert [(past.id, past.plan_hash, past.digests) for past in later] == [
        ("third", "sha256:3", b"sha256:3"),
        ("second", "sha256:2", b"sha256:2"),
    ]
    assert [past.id for past in store.history.later("c", 0, simulated=True)] == ["rehearsal"]
    every = [past.id for past in store.history.later(None, store.run("before").seq, simulated=False)]
    assert every == ["third", "second", "elsewhere", "run"]
    store.close()


async def test_how_its_last_process_ended_a_run_is_known_until_it_goes_on(make_store: MakeStore) -> None:
    store = make_store(alive=lambda owner: False)
    add(store, "run")
    assert store.ending("run") is None
    await end(store, "run", "stopped")
    assert store.ending("run") == e.RunEnded(2.0, "stopped", "", 0)
    journal = store.open_run("run", HERE._replace(token="token-2"))
    await journal.append([e.RunResumed(3.0, "0")])
    assert store.ending("run") is None
    journal.close()
    store.close()


@pytest.mark.parametrize("event", [e.Intended(1.0, 0), e.Suspected(1.0, 0), e.Surveyed(1.0, 0)])
async def test_a_run_that_sent_nothing_is_known_for_that(make_store: MakeStore, event: e.Event) -> None:
    store = make_store()
    add(store, "run")
    journal = store.open_run("run", HERE)
    await journal.append([e.RunStarted(1.0, "c", "sha256:p", "0", simulated=False, watched=True)])
    await journal.append([event])
    journal.close()
    (past,) = store.history.later("c", 0, simulated=False)
    assert past.sent is not isinstance(event, e.Surveyed)
    store.close()


def test_a_plan_keeps_its_digests_when_it_is_saved_again(make_store: MakeStore) -> None:
    store = make_store()
    store.save_plan("sha256:1", b"{}")
    add(store, "run", plan="sha256:1")
    store.save_plan("sha256:1", b"{}")
    (past,) = store.history.later("c", 0, simulated=False)
    assert past.digests == b"sha256:1"
    store.close()


async def test_a_run_that_is_pruned_is_gone_and_its_slot_stays_taken(make_store: MakeStore) -> None:
    store = make_store(alive=lambda owner: False)
    add(store, "old", once_key="nightly-1")
    add(store, "new", "old", once_key="nightly-2")
    await end(store, "old")
    await end(store, "new", "stopped")
    store.post_command("old", 1.0, "me", "", "{}")
    assert store.history.slot_keepers() == {"new"}
    store.history.delete(["old"])
    assert [row.id for row in store.runs()] == ["new"]
    assert store.history.family("new") == ["new"]
    assert store.load_plan("sha256:p") == b"{}"
    assert store.history.slot("nightly-1") == SlotRow("old", "c", RunState.FINISHED, None)
    assert store.history.slot("nightly-2") == SlotRow("new", "c", RunState.STOPPED, None)
    assert store.history.slot("nightly-3") is None
    assert store.find_slot("nightly-1") == "old"
    with pytest.raises(SlotTaken, match="nightly-1 is taken by run old"):
        add(store, "again", once_key="nightly-1")
    assert [row.id for row in store.runs()] == ["new"]
    add(store, "newest", once_key="nightly-3")
    assert store.run("newest").seq > store.run("new").seq
    store.close()


def test_the_newest_slot_is_each_campaigns_own(make_store: MakeStore) -> None:
    store = make_store()
    for number in range(3):
        add(store, f"a-{number}", campaign="a", once_key=f"a-{number}")
        add(store, f"b-{number}", campaign="b", once_key=f"b-{number}" if number < 2 else None)
    assert store.history.slot_keepers() == {"a-2", "b-1"}
    store.close()


def test_plans_go_when_no_run_has_them_and_they_are_old(make_store: MakeStore) -> None:
    now = [100.0]
    store = make_store(now=lambda: now[0])
    add(store, "run", plan="sha256:1")
    store.save_plan("sha256:2", b"{}")
    now[0] = 200.0
    store.save_plan("sha256:3", b"{}")
    assert store.history.plans_without_run(150.0) == ["sha256:2"]
    for plan in ("sha256:1", "sha256:2"):
        store.history.delete_plan(plan)
    assert store.load_plan("sha256:1") == b"{}"
    with pytest.raises(StateFolderError):
        store.load_plan("sha256:2")
    store.save_plan("sha256:3", b"{}")
    assert store.history.plans_without_run(1000.0) == ["sha256:3"]
    store.close()


def test_space_is_given_back(make_store: MakeStore) -> None:
    store = make_store()
    store.save_plan("sha256:1", b"{" + os.urandom(1_000_000))
    before = store.history.size()
    store.history.delete_plan("sha256:1")
    store.history.shrink()
    assert store.history.size() < before - 900_000
    store.close()


# --- files of earlier versions


def as_version_4(path: Path, change: str = "", *values: object) -> None:
    db = apsw.Connection(str(path))
    for plan_hash, body in list(db.execute("SELECT plan_hash, body FROM plan")):
        db.execute("UPDATE plan SET body = ? WHERE plan_hash = ?", (zlib.decompress(body), plan_hash))
    db.execute(change, values)
    db.execute(BACK_TO_4)
    db.close()


async def write_old(path: Path) -> Sequence[str]:
    """A real run, a rehearsal of a retry of it, one that was never begun, and one that a second Ctrl-C ended; plan hashes."""
    store = SqliteStore(path, alive=lambda owner: False)
    plans = [small_plan((2,)), small_plan((3,))]
    hashes = [hash_plan(plan) for plan in plans]
    for plan, plan_hash in zip(plans, hashes, strict=True):
        store.save_plan(plan_hash, plan_to_json(plan))
    for run_id, plan_hash in (("real", hashes[0]), ("rehearsal", hashes[1]), ("none", hashes[1]), ("cut", hashes[1])):
        store.create_run(RunRecord(run_id, "test", plan_hash, 9.0 - len(run_id)))
    for run_id in ("real", "rehearsal", "cut"):
        journal = store.open_run(run_id, HERE)
        simulated = run_id == "rehearsal"
        await journal.append([e.RunStarted(1.0, "test", "h", "0", simulated=simulated, watched=True)])
        await journal.append(
            [e.StopRequested(1.5, "SIGINT received") if run_id == "cut" else e.RunEnded(2.0, "finished", "", 0)]
        )
        journal.close()
        store.finish(run_id, "stopped" if run_id == "cut" else "finished", {"servers": 2})
    store.close()
    return hashes


async def test_old_runs_get_their_place_kind_and_digests(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await write_old(path)
    as_version_4(path)
    store = SqliteStore(path, alive=lambda owner: False)
    assert [(row.id, row.simulated, row.state) for row in store.runs()] == [
        ("cut", False, "interrupted"),
        ("none", None, "interrupted"),
        ("rehearsal", True, "finished"),
        ("real", False, "finished"),
    ]
    assert store.run("cut").counts is None
    later = {past.id: past.digests for past in store.history.later("test", 0, simulated=False)}
    assert later == {"real": plan_digests(small_plan((2,))), "cut": plan_digests(small_plan((3,)))}
    store.close()


async def test_old_plans_tell_their_parents(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    _, plan_hash = await write_old(path)
    as_version_4(
        path,
        """UPDATE plan SET body = CAST(replace(body, '"parents":[]', '"parents":["real","real"]') AS BLOB)
           WHERE plan_hash = ?""",
        plan_hash,
    )
    store = SqliteStore(path)
    assert store.history.family("real") == ["real", "rehearsal", "none", "cut"]
    store.close()


@pytest.mark.parametrize("body", [b"not JSON", b"x\x9c damaged", b"{}", b'{"lanes": [{}], "groups": []}'])
async def test_a_damaged_plan_or_journal_does_not_stop_the_upgrade(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "journal.db"
    _, plan_hash = await write_old(path)
    damage = "UPDATE plan SET body = ? WHERE plan_hash = ?; UPDATE entry SET events = 'x' WHERE run_id = 'real'"
    as_version_4(path, damage, body, plan_hash)
    store = SqliteStore(path, alive=lambda owner: False)
    assert store.run("real").simulated is None
    assert {past.id: past.digests for past in store.history.later("test", 0, simulated=False)} == {"cut": None}
    store.close()
