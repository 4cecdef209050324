"""One contract over both stores."""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import apsw
import orjson
import pytest

from runner.errors import InvalidInput, RefusedToStart, StateFolderError
from runner.journal.chain import first_hash, follow, next_hash
from runner.journal.owner import Owner
from runner.journal.sqlite import SqliteStore
from runner.journal.store import CommandRow, Leased, RunRecord, SlotTaken
from runner.model import Job, Task
from runner.rules.answers import Cause, ServiceError
from runner.run import events as e
from tests.journal.conftest import MakeStore, with_run

HERE = Owner("here", 1, 1, "token-1")


def intended(count: int) -> list[e.Event]:
    return [e.Intended(float(i), i) for i in range(count)]


async def test_what_is_appended_is_read_back_in_order(make_store: MakeStore) -> None:
    store = with_run(make_store())
    journal = store.open_run("run-1", HERE)
    error = ServiceError(400, "ModelArts.0104", "no", "abc")
    task = Task("t", "s", "n", "FAILED", "why", 1.0, 2.0, {"id": "c"})
    job = Job("j", "n", "T", "FINISHED", 1, "tpl", "user", 1.0, 2.0, (task,))
    events: list[e.Event] = [
        e.RunStarted(0.5, "c", "sha256:p", "1", simulated=True, watched=True),
        *intended(3),
        e.Refused(1.0, 0, Cause.INVALID, error, None),
        e.SetAside(1.0, 0, Cause.BUSY, error, 2.0),
        e.InDoubt(1.0, 0, error, busy=True),
        e.Throttled(1.0, 1, error, 2.0, None),
        e.Accepted(1.0, 2, job),
        e.Conflict(1.0, 1, ("a", "b"), "two"),
        e.JobRead(1.5, 2, job),
        e.Settled(2.0, 2, "sf", 10.0),
    ]
    for event in events:
        await journal.append([event])
    assert list(store.read_events("run-1")) == events
    assert [type(event) for event in store.read_events("run-1", kinds=("settled",))] == [e.Settled]
    assert not [event for event in store.read_events("run-1", lean=True) if isinstance(event, e.JobRead)]
    journal.close()
    store.close()


def job_read(request: int) -> e.JobRead:
    task = Task("t", f"id-{request}", "n", "SUCCESS", "m", 1.0, 2.0, {"id": "c"})
    return e.JobRead(1.5, request, Job("j", "n", "T", "FINISHED", 0, "tpl", "user", 1.0, 2.0, (task,)))


def watched(count: int) -> list[e.Event]:
    return [event for i in range(count) for event in (job_read(i), e.Settled(2.0, i, "s", 10.0))]


async def test_details_are_read_where_they_were_and_only_if_asked_for(make_store: MakeStore) -> None:
    store = with_run(with_run(make_store(), "run-1"), "run-2")
    journal = store.open_run("run-1", HERE)
    events = [*intended(2), *watched(2)]
    await journal.append(events)
    await store.open_run("run-2", HERE).append(intended(5))
    assert list(store.read_events("run-1")) == events
    assert list(store.read_events("run-1", kinds=("job_read",))) == [job_read(0), job_read(1)]
    lean = [event for event in events if not isinstance(event, e.JobRead)]
    assert list(store.read_events("run-1", lean=True)) == lean
    (link,) = store.links("run-1")
    assert ("tpl" in link.events, "tpl" in link.details) == (False, True)
    assert ["SUCCESS" in part for part in (link.events, link.details, *map(bytes.decode, link.tasks))] == [
        False
    ] * 2 + [True] * 2
    assert follow("run-1", "sha256:p", [link]).broken_at is None
    forged_tasks = tuple(tasks.replace(b"SUCCESS", b"FAILED") for tasks in link.tasks)
    for forged in (
        link._replace(details=link.details.replace("tpl", "")),
        link._replace(details=""),
        link._replace(tasks=forged_tasks),
        link._replace(tasks=link.tasks[:1]),
        link._replace(tasks=link.tasks[::-1]),
    ):
        assert follow("run-1", "sha256:p", [forged]).broken_at == 1
    store.close()


async def test_tasks_that_the_answer_to_a_create_had_are_a_matter_of_reports(make_store: MakeStore) -> None:
    store = with_run(make_store())
    read = job_read(0)
    accepted = e.Accepted(1.0, 0, read.job)
    await store.open_run("run-1", HERE).append([*intended(1), accepted])
    assert list(store.read_events("run-1")) == [*intended(1), accepted]
    bare = replace(accepted, job=replace(read.job, tasks=()))
    assert list(store.read_events("run-1", lean=True)) == [*intended(1), bare]
    store.close()


