"""What is forgotten of the past, and what never is."""

from __future__ import annotations

import json
import os
import random
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from runner.app.exporting import export_run
from runner.app.families import left_to_kin
from runner.app.history import stored_plan
from runner.app.pruning import find_prunable, prune
from runner.app.verifying import verify
from runner.errors import InvalidInput, StateFolderError
from runner.journal.chain import follow
from runner.journal.store import RunRecord
from runner.model import RunState
from runner.plan.codec import plan_from_json
from runner.plan.digests import lane_servers
from runner.rules.pruning import KeptFor, Needed, PrunedRow, choose, is_open
from tests.app.past import NOT_SENT, Past, past_plan

DAY = 86400.0
NOW = 10_000 * DAY


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path, NOW)
    yield made
    made.close()


def ago(days: float) -> float:
    return NOW - days * DAY


def report_file(past: Past, run_id: str, days: float = 0.0, name: str = "") -> Path:
    path = past.folder / "reports" / (name or f"{run_id}.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    os.utime(path, (0.0, ago(days)))
    return path


def ids(past: Past) -> set[str]:
    return {row.id for row in past.store.runs()}


def test_old_runs_go_with_their_plans_and_reports_and_young_ones_stay(past: Past) -> None:
    old, young = past.run({"a": "s"}, at=ago(100)), past.run({"a": "f"}, at=ago(80))
    reports = [report_file(past, run_id) for run_id in (old, young)]
    shown = find_prunable(past.folder, NOW, 90 * DAY, 0)
    assert ([row.id for row in shown.runs], shown.reports, shown.freed) == ([old], reports[:1], None)
    assert ids(past) == {old, young}
    done = prune(past.folder, NOW, 90 * DAY, 0)
    assert ([row.id for row in done.runs], ids(past)) == ([old], {young})
    assert [path.exists() for path in reports] == [False, True]
    assert verify(past.folder, young).broken == ()
    with pytest.raises(InvalidInput, match="no such run"):
        past.store.resolve(old)
    assert find_prunable(past.folder, NOW, 90 * DAY, 0).runs == []


@pytest.mark.parametrize("state", ["stopped", "unusable", "submitted"])
def test_a_run_that_may_go_on_stays_with_all_its_family(past: Past, state: str) -> None:
    first = past.run({"a": NOT_SENT, "b": NOT_SENT}, state=state, at=ago(300))
    child = past.run({"a": "s"}, parents=[first], at=ago(200))
    grandchild = past.run({"a": "s"}, parents=[child], at=ago(100))
    other = past.run({"a": "s"}, at=ago(100))
    done = prune(past.folder, NOW, 90 * DAY, 0)
    assert ids(past) == {first, child, grandchild}
    assert [row.id for row in done.runs] == [other]
    assert done.kept == {KeptFor.OPEN: 1, KeptFor.FAMILY: 2}
    # Were the child forgotten, its parent would do its server again.
    mine = dict.fromkeys(lane_servers(stored_plan(past.store, first)), 0)
    assert [event.servers for event in left_to_kin(past.store, first, mine, 1.0)] == [("a",)]


def test_a_run_that_was_killed_stays_and_a_rehearsal_that_was_goes(past: Past) -> None:
    real, rehearsal = (past.add(past_plan(["a"]), simulated=simulated, at=ago(100)) for simulated in (False, True))
    for run_id in (real, rehearsal):
        assert past.store.run(run_id).state == "interrupted"
    prune(past.folder, NOW, 90 * DAY, 0)
    assert ids(past) == {real}


def test_the_newest_of_each_campaign_stay_if_asked_for(past: Past) -> None:
    runs = [past.run({"a": "s"}, campaign=name, at=ago(200 - age)) for age, name in enumerate("ababaab")]
    assert {row.id for row in find_prunable(past.folder, NOW, 90 * DAY, 2).runs} == {runs[0], runs[1], runs[2]}
    assert find_prunable(past.folder, NOW, 90 * DAY, 7).kept == {KeptFor.NEWEST: 7}


def test_the_run_of_the_newest_slot_stays_and_slots_of_others_stay_taken(past: Past) -> None:
    for number in (1, 2):
        plan = past_plan(["a"])
        past.store.save_plan(plan.plan_hash, b"{}")
        run_id = f"20260101-000000-aaaaa{number}"
        past.store.create_run(RunRecord(run_id, "c", plan.plan_hash, 1.0, once_key=f"nightly-{number}"))
        past.store.finish(run_id, "finished", {"servers": 1, "succeeded": 1})
    found = prune(past.folder, NOW, 90 * DAY, 0)
    assert (ids(past), found.kept) == ({"20260101-000000-aaaaa2"}, {KeptFor.SLOT: 1})
    slot = past.store.history.slot("nightly-1")
    assert slot is not None
    assert (slot.run_id, slot.state) == ("20260101-000000-aaaaa1", RunState.FINISHED)


def test_a_run_that_holds_servers_stays(past: Past) -> None:
    run_id = past.run({"a": "s"}, at=ago(100))
    past.store.lease(run_id, ["a"])
    assert find_prunable(past.folder, NOW, 90 * DAY, 0).kept == {KeptFor.LEASES: 1}


def test_a_run_that_is_over_and_held_servers_for_long_enough_goes(past: Past) -> None:
    run_id = past.run({"a": "t"}, at=ago(100))
    past.store.lease(run_id, ["a"])
    found = find_prunable(past.folder, time.time() + 60.0, 90 * DAY, 0)
    assert ([row.id for row in found.runs], found.kept) == ([run_id], {})


def test_reports_and_plans_that_have_no_run_go_when_they_are_old(past: Past) -> None:
    run_id, nobody = past.run({"a": "s"}, at=ago(1)), "20250101-000000-abcdef"
    old = [report_file(past, nobody, 100), report_file(past, "", 100, f".{run_id}.json.x1y2")]
    stay = [
        report_file(past, run_id, 100),
        report_file(past, "20250101-000000-abcde0", 80),
        report_file(past, "", 100, "mine.json"),
        report_file(past, "", 100, "20250101-000000-abcdef.json~"),
    ]
    past.store.save_plan("sha256:old", b"{}")
    past.store.save_plan("sha256:new", b"{}")
    past._db.execute("UPDATE plan_index SET saved_at = 0 WHERE plan_hash = 'sha256:old'")  # noqa: SLF001
    done = prune(past.folder, NOW, 90 * DAY, 0)
    assert (sorted(done.reports), done.plans) == (sorted(old), ["sha256:old"])
    assert [path.exists() for path in old + stay] == [False] * 2 + [True] * 4
    assert ids(past) == {run_id}
    assert past.store.load_plan("sha256:new") == b"{}"
    with pytest.raises(StateFolderError):
        past.store.load_plan("sha256:old")


def test_a_plan_whose_run_may_be_about_to_begin_stays(past: Past) -> None:
    past.store.save_plan("sha256:waits", b"{}")
    assert prune(past.folder, NOW, 1.0, 0).plans == []
    assert past.store.load_plan("sha256:waits") == b"{}"


def test_what_was_freed_is_said(past: Past) -> None:
    big = past.add(past_plan([os.urandom(100).hex() for _ in range(5000)]), at=ago(100))
    past.store.finish(big, "finished", {})
    report = report_file(past, big)
    report.write_bytes(b"x" * 100_000)
    freed = prune(past.folder, NOW, 90 * DAY, 0).freed
    assert freed is not None
    assert freed > 500_000
    assert (past.folder / "journal.db").stat().st_size < 500_000


def test_the_database_is_left_as_it_is_while_a_run_goes_on(past: Past) -> None:
    old, going = past.run({"a": "s"}, at=ago(100)), past.add(past_plan(["a"]))
    past._db.execute(  # noqa: SLF001  this very process, as far as the store can tell
        "UPDATE run SET owner_host = 'elsewhere', owner_pid = 1, owner_token = 't', heartbeat_at = ? WHERE id = ?",
        (time.time(), going),
    )
    done = prune(past.folder, NOW, 90 * DAY, 0)
    assert ([row.id for row in done.runs], ids(past)) == ([old], {going})
    assert done.note.startswith("a run goes on")


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_rows_what_is_needed_stays(seed: int) -> None:
    rng = random.Random(seed)
    rows = [
        PrunedRow(f"r{n}", rng.choice("ab"), rng.uniform(0, 100), rng.choice(list(RunState)), rng.choice((True, False, None)))
        for n in range(20)
    ]  # fmt: skip
    some = [{row.id for row in rows if rng.random() < 0.2} for _ in range(3)]
    keep = rng.randint(0, 3)
    gone, kept = choose(rows, 50.0, keep, Needed(*some))
    assert len(gone) + sum(kept.values()) == sum(row.started_at < 50.0 for row in rows)
    for row in gone:
        assert not is_open(row)
        assert row.state is not RunState.RUNNING
        assert not any(row.id in needed for needed in some)
        assert sum(newer.campaign == row.campaign for newer in rows[: rows.index(row)]) >= keep


def test_an_export_has_all_there_is_and_can_be_checked(past: Past) -> None:
    run_id = past.run({"a": "s", "b": "f"})
    data = export_run(past.folder, run_id)
    assert export_run(past.folder, "last") == data
    with zipfile.ZipFile(BytesIO(data)) as archive:
        parts = {name.removeprefix(f"{run_id}/"): archive.read(name) for name in archive.namelist()}
    assert set(parts) == {"plan.json", "journal.ndjson", "report.json"}
    plan = plan_from_json(parts["plan.json"], "plan.json")
    assert plan.plan_hash == stored_plan(past.store, run_id).plan_hash
    assert json.loads(parts["report.json"])["counts"]["failed"] == 1
    entries = [json.loads(line) for line in parts["journal.ndjson"].splitlines()]
    links = list(past.store.links(run_id))
    assert [(entry["seq"], entry["hash"]) for entry in entries] == [(link.seq, link.hash) for link in links]
    assert follow(run_id, plan.plan_hash, links).broken_at is None
    assert [event["kind"] for event in entries[0]["events"]] == ["run_started"]
