"""One contract over both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from runner.campaign import events as e
from runner.campaign.answers import Cause, ServiceError
from runner.errors import InvalidInput, RefusedToStart, StateFolderError
from runner.journal.memory import MemoryStore
from runner.journal.owner import Owner, is_alive, process_start, this_process
from runner.journal.sqlite import SqliteStore
from runner.journal.store import OwnershipLost, RunRecord, RunStore
from runner.model import Job, Task

MakeStore = Callable[..., RunStore]
HERE = Owner("here", 1, 1, "token-1")
THERE = Owner("there", 2, 2, "token-2")


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    if request.param == "memory":
        return MemoryStore
    return lambda **options: SqliteStore(tmp_path / "state" / "journal.db", **options)


def with_run(store: RunStore, run_id: str = "run-1", at: float = 1.0) -> RunStore:
    store.save_plan("sha256:p", b'{"plan": 1}')
    store.create_run(RunRecord(run_id, "campaign", "sha256:p", at))
    return store


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
    assert not [event for event in store.read_events("run-1", without=("job_read",)) if isinstance(event, e.JobRead)]
    journal.close()
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


async def test_a_living_owner_is_not_replaced(make_store: MakeStore) -> None:
    store = with_run(make_store(alive=lambda owner: True, now=lambda: 100.0))
    journal = store.open_run("run-1", HERE)
    with pytest.raises(RefusedToStart, match="process 1 on here"):
        store.open_run("run-1", THERE)
    assert store.runs()[0].state == "running"
    journal.close()
    store.close()


async def test_a_dead_owner_is_replaced_and_its_appends_fail(make_store: MakeStore) -> None:
    store = with_run(make_store(alive=lambda owner: False))
    old = store.open_run("run-1", HERE)
    failures: list[Exception] = []
    old.on_failure(failures.append)
    await old.append(intended(1))
    new = store.open_run("run-1", THERE)
    with pytest.raises(OwnershipLost):
        await old.append(intended(1))
    with pytest.raises(OwnershipLost):
        await old.append(intended(1))
    await new.append(intended(2)[1:])
    assert [event.request for event in store.read_events("run-1") if isinstance(event, e.Intended)] == [0, 1]
    assert len(failures) == 1
    old.close()
    new.close()
    store.close()


async def test_a_silent_owner_on_another_host_is_replaced_after_the_takeover_time(make_store: MakeStore) -> None:
    now = [100.0]
    store = with_run(make_store(alive=lambda owner: None, now=lambda: now[0], takeover_s=30.0))
    old = store.open_run("run-1", HERE)
    now[0] = 129.0
    with pytest.raises(RefusedToStart):
        store.open_run("run-1", THERE)
    now[0] = 131.0
    store.open_run("run-1", THERE).close()
    old.close()
    store.close()


async def test_lists_are_newest_first_and_say_how_a_run_ended(make_store: MakeStore) -> None:
    store = with_run(make_store(), "run-1", at=1.0)
    store.create_run(RunRecord("run-2", "campaign", "sha256:p", 2.0))
    store.finish("run-2", "finished", {"servers": 3})
    rows = store.runs()
    assert [row.id for row in rows] == ["run-2", "run-1"]
    assert (rows[0].state, rows[0].counts) == ("finished", {"servers": 3})
    assert rows[1].state == "interrupted"
    assert store.load_plan("sha256:p") == b'{"plan": 1}'
    store.close()


async def test_a_run_is_found_by_id_by_its_start_and_as_last(make_store: MakeStore) -> None:
    store = with_run(with_run(make_store(), "20260101-a", 1.0), "20260102-b", 2.0)
    assert store.resolve("last") == "20260102-b"
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


def test_this_process_is_alive_and_one_that_never_was_is_not() -> None:
    me = this_process("t")
    assert is_alive(me) is True
    assert is_alive(me._replace(process_start=me.process_start + 1)) is False
    assert is_alive(me._replace(host="elsewhere")) is None
    assert process_start(2**22 + 1) is None


async def test_a_file_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = with_run(SqliteStore(path))
    journal = store.open_run("run-1", HERE)
    await journal.append(intended(3))
    journal.close()
    written = list(store.links("run-1"))
    store.close()
    db = apsw.Connection(str(path))
    db.execute(
        "DROP TABLE lease; ALTER TABLE entry DROP COLUMN hash; ALTER TABLE run DROP COLUMN lease_s; PRAGMA user_version = 1"
    )
    db.close()
    store = SqliteStore(path)
    assert list(store.links("run-1")) == written
    assert list(store.read_events("run-1")) == intended(3)
    assert store.leases() == []
    store.close()