async def test_a_run_is_read_on_from_a_place_in_its_journal(make_store: MakeStore) -> None:
    store = with_run(with_run(make_store(), "run-1"), "run-2")
    journal, other = store.open_run("run-1", HERE), store.open_run("run-2", HERE)
    await journal.append(intended(2))
    await other.append(intended(7))
    await journal.append([job_read(0), e.Settled(2.0, 0, "s", 10.0)])
    assert [entry.seq for entry in store.read_entries("run-1")] == [1, 2]
    for lean in (False, True):
        ((seq, events),) = store.read_entries("run-1", 1, lean=lean)
        assert (seq, events) == (2, (job_read(0), e.Settled(2.0, 0, "s", 10.0))[lean:])
        assert list(store.read_entries("run-1", 2, lean=lean)) == []
    journal.close()
    other.close()
    store.close()


async def test_a_run_is_read_to_its_end_and_no_further(make_store: MakeStore) -> None:
    store = with_run(with_run(make_store(), "run-1"), "run-2")
    first, second = store.open_run("run-1", HERE), store.open_run("run-2", HERE)
    for event in intended(501):
        first.append([event])
        await second.append([event])
    first.close()
    second.close()
    for run_id in ("run-1", "run-2"):
        assert list(store.read_events(run_id)) == intended(501)
        assert list(store.read_events(run_id, lean=True)) == intended(501)
    store.close()


async def test_many_tasks_appending_at_once_keep_their_own_order(make_store: MakeStore) -> None:
    store = with_run(make_store())
    journal = store.open_run("run-1", HERE)

    async def worker(request: int) -> None:
        for at in range(20):
            await journal.append([e.Intended(float(at), request)])

    await asyncio.gather(*(worker(request) for request in range(8)))
    read = [event for event in store.read_events("run-1") if isinstance(event, e.Intended)]
    for request in range(8):
        assert [event.at for event in read if event.request == request] == list(range(20))
    journal.close()
    store.close()


async def test_lists_are_newest_first_and_say_how_a_run_ended(make_store: MakeStore) -> None:
    store = with_run(make_store(), "run-1", at=1.0)
    store.create_run(RunRecord("run-2", "campaign", "sha256:p", 0.5))  # the wall clock was set back
    store.finish("run-2", "finished", {"servers": 3})
    rows = store.runs()
    assert [row.id for row in rows] == ["run-2", "run-1"]
    assert (rows[0].state, rows[0].counts) == ("finished", {"servers": 3})
    assert rows[1].state == "interrupted"
    assert store.load_plan("sha256:p") == b'{"plan": 1}'
    store.close()


async def test_a_run_is_found_by_id_by_its_start_and_as_last(make_store: MakeStore) -> None:
    store = with_run(with_run(make_store(), "20260102-b", 2.0), "20260101-a", 1.0)
    assert store.resolve("last") == "20260101-a"  # made last, whatever the clock said
    assert store.resolve("20260101") == "20260101-a"
    with pytest.raises(InvalidInput, match="2 runs start so"):
        store.resolve("2026")
    with pytest.raises(InvalidInput, match="did you mean 20260101-a"):
        store.resolve("20260101-x")
    store.close()


async def test_two_runs_of_one_id_cannot_be(make_store: MakeStore) -> None:
    store = with_run(make_store())
    with pytest.raises(RefusedToStart):
        with_run(store)
    store.close()


def slot_run(run_id: str, once_key: str | None, servers: tuple[str, ...] = ()) -> RunRecord:
    return RunRecord(run_id, "campaign", "sha256:p", 1.0, HERE, servers, 60.0, once_key)


async def test_a_slot_has_one_run(make_store: MakeStore) -> None:
    store = with_run(make_store(alive=lambda owner: True), "run-0")
    assert store.find_slot("nightly-1") is None
    store.create_run(slot_run("run-1", "nightly-1", ("a",)))
    with pytest.raises(SlotTaken, match="nightly-1 is taken by run run-1") as caught:
        store.create_run(slot_run("run-2", "nightly-1", ("b",)))
    assert caught.value.run_id == store.find_slot("nightly-1") == "run-1"
    assert sorted(row.id for row in store.runs()) == ["run-0", "run-1"]
    assert [lease.run_id for lease in store.leases()] == ["run-1"]
    store.create_run(slot_run("run-2", "nightly-2", ("b",)))
    assert store.find_slot("nightly-2") == "run-2"
    store.close()


async def test_a_run_that_gets_no_servers_does_not_keep_the_slot(make_store: MakeStore) -> None:
    store = with_run(make_store(alive=lambda owner: True), "run-0")
    store.create_run(slot_run("run-1", None, ("a",)))
    with pytest.raises(Leased):
        store.create_run(slot_run("run-2", "nightly", ("a",)))
    assert store.find_slot("nightly") is None
    store.release("run-1")
    store.create_run(slot_run("run-3", "nightly", ("a",)))
    assert store.find_slot("nightly") == "run-3"
    store.close()


async def test_a_run_has_a_place_for_its_report_which_its_owner_may_change(make_store: MakeStore) -> None:
    store = with_run(make_store(), "run-1")
    store.create_run(RunRecord("run-2", "campaign", "sha256:p", 2.0, report="/reports/2.json"))
    assert [row.report for row in store.runs()] == ["/reports/2.json", None]
    journal = store.open_run("run-2", HERE)
    store.keep_report("run-2", "/elsewhere/2.json")
    assert store.run("run-2").report == "/elsewhere/2.json"
    journal.close()
    assert store.run("run-2").report == "/elsewhere/2.json"
    assert store.run("run-1").report is None
    store.close()


async def test_commands_are_read_in_order_and_only_new_ones(make_store: MakeStore) -> None:
    store = with_run(with_run(make_store(), "run-1"), "run-2")
    first = store.post_command("run-1", 1.5, "ann", "too hot", '{"do":"hold"}')
    other = store.post_command("run-2", 2.5, "bob", "", "{}")
    second = store.post_command("run-1", 3.5, "ann", "cool again", '{"do":"go on"}')
    assert first < other < second
    assert store.read_commands("run-1", 0) == [
        CommandRow(first, 1.5, "ann", "too hot", '{"do":"hold"}'),
        CommandRow(second, 3.5, "ann", "cool again", '{"do":"go on"}'),
    ]
    assert [row.id for row in store.read_commands("run-1", first)] == [second]
    assert store.read_commands("run-1", second) == []
    store.close()


def claims(path: Path, name: str, count: int) -> int:
    """In a process of its own: try to make `count` runs for as many slots; how many were made."""
    store = SqliteStore(path)
    made = 0
    for number in range(count):
        try:
            store.create_run(slot_run(f"{name}-{number}", f"slot-{number}"))
        except SlotTaken:
            continue
        made += 1
    store.close()
    return made


@pytest.mark.process
def test_processes_that_race_for_slots_make_one_run_each(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with_run(SqliteStore(path), "run-0").close()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        both = [pool.submit(claims, path, name, 50) for name in ("a", "b")]
        assert sum(made.result() for made in both) == 50
    store = SqliteStore(path)
    assert len(store.runs()) == 51
    store.close()


async def test_numbers_that_json_cannot_carry_are_refused(make_store: MakeStore) -> None:
    store = with_run(make_store())
    journal = store.open_run("run-1", HERE)
    with pytest.raises((ValueError, StateFolderError)):
        await journal.append([e.Intended(float("nan"), 0)])
    journal.close()
    store.close()


def test_a_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFolderError, match="cannot be used"):
        SqliteStore(tmp_path / "file" / "journal.db")


def test_a_file_that_is_no_journal_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("this is a diary, not a journal" * 100)
    with pytest.raises(StateFolderError, match="damaged or no journal"):
        SqliteStore(tmp_path / "journal.db")


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    SqliteStore(path).close()
    db = apsw.Connection(str(path))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(StateFolderError, match="newer version"):
        SqliteStore(path)


def test_the_journal_is_nobody_elses_business(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.db"
    SqliteStore(path).close()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


BACK_TO_8 = (
    "ALTER TABLE entry DROP COLUMN tasks; DROP VIEW lease; "
    "CREATE TABLE lease (server_id TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES run (id)) STRICT, WITHOUT ROWID; "
    "INSERT INTO lease SELECT server_id, id FROM leased_server JOIN run ON run.seq = run; DROP TABLE leased_server; "
    "CREATE INDEX lease_by_run ON lease (run_id); PRAGMA user_version = 8"
)
BACK_TO_7 = f"{BACK_TO_8}; DROP TABLE learned_limit; PRAGMA user_version = 7"
BACK_TO_6 = f"{BACK_TO_7}; ALTER TABLE run DROP COLUMN report; PRAGMA user_version = 6"
BACK_TO_5 = f"{BACK_TO_6}; DROP TABLE refused_calls; DROP TABLE salt; PRAGMA user_version = 5"
BACK_TO_4 = (
    f"{BACK_TO_5}; "
    "DROP TABLE parent; DROP TABLE plan_index; DROP TABLE pruned_slot; "
    "DROP INDEX run_by_seq; DROP INDEX run_by_campaign; DROP INDEX run_by_plan; DROP INDEX slot_by_run; "
    "ALTER TABLE run DROP COLUMN seq; ALTER TABLE run DROP COLUMN simulated; "
    "ALTER TABLE run DROP COLUMN owner_machine; ALTER TABLE run DROP COLUMN renewals; "
    "ALTER TABLE run DROP COLUMN renewed_clock; ALTER TABLE run DROP COLUMN renewed_at; "
    "ALTER TABLE run DROP COLUMN seen; PRAGMA user_version = 4"
)
BACK_TO_2 = (
    f"{BACK_TO_4}; DROP TABLE slot; DROP TABLE command; ALTER TABLE entry DROP COLUMN details; PRAGMA user_version = 2"
)
BACK_TO_1 = (
    f"{BACK_TO_2}; "
    "DROP TABLE lease; ALTER TABLE entry DROP COLUMN hash; ALTER TABLE run DROP COLUMN lease_s; PRAGMA user_version = 1"
)


def structure(path: Path) -> list[tuple[str, str]]:
    """The columns of every table and index, by its name."""
    db = apsw.Connection(str(path))
    rows = list(
        db.execute("SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS c ORDER BY 1, 2")
    )
    db.close()
    return rows


@pytest.mark.parametrize(
    "back",
    [BACK_TO_8, BACK_TO_7, BACK_TO_6, BACK_TO_5, BACK_TO_4, BACK_TO_2, BACK_TO_1],
    ids=["8", "7", "6", "5", "4", "2", "1"],
)
async def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path, back: str) -> None:
    path = tmp_path / "journal.db"
    store = with_run(SqliteStore(path))
    journal = store.open_run("run-1", HERE)
    await journal.append(intended(3))
    journal.close()
    written = list(store.links("run-1"))
    store.close()
    fresh = structure(path)
    db = apsw.Connection(str(path))
    db.execute(back)
    db.close()
    store = SqliteStore(path)
    assert list(store.links("run-1")) == written
    assert list(store.read_events("run-1")) == intended(3)
    assert store.leases() == []
    assert store.find_slot("nightly") is None
    assert store.run("run-1").report is None
    assert store.read_commands("run-1", 0) == []
    assert len(store.credentials.salt) == 16
    store.close()
    assert structure(path) == fresh


async def test_who_held_servers_in_an_earlier_version_holds_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SqliteStore(path, alive=lambda owner: True)
    store.save_plan("sha256:p", b"{}")
    for run_id, servers in (("run-1", ("a", "b")), ("run-2", ("c",))):
        store.create_run(RunRecord(run_id, "c", "sha256:p", 1.0, HERE, servers, 60.0))
    store.close()
    db = apsw.Connection(str(path))
    db.execute(BACK_TO_8)
    db.close()
    store = SqliteStore(path, alive=lambda owner: True)
    assert [(held.run_id, held.servers) for held in store.leases()] == [("run-1", 2), ("run-2", 1)]
    with pytest.raises(Leased, match="run-1"):
        store.create_run(RunRecord("run-3", "c", "sha256:p", 1.0, HERE, ("b", "d"), 60.0))
    store.close()


async def test_a_run_of_an_earlier_version_that_is_at_work_goes_on_and_gives_its_servers_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SqliteStore(path, alive=lambda owner: True)
    store.save_plan("sha256:p", b"{}")
    for run_id, servers in (("run-1", ("a", "b", "c")), ("run-2", ("d",))):
        store.create_run(RunRecord(run_id, "c", "sha256:p", 1.0, HERE, servers, 60.0))
    store.close()
    at_work = apsw.Connection(str(path))
    at_work.execute(BACK_TO_8)
    first, second = orjson.dumps([{"kind": "intended", "data": event} for event in intended(2)]), b'[{"kind":"x"}]'
    append = "INSERT INTO entry (run_id, seq, events, hash, details) SELECT 'run-1', ?, ?, ?, ''"
    before = next_hash(first_hash("run-1", "sha256:p"), 1, first)
    at_work.execute(append, (1, first.decode(), before))
    store = SqliteStore(path, alive=lambda owner: True)  # of this version: a list, say
    at_work.execute(append, (2, second.decode(), next_hash(before, 2, second)))
    at_work.execute(
        "DELETE FROM lease WHERE run_id = 'run-1' AND server_id NOT IN (SELECT value FROM json_each('[\"b\"]'))"
    )
    at_work.execute(
        "INSERT OR IGNORE INTO lease (server_id, run_id) SELECT value, 'run-1' FROM json_each('[\"c\", \"d\"]')"
    )
    assert list(at_work.execute("SELECT server_id, run_id FROM lease")) == [
        ("b", "run-1"),
        ("c", "run-1"),
        ("d", "run-2"),
    ]
    with pytest.raises(apsw.SQLError, match="UPSERT"):  # one that only now takes its servers sends nothing
        at_work.execute(
            "INSERT INTO lease (server_id, run_id) SELECT value, 'run-1' FROM json_each('[\"e\"]') WHERE true"
            " ON CONFLICT (server_id) DO UPDATE SET run_id = excluded.run_id"
        )
    at_work.close()
    assert [(held.run_id, held.servers) for held in store.leases()] == [("run-1", 2), ("run-2", 1)]
    assert follow("run-1", "sha256:p", store.links("run-1")).broken_at is None
    store.close()


def as_version_2(path: Path, commits: list[list[e.Event]]) -> None:
    """Make the file what version 2 wrote: details among the events, plans compressed."""
    db = apsw.Connection(str(path))
    before = first_hash("run-1", "sha256:p")
    for seq, events in enumerate(commits, 1):
        text = orjson.dumps([{"kind": event.kind, "data": event} for event in events])
        before = next_hash(before, seq, text)
        db.execute(
            "INSERT INTO entry (run_id, seq, events, hash) VALUES ('run-1', ?, ?, ?)", (seq, text.decode(), before)
        )
    db.execute("UPDATE plan SET body = ?", (zlib.compress(b'{"plan": 1}', 1),))
    db.execute(BACK_TO_2)
    db.close()


async def test_a_file_of_version_2_is_brought_up_to_date_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with_run(SqliteStore(path)).close()
    as_version_2(path, [intended(2), watched(1)])
    store = SqliteStore(path)
    assert store.load_plan("sha256:p") == b'{"plan": 1}'
    assert list(store.read_events("run-1")) == [*intended(2), *watched(1)]
    assert list(store.read_events("run-1", lean=True)) == [*intended(2), *watched(1)[1:]]
    journal = store.open_run("run-1", HERE)
    await journal.append(watched(2)[2:])
    assert list(store.read_events("run-1")) == [*intended(2), *watched(2)]
    assert follow("run-1", "sha256:p", store.links("run-1")).broken_at is None
    store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entry SET details = 'x'",
        "UPDATE entry SET tasks = x'02000000785e'",
        "UPDATE entry SET tasks = x'0200'",
        "UPDATE entry SET tasks = NULL",
    ],
)
async def test_a_run_is_resumed_from_a_journal_whose_details_are_damaged(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "journal.db"
    store = with_run(SqliteStore(path))
    await store.open_run("run-1", HERE).append(watched(1))
    store.close()
    db = apsw.Connection(str(path))
    db.execute(damage)
    db.close()
    store = SqliteStore(path)
    assert list(store.read_events("run-1", lean=True)) == watched(1)[1:]
    with pytest.raises(StateFolderError, match="it is damaged"):
        [tuple(event.job.tasks) for event in store.read_events("run-1") if isinstance(event, e.JobRead)]
    assert follow("run-1", "sha256:p", store.links("run-1")).broken_at == 1
    store.close()


async def test_a_run_that_ends_takes_what_it_is_to_keep_where_nobody_has_it(make_store: MakeStore) -> None:
    store = with_run(make_store(alive=lambda owner: True), "run-0")  # with its plan
    store.create_run(slot_run("run-1", None, ("a", "b")))
    store.create_run(slot_run("run-2", None, ("c",)))
    store.release("run-1", keep=("b",), take=("c", "d"))
    assert [(lease.run_id, lease.servers) for lease in store.leases()] == [("run-1", 2), ("run-2", 1)]
    with pytest.raises(Leased):
        store.lease("run-2", ["d"])
    store.lease("run-2", ["a"])
    store.close()
